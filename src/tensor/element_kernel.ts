/** @file What pointwise kernels are: functions of one to three elements, and their loops over float32. Upstream: aten/src/ATen/native/cpu/Loops.h. Spec: none. */
import type { IntegerUnary } from "./integer_maps.ts";
import type { IntegerMap } from "./kernels/wasm/integer_maps.ts";

/** float32 loop over one input: `out[o + i] = f(a[ai + i])`. */
export type Loop1 = (out: Float32Array, o: number, a: Float32Array, ai: number, n: number) => void;
/** float32 loop over two inputs, `as` and `bs` elements apart; comparisons write bytes. */
export type Loop2 = (
  out: Float32Array | Uint8Array,
  o: number,
  a: Float32Array,
  ai: number,
  as: number,
  b: Float32Array,
  bi: number,
  bs: number,
  n: number,
) => void;

/** float32 loop over three inputs from `at` on, `steps` elements apart. */
export type Loop3 = (
  out: Float32Array,
  o: number,
  x: readonly Float32Array[],
  at: readonly number[],
  steps: readonly number[],
  n: number,
) => void;

/** The same of float64, of any number of inputs. Returns false where another loop is to run. */
export type Loop64 = (
  out: Float64Array,
  o: number,
  x: readonly Float64Array[],
  at: readonly number[],
  steps: readonly number[],
  n: number,
) => boolean;

/**
 * The same for `rows` rows of `n` elements, those of `a` and `b` so many elements apart as `al` and `bl` say, those of `out` one behind
 * the other. Returns false where row after row is to run.
 */
export type RowsLoop2 = (
  out: Float32Array | Uint8Array,
  o: number,
  a: Float32Array,
  ai: number,
  as: number,
  al: number,
  b: Float32Array,
  bi: number,
  bs: number,
  bl: number,
  n: number,
  rows: number,
) => boolean;

/** A function of one element, for every kind of number that it is defined on. */
export interface Kernel1 {
  /** PyTorch's kernel name in "not implemented for" messages. */
  readonly name: string;
  readonly real?: (x: number) => number;
  /** The same for results of at most float32, about 2^-36 exact, where that is faster. */
  readonly single?: (x: number) => number;
  readonly big?: (x: bigint) => bigint;
  /** Leaves the result in `C`. */
  readonly complex?: (re: number, im: number) => void;
  readonly f32?: Loop1;
  readonly f64?: Loop64;
  /** The same function of integers with vector instructions. */
  readonly integers?: IntegerUnary;
}

/** A function of two elements. */
export interface Kernel2 {
  readonly name: string;
  readonly real?: (a: number, b: number) => number;
  readonly single?: (a: number, b: number) => number;
  readonly big?: (a: bigint, b: bigint) => bigint;
  readonly complex?: (ar: number, ai: number, br: number, bi: number) => void;
  readonly f32?: Loop2;
  readonly f64?: Loop64;
  readonly rows?: RowsLoop2;
  /** The same function of integers with vector instructions. */
  readonly integers?: IntegerMap;
}

/** A function of three elements. */
export interface Kernel3 {
  readonly name: string;
  readonly real?: (a: number, b: number, c: number) => number;
  readonly single?: (a: number, b: number, c: number) => number;
  readonly big?: (a: bigint, b: bigint, c: bigint) => bigint;
  readonly complex?: (ar: number, ai: number, br: number, bi: number, cr: number, ci: number) => void;
  readonly f32?: Loop3;
  readonly f64?: Loop64;
}
