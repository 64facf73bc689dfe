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


@section
def ranges():
    """Numbers in a row and windows, of a vector's length, some more and some less: with the bits of a processor with AVX2."""
    torch.set_num_threads(1)
    assert torch.backends.cpu.get_cpu_capability() == "AVX2"
    out = []
    tail = (None, None, False)  # layout, device, pin_memory
    for d in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        for n in (0, 1, 3, 8, 15, 16, 17, 33, 64, 100, 200):
            start, step = random.choice([0.0, random.uniform(-50, 50)]), random.choice([0.1, -0.3, random.uniform(0.01, 2)])
            out.append(call("arange.start_step", start, start + step * n, step, d, *tail))
            out.append(call("range.step", start, start + step * n, step, d, *tail))
            out.append(call("linspace", start, start + step * n, n, d, *tail))
            if d != torch.float64:
                out.append(call("logspace", random.uniform(-3, 0), random.uniform(0, 3), n, random.choice([10.0, 2.0]), d, *tail))
            out.append(call("bartlett_window.periodic", n, n % 2 == 0, d, *tail))
            if d.itemsize == 2:
                for name in ("hann", "hamming", "blackman", "kaiser"):
                    out.append(call(f"{name}_window.periodic", n, n % 2 == 0, d, *tail))
    for d in (torch.uint8, torch.int8, torch.int64):
        for start, end, step in ((-7, 8, 1), (0, 7.5, 2.5), (3, -9, -2), (-2.5, 3.5, 1), (250, 5, -1)):
            out.append(call("arange.start_step", start, end, step, d, *tail))
            out.append(call("range.step", start, end, step, d, *tail))
            out.append(call("linspace", start, end, 6, d, *tail))
            out.append(call("logspace", 0, abs(end) / 5, 9, 7.0, d, *tail))
    return out


@section
def scaled_sums():
    """Sums with a factor and their kin: which elements of a row are rounded once and which twice."""
    out = []
    for d in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        for n in (1, 5, 16, 31, 45):
            def vector(*sizes):
                return torch.randn(*sizes, dtype=d)

            number = torch.tensor(random.uniform(-1, 1), dtype=d)
            for name in ("add", "sub", "rsub"):
                alpha = random.choice([2, 0.3, -1.7])
                out.append(call(f"{name}.Scalar", vector(n), random.uniform(-1, 1), alpha))
                for other in (vector(n), number, vector(2, n), vector(2, 1).expand(2, n)):
                    out.append(call(f"{name}.Tensor", vector(n), other, alpha))
                out.append(call(f"{name}.Tensor", number, vector(n), alpha))
                out.append(call(f"{name}.Tensor", vector(2, n).t(), vector(n, 2), alpha))
            out += [call("add.Scalar", vector(n), 0.7), call("mul.Scalar", vector(n), 0.7), call("mul_.Scalar", vector(n), 0.7)]
            out += [call("lerp.Scalar", vector(n), vector(n), 0.3), call("lerp.Tensor", vector(n), vector(n), vector(n))]
            out += [call("addcmul", vector(n), vector(n), vector(n), 0.3), call("addcdiv", vector(n), vector(n), vector(n), 0.3)]
    return out


