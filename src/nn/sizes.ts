/** @file Sizes as PyTorch's Python code reads and compares them: numbers, and tensors of the trace while one runs. Upstream: none. Spec: none.
 *
 * Note [Sizes under trace]: in Python a size is a tensor while a trace runs, so that what is computed from it is part of the trace.
 * The functions of `nn` do as PyTorch's do: they read and compare sizes in the same places, so that graphs are numbered alike. */
import { contiguousData } from "../tensor/data.ts";
import { traceListener } from "../tensor/trace_listener.ts";
import { Tensor } from "../tensor/tensor.ts";
import { aten } from "./aten.ts";

/** A size or what was computed from sizes. */
export type Dim = number | Tensor;

/** The number of a size. */
export function dimNumber(dim: Dim): number {
  return typeof dim === "number" ? dim : Number(contiguousData(dim)[0]);
}

/** `tensor.size(dim)`. */
export function sizeOf(tensor: Tensor, dim: number): Dim {
  return traceListener()?.sizeTensor(tensor, dim) ?? tensor.sizes[dim < 0 ? dim + tensor.ndim : dim]!;
}

/** `tensor.size()`. */
export function sizesOf(tensor: Tensor): readonly Dim[] {
  const reads = traceListener();
  return reads ? tensor.sizes.map((size, dim) => reads.sizeTensor(tensor, dim) ?? size) : tensor.sizes;
}

/** `a == b`. */
export function dimEquals(a: Dim, b: Dim): boolean {
  if (a === b) return true;
  if (a instanceof Tensor) return contiguousData(aten("eq", a, b))[0] !== 0;
  return b instanceof Tensor && contiguousData(aten("eq", b, a))[0] !== 0;
}

/** `a != b`. */
export function dimDiffers(a: Dim, b: Dim): boolean {
  if (a instanceof Tensor) return contiguousData(aten("ne", a, b))[0] !== 0;
  if (b instanceof Tensor) return contiguousData(aten("ne", b, a))[0] !== 0;
  return a !== b;
}

/** `a == b` of two lists of sizes: item by item up to the first that differs. */
export function sizesEqual(a: readonly Dim[], b: readonly Dim[]): boolean {
  for (let i = 0; i < a.length && i < b.length; i++) if (!dimEquals(a[i]!, b[i]!)) return false;
  return a.length === b.length;
}

/** `a * b`. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (a instanceof Tensor) return aten("mul", a, b);
  return b instanceof Tensor ? aten("mul", b, a) : a * b;
}

/** `a *= b`. */
export function multiplyInto(a: Dim, b: Dim): Dim {
  return a instanceof Tensor ? aten("mul_", a, b) : multiplyDims(a, b);
}

/** `tensor.numel()`. */
export function numelOf(tensor: Tensor): Dim {
  return traceListener()?.numelTensor(tensor) ?? tensor.numel;
}

/** `a // b`. */
export function divideDims(a: Dim, b: Dim): Dim {
  return a instanceof Tensor || b instanceof Tensor ? aten("floor_divide", a, b) : Math.floor(a / b);
}

/** `a // b`, or `a.div(b, rounding_mode="trunc")` of a size in a trace. */
export function truncateDims(a: Dim, b: number): Dim {
  return a instanceof Tensor ? aten("div", a, b, { rounding_mode: "trunc" }) : Math.floor(a / b);
}

/** `a + b`. */
export function addDims(a: Dim, b: Dim): Dim {
  if (a instanceof Tensor) return aten("add", a, b);
  return b instanceof Tensor ? aten("add", b, a) : a + b;
}
