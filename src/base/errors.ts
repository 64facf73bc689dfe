/** @file Error classes: one root, one class per audience and layer. Upstream: none. Spec: none. */
import type { SourceRange } from "./source_range.ts";

/** Root of every error that tsarchive throws about a file, a script or a limit. */
export class TorchScriptError extends Error {
  override name = "TorchScriptError";
}

/** A container (zip, records, versions, storages) that cannot be read or written. */
export class ArchiveError extends TorchScriptError {
  override name = "ArchiveError";
  /** Name of the file, where it has one. */
  readonly file: string | undefined;
  /** Name of the record. */
  readonly record: string | undefined;
  /** Where in the file. */
  readonly byteOffset: number | undefined;
  constructor(
    message: string,
    where: {
      file?: string | undefined;
      record?: string | undefined;
      byteOffset?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, where.cause === undefined ? undefined : { cause: where.cause });
    this.file = where.file;
    this.record = where.record;
    this.byteOffset = where.byteOffset;
  }
}

/** A pickle record that breaks the protocol or names something that is not allowed. */
export class PickleError extends TorchScriptError {
  override name = "PickleError";
  /** Name of the record. */
  readonly record: string | undefined;
  /** Where in the pickle. */
  readonly byteOffset: number | undefined;
  /** The opcode's byte. */
  readonly opcode: number | undefined;
  constructor(
    message: string,
    where: {
      record?: string | undefined;
      byteOffset?: number | undefined;
      opcode?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, where.cause === undefined ? undefined : { cause: where.cause });
    this.record = where.record;
    this.byteOffset = where.byteOffset;
    this.opcode = where.opcode;
  }
}

/** Source text that cannot be parsed, typed or compiled; the message ends in a caret excerpt. */
export class ScriptError extends TorchScriptError {
  override name = "ScriptError";
  /** Where in the source text. */
  readonly range: SourceRange | undefined;
  /** The message without the excerpt. */
  readonly reason: string;
  constructor(reason: string, range?: SourceRange, options?: ErrorOptions) {
    super(range ? `${reason}:\n${range.excerpt()}` : reason, options);
    this.reason = reason;
    this.range = range;
  }
}

/** An operator that refuses its arguments: PyTorch's own message where it has one. */
export class OperatorError extends TorchScriptError {
  override name = "OperatorError";
}

/**
 * An exception raised while a graph runs. `message` is PyTorch's text with the TorchScript traceback;
 * `reason` is the last line's message; `pythonType` the class that Python would see.
 */
export class ScriptRuntimeError extends TorchScriptError {
  override name = "ScriptRuntimeError";
  /** The message alone, without the traceback. */
  readonly reason: string;
  /** The class of the exception in Python. */
  readonly pythonType: string;
  constructor(message: string, reason: string, pythonType = "RuntimeError", options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
    this.pythonType = pythonType;
  }
}

/** Something that PyTorch has and tsarchive does not. `feature` names it; the message shows its place in the source, where it has one. */
export class UnsupportedError extends TorchScriptError {
  override name = "UnsupportedError";
  /** What is not supported. */
  readonly feature: string;
  /** Where a script asks for it. */
  readonly range: SourceRange | undefined;
  constructor(feature: string, message: string, range?: SourceRange) {
    super(range ? `${message}:\n${range.highlight()}` : message);
    this.feature = feature;
    this.range = range;
  }
}

/** A value above a limit of `LIMITS`, found before anything was allocated for it. */
export class LimitError extends TorchScriptError {
  override name = "LimitError";
  /** Name of the limit. */
  readonly limit: string;
  /** What was found. */
  readonly value: number;
  constructor(limit: string, value: number, message: string) {
    super(message);
    this.limit = limit;
    this.value = value;
  }
}

/**
 * Throws when an invariant of this library is broken; never reachable from the bytes of a file. Where it is asked often and the message is
 * put together, `if (!condition) internalAssert(false, message)` saves putting it together.
 */
export function internalAssert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}

/** Marks an unreachable branch of an exhaustive switch. */
export function assertNever(value: never): never {
  throw new Error(`internal: unexpected value ${String(value)}`);
}
