/** @file FunctionSchema: names, types, defaults and aliasing of a function's arguments and returns; its text both ways. Upstream: aten/src/ATen/core/function_schema.h, torch/csrc/jit/frontend/function_schema_parser.cpp. Spec: spec/types.md. */
import { ScriptError } from "../base/errors.ts";
import { complexText, floatLiteral, quotedString } from "../base/float_text.ts";
import { Complex, Float, boxFloat } from "../tensor/scalar.ts";
import { annotationStr, isSubtypeOf, setSchemaSubtype, typeStr, typesEqual, type Type, type WhyNot } from "./type.ts";
import * as T from "./type.ts";

/** What `(a!)` says: which alias sets a value is in and whether it is written. */
export interface AliasInfo {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly isWrite: boolean;
  /** Alias info of the elements, e.g. of `Tensor(a!)[]`. */
  readonly contained?: AliasInfo;
}

/** One argument or return. */
export interface Argument {
  readonly name: string;
  readonly type: Type;
  /** The type as the schema spells it where that says more than `type`: ScalarType, SymInt, Layout, MemoryFormat. */
  readonly realType?: string;
  /** N of `int[N]`: one int stands for a list. */
  readonly fixedLength?: number;
  /** IValue; `hasDefault` tells None from absent. */
  readonly defaultValue?: unknown;
  readonly hasDefault: boolean;
  readonly kwargOnly: boolean;
  readonly aliasInfo?: AliasInfo;
}

/** Schema of an operator, function or method. */
export interface FunctionSchema {
  readonly name: string;
  readonly overloadName: string;
  readonly args: readonly Argument[];
  readonly returns: readonly Argument[];
  readonly isVararg: boolean;
  readonly isVarret: boolean;
}

/** Makes an argument from a name and a type. */
export function argument(name: string, type: Type, more: Partial<Argument> = {}): Argument {
  return { name, type, hasDefault: false, kwargOnly: false, ...more };
}

/** `aten::add.Tensor`. */
export function operatorName(schema: FunctionSchema): string {
  return schema.overloadName ? `${schema.name}.${schema.overloadName}` : schema.name;
}

/** Whether the argument is an `out=` one: keyword-only and written. */
export function isOutArgument(arg: Argument): boolean {
  return arg.kwargOnly && arg.aliasInfo?.isWrite === true;
}

/** Whether any argument is written. */
export function isMutable(schema: FunctionSchema): boolean {
  return schema.args.some((a) => a.aliasInfo?.isWrite || a.aliasInfo?.contained?.isWrite);
}

const NAMED_TYPES: Readonly<Record<string, Type>> = {
  Tensor: T.TensorT,
  int: T.IntT,
  SymInt: T.IntT,
  ScalarType: T.IntT,
  Layout: T.IntT,
  MemoryFormat: T.IntT,
  float: T.FloatT,
  double: T.FloatT,
  bool: T.BoolT,
  SymBool: T.BoolT,
  complex: T.ComplexT,
  str: T.StringT,
  string: T.StringT,
  Dimname: T.StringT,
  Scalar: T.NumberT,
  number: T.NumberT,
  NoneType: T.NoneT,
  None: T.NoneT,
  Any: T.AnyT,
  AnyClassType: T.AnyClassT,
  AnyEnumType: T.AnyEnumT,
  Device: T.DeviceT,
  DeviceIndex: T.IntT,
  Generator: T.GeneratorT,
  Stream: T.StreamT,
  Storage: T.StorageT,
  QScheme: T.QSchemeT,
  Capsule: T.CapsuleT,
  list: T.AnyListT,
  tuple: T.AnyTupleT,
};
const REAL_TYPES = new Set(["SymInt", "SymBool", "ScalarType", "Layout", "MemoryFormat", "Dimname"]);

/** Finds the type of a qualified name such as `__torch__.torch.classes.quantized.Conv2dPackedParamsBase`. */
export type NamedTypeResolver = (qualifiedName: string) => Type | undefined;

/** Parses the text of schemas. `resolve` knows custom classes. */
class SchemaParser {
  private readonly text: string;
  private readonly resolve: NamedTypeResolver | undefined;
  private at = 0;

  constructor(text: string, resolve?: NamedTypeResolver) {
    this.text = text;
    this.resolve = resolve;
  }

