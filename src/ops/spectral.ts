/** @file Fourier transforms. Upstream: aten/src/ATen/native/SpectralOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { contiguousAs, inStrides, laidOutAs } from "../tensor/clone.ts";
import { fromComplexArrays, toComplexArrays } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { floatsOf, fromDoubles } from "../tensor/kernels/data.ts";
import { resizeDim, transformDim, type ComplexArray } from "../tensor/kernels/fft.ts";
import { gatherDim } from "../tensor/kernels/gather.ts";
import { isFourierLength, wasmFourier, wasmFourierToReal, wasmRealFourier } from "../tensor/kernels/wasm/fourier.ts";
import { MEMORY_FORMAT, stridesLike } from "../tensor/memory_format.ts";
import { contiguousStrides, numelOf, wrapDim } from "../tensor/strides.ts";
import { uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { narrowView, transposeView } from "../tensor/view_geometry.ts";
import { list } from "./convolution.ts";
import { constantPad } from "./padding.ts";
import { complexDtype, realDtype } from "./views.ts";

/** The float or complex dtype in which a transform of `dtype` is done. */
function spectralDtype(dtype: DType): DType {
  if (dtype === DTYPES.float16 || dtype === DTYPES.bfloat16) {
    throw new OperatorError(`Unsupported dtype ${dtype.cppName}`);
  }
  if (dtype.category === "int" || dtype.category === "bool") return DTYPES.float32;
  return dtype;
}

function readComplex(self: Tensor): ComplexArray {
  return { ...toComplexArrays(self), sizes: self.sizes };
}

function scaleOf(norm: string | null, count: number, isForward: boolean): number {
  const mode = norm ?? "backward";
  if (mode === "ortho") return 1 / Math.sqrt(count);
  if (mode !== "forward" && mode !== "backward") throw new OperatorError(`Invalid normalization mode: "${mode}"`);
  return (mode === "forward") === isForward ? 1 / count : 1;
}

function scaleBy(x: ComplexArray, factor: number): void {
  if (factor === 1) return;
  for (let i = 0; i < x.re.length; i++) {
    x.re[i] = x.re[i]! * factor;
    x.im[i] = x.im[i]! * factor;
  }
}

function checkPoints(n: number): void {
  if (n < 1) throw new OperatorError(`Invalid number of data points (${n}) specified`);
}

/** Crops or zero-pads dimensions. */
function resized(self: Tensor, sizes: readonly number[], dims: readonly number[]): Tensor {
  let out = self;
  dims.forEach((d, i) => {
    const [old, size] = [out.sizes[d]!, sizes[i]!];
    if (size < old) out = narrowView(out, d, 0, size);
    else if (size > old) {
      const pad = new Array<number>(2 * (out.ndim - d)).fill(0);
      pad[pad.length - 1] = size - old;
      out = constantPad(out, pad, 0);
    }
  });
  return out;
}

/** Elements before and behind a dimension, one step of it. */
function around(sizes: readonly number[], dim: number): [outer: number, inner: number] {
  return [numelOf(sizes.slice(0, dim)), numelOf(sizes.slice(dim + 1))];
}

/** Transforms the dimensions of a contiguous complex64 tensor to a tensor, which may be the same. Undefined where the reference is to run. */
function fastLines(
  self: Tensor,
  out: Tensor,
  dims: readonly number[],
  sign: -1 | 1,
  scale: number,
): Tensor | undefined {
  for (const [i, d] of dims.entries()) {
    const [outer, inner] = around(self.sizes, d);
    const x = floatsOf(i === 0 ? self : out) as Float32Array;
    const factor = i === dims.length - 1 ? scale : 1;
    if (!wasmFourier(x, floatsOf(out) as Float32Array, outer, self.sizes[d]!, inner, sign, factor)) return undefined;
  }
  return dims.length > 0 ? out : undefined;
}

