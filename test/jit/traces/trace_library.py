"""PyTorch's own modules, made as library_cases.json says."""
import json
import os

import torch

MAKERS = {
    "randn": lambda shape: torch.randn(shape),
    "rand": lambda shape: torch.rand(shape),
    "ints": lambda shape: torch.ones(shape, dtype=torch.int64),
    "offsets": lambda shape: torch.arange(shape[0]) * 3,
    "lengths": lambda values: torch.full((len(values),), values[0], dtype=torch.int64),
}


def value(spec):
    if isinstance(spec[0], str):
        return MAKERS[spec[0]](spec[1])
    return tuple(value(item) for item in spec)


def argument(given):
    return tuple(given) if isinstance(given, list) else given


def case(spec):
    def make():
        kwargs = {name: argument(given) for name, given in spec["kwargs"].items()}
        module = getattr(torch.nn, spec["cls"])(*map(argument, spec["args"]), **kwargs)
        return module, value(spec["inputs"]), {"train": spec["train"]}

    return make


with open(os.path.join(os.path.dirname(__file__), "library_cases.json")) as file:
    CASES = {name: case(spec) for name, spec in json.load(file).items()}
