/** @file Sequences of small operators give what the operators give one by one, and give way where they do not fit. */
import { afterEach, describe, expect, test } from "vitest";
import { defineSource } from "../../src/frontend/emit/compile.ts";
import { codeRefOf } from "../../src/interpreter/compile.ts";
import type { Instruction } from "../../src/interpreter/instructions.ts";
import { runFunction } from "../../src/interpreter/run.ts";
import { setExecutionTier, type ExecutionTier } from "../../src/interpreter/tier.ts";
import { CompilationUnit } from "../../src/ir/compilation_unit.ts";
import type { ScriptFunction } from "../../src/ir/function.ts";
import { fromData, toFloat64Array } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import type { Sequence } from "../../src/tensor/kernels/wasm/sequences.ts";
import { viewOf, type Tensor } from "../../src/tensor/tensor.ts";
import "../../src/ops/index.ts";

const best = supportedKernelBuilds().at(-1)!;
afterEach(() => {
  setExecutionTier("auto");
  setKernelBuild(best);
});

const compile = (text: string): ScriptFunction => defineSource(text, () => {}, new CompilationUnit()).at(-1)!;

let seed = 11;
function tensor(...sizes: number[]): Tensor {
  const values = Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, () => {
    seed = (seed * 48271) % 2147483647;
    return (seed / 2147483647) * 2 - 1;
  });
  return fromData(values, sizes);
}

const flat = (value: unknown): Tensor[] => (Array.isArray(value) ? value.flatMap(flat) : [value as Tensor]);

type SequenceInstruction = Extract<Instruction, { op: "sequence" }>;
function sequencesOf(fn: ScriptFunction): SequenceInstruction[] {
  const all = (list: readonly Instruction[]): SequenceInstruction[] =>
    list.flatMap((i) =>
      i.op === "sequence" ? [i] : i.op === "loop" ? all(i.body) : i.op === "if" ? all([...i.yes, ...i.no]) : [],
    );
  return all(codeRefOf(fn).code!.instructions);
}

/** Both tiers on every build against the reference kernels. `isFast`: every call but the first must have run sequences alone. */
function same(text: string, args: readonly unknown[], isFast: boolean, options = { rtol: 2e-6, atol: 2e-6 }): void {
  setKernelBuild("reference");
  const expected = flat(runFunction(compile(text), args));
  for (const build of supportedKernelBuilds().filter((name) => name !== "reference")) {
    setKernelBuild(build);
    for (const tier of ["closures", "generated"] as ExecutionTier[]) {
      setExecutionTier(tier);
      const fn = compile(text);
      for (let k = 0; k < 3; k++) {
        const actual = flat(runFunction(fn, args));
        expect(actual.length).toBe(expected.length);
        actual.forEach((t, i) => {
          expect([t.dtype.name, t.sizes, t.strides]).toEqual([
            expected[i]!.dtype.name,
            expected[i]!.sizes,
            expected[i]!.strides,
          ]);
          const [a, b] = [toFloat64Array(t), toFloat64Array(expected[i]!)];
          for (let e = 0; e < a.length; e++) {
            const [x, y] = [a[e]!, b[e]!];
            if (Object.is(x, y)) continue;
            expect(Math.abs(x - y), `${build} ${tier} [${e}]: ${x} for ${y}`).toBeLessThanOrEqual(
              options.atol + options.rtol * Math.abs(y),
            );
          }
        });
      }
      const sequences = sequencesOf(fn);
      expect(sequences.length).toBeGreaterThan(0);
      expect(sequences.every(({ sequence }) => (sequence as Sequence).isLinked)).toBe(isFast);
    }
  }
}

const LSTM = `
def f(x: Tensor, h: Tensor, c: Tensor, wi: Tensor, bi: Optional[Tensor], wh: Tensor, bh: Optional[Tensor]):
  for k in range(3):
    gates = torch.linear(x, wi, bi) + torch.linear(h, wh, bh)
    i, f, g, o = torch.chunk(gates, 4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
  return (h, c)
`;

const weights = (hidden: number, width: number): unknown[] => [
  tensor(4 * hidden, width),
  tensor(4 * hidden),
  tensor(4 * hidden, hidden),
  null,
];

