/** @file Constants in printed code: literals, and CONSTANTS.cN for what has no literal. Upstream: torch/csrc/jit/serialization/python_print.cpp (printConstant, getOrAddConstant). Spec: spec/printing.md.
 *
 * Note [Literals that read back]: PyTorch prints integral floats from 1e10 to 1e17 without a dot and carriage returns as `\r`, and
 * then cannot read its own file. `.code` shows PyTorch's text; files get `10000000000.` and `\015`, which both read. */
import { isAscii } from "../base/byte_string.ts";
import { floatLiteral, quotedString } from "../base/float_text.ts";
import { valueLiteral, type ValueFormatter } from "../core/ivalue_text.ts";
import { ScriptObject } from "../core/ivalue.ts";
import { annotationStr, containedTypes, type Type, type TypePrinter } from "../core/type.ts";
import { Float } from "../tensor/scalar.ts";
import { sameTensor } from "../ir/node_hashing.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A constant that code names `CONSTANTS.cN`. */
export interface CodeConstant {
  readonly value: unknown;
  readonly type: Type;
}

/** The values that do not fit into code: tensors, objects, and whatever holds a non-ASCII string. Equal tensors share an entry. */
export class ConstantTable {
  readonly entries: CodeConstant[] = [];
  /** What was asked for, and the answers. */
  private readonly requests: (CodeConstant & { readonly index: number })[] = [];
  private readonly tensorsByKey = new Map<string, number[]>();

  /** Index of a constant, added where it is new. */
  indexOf(value: unknown, type: Type): number {
    const index = this.findOrAdd(value, type);
    this.requests.push({ value, type, index });
    return index;
  }

  /** A table that was asked for the same constants now; undefined where it answers otherwise, as tensors were written in between. */
  replay(): ConstantTable | undefined {
    const table = new ConstantTable();
    return this.requests.every(({ value, type, index }) => table.indexOf(value, type) === index) ? table : undefined;
  }

  private findOrAdd(value: unknown, type: Type): number {
    if (value instanceof Tensor) {
      const key = `${value.dtype.name}|${String(value.device)}|${value.sparse?.layout ?? ""}|${value.sizes.join()}`;
      const candidates = this.tensorsByKey.get(key) ?? [];
      for (const index of candidates) if (sameTensor(this.entries[index]!.value as Tensor, value)) return index;
      this.tensorsByKey.set(key, [...candidates, this.entries.length]);
    }
    this.entries.push({ value, type });
    return this.entries.length - 1;
  }
}

/** Whether a string of bytes beyond ASCII lies anywhere in a value. */
function hasNonAsciiString(value: unknown, type: Type): boolean {
  if (typeof value === "string") return !isAscii(value);
  if (Array.isArray(value)) return value.some((v, i) => hasNonAsciiString(v, elementType(type, i)));
  if (value instanceof Map)
    return [...value].some(([k, v]) => hasNonAsciiString(k, type) || hasNonAsciiString(v, type));
  return false;
}

function elementType(type: Type, i: number): Type {
  const inner = containedTypes(type);
  return inner[type.kind === "Tuple" ? i : 0] ?? type;
}

/** How constants of one file are printed. */
export interface LiteralOptions {
  readonly constants: ConstantTable;
  readonly typePrinter: TypePrinter | undefined;
  /** See Note [Literals that read back]. */
  readonly readable: boolean;
}

/** What a printer prints constants with. */
export function constantFormatter(options: LiteralOptions): ValueFormatter {
  const { constants, typePrinter, readable } = options;
  const format: ValueFormatter = (v, t) => {
    if (v instanceof Tensor || v instanceof ScriptObject || hasNonAsciiString(v, t))
      return `CONSTANTS.c${constants.indexOf(v, t)}`;
    if (t.kind === "Tuple" && t.name) {
      const items = (v as unknown[]).map((item, i) => valueLiteral(item, t.elements[i]!, format));
      return `${annotationStr(t, typePrinter)}(${items.join(", ")}${items.length === 1 ? ",)" : ")"}`;
    }
    if (readable) {
      if (t.kind === "Float") return readableFloat(v instanceof Float ? v.value : (v as number));
      if (t.kind === "String" && (v as string).includes("\r")) return readableString(v as string);
    }
    return undefined;
  };
  return format;
}

function readableFloat(value: number): string {
  const text = floatLiteral(value);
  return /^-?\d+$/.test(text) ? `${text}.` : text;
}

function readableString(text: string): string {
  return quotedString(text).replace(/\\(\\|r)/g, (all, char) => (char === "r" ? "\\015" : all));
}
