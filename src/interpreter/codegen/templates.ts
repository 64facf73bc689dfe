/** @file Templates of operators that are written into generated code: ints, floats, bools, lists, dicts. Upstream: none. Spec: none.
 *
 * Note [Templates]: each repeats the meaning of a kernel in src/ops, in full for the arguments that it takes itself; all others go to the kernel,
 * which also throws what there is to throw. */
import type { Instruction } from "../instructions.ts";
import { isSafe } from "./ranges.ts";
import { addWide, mulWide, remainderWide, subWide } from "./wide_int.ts";
import type { Parts, Writer } from "./writer.ts";

export type KernelInstruction = Extract<Instruction, { op: "kernel" }>;
/** Writes an operator; false where it cannot after all. */
type Template = (w: Writer, i: KernelInstruction) => boolean | void;

const MAX = Number.MAX_SAFE_INTEGER;

/** The call of the kernel itself. */
function kernelCall(w: Writer, i: KernelInstruction): string {
  return `${w.ref(i.kernel)}(${i.args.map((r) => w.value(r)).join(",")})`;
}

function both(a: Parts, b: Parts): string {
  return [a, b].flatMap(({ high }) => (high === "0" ? [] : [`${high}===0`])).join("&&");
}

/** Writes `out = fast`, which is a number expression on the low parts, or `slow`, a function of wide_int.ts on all four. */
function writeInt(w: Writer, out: number, fast: string, slow: unknown, a: Parts, b: Parts): void {
  if (w.isInt(out) && !w.isWide(out)) {
    w.assignSafe(out, fast);
    return;
  }
  const t = w.temporary();
  const max = w.ref(MAX);
  const min = w.ref(-MAX);
  const test = both(a, b);
  w.line(`let ${t}=${fast};`);
  w.line(`if(${test === "" ? "" : `${test}&&`}${t}<=${max}&&${t}>=${min}){`);
  w.assignSafe(out, t);
  w.line(`}else{`);
  w.assignCall(out, `${w.ref(slow)}(${a.low},${a.high},${b.low},${b.high})`);
  w.line(`}`);
}

/** + - * on ints. */
function arithmetic(operator: string, slow: unknown): Template {
  return (w, { args, outs }) => {
    const a = w.parts(args[0]!);
    const b = w.parts(args[1]!);
    // a product of 0 and a negative number is -0
    const zero = operator === "*" && (w.interval(args[0]!)[0] < 0 || w.interval(args[1]!)[0] < 0) ? "+0" : "";
    writeInt(w, outs[0]!, `${a.low}${operator}${b.low}${zero}`, slow, a, b);
  };
}

/** start + index * step, where the product stays safe. */
const deriveIndex: Template = (w, { args, outs }) => {
  const [index, start, step] = args as [number, number, number];
  const [from, to] = w.interval(index);
  const [least, most] = w.interval(step);
  if (
    !isSafe([
      Math.min(from * least, to * least, from * most, to * most),
      Math.max(from * least, to * least, from * most, to * most),
    ])
  )
    return false;
  const t = w.temporary();
  w.line(`let ${t}=${w.parts(index).low}*${w.parts(step).low}+0;`);
  const a = w.parts(start);
  writeInt(w, outs[0]!, `${a.low}+${t}`, addWide, a, { low: t, high: "0" });
  return;
};

/** A comparison of ints. */
function compareInts(operator: string): Template {
  return (w, { args, outs }) => {
    const a = w.parts(args[0]!);
    const b = w.parts(args[1]!);
    const plain = `${a.low}${operator}${b.low}`;
    const isPlain = a.high === "0" && b.high === "0";
    w.line(`${w.local(outs[0]!)}=${isPlain ? plain : `${a.high}===${b.high}?${plain}:${a.high}${operator}${b.high}`};`);
  };
}

