/** @file Runs of small tensor operators that become one instruction. Upstream: torch/csrc/jit/passes/tensorexpr_fuser.cpp (the aim). Spec: none.
 *
 * A run of instructions that steps of a sequence can stand for gets one of them in front: Note [Sequences]. Attributes that are read in between
 * are read before it, and lives end behind it. Where the sequence does not fit what comes in, the instructions run as they are. */
import { Float } from "../tensor/scalar.ts";
import { COMPARISONS, SmallDecision } from "../tensor/small.ts";
import { Sequence, type SequenceStep } from "../tensor/kernels/wasm/sequences.ts";
import type { SequenceBinary, SequenceUnary } from "../tensor/kernels/wasm/sequence_names.ts";
import type { Instruction } from "./instructions.ts";
import { countUses, isRelease, type Uses } from "./uses.ts";

const isComparison = (name: string): name is keyof typeof COMPARISONS => Object.hasOwn(COMPARISONS, name);

type KernelInstruction = Extract<Instruction, { op: "kernel" }>;
type ArrayInstruction = Extract<Instruction, { op: "array" }>;

/** What is known of constants. */
interface Constants {
  has(register: number): boolean;
  value(register: number): unknown;
}

/** An operator as a step of the registers it reads. */
interface Match {
  /** Registers of tensors. */
  readonly reads: readonly number[];
  /** The step, given the numbers of the values read. */
  readonly step: (values: readonly number[]) => SequenceStep;
}

type Matcher = (args: readonly number[], constants: Constants) => Match | undefined;

const isOne = (register: number | undefined, constants: Constants): boolean =>
  register === undefined || (constants.has(register) && constants.value(register) === 1);

const unary =
  (name: SequenceUnary): Matcher =>
  ([a]) => ({ reads: [a!], step: ([x]) => ({ op: "unary", name, a: x! }) });

/** `alpha`, where there is one, must be 1. */
const binary =
  (name: SequenceBinary): Matcher =>
  ([a, b, alpha], constants) =>
    isOne(alpha, constants) ? { reads: [a!, b!], step: ([x, y]) => ({ op: "binary", name, a: x!, b: y! }) } : undefined;

const withNumber =
  (name: SequenceBinary, isLeft = false): Matcher =>
  ([a, b, alpha], constants) => {
    const number = numberIn(b!, constants);
    if (number === undefined || !isOne(alpha, constants)) return undefined;
    return { reads: [a!], step: ([x]) => ({ op: "number", name, a: x!, number: Math.fround(number), isLeft }) };
  };

const linear: Matcher = ([x, weight, bias], constants) => {
  if (constants.has(bias!) && constants.value(bias!) === null) {
    return { reads: [x!, weight!], step: ([a, w]) => ({ op: "linear", x: a!, weight: w!, bias: undefined }) };
  }
  return { reads: [x!, weight!, bias!], step: ([a, w, b]) => ({ op: "linear", x: a!, weight: w!, bias: b }) };
};

const MATCHERS = new Map<string, Matcher>([
  ["aten::add.Tensor", binary("add")],
  ["aten::sub.Tensor", binary("sub")],
  ["aten::mul.Tensor", binary("mul")],
  ["aten::div.Tensor", binary("div")],
  ["aten::add.Scalar", withNumber("add")],
  ["aten::sub.Scalar", withNumber("sub")],
  ["aten::rsub.Scalar", withNumber("sub", true)],
  ["aten::mul.Scalar", withNumber("mul")],
  ["aten::div.Scalar", withNumber("div")],
  ["aten::sigmoid", unary("sigmoid")],
  ["aten::tanh", unary("tanh")],
  ["aten::exp", unary("exp")],
  ["aten::sqrt", unary("sqrt")],
  ["aten::neg", unary("neg")],
  ["aten::relu", unary("relu")],
  ["aten::linear", linear],
]);

/** A number that a register always holds; undefined where it is none. */
function numberIn(register: number, constants: Constants): number | undefined {
  const value = constants.has(register) ? constants.value(register) : undefined;
  return typeof value === "number" ? value : value instanceof Float ? value.value : undefined;
}

/** Parts of a tensor, which an `unpack` takes from their list: by their number, or by their size. */
const CHUNK = "aten::chunk";
const SPLIT = "aten::split.Tensor";

/** An operator of tensors with one result at a position. */
function operatorAt(list: readonly Instruction[], at: number): KernelInstruction | undefined {
  const i = list[at];
  return i?.op === "kernel" && i.entry && i.outs.length === 1 ? i : undefined;
}

/** A run of instructions, replaced. */
interface Run {
  readonly instructions: readonly Instruction[];
  readonly to: number;
}

