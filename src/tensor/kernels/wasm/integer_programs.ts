/** @file Products of small integers and what is around them in quantized layers, as programs for the assembler. Upstream: aten/src/ATen/native/quantized/cpu/qlinear.cpp, qlinear_dynamic.cpp (the aim). Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Elements of 16 bits in a vector: rows are padded to a multiple of it. */
export const INTEGER_STEP = 8;
/** Rows of weights in a panel: columns of the result. */
export const INTEGER_COLUMNS = 16;
/** Vectors of a panel's columns. */
const VECTORS = INTEGER_COLUMNS / 4;
/** Bytes of a panel that four bytes of every row take. */
const PAIR_BYTES = 4 * INTEGER_COLUMNS;
/** Bytes of rows of x that a step takes. */
const STEP_BYTES = 2 * INTEGER_STEP;
/** Elements of 8 bits in a vector: rows are padded to a multiple of it where they have such. */
export const BYTE_STEP = STEP_BYTES;
/** Bytes in front of a panel of bytes: the sums of its rows. */
export const SUM_BYTES = 4 * INTEGER_COLUMNS;

/** What becomes of sums: float32, or bytes. */
export type IntegerFinish = "Floats" | "Bytes";

/** A product: see integersProgram. */
type Product = (
  x: number,
  ldx: number,
  rows: number,
  w: number,
  panel: number,
  panels: number,
  y: number,
  ldy: number,
  table: number,
  scale: number,
  zero: number,
  low: number,
) => void;

/** The kernels of this file: all arguments are addresses, byte strides, counts or numbers. */
export type IntegerKernels = Readonly<Record<`integers${IntegerFinish}`, Product>> & {
  extremes(x: number, vectors: number, y: number): void;
  quantize16(x: number, ldx: number, y: number, steps: number, rows: number, inverse: number, zero: number): void;
  bytes16(x: number, ldx: number, y: number, steps: number, rows: number, zero: number): void;
};

/** The kernels of activations with seven bits: see the same program. */
export type SevenBitKernels = Readonly<
  Record<`bytes${IntegerFinish}`, (...args: [...Parameters<Product>, inputZero: number]) => void>
> & {
  quantize8(x: number, ldx: number, y: number, steps: number, rows: number, inverse: number, zero: number): void;
};

/** Leaves a * b + c, rounded once: without fused multiply-add by way of doubles, which hold products of floats exactly. */
function fusedAdd(f: FunctionBuilder, fused: boolean, a: number, b: number, c: number): void {
  if (fused) {
    f.get(a).get(b).get(c).op("f32x4.relaxed_madd");
    return;
  }
  const half = (isHigh: boolean): void => {
    const wide = (v: number): void => {
      f.get(v);
      if (isHigh) f.get(v).shuffle(2, 3, 2, 3);
      f.op("f64x2.promote_low_f32x4");
    };
    wide(a);
    wide(b);
    f.op("f64x2.mul");
    wide(c);
    f.op("f64x2.add").op("f32x4.demote_f64x2_zero");
  };
  half(false);
  half(true);
  f.shuffle(0, 1, 4, 5);
}

/**
 * integersX(x, ldx, rows, w, panel, panels, y, ldy, table, scale, zero, low): y[j, i] = what becomes of the sum over p of x[j, p] * w[i, p],
 * for `rows` rows of x and the rows of w in `panels` panels. x has elements of 16 bits; a panel of `panel` bytes has elements 0 and 1 of each of its
 * rows, then 2 and 3, up to a multiple of INTEGER_STEP. Sums have 32 bits and wrap around. Strides in bytes, counts at least 1.
 *
 * bytesX(..., inputZero): the same for rows of bytes from 0 to 127, less inputZero, and panels of bytes: four elements of each row, then the
 * next four, up to a multiple of BYTE_STEP; in front the sum of each row with 32 bits.
 *
 * A sum becomes a float32; `table` has a factor and a shift for each row of w, panel by panel. Floats: sum * (factor * scale) + shift with
 * one rounding, or `low` if that is less. Bytes: (sum + shift) * (factor * scale), rounded, plus `zero`, from `low` to 255; `low` where it is no number.
 */
