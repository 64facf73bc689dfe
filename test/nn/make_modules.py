"""Writes test/nn/modules.json: text, initial parameters and outputs of seeded modules, as PyTorch has them.

Run with a Python that has torch: python test/nn/make_modules.py
The same modules are written in TypeScript in modules.test.ts, under the same names.
"""
import json
import os

import torch
from torch import nn

torch.set_grad_enabled(False)
torch.backends.mha.set_fastpath_enabled(False)
HERE = os.path.dirname(__file__)


def R(*shape):
    return {"randn": shape}


def I(mod, *shape):
    return {"ints": shape, "mod": mod}


def P(*shape):
    return {"rand": shape}


def make(spec):
    if "randn" in spec:
        return torch.randn(spec["randn"])
    if "rand" in spec:
        return torch.rand(spec["rand"])
    n = 1
    for s in spec["ints"]:
        n *= s
    return (torch.arange(n) * 7 % spec["mod"]).reshape(spec["ints"])


seq = lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))  # noqa: E731
CASES = {
    "sequential": (seq, [R(5, 4)]),
    "sequential_named": (lambda: nn.Sequential(__import__("collections").OrderedDict([("fc", nn.Linear(2, 2)), ("act", nn.Tanh())])), [R(3, 2)]),
    "module_list": (lambda: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), seq()]), None),
    "module_dict": (lambda: nn.ModuleDict({"b": nn.Linear(2, 1), "a": nn.ReLU()}), None),
    "parameter_list": (lambda: nn.ParameterList([torch.ones(2, 3), torch.zeros(1)]), None),
    "parameter_dict": (lambda: nn.ParameterDict({"b": torch.ones(2), "a": torch.zeros(1, 2)}), None),
    "identity": (lambda: nn.Identity(), [R(2)]),
    "bilinear": (lambda: nn.Bilinear(3, 4, 2), [R(5, 3), R(5, 4)]),
    "conv1d_same": (lambda: nn.Conv1d(2, 4, 4, padding="same", dilation=2), [R(2, 2, 9)]),
    "conv2d": (lambda: nn.Conv2d(3, 6, (3, 5), stride=2, padding=(1, 2), groups=3, bias=False), [R(2, 3, 9, 8)]),
    "conv2d_reflect": (lambda: nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), [R(1, 2, 5, 6)]),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2, dilation=2), [R(1, 2, 4, 5, 4)]),
    "conv_transpose1d": (lambda: nn.ConvTranspose1d(2, 3, 3, stride=2), [R(1, 2, 5)]),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2), [R(1, 4, 4, 3)]),
    "conv_transpose3d": (lambda: nn.ConvTranspose3d(2, 1, 2, bias=False), [R(1, 2, 2, 3, 2)]),
    "batch_norm1d": (lambda: nn.BatchNorm1d(3), [R(4, 3)]),
    "batch_norm2d": (lambda: nn.BatchNorm2d(3, eps=1e-3, momentum=None), [R(2, 3, 4, 4)]),
    "batch_norm_plain": (lambda: nn.BatchNorm3d(2, affine=False, track_running_stats=False), [R(2, 2, 2, 2, 2)]),
    "instance_norm2d": (lambda: nn.InstanceNorm2d(2, affine=True, track_running_stats=True), [R(2, 2, 3, 3)]),
    "layer_norm": (lambda: nn.LayerNorm((2, 3)), [R(4, 2, 3)]),
    "group_norm": (lambda: nn.GroupNorm(2, 4), [R(2, 4, 3)]),
    "rms_norm": (lambda: nn.RMSNorm(5), [R(2, 5)]),
    "local_response_norm": (lambda: nn.LocalResponseNorm(3), [R(1, 5, 3, 3)]),
    "activations": (lambda: nn.Sequential(nn.Threshold(0.1, -0.5), nn.Hardtanh(-2.0, 2.0), nn.ELU(), nn.CELU(0.5), nn.SELU(), nn.LeakyReLU(0.2), nn.SiLU(), nn.Mish(), nn.Hardswish(), nn.Hardsigmoid(), nn.Softplus(), nn.Sigmoid(), nn.Tanh()), [R(3, 4)]),
    "more_activations": (lambda: nn.Sequential(nn.Softshrink(0.1), nn.Hardshrink(0.2), nn.Softsign(), nn.Tanhshrink(), nn.LogSigmoid(), nn.GELU(), nn.GELU(approximate="tanh"), nn.ReLU6(), nn.GLU(1), nn.Softmax(1), nn.LogSoftmax(dim=1), nn.Softmin(dim=0)), [R(3, 4)]),
    "relu_inplace": (lambda: nn.ReLU(inplace=True), [R(3)]),
    "rrelu": (lambda: nn.RReLU(), [R(6)]),
    "prelu": (lambda: nn.PReLU(3, init=0.1), [R(2, 3, 2)]),
    "softmax2d": (lambda: nn.Softmax2d(), [R(1, 3, 2, 2)]),
    "max_pool": (lambda: nn.MaxPool2d(3, stride=2, padding=1, return_indices=True), [R(1, 2, 5, 6)]),
    "max_pool1d": (lambda: nn.MaxPool1d(2, ceil_mode=True), [R(1, 2, 5)]),
    "max_pool3d": (lambda: nn.MaxPool3d((1, 2, 2)), [R(1, 1, 2, 4, 4)]),
    "avg_pool1d": (lambda: nn.AvgPool1d(3, stride=2, padding=1), [R(1, 2, 7)]),
    "avg_pool2d": (lambda: nn.AvgPool2d(2, count_include_pad=False, padding=1), [R(1, 2, 4, 4)]),
    "avg_pool3d": (lambda: nn.AvgPool3d(2), [R(1, 1, 4, 4, 2)]),
    "lp_pool2d": (lambda: nn.LPPool2d(2, 3, stride=2), [R(1, 2, 5, 5)]),
    "adaptive_avg_pool2d": (lambda: nn.AdaptiveAvgPool2d((2, None)), [R(1, 2, 5, 3)]),
    "adaptive_max_pool1d": (lambda: nn.AdaptiveMaxPool1d(3), [R(1, 2, 7)]),
    "padding": (lambda: nn.Sequential(nn.ReflectionPad2d(1), nn.ReplicationPad2d((1, 0, 2, 0)), nn.ZeroPad2d(1), nn.ConstantPad2d(1, 2.5), nn.CircularPad2d(1)), [R(1, 1, 3, 3)]),
    "dropout": (lambda: nn.Sequential(nn.Dropout(0.3), nn.AlphaDropout(), nn.Dropout1d(0.2)), [R(4, 6)]),
    "dropout2d": (lambda: nn.Dropout2d(), [R(2, 4, 2, 2)]),
    "embedding": (lambda: nn.Embedding(7, 3, padding_idx=-2, max_norm=1.0), [I(7, 2, 4)]),
    "embedding_bag": (lambda: nn.EmbeddingBag(6, 3, mode="sum"), [I(6, 2, 3)]),
    "rnn": (lambda: nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True), [R(2, 5, 3)]),
    "lstm": (lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True), [R(5, 2, 3)]),
    "lstm_projected": (lambda: nn.LSTM(3, 4, proj_size=2, bias=False), [R(5, 3)]),
    "gru": (lambda: nn.GRU(3, 2, dropout=0.0), [R(4, 1, 3)]),
    "rnn_cell": (lambda: nn.RNNCell(3, 2, nonlinearity="relu"), [R(2, 3)]),
    "lstm_cell": (lambda: nn.LSTMCell(3, 2), [R(2, 3)]),
    "gru_cell": (lambda: nn.GRUCell(3, 2, bias=False), [R(3)]),
    "attention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), [R(2, 3, 4), R(2, 5, 4), R(2, 5, 4)]),
    "attention_separate": (lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=2, add_bias_kv=True, add_zero_attn=True), [R(3, 2, 4), R(5, 2, 3), R(5, 2, 2)]),
    "encoder_layer": (lambda: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, activation="gelu"), [R(3, 2, 4)]),
    "transformer": (lambda: nn.Transformer(4, 2, 2, 1, 5, dropout=0.0, norm_first=True, batch_first=True), [R(2, 3, 4), R(2, 2, 4)]),
    "cross_entropy": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), [R(4, 3), I(3, 4)]),
    "losses": (lambda: nn.SmoothL1Loss(beta=0.5), [R(4, 3), R(4, 3)]),
    "huber": (lambda: nn.HuberLoss(reduction="sum"), [R(4), R(4)]),
    "bce_logits": (lambda: nn.BCEWithLogitsLoss(weight=torch.tensor([1.0, 2.0])), [R(3, 2), P(3, 2)]),
    "bce": (lambda: nn.BCELoss(), [P(3, 2), P(3, 2)]),
    "kl_div": (lambda: nn.KLDivLoss(reduction="batchmean"), [R(3, 2), P(3, 2)]),
    "nll": (lambda: nn.NLLLoss(ignore_index=1), [R(4, 3), I(3, 4)]),
    "gaussian_nll": (lambda: nn.GaussianNLLLoss(full=True), [R(4, 3), R(4, 3), P(4, 1)]),
    "poisson_nll": (lambda: nn.PoissonNLLLoss(), [R(4), P(4)]),
    "triplet": (lambda: nn.TripletMarginLoss(swap=True), [R(4, 3), R(4, 3), R(4, 3)]),
    "multi_margin": (lambda: nn.MultiMarginLoss(), [R(4, 3), I(3, 4)]),
    "multilabel_soft": (lambda: nn.MultiLabelSoftMarginLoss(), [R(4, 3), I(2, 4, 3)]),
    "cosine_embedding": (lambda: nn.CosineEmbeddingLoss(), [R(4, 3), R(4, 3), I(2, 4)]),
    "upsample": (lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Upsample(size=(5, 6), mode="bilinear", align_corners=False), nn.UpsamplingBilinear2d(scale_factor=2), nn.Upsample(scale_factor=(0.5, 1.5), mode="bicubic")), [R(1, 1, 3, 2)]),
    "shuffles": (lambda: nn.Sequential(nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.ChannelShuffle(2)), [R(1, 4, 2, 2)]),
    "folds": (lambda: nn.Sequential(nn.Unfold(2, padding=1), nn.Fold((3, 4), 2, padding=1)), [R(1, 2, 3, 4)]),
    "flatten": (lambda: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 2))), [R(2, 2, 3)]),
    "distance": (lambda: nn.PairwiseDistance(p=1.0, keepdim=True), [R(3, 4), R(3, 4)]),
    "cosine": (lambda: nn.CosineSimilarity(dim=0), [R(3, 4), R(3, 4)]),
}

