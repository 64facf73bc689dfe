/** @file Literals of printed graphs: numbers, strings, containers, tensors. Upstream: torch/csrc/jit/ir/irparser.cpp (parseScalarLiteral). Spec: none. */
import { decodeUtf8 } from "../base/bytes.ts";
import { ScriptError } from "../base/errors.ts";
import { boxFloat } from "../tensor/scalar.ts";
import { dictKey } from "../core/ivalue.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { floatToBfloat16, floatToHalf } from "../tensor/half.ts";
import { Complex } from "../tensor/scalar.ts";
import { Device, emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { formatG } from "../base/float_text.ts";
import type { Scanner } from "./type_parser.ts";

/** A literal before its type is known. */
export type Literal =
  | { readonly kind: "int" | "float" | "word"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "complex"; readonly re: number; readonly im: number }
  | { readonly kind: "device"; readonly text: string }
  | { readonly kind: "list" | "tuple"; readonly items: readonly Literal[] }
  | { readonly kind: "dict"; readonly items: readonly (readonly [Literal, Literal])[] }
  | { readonly kind: "tensor"; readonly text: string };

const NUMBER = /-?(?:inf|nan|\d+(?:\.\d*)?(?:e[-+]?\d+)?)/y;
const COMPLEX = /-?(?:inf|nan|\d+(?:\.\d*)?(?:e[-+]?\d+)?)[-+](?:inf|nan|\d+(?:\.\d*)?(?:e[-+]?\d+)?)j/y;
const TENSOR = /(?:<Tensor>|\{[^}\n]*\}|[^"\n]*?\[ \w*(?:CPU|CUDA|Meta)\w*Type\{[\d,]*\}[^\n]*? \])/y;

/** A number that ends a list's item: no need to look for a tensor. */
const PLAIN_NUMBER = /-?(?:inf|nan|\d+(?:\.\d*)?(?:e[-+]?\d+)?)(?=\s*[,\])}:])/y;

/** Reads one literal. */
export function parseLiteral(s: Scanner): Literal {
  const plain = s.match(PLAIN_NUMBER);
  return plain === undefined ? s.nested(() => parseNested(s)) : numberLiteral(plain);
}

function numberLiteral(text: string): Literal {
  return { kind: /^-?\d+$/.test(text) ? "int" : "float", text };
}

function parseNested(s: Scanner): Literal {
  if (s.accept("annotate(")) {
    s.need(/[\w.]+(?:\[[^\n]*?\])?,/y, "a type");
    const value = parseLiteral(s);
    s.expect(")");
    return value;
  }
  if (s.accept("torch.device(")) {
    const text = stringLiteral(s);
    s.expect(")");
    return { kind: "device", text };
  }
  if (s.peek('"')) return { kind: "string", text: stringLiteral(s) };
  if (s.accept("[<Tensors>]")) return { kind: "list", items: [{ kind: "tensor", text: "<Tensor>" }] };
  if (s.peek("[") && !s.peek("[ ")) {
    s.accept("[");
    return { kind: "list", items: s.list("]", () => parseLiteral(s)) };
  }
  if (s.peek("(") && !/^\(\d+,[\d.,]*\) = /.test(s.text.slice(s.at, s.at + 40))) {
    s.accept("(");
    return { kind: "tuple", items: s.list(")", () => parseLiteral(s)) };
  }
  if (s.peek("{") && s.text.slice(s.at).search(/^\{(?:"|[^{}"\n]*?: )/) === 0) {
    s.accept("{");
    const entry = (): readonly [Literal, Literal] => {
      const key = parseLiteral(s);
      s.expect(":");
      return [key, parseLiteral(s)];
    };
    return { kind: "dict", items: s.list("}", entry) };
  }
  const complex = s.match(COMPLEX);
  if (complex !== undefined) {
    const cut = Math.max(complex.lastIndexOf("+", complex.search(/e[-+]\d+j$/) - 1 || undefined), lastSign(complex));
    return { kind: "complex", re: numberOf(complex.slice(0, cut)), im: numberOf(complex.slice(cut, -1)) };
  }
  if (isTensorNext(s)) return { kind: "tensor", text: s.need(TENSOR, "a tensor") };
  const number = s.match(NUMBER);
  if (number !== undefined) return numberLiteral(number);
  const word = s.match(/[A-Za-z_][\w.]*(?:\(0\))?/y);
  return word === undefined ? s.fail("a literal") : { kind: "word", text: word };
}

/** Position of the sign between the parts of a complex number. */
function lastSign(text: string): number {
  for (let i = text.length - 2; i > 0; i--) if ((text[i] === "+" || text[i] === "-") && text[i - 1] !== "e") return i;
  return 0;
}