export function integersProgram(finish: IntegerFinish, fused: boolean, hasBytes = false): FunctionBuilder {
  const f = new FunctionBuilder(`${hasBytes ? "bytes" : "integers"}${finish}`, [
    ...new Array<"i32">(9).fill("i32"),
    ...new Array<"f32">(3).fill("f32"),
    ...(hasBytes ? ["i32" as const] : []),
  ]);
  const [x, ldx, rows, w, panel, panels, y, ldy, table, scale, zero, low, inputZero] = f.parameters;
  const [row, second, next, to, left, wp, end] = f.fresh("i32");
  const acc = [0, 1].map(() => Array.from({ length: VECTORS }, () => f.local("v128")));
  const xs = [0, 1].map(() => f.local("v128"));
  const [b, factor, shift, most] = f.fresh("v128");
  const splat = (value: number): FunctionBuilder => f.get(value).op("f32x4.splat");

  const floats = (sums: readonly number[], c: number): void => {
    const sum = sums[c]!;
    f.get(sum).op("f32x4.convert_i32x4_s").set(sum);
    fusedAdd(f, fused, sum, factor, shift);
    splat(low).op("f32x4.pmax").set(sum);
  };
  const bytes = (sums: readonly number[], c: number): void => {
    splat(low).get(sums[c]!).op("f32x4.convert_i32x4_s").get(shift).op("f32x4.add");
    f.get(factor).op("f32x4.mul").op("f32x4.nearest");
    splat(zero).op("f32x4.add").op("f32x4.pmax");
    f.get(most).op("f32x4.pmin").op("i32x4.trunc_sat_f32x4_s").set(sums[c]!);
  };
  /** So many rows of x by a panel. */
  const tile = (count: number): void => {
    const some = acc.slice(0, count);
    f.get(w).set(wp);
    if (hasBytes) f.increase(wp, { by: SUM_BYTES });
    for (const sums of some)
      sums.forEach((sum, c) => {
        // what the zero point adds to every product is taken off their sum
        if (hasBytes)
          f.i32(0)
            .get(inputZero)
            .op("i32.sub")
            .op("i32x4.splat")
            .get(w)
            .memory("v128.load", 16 * c)
            .op("i32x4.mul");
        else f.zeros();
        f.set(sum);
      });
    f.loop(() => {
      for (let pair = 0; pair < INTEGER_STEP / 2; pair++) {
        some.forEach((_, r) =>
          f
            .get(r === 0 ? row : second)
            .memory("v128.load32_splat", 4 * pair)
            .set(xs[r]!),
        );
        for (let c = 0; c < VECTORS; c++) {
          f.get(wp)
            .memory("v128.load", PAIR_BYTES * pair + 16 * c)
            .set(b);
          some.forEach((sums, r) => {
            const sum = sums[c]!;
            if (hasBytes) f.get(b).get(xs[r]!).get(sum).op("i32x4.relaxed_dot_i8x16_i7x16_add_s").set(sum);
            else f.get(xs[r]!).get(b).op("i32x4.dot_i16x8_s").get(sum).op("i32x4.add").set(sum);
          });
        }
      }
      f.increase(row, { by: STEP_BYTES });
      if (count > 1) f.increase(second, { by: STEP_BYTES });
      f.increase(wp, { by: (PAIR_BYTES * INTEGER_STEP) / 2 })
        .get(wp)
        .get(end)
        .op("i32.ne");
    });
    for (let c = 0; c < VECTORS; c++) {
      f.get(table)
        .memory("v128.load", 16 * c)
        .get(scale)
        .op("f32x4.splat")
        .op("f32x4.mul")
        .set(factor);
      f.get(table)
        .memory("v128.load", 4 * INTEGER_COLUMNS + 16 * c)
        .set(shift);
      for (const sums of some) (finish === "Floats" ? floats : bytes)(sums, c);
    }
    for (const sums of some) {
      if (finish === "Floats")
        sums.forEach((sum, c) =>
          f
            .get(to)
            .get(sum)
            .memory("v128.store", 16 * c),
        );
      else {
        const [first, after, third, last] = sums as [number, number, number, number];
        f.get(to).get(first).get(after).op("i16x8.narrow_i32x4_s").get(third).get(last).op("i16x8.narrow_i32x4_s");
        f.op("i8x16.narrow_i16x8_u").memory("v128.store");
      }
      f.increase(to, { byLocal: ldy });
    }
  };
  /** Leaves whether there are at least so many rows left. */
  const are = (count: number): FunctionBuilder => f.get(left).i32(count).op("i32.ge_s");

  f.f32(255).op("f32x4.splat").set(most);
  f.loop(() => {
    f.get(w).get(panel).op("i32.add").set(end);
    f.get(x).set(row).get(y).set(to).get(rows).set(left);
    are(2).when(() => {
      f.loop(() => {
        f.get(row).get(ldx).op("i32.add").set(second);
        f.get(second).get(ldx).op("i32.add").set(next);
        tile(2);
        f.get(next).set(row);
        f.get(left).i32(2).op("i32.sub").set(left);
        are(2);
      });
    });
    are(1).when(() => tile(1));
    f.get(end).set(w);
    f.increase(y, { by: finish === "Floats" ? 4 * INTEGER_COLUMNS : INTEGER_COLUMNS });
    f.increase(table, { by: 8 * INTEGER_COLUMNS });
    f.get(panels).i32(1).op("i32.sub").set(panels).get(panels);
  });
  return f;
}