@section
def mended():
    """Calls of which some once had other answers: numbers beyond a dtype, mixed dtypes, layouts, empty tensors, refusals."""
    out = []
    nan, inf = float("nan"), float("inf")
    for d in (torch.uint8, torch.int8, torch.int32, torch.int64, torch.float16):
        x = torch.tensor([1, 2, 3]).to(d)
        for v in (-1, -2.5, -0.5, 127.5, 128, 255.5, 256, -129, 70000.0, inf, nan, 2**31, True, 1 + 2j):
            out += [call("full", [2], v, d, None, None, False), call("fill.Scalar", x, v), call("fill_.Scalar", x.clone(), v)]
            out += [call("constant_pad_nd", x, [1, 0], v), call("threshold", x, v, v), call("clamp", x, v, None)]
            out += [call("scatter.value", x, 0, torch.tensor([1]), v), call("index_fill.int_Scalar", x, 0, torch.tensor([1]), v)]
            if not isinstance(v, complex):
                out.append(call("hardtanh", x, v, 5))
    out.append(call("fill_.Scalar", torch.zeros(1).expand(3), 2))
    whole, real = torch.tensor([1, 2, 3]), torch.tensor([1.0, 2.0, 3.0])
    for other in (real, torch.tensor([1.5, 2.0, 2.5], dtype=torch.bfloat16), torch.tensor([300, -1, 2], dtype=torch.int16)):
        out += [call("equal", whole, other), call("bucketize.Tensor", other, whole), call("searchsorted.Tensor", whole, other)]
        out.append(call("searchsorted.Tensor", torch.tensor([16777216.0, 16777218.0]), torch.tensor([16777217])))
    for alpha in (0.5, 1.5, 2.5):
        out.append(call("index_add", whole, 0, torch.tensor([0]), torch.tensor([5]), alpha))
    bad = torch.tensor([[nan, inf], [1.0, 2.0]])
    for d in (torch.float32, torch.float64, torch.float16, torch.complex64):
        for beta in (0, 1, 2):
            out.append(call("addmm", torch.ones(2, 2).to(d), bad.to(d), bad.to(d), beta, 0))
    bytes_, flags = torch.tensor([[0, 3], [1, 0]], dtype=torch.uint8), torch.tensor([True, False, True])
    for x in (bytes_, bytes_.t(), bytes_.float().t()):
        out += [call("all.dims", x, [], False), call("any.dims", x, [], True), call("flip", x, [0]), call("fliplr", x), call("flipud", x)]
        out += [call("nonzero", x), call("nonzero", x[0]), call("nonzero", x[0, 0])]
    out += [call("sinc", torch.tensor([0, 1, 2, 3])), call("sinc", torch.arange(9.0) / 4), call("sinc", torch.arange(9.0, dtype=torch.float64) / 4)]
    for d in (torch.float32, torch.int8):
        out.append(call("special_ndtr", torch.tensor([-9, -5, -1, 0, 2]).to(d)))
    out += [call("outer", flags, torch.tensor([-1.5, 2.0])), call("ger", torch.zeros(0), torch.ones(1)), call("inner", flags, flags)]
    out += [call("nanmean", real, None, False, torch.int64), call("mT", torch.tensor(2.0)), call("adjoint", torch.tensor(2.0))]
    out += [call("glu", torch.tensor(1.0), 0), call("put", torch.zeros(0), torch.tensor([0]), torch.ones(1), False)]
    out += [call("round.decimals", whole, 0), call("round.decimals", whole, 1), call("_softmax", torch.zeros(0, dtype=torch.bool), 0, False)]
    out.append(call("scatter.src", real, 0, torch.zeros(0, dtype=torch.int64), whole))
    out.append(call("scatter.value", real, 0, torch.zeros(0, dtype=torch.int64), 1 + 2j))
    for d in (torch.int32, torch.bool, torch.uint8, torch.float64):
        for x in (torch.tensor([1.5, 2.5, 0.0]), bytes_):
            into = torch.zeros(x.shape).to(d)
            for name in ("cumsum.out", "cumprod.out"):
                out.append(call(name, x, 0, None, into.clone()))
            into = torch.zeros(x.sum(0).shape).to(d)
            out += [call("sum.IntList_out", x, [0], False, None, into.clone()), call("prod.int_out", x, 0, False, None, into.clone())]
            out += [call("all.out", x, 0, False, into.clone()), call("any.out", x, 0, False, into.clone())]
    # indexes out of bounds pass where nothing is selected, but not where a dimension without elements is indexed
    for sizes, places in [([0, 1], [None, [0, 1]]), ([0, 1], [[0, 1]]), ([2, 0], [[5]]), ([2, 0, 3], [[5], None, [7]]), ([0, 2], [[], [7]]),
                          ([0, 2], [[0], [7]]), ([3, 2], [[], [7]]), ([0, 0], [None, [0]])]:
        x, index = torch.zeros(sizes), [None if p is None else torch.tensor(p, dtype=torch.int64) for p in places]
        out.append(call("index.Tensor", x, index))
        for values in (torch.tensor(5.0), torch.ones(2)):
            out += [call("index_put_", x.clone(), index, values, flag) for flag in (False, True)]
    return out


