/** @file The interpreter: control flow, calls, budgets, sinks, tracebacks; and conversion of callers' values. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LimitError, ScriptRuntimeError, UnsupportedError } from "../../src/base/errors.ts";
import { setPrintSink, setWarningSink, type PrintSink, type WarningSink } from "../../src/base/sinks.ts";
import { parseSchema } from "../../src/core/schema.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import { AnyT, FloatT, IntT, StringT, dictOf, listOf, optionalOf, tupleOf, unionOf } from "../../src/core/type.ts";
import { CompilationUnit } from "../../src/ir/compilation_unit.ts";
import { ScriptFunction } from "../../src/ir/function.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { checkAndConvertInputs, fromUser, toUser } from "../../src/interpreter/convert.ts";
import type { CodeRef } from "../../src/interpreter/instructions.ts";
import { codeRefOf } from "../../src/interpreter/compile.ts";
import { runFunction } from "../../src/interpreter/run.ts";
import { defineSource } from "../../src/frontend/emit/compile.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { Float } from "../../src/tensor/scalar.ts";
import { emptyTensor, type Tensor } from "../../src/tensor/tensor.ts";
import "../../src/ops/index.ts";

/** Compiles TorchScript source; functions by name. */
function compile(text: string): Record<string, ScriptFunction> {
  const functions = defineSource(text, () => {}, new CompilationUnit());
  return Object.fromEntries(functions.map((fn) => [fn.name, fn]));
}
function graphFunction(text: string): ScriptFunction {
  return new ScriptFunction(new QualifiedName("__torch__.f"), parseGraph(text));
}
const call = (text: string, ...args: unknown[]): unknown => runFunction(Object.values(compile(text)).at(-1)!, args);

let printed = "";
let warned: string[] = [];
let oldPrint: PrintSink;
let oldWarn: WarningSink;
beforeEach(() => {
  printed = "";
  warned = [];
  oldPrint = setPrintSink((text) => (printed += text));
  oldWarn = setWarningSink((w) => warned.push(w.message));
});
afterEach(() => {
  setPrintSink(oldPrint);
  setWarningSink(oldWarn);
});

