/** @file Builtin operators against the answers of PyTorch (make_builtins.py). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Complex, Float, ScriptRuntimeError, jit } from "../../src/node/index.ts";

type Encoded =
  | null
  | boolean
  | string
  | Encoded[]
  | { i: string }
  | { f: string }
  | { c: [string, string] }
  | { d: [Encoded, Encoded][] }
  | { raises: string };

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const expected = JSON.parse(readFileSync(`${FIXTURES}builtins.json`, "utf8")) as Record<string, [Encoded[], Encoded][]>;
const module = jit.load(`${FIXTURES}builtins.pt`);

const floatOf = (text: string): number =>
  text === "inf" ? Infinity : text === "-inf" ? -Infinity : text === "nan" ? NaN : Number(text);
function intOf(text: string): number | bigint {
  const n = Number(text);
  return Number.isSafeInteger(n) ? n : BigInt(text);
}

/** The value that an encoded one stands for: what a caller gives. */
function decode(v: Encoded): unknown {
  if (v === null || typeof v !== "object") return v;
  if (Array.isArray(v)) return v.map(decode);
  if ("i" in v) return intOf(v.i);
  if ("f" in v) return new Float(floatOf(v.f));
  if ("c" in v) return new Complex(floatOf(v.c[0]), floatOf(v.c[1]));
  if ("d" in v) return new Map(v.d.map(([k, x]) => [plain(decode(k)), decode(x)]));
  throw new Error("no value");
}
const plain = (v: unknown): unknown => (v instanceof Float ? v.value : v);

const RELATIVE = 4e-15; // glibc's and V8's functions differ in the last bits

function close(a: number, b: number): boolean {
  return (
    Object.is(a, b) || a === b || Math.abs(a - b) <= Math.max(1e-15, RELATIVE * Math.max(Math.abs(a), Math.abs(b)))
  );
}

/** Where an actual result differs from the encoded one, or undefined. */
function difference(actual: unknown, want: Encoded): string | undefined {
  const text = `${typeof actual} ${String(actual)}, expected ${JSON.stringify(want)}`;
  if (want === null || typeof want !== "object") return actual === want ? undefined : text;
  if (Array.isArray(want)) {
    if (!Array.isArray(actual) || actual.length !== want.length) return text;
    return want.map((w, i) => difference(actual[i], w)).find((d) => d !== undefined);
  }
  if ("i" in want) return actual === intOf(want.i) ? undefined : text;
  if ("f" in want) return typeof actual === "number" && close(actual, floatOf(want.f)) ? undefined : text;
  if ("c" in want)
    return actual instanceof Complex && close(actual.re, floatOf(want.c[0])) && close(actual.im, floatOf(want.c[1]))
      ? undefined
      : text;
  if ("d" in want) return actual instanceof Map ? difference([...actual], want.d) : text;
  return text;
}

function run(name: string, args: Encoded[], want: Encoded): string | undefined {
  const raises = want !== null && typeof want === "object" && "raises" in want ? want.raises : undefined;
  try {
    const result = module.invoke(name, args.map(decode));
    return raises === undefined ? difference(result, want) : `${String(result)}, expected the error ${raises}`;
  } catch (error) {
    if (!(error instanceof ScriptRuntimeError)) throw error;
    const last = error.message.trimEnd().split("\n").at(-1);
    return last === raises ? undefined : `the error ${last}, expected ${raises ?? JSON.stringify(want)}`;
  }
}

describe("builtin operators give PyTorch's results", () => {
  test.each(Object.keys(expected))("%s", (name) => {
    const wrong = expected[name]!.flatMap(([args, want]) => {
      const why = run(name, args, want);
      return why === undefined ? [] : [`${JSON.stringify(args)}: ${why}`];
    });
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});
