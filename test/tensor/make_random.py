"""Writes random.json: checksums of random tensors of PyTorch, one operator after the other with one generator."""
import json
import zlib
from pathlib import Path

import torch

SIZES = [1, 5, 15, 16, 17, 31, 100, 311, 312, 313, 623, 624, 625, 1000, 4999]
TYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16, "int64": torch.int64, "uint8": torch.uint8, "bool": torch.bool}
MAKERS = {
    "rand": lambda n, d: torch.rand(n, dtype=d),
    "uniform": lambda n, d: torch.empty(n, dtype=d).uniform_(-3.5, 7.5),
    "uniform.near": lambda n, d: torch.empty(n, dtype=d).uniform_(1e6, 1e6 + 0.125),
    "uniform.odd": lambda n, d: torch.empty(n, dtype=d).uniform_(-3.3, 7.7),
    "uniform.T": lambda n, d: torch.empty(n, 3, dtype=d).t().uniform_(),
    "randn": lambda n, d: torch.randn(n, dtype=d),
    "normal": lambda n, d: torch.empty(n, dtype=d).normal_(1.5, 0.3),
    "normal.T": lambda n, d: torch.empty(n, 3, dtype=d).t().normal_(),
    "bernoulli": lambda n, d: torch.empty(n, dtype=d).bernoulli_(0.37),
    "bernoulli.p": lambda n, d: torch.bernoulli(torch.linspace(0, 1, n, dtype=d)),
    "dropout": lambda n, d: torch.nn.functional.dropout(torch.ones(n, dtype=d), 0.3, True),
    "randint": lambda n, d: torch.randint(-3, 10, (n,), dtype=d),
    "randint.far": lambda n, d: torch.randint(2**40, 2**40 + 9, (n,), dtype=d),
    "randint.wide": lambda n, d: torch.randint(0, 2**40, (n,), dtype=d),
    "random": lambda n, d: torch.empty(n, dtype=d).random_(),
    "randperm": lambda n, d: torch.randperm(n, dtype=d),
}
CASES = [
    *((name, "float32") for name in MAKERS if name != "randint.far" and name != "randint.wide"),
    *((name, d) for name in ("rand", "uniform.odd", "randn", "normal", "bernoulli") for d in ("float16", "bfloat16")),
    *((name, "float64") for name in ("rand", "uniform", "uniform.odd", "bernoulli", "bernoulli.p", "dropout")),
    *((name, "int64") for name in ("bernoulli", "randint", "randint.far", "randint.wide", "random", "randperm")),
    *((name, "bool") for name in ("bernoulli", "random")),
    ("random", "uint8"),
]


def main():
    out = []
    for seed, (name, dtype) in enumerate(CASES):
        torch.manual_seed(seed)
        sums = [zlib.crc32(MAKERS[name](n, TYPES[dtype]).flatten().clone().view(torch.uint8).numpy().tobytes()) for n in SIZES]
        out.append({"seed": seed, "name": name, "dtype": dtype, "sums": sums})
    cases = ",\n".join(json.dumps(case) for case in out)
    Path(__file__).with_name("random.json").write_text(f'{{"sizes": {SIZES}, "cases": [\n{cases}\n]}}\n')


main()