def layouts(*shape, dtype=torch.float32):
    """Small whole numbers, which sums do not round, in the layouts that decide a result's memory format."""
    x = torch.randint(-4, 5, shape).to(dtype)
    out = [x, x.permute(*range(1, x.dim()), 0).contiguous().permute(-1, *range(x.dim() - 1))]
    if x.dim() == 3:
        out.append(x.transpose(1, 2).contiguous().transpose(1, 2))
    if x.dim() > 3:
        last = x.contiguous(memory_format=[torch.channels_last, torch.channels_last_3d][x.dim() - 4])
        out += [last, torch.cat([last, last], 1)[:, : shape[1]], torch.cat([last, last], -1)[..., ::2], last[:1].expand(shape)]
    return out


@section
def formats():
    """Results whose strides follow the memory format or the strides of what they are made of."""
    torch.set_num_threads(1)
    out = []
    half = torch.tensor([0.5, 0.25])
    for x in layouts(2, 3, 2, 4) + layouts(2, 1, 2, 4)[2:4] + layouts(2, 3, 1, 1)[2:4]:
        n, c, h, w = x.shape
        k, size = [min(2, h)] * 2, [2, 1]
        out += [call("max_pool2d", x, k), call("max_pool2d_with_indices", x, k), call("avg_pool2d", x, k)]
        out += [call("adaptive_avg_pool2d", x, [1, 1]), call("adaptive_avg_pool2d", x, size), call("adaptive_max_pool2d", x, size)]
        out.append(call("max_unpool2d", *torch.ops.aten.max_pool2d_with_indices(x, [1, 1]), [h, w]))
        out += [call("upsample_nearest2d", x, [4, 2]), call("_upsample_nearest_exact2d", x, size), call("upsample_bilinear2d", x, [h, w], False)]
        out += [call("upsample_bicubic2d", x, [h, w], False), call("_upsample_bilinear2d_aa", x, [h, w], False)]
        out.append(call("reflection_pad2d" if h > 1 else "replication_pad2d", x, [1, 0, 1, 0]))
        stats = torch.zeros(c), torch.ones(c)
        out += [call("batch_norm", x * 0, *stats, *[s.clone() for s in stats], training, 0.1, 1e-5, False) for training in (True, False)]
        out += [call("native_batch_norm", x * 0, None, None, None, None, True, 0.1, 1e-5), call("group_norm", x * 0, c, None, None, 1e-5, False)]
        out += [call("native_group_norm", x * 0, None, None, n, c, h * w, c, 1e-5), call("instance_norm", x * 0, *stats, None, None, True, 0.1, 1e-5, False)]
        out += [call("rms_norm", x * 0, [w], None, 1e-5), call("layer_norm", x * 0, [w], None, None, 1e-5, False)]
        out += [call("roll", x, [1], [1]), call("roll", x, [1], [0])]
        for weight in (layouts(2, c, 1, 1)[2], layouts(2, c, 3, 3)[0], layouts(2, c, 3, 3)[2]):
            options = [1, 1], [1, 1], [1, 1]
            out += [call("conv2d", x, weight, None, *options, 1), call("conv2d", x.double(), weight.double(), None, *options, 1)]
            out += [call("convolution", x, weight, half, *options, False, [0, 0], 1), call("conv2d", x[0], weight, half, *options, 1)]
            out.append(call("conv2d.padding", x, weight, None, [1, 1], "same", [1, 1], 1))
            weight = weight.transpose(0, 1)
            out.append(call("conv_transpose2d.input", x, weight, None, [2, 2], [0, 0], [1, 1], 1, [1, 1]))
    for x in layouts(1, 4, 2, 2) + layouts(0, 4, 2, 2)[:3] + layouts(1, 4, 2, 2, 2)[:3]:
        out += [call(name, x, 2) for name in ("pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle")]
    for x in layouts(2, 2, 2, 4, 2) + layouts(2, 2, 4, 2)[::2]:
        k, size = [2, 2, 2], [1, 2, 1]
        out += [call("max_pool3d_with_indices", x, k), call("avg_pool3d", x, k), call("adaptive_avg_pool3d", x, size), call("adaptive_max_pool3d", x, size)]
        out += [call("adaptive_avg_pool3d", x, [1, 1, 1]), call("_adaptive_avg_pool3d", x, [1, 1, 1])]
        out += [call("reflection_pad3d", x, [1, 0, 0, 1, 0, 0]), call("replication_pad3d", x, [1, 0, 0, 1, 0, 0])]
        if x.dim() == 5:
            out += [call("upsample_nearest3d", x, size), call("upsample_trilinear3d", x, list(x.shape[2:]), False)]
            for weight in layouts(2, 2, 2, 2, 2)[::2]:
                out += [call("conv3d", part, weight, None, [1] * 3, [0] * 3, [1] * 3, 1) for part in (x, x[:1])]
                out.append(call("conv3d", x.double(), weight.double(), None, [1] * 3, [0] * 3, [1] * 3, 1))
    for x in layouts(2, 3, 4) + layouts(2, 3, 1)[2:]:
        out += [call("max_pool1d", x, [1]), call("max_pool1d_with_indices", x, [1]), call("avg_pool1d", x, [1]), call("adaptive_avg_pool1d", x, [1])]
        out += [call("adaptive_max_pool1d", x, [1]), call("upsample_nearest1d", x, [3])]
        for weight in layouts(2, 3, 1)[2:] + layouts(2, 3, 2)[::2]:
            out.append(call("conv1d", x, weight, None, [1], [1], [1], 1))
            out.append(call("conv_transpose1d", x, weight.transpose(0, 1), None, [1], [0], [0], 1, [1]))
    first = torch.tensor([0])
    gaps = [torch.arange(12.0).view(2, 6)[:, ::2], torch.arange(3.0).expand(2, 3), torch.arange(6.0).view(3, 2).t(), torch.arange(12.0)[:6:2], torch.zeros(2, 0)]
    for x in layouts(2, 3, 2, 2)[1:] + layouts(1, 3, 1, 2)[1:3] + layouts(2, 3, 2)[2:] + gaps:
        some = torch.arange(min(2, x.numel()))
        out += [call("msort", x), call("put", x, some, some.float() + 7, False), call("put", x, some, some.float() + 7, True)]
        for d in range(x.dim()):
            out += [call("sort", x.long(), d, False), call("sort.stable", x, True, d, True), call("argsort", x, d, False)]
            if x.numel() > 0:
                out += [call("quantile", x, half, d, True), call("nanquantile", x, half[:1], d, False), call("quantile", x, half, None, False)]
                out += [call("select_scatter", x, x.select(d, 0) + 1, d, 0), call("slice_scatter", x, x.narrow(d, 0, 1) + 1, d, 0, 1, 1)]
                out.append(call("index_fill.int_Scalar", x, d, first, 7))
                out.append(call("scatter_reduce.two", x, d, torch.zeros([0] * x.dim(), dtype=torch.int64), x, "sum", True))
        if x.numel() > 0 and x.dim() > 1:
            out.append(call("diagonal_scatter", x, x.diagonal() + 1, 0, 0, 1))
        out += [call("pow.Scalar", 2, x), call("pow.Scalar", 1, x), call("float_power.Scalar", 2, x), call("mvlgamma", x * 0 + 2, 2)]
    for x in (gaps[0], gaps[2], torch.zeros(2, 1)):
        out += [call("addr", x, torch.ones(2), torch.ones(3), beta, 2) for beta in (0, 1)]
    out.append(call("scatter.value", torch.tensor([True, False]), 0, first, 1 + 2j))
    return out


