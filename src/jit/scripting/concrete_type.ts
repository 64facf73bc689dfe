/** @file ConcreteModuleType: what the compiler knows of a module: the class type with attributes and constants, and what no class type can hold. Upstream: torch/csrc/jit/frontend/concrete_module_type.cpp. Spec: none. */
import { enumValue, EnumValue, type ScriptObject } from "../../core/ivalue.ts";
import { QualifiedName } from "../../core/qualified_name.ts";
import * as T from "../../core/type.ts";
import { ClassType, type InterfaceType, type Type } from "../../core/type.ts";
import type { TypedConstant } from "../../frontend/default_value.ts";
import { Complex, Float } from "../../tensor/scalar.ts";
import { Device } from "../../tensor/tensor.ts";
import { pythonCu, uniqueName, unitStore } from "../python_cu.ts";
import type { ModuleClass } from "./module_class.ts";

/** How a container is looped over and indexed. */
export type IterableKind = "none" | "list" | "dict" | "paramlist" | "paramdict";

/** An attribute of a module. */
export interface ConcreteAttribute {
  readonly type: Type;
  readonly isParameter: boolean;
  readonly isBuffer: boolean;
}

/** Everything that decides about a module's type; filled in by `inferConcreteType`, then built once. */
export class ConcreteModuleType {
  /** The eager class, to look methods up in; undefined for modules that were loaded. */
  readonly moduleClass: ModuleClass | undefined;
  /** The name that the class type asks for. */
  readonly className: QualifiedName;
  iterableKind: IterableKind = "none";
  readonly attributes = new Map<string, ConcreteAttribute>();
  readonly constants = new Map<string, TypedConstant>();
  readonly modules = new Map<string, ConcreteModuleType>();
  readonly overloads = new Map<string, readonly string[]>();
  /** Functions that stand in attributes. */
  readonly functionAttributes = new Map<string, unknown>();
  /** Why an attribute has no type. */
  readonly failedAttributes = new Map<string, string>();
  readonly ignoredAttributes = new Set<string>();
  /** The eager hooks, in order. */
  readonly hooks: unknown[] = [];
  readonly preHooks: unknown[] = [];
  /** Not shared with any other module: each trace may give other methods. */
  isPoisoned = false;
  /** Whether the methods to start from were compiled. */
  methodsCompiled = false;
  private built: ClassType | InterfaceType | undefined;

  constructor(moduleClass: ModuleClass | undefined, className: QualifiedName) {
    this.moduleClass = moduleClass;
    this.className = className;
  }

  /** The type in the IR; made, named and registered the first time it is asked for. */
  get jitType(): ClassType | InterfaceType {
    this.built ??= this.build();
    return this.built;
  }
  /** The type, where it is known that the module is no interface. */
  get classType(): ClassType {
    const type = this.jitType;
    if (type.kind !== "Class") throw new Error(`internal: ${type.name.qualifiedName} is an interface`);
    return type;
  }

  private build(): ClassType {
    // submodules were inferred before: their types come first, as upstream builds them
    for (const meta of this.modules.values()) void meta.jitType;
    const cls = new ClassType(uniqueName(this.className), true);
    pythonCu().registerType(cls);
    for (const [name, { type, isParameter, isBuffer }] of this.attributes)
      cls.addAttribute(name, type, isParameter, isBuffer);
    for (const [name, constant] of this.constants) cls.constants.set(name, constant);
    for (const [name, meta] of this.modules) cls.addAttribute(name, meta.jitType);
    return cls;
  }

  /** The concrete type of a module that is compiled already. */
  static fromJitType(type: ClassType | InterfaceType): ConcreteModuleType {
    const concrete = new ConcreteModuleType(undefined, type.name);
    concrete.built = type;
    concrete.methodsCompiled = true;
    if (type.kind === "Interface") return concrete;
    for (const { name, type: attributeType, isParameter, isBuffer } of type.attributes) {
      const isModule = (attributeType.kind === "Class" || attributeType.kind === "Interface") && attributeType.isModule;
      if (isModule) concrete.modules.set(name, ConcreteModuleType.fromJitType(attributeType));
      else concrete.attributes.set(name, { type: attributeType, isParameter, isBuffer });
    }
    for (const [name, constant] of type.constants) concrete.constants.set(name, constant);
    return concrete;
  }

