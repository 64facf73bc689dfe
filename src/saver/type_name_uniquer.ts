/** @file TypeNameUniquer: one name per type within an archive; the first type keeps its name, later ones are mangled. Upstream: torch/csrc/jit/serialization/type_name_uniquer.cpp, frontend/name_mangler.cpp. Spec: spec/printing.md. */
import { QualifiedName } from "../core/qualified_name.ts";
import type { TypePrinter } from "../core/type.ts";
import { NamedTypeMap, asPrintedType, definitionName, type PrintedType } from "./dependencies.ts";

const MANGLE = "___torch_mangle_";

/** Puts a numbered namespace before the last atom of a name, or counts up the one that is there. */
export class NameMangler {
  private index = 0;

  mangle(name: QualifiedName): QualifiedName {
    const { atoms } = name;
    for (const [i, atom] of atoms.entries()) {
      const at = atom.indexOf(MANGLE);
      if (at < 0) continue;
      const prefix = atom.slice(0, at + MANGLE.length);
      this.index = Math.max(this.index, (Number.parseInt(atom.slice(prefix.length), 10) || 0) + 1);
      atoms[i] = `${prefix}${this.index++}`;
      return new QualifiedName(atoms.join("."));
    }
    atoms.splice(atoms.length - 1, 0, `${MANGLE}${this.index++}`);
    return new QualifiedName(atoms.join("."));
  }
}

/** Names of the types of one archive. */
export class TypeNameUniquer {
  private readonly names = new NamedTypeMap<QualifiedName>();
  /** All types that were named. */
  readonly types: PrintedType[] = [];
  private readonly used = new Set<string>();
  private readonly mangler = new NameMangler();

  nameOf(type: PrintedType): QualifiedName {
    const known = this.names.get(type);
    if (known) return known;
    const own = definitionName(type);
    let name = own;
    while (this.used.has(name.qualifiedName)) name = this.mangler.mangle(own);
    this.used.add(name.qualifiedName);
    this.names.set(type, name);
    this.types.push(type);
    return name;
  }

  /** Prints named types by their unique names. */
  readonly printType: TypePrinter = (type) => {
    const named = asPrintedType(type);
    return named && this.nameOf(named).qualifiedName;
  };
}
