"""Modules of the library, by name; test/jit/library_modules.test.ts builds the same ones."""
import torch
import torch.nn as nn

# fmt: off
SIMPLE = ["Identity", "ReLU", "ReLU6", "SiLU", "Mish", "SELU", "Hardswish", "Hardsigmoid", "Sigmoid", "Tanh", "LogSigmoid",
          "Softsign", "Tanhshrink", "RReLU", "Hardtanh", "ELU", "CELU", "LeakyReLU", "GLU", "GELU", "Hardshrink",
          "Softshrink", "Softplus", "PReLU", "Softmin", "Softmax", "LogSoftmax", "Softmax2d", "Dropout", "Dropout1d",
          "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss",
          "NLLLoss", "CrossEntropyLoss", "BCELoss", "BCEWithLogitsLoss", "KLDivLoss", "CTCLoss", "PoissonNLLLoss",
          "HingeEmbeddingLoss", "MultiLabelMarginLoss", "SoftMarginLoss", "MultiLabelSoftMarginLoss",
          "CosineEmbeddingLoss", "MarginRankingLoss", "MultiMarginLoss", "TripletMarginLoss", "Flatten",
          "PairwiseDistance", "CosineSimilarity", "ModuleList", "ModuleDict", "Sequential"]
CASES = {name: (lambda name=name: getattr(nn, name)()) for name in SIMPLE}
CASES.update({
    "Linear": lambda: nn.Linear(3, 4),
    "Linear no bias": lambda: nn.Linear(3, 4, bias=False),
    "Bilinear": lambda: nn.Bilinear(2, 3, 4),
    "ReLU inplace": lambda: nn.ReLU(inplace=True),
    "Threshold": lambda: nn.Threshold(0.5, 2.5),
    "Softmax dim": lambda: nn.Softmax(dim=-1),
    "LogSoftmax dim": lambda: nn.LogSoftmax(dim=1),
    "GELU tanh": lambda: nn.GELU(approximate="tanh"),
    "PReLU many": lambda: nn.PReLU(4),
    "Dropout p": lambda: nn.Dropout(0.25),
    "Dropout eval": lambda: nn.Dropout(0.25).eval(),
    "NLLLoss weight": lambda: nn.NLLLoss(weight=torch.ones(3), ignore_index=1, reduction="sum"),
    "BCEWithLogitsLoss weight": lambda: nn.BCEWithLogitsLoss(pos_weight=torch.ones(3)),
    "CrossEntropyLoss options": lambda: nn.CrossEntropyLoss(label_smoothing=0.1, reduction="none"),
    "Unflatten": lambda: nn.Unflatten(1, (2, 3)),
    "Unfold": lambda: nn.Unfold(2),
    "Unfold sizes": lambda: nn.Unfold((2, 3), stride=(1, 2)),
    "Fold": lambda: nn.Fold((4, 4), 2),
    "Upsample": lambda: nn.Upsample(scale_factor=2),
    "Upsample size": lambda: nn.Upsample(size=(4, 5), mode="bilinear", align_corners=True),
    "UpsamplingNearest2d": lambda: nn.UpsamplingNearest2d(scale_factor=2),
    "UpsamplingBilinear2d": lambda: nn.UpsamplingBilinear2d(size=(3, 3)),
    "PixelShuffle": lambda: nn.PixelShuffle(2),
    "PixelUnshuffle": lambda: nn.PixelUnshuffle(2),
    "ChannelShuffle": lambda: nn.ChannelShuffle(2),
    "Embedding": lambda: nn.Embedding(5, 3),
    "Embedding padding": lambda: nn.Embedding(5, 3, padding_idx=1, max_norm=1.5),
    "EmbeddingBag": lambda: nn.EmbeddingBag(5, 3),
    "EmbeddingBag sum": lambda: nn.EmbeddingBag(5, 3, mode="sum", include_last_offset=True),
    "LayerNorm": lambda: nn.LayerNorm(4),
    "LayerNorm sizes": lambda: nn.LayerNorm((3, 4), elementwise_affine=False),
    "LayerNorm no bias": lambda: nn.LayerNorm(4, bias=False),
    "RMSNorm": lambda: nn.RMSNorm(4),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "GroupNorm plain": lambda: nn.GroupNorm(2, 4, affine=False),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(2),
    "BatchNorm2d momentum": lambda: nn.BatchNorm2d(3, momentum=None),
    "BatchNorm2d plain": lambda: nn.BatchNorm2d(3, affine=False, track_running_stats=False),
    "BatchNorm2d eval": lambda: nn.BatchNorm2d(3).eval(),
    "InstanceNorm2d affine": lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
    "Conv2d options": lambda: nn.Conv2d(4, 6, (3, 5), stride=2, padding=(1, 2), dilation=2, groups=2, bias=False),
    "Conv2d same": lambda: nn.Conv2d(2, 3, 3, padding="same"),
    "Conv1d circular": lambda: nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular"),
    "Conv2d reflect": lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"),
    "ConvTranspose2d options": lambda: nn.ConvTranspose2d(2, 3, 3, stride=2, output_padding=1),
    "AdaptiveAvgPool2d none": lambda: nn.AdaptiveAvgPool2d((None, 3)),
    "MaxPool2d indices": lambda: nn.MaxPool2d(2, return_indices=True),
    "MaxPool2d options": lambda: nn.MaxPool2d((2, 3), stride=2, padding=1, ceil_mode=True),
    "AdaptiveMaxPool2d indices": lambda: nn.AdaptiveMaxPool2d(2, return_indices=True),
    "AvgPool2d divisor": lambda: nn.AvgPool2d(2, divisor_override=3),
    "FractionalMaxPool2d": lambda: nn.FractionalMaxPool2d(2, output_size=3),
    "FractionalMaxPool3d": lambda: nn.FractionalMaxPool3d(2, output_ratio=0.5),
    "ZeroPad1d": lambda: nn.ZeroPad1d(1),
    "ZeroPad2d": lambda: nn.ZeroPad2d((1, 2, 3, 4)),
    "ZeroPad3d": lambda: nn.ZeroPad3d(1),
    "RNN": lambda: nn.RNN(3, 4),
    "RNN relu": lambda: nn.RNN(3, 4, nonlinearity="relu", num_layers=2),
    "LSTM": lambda: nn.LSTM(3, 4),
    "LSTM options": lambda: nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5),
    "LSTM projected": lambda: nn.LSTM(3, 4, proj_size=2, bias=False),
    "GRU": lambda: nn.GRU(3, 4),
    "GRU batch first": lambda: nn.GRU(3, 4, batch_first=True),
    "RNNCell": lambda: nn.RNNCell(3, 4),
    "RNNCell relu": lambda: nn.RNNCell(3, 4, nonlinearity="relu", bias=False),
    "LSTMCell": lambda: nn.LSTMCell(3, 4),
    "GRUCell": lambda: nn.GRUCell(3, 4),
    "MultiheadAttention": lambda: nn.MultiheadAttention(4, 2),
    "MultiheadAttention batch first": lambda: nn.MultiheadAttention(4, 2, batch_first=True, dropout=0.1),
    "MultiheadAttention separate": lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=5, bias=False),
    "MultiheadAttention extra": lambda: nn.MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2, 8),
    "TransformerEncoderLayer gelu": lambda: nn.TransformerEncoderLayer(4, 2, 8, activation="gelu", batch_first=True, norm_first=True),
    "TransformerDecoderLayer": lambda: nn.TransformerDecoderLayer(4, 2, 8),
    "TransformerEncoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2),
    "TransformerDecoder": lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 2, nn.LayerNorm(4)),
    "Transformer": lambda: nn.Transformer(4, 2, 1, 1, 8),
    "Sequential layers": lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)),
    "Sequential twice": lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 3)),
    "ModuleList layers": lambda: nn.ModuleList([nn.Linear(2, 2), nn.ReLU()]),
    "AdaptiveLogSoftmaxWithLoss": lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3, 6]),
})
for d in (1, 2, 3):
    for name, args in [("BatchNorm", (3,)), ("InstanceNorm", (3,)), ("Conv", (2, 3, 3)), ("ConvTranspose", (2, 3, 3)), ("MaxPool", (2,)),
                       ("AvgPool", (2,)), ("LPPool", (2, 3)), ("MaxUnpool", (2,)), ("AdaptiveAvgPool", (2,)), ("AdaptiveMaxPool", (2,)),
                       ("ReflectionPad", (1,)), ("ReplicationPad", (1,)), ("CircularPad", (1,)), ("ConstantPad", (1, 0.5))]:
        CASES[f"{name}{d}d"] = lambda name=name, args=args, d=d: getattr(nn, f"{name}{d}d")(*args)