/** `c2c` of complex64 on the kernels. Undefined where the reference is to run. */
function fastC2c(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  scale: number,
  isForward: boolean,
): Tensor | undefined {
  if (!sizes.every(isFourierLength)) return undefined;
  const x = contiguousAs(resized(self, sizes, dims), DTYPES.complex64);
  return fastLines(x, uninitializedTensor(x.sizes, DTYPES.complex64), dims, isForward ? -1 : 1, scale);
}

/** `r2c` to complex64 on the kernels. Undefined where the reference is to run. */
function fastR2c(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  scale: number,
  isForward: boolean,
): Tensor | undefined {
  const n = sizes.at(-1)!;
  if (n % 2 !== 0 || !sizes.every(isFourierLength)) return undefined;
  const [last, end] = [dims.at(-1)!, self.ndim - 1];
  const x = contiguousAs(transposeView(resized(self, sizes, dims), last, end), DTYPES.float32);
  const half = uninitializedTensor([...x.sizes.slice(0, -1), n / 2 + 1], DTYPES.complex64);
  const others = dims.slice(0, -1);
  const sign = isForward ? -1 : 1;
  const rows = { array: floatsOf(x) as Float32Array, start: 0, step: n };
  const factor = others.length === 0 ? scale : 1;
  if (!wasmRealFourier(rows, floatsOf(half) as Float32Array, 0, x.numel / n, n, sign, factor)) return undefined;
  const out = contiguousAs(transposeView(half, last, end), DTYPES.complex64);
  return others.length === 0 ? out : fastLines(out, out, others, sign, scale);
}

/** `c2r` to float32 on the kernels. Undefined where the reference is to run. */
function fastC2r(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  scale: number,
  isForward: boolean,
): Tensor | undefined {
  const n = sizes.at(-1)!;
  if (n % 2 !== 0 || !sizes.every(isFourierLength)) return undefined;
  const [last, end] = [dims.at(-1)!, self.ndim - 1];
  let x = contiguousAs(resized(self, [...sizes.slice(0, -1), n / 2 + 1], dims), DTYPES.complex64);
  if (dims.length > 1) {
    const out = uninitializedTensor(x.sizes, DTYPES.complex64);
    const done = fastLines(x, out, dims.slice(0, -1), isForward ? -1 : 1, 1);
    if (!done) return undefined;
    x = done;
  }
  // a real result is its own conjugate
  const view = transposeView(x, last, end);
  if (isForward) view.isConj = !view.isConj;
  const half = contiguousAs(view, DTYPES.complex64);
  const out = uninitializedTensor([...half.sizes.slice(0, -1), n], DTYPES.float32);
  const [from, to] = [floatsOf(half), floatsOf(out)] as [Float32Array, Float32Array];
  if (!wasmFourierToReal(from, to, out.numel / n, n, scale)) return undefined;
  return contiguousAs(transposeView(out, last, end), DTYPES.float32);
}

/** How a tensor lies. */
type Layout = Pick<Tensor, "sizes" | "strides">;

/** How an input lies when it comes to the transform: converted to `dtype`, then cropped or padded. */
function inputLayout(self: Tensor, sizes: readonly number[], dims: readonly number[], dtype: DType): Layout {
  const own = [...self.sizes];
  dims.forEach((d, i) => (own[d] = sizes[i]!));
  const isPadded = own.some((size, d) => size > self.sizes[d]!);
  if (isPadded) return { sizes: own, strides: contiguousStrides(own) };
  return { sizes: own, strides: self.dtype === dtype ? self.strides : stridesLike(self, MEMORY_FORMAT.preserve) };
}

/**
 * How MKL's transform of `input` over `dims` lies: batch dimensions by their strides, then those that it transforms, the last of them in the
 * order that is given where it is halved or completed. @param last size of the last of `dims` in the result.
 */
function transformLayout(input: Layout, dims: readonly number[], last?: number): Layout {
  const sizes = [...input.sizes];
  const byStride = (a: number, b: number): number => input.strides[b]! - input.strides[a]!;
  const ordered = (last === undefined ? dims : dims.slice(0, -1)).toSorted(byStride);
  if (last !== undefined) {
    ordered.push(dims.at(-1)!);
    sizes[dims.at(-1)!] = last;
  }
  const batch = sizes.map((_, d) => d).filter((d) => !dims.includes(d));
  const strides = new Array<number>(sizes.length);
  let step = 1;
  for (const d of [...batch.toSorted(byStride), ...ordered].toReversed()) {
    strides[d] = step;
    step *= sizes[d]!;
  }
  return { sizes, strides };
}

