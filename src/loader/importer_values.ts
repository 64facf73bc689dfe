/** @file The names of archived code: `ops`, `CONSTANTS`, `__torch__` and the special forms. Upstream: torch/csrc/jit/serialization/import_source.cpp. Spec: spec/grammar.md. */
import { ScriptError } from "../base/errors.ts";
import type { SourceRange } from "../base/source_range.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import * as T from "../core/type.ts";
import type { TypedConstant } from "../frontend/default_value.ts";
import {
  BuiltinModule,
  ClassValue,
  FunctionValue,
  NamedTupleConstructor,
  SugaredEnumClass,
} from "../frontend/emit/sugared_callable.ts";
import { SimpleValue, SpecialFormValue, SugaredValue } from "../frontend/emit/sugared_value.ts";
import type { NamedType } from "../ir/compilation_unit.ts";
import { insertConstant } from "../ir/constants.ts";
import type { ScriptFunction } from "../ir/function.ts";
import { Complex } from "../tensor/scalar.ts";

/** Finds what archived code defines, by qualified name. */
export interface Definitions {
  findNamedType(name: QualifiedName): NamedType | undefined;
  findFunction(name: QualifiedName): ScriptFunction | undefined;
}

/** `ops`: attributes are namespaces of operators. */
class OpsValue extends SugaredValue {
  kind(): string {
    return "ops";
  }
  override attr(_range: SourceRange, _fn: ScriptFunction, field: string): SugaredValue {
    return new BuiltinModule(field);
  }
}

/** The constant that `cN` names; throws torch's errors. */
export function constantAt(constants: readonly TypedConstant[], field: string, range: SourceRange): TypedConstant {
  const digits = /^.([+-]?\d+)$/.exec(field)?.[1];
  if (digits === undefined) throw new ScriptError(`invalid constant specifier: ${field}`, range);
  const index = Number(digits);
  const constant = constants[index];
  if (!constant)
    throw new ScriptError(
      `constant index ${digits} is out of bounds (constant table has ${constants.length} entries)`,
      range,
    );
  return constant;
}

/** `CONSTANTS`: the table of constants.pkl. */
class ConstantTableValue extends SugaredValue {
  private readonly constants: readonly TypedConstant[];
  constructor(constants: readonly TypedConstant[]) {
    super();
    this.constants = constants;
  }
  kind(): string {
    return "CONSTANTS";
  }
  override attr(range: SourceRange, fn: ScriptFunction, field: string): SugaredValue {
    const { value, type } = constantAt(this.constants, field, range);
    const constant = insertConstant(fn.graph, value, type, range);
    // a tensor's exact type would spread to everything that the code makes of it
    return new SimpleValue(constant.setType(T.unshapedType(constant.type)));
  }
}

/** `__torch__` and what lies below it, until the name is one of a class or function. */
export class ClassNamespaceValue extends SugaredValue {
  private readonly name: QualifiedName;
  private readonly definitions: Definitions;
  constructor(name: QualifiedName, definitions: Definitions) {
    super();
    this.name = name;
    this.definitions = definitions;
  }
  kind(): string {
    return "Class Namespace";
  }
  override attr(_range: SourceRange, _fn: ScriptFunction, field: string): SugaredValue {
    const full = this.name.child(field);
    const type = this.definitions.findNamedType(full);
    switch (type?.kind) {
      case "Class":
        return new ClassValue(type);
      case "Tuple":
        return new NamedTupleConstructor(type);
      case "Enum":
        return new SugaredEnumClass(type);
      default:
        break;
    }
    const fn = this.definitions.findFunction(full);
    return fn ? new FunctionValue(fn) : new ClassNamespaceValue(full, this.definitions);
  }
}

const SPECIAL_FORMS: Readonly<Record<string, string>> = {
  fork: "prim::fork",
  awaitable: "prim::awaitable",
  annotate: "prim::annotate",
  unchecked_cast: "prim::unchecked_cast",
  uninitialized: "prim::Uninitialized",
};

/** Names of non-finite literals. */
const NON_FINITE: ReadonlyMap<string, TypedConstant> = new Map<string, TypedConstant>([
  ["inf", { value: Infinity, type: T.FloatT }],
  ["nan", { value: NaN, type: T.FloatT }],
  ["infj", { value: new Complex(0, Infinity), type: T.ComplexT }],
  ["nanj", { value: new Complex(0, NaN), type: T.ComplexT }],
]);

/** The value of `inf`, `nan`, `infj` or `nanj`. */
export function nonFiniteLiteral(name: string): TypedConstant | undefined {
  return NON_FINITE.get(name);
}

/** The names that all archived code sees. */
export function importerEnvironment(
  constants: readonly TypedConstant[],
  definitions: Definitions,
): ReadonlyMap<string, SugaredValue> {
  return new Map<string, SugaredValue>([
    ["torch", new BuiltinModule("aten")],
    ["ops", new OpsValue()],
    ["CONSTANTS", new ConstantTableValue(constants)],
    ["__torch__", new ClassNamespaceValue(new QualifiedName("__torch__"), definitions)],
    ...Object.entries(SPECIAL_FORMS).map(([name, form]): [string, SugaredValue] => [name, new SpecialFormValue(form)]),
  ]);
}
