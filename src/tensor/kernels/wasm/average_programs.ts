/** @file Averages of windows, as programs for the assembler. Upstream: aten/src/ATen/native/cpu/AvgPoolKernel.cpp (the order of sums). Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** How far apart windows are that there is a program for, elements; 0 stands for any distance. */
export const AVERAGE_STRIDES = [1, 2, 0] as const;
/** One of them. */
export type AverageStride = (typeof AVERAGE_STRIDES)[number];

/** averageS(to, from, ld, down, step, high, wide, divisors, rows, columns): `rows` dense rows of `columns` results, at least 4; each is the
 * sum of a window of `high` rows, `ld` bytes apart, of `wide` numbers, row by row, over its divisor. Windows are `step` bytes apart, which
 * are S elements unless S is 0, and `down` bytes from one row of them to the next. The last four results of a row overlap those
 * before. Reads up to four numbers beyond a row. */
export function averageProgram(stride: AverageStride): FunctionBuilder {
  const f = new FunctionBuilder(`average${stride}`, new Array<"i32">(10).fill("i32"));
  const [to, from, ld, down, step, high, wide, divisors, rows, columns] = f.parameters;
  const [left, move, line, at, y, x, here] = f.fresh("i32");
  const [sum] = f.fresh("v128");
  f.loop(() => {
    f.get(columns).set(left).get(from).set(here);
    f.loop(() => {
      f.zeros().set(sum);
      f.get(here).set(line).get(high).set(y);
      f.loop(() => {
        f.get(line).set(at).get(wide).set(x);
        f.loop(() => {
          f.get(sum);
          if (stride === 0) {
            const lane = f.get(at).memory("v128.load32_zero");
            for (let r = 1; r < 4; r++)
              lane.get(at).get(step).i32(r).op("i32.mul").op("i32.add").memory("f32.load").replaceLane(r);
          } else {
            f.get(at).memory("v128.load");
            if (stride === 2) f.get(at).memory("v128.load", 16).shuffle(0, 2, 4, 6);
          }
          f.op("f32x4.add").set(sum);
          f.increase(at, { by: 4 });
          f.get(x).i32(1).op("i32.sub").set(x).get(x);
        });
        f.increase(line, { byLocal: ld });
        f.get(y).i32(1).op("i32.sub").set(y).get(y);
      });
      f.get(to).get(sum).get(divisors).memory("v128.load").op("f32x4.div").memory("v128.store");
      // move = the results that are left, at most four
      f.increase(left, { by: -4 });
      f.i32(4).get(left).get(left).i32(4).op("i32.gt_s").op("select").set(move);
      f.get(left)
        .i32(0)
        .op("i32.gt_s")
        .when(() => {
          for (const address of [to, divisors])
            f.get(address).get(move).i32(2).op("i32.shl").op("i32.add").set(address);
          f.get(here).get(move).get(step).op("i32.mul").op("i32.add").set(here);
        });
      f.get(left).i32(0).op("i32.gt_s");
    });
    f.increase(to, { by: 16 }).increase(divisors, { by: 16 }).increase(from, { byLocal: down });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
