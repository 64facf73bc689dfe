"""Writes test/ops/samples/*.json: calls of operators on strided inputs with the answers of real PyTorch.

Run with a Python that has torch (the version is recorded): python test/ops/make_samples.py
"""
import base64
import json
import os
import random

import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "samples")
DTYPES = {str(d)[6:]: d for d in (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64, torch.complex64, torch.complex128, torch.float8_e5m2, torch.float8_e4m3fn,
    torch.float8_e5m2fnuz, torch.float8_e4m3fnuz)}


def raw(t):
    """Little-endian bytes of the elements in row-major order."""
    if t.numel() == 0:
        return ""  # not by numpy, which forbids its memory to be resized
    t = t.detach().resolve_conj().resolve_neg().contiguous()
    if t.dtype.itemsize == 1 and t.dtype not in (torch.bool, torch.uint8, torch.int8):
        t = t.view(torch.uint8)
    elif t.dtype in (torch.bfloat16, torch.complex32):
        t = t.view(torch.int16 if t.dtype == torch.bfloat16 else torch.int32)
    return base64.b64encode(t.numpy().tobytes()).decode()


def storage(t):
    """A tensor with its whole storage, so that strides and offsets survive."""
    flat = torch.empty(0, dtype=t.dtype).set_(t.untyped_storage())
    return {"t": "tensor", "dtype": str(t.dtype)[6:], "sizes": list(t.shape), "strides": list(t.stride()),
            "offset": t.storage_offset(), "data": raw(flat)}


def value(v):
    if isinstance(v, torch.Tensor):
        return storage(v)
    if isinstance(v, bool) or v is None or isinstance(v, str):
        return v
    if isinstance(v, int):
        return {"t": "int", "v": str(v)}
    if isinstance(v, float):
        return {"t": "float", "v": repr(v)}
    if isinstance(v, complex):
        return {"t": "complex", "v": [repr(v.real), repr(v.imag)]}
    if isinstance(v, (list, tuple)):
        return [value(x) for x in v]
    if isinstance(v, torch.dtype):
        return {"t": "dtype", "v": str(v)[6:]}
    raise TypeError(type(v))


def expected(v):
    if isinstance(v, torch.Tensor):
        return {"dtype": str(v.dtype)[6:], "sizes": list(v.shape), "strides": list(v.stride()), "data": raw(v)}
    if isinstance(v, (list, tuple)):
        return [expected(x) for x in v]
    return v


def call(key, *args):
    """Calls `aten::name.overload` through the dispatcher and records the call."""
    name, _, overload = key.partition(".")
    op = getattr(getattr(torch.ops.aten, name), overload or "default")
    case = {"key": f"aten::{key}", "args": [value(a) for a in args]}
    kwonly = [a.name for a in op._schema.arguments if a.kwarg_only]
    positional = args[: len(args) - sum(1 for a in op._schema.arguments[: len(args)] if a.kwarg_only)]
    kwargs = dict(zip(kwonly, args[len(positional):]))
    try:
        result = op(*positional, **kwargs)
    except Exception as e:  # noqa: BLE001
        case["raises"] = str(e).split("\n")[0]
        return case
    case["expected"] = expected(result)
    return case


def strided(shape, dtype):
    """A random tensor with a random layout: permuted, sliced, expanded, channels_last or contiguous."""
    def fill(s):
        x = torch.randn(s, dtype=torch.float64) * random.choice([1, 10])
        if dtype.is_complex:
            x = torch.complex(x, torch.randn(s, dtype=torch.float64))
        if dtype == torch.uint8:
            x = x.abs()
        if dtype == torch.bool:
            x = x > 0
        return x.to(dtype)
    kind = random.choice(["plain", "permuted", "sliced", "expanded", "channels_last"])
    if kind == "permuted" and len(shape) > 1:
        perm = random.sample(range(len(shape)), len(shape))
        base = fill([shape[p] for p in perm])
        inverse = [perm.index(i) for i in range(len(shape))]
        return base.permute(inverse)
    if kind == "sliced" and shape:
        d = random.randrange(len(shape))
        wide = list(shape)
        wide[d] = shape[d] * 2 + 1
        return fill(wide).narrow(d, 1, shape[d] * 2)[(slice(None),) * d + (slice(None, None, 2),)]
    if kind == "expanded" and shape:
        d = random.randrange(len(shape))
        narrow = list(shape)
        narrow[d] = 1
        return fill(narrow).expand(shape)
    if kind == "channels_last" and len(shape) == 4:
        return fill(shape).contiguous(memory_format=torch.channels_last)
    return fill(shape)