@section
def out_dtypes():
    """Forms with out= that take the dtype of the result only, and those that convert."""
    out = []
    x = torch.tensor([1.5, -2.0])
    for d in (torch.float32, torch.float64, torch.float16, torch.int32, torch.int64, torch.bool, torch.complex64):
        into = torch.zeros(2, dtype=d)
        for name in ("abs", "ceil", "neg", "sgn", "sign", "trunc", "frac", "relu", "isnan", "isinf", "erf", "exp", "zero", "msort"):
            out.append(call(f"{name}.out", x, into))
        out += [call("abs.out", torch.tensor([3 + 4j, 1j]), into), call("floor.out", torch.tensor([1, 2]), into)]
        out += [call("argmax.out", torch.ones(2, 2), 0, False, into), call("softmax.int_out", x, 0, None, into), call("flip.out", x, [0], into)]
        rows, whole = torch.tensor([[2.0, 1.0], [1.0, 3.0]]), torch.tensor([[1, 2], [3, 4]])
        for x2 in (rows, whole):
            two = torch.zeros(2, 2, dtype=d)
            out += [call("mm.out", x2, x2, two), call("mv.out", x2, x2[0], into), call("dot.out", x2[0], x2[1], torch.zeros((), dtype=d))]
            out += [call("cat.out", [x2, x2], 0, torch.zeros(4, 2, dtype=d)), call("gather.out", x2, 0, whole * 0, False, two)]
            out += [call("cumsum.out", x2, 0, x2.dtype, two), call("index_select.out", x2, 0, torch.tensor([0, 1]), two)]
            out += [call("heaviside.out", x2, x2, two)] if not d.is_complex else []
            out += [call("nan_to_num.out", x2, None, None, None, two), call("signbit.out", x2, two)]
            out += [call("fft_fft.out", x2, None, -1, None, two), call("fft_hfft.out", x2, None, -1, None, two), call("tril.out", x2, 0, two)]
            out += [call("bucketize.Tensor_out", x2, x2[0], False, False, two), call("float_power.Tensor_Tensor_out", x2, x2, two)]
            out += [call("all.all_out", x2, torch.zeros((), dtype=d)), call("any.dims_out", x2, [0], False, into), call("mvlgamma.out", x2 + 2, 1, two)]
        out += [call("linalg_inv.out", rows, torch.zeros(2, 2, dtype=d)), call("cholesky.out", rows, False, torch.zeros(2, 2, dtype=d))]
        if not d.is_floating_point:
            out += [call("logsumexp.out", rows, [0], False, into), call("linalg_cond.out", rows, None, torch.zeros((), dtype=d))] if not d.is_complex else []
        out += [call("add.out", x, x, 1, into), call("add.Scalar_out", x, 2, 1, into), call("eq.Tensor_out", x, x, into), call("hardtanh.out", x, -1, 1, into)]
    return out


