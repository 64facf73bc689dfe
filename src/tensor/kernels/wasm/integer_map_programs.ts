/** @file Functions of two arrays of integers, as programs for the assembler. Upstream: aten/src/ATen/native/cpu/BinaryOpsKernel.cpp. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Kinds of integers that have programs: 8 bits without a sign, 32 and 64 with one; bytes that are true where they are not 0. */
export type IntegerKind = "u8" | "i32" | "i64" | "bool";

/** Functions whose results are of the same kind. */
const ARITHMETIC = ["add", "sub", "mul", "minimum", "maximum", "and", "or", "xor"] as const;
/** Functions whose results are truth values in bytes. */
const COMPARISONS = ["eq", "ne", "lt", "le"] as const;
/** Quotients and remainders; a divisor of 0 traps. */
const DIVISIONS = ["divTrunc", "divFloor", "remainder", "fmod"] as const;

/** Shifts: those by fewer than no bits or by all of them give 0, or the sign. */
const SHIFTS = ["shiftLeft", "shiftRight"] as const;

export type IntegerArithmetic = (typeof ARITHMETIC)[number];
export type IntegerComparison = (typeof COMPARISONS)[number];
export type IntegerDivision = (typeof DIVISIONS)[number];
export type IntegerShift = (typeof SHIFTS)[number];
/** Functions of truth values. */
const LOGIC = ["logicalAnd", "logicalOr", "logicalXor", "logicalEq"] as const;
export type LogicFunction = (typeof LOGIC)[number];
/** Name of such a function. */
export type IntegerFunction = IntegerArithmetic | IntegerComparison | IntegerDivision | IntegerShift | LogicFunction;

/** Whether a function's results are truth values. */
export const isIntegerComparison = (name: IntegerFunction): name is IntegerComparison =>
  (COMPARISONS as readonly string[]).includes(name);
/** Whether a function divides. */
export const isIntegerDivision = (name: IntegerFunction): name is IntegerDivision =>
  (DIVISIONS as readonly string[]).includes(name);
/** Whether a function computes one element after the other. */
export const isIntegerSingle = (name: IntegerFunction): boolean =>
  isIntegerDivision(name) || (SHIFTS as readonly string[]).includes(name);

/** Bytes of an element. */
export const INTEGER_BYTES: Readonly<Record<IntegerKind, number>> = { u8: 1, i32: 4, i64: 8, bool: 1 };

/** Elements of one step: the count is a positive multiple of it, except for divisions and shifts, which take any count. */
export function integerStep(kind: IntegerKind, name: IntegerFunction): number {
  return isIntegerSingle(name)
    ? 1
    : isIntegerComparison(name) || kind === "bool"
      ? 16
      : (16 * UNROLLED) / INTEGER_BYTES[kind];
}

/** Vectors of one step of arithmetic. */
const UNROLLED = 4;

const ADDITIONS = {
  u8: { add: "i8x16.add", sub: "i8x16.sub", minimum: "i8x16.min_u", maximum: "i8x16.max_u" },
  i32: { add: "i32x4.add", sub: "i32x4.sub", mul: "i32x4.mul", minimum: "i32x4.min_s", maximum: "i32x4.max_s" },
  i64: { add: "i64x2.add", sub: "i64x2.sub", mul: "i64x2.mul" },
} as const;
const TESTS = {
  u8: { eq: "i8x16.eq", ne: "i8x16.ne", lt: "i8x16.lt_u", le: "i8x16.le_u" },
  i32: { eq: "i32x4.eq", ne: "i32x4.ne", lt: "i32x4.lt_s", le: "i32x4.le_s" },
  i64: { eq: "i64x2.eq", ne: "i64x2.ne", lt: "i64x2.lt_s", le: "i64x2.le_s" },
} as const;

/** Bytes of elements that can be selected. */
export type SelectBytes = 1 | 4 | 8;
/** Elements of one step of a selection. */
export const SELECT_STEP = 16;

