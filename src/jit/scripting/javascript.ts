/** @file Functions and methods written in JavaScript as a source of methods for the compiler, with the meaning of the names in them. Upstream: torch/jit/_script.py, torch/_jit_internal.py (closure look-ups, export, ignore). Spec: docs/scripting.md. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import type { Def, Stmt } from "../../frontend/ast.ts";
import * as T from "../../core/type.ts";
import type { TypedConstant } from "../../frontend/default_value.ts";
import { defineFunction } from "../../frontend/emit/compile.ts";
import { FunctionValue } from "../../frontend/emit/sugared_callable.ts";
import { SpecialFormValue, SugaredValue } from "../../frontend/emit/sugared_value.ts";
import {
  FREE,
  SourceFile,
  evaluateConstant,
  formOf,
  isImportVariable,
  lowerFunction,
  type FreeNames,
} from "../../frontend/javascript/index.ts";
import type { Resolver } from "../../frontend/resolver.ts";
import { ScriptFunction } from "../../ir/function.ts";
import * as functional from "../../nn/functional.ts";
import * as nn from "../../nn/index.ts";
import { Module } from "../../nn/module.ts";
import { finishEmission } from "../../passes/pipeline.ts";
import { torch } from "../../torch/torch.ts";
import { functionOf } from "../compiled_function.ts";
import { pythonCu, qualifiedNameOf, uniqueName, unitStore } from "../python_cu.ts";
import { inferType } from "./infer_type.ts";
import { fieldType, importedFile, locateFunction, locateMethod, type LocatedFunction } from "./javascript_sources.ts";
import { libraryValue } from "./library.ts";
import { ConstantName, PythonModule } from "./library_values.ts";
import { methodSources, type MethodSource, type MethodStub } from "./method_source.ts";
import { baseClasses, ownScript, type ModuleClass } from "./module_class.ts";

/** Any function. */
export type AnyFunction = (...args: never[]) => unknown;

/** Values that code may name, by name. */
export type ScopeValues = Readonly<Record<string, unknown>>;

const exportedFunctions = new WeakSet<object>();
const ignoredFunctions = new WeakMap<object, "ignored" | "unused">();
/** Marks a function as exported, ignored or unused. */
export function markFunction(fn: object, mark: "exported" | "ignored" | "unused"): void {
  if (mark === "exported") exportedFunctions.add(fn);
  else ignoredFunctions.set(fn, mark);
}

const WELL_KNOWN: ReadonlyMap<string, string> = new Map([
  ["torch", "torch"],
  ["nn", "nn"],
  ["F", "nn.functional"],
  ["jit", "jit"],
  ...["Math", "Number", "Object", "Array", "String", "Boolean", "console"].map((n): [string, string] => [n, n]),
]);
/** Names of JavaScript that nothing stands for in TorchScript. */
const OWN_GLOBALS = new Set(
  "parseInt parseFloat isNaN isFinite JSON Date Symbol Promise BigInt Set WeakMap WeakSet Map RegExp Reflect Proxy globalThis window process setTimeout structuredClone eval Float32Array Float64Array Int32Array Uint8Array".split(
    " ",
  ),
);
const PACKAGE_EXPORTS = new Set(["torch", "nn", "jit"]);

function packageNamed(value: unknown): string | undefined {
  if (value === torch) return "torch";
  if (value === nn) return "nn";
  return value === functional ? "nn.functional" : undefined;
}

/** `torch` as JavaScript has it. */
class TorchNamespace extends PythonModule {
  constructor() {
    super((name) => (name === "range" ? new SpecialFormValue("prim::range") : libraryValue(`torch.${name}`)));
  }
}
const torchNamespace = new TorchNamespace();

function packageValue(path: string): SugaredValue | undefined {
  if (path === "torch") return torchNamespace;
  return path.startsWith("torch.") ? libraryValue(path) : libraryValue(`torch.${path}`);
}

/** The names around a function: what is given, what the file declares, what everybody knows. */
class Names implements FreeNames {
  private readonly scopes: readonly ScopeValues[];
  readonly file: SourceFile | undefined;
  constructor(scopes: readonly ScopeValues[], file: SourceFile | undefined) {
    this.scopes = scopes;
    this.file = file;
  }

  private given(name: string): { readonly value: unknown } | undefined {
    for (const scope of this.scopes) if (Object.hasOwn(scope, name)) return { value: scope[name] };
    return undefined;
  }

  packageOf(name: string): string | undefined {
    const given = this.given(name);
    if (given) return packageNamed(given.value);
    const declared = this.file?.declarations.get(name);
    if (declared?.kind === "import") {
      if (declared.name === "*") return declared.from.startsWith(".") ? undefined : "";
      return PACKAGE_EXPORTS.has(declared.name) ? declared.name : undefined;
    }
    if (declared?.kind === "alias") {
      const [root, ...rest] = declared.path;
      const base = this.packageOf(root!);
      return base === undefined ? undefined : [base, ...rest].filter(Boolean).join(".");
    }
    if (declared) return undefined;
    return isImportVariable(name) ? "" : WELL_KNOWN.get(name);
  }

