/** @file Which ints of a function provably stay safe integers, and which registers are constant. Upstream: none. Spec: none.
 *
 * Note [Ranges]: registers have few writers, so one interval per register, the join of all that is written to it, is enough: counters,
 * sizes, remainders and what is computed from them stay bounded; everything carried around a loop widens to all ints at once. */
import { saturateInt } from "../forms.ts";
import type { Code, Instruction } from "../instructions.ts";

/** Lowest and highest value. */
export type Interval = readonly [number, number];

const ALL: Interval = [-Infinity, Infinity];
/** No loop here turns more often: at a nanosecond a round that takes fifty days. */
const MAX_ROUNDS = 2 ** 52;
/** Counts of what is in memory. */
const COUNT: Interval = [0, 2 ** 40];
const SMALL: Interval = [-(2 ** 31), 2 ** 31];

type Rule = (args: readonly Interval[]) => Interval;

function hull(values: readonly number[]): Interval {
  // Infinity * 0: nothing is known
  if (values.some((v) => v !== v)) return ALL;
  return [Math.min(...values), Math.max(...values)];
}

const RULES: Readonly<Record<string, Rule>> = {
  "aten::add.int": ([a, b]) => [a![0] + b![0], a![1] + b![1]],
  "aten::sub.int": ([a, b]) => [a![0] - b![1], a![1] - b![0]],
  "aten::mul.int": ([a, b]) => hull([a![0] * b![0], a![0] * b![1], a![1] * b![0], a![1] * b![1]]),
  "aten::neg.int": ([a]) => [-a![1], -a![0]],
  "aten::remainder.int": ([a, b]) => {
    if (b![0] > 0) return [0, Math.min(b![1] - 1, a![0] >= 0 ? a![1] : Infinity)];
    return b![1] < 0 ? [b![0] + 1, 0] : ALL;
  },
  "aten::floordiv.int": ([a, b]) =>
    b![0] > 0 && isSafe(a!) ? hull([a![0], a![1], Math.floor(a![0] / b![0]), Math.floor(a![1] / b![0])]) : ALL,
  "prim::min.int": ([a, b]) => [Math.min(a![0], b![0]), Math.min(a![1], b![1])],
  "prim::max.int": ([a, b]) => [Math.max(a![0], b![0]), Math.max(a![1], b![1])],
  "aten::__derive_index": ([i, start, step]) => {
    const product = hull([i![0] * step![0], i![0] * step![1], i![1] * step![0], i![1] * step![1]]);
    return [product[0] + start![0], product[1] + start![1]];
  },
  "aten::len.t": () => COUNT,
  "aten::len.str": () => COUNT,
  "aten::len.Tensor": () => COUNT,
  "aten::dim": () => COUNT,
  "aten::ord": () => COUNT,
  "aten::Int.bool": () => [0, 1],
  "prim::dtype": () => SMALL,
};
const COUNTS = /^aten::(len\.|size\.int$|numel$)/;

/** Whether all values of an interval are safe integers. */
export function isSafe(interval: Interval): boolean {
  return interval[0] >= Number.MIN_SAFE_INTEGER && interval[1] <= Number.MAX_SAFE_INTEGER;
}

/** What `analyze` finds. */
export interface Facts {
  /** Intervals of registers of type int; others have none. */
  readonly intervals: readonly (Interval | undefined)[];
  /** Registers that only ever hold one constant: the register of that constant. */
  readonly constantOf: ReadonlyMap<number, number>;
}

/** Every write of an instruction list: called with the register and the constant's register or -1. */
function eachWrite(list: readonly Instruction[], visit: (out: number, from: number) => void): void {
  for (const i of list) {
    switch (i.op) {
      case "move":
        visit(i.out, i.arg);
        break;
      case "if":
        eachWrite(i.yes, visit);
        eachWrite(i.no, visit);
        break;
      case "loop":
        visit(i.counter, -1);
        eachWrite(i.body, visit);
        break;
      case "sequence":
        eachWrite(i.steps, visit);
        break;
      default:
        if ("outs" in i) for (const out of i.outs) visit(out, -1);
        else if ("out" in i) visit(i.out, -1);
    }
  }
}

function constants(code: Code): Map<number, number> {
  const sources = new Map<number, number>();
  eachWrite(code.instructions, (out, from) => {
    const source = from >= 0 && code.constants.has(from) ? from : -1;
    const known = sources.get(out);
    const same =
      known === undefined ||
      known === source ||
      (known >= 0 && source >= 0 && code.template[known] === code.template[source]);
    sources.set(out, same ? (known ?? source) : -1);
  });
  for (const [out, source] of sources) if (source < 0 || out < code.numInputs) sources.delete(out);
  return sources;
}

/** Analyzes a function. */
export function analyze(code: Code): Facts {
  const constantOf = constants(code);
  const intervals: (Interval | undefined)[] = code.template.map((value, r) => {
    if (code.constants.has(r)) {
      return typeof value === "number" && Number.isSafeInteger(value) ? [value, value] : undefined;
    }
    return undefined;
  });
  const isInt = (r: number): boolean => code.types[r]?.kind === "Int";
  for (let r = 0; r < code.numInputs; r++) if (isInt(r)) intervals[r] = ALL;
  let changed = false;
  let pass = 0;
  const write = (out: number, interval: Interval): void => {
    if (!isInt(out)) return;
    const known = intervals[out];
    if (known && known[0] <= interval[0] && known[1] >= interval[1]) return;
    changed = true;
    // what still grows after two rounds is carried around a loop
    if (known && pass > 1) intervals[out] = ALL;
    else intervals[out] = known ? [Math.min(known[0], interval[0]), Math.max(known[1], interval[1])] : interval;
  };
  // a register that has not been written yet contributes nothing until it is
  const read = (r: number): Interval | undefined => intervals[r] ?? (isInt(r) ? undefined : ALL);
  const run = (list: readonly Instruction[]): void => {
    for (const i of list) {
      switch (i.op) {
        case "kernel": {
          const rule = RULES[i.key];
          if (i.outs.length === 1 && rule) {
            const args = i.args.map(read);
            if (args.every((a) => a !== undefined)) write(i.outs[0]!, widened(rule(args as Interval[])));
          } else if (i.outs.length === 1 && COUNTS.test(i.key)) write(i.outs[0]!, COUNT);
          else for (const out of i.outs) write(out, ALL);
          break;
        }
        case "move": {
          const from = read(i.arg);
          if (from) write(i.out, from);
          break;
        }
        case "convert": {
          const from = i.convert === saturateInt ? read(i.arg) : ALL;
          if (from) write(i.out, from);
          break;
        }
        case "if":
          run(i.yes);
          run(i.no);
          break;
        case "loop": {
          const max = read(i.max);
          write(i.counter, [0, Math.max(0, Math.min(MAX_ROUNDS, (max?.[1] ?? MAX_ROUNDS) - 1))]);
          run(i.body);
          break;
        }
        default:
          if ("outs" in i) for (const out of i.outs) write(out, ALL);
          else if ("out" in i) write(i.out, ALL);
      }
    }
  };
  do {
    changed = false;
    run(code.instructions);
    pass++;
  } while (changed);
  return { intervals, constantOf };
}

/** Bounds beyond the safe integers say nothing: arithmetic on them has been rounded. */
function widened(interval: Interval): Interval {
  return interval[0] === interval[0] && interval[1] === interval[1] && isSafe(interval) ? interval : ALL;
}
