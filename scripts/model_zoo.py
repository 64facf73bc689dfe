"""The models that `npm run test:models` is about: name -> a function that gives (eval module, calls). Random weights, small inputs.

Each entry is `Entry(package, family, name, build, kinds)`; `build()` gives the module and its argument tuples, the first of
which the tracer uses. Packages that cannot be imported are reported in MISSING.
"""
import importlib.util
import sys
import types
from dataclasses import dataclass
from typing import Callable

import torch

MISSING = {}


@dataclass
class Entry:
    package: str
    family: str
    name: str
    build: Callable
    kinds: tuple = ("script", "trace")


def _import_torchvision():
    try:
        import torchvision
    except RuntimeError:
        # the meta registrations need torchvision's compiled operators, which a CPU build of torch cannot always load;
        # classification, segmentation and video models use none of them
        for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        sys.modules["torchvision._meta_registrations"] = types.ModuleType("stub")
        import torchvision
    return torchvision


def _images(size, channels=3, batches=(1, 2)):
    return [(torch.rand(b, channels, size, size),) for b in batches]


# torchvision ---------------------------------------------------------------------------------------------------------

_VISION_SIZE = {"inception_v3": 96, "maxvit_t": 224, "alexnet": 64, "googlenet": 64}
_VISION_ARGS = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
    "vit_b_16": {"image_size": 32},
    "vit_b_32": {"image_size": 64},
    "vit_l_16": {"image_size": 32},
    "vit_l_32": {"image_size": 64},
    "vit_h_14": {"image_size": 28},
}
_VISION_BY_ARGS = {"vit_b_16": 32, "vit_b_32": 64, "vit_l_16": 32, "vit_l_32": 64, "vit_h_14": 28}


def _classification(models, name):
    size = _VISION_BY_ARGS.get(name) or _VISION_SIZE.get(name, 64 if name.startswith("swin") else 32)
    model = models.get_model(name, weights=None, **_VISION_ARGS.get(name, {})).eval()
    return model, _images(size, batches=(1,) if size > 100 else (1, 2))


def _segmentation(models, name):
    return models.get_model(name, weights=None, weights_backbone=None).eval(), _images(32)


def _video(models, name):
    shape = (4, 32, 32)
    if name.startswith("mvit"):
        # its builders fix 16 frames of 224 x 224; the class does not
        from torchvision.models.video import mvit

        shape, build = (4, 64, 64), mvit._mvit
        sizes = {"temporal_size": 4, "spatial_size": (64, 64)}
        mvit._mvit = lambda *args, **kwargs: build(*args, **{**kwargs, **sizes})
        try:
            return models.get_model(name, weights=None).eval(), [(torch.rand(1, 3, *shape),)]
        finally:
            mvit._mvit = build
    if name == "s3d":
        shape = (16, 224, 224)
    elif name.startswith("swin3d"):
        shape = (4, 64, 64)
    return models.get_model(name, weights=None).eval(), [(torch.rand(1, 3, *shape),)]


def _quantized(models, name):
    args = {"aux_logits": False, "init_weights": False} if name.split("_")[1] in ("googlenet", "inception") else {}
    engine = torch.backends.quantized.engine
    try:
        model = models.get_model(name, weights=None, quantize=True, **args).eval()
    finally:
        torch.backends.quantized.engine = engine  # the builder changes it, and with it how a re-saved weight is laid out
    return model, _images(96, batches=(1,))


def torchvision_entries():
    models = _import_torchvision().models
    entries = [Entry("torchvision", n.split("_")[0], n, lambda n=n: _classification(models, n)) for n in models.list_models(module=models)]
    entries += [Entry("torchvision-seg", n, n, lambda n=n: _segmentation(models, n)) for n in models.list_models(module=models.segmentation)]
    entries += [Entry("torchvision-video", n, n, lambda n=n: _video(models, n)) for n in models.list_models(module=models.video)]
    for name in models.list_models(module=models.quantization):
        entries.append(Entry("torchvision-quant", name, name, lambda n=name: _quantized(models, n), ("script",)))
    return entries


