/** @file Limits that untrusted input is checked against before anything is allocated. Upstream: none. Spec: spec/limits.md. */
import { LimitError } from "./errors.ts";

/** Default limits; every reader takes an override. */
export const LIMITS = {
  /** Entries of one zip directory. */
  maxRecords: 1_000_000,
  /** Bytes of one record that must be in memory as a whole (code, pickles). Storages are bounded by the file. */
  maxRecordBytes: 1 << 30,
  /** Bytes that one deflated record may inflate to, per compressed byte. zlib cannot exceed 1032. */
  maxInflateRatio: 1100,
  /** Nesting of pickled values. */
  maxPickleDepth: 10_000,
  /** Entries of one pickle memo, stack or container. */
  maxPickleItems: 100_000_000,
  /** Nesting of source expressions and statements. */
  maxSourceDepth: 1_000,
  /** Values of one graph while it is compiled: nested subscripts and remainders multiply. */
  maxGraphValues: 1_000_000,
  /** Values of one graph with its calls inlined: functions that call each other twice make 2^depth of them. */
  maxInlinedValues: 1_000_000,
  /** Elements of one tensor. */
  maxNumel: 2 ** 48,
  /** Dimensions of one tensor. */
  maxDim: 1_024,
  /** Nested calls of script functions. */
  maxCallDepth: 2_000,
} as const;

/** Name of a limit. */
export type LimitName = keyof typeof LIMITS;

/** Overrides of `LIMITS`. */
export type LimitOverrides = Partial<Record<LimitName, number>>;

/** Throws `LimitError` when `value` is above the limit. `what` says what was counted. */
export function checkLimit(limit: LimitName, value: number, what: string, overrides?: LimitOverrides): void {
  const max = overrides?.[limit] ?? LIMITS[limit];
  if (value > max) {
    throw new LimitError(limit, value, `Cannot read ${what}: ${value} exceeds the limit ${limit} = ${max}`);
  }
}
