/** @file Closures of the hottest scalar operators, written out so that no call is left. Upstream: none. Spec: none.
 *
 * Note [Inlined scalars]: these repeat the meaning of kernels in src/ops on registers. Ints take the short way while both are
 * numbers and the result is a safe integer; anything else goes to the kernel. */
import type { Kernel } from "../core/operator_registry.ts";
import type { Frame } from "./instructions.ts";

export type Closure = (frame: Frame) => void;
type Maker = (kernel: (a: unknown, b: unknown) => unknown, a: number, b: number, out: number) => Closure;

const MAX = Number.MAX_SAFE_INTEGER;

// prettier-ignore
const MAKERS: Readonly<Record<string, Maker>> = {
  "aten::add.int": (k, a, b, o) => (f) => {
    const x = f[a], y = f[b];
    if (typeof x === "number" && typeof y === "number") {
      const r = x + y;
      if (r <= MAX && r >= -MAX) { f[o] = r; return; }
    }
    f[o] = k(x, y);
  },
  "aten::sub.int": (k, a, b, o) => (f) => {
    const x = f[a], y = f[b];
    if (typeof x === "number" && typeof y === "number") {
      const r = x - y;
      if (r <= MAX && r >= -MAX) { f[o] = r; return; }
    }
    f[o] = k(x, y);
  },
  "aten::mul.int": (k, a, b, o) => (f) => {
    const x = f[a], y = f[b];
    if (typeof x === "number" && typeof y === "number") {
      const r = x * y;
      // + 0 turns -0 into 0
      if (r <= MAX && r >= -MAX) { f[o] = r + 0; return; }
    }
    f[o] = k(x, y);
  },
  "aten::add.float": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) + (f[b] as number); },
  "aten::sub.float": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) - (f[b] as number); },
  "aten::mul.float": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) * (f[b] as number); },
  // < and > compare numbers with bigints by value
  "aten::lt.int": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) < (f[b] as number); },
  "aten::gt.int": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) > (f[b] as number); },
  "aten::le.int": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) <= (f[b] as number); },
  "aten::ge.int": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) >= (f[b] as number); },
  // ints are normalized: equal ones are identical
  "aten::eq.int": (_k, a, b, o) => (f) => { f[o] = f[a] === f[b]; },
  "aten::ne.int": (_k, a, b, o) => (f) => { f[o] = f[a] !== f[b]; },
  "aten::lt.float": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) < (f[b] as number); },
  "aten::gt.float": (_k, a, b, o) => (f) => { f[o] = (f[a] as number) > (f[b] as number); },
  "aten::eq.str": (_k, a, b, o) => (f) => { f[o] = f[a] === f[b]; },
  "aten::ne.str": (_k, a, b, o) => (f) => { f[o] = f[a] !== f[b]; },
  "aten::__getitem__.t": (k, a, b, o) => (f) => {
    const list = f[a] as unknown[], i = f[b] as number;
    f[o] = i >= 0 && i < list.length ? list[i] : k(list, i);
  },
};

const UNARY: Readonly<Record<string, (a: number, out: number) => Closure>> = {
  "aten::__not__": (a, o) => (f) => {
    f[o] = !f[a];
  },
  "aten::len.t": (a, o) => (f) => {
    f[o] = (f[a] as unknown[]).length;
  },
};

/** The closure of an operator that is written out, or undefined. */
export function scalarClosure(
  key: string,
  kernel: Kernel,
  args: readonly number[],
  outs: readonly number[],
): Closure | undefined {
  if (outs.length !== 1) return undefined;
  if (args.length === 1) return UNARY[key]?.(args[0]!, outs[0]!);
  if (args.length !== 2) return undefined;
  return MAKERS[key]?.(kernel as unknown as (a: unknown, b: unknown) => unknown, args[0]!, args[1]!, outs[0]!);
}
