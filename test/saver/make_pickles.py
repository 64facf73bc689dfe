"""Writes pickles.json: data.pkl of small modules as PyTorch writes it after loading them. torch 2.13."""
import base64, io, json, os, zipfile
from enum import Enum
from typing import List, Optional, Tuple
import torch


class Color(Enum):
    RED = 1
    GREEN = 2


@torch.jit.script
class Plain:
    def __init__(self, a: int):
        self.a = a
        self.items = ["x"]


@torch.jit.script
class Stateful:
    def __init__(self, a: int):
        self.a = a
        self.items = ["x"]

    def __getstate__(self):
        return self.items

    def __setstate__(self, items: List[str]):
        self.items = items
        self.a = 2


class Leaf(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(2))

    def forward(self, x):
        return x + self.w


class Containers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ints = [1, 300, 70000, -1, 1 << 40]
        self.floats = [1.5]
        self.bools = [True]
        self.strings = ["a", "b"]
        self.tensors = [torch.ones(1), torch.zeros(1)]
        self.dict = {"a": 1}
        self.pair = (1, torch.ones(1))
        self.again = self.pair
        self.complex = 1 + 2j
        self.nested = [[1], [2]]
        self.color = Color.RED
        self.other = Color.RED
        self.plain = Plain(3)
        self.stateful = Stateful(3)
        self.none: Optional[int] = None
        self.optional = torch.jit.annotate(List[Optional[torch.Tensor]], [torch.ones(1), None])
        self.device = torch.device("cpu")
        self.four = (1, 2, 3, 4)
        self.left = Leaf()
        self.right = Leaf()

    def forward(self, x):
        a = (self.ints, self.floats, self.bools, self.strings, self.tensors, self.dict, self.pair, self.again, self.complex)
        b = (self.nested, self.color, self.other, self.plain.a, self.stateful.a, self.none, self.optional, self.device, self.four)
        return a, b, self.left(x) + self.right(x)


class Tensors(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("conj", torch.ones(2, dtype=torch.complex64).conj())
        self.register_buffer("neg", torch.ones(2, dtype=torch.complex64).conj().imag)
        self.register_buffer("coo", torch.eye(2).to_sparse())
        self.register_buffer("csr", torch.eye(2).to_sparse_csr())
        self.register_buffer("view", torch.arange(6.0)[1:].view(5)[::2])
        self.register_buffer("meta", torch.ones(2, device="meta"))

    def forward(self, x):
        return x


def resaved(module):
    first, second = io.BytesIO(), io.BytesIO()
    torch.jit.save(torch.jit.script(module), first)
    first.seek(0)
    torch.jit.save(torch.jit.load(first), second)
    return base64.b64encode(zipfile.ZipFile(second).read("archive/data.pkl")).decode()


out = {"containers": resaved(Containers()), "tensors": resaved(Tensors())}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pickles.json"), "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
