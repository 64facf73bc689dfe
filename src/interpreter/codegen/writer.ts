/** @file The text of one function while it is generated: locals of registers, references to objects, ints in one or two locals. Upstream: none. Spec: none.
 *
 * Note [Generated text]: the text consists of templates of this folder and of numbers (of registers, references, error sites). Kernels, constants,
 * callees and slots' objects come by reference through one array, so no text of an archive ever reaches the evaluator. The one other template is that of loops (tensor/own_loops.ts). */
import type { Code, Origin } from "../instructions.ts";
import { countUses, type Uses } from "../uses.ts";
import { analyze, isSafe, type Facts, type Interval } from "./ranges.ts";
import { W, join, split, toDouble } from "./wide_int.ts";

/** The expressions of an int's two parts; `high` is "0" for ints that are safe. */
export interface Parts {
  readonly low: string;
  readonly high: string;
}

const INT32_MAX = 2147483647;

export class Writer {
  readonly code: Code;
  readonly facts: Facts;
  readonly uses: Uses;
  readonly lines: string[] = [];
  /** Functions beside the generated one. */
  readonly helpers: string[] = [];
  /** What the text refers to, in order. */
  readonly references: unknown[] = [];
  /** Places of instructions that can fail. */
  readonly sites: Origin[] = [];
  private readonly names = new Map<unknown, string>();
  private readonly used = new Set<number>();
  private temporaries = 0;

  constructor(code: Code) {
    this.code = code;
    this.facts = analyze(code);
    this.uses = countUses(code.instructions, code.outputs);
  }

  line(text: string): void {
    this.lines.push(text);
  }

  /** A name for an object. */
  ref(value: unknown): string {
    // NaN, 0 and -0 need names of their own
    const key = typeof value === "number" ? (Object.is(value, -0) ? this.references : value) : value;
    let name = this.names.get(key);
    if (name === undefined) {
      name = `k${this.references.length}`;
      this.references.push(value);
      this.names.set(key, name);
    }
    return name;
  }

  /** Adds a function beside the generated one; gives its name. */
  helper(parameters: readonly string[], lines: readonly string[]): string {
    const name = `f${this.helpers.length}`;
    this.helpers.push(`function ${name}(${parameters.join(",")}){\n${lines.join("\n")}\n}`);
    return name;
  }

  /** A fresh local. */
  temporary(): string {
    return `t${this.temporaries++}`;
  }

  /** Says where an error of what follows belongs. */
  site(at: Origin): string {
    const last = this.sites.length - 1;
    const index = this.sites[last] === at ? last : this.sites.push(at) - 1;
    return `s=${index};`;
  }

  /** The register that a read of `r` comes down to. */
  resolve(r: number): number {
    return this.facts.constantOf.get(r) ?? r;
  }

  isConstant(r: number): boolean {
    return this.code.constants.has(this.resolve(r));
  }

  constant(r: number): unknown {
    return this.code.template[this.resolve(r)];
  }

  isInt(r: number): boolean {
    return this.code.types[r]?.kind === "Int";
  }

  /** The interval of an int register. */
  interval(r: number): Interval {
    return this.facts.intervals[this.resolve(r)] ?? [-Infinity, Infinity];
  }

  /** Whether an int register needs two locals. */
  isWide(r: number): boolean {
    return this.isInt(r) && !isSafe(this.interval(r));
  }

  /** The local of a register (its low part where it is a wide int). */
  local(r: number): string {
    this.used.add(r);
    return `r${r}`;
  }

  /** The value of a register as everybody outside sees it. */
  value(register: number): string {
    const r = this.resolve(register);
    if (this.code.constants.has(r)) return this.constantText(this.code.template[r]);
    if (!this.isWide(r)) return this.local(r);
    return `(h${r}===0?${this.local(r)}:${this.ref(join)}(r${r},h${r}))`;
  }

  private constantText(value: unknown): string {
    if (value === null) return "null";
    if (value === true) return "true";
    if (value === false) return "false";
    if (value === undefined) return "undefined";
    return this.ref(value);
  }

  /** The parts of an int. May write lines. */
  parts(register: number): Parts {
    const r = this.resolve(register);
    if (this.code.constants.has(r)) {
      const value = this.code.template[r];
      if (typeof value === "number") return { low: this.ref(value), high: "0" };
      const low = split(value);
      return { low: this.ref(low), high: this.ref(W.high) };
    }
    if (this.isInt(r)) return { low: this.local(r), high: this.isWide(r) ? `h${r}` : "0" };
    const low = this.temporary();
    const high = this.temporary();
    this.line(`let ${low}=${this.ref(split)}(${this.local(r)}),${high}=${this.ref(W)}.high;`);
    return { low, high };
  }

  /** An int as a double. */
  double(register: number): string {
    const { low, high } = this.parts(register);
    return high === "0" ? low : `(${high}===0?${low}:${this.ref(toDouble)}(${low},${high}))`;
  }

  /** Assigns a value in the common form. */
  assign(out: number, expression: string): void {
    if (!this.isWide(out)) {
      this.line(`${this.local(out)}=${expression};`);
      return;
    }
    const t = this.temporary();
    this.line(`let ${t}=${expression};`);
    this.line(
      `if(typeof ${t}==="number"){${this.local(out)}=${t};h${out}=0;}else{r${out}=${this.ref(split)}(${t});h${out}=${this.ref(W)}.high;}`,
    );
  }

  /** Assigns an int that is known to be safe. */
  assignSafe(out: number, expression: string): void {
    this.line(this.isWide(out) ? `${this.local(out)}=${expression};h${out}=0;` : `${this.local(out)}=${expression};`);
  }

  /** Assigns an int given by its parts. */
  assignParts(out: number, { low, high }: Parts): void {
    if (high === "0") this.assignSafe(out, low);
    else if (this.isWide(out)) this.line(`${this.local(out)}=${low};h${out}=${high};`);
    else this.line(`${this.local(out)}=${high}===0?${low}:${this.ref(join)}(${low},${high});`);
  }

  /** Assigns the result of a function that leaves the high part in `W`. */
  assignCall(out: number, call: string): void {
    if (this.isWide(out)) this.line(`${this.local(out)}=${call};h${out}=${this.ref(W)}.high;`);
    else {
      const t = this.temporary();
      this.line(`let ${t}=${call};`);
      this.assignParts(out, { low: t, high: `${this.ref(W)}.high` });
    }
  }

  /** Declarations of the locals in use, but for arguments. Numbers start as numbers: their locals then never hold anything else. */
  declarations(): string {
    const names: string[] = [];
    for (const r of this.used) {
      if (r < this.code.numInputs) continue;
      const kind = this.code.types[r]?.kind;
      names.push(kind === "Int" || kind === "Float" ? `r${r}=0` : kind === "Bool" ? `r${r}=false` : `r${r}`);
      if (this.isWide(r)) names.push(`h${r}=0`);
    }
    return names.length > 0 ? `let ${names.join(",")};` : "";
  }

  /** Whether a value is so far from the ends that int32 arithmetic on it is exact. */
  fitsInt32(r: number): boolean {
    const [low, high] = this.interval(r);
    return low >= -INT32_MAX && high <= INT32_MAX;
  }
}
