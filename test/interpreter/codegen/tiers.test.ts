/** @file Both tiers give the same results, the same errors with the same tracebacks, and spend the same budget. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { LimitError, TorchScriptError } from "../../../src/base/errors.ts";
import { withInterceptor } from "../../../src/core/dispatcher.ts";
import { defineSource } from "../../../src/frontend/emit/compile.ts";
import { codeRefOf } from "../../../src/interpreter/compile.ts";
import { generateCode } from "../../../src/interpreter/codegen/generate.ts";
import { runFunction } from "../../../src/interpreter/run.ts";
import { setExecutionTier, type ExecutionTier } from "../../../src/interpreter/tier.ts";
import { CompilationUnit } from "../../../src/ir/compilation_unit.ts";
import type { ScriptFunction } from "../../../src/ir/function.ts";
import "../../../src/ops/index.ts";

function compile(text: string): ScriptFunction {
  return defineSource(text, () => {}, new CompilationUnit()).at(-1)!;
}

afterEach(() => setExecutionTier("auto"));

/** What a call gives on a tier: the result, or the error's class and text. */
function outcome(tier: ExecutionTier, text: string, args: unknown[], maxSteps?: number): unknown {
  setExecutionTier(tier);
  const fn = compile(text);
  try {
    return { result: runFunction(fn, args, maxSteps === undefined ? {} : { maxSteps }) };
  } catch (error) {
    if (!(error instanceof TorchScriptError)) throw error;
    return { error: error.name, message: error.message };
  }
}

function same(text: string, ...args: unknown[]): unknown {
  const closures = outcome("closures", text, args);
  expect(outcome("generated", text, args)).toEqual(closures);
  return (closures as { result?: unknown }).result ?? closures;
}

describe("generated code", () => {
  test("sums beyond 2^53 and wraps at 2^63 as int64 does", () => {
    const text = `
def f(n: int, start: int) -> int:
  total = start
  for i in range(n):
    total += i * i
  return total
`;
    expect(same(text, 1000000, 0)).toBe(333332833333500000n);
    expect(same(text, 3, 2n ** 63n - 2n)).toBe(-(2n ** 63n) + 3n);
    expect(same(text, 3, -5)).toBe(0);
  });

  test("computes a linear congruential generator and a hash in 64 bits", () => {
    const text = `
def f(n: int) -> List[int]:
  x = 12345
  h = 1469598103934665603
  out: List[int] = []
  for i in range(n):
    x = (x * 6364136223846793005 + 1442695040888963407)
    h = (h ^ (x & 255)) * 1099511628211
    out.append(x % 1000)
    out.append(x // 4294967296)
    out.append(-h)
    out.append(h - x)
  return out
`;
    const result = same(text, 50) as (number | bigint)[];
    expect(result).toHaveLength(200);
    // (12345 * 6364136223846793005 + 1442695040888963407) mod 2^64, signed
    expect(result[0]).toBe(
      Number(((BigInt.asIntN(64, 12345n * 6364136223846793005n + 1442695040888963407n) % 1000n) + 1000n) % 1000n),
    );
  });

  test.each([
    [7, 3],
    [-7, 3],
    [7, -3],
    [-7, -3],
    [0, 5],
    [2n ** 62n, 3],
    [-(2n ** 63n), 7],
    [5, 2n ** 60n],
    [-6, 3],
  ])("int operators on %s and %s", (a, b) => {
    const text = `
def f(a: int, b: int):
  return (a + b, a - b, a * b, a // b, a % b, -a, a & b, a | b, a ^ b, a < b, a <= b, a > b, a >= b, a == b, a != b,
          min(a, b), max(a, b), float(a), a / b, a * 2.0, 0.5 + b, a % 5, a // 4, a % 4294967296, a < 2.5, abs(a))
`;
    expect(same(text, a, b)).toBeInstanceOf(Array);
  });

  test("keeps 0 from becoming -0", () => {
    const text = `
def f(n: int) -> List[str]:
  out: List[str] = []
  for i in range(n):
    out.append(str((i - 1) * 0))
    out.append(str(1.0 / float((0 - i) * 0 + 1)))
    out.append(str((0 - 2 * i) % 2))
    out.append(str(float((0 - i) * 0)))
  return out
`;
    expect(same(text, 3)).not.toContain("-0");
  });

  test("lists, dicts, slices from the end, optionals and tuples", () => {
    const text = `
def f(n: int, key: Optional[int]):
  counts: Dict[int, int] = {}
  names: Dict[str, List[int]] = {}
  values: List[int] = []
  for i in range(1, n, 2):
    k = i * 7 % 5
    if k in counts:
      counts[k] += i
    else:
      counts[k] = 9007199254740991
    values.append(k)
    values[-1] = values[-1] + counts[k]
    if str(k) in names:
      names[str(k)].append(i)
    else:
      names[str(k)] = [i]
  last = values[-2]
  if key is not None:
    last = last + key
  a, b = (last, 1.5)
  while last > 10:
    last = last // 3
  return (counts, names, values, a, b, last, len(values), len(names))
`;
    expect(same(text, 24, null)).toBeInstanceOf(Array);
    expect(same(text, 24, 2n ** 60n)).toBeInstanceOf(Array);
  });

  test("floats with branches, breaks and calls", () => {
    const text = `
def step(x: float, i: int) -> float:
  if x > 1.0:
    return x - float(i) * 0.25
  return x * 1.5 + 0.125

def f(n: int) -> float:
  x = 0.5
  total = 0.0
  for i in range(n):
    x = step(x, i)
    if x < -100.0:
      break
    total += x
  return total
`;
    expect(same(text, 40)).toBeTypeOf("number");
  });
});

