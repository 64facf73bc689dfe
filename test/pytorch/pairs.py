"""Modules, each also written in pairs.ts under the same name: what tsarchive and PyTorch must make alike.

Every `pair` has a class (made without arguments) and the inputs of one call, drawn after a seed."""
import math
from collections import OrderedDict
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAIRS = {}


def pair(name, inputs, trace=True, script=True, train=False, strict=True):
    """Registers a class: `trace` and `script` say which of the two apply."""

    def register(cls):
        PAIRS[name] = dict(make=cls, inputs=inputs, trace=trace, script=script, train=train, strict=strict)
        return cls

    return register


# containers ------------------------------------------------------------------------------------------------------


@pair("mlp", lambda: (torch.randn(2, 4),))
class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


@pair("sequential", lambda: (torch.randn(2, 4),))
class SequentialMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2), nn.Tanh())

    def forward(self, x):
        return self.layers(x)


@pair("named_sequential", lambda: (torch.randn(3, 4),))
class NamedSequential(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(OrderedDict([("fc", nn.Linear(4, 6)), ("act", nn.GELU()), ("norm", nn.LayerNorm(6))]))

    def forward(self, x):
        return self.body(x)


@pair("module_list", lambda: (torch.randn(2, 5),))
class ModuleListLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5)])

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


@pair("module_dict", lambda: (torch.randn(2, 4),))
class ModuleDictPick(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleDict({"left": nn.Linear(4, 2), "right": nn.Linear(4, 3)})

    def forward(self, x):
        a = self.heads["left"](x)
        b = self.heads["right"](x)
        return torch.cat([a, b], 1)


@pair("nested", lambda: (torch.randn(2, 4),))
class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Mlp()
        self.second = nn.Sequential(nn.Linear(3, 4), Mlp())

    def forward(self, x):
        return self.second(self.first(x))


@pair("shared_layer", lambda: (torch.randn(2, 4),))
class SharedLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = self.fc(x)
        x = F.relu(x)
        return self.fc(x)


@pair("own_parameter", lambda: (torch.randn(2, 3),))
class OwnParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return torch.mm(x, self.weight) * self.scale


@pair("own_buffer", lambda: (torch.randn(2, 3),))
class OwnBuffer(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 1.5, 2.5]))
        self.register_buffer("std", torch.tensor([1.0, 2.0, 4.0]))

    def forward(self, x):
        return (x - self.mean) / self.std


@pair("residual", lambda: (torch.randn(2, 6),))
class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.fc = nn.Linear(6, 6)
        self.skip = nn.Identity()

    def forward(self, x):
        return self.skip(x) + self.fc(self.norm(x))


# convolution -----------------------------------------------------------------------------------------------------


@pair("lenet", lambda: (torch.randn(1, 1, 28, 28),))
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5)
        self.conv2 = nn.Conv2d(4, 8, 5)
        self.fc1 = nn.Linear(128, 20)
        self.fc2 = nn.Linear(20, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return F.log_softmax(x, 1)


@pair("basic_block", lambda: (torch.randn(1, 4, 8, 8),))
class BasicBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4)

    def forward(self, x):
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        out = out + identity
        return self.relu(out)


@pair("batch_norm_train", lambda: (torch.randn(4, 3, 5, 5),), train=True)
class BatchNormTrain(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.bn = nn.BatchNorm2d(6)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))


@pair("depthwise", lambda: (torch.randn(1, 6, 9, 9),))
class DepthwiseSeparable(nn.Module):
    def __init__(self):
        super().__init__()
        self.depthwise = nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6, bias=False)
        self.pointwise = nn.Conv2d(6, 10, 1)
        self.act = nn.ReLU6()

    def forward(self, x):
        return self.act(self.pointwise(self.depthwise(x)))