/** Complex to complex over `dims`, each resized to `sizes`. */
function c2c(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  norm: string | null,
  isForward: boolean,
): Tensor {
  const out = c2cPlain(self, sizes, dims, norm, isForward);
  const input = inputLayout(self, sizes, dims, out.dtype);
  return dims.length === 0 ? laidOutAs(out, self) : inStrides(out, transformLayout(input, dims).strides);
}

function c2cPlain(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  norm: string | null,
  isForward: boolean,
): Tensor {
  const dtype = complexDtype(spectralDtype(self.dtype));
  const scale = scaleOf(norm, numelOf(sizes), isForward);
  const fast = dtype === DTYPES.complex64 ? fastC2c(self, sizes, dims, scale, isForward) : undefined;
  if (fast) return fast;
  let x = readComplex(self);
  dims.forEach((d, i) => (x = resizeDim(x, d, sizes[i]!)));
  const y: ComplexArray = { re: x.re.slice(), im: x.im.slice(), sizes: x.sizes };
  for (const d of dims) transformDim(y, d, isForward ? -1 : 1);
  scaleBy(y, scale);
  return fromComplexArrays(y.re, y.im, y.sizes, dtype);
}

/** Real to the non-redundant half of a complex result; `dims[last]` is halved. Conjugated for hermitian inverses. */
function r2c(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  norm: string | null,
  isForward: boolean,
  name: string,
): Tensor {
  if (self.dtype.category === "complex")
    throw new OperatorError(
      name === "ihfftn"
        ? `Only supports floating-point dtypes, but found: ${self.dtype.cppName}`
        : `${name} expects a real${name === "rfftn" ? "-valued" : ""} input tensor, but got ${self.dtype.cppName}`,
    );
  const out = r2cPlain(self, sizes, dims, norm, isForward);
  const input = inputLayout(self, sizes, dims, spectralDtype(self.dtype));
  const last = dims.at(-1)!;
  if (name !== "ihfftn") return inStrides(out, transformLayout(input, dims, out.sizes[last]!).strides);
  // hermitian inverses halve the last dimension first and then transform the others
  const half = transformLayout(input, [last], out.sizes[last]!);
  return inStrides(out, (dims.length === 1 ? half : transformLayout(half, dims.slice(0, -1))).strides);
}

function r2cPlain(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  norm: string | null,
  isForward: boolean,
): Tensor {
  const dtype = complexDtype(spectralDtype(self.dtype));
  const scale = scaleOf(norm, numelOf(sizes), isForward);
  const fast = dtype === DTYPES.complex64 ? fastR2c(self, sizes, dims, scale, isForward) : undefined;
  if (fast) return fast;
  let x = readComplex(self);
  dims.forEach((d, i) => (x = resizeDim(x, d, sizes[i]!)));
  const y: ComplexArray = { re: x.re.slice(), im: x.im.slice(), sizes: x.sizes };
  for (const d of dims) transformDim(y, d, isForward ? -1 : 1);
  scaleBy(y, scale);
  const last = dims[dims.length - 1]!;
  const half = resizeDim(y, last, Math.floor(y.sizes[last]! / 2) + 1);
  return fromComplexArrays(half.re, half.im, half.sizes, dtype);
}

/** The half of a hermitian signal to a real result of `sizes`; only `dims[last]` is completed by symmetry. */
function c2r(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  norm: string | null,
  isForward: boolean,
): Tensor {
  const out = c2rPlain(self, sizes, dims, norm, isForward);
  const [last, n] = [dims.at(-1)!, sizes.at(-1)!];
  let input = inputLayout(self, [...sizes.slice(0, -1), Math.floor(n / 2) + 1], dims, complexDtype(out.dtype));
  if (dims.length > 1) input = transformLayout(input, dims.slice(0, -1));
  return inStrides(out, transformLayout(input, [last], n).strides);
}

