/** @file Functions of float32 elements that are computed in double precision, on the WebAssembly kernels. Upstream: none. Spec: none. See Note [Wide functions]. */
import { MIN_OWN, ownLoop } from "../../own_loops.ts";
import type { Loop1, Loop2, RowsLoop2 } from "../../pointwise.ts";
import { family, wasmKernels } from "./build.ts";
import { BINARY_STEP } from "./element_programs.ts";
import { mapArrays } from "./elements.ts";
import type { KernelFamily } from "./kernel_modules.ts";
import type { KernelMemory } from "./memory.ts";
import type { UnaryKernel } from "./vector_programs.ts";
import { mapBlocks } from "./vectors.ts";
import {
  ANGLE_PAIRS,
  ANGLE_VECTORS,
  LOGARITHM_VECTORS,
  MODULUS_PAIRS,
  POWER_PAIRS,
  POWER_VECTORS,
  TRIGONOMETRIC_VECTORS,
  type WidePair,
  type WideVector,
} from "./wide_programs.ts";
import { wideTable } from "./wide_table.ts";

/** Elements from which a call pays. */
const MIN_ELEMENTS = 64;

type PairKernel = (
  to: number,
  a: number,
  aStep: number,
  b: number,
  bStep: number,
  pairs: number,
  table: number,
) => void;

/** The module that a function is in. */
const FAMILY_OF = new Map<WideVector | WidePair, KernelFamily>();
for (const [name, members] of [
  ["trigonometry", TRIGONOMETRIC_VECTORS],
  ["angles", [...ANGLE_VECTORS, ...ANGLE_PAIRS]],
  ["logarithms", LOGARITHM_VECTORS],
  ["powers", [...POWER_VECTORS, ...POWER_PAIRS]],
  ["moduli", MODULUS_PAIRS],
] as const)
  for (const member of members) FAMILY_OF.set(member, name);

function kernelOf<K>(name: WideVector | WidePair): K | undefined {
  return family(FAMILY_OF.get(name)!, (exports) => exports as unknown as Record<string, K>)?.[name];
}

const tables = new WeakMap<KernelMemory, number>();

/** Address of the constants, 0 where there is no room. */
export function wideConstants(memory: KernelMemory): number {
  let address = tables.get(memory) ?? 0;
  if (address === 0) {
    const table = wideTable();
    address = memory.allocate(8 * table.length);
    if (address === 0) return 0;
    memory.segment.f64.set(table, address / 8);
    tables.set(memory, address);
  }
  return address;
}

/** The loop of a function of one element: the kernel where it pays, else one of `f`'s own. */
export function wideLoop(name: WideVector, f: (x: number) => number): Loop1 {
  return (out, o, a, ai, n) => {
    const memory = n < MIN_ELEMENTS ? undefined : wasmKernels()?.memory;
    const run = memory && kernelOf<UnaryKernel>(name);
    const table = run ? wideConstants(memory) : 0;
    if (run && table !== 0 && mapBlocks(out, o, a, ai, n, (to, from, count) => run(to, from, count, table))) return;
    const loop = n < MIN_OWN ? undefined : ownLoop(name, f, "f", "f", n, [1]);
    if (loop) loop(f, 1, n, out, o, 0, [a], [ai], [1], [0]);
    else for (let i = 0; i < n; i++) out[o + i] = f(a[ai + i]!);
  };
}

/** The same for a function of two elements. */
export function widePairLoop(name: WidePair, f: (a: number, b: number) => number): Loop2 {
  return (out, o, a, ai, as, b, bi, bs, n) => {
    const memory = n < MIN_ELEMENTS ? undefined : wasmKernels()?.memory;
    const run = memory && kernelOf<PairKernel>(name);
    const table = run ? wideConstants(memory) : 0;
    const whole = n - (n % BINARY_STEP);
    const operands = [
      { array: a, at: ai, step: as },
      { array: b, at: bi, step: bs },
    ];
    const isDone =
      run &&
      table !== 0 &&
      mapArrays(out, o, operands, whole, (to, [x, y], count) =>
        run(to, x!, as === 0 ? 0 : 8, y!, bs === 0 ? 0 : 8, count / 2, table),
      );
    const done = isDone ? whole : 0;
    const rest = n - done;
    const steps = [as, bs];
    const at = [ai + done * as, bi + done * bs] as const;
    const loop = rest < MIN_OWN ? undefined : ownLoop(name, f, "ff", "f", rest, steps);
    if (loop) loop(f, 1, rest, out, o + done, 0, [a, b], at, steps, [0, 0]);
    else for (let k = 0, [i, j] = at; k < rest; k++, i += as, j += bs) out[o + done + k] = f(a[i]!, b[j]!);
  };
}

/** Rows of such a loop: it pays even for short ones. */
export function widePairRows(loop: Loop2): RowsLoop2 {
  return (out, o, a, ai, as, lda, b, bi, bs, ldb, columns, rows) => {
    if (columns < MIN_ELEMENTS || !wasmKernels()) return false;
    for (let r = 0; r < rows; r++) loop(out, o + r * columns, a, ai + r * lda, as, b, bi + r * ldb, bs, columns);
    return true;
  };
}
