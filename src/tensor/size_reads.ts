/** @file Who listens when sizes of tensors are read: a trace, which records them. Upstream: torch/csrc/jit/frontend/tracer.h (getSizeOf). Spec: none. */
import type { Tensor } from "./tensor.ts";

/** What a trace does with reads of sizes. */
export interface SizeReads {
  /** All sizes were read through `tensor.shape`. */
  readShape(tensor: Tensor): void;
  /** The tensor without dimensions that stands for a size; undefined while nothing is recorded. */
  sizeTensor(tensor: Tensor, dim: number): Tensor | undefined;
  /** The tensor without dimensions that stands for the number of elements. */
  numelTensor(tensor: Tensor): Tensor | undefined;
}

let listener: SizeReads | undefined;

/** The listener, if there is one. */
export function sizeReads(): SizeReads | undefined {
  return listener;
}

/** Installs a listener; gives back the old one. */
export function setSizeReads(next: SizeReads | undefined): SizeReads | undefined {
  const old = listener;
  listener = next;
  return old;
}
