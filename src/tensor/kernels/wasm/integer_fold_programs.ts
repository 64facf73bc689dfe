/** @file Sums, extrema and running sums of integers, as programs for the assembler. Upstream: aten/src/ATen/native/cpu/SumKernel.cpp, ReduceOpsKernel.cpp (the aim). Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** How integers are folded. */
export type IntegerFold = "sum" | "max" | "min";
/** What is folded: int64, int32, bytes that are numbers, bytes that are true where they are not 0. */
export type FoldKind = "i64" | "i32" | "u8" | "bool";

const PROGRAMS = ["sum:i64", "sum:i32", "sum:u8", "sum:bool", "max:i64", "max:i32", "min:i64", "min:i32"] as const;
/** Name of a fold of rows. */
export type FoldProgram = (typeof PROGRAMS)[number];
export const isFoldProgram = (name: string): name is FoldProgram => (PROGRAMS as readonly string[]).includes(name);

const ELEMENT_BYTES: Readonly<Record<FoldKind, number>> = { i64: 8, i32: 4, u8: 1, bool: 1 };
const LOADS = { i64: "i64.load", i32: "i64.load32_s", u8: "i64.load8_u", bool: "i64.load8_u" } as const;

/** Every fold, and running sums. */
export function integerFoldPrograms(): FunctionBuilder[] {
  return [...PROGRAMS.map(foldProgram), scanProgram()];
}

/** name(x, rows, columns, y): y[r] = the fold of row r as int64; rows lie one behind the other. Counts are at least 1, and less than 2^24 for bytes. */
function foldProgram(name: FoldProgram): FunctionBuilder {
  const [fold, kind] = name.split(":") as [IntegerFold, FoldKind];
  const f = new FunctionBuilder(name, new Array<"i32">(4).fill("i32"));
  const [x, rows, columns, y] = f.parameters;
  const [wide, end] = f.fresh("i32");
  const [total, next] = f.fresh("i64");
  const [acc, v, one] = f.fresh("v128");
  const bytes = ELEMENT_BYTES[kind];
  const is64 = kind === "i64" || (fold === "sum" && kind === "i32");
  const test = fold === "max" ? "gt_s" : "lt_s";
  /** total = total and next. */
  const merge = (): void => {
    if (fold === "sum") f.get(total).get(next).op("i64.add").set(total);
    else f.get(total).get(next).get(total).get(next).op(`i64.${test}`).op("select").set(total);
  };
  /** acc = acc and the vector v. */
  const take = (): void => {
    if (fold !== "sum") {
      if (kind === "i32") {
        f.get(acc)
          .get(v)
          .op(fold === "max" ? "i32x4.max_s" : "i32x4.min_s")
          .set(acc);
      } else f.get(acc).get(v).get(acc).get(v).op(`i64x2.${test}`).op("v128.bitselect").set(acc);
      return;
    }
    f.get(acc);
    if (kind === "i64") f.get(v).op("i64x2.add");
    else if (kind === "i32") {
      f.get(v).op("i64x2.extend_low_i32x4_s").op("i64x2.add");
      f.get(v).op("i64x2.extend_high_i32x4_s").op("i64x2.add");
    } else {
      f.get(v);
      if (kind === "bool") f.get(one).op("i8x16.min_u");
      f.op("i16x8.extadd_pairwise_i8x16_u").op("i32x4.extadd_pairwise_i16x8_u").op("i32x4.add");
    }
    f.set(acc);
  };
  f.i32(1).op("i8x16.splat").set(one);
  f.loop(() => {
    f.get(x)
      .get(columns)
      .i32(-(16 / bytes))
      .op("i32.and")
      .i32(bytes)
      .op("i32.mul")
      .op("i32.add")
      .set(wide);
    f.get(x).get(columns).i32(bytes).op("i32.mul").op("i32.add").set(end);
    if (fold === "sum") f.zeros().set(acc).i64(0).set(total);
    else {
      f.get(x)
        .memory(kind === "i64" ? "v128.load64_splat" : "v128.load32_splat")
        .set(acc);
      f.get(x).memory(LOADS[kind]).set(total);
    }
    f.get(x).get(wide).op("i32.ne");
    f.when(() =>
      f.loop(() => {
        f.get(x).memory("v128.load").set(v);
        take();
        f.increase(x, { by: 16 }).get(x).get(wide).op("i32.ne");
      }),
    );
    for (let lane = 0; lane < (is64 ? 2 : 4); lane++) {
      f.get(acc);
      if (is64) f.extractLane64(lane);
      else f.extractWord(lane).op("i64.extend_i32_s");
      f.set(next);
      merge();
    }
    f.get(x).get(end).op("i32.ne");
    f.when(() =>
      f.loop(() => {
        f.get(x).memory(LOADS[kind]);
        if (kind === "bool") f.op("i64.eqz").op("i32.eqz").op("i64.extend_i32_s");
        f.set(next);
        merge();
        f.increase(x, { by: bytes }).get(x).get(end).op("i32.ne");
      }),
    );
    f.get(y).get(total).memory("i64.store").increase(y, { by: 8 });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** scan(to, x, rows, columns, before): every row of int64 becomes its running sums, those of the first row plus the int64 at `before`, where the
 * sum of the last one is left. Rows lie one behind the other. Counts are at least 1. */
function scanProgram(): FunctionBuilder {
  const f = new FunctionBuilder("scan", new Array<"i32">(5).fill("i32"));
  const [to, x, rows, columns, before] = f.parameters;
  const left = f.local("i32");
  const [total, last] = f.fresh("i64");
  f.get(before).memory("i64.load").set(total);
  f.loop(() => {
    f.get(columns).set(left);
    f.loop(() => {
      f.get(total).get(x).memory("i64.load").op("i64.add").set(total);
      f.get(to).get(total).memory("i64.store");
      f.increase(to, { by: 8 }).increase(x, { by: 8 });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.get(total).set(last).i64(0).set(total);
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  f.get(before).get(last).memory("i64.store");
  return f;
}
