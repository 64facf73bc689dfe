"""Writes test/ops/samples/structure.json: operators that move, select, order and count elements, sample grids and multiply
integers, on inputs of random layouts with special values, with PyTorch's answers.

Run with a Python that has torch: python test/ops/make_structure_samples.py [ROUNDS [FILE]]
"""
import json
import os
import random
import sys

import torch
from make_samples import HERE, call, strided

torch.set_grad_enabled(False)
SPECIAL = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0]


def special(x):
    """Some elements replaced: NaN, infinities and zeros of floats, the ends of the range of integers."""
    if x.numel() == 0 or x.dtype == torch.bool or 0 in x.stride():
        return x
    for _ in range(random.choice([0, 1, 3])):
        at = tuple(random.randrange(s) for s in x.shape)
        info = torch.iinfo(x.dtype) if not x.dtype.is_floating_point and not x.dtype.is_complex else None
        x[at] = random.choice([info.min, info.max, 0] if info else SPECIAL)
    return x


def index(size, *shape, lowest=0, bad=0.1):
    """Positions below `size`, now and then one that is not."""
    x = torch.randint(lowest, max(size, lowest + 1), shape)
    if x.numel() and random.random() < bad:
        x.view(-1)[random.randrange(x.numel())] = random.choice([size, -size - 1])
    return x


