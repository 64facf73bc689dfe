"""Small functions that call the library: TorchScript and Python alike. Each is compiled by PyTorch and here."""
# fmt: off
UNARY = ["relu", "relu6", "elu", "selu", "celu", "leaky_relu", "rrelu", "hardsigmoid", "silu", "mish", "hardswish",
         "tanhshrink", "softsign", "tanh", "sigmoid", "glu", "hardtanh", "softmin", "softmax", "log_softmax",
         "gumbel_softmax", "dropout", "alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
         "gelu", "logsigmoid", "hardshrink", "softplus", "softshrink", "normalize", "relu_", "elu_", "selu_", "celu_",
         "leaky_relu_", "hardtanh_", "rrelu_"]
INPLACE = ["relu", "relu6", "elu", "selu", "celu", "leaky_relu", "hardsigmoid", "silu", "mish", "hardswish", "hardtanh"]
PAIRS = ["kl_div", "cross_entropy", "nll_loss", "poisson_nll_loss", "binary_cross_entropy",
         "binary_cross_entropy_with_logits", "smooth_l1_loss", "huber_loss", "l1_loss", "mse_loss",
         "hinge_embedding_loss", "multilabel_margin_loss", "soft_margin_loss", "multilabel_soft_margin_loss",
         "multi_margin_loss", "prelu", "cosine_similarity", "pairwise_distance"]
