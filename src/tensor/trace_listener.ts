/** @file What a running trace wants to know of tensors besides operator calls: sizes that are read, values that leave. Upstream: torch/csrc/jit/frontend/tracer.h (getSizeOf, warn). Spec: none. */
import type { Tensor } from "./tensor.ts";

/** A trace that is told. */
export interface TraceListener {
  /** All sizes were read through `tensor.shape`. */
  readShape(tensor: Tensor): void;
  /** The tensor without dimensions that stands for a size; undefined while nothing is recorded. */
  sizeTensor(tensor: Tensor, dim: number): Tensor | undefined;
  /** The tensor without dimensions that stands for the number of elements. */
  numelTensor(tensor: Tensor): Tensor | undefined;
  /** Elements became JavaScript values; `what` says how, for the warning. */
  readValues(what: string): void;
  /** A tensor was made of numbers by the function `name`. Gives the tensor that the caller gets. */
  madeOfNumbers(tensor: Tensor, name: string): Tensor;
}

let listener: TraceListener | undefined;

/** The listener, if there is one. */
export function traceListener(): TraceListener | undefined {
  return listener;
}

/** Installs a listener; gives back the old one. */
export function setTraceListener(next: TraceListener | undefined): TraceListener | undefined {
  const old = listener;
  listener = next;
  return old;
}
