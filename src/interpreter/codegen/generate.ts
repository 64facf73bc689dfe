/** @file Second tier: a function's instructions as JavaScript. Upstream: none. Spec: none. See docs/adr/0004-compiled-form.md.
 *
 * Note [Errors of generated code]: a local `s` says which instruction runs, where that instruction can fail; the one `catch` of a function gives it
 * to `failDirect`, so tracebacks are those of the first tier.
 *
 * Note [Steps of generated code]: a local `n` counts the instructions that have started since the shared budget was last charged. It is charged
 * before calls and at the end, and by loops when `n` exceeds `q`, what was left at the last charge. */
import { LIMITS } from "../../base/limits.ts";
import { callInterface, checkUnpacked, createObject, enterWith, exitWith, fork, makeDict, warn } from "../actions.ts";
import { saturateInt, saturateList } from "../forms.ts";
import type { Code, DirectCode, Instruction } from "../instructions.ts";
import { budget, budgetExceeded, callInlined, calleeCode, depth, failDirect, tooDeep } from "../runtime.ts";
import { evaluate } from "../../base/evaluate.ts";
import { runAt, writeFused } from "./fuse.ts";
import { writeKernel, writeTemplate } from "./templates.ts";
import { toDouble } from "./wide_int.ts";
import { Writer } from "./writer.ts";

/** Instructions of one function: engines do not optimize what is much longer. */
const MAX_INSTRUCTIONS = 3000;
/** Instructions that a loop may run before it charges the budget. */
const CHARGE = 1e9;

/** Charges `n` instructions; gives how many may run until the next charge. */
function charge(n: number): number {
  if ((budget[0]! -= n) < 0) budgetExceeded();
  return budget[0]! < CHARGE ? budget[0]! : CHARGE;
}

function count(instructions: readonly Instruction[]): number {
  return instructions.reduce(
    (n, i) =>
      n +
      1 +
      (i.op === "if"
        ? count(i.yes) + count(i.no)
        : i.op === "loop"
          ? count(i.body)
          : i.op === "sequence"
            ? count(i.steps)
            : 0),
    0,
  );
}

/** The generated form of a function; undefined where it is too long. */
export function generateCode(code: Code): DirectCode | undefined {
  if (count(code.instructions) > MAX_INSTRUCTIONS) return undefined;
  const w = new Writer(code);
  const charged = (): string => `if((${w.ref(budget)}[0]-=n)<0)${w.ref(budgetExceeded)}();n=0;`;
  for (let r = 0; r < code.numInputs; r++) if (w.isWide(r)) w.assign(r, `a${r}`);
  w.line(`n=${code.instructions.length};`);
  if (code.hasLoop) w.line(`q=${w.ref(charge)}(0);`);
  writeBlock(w, code.instructions, charged);
  w.line(charged());
  const values = code.outputs.map((r) => w.value(r));
  const result = values.length === 1 ? values[0]! : values.length === 0 ? "null" : `[${values.join(",")}]`;
  const inputs = Array.from({ length: code.numInputs }, (_, r) => (w.isWide(r) ? `a${r}` : `r${r}`));
  const wideInputs = inputs.flatMap((name, r) => (name[0] === "a" ? [`r${r}=0`, `h${r}=0`] : []));
  const calls = w.ref(depth);
  const body = [
    `if(++${calls}[0]>${w.ref(LIMITS)}.maxCallDepth)${w.ref(tooDeep)}(${w.ref(code.name)});`,
    `let s=0,n=0,q=0;`,
    wideInputs.length > 0 ? `let ${wideInputs.join(",")};` : "",
    w.declarations(),
    `try{`,
    ...w.lines,
    `}catch(e){${calls}[0]--;${w.ref(budget)}[0]-=n;throw ${w.ref(failDirect)}(e,${w.ref(w.sites)}[s],${w.ref(code.name)});}`,
    `${calls}[0]--;`,
    `return ${result};`,
  ].join("\n");
  const names = w.references.map((_, k) => `k${k}=K[${k}]`);
  const text = `"use strict";\nconst ${names.join(",")};\n${w.helpers.join("\n")}\nreturn function(${inputs.join(",")}){\n${body}\n};`;
  return evaluate(text)(w.references) as DirectCode;
}

