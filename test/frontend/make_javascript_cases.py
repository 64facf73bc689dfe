"""Records what PyTorch makes of the Python twins of test/frontend/javascript_cases.ts.

    python test/frontend/make_javascript_cases.py > test/frontend/javascript_cases.json

Written with PyTorch 2.13.
"""
import json
import math
import re
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor




def gate(x):
    if x.sum() > 0:
        return x
    return -x


def ternary(x):
    return x if x.sum() > 0 else -x


def branches(x, n: int):
    if n == 0:
        y = x.relu()
    elif n < 3 and n != 1:
        y = x.tanh()
    else:
        y = x * 2
    return y


def logic(a: bool, b: bool, n: int):
    c = a and not b or n > 3
    return c


def flag(x, use: bool = True):
    if use:
        x = x + 1
    return x


def counted(x, n: int):
    for i in range(n):
        x = x + i
    return x


def counted_from(n: int):
    total = 0
    for i in range(1, n + 1):
        total = total + i
    return total


def counted_steps(n: int):
    total = 0
    for i in range(0, n, 2):
        total += i
    for j in range(n - 1, -1, -1):
        total -= j
    return total


def over_range(x, n: int):
    for i in range(n):
        x = x * (i + 1)
    return x


def over_list(xs: List[Tensor]):
    out = xs[0]
    for x in xs:
        out = out + x
    return out


def over_entries(xs: List[Tensor]):
    out = xs[0]
    for i, x in enumerate(xs):
        out = out + x * i
    return out


def over_map(d: Dict[str, Tensor]):
    out = torch.zeros([2])
    for k, v in d.items():
        if k != "skip":
            out = out + v
    return out


def loop_while(x, limit: float):
    n = 0
    while x.sum() < 100:
        x = x * 2
        n += 1
        if n > 10:
            break
        if n == 2:
            continue
        x = x + limit
    return x, n


def early(x, n: int):
    for i in range(n):
        if i == 3:
            return x
        x = x + 1
    return -x


def numbers(a: int, b: int, x: float):
    c = a + b * 2 - 1
    d = a / b
    e = a // b
    f = -a
    g = x ** 2.0
    h = math.sqrt(x) + math.floor(x) + math.pi
    return c, d, e, f, g, h


def remainder(n: int):
    if n % 2 == 0:
        return 1
    return 0


def trig(x: float):
    return math.sin(x) * math.cos(x) + math.exp(-x) + abs(x) + math.atan2(x, 2.0)


def minmax(a: int, b: int):
    return max(a, b) - min(a, b), int(2.7)


def pair(x, y):
    return x, y


def use_pair(x, y):
    a, b = pair(x, y)
    a, b = b, a
    return a + b


def nested_tuple(x, n: int):
    return x, (n, "text")


def list_build(x, n: int):
    out: List[Tensor] = []
    for i in range(n):
        out.append(x + i)
    return torch.stack(out)


def list_methods(xs: List[int]):
    ys = [1, 2, 3]
    ys.append(len(xs))
    last = ys.pop()
    zs = ys[1:]
    has = 2 in zs
    both = xs + ys
    return both, last, has, xs[-1]


def spread(xs: List[int], y: int):
    return [0] + xs + [y]


def mapped(xs: List[Tensor]):
    return [x.relu() for x in xs]


def mapped_index(xs: List[Tensor]):
    return [x * i for i, x in enumerate(xs)]


def from_length(n: int):
    return [i * i for i in range(n)]


def record(x):
    d = {"a": x, "b": -x}
    d["c"] = d["a"] + d["b"]
    return d


def mapping(x):
    m = {"a": x}
    m["b"] = x + 1
    y = m["b"]
    if "c" in m:
        y = m["c"]
    z = m.get("d", y)
    del m["a"]
    return y + z, len(m)


def optional(x, bias: Optional[Tensor] = None):
    if bias is not None:
        x = x + bias
    return x


def coalesce(x, scale: Optional[float] = None):
    s = scale if scale is not None else 2.0
    return x * s


def template(name: str, n: int):
    return "{} has {} items".format(name, n) + "!"


def checks(x, n: int):
    assert n > 0, "n must be positive"
    if n > 100:
        raise ValueError("too many: {}".format(n))
    return x / n


def functional(x, w):
    y = F.linear(x, w)
    y = F.relu(y)
    y = F.max_pool1d(y, 2, stride=1, ceil_mode=True)
    return F.softmax(y, dim=-1)


def keywords(x):
    y = x.sum(dim=[0], keepdim=True)
    return torch.zeros([2, 3], dtype=torch.float64) + y.to(torch.float64)


def helper_calls(x):
    return gate(x) * 0.5


def shapes(x):
    b = x.shape[0]
    c = x.size(1)
    return x.view(b * c), x.dim(), len(x.shape), x.numel()


def selecting(x):
    return x.select(0, 0) + x.narrow(1, 0, 2)


def annotated(n: int):
    xs: List[int] = []
    y: Optional[int] = None
    for i in range(n):
        xs.append(i)
        y = i
    return xs, y


def is_type(x: Optional[Tensor]):
    if isinstance(x, Tensor):
        return x + 1
    return torch.zeros([1])


def item_value(x):
    s = x.sum().item()
    return s


def any_item(x):
    if (x > 0).any():
        return 1
    return 0


def multi(x):
    values, indices = x.max(1)
    return values, indices


def switched(mode: str, x):
    if mode == "relu":
        y = x.relu()
    elif mode == "tanh" or mode == "th":
        y = x.tanh()
    else:
        raise RuntimeError("unknown mode")
    return y


def float_literals(x):
    y = x * 2.0 + 1e-3
    return y - 0.5


def inplace(x):
    y = x.clone()
    y.add_(1)
    y.mul_(2)
    return y


def split_text(s: str):
    parts = s.split(",")
    return parts, s.startswith("a"), ";".join(parts)


def own_list(name: str, given: Optional[List[str]] = None):
    names: List[str] = given if given is not None else []
    names.append(name)
    return names


def own_dict(x, given: Optional[Dict[str, Tensor]] = None):
    seen: Dict[str, Tensor] = given if given is not None else {}
    seen["x"] = x
    return seen


CASES = [v for v in list(globals().values()) if callable(v) and getattr(v, "__module__", "") == "__main__"]


def plain(text):
    return re.sub(r" # .*$", "", text, flags=re.M)


if __name__ == "__main__":
    out = {}
    for fn in CASES:
        if fn.__name__ == "plain":
            continue
        scripted = torch.jit.script(fn)
        out[fn.__name__] = {"code": scripted.code, "graph": plain(str(scripted.graph))}
    json.dump(out, __import__("sys").stdout, indent=1)
    print()
