/** @file Sums, products and extrema of rows and of columns, as programs for the assembler. Upstream: aten/src/ATen/native/cpu/SumKernel.cpp (the aim). Spec: none.
 *
 * Note [Reductions]: sums and products are double precision, as in the reference. Extrema are NaN where an element is. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** What is reduced. */
export const REDUCTIONS = ["sum", "squares", "prod", "max", "min"] as const;
/** Name of such a reduction. */
export type VectorReduction = (typeof REDUCTIONS)[number];

/** Whether results are double precision. */
export const isWide = (kind: VectorReduction): boolean => kind !== "max" && kind !== "min";
/** What puts a result (and an element, which `squares` squares first) to another. */
const MERGE = {
  sum: "f64x2.add",
  squares: "f64x2.add",
  prod: "f64x2.mul",
  max: "f32x4.max",
  min: "f32x4.min",
} as const;
/** The result of nothing. */
export const NEUTRAL = { sum: 0, squares: 0, prod: 1, max: -Infinity, min: Infinity } as const;

/** Puts the elements on the stack, two of them for wide results, to the result below them. */
function fold(f: FunctionBuilder, kind: VectorReduction, temporary: number): void {
  if (isWide(kind)) f.op("f64x2.promote_low_f32x4");
  if (kind === "squares") f.set(temporary).get(temporary).get(temporary).op("f64x2.mul");
  f.op(MERGE[kind]);
}

/** kindRows(x, rows, columns, ld, y): y[r] = the reduction of row r, `ld` bytes apart; 8-byte results, 4-byte ones of extrema. Counts are at least 1. */
export function reduceRowsProgram(kind: VectorReduction): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Rows`, new Array<"i32">(5).fill("i32"));
  const [x, rows, columns, ld, y] = f.parameters;
  const [at, wide, end] = f.fresh("i32");
  const acc = Array.from({ length: 4 }, () => f.local("v128"));
  const [temporary, neutral] = f.fresh("v128");
  /** Adds what is at `at` plus `offset` bytes. */
  const take = (into: number, load: Parameters<FunctionBuilder["memory"]>[0], offset: number): void => {
    f.get(into).get(at).memory(load, offset);
    fold(f, kind, temporary);
    f.set(into);
  };
  const merge = (a: number, b: number): void => {
    f.get(a).get(b).op(MERGE[kind]).set(a);
  };
  const across = (a: number, ...lanes: [number, number, number, number]): void => {
    f.get(a)
      .get(a)
      .get(a)
      .shuffle(...lanes)
      .op(MERGE[kind])
      .set(a);
  };
  const step = isWide(kind) ? 8 : 16;
  f.f32(NEUTRAL[kind]).op("f32x4.splat");
  if (isWide(kind)) f.op("f64x2.promote_low_f32x4");
  f.set(neutral);
  f.loop(() => {
    for (const a of acc) f.get(neutral).set(a);
    f.get(x).set(at).get(x).get(columns).i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(x).get(columns).i32(-step).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wide);
    f.get(at)
      .get(wide)
      .op("i32.ne")
      .when(() => {
        f.loop(() => {
          acc.forEach((a, i) =>
            take(a, isWide(kind) ? "v128.load64_zero" : "v128.load", isWide(kind) ? 8 * i : 16 * i),
          );
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
          // of a pair that is to be wide the second is no element: it is made one that changes nothing
          if (kind === "prod") {
            f.get(acc[0]!).f32(1).op("f32x4.splat").get(at).memory("f32.load").replaceLane(0);
            fold(f, kind, temporary);
            f.set(acc[0]!);
          } else take(acc[0]!, isWide(kind) ? "v128.load32_zero" : "v128.load32_splat", 0);
          f.increase(at, { by: 4 }).get(at).get(end).op("i32.ne");
        });
      });
    merge(acc[0]!, acc[1]!);
    merge(acc[2]!, acc[3]!);
    merge(acc[0]!, acc[2]!);
    across(acc[0]!, 2, 3, 0, 1);
    if (!isWide(kind)) across(acc[0]!, 1, 0, 3, 2);
    f.get(y).get(acc[0]!);
    if (isWide(kind)) f.storeLow().increase(y, { by: 8 });
    else f.extractLane(0).memory("f32.store").increase(y, { by: 4 });
    f.increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** kindColumns(x, rows, columns, ld, y): folds every row into y, which has 8 bytes a column, 4 for extrema, and room for a
 * multiple of 4 columns. Counts are at least 1. */
export function reduceColumnsProgram(kind: VectorReduction): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Columns`, new Array<"i32">(5).fill("i32"));
  const [x, rows, columns, ld, y] = f.parameters;
  const [at, to, left] = f.fresh("i32");
  const temporary = f.local("v128");
  f.loop(() => {
    f.get(x).set(at).get(y).set(to).get(columns).set(left);
    f.loop(() => {
      for (const half of isWide(kind) ? [0, 1] : [0]) {
        f.get(to)
          .get(to)
          .memory("v128.load", 16 * half)
          .get(at)
          .memory(isWide(kind) ? "v128.load64_zero" : "v128.load", 8 * half);
        fold(f, kind, temporary);
        f.memory("v128.store", 16 * half);
      }
      f.increase(at, { by: 16 }).increase(to, { by: isWide(kind) ? 32 : 16 });
      f.get(left).i32(4).op("i32.sub").set(left).get(left).i32(0).op("i32.gt_s");
    });
    f.increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
