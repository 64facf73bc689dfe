/** @file Statistics of a stored tensor, read from its storage record alone, a piece at a time. Upstream: none. Spec: docs/cli.md. */
import { METHOD, type ArchiveReader } from "../archive/index.ts";
import type { TensorSummary } from "../jit/inspect.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { readElement } from "../tensor/elements.ts";
import { Complex } from "../tensor/scalar.ts";
import { Segment } from "../tensor/storage.ts";

/** What the elements are like; minimum, maximum and mean leave out those that are not finite and are null without any. */
export interface TensorStatistics {
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly zeros: number;
  readonly nonFinite: number;
}

const PIECE_NBYTES = 1 << 22;

class Accumulator {
  private min = Infinity;
  private max = -Infinity;
  private sum = 0;
  private finite = 0;
  private zeros = 0;
  private nonFinite = 0;

  add(value: number): void {
    if (!Number.isFinite(value)) {
      this.nonFinite++;
      return;
    }
    this.finite++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    if (value === 0) this.zeros++;
  }

  result(): TensorStatistics {
    const { finite, zeros, nonFinite } = this;
    return finite === 0
      ? { min: null, max: null, mean: null, zeros, nonFinite }
      : { min: this.min, max: this.max, mean: this.sum / finite, zeros, nonFinite };
  }
}

/** Statistics; null for dtypes that are no numbers and where the record is missing or too short. */
export function tensorStatistics(reader: ArchiveReader, tensor: TensorSummary): TensorStatistics | null {
  const dtype = (DTYPES as Readonly<Record<string, DType>>)[tensor.dtype];
  if (!dtype || dtype.category === "quantized" || dtype.category === "bits" || !reader.has(tensor.record)) return null;
  const accumulator = new Accumulator();
  if (tensor.shape.includes(0)) return accumulator.result();
  const { itemsize } = dtype;
  const last = tensor.shape.reduce((sum, size, d) => sum + (size - 1) * tensor.strides[d]!, tensor.storageOffset);
  if (
    tensor.storageOffset < 0 ||
    tensor.strides.some((s) => s < 0) ||
    tensor.strides.length !== tensor.shape.length ||
    (last + 1) * itemsize > reader.sizeOf(tensor.record)
  )
    return null;
  const numel = tensor.shape.reduce((n, s) => n * s, 1);
  const isDense = last + 1 - tensor.storageOffset === numel && hasDistinctElements(tensor);
  const read = pieceReader(reader, tensor.record);
  // each element once, in whatever order, where the elements fill a range; in logical order elsewhere
  const perPiece = Math.max(1, Math.floor(PIECE_NBYTES / itemsize));
  if (isDense) {
    for (let at = 0; at < numel; at += perPiece) {
      const count = Math.min(perPiece, numel - at);
      const segment = segmentOf(read((tensor.storageOffset + at) * itemsize, count * itemsize));
      for (let i = 0; i < count; i++) accumulator.add(numberOf(dtype, segment, i));
    }
  } else {
    const segment = segmentOf(read(tensor.storageOffset * itemsize, (last + 1 - tensor.storageOffset) * itemsize));
    // an expanded dimension repeats what is there: once tells all but the counts
    forEachIndex(tensor.shape, tensor.strides, (index) => accumulator.add(numberOf(dtype, segment, index)));
  }
  return accumulator.result();
}

/** Strides of a permutation of a contiguous tensor. */
function hasDistinctElements({ shape, strides }: TensorSummary): boolean {
  const dims = shape
    .map((_, d) => d)
    .filter((d) => shape[d] !== 1)
    .sort((a, b) => strides[a]! - strides[b]!);
  let expected = 1;
  for (const d of dims) {
    if (strides[d] !== expected) return false;
    expected *= shape[d]!;
  }
  return true;
}

function pieceReader(reader: ArchiveReader, record: string): (byteOffset: number, nbytes: number) => Uint8Array {
  if (reader.stat(record).method === METHOD.stored)
    return (byteOffset, nbytes) => reader.readSlice(record, byteOffset, nbytes);
  const whole = reader.read(record);
  return (byteOffset, nbytes) => whole.subarray(byteOffset, byteOffset + nbytes);
}

function segmentOf(bytes: Uint8Array): Segment {
  const buffer = new ArrayBuffer(Math.ceil(bytes.length / 8) * 8);
  new Uint8Array(buffer).set(bytes);
  return new Segment(buffer);
}

function numberOf(dtype: DType, segment: Segment, index: number): number {
  const value = readElement(dtype, segment, index);
  return value instanceof Complex ? Math.hypot(value.re, value.im) : Number(value);
}

function forEachIndex(shape: readonly number[], strides: readonly number[], visit: (index: number) => void): void {
  const counter = shape.map(() => 0);
  let index = 0;
  for (;;) {
    visit(index);
    let d = shape.length - 1;
    for (; d >= 0; d--) {
      counter[d]!++;
      index += strides[d]!;
      if (counter[d]! < shape[d]!) break;
      index -= strides[d]! * shape[d]!;
      counter[d] = 0;
    }
    if (d < 0) return;
  }
}
