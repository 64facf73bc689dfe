/** @file What the class of an eager module says to the compiler: name, constants, annotations. Upstream: torch/jit/_recursive.py, torch/_jit_internal.py (_qualified_name). Spec: none. */
import type { QualifiedName } from "../../core/qualified_name.ts";
import type { Type } from "../../core/type.ts";
import { ScriptTypeParser, type TypeResolver } from "../../frontend/script_type_parser.ts";
import type { ModuleScript } from "../../nn/module_script.ts";
import { Module } from "../../nn/module.ts";
import { qualifiedNameOf } from "../python_cu.ts";

/** The constructor of a module, with the statics that the compiler reads. */
export interface ModuleClass {
  readonly name: string;
  readonly prototype: object;
  readonly torchscript?: ModuleScript;
  /** Names of attributes that are constants: Python's `__constants__`. */
  readonly constants?: readonly string[];
  /** Types of attributes as TorchScript text, `Final[...]` for constants: the annotations of a Python class. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Names of attributes that scripts do not see: Python's `__jit_ignored_attributes__`. */
  readonly ignoredAttributes?: readonly string[];
}

/** The class of a module. */
export function classOf(module: Module): ModuleClass {
  return module.constructor as unknown as ModuleClass;
}

/** A class and its bases, up to `Module`, which is left out. */
export function* baseClasses(cls: ModuleClass): Generator<ModuleClass> {
  for (
    let current = cls as ModuleClass | null;
    current !== null && (current as unknown) !== Module && current.prototype instanceof Module;
    current = Object.getPrototypeOf(current) as ModuleClass | null
  )
    yield current;
}

function own<K extends keyof ModuleClass>(cls: ModuleClass, key: K): ModuleClass[K] | undefined {
  return Object.hasOwn(cls, key) ? cls[key] : undefined;
}

/** The TorchScript side that a class itself declares. */
export function ownScript(cls: ModuleClass): ModuleScript | undefined {
  return own(cls, "torchscript");
}

/** `__torch__.torch.nn.modules.linear.Linear` for classes of the library, `__torch__.MyCell` for others. */
export function moduleClassName(cls: ModuleClass): QualifiedName {
  return qualifiedNameOf(ownScript(cls)?.name ?? cls.name);
}

/** Annotations that every class has which has none of its own: those of Module. */
const MODULE_ANNOTATIONS: Readonly<Record<string, string>> = {
  training: "bool",
  _is_full_backward_hook: "Optional[bool]",
};

/** The annotations that count for a class: of the nearest class that has any; Python does not merge them. */
export function annotationsOf(cls: ModuleClass): Readonly<Record<string, string>> {
  for (const base of baseClasses(cls)) {
    const annotations = own(base, "annotations") ?? ownScript(base)?.attributes;
    if (annotations) return annotations;
  }
  return MODULE_ANNOTATIONS;
}

const FINAL = /^Final(?:\[(.*)\])?$/s;

/** The type of an annotation: `Final[T]` is T, and undefined where a bare `Final` leaves it open. */
export function annotatedType(text: string, resolver?: TypeResolver): Type | undefined {
  const final = FINAL.exec(text.trim());
  const inner = final ? final[1] : text;
  return inner === undefined ? undefined : new ScriptTypeParser(resolver).parseTypeText(inner);
}

/** Names of constants in order: `constants` of the nearest class that has them, then `Final` annotations. */
export function constantNames(cls: ModuleClass): string[] {
  const names = new Set<string>();
  for (const base of baseClasses(cls)) {
    const constants = ownScript(base)?.constants ?? own(base, "constants");
    if (!constants) continue;
    for (const name of constants) names.add(name);
    break;
  }
  for (const [name, text] of Object.entries(annotationsOf(cls))) if (FINAL.test(text.trim())) names.add(name);
  return [...names];
}

/** Names of ignored attributes. */
export function ignoredAttributes(cls: ModuleClass): readonly string[] {
  return cls.ignoredAttributes ?? [];
}