function equalInts(equal: boolean): Template {
  return (w, { args, outs }) => {
    const a = w.parts(args[0]!);
    const b = w.parts(args[1]!);
    const isPlain = a.high === "0" && b.high === "0";
    const text = `${a.low}===${b.low}${isPlain ? "" : `&&${a.high}===${b.high}`}`;
    w.line(`${w.local(outs[0]!)}=${equal ? text : `!(${text})`};`);
  };
}

/** An expression of the plain values of all arguments. */
function expression(make: (...args: string[]) => string): Template {
  return (w, { args, outs }) => {
    w.assign(outs[0]!, make(...args.map((r) => w.value(r))));
  };
}

/** Two operands as doubles, whatever they are. */
function doubles(kinds: readonly ("int" | "float")[], make: (a: string, b: string) => string): Template {
  return (w, { args, outs }) => {
    const [a, b] = args.map((r, n) => (kinds[n] === "int" ? w.double(r) : w.value(r))) as [string, string];
    w.assign(outs[0]!, make(a, b));
  };
}

const remainder: Template = (w, i) => {
  const [a, b] = i.args as [number, number];
  const out = i.outs[0]!;
  const divisor = w.interval(b);
  // a positive divisor that is safe: everything else is the kernel's
  if (!(divisor[0] > 0) || !isSafe(divisor)) return false;
  const x = w.parts(a);
  const { low: y } = w.parts(b);
  const isNatural = w.interval(a)[0] >= 0;
  const safe = (low: string): void => {
    if (isNatural && x.high === "0") w.assignSafe(out, `${low}%${y}`);
    else {
      const t = w.temporary();
      w.line(`let ${t}=${low}%${y};`);
      // + 0: a remainder of a negative number may be -0
      w.assignSafe(out, `${t}<0?${t}+${y}:${t}+0`);
    }
  };
  if (x.high === "0") {
    safe(x.low);
    return;
  }
  w.line(`if(${x.high}===0){`);
  safe(x.low);
  w.line(`}else{`);
  if (w.fitsInt32(b)) w.assignSafe(out, `${w.ref(remainderWide)}(${x.low},${x.high},${y})`);
  else w.assign(out, kernelCall(w, i));
  w.line(`}`);
  return;
};

const floordiv: Template = (w, i) => {
  const [a, b] = i.args as [number, number];
  const out = i.outs[0]!;
  const divisor = w.interval(b);
  if (!(divisor[0] > 0) || !isSafe(divisor)) return false;
  const x = w.parts(a);
  const { low: y } = w.parts(b);
  if (x.high !== "0") w.line(`if(${x.high}===0){`);
  const t = w.temporary();
  w.line(`let ${t}=${x.low}%${y};`);
  const exact = `(${x.low}-${t})/${y}`;
  if (w.interval(a)[0] >= 0) w.assignSafe(out, exact);
  else w.assignSafe(out, `(${t}<0?${exact}-1:${exact})+0`);
  if (x.high !== "0") {
    w.line(`}else{`);
    w.assign(out, kernelCall(w, i));
    w.line(`}`);
  }
  return;
};

const negate: Template = (w, { args, outs }) => {
  const a = w.parts(args[0]!);
  if (a.high === "0") w.assignSafe(outs[0]!, `0-${a.low}`);
  else {
    w.line(`if(${a.high}===0){`);
    w.assignSafe(outs[0]!, `0-${a.low}`);
    w.line(`}else{`);
    w.assignCall(outs[0]!, `${w.ref(subWide)}(0,0,${a.low},${a.high})`);
    w.line(`}`);
  }
};

/** Bit operations on what fits 32 bits. */
function bits(operator: string): Template {
  return (w, i) => {
    const a = w.parts(i.args[0]!);
    const b = w.parts(i.args[1]!);
    const tests = [a, b].flatMap(({ low, high }, n) => [
      ...(high === "0" ? [] : [`${high}===0`]),
      ...(w.fitsInt32(i.args[n]!) ? [] : [`${low}===(${low}|0)`]),
    ]);
    if (tests.length > 0) w.line(`if(${tests.join("&&")}){`);
    w.assignSafe(i.outs[0]!, `${a.low}${operator}${b.low}`);
    if (tests.length === 0) return;
    w.line(`}else{`);
    w.assign(i.outs[0]!, kernelCall(w, i));
    w.line(`}`);
  };
}