function c2rPlain(
  self: Tensor,
  sizes: readonly number[],
  dims: readonly number[],
  norm: string | null,
  isForward: boolean,
): Tensor {
  const dtype = realDtype(complexDtype(spectralDtype(self.dtype)));
  const scale = scaleOf(norm, numelOf(sizes), isForward);
  const fast = dtype === DTYPES.float32 ? fastC2r(self, sizes, dims, scale, isForward) : undefined;
  if (fast) return fast;
  let x = readComplex(self);
  const last = dims[dims.length - 1]!;
  const n = sizes[sizes.length - 1]!;
  dims.forEach((d, i) => (x = resizeDim(x, d, d === last ? Math.floor(n / 2) + 1 : sizes[i]!)));
  const y: ComplexArray = { re: x.re.slice(), im: x.im.slice(), sizes: x.sizes };
  const sign = isForward ? -1 : 1;
  for (const d of dims) if (d !== last) transformDim(y, d, sign);
  const full = completeHermitian(y, last, n);
  transformDim(full, last, sign);
  scaleBy(full, scale);
  return fromDoubles(full.re, full.sizes, dtype);
}

function completeHermitian(x: ComplexArray, dim: number, n: number): ComplexArray {
  const half = x.sizes[dim]!;
  let inner = 1;
  for (let d = dim + 1; d < x.sizes.length; d++) inner *= x.sizes[d]!;
  const outer = x.re.length / (half * inner);
  const sizes = [...x.sizes];
  sizes[dim] = n;
  const re = new Float64Array(outer * n * inner);
  const im = new Float64Array(re.length);
  for (let o = 0; o < outer; o++) {
    for (let k = 0; k < n; k++) {
      const isMirror = k > Math.floor(n / 2);
      const from = (o * half + (isMirror ? n - k : k)) * inner;
      const to = (o * n + k) * inner;
      for (let j = 0; j < inner; j++) {
        re[to + j] = x.re[from + j]!;
        // the first value and, for even n, the middle one are real by symmetry
        im[to + j] = k === 0 || 2 * k === n ? 0 : isMirror ? -x.im[from + j]! : x.im[from + j]!;
      }
    }
  }
  return { re, im, sizes };
}

/** A dimension made non-negative; a 0-dim tensor has none. */
function wrapOwnDim(dim: number, ndim: number): number {
  if (ndim === 0) throw new OperatorError(`Dimension specified as ${dim} but tensor has no dimensions`);
  return wrapDim(dim, ndim);
}

function oneDim(self: Tensor, n: number | null, dimIn: number): [number, number] {
  const dim = wrapOwnDim(dimIn, self.ndim);
  const size = n ?? self.sizes[dim] ?? 1;
  checkPoints(size);
  return [dim, size];
}

export const fft_fft = op(
  "aten::fft_fft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor",
  (self, n, dim, norm) => {
    const [d, size] = oneDim(self, n, dim);
    return c2c(self, [size], [d], norm, true);
  },
);
export const fft_ifft = op(
  "aten::fft_ifft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor",
  (self, n, dim, norm) => {
    const [d, size] = oneDim(self, n, dim);
    return c2c(self, [size], [d], norm, false);
  },
);
export const fft_rfft = op(
  "aten::fft_rfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor",
  (self, n, dim, norm) => {
    const [d, size] = oneDim(self, n, dim);
    return r2c(self, [size], [d], norm, true, "rfft");
  },
);
export const fft_irfft = op(
  "aten::fft_irfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor",
  (self, n, dim, norm) => {
    const d = wrapOwnDim(dim, self.ndim);
    const size = n ?? 2 * (self.sizes[d]! - 1);
    checkPoints(size);
    return c2r(self, [size], [d], norm, false);
  },
);
op("aten::fft_hfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", (self, n, dim, norm) => {
  const d = wrapOwnDim(dim, self.ndim);
  const size = n ?? 2 * (self.sizes[d]! - 1);
  checkPoints(size);
  return c2r(self, [size], [d], norm, true);
});
op("aten::fft_ihfft(Tensor self, SymInt? n=None, int dim=-1, str? norm=None) -> Tensor", (self, n, dim, norm) => {
  const [d, size] = oneDim(self, n, dim);
  return r2c(self, [size], [d], norm, false, "ihfft");
});