describe("sequences", () => {
  test.each([
    [1, 64, 64],
    [1, 13, 7],
    [3, 24, 5],
    [8, 9, 33],
  ])("%i rows of an LSTM with %i states and %i inputs", (rows, hidden, width) => {
    same(LSTM, [tensor(rows, width), tensor(rows, hidden), tensor(rows, hidden), ...weights(hidden, width)], true);
  });

  test("more rows, broadcasts, other dtypes and odd strides run one by one", () => {
    const w = weights(16, 16);
    same(LSTM, [tensor(9, 16), tensor(9, 16), tensor(9, 16), ...w], false);
    same(LSTM, [tensor(1, 16), tensor(1, 16), tensor(2, 16), ...w], false);
    same(LSTM, [viewOf(tensor(16, 2), [2, 16], [1, 2], 0), tensor(2, 16), tensor(2, 16), ...w], false);
    const chain = `
def f(x: Tensor, y: Tensor) -> Tensor:
  return torch.tanh(x) * y
`;
    same(chain, [fromData([1, 2], [2], DTYPES.float64), tensor(2)], false);
    same(chain, [tensor(3), tensor(3)], false); // too small to pay
  });

  test("every function, with special values", () => {
    const text = `
def f(x: Tensor, y: Tensor):
  a = torch.sqrt(torch.relu(x - y) * 3) / 2 - 1
  b = 2 - torch.neg(x) / y
  return (a, b, torch.exp(x) + torch.sigmoid(y), torch.tanh(b), torch.relu(y))
`;
    same(text, [tensor(90), tensor(90)], true);
    const special = [NaN, Infinity, -Infinity, -0, 0, 1e-45, 3e38, -3e38, 1, -1];
    const values = Array.from({ length: 100 }, (_, i) => special[i % 10]!);
    const others = Array.from({ length: 100 }, (_, i) => special[Math.floor(i / 10)]!);
    same(text, [fromData(values, [100]), fromData(others, [100])], true);
  });

  test("the last dimension, and others, in parts", () => {
    const text = (dim: number): string => `
def f(x: Tensor, y: Tensor):
  a, b, c = torch.chunk(torch.tanh(x), 3, ${dim})
  return (torch.sigmoid(a) * b + c, y * c)
`;
    same(text(1), [tensor(4, 9, 3), tensor(4, 3, 3)], true);
    same(text(-2), [tensor(2, 3, 15), tensor(2, 1, 15)], true);
    same(text(0), [tensor(3, 30), tensor(1, 30)], true);
    same(text(-1), [tensor(5, 6, 9), tensor(5, 6, 3)], true);
  });

  test("slices, parts of a size, and what is joined", () => {
    const text = `
def f(x: Tensor, h: Tensor, w: Tensor):
  y = torch.linear(torch.cat([x, h], 1), w)
  a = torch.sigmoid(y[:, 0:20]) * torch.tanh(y[:, -25:-5])
  b, c, d = torch.split(y, 20, 1)
  e = torch.cat([torch.tanh(b), d, torch.neg(c)], -1)
  return (a, e[:, 1:] * 2, torch.relu(c))
`;
    for (const rows of [1, 4])
      same(text, [tensor(rows, 13), tensor(rows, 7), tensor(50, 20)], true, { rtol: 2e-6, atol: 1e-5 });
    same(text, [tensor(9, 13), tensor(9, 7), tensor(50, 20)], false);
    const fn = compile(text);
    expect(sequencesOf(fn).length).toBe(1);
    expect(() => runFunction(fn, [tensor(1, 13), tensor(2, 7), tensor(50, 20)])).toThrow(
      /torch\.cat[^]*Sizes of tensors must match/,
    );
    expect(() => runFunction(fn, [tensor(1, 13), tensor(1, 7), tensor(40, 20)])).toThrow(
      /Expected 3 elements in a list but found 2/,
    );
  });

  test("parts that leave are views of a tensor, not of a sequence", () => {
    const text = `
def f(x: Tensor):
  a, b = torch.chunk(torch.tanh(x) * 2, 2, 1)
  a.add_(1)
  return (a, b, torch.sigmoid(b) * a)
`;
    same(text, [tensor(1, 160)], true);
    same(text, [tensor(2, 80)], false); // the parts that come in again have gaps
  });

  test("decisions by a sum or by one element", () => {
    const text = `
def f(x: Tensor, y: Tensor) -> int:
  n = 0
  if bool(x.sum() > 0.1):
    n += 1
  if bool(x.sum() != 0):
    n += 2
  if bool(y <= 0.1):
    n += 4
  if bool(y == 1):
    n += 8
  return n
`;
    const values = [NaN, 0.1, 0.1 + 1e-9, 1, -1, 0, -0, Infinity];
    for (const tier of ["closures", "generated"] as ExecutionTier[]) {
      setExecutionTier(tier);
      const fn = compile(text);
      expect(sequencesOf(fn).length).toBe(4);
      for (const v of values) {
        const f32 = Math.fround(v);
        const expected =
          (f32 > Math.fround(0.1) ? 1 : 0) +
          (f32 !== 0 ? 2 : 0) +
          (f32 <= Math.fround(0.1) ? 4 : 0) +
          (f32 === 1 ? 8 : 0);
        for (const dtype of [DTYPES.float32, DTYPES.float64]) {
          const [x, y] = [fromData([f32, 0], [2], dtype), fromData([f32], [1, 1], dtype)];
          if (dtype === DTYPES.float32) expect(runFunction(fn, [x, y])).toBe(expected);
          else expect(typeof runFunction(fn, [x, y])).toBe("number");
        }
      }
      expect(() => runFunction(fn, [tensor(2), tensor(2)])).toThrow(/Boolean value of Tensor with more than one value/);
    }
  });

  test("weights that change are noticed", () => {
    const text = `
def f(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
  y = torch.tanh(torch.linear(x, w, b))
  w.mul_(2)
  b.add_(1)
  return y
`;
    const run = (): number[][] => {
      const fn = compile(text);
      seed = 5;
      const [x, w, b] = [tensor(1, 40), tensor(40, 40), tensor(40)];
      return Array.from({ length: 12 }, () => Array.from(toFloat64Array(runFunction(fn, [x, w, b]) as Tensor)));
    };
    setKernelBuild("reference");
    const expected = run();
    setKernelBuild(best);
    run().forEach((values, k) => values.forEach((v, i) => expect(v).toBeCloseTo(expected[k]![i]!, 4)));
  });

  test("errors are those of the operator at fault", () => {
    const fn = compile(LSTM);
    const w = weights(16, 16);
    const args = [tensor(1, 16), tensor(1, 16), tensor(1, 16), ...w];
    runFunction(fn, args);
    expect(() => runFunction(fn, [tensor(1, 15), ...args.slice(1)])).toThrow(/linear\(x, wi, bi\)[^]*mat1 and mat2/);
    expect(() => runFunction(fn, [args[0], args[1], tensor(1, 15), ...w])).toThrow(
      /torch\.sigmoid\(f\) \* c[^]*The size of tensor a/,
    );
  });
});
