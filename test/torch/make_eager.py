"""Records eager.json: what PyTorch prints for the expressions of eager.test.ts. Run with the Python that has torch."""
import json
import pathlib

import torch

x = torch.arange(24.0).view(2, 3, 4)
m = torch.tensor([[True, False, True], [False, True, True]])
ints = torch.tensor([[3, 1, 2], [9, 7, 8]])


def assigned(write):
    copy = x.clone()
    write(copy)
    return copy


def put(index, value):
    def write(t):
        t[index] = value

    return assigned(write)


CASES = {
    "at ints": lambda: x[1, -1],
    "at slices": lambda: x[:, 1:, ::2],
    "at ellipsis and new dimension": lambda: x[None, ..., 0],
    "at mask": lambda: x[m],
    "at mask and slice": lambda: x[m, 1:3],
    "at mask and int": lambda: x[m, 0],
    "at lists": lambda: x[[0, 1], [1, 2]],
    "at tensor between": lambda: x[:, torch.tensor([2, 0]), 1],
    "at zero-dim tensor": lambda: x[torch.tensor(1)],
    "at boolean": lambda: x[True].sum(),
    "set number": lambda: put((0, slice(1, None)), -1),
    "set row": lambda: put(1, torch.ones(1, 4)),
    "set mask": lambda: put(m, 0.5),
    "set lists": lambda: put(([0, 1], [2, 0]), torch.tensor([7.0, 8, 9, 10])),
    "keywords": lambda: x.sum(1, keepdim=True),
    "dims list": lambda: x.mean((0, 2)),
    "max": lambda: ints.max(dim=1),
    "sort": lambda: ints.sort(1, descending=True),
    "std": lambda: x.std(2, unbiased=False),
    "number first": lambda: torch.add(1, 2.5),
    "true_divide": lambda: torch.div(ints, 2),
    "floor mode": lambda: torch.div(ints, 2, rounding_mode="floor"),
    "roll": lambda: ints.roll(1, 0),
    "flip": lambda: ints.flip(0, 1),
    "view spread": lambda: x.view(4, 6),
    "permute": lambda: x.permute(2, 0, 1),
    "to": lambda: x.to(torch.int64),
    "long": lambda: x.long(),
    "T": lambda: ints.T,
    "mT": lambda: x.mT,
    "real": lambda: torch.tensor([1 + 2j, 3 - 4j]).real,
    "imag": lambda: torch.tensor([1 + 2j, 3 - 4j]).imag,
    "where": lambda: x.where(x > 5, torch.zeros(())),
    "einsum": lambda: torch.einsum("bij,bkj->bik", x, x),
    "meshgrid": lambda: torch.meshgrid(torch.arange(2), torch.arange(3), indexing="xy"),
    "tensordot": lambda: torch.tensordot(x[0], x[0], dims=([1], [1])),
    "tensordot count": lambda: torch.tensordot(x, x[0].T, dims=1),
    "cartesian_prod": lambda: torch.cartesian_prod(torch.arange(2), torch.arange(2)),
    "block_diag": lambda: torch.block_diag(torch.ones(1, 2), torch.eye(2)),
    "unique": lambda: torch.tensor([3, 1, 3]).unique(return_counts=True),
    "unique_consecutive": lambda: torch.unique_consecutive(torch.tensor([1, 1, 2, 1])),
    "norm": lambda: x.norm(),
    "norm dim": lambda: torch.norm(x, 1, 2, keepdim=True),
    "cat": lambda: torch.cat([ints, ints], 1),
    "stack": lambda: torch.stack([ints, ints], dim=-1),
    "split": lambda: ints.split([1, 2], 1),
    "chunk": lambda: torch.chunk(ints, 2, dim=0),
    "linspace": lambda: torch.linspace(0, 1, 5),
    "logspace": lambda: torch.logspace(0, 2, 3),
    "eye": lambda: torch.eye(2, 3),
    "full": lambda: torch.full((2, 2), 7),
    "full_like": lambda: torch.full_like(ints, 5),
    "arange": lambda: torch.arange(1, 2.5, 0.5),
    "zeros spread": lambda: torch.zeros(2, 3, dtype=torch.int32),
    "empty": lambda: torch.empty(0, 3),
    "range with options": lambda: torch.range(1, 4, 2),
    "bits": lambda: ints.bitwise_and(3),
    "scalar tensor": lambda: ints.mul(torch.tensor(2)),
    "comparison": lambda: ints.gt(2),
    "linalg.det": lambda: torch.linalg.det(torch.tensor([[2.0, 1], [1, 3]])),
    "special.erf": lambda: torch.special.erf(torch.tensor([0.5])),
    "fft.fft": lambda: torch.fft.fft(torch.tensor([1.0, 2, 3, 4])),
    "new_zeros": lambda: ints.new_zeros(2),
    "new_tensor": lambda: ints.new_tensor([1, 2]),
    "requires_grad": lambda: torch.ones(2, requires_grad=True),
    "big": lambda: torch.arange(2000),
    "not finite": lambda: torch.tensor([1.0, float("inf"), float("nan"), -float("inf")]),
    "wide range": lambda: torch.tensor([1e-8, 1.0, 1e8]),
    "complex": lambda: torch.tensor([1 + 2j, -0.5j]),
    "booleans": lambda: torch.tensor([True, False]),
    "int8": lambda: torch.tensor([-128, 127], dtype=torch.int8),
    "half": lambda: torch.tensor([0.1, 65504.0], dtype=torch.float16),
    "double": lambda: torch.tensor(0.1, dtype=torch.float64),
    "empty text": lambda: torch.tensor([]),
    "empty shape": lambda: torch.zeros(2, 0, dtype=torch.int64),
    "batches": lambda: torch.zeros(2, 1, 2, 2),
}


def text(value):
    if isinstance(value, torch.Tensor):
        return str(value)
    return [str(v) for v in value]


def printed(options):
    torch.set_printoptions(**options)
    result = [str(torch.tensor([[1.23456, 1000.0], [0.5, -2.0]])), str(torch.arange(30))]
    torch.set_printoptions(profile="default")
    return result


PRINT_OPTIONS = [
    {"precision": 2},
    {"sci_mode": True},
    {"threshold": 5, "edgeitems": 1},
    {"linewidth": 40},
    {"profile": "short"},
]

torch.manual_seed(7)
RANDOM = [
    str(t)
    for t in (
        torch.rand(2, 2),
        torch.randn(3),
        torch.randint(10, (4,)),
        torch.randint(5, 10, (2,)),
        torch.randperm(5),
        torch.normal(0.0, 1.0, (2,)),
        torch.zeros(2).uniform_(2, 3),
        torch.bernoulli(torch.full((4,), 0.5)),
    )
]

torch.manual_seed(1)
uniform_bits = torch.empty(100).uniform_(-0.19245008972987526, 0.19245008972987526).view(torch.int32).tolist()

path = pathlib.Path(__file__).with_name("eager.json")
record = {
    "torch": torch.__version__.split("+")[0],
    "cases": {name: text(run()) for name, run in CASES.items()},
    "printed": [{"options": o, "text": printed(o)} for o in PRINT_OPTIONS],
    "random": RANDOM,
    "uniform_bits": uniform_bits,
}
path.write_text(json.dumps(record, indent=1) + "\n")