def layout_cases():
    out = []
    shapes = [(), (1,), (4,), (2, 3), (3, 1, 2), (2, 3, 4), (2, 3, 2, 2), (1, 3, 1, 2), (2, 0, 3)]
    floats = [torch.float32, torch.float64, torch.float16]
    for _ in range(120):
        shape = random.choice(shapes)
        other = tuple(random.choice([s, s, 1]) for s in shape[random.randint(0, len(shape)):]) if random.random() < 0.6 else shape
        a, b = strided(shape, random.choice(floats)), strided(other, random.choice(floats + [torch.int64]))
        out.append(call(random.choice(["mul.Tensor", "add.Tensor", "gt.Tensor", "maximum"]), a, b))
    for _ in range(40):
        a = strided(random.choice(shapes), random.choice(floats))
        out.append(call(random.choice(["neg", "relu", "isnan", "trunc"]), a))
    return out


def promotion_cases():
    out = []
    names = ["bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64"]
    for a in names:
        for b in names:
            for sa, sb in (((2,), (2,)), ((2,), ())):
                x, y = torch.ones(sa, dtype=DTYPES[a]), torch.ones(sb, dtype=DTYPES[b])
                out.append(call("mul.Tensor", x, y))
        for s in (True, 2, 2.5, 1j):
            out.append(call("mul.Scalar", torch.ones(2, dtype=DTYPES[a]), s))
    return out


def conversion_cases():
    out = []
    special = [0.0, -0.0, 1.5, 2.5, -2.5, 1e-8, 6e-8, 65504.0, 65520.0, 1e30, -1e30, float("inf"), float("-inf"),
               float("nan"), 448.0, 464.0, 465.0, 480.0, 57344.0, 61440.0, 0.1, 3.4e38, 2**31, 2**63, -129.0, 255.7, 300.0]
    wide = torch.tensor(special, dtype=torch.float64)
    noise = torch.randn(64, dtype=torch.float64) * torch.pow(10.0, torch.randint(-6, 5, (64,)).double())
    for d in ("float16", "bfloat16", "float32", "float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "bool", "complex64"):
        for x in (wide.float(), noise.float(), noise):
            out.append(call("_to_copy", x, DTYPES[d]))
    small = torch.tensor([0.0, 1.9, -1.9, 100.5, -100.5, 127.0, 255.0, 3e4, -3e4])
    for d in ("int8", "uint8", "int16", "int32", "int64"):
        out.append(call("_to_copy", small, DTYPES[d]))
    big = torch.tensor([2**62 + 1, -(2**63), 2**53 + 1, -5, 300, 2**31])
    for d in ("int8", "uint8", "int16", "int32", "float32", "float64", "bool"):
        out.append(call("_to_copy", big, DTYPES[d]))
    return out


def int64_cases():
    big = torch.tensor([2**62, -(2**63), 2**53 + 1, -7, 3])
    other = torch.tensor([3, -1, 2**53 - 1, 2, -(2**40)])
    out = [call(k, big, other) for k in ("add.Tensor", "sub.Tensor", "mul.Tensor", "floor_divide", "remainder.Tensor", "fmod.Tensor",
                                         "bitwise_and.Tensor", "bitwise_or.Tensor", "bitwise_xor.Tensor", "maximum", "eq.Tensor", "lt.Tensor")]
    out += [call(k, big) for k in ("neg", "abs", "sum", "max", "min", "sign", "bitwise_not", "square", "prod", "argmax")]
    out += [call("cumsum", big, 0), call("max.dim", big, 0), call("pow.Tensor_Scalar", torch.tensor([3, -3, 7]), 41), call("clamp", big, -(2**60), 2**60)]
    return out


def error_cases():
    f, i, b = torch.ones(2), torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.bool)
    return [
        call("add.Tensor", f, torch.ones(3)), call("neg", b), call("sub.Tensor", b, b), call("div.Tensor_mode", i, torch.zeros(2, dtype=torch.int64), "floor"),
        call("mean", i), call("var", i), call("softmax.int", f, 3), call("abs", b), call("bitwise_and.Tensor", f, f),
        call("add_.Tensor", i.clone(), f), call("add_.Tensor", f.clone(), torch.ones(2, 2)), call("max", torch.ones(0)), call("kthvalue", f, 5),
        call("masked_fill.Scalar", f, f, 0), call("pow.Tensor_Scalar", i, -1), call("clamp", f, None, None), call("sum.dim_IntList", f, [0, 0]),
    ]


