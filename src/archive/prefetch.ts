/** @file Turns a slow asynchronous source into a synchronous one that holds the needed ranges. Upstream: none. Spec: spec/container.md. */
import { ArchiveError } from "../base/errors.ts";
import type { LimitOverrides } from "../base/limits.ts";
import { type AsyncByteSource, type ByteSource, checkRange, describeSource } from "./byte_source.ts";
import { ArchiveReader } from "./archive_reader.ts";

/** Options of `prefetch`. */
export interface PrefetchOptions {
  /** Which records to fetch, by name without the root folder. Default: all. */
  records?: (name: string, size: number) => boolean;
  /** Overrides of the limits that untrusted input is held to. */
  limits?: LimitOverrides | undefined;
  /** Ranges with fewer bytes than this between them become one request. Default 64 KiB. */
  maxGap?: number;
  /** Requests under way at once. Default 4. */
  parallel?: number;
}

const DEFAULT_GAP = 64 * 1024;
const DEFAULT_PARALLEL = 4;
const MAX_REQUEST = 64 * 1024 * 1024;
const FIRST_TAIL = 68 * 1024; // above what the search for the end record reads: mostly the directory comes with it

/** A range that a sparse source was asked for and does not have. */
class MissingRangeError extends ArchiveError {
  readonly nbytes: number;
  constructor(source: SparseSource, byteOffset: number, nbytes: number) {
    super(
      `Cannot read ${describeSource(source)}: bytes ${byteOffset} to ${byteOffset + nbytes} were not fetched; fetch their record first`,
      {
        file: source.name,
        byteOffset,
      },
    );
    this.nbytes = nbytes;
  }
}

/** A source of which only some ranges are in memory; reading others throws `ArchiveError`. */
export class SparseSource implements ByteSource {
  /** Bytes in all. */
  readonly size: number;
  readonly name?: string;
  private readonly pieces: { start: number; bytes: Uint8Array }[] = []; // sorted, may overlap

  constructor(size: number, name?: string) {
    this.size = size;
    if (name !== undefined) this.name = name;
  }

  /** Adds the bytes at an offset. */
  add(byteOffset: number, bytes: Uint8Array): void {
    let at = this.pieces.length;
    while (at > 0 && this.pieces[at - 1]!.start > byteOffset) at--;
    this.pieces.splice(at, 0, { start: byteOffset, bytes });
  }

  /** The piece that holds a byte and reaches farthest. */
  private pieceAt(byteOffset: number): { start: number; bytes: Uint8Array } | undefined {
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle]!.start <= byteOffset) low = middle + 1;
      else high = middle;
    }
    let best: { start: number; bytes: Uint8Array } | undefined;
    for (let i = low - 1; i >= 0; i--) {
      const piece = this.pieces[i]!;
      if (piece.start + piece.bytes.length > byteOffset) {
        best = piece;
        break;
      }
    }
    return best;
  }

  has(byteOffset: number, nbytes: number): boolean {
    for (let at = byteOffset; at < byteOffset + nbytes;) {
      const piece = this.pieceAt(at);
      if (!piece) return false;
      at = piece.start + piece.bytes.length;
    }
    return true;
  }

  read(byteOffset: number, nbytes: number): Uint8Array {
    checkRange(this, byteOffset, nbytes);
    if (!this.has(byteOffset, nbytes)) throw new MissingRangeError(this, byteOffset, nbytes);
    const piece = nbytes === 0 ? undefined : this.pieceAt(byteOffset);
    if (piece && byteOffset + nbytes <= piece.start + piece.bytes.length) {
      return piece.bytes.subarray(byteOffset - piece.start, byteOffset - piece.start + nbytes);
    }
    const out = new Uint8Array(nbytes);
    this.readInto(out, byteOffset);
    return out;
  }

  readInto(target: Uint8Array, byteOffset: number): void {
    checkRange(this, byteOffset, target.length);
    for (let filled = 0; filled < target.length;) {
      const piece = this.pieceAt(byteOffset + filled);
      if (!piece) throw new MissingRangeError(this, byteOffset + filled, target.length - filled);
      const from = byteOffset + filled - piece.start;
      const part = piece.bytes.subarray(from, from + target.length - filled);
      target.set(part, filled);
      filled += part.length;
    }
  }
}

/**
 * Fetches the directory and the chosen records, neighbouring ones in one request, and returns a synchronous source
 * that serves exactly these ranges. Memory: what was fetched.
 */
export async function prefetch(source: AsyncByteSource, options: PrefetchOptions = {}): Promise<ByteSource> {
  const sparse = new SparseSource(source.size, source.name);
  const tail = Math.min(source.size, FIRST_TAIL);
  if (tail > 0) sparse.add(source.size - tail, await source.read(source.size - tail, tail));
  const headLength = Math.min(16, source.size); // magic numbers of other formats
  if (!sparse.has(0, headLength)) sparse.add(0, await source.read(0, headLength));
  const reader = await openFetching(source, sparse, options.limits);
  const ranges = recordRanges(reader, options.records ?? (() => true));
  await fetchRanges(
    source,
    sparse,
    coalesce(ranges, options.maxGap ?? DEFAULT_GAP),
    options.parallel ?? DEFAULT_PARALLEL,
  );
  return sparse;
}

/** Opens the archive; each range that is missing is fetched and opening starts again. */
async function openFetching(
  source: AsyncByteSource,
  sparse: SparseSource,
  limits: LimitOverrides | undefined,
): Promise<ArchiveReader> {
  const maxAttempts = 8; // tail, zip64 record, directory, and some to spare
  for (let attempt = 0; ; attempt++) {
    try {
      return ArchiveReader.open(sparse, { limits });
    } catch (error) {
      if (!(error instanceof MissingRangeError) || error.byteOffset === undefined || attempt >= maxAttempts)
        throw error;
      sparse.add(error.byteOffset, await source.read(error.byteOffset, error.nbytes));
    }
  }
}

interface Range {
  start: number;
  end: number;
}

/** From each chosen record's local header to the next header: its data lies in between, wherever exactly. */
function recordRanges(reader: ArchiveReader, wanted: (name: string, size: number) => boolean): Range[] {
  const chosen = new Set<number>();
  for (const name of reader.recordNames()) {
    const entry = reader.entry(name);
    if (wanted(name, entry.size)) chosen.add(entry.headerOffset);
  }
  const starts = reader.zip.entries.map((entry) => entry.headerOffset).toSorted((a, b) => a - b);
  const ranges: Range[] = [];
  for (let i = 0; i < starts.length; i++) {
    const start = starts[i]!;
    if (chosen.has(start)) ranges.push({ start, end: starts[i + 1] ?? reader.zip.directory.byteOffset });
  }
  return ranges;
}

function coalesce(ranges: readonly Range[], maxGap: number): Range[] {
  const out: Range[] = [];
  for (const range of ranges) {
    const last = out.at(-1);
    if (last && range.start - last.end <= maxGap && range.end - last.start <= MAX_REQUEST) last.end = range.end;
    else out.push({ ...range });
  }
  return out;
}

async function fetchRanges(
  source: AsyncByteSource,
  sparse: SparseSource,
  ranges: readonly Range[],
  parallel: number,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let range = ranges[next++]; range; range = ranges[next++]) {
      if (sparse.has(range.start, range.end - range.start)) continue;
      for (let at = range.start; at < range.end; at += MAX_REQUEST) {
        const nbytes = Math.min(MAX_REQUEST, range.end - at);
        sparse.add(at, await source.read(at, nbytes));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(parallel, ranges.length)) }, worker));
}