  private fail(expected: string): never {
    throw new ScriptError(
      `Cannot parse schema "${this.text}": found "${this.text.slice(this.at, this.at + 12)}" at character ${this.at}, expected ${expected}`,
    );
  }
  private skip(): void {
    while (this.text[this.at] === " " || this.text[this.at] === "\n") this.at++;
  }
  private peek(token: string): boolean {
    this.skip();
    return this.text.startsWith(token, this.at);
  }
  private accept(token: string): boolean {
    if (!this.peek(token)) return false;
    this.at += token.length;
    return true;
  }
  private expect(token: string): void {
    if (!this.accept(token)) this.fail(`"${token}"`);
  }
  private match(pattern: RegExp): string | undefined {
    this.skip();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return undefined;
    this.at += found[0].length;
    return found[0];
  }

  parse(): FunctionSchema {
    const full = this.match(/[A-Za-z0-9_:.]+/y) ?? this.fail("an operator name");
    const scope = full.indexOf("::");
    const dot = scope >= 0 ? full.indexOf(".", scope) : -1;
    const name = dot >= 0 ? full.slice(0, dot) : full;
    const overloadName = dot >= 0 ? full.slice(dot + 1) : "";
    const args: Argument[] = [];
    let isVararg = false;
    let isVarret = false;
    this.expect("(");
    let kwargOnly = false;
    while (!this.accept(")")) {
      if (this.accept("*")) kwargOnly = true;
      else if (this.accept("...")) isVararg = true;
      else args.push(this.argument(kwargOnly));
      if (!this.accept(",") && !this.peek(")")) this.fail('"," or ")"');
    }
    const returns: Argument[] = [];
    if (this.accept("->")) {
      if (this.accept("...")) isVarret = true;
      else if (this.accept("(")) {
        while (!this.accept(")")) {
          if (this.accept("...")) isVarret = true;
          else returns.push(this.returned());
          if (!this.accept(",") && !this.peek(")")) this.fail('"," or ")"');
        }
      } else returns.push(this.returned());
    }
    this.skip();
    if (this.at !== this.text.length) this.fail("the end");
    return { name, overloadName, args, returns, isVararg, isVarret };
  }

  private returned(): Argument {
    const { type, realType, aliasInfo, fixedLength } = this.type();
    const name = this.match(/[A-Za-z_][A-Za-z0-9_]*/y) ?? "";
    return this.make(name, type, realType, aliasInfo, fixedLength, false, undefined, false);
  }

  private make(
    name: string,
    type: Type,
    realType: string | undefined,
    aliasInfo: AliasInfo | undefined,
    fixedLength: number | undefined,
    hasDefault: boolean,
    defaultValue: unknown,
    kwargOnly: boolean,
  ): Argument {
    return {
      name,
      type,
      hasDefault,
      kwargOnly,
      ...(hasDefault ? { defaultValue } : {}),
      ...(realType === undefined ? {} : { realType }),
      ...(aliasInfo === undefined ? {} : { aliasInfo }),
      ...(fixedLength === undefined ? {} : { fixedLength }),
    };
  }

  private argument(kwargOnly: boolean): Argument {
    const { type, realType, aliasInfo, fixedLength } = this.type();
    const name = this.match(/[A-Za-z_][A-Za-z0-9_]*/y) ?? this.fail("an argument name");
    let defaultValue: unknown;
    const hasDefault = this.accept("=");
    if (hasDefault) defaultValue = this.value(type, fixedLength);
    return this.make(name, type, realType, aliasInfo, fixedLength, hasDefault, defaultValue, kwargOnly);
  }

  private value(type: Type, fixedLength: number | undefined): unknown {
    if (type.kind === "Optional") return this.accept("None") ? null : this.value(type.element, fixedLength);
    if (this.accept("[")) {
      const items: unknown[] = [];
      while (!this.accept("]")) {
        items.push(this.scalar());
        this.accept(",");
      }
      return items;
    }
    const one = this.scalar(type.kind === "Number");
    if (type.kind === "List" && fixedLength !== undefined) return new Array<unknown>(fixedLength).fill(one);
    return one;
  }

