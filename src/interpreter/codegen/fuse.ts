/** @file Chains of element-wise tensor operators as one loop over plain float32 tensors. Upstream: torch/csrc/jit/passes/tensorexpr_fuser.cpp (the aim). Spec: none.
 *
 * Note [Fused chains]: a run of element-wise instructions becomes a generated function of the tensors that come in from outside. It takes small
 * plain float32 tensors of one shape, computes element by element, rounds every step to float32 as the separate operators do, and gives only the
 * tensors that are read outside of the run; intermediates have no storage and no object. For all other arguments it gives undefined, and the
 * instructions run one by one. */
import { floatExp, floatSigmoid, floatTanh } from "../../tensor/math/float_exp.ts";
import { Float } from "../../tensor/scalar.ts";
import { emptyAs, isSmall, matches } from "../../tensor/small.ts";
import type { Instruction } from "../instructions.ts";
import { isRelease, type Uses } from "../uses.ts";
import type { KernelInstruction } from "./templates.ts";
import type { Writer } from "./writer.ts";

/** A step: how many of the arguments are tensors, and the expression of its operands. `rounds`: the result is no float32 by itself. */
interface Step {
  readonly tensors: 1 | 2;
  /** Whether the argument behind the operands is an `alpha`, of which only 1 fits. */
  readonly hasAlpha?: boolean;
  /** Whether the second operand is a number. */
  readonly hasNumber?: boolean;
  readonly rounds: boolean;
  readonly text: (w: Writer, a: string, b: string) => string;
}

const binary = (operator: string, hasAlpha: boolean): Step => ({
  tensors: 2,
  hasAlpha,
  rounds: true,
  text: (_w, a, b) => `${a}${operator}${b}`,
});
const withNumber = (text: (a: string, b: string) => string, hasAlpha: boolean): Step => ({
  tensors: 1,
  hasAlpha,
  hasNumber: true,
  rounds: true,
  text: (_w, a, b) => text(a, b),
});
const call = (fn: (x: number) => number): Step => ({
  tensors: 1,
  rounds: true,
  text: (w, a) => `${w.ref(fn)}(${a})`,
});

const STEPS = new Map<string, Step>([
  ["aten::add.Tensor", binary("+", true)],
  ["aten::sub.Tensor", binary("-", true)],
  ["aten::mul.Tensor", binary("*", false)],
  ["aten::div.Tensor", binary("/", false)],
  ["aten::add.Scalar", withNumber((a, b) => `${a}+${b}`, true)],
  ["aten::sub.Scalar", withNumber((a, b) => `${a}-${b}`, true)],
  ["aten::rsub.Scalar", withNumber((a, b) => `${b}-${a}`, true)],
  ["aten::mul.Scalar", withNumber((a, b) => `${a}*${b}`, false)],
  ["aten::div.Scalar", withNumber((a, b) => `${a}/${b}`, false)],
  ["aten::sigmoid", call(floatSigmoid)],
  ["aten::tanh", call(floatTanh)],
  ["aten::exp", call(floatExp)],
  ["aten::sqrt", call(Math.sqrt)],
  ["aten::neg", { tensors: 1, rounds: false, text: (_w, a) => `-${a}` }],
  ["aten::relu", { tensors: 1, rounds: false, text: (_w, a) => `(${a}<0?0:${a})` }],
]);

/** The step of an instruction, where it is one with these arguments. */
function stepOf(w: Writer, i: Instruction): Step | undefined {
  if (i.op !== "kernel" || !i.entry || i.outs.length !== 1) return undefined;
  const step = STEPS.get(i.key);
  if (!step) return undefined;
  if (step.hasNumber && numberOf(w, i.args[1]!) === undefined) return undefined;
  if (step.hasAlpha && !(w.isConstant(i.args[2]!) && w.constant(i.args[2]!) === 1)) return undefined;
  return step;
}

/** A constant number, rounded to float32. */
function numberOf(w: Writer, register: number): number | undefined {
  if (!w.isConstant(register)) return undefined;
  const value = w.constant(register);
  if (typeof value === "number") return Math.fround(value);
  return value instanceof Float ? Math.fround(value.value) : undefined;
}

