"""Writes test/ops/samples/families.json: views, products, convolutions, norms, pools, indexing and their kin, with PyTorch's answers.

Run with a Python that has torch: python test/ops/make_family_samples.py
"""
import json
import os

import torch
from make_samples import HERE, call

torch.set_grad_enabled(False)
r = torch.randn
L = lambda *a: torch.tensor(a)  # noqa: E731


def cases():
    out = []
    def add(key, *args):
        out.append(call(key, *args))
    for d in (torch.float32, torch.int64, torch.complex64):
        x = lambda *s: (r(*s) * 3).to(d)  # noqa: E731
        t = x(2, 3, 4)
        add("view", t, [6, -1])
        add("view", t.transpose(0, 1), [-1])
        add("reshape", t.transpose(0, 2), [-1, 2])
        add("unfold", t, 2, 2, 1)
        add("movedim.intlist", t, [0, 1], [2, 0])
        add("tensor_split.sections", t, 3, 2)
        add("cat", [t, t[:, :2]], 1)
        add("repeat", t, [2, 1, 2, 1])
        add("index.Tensor", t, [L(1, 0), None, L([1], [2])])
        add("index.Tensor", t, [t.real > 0])
        add("index_put", t, [None, L(0, 2)], x(2, 4))
        add("gather", t, 2, L([0, 3], [1, 1], [2, 0]).expand(2, 3, 2).contiguous())
        add("scatter_add", t, 1, L([[0, 2, 2, 1]]).expand(2, 1, 4).contiguous(), x(2, 1, 4))
        add("roll", t, [1, -3], [0, 2])
        add("tril", t, -1)
        add("matmul", t, t.transpose(1, 2))
        add("baddbmm", t[:, :, :3], t, t.transpose(1, 2), 2, 3)
        add("einsum", "abc,dc->adb", [t, x(2, 4)])
    for d in (torch.float32, torch.float64, torch.bfloat16):
        x = lambda *s: r(*s).to(d)  # noqa: E731
        add("linear", x(2, 3, 4), x(5, 4), x(5))
        add("conv2d", x(1, 4, 5, 6), x(6, 2, 3, 2), x(6), [2, 1], [1, 0], [1, 2], 2)
        add("conv_transpose2d.input", x(1, 4, 3, 4), x(4, 2, 3, 2), x(2), [2, 1], [1, 0], [1, 0], 1, [1, 2])
        add("batch_norm", x(3, 4, 5), x(4), x(4), x(4), x(4).abs(), True, 0.1, 1e-5, False)
        add("layer_norm", x(3, 4), [4], x(4), x(4), 1e-5, True)
        add("group_norm", x(2, 4, 3), 2, x(4), x(4), 1e-5, True)
        add("max_pool2d_with_indices", x(1, 2, 6, 7), [3, 2], [2, 1], [1, 0], [1, 2], True)
        add("avg_pool2d", x(1, 2, 6, 7), [3, 2], [2, 2], [1, 1], True, False, None)
        add("adaptive_avg_pool2d", x(1, 2, 7, 5), [3, 4])
        add("scaled_dot_product_attention", x(1, 2, 3, 4), x(1, 2, 5, 4), x(1, 2, 5, 4), None, 0.0, False)
    add("upsample_bilinear2d.vec", r(1, 2, 3, 4), None, False, [1.7, 0.6])
    add("upsample_nearest2d.vec", r(1, 2, 3, 4), None, [1.7, 2.6])
    add("_upsample_bicubic2d_aa", r(1, 1, 8, 6), [3, 4], False)
    add("grid_sampler", r(1, 2, 4, 5), r(1, 3, 2, 2), 0, 2, False)
    add("fft_rfft", r(3, 7), None, -1, "ortho")
    add("fft_irfft", r(3, 4, dtype=torch.complex64), 7, -1, None)
    add("stft.center", r(40), 8, None, None, torch.ones(8), True, "reflect", False, None, True)
    add("lstm.input", r(3, 2, 3), [r(2, 2, 4), r(2, 2, 4)], [r(16, 3), r(16, 4), r(16), r(16), r(16, 3), r(16, 4), r(16), r(16)], True, 1, 0.0, False, True, False)
    add("gru.data", r(6, 3), L(3, 2, 1), r(1, 3, 4), [r(12, 3), r(12, 4), r(12), r(12)], True, 1, 0.0, False, False)
    add("sort", L([3, 1, 2, 1], [0, -1, 5, 5]), 1, True)
    add("topk", L([3.0, 1.0, float("nan"), 1.0, 7.0]), 3, 0, True, True)
    add("_unique2", L(3, 1, 2, 1), True, True, True)
    add("searchsorted.Tensor", L(1, 3, 5, 5, 7), L(5, 0, 9), )
    add("embedding_bag", r(5, 3), L(0, 4, 2, 2, 1), L(0, 2, 2), False, 1)
    add("hann_window", 5)
    add("linspace", 0.5, 2.7, 7)
    for key, *args in (("view", r(2, 3).t(), [6]), ("view", r(2, 3), [4]), ("cat", [r(2, 3), r(2, 4)]), ("mm", r(2, 3), r(4, 5)), ("expand", r(2, 3), [2, 4]),
                       ("conv2d", r(1, 2, 5, 5), r(4, 3, 3, 3)), ("select.int", r(2), 0, 5), ("index.Tensor", r(3, 4), [L(5)]), ("gather", r(3, 4), 0, L([5])),
                       ("max_pool2d", r(1, 3, 4, 4), [2, 2], [2, 2], [2, 2]), ("einsum", "ij,jk->ikl", [r(2, 3), r(3, 4)]), ("linspace", 0, 1, -1)):
        add(key, *args)
    return out


torch.manual_seed(0)
with open(os.path.join(HERE, "families.json"), "w") as f:
    json.dump({"torch": torch.__version__, "cases": cases()}, f, separators=(",", ":"))
    f.write("\n")
