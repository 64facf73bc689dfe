/** @file float32 linear layers on the WebAssembly kernels: the weight is packed once and kept. Upstream: none. Spec: none. */
import type { Storage } from "../../storage.ts";
import { wasmKernels, type Kernels } from "./build.ts";
import { copyElements32 } from "./copies.ts";
import { packedWeights } from "./packed_weights.ts";
import { copyPadded, packedElements, packLeft, packPanels, runPacked, stagingElements } from "./product.ts";
import { COLUMNS } from "./programs.ts";

/** Rows up to which outputs are dot products. */
const MAX_SKINNY = 4;
/** Multiplications from which keeping the weight pays. */
const MIN_WORK = 1 << 11;
/** Elements of the results that are computed before the bias is added. */
const RESULT_ELEMENTS = 1 << 17;
const MAX_AREA = 1 << 24;

/**
 * out (rows, n) = x (rows, k) times the transpose of w (n, k), plus bias. `owner` is the storage that w views. Returns false where
 * another kernel is to run.
 */
export function wasmLinear(
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  n: number,
  k: number,
  owner: Storage,
): boolean {
  if (n * k < MIN_WORK || rows === 0) return false;
  const kernels = wasmKernels();
  if (!kernels) return false;
  return rows <= MAX_SKINNY
    ? fewRows(kernels, x, w, bias, out, rows, n, k, owner)
    : manyRows(kernels, x, w, bias, out, rows, n, k, owner);
}

function fewRows(
  kernels: Kernels,
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  n: number,
  k: number,
  owner: Storage,
): boolean {
  const { memory } = kernels;
  const padded = Math.ceil(k / 4) * 4;
  const columns = Math.ceil(n / 4) * 4;
  const weights = packedWeights(memory, owner, `dots:${w.byteOffset}:${n}:${k}`, columns * padded, (address) => {
    copyPadded(memory.f32, address / 4, padded, w, 0, k, n, k);
    memory.f32.fill(0, address / 4 + n * padded, address / 4 + columns * padded);
    return true;
  });
  if (weights === 0) return false;
  const areas = memory.arena(rows * padded, columns);
  if (!areas) return false;
  const [xs, ys] = areas as [number, number];
  const { f32 } = memory;
  copyPadded(f32, xs / 4, padded, x, 0, k, rows, k);
  for (let r = 0; r < rows; r++) {
    kernels.dots(xs + 4 * r * padded, weights, 4 * padded, padded, columns, ys);
    const at = r * n;
    const y = ys / 4;
    if (bias) for (let j = 0; j < n; j++) out[at + j] = f32[y + j]! + bias[j]!;
    else copyElements32(out, at, f32, y, n);
  }
  memory.free(xs);
  return true;
}

function manyRows(
  kernels: Kernels,
  x: Float32Array,
  w: Float32Array,
  bias: Float32Array | undefined,
  out: Float32Array,
  rows: number,
  n: number,
  k: number,
  owner: Storage,
): boolean {
  const { memory } = kernels;
  const tiles = Math.ceil(n / COLUMNS);
  const left = packedElements(kernels, rows, k);
  const panelRows = packedElements(kernels, rows, 1);
  const someTiles = Math.max(1, Math.min(tiles, Math.floor(RESULT_ELEMENTS / (panelRows * COLUMNS))));
  if (Math.max(left, tiles * COLUMNS * k, panelRows * someTiles * COLUMNS) > MAX_AREA) return false;
  const weights = packedWeights(memory, owner, `linear:${w.byteOffset}:${n}:${k}`, tiles * COLUMNS * k, (address) => {
    const staging = memory.arena(stagingElements(k));
    if (!staging) return false;
    packPanels(kernels, address, staging[0]!, w, 0, k, n, k, COLUMNS);
    memory.free(staging[0]!);
    return true;
  });
  if (weights === 0) return false;
  const areas = memory.arena(left, stagingElements(k), panelRows * someTiles * COLUMNS, tiles * COLUMNS, n);
  if (!areas) return false;
  const [packed, staging, result, shift, staged] = areas as [number, number, number, number, number];
  const { f32 } = memory;
  packLeft(kernels, packed, staging, x, 0, k, rows, k);
  if (bias) copyElements32(f32, shift / 4, bias, 0, n);
  const address = memory.addressOf(out);
  for (let tile = 0; tile < tiles; tile += someTiles) {
    const some = Math.min(someTiles, tiles - tile);
    const ldc = some * COLUMNS;
    runPacked(kernels, {
      a: packed,
      m: rows,
      k,
      b: weights + 4 * COLUMNS * k * tile,
      tileStride: 4 * COLUMNS * k,
      offsets: 0,
      scratch: 0,
      tiles: some,
      c: result,
      ldc,
    });
    const column = tile * COLUMNS;
    const count = Math.min(ldc, n - column);
    for (let r = 0; r < rows; r++) {
      const to = address === 0 ? staged : address + 4 * (r * n + column);
      const from = result + 4 * r * ldc;
      kernels.finish(to, 0, from, 0, 1, count, bias ? shift + 4 * column : 0, 1, 0, -Infinity, Infinity);
      if (address === 0) copyElements32(out, r * n + column, f32, staged / 4, count);
    }
  }
  memory.free(packed);
  return true;
}
