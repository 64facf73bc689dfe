/** @file Names in printed code: which are identifiers, which are taken, how collisions count. Upstream: torch/csrc/jit/serialization/python_print.cpp. Spec: spec/printing.md. */

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Whether a name can be written as it is. */
export function isIdentifier(name: string): boolean {
  return IDENTIFIER.test(name);
}

/** The identifier nearest to a debug name. */
export function toIdentifier(name: string): string {
  const lead = name === "" || /^[0-9]/.test(name) ? "_" : "";
  return lead + name.replace(/[^A-Za-z0-9_]/g, "_");
}

// Identifiers that mean something to the parser of archived code, and Python's keywords.
const RESERVED = new Set(
  (
    "_ as aten attribute CONSTANTS fork getattr inf nan infj nanj ops __torch__ uninitialized unchecked_cast " +
    "and assert async await break class continue def del elif else except False finally for from global if import in is " +
    "lambda None nonlocal not or pass raise return True try with while yield"
  ).split(" "),
);

/** Gives unique names within a function. The counters last for a whole file: that is upstream's numbering. */
export class NameTable {
  private readonly used = new Set<string>();
  private readonly counters = new Map<string, number>();

  /** Forgets the names in use; each function may use them again. */
  startFunction(): void {
    this.used.clear();
  }

  /** `candidate`, or with a number. The counter belongs to the name that collided, not to the candidate. */
  unique(candidate: string): string {
    let name = candidate;
    while (this.used.has(name) || RESERVED.has(name)) {
      const count = this.counters.get(name) ?? 0;
      this.counters.set(name, count + 1);
      name = `${candidate}${count}`;
    }
    this.used.add(name);
    return name;
  }
}