describe("errors of generated code", () => {
  test.each([
    ["an index out of range", "def f(x: List[int], i: int) -> int:\n  y = x[0]\n  return y + x[i]\n", [[1, 2], 5]],
    ["a missing key", "def f(d: Dict[str, int], k: str) -> int:\n  return d[k]\n", [new Map([["a", 1]]), "b"]],
    ["a zero divisor", "def f(a: int, b: int) -> int:\n  return a // b\n", [1, 0]],
    [
      "an exception in a callee inside a loop",
      `
def g(i: int) -> int:
  if i == 3:
    raise ValueError("three " + str(i))
  return i

def f(n: int) -> int:
  total = 0
  for i in range(n):
    total += g(i)
  return total
`,
      [5],
    ],
    ["an assertion", "def f(n: int) -> int:\n  for i in range(n):\n    assert i < 2, 'too many'\n  return n\n", [4]],
    ["an unpacking", "def f(x: List[int]) -> int:\n  a, b = x\n  return a + b\n", [[1, 2, 3]]],
    ["a kernel that refuses", "def f(x: List[int]) -> int:\n  x.remove(7)\n  return len(x)\n", [[1, 2]]],
  ])("%s reads the same", (_name, text, args) => {
    const closures = outcome("closures", text, args);
    expect(closures).toHaveProperty("message");
    expect(outcome("generated", text, args)).toEqual(closures);
  });

  test("budgets end loops after as many steps", () => {
    const text = `
def f(n: int) -> int:
  total = 0
  for i in range(n):
    if i % 2 == 0:
      total += i
  return total
`;
    for (const steps of [1, 10, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70]) {
      expect(outcome("generated", text, [8], steps)).toEqual(outcome("closures", text, [8], steps));
    }
    expect(() => {
      setExecutionTier("generated");
      runFunction(compile("def f(n: int) -> int:\n  while True:\n    n += 1\n  return n\n"), [1], { maxSteps: 100000 });
    }).toThrow(LimitError);
  });
});

describe("setExecutionTier()", () => {
  test("refuses unknown names", () => {
    expect(() => setExecutionTier("fast" as ExecutionTier)).toThrow(/closures, generated, auto/);
  });

  test("auto generates loops at once and other functions when they are hot", () => {
    const loop = compile("def f(n: int) -> int:\n  for i in range(n):\n    n += 1\n  return n\n");
    runFunction(loop, [1]);
    expect(codeRefOf(loop).code!.direct).toBeTypeOf("function");
    const plain = compile("def f(n: int) -> int:\n  return n + 1\n");
    runFunction(plain, [1]);
    expect(codeRefOf(plain).code!.direct).toBeUndefined();
    for (let k = 0; k < 20; k++) runFunction(plain, [1]);
    expect(codeRefOf(plain).code!.direct).toBeTypeOf("function");
  });

  test("stays on closures where evaluation is forbidden", async () => {
    vi.resetModules();
    vi.stubGlobal(
      "Function",
      class {
        constructor() {
          throw new EvalError("Refused to evaluate a string as JavaScript");
        }
      },
    );
    try {
      const { canGenerateCode } = await import("../../../src/base/evaluate.ts");
      expect(canGenerateCode()).toBe(false);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test("interceptors see every operator, whatever the tier", () => {
    setExecutionTier("generated");
    const fn = compile(
      "def f(x: Tensor, n: int) -> Tensor:\n  for i in range(n):\n    x = torch.relu(x)\n  return x\n",
    );
    const input = zeros();
    const seen: string[] = [];
    withInterceptor(
      (entry, args, next) => {
        seen.push(entry.key);
        return next(args);
      },
      () => runFunction(fn, [input, 2]),
    );
    expect(seen).toEqual(["aten::relu", "aten::relu"]);
  });

  test("no text of a program reaches the evaluator", () => {
    const texts: string[] = [];
    const original = globalThis.Function;
    vi.stubGlobal(
      "Function",
      new Proxy(original, {
        construct(target, args: string[]) {
          texts.push(args.at(-1)!);
          return new target(...args);
        },
      }),
    );
    try {
      const fn = compile(
        'def secret_name(secret_arg: str, n: int) -> str:\n  for i in range(n):\n    secret_arg += "secret_text"\n  return secret_arg\n',
      );
      generateCode(codeRefOf(fn).code!);
    } finally {
      vi.unstubAllGlobals();
    }
    expect(texts).toHaveLength(1);
    expect(texts[0]).not.toContain("secret");
  });
});

function zeros(): unknown {
  setExecutionTier("generated");
  return runFunction(compile("def f() -> Tensor:\n  return torch.zeros([2])\n"), []);
}
