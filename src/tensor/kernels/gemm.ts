/** @file Matrix products on contiguous arrays. Upstream: aten/src/ATen/native/LinearAlgebra.cpp. Spec: none.
 *
 * Note [Row dot products]: the right operand always comes transposed, so that every element is a dot product of two contiguous
 * rows; a block of 4 by 4 of them shares its loads. Sums run in double precision, which only ever helps a float32 result.
 * float32 products above a measured size run on the WebAssembly kernels instead (wasm/product.ts), with float32 sums; float64 ones
 * (wasm/doubles.ts) with the same sums in the same order. */
import type { Floats } from "./data.ts";
import { wasmProduct64 } from "./wasm/doubles.ts";
import { wasmProduct } from "./wasm/product.ts";

/** c[i, j] = sum over k of a[i, k] * bt[j, k]; rows start at the given offsets, `lda`, `ldb`, `ldc` elements apart. */
export type RowProduct = (
  a: Floats,
  aAt: number,
  lda: number,
  bt: Floats,
  bAt: number,
  ldb: number,
  c: Floats,
  cAt: number,
  ldc: number,
  m: number,
  n: number,
  k: number,
) => void;

/** Rows of `a` that stay in the cache while `bt` streams by. */
const BLOCK_BYTES = 1 << 18;

// one closure per element type: each keeps its own type feedback, so that neither runs polymorphic code
function makeRowProduct(): RowProduct {
  return (a, aAt, lda, bt, bAt, ldb, c, cAt, ldc, m, n, k) => {
    const rows = Math.max(4, Math.floor(BLOCK_BYTES / (4 * Math.max(k, 1))) & -4);
    for (let i0 = 0; i0 < m; i0 += rows) {
      const i1 = Math.min(i0 + rows, m);
      let j = 0;
      for (; j + 4 <= n; j += 4) {
        const b0 = bAt + j * ldb;
        const b1 = b0 + ldb;
        const b2 = b1 + ldb;
        const b3 = b2 + ldb;
        let i = i0;
        for (; i + 4 <= i1; i += 4) {
          const a0 = aAt + i * lda;
          const a1 = a0 + lda;
          const a2 = a1 + lda;
          const a3 = a2 + lda;
          let s00 = 0,
            s01 = 0,
            s02 = 0,
            s03 = 0;
          let s10 = 0,
            s11 = 0,
            s12 = 0,
            s13 = 0;
          let s20 = 0,
            s21 = 0,
            s22 = 0,
            s23 = 0;
          let s30 = 0,
            s31 = 0,
            s32 = 0,
            s33 = 0;
          for (let p = 0; p < k; p++) {
            const x0 = bt[b0 + p]!,
              x1 = bt[b1 + p]!,
              x2 = bt[b2 + p]!,
              x3 = bt[b3 + p]!;
            let y = a[a0 + p]!;
            s00 += y * x0;
            s01 += y * x1;
            s02 += y * x2;
            s03 += y * x3;
            y = a[a1 + p]!;
            s10 += y * x0;
            s11 += y * x1;
            s12 += y * x2;
            s13 += y * x3;
            y = a[a2 + p]!;
            s20 += y * x0;
            s21 += y * x1;
            s22 += y * x2;
            s23 += y * x3;
            y = a[a3 + p]!;
            s30 += y * x0;
            s31 += y * x1;
            s32 += y * x2;
            s33 += y * x3;
          }
          let o = cAt + i * ldc + j;
          c[o] = s00;
          c[o + 1] = s01;
          c[o + 2] = s02;
          c[o + 3] = s03;
          o += ldc;
          c[o] = s10;
          c[o + 1] = s11;
          c[o + 2] = s12;
          c[o + 3] = s13;
          o += ldc;
          c[o] = s20;
          c[o + 1] = s21;
          c[o + 2] = s22;
          c[o + 3] = s23;
          o += ldc;
          c[o] = s30;
          c[o + 1] = s31;
          c[o + 2] = s32;
          c[o + 3] = s33;
        }
        for (; i < i1; i++) {
          const a0 = aAt + i * lda;
          let s0 = 0,
            s1 = 0,
            s2 = 0,
            s3 = 0;
          for (let p = 0; p < k; p++) {
            const y = a[a0 + p]!;
            s0 += y * bt[b0 + p]!;
            s1 += y * bt[b1 + p]!;
            s2 += y * bt[b2 + p]!;
            s3 += y * bt[b3 + p]!;
          }
          const o = cAt + i * ldc + j;
          c[o] = s0;
          c[o + 1] = s1;
          c[o + 2] = s2;
          c[o + 3] = s3;
        }
      }
      for (; j < n; j++) {
        const b0 = bAt + j * ldb;
        for (let i = i0; i < i1; i++) {
          const a0 = aAt + i * lda;
          let s = 0;
          for (let p = 0; p < k; p++) s += a[a0 + p]! * bt[b0 + p]!;
          c[cAt + i * ldc + j] = s;
        }
      }
    }
  };
}

