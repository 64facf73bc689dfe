/** @file Where the source of a JavaScript function is written: the file of the caller, files it imports, else the text that the engine keeps. Upstream: torch/_sources.py. Spec: docs/scripting.md.
 *
 * Note [Source as written]: the engine keeps the text of the function that runs, which a tool may have made from TypeScript. A
 * function of the same name in a source file counts as its source only where both are the same code up to types, so that what
 * is compiled is always what runs; it has the types and the lines that somebody wrote. */
import { Source } from "../../base/source_range.ts";
import { ScriptError } from "../../base/errors.ts";
import {
  SourceFile,
  fieldTypeOfClass,
  methodOfClass,
  parseClassText,
  parseFunctionText,
  sameFunction,
  type ClassNode,
  type FunctionSource,
} from "../../frontend/javascript/index.ts";
import { sourceFile, userCallSite } from "../call_site.ts";

/** A function and the file that it was found in. */
export interface LocatedFunction extends FunctionSource {
  readonly file: SourceFile | undefined;
}

const files = new Map<Source, SourceFile | null>();

/** The parsed file of a source; undefined where it is no JavaScript. */
function parsedFile(source: Source): SourceFile | undefined {
  let file = files.get(source);
  if (file === undefined) {
    try {
      file = new SourceFile(source);
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      file = null;
    }
    files.set(source, file);
  }
  return file ?? undefined;
}

/** A source file by path. */
export function fileAt(path: string): SourceFile | undefined {
  const source = sourceFile(path);
  return source && parsedFile(source);
}

/** The file that a relative import of another one means. */
export function importedFile(from: SourceFile, specifier: string): SourceFile | undefined {
  const { filename } = from.source;
  if (!specifier.startsWith(".") || filename === undefined) return undefined;
  const parts = filename.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const path = parts.join("/");
  const candidates = [path, path.replace(/\.m?js$/, ".ts"), path.replace(/\.mjs$/, ".mts"), `${path}.ts`, `${path}.js`];
  for (const candidate of candidates) {
    const file = /\.\w+$/.test(candidate) ? fileAt(candidate) : undefined;
    if (file) return file;
  }
  return undefined;
}

let session: readonly SourceFile[] = [];

/** Runs `body` with the files to look for sources in: those given, that of the caller, and what they import. */
export function withSources<R>(given: readonly Source[], body: () => R): R {
  const before = session;
  const site = userCallSite();
  const caller = site && fileAt(site.file);
  const own = given.map((source) => new SourceFile(source));
  const direct = caller ? [...own, caller] : own;
  const imported = new Set<SourceFile>();
  for (const file of direct)
    for (const declaration of file.declarations.values()) {
      const other = declaration.kind === "import" ? importedFile(file, declaration.from) : undefined;
      if (other) imported.add(other);
    }
  session = [...new Set([...direct, ...imported, ...before])];
  try {
    return body();
  } finally {
    session = before;
  }
}

/** The source of a function; `text` is what the engine keeps of it. */
export function locateFunction(fn: (...args: never[]) => unknown): LocatedFunction {
  const text = Function.prototype.toString.call(fn);
  const own = parseFunctionText(text, new Source(text, `<${fn.name || "anonymous"}>`, 1), 0);
  for (const file of session)
    for (const node of file.functions.get(fn.name) ?? [])
      if (sameFunction(node, own.node)) return { node, source: file.source, offset: 0, file };
  for (const file of session) {
    const at = file.source.text.indexOf(text);
    if (at >= 0) return { ...parseFunctionText(text, file.source, at), file };
  }
  return { ...own, file: session[0] };
}

interface ClassText {
  readonly node: ClassNode;
  readonly source: Source;
  readonly offset: number;
}
const classTexts = new WeakMap<object, ClassText | null>();

/** The class as the engine keeps it. */
function classText(cls: object & { readonly name: string }): ClassText | undefined {
  let text = classTexts.get(cls);
  if (text === undefined) {
    const written = Function.prototype.toString.call(cls);
    const source = new Source(written, `<${cls.name}>`, 1);
    try {
      const parsed = parseClassText(written, source, 0);
      text = parsed ? { ...parsed, source } : null;
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      text = null;
    }
    classTexts.set(cls, text);
  }
  return text ?? undefined;
}

/** The source of a method that a class itself defines, or of the arrow function in one of its fields. */
export function locateMethod(
  cls: { readonly name: string; readonly prototype: object },
  name: string,
): LocatedFunction | undefined {
  const text = classText(cls);
  let own: FunctionSource | undefined;
  const node = text && methodOfClass(text.node, name);
  if (node) own = { node, source: text.source, offset: text.offset };
  else if (Object.hasOwn(cls.prototype, name)) {
    const method = (cls.prototype as Record<string, unknown>)[name];
    if (typeof method !== "function") return undefined;
    const written = Function.prototype.toString.call(method);
    own = parseFunctionText(written, new Source(written, `<${cls.name}.${name}>`, 1), 0);
  }
  if (!own) return undefined;
  for (const file of session) {
    for (const candidate of file.classes.get(cls.name) ?? []) {
      const found = methodOfClass(candidate, name);
      if (found && sameFunction(found, own.node)) return { node: found, source: file.source, offset: 0, file };
    }
  }
  return { ...own, file: session[0] };
}

/** What the source of a class says of the type of a field, as TorchScript text. */
export function fieldType(cls: object & { readonly name: string }, name: string): string | undefined {
  const own = classText(cls);
  for (const file of session) {
    for (const node of file.classes.get(cls.name) ?? []) {
      const found = fieldTypeOfClass(node, name, (part) => file.source.text.slice(part.start!, part.end!));
      if (found !== undefined) return found;
    }
  }
  return own && fieldTypeOfClass(own.node, name, () => "");
}
