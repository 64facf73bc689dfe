/** @file Source files of the running program with their source maps: what `jit.trace` and `jit.script` point at. Upstream: none. Spec: none. */
import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { SourcePosition, SourceText } from "../index.ts";

const MAP_COMMENT = /^\/\/[#@] sourceMappingURL=(\S+)\s*$/gm;
const INLINE_MAP = /^data:application\/json[^,]*?(;base64)?,(.*)$/s;

function pathOf(file: string): string {
  return file.startsWith("file:") ? fileURLToPath(file) : file;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // code of Node itself, of a bundle that was moved, of eval
  }
}

/** The map that the last comment of a file points at. */
function mapPayload(text: string, folder: string): SourceMapPayload | undefined {
  const url = [...text.matchAll(MAP_COMMENT)].at(-1)?.[1];
  if (url === undefined) return undefined;
  const inline = INLINE_MAP.exec(url);
  const json = inline
    ? inline[1] === undefined
      ? decodeURIComponent(inline[2]!)
      : Buffer.from(inline[2]!, "base64").toString("utf8")
    : readText(resolve(folder, decodeURIComponent(url)));
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json) as SourceMapPayload;
  } catch {
    return undefined; // a map that cannot be read is no reason to stop a trace
  }
}

/** Text of a source file by path or file URL; undefined where it cannot be read. */
export function readSourceText(file: string): SourceText | undefined {
  let path: string;
  try {
    path = pathOf(file);
  } catch {
    return undefined;
  }
  const text = readText(path);
  if (text === undefined) return undefined;
  const folder = dirname(path);
  const payload = mapPayload(text, folder);
  if (!payload) return { text };
  const map = new SourceMap(payload);
  const root = resolve(folder, payload.sourceRoot ?? "");
  return {
    text,
    originOf(line, column): SourcePosition | undefined {
      const entry = map.findEntry(line - 1, column - 1);
      if (!("originalSource" in entry) || entry.generatedLine !== line - 1) return undefined;
      const source = entry.originalSource;
      const content = payload.sourcesContent?.[payload.sources.indexOf(source)];
      return {
        file: source.startsWith("file:") ? fileURLToPath(source) : resolve(root, source),
        line: entry.originalLine + 1,
        // inside a piece that was copied as it is
        column: entry.originalColumn + 1 + (column - 1 - entry.generatedColumn),
        ...(typeof content === "string" ? { text: content } : {}),
      };
    },
  };
}
