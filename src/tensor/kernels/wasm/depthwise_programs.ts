/** @file Depthwise convolutions of planes as they lie, as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Unpadded windows]: with a padding of one around windows of three by three only the first and the last vector of a row see
 * columns that are not there, and only the first and the last row a line: the former are masked, the latter is a line of zeros.
 * Whole vectors are read up to 32 bytes before and behind a plane. */
import { FunctionBuilder } from "./assembler.ts";
import { addAndClamp, localsOf, parametersOf } from "./convolution_programs.ts";
import { accumulate } from "./programs.ts";
import { eightLocals, loadEight, pushEverySecond, takeFilter, type WindowStride } from "./window_programs.ts";

const DEPTHWISE = [
  "x",
  "xPlane",
  "xRow",
  "xRows",
  "out",
  "rows",
  "bytes",
  "planes",
  "zeros",
  "isCut",
  "w",
  "table",
  "delta",
  "low",
  "high",
] as const;
type Parameter = (typeof DEPTHWISE)[number];

/** Bytes in front of the first output's middle column from which a line is read: whole pairs where every second column counts. */
const LEAD: Readonly<Record<WindowStride, number>> = { 1: 4, 2: 8 };

/**
 * unpaddedS(x, xPlane, xRow, xRows, out, rows, bytes, planes, zeros, isCut, w, table, delta, low, high): as depthwise3S, for planes of
 * `xRows` rows of xRow bytes that are to be padded by one. Rows of results have `bytes` bytes, at least 20; at `zeros` lie xRow + 64 bytes
 * of zeros; isCut is not zero where the last window of a row reaches beyond it.
 */
export function unpaddedProgram(fused: boolean, stride: WindowStride): FunctionBuilder {
  const f = new FunctionBuilder(`unpadded${stride}`, [...new Array<"i32">(13).fill("i32"), "f32", "f32"]);
  const p: Record<Parameter, number> = parametersOf(DEPTHWISE);
  const i = localsOf(f, ["top", "y", "left", "move", "to"]);
  const line = Array.from({ length: 3 }, () => f.local("i32"));
  const filter = Array.from({ length: 9 }, () => f.local("v128"));
  const [shift, low, high, acc, first, last] = f.fresh("v128");
  const eight = eightLocals(f);
  /** Four outputs, whose windows start at `line`s: `edges` are masks of the first and the last columns, if they matter. */
  const outputs = (edges: { readonly left?: number; readonly right?: number }): void => {
    f.get(shift).set(acc);
    filter.forEach((w, t) => {
      const [y, x] = [Math.floor(t / 3), t % 3];
      const column = (): void => {
        if (stride === 1) f.get(line[y]!).memory("v128.load", 4 * x);
        else {
          // the second and the third column are in the same eight elements
          if (x < 2) loadEight(f, line[y]!, 8 * x, eight);
          pushEverySecond(f, eight, x === 1 ? 0 : 1);
        }
        const mask = x === 0 ? edges.left : x === 2 ? edges.right : undefined;
        if (mask !== undefined) f.get(mask).op("v128.and");
      };
      accumulate(f, fused, acc, () => f.get(w), column);
    });
    addAndClamp(f, acc, () => f.get(i.to), p.delta, low, high);
    f.get(i.to).get(acc).memory("v128.store");
  };
  const advance = (): void => {
    f.increase(i.to, { by: 16 });
    for (const l of line) f.increase(l, { by: 16 * stride });
  };
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  f.i32(-1).op("i32x4.splat").set(last);
  f.get(last).f32(0).replaceLane(0).set(first);
  f.get(p.isCut).when(() => f.get(last).f32(0).replaceLane(3).set(last));
  f.loop(() => {
    takeFilter(f, p, filter, shift, acc);
    // the line above the first row; y counts the input's rows
    f.get(p.x)
      .i32(LEAD[stride])
      .op("i32.sub")
      .get(p.xRow)
      .op("i32.sub")
      .set(i.top)
      .i32(0)
      .set(i.y)
      .get(p.out)
      .set(i.to);
    f.get(p.rows).set(i.left);
    f.loop(() => {
      f.get(p.zeros).get(i.top).get(i.y).op("i32.eqz").op("select").set(line[0]!);
      f.get(i.top).get(p.xRow).op("i32.add").set(line[1]!);
      f.get(line[1]!).get(p.xRow).op("i32.add").get(p.zeros);
      f.get(i.y).i32(1).op("i32.add").get(p.xRows).op("i32.lt_s").op("select").set(line[2]!);
      outputs({ left: first });
      advance();
      // vectors between the first and the last
      f.get(p.bytes).i32(32).op("i32.sub").set(i.move);
      f.get(i.move)
        .i32(0)
        .op("i32.gt_s")
        .when(() =>
          f.loop(() => {
            outputs({});
            advance();
            f.increase(i.move, { by: -16 }).get(i.move).i32(0).op("i32.gt_s");
          }),
        );
      // the last overlaps the one before it: `move` is not positive now
      f.increase(i.to, { byLocal: i.move });
      for (const l of line) {
        f.get(l).get(i.move);
        if (stride === 2) f.i32(1).op("i32.shl");
        f.op("i32.add").set(l);
      }
      outputs({ right: last });
      f.increase(i.to, { by: 16 });
      f.increase(i.y, { by: stride });
      for (let step = 0; step < stride; step++) f.increase(i.top, { byLocal: p.xRow });
      f.get(i.left).i32(1).op("i32.sub").set(i.left).get(i.left);
    });
    f.get(i.to).set(p.out);
    f.increase(p.x, { byLocal: p.xPlane });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
  return f;
}