def moves(add, d):
    shape = random.choice([(1,), (5,), (3, 4), (4, 1), (2, 0, 3), (2, 3, 4), (2, 3, 2, 3), (3, 40)])
    x = special(strided(shape, d))
    dim = random.randrange(len(shape))
    some = random.sample(range(len(shape)), random.randint(1, len(shape)))
    add("flip", x, some)
    add("roll", x, [random.randint(-50, 50) for _ in some], some)
    add("roll", x, [random.randint(-9, 9)], [])
    add("repeat", x, [random.randint(0, 3) for _ in range(len(shape) + random.randint(0, 1))])
    add("repeat_interleave.self_int", x, random.randint(0, 3), random.choice([None, dim]))
    add("repeat_interleave.self_Tensor", x, torch.randint(0, 4, (shape[dim],)), dim)
    add("cat", [x, x.narrow(dim, 0, shape[dim] // 2), special(strided(shape, d))], dim)
    add("diff", x, random.randint(0, 2), dim)
    add("constant_pad_nd", x, [random.randint(0, 2), random.randint(-1, 2)], 0)
    if len(shape) > 1:
        add("tril", x, random.randint(-3, 3))
        add("triu", x, random.randint(-3, 3))
    if shape[dim] > 1:
        y = call("unfold", x, dim, 2, 1)
        if "expected" in y:
            add("contiguous", x.unfold(dim, 2, 1))
    add("contiguous", x.permute(random.sample(range(len(shape)), len(shape))))


def selections(add, d):
    shape = random.choice([(5,), (3, 4), (2, 0, 3), (2, 3, 4), (2, 3, 2, 3), (17, 9)])
    x = special(strided(shape, d))
    dim = random.randrange(len(shape))
    mask = strided(shape, torch.bool)
    add("index.Tensor", x, [mask])
    add("index.Tensor", x, [strided(shape[:1], torch.bool)])
    add("index.Tensor", x, [None] * dim + [strided(shape[dim : dim + 1], torch.bool)])
    add("masked_select", x, mask)
    add("masked_select", x, strided(shape[-1:], torch.bool))
    add("masked_scatter", x, mask, special(strided(shape, d)))
    add("nonzero", x)
    add("nonzero", mask)
    if d != torch.complex64:
        add("where", special(strided(shape, d)))
    picks = [index(s, 2, 3, lowest=-s, bad=0) if s else index(1, 0) for s in shape]
    add("index.Tensor", x, [index(shape[0], 4, lowest=-shape[0], bad=0.1 if x.numel() else 0)])
    add("index.Tensor", x, picks)
    add("index.Tensor", x, picks[:2] if len(picks) > 1 else picks)
    add("index.Tensor", x, [picks[0]] + [None] * (len(shape) - 2) + ([picks[-1][:1]] if len(shape) > 1 else []))
    part = x[tuple(torch.zeros_like(p) for p in picks[:2])] if 0 not in shape else x[:0]
    values = special(strided(tuple(part.shape), d))
    # the order in which PyTorch adds half numbers, or writes to one place twice, is not one that we promise
    if d != torch.float16:
        add("index_put", x, picks[:2], values, True)
    add("index_put", x, picks, strided((), d), False)
    add("index_put", x, [mask], strided((), d), False)
    if 0 not in shape:
        add("index_put", x, [torch.randperm(shape[0]) - shape[0]], special(strided(shape, d)), False)
    lines = tuple(random.randint(0, s) for s in shape)
    where = index(shape[dim], *lines)
    add("gather", x, dim, where)
    add("scatter.src", x, dim, where, special(strided(shape, d)))
    add("scatter.value", x, dim, where, 2)
    add("scatter_add", x, dim, where, special(strided(shape, d)))
    slices = torch.randperm(shape[dim])[: random.randint(0, shape[dim])]
    taken = special(strided((*shape[:dim], len(slices), *shape[dim + 1 :]), d))
    for key in ("index_copy", "index_copy_"):
        add(key, x.clone(), dim, slices, taken)
    add("index_copy_", x.transpose(0, -1).contiguous().transpose(0, -1), dim, slices, taken)
    add("index_add", x, dim, slices, taken)
    add("index_fill.int_Scalar", x, dim, slices, 2)
    add("take", x, index(x.numel(), 3, 2, lowest=-x.numel()) if x.numel() else index(1, 0))


def orders(add, d):
    n = random.choice([1, 3, 17, 70, 200])
    x = (torch.randn(n, 2) * random.choice([2, 1000])).to(d)
    x = special(x)
    x = x.t() if random.random() < 0.5 else x
    dim = x.shape.index(n)
    for k in {0, 1, min(n, 3), n // 2, n}:
        add("topk", x, k, dim, random.random() < 0.5, random.random() < 0.7)
    small = (torch.rand(2, 9) * 5).to(torch.int64)
    add("bincount", small[0], None, random.choice([0, 7]))
    add("bincount", small[0], torch.rand(9).to(random.choice([torch.float32, torch.float64])), 0)


def integers(add):
    top = random.choice([10, 1 << 20, 1 << 31, 1 << 53, (1 << 63) - 1])
    r = lambda *s: torch.randint(-top, top, s)  # noqa: E731
    shape = random.choice([(5,), (3, 4), (2, 40)])
    x, y = special(r(*shape)), special(r(*shape))
    x = x.t().contiguous().t() if random.random() < 0.3 else x
    for key in ("add.Tensor", "sub.Tensor", "mul.Tensor", "maximum", "eq.Tensor", "lt.Tensor", "bitwise_and.Tensor"):
        add(key, x, y)
    divisor = torch.where(y == 0, 3, y)
    for key in ("remainder.Tensor", "fmod.Tensor", "floor_divide"):
        add(key, x, divisor)
    for key in ("sum", "prod", "cumsum"):
        add(key, x, *([len(shape) - 1] if key == "cumsum" else []))
    add("sum.dim_IntList", x, [0])
    add("remainder.Scalar", x, random.choice([7, -7, 1 << 40]))
    add("mul.Tensor", x, r(1))
    m, k, n = (random.choice([0, 1, 2, 5, 9]) for _ in range(3))
    for d in (torch.int64, torch.int32, torch.uint8):
        add("matmul", r(m, k).to(d), r(n, k).t().to(d))
    add("bmm", r(2, m, k), r(2, k, n))
    add("addmm", r(m, n), r(m, k), r(k, n))


def grids(add):
    for dims in (2, 3):
        sizes = [random.choice([1, 2, 5]) for _ in range(dims)]
        for d in (torch.float32, torch.float64):
            x = strided((2, random.choice([1, 3]), *sizes), d)
            grid = strided((2, *[random.choice([1, 3]) for _ in range(dims)], dims), torch.float64) / 4
            grid = grid.to(d)
            for mode in (0, 1, 2) if dims == 2 else (0, 1):
                add("grid_sampler", x, grid, mode, random.randrange(3), random.random() < 0.5)


def distances(add):
    for d in (torch.float32, torch.float64):
        for p in (2.0, 1.0, 0.0, 3.0, float("inf")):
            n = random.choice([0, 1, 3, 26])
            add("cdist", torch.rand(2, n, 4, dtype=d), torch.rand(random.choice([1, 27]), 4, dtype=d) + 2, p, random.choice([None, 0, 1, 2]))
        add("_euclidean_dist", torch.rand(3, 5, dtype=d), torch.rand(2, 4, 5, dtype=d) + 1)


def cases(rounds):
    out = []

    def add(key, *args):
        out.append(call(key, *args))

    for _ in range(rounds):
        for d in (torch.float32, torch.float64, torch.int64, torch.int32, torch.float16, torch.bool, torch.complex64):
            moves(add, d)
            selections(add, d)
        for d in (torch.float32, torch.float64, torch.int64, torch.int32, torch.float16):
            orders(add, d)
        integers(add)
        grids(add)
        distances(add)
    return out


if __name__ == "__main__":
    torch.manual_seed(0)
    random.seed(0)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    path = sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "structure.json")
    with open(path, "w") as f:
        json.dump({"torch": torch.__version__, "cases": cases(rounds)}, f, separators=(",", ":"))
        f.write("\n")