# inputs that each module is traced with: sizes of floats, or ("int", below, *sizes)
INPUTS = {name: [[2, 4, 6]] for name in ["Identity", "ReLU", "ReLU6", "SiLU", "Mish", "SELU", "Hardswish", "Hardsigmoid", "Sigmoid",
          "Tanh", "LogSigmoid", "Softsign", "Tanhshrink", "RReLU", "Hardtanh", "ELU", "CELU", "LeakyReLU", "GLU", "GELU",
          "Hardshrink", "Softshrink", "Softplus", "PReLU", "Softmax dim", "LogSoftmax dim", "GELU tanh", "PReLU many", "Flatten",
          "Dropout", "Dropout1d", "AlphaDropout", "FeatureAlphaDropout", "Dropout eval", "Threshold", "ReLU inplace",
          "LPPool1d", "BatchNorm1d", "InstanceNorm1d", "Conv1d", "ConvTranspose1d", "MaxPool1d", "AvgPool1d", "AdaptiveAvgPool1d",
          "AdaptiveMaxPool1d", "ReflectionPad1d", "ReplicationPad1d", "CircularPad1d", "ConstantPad1d", "ZeroPad1d", "LocalResponseNorm",
          "Conv1d circular"]}
INPUTS.update({name: [[2, 4, 6, 6]] for name in ["Softmax2d", "Dropout2d", "Unfold", "Unfold sizes", "Upsample", "Upsample size",
          "UpsamplingNearest2d", "UpsamplingBilinear2d", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle", "LPPool2d", "AvgPool2d",
          "AdaptiveAvgPool2d", "AdaptiveMaxPool2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d", "ConstantPad2d", "ZeroPad2d",
          "MaxPool2d", "MaxPool2d indices", "MaxPool2d options", "AdaptiveMaxPool2d indices", "AvgPool2d divisor", "Conv2d options",
          "AdaptiveAvgPool2d none", "FractionalMaxPool2d"]})
