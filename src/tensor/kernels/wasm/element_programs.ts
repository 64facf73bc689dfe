/** @file Arithmetic of two float32 arrays and normalisation of rows, as programs for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Functions of two vectors, by the instruction that does it. */
export const BINARY_VECTORS = { add: "f32x4.add", sub: "f32x4.sub", mul: "f32x4.mul", div: "f32x4.div" } as const;
/** Extrema by the instruction that finds them among numbers, comparisons by theirs. */
const EXTREMA = { maximum: "f32x4.pmax", minimum: "f32x4.pmin" } as const;
const COMPARISONS = {
  eq: "f32x4.eq",
  ne: "f32x4.ne",
  lt: "f32x4.lt",
  le: "f32x4.le",
  gt: "f32x4.gt",
  ge: "f32x4.ge",
} as const;
export type ShortBinary = keyof typeof EXTREMA | keyof typeof COMPARISONS;
export const SHORT_BINARY = [...Object.keys(EXTREMA), ...Object.keys(COMPARISONS)] as ShortBinary[];
/** Name of such a function. */
export type BinaryVector = keyof typeof BINARY_VECTORS;
export const BINARY_NAMES = Object.keys(BINARY_VECTORS) as BinaryVector[];

/** Vectors of one step of the loop. */
const UNROLLED = 4;
/** Elements of one step. */
export const BINARY_STEP = 4 * UNROLLED;

