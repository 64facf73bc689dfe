"""Writes parse_errors.json: texts that PyTorch's parser refuses, with its messages. Run with PyTorch 2.13."""
import json, os, torch

CASES = [
    "def f(x):\n  return x", "def f(x: int):\n  return f'{x}'\n", "def f(x: int):\n  return x $ 2\n", "def f(x: int):\n  return x+$2\n",
    "def f(x: int):\n  return lambda y: 2\n", "@foo\ndef f(x: int):\n  return x\n", "def f(x: int):\n  global y\n  return x\n",
    "def f(x: int):\n  global y, z\n  return x\n", "def f(x): return x", "def f(x): # type: (int) -> int\n  return x\n",
    "def f(x):\n  y = [] # type: List[int]\n  return x\n", "def f(x):\n  return '\\x41'\n", "def f(x):\n  return '\\u0041'\n", "def f(x):\n  return '\\9'\n",
    "def f(x):\n  return 'a' '\\777'\n", "x = 3\n", "def f(x: int):\n  return x +\n", "def f(x: int):\n  for i in range(3): x = x + 1\n  return x\n",
    "def f(x: int):\n    if x > 1:\n      return x\n   return 2\n", "def f(x: int):\n  x: int = y = 3\n  return x\n", "def f(x: int):\n  (x, y) += 3\n  return x\n",
    "def f(x: int):\n  return [i for i in range(3), 2]\n", "def f(x: int):\n  return [i for i in range(3) if i > 1]\n", "def f(x: int):\n  return {1, 2}\n",
    "def f(x: int):\n  while x < 3: \n    x += 1\n  else:\n    x=2\n  return x\n", "class A:\n  def f(self): return 1\n", "def f(x: int)\n  return x\n",
    "def f(x: int:\n  return x\n", "def f(x: int):\nreturn x\n", "def f(x):\n  # type: (int, int) -> int\n  return x\n", "def f(x, y):\n  # type: (int)\n  return (x\n",
    "def f(x):\n  try:\n    y = 1\n  except:\n    y = 2\n  return y\n", "def f(x):\n  yield x\n", "def f(x):\n  return x[1:2:3:4]\n", "def f(x):\n  return 'abc\n",
    "def f(x):\n  return \"\"\"abc\n", "def f(x):\n  a = b'abc'\n  return a\n", "def f(x):\n  return x if x\n", "def f(x):\n  x.if = 3\n  return x\n",
    "def f(x):\n  return (y := x)\n", "def f(x):\n    y = 'é' $\n    return y\n", "def f(x):\n    y = ('é', 'ü', x +\n     3 4)\n    return y\n",
    "def f(x):\n  import foo\n  return x\n", "def f(*args):\n  return args\n", "def f(x, **kw):\n  return x\n", "def f(x, *, y, *, z):\n  return x\n",
    "def f(x):\n  assert x, 'a', 'b'\n", "def f(x):\n  with x as (a, b):\n    pass\n", "def f(x):\n  return not\n", "def f(x):\n  return ]\n", "def f(x):\n  return x)\n  y\n",
    "def f(x):\n  a = 1\n    b = 2\n", "\n\n# c\n    def f(x):\n        return 1\n  def g(x):\n        return 1\n", "def f(x):\n  a, *b = x = 3 =\n", "def f(x):\n  raise\n",
    "def f(x):\n  return 1 2\n", "def f(x):\n  return 1_000\n", "def f(x):\n  return x!\n", "def f(x):\n  x //= 2\n  return x\n", "def f(x):\n  del x y\n", "def f(x):\n  nonlocal y\n",
]
out = []
for text in CASES:
    try:
        torch.jit.CompilationUnit(text)
        raise SystemExit("accepted: " + text)
    except (RuntimeError, UnicodeDecodeError) as error:
        message = error.object.decode("utf-8", "surrogateescape") if isinstance(error, UnicodeDecodeError) else str(error)
        out.append({"source": text, "message": message.lstrip("\n") if "INTERNAL" not in message else None})
with open(os.path.join(os.path.dirname(__file__), "parse_errors.json"), "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