INIT = {
    "xavier_uniform_": lambda t: nn.init.xavier_uniform_(t, 2.0),
    "xavier_normal_": nn.init.xavier_normal_,
    "kaiming_uniform_": lambda t: nn.init.kaiming_uniform_(t, a=0.3, mode="fan_out"),
    "kaiming_normal_": lambda t: nn.init.kaiming_normal_(t, nonlinearity="relu"),
    "trunc_normal_": lambda t: nn.init.trunc_normal_(t, 0.1, 0.5, -0.4, 0.6),
    "trunc_normal_tail_": lambda t: nn.init.trunc_normal_(t, 0.0, 1.0, 1.0, 2.0),
    "orthogonal_": nn.init.orthogonal_,
    "sparse_": lambda t: nn.init.sparse_(t, 0.4),
    "eye_": nn.init.eye_,
    "uniform_": lambda t: nn.init.uniform_(t, -1, 2),
    "normal_": lambda t: nn.init.normal_(t, 1, 2),
}


def summary(t):
    flat = t.double().flatten()
    return {"shape": list(t.shape), "first": [float(f"{v:.7g}") for v in flat[:5].tolist()], "sum": float(f"{flat.sum().item():.7g}")}


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in tensors(v)]
    return []


def main():
    modules = {}
    for name, (build, inputs) in CASES.items():
        torch.manual_seed(5)
        module = build()
        entry = {"text": str(module), "state": {k: summary(v) for k, v in module.state_dict().items()}}
        if inputs is not None:
            torch.manual_seed(9)
            args = [make(spec) for spec in inputs]
            entry["inputs"] = inputs
            entry["train"] = [summary(t) for t in tensors(module(*[a.clone() for a in args]))]
            entry["eval"] = [summary(t) for t in tensors(module.eval()(*[a.clone() for a in args]))]
        modules[name] = entry
    init = {}
    for name, fill in INIT.items():
        torch.manual_seed(3)
        init[name] = summary(fill(torch.empty(7, 4)))
    init["dirac_"] = summary(nn.init.dirac_(torch.empty(4, 3, 3, 5), 2))
    with open(os.path.join(HERE, "modules.json"), "w") as f:
        json.dump({"modules": modules, "init": init}, f, indent=None, separators=(",", ":"))
        f.write("\n")


main()
