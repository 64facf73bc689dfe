"""Records what PyTorch makes of methods of a module with members of every kind: module_methods.json.

The module is built in module_methods.test.ts too; both compile the same methods.
Run: python make_module_methods.py (torch 2.13)
"""

import io
import json
import linecache
import os
import re
import zipfile
from typing import *  # noqa: F403

import torch
from torch import Tensor, nn

HERE = os.path.dirname(__file__)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = 2.5

    def forward(self, x: Tensor, times: int = 1) -> Tensor:
        return x * self.by * times

    def helper(self, x):
        return x + self.by


class P(nn.Module):
    __constants__ = ["k", "word"]

    def __init__(self):
        super().__init__()
        self.ml = nn.ModuleList([nn.Linear(2, 2), nn.Identity()])
        self.md = nn.ModuleDict({"x": nn.Linear(2, 2), "y": Scale()})
        self.seq = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2, bias=False))
        self.pl = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))])
        self.pd = nn.ParameterDict({"a": nn.Parameter(torch.ones(2)), "b": nn.Parameter(torch.ones(3))})
        self.scale = Scale()
        self.deep = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.Tanh()), nn.ModuleList([Scale()])])
        self.heads = nn.ModuleDict({"a": nn.ModuleList([Scale(), Scale()])})
        self.lstm = nn.LSTM(2, 3)
        self.register_module("gone", None)
        self.register_buffer("buf", torch.ones(2))
        self.register_parameter("none", None)
        self.k = (1, 2)
        self.word = "w"
        self.count = 3
        self.rate = 0.5
        self.names = ["a", "b"]
        self.table = {"a": 1.5}
        self.nothing = None
        self.empty = []


