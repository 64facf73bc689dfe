/** @file CompilationUnit: owns functions and named types by qualified name. Upstream: torch/csrc/jit/api/compilation_unit.h. Spec: none. */
import { internalAssert } from "../base/errors.ts";
import type { QualifiedName } from "../core/qualified_name.ts";
import type { ClassType, EnumType, InterfaceType, TupleType } from "../core/type.ts";
import type { ScriptFunction } from "./function.ts";

/** Types that have a qualified name. */
export type NamedType = ClassType | InterfaceType | EnumType | TupleType;

/** Functions and named types of one program. */
export class CompilationUnit {
  readonly functions = new Map<string, ScriptFunction>();
  readonly types = new Map<string, NamedType>();
  private mangleCounter = 0;

  addFunction(fn: ScriptFunction): ScriptFunction {
    const name = fn.qualname.qualifiedName;
    internalAssert(!this.functions.has(name), `function ${name} is defined twice`);
    this.functions.set(name, fn);
    return fn;
  }
  findFunction(name: QualifiedName | string): ScriptFunction | undefined {
    return this.functions.get(String(name));
  }
  registerType(type: NamedType): void {
    const name = type.name?.qualifiedName;
    internalAssert(name !== undefined, "an unnamed type cannot be registered");
    this.types.set(name, type);
  }
  findType(name: QualifiedName | string): NamedType | undefined {
    return this.types.get(String(name));
  }
  findClass(name: QualifiedName | string): ClassType | undefined {
    const type = this.findType(name);
    return type?.kind === "Class" ? type : undefined;
  }
  /** The next number of `___torch_mangle_N`. */
  nextMangle(): number {
    return this.mangleCounter++;
  }
}