# timm ----------------------------------------------------------------------------------------------------------------

# module of timm -> (model, input size, arguments)
_TIMM = {
    "beit": ("beit_base_patch16_224", 32, {"img_size": 32}),
    "byoanet": ("halonet26t", 256, {}),
    "byoanet-bot": ("botnet26t_256", 64, {"img_size": 64}),
    "byobnet": ("repvgg_a0", 32, {}),
    "cait": ("cait_xxs24_224", 32, {"img_size": 32}),
    "coat": ("coat_lite_tiny", 64, {"img_size": 64}),
    "convit": ("convit_tiny", 32, {"img_size": 32}),
    "convmixer": ("convmixer_768_32", 28, {}),
    "convnext": ("convnext_atto", 32, {}),
    "convnextv2": ("convnextv2_atto", 32, {}),
    "crossvit": ("crossvit_tiny_240", 240, {}),
    "cspnet": ("cspresnet50", 32, {}),
    "davit": ("davit_tiny", 64, {}),
    "deit": ("deit_tiny_patch16_224", 32, {"img_size": 32}),
    "densenet": ("densenet121", 32, {}),
    "dla": ("dla46_c", 32, {}),
    "dpn": ("dpn68", 32, {}),
    "edgenext": ("edgenext_xx_small", 64, {}),
    "efficientformer": ("efficientformer_l1", 224, {}),
    "efficientformer_v2": ("efficientformerv2_s0", 224, {}),
    "efficientnet": ("efficientnet_b0", 32, {}),
    "efficientvit_mit": ("efficientvit_b0", 64, {}),
    "efficientvit_msra": ("efficientvit_m0", 224, {}),
    "eva": ("eva02_tiny_patch14_224", 28, {"img_size": 28}),
    "fasternet": ("fasternet_t0", 32, {}),
    "fastvit": ("fastvit_t8", 64, {}),
    "focalnet": ("focalnet_tiny_srf", 64, {}),
    "gcvit": ("gcvit_xxtiny", 224, {}),
    "ghostnet": ("ghostnet_050", 32, {}),
    "hardcorenas": ("hardcorenas_a", 32, {}),
    "hgnet": ("hgnetv2_b0", 32, {}),
    "hiera": ("hiera_tiny_224", 64, {"img_size": 64}),
    "hrnet": ("hrnet_w18_small", 32, {}),
    "inception_next": ("inception_next_atto", 32, {}),
    "inception_resnet_v2": ("inception_resnet_v2", 96, {}),
    "inception_v4": ("inception_v4", 96, {}),
    "levit": ("levit_128s", 224, {}),
    "mambaout": ("mambaout_femto", 32, {}),
    "maxxvit": ("coatnet_nano_rw_224", 64, {"img_size": 64}),
    "metaformer": ("poolformer_s12", 32, {}),
    "mlp_mixer": ("mixer_s32_224", 64, {"img_size": 64}),
    "mobilenetv3": ("mobilenetv3_small_050", 32, {}),
    "mobilevit": ("mobilevit_xxs", 64, {}),
    "mobilevitv2": ("mobilevitv2_050", 64, {}),
    "mvitv2": ("mvitv2_tiny", 64, {"img_size": 64}),
    "nest": ("nest_tiny", 224, {}),
    "nextvit": ("nextvit_small", 64, {}),
    "nfnet": ("nfnet_l0", 32, {}),
    "pit": ("pit_ti_224", 64, {"img_size": 64}),
    "pvt_v2": ("pvt_v2_b0", 64, {}),
    "regnet": ("regnetx_002", 32, {}),
    "repghost": ("repghostnet_050", 32, {}),
    "repvit": ("repvit_m0_9", 32, {}),
    "res2net": ("res2net50d", 32, {}),
    "resnest": ("resnest14d", 32, {}),
    "resnet": ("resnet10t", 32, {}),
    "resnetv2": ("resnetv2_50", 32, {}),
    "rexnet": ("rexnet_100", 32, {}),
    "selecsls": ("selecsls42b", 64, {}),
    "senet": ("legacy_seresnet18", 32, {}),
    "sequencer": ("sequencer2d_s", 64, {}),
    "shvit": ("shvit_s1", 64, {}),
    "sknet": ("skresnet18", 32, {}),
    "starnet": ("starnet_s050", 32, {}),
    "swiftformer": ("swiftformer_xs", 64, {}),
    "swin_transformer": ("swin_tiny_patch4_window7_224", 64, {"img_size": 64}),
    "swin_transformer_v2": ("swinv2_tiny_window8_256", 64, {"img_size": 64}),
    "swin_transformer_v2_cr": ("swinv2_cr_tiny_224", 224, {}),
    "tiny_vit": ("tiny_vit_5m_224", 64, {}),
    "tnt": ("tnt_s_legacy_patch16_224", 32, {"img_size": 32}),
    "tresnet": ("tresnet_m", 64, {}),
    "twins": ("twins_svt_small", 64, {"img_size": 64}),
    "vgg": ("vgg11", 32, {}),
    "visformer": ("visformer_tiny", 64, {"img_size": 64}),
    "vision_transformer": ("vit_tiny_patch16_224", 32, {"img_size": 32}),
    "vision_transformer_relpos": ("vit_relpos_small_patch16_224", 32, {"img_size": 32}),
    "vitamin": ("vitamin_small_224", 64, {"img_size": 64}),
    "volo": ("volo_d1_224", 64, {"img_size": 64}),
    "vovnet": ("ese_vovnet19b_dw", 32, {}),
    "xception": ("legacy_xception", 64, {}),
    "xcit": ("xcit_nano_12_p16_224", 64, {}),
    "vision_transformer_hybrid-tiny": ("vit_tiny_r_s16_p8_224", 64, {"img_size": 64}),
    "bat": ("bat_resnext26ts", 256, {}),
    "lambda": ("lambda_resnet26t", 256, {}),
    "cpubone": ("cpubone_nano", 64, {}),
    "csatv2": ("csatv2", 512, {}),
    "ecaresnet": ("ecaresnet26t", 32, {}),
    "ghostnetv2": ("ghostnetv2_100", 32, {}),
    "ghostnetv3": ("ghostnetv3_050", 32, {}),
    "gmlp": ("gmlp_ti16_224", 32, {"img_size": 32}),
    "hieradet_sam2": ("sam2_hiera_tiny", 64, {}),
    "lcnetv2": ("lcnetv2_small", 32, {}),
    "lowformer": ("lowformer_b0", 64, {}),
    "maxvit": ("maxvit_nano_rw_256", 64, {"img_size": 64}),
    "mobileone": ("mobileone_s0", 32, {}),
    "naflexvit": ("naflexvit_base_patch16_gap", 32, {}),
    "nasnet": ("nasnetalarge", 64, {}),
    "nf_regnet": ("nf_regnet_b0", 32, {}),
    "pnasnet": ("pnasnet5large", 64, {}),
    "rdnet": ("rdnet_tiny", 32, {}),
    "regnetz": ("regnetz_040", 32, {}),
    "resmlp": ("resmlp_12_224", 32, {"img_size": 32}),
    "resnetv2-evos": ("resnetv2_50d_evos", 32, {}),
    "vision_transformer_hybrid": ("vit_small_r26_s32_224", 64, {"img_size": 64}),
    "vision_transformer_sam": ("samvit_base_patch16_224", 64, {"img_size": 64}),
    "caformer": ("caformer_s18", 64, {}),
    "swin_s3": ("swin_s3_tiny_224", 224, {}),
    "dinov3": ("vit_small_patch16_dinov3", 32, {"img_size": 32}),
}