function isTensorNext(s: Scanner): boolean {
  s.skip();
  const rest = s.text.slice(s.at, s.text.indexOf("\n", s.at) < 0 ? undefined : s.text.indexOf("\n", s.at));
  return rest.startsWith("<Tensor>") || rest.startsWith("{") || /^[-\d.e+\s*infa(),=Columst]*\[ \w*Type\{/.test(rest);
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

function stringLiteral(s: Scanner): string {
  s.skip();
  const { text } = s;
  const bytes: number[] = [];
  let i = s.at + 1;
  for (; text[i] !== '"'; i++) {
    if (i >= text.length || text[i] === "\n") s.fail("the end of a string");
    if (text[i] !== "\\") {
      bytes.push(text.charCodeAt(i));
      continue;
    }
    i++;
    const c = text[i]!;
    if (ESCAPES[c] !== undefined) bytes.push(ESCAPES[c]!);
    else if (c === "\\" || c === "'" || c === '"') bytes.push(c.charCodeAt(0));
    else {
      // three characters that stand for a byte, as upstream writes them
      const digit = (k: number): number => text.charCodeAt(i + k) - 48;
      bytes.push((digit(0) * 64 + digit(1) * 8 + digit(2)) & 255);
      i += 2;
    }
  }
  s.at = i + 1;
  return decodeUtf8(Uint8Array.from(bytes));
}

function numberOf(text: string): number {
  const bare = text.replace("+", "");
  if (bare.endsWith("inf")) return bare.startsWith("-") ? -Infinity : Infinity;
  return bare.endsWith("nan") ? NaN : Number(bare.endsWith(".") ? bare.slice(0, -1) : bare);
}

function intOf(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

/** The IValue that a literal means where a value of `type` stands. */
export function valueFromLiteral(literal: Literal, type: Type): unknown {
  switch (literal.kind) {
    case "int":
      return type.kind === "Float" ? numberOf(literal.text) : intOf(literal.text);
    case "float":
      return type.kind === "Any" || type.kind === "Number" || type.kind === "Union"
        ? boxFloat(numberOf(literal.text))
        : numberOf(literal.text);
    case "string":
      return literal.text;
    case "complex":
      return new Complex(literal.re, literal.im);
    case "device":
      return new Device(literal.text);
    case "tensor":
      return tensorFromText(literal.text);
    case "word":
      if (literal.text === "None") return null;
      if (literal.text === "True" || literal.text === "False") return literal.text === "True";
      return literal.text;
    case "list": {
      const element = inner(type, "List");
      return literal.items.map((item) => valueFromLiteral(item, element));
    }
    case "tuple": {
      const own = type.kind === "Optional" ? type.element : type;
      return literal.items.map((item, i) =>
        valueFromLiteral(item, own.kind === "Tuple" ? (own.elements[i] ?? T.AnyT) : T.AnyT),
      );
    }
    case "dict": {
      const own = type.kind === "Optional" ? type.element : type;
      const [key, value] = own.kind === "Dict" ? [own.key, own.value] : [T.AnyT, T.AnyT];
      return new Map(literal.items.map(([k, v]) => [dictKey(valueFromLiteral(k, key)), valueFromLiteral(v, value)]));
    }
  }
}

function inner(type: Type, kind: "List"): Type {
  const own = type.kind === "Optional" ? type.element : type;
  return own.kind === kind ? own.element : T.AnyT;
}

let hiddenTensors = 0;

/** A tensor that prints as the text says: `{3}`, ` 1  2 [ CPULongType{2} ]`, or for `<Tensor>` one that equals no other. */
function tensorFromText(text: string): Tensor {
  if (text === "<Tensor>") return filled([11], DTYPES.float64, [++hiddenTensors]);
  if (text.startsWith("{")) {
    const value = numberOf(text.slice(1, -1));
    return filled([], formatG(value, 6) === String(value) && Number.isInteger(value) ? DTYPES.int64 : DTYPES.float64, [
      value,
    ]);
  }
  const found = /\[ (?:Quantized)?(?:CPU|CUDA|Meta)(\w+)Type\{([\d,]*)\}/.exec(text);
  if (!found) throw new ScriptError(`Cannot parse IR: found ${JSON.stringify(text.slice(0, 40))}, expected a tensor`);
  const dtype = Object.values(DTYPES).find((d) => d.cppName === found[1]) ?? DTYPES.float32;
  const sizes = found[2] ? found[2].split(",").map(Number) : [];
  let body = text.slice(0, found.index).replace(/\([\d,]+\.,\.\) = /g, " ");
  const scale = /^\s*([\d.e+-]+) \*/.exec(body);
  if (scale) body = body.replaceAll(`${scale[1]!} *`, " ");
  const numbers = (body.match(/-?(?:inf|nan|\d[\d.]*(?:e[-+]\d+)?)/g) ?? []).map(
    (n) => numberOf(n) * (scale ? Number(scale[1]) : 1),
  );
  return filled(sizes, dtype, numbers);
}

const MAX_ELEMENTS = 16; // larger tensors are printed as <Tensor>

function filled(sizes: readonly number[], dtype: DType, values: readonly number[]): Tensor {
  if (sizes.some((size) => !(size <= MAX_ELEMENTS)) && !sizes.includes(0))
    throw new ScriptError(
      `Cannot parse IR: found a tensor of sizes {${sizes.join(",")}}, expected at most ${MAX_ELEMENTS} elements`,
    );
  const real = dtype.category === "quantized" || dtype.category === "complex" ? DTYPES.float32 : dtype;
  const tensor = emptyTensor(sizes, real);
  const { segment } = tensor.storage;
  values.slice(0, tensor.numel).forEach((v, i) => {
    if (real.itemsize === 8 && real.category === "int")
      segment.i64[tensor.base0 + i] = BigInt(Math.trunc(Number.isFinite(v) ? v : 0));
    else if (real === DTYPES.float16) segment.u16[tensor.base0 + i] = floatToHalf(v);
    else if (real === DTYPES.bfloat16) segment.u16[tensor.base0 + i] = floatToBfloat16(v);
    else segment[real.array][tensor.base0 + i] = v;
  });
  return tensor;
}