/** selectSIZE(to, mask, maskStep, a, aStep, b, bStep, steps): the elements of `a` where the bytes of `mask` are not 0, else those of `b`. */
export function selectBitsProgram(size: SelectBytes): FunctionBuilder {
  const f = new FunctionBuilder(`select${size}`, new Array<"i32">(8).fill("i32"));
  const [to, mask, maskStep, a, aStep, b, bStep, steps] = f.parameters;
  const lanes = f.local("v128");
  let offset = 0;
  /** Selects the next vector by the lanes on the stack. */
  const choose = (): void => {
    f.set(lanes).get(to).get(a).memory("v128.load").get(b).memory("v128.load").get(lanes);
    f.op("v128.bitselect").memory("v128.store", offset);
    f.increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    offset += 16;
  };
  f.loop(() => {
    if (size === 1) {
      f.get(mask).memory("v128.load").zeros().op("i8x16.ne");
      choose();
    } else {
      for (let quad = 0; quad < 4; quad++) {
        f.get(mask).memory("v128.load32_zero", 4 * quad);
        f.op("i16x8.extend_low_i8x16_u").op("i32x4.extend_low_i16x8_u").zeros().op("i32x4.ne");
        if (size === 8) {
          f.set(lanes).get(lanes).get(lanes).shuffle(2, 2, 3, 3).get(lanes).get(lanes).shuffle(0, 0, 1, 1);
          choose();
        }
        choose();
      }
    }
    f.increase(to, { by: SELECT_STEP * size }).increase(mask, { byLocal: maskStep });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/** Every program of a kind: name(to, a, aStep, b, bStep, steps), a step of 0 bytes reads the same vector (or divisor) again. */
export function integerMapPrograms(kind: IntegerKind): FunctionBuilder[] {
  if (kind === "bool") return LOGIC.map(logicProgram);
  return [
    ...ARITHMETIC.map((name) => arithmeticProgram(kind, name)),
    ...COMPARISONS.map((name) => comparisonProgram(kind, name)),
    ...(kind === "u8" ? [] : DIVISIONS.map((name) => divisionProgram(kind, name))),
    ...(kind === "u8" ? [] : SHIFTS.map((name) => shiftProgram(kind, name))),
  ];
}

function builder(name: IntegerFunction): FunctionBuilder {
  return new FunctionBuilder(name, new Array<"i32">(6).fill("i32"));
}

function arithmeticProgram(kind: Exclude<IntegerKind, "bool">, name: IntegerArithmetic): FunctionBuilder {
  const f = builder(name);
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  const [x, y] = f.fresh("v128");
  const additions: Partial<Record<IntegerArithmetic, Parameters<FunctionBuilder["op"]>[0]>> = ADDITIONS[kind];
  /** Leaves the function of x and y. */
  const compute = (): void => {
    const instruction = additions[name];
    f.get(x).get(y);
    if (name === "and" || name === "or" || name === "xor") f.op(`v128.${name}`);
    else if (instruction !== undefined) f.op(instruction);
    else if (name === "mul") {
      f.op("i16x8.extmul_low_i8x16_u").get(x).get(y).op("i16x8.extmul_high_i8x16_u").evenBytes();
    } else {
      f.get(x)
        .get(y)
        .op(name === "minimum" ? "i64x2.lt_s" : "i64x2.gt_s")
        .op("v128.bitselect");
    }
  };
  f.loop(() => {
    for (let i = 0; i < UNROLLED; i++) {
      f.get(a).memory("v128.load").set(x).get(b).memory("v128.load").set(y);
      f.get(to);
      compute();
      f.memory("v128.store", 16 * i);
      f.increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    }
    f.increase(to, { by: 16 * UNROLLED });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

function comparisonProgram(kind: Exclude<IntegerKind, "bool">, name: IntegerComparison): FunctionBuilder {
  const f = builder(name);
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  /** Leaves -1 where it is true of the next vectors. */
  const next = (): void => {
    f.get(a).memory("v128.load").get(b).memory("v128.load").op(TESTS[kind][name]);
    f.increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
  };
  /** The same in lanes of 32 bits. */
  const quarter = (): void => {
    next();
    if (kind === "i32") return;
    next();
    f.shuffle(0, 2, 4, 6);
  };
  f.loop(() => {
    f.get(to);
    if (kind === "u8") next();
    else {
      for (let half = 0; half < 2; half++) {
        quarter();
        quarter();
        f.op("i16x8.narrow_i32x4_s");
      }
      f.op("i8x16.narrow_i16x8_s");
    }
    f.i32(1).op("i8x16.splat").op("v128.and").memory("v128.store").increase(to, { by: 16 });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

function logicProgram(name: LogicFunction): FunctionBuilder {
  const f = builder(name);
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  const one = f.local("v128");
  f.i32(1).op("i8x16.splat").set(one);
  f.loop(() => {
    f.get(to);
    for (const [from, step] of [
      [a, aStep],
      [b, bStep],
    ] as const) {
      f.get(from).memory("v128.load").get(one).op("i8x16.min_u").increase(from, { byLocal: step });
    }
    f.op(name === "logicalAnd" ? "v128.and" : name === "logicalOr" ? "v128.or" : "v128.xor");
    if (name === "logicalEq") f.get(one).op("v128.xor");
    f.memory("v128.store").increase(to, { by: 16 });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

function shiftProgram(kind: "i32" | "i64", name: IntegerShift): FunctionBuilder {
  const f = builder(name);
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  const [y] = f.fresh(kind);
  const bits = 8 * INTEGER_BYTES[kind];
  const number = (value: number): FunctionBuilder => (kind === "i32" ? f.i32(value) : f.i64(value));
  /** Leaves whether it shifts by some of the bits: numbers below 0 are large ones without a sign. */
  const isInside = (): void => {
    f.get(y);
    number(bits).op(`${kind}.lt_u`);
  };
  f.loop(() => {
    f.get(b).memory(`${kind}.load`).set(y).get(to).get(a).memory(`${kind}.load`).get(y);
    if (name === "shiftLeft") {
      f.op(`${kind}.shl`);
      number(0);
      isInside();
      f.op("select");
    } else {
      number(bits - 1);
      isInside();
      f.op("select").op(`${kind}.shr_s`);
    }
    f.memory(`${kind}.store`);
    f.increase(to, { by: INTEGER_BYTES[kind] }).increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

function divisionProgram(kind: "i32" | "i64", name: IntegerDivision): FunctionBuilder {
  const f = builder(name);
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  const [x, y, r] = f.fresh(kind);
  const zero = (): FunctionBuilder => (kind === "i32" ? f.i32(0) : f.i64(0));
  const minusOne = (): FunctionBuilder => (kind === "i32" ? f.i32(-1) : f.i64(-1));
  /** Leaves 1 where the remainder is not 0 and of the other sign than the divisor. */
  const isBelow = (): void => {
    f.get(r).get(y).op(`${kind}.xor`);
    zero().op(`${kind}.lt_s`).get(r).op(`${kind}.eqz`).op("i32.eqz").op("i32.and");
  };
  const isQuotient = name === "divTrunc" || name === "divFloor";
  f.loop(() => {
    f.get(a).memory(`${kind}.load`).set(x).get(b).memory(`${kind}.load`).set(y);
    if (isQuotient) {
      // the quotient of the least number and -1 wraps around
      f.get(y);
      minusOne().op(`${kind}.eq`);
      f.when(
        () => zero().get(x).op(`${kind}.sub`).set(r),
        () => f.get(x).get(y).op(`${kind}.div_s`).set(r),
      );
      f.get(to).get(r).memory(`${kind}.store`);
      if (name === "divFloor") {
        f.get(x).get(r).get(y).op(`${kind}.mul`).op(`${kind}.sub`).set(r);
        isBelow();
        f.when(() => {
          f.get(to).get(to).memory(`${kind}.load`);
          minusOne().op(`${kind}.add`).memory(`${kind}.store`);
        });
      }
    } else {
      f.get(x).get(y).op(`${kind}.rem_s`).set(r);
      if (name === "remainder") {
        isBelow();
        f.when(() => f.get(r).get(y).op(`${kind}.add`).set(r));
      }
      f.get(to).get(r).memory(`${kind}.store`);
    }
    f.increase(to, { by: INTEGER_BYTES[kind] }).increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}