@pair("squeeze_excite", lambda: (torch.randn(2, 8, 6, 6),))
class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(8, 2, 1)
        self.fc2 = nn.Conv2d(2, 8, 1)
        self.gate = nn.Sigmoid()

    def forward(self, x):
        s = self.pool(x)
        s = F.silu(self.fc1(s))
        s = self.gate(self.fc2(s))
        return x * s


@pair("conv1d", lambda: (torch.randn(2, 3, 20),))
class Conv1dStack(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(3, 6, 3, dilation=2)
        self.pool = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(6, 4, 3, padding="same")

    def forward(self, x):
        x = self.pool(F.leaky_relu(self.conv1(x), 0.1))
        return self.conv2(x).mean(2)


@pair("conv3d", lambda: (torch.randn(1, 2, 5, 6, 7),))
class Conv3dBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 3, (3, 3, 3), padding=(1, 1, 1))
        self.norm = nn.BatchNorm3d(3)
        self.pool = nn.AvgPool3d(2)

    def forward(self, x):
        return self.pool(F.elu(self.norm(self.conv(x))))


@pair("conv_transpose", lambda: (torch.randn(1, 4, 5, 5),))
class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.up1 = nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(3, 1, 2, stride=2)

    def forward(self, x):
        x = F.relu(self.up1(x))
        return torch.sigmoid(self.up2(x))


@pair("group_norm", lambda: (torch.randn(2, 8, 4, 4),))
class GroupNormBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.norm = nn.GroupNorm(2, 8)
        self.act = nn.Hardswish()

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


@pair("instance_norm", lambda: (torch.randn(2, 3, 6, 6),))
class InstanceNormBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.InstanceNorm2d(4, affine=True)

    def forward(self, x):
        return F.prelu(self.norm(self.conv(self.pad(x))), torch.full([1], 0.25))


@pair("unet", lambda: (torch.randn(1, 2, 8, 8),))
class TinyUnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(2, 4, 3, padding=1)
        self.mid = nn.Conv2d(4, 4, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        d = F.relu(self.down(x))
        m = F.relu(self.mid(F.avg_pool2d(d, 2)))
        u = self.up(m)
        return self.out(torch.cat([u, d], dim=1))


@pair("pixel_shuffle", lambda: (torch.randn(1, 2, 4, 4),))
class SuperResolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 12, 3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x):
        return self.shuffle(torch.tanh(self.conv(x)))


@pair("autoencoder", lambda: (torch.randn(2, 12),))
class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 2))
        self.decoder = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 12), nn.Sigmoid())

    def encode(self, x):
        return self.encoder(x)

    def forward(self, x):
        z = self.encode(x)
        return self.decoder(z)


@pair("view_size", lambda: (torch.randn(2, 3, 4),))
class ViewSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        return self.fc(x)


# recurrent -------------------------------------------------------------------------------------------------------


@pair("rnn", lambda: (torch.randn(5, 2, 3),))
class RnnClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        out, _h = self.rnn(x)
        return self.fc(out[-1])


@pair("lstm", lambda: (torch.randn(2, 5, 3),))
class LstmTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        out, _state = self.lstm(x)
        return self.fc(out)


@pair("gru_bidirectional", lambda: (torch.randn(6, 2, 3),))
class GruBidirectional(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4, num_layers=2, bidirectional=True)

    def forward(self, x):
        out, h = self.gru(x)
        return out, h


@pair("rnn_cell_loop", lambda: (torch.randn(4, 2, 3), torch.zeros(2, 5)))
class RnnCellLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(3, 5)

    def forward(self, xs, h):
        for i in range(xs.size(0)):
            h = self.cell(xs[i], h)
        return h


@pair("gru_cell", lambda: (torch.randn(2, 3), torch.randn(2, 4)))
class GruStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 4)

    def forward(self, x, h):
        return self.cell(x, h)


@pair("lstm_cell", lambda: (torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)))
class LstmStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)

    def forward(self, x, h, c):
        h, c = self.cell(x, (h, c))
        return h, c


@pair("own_lstm", lambda: (torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)))
class OwnLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gates = nn.Linear(7, 16)

    def forward(self, x, h, c):
        gates = self.gates(torch.cat([x, h], 1))
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


