/** @file How modules call operators, and the small conversions that their arguments need. Upstream: none. Spec: none. */
import { pythonFloat } from "../base/float_text.ts";
import { getDefaultDtype } from "../tensor/promotion.ts";
import { boxFloat, type Float } from "../tensor/scalar.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import type { DType } from "../tensor/dtype.ts";
import { checkSizes } from "../ops/creation.ts";
import { callByName } from "../torch/eager_call.ts";
import { Parameter } from "./parameter.ts";

/** Calls `aten::NAME`, whose result is one tensor. */
export function aten(name: string, ...args: unknown[]): Tensor {
  return callByName(name, args) as Tensor;
}

/** Calls `aten::NAME` or its in-place form. */
export function atenInplace(name: string, inplace: boolean, ...args: unknown[]): Tensor {
  return callByName(inplace ? `${name}_` : name, args) as Tensor;
}

/** Calls `aten::NAME`, whose result is several tensors. */
export function atenMany(name: string, ...args: unknown[]): Tensor[] {
  return callByName(name, args) as Tensor[];
}

/** A number for a `Scalar` argument that is a float in PyTorch even where it is whole. */
export function float(value: number): number | Float {
  return boxFloat(value);
}

/** One number for every dimension, or one for each. */
export type Size = number | readonly number[];

/** A number for each of `n` dimensions. */
export function repeatSize(value: Size, n: number): readonly number[] {
  return typeof value === "number" ? new Array<number>(n).fill(value) : value;
}

/** What every layer with parameters takes: their dtype. */
export interface FactoryOptions {
  /** The default dtype where left out. */
  readonly dtype?: DType;
}

/** A parameter whose elements are not set yet. @throws OperatorError for sizes below 0. */
export function emptyParameter(sizes: readonly number[], options: FactoryOptions): Parameter {
  checkSizes(sizes);
  return new Parameter(emptyTensor(sizes, options.dtype ?? getDefaultDtype()));
}

/** `(3, 3)`, `(3,)`: a tuple as Python prints it. */
export function tupleText(values: readonly unknown[]): string {
  const items = values.map(valueText);
  return items.length === 1 ? `(${items[0]!},)` : `(${items.join(", ")})`;
}

/** A value as Python's `str` prints it; numbers as they are written, so that 1 is an int. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : pythonFloat(value);
  if (Array.isArray(value)) return tupleText(value);
  return String(value);
}

/** A number or tuple of sizes as given. */
export function sizeText(value: Size | null): string {
  return valueText(value);
}

/** A float as Python prints it: `1.0`, `1e-05`. */
export function floatText(value: number): string {
  return pythonFloat(value);
}

/** `a=1, b=(2,)`: the common form of extraRepr. */
export function pairsText(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, text]) => `${name}=${text}`)
    .join(", ");
}