  /** A Scalar's default keeps in its dynamic form whether it is a float: `alpha=1.`. */
  private scalar(isDynamic = false): unknown {
    if (this.accept("None")) return null;
    if (this.accept("True")) return true;
    if (this.accept("False")) return false;
    const text = this.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y);
    if (text !== undefined) return text.slice(1, -1).replace(/\\(.)/g, (_, c: string) => ESCAPED[c] ?? c);
    const number = this.match(/[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)/y);
    if (number !== undefined) {
      const bare = number.replace("+", "");
      if (bare.endsWith("inf")) return bare.startsWith("-") ? -Infinity : Infinity;
      const value = Number(bare);
      if (/^-?\d+$/.test(bare)) return Number.isSafeInteger(value) ? value : BigInt(bare);
      return isDynamic ? boxFloat(value) : value;
    }
    const word = this.match(/[A-Za-z_][A-Za-z0-9_]*/y);
    if (word !== undefined && word in ENUM_DEFAULTS) return ENUM_DEFAULTS[word];
    return this.fail("a default value");
  }

  private alias(): AliasInfo | undefined {
    // only directly behind the type, so that "Tensor (a)" cannot be meant
    if (this.text[this.at] !== "(") return undefined;
    this.at++;
    const sets = (): string[] => {
      const out: string[] = [];
      do {
        out.push(this.match(/\*|[A-Za-z_][A-Za-z0-9_]*/y) ?? this.fail("an alias set"));
      } while (this.accept("|"));
      return out;
    };
    let before: string[] = [];
    let isWrite = false;
    let after: string[] | undefined;
    if (!this.peek("->")) {
      before = sets();
      isWrite = this.accept("!");
    }
    if (this.accept("->")) after = sets();
    this.expect(")");
    return { before, after: after ?? before, isWrite };
  }

  private type(): {
    type: Type;
    realType: string | undefined;
    aliasInfo: AliasInfo | undefined;
    fixedLength: number | undefined;
  } {
    let type: Type;
    let realType: string | undefined;
    let fixedLength: number | undefined;
    let aliasInfo: AliasInfo | undefined;
    if (this.accept("(")) {
      const elements: Type[] = [];
      while (!this.accept(")")) {
        elements.push(this.type().type);
        this.accept(",");
      }
      type = T.tupleOf(elements);
    } else {
      const name = this.match(/[A-Za-z_][A-Za-z0-9_.]*/y) ?? this.fail("a type");
      if (name === "Dict" && this.accept("(")) {
        const key = this.type().type;
        this.expect(",");
        const value = this.type().type;
        this.expect(")");
        type = T.dictOf(key, value);
        aliasInfo = this.alias();
      } else if ((name === "Future" || name === "Await" || name === "RRef") && this.accept("(")) {
        const element = this.type().type;
        this.expect(")");
        type = { kind: name, element };
      } else if (name === "Union" && this.accept("(")) {
        const members: Type[] = [];
        while (!this.accept(")")) {
          members.push(this.type().type);
          this.accept(",");
        }
        type = T.unionOf(members);
      } else if (name in NAMED_TYPES) {
        type = NAMED_TYPES[name]!;
        if (REAL_TYPES.has(name)) realType = name;
        aliasInfo = this.alias();
      } else if (name.includes(".")) {
        type = this.resolve?.(name) ?? T.AnyT;
        if (type === T.AnyT) realType = name;
        aliasInfo = this.alias();
      } else if (/^[a-z]/.test(name)) {
        // a lower-case name that is no type is a type variable: t, tVal
        type = T.varOf(name);
        aliasInfo = this.alias();
      } else this.fail("a type");
    }
    for (;;) {
      if (this.text[this.at] === "[") {
        this.at++;
        const digits = this.match(/\d+/y);
        this.expect("]");
        type = T.listOf(type);
        if (digits !== undefined) fixedLength = Number(digits);
        const container = this.alias();
        if (aliasInfo !== undefined) {
          aliasInfo = container
            ? { ...container, contained: aliasInfo }
            : { before: aliasInfo.before, after: aliasInfo.after, isWrite: false, contained: aliasInfo };
        } else aliasInfo = container;
      } else if (this.text[this.at] === "?") {
        this.at++;
        type = T.optionalOf(type);
      } else break;
    }
    return { type, realType, aliasInfo, fixedLength };
  }
}

const ESCAPED: Readonly<Record<string, string>> = { n: "\n", t: "\t", f: "\f", v: "\v", r: "\r", a: "\x07", b: "\b" };
const ENUM_DEFAULTS: Readonly<Record<string, number>> = {
  // at::Reduction, c10::MemoryFormat, c10::Layout
  None: 0,
  Mean: 1,
  Sum: 2,
  contiguous_format: 0,
  preserve_format: 1,
  channels_last: 2,
  strided: 0,
  long: 4,
  float: 6,
};

/** Parses one schema; throws ScriptError with the character at fault. */
export function parseSchema(text: string, resolve?: NamedTypeResolver): FunctionSchema {
  return new SchemaParser(text, resolve).parse();
}

function aliasText(info: AliasInfo | undefined): string {
  if (!info) return "";
  const before = info.before.join("|");
  const after = info.after.join("|");
  return `(${before}${info.isWrite ? "!" : ""}${after === before ? "" : ` -> ${after}`})`;
}