def reduction_cases():
    out = []
    for _ in range(80):
        shape = random.choice([(3,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
        x = strided(shape, random.choice([torch.float32, torch.float64, torch.int64, torch.bool]))
        d = random.randrange(-len(shape), len(shape))
        keep = random.random() < 0.5
        key = random.choice(["sum.dim_IntList", "amax", "any.dim", "max.dim", "argmin", "cumsum", "count_nonzero", "prod.dim_int"])
        if key in ("sum.dim_IntList", "amax"):
            out.append(call(key, x, [d], keep))
        elif key in ("cumsum", "count_nonzero"):
            out.append(call(key, x, d))
        else:
            out.append(call(key, x, d, keep))
    for _ in range(40):
        shape = random.choice([(3,), (2, 3), (2, 3, 4)])
        x = strided(shape, random.choice([torch.float32, torch.float64]))
        d = random.randrange(len(shape))
        out.append(random.choice([
            lambda: call("mean.dim", x, [d], True), lambda: call("std.correction", x, [d], 1, False), lambda: call("softmax.int", x, d),
            lambda: call("log_softmax.int", x, d), lambda: call("logsumexp", x, [d]), lambda: call("median.dim", x, d), lambda: call("norm.ScalarOpt_dim", x, 3, [d]),
            lambda: call("quantile.scalar", x, 0.3, d), lambda: call("logcumsumexp", x, d)])())
    return out


def print_cases():
    out = []
    def add(t):
        out.append({"tensor": storage(t.detach()), "requires_grad": t.requires_grad, "text": str(t)})
    for t in (torch.randn(2, 3), torch.randn(3, 40), torch.randn(1001), torch.zeros(0), torch.zeros(2, 0), torch.tensor(3.5), torch.tensor(7), torch.arange(6).view(2, 3),
              torch.tensor([True, False]), torch.randn(2, 2, 3).half(), torch.randn(4).double() * 1e9, torch.tensor([1e-5, 1.0]), torch.tensor([1.0, 2.0, float("nan")]),
              torch.tensor([float("inf"), 0.5]), torch.randn(3, dtype=torch.complex64), torch.tensor([complex(1, -2), complex(0, 1e5)]), torch.tensor([-0.0, 0.0]),
              torch.tensor([0.03125, 2.5]), torch.ones(2, requires_grad=True), torch.randn(8, 1, 200), torch.randn(5).bfloat16(), torch.randn(2, 3).t(),
              torch.tensor([2**62, -1]), torch.tensor([1e22, 1.5]), torch.ones(2, dtype=torch.uint8), torch.zeros(2, 0, dtype=torch.int32)):
        add(t)
    return out


def main():
    for name, make in (("layout", layout_cases), ("promotion", promotion_cases), ("conversion", conversion_cases), ("int64", int64_cases),
                       ("errors", error_cases), ("reduction", reduction_cases), ("print", print_cases)):
        torch.manual_seed(0)
        random.seed(0)
        with open(os.path.join(HERE, f"{name}.json"), "w") as f:
            json.dump({"torch": torch.__version__, "cases": make()}, f, separators=(",", ":"))
            f.write("\n")


if __name__ == "__main__":
    main()
