/** @file Checks and batch arithmetic that the linear algebra operators share. Upstream: aten/src/ATen/native/LinearAlgebraUtils.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { fromIndices } from "../tensor/kernels/data.ts";
import { convertTensor } from "../tensor/clone.ts";
import { loadMatrices, type Matrix } from "../tensor/kernels/matrices.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { broadcastShapes } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { expandView } from "../tensor/view_geometry.ts";

/** Refuses tensors that are not (batches of) matrices. */
export function checkMatrix(a: Tensor, name: string, argument = "A"): void {
  if (a.ndim < 2) throw new OperatorError(`${name}: The input tensor ${argument} must have at least 2 dimensions.`);
}

/** Refuses tensors that are not (batches of) square matrices. */
export function checkSquare(a: Tensor, name: string, argument = "A"): void {
  checkMatrix(a, name, argument);
  const [m, n] = a.sizes.slice(-2);
  if (m !== n)
    throw new OperatorError(
      `${name}: ${argument} must be batches of square matrices, but they are ${m} by ${n} matrices`,
    );
}

/** Refuses integers, and half types where the operator has no kernel for them. */
export function checkFloat(a: Tensor, name: string, kernel?: string): void {
  const { category, itemsize } = a.dtype;
  if (category !== "float" && category !== "complex") {
    throw new OperatorError(`${name}: Expected a floating point or complex tensor as input. Got ${a.dtype.cppName}`);
  }
  const isLow = category === "float" ? itemsize < 4 : itemsize < 8;
  if (!isLow) return;
  if (kernel && a.numel === 0) return; // which asks no kernel
  if (kernel) throw notImplemented(kernel, a.dtype);
  throw new OperatorError(`${name}: Low precision dtypes not supported. Got ${a.dtype.cppName}`);
}

/** Refuses what LAPACK has no routine for, with the text of a kernel that dispatches on the dtype. */
export function checkKernelDtype(a: Tensor, kernel: string): void {
  const ok =
    a.dtype === DTYPES.float32 ||
    a.dtype === DTYPES.float64 ||
    a.dtype === DTYPES.complex64 ||
    a.dtype === DTYPES.complex128;
  if (!ok) throw notImplemented(kernel, a.dtype);
}

/** The batch dimensions of a tensor of matrices. */
export function batchOf(t: Tensor): number[] {
  return t.sizes.slice(0, -2);
}

/** Number of matrices of a batch shape. */
export function countOf(batch: readonly number[]): number {
  return batch.reduce((a, b) => a * b, 1);
}

/** For every matrix of the broadcast batch, the index of its source in `batch`. */
export function batchIndices(batch: readonly number[], broadcast: readonly number[]): number[] {
  const lead = broadcast.length - batch.length;
  const strides = new Array<number>(broadcast.length).fill(0);
  let stride = 1;
  for (let d = batch.length - 1; d >= 0; d--) {
    strides[d + lead] = batch[d] === 1 ? 0 : stride;
    stride *= batch[d]!;
  }
  const count = countOf(broadcast);
  const out = new Array<number>(count);
  for (let k = 0; k < count; k++) {
    let rest = k;
    let at = 0;
    for (let d = broadcast.length - 1; d >= 0; d--) {
      at += (rest % broadcast[d]!) * strides[d]!;
      rest = Math.floor(rest / broadcast[d]!);
    }
    out[k] = at;
  }
  return out;
}

/** The matrices of two operands after their batches are broadcast against each other. */
export function broadcastPair(a: Tensor, b: Tensor): { batch: number[]; a: Matrix[]; b: Matrix[] } {
  const batch = broadcastShapes(batchOf(a), batchOf(b));
  return { batch, a: loadBroadcast(a, batch), b: loadBroadcast(b, batch) };
}

/** The matrices of `t` repeated over a broadcast batch. */
export function loadBroadcast(t: Tensor, batch: readonly number[]): Matrix[] {
  return loadMatrices(expandView(t, [...batch, ...t.sizes.slice(-2)], t.dtype.cppName));
}

/** An int32 tensor, e.g. of pivots or infos. */
export function int32Tensor(values: readonly number[], sizes: readonly number[]): Tensor {
  return convertTensor(fromIndices(values, sizes), DTYPES.int32);
}

/** Throws what PyTorch throws where LAPACK's info says that a matrix was not fit. */
export function checkInfos(
  infos: readonly number[],
  name: string,
  isMatrix: boolean,
  text: (info: number) => string,
): void {
  const bad = infos.findIndex((info) => info !== 0);
  if (bad < 0) return;
  throw new OperatorError(`${name}: ${isMatrix ? "" : `(Batch element ${bad}): `}${text(infos[bad]!)}`);
}

/** The dtype of moduli, norms and eigenvalues of Hermitian matrices. */
export function realOf(dtype: DType): DType {
  if (dtype === DTYPES.complex64) return DTYPES.float32;
  if (dtype === DTYPES.complex128) return DTYPES.float64;
  return dtype === DTYPES.complex32 ? DTYPES.float16 : dtype;
}

/** The complex dtype of a float dtype. */
export function complexOf(dtype: DType): DType {
  return dtype === DTYPES.float64 || dtype === DTYPES.complex128 ? DTYPES.complex128 : DTYPES.complex64;
}