/** extremes(x, vectors, y): y[0..3] = the smallest, y[4..7] = the largest elements by lane of so many vectors, at least 1; infinities where all are no numbers. */
export function extremesProgram(): FunctionBuilder {
  const f = new FunctionBuilder("extremes", new Array<"i32">(3).fill("i32"));
  const [x, vectors, y] = f.parameters;
  const [v, least, most] = f.fresh("v128");
  f.f32(Infinity).op("f32x4.splat").set(least).f32(-Infinity).op("f32x4.splat").set(most);
  f.loop(() => {
    f.get(x).memory("v128.load").set(v);
    // what is no number is neither less nor more
    f.get(least).get(v).op("f32x4.pmin").set(least).get(most).get(v).op("f32x4.pmax").set(most);
    f.increase(x, { by: 16 });
    f.get(vectors).i32(1).op("i32.sub").set(vectors).get(vectors);
  });
  f.get(y).get(least).memory("v128.store").get(y).get(most).memory("v128.store", 16);
  return f;
}

/**
 * quantize16(x, ldx, y, steps, rows, inverse, zero): x * inverse + zero, rounded once to float32, then to an integer from 0 to 255 (255 where it is no
 * number), less zero again, as rows of `steps` times INTEGER_STEP elements of 16 bits without gaps. Stride in bytes; counts at least 1.
 */
export function quantize16Program(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("quantize16", [...new Array<"i32">(5).fill("i32"), "f32", "f32"]);
  const [x, ldx, y, steps, rows, inverse, zero] = f.parameters;
  const [at, left] = f.fresh("i32");
  const [v, factor, shift, most, first] = f.fresh("v128");
  f.get(inverse).op("f32x4.splat").set(factor).get(zero).op("f32x4.splat").set(shift);
  f.f32(255).op("f32x4.splat").set(most);
  const vector = (offset: number): FunctionBuilder => {
    f.get(at).memory("v128.load", offset).set(v).get(most);
    fusedAdd(f, fused, v, factor, shift);
    f.op("f32x4.nearest").op("f32x4.pmin").zeros().op("f32x4.pmax");
    return f.get(shift).op("f32x4.sub").op("i32x4.trunc_sat_f32x4_s");
  };
  f.loop(() => {
    f.get(x).set(at).get(steps).set(left);
    f.loop(() => {
      vector(0).set(first);
      f.get(y).get(first);
      vector(16).op("i16x8.narrow_i32x4_s").memory("v128.store");
      f.increase(at, { by: 4 * INTEGER_STEP }).increase(y, { by: 2 * INTEGER_STEP });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.increase(x, { byLocal: ldx });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** quantize8(x, ldx, y, steps, rows, inverse, zero): the same without taking zero away, as rows of `steps` times BYTE_STEP bytes. */
export function quantize8Program(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("quantize8", [...new Array<"i32">(5).fill("i32"), "f32", "f32"]);
  const [x, ldx, y, steps, rows, inverse, zero] = f.parameters;
  const [at, left] = f.fresh("i32");
  const [v, factor, shift] = f.fresh("v128");
  f.get(inverse).op("f32x4.splat").set(factor).get(zero).op("f32x4.splat").set(shift);
  const most = f.local("v128");
  f.f32(255).op("f32x4.splat").set(most);
  const vector = (offset: number): FunctionBuilder => {
    f.get(at).memory("v128.load", offset).set(v).get(most);
    fusedAdd(f, fused, v, factor, shift);
    return f.op("f32x4.nearest").op("f32x4.pmin").op("i32x4.trunc_sat_f32x4_s");
  };
  f.loop(() => {
    f.get(x).set(at).get(steps).set(left);
    f.loop(() => {
      f.get(y);
      vector(0);
      vector(16).op("i16x8.narrow_i32x4_s");
      vector(32);
      vector(48).op("i16x8.narrow_i32x4_s").op("i8x16.narrow_i16x8_u").memory("v128.store");
      f.increase(at, { by: 4 * BYTE_STEP }).increase(y, { by: BYTE_STEP });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.increase(x, { byLocal: ldx });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** bytes16(x, ldx, y, steps, rows, zero): bytes less zero, in the same form. */
export function bytes16Program(): FunctionBuilder {
  const f = new FunctionBuilder("bytes16", new Array<"i32">(6).fill("i32"));
  const [x, ldx, y, steps, rows, zero] = f.parameters;
  const [at, left] = f.fresh("i32");
  const shift = f.local("v128");
  f.get(zero).op("i16x8.splat").set(shift);
  f.loop(() => {
    f.get(x).set(at).get(steps).set(left);
    f.loop(() => {
      f.get(y).get(at).memory("v128.load64_zero").op("i16x8.extend_low_i8x16_u").get(shift).op("i16x8.sub");
      f.memory("v128.store");
      f.increase(at, { by: INTEGER_STEP }).increase(y, { by: 2 * INTEGER_STEP });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.increase(x, { byLocal: ldx });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