/** Dimensions and sizes of an n-dimensional transform. `isHalf`: the last input dimension holds half of a signal. */
function manyDims(self: Tensor, sIn: unknown, dimIn: unknown, isHalf = false): [number[], number[]] {
  const s = sIn === null || sIn === undefined ? null : list(sIn);
  let dims: number[];
  if (dimIn !== null && dimIn !== undefined) {
    const given = list(dimIn);
    dims = given.map((d) => wrapOwnDim(d, self.ndim));
    if (new Set(dims).size !== dims.length) throw new OperatorError("FFT dims must be unique");
  } else if (s) {
    if (s.length > self.ndim)
      throw new OperatorError(`Got shape with ${s.length} values but input tensor only has ${self.ndim} dimensions.`);
    dims = s.map((_, i) => self.ndim - s.length + i);
  } else dims = self.sizes.map((_, d) => d);
  if (s && s.length !== dims.length) {
    throw new OperatorError("When given, dim and shape arguments must have the same length");
  }
  const sizes = dims.map((d, i) => {
    const given = s?.[i] ?? -1;
    if (given !== -1) return given;
    return isHalf && i === dims.length - 1 ? 2 * (self.sizes[d]! - 1) : self.sizes[d]!;
  });
  for (const n of sizes) checkPoints(n);
  return [dims, sizes];
}

function needDims(dims: readonly number[], name: string): void {
  if (dims.length === 0) throw new OperatorError(`${name} must transform at least one axis`);
}

function fftn(self: Tensor, s: unknown, dim: unknown, norm: string | null, isForward: boolean): Tensor {
  const [dims, sizes] = manyDims(self, s, dim);
  return c2c(self, sizes, dims, norm, isForward);
}

function rfftn(self: Tensor, s: unknown, dim: unknown, norm: string | null): Tensor {
  const [dims, sizes] = manyDims(self, s, dim);
  needDims(dims, "rfftn");
  return r2c(self, sizes, dims, norm, true, "rfftn");
}

function irfftn(self: Tensor, s: unknown, dim: unknown, norm: string | null): Tensor {
  const [dims, sizes] = manyDims(self, s, dim, true);
  needDims(dims, "irfftn");
  return c2r(self, sizes, dims, norm, false);
}

function hfftn(self: Tensor, s: unknown, dim: unknown, norm: string | null): Tensor {
  const [dims, sizes] = manyDims(self, s, dim, true);
  needDims(dims, "hfftn");
  return c2r(self, sizes, dims, norm, true);
}

function ihfftn(self: Tensor, s: unknown, dim: unknown, norm: string | null): Tensor {
  const [dims, sizes] = manyDims(self, s, dim);
  needDims(dims, "ihfftn");
  return r2c(self, sizes, dims, norm, false, "ihfftn");
}

op(
  "aten::fft_fft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor",
  (self, s, dim, norm) => fftn(self, s, dim, norm as string | null, true),
);
op(
  "aten::fft_ifft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor",
  (self, s, dim, norm) => fftn(self, s, dim, norm as string | null, false),
);
export const fft_fftn = op(
  "aten::fft_fftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor",
  (self, s, dim, norm) => fftn(self, s, dim, norm, true),
);
op(
  "aten::fft_ifftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor",
  (self, s, dim, norm) => fftn(self, s, dim, norm, false),
);
op(
  "aten::fft_rfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor",
  (self, s, dim, norm) => rfftn(self, s, dim, norm as string | null),
);
op(
  "aten::fft_irfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor",
  (self, s, dim, norm) => irfftn(self, s, dim, norm as string | null),
);
op("aten::fft_rfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", rfftn);
op("aten::fft_irfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", irfftn);
op(
  "aten::fft_hfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor",
  (self, s, dim, norm) => hfftn(self, s, dim, norm as string | null),
);
op(
  "aten::fft_ihfft2(Tensor self, SymInt[1]? s=None, int[1] dim=[-2, -1], str? norm=None) -> Tensor",
  (self, s, dim, norm) => ihfftn(self, s, dim, norm as string | null),
);
op("aten::fft_hfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", hfftn);
op("aten::fft_ihfftn(Tensor self, SymInt[1]? s=None, int[1]? dim=None, str? norm=None) -> Tensor", ihfftn);

