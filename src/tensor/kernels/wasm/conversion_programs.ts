/** @file Half and bfloat16 to float32 and back, eight elements at a time, as programs for the assembler. Upstream: c10/util/Half.h, BFloat16.h. Spec: none.
 *
 * Note [Half by multiplication]: the bits of a half, moved to where float32 has them, are its value times 2^-112, subnormal ones too: one
 * multiplication makes the value. Back: adding a number of the right size rounds to the ten bits of a half, ties to even. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Elements of one step. */
export const CONVERSION_STEP = 8;

/** Kinds of conversion. */
export const CONVERSIONS = ["float16:float32", "float32:float16", "bfloat16:float32", "float32:bfloat16"] as const;
/** Name of such a conversion. */
export type Conversion = (typeof CONVERSIONS)[number];

const bits = (f: FunctionBuilder, value: number): FunctionBuilder => f.i32(value).op("i32x4.splat");

/** Leaves the float32 values of four halves in the low bits of x. */
function halfToFloat(f: FunctionBuilder, x: number, t: number): void {
  bits(f.get(x), 0x7fff).op("v128.and").i32(13).op("i32x4.shl").set(t);
  f.get(t)
    .f32(2 ** 112)
    .op("f32x4.splat")
    .op("f32x4.mul");
  // infinities and NaN keep the largest exponent
  bits(f.get(t), 0x0f7fffff).op("i32x4.gt_s");
  bits(f, 0x7f800000).op("v128.and").op("v128.or");
  bits(f.get(x), 0x8000).op("v128.and").i32(16).op("i32x4.shl").op("v128.or");
}

/** Leaves the halves nearest to four float32 values, in the low bits. */
function floatToHalf(f: FunctionBuilder, x: number, t: number, u: number): void {
  // u: the bits without the sign, twice; t: 2^15 times the power of two of the value (at least that of the smallest normal half)
  f.get(x).i32(1).op("i32x4.shl").set(u);
  bits(f.get(u), 0xff000000).op("v128.and");
  bits(f, 0x71000000).op("i32x4.max_u").i32(1).op("i32x4.shr_u");
  bits(f, 0x07800000).op("i32x4.add").set(t);
  // too large values become infinite on the way
  f.get(x)
    .op("f32x4.abs")
    .f32(2 ** 112)
    .op("f32x4.splat")
    .op("f32x4.mul");
  f.f32(2 ** -110)
    .op("f32x4.splat")
    .op("f32x4.mul")
    .get(t)
    .op("f32x4.add")
    .set(t);
  bits(f.get(t).i32(13).op("i32x4.shr_u"), 0x7c00).op("v128.and");
  bits(f.get(t), 0x0fff).op("v128.and").op("i32x4.add").set(t);
  bits(f, 0x7e00).get(t);
  bits(f.get(u), 0xff000000).op("i32x4.gt_u").op("v128.bitselect");
  bits(f.get(x).i32(16).op("i32x4.shr_u"), 0x8000).op("v128.and").op("v128.or");
}

/** Leaves the bfloat16 nearest to four float32 values, in the low bits. */
function floatToBfloat16(f: FunctionBuilder, x: number): void {
  bits(f, 0x7fc0).get(x);
  bits(f.get(x).i32(16).op("i32x4.shr_u"), 1).op("v128.and").op("i32x4.add");
  bits(f, 0x7fff).op("i32x4.add").i32(16).op("i32x4.shr_u");
  f.get(x).get(x).op("f32x4.ne").op("v128.bitselect");
}

/** name(to, from, steps): `steps` times CONVERSION_STEP elements. */
export function conversionProgram(name: Conversion): FunctionBuilder {
  const f = new FunctionBuilder(name, ["i32", "i32", "i32"]);
  const [to, from, steps] = f.parameters;
  const [x, t, u, wide] = f.fresh("v128");
  const narrows = name === "float32:float16" || name === "float32:bfloat16";
  f.loop(() => {
    if (narrows) {
      f.get(to);
      for (const half of [0, 1]) {
        f.get(from)
          .memory("v128.load", 16 * half)
          .set(x);
        if (name === "float32:float16") floatToHalf(f, x, t, u);
        else floatToBfloat16(f, x);
      }
      f.op("i16x8.narrow_i32x4_u").memory("v128.store");
      f.increase(to, { by: 16 }).increase(from, { by: 32 });
    } else {
      f.get(from).memory("v128.load").set(wide);
      for (const half of [0, 1]) {
        f.get(wide)
          .op(half === 0 ? "i32x4.extend_low_i16x8_u" : "i32x4.extend_high_i16x8_u")
          .set(x);
        f.get(to);
        if (name === "float16:float32") halfToFloat(f, x, t);
        else f.get(x).i32(16).op("i32x4.shl");
        f.memory("v128.store", 16 * half);
      }
      f.increase(to, { by: 32 }).increase(from, { by: 16 });
    }
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}