/** A step at its place: one instruction, or two. */
interface Member {
  readonly match: Match;
  readonly instructions: readonly Instruction[];
  readonly outs: readonly number[];
  /** Results are views: they may not leave the sequence. */
  readonly isView: boolean;
  readonly at: number;
}

class Finder {
  private readonly uses: Uses;
  private readonly constants: Constants;

  constructor(uses: Uses, constants: Constants) {
    this.uses = uses;
    this.constants = constants;
  }

  /** The instructions of a block with sequences in front of runs. */
  block(list: readonly Instruction[]): Instruction[] {
    const out: Instruction[] = [];
    for (let at = 0; at < list.length;) {
      const run = this.decision(list, at) ?? this.run(list, at, list.length);
      if (run) {
        out.push(...run.instructions);
        at = run.to;
        continue;
      }
      const i = list[at++]!;
      if (i.op === "if") out.push({ ...i, yes: this.block(i.yes), no: this.block(i.no) });
      else if (i.op === "loop") out.push({ ...i, body: this.block(i.body) });
      else out.push(i);
    }
    return out;
  }

  /** `bool(x.sum() > 0)`, or without the sum: one instruction without tensors in between. */
  private decision(list: readonly Instruction[], from: number): Run | undefined {
    const first = operatorAt(list, from);
    const sums = first?.key === "aten::sum";
    const steps: KernelInstruction[] = [];
    const ends: Instruction[] = [];
    let to = from;
    for (; to < list.length && steps.length < (sums ? 3 : 2); to++) {
      const i = operatorAt(list, to);
      if (i && (steps.length === 0 || this.isOnlyFor(steps.at(-1)!, i))) steps.push(i);
      else if (steps.length > 0 && isRelease(list[to]!)) ends.push(list[to]!);
      else return undefined;
    }
    const [compare, truth] = steps.slice(-2) as [KernelInstruction?, KernelInstruction?];
    const name = compare && /^aten::(\w+)\.Scalar$/.exec(compare.key)?.[1];
    if (!first || !name || !isComparison(name) || truth?.key !== "aten::Bool.Tensor") return undefined;
    const number = numberIn(compare.args[1]!, this.constants);
    const isPlainSum = !sums || (this.constants.has(first.args[1]!) && this.constants.value(first.args[1]!) === null);
    if (number === undefined || !isPlainSum) return undefined;
    const { args, at } = first;
    const sequence = new SmallDecision(sums, name, number);
    const { outs } = truth;
    return { instructions: [{ op: "sequence", sequence, args: [args[0]!], outs, steps, at }, ...ends], to };
  }

  /** Whether `next` is the only one to read the result of `i`, and reads it first. */
  private isOnlyFor(i: KernelInstruction, next: KernelInstruction): boolean {
    const r = i.outs[0]!;
    return next.args[0] === r && this.uses.reads.get(r) === 1 && this.uses.writes.get(r) === 1;
  }

  private member(list: readonly Instruction[], at: number): Member | undefined {
    const first = list[at]!;
    if (first.op === "array") return this.cat(first, list[at + 1], at);
    const i = operatorAt(list, at);
    if (!i) return undefined;
    if (i.key === CHUNK || i.key === SPLIT) return this.parts(i, list[at + 1], at);
    if (i.key === "aten::slice.Tensor") return this.slice(i, at);
    const match = MATCHERS.get(i.key)?.(i.args, this.constants);
    return match && { match, instructions: [i], outs: i.outs, isView: false, at };
  }

  private number(register: number): number | undefined {
    return numberIn(register, this.constants);
  }

  /** Whether a list is made once and taken once. */
  private isPassing(list: number): boolean {
    return this.uses.reads.get(list) === 1 && this.uses.writes.get(list) === 1;
  }

  private parts(i: KernelInstruction, next: Instruction | undefined, at: number): Member | undefined {
    const [x, by, along] = i.args as [number, number, number];
    const [amount, dim] = [this.number(by), this.number(along)];
    const list = i.outs[0]!;
    if (amount === undefined || dim === undefined || next?.op !== "unpack" || next.arg !== list) return undefined;
    const count = next.outs.length;
    const isChunk = i.key === CHUNK;
    if ((isChunk && amount !== count) || !this.isPassing(list)) return undefined;
    const size = isChunk ? undefined : amount;
    const match: Match = { reads: [x], step: ([a]) => ({ op: "parts", x: a!, count, size, dim }) };
    return { match, instructions: [i, next], outs: next.outs, isView: true, at };
  }