function writeBlock(w: Writer, list: readonly Instruction[], charged: () => string): void {
  for (let at = 0; at < list.length; at++) {
    const run = runAt(w, list, at);
    const fused = run && writeFused(w, w.uses, run);
    if (!fused) {
      writeInstruction(w, list[at]!, charged);
      continue;
    }
    const { call, outs, internals } = fused;
    // what ends the lives of intermediates is needed only where they have one
    const isInner = (i: Instruction): boolean => i.op === "kernel" && internals.has(i.args[0]!);
    const t = w.temporary();
    w.line(`const ${t}=${call};if(${t}!==undefined){`);
    outs.forEach((out, k) => w.line(`${w.local(out)}=${outs.length === 1 ? t : `${t}[${k}]`};`));
    w.line(`}else{`);
    for (const i of run.steps) writeInstruction(w, i, charged);
    for (const i of run.releases) if (isInner(i)) writeInstruction(w, i, charged);
    w.line(`}`);
    for (const i of run.releases) if (!isInner(i)) writeInstruction(w, i, charged);
    at = run.to - 1;
  }
}

function writeInstruction(w: Writer, i: Instruction, charged: () => string): void {
  switch (i.op) {
    case "kernel":
      if (i.entry !== undefined || !writeTemplate(w, i)) writeKernel(w, i);
      return;
    case "convert":
      writeConvert(w, i);
      return;
    case "move":
      writeMove(w, i.arg, i.out);
      return;
    case "release":
      for (const r of i.registers) if (!w.isConstant(r)) w.line(`${w.local(r)}=undefined;`);
      return;
    case "if": {
      w.line(`if(${w.value(i.condition)}){`);
      if (i.yes.length > 0) w.line(`n+=${i.yes.length};`);
      writeBlock(w, i.yes, charged);
      if (i.no.length > 0) {
        w.line(`}else{n+=${i.no.length};`);
        writeBlock(w, i.no, charged);
      }
      w.line(`}`);
      return;
    }
    case "loop":
      writeLoop(w, i, charged);
      return;
    case "sequence": {
      const t = w.temporary();
      w.line(`const ${t}=${w.ref(i.sequence)}.run([${i.args.map((r) => w.value(r)).join(",")}]);`);
      w.line(`if(${t}!==undefined){`);
      i.outs.forEach((out, k) => w.assign(out, `${t}[${k}]`));
      w.line(`}else{n+=${i.steps.length};`);
      writeBlock(w, i.steps, charged);
      w.line(`}`);
      return;
    }
    case "call": {
      const callee = w.ref(calleeCode(i.callee));
      const args = i.args.map((r) => w.value(r)).join(",");
      w.line(`${charged()}${w.site(i.at)}`);
      w.assign(i.out, `${callee}.direct?${callee}.direct(${args}):${w.ref(callInlined)}(${callee},[${args}])`);
      if (w.code.hasLoop) w.line(`q=${w.ref(charge)}(0);`);
      return;
    }
    case "call_native":
    case "call_interface":
    case "fork":
    case "enter":
    case "exit":
    case "warn":
      writeRare(w, i, charged);
      return;
    case "get_attr":
      w.assign(i.out, `${w.value(i.object)}.slots[${i.slot}]`);
      return;
    case "set_attr":
      w.line(`${w.value(i.object)}.slots[${i.slot}]=${w.value(i.value)};`);
      return;
    case "create_object":
      w.line(`${w.local(i.out)}=${w.ref(createObject)}(${w.ref(i)});`);
      return;
    case "array":
      w.line(`${w.local(i.out)}=[${i.args.map((r) => w.value(r)).join(",")}];`);
      return;
    case "dict":
      w.line(
        `${w.local(i.out)}=${w.ref(makeDict)}([${i.keys.map((r) => w.value(r)).join(",")}],[${i.values.map((r) => w.value(r)).join(",")}]);`,
      );
      return;
    case "unpack": {
      const t = w.temporary();
      w.line(`let ${t}=${w.value(i.arg)};`);
      if (i.isList) w.line(`${w.site(i.at)}${w.ref(checkUnpacked)}(${t},${i.outs.length});`);
      i.outs.forEach((out, n) => w.assign(out, `${t}[${n}]`));
      return;
    }
  }
}