def _timm_model(timm, name, size, args):
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **args).eval()
    return model, _images(size, batches=(1,) if size > 100 else (1, 2))


def timm_entries():
    import timm

    # scripting and tracing ask timm for its exportable forms, as its own tests do
    timm.layers.set_exportable(True)
    return [Entry("timm", family, spec[0], lambda s=spec: _timm_model(timm, *s)) for family, spec in _TIMM.items()]


# transformers --------------------------------------------------------------------------------------------------------


class _Tensors(torch.nn.Module):
    """Positional tensors in, the tensors of the answer out; what tracing wants."""

    def __init__(self, model, names, fixed):
        super().__init__()
        self.model = model
        self.names = names
        self.fixed = fixed

    def forward(self, *args):
        out = self.model(**dict(zip(self.names, args)), **self.fixed)
        flat = []
        for v in out if isinstance(out, (tuple, list)) else out.values():
            flat += [t for t in (v if isinstance(v, (tuple, list)) else [v]) if isinstance(t, torch.Tensor)]
        return tuple(flat)


def _ids(n=7, vocab=99):
    return torch.randint(3, vocab, (2, n))


def _mask(n=7):
    mask = torch.ones(2, n, dtype=torch.long)
    mask[1, -2:] = 0
    return mask


_ENC = dict(vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, max_position_embeddings=64)
_DEC = dict(vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=37, max_position_embeddings=64)
_VIS = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, image_size=32, patch_size=8)
_TEXT = lambda: {"input_ids": _ids(), "attention_mask": _mask()}
_CAUSAL = lambda: {"input_ids": _ids(), "attention_mask": torch.ones(2, 7, dtype=torch.long)}
_IMAGE = lambda: {"pixel_values": torch.rand(2, 3, 32, 32)}
_SEQ2SEQ = lambda: {"input_ids": _ids(), "attention_mask": _mask(), "decoder_input_ids": _ids(5)}
_BART = dict(vocab_size=99, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=37, decoder_ffn_dim=37, max_position_embeddings=64)
_T5 = dict(vocab_size=99, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
_SPEECH = dict(_ENC, conv_dim=[16, 16], conv_stride=[5, 2], conv_kernel=[10, 3], num_feat_extract_layers=2, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2)
_WAVE = lambda: {"input_values": torch.rand(2, 400)}
_SERIES = lambda: {
    "past_values": torch.rand(2, 8),
    "past_time_features": torch.rand(2, 8, 1),
    "past_observed_mask": torch.ones(2, 8),
    "future_values": torch.rand(2, 4),
    "future_time_features": torch.rand(2, 4, 1),
}
_NO_CACHE = {"use_cache": False}
_CLIP = lambda: {"input_ids": _ids(), "pixel_values": torch.rand(2, 3, 32, 32), "attention_mask": torch.ones(2, 7, dtype=torch.long)}

# family -> (model class, configuration class, configuration, inputs, fixed arguments)
_TRANSFORMERS = {
    "BERT": ("BertModel", "BertConfig", _ENC, _TEXT, {}),
    "BERT-MLM": ("BertForMaskedLM", "BertConfig", _ENC, _TEXT, {}),
    "RoBERTa": ("RobertaForSequenceClassification", "RobertaConfig", _ENC, _TEXT, {}),
    "DistilBERT": ("DistilBertModel", "DistilBertConfig", dict(vocab_size=99, dim=32, n_layers=2, n_heads=4, hidden_dim=37, max_position_embeddings=64), _TEXT, {}),
    "ALBERT": ("AlbertModel", "AlbertConfig", dict(_ENC, embedding_size=16), _TEXT, {}),
    "ELECTRA": ("ElectraModel", "ElectraConfig", dict(_ENC, embedding_size=16), _TEXT, {}),
    "DeBERTa-v2": ("DebertaV2Model", "DebertaV2Config", dict(_ENC, relative_attention=True, position_buckets=16, pos_att_type=["p2c", "c2p"]), _TEXT, {}),
    "MPNet": ("MPNetModel", "MPNetConfig", _ENC, _TEXT, {}),
    "GPT-2": ("GPT2LMHeadModel", "GPT2Config", dict(vocab_size=99, n_embd=32, n_layer=2, n_head=4, n_positions=64), _CAUSAL, _NO_CACHE),
    "GPT-Neo": ("GPTNeoForCausalLM", "GPTNeoConfig", dict(vocab_size=99, hidden_size=32, num_layers=2, num_heads=4, intermediate_size=37, max_position_embeddings=64, attention_types=[[["global", "local"], 1]]), _CAUSAL, _NO_CACHE),
    "GPT-NeoX": ("GPTNeoXForCausalLM", "GPTNeoXConfig", _ENC, _CAUSAL, _NO_CACHE),
    "OPT": ("OPTForCausalLM", "OPTConfig", dict(vocab_size=99, hidden_size=32, word_embed_proj_dim=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=37, max_position_embeddings=64), _CAUSAL, _NO_CACHE),
    "BLOOM": ("BloomForCausalLM", "BloomConfig", dict(vocab_size=99, hidden_size=32, n_layer=2, n_head=4), _CAUSAL, _NO_CACHE),
    "Llama": ("LlamaForCausalLM", "LlamaConfig", _DEC, _CAUSAL, _NO_CACHE),
    "Mistral": ("MistralForCausalLM", "MistralConfig", _DEC, _CAUSAL, _NO_CACHE),
    "Mixtral": ("MixtralForCausalLM", "MixtralConfig", dict(_DEC, intermediate_size=40, num_local_experts=4), _CAUSAL, _NO_CACHE),
    "Qwen2": ("Qwen2ForCausalLM", "Qwen2Config", _DEC, _CAUSAL, _NO_CACHE),
    "Gemma": ("GemmaForCausalLM", "GemmaConfig", dict(_DEC, head_dim=8), _CAUSAL, _NO_CACHE),
    "Phi": ("PhiForCausalLM", "PhiConfig", _DEC, _CAUSAL, _NO_CACHE),
    "Falcon": ("FalconForCausalLM", "FalconConfig", dict(vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4), _CAUSAL, _NO_CACHE),
    "T5": ("T5ForConditionalGeneration", "T5Config", _T5, _SEQ2SEQ, _NO_CACHE),
    "BART": ("BartForConditionalGeneration", "BartConfig", _BART, _SEQ2SEQ, _NO_CACHE),
    "Marian": ("MarianMTModel", "MarianConfig", dict(_BART, pad_token_id=1), _SEQ2SEQ, _NO_CACHE),
    "Whisper": ("WhisperForConditionalGeneration", "WhisperConfig", dict({k: v for k, v in _BART.items() if k != "max_position_embeddings"}, num_mel_bins=16, max_source_positions=15, max_target_positions=32, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None), lambda: {"input_features": torch.rand(2, 16, 30), "decoder_input_ids": _ids(5)}, _NO_CACHE),
    "Wav2Vec2": ("Wav2Vec2Model", "Wav2Vec2Config", _SPEECH, _WAVE, {}),
    "ViT": ("ViTForImageClassification", "ViTConfig", _VIS, _IMAGE, {}),
    "DeiT": ("DeiTModel", "DeiTConfig", _VIS, _IMAGE, {}),
    "BEiT": ("BeitModel", "BeitConfig", dict(_VIS, use_relative_position_bias=True), _IMAGE, {}),
    "DINOv2": ("Dinov2Model", "Dinov2Config", dict(_VIS), _IMAGE, {}),
    "Swin": ("SwinModel", "SwinConfig", dict(image_size=32, patch_size=2, embed_dim=16, depths=[1, 2], num_heads=[2, 4], window_size=4), _IMAGE, {}),
    "ConvNeXt": ("ConvNextModel", "ConvNextConfig", dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1]), _IMAGE, {}),
    "ResNet": ("ResNetModel", "ResNetConfig", dict(embedding_size=10, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1], layer_type="basic"), _IMAGE, {}),
    "SegFormer": ("SegformerForSemanticSegmentation", "SegformerConfig", dict(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16), lambda: {"pixel_values": torch.rand(1, 3, 64, 64)}, {}),
    "CLIP": ("CLIPModel", "CLIPConfig", dict(text_config=dict(_ENC, eos_token_id=98), vision_config=_VIS, projection_dim=16), _CLIP, {}),
    "SigLIP": ("SiglipModel", "SiglipConfig", dict(text_config=dict(_ENC, max_position_embeddings=7), vision_config=_VIS), _CLIP, {}),
    "CamemBERT": ("CamembertForSequenceClassification", "CamembertConfig", _ENC, _TEXT, {}),
    "BERT-QA": ("BertForQuestionAnswering", "BertConfig", _ENC, _TEXT, {}),
    "BigBird": ("BigBirdModel", "BigBirdConfig", dict(_ENC, attention_type="original_full"), _TEXT, {}),
    "ConvBERT": ("ConvBertModel", "ConvBertConfig", dict(_ENC, embedding_size=32, head_ratio=2), _TEXT, {}),
    "DeBERTa": ("DebertaModel", "DebertaConfig", dict(_ENC, relative_attention=True, pos_att_type=["p2c", "c2p"]), _TEXT, {}),
    "FNet": ("FNetModel", "FNetConfig", dict(vocab_size=99, hidden_size=32, num_hidden_layers=2, intermediate_size=37, max_position_embeddings=64), lambda: {"input_ids": _ids()}, {}),
    "Funnel": ("FunnelModel", "FunnelConfig", dict(vocab_size=99, block_sizes=[1, 1], d_model=32, n_head=4, d_head=8, d_inner=37, num_decoder_layers=1), _TEXT, {}),
    "Longformer": ("LongformerModel", "LongformerConfig", dict(_ENC, attention_window=4), lambda: {"input_ids": _ids(8)}, {}),
    "MobileBERT": ("MobileBertModel", "MobileBertConfig", dict(_ENC, embedding_size=32, intra_bottleneck_size=32, true_hidden_size=32, num_feedforward_networks=2), _TEXT, {}),
    "ModernBERT": ("ModernBertModel", "ModernBertConfig", dict(_ENC, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2), _TEXT, {}),
    "RoFormer": ("RoFormerModel", "RoFormerConfig", _ENC, _TEXT, {}),
    "SqueezeBERT": ("SqueezeBertModel", "SqueezeBertConfig", dict(_ENC, embedding_size=32, intermediate_size=64), _TEXT, {}),
    "XLNet": ("XLNetModel", "XLNetConfig", dict(vocab_size=99, d_model=32, n_layer=2, n_head=4, d_inner=37), _TEXT, {"use_mems": False}),
    "GPT-J": ("GPTJForCausalLM", "GPTJConfig", dict(vocab_size=99, n_embd=32, n_layer=2, n_head=4, rotary_dim=4, n_positions=64), _CAUSAL, _NO_CACHE),
    "Gemma2": ("Gemma2ForCausalLM", "Gemma2Config", dict(_DEC, head_dim=8, sliding_window=4), _CAUSAL, _NO_CACHE),
    "Gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", dict(_DEC, head_dim=8, sliding_window=4), _CAUSAL, _NO_CACHE),
    "Granite": ("GraniteForCausalLM", "GraniteConfig", _DEC, _CAUSAL, _NO_CACHE),
    "OLMo2": ("Olmo2ForCausalLM", "Olmo2Config", _DEC, _CAUSAL, _NO_CACHE),
    "Phi3": ("Phi3ForCausalLM", "Phi3Config", dict(_DEC, pad_token_id=0), _CAUSAL, _NO_CACHE),
    "Qwen3": ("Qwen3ForCausalLM", "Qwen3Config", dict(_DEC, head_dim=8), _CAUSAL, _NO_CACHE),
    "StableLM": ("StableLmForCausalLM", "StableLmConfig", _DEC, _CAUSAL, _NO_CACHE),
    "mBART": ("MBartForConditionalGeneration", "MBartConfig", dict(_BART, pad_token_id=1), _SEQ2SEQ, _NO_CACHE),
    "Pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", _BART, _SEQ2SEQ, _NO_CACHE),
    "mT5": ("MT5ForConditionalGeneration", "MT5Config", _T5, _SEQ2SEQ, _NO_CACHE),
    "HuBERT": ("HubertModel", "HubertConfig", _SPEECH, _WAVE, {}),
    "Data2VecAudio": ("Data2VecAudioModel", "Data2VecAudioConfig", dict(_SPEECH, conv_pos_kernel_size=5, num_conv_pos_embeddings=2), _WAVE, {}),
    "AST": ("ASTModel", "ASTConfig", dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37, patch_size=4, max_length=24, num_mel_bins=16, frequency_stride=4, time_stride=4), lambda: {"input_values": torch.rand(2, 24, 16)}, {}),
    "EnCodec": ("EncodecModel", "EncodecConfig", dict(num_filters=8, hidden_size=16, codebook_size=32, upsampling_ratios=[4, 2], num_lstm_layers=1, codebook_dim=16), lambda: {"input_values": torch.rand(1, 1, 320)}, {}),
    "DPT": ("DPTForDepthEstimation", "DPTConfig", dict(_VIS, num_hidden_layers=4, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[16, 16, 32, 32], fusion_hidden_size=16), _IMAGE, {}),
    "MobileViT-hf": ("MobileViTModel", "MobileViTConfig", dict(image_size=32, patch_size=2, hidden_sizes=[12, 16, 20], neck_hidden_sizes=[8, 8, 16, 16, 32, 32, 32], num_attention_heads=2), lambda: {"pixel_values": torch.rand(1, 3, 64, 64)}, {}),
    "YOLOS": ("YolosModel", "YolosConfig", dict(_VIS, image_size=[32, 32], num_detection_tokens=5), _IMAGE, {}),
    "TimeSeries": ("TimeSeriesTransformerModel", "TimeSeriesTransformerConfig", dict(prediction_length=4, context_length=6, lags_sequence=[1, 2], num_time_features=1, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16), _SERIES, _NO_CACHE),
    "Mamba": ("MambaForCausalLM", "MambaConfig", dict(vocab_size=99, hidden_size=16, num_hidden_layers=2, state_size=8, expand=2), lambda: {"input_ids": _ids()}, _NO_CACHE),
}