INPUTS.update({name: [[2, 4, 4, 6, 6]] for name in ["Dropout3d", "LPPool3d", "AvgPool3d", "MaxPool3d", "AdaptiveAvgPool3d", "AdaptiveMaxPool3d",
          "ReflectionPad3d", "ReplicationPad3d", "CircularPad3d", "ConstantPad3d", "ZeroPad3d"]})
for d in (1, 2, 3):
    INPUTS[f"Conv{d}d"] = INPUTS[f"ConvTranspose{d}d"] = [[1, 2] + [5] * d]
    INPUTS[f"BatchNorm{d}d"] = INPUTS[f"InstanceNorm{d}d"] = [[2, 3] + [4] * d]
INPUTS.update({name: [[2, 3]] for name in ["Linear", "Linear no bias", "RNNCell", "RNNCell relu", "LSTMCell", "GRUCell"]})
INPUTS.update({name: [[5, 2, 3]] for name in ["RNN", "RNN relu", "LSTM", "LSTM options", "LSTM projected", "GRU", "GRU batch first"]})
INPUTS.update({name: [[2, 3, 4, 4]] for name in ["BatchNorm2d momentum", "BatchNorm2d plain", "BatchNorm2d eval", "InstanceNorm2d affine"]})
INPUTS.update({name: [[1, 2, 6, 6]] for name in ["Conv2d same", "Conv2d reflect", "ConvTranspose2d options"]})
INPUTS.update({name: [[3, 5], [3, 5]] for name in ["L1Loss", "MSELoss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss", "KLDivLoss",
          "PoissonNLLLoss", "HingeEmbeddingLoss", "SoftMarginLoss", "MultiLabelSoftMarginLoss", "PairwiseDistance", "CosineSimilarity"]})
INPUTS.update({name: [[3, 5], ("int", 3, 3)] for name in ["NLLLoss", "CrossEntropyLoss", "CrossEntropyLoss options", "MultiMarginLoss"]})
INPUTS.update({
    "Conv1d circular": [[1, 2, 6]], "Bilinear": [[4, 2], [4, 3]], "NLLLoss weight": [[3, 3], ("int", 3, 3)], "BCEWithLogitsLoss weight": [[2, 3], [2, 3]],
    "MultiLabelMarginLoss": [[3, 5], ("int", 5, 3, 5)], "CosineEmbeddingLoss": [[3, 5], [3, 5], [3]],
    "MarginRankingLoss": [[3], [3], [3]], "TripletMarginLoss": [[3, 5], [3, 5], [3, 5]],
    "Unflatten": [[2, 6]], "Fold": [[1, 8, 9]], "Embedding": [("int", 5, 2, 3)], "Embedding padding": [("int", 5, 2, 3)],
    "EmbeddingBag": [("int", 5, 2, 3)], "LayerNorm": [[2, 3, 4]], "LayerNorm sizes": [[2, 3, 4]], "LayerNorm no bias": [[2, 3, 4]],
    "RMSNorm": [[2, 3, 4]], "GroupNorm": [[2, 4, 5]], "GroupNorm plain": [[2, 4, 5]], "Softmin": [[2, 3]],
    "Softmax": [[2, 3]], "LogSoftmax": [[2, 3]],
    "MaxUnpool1d": [[1, 1, 2], ("int", 4, 1, 1, 2)], "MaxUnpool2d": [[1, 1, 2, 2], ("int", 16, 1, 1, 2, 2)],
    "MaxUnpool3d": [[1, 1, 2, 2, 2], ("int", 64, 1, 1, 2, 2, 2)],
    "MultiheadAttention": [[3, 2, 4]] * 3, "MultiheadAttention batch first": [[2, 3, 4]] * 3,
    "MultiheadAttention separate": [[3, 2, 4], [3, 2, 3], [3, 2, 5]], "MultiheadAttention extra": [[3, 2, 4]] * 3,
    "TransformerEncoderLayer": [[3, 2, 4]], "TransformerEncoderLayer gelu": [[2, 3, 4]], "TransformerDecoderLayer": [[3, 2, 4]] * 2,
    "TransformerEncoder": [[2, 3, 4]], "TransformerDecoder": [[3, 2, 4]] * 2, "Transformer": [[3, 2, 4]] * 2,
    "Sequential layers": [[1, 1, 4, 4]], "Sequential twice": [[1, 2]],
})


def input_of(spec):
    if spec[0] == "int":
        sizes = spec[2:]
        return (torch.arange(torch.Size(sizes).numel()) % spec[1]).reshape(sizes)
    count = torch.Size(spec).numel()
    return ((torch.arange(count) % 11) * 0.0625 + 0.125).reshape(spec)