def parts(*shape, d=torch.float32):
    """Numbers with few digits, exact in every dtype."""
    return torch.tensor([((i * 37) % 23 - 11) / 4 for i in range(torch.Size(shape).numel())]).to(d).reshape(shape)


@section
def op_db():
    """Calls like those of PyTorch's OpInfo database of which some once had other answers."""
    out = []
    halves = (torch.float16, torch.bfloat16)
    nan = float("nan")
    for d in halves:
        x = parts(3, 5, d=d)
        prob = torch.tensor([0.1, 0.45, 0.53, 0.9, 1.0]).to(d)
        out += [call("logit", prob, None), call("logit", prob, 0.2), call("log_softmax.int", x * 3, 1, None)]
        out += [call("cross_entropy_loss", x * 3, torch.tensor([0, 3, 4]), None, 0, -100, 0.0)]
        out += [call("cosine_similarity", x, parts(5, 3, d=d).t(), 1, 1e-8)]
        num = torch.tensor([137.0, 139, 17.5, -35]).to(d)
        den = torch.tensor([0.9975, 1.0005, 0.98, 1.01]).to(d)
        out += [call("div.Tensor_mode", num, den, "trunc"), call("div.Tensor_mode", num, den[:1], "trunc")]
        out += [call("index_reduce", x, 1, torch.tensor([0, 1, 1]), parts(3, 3, d=d), "mean", include) for include in (True, False)]
        volume = parts(1, 2, 3, 3, 3, d=d)
        out += [call("adaptive_avg_pool3d", volume, [1, 1, 1]), call("adaptive_avg_pool2d", volume[0], [1, 1])]
        out.append(call("fractional_max_pool2d", parts(1, 1, 9, 9, d=d), [3, 3], [4, 4], torch.tensor([[[0.2, 0.87]]]).to(d)))
        out.append(call("upsample_bicubic2d", parts(1, 1, 4, 5, d=d), [5, 6], True, None, None))
    for d in (torch.complex64, torch.int64):
        out += [call("adaptive_avg_pool1d", parts(2, 6, d=d), [1]), call("adaptive_avg_pool2d", parts(2, 3, 6, d=d), [1, 1])]
    out.append(call("adaptive_avg_pool1d", parts(2, 6), [-1]))
    for n in range(1, 9):
        out.append(call("nanmedian.dim", torch.full((n,), nan), 0, False))
    out += [call("mode", torch.tensor([(i * 7919) % k for i in range(100)]), 0, False) for k in (2, 3, 13)]
    out += [call("mode", torch.tensor(v), 0, False) for v in ([nan, 1, nan], [2, nan, 1, 1, nan, nan], [3.0] * 20 + [nan] * 3 + [1.0] * 20)]
    out += [call("cov", parts(2, 3, d=d), 2, None, torch.tensor([0.3, 0.7, 1.1])) for d in (torch.float32, torch.float64)]
    out.append(call("matrix_power", parts(2, 2), 3))
    spectrum = torch.complex(parts(4, 3), parts(3, 4).t().contiguous())
    window = torch.complex(torch.ones(4), torch.tensor([0.5, 1, 0, -0.25]))
    out.append(call("istft", spectrum, 4, None, None, window, True, False, None, None, True))
    for size, scales in (([9, 34], [0.9, 1.7]), ([17, 18], [1.7, 0.9]), ([3, 5], [0.3, 0.25])):
        out += [call(f"_upsample_{f}2d_aa", parts(1, 1, 10, 20), size, False, *scales) for f in ("bilinear", "bicubic")]
    out += [call("upsample_bicubic2d", torch.arange(0, 256, 16, dtype=torch.uint8).reshape(1, 1, 4, 4), [n, n], a, None, None) for n in (3, 5, 7) for a in (True, False)]
    wide = torch.arange(300, dtype=torch.float64) / 50 - 3
    out += [call("exp", wide[::2]), call("exp", wide[1::3]), call("exp", wide.reshape(3, 100).t())]
    for d in (torch.float16, torch.int64, torch.uint8, torch.complex64):
        row, image, block = parts(1, 1, 4, d=d), parts(1, 1, 4, 4, d=d), parts(1, 1, 2, 4, 4, d=d)
        out += [call("upsample_linear1d", row, [6], True, None), call("upsample_trilinear3d", block, [3, 3, 3], True, None, None, None), call("upsample_nearest1d", row, [6], None)]
        out += [call("upsample_bicubic2d", image, [3, 3], False, None, None), call("_upsample_bilinear2d_aa", image, [2, 2], False, None, None)]
        out += [call("max_unpool2d", image, torch.arange(16).reshape(1, 1, 4, 4), [4, 4]), call("max_pool2d_with_indices_backward", image, image, [1, 1], [1, 1], [0, 0], [1, 1], False, torch.arange(16).reshape(1, 1, 4, 4))]
        out += [call("fractional_max_pool2d", image, [1, 1], [2, 2], torch.full((1, 1, 2), 0.5).to(d)), call("adaptive_max_pool3d", block, [1, 2, 2]), call("_adaptive_avg_pool3d", block, [1, 2, 2])]
        out += [call("exponential_", row.clone(), 1.0)] if not d.is_floating_point else []
    for d in (torch.int64, torch.complex64):
        out.append(call("binary_cross_entropy_with_logits", parts(3, d=d), parts(3, d=d)))
    x3, x2 = parts(3, 4, 5), parts(4, 4) + 3 * torch.eye(4)
    for d in (0, 1, -1):
        out += [call(f"fft_{f}", x3, n, d, None) for f in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft") for n in (None, 8)]
        out += [call("fft_fft", x3.transpose(0, 2), None, d, None), call("fft_fft.out", x3, None, d, None, torch.zeros(0, dtype=torch.complex64))]
        out += [call("unique_dim", parts(4, 2, 3).repeat(2, 1, 1), d, True, True, True)]
    for dims in ([0], [1, 0], [0, 2], [0, 1, 2]):
        out += [call(f"fft_{f}n", x3, None, dims, None) for f in ("fft", "rfft", "irfft", "hfft", "ihfft")]
    out += [call("fft_rfft2", x3 + 1j, None, [-2, -1], None), call("fft_ihfft2", x3 + 1j, None, [-2, -1], None)]
    out += [call("linalg_solve", x2.expand(3, 4, 4), parts(3, 4), True), call("linalg_solve_triangular", x2, x2, True, False, False)]
    out += [call("linalg_lstsq", parts(5, 3) + torch.eye(5, 3), parts(5, 2), None, "gels"), call("lu_unpack", *torch.linalg.lu_factor(x2), True, True), call("linalg_lu", x2[:3], True)]
    out += [call("expand", torch.tensor(1.5), [5, 1], False), call("quantile.out", parts(4), parts(2).abs() / 3, 0, True, "linear", torch.zeros(0))]
    for d in (torch.float16, torch.int64):
        none, square = torch.zeros(0, 2, 2, dtype=d), torch.ones(2, 2, dtype=d)
        for m in (none, square):
            out += [call("linalg_det", m), call("linalg_slogdet", m), call("logdet", m), call("linalg_cholesky", m, False), call("linalg_lu_factor_ex", m, True, False)]
            out += [call("linalg_svdvals", m, None), call("linalg_cond", m, None), call("linalg_ldl_factor", m, False)]
    for d in (torch.bool, torch.int32, torch.uint8, torch.float16, torch.bfloat16, torch.complex64):
        n, image = torch.ones(2, dtype=d), torch.ones(1, 1, 2, 2, dtype=d)
        out += [call("tril_indices", 2, 2, 0, d), call("linspace", 0, 1, 3, d), call("logspace", 0, 1, 2, 10.0, d), call("linspace", 0, 1, 1, d)]
        out += [call("addmv", n, n.expand(2, 2), n), call("mm", n[:0].expand(3, 0), n[:0].reshape(0, 1)), call("mm", n.reshape(2, 1), n.reshape(1, 2)), call("pairwise_distance", n, n)]
        out += [call("searchsorted.Tensor", n, n), call("gradient.scalarint", n), call("renorm", n.reshape(1, 2), 2, 0, 1), call("polar", n, n)]
        out += [call("avg_pool3d", image.unsqueeze(0), [1, 1, 1]), call("grid_sampler_2d", image, image.reshape(1, 2, 1, 2), 0, 0, False), call("histogram.bin_ct", n, 3)]
        out += [call("trapezoid.x", n, n), call("clamp_min.Tensor", n, n), call("nansum.out", n, None, False, None, torch.zeros((), dtype=torch.int64))]
        for rank in (1, 2, 3):
            block = torch.ones([1, 1] + [3] * rank, dtype=d)
            for transposed in (False, True):
                for dilation in (1, 2):
                    o = [[1] * rank, [0] * rank, [dilation] * rank, transposed, [0] * rank, 1]
                    if not d.is_floating_point and not d.is_complex:
                        out.append(call("convolution", block, block[..., :1], None, *o))
    for left in (0, torch.tensor(0)):
        for right in (2, torch.tensor(2)):
            kind = "_".join("Tensor" if isinstance(e, torch.Tensor) else "Scalar" for e in (left, right))
            if kind != "Scalar_Scalar":
                out.append(call(f"logspace.{kind}_out", left, right, 3, 10.0, torch.zeros(0)))
    out += [call("linspace.out", 0, 1, 4, torch.zeros(2, 2)), call("arange.start_out", 1, 1, 1, torch.zeros(2, 0)), call("linspace.Tensor_Tensor", torch.zeros(1), torch.zeros(1), 2)]
    out += [call("gradient.scalarrayarray", parts(3, 3), [0.5], [1, 0], 1)]
    return out


if __name__ == "__main__":
    for name in sys.argv[1:] or SECTIONS:
        torch.manual_seed(0)
        random.seed(0)
        with open(os.path.join(HERE, f"{name}.json"), "w") as f:
            json.dump({"torch": torch.__version__, "cases": SECTIONS[name]()}, f, separators=(",", ":"))
