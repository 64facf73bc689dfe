"""Writes test/ops/samples/NAME.json for the names below: calls whose answers have PyTorch's bits, layouts and refusals.

Run with a Python that has torch: python test/ops/make_edge_samples.py [NAME...]
"""
import json
import os
import random
import sys

import torch
from make_samples import HERE, call, strided

SECTIONS = {}


def section(make):
    SECTIONS[make.__name__] = make
    return make


def steady(*case):
    """A call whose answer does not depend on what its memory held before: nothing, where it does."""
    if case[1].dtype == torch.bool and min(case[2]) < 0:  # new truth values are not filled
        return []
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN and the like
    filled = call(*case)
    torch.use_deterministic_algorithms(False)
    plain = call(*case)
    # ends that wrap around across themselves, which PyTorch refuses only where they lie densely
    x, pads = case[1], case[2]
    shifts = [sum(pads[i : i + 2]) for i in range(0, len(pads), 2)]
    sizes = [x.shape[-1 - i] + shift for i, shift in enumerate(shifts[: x.dim()])]
    crosses = any(2 * max(pads[2 * i : 2 * i + 2]) > size for i, size in enumerate(sizes)) and min(pads) < 0
    return [plain] if filled == plain and ("raises" in plain or not crosses or "circular" not in str(case)) else []


@section
def padding():
    """Paddings of all modes and ranks, of which many crop, some more than there is."""
    out = []
    dtypes = [torch.float32, torch.float64, torch.int64, torch.float16, torch.bool]
    for ndim in range(1, 6):
        for _ in range(24):
            x = strided([random.choice([0, 1, 2, 3, 4]) for _ in range(ndim)], random.choice(dtypes))
            pads = [random.choice([-5, -4, -3, -1, 0, 0, 1, 2, 4]) for _ in range(2 * random.randint(1, ndim + 1))]
            mode = random.randrange(4)
            out += steady("pad", x, pads, ["reflect", "replicate", "circular", "constant"][mode], None)
            out += steady("_pad_enum", x, [abs(p) for p in pads], mode, None)
            k = min(max(1, ndim - 1), 3)
            pads = [random.choice([-5, -3, -1, 0, 1, 2, 3]) for _ in range(2 * k)]
            out += steady(f"{random.choice(['reflection', 'replication'])}_pad{k}d", x, pads)
            out += steady("_pad_circular", x, pads)
    x = strided([2, 3, 4], torch.float32)
    return out + [call("pad", x, [1, 1], "mirror", None), call("pad", x, [1, 1, 1], "reflect", None),
                  call("pad", x, [1, 1], "reflect", 1.0), call("constant_pad_nd", x, [0] * 8, 0)]


if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        torch.manual_seed(0)
        random.seed(0)
        with open(os.path.join(HERE, f"{name}.json"), "w") as f:
            json.dump({"torch": torch.__version__, "cases": SECTIONS[name]()}, f, separators=(",", ":"))
