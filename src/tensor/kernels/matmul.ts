/** @file Batched matrix products of tensors of any dtype. Upstream: aten/src/ATen/native/LinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../../base/errors.ts";
import { contiguousAs, convertTensor } from "../clone.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { emptyTensor, uninitializedTensor, viewOf, type Tensor } from "../tensor.ts";
import { bigintsOf, computeDtype, doublesOf, floatsAs, floatsOf, fromIndices, type Floats } from "./data.ts";
import { wasmBatchedProduct } from "./wasm/batched_product.ts";
import { wasmLinear } from "./wasm/linear.ts";
import { Weights } from "./wasm/packed_weights.ts";
import { bigintProduct, complexRowProduct, denseProduct, rowProductFor, transposedPairs } from "./gemm.ts";

/** The result of `batchedProduct` before it is rounded to the operands' dtype: float32, float64, complex or int64. */
export function wideProduct(a: Tensor, b: Tensor): Tensor {
  const [batch, m, k] = a.sizes as [number, number, number];
  const n = b.sizes[2]!;
  const category = a.dtype.category;
  if (category === "int" || category === "bool") {
    const safe = safeProduct(a, b);
    if (safe) return safe;
    const out = emptyTensor([batch, m, n], DTYPES.int64);
    const x = bigintsOf(a);
    const y = bigintsOf(b);
    const c = out.storage.segment.i64;
    for (let i = 0; i < batch; i++) bigintProduct(x, i * m * k, y, i * k * n, c, out.base0 + i * m * n, m, n, k);
    return out;
  }
  const dtype = computeDtype(a.dtype);
  if (k === 0) return emptyTensor([batch, m, n], dtype);
  const out = uninitializedTensor([batch, m, n], dtype);
  if (out.numel === 0) return out;
  const x = floatsAs(a, dtype);
  if (category === "complex") {
    const y = floatsAs(b, dtype);
    const c = floatsOf(out);
    for (let i = 0; i < batch; i++) {
      complexRowProduct(x, 2 * i * m * k, transposedPairs(y, 2 * i * k * n, k, n), 0, c, 2 * i * m * n, m, n, k);
    }
    return out;
  }
  const c = floatsOf(out);
  const bt = transposedRows(b, dtype);
  const y = bt ?? floatsAs(b, dtype);
  if (x instanceof Float32Array) {
    const [b32, c32] = [y, c] as [Float32Array, Float32Array];
    if (wasmBatchedProduct(x, 0, b32, 0, bt !== undefined, c32, 0, batch, m, n, k)) return out;
  }
  if (bt) {
    const product = rowProductFor(c);
    for (let i = 0; i < batch; i++) product(x, i * m * k, k, bt, i * k * n, k, c, i * m * n, n, m, n, k);
    return out;
  }
  for (let i = 0; i < batch; i++) denseProduct(x, i * m * k, y, i * k * n, c, i * m * n, m, n, k);
  return out;
}

/** The product of integers as doubles, where none of its sums can leave what these hold exactly. */
function safeProduct(a: Tensor, b: Tensor): Tensor | undefined {
  const [batch, m, k] = a.sizes as [number, number, number];
  const n = b.sizes[2]!;
  const x = doublesOf(a);
  const y = doublesOf(b);
  if (!(largestOf(x) * largestOf(y) * k <= Number.MAX_SAFE_INTEGER)) return undefined;
  const out = new Float64Array(batch * m * n);
  for (let i = 0; i < batch; i++) denseProduct(x, i * m * k, y, i * k * n, out, i * m * n, m, n, k);
  return fromIndices(out, [batch, m, n]);
}