# these have one attention implementation only
_EAGER_ONLY = {
    *("BigBird", "BLOOM", "ConvBERT", "ConvNeXt", "DeBERTa", "DeBERTa-v2", "EnCodec", "FNet", "Funnel", "GPT-J", "GPT-Neo", "Longformer"),
    *("Mamba", "MobileViT-hf", "MPNet", "ResNet", "RoFormer", "SqueezeBERT", "TimeSeries", "XLNet"),
}


def _transformer(transformers, model, config, args, inputs, fixed, attention):
    torch.manual_seed(0)
    configuration = getattr(transformers, config)(**args)
    configuration._attn_implementation = attention
    built = getattr(transformers, model)(configuration).eval()
    calls = [inputs(), inputs()]
    names = list(calls[0])
    return _Tensors(built, names, {"return_dict": False, **fixed}).eval(), [tuple(c[n] for n in names) for c in calls]


def transformers_entries():
    import transformers

    transformers.logging.set_verbosity_error()
    entries = []
    for family, spec in _TRANSFORMERS.items():
        for attention in ("eager",) if family in _EAGER_ONLY else ("eager", "sdpa"):
            entries.append(
                Entry("transformers", family, f"{family}-{attention}", lambda s=spec, a=attention: _transformer(transformers, *s, a), ("trace",))
            )
    return entries


def entries(packages=("torchvision", "timm", "transformers")):
    """Every entry of the packages that can be imported; the others are named in MISSING."""
    out = []
    for package, of in (("torchvision", torchvision_entries), ("timm", timm_entries), ("transformers", transformers_entries)):
        if package not in packages:
            continue
        try:
            if package == "timm" or (package == "transformers" and importlib.util.find_spec("torchvision")):
                _import_torchvision()  # they import it themselves, and would fail where it needs the stub
            out += of()
        except Exception as error:  # any import problem is one package's problem
            MISSING[package] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return out
