"""User modules to trace; module_cases.ts has the same under the same names."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Gate(nn.Module):
    def forward(self, x):
        return x if x.sum().item() > 1e9 else -x


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.dg = Gate()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, h):
        new_h = torch.tanh(self.dg(self.linear(x)) + h)
        return new_h, new_h


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(32, 10)
        self.drop = nn.Dropout()
        self.seq = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("off", torch.zeros(2))

    def forward(self, x):
        x = self.bn(self.conv(x))
        x = F.relu(x)
        x = self.seq(x)
        x = self.seq(x)
        x = self.bn(x) * self.scale
        x = torch.flatten(x, 1)
        x = x.repeat(1, 4)
        return F.log_softmax(self.fc(self.drop(x)), dim=1) + self.conv.weight.sum()


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = self.a
        self.l = nn.ModuleList([nn.Linear(4, 4), self.a])

    def forward(self, x):
        y = self.a(x)
        z = self.b(y)
        for m in self.l:
            z = m(z)
        return z


class Inner(nn.Module):
    def __init__(self, outer):
        super().__init__()
        self.outer = [outer]

    def forward(self, x):
        return x * self.outer[0].off, x + 1


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.off = nn.Parameter(torch.ones(4))
        self.inner = Inner(self)

    def forward(self, x):
        a, b = self.inner(x)
        return a + b + self.off


class ReturnsParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(4))
        self.lin = nn.Linear(4, 4)

    def forward(self, x):
        return self.lin(x), self.w, self.lin.weight


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1 = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)

    def forward(self, x):
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.layers = nn.Sequential(Block(4), Block(4))
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.layers(self.stem(x))
        x = self.pool(x)
        x = x.view(x.size(0), -1)
        return self.fc(x)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Linear(8, 8)
        self.k = nn.Linear(8, 8)
        self.v = nn.Linear(8, 8)

    def forward(self, x):
        b, t, c = x.shape
        q = self.q(x).view(b, t, 2, c // 2).transpose(1, 2)
        k = self.k(x).view(b, t, 2, c // 2).transpose(1, 2)
        v = self.v(x).view(b, t, 2, c // 2).transpose(1, 2)
        att = torch.matmul(q, k.transpose(-2, -1)) * 0.5
        att = F.softmax(att, dim=-1)
        y = torch.matmul(att, v)
        return y.transpose(1, 2).contiguous().view(b, t, c)


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count.add_(1)
        return x + self.count


class Dicts(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 2)

    def forward(self, d):
        return {"out": self.lin(d["x"]), "sum": d["x"] + d["y"]}


class Tuples(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, x, state):
        h, c = state
        h = self.lin(x) + h
        return h, (h, c * 2)


class Dictionary(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.ReLU()})

    def forward(self, x):
        return self.m["b"](self.m["a"](x))


class NoForwardChild(nn.Module):
    def __init__(self):
        super().__init__()
        self.ps = nn.ParameterList([nn.Parameter(torch.ones(4)), nn.Parameter(torch.ones(4))])
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return x * self.ps[0] + self.ps[1]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.rnn = nn.LSTM(4, 5, batch_first=True)
        self.out = nn.Linear(5, 3)

    def forward(self, ids):
        x = self.embed(ids)
        y, _ = self.rnn(x)
        return self.out(y[:, -1] if False else y.select(1, -1))


class ByName(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x, mask=None, scale=None):
        y, _ = self.attention(x, x, x, mask)
        return y if scale is None else y * scale


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4, bidirectional=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        output, state = self.rnn(packed)
        y, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
        return y, state


class PackedState(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 4)

    def forward(self, x, lengths, h):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths)
        output, state = self.rnn(packed, (h, h))
        return output.data, state


CASES = {
    "Cell": lambda: (Cell(), (torch.randn(3, 4), torch.randn(3, 4))),
    "Net": lambda: (Net(), torch.randn(2, 1, 8, 8)),
    "Net_train": lambda: (Net(), torch.randn(2, 1, 8, 8), {"train": True}),
    "Shared": lambda: (Shared(), torch.randn(3, 4)),
    "Outer": lambda: (Outer(), torch.randn(3, 4)),
    "ReturnsParameter": lambda: (ReturnsParameter(), torch.randn(3, 4)),
    "ResNet": lambda: (ResNet(), torch.randn(1, 3, 8, 8)),
    "ResNet_train": lambda: (ResNet(), torch.randn(2, 3, 8, 8), {"train": True}),
    "Attention": lambda: (Attention(), torch.randn(2, 3, 8)),
    "Counter": lambda: (Counter(), torch.randn(3)),
    "Dicts": lambda: (Dicts(), {"x": torch.randn(2, 4), "y": torch.randn(2, 4)}, {"strict": False}),
    "Tuples": lambda: (Tuples(), (torch.randn(2, 4), (torch.randn(2, 4), torch.randn(2, 4)))),
    "Dictionary": lambda: (Dictionary(), torch.randn(2, 4)),
    "NoForwardChild": lambda: (NoForwardChild(), torch.randn(2, 4)),
    "Encoder": lambda: (Encoder(), torch.ones(2, 3, dtype=torch.int64)),
    "ByName": lambda: (ByName(), None, {"example_kwarg_inputs": {"scale": torch.randn(4), "x": torch.randn(2, 3, 4)}}),
    "LibraryByName": lambda: (nn.MultiheadAttention(4, 2, batch_first=True), None, {"example_kwarg_inputs": {
        "attn_mask": torch.zeros(3, 3), "query": torch.randn(2, 3, 4), "value": torch.randn(2, 3, 4), "key": torch.randn(2, 3, 4)}}),
    "Packed": lambda: (Packed(), (torch.randn(2, 5, 3), torch.tensor([5, 3]))),
    "PackedState": lambda: (PackedState(), (torch.randn(5, 2, 3), torch.tensor([5, 3]), torch.randn(1, 2, 4))),
}