function typeText(arg: Argument): string {
  const optional = arg.type.kind === "Optional";
  const inner = optional ? (arg.type as T.OptionalType).element : arg.type;
  if (inner.kind === "List") {
    const element = arg.realType && arg.realType !== "" ? arg.realType : typeStr(inner.element);
    const contained = arg.aliasInfo?.contained;
    const container = contained ? "" : aliasText(arg.aliasInfo);
    return `${element}${aliasText(contained)}[${arg.fixedLength ?? ""}]${container}${optional ? "?" : ""}`;
  }
  return `${arg.realType ?? typeStr(inner)}${aliasText(arg.aliasInfo)}${optional ? "?" : ""}`;
}

/** A default; only a string of its own has quotes, not one in a container. */
function defaultText(value: unknown, arg: Argument, type = arg.type, inside = false): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return inside ? value : quotedString(value);
  if (type.kind === "Optional") return defaultText(value, arg, type.element, inside);
  const part = (item: unknown, itemType: Type = T.AnyT): string => defaultText(item, arg, itemType, true);
  if (Array.isArray(value)) {
    if (type.kind === "Tuple") {
      const items = value.map((v, i) => part(v, type.elements[i]));
      return items.length === 1 ? `(${items[0]!},)` : `(${items.join(", ")})`;
    }
    const element = type.kind === "List" ? type.element : T.IntT;
    // int[2] stride=1 stays as it was written, SymInt[2] does not
    if (element.kind === "Int" && arg.realType === undefined && value.length > 1 && value.every((v) => v === value[0]))
      return String(value[0]);
    return `[${value.map((v) => part(v, element)).join(", ")}]`;
  }
  if (value instanceof Map) {
    const [key, element] = type.kind === "Dict" ? [type.key, type.value] : [];
    return `{${Array.from(value, ([k, v]) => `${part(k, key)}: ${part(v, element)}`).join(", ")}}`;
  }
  if (value instanceof Complex) return complexText(value.re, value.im);
  if (value instanceof Float) return floatLiteral(value.value);
  if (typeof value === "number" && (type.kind === "Float" || !Number.isInteger(value))) return floatLiteral(value);
  return String(value);
}

/** PyTorch's text of a schema, e.g. `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`. */
export function schemaText(schema: FunctionSchema): string {
  const parts: string[] = [];
  let seenKwargOnly = false;
  for (const arg of schema.args) {
    if (arg.kwargOnly && !seenKwargOnly) {
      parts.push("*");
      seenKwargOnly = true;
    }
    parts.push(`${typeText(arg)} ${arg.name}${arg.hasDefault ? `=${defaultText(arg.defaultValue, arg)}` : ""}`);
  }
  if (schema.isVararg) parts.push("...");
  const returns = schema.returns.map((r) => `${typeText(r)}${r.name ? ` ${r.name}` : ""}`);
  if (schema.isVarret) returns.push("...");
  // a single return needs parentheses only where it starts with one: "((str, str))" is a tuple, "(str, str)" are two returns
  const isPlain = returns.length === 1 && !returns[0]!.startsWith("(");
  const ret = isPlain ? returns[0]! : `(${returns.join(", ")})`;
  return `${operatorName(schema)}(${parts.join(", ")}) -> ${ret}`;
}

/** Whether a function of schema `a` can be used where `b` is declared. Mirrors `FunctionSchema::isSubtypeOf`. */
export function isSchemaSubtypeOf(a: FunctionSchema, b: FunctionSchema, asMethod: boolean, whyNot?: WhyNot): boolean {
  if (a.args.length !== b.args.length || a.returns.length !== b.returns.length) return false;
  for (let i = asMethod ? 1 : 0; i < a.args.length; i++) {
    const own = a.args[i]!;
    const other = b.args[i]!;
    if (own.name !== other.name || own.kwargOnly !== other.kwargOnly) return false;
    // arguments are contravariant, returns covariant
    if (!isSubtypeOf(other.type, own.type, whyNot)) return false;
    if (
      other.hasDefault &&
      (!own.hasDefault || JSON.stringify(own.defaultValue) !== JSON.stringify(other.defaultValue))
    )
      return false;
  }
  return a.returns.every((r, i) => isSubtypeOf(r.type, b.returns[i]!.type, whyNot));
}
setSchemaSubtype(isSchemaSubtypeOf);

/** Whether two schemas take the same arguments by name and type (defaults and aliasing aside). */
export function sameArguments(a: readonly Argument[], b: readonly Argument[]): boolean {
  return a.length === b.length && a.every((x, i) => x.name === b[i]!.name && typesEqual(x.type, b[i]!.type));
}

/** Text of a type for messages about arguments. */
export function argumentTypeText(arg: Argument): string {
  return annotationStr(arg.type);
}
