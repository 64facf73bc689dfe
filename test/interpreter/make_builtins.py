"""Makes builtins.pt and builtins.json: builtin operators on scalars, strings, lists, dicts, with the answers of real PyTorch 2.13.
Run: /opt/ptenv/bin/python test/interpreter/make_builtins.py (from the project root)."""
import io, json, math, zipfile
import torch

INTS = [0, 1, -1, 7, -7, 3, -3, 2**31, -(2**31), 2**53, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63)]
SMALL = [0, 1, -1, 5, -5, 63]
FLOATS = [0.0, -0.0, 1.0, -1.5, 2.5, 0.1, 1e-7, 123456.789, 1e16, -1e300, float("inf"), float("-inf"), float("nan")]
SOME = [0.0, 1.5, -2.25, 3.0, float("inf"), float("nan")]
STRS = ["", "abc", "Hello World", "a,b,,c", "  x\t y\n", "aXbXc", "123", "tab\there", "é€😀z", "ABC def", "x=%d%%"]
PARTS = ["", "a", "b", "X", "lo", "é", ",", " "]
COMPLEX = [0j, 1 + 2j, -1.5 + 0.5j, 3 - 4j]

# name -> (typed parameters, expression, columns of values: every combination is called)
CASES = {}


def case(name, params, result, *columns):
    CASES[name] = (params, result, columns)


for op, sym in {"add": "+", "sub": "-", "mul": "*"}.items():
    case("int_" + op, "a: int, b: int", f"a {sym} b", INTS, INTS)
    case("float_" + op, "a: float, b: float", f"a {sym} b", SOME, SOME)
    case("mixed_" + op, "a: int, b: float", f"(a {sym} b, b {sym} a)", SMALL, SOME)
    case("complex_" + op, "a: complex, b: complex", f"a {sym} b", COMPLEX, COMPLEX)
case("int_floordiv", "a: int, b: int", "a // b", [i for i in INTS if i != -(2**63)], INTS)
NONZERO = [i for i in INTS if i != 0]
case("int_mod", "a: int, b: int", "a % b", [5, -5, 7, 0, 2**53 + 1, -(2**40)], [3, -3, 7, 2**31, -(2**31)])
case("int_div", "a: int, b: int", "a / b", INTS, INTS)
case("float_floordiv", "a: float, b: float", "a // b", FLOATS, SOME)
case("float_mod", "a: float, b: float", "a % b", FLOATS, SOME)
case("float_div", "a: float, b: float", "a / b", FLOATS, SOME)
case("mixed_div", "a: int, b: float", "(a // b, b // a if a != 0 else 0.0, a % b)", SMALL, SOME)
case("int_bits", "a: int, b: int", "(a & b, a | b, a ^ b)", INTS, [0, 1, -1, 12345, 2**40, -(2**50)])
case("int_shift", "a: int, b: int", "(a << b, a >> b)", INTS, [0, 1, 5, 31, 32, 63])
case("int_pow", "a: int, b: int", "a ** b", [0, 1, -2, 3, 10], [0, 1, 2, -1, 30, 64])
case("float_pow", "a: float, b: float", "a ** b", SOME, SOME)
case("complex_pow", "a: complex, b: complex", "a ** b", COMPLEX[1:], COMPLEX[1:])
case("complex_div", "a: complex, b: complex", "a / b", COMPLEX, COMPLEX[1:])
case("int_compare", "a: int, b: int", "(a < b, a <= b, a > b, a >= b, a == b, a != b)", INTS, INTS)
case("float_compare", "a: float, b: float", "(a < b, a <= b, a > b, a >= b, a == b, a != b)", FLOATS, SOME)
case("mixed_compare", "a: int, b: float", "(a < b, a <= b, a > b, a >= b, a == b, a != b)", INTS, SOME + [2.0**53, 2.0**63])
case("str_compare", "a: str, b: str", "(a < b, a <= b, a > b, a >= b, a == b, a != b)", STRS, ["abc", "é", "", "😀"])
case("minmax", "a: int, b: int", "(min(a, b), max(a, b))", INTS, [0, 5, -(2**60)])
case("minmax_float", "a: float, b: float", "(min(a, b), max(a, b))", SOME, SOME)
case("divmod_int", "a: int, b: int", "divmod(a, b)", [7, -7, 0, 2**53], [3, -3, 0])
case("divmod_float", "a: float, b: float", "divmod(a, b)", [7.5, -7.5, 0.0], [2.0, -2.0, 0.0])
case("int_unary", "a: int", "(-a, abs(a), bool(a), float(a), str(a), hex(a), oct(a), bin(a))", [i for i in INTS if i != -(2**63)])
case("float_unary", "a: float", "(-a, abs(a), bool(a), str(a), round(a))", FLOATS)
case("float_int", "a: float", "int(a)", FLOATS + [9.3e18, -9.3e18, 1e30])
case("floor", "a: float", "math.floor(a)", FLOATS)
case("ceil", "a: float", "math.ceil(a)", FLOATS)
for f in ["sqrt", "exp", "log", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "expm1", "erf", "erfc", "gamma", "lgamma", "fabs", "degrees", "radians", "isnan", "isinf", "isfinite", "modf", "frexp"]:
    case("math_" + f, "a: float", f"math.{f}(a)", [0.0, 0.5, -0.5, 1.0, 2.5, -2.5, 10.0, 100.0, 1e-10, float("inf"), float("nan")])
