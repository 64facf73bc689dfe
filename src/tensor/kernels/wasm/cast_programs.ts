/** @file Conversions between float32, integers and truth values, as programs for the assembler. Upstream: c10/util/TypeCast.h. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Elements of one step. */
export const CAST_STEP = 16;

const FROM_WORDS = ["float32", "int64", "int32"] as const;
const FROM_BYTES = ["uint8", "bool"] as const;
const KINDS = [...FROM_WORDS, ...FROM_BYTES] as const;
type Kind = (typeof KINDS)[number];
/** Name of a conversion. */
export type Cast = `${Kind}:${Kind}`;

const isByte = (kind: Kind): boolean => kind === "uint8" || kind === "bool";
const BYTES: Readonly<Record<Kind, number>> = { float32: 4, int64: 8, int32: 4, uint8: 1, bool: 1 };

/** name(to, from, steps) for every conversion of words (float32, int32, int64), or of bytes: `steps` times CAST_STEP elements. */
export function castPrograms(source: "words" | "bytes"): FunctionBuilder[] {
  const from: readonly Kind[] = source === "words" ? FROM_WORDS : FROM_BYTES;
  return from.flatMap((a) => KINDS.filter((b) => b !== a).map((b) => castProgram(a, b)));
}

function castProgram(source: Kind, result: Kind): FunctionBuilder {
  const f = new FunctionBuilder(`${source}:${result}` satisfies Cast, new Array<"i32">(3).fill("i32"));
  const [to, from, steps] = f.parameters;
  const [x, y, one] = f.fresh("v128");
  f.i32(1).op("i8x16.splat").set(one);
  const isNarrow = isByte(result);
  // four elements at a time between words, else all of a step
  const quads = isNarrow ? 4 : 1;
  if (!isNarrow) f.get(steps).i32(2).op("i32.shl").set(steps);
  f.loop(() => {
    if (isNarrow) f.get(to);
    if (isNarrow && isByte(source)) f.get(from).memory("v128.load").get(one).op("i8x16.min_u");
    else {
      for (let quad = 0; quad < quads; quad++) {
        loadQuad(f, source, from, quad, x, y, one);
        if (result === "bool") truth(f, source, x, y);
        else if (result === "uint8") lowByte(f, source, x);
        else if (result === "int32") whole(f, source, x, to);
        else if (result === "int64") wide(f, source, x, to, from);
        else rounded(f, source, x, y, to, from);
        if (isNarrow && quad % 2 === 1) f.op(result === "bool" ? "i16x8.narrow_i32x4_s" : "i16x8.narrow_i32x4_u");
      }
      if (result === "bool") f.op("i8x16.narrow_i16x8_s").get(one).op("v128.and");
      else if (isNarrow) f.op("i8x16.narrow_i16x8_u");
    }
    if (isNarrow) f.memory("v128.store");
    f.increase(to, { by: 4 * quads * BYTES[result] }).increase(from, { by: 4 * quads * BYTES[source] });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/** Sets x to four elements in lanes of 32 bits; of int64 these are the low words, and y has the high ones. */
function loadQuad(
  f: FunctionBuilder,
  source: Kind,
  from: number,
  quad: number,
  x: number,
  y: number,
  one: number,
): void {
  if (source === "int64") {
    const load = (): FunctionBuilder =>
      f
        .get(from)
        .memory("v128.load", 32 * quad)
        .get(from)
        .memory("v128.load", 32 * quad + 16);
    load().shuffle(0, 2, 4, 6).set(x);
    load().shuffle(1, 3, 5, 7).set(y);
  } else if (isByte(source)) {
    f.get(from).memory("v128.load32_zero", 4 * quad);
    if (source === "bool") f.get(one).op("i8x16.min_u");
    f.op("i16x8.extend_low_i8x16_u").op("i32x4.extend_low_i16x8_u").set(x);
  } else
    f.get(from)
      .memory("v128.load", 16 * quad)
      .set(x);
}

/** Leaves -1 where an element is not 0. */
function truth(f: FunctionBuilder, source: Kind, x: number, y: number): void {
  f.get(x);
  if (source === "int64") f.get(y).op("v128.or");
  f.zeros().op(source === "float32" ? "f32x4.ne" : "i32x4.ne");
}

const splat = (f: FunctionBuilder, value: number): FunctionBuilder => f.f32(value).op("f32x4.splat");

/** Leaves the lowest bytes. Floats from 2^31 on are multiples of 256, and so is what others become that are no int64. */
function lowByte(f: FunctionBuilder, source: Kind, x: number): void {
  f.get(x);
  if (source === "float32") {
    f.op("i32x4.trunc_sat_f32x4_s").get(x);
    splat(f, 2 ** 31)
      .op("f32x4.lt")
      .op("v128.and");
  }
  f.i32(0xff).op("i32x4.splat").op("v128.and");
}

/** Stores int32; floats that are none become the least, as x86 has it. */
function whole(f: FunctionBuilder, source: Kind, x: number, to: number): void {
  f.get(to).get(x);
  if (source === "float32") {
    f.op("i32x4.trunc_sat_f32x4_s").i32(-2147483648).op("i32x4.splat").get(x);
    splat(f, 2 ** 31)
      .op("f32x4.lt")
      .op("v128.bitselect");
  }
  f.memory("v128.store");
}

/** Stores int64. */
function wide(f: FunctionBuilder, source: Kind, x: number, to: number, from: number): void {
  const extend = (): void => {
    f.get(to).get(x).op("i64x2.extend_low_i32x4_s").memory("v128.store");
    f.get(to).get(x).op("i64x2.extend_high_i32x4_s").memory("v128.store", 16);
  };
  if (source !== "float32") {
    extend();
    return;
  }
  splat(f.get(x).op("f32x4.abs"), 2 ** 31)
    .op("f32x4.lt")
    .op("i32x4.all_true");
  f.when(
    () => {
      f.get(x).op("i32x4.trunc_sat_f32x4_s").set(x);
      extend();
    },
    () => {
      for (let lane = 0; lane < 4; lane++) {
        // what is no int64 becomes the least
        f.get(to)
          .get(from)
          .memory("f32.load", 4 * lane)
          .op("i64.trunc_sat_f32_s");
        f.f32(-Infinity).op("i64.trunc_sat_f32_s").get(from);
        f.memory("f32.load", 4 * lane)
          .f32(2 ** 63)
          .op("f32.lt")
          .op("select")
          .memory("i64.store", 8 * lane);
      }
    },
  );
}

/** Stores float32. */
function rounded(f: FunctionBuilder, source: Kind, x: number, y: number, to: number, from: number): void {
  const convert = (): FunctionBuilder => f.get(to).get(x).op("f32x4.convert_i32x4_s").memory("v128.store");
  if (source !== "int64") {
    convert();
    return;
  }
  f.get(x).i32(31).op("i32x4.shr_s").get(y).op("i32x4.eq").op("i32x4.all_true");
  f.when(convert, () => {
    for (let lane = 0; lane < 4; lane++) {
      f.get(to)
        .get(from)
        .memory("i64.load", 8 * lane)
        .op("f32.convert_i64_s")
        .memory("f32.store", 4 * lane);
    }
  });
}