@pair("embedding_classifier", lambda: (torch.tensor([[1, 2, 3], [4, 5, 0]]),))
class EmbeddingClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 6, padding_idx=0)
        self.fc = nn.Linear(6, 2)

    def forward(self, tokens):
        x = self.embed(tokens)
        return F.softmax(self.fc(x.mean(1)), dim=-1)


# attention -------------------------------------------------------------------------------------------------------


@pair("own_attention", lambda: (torch.randn(2, 5, 8),))
class OwnAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.proj = nn.Linear(8, 8)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        scores = torch.matmul(q, k.transpose(-2, -1)) * 0.3535533905932738
        weights = scores.softmax(-1)
        return self.proj(torch.matmul(weights, v))


@pair("head_attention", lambda: (torch.randn(2, 5, 8),))
class HeadAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(8, 8)
        self.key = nn.Linear(8, 8)
        self.value = nn.Linear(8, 8)

    def split(self, x):
        return x.reshape(x.size(0), x.size(1), 2, 4).transpose(1, 2)

    def forward(self, x):
        q = self.split(self.query(x))
        k = self.split(self.key(x))
        v = self.split(self.value(x))
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).flatten(2)


@pair("multihead", lambda: (torch.randn(5, 2, 8),))
class Multihead(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2)

    def forward(self, x):
        out, weights = self.attn(x, x, x)
        return out, weights


@pair("encoder_layer", lambda: (torch.randn(5, 2, 8),), train=True)
class EncoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0)

    def forward(self, x):
        return self.layer(x)


@pair("decoder_layer", lambda: (torch.randn(4, 2, 8), torch.randn(5, 2, 8)))
class DecoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(8, 2, dim_feedforward=16)

    def forward(self, x, memory):
        return self.layer(x, memory)


@pair("encoder", lambda: (torch.randn(5, 2, 8),), train=True)
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        return self.encoder(x)


@pair("positions", lambda: (torch.randn(2, 5, 8),))
class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, 16, 8))
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(x + self.position[:, :5])


@pair("patches", lambda: (torch.randn(1, 3, 8, 8),))
class Patches(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Conv2d(3, 6, 4, stride=4)
        self.token = nn.Parameter(torch.zeros(1, 1, 6))

    def forward(self, x):
        x = self.proj(x).flatten(2).transpose(1, 2)
        t = self.token.expand(x.shape[0], -1, -1)
        return torch.cat([t, x], 1)


# control flow ----------------------------------------------------------------------------------------------------


@pair("decision_gate", lambda: (torch.randn(3, 4), torch.randn(3, 4)))
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.dg = Gate()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, h):
        new_h = torch.tanh(self.dg(self.linear(x)) + h)
        return new_h, new_h