/** prim::min and prim::max of ints. */
function extreme(operator: string): Template {
  return (w, i) => {
    const a = w.parts(i.args[0]!);
    const b = w.parts(i.args[1]!);
    if (a.high !== "0" || b.high !== "0") return false;
    w.assignSafe(i.outs[0]!, `${a.low}${operator}${b.low}?${a.low}:${b.low}`);
    return;
  };
}

/** Where a Python index is in a list, as a local; -1 where the kernel must decide. */
function position(w: Writer, list: string, index: number): { at: string; test: string } {
  const { low, high } = w.parts(index);
  const at = w.temporary();
  const [from, to] = w.interval(index);
  const small = high === "0" ? "" : `${high}===0&&`;
  if (from >= 0) w.line(`let ${at}=${low};`);
  else if (to < 0) w.line(`let ${at}=${list}.length+${low};`);
  else w.line(`let ${at}=${low}<0?${list}.length+${low}:${low};`);
  return { at, test: `${small}${from >= 0 ? "" : `${at}>=0&&`}${at}<${list}.length` };
}

const getItem: Template = (w, i) => {
  const list = w.value(i.args[0]!);
  const { at, test } = position(w, list, i.args[1]!);
  const t = w.temporary();
  w.line(`let ${t};if(${test})${t}=${list}[${at}];else{${w.site(i.at)}${t}=${kernelCall(w, i)};}`);
  w.assign(i.outs[0]!, t);
};

const setItem: Template = (w, i) => {
  const list = w.value(i.args[0]!);
  const { at, test } = position(w, list, i.args[1]!);
  w.line(`if(${test})${list}[${at}]=${w.value(i.args[2]!)};else{${w.site(i.at)}${kernelCall(w, i)};}`);
  if (i.outs.length === 1) w.assign(i.outs[0]!, list);
};

const append: Template = (w, i) => {
  const list = w.value(i.args[0]!);
  w.line(`${list}.push(${w.value(i.args[1]!)});`);
  if (i.outs.length === 1) w.assign(i.outs[0]!, list);
};

const getKey: Template = (w, i) => {
  const t = w.temporary();
  w.line(`let ${t}=${w.value(i.args[0]!)}.get(${w.value(i.args[1]!)});`);
  w.line(`if(${t}===undefined){${w.site(i.at)}${t}=${kernelCall(w, i)};}`);
  w.assign(i.outs[0]!, t);
};

const setKey: Template = (w, i) => {
  w.line(`${w.value(i.args[0]!)}.set(${w.value(i.args[1]!)},${w.value(i.args[2]!)});`);
};

/** `is` and `is not` against None. */
function isNone(equal: boolean): Template {
  return (w, i) => {
    const [a, b] = i.args as [number, number];
    const other = w.isConstant(b) && w.constant(b) === null ? a : w.isConstant(a) && w.constant(a) === null ? b : -1;
    if (other < 0) return false;
    w.line(`${w.local(i.outs[0]!)}=${w.value(other)}${equal ? "===" : "!=="}null;`);
    return;
  };
}

const lengthOf = expression((list) => `${list}.length`);
const sizeOf = expression((dict) => `${dict}.size`);
const identical = expression((a, b) => `${a}===${b}`);
const different = expression((a, b) => `${a}!==${b}`);

/** float() of a number whose type the graph knows to be int. */
const floatOfScalar: Template = (w, { args, outs }) => {
  if (!w.isInt(args[0]!)) return false;
  w.assign(outs[0]!, w.double(args[0]!));
  return;
};