/** A run of instructions from `from` to before `to` that may be fused. */
export interface Run {
  readonly to: number;
  readonly steps: readonly KernelInstruction[];
  readonly releases: readonly Instruction[];
}

/** The longest run from a position on; undefined where fusing pays nothing. */
export function runAt(w: Writer, list: readonly Instruction[], from: number): Run | undefined {
  const steps: KernelInstruction[] = [];
  const releases: Instruction[] = [];
  let to = from;
  for (let at = from; at < list.length; at++) {
    const i = list[at]!;
    if (stepOf(w, i)) steps.push(i as KernelInstruction);
    else if (isRelease(i) && steps.length > 0) releases.push(i);
    else break;
    to = at + 1;
  }
  return steps.length >= 2 ? { to, steps, releases } : undefined;
}

/** A run with its function. */
export interface Fused {
  /** Gives the results (one, or an array), or undefined where the instructions are to run. */
  readonly call: string;
  readonly outs: readonly number[];
  /** Registers that keep their values where the function runs: nobody else reads them. */
  readonly internals: ReadonlySet<number>;
}

/** Writes the function of a run; gives its call and the registers of its results, or undefined where nothing would be saved. */
export function writeFused(w: Writer, uses: Uses, run: Run): Fused | undefined {
  const inside = new Map<number, number>();
  for (const { args } of run.steps) for (const r of args) inside.set(r, (inside.get(r) ?? 0) + 1);
  const inputs: number[] = [];
  /** Local of what a register holds at the moment. */
  const current = new Map<number, string>();
  const body: string[] = [];
  const read = (register: number): string => {
    const r = w.resolve(register);
    let name = current.get(r);
    if (name === undefined) {
      name = `v${inputs.length}`;
      inputs.push(r);
      current.set(r, name);
    }
    return name;
  };
  const outs: number[] = [];
  const internals = new Set<number>();
  run.steps.forEach((i, n) => {
    const step = stepOf(w, i)!;
    const a = read(i.args[0]!);
    const b = step.tensors === 2 ? read(i.args[1]!) : step.hasNumber ? w.ref(numberOf(w, i.args[1]!)!) : "";
    const text = step.text(w, a, b);
    body.push(`const u${n}=${step.rounds ? `${w.ref(Math.fround)}(${text})` : text};`);
    const out = i.outs[0]!;
    current.set(out, `u${n}`);
    const isInternal = uses.writes.get(out) === 1 && uses.reads.get(out) === inside.get(out);
    if (isInternal) internals.add(out);
    else if (!outs.includes(out)) outs.push(out);
  });
  if (inputs.length === 0 || outs.length === 0 || outs.length === run.steps.length) return undefined;
  const names = inputs.map((_, k) => `a${k}`);
  const others = names.slice(1);
  const guard =
    others.length > 0 ? others.map((x) => `${w.ref(matches)}(a0,${x})`).join("&&") : `${w.ref(isSmall)}(a0)`;
  const lines = [
    `if(!(${guard}))return undefined;`,
    // the first result has row-major strides: the others share them
    ...outs.map((_, k) => `const y${k}=${w.ref(emptyAs)}(${k === 0 ? "a0" : "y0"});`),
    ...names.map((x, k) => `const x${k}=${x}.storage.segment.f32,o${k}=${x}.base32;`),
    ...outs.map((_, k) => `const z${k}=y${k}.storage.segment.f32,p${k}=y${k}.base32;`),
    `for(let i=0,n=a0.numel;i<n;i++){`,
    ...names.map((_, k) => `const v${k}=x${k}[o${k}+i];`),
    ...body,
    ...outs.map((r, k) => `z${k}[p${k}+i]=${current.get(r)!};`),
    `}`,
    outs.length === 1 ? `return y0;` : `return [${outs.map((_, k) => `y${k}`).join(",")}];`,
  ];
  const name = w.helper(names, lines);
  return { call: `${name}(${inputs.map((r) => w.value(r)).join(",")})`, outs, internals };
}