TRIPLES = ["margin_ranking_loss", "cosine_embedding_loss", "triplet_margin_loss", "bilinear", "linear", "conv1d",
           "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "scaled_dot_product_attention"]

CASES = {}


def case(name, params, body):
    CASES[name] = f"def f_{name}({params}):\n    return {body}\n"


for f in UNARY:
    case(f, "x: Tensor", f"F.{f}(x)")
for f in INPLACE:
    case(f + "_inplace", "x: Tensor", f"F.{f}(x, inplace=True)")
for f in PAIRS:
    case(f, "x: Tensor, y: Tensor", f"F.{f}(x, y)")
    if f.endswith("loss") or f in ("cross_entropy", "kl_div"):
        case(f + "_sum", "x: Tensor, y: Tensor", f"F.{f}(x, y, reduction='sum')")
for f in TRIPLES:
    case(f, "x: Tensor, y: Tensor, z: Tensor", f"F.{f}(x, y, z)")
case("threshold", "x: Tensor", "F.threshold(x, 0.5, 2.0)")
case("softmax_dim", "x: Tensor", "F.softmax(x, dim=-1)")
case("softmax_dtype", "x: Tensor", "F.softmax(x, 1, dtype=torch.float64)")
case("log_softmax_dim", "x: Tensor", "F.log_softmax(x, 1)")
case("softmin_dim", "x: Tensor", "F.softmin(x, 1)")
case("gelu_tanh", "x: Tensor", "F.gelu(x, approximate='tanh')")
case("dropout_training", "x: Tensor, t: bool", "F.dropout(x, 0.25, t)")
for d in (1, 2, 3):
    case(f"max_pool{d}d", "x: Tensor", f"F.max_pool{d}d(x, 2)")
    case(f"max_pool{d}d_stride", "x: Tensor", f"F.max_pool{d}d(x, 3, stride=2, padding=1, ceil_mode=True)")
    case(f"max_pool{d}d_indices", "x: Tensor", f"F.max_pool{d}d(x, 2, return_indices=True)")
    case(f"avg_pool{d}d", "x: Tensor", f"F.avg_pool{d}d(x, 2)")
    case(f"lp_pool{d}d", "x: Tensor", f"F.lp_pool{d}d(x, 2.0, 3)")
    case(f"max_unpool{d}d", "x: Tensor, y: Tensor", f"F.max_unpool{d}d(x, y, 2)")
    case(f"max_unpool{d}d_size", "x: Tensor, y: Tensor", f"F.max_unpool{d}d(x, y, 2, 2, 0, [{', '.join(['8'] * d)}])")
    case(f"adaptive_avg_pool{d}d", "x: Tensor", f"F.adaptive_avg_pool{d}d(x, {[1] * d})")
    case(f"adaptive_max_pool{d}d", "x: Tensor", f"F.adaptive_max_pool{d}d(x, {[1] * d})")
    case(f"adaptive_max_pool{d}d_indices", "x: Tensor", f"F.adaptive_max_pool{d}d(x, {[1] * d}, return_indices=True)")
for d in (2, 3):
    case(f"fractional_max_pool{d}d", "x: Tensor", f"F.fractional_max_pool{d}d(x, 2, output_size={[2] * d})")
    case(f"fractional_max_pool{d}d_indices", "x: Tensor",
         f"F.fractional_max_pool{d}d(x, 2, output_ratio={[0.5] * d}, return_indices=True)")
case("embedding", "x: Tensor, w: Tensor", "F.embedding(x, w)")
case("embedding_padding", "x: Tensor, w: Tensor", "F.embedding(x, w, 0, 1.0)")
case("embedding_bag", "x: Tensor, w: Tensor", "F.embedding_bag(x, w)")
case("embedding_bag_sum", "x: Tensor, w: Tensor, o: Tensor", "F.embedding_bag(x, w, o, mode='sum', per_sample_weights=x)")
case("batch_norm", "x: Tensor, m: Tensor, v: Tensor", "F.batch_norm(x, m, v)")
case("batch_norm_training", "x: Tensor, m: Tensor, v: Tensor", "F.batch_norm(x, m, v, m, v, True, 0.2)")
case("instance_norm", "x: Tensor", "F.instance_norm(x)")
case("layer_norm", "x: Tensor", "F.layer_norm(x, [4])")
case("rms_norm", "x: Tensor", "F.rms_norm(x, [4])")
case("group_norm", "x: Tensor", "F.group_norm(x, 2)")
case("local_response_norm", "x: Tensor", "F.local_response_norm(x, 2)")
case("ctc_loss", "x: Tensor, y: Tensor, a: Tensor, b: Tensor", "F.ctc_loss(x, y, a, b)")
case("cross_entropy_all", "x: Tensor, y: Tensor, w: Tensor", "F.cross_entropy(x, y, w, ignore_index=2, label_smoothing=0.1)")
case("mse_loss_weight", "x: Tensor, y: Tensor", "F.mse_loss(x, y, weight=y)")
case("l1_loss_legacy", "x: Tensor, y: Tensor", "F.l1_loss(x, y, True, False)")
case("interpolate_scale", "x: Tensor", "F.interpolate(x, scale_factor=2.0)")
case("interpolate_scales", "x: Tensor", "F.interpolate(x, scale_factor=[2.0, 2.0], mode='bilinear')")
case("interpolate_size", "x: Tensor", "F.interpolate(x, size=3, mode='nearest')")
case("interpolate_sizes", "x: Tensor", "F.interpolate(x, size=(3, 4), mode='bicubic', align_corners=True)")
case("interpolate_aa", "x: Tensor", "F.interpolate(x, [3, 4], mode='bilinear', antialias=True)")
case("upsample", "x: Tensor", "F.upsample(x, scale_factor=2.0)")
case("upsample_sizes", "x: Tensor", "F.upsample(x, [3, 3])")
case("upsample_nearest", "x: Tensor", "F.upsample_nearest(x, 4)")
case("upsample_bilinear", "x: Tensor", "F.upsample_bilinear(x, [4, 4])")
case("grid_sample", "x: Tensor, g: Tensor", "F.grid_sample(x, g)")
case("affine_grid", "t: Tensor", "F.affine_grid(t, [1, 1, 4, 4], align_corners=False)")
case("pad", "x: Tensor", "F.pad(x, [1, 1])")
case("pad_reflect", "x: Tensor", "F.pad(x, (1, 1), mode='reflect')")
case("unfold", "x: Tensor", "F.unfold(x, 2)")
case("fold", "x: Tensor", "F.fold(x, (4, 4), (2, 2), stride=2)")
case("one_hot", "x: Tensor", "F.one_hot(x, 4)")
case("pixel_shuffle", "x: Tensor", "F.pixel_shuffle(x, 2)")
case("pixel_unshuffle", "x: Tensor", "F.pixel_unshuffle(x, 2)")
case("channel_shuffle", "x: Tensor", "F.channel_shuffle(x, 2)")
case("mha", "q: Tensor, w: Tensor, b: Tensor",
     "F.multi_head_attention_forward(q, q, q, 4, 2, w, b, None, None, False, 0.0, w, b)")
# names outside torch.nn.functional
case("dtypes", "x: Tensor", "x.to(torch.float64), x.to(torch.half), torch.zeros([2], dtype=torch.long)")
case("formats", "x: Tensor", "x.contiguous(memory_format=torch.channels_last)")
case("math", "x: float", "math.sqrt(x), math.pi, math.exp(x), math.floor(x), math.log(x), math.inf, math.isnan(x)")
case("linalg", "x: Tensor", "torch.linalg.norm(x), torch.linalg.inv(x), torch.fft.fft(x), torch.special.expit(x)")
case("full_names", "x: Tensor", "torch.nn.functional.relu(x) + nn.functional.softmax(x, 1)")
case("einsum", "x: Tensor", "torch.einsum('ij,jk->ik', [x, x])")
case("split", "x: Tensor", "torch.split(x, 2), torch.split(x, [1, 1], dim=1)")
case("annotate", "x: Tensor", "torch.jit.annotate(List[Tensor], [])")
case("atleast", "x: Tensor", "torch.atleast_2d(x), torch.meshgrid([x, x]), torch.cartesian_prod([x, x])")
case("norm", "x: Tensor", "torch.norm(x)")
case("norm_p", "x: Tensor", "torch.norm(x, 2, 1)")
case("norm_dims", "x: Tensor", "torch.norm(x, p=1.0, dim=[0, 1], keepdim=True)")
case("norm_fro", "x: Tensor", "torch.norm(x, 'fro', [0, 1])")
case("cdist", "x: Tensor, y: Tensor", "torch.cdist(x, y)")
case("stft", "x: Tensor", "torch.stft(x, 4, return_complex=True)")
case("istft", "x: Tensor", "torch.istft(x, 4)")
case("tensordot", "x: Tensor, y: Tensor", "torch.tensordot(x, y, 1)")
case("tensordot_dims", "x: Tensor, y: Tensor", "torch.tensordot(x, y, [[0], [1]])")
case("unique", "x: Tensor", "torch.unique(x)")
case("unique_inverse", "x: Tensor", "torch.unique(x, return_inverse=True)")
case("unique_counts", "x: Tensor", "torch.unique(x, return_counts=True)")
case("unique_all", "x: Tensor", "torch.unique(x, return_inverse=True, return_counts=True, dim=0)")
case("unique_consecutive", "x: Tensor", "torch.unique_consecutive(x)")
case("unique_consecutive_all", "x: Tensor", "torch.unique_consecutive(x, return_inverse=True, return_counts=True)")
case("init_uniform", "x: Tensor", "nn.init.uniform_(x)")
case("init_normal", "x: Tensor", "nn.init.normal_(x, 0.0, 2.0)")
case("init_constant", "x: Tensor", "nn.init.constant_(x, 0.5)")
case("init_ones", "x: Tensor", "nn.init.ones_(x), nn.init.zeros_(x)")
case("init_xavier", "x: Tensor", "nn.init.xavier_uniform_(x), nn.init.xavier_normal_(x)")

CASES["raises"] = '''def f_raises(x: Tensor):
    if x.dim() > 2:
        raise ValueError("too many")
    if x.dim() > 1:
        raise RuntimeError("dim {}".format(x.dim()))
    torch._assert(x.dim() == 1, "one")
    warnings.warn("look")
    return x
'''
CASES["scripting"] = '''def f_scripting(x: Tensor):
    if torch.jit.is_scripting():
        return F.relu(x)
    else:
        return x
'''
