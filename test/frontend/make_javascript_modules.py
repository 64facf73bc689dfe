"""Records what PyTorch makes of the Python twins of test/frontend/javascript_modules.ts.

    python test/frontend/make_javascript_modules.py > test/frontend/javascript_modules.json

Written with PyTorch 2.13.
"""
import json
import re
import sys
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MyDecisionGate(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        else:
            return -x


class MyCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.dg = MyDecisionGate()
        self.linear = nn.Linear(2, 2)

    def forward(self, x, h):
        new_h = torch.tanh(self.dg(self.linear(x)) + h)
        return new_h, new_h


class MyRNNLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = MyCell()

    def forward(self, xs):
        h, y = torch.zeros([2, 2]), torch.zeros([2, 2])
        for i in range(xs.size(0)):
            y, h = self.cell(xs[i], h)
        return y, h


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.act = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))

    def forward(self, x):
        for layer in self.layers:
            x = self.act(layer(x))
        for i, layer in enumerate(self.layers):
            x = layer(x) + i
        return x


class Attributes(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 0.5
        self.times = 3
        self.name = "attributes"
        self.register_buffer("running", torch.zeros(2))
        self.bias = nn.Parameter(torch.ones(2))

    def forward(self, x):
        for i in range(self.times):
            x = x * self.scale + self.bias
        if self.training:
            self.running.add_(x.mean(0))
        self.times += 1
        return x, self.name


class Methods(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 3)

    def forward(self, x):
        return self.decode(self.encode(x), 2)

    @torch.jit.export
    def encode(self, x):
        return self.linear(x)

    def decode(self, x, n: int):
        return x * n

    @torch.jit.unused
    def debug(self, x):
        return x


class Signature(nn.Module):
    def forward(self, xs: List[Tensor], n: int = 3) -> Tuple[Tensor, Tensor]:
        total = xs[0]
        for x in xs:
            total = total + x * n
        return total, xs[n]


class Options(nn.Module):
    def forward(self, x, mask: Optional[Tensor] = None):
        y = F.dropout(x, 0.5, self.training)
        if mask is not None:
            y = y.masked_fill(mask == 0, -1e9)
        return F.softmax(y, dim=-1)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 3, batch_first=True)

    def forward(self, x):
        start = torch.zeros([1, x.size(0), 3])
        out, (h, c) = self.lstm(x, (start, start))
        return out, h + c


class Indexed(nn.Module):
    def forward(self, x, i: int):
        a = x[0]
        b = x[i, 1]
        c = x[:, 1:]
        d = x[..., 0]
        y = x.clone()
        y[0] = a * 2
        return a, b, c, d, y


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.paths = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Identity()})

    def forward(self, x):
        x = self.paths["a"](x)
        return self.paths["b"](x)


class Fields(nn.Module):
    bias: Optional[Tensor]

    def __init__(self):
        super().__init__()
        self.scale = 2.0
        self.times = 2
        self.rate = 3.0
        self.bias = None

    def forward(self, x):
        y = x * self.scale * self.times + self.rate
        b = self.bias
        if b is not None:
            y = y + b
        return y


MODULES = [Fields, MyDecisionGate, MyCell, MyRNNLoop, Stack, Attributes, Methods, Signature, Options, Recurrent, Indexed, Branch]


def plain(text):
    # all are in one unit: names are mangled by what was scripted before
    return re.sub(r"___torch_mangle_\d+\.", "", re.sub(r" # .*$", "", str(text), flags=re.M))


if __name__ == "__main__":
    out = {}
    for cls in MODULES:
        scripted = torch.jit.script(cls())
        methods = {n: {"code": plain(getattr(scripted, n).code), "graph": plain(getattr(scripted, n).graph)} for n in ["forward", "encode"] if hasattr(scripted, n)}
        out[cls.__name__] = {"str": str(scripted), "methods": methods}
    json.dump(out, sys.stdout, indent=1)
    print()