  numberOf(name: string): string | undefined {
    const given = this.given(name);
    let constant: TypedConstant | undefined;
    if (given) {
      if (typeof given.value !== "number") return undefined;
      constant = { value: given.value, type: Number.isInteger(given.value) ? T.IntT : T.FloatT };
    } else {
      const declared = this.file?.declarations.get(name);
      if (declared?.kind !== "value") return undefined;
      constant = evaluateConstant(this.file!.source, declared.node);
    }
    if (constant?.type.kind === "Int") return String(constant.value);
    if (constant?.type.kind !== "Float" || !Number.isFinite(constant.value)) return undefined;
    const text = String(constant.value);
    return /[.e]/.test(text) ? text : `${text}.0`;
  }

  /** The meaning of a name that a function does not define. */
  value(name: string, range: SourceRange): SugaredValue {
    const given = this.given(name);
    const path = this.packageOf(name);
    if (path === "") return new PythonModule((field) => this.value(field, range));
    if (path !== undefined) {
      const found = packageValue(path);
      if (found) return found;
      throw new ScriptError(`${name} cannot be used as a value here; call one of its functions`, range);
    }
    if (given) return valueOf(given.value, name, range);
    const declared = this.file && this.declaredValue(this.file, name, range);
    if (declared) return declared;
    if (OWN_GLOBALS.has(name))
      throw new ScriptError(`${name} is JavaScript's own and not compiled; see docs/scripting.md for what is`, range);
    throw new ScriptError(
      `${name} is declared outside of the function, where the compiler cannot see it; pass it: jit.script(f, { scope: { ${name} } }), or give the class \`static scope = { ${name} }\``,
      range,
    );
  }

  /** What a file's own declaration means. */
  private declaredValue(file: SourceFile, name: string, range: SourceRange): SugaredValue | undefined {
    const declared = file.declarations.get(name);
    switch (declared?.kind) {
      case "function":
        return new FunctionValue(
          compileLocated(
            declared.node,
            name,
            { node: declared.node, source: file.source, offset: 0, file },
            this.scopes,
          ),
        );
      case "value": {
        const constant = evaluateConstant(file.source, declared.node);
        return constant && new ConstantName(constant);
      }
      case "alias":
        return undefined;
      case "import": {
        const other = importedFile(file, declared.from);
        return other && new Names(this.scopes, other).declaredValue(other, declared.name, range);
      }
      default:
        return undefined;
    }
  }

  resolver(): Resolver {
    return {
      resolveValue: (name, _fn, range) => {
        if (!name.startsWith(FREE)) return formOf(name, range);
        const found = this.value(name.slice(FREE.length), range);
        return found;
      },
      resolveType: () => undefined,
    };
  }
}

let functionalNames: Map<unknown, string> | undefined;
/** The meaning of a JavaScript value. */
function valueOf(value: unknown, name: string, range: SourceRange): SugaredValue {
  const path = packageNamed(value);
  if (path !== undefined) return packageValue(path)!;
  if (value instanceof Module)
    throw new ScriptError(`${name} is a module; make it a field of the module that calls it`, range);
  if (typeof value === "function") {
    functionalNames ??= new Map(Object.entries(functional).map(([key, fn]) => [fn, key]));
    const library = functionalNames.get(value);
    if (library !== undefined) {
      const found = libraryValue(`torch.nn.functional.${library}`);
      if (found) return found;
    }
    const known = methodSources.functionValue(value, name);
    if (known) return known;
  }
  if (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !inferType(value).type
  )
    return new PythonModule((field) =>
      Object.hasOwn(value, field) ? valueOf((value as ScopeValues)[field], field, range) : undefined,
    );
  const inferred = inferType(value);
  if (inferred.type === undefined)
    throw new ScriptError(`${name} cannot be used in compiled code: ${inferred.reason}; pass it as an argument`, range);
  return new ConstantName({ value: inferred.value, type: inferred.type });
}

const FUNCTIONS = Symbol("scripted JavaScript functions");
const compiledFunctions = (): WeakMap<object, ScriptFunction> =>
  unitStore(FUNCTIONS, () => new WeakMap<object, ScriptFunction>());

/** Compiles a function once per unit; `key` is what it is known by. */
function compileLocated(
  key: object,
  name: string,
  from: LocatedFunction,
  scopes: readonly ScopeValues[],
  signature?: string,
): ScriptFunction {
  const known = compiledFunctions().get(key);
  if (known) return known;
  const names = new Names(scopes, from.file);
  const def = lowerFunction(from, { name, isMethod: false, names, signature });
  const cu = pythonCu();
  const fn = new ScriptFunction(uniqueName(qualifiedNameOf(name)), undefined, (self) =>
    defineFunction(self, def, names.resolver(), undefined, { cu, cleanup: finishEmission }),
  );
  compiledFunctions().set(key, fn);
  cu.addFunction(fn);
  return fn;
}

