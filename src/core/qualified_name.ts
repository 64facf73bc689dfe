/** @file QualifiedName: dotted names of classes and functions. Upstream: aten/src/ATen/core/qualified_name.h. Spec: spec/records.md. */

/** An immutable dotted name such as `__torch__.pkg.Net`. */
export class QualifiedName {
  readonly qualifiedName: string;
  /** Everything before the last dot; empty for a bare name. */
  readonly prefix: string;
  /** The last atom. */
  readonly name: string;

  constructor(name: string) {
    const dot = name.lastIndexOf(".");
    this.qualifiedName = name;
    // cut here and not when they are asked for: tables then find strings whose hashes are known
    this.prefix = name.slice(0, Math.max(0, dot));
    this.name = name.slice(dot + 1);
  }
  get atoms(): string[] {
    return this.qualifiedName.split(".");
  }
  child(name: string): QualifiedName {
    return new QualifiedName(this.qualifiedName ? `${this.qualifiedName}.${name}` : name);
  }
  toString(): string {
    return this.qualifiedName;
  }
}