for f in ["fmod", "copysign", "atan2", "remainder", "pow"]:
    case("math2_" + f, "a: float, b: float", f"math.{f}(a, b)", [7.5, -7.5, 0.5, 2.5, 3.5], [2.0, -2.0, 1.0, 0.75])
case("ldexp", "a: float, b: int", "math.ldexp(a, b)", [1.5, -3.0, 0.0], [0, 5, -5, 1000, -1080])
case("gcd", "a: int, b: int", "math.gcd(a, b)", [12, -18, 0, 2**40], [18, -4, 0])
case("factorial", "a: int", "math.factorial(a)", [0, 1, 5, 20, 21, 25, 30, -1])
case("str_of_complex", "a: complex", "(str(a), abs(a), -a, a == a)", COMPLEX)
case("int_of_str", "s: str", "int(s)", ["12", " 12", "12 ", "-5", "+7", "010", "0x10", "abc", "", "99999999999999999999", "9223372036854775807", "1_0"])
case("float_of_str", "s: str", "float(s)", ["1.5", " 1.5", "1.5 ", "inf", "-infinity", "nan", "1e5", "1e400", "abc", "", "0x1p3", "1e", ".5", "5.", "1e-320"])
case("str_lengths", "s: str", "(len(s), s.upper(), s.lower(), s.swapcase(), s.capitalize(), s.title())", STRS)
case("str_is", "s: str", "(s.isdigit(), s.isspace(), s.isalnum(), s.isalpha(), s.isdecimal(), s.isnumeric(), s.isupper(), s.islower(), s.istitle(), s.isprintable())", STRS)
case("str_find", "s: str, p: str", "(s.find(p), s.rfind(p), s.startswith(p), s.endswith(p))", STRS, PARTS[1:])
case("str_find_range", "s: str, a: int, b: int", "(s.find('b', a, b), s.count('b', a, b))", ["abcabc", "b"], [0, 1, -2], [3, -1, 10, -3])
case("str_index", "s: str, p: str", "s.index(p)", STRS, PARTS[1:])
case("str_rindex", "s: str, p: str", "s.rindex(p)", STRS, PARTS[1:])
case("str_count", "s: str, p: str", "s.count(p)", STRS, PARTS[1:])
case("str_split", "s: str", "(s.split(), s.splitlines(), s.splitlines(True))", [s for s in STRS if s.isascii()])
case("str_split_by", "s: str, p: str, n: int", "(s.split(p, n), s.rsplit(p, n))", [s for s in STRS if s.isascii()], ["a", "X", ",", "lo", " "], [-1, 0, 1, 5])
case("str_partition", "s: str, p: str", "(s.partition(p), s.rpartition(p))", STRS, ["a", "X", "lo", "zz", ","])
case("str_replace", "s: str, p: str, n: int", "s.replace(p, '<>', n)", STRS, ["a", "X", "lo", "zz", "é"], [-1, 0, 1])
case("str_strip", "s: str, p: str", "(s.strip(p), s.lstrip(p), s.rstrip(p), s.strip())", STRS, ["a", " \t", "x\n ", "cz"])
case("str_pad", "s: str, n: int", "(s.ljust(n, '*'), s.rjust(n), s.center(n, '-'), s.zfill(n))", ["", "ab", "abc", "abcdefgh"], [0, 3, 6, 7])
case("str_tabs", "s: str, n: int", "s.expandtabs(n)", ["a\tb", "\t", "abcdefgh\tx"], [8, 4, 1, 0])
case("str_join", "s: str", "s.join(['a', 'b', 'c']) + s.join(['q'])", STRS)
case("str_mul", "s: str", "[c for c in s] if s.isalnum() or s == '' else [s]", [s for s in STRS if s.isascii()])
case("str_slice", "s: str, a: int, b: int", "(s[a:b], s[a:], s[:b])", [s for s in STRS if s.isascii()], [0, 1, -2, 100, -100], [0, 2, -1, 100])
case("str_slice_step", "s: str, k: int", "s[::k]", [s for s in STRS if s.isascii()], [1, 2, -1, -2])
case("str_item", "s: str, i: int", "s[i]", ["abc"], [0, 2, -1, -3, 3, -4])
case("ord_chr", "i: int", "(chr(i), ord(chr(i)))", [65, 97, 48, 126, 32])
case("str_format", "a: int, b: float, s: str", "'{} {} {}'.format(a, b, s) + f'{a}|{b}|{s}' + '%s %d %f %e %s' % (s, a, b, b, b)", SMALL, [0.0, 1.5, -2.25, 1e20], ["", "é"])
case("hashes", "a: int, s: str", "(hash(a), hash(s), hash((a, s)), hash(a > 0))", SMALL, STRS)
case("hash_float", "a: float", "hash(a)", [0.0, 1.5, -2.25, 1e300])
case("list_slice", "x: list[int], a: int, b: int, k: int", "x[a:b:k]", [[], [1, 2, 3, 4, 5]], [0, 1, -2, 9, -9], [0, 3, -1, 9], [1, 2, -1, -2])
case("list_item", "x: list[int], i: int", "x[i]", [[1, 2, 3]], [0, 2, -1, -3, 3, -4])
case("list_ops", "x: list[int], y: list[int]", "(x + y, x == y, x != y, len(x), sorted(x), x * 2, max(x, y), min(x, y), 2 in x, x.count(1))", [[], [3, 1, 2], [1, 1]], [[], [3, 1, 2], [0]])
case("list_sum", "x: list[float]", "(sum(x), any(x), all(x), sorted(x))", [[], [1.5, -2.0], [0.0], [3.0, 1.0, 2.0]])
case("list_minmax", "x: list[int]", "(min(x), max(x), sum(x))", [[], [3, 1, 2]])
case("list_index", "x: list[int], v: int", "x.index(v)", [[], [3, 1, 2]], [1, 9])
case("list_pop", "x: list[int], i: int", "(x.pop(i), x)", [[], [3, 1, 2]], [0, -1, 5])
case("str_sort", "x: list[str]", "(sorted(x), max(x) if False else x[0])", [["b", "a", "é", "A"]])
case("tuple_sort", "x: list[tuple[int, str]]", "sorted(x)", [[(2, "b"), (1, "z"), (2, "a")], []])
case("dict_ops", "d: dict[str, int], k: str", "(len(d), k in d, d.get(k), d.get(k, 9), list(d.keys()), list(d.values()), list(d.items()))", [{}, {"a": 1, "b": 2}], ["a", "z"])
case("dict_item", "d: dict[str, int], k: str", "d[k]", [{"a": 1}], ["a", "z"])
case("dict_pop", "d: dict[int, str], k: int", "(d.pop(k), d)", [{1: "x", 2: "y"}], [1, 7])
case("dict_float_key", "d: dict[float, int], k: float", "d[k]", [{1.5: 1}], [1.5, 2.0])
case("range_list", "a: int, b: int, k: int", "[i for i in range(a, b, k)]", [0, 5, -3], [0, 7, -8], [1, 3, -2, 0])
case("printed", "a: float, x: list[float], d: dict[str, list[int]], t: tuple[int, str]", "'{} {} {} {}'.format(a, x, d, t)", [1.0, 0.1], [[], [1.0, 2.5]], [{}, {"k": [1, 2]}], [(1, "q")])