/** The declared statics of a function or class. */
interface Statics {
  readonly scope?: ScopeValues;
  readonly signatures?: Readonly<Record<string, string>>;
  readonly signature?: string;
  readonly exports?: readonly string[];
  readonly ignored?: readonly string[];
  readonly unused?: readonly string[];
}
function statics(of: object): Statics {
  return of as Statics;
}

let givenScopes: readonly ScopeValues[] = [];
/** Runs `body` with a scope that goes before all others. */
export function withScope<R>(scope: ScopeValues | undefined, body: () => R): R {
  const before = givenScopes;
  if (scope) givenScopes = [scope, ...before];
  try {
    return body();
  } finally {
    givenScopes = before;
  }
}

/** Compiles a JavaScript function. Throws ScriptError with the line of what cannot be compiled. */
export function compileFunctionValue(fn: AnyFunction, signature?: string): ScriptFunction {
  const known = compiledFunctions().get(fn);
  if (known) return known;
  const own = statics(fn);
  const scopes = own.scope ? [...givenScopes, own.scope] : givenScopes;
  const name = /^[A-Za-z_]\w*$/.test(fn.name) ? fn.name : "anonymous";
  return compileLocated(fn, name, locateFunction(fn), scopes, signature ?? own.signature);
}

/** Compiles a function that a source file declares, known by its name alone. Throws ScriptError where there is none. */
export function compileDeclaration(file: SourceFile, name: string): ScriptFunction {
  const declared = file.declarations.get(name);
  if (declared?.kind !== "function") throw new ScriptError(`The source declares no function ${name}`);
  const { node } = declared;
  return compileLocated(node, name, { node, source: file.source, offset: 0, file }, givenScopes);
}

/** The class of the user that defines a method, nearest first. */
function definingClass(cls: ModuleClass, name: string): ModuleClass | undefined {
  for (const base of baseClasses(cls)) {
    if (ownScript(base)) return undefined;
    if (Object.hasOwn(base.prototype, name) || locateMethod(base, name)) return base;
  }
  return undefined;
}

function listed(cls: ModuleClass, key: "exports" | "ignored" | "unused"): string[] {
  return [...baseClasses(cls)].flatMap((base) => (Object.hasOwn(base, key) ? [...(statics(base)[key] ?? [])] : []));
}

/** How a method is marked. */
function markOf(cls: ModuleClass, base: ModuleClass, name: string): "ignored" | "unused" | undefined {
  const method = Object.getOwnPropertyDescriptor(base.prototype, name)?.value as unknown;
  const mark = typeof method === "function" ? ignoredFunctions.get(method) : undefined;
  if (mark) return mark;
  if (listed(cls, "ignored").includes(name)) return "ignored";
  return listed(cls, "unused").includes(name) ? "unused" : undefined;
}

/** The body of a method that must not be called in a script. */
function raising(def: Def): Def {
  const { range } = def;
  const callee = { kind: "Var", name: { name: "$js:Error", range }, range } as const;
  const message = { kind: "String", value: "Cannot call @unused methods", range } as const;
  const raise: Stmt = { kind: "Raise", value: { kind: "Apply", callee, args: [message], kwargs: [], range }, range };
  return { ...def, body: [raise] };
}

/** A method of a user's class as a stub. */
function methodStub(cls: ModuleClass, name: string): MethodStub | "ignored" | undefined {
  const base = definingClass(cls, name);
  if (!base) return undefined;
  const mark = markOf(cls, base, name);
  if (mark === "ignored") return "ignored";
  const located = locateMethod(base, name);
  if (!located) return undefined;
  const scopes = [...givenScopes];
  let signature: string | undefined;
  for (const owner of baseClasses(cls)) {
    const own = Object.hasOwn(owner, "scope") ? statics(owner).scope : undefined;
    if (own) scopes.push(own);
    if (Object.hasOwn(owner, "signatures")) signature ??= statics(owner).signatures?.[name];
  }
  const names = new Names(scopes, located.file);
  const def = lowerFunction(located, { name, isMethod: true, names, signature });
  return { def: mark === "unused" ? raising(def) : def, resolver: names.resolver() };
}

/** Methods and functions that are written in JavaScript. */
export const javascriptSource: MethodSource = {
  exportedNames(cls) {
    const names = new Set(listed(cls, "exports"));
    for (const base of baseClasses(cls)) {
      if (ownScript(base)) break;
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(base.prototype)))
        if (typeof value === "function" && exportedFunctions.has(value as object)) names.add(name);
    }
    return [...names];
  },
  findMethod: methodStub,
  attributeType(cls, name) {
    for (const base of baseClasses(cls)) {
      if (ownScript(base)) return undefined;
      const type = fieldType(base, name);
      if (type !== undefined) return type;
    }
    return undefined;
  },
  functionValue(value) {
    if (typeof value !== "function") return undefined;
    const compiled = functionOf(value);
    if (compiled) return new FunctionValue(compiled);
    if (value instanceof Module) return undefined;
    return new FunctionValue(compileFunctionValue(value as AnyFunction));
  },
};
