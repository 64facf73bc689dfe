/** @file The terminal: colours where they are wanted, output in chunks, control characters of archives made visible. Upstream: none. Spec: docs/cli.md. */
import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { createColors } from "picocolors";
import { EXIT } from "./command.ts";

const STDOUT = 1;
const CHUNK_CHARS = 1 << 16;
const RETRY_MS = 5;

/** Whether a person reads the output. */
export const isTerminal: boolean = isatty(STDOUT);

/** NO_COLOR and FORCE_COLOR hold over what the output is (no-color.org, force-color.org). */
function wantsColor({ NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== "0";
  return isTerminal && TERM !== "dumb";
}

/** Colours, or the text as it is. */
export const paint = createColors(wantsColor(process.env));

/** Names and values of an archive as they may stand on a terminal: escape sequences in them would be obeyed. */
export function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the control characters are the point
  return text.replaceAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A copy of plain data with every string cleaned. */
export function cleanDeep<T>(value: T): T {
  if (typeof value === "string") return clean(value).replaceAll("\n", "\\n").replaceAll("\t", "\\t") as T;
  if (Array.isArray(value)) return value.map((item: unknown) => cleanDeep(item)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, cleanDeep(v)])) as T;
}

let pending = "";

/** Writes lines; a missing line feed at the end is added. */
export function write(text: string): void {
  pending += text.endsWith("\n") ? text : `${text}\n`;
  if (pending.length >= CHUNK_CHARS) flush();
}

/** Writes bytes as they are. */
export function writeBytes(bytes: Uint8Array): void {
  flush();
  writeAll(bytes);
}

/** Hands over what `write` has collected. */
export function flush(): void {
  const bytes = new TextEncoder().encode(pending);
  pending = "";
  writeAll(bytes);
}

/** Synchronous, so that a reader that closes the pipe (`| head`) ends the program at once and quietly. */
function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(STDOUT, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE") process.exit(EXIT.ok);
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}