def encode(v):
    if isinstance(v, bool): return v
    if isinstance(v, int): return {"i": str(v)}
    if isinstance(v, float): return {"f": repr(v)}
    if isinstance(v, complex): return {"c": [repr(v.real), repr(v.imag)]}
    if isinstance(v, str) or v is None: return v
    if isinstance(v, (list, tuple)): return [encode(x) for x in v]
    if isinstance(v, dict): return {"d": [[encode(k), encode(x)] for k, x in v.items()]}
    raise TypeError(type(v))


def combinations(columns):
    if not columns: return [()]
    return [(v,) + rest for v in columns[0] for rest in combinations(columns[1:])]


def main():
    source = "import torch, math\nfrom typing import *\nclass Builtins(torch.nn.Module):\n    def forward(self):\n        return 0\n"
    for name, (params, result, _) in CASES.items():
        params = params.replace("list[", "List[").replace("dict[", "Dict[").replace("tuple[", "Tuple[")
        source += f"    @torch.jit.export\n    def {name}(self, {params}):\n        return {result}\n"
    path = "/tmp/builtins_source.py"
    open(path, "w").write(source)
    import importlib.util
    spec = importlib.util.spec_from_file_location("builtins_source", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    scripted = torch.jit.script(module.Builtins())
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    open("test/fixtures/builtins.pt", "wb").write(buffer.getvalue())
    buffer.seek(0)
    loaded = torch.jit.load(buffer)
    out = {}
    import copy
    for name, (_, _, columns) in CASES.items():
        rows = []
        for args in combinations(columns):
            given = encode(args)
            try:
                rows.append([given, encode(getattr(loaded, name)(*copy.deepcopy(args)))])
            except UnicodeDecodeError:
                continue
            except RuntimeError as error:
                rows.append([given, {"raises": str(error).strip().split("\n")[-1]}])
        out[name] = rows
    text = "{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False, separators=(',', ':'))}" for k, v in out.items()) + "\n}\n"
    open("test/fixtures/builtins.json", "w").write(text)
    print(sum(len(v) for v in out.values()), "calls,", len(text), "bytes")


main()