class Gate(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        else:
            return -x


@pair("early_return", lambda: (torch.randn(3, 4),), trace=False)
class EarlyReturn(nn.Module):
    def forward(self, x):
        if x.size(0) > 8:
            return x.mean(0)
        if x.dim() == 2:
            return x.sum(0)
        return x


@pair("counted_loop", lambda: (torch.randn(3, 4), 3), trace=False)
class CountedLoop(nn.Module):
    def forward(self, x, n: int = 3):
        for i in range(n):
            x = x * 2 + i
        return x


@pair("while_loop", lambda: (torch.ones(2),), trace=False)
class WhileLoop(nn.Module):
    def forward(self, x):
        n = 0
        while n < 10:
            x = x + x
            n += 2
        return x, n


@pair("break_continue", lambda: (torch.randn(6, 2),), trace=False)
class BreakContinue(nn.Module):
    def forward(self, x):
        total = torch.zeros(2)
        for i in range(x.size(0)):
            if i == 1:
                continue
            if i > 4:
                break
            total = total + x[i]
        return total


@pair("nested_if", lambda: (torch.randn(2, 2), 5), trace=False)
class NestedIf(nn.Module):
    def forward(self, x, k: int):
        if k > 3:
            if k == 5:
                y = x + 1
            else:
                y = x - 1
        elif k < 0:
            y = x * 2
        else:
            y = x
        return y


@pair("ternary", lambda: (torch.randn(2, 2), True), trace=False)
class Ternary(nn.Module):
    def forward(self, x, flip: bool):
        y = -x if flip else x
        return y.relu()


@pair("logic", lambda: (torch.randn(2, 2), 4, 0.5), trace=False)
class Logic(nn.Module):
    def forward(self, x, n: int, p: float):
        if n > 3 and p < 1.0:
            x = x * p
        if n == 0 or not p > 0.25:
            x = x + n
        return x


@pair("arithmetic", lambda: (torch.randn(2, 2), 7, 2), trace=False)
class Arithmetic(nn.Module):
    def forward(self, x, a: int, b: int):
        c = a * b - 3
        d = a / b
        return x * c + d, c, d


@pair("raises", lambda: (torch.randn(2, 2),), trace=False)
class Raises(nn.Module):
    def forward(self, x):
        if x.dim() != 2:
            raise RuntimeError("expected two dimensions")
        return x.t()


@pair("constant_branch", lambda: (torch.randn(2, 3),))
class ConstantBranch(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.act = nn.ReLU()
        self.use_act = True

    def forward(self, x):
        x = self.fc(x)
        if self.use_act:
            x = self.act(x)
        return x


@pair("training_branch", lambda: (torch.randn(2, 3),))
class TrainingBranch(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        y = self.fc(x)
        if self.training:
            y = y * 2
        return y


# data structures -------------------------------------------------------------------------------------------------


@pair("list_out", lambda: (torch.randn(4, 3),), trace=False)
class ListOut(nn.Module):
    def forward(self, x):
        outs: List[Tensor] = []
        for i in range(x.size(0)):
            outs.append(x[i] * i)
        return torch.stack(outs)


@pair("list_in", lambda: ([torch.randn(2), torch.randn(2)],), trace=False)
class ListIn(nn.Module):
    def forward(self, xs: List[Tensor]):
        total = xs[0]
        for x in xs:
            total = total + x
        return total


@pair("dict_in", lambda: ({"a": torch.randn(2), "b": torch.randn(2)},), trace=False)
class DictIn(nn.Module):
    def forward(self, batch: Dict[str, Tensor]):
        return batch["a"] + batch["b"]


@pair("dict_out", lambda: (torch.randn(2, 3),), strict=False)
class DictOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x):
        y = self.fc(x)
        return {"logits": y, "probs": y.softmax(1)}


@pair("tuple_in", lambda: (torch.randn(2), (torch.randn(2), torch.randn(2))), trace=True)
class TupleIn(nn.Module):
    def forward(self, x, state: Tuple[Tensor, Tensor]):
        h, c = state
        return x + h, (h, c)


@pair("optional_arg", lambda: (torch.randn(2, 2), None), trace=False)
class OptionalArg(nn.Module):
    def forward(self, x, mask: Optional[Tensor] = None):
        if mask is not None:
            x = x * mask
        return x


@pair("optional_attribute", lambda: (torch.randn(2, 3),))
class OptionalAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3, bias=False)
        self.norm = None

    def forward(self, x):
        x = self.fc(x)
        if self.norm is not None:
            x = x + 1
        return x


@pair("strings", lambda: (torch.randn(2, 2), "relu"), trace=False)
class Strings(nn.Module):
    def forward(self, x, mode: str):
        if mode == "relu":
            return F.relu(x)
        elif mode == "tanh":
            return torch.tanh(x)
        else:
            return x


@pair("list_attribute", lambda: (torch.randn(2, 6),))
class ListAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = [2, 3]
        self.scale = 0.5

    def forward(self, x):
        return x.view(2, self.sizes[0], self.sizes[1]) * self.scale


# authored as users do: masks, arguments by name, sizes in indexes, optional and nested values ---------------------


@pair("enc_masks", lambda: (torch.randn(2, 4, 8), torch.triu(torch.full((4, 4), -math.inf), 1), torch.tensor([[0, 0, 0, 0], [0, 0, 0, -1e9]]).float()))
class EncMasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(self.layer, 2, norm=nn.LayerNorm(8), enable_nested_tensor=False)

    def forward(self, x, mask, padding):
        return self.enc(x, mask, padding)


@pair("full_transformer", lambda: (torch.randn(2, 5, 8), torch.randn(2, 4, 8), torch.triu(torch.ones(4, 4), 1).bool()), train=True)
class FullTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Transformer(d_model=8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16, dropout=0.0, batch_first=True)

    def forward(self, src, tgt, tgtMask):
        return self.model(src, tgt, tgt_mask=tgtMask)


@pair("mha_no_weights", lambda: (torch.randn(2, 3, 8), torch.randn(2, 4, 6), torch.randn(2, 4, 5), torch.tensor([[False, False, False, True], [False, False, True, True]])), train=True, script=False)
class MhaNoWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True, kdim=6, vdim=5, bias=False, add_bias_kv=True, add_zero_attn=True)

    def forward(self, q, k, v, padding):
        out, _w = self.attn(q, k, v, key_padding_mask=padding, need_weights=False)
        return out


