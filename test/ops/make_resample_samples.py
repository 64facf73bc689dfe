"""Writes test/ops/samples/resample.json: interpolations of float32 with PyTorch's answers; inputs are made by a rule.

Run with a Python that has torch: python test/ops/make_resample_samples.py
"""
import json
import os

import torch
import torch.nn.functional as F
from make_samples import HERE, raw


def made(*sizes):
    """The input, as test/tensor/wasm_resample.test.ts makes it."""
    i = torch.arange(torch.Size(sizes).numel())
    return ((i * 37 % 101 - 50) / 8).reshape(sizes)


def cases():
    out = []

    def add(sizes, mode, align=None, at=None, channels_last=False, **how):
        x = made(*sizes)
        if at is not None:
            x.view(-1)[at] = float("inf")
        if channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        y = F.interpolate(x, mode=mode, align_corners=align, **how)
        size, scale = how.get("size"), how.get("scale_factor")
        out.append({"sizes": sizes, "mode": mode, "align": align, "infinity": at, "channelsLast": channels_last, "size": size,
                    "scale": scale, "result": {"sizes": list(y.shape), "data": raw(y)}})

    for align in (False, True):
        add([1, 3, 4, 5], "bilinear", align, scale_factor=[2.0, 2.0])
        add([2, 1, 3, 7], "bilinear", align, size=[6, 9])
        add([1, 2, 9, 13], "bilinear", align, size=[4, 8])
        add([1, 1, 1, 1], "bilinear", align, size=[8, 9])
        add([3, 2, 1, 6], "bilinear", align, scale_factor=[1.0, 2.3])
        add([1, 1, 2, 5], "bilinear", align, size=[131, 4])
        add([1, 1, 3, 3], "bilinear", align, size=[4, 2])
        add([1, 1, 4, 4], "bilinear", align, at=3, size=[8, 8])
        add([1, 2, 4, 5], "bicubic", align, scale_factor=[2.0, 2.0])
        add([1, 2, 11, 7], "bicubic", align, size=[5, 9])
        add([1, 1, 4, 4], "bicubic", align, at=3, size=[8, 8])
        add([2, 3, 9], "linear", align, scale_factor=[2.5])
        add([1, 14, 7], "linear", align, size=[5])
    add([1, 1, 8, 8], "bilinear", False, at=9, size=[8, 8])
    for mode in ("nearest", "nearest-exact"):
        add([1, 3, 4, 5], mode, scale_factor=[2.0, 2.0])
        add([1, 2, 5, 2], mode, scale_factor=[2.3, 2.3])
        add([1, 2, 29, 3], mode, size=[7, 8])
        add([1, 1, 2, 58], mode, scale_factor=[2.3, 2.2])
        add([1, 1, 4, 64], mode, scale_factor=[1.2, 2.0])
        add([1, 5, 2, 4], mode, channels_last=True, scale_factor=[2.3, 1.2])
        add([2, 3, 7], mode, size=[11])
        add([1, 1, 2], mode, scale_factor=[2.3])
    return out


if __name__ == "__main__":
    with open(os.path.join(HERE, "resample.json"), "w") as f:
        json.dump({"torch": torch.__version__, "cases": cases()}, f, separators=(",", ":"))