  /** Whether modules of both can have one type. */
  equals(other: ConcreteModuleType): boolean {
    if (this.built && this.built === other.built) return true;
    if (this.isPoisoned || other.isPoisoned) return false;
    return (
      this.moduleClass === other.moduleClass &&
      this.iterableKind === other.iterableKind &&
      sameMaps(this.attributes, other.attributes, sameAttribute, true) &&
      sameMaps(this.constants, other.constants, sameConstant) &&
      sameMaps(this.overloads, other.overloads, sameLists) &&
      sameMaps(this.functionAttributes, other.functionAttributes, Object.is) &&
      sameLists([...this.ignoredAttributes], [...other.ignoredAttributes]) &&
      sameLists(this.hooks, other.hooks) &&
      sameLists(this.preHooks, other.preHooks) &&
      // the most work, so the last
      sameMaps(this.modules, other.modules, (a, b) => a.equals(b))
    );
  }
}

function sameAttribute(a: ConcreteAttribute, b: ConcreteAttribute): boolean {
  return a.isParameter === b.isParameter && a.isBuffer === b.isBuffer && T.typesEqual(a.type, b.type);
}

function sameConstant(a: TypedConstant, b: TypedConstant): boolean {
  return T.typesEqual(a.type, b.type) && sameValue(a.value, b.value);
}

function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, i) => sameValue(x, b[i]));
  if (a instanceof Float && b instanceof Float) return Object.is(a.value, b.value);
  if (a instanceof Complex && b instanceof Complex) return a.re === b.re && a.im === b.im;
  if (a instanceof Device && b instanceof Device) return a.type === b.type && a.index === b.index;
  if (a instanceof EnumValue && b instanceof EnumValue) return enumValue(a.type, a.name) === b;
  return false;
}

function sameLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
}

function sameMaps<V>(
  a: ReadonlyMap<string, V>,
  b: ReadonlyMap<string, V>,
  same: (x: V, y: V) => boolean,
  inOrder = false,
): boolean {
  if (a.size !== b.size) return false;
  if (inOrder && !sameLists([...a.keys()], [...b.keys()])) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (!b.has(key) || !same(value, other as V)) return false;
  }
  return true;
}

const STORE = Symbol("concrete types");
const MODULES = Symbol("concrete types of modules");

/** Types by eager class, for modules that may share them. Upstream: torch/jit/_recursive.py ConcreteTypeStore. */
export function shareConcreteType(concrete: ConcreteModuleType): ConcreteModuleType {
  const store = unitStore(STORE, () => new Map<ModuleClass | undefined, ConcreteModuleType[]>());
  const known = store.get(concrete.moduleClass) ?? [];
  const same = known.find((type) => type.equals(concrete));
  if (same) return same;
  store.set(concrete.moduleClass, [...known, concrete]);
  void concrete.jitType;
  return concrete;
}

/** The concrete type of a module that is compiled already: what it was compiled with, or what its type says. */
export function concreteTypeOf(object: ScriptObject): ConcreteModuleType {
  const known = unitStore(MODULES, () => new WeakMap<ScriptObject, ConcreteModuleType>());
  let concrete = known.get(object);
  if (!concrete) {
    concrete = ConcreteModuleType.fromJitType(object.type);
    known.set(object, concrete);
  }
  return concrete;
}

/** Remembers what a module was compiled with. */
export function setConcreteType(object: ScriptObject, concrete: ConcreteModuleType): void {
  unitStore(MODULES, () => new WeakMap<ScriptObject, ConcreteModuleType>()).set(object, concrete);
}