function largestOf(values: Float64Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** The rows of b's transpose without copying, where b is a transposed view of a dense tensor. */
function transposedRows(b: Tensor, dtype: DType): Floats | undefined {
  const flipped = viewOf(b, [b.sizes[0]!, b.sizes[2]!, b.sizes[1]!], [b.strides[0]!, b.strides[2]!, b.strides[1]!]);
  return flipped.isContiguous() && !b.isContiguous() ? floatsAs(flipped, dtype) : undefined;
}

/** (B, m, k) by (B, k, n) in the operands' dtype. */
export function batchedProduct(a: Tensor, b: Tensor): Tensor {
  return convertTensor(wideProduct(a, b), a.dtype);
}

/** `x @ weight.T + bias` over rows: x is (rows, k), weight (n, k); float dtypes. Returns (rows, n). */
export function linearProduct(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  const [rows, k] = x.sizes as [number, number];
  const n = weight.sizes[0]!;
  const dtype = computeDtype(x.dtype);
  const out = uninitializedTensor([rows, n], dtype);
  if (dtype === DTYPES.float32 && isPlain(weight) && keptLinear(x, weight, bias, out)) return out;
  if (out.numel > 0) {
    const a = floatsAs(x, dtype);
    const w = floatsAs(weight, dtype);
    const c = floatsOf(out);
    rowProductFor(c)(a, 0, k, w, 0, k, c, 0, n, rows, n, k);
    if (bias) {
      const b = floatsAs(bias, dtype);
      for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < n; j++, at++) c[at] = c[at]! + b[j]!;
    }
  }
  return convertTensor(out, x.dtype);
}

/** Whether the elements of a float32 tensor are where its storage has them, row by row. */
export const isPlain = (t: Tensor): boolean => t.dtype === DTYPES.float32 && t.isContiguous() && !t.isNeg;

/** The product with a weight that is kept packed; false where that does not pay. */
function keptLinear(x: Tensor, weight: Tensor, bias: Tensor | null, out: Tensor): boolean {
  if (out.numel === 0 || x.dtype !== DTYPES.float32) return false;
  const [rows, k] = x.sizes as [number, number];
  const b = bias ? (floatsAs(bias, DTYPES.float32) as Float32Array) : undefined;
  const [a, c] = [floatsAs(x, DTYPES.float32), floatsOf(out)] as [Float32Array, Float32Array];
  return wasmLinear(a, Weights.of(weight), b, c, rows, weight.sizes[0]!, k);
}

/** beta * input + alpha * product, in the product's wide dtype, rounded to the dtype of `input` at the end. */
export function scaledSum(input: Tensor, product: Tensor, beta: number, alpha: number): Tensor {
  if (product.dtype === DTYPES.int64) return scaledIntSum(input, product, beta, alpha);
  const c = floatsOf(product);
  if (beta === 0) {
    if (alpha !== 1) for (let i = 0; i < c.length; i++) c[i] = alpha * c[i]!;
  } else {
    const x = floatsOf(contiguousAs(input, product.dtype));
    for (let i = 0; i < c.length; i++) c[i] = beta * x[i]! + alpha * c[i]!;
  }
  return convertTensor(product, input.dtype);
}

function scaledIntSum(input: Tensor, product: Tensor, beta: number, alpha: number): Tensor {
  const c = product.storage.segment.i64;
  const b = BigInt(Math.trunc(beta));
  const a = BigInt(Math.trunc(alpha));
  const x = b === 0n ? undefined : bigintsOf(input);
  for (let i = 0; i < product.numel; i++) {
    c[product.base0 + i] = a * c[product.base0 + i]! + (x ? b * x[i]! : 0n);
  }
  return convertTensor(product, input.dtype);
}

/** Throws PyTorch's message unless two operands have one dtype. */
export function checkSameDtype(a: Tensor, b: Tensor, text: (a: string, b: string) => string): void {
  if (a.dtype !== b.dtype) throw new OperatorError(text(a.dtype.cppName, b.dtype.cppName));
}

/** C++ name of a dtype as `c10::typeMetaToScalarType` prints it in messages: `float`, `double`, `c10::Half`. */
export function cppScalarName(dtype: DType): string {
  return CPP_NAMES[dtype.name] ?? dtype.name;
}

const CPP_NAMES: Readonly<Record<string, string>> = {
  float32: "float",
  float64: "double",
  float16: "c10::Half",
  bfloat16: "c10::BFloat16",
  int64: "long int",
  int32: "int",
  int16: "short",
  int8: "signed char",
  uint8: "unsigned char",
  bool: "bool",
  complex64: "c10::complex<float>",
  complex128: "c10::complex<double>",
  complex32: "c10::complex<c10::Half>",
};
