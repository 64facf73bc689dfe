/** @file Where `print` and warnings of running scripts go; replaceable. Upstream: torch/csrc/jit/runtime/print_handler.cpp, c10/util/Exception.h. Spec: none. */

/** A warning as PyTorch gives it to Python's `warnings`. */
export interface ScriptWarning {
  /** The text. */
  readonly message: string;
  /** Category such as `UserWarning`. */
  readonly category: string;
  /** File and 1-based line of the script that warned, where known. */
  readonly filename?: string | undefined;
  /** Line of the source. */
  readonly line?: number | undefined;
}

/** Takes what a model prints. */
export type PrintSink = (text: string) => void;
/** Takes what a model warns of. */
export type WarningSink = (warning: ScriptWarning) => void;

declare const console: { log(text: string): void; warn(text: string): void };

let printSink: PrintSink = (text) => console.log(text.endsWith("\n") ? text.slice(0, -1) : text);
let warningSink: WarningSink = (w) =>
  console.warn(`${w.filename ?? ""}${w.line === undefined ? "" : `:${w.line}: `}${w.category}: ${w.message}`);

/** Replaces the receiver of printed text (each call ends in a newline); gives back the old one. */
export function setPrintSink(sink: PrintSink): PrintSink {
  const old = printSink;
  printSink = sink;
  return old;
}

/** Replaces the receiver of warnings; gives back the old one. */
export function setWarningSink(sink: WarningSink): WarningSink {
  const old = warningSink;
  warningSink = sink;
  return old;
}

/** Receives what a script saves to a file: the IValue and the name. */
export type SaveSink = (value: unknown, filename: string) => void;

// a script that somebody else wrote must not write files
let saveSink: SaveSink = (_value, filename) =>
  emitWarning(`The script asked to save a value to "${filename}": ignored, scripts may not write files (setSaveSink)`);

/** Replaces the receiver of `torch.save` in scripts; gives back the old one. */
export function setSaveSink(sink: SaveSink): SaveSink {
  const old = saveSink;
  saveSink = sink;
  return old;
}

/** Hands a value to the save sink. */
export function emitSave(value: unknown, filename: string): void {
  saveSink(value, filename);
}

/** Prints the text of `prim::Print`. */
export function emitPrint(text: string): void {
  printSink(text);
}

/** Warns, as TORCH_WARN does. */
export function emitWarning(
  message: string,
  where: { category?: string; filename?: string | undefined; line?: number | undefined } = {},
): void {
  warningSink({
    message,
    category: where.category ?? "UserWarning",
    filename: where.filename,
    line: where.line,
  });
}