@pair("mha_heads", lambda: (torch.randn(2, 3, 8), torch.triu(torch.ones(3, 3), 1).bool()))
class MhaHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, mask):
        out, w = self.attn(x, x, x, attn_mask=mask, average_attn_weights=False)
        return out, w


@pair("lstm_proj", lambda: (torch.randn(2, 5, 4),), train=True)
class LstmProj(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, num_layers=2, bidirectional=True, proj_size=3, dropout=0.25, batch_first=True)

    def forward(self, x):
        out, (h, c) = self.lstm(x)
        return out, h, c


@pair("bag", lambda: (torch.tensor([1, 2, 3, 4, 1]), torch.tensor([0, 2]), torch.rand(5)))
class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(10, 4, mode="sum", include_last_offset=False, padding_idx=1)
        self.mean = nn.EmbeddingBag(10, 4)

    def forward(self, x, offsets, w):
        return self.bag(x, offsets, w) + self.mean(x, offsets)


@pair("tied", lambda: (torch.tensor([[1, 2, 3], [4, 5, 6]]),))
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer("pos", torch.arange(8).view(1, 8), persistent=False)
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int64))

    def forward(self, ids):
        _b, t = ids.shape
        h = self.embed(ids) + self.embed(self.pos[:, :t].clamp(0, 6))
        return self.out(h)


@pair("losses", lambda: (torch.randn(2, 3), torch.tensor([1, -1]), torch.randn(2, 3)), strict=False)
class Losses(nn.Module):
    def __init__(self):
        super().__init__()
        self.ce = nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=-1)
        self.mse = nn.MSELoss(reduction="sum")
        self.bce = nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0, 3.0, 1.5]))
        self.kl = nn.KLDivLoss(reduction="batchmean")
        self.sl = nn.SmoothL1Loss(beta=0.5)
        self.triplet = nn.TripletMarginLoss()

    def forward(self, x, t, y):
        a = self.ce(x, t) + self.mse(x, y)
        b = self.bce(x, y.sigmoid()) + self.kl(F.log_softmax(x, 1), F.softmax(y, 1))
        return {"a": a, "b": b, "c": self.sl(x, y) + self.triplet(x, y, -x)}


