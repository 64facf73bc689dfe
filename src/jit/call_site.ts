/** @file Where in the user's program a call comes from, and the source text there: ranges of traced nodes, names of traced values, sources of scripted functions. Upstream: torch/csrc/jit/python/python_tracer.cpp (pythonCallstack). Spec: none.
 *
 * Note [Positions]: a stack trace names the file that runs. Where that file was generated (TypeScript compiled to JavaScript)
 * and has a source map, the position is moved to the file that somebody wrote; tools that map stack traces themselves (Node's
 * `--enable-source-maps`, test runners, type stripping) name that file already. */
import { Source } from "../base/source_range.ts";
import { platform, type SourceText } from "./platform.ts";

/** One frame of a stack: a place in a source file as it was written. Line and column are 1-based. */
export interface CallSite {
  /** Name of the function as the engine gives it, e.g. `MyCell.forward`; undefined at the top level and in nameless functions. */
  readonly functionName: string | undefined;
  /** Path or URL. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Whether the frame belongs to this library's own `nn` modules. */
  readonly isLibrary: boolean;
}

const MAX_FRAMES = 200;
const FRAME =
  /^\s*at (?:async )?(?:(.*?) \()?(?:.*? at )?((?:file:\/\/|[a-z]+:\/\/|\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/;

const THIS_FILE = /jit\/call_site\.c?[jt]s$/;

/** What follows the library's folder in the name of the file that this code runs in. */
const AFTER_FOLDER = /(?:(?:jit|late)\/)?[^/]*$/;

/** Where this library's own code is. */
interface OwnCode {
  /** With the slash at their ends: where it runs, which for a bundle is the bundle's folder, and where it was written, as source maps and stack traces name it. */
  readonly folders: readonly string[];
  /** The folder that stack traces name instead of the one where it runs: code that V8 kept compiled (Note [Code cache]) names files as they were then. */
  readonly formerFolder: string | undefined;
  /** Whether it runs as the bundle for Node, which has `nn` in files of its own. */
  readonly isBundle: boolean;
}
let ownCode: OwnCode | undefined;

function findOwnCode(): OwnCode {
  const here = pathOf(import.meta.url);
  const after = AFTER_FOLDER.exec(here)![0];
  const folder = here.slice(0, -after.length);
  const isBundle = after.startsWith("late/");
  for (const line of stackText().split("\n")) {
    const match = FRAME.exec(line);
    if (!match) continue;
    // the innermost frame is in this very file
    const file = pathOf(match[2]!);
    if (file !== here && file.endsWith(`/${after}`))
      return { folders: [folder], formerFolder: file.slice(0, -after.length), isBundle };
    const original = originalPosition(file, Number(match[3]), Number(match[4])).file;
    if (!THIS_FILE.test(original)) break;
    return { folders: [folder, original.replace(THIS_FILE, "")], formerFolder: undefined, isBundle };
  }
  return { folders: [folder], formerFolder: undefined, isBundle };
}

function isOwnFile(file: string): boolean {
  ownCode ??= findOwnCode();
  return ownCode.folders.some((folder) => file.startsWith(folder));
}

/** The file that a frame names, where it is now. */
function fileOfFrame(name: string): string {
  ownCode ??= findOwnCode();
  const file = pathOf(name);
  const { formerFolder, folders } = ownCode;
  return formerFolder !== undefined && file.startsWith(formerFolder)
    ? folders[0]! + file.slice(formerFolder.length)
    : file;
}

/** Files of `nn`. */
const NN = /\/nn\/[^/]*\.c?[jt]s$/;

/** Files of `nn` that only pass calls on. */
const HELPERS = /\/nn\/(aten|module|sizes)\.c?[jt]s$/;

/** A file URL as a path; other names as they are. */
function pathOf(file: string): string {
  if (!file.startsWith("file://")) return file;
  const path = decodeURIComponent(new URL(file).pathname);
  return /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path;
}

const texts = new Map<string, SourceText | null>();

function textOf(file: string): SourceText | undefined {
  let text = texts.get(file);
  if (text === undefined) {
    text = platform().readSource?.(file) ?? null;
    texts.set(file, text);
  }
  return text ?? undefined;
}

const sources = new Map<string, Source | null>();

/** The text of a source file, lines numbered as in the file; undefined where the platform cannot read it. */
export function sourceFile(file: string): Source | undefined {
  let source = sources.get(file);
  if (source === undefined) {
    const text = textOf(file)?.text;
    source = text === undefined ? null : new Source(text, file, 1);
    sources.set(file, source);
  }
  return source ?? undefined;
}

/** Moves a place in a generated file to the file that was written. See Note [Positions]. */
export function originalPosition(
  file: string,
  line: number,
  column: number,
): { readonly file: string; readonly line: number; readonly column: number } {
  const origin = textOf(file)?.originOf?.(line, column);
  if (!origin) return { file, line, column };
  if (origin.text !== undefined && !sources.has(origin.file))
    sources.set(origin.file, new Source(origin.text, origin.file, 1));
  return { file: origin.file, line: origin.line, column: origin.column };
}

interface V8Error {
  stackTraceLimit?: number;
}

/** The raw text of the current stack: V8's, which other engines do not have. */
function stackText(): string {
  const v8 = Error as V8Error;
  const limit = v8.stackTraceLimit;
  if (limit !== undefined) v8.stackTraceLimit = MAX_FRAMES;
  try {
    return new Error().stack ?? "";
  } finally {
    if (limit !== undefined) v8.stackTraceLimit = limit;
  }
}

const parsed = new Map<string, CallSite | null>();

function parseFrame(line: string): CallSite | null {
  const match = FRAME.exec(line);
  if (!match) return null;
  const raw = fileOfFrame(match[2]!);
  // without reading its map, which may be as long as the library
  if (ownCode!.isBundle && isOwnFile(raw) && (!NN.test(raw) || HELPERS.test(raw))) return null;
  const position = originalPosition(raw, Number(match[3]), Number(match[4]));
  const isOwn = isOwnFile(raw) || isOwnFile(position.file);
  if (isOwn && (!NN.test(position.file) || HELPERS.test(position.file))) return null;
  const functionName = match[1] === undefined || match[1] === "Object.<anonymous>" ? undefined : match[1];
  return { functionName, ...position, isLibrary: isOwn };
}

/**
 * The calls that lead here, innermost first. The library's own frames are left out except those of `nn`, which stand for PyTorch's
 * Python modules; engines without V8's stack traces give an empty list.
 */
export function callStack(): CallSite[] {
  const frames: CallSite[] = [];
  for (const line of stackText().split("\n")) {
    // the same lines come again at every operator of a trace
    let frame = parsed.get(line);
    if (frame === undefined) {
      frame = parseFrame(line);
      parsed.set(line, frame);
    }
    if (frame) frames.push(frame);
  }
  return frames;
}

/** The innermost call of the user's own code. */
export function userCallSite(): CallSite | undefined {
  return callStack().find((frame) => !frame.isLibrary);
}