# name -> methods; the first is forward
CASES = {
    "loop over a ModuleList": "def forward(self, x):\n    for m in self.ml:\n        x = m(x)\n    return x\n",
    "loop over a Sequential": "def forward(self, x):\n    for m in self.seq:\n        x = m(x)\n    return x\n",
    "call a Sequential": "def forward(self, x):\n    return self.seq(x)\n",
    "enumerate": "def forward(self, x):\n    for i, m in enumerate(self.ml):\n        x = m(x) + i\n    return x\n",
    "enumerate from one": "def forward(self, x):\n    for i, m in enumerate(self.ml, 1):\n        x = m(x) + i\n    return x\n",
    "zip": "def forward(self, x):\n    for a, b in zip(self.ml, self.seq):\n        x = b(a(x))\n    return x\n",
    "index": "def forward(self, x):\n    return self.ml[-1](self.ml[0](x))\n",
    "index of a ModuleDict": 'def forward(self, x):\n    return self.md["y"](self.md["x"](x))\n',
    "items": "def forward(self, x):\n    for k, m in self.md.items():\n        print(k)\n        x = m(x)\n    return x\n",
    "keys": "def forward(self, x):\n    for k in self.md.keys():\n        print(k)\n    for k in self.md:\n        print(k)\n    return x\n",
    "values": "def forward(self, x):\n    for m in self.md.values():\n        x = m(x)\n    return x\n",
    "len and in": 'def forward(self, x):\n    if "x" in self.md:\n        x = x * len(self.ml)\n    return x + len(self.md)\n',
    "parameter containers": 'def forward(self, x):\n    for p in self.pl:\n        x = x + p.sum()\n    return x + self.pl[0] + self.pd["a"]\n',
    "children": "def forward(self, x):\n    for n, c in self.named_children():\n        print(n)\n    for c in self.seq.children():\n        x = c(x)\n    return x\n",
    "modules": "def forward(self, x):\n    for n, c in self.named_modules():\n        print(n)\n    return x\n",
    "named buffers": "def forward(self, x):\n    for n, b in self.named_buffers():\n        print(n)\n        x = x + b\n    return x\n",
    "constants": "def forward(self, x):\n    for i in self.k:\n        x = x + i\n    print(self.word)\n    return x.view(self.k) + self.k[0]\n",
    "attributes": 'def forward(self, x):\n    x = x * self.rate + self.count + self.buf\n    return x + self.table["a"] + len(self.names)\n',
    "training": "def forward(self, x):\n    if self.training:\n        x = x + 1\n    return x\n",
    "None members": "def forward(self, x):\n    if self.gone is not None:\n        x = self.gone(x)\n    if self.none is not None:\n        x = x + self.none\n    if self.nothing is None:\n        x = x + 1\n    return x\n",
    "hasattr": 'def forward(self, x):\n    if hasattr(self, "nope"):\n        x = self.nope(x)\n    if hasattr(self, "scale"):\n        x = self.scale(x)\n    return x\n',
    "getattr": 'def forward(self, x):\n    return getattr(self, "scale")(x, 3)\n',
    "methods on demand": "def forward(self, x):\n    return self.second(x) + self.scale.helper(x)\ndef second(self, x: Tensor, n: int = 3) -> Tensor:\n    return self.third(x) * n\ndef third(self, x):\n    return x - 1\n",
    "keyword arguments": "def forward(self, x):\n    return self.scale(x, times=2)\n",
    "comprehension": "def forward(self, x):\n    return [m(x) for m in self.ml]\n",
    "nested attributes": 'def forward(self, x):\n    return self.ml[0].weight + self.md["y"].by + self.ml[0].in_features\n',
    "set attributes": "def forward(self, x):\n    self.count = self.count + 1\n    self.buf = x\n    self.scale.by = 1.5\n    return x\n",
    "module as a value": "def forward(self, x):\n    m = self.scale\n    return m(x)\n",
    "nested containers": 'def forward(self, x):\n    x = self.deep[0][1](x)\n    for m in self.deep[1]:\n        x = m(x)\n    for k, ms in self.heads.items():\n        for m in ms:\n            x = m(x)\n    return x\n',
    "overloads": "def forward(self, x):\n    y, (h, c) = self.lstm(x)\n    z, state = self.lstm(x, (h, c))\n    return y + z\n",
    "loop in a loop": "def forward(self, x, n: int):\n    for i in range(n):\n        for m in self.ml:\n            x = m(x)\n    return x\n",
    "if around a module": "def forward(self, x, flag: bool):\n    if flag:\n        x = self.scale(x)\n    else:\n        for m in self.seq:\n            x = m(x)\n    return x\n",
    "comprehension over a dict": "def forward(self, x):\n    return [m(x) for m in self.md.values()]\n",
    "parameters of submodules": "def forward(self, x):\n    w = self.ml[0].weight\n    b = self.ml[0].bias\n    if b is not None:\n        w = w + b\n    return w @ x\n",
    "recursive containers": "def forward(self, x):\n    for block in self.deep:\n        for m in block:\n            x = m(x)\n    return x\n",
    "zip with a tuple": "def forward(self, x):\n    for m, k in zip(self.ml, self.k):\n        x = m(x) * k\n    return x\n",
    "zip with a list": "def forward(self, x):\n    for m, n in zip(self.ml, self.names):\n        x = m(x)\n    return x\n",
    "break in an unrolled loop": "def forward(self, x):\n    for m in self.ml:\n        x = m(x)\n        break\n    return x\n",
    "reversed index": "def forward(self, x):\n    for i in range(2):\n        x = self.pl[0] + x\n    return x\n",
    "error: no attribute": "def forward(self, x):\n    return self.nope\n",
    "error: attribute without a type": "def forward(self, x):\n    return self.empty\n",
    "error: index": "def forward(self, x):\n    i = 0\n    return self.ml[i](x)\n",
    "error: index out of range": "def forward(self, x):\n    return self.ml[7](x)\n",
    "error: key": 'def forward(self, x):\n    return self.md["q"](x)\n',
    "error: not iterable": "def forward(self, x):\n    for m in self:\n        x = m(x)\n    return x\n",
    "error: not subscriptable": "def forward(self, x):\n    return self[0](x)\n",
    "error: unpacking": "def forward(self, x):\n    a, b = self.ml\n    return a(x)\n",
    "error: new attribute": "def forward(self, x):\n    self.z = x\n    return x\n",
    "error: attribute of another type": "def forward(self, x):\n    self.count = x\n    return x\n",
    "error: None is called": "def forward(self, x):\n    return self.gone(x)\n",
    "error: recursion": "def forward(self, x):\n    return self.second(x)\ndef second(self, x):\n    return self.second(x)\n",
    "error: arguments": "def forward(self, x):\n    return self.scale(x, y=2)\n",
}


def script(source):
    torch.jit._state._clear_class_state()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
    torch._C._jit_clear_class_registry()
    text = "class Q(P):\n" + "".join("    " + line + "\n" for line in source.splitlines())
    name = f"<case {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    scope = {**globals(), "__name__": "__main__"}
    exec(compile(text, name, "exec"), scope)
    return torch.jit.script(scope["Q"]())


def without_locations(text):
    text = re.sub(r" # .*?:\d+:\d+$", "", text, flags=re.M)
    return text


def main():
    recorded = {}
    for name, source in CASES.items():
        entry = {"source": source}
        try:
            module = script(source)
            entry["graph"] = re.sub(r"\.___torch_mangle_\d+", "", without_locations(str(module.graph)))
            entry["code"] = re.sub(r"\.___torch_mangle_\d+", "", module.code)
            entry["methods"] = sorted(module._c._method_names())
        except Exception as error:  # noqa: BLE001
            entry["error"] = str(error).strip().split(":\n  File")[0]
        recorded[name] = entry
    with open(os.path.join(HERE, "module_methods.json"), "w") as f:
        json.dump({"torch": torch.__version__, "cases": recorded}, f, indent=1)
        f.write("\n")


main()