function writeMove(w: Writer, arg: number, out: number): void {
  // all its writes are of one constant: reads use that
  if (w.resolve(out) !== out) return;
  const hasParts = w.isInt(w.resolve(arg)) || (w.isConstant(arg) && typeof w.constant(arg) === "number");
  if (w.isInt(out) && hasParts) w.assignParts(out, w.parts(arg));
  else w.assign(out, w.value(arg));
}

function writeConvert(w: Writer, i: Extract<Instruction, { op: "convert" }>): void {
  if (i.convert === saturateInt && w.isInt(i.arg)) {
    const { low, high } = w.parts(i.arg);
    w.line(
      high === "0"
        ? `${w.local(i.out)}=${low};`
        : `${w.local(i.out)}=${high}===0?${low}:${w.ref(toDouble)}(${low},${high});`,
    );
    return;
  }
  w.line(w.site(i.at));
  if (i.convert === saturateList) {
    const list = w.value(i.arg);
    w.assign(i.out, `${w.ref(saturateList)}(${list})`);
  } else w.assign(i.out, `${w.ref(i.convert)}(${w.value(i.arg)})`);
}

function writeLoop(w: Writer, i: Extract<Instruction, { op: "loop" }>, charged: () => string): void {
  const rounds = w.temporary();
  const round = w.temporary();
  const isEndless = w.isConstant(i.condition) && w.constant(i.condition) === true;
  w.line(`let ${rounds}=${w.double(i.max)};`);
  w.line(`for(let ${round}=0;${round}<${rounds}${isEndless ? "" : `&&${w.value(i.condition)}`};${round}++){`);
  w.line(`n+=${i.body.length + 1};if(n>q){let c=n;n=0;q=${w.ref(charge)}(c);}`);
  if (!w.isConstant(i.counter)) w.assignSafe(i.counter, round);
  writeBlock(w, i.body, charged);
  w.line(`}`);
}

/** Instructions that may run other script code, through what both tiers share. */
function writeRare(
  w: Writer,
  i: Extract<Instruction, { op: "call_native" | "call_interface" | "fork" | "enter" | "exit" | "warn" }>,
  charged: () => string,
): void {
  const list = (args: readonly number[]): string => `[${args.map((r) => w.value(r)).join(",")}]`;
  w.line(`${charged()}${w.site(i.at)}`);
  switch (i.op) {
    case "call_native":
      w.assign(i.out, `${w.ref(i.call)}(${list(i.args)})`);
      break;
    case "call_interface":
      w.assign(i.out, `${w.ref(callInterface)}(${w.ref(i)},${list(i.args)})`);
      break;
    case "fork":
      w.assign(i.out, `${w.ref(fork)}(${w.ref(i)},${list(i.args)})`);
      break;
    case "enter":
      w.assign(i.out, `${w.ref(enterWith)}(${w.ref(i)},${w.value(i.object)})`);
      break;
    case "exit":
      w.assign(i.out, `${w.ref(exitWith)}()`);
      break;
    case "warn":
      w.line(`${w.ref(warn)}(${w.ref(i)},${w.value(i.message)});`);
      break;
  }
  if (w.code.hasLoop) w.line(`q=${w.ref(charge)}(0);`);
}
