/** @file Fused chains give the very bits of the separate operators, and give way where they do not fit. */
import { afterEach, describe, expect, test } from "vitest";
import { defineSource } from "../../../src/frontend/emit/compile.ts";
import { codeRefOf } from "../../../src/interpreter/compile.ts";
import { runAt } from "../../../src/interpreter/codegen/fuse.ts";
import { Writer } from "../../../src/interpreter/codegen/writer.ts";
import { runFunction } from "../../../src/interpreter/run.ts";
import { setExecutionTier } from "../../../src/interpreter/tier.ts";
import { CompilationUnit } from "../../../src/ir/compilation_unit.ts";
import type { ScriptFunction } from "../../../src/ir/function.ts";
import { fromData, toFloat64Array } from "../../../src/tensor/data.ts";
import { DTYPES } from "../../../src/tensor/dtype.ts";
import { viewOf, type Tensor } from "../../../src/tensor/tensor.ts";
import "../../../src/ops/index.ts";

afterEach(() => setExecutionTier("auto"));

const compile = (text: string): ScriptFunction => defineSource(text, () => {}, new CompilationUnit()).at(-1)!;

let seed = 7;
function tensor(...sizes: number[]): Tensor {
  const values = Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, () => {
    seed = (seed * 48271) % 2147483647;
    return (seed / 2147483647) * 6 - 3;
  });
  return fromData(values, sizes);
}

function picture(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(picture);
  const t = value as Tensor;
  return { dtype: t.dtype.name, sizes: [...t.sizes], strides: [...t.strides], values: Array.from(toFloat64Array(t)) };
}

function same(text: string, ...args: unknown[]): void {
  const fn = compile(text);
  setExecutionTier("closures");
  const expected = picture(runFunction(fn, args));
  setExecutionTier("generated");
  for (let k = 0; k < 3; k++) expect(picture(runFunction(fn, args))).toEqual(expected);
}

/** How many instructions the longest run of a function's outermost block has, as it is where a sequence does not fit. */
function longestRun(text: string): number {
  const code = codeRefOf(compile(text)).code!;
  const w = new Writer(code);
  const list = code.instructions.flatMap((i) => (i.op === "sequence" ? i.steps : [i]));
  return Math.max(...list.map((_, at) => runAt(w, list, at)?.steps.length ?? 0));
}

const LSTM = `
def f(gates: Tensor, c: Tensor):
  i, f, g, o = torch.chunk(gates, 4, 1)
  c2 = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
  h = torch.sigmoid(o) * torch.tanh(c2)
  return (h, c2)
`;

describe("fused chains", () => {
  test("an LSTM's gates are one run", () => {
    expect(longestRun(LSTM)).toBe(9);
    same(LSTM, tensor(1, 64), tensor(1, 16));
  });

  test("parts that are not contiguous, other dtypes and broadcasts run one by one", () => {
    same(LSTM, tensor(3, 64), tensor(3, 16));
    same(LSTM, tensor(1, 64), tensor(16));
    same(LSTM, tensor(1, 64), fromData([0.5], [1, 1], DTYPES.float64));
  });

  test("every step rounds to float32", () => {
    const text = `
def f(x: Tensor, y: Tensor) -> Tensor:
  return torch.neg(torch.exp((x + y) * 0.1 - y / 3) * torch.relu(x) + 2 - (1 - y))
`;
    expect(longestRun(text)).toBe(12);
    same(text, tensor(5, 7), tensor(5, 7));
    same(text, tensor(), tensor());
    same(text, fromData([NaN, Infinity, -Infinity, -0, 1e-45, 3e38], [6]), fromData([1, 2, 3, 4, 5, 6], [6]));
  });

  test("values that are read again keep their tensors", () => {
    same(
      `
def f(x: Tensor, n: int):
  kept: List[Tensor] = []
  h = torch.zeros([2, 3])
  for i in range(n):
    a = torch.tanh(x + h)
    b = torch.sigmoid(a) * a
    kept.append(b)
    h = a - b * 0.5
    if i == 2:
      h = torch.neg(h) * 2.0
  return (h, kept)
`,
      tensor(2, 3),
      5,
    );
  });

  test("alpha and numbers that are computed do not fuse", () => {
    const text = `
def f(x: Tensor, y: Tensor, k: float) -> Tensor:
  return torch.add(torch.tanh(x), y, alpha=2) * k
`;
    expect(longestRun(text)).toBe(0);
    same(text, tensor(4), tensor(4), 0.3);
  });

  test("an operand that a step overwrites is read before", () => {
    const text = `
def f(x: Tensor, n: int) -> Tensor:
  y = x
  for i in range(n):
    x, y = torch.tanh(x) + y, torch.sigmoid(y) * x
  return x + y
`;
    same(text, tensor(8), 4);
  });

  test("views keep what they are", () => {
    const base = tensor(4, 6);
    const text = `
def f(x: Tensor) -> Tensor:
  return torch.tanh(torch.sigmoid(x) + x)
`;
    same(text, viewOf(base, [6, 4], [1, 6], 0));
    same(text, viewOf(base, [1, 6], [100, 1], 6));
  });
});