@pair("moe", lambda: (torch.randn(5, 4),))
class Moe(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.gate = nn.Linear(4, 3, bias=False)
        self.k = 2

    def forward(self, x):
        scores = self.gate(x).softmax(-1)
        w, idx = scores.topk(self.k, -1)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            hit = (idx == i).to(x.dtype)
            weight = (w * hit).sum(-1, True)
            out = out + expert(x) * weight
        return out


@pair("vae", lambda: (torch.randn(3, 6),), train=True, trace=False)
class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 4)
        self.dec = nn.Linear(2, 6)

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        if self.training:
            std = torch.exp(logvar * 0.5)
            eps = torch.randn_like(std)
            return mu + eps * std
        return mu

    def forward(self, x):
        mu, logvar = self.enc(x).chunk(2, 1)
        z = self.reparameterize(mu, logvar)
        return torch.sigmoid(self.dec(z)), mu, logvar


@pair("halfs", lambda: (torch.randn(2, 4),))
class Halfs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4).to(torch.bfloat16)
        self.ln = nn.LayerNorm(4).half()
        self.dd = nn.Linear(4, 2).double()

    def forward(self, x):
        a = self.fc(x.to(torch.bfloat16))
        b = self.ln(a.half())
        return self.dd(b.double())


@pair("slices", lambda: (torch.randn(3, 4),))
class Slices(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, 0] = 1.0
        y[1:, ::2] = x[1:, ::2] * 2
        y[..., -1] = torch.zeros([3])
        y[y > 1] = 0
        y[0].add_(10)
        y.mul_(2).sub_(1)
        return y


@pair("index_trace", lambda: (torch.randn(4, 5), torch.tensor(2)))
class IndexTrace(nn.Module):
    def forward(self, x, i):
        n = x.size(0)
        m = x.size(1)
        last = x[n - 1]
        sub = x[1:n - 1, m - 2:]
        pick = x[i]
        rows = x[[0, 1]]
        out = x.clone()
        out[0, :n - 2] = 7
        out[n - 1] = x[0]
        return torch.cat([last.unsqueeze(0), rows, pick.unsqueeze(0), out], 0).sum(1) + sub.sum()


