"""Makes the golden files of the passes with real PyTorch: /opt/ptenv/bin/python test/golden/passes/make.py

Each file holds cases: `# name`, the graph before, `==>`, the graph after. The graphs before are copies, so that their numbers
are what a parser of the text gives.
"""
import os
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
C = torch._C

SOURCES = {
    "dead branch and dead loop output": """
def f(x: Tensor, n: int):
    a = x + 1
    b = x * 2
    c = 0
    for i in range(n):
        a = a + i
        c += i
    if n > 3:
        d = b * 2
    else:
        d = b
    return a
""",
    "write to a view of a live tensor": """
def f(x: Tensor):
    y = torch.zeros(3)
    v = y[0]
    w = torch.zeros(3)
    w[1] = 2.0
    v.add_(1)
    return y
""",
    "write in a loop that the next turn reads": """
def f(n: int):
    a = [torch.zeros(2)]
    total = torch.zeros(2)
    for i in range(n):
        total = total + a[0]
        b = a[0]
        b.add_(1)
    return total
""",
    "lists and dicts": """
def f(x: Tensor, k: str):
    l = [1, 2, 3]
    m = l[1:] + [4]
    d = {"a": 1, "b": 2}
    e = {"a": x}
    l2 = [x, x]
    l2.append(x)
    return len(l) + m[-1] + d["b"] + len(d) + len(l2), l[0], e["a"], d[k]
""",
    "constant conditions": """
def f(x: Tensor, flag: bool):
    y = 3
    if y > 2:
        x = x + 1
    else:
        x = x - 1
    if flag:
        z = 1
    else:
        z = 1
    while False:
        x = x * 2
    for i in range(0):
        x = x * 3
    return x, z, y * 7 // 2, "a" + "b", -3 % 5, float(y)
""",
    "optional refinement": """
def f(x: Optional[Tensor], y: Optional[int]):
    if x is None:
        x = torch.zeros(2)
    if y is not None:
        z = y + 1
    else:
        z = 0
    return x + z
""",
    "repeated computations": """
def f(x: Tensor, n: int):
    a = x + 1
    b = x + 1
    c = (a * b, a * b)
    if n > 2:
        d = x + 1
    else:
        d = torch.rand(2) + torch.rand(2)
    print(n * n)
    return c, n * n + n * n, d
""",
    "repeated computations that are written to": """
def f(x: Tensor):
    a = torch.zeros(2)
    b = torch.zeros(2)
    a.add_(x)
    return a, b, x.t().t()
""",
    "integer arithmetic": """
def f(n: int, x: Tensor):
    a = n + 0
    b = n * 1
    c = n + 2 - 3
    d = n - 1 + 1
    e = 1 + n + 5
    return a, b, c, d, e, n == n, n // 1, x * 1, x + 0, x * 1.0
""",
    "tuples": """
def f(x: Tensor, n: int):
    t = (x, n)
    for i in range(n):
        t = (t[0] + 1, i)
    if n > 2:
        u = (x, x)
    else:
        u = t[0], x
    a, b = u
    return t, a, b
""",
    "nested concatenation": """
def f(x: Tensor, y: Tensor):
    a = torch.cat([x, y], 1)
    b = torch.cat([y, a, x], 1)
    c = torch.cat([torch.cat([b, x], 1), torch.cat([x, y], 0)], 1)
    return c
""",
    "exceptions and prints": """
def f(x: int):
    if x < 0:
        raise ValueError("negative")
    y = [x]
    print("x", x)
    assert x != 5, "five"
    return x
""",
    "strings and None": """
def f(a: str, b: Optional[str]):
    c = "x" if b is None else b
    d = None
    if d is None:
        e = "none"
    else:
        e = "some"
    return c + e, a == a, "é\\n"
""",
}

IR = {
    "constants of every kind": """graph(%x : Tensor):
  %1 : int = prim::Constant[value=1]()
  %2 : int = prim::Constant[value=1]()
  %3 : float = prim::Constant[value=0.]()
  %4 : float = prim::Constant[value=1.5]()
  %5 : str = prim::Constant[value="a\\n"]()
  %6 : int[] = prim::Constant[value=[1, 2]]()
  %7 : int[] = prim::Constant[value=[1, 2]]()
  %8 : NoneType = prim::Constant()
  %9 : bool = prim::Constant[value=1]()
  %10 : bool = prim::Constant[value=1]()
  %c : bool = aten::eq(%1, %2)
  %r : int = prim::If(%c)
    block0():
      %20 : int = prim::Constant[value=1]()
      -> (%20)
    block1():
      %21 : int = prim::Constant[value=7]()
      %22 : int = prim::Constant[value=7]()
      %23 : int = aten::add(%21, %22)
      -> (%23)
  %t : Tensor = aten::mul(%x, %3)
  return (%r, %4, %5, %6, %7, %8, %9, %10, %t)""",
    "one list constant is returned twice": """graph():
  %6 : int[] = prim::Constant[value=[1, 2]]()
  %7 : int[] = prim::Constant[value=[1, 2]]()
  %8 : int = aten::len(%6)
  return (%6, %7, %8)""",
}



def autocast_cpu(x, w, n: int):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = torch.mm(x, w)
        z = torch.softmax(y, 0) + x
        with torch.autocast("cpu", enabled=False, dtype=torch.bfloat16):
            u = torch.mm(x, w)
        if n > 1:
            z = torch.nn.functional.linear(z, w)
        v = torch.exp(z).sum()
    return y, z, u, v, torch.mm(w, w)


def autocast_graphs():
    graph = torch.jit.script(autocast_cpu).graph.copy()
    C._jit_pass_inline(graph)
    yield "nested regions", graph


PASSES = {
    "dead_code_elimination": C._jit_pass_dce,
    "constant_propagation_immutable_types": C._jit_pass_constant_propagation_immutable_types,
    "constant_propagation": C._jit_pass_constant_propagation,
    "constant_pooling": C._jit_pass_constant_pooling,
    "common_subexpression_elimination": C._jit_pass_cse,
    "peephole": lambda g: C._jit_pass_peephole(g, True),
    "lower_all_tuples": C._jit_pass_lower_all_tuples,
    "autocast": C._jit_pass_autocast,
}


def graphs(pass_name):
    if pass_name == "autocast":
        yield from autocast_graphs()
        return
    for name, source in SOURCES.items():
        yield name, torch.jit.CompilationUnit(source).f.graph
    for name, text in IR.items():
        yield name, C.parse_ir(text)


def main():
    for pass_name, run in PASSES.items():
        with open(os.path.join(HERE, pass_name + ".txt"), "w") as out:
            for name, graph in graphs(pass_name):
                graph = graph.copy()
                before = str(graph)
                try:
                    run(graph)
                    after = str(graph)
                except RuntimeError:
                    continue
                out.write(f"# {name}\n{before}==>\n{after}\n")


main()
