/** @file Types from the text of printed graphs. Upstream: torch/csrc/jit/frontend/schema_type_parser.cpp. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import { checkLimit } from "../base/limits.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { DTYPES } from "../tensor/dtype.ts";

/** Finds the type of a qualified name; without one, names become empty module classes. */
export type TypeResolver = (qualifiedName: string) => Type | undefined;

const SIMPLE: Readonly<Record<string, Type>> = {
  Tensor: T.TensorT,
  int: T.IntT,
  float: T.FloatT,
  complex: T.ComplexT,
  bool: T.BoolT,
  str: T.StringT,
  Scalar: T.NumberT,
  number: T.NumberT,
  NoneType: T.NoneT,
  None: T.NoneT,
  Any: T.AnyT,
  Device: T.DeviceT,
  Generator: T.GeneratorT,
  Stream: T.StreamT,
  Storage: T.StorageT,
  Capsule: T.CapsuleT,
  QScheme: T.QSchemeT,
  list: T.AnyListT,
  tuple: T.AnyTupleT,
  AnyClassType: T.AnyClassT,
  AnyEnumType: T.AnyEnumT,
};
const SCALAR_TYPES = new Set(Object.values(DTYPES).map((d) => d.cppName));

/** A position in a text, with the few ways of going on that the IR parsers need. */
export class Scanner {
  readonly text: string;
  at: number;
  private depth = 0;
  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }
  /** Skips blanks of the line. */
  skip(): void {
    while (this.text[this.at] === " ") this.at++;
  }
  peek(token: string): boolean {
    this.skip();
    return this.text.startsWith(token, this.at);
  }
  accept(token: string): boolean {
    if (!this.peek(token)) return false;
    this.at += token.length;
    return true;
  }
  expect(token: string): void {
    if (!this.accept(token)) this.fail(JSON.stringify(token));
  }
  /** The text that a sticky pattern matches here, or undefined. */
  match(pattern: RegExp): string | undefined {
    this.skip();
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return undefined;
    this.at += found[0].length;
    return found[0];
  }
  need(pattern: RegExp, what: string): string {
    return this.match(pattern) ?? this.fail(what);
  }
  fail(expected: string): never {
    const line = this.text.slice(0, this.at).split("\n").length;
    throw new ScriptError(
      `Cannot parse IR: line ${line}: found ${JSON.stringify(this.text.slice(this.at, this.at + 20))}, expected ${expected}`,
    );
  }
  /** Runs a parser of something that may hold others of its kind; the limit stands where the call stack would end. */
  nested<R>(body: () => R): R {
    checkLimit("maxSourceDepth", ++this.depth, "IR: nesting of blocks, types or literals");
    const result = body();
    this.depth--;
    return result;
  }
  /** Items up to `close`, separated by commas. */
  list<E>(close: string, item: () => E): E[] {
    const items: E[] = [];
    while (!this.accept(close)) {
      items.push(item());
      if (!this.accept(",") && !this.peek(close)) this.fail(`"," or ${JSON.stringify(close)}`);
    }
    return items;
  }
}

/** Parses types; one parser per graph, so that a class name is one type. */
export class TypeParser {
  private readonly resolve: TypeResolver | undefined;
  private readonly named = new Map<string, Type>();
  constructor(resolve?: TypeResolver) {
    this.resolve = resolve;
  }

  parse(s: Scanner): Type {
    let type = s.nested(() => this.base(s));
    for (let suffixes = 0; ; suffixes++) {
      checkLimit("maxSourceDepth", suffixes, "IR: suffixes of a type");
      if (s.text[s.at] === "?") {
        s.at++;
        type = T.optionalOf(type);
      } else if (s.text.startsWith("[]", s.at)) {
        s.at += 2;
        type = T.listOf(type);
      } else return type;
    }
  }

  private base(s: Scanner): Type {
    if (s.accept("(")) return T.tupleOf(s.list(")", () => this.parse(s)));
    const name = s.need(/[A-Za-z_][\w.]*(?:<[\w.]+>)?/y, "a type");
    switch (name) {
      case "Dict": {
        s.expect("(");
        const [key, value] = s.list(")", () => this.parse(s));
        return T.dictOf(key ?? T.AnyT, value ?? T.AnyT);
      }
      case "Union":
        s.expect("(");
        return T.unionOf(s.list(")", () => this.parse(s)));
      case "Future":
      case "RRef":
      case "Await": {
        const close = s.accept("[") ? "]" : ")";
        if (close === ")") s.expect("(");
        const element = this.parse(s);
        s.expect(close);
        return { kind: name, element };
      }
      case "NamedTuple": {
        s.expect("(");
        const fields = s.list(")", () => {
          const field = s.need(/\w+/y, "a field name");
          s.expect(":");
          return [field, this.parse(s)] as const;
        });
        return T.namedTupleOf(
          new QualifiedName("__torch__.NamedTuple"),
          fields.map(([n]) => n),
          fields.map(([, t]) => t),
        );
      }
      case "Function":
        return { kind: "Function", fn: { qualname: new QualifiedName("__torch__.function") } };
      default:
        break;
    }
    const dtype = name.endsWith("Tensor") && name !== "Tensor" ? name.slice(0, -"Tensor".length) : name;
    if (name === "Tensor" || SCALAR_TYPES.has(dtype))
      return this.tensor(s, name === "Tensor" ? undefined : dtype, dtype !== name);
    return SIMPLE[name] ?? this.namedType(name);
  }

  private namedType(name: string): Type {
    let type = this.named.get(name);
    if (!type) {
      const enumName = /^Enum<(.+)>$/.exec(name)?.[1];
      type =
        this.resolve?.(enumName ?? name) ??
        (enumName === undefined
          ? new T.ClassType(new QualifiedName(name), true)
          : new T.EnumType(new QualifiedName(enumName), T.IntT, []));
      this.named.set(name, type);
    }
    return type;
  }

  /** `Float(2, *, strides=[3, 1], requires_grad=0, device=cpu)`, `FloatTensor(device=cpu)`, `Tensor`. */
  private tensor(s: Scanner, scalarType: string | undefined, unranked: boolean): Type {
    if (s.text[s.at] !== "(") return scalarType === undefined ? T.TensorT : { kind: "Tensor", detail: { scalarType } };
    s.at++;
    const sizes: (number | null)[] = [];
    let strides: (number | null)[] | undefined;
    let requiresGrad: boolean | undefined;
    let device: string | undefined;
    s.list(")", () => {
      if (s.accept("strides=[")) strides = s.list("]", () => Number(s.need(/-?\d+/y, "a stride")));
      else if (s.accept("requires_grad=")) requiresGrad = s.need(/[01]/y, "0 or 1") === "1";
      else if (s.accept("device=")) device = s.need(/\w+(?::\d+)?/y, "a device");
      else if (s.accept("*")) sizes.push(null);
      else sizes.push(Number(s.need(/\d+/y, "a size")));
    });
    return {
      kind: "Tensor",
      detail: {
        ...(scalarType === undefined ? {} : { scalarType }),
        ...(unranked || scalarType === undefined ? {} : { sizes }),
        ...(strides ? { strides } : {}),
        ...(requiresGrad === undefined ? {} : { requiresGrad }),
        ...(device === undefined ? {} : { device }),
      },
    };
  }
}