/** c10's fft_norm_mode numbers as names of the forward direction. */
function numberedScale(mode: number, count: number): number {
  return mode === 0 ? 1 : mode === 1 ? 1 / Math.sqrt(count) : 1 / count;
}

op(
  "aten::_fft_c2c(Tensor self, SymInt[] dim, int normalization, bool forward) -> Tensor",
  (self, dim, mode, forward) => {
    const dims = dim.map((d) => wrapDim(d, self.ndim));
    const sizes = dims.map((d) => self.sizes[d]!);
    const scale = numberedScale(mode, numelOf(sizes));
    const fast = self.dtype === DTYPES.complex64 ? fastC2c(self, sizes, dims, scale, forward) : undefined;
    if (fast) return fast;
    const x = readComplex(self);
    const y: ComplexArray = { re: x.re.slice(), im: x.im.slice(), sizes: x.sizes };
    for (const d of dims) transformDim(y, d, forward ? -1 : 1);
    scaleBy(y, scale);
    return fromComplexArrays(y.re, y.im, y.sizes, self.dtype);
  },
);
op(
  "aten::_fft_r2c(Tensor self, int[] dim, int normalization, bool onesided) -> Tensor",
  (self, dim, mode, onesided) => {
    const dims = dim.map((d) => wrapDim(d, self.ndim));
    const sizes = dims.map((d) => self.sizes[d]!);
    const scale = numberedScale(mode, numelOf(sizes));
    const fast =
      onesided && self.dtype === DTYPES.float32 && dims.length > 0
        ? fastR2c(self, sizes, dims, scale, true)
        : undefined;
    if (fast) return fast;
    const x = readComplex(self);
    const y: ComplexArray = { re: x.re.slice(), im: x.im.slice(), sizes: x.sizes };
    for (const d of dims) transformDim(y, d, -1);
    scaleBy(y, scale);
    const last = dims[dims.length - 1]!;
    const out = onesided ? resizeDim(y, last, Math.floor(y.sizes[last]! / 2) + 1) : y;
    return fromComplexArrays(out.re, out.im, out.sizes, complexDtype(self.dtype));
  },
);
op(
  "aten::_fft_c2r(Tensor self, int[] dim, int normalization, SymInt last_dim_size) -> Tensor",
  (self, dim, mode, size) => {
    const dims = dim.map((d) => wrapDim(d, self.ndim));
    const sizes = dims.map((d, i) => (i === dims.length - 1 ? size : self.sizes[d]!));
    const norm = mode === 0 ? "forward" : mode === 1 ? "ortho" : "backward";
    return c2r(self, sizes, dims, norm, false);
  },
);

function shifted(self: Tensor, dimIn: unknown, by: (n: number) => number): Tensor {
  const dims =
    dimIn === null || dimIn === undefined ? self.sizes.map((_, d) => d) : list(dimIn).map((d) => wrapDim(d, self.ndim));
  let out = self;
  for (const d of dims) {
    const n = self.sizes[d]!;
    const shift = by(n);
    out = gatherDim(
      out,
      d,
      Int32Array.from({ length: n }, (_, i) => (i - shift + n) % n),
    );
  }
  return out;
}

op("aten::fft_fftshift(Tensor self, int[1]? dim=None) -> Tensor", (self, dim) =>
  shifted(self, dim, (n) => Math.floor(n / 2)),
);
op("aten::fft_ifftshift(Tensor self, int[1]? dim=None) -> Tensor", (self, dim) =>
  shifted(self, dim, (n) => Math.floor((n + 1) / 2)),
);