const referenceF32 = makeRowProduct();
const referenceF64 = makeRowProduct();

const productF32: RowProduct = (a, aAt, lda, bt, bAt, ldb, c, cAt, ldc, m, n, k) => {
  const isF32 = a instanceof Float32Array && bt instanceof Float32Array && c instanceof Float32Array;
  if (isF32 && wasmProduct(a, aAt, lda, bt, bAt, ldb, true, c, cAt, ldc, m, n, k)) return;
  referenceF32(a, aAt, lda, bt, bAt, ldb, c, cAt, ldc, m, n, k);
};

const productF64: RowProduct = (a, aAt, lda, bt, bAt, ldb, c, cAt, ldc, m, n, k) => {
  const isF64 = a instanceof Float64Array && bt instanceof Float64Array && c instanceof Float64Array;
  if (isF64 && wasmProduct64(a, aAt, lda, bt, bAt, ldb, c, cAt, ldc, m, n, k)) return;
  referenceF64(a, aAt, lda, bt, bAt, ldb, c, cAt, ldc, m, n, k);
};

/** The row product for an element type. */
export function rowProductFor(values: Floats): RowProduct {
  return values instanceof Float32Array ? productF32 : productF64;
}

/** c (m, n) = a (m, k) b (k, n), all dense and of one type, from the given offsets on. */
export function denseProduct(
  a: Floats,
  aAt: number,
  b: Floats,
  bAt: number,
  c: Floats,
  cAt: number,
  m: number,
  n: number,
  k: number,
): void {
  const isF32 = a instanceof Float32Array && b instanceof Float32Array && c instanceof Float32Array;
  if (isF32 && wasmProduct(a, aAt, k, b, bAt, n, false, c, cAt, n, m, n, k)) return;
  rowProductFor(c)(a, aAt, k, n === 1 ? b : transposed(b, bAt, k, n), n === 1 ? bAt : 0, k, c, cAt, n, m, n, k);
}

/** Transposes a `rows` by `cols` matrix into a fresh array of the same type. */
export function transposed(source: Floats, at: number, rows: number, cols: number): Floats {
  const out = source instanceof Float32Array ? new Float32Array(rows * cols) : new Float64Array(rows * cols);
  const tile = 32;
  for (let r0 = 0; r0 < rows; r0 += tile) {
    const r1 = Math.min(r0 + tile, rows);
    for (let c0 = 0; c0 < cols; c0 += tile) {
      const c1 = Math.min(c0 + tile, cols);
      for (let r = r0; r < r1; r++) {
        for (let c = c0; c < c1; c++) out[c * rows + r] = source[at + r * cols + c]!;
      }
    }
  }
  return out;
}

/** Complex row product: arrays of (re, im) pairs, leading dimensions in pairs. */
export function complexRowProduct(
  a: Floats,
  aAt: number,
  bt: Floats,
  bAt: number,
  c: Floats,
  cAt: number,
  m: number,
  n: number,
  k: number,
): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let re = 0;
      let im = 0;
      let x = aAt + 2 * i * k;
      let y = bAt + 2 * j * k;
      for (let p = 0; p < k; p++, x += 2, y += 2) {
        const ar = a[x]!,
          ai = a[x + 1]!,
          br = bt[y]!,
          bi = bt[y + 1]!;
        re += ar * br - ai * bi;
        im += ar * bi + ai * br;
      }
      c[cAt + 2 * (i * n + j)] = re;
      c[cAt + 2 * (i * n + j) + 1] = im;
    }
  }
}

/** Transposes a matrix of (re, im) pairs. */
export function transposedPairs(source: Floats, at: number, rows: number, cols: number): Floats {
  const out = source instanceof Float32Array ? new Float32Array(2 * rows * cols) : new Float64Array(2 * rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      out[2 * (c * rows + r)] = source[at + 2 * (r * cols + c)]!;
      out[2 * (c * rows + r) + 1] = source[at + 2 * (r * cols + c) + 1]!;
    }
  }
  return out;
}

/** Integer product that wraps at 64 bits; `b` is not transposed. */
export function bigintProduct(
  a: BigInt64Array,
  aAt: number,
  b: BigInt64Array,
  bAt: number,
  c: BigInt64Array,
  cAt: number,
  m: number,
  n: number,
  k: number,
): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0n;
      for (let p = 0; p < k; p++) sum += a[aAt + i * k + p]! * b[bAt + p * n + j]!;
      c[cAt + i * n + j] = sum; // BigInt64Array wraps
    }
  }
}