/** Templates by operator. */
const TEMPLATES = new Map<string, Template>([
  ["aten::add.int", arithmetic("+", addWide)],
  ["aten::sub.int", arithmetic("-", subWide)],
  ["aten::mul.int", arithmetic("*", mulWide)],
  ["aten::neg.int", negate],
  ["aten::__derive_index", deriveIndex],
  ["aten::remainder.int", remainder],
  ["aten::floordiv.int", floordiv],
  ["aten::__and__.int", bits("&")],
  ["aten::__or__.int", bits("|")],
  ["aten::__xor__.int", bits("^")],
  ["prim::min.int", extreme("<")],
  ["prim::max.int", extreme(">")],
  ["aten::eq.int", equalInts(true)],
  ["aten::ne.int", equalInts(false)],
  ["aten::Float.int", doubles(["int"], (a) => a)],
  ["aten::Float.Scalar", floatOfScalar],
  ["aten::neg.float", expression((a) => `-${a}`)],
  ["aten::remainder.float", expression((a, b) => `(${b}+${a}%${b})%${b}`)],
  ["aten::div.int", doubles(["int", "int"], (a, b) => `${a}/${b}`)],
  ["aten::__not__", expression((a) => `!${a}`)],
  ["aten::__and__.bool", expression((a, b) => `${a}&&${b}`)],
  ["aten::__or__.bool", expression((a, b) => `${a}||${b}`)],
  ["aten::__xor__.bool", different],
  ["aten::eq.bool", identical],
  ["aten::ne.bool", different],
  ["aten::eq.str", identical],
  ["aten::ne.str", different],
  ["aten::__is__", isNone(true)],
  ["aten::__isnot__", isNone(false)],
  ["aten::__getitem__.t", getItem],
  ["aten::select.t", getItem],
  ["aten::_set_item.t", setItem],
  ["aten::append.t", append],
  ["aten::len.t", lengthOf],
  ["aten::len.any", lengthOf],
]);

for (const [name, operator] of [
  ["aten::add", "+"],
  ["aten::sub", "-"],
  ["aten::mul", "*"],
  ["aten::div", "/"],
  ["aten::lt", "<"],
  ["aten::gt", ">"],
  ["aten::le", "<="],
  ["aten::ge", ">="],
  ["aten::eq", "==="],
  ["aten::ne", "!=="],
] as const) {
  const make = (a: string, b: string): string => `${a}${operator}${b}`;
  TEMPLATES.set(`${name}.float`, expression(make));
  TEMPLATES.set(`${name}.int_float`, doubles(["int", "float"], make));
  TEMPLATES.set(`${name}.float_int`, doubles(["float", "int"], make));
  if (operator.startsWith("<") || operator.startsWith(">")) TEMPLATES.set(`${name}.int`, compareInts(operator));
}
for (const key of ["str", "int", "bool"]) {
  TEMPLATES.set(`aten::len.Dict_${key}`, sizeOf);
  TEMPLATES.set(`aten::__getitem__.Dict_${key}`, getKey);
  TEMPLATES.set(`aten::_set_item.${key}`, setKey);
  TEMPLATES.set(
    `aten::__contains__.${key}`,
    expression((dict, k) => `${dict}.has(${k})`),
  );
}

/** Writes an operator by its template; false where it has none that fits. */
export function writeTemplate(w: Writer, i: KernelInstruction): boolean {
  const template = TEMPLATES.get(i.key);
  return template !== undefined && i.outs.length <= 1 && template(w, i) !== false;
}

/** Writes the call of a kernel. */
export function writeKernel(w: Writer, i: KernelInstruction): void {
  const { outs } = i;
  const call = kernelCall(w, i);
  w.line(w.site(i.at));
  if (outs.length === 1) w.assign(outs[0]!, call);
  else if (outs.length === 0) w.line(`${call};`);
  else {
    const t = w.temporary();
    w.line(`let ${t}=${call};`);
    outs.forEach((out, n) => w.assign(out, `${t}[${n}]`));
  }
}
