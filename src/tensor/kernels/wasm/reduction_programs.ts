/** @file Sums and extrema of rows and of columns, as programs for the assembler. Upstream: aten/src/ATen/native/cpu/SumKernel.cpp (the aim). Spec: none.
 *
 * Note [Reductions]: sums are double precision, as in the reference. Extrema are NaN where an element is. */
import { FunctionBuilder } from "./assembler.ts";

/** What is reduced. */
export const REDUCTIONS = ["sum", "max", "min"] as const;
/** Name of such a reduction. */
export type VectorReduction = (typeof REDUCTIONS)[number];

const isSum = (kind: VectorReduction): kind is "sum" => kind === "sum";
const extremum = (kind: "max" | "min"): "f32x4.max" | "f32x4.min" => (kind === "max" ? "f32x4.max" : "f32x4.min");
/** An extremum of nothing. */
export const NEUTRAL = { max: -Infinity, min: Infinity } as const;

/** kindRows(x, rows, columns, ld, y): y[r] = the reduction of row r, `ld` bytes apart; 8-byte results of sums, 4-byte ones of extrema. Counts are at least 1. */
export function reduceRowsProgram(kind: VectorReduction): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Rows`, new Array<"i32">(5).fill("i32"));
  const [x, rows, columns, ld, y] = f.parameters;
  const [at, wide, end] = f.fresh("i32");
  const acc = Array.from({ length: 4 }, () => f.local("v128"));
  /** Adds what is at `at` plus `offset` bytes. */
  const take = (into: number, load: "v128.load64_zero" | "v128.load32_zero" | "v128.load", offset: number): void => {
    f.get(into).get(at).memory(load, offset);
    if (isSum(kind)) f.op("f64x2.promote_low_f32x4").op("f64x2.add").set(into);
    else f.op(extremum(kind)).set(into);
  };
  const merge = (a: number, b: number): void => {
    f.get(a)
      .get(b)
      .op(isSum(kind) ? "f64x2.add" : extremum(kind))
      .set(a);
  };
  const across = (a: number, ...lanes: [number, number, number, number]): void => {
    f.get(a)
      .get(a)
      .get(a)
      .shuffle(...lanes)
      .op(isSum(kind) ? "f64x2.add" : extremum(kind))
      .set(a);
  };
  const step = isSum(kind) ? 8 : 16;
  f.loop(() => {
    for (const a of acc) {
      if (isSum(kind)) f.zeros();
      else f.f32(NEUTRAL[kind]).op("f32x4.splat");
      f.set(a);
    }
    f.get(x).set(at).get(x).get(columns).i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(x).get(columns).i32(-step).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wide);
    f.get(at)
      .get(wide)
      .op("i32.ne")
      .when(() => {
        f.loop(() => {
          acc.forEach((a, i) => take(a, isSum(kind) ? "v128.load64_zero" : "v128.load", isSum(kind) ? 8 * i : 16 * i));
          f.increase(at, { by: 4 * step })
            .get(at)
            .get(wide)
            .op("i32.ne");
        });
      });
    f.get(at)
      .get(end)
      .op("i32.ne")
      .when(() => {
        f.loop(() => {
          if (isSum(kind)) take(acc[0]!, "v128.load32_zero", 0);
          else f.get(acc[0]!).get(at).memory("v128.load32_splat").op(extremum(kind)).set(acc[0]!);
          f.increase(at, { by: 4 }).get(at).get(end).op("i32.ne");
        });
      });
    merge(acc[0]!, acc[1]!);
    merge(acc[2]!, acc[3]!);
    merge(acc[0]!, acc[2]!);
    across(acc[0]!, 2, 3, 0, 1);
    if (!isSum(kind)) across(acc[0]!, 1, 0, 3, 2);
    f.get(y).get(acc[0]!);
    if (isSum(kind)) f.storeLow().increase(y, { by: 8 });
    else f.extractLane(0).memory("f32.store").increase(y, { by: 4 });
    f.increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** kindColumns(x, rows, columns, ld, y): folds every row into y, which has 8 bytes a column for sums and 4 for extrema, and room for a
 * multiple of 4 columns. Counts are at least 1. */
export function reduceColumnsProgram(kind: VectorReduction): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Columns`, new Array<"i32">(5).fill("i32"));
  const [x, rows, columns, ld, y] = f.parameters;
  const [at, to, left] = f.fresh("i32");
  f.loop(() => {
    f.get(x).set(at).get(y).set(to).get(columns).set(left);
    f.loop(() => {
      if (isSum(kind)) {
        for (const half of [0, 1]) {
          f.get(to)
            .get(to)
            .memory("v128.load", 16 * half)
            .get(at)
            .memory("v128.load64_zero", 8 * half)
            .op("f64x2.promote_low_f32x4")
            .op("f64x2.add")
            .memory("v128.store", 16 * half);
        }
      } else f.get(to).get(to).memory("v128.load").get(at).memory("v128.load").op(extremum(kind)).memory("v128.store");
      f.increase(at, { by: 16 }).increase(to, { by: isSum(kind) ? 32 : 16 });
      f.get(left).i32(4).op("i32.sub").set(left).get(left).i32(0).op("i32.gt_s");
    });
    f.increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
