"""Writes scripts/python_names.json: which public names PyTorch has, and where. Run with the Python that has torch."""
import json
import pathlib

import torch
import torch.nn.functional as functional


def functions(module):
    return [n for n in dir(module) if callable(getattr(module, n, None)) and not isinstance(getattr(module, n), type)]


def methods(of_property):
    names = []
    for name in dir(torch.Tensor):
        value = getattr(torch.Tensor, name, None)
        if callable(value) != of_property and not (name.startswith("__") and of_property):
            names.append(name)
    return names


names = {
    "version": torch.__version__.split("+")[0],
    "torch": functions(torch),
    "functional": functions(functional),
    "linalg": functions(torch.linalg),
    "fft": functions(torch.fft),
    "special": functions(torch.special),
    "methods": methods(False),
    "properties": methods(True),
}
path = pathlib.Path(__file__).with_name("python_names.json")
path.write_text(json.dumps(names, indent=0) + "\n")
