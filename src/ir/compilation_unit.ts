/** @file CompilationUnit: owns functions and named types by qualified name. Upstream: torch/csrc/jit/api/compilation_unit.h. Spec: none. */
import { ScriptError, internalAssert } from "../base/errors.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { QualifiedName } from "../core/qualified_name.ts";
import type { ClassType, EnumType, InterfaceType, TupleType } from "../core/type.ts";
import type { ScriptFunction } from "./function.ts";

/** Types that have a qualified name. */
export type NamedType = ClassType | InterfaceType | EnumType | TupleType;

/** A record of code and what the archive layer knows of it. */
export interface StoredCode {
  readonly name: string;
  /** A `StoredEntry` of `src/archive`. */
  readonly stored: unknown;
}

/** The archive that a program was loaded from: while nothing is compiled and nothing was added, saving may copy its code. */
export interface CodeOrigin {
  /** The module that the archive holds. */
  readonly root: ScriptObject;
  /** Version of the archive: operators mean what they meant then. */
  readonly version: number;
  /** Whether tsarchive wrote the archive. */
  isOwn(): boolean;
  /** The records of the code in the archive's order; undefined where they cannot be copied. Throws what reading them throws. */
  records(): readonly StoredCode[] | undefined;
}

/** Functions and named types of one program. */
export class CompilationUnit {
  readonly functions = new Map<string, ScriptFunction>();
  readonly types = new Map<string, NamedType>();
  /** Undefined for programs that are not as an archive holds them. */
  codeOrigin: CodeOrigin | undefined;
  private mangleCounter = 0;

  addFunction(fn: ScriptFunction): ScriptFunction {
    const name = fn.qualname.qualifiedName;
    if (this.functions.has(name)) throw new ScriptError(`method '${name}' already defined.`);
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
