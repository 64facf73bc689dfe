/** @file QualifiedName: dotted names of classes and functions. Upstream: aten/src/ATen/core/qualified_name.h. Spec: spec/records.md. */

/** An immutable dotted name such as `__torch__.pkg.Net`. */
export class QualifiedName {
  readonly qualifiedName: string;
  constructor(name: string) {
    this.qualifiedName = name;
  }
  /** Everything before the last dot; empty for a bare name. */
  get prefix(): string {
    return this.qualifiedName.slice(0, Math.max(0, this.qualifiedName.lastIndexOf(".")));
  }
  /** The last atom. */
  get name(): string {
    return this.qualifiedName.slice(this.qualifiedName.lastIndexOf(".") + 1);
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