@pair("optionals", lambda: (torch.randn(2, 3), (torch.randn(2, 3), torch.randn(2, 3)), ["a", "b"]), trace=False)
class Optionals(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.scale = None

    def forward(self, x, state: Optional[Tuple[Tensor, Tensor]] = None, names: Optional[List[str]] = None) -> Tuple[Tensor, Optional[Tuple[Tensor, Tensor]], str]:
        y = self.fc(x)
        if state is not None:
            h, c = state
            y = (y + h) * c
            return y, (y, c), f"n={0 if names is None else len(names)}"
        return y, None, "none"


@pair("lists_of_lists", lambda: (torch.randn(4, 2), [[0, 1], [2, 3, 1]]), trace=False)
class ListsOfLists(nn.Module):
    def forward(self, x, groups: List[List[int]]):
        outs: List[Tensor] = []
        sizes: List[List[int]] = []
        for group in groups:
            row: List[int] = []
            acc = x[0] * 0
            for g in group:
                acc = acc + x[g]
                row.append(g * 2)
            outs.append(acc)
            sizes.append(row)
        return torch.stack(outs), sizes


@pair("cache_decoder", lambda: (torch.randn(1, 2, 4), None), trace=False)
class CacheDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(4, 4)
        self.kv = nn.Linear(4, 8)

    @torch.jit.export
    def prefill(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        k, v = self.kv(x).chunk(2, -1)
        return k, v

    def forward(self, x, cache: Optional[Dict[str, Tensor]] = None) -> Tuple[Tensor, Dict[str, Tensor]]:
        k, v = self.prefill(x)
        if cache is not None:
            k = torch.cat([cache["k"], k], 1)
            v = torch.cat([cache["v"], v], 1)
        a = (self.q(x).matmul(k.transpose(1, 2)) / 2.0).softmax(-1)
        return a.matmul(v), {"k": k, "v": v}


@pair("errors", lambda: (torch.randn(3, 2), "b"), trace=False)
class Errors(nn.Module):
    def __init__(self):
        super().__init__()
        self.names = ["a", "b"]
        self.limit = 4

    def forward(self, x, mode: str = "a"):
        assert x.dim() == 2, f"expected 2 dims, got {x.dim()}"
        if not mode in self.names:
            raise ValueError(f"unknown mode {mode}")
        for i in range(x.size(0)):
            if x[i].sum() > 0:
                return x[i] * i
            if i >= self.limit:
                raise RuntimeError("too long")
        return x.sum(0)


@pair("early_loop", lambda: ([torch.randn(2), torch.randn(2)], 100.5), trace=False)
class EarlyLoop(nn.Module):
    def forward(self, xs: List[Tensor], threshold: float):
        best: Optional[Tensor] = None
        for i, x in enumerate(xs):
            if best is None or x.max().item() > best.max().item():
                best = x
            if best.norm().item() > threshold:
                return i, best
        if best is None:
            return -1, torch.zeros([1])
        return len(xs), best


class LayerScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.mlp = nn.Sequential(nn.Linear(4, 8), nn.GELU(approximate="tanh"), nn.Dropout(0.0), nn.Linear(8, 4))
        self.gamma = nn.Parameter(torch.full((4,), 1e-5))
        self.dropProb = 0.0

    def forward(self, x):
        h = self.mlp(self.norm(x)) * self.gamma
        return x + h


@pair("layer_scale", lambda: (torch.randn(2, 3, 4),), strict=False)
class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([LayerScale(), LayerScale()])
        self.head = nn.ModuleDict({"cls": nn.Linear(4, 2), "reg": nn.Linear(4, 1)})

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        x = x.mean(1)
        return {"cls": self.head["cls"](x), "reg": self.head["reg"](x)}


@pair("mix_attr", lambda: (torch.randn(2), "y"), trace=False)
class MixAttr(nn.Module):
    table: Dict[str, int]
    counts: List[int]
    rate: float
    def __init__(self):
        super().__init__()
        self.table = {"x": 1, "y": 2}
        self.counts = []
        self.rate = 2.0
        self.calls = 0

    def forward(self, x, key: str):
        self.calls += 1
        self.counts.append(self.calls)
        n = self.table[key]
        return (x * n + len(self.counts)) / self.rate


@pair("while_tensor", lambda: (torch.randn(3),), trace=False)
class WhileTensor(nn.Module):
    def forward(self, x, tol: float = 0.01):
        n = 0
        prev = x.clone()
        while True:
            x = x * 0.5 + x.cos() * 0.5
            n += 1
            if (x - prev).abs().max().item() < tol or n >= 50:
                break
            prev = x
        return x, n


@pair("comprehend", lambda: (torch.randn(2, 9),), trace=False)
class Comprehend(nn.Module):
    def __init__(self):
        super().__init__()
        self.widths = [2, 3, 4]

    def forward(self, x):
        parts = x.split(self.widths, 1)
        sums = [p.sum(1) for p in parts]
        lens = [p.size(1) for p in parts]
        total = lens[0] + lens[-1]
        names = [f"{i}:{n}" for i, n in enumerate(lens)]
        return torch.stack(sums, 1), lens + [total], ",".join(names)


@pair("conv_transpose_out", lambda: (torch.randn(1, 2, 5),), trace=False)
class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.ConvTranspose1d(2, 3, 3, stride=2, output_padding=1, padding=1, groups=1, dilation=1)
        self.b = nn.ConvTranspose1d(3, 4, 3, stride=2)

    def forward(self, x):
        y = self.a(x)
        return self.b(y, [y.size(2) * 2 + 2])


@pair("half_mlp", lambda: (torch.randn(3, 4).half(),))
class HalfMlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2)).half()

    def forward(self, x):
        return torch.softmax(self.net(x), -1)


@pair("bfloat16_conv", lambda: (torch.randn(2, 2, 8, 8).bfloat16(),))
class BfloatConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.pool = nn.AdaptiveMaxPool2d((3, 4))
        self.bfloat16()

    def forward(self, x):
        return self.pool(torch.relu(self.bn(self.conv(x))))