describe("runFunction()", () => {
  test("runs loops with break, continue and else branches", () => {
    const text = `
def f(n: int) -> int:
  total = 0
  for i in range(n):
    if i == 3:
      continue
    if i > 6:
      break
    total += i
  return total
`;
    expect(call(text, 100)).toBe(0 + 1 + 2 + 4 + 5 + 6);
  });

  test("runs while loops and swaps carried values", () => {
    const text = `
def f(n: int) -> int:
  a, b = 0, 1
  while n > 0:
    a, b = b, a + b
    n -= 1
  return a
`;
    expect(call(text, 90)).toBe(2880067194370816120n);
  });

  test("a loop that runs no round gives its initial values", () => {
    const fn = graphFunction(`graph(%n : int, %a : int):
  %true : bool = prim::Constant[value=1]()
  %r : int = prim::Loop(%n, %true, %a)
    block0(%i : int, %x : int):
      -> (%true, %i)
  return (%r)
`);
    expect(runFunction(fn, [0, 7])).toBe(7);
    expect(runFunction(fn, [3, 7])).toBe(2);
  });

  test("a loop body may exchange its values", () => {
    const fn = graphFunction(`graph(%n : int, %a : int, %b : int):
  %true : bool = prim::Constant[value=1]()
  %r : int, %s : int = prim::Loop(%n, %true, %a, %b)
    block0(%i : int, %x : int, %y : int):
      -> (%true, %y, %x)
  %t : (int, int) = prim::TupleConstruct(%r, %s)
  return (%t)
`);
    expect(runFunction(fn, [3, 1, 2])).toEqual([2, 1]);
  });

  test("calls functions, and prints to the sink", () => {
    const text = `
def g(x: float) -> float:
  print("g", x, [x], {"k": 1}, (1,), None)
  return x * 2.
def f(x: float) -> float:
  return g(g(x))
`;
    expect(call(text, 1)).toBe(4);
    expect(printed).toBe("g 1. [1.] {k: 1} (1,) None\ng 2. [2.] {k: 1} (1,) None\n");
  });

  test("floats keep their kind where they flow into Any", () => {
    const text = `
def g(x: Any) -> str:
  if isinstance(x, float):
    return "float {}".format(x)
  if isinstance(x, int):
    return "int {}".format(x)
  if isinstance(x, List[float]):
    return "floats {}".format(x)
  return "other"
def f() -> Tuple[str, str, str]:
  return (g(2.), g(2), g([1., 2.]))
`;
    expect(call(text)).toEqual(["float 2.", "int 2", "floats [1., 2.]"]);
  });

  test("an int beyond 2^53 reaches only kernels that take it", () => {
    expect(call("def f(a: int) -> int:\n  return a * a + 1\n", 3037000500)).toBe(-9223372036709301615n);
  });

  test("gives up after maxSteps instructions", () => {
    const { f } = compile("def f() -> int:\n  n = 0\n  while True:\n    n += 1\n  return n\n");
    expect(() => runFunction(f!, [], { maxSteps: 10_000 })).toThrow(LimitError);
  });

  test("names an operator that is not there when the method is compiled", () => {
    const fn = graphFunction(`graph(%x : Tensor):
  %1 : Tensor = aten::no_such_operator(%x)
  return (%1)
`);
    expect(() => runFunction(fn, [null])).toThrow(UnsupportedError);
    expect(() => runFunction(fn, [null])).toThrow(/aten::no_such_operator\(Tensor\)/);
  });

  test("names the line of what a kernel does not support", () => {
    const { g } = compile(`def f(x: Tensor, h: Tensor, w: Tensor) -> Tensor:
  return torch.rnn_tanh(x, h, [w, w], False, 1, 0., False, False, False)[0]

def g(x: Tensor, h: Tensor, w: Tensor) -> Tensor:
  return f(x, h, w)
`);
    const complex = (sizes: number[]): Tensor => emptyTensor(sizes, DTYPES.complex64);
    const run = (): unknown => runFunction(g!, [complex([2, 1, 3]), complex([1, 1, 3]), complex([3, 3])]);
    expect(run).toThrow(UnsupportedError);
    expect(run).toThrow(/not supported:\n {2}File "<string>", line 2\n.*\n.*torch\.rnn_tanh\(x, h, .*\n +~+ <--- HERE/);
    expect(run).not.toThrow(/HERE[^]*HERE/);
  });

  test("warns once per place and run", () => {
    const fn = graphFunction(`graph(%n : int):
  %true : bool = prim::Constant[value=1]()
  %two : int = prim::Constant[value=2]()
  %m : str = prim::Constant[value="careful"]()
   = prim::Loop(%n, %true)
    block0(%i : int):
       = aten::warn[warn_id=7](%m, %two)
      -> (%true)
  return (%n)
`);
    runFunction(fn, [3]);
    expect(warned).toEqual(["careful"]);
    runFunction(fn, [3]);
    expect(warned).toEqual(["careful", "careful"]);
  });

  test("a fork's error waits for who waits", () => {
    const fn = graphFunction(`graph(%n : int):
  %f : Future(int) = prim::fork_0(%n)
  return (%n)
with prim::fork_0 = graph(%x : int):
  %zero : int = prim::Constant[value=0]()
  %r : int = aten::floordiv(%x, %zero)
  return (%r)
`);
    expect(runFunction(fn, [3])).toBe(3);
  });

  test("a release never takes a value that is still wanted", () => {
    const fn = graphFunction(`graph(%c : bool, %a : int[], %b : int[]):
  %r : int[] = prim::If(%c)
    block0():
      %s : int[] = aten::add(%a, %b)
      -> (%s)
    block1():
      -> (%b)
  %t : int[] = aten::add(%r, %b)
  return (%t)
`);
    expect(runFunction(fn, [true, [1], [2]])).toEqual([1, 2, 2]);
    expect(runFunction(fn, [false, [1], [2]])).toEqual([2, 2]);
    const { code } = codeRefOf(fn) as CodeRef;
    expect(code!.instructions.map((i) => i.op)).toEqual(["if", "kernel"]);
  });
});

describe("errors", () => {
  test("carry PyTorch's traceback, class and reason", () => {
    const { f } = compile(`def g(x: List[int]) -> int:
  return x[5]
def f(x: List[int]) -> int:
  y = g(x)
  return y
`);
    let caught: unknown;
    try {
      runFunction(f!, [[1]]);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(ScriptRuntimeError);
    const error = caught as ScriptRuntimeError;
    expect(error.message).toBe(`The following operation failed in the TorchScript interpreter.
Traceback of TorchScript (most recent call last):
  File "<string>", line 4, in f
  return x[5]
def f(x: List[int]) -> int:
  y = g(x)
      ~ <--- HERE
  return y
  File "<string>", line 2, in g
def g(x: List[int]) -> int:
  return x[5]
         ~~~~ <--- HERE
def f(x: List[int]) -> int:
  y = g(x)
RuntimeError: list index out of range`);
    expect(error.reason).toBe("RuntimeError: list index out of range");
    expect(error.pythonType).toBe("RuntimeError");
  });

  test("of raise say so and hide inlined calls", () => {
    const { f } = compile(`def g(x: int) -> int:
  assert x <= 0, "no"
  return x
def f(x: int) -> int:
  return g(x)
`);
    expect(() => runFunction(f!, [1])).toThrow(/line 2, in f\n[\s\S]*RuntimeError: AssertionError: no$/);
    try {
      runFunction(f!, [1]);
    } catch (error) {
      expect((error as ScriptRuntimeError).pythonType).toBe("torch.jit.Error");
    }
  });
});

describe("checkAndConvertInputs()", () => {
  const schema = parseSchema('forward(int x, float y=2., *, str z="q") -> int');
  test("fills defaults and keywords", () => {
    expect(checkAndConvertInputs(schema, [1])).toEqual([1, 2, "q"]);
    expect(checkAndConvertInputs(schema, [1n, 3], { z: "w" })).toEqual([1, 3, "w"]);
  });
  test("refuses with PyTorch's words", () => {
    expect(() => checkAndConvertInputs(schema, [])).toThrow(
      "forward() is missing value for argument 'x'. Declaration: forward(int x, float y=2., *, str z=\"q\") -> int",
    );
    expect(() => checkAndConvertInputs(schema, [1.5])).toThrow(
      "forward() Expected a value of type 'int' for argument 'x' but instead found type 'float'.\nPosition: 0\nValue: 1.5\nDeclaration: ",
    );
    expect(() => checkAndConvertInputs(schema, [1], { w: 1 })).toThrow(
      "Unknown keyword argument 'w' for operator 'forward'. Schema: ",
    );
    expect(() => checkAndConvertInputs(schema, [1], { x: 1 })).toThrow(
      "Argument 'x' specified both as positional and keyword argument. Schema: ",
    );
    expect(() => checkAndConvertInputs(schema, [1, 2, 3, 4])).toThrow(
      "forward() expected at most 3 argument(s) but received 4 argument(s).",
    );
    expect(() => checkAndConvertInputs(schema, [1, 2, "z"])).toThrow(
      "forward() takes 2 positional argument(s) but 3 was/were given.",
    );
  });
});

describe("fromUser() and toUser()", () => {
  test("numbers follow the type, and their own kind where it says nothing", () => {
    expect(fromUser(2, FloatT)).toBe(2);
    expect(fromUser(2.5, IntT)).toBeUndefined();
    expect(fromUser(new Float(2), unionOf([IntT, StringT]))).toBeUndefined();
    expect(fromUser(2, unionOf([FloatT, StringT]))).toEqual(new Float(2));
    expect(fromUser(undefined, optionalOf(IntT))).toBeNull();
    expect(fromUser(2 ** 63, IntT)).toBeUndefined();
  });
  test("arrays, typed arrays, maps and objects become containers", () => {
    expect(fromUser(new Int32Array([1, 2]), listOf(IntT))).toEqual([1, 2]);
    expect(fromUser([1, "a"], tupleOf([IntT, StringT]))).toEqual([1, "a"]);
    expect(fromUser([1], tupleOf([IntT, StringT]))).toBeUndefined();
    expect(fromUser({ a: 1 }, dictOf(StringT, IntT))).toEqual(new Map([["a", 1]]));
    expect(fromUser({ 3: 1 }, dictOf(IntT, IntT))).toEqual(new Map([[3, 1]]));
  });
  test("results lose their boxes and share no list with the script", () => {
    const list = fromUser([1.5, 2], AnyT);
    expect(toUser(list, AnyT)).toEqual([1.5, 2]);
    expect(toUser(list, AnyT)).not.toBe(list);
    expect(toUser(new Float(3), AnyT)).toBe(3);
  });
});