  private slice(i: KernelInstruction, at: number): Member | undefined {
    const [x, ...limits] = i.args as [number, number, number, number, number];
    const isMissing = (r: number): boolean => this.constants.has(r) && this.constants.value(r) === null;
    const start = isMissing(limits[1]) ? 0 : this.number(limits[1]);
    const end = isMissing(limits[2]) ? Infinity : this.number(limits[2]);
    const dim = this.number(limits[0]);
    if (dim === undefined || start === undefined || end === undefined || this.number(limits[3]) !== 1) return undefined;
    const match: Match = { reads: [x], step: ([a]) => ({ op: "slice", x: a!, dim, start, end }) };
    return { match, instructions: [i], outs: i.outs, isView: true, at };
  }

  private cat(list: ArrayInstruction, next: Instruction | undefined, at: number): Member | undefined {
    if (next?.op !== "kernel" || next.key !== "aten::cat" || !next.entry || next.args[0] !== list.out) return undefined;
    const dim = this.number(next.args[1]!);
    if (dim === undefined || list.args.length === 0 || !this.isPassing(list.out)) return undefined;
    const match: Match = { reads: list.args, step: (parts) => ({ op: "cat", parts, dim }) };
    return { match, instructions: [list, next], outs: next.outs, isView: false, at };
  }

  /** The longest run that begins at a position and ends before `limit`, with its sequence. */
  private run(list: readonly Instruction[], from: number, limit: number): Run | undefined {
    const members: Member[] = [];
    const attributes: Instruction[] = [];
    const ends: Instruction[] = [];
    let to = from;
    for (let at = from; at < limit;) {
      const i = list[at]!;
      const member = this.member(list, at);
      if (member) {
        members.push(member);
        to = at += member.instructions.length;
      } else if (isRelease(i) || (i.op === "get_attr" && this.uses.writes.get(i.out) === 1)) at++;
      else break;
      if (members.length === 0) return undefined;
    }
    // ends of lives right behind belong to the run
    while (to < limit && isRelease(list[to]!)) to++;
    if (members.filter(({ isView }) => !isView).length < 2) return undefined;
    const own = new Set(members.flatMap(({ instructions }) => instructions));
    for (const i of list.slice(from, to)) {
      if (i.op === "get_attr") attributes.push(i);
      else if (!own.has(i)) ends.push(i);
    }
    const inside = new Map<number, number>();
    for (const { match } of members) for (const r of match.reads) inside.set(r, (inside.get(r) ?? 0) + 1);
    const isInner = (r: number): boolean =>
      this.uses.writes.get(r) === 1 && this.uses.reads.get(r) === (inside.get(r) ?? 0);
    const leaving = members.find(({ isView, outs }) => isView && !outs.every(isInner));
    if (leaving) return this.run(list, from, leaving.at);
    // an attribute of what the run itself makes cannot be read before it
    const made = new Set(members.flatMap(({ outs }) => outs));
    if (attributes.some((i) => i.op === "get_attr" && made.has(i.object))) return undefined;
    const { args, outs, steps, values } = this.steps(members, isInner);
    if (outs.length === 0) return undefined;
    const isInnerEnd = (i: Instruction): boolean => i.op === "kernel" && isInner(i.args[0]!) && made.has(i.args[0]!);
    const sequence: Instruction = {
      op: "sequence",
      sequence: new Sequence(steps, values),
      args,
      outs,
      steps: [...members.flatMap(({ instructions }) => instructions), ...ends.filter(isInnerEnd)],
      at: members[0]!.instructions[0]!.at,
    };
    return { instructions: [...attributes, sequence, ...ends.filter((i) => !isInnerEnd(i))], to };
  }

  /** The steps of some members with the registers that go in and out. */
  private steps(
    members: readonly Member[],
    isInner: (register: number) => boolean,
  ): {
    readonly args: readonly number[];
    readonly outs: readonly number[];
    readonly steps: readonly SequenceStep[];
    readonly values: readonly number[];
  } {
    const args: number[] = [];
    const written = new Set<number>();
    for (const { match, outs } of members) {
      for (const r of match.reads) if (!written.has(r) && !args.includes(r)) args.push(r);
      for (const r of outs) written.add(r);
    }
    const current = new Map(args.map((r, n) => [r, n]));
    let count = args.length;
    const steps = members.map(({ match, outs }) => {
      const step = match.step(match.reads.map((r) => current.get(r)!));
      for (const r of outs) current.set(r, count++);
      return step;
    });
    const outs = [...written].filter((r) => !isInner(r));
    return { args, outs, steps, values: outs.map((r) => current.get(r)!) };
  }
}

/** Instructions with sequences in front of the runs that they may stand for; `outputs` are the registers of the results. */
export function findSequences(
  instructions: readonly Instruction[],
  outputs: readonly number[],
  template: readonly unknown[],
  constants: ReadonlySet<number>,
): readonly Instruction[] {
  const uses = countUses(instructions, outputs);
  return new Finder(uses, { has: (r) => constants.has(r), value: (r) => template[r] }).block(instructions);
}