/** name(to, a, aStep, b, bStep, steps): `steps` times BINARY_STEP elements; a step of 0 bytes reads the same vector again. */
export function binaryProgram(name: BinaryVector): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(6).fill("i32"));
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  f.loop(() => {
    for (let i = 0; i < UNROLLED; i++) {
      f.get(to).get(a).memory("v128.load").get(b).memory("v128.load").op(BINARY_VECTORS[name]);
      f.memory("v128.store", 16 * i);
      f.increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    }
    f.increase(to, { by: 16 * UNROLLED });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/** The same for extrema, in which what is not a number stays, and for comparisons, whose results are bytes. */
export function shortBinaryProgram(name: ShortBinary): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(6).fill("i32"));
  const [to, a, aStep, b, bStep, steps] = f.parameters;
  const [x, y] = f.fresh("v128");
  const isExtremum = name in EXTREMA;
  f.loop(() => {
    f.get(to);
    for (let i = 0; i < UNROLLED; i++) {
      if (isExtremum && i > 0) f.get(to);
      f.get(a).memory("v128.load").set(x).get(b).memory("v128.load").set(y);
      f.increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
      if (isExtremum) {
        // of equal numbers, zeros of either sign, the second
        f.get(x)
          .get(y)
          .get(x)
          .op(EXTREMA[name as keyof typeof EXTREMA]);
        f.get(x)
          .get(x)
          .op("f32x4.ne")
          .op("v128.bitselect")
          .memory("v128.store", 16 * i);
      } else {
        f.get(x)
          .get(y)
          .op(COMPARISONS[name as keyof typeof COMPARISONS]);
        if (i % 2 === 1) f.op("i16x8.narrow_i32x4_s");
      }
    }
    if (!isExtremum) {
      f.op("i8x16.narrow_i16x8_s").i32(0x01010101).op("i32x4.splat").op("v128.and").memory("v128.store");
    }
    f.increase(to, { by: isExtremum ? 16 * UNROLLED : 4 * UNROLLED });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/** Functions of three vectors. */
export const TERNARY_VECTORS = ["lerp", "addcmul", "addcdiv"] as const;
/** Name of such a function. */
export type TernaryVector = (typeof TERNARY_VECTORS)[number];

/** Leaves a * b + c on the stack, rounded once: without an instruction for it as sums of doubles, in which products are exact. */
function roundedOnce(f: FunctionBuilder, a: number, b: number, c: number, fused: boolean): void {
  if (fused) {
    f.get(a).get(b).get(c).op("f32x4.relaxed_madd");
    return;
  }
  const wide = (x: number, isHigh: boolean): FunctionBuilder => {
    f.get(x);
    if (isHigh) f.get(x).shuffle(2, 3, 2, 3);
    return f.op("f64x2.promote_low_f32x4");
  };
  for (const isHigh of [false, true]) {
    wide(a, isHigh);
    wide(b, isHigh).op("f64x2.mul");
    wide(c, isHigh).op("f64x2.add").op("f32x4.demote_f64x2_zero");
  }
  f.shuffle(0, 1, 4, 5);
}

/** name(to, a, aStep, b, bStep, c, cStep, steps, value), as binaryProgram: a + c (b - a), from the nearer end, a + value b c, or a + value b / c.
 * Products are rounded with the sum where PyTorch's are. */
export function ternaryProgram(name: TernaryVector, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(name, [...new Array<"i32">(8).fill("i32"), "f32"]);
  const [to, a, aStep, b, bStep, c, cStep, steps, value] = f.parameters;
  const [x, y, z, factor, half, one, isNear] = f.fresh("v128");
  f.get(value).op("f32x4.splat").set(factor);
  f.f32(0.5).op("f32x4.splat").set(half).f32(1).op("f32x4.splat").set(one);
  f.loop(() => {
    for (const [from, step, into] of [
      [a, aStep, x],
      [b, bStep, y],
      [c, cStep, z],
    ] as const)
      f.get(from).memory("v128.load").set(into).increase(from, { byLocal: step });
    f.get(to);
    if (name === "lerp") {
      f.get(y).get(x).op("f32x4.sub").set(factor);
      f.get(z).op("f32x4.abs").get(half).op("f32x4.lt").set(isNear);
      f.get(x).get(y).get(isNear).op("v128.bitselect").set(y);
      f.get(z).get(z).get(one).op("f32x4.sub").get(isNear).op("v128.bitselect").set(z);
      roundedOnce(f, z, factor, y, fused);
    } else {
      f.get(factor).get(y).op("f32x4.mul");
      if (name === "addcmul") {
        f.set(y);
        roundedOnce(f, y, z, x, fused);
      } else f.get(z).op("f32x4.div").get(x).op("f32x4.add");
    }
    f.memory("v128.store").increase(to, { by: 16 });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/** `addRows`, and `addNumbers` where the second operand of a row is one element. */
export type RowsProgram = `${BinaryVector}${"Rows" | "Numbers"}`;

/** name(to, a, lda, b, ldb, rows, columns): a dense result of `rows` rows from rows that are `lda` and `ldb` bytes apart; counts are at
 * least 1. The second operand is rows, or one number for each row. */
export function binaryRowsProgram(name: BinaryVector, second: "Rows" | "Numbers"): FunctionBuilder {
  const f = new FunctionBuilder(`${name}${second}` satisfies RowsProgram, new Array<"i32">(7).fill("i32"));
  const [to, a, lda, b, ldb, rows, columns] = f.parameters;
  const [x, y, wide, end] = f.fresh("i32");
  const number = f.local("v128");
  const isNumber = second === "Numbers";
  const single = BINARY_VECTORS[name].replace("f32x4", "f32") as `f32.${BinaryVector}`;
  /** Runs `body` while `to` is not `until`, with both operands of `bytes` bytes. */
  const upTo = (until: number, bytes: number, body: () => void): void => {
    f.get(to).get(until).op("i32.ne");
    f.when(() =>
      f.loop(() => {
        body();
        f.increase(to, { by: bytes }).increase(x, { by: bytes });
        if (!isNumber) f.increase(y, { by: bytes });
        f.get(to).get(until).op("i32.ne");
      }),
    );
  };
  f.loop(() => {
    f.get(a).set(x).get(b).set(y);
    if (isNumber) f.get(b).memory("v128.load32_splat").set(number);
    f.get(to).get(columns).i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(to).get(columns).i32(-4).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wide);
    upTo(wide, 16, () => {
      f.get(to).get(x).memory("v128.load");
      if (isNumber) f.get(number);
      else f.get(y).memory("v128.load");
      f.op(BINARY_VECTORS[name]).memory("v128.store");
    });
    upTo(end, 4, () => {
      f.get(to).get(x).memory("f32.load").get(y).memory("f32.load").op(single).memory("f32.store");
    });
    f.increase(a, { byLocal: lda }).increase(b, { byLocal: ldb });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** layerNorm(to, from, rows, columns, weight, bias, moments, eps): `rows` dense rows of `columns` elements, at least 4, become
 * (x - mean) / sqrt(variance + eps) * weight + bias; mean and 1 / sqrt of a row go to `moments`, 8 bytes a row. `to` may be `from`. */
export function layerNormProgram(): FunctionBuilder {
  const f = new FunctionBuilder("layerNorm", [...new Array<"i32">(7).fill("i32"), "f32"]);
  const [to, from, rows, columns, weight, bias, moments, eps] = f.parameters;
  const [at, wide, end, w, b] = f.fresh("i32");
  const [s0, s1, mean, rstd, x] = f.fresh("v128");
  const [first, scale] = f.fresh("f32");
  /** Visits the row: vectors in pairs, then single elements. */
  const everyElement = (pair: () => void, single: () => void): void => {
    f.get(from).set(at);
    f.get(at)
      .get(wide)
      .op("i32.ne")
      .when(() =>
        f.loop(() => {
          pair();
          f.increase(at, { by: 32 }).get(at).get(wide).op("i32.ne");
        }),
      );
    f.get(at)
      .get(end)
      .op("i32.ne")
      .when(() =>
        f.loop(() => {
          single();
          f.increase(at, { by: 4 }).get(at).get(end).op("i32.ne");
        }),
      );
  };
  /** Leaves (sum of the lanes of s0 and s1) / columns on the stack. */
  const average = (): FunctionBuilder => {
    f.get(s0).get(s1).op("f32x4.add").set(s0);
    f.get(s0).get(s0).get(s0).shuffle(2, 3, 0, 1).op("f32x4.add").set(s0);
    f.get(s0).get(s0).get(s0).shuffle(1, 0, 3, 2).op("f32x4.add").set(s0);
    return f.get(s0).extractLane(0).get(columns).op("f32.convert_i32_u").op("f32.div");
  };
  /** Adds an element on the stack to the first lane of s0. */
  const addSingle = (): FunctionBuilder =>
    f.set(scale).zeros().get(scale).replaceLane(0).get(s0).op("f32x4.add").set(s0);
  const centered = (offset: number): FunctionBuilder => f.get(at).memory("v128.load", offset).get(mean).op("f32x4.sub");
  f.loop(() => {
    f.get(from).get(columns).i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(from).get(columns).i32(-8).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wide);
    f.zeros().set(s0).zeros().set(s1);
    everyElement(
      () => {
        f.get(s0).get(at).memory("v128.load").op("f32x4.add").set(s0);
        f.get(s1).get(at).memory("v128.load", 16).op("f32x4.add").set(s1);
      },
      () => {
        f.get(at).memory("f32.load");
        addSingle();
      },
    );
    average().set(first).get(first).op("f32x4.splat").set(mean);
    f.get(moments).get(first).memory("f32.store");
    f.zeros().set(s0).zeros().set(s1);
    everyElement(
      () => {
        centered(0).set(x).get(s0).get(x).get(x).op("f32x4.mul").op("f32x4.add").set(s0);
        centered(16).set(x).get(s1).get(x).get(x).op("f32x4.mul").op("f32x4.add").set(s1);
      },
      () => {
        f.get(at).memory("f32.load").get(first).op("f32.sub").set(scale).get(scale).get(scale).op("f32.mul");
        addSingle();
      },
    );
    f.f32(1);
    average().get(eps).op("f32.add").op("f32.sqrt").op("f32.div").set(scale);
    f.get(scale).op("f32x4.splat").set(rstd);
    f.get(moments).get(scale).memory("f32.store", 4).increase(moments, { by: 8 });
    f.get(weight).set(w).get(bias).set(b);
    everyElement(
      () => {
        for (const offset of [0, 16]) {
          f.get(to);
          centered(offset).get(rstd).op("f32x4.mul").get(w).memory("v128.load", offset).op("f32x4.mul");
          f.get(b).memory("v128.load", offset).op("f32x4.add").memory("v128.store", offset);
        }
        f.increase(to, { by: 32 }).increase(w, { by: 32 }).increase(b, { by: 32 });
      },
      () => {
        f.get(to).get(at).memory("f32.load").get(first).op("f32.sub").get(scale).op("f32.mul");
        f.get(w).memory("f32.load").op("f32.mul").get(b).memory("f32.load").op("f32.add").memory("f32.store");
        f.increase(to, { by: 4 }).increase(w, { by: 4 }).increase(b, { by: 4 });
      },
    );
    f.get(end).set(from);
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
