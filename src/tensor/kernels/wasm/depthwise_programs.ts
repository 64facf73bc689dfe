/** @file Depthwise convolutions of planes as they lie, as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Unpadded windows]: with a padding of one around windows of three by three only the first and the last vector of a row see
 * columns that are not there, and only the first and the last row a line: the former are masked, the latter is a line of zeros.
 * Whole vectors are read up to 32 bytes before and behind a plane.
 *
 * Note [Tall blocks]: blocks of four columns and TALL_ROWS rows of outputs let the rows of the input pass by, each loaded once for all
 * outputs that it is in. The elements of larger filters do not fit into registers: there a block takes one column of the filter after the
 * other. That is 16 loads for 35 products of 5 by 5, where vectors side by side take 5 for 4. Seven accumulators hide the latency of
 * additions, and planes of 7, 14, 28 and 56 rows are whole blocks; the last block of others overlaps the one before. Rows of the input
 * that are not there are skipped, columns masked. Two rows of two or four vectors at a time, one row of the filter after the other, are as
 * fast in whole blocks without edges, but the planes are no multiples of them. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { addAndClamp, localsOf, parametersOf } from "./convolution_programs.ts";
import { accumulate } from "./programs.ts";
import { eightLocals, loadEight, pushEverySecond, takeFilter, type WindowStride } from "./window_programs.ts";

const UNPADDED = [
  "x",
  "xPlane",
  "xRow",
  "xRows",
  "out",
  "rows",
  "bytes",
  "planes",
  "line",
  "w",
  "table",
  "delta",
  "low",
  "high",
] as const;
type Parameter = (typeof UNPADDED)[number];

/** Bytes in front of the first output's middle column from which a line is read: whole pairs where every second column counts. */
const LEAD: Readonly<Record<WindowStride, number>> = { 1: 4, 2: 8 };

/**
 * unpaddedS(x, xPlane, xRow, xRows, out, rows, bytes, planes, line, w, table, delta, low, high): as depthwise3S, for planes of
 * `xRows` rows of xRow bytes that are to be padded by one. Rows of results have `bytes` bytes, at least 20; at `line` lie xRow + 64 bytes
 * of zeros.
 */
export function unpaddedProgram(fused: boolean, stride: WindowStride): FunctionBuilder {
  const f = new FunctionBuilder(`unpadded${stride}`, [...new Array<"i32">(12).fill("i32"), "f32", "f32"]);
  const p: Record<Parameter, number> = parametersOf(UNPADDED);
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
  // where the last window of a row reaches beyond it
  f.get(p.bytes).i32(4).op("i32.sub").i32(stride).op("i32.mul").i32(4).op("i32.add").get(p.xRow).op("i32.eq");
  f.when(() => f.get(last).f32(0).replaceLane(3).set(last));
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
      f.get(p.line).get(i.top).get(i.y).op("i32.eqz").op("select").set(line[0]!);
      f.get(i.top).get(p.xRow).op("i32.add").set(line[1]!);
      f.get(line[1]!).get(p.xRow).op("i32.add").get(p.line);
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

/** Rows of a block of outputs, see Note [Tall blocks]. */
export const TALL_ROWS = 7;
/** Elements of a filter's column that are in registers; others are loaded where they are used. */
const HELD_WEIGHTS = 6;

/**
 * tallKS(x, xPlane, xRow, xRows, out, rows, bytes, planes, line, w, table, delta, low, high): as unpaddedS, for windows of K by K and a
 * padding of (K - 1) / 2. There are at least TALL_ROWS rows of results and four columns. At `line` lie xRow + 64 bytes of masks of columns,
 * from the first of the padding on. The scale is multiplied into filters of 3 by 3, whose sums are those of unpaddedS to the bit; of others
 * into the sums.
 * @param isSplit whether blocks that see no edge have a loop of their own, without masks; windows lie side by side then.
 */
export function tallProgram(fused: boolean, size: number, stride: WindowStride, isSplit: boolean): FunctionBuilder {
  const f = new FunctionBuilder(`tall${size}${stride}`, [...new Array<"i32">(12).fill("i32"), "f32", "f32"]);
  const p: Record<Parameter, number> = parametersOf(UNPADDED);
  const i = localsOf(f, ["row", "y", "top", "column", "left", "line", "mask", "weights", "end", "to", "last"]);
  /** Columns of the filter that a pass over the block's rows takes. */
  const columns = size === 3 ? 3 : 1;
  const isWhole = columns === size;
  const acc = Array.from({ length: TALL_ROWS }, () => f.local("v128"));
  const held = Array.from({ length: isWhole ? 9 : Math.min(size, HELD_WEIGHTS) }, () => f.local("v128"));
  const masks = Array.from({ length: columns }, () => f.local("v128"));
  const [v, low, high, scale, shift, zero] = f.fresh("v128");
  const eight = eightLocals(f);
  const padding = (size - 1) / 2;
  /** Rows of the input that a block sees; the middle rows of its windows are all there. */
  const lines = (TALL_ROWS - 1) * stride + size;
  const pushWeight = (k: number): FunctionBuilder => f.get(i.weights).memory("v128.load32_splat", 4 * size * k);
  /** Pushes what four windows side by side see in column x of the pass. */
  const pushColumn = (at: number, x: number): void => {
    if (stride === 1) f.get(at).memory("v128.load", 4 * x);
    else {
      loadEight(f, at, 4 * x, eight);
      pushEverySecond(f, eight, 0);
    }
  };
  /** Whether column x of the pass may be one that is not there: the middle one of a window never is. */
  const isMissing = (x: number): boolean => !isWhole || x !== padding;
  /** Adds the products of row r of the input to the outputs whose windows it is in. */
  const addLine = (r: number, isMasked: boolean): void => {
    for (let x = 0; x < columns; x++) {
      pushColumn(i.line, x);
      if (isMasked && isMissing(x)) f.get(masks[x]!).op("v128.and");
      f.set(v);
      acc.forEach((sum, o) => {
        const k = r - o * stride;
        if (k < 0 || k >= size) return;
        const weight = held[columns * k + x];
        accumulate(
          f,
          fused,
          sum,
          () => (weight === undefined ? pushWeight(k) : f.get(weight)),
          () => f.get(v),
        );
      });
    }
  };
  /** Adds the columns of a pass, whose weights are there. */
  const addColumns = (isMasked: boolean): void => {
    for (let x = 0; isMasked && x < columns; x++) {
      if (!isMissing(x)) continue;
      pushColumn(i.mask, x);
      f.set(masks[x]!);
    }
    f.get(i.left).set(i.line);
    for (let r = 0; r < lines; r++) {
      // rows in the middle are there; branches between them are for V8 before 13, which would load them all ahead, and spill what it loaded
      if (r >= padding && r < lines - padding && r % 2 === 1) addLine(r, isMasked);
      else
        f.get(i.y)
          .i32(r)
          .op("i32.add")
          .get(p.xRows)
          .op("i32.lt_u")
          .when(() => addLine(r, isMasked));
      f.increase(i.line, { byLocal: p.xRow });
    }
  };
  const addWindows = (isMasked: boolean): void => {
    if (isWhole) {
      addColumns(isMasked);
      return;
    }
    f.get(p.w).set(i.weights);
    f.loop(() => {
      for (const [k, weight] of held.entries()) pushWeight(k).set(weight);
      addColumns(isMasked);
      f.increase(i.left, { by: 4 }).increase(i.mask, { by: 4 }).increase(i.weights, { by: 4 });
      f.get(i.weights).get(i.end).op("i32.ne");
    });
  };
  /** Moves to the next block, or to the last, which may overlap it; pushes whether there is one. */
  const advance = (at: number, step: number, end: number): void => {
    f.get(end).i32(step).op("i32.sub").set(i.last);
    f.increase(at, { by: step });
    f.get(at).get(end).op("i32.lt_s");
    f.get(at).get(i.last).get(at).get(i.last).op("i32.lt_s").op("select").set(at);
  };
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  f.loop(() => {
    if (isWhole) takeFilter(f, p, held, shift, scale);
    else {
      f.get(p.table).memory("v128.load32_splat").set(scale).get(p.table).memory("v128.load32_splat", 4).set(shift);
      f.get(p.w)
        .i32(4 * size)
        .op("i32.add")
        .set(i.end);
    }
    f.i32(0).set(i.row);
    f.loop(() => {
      f.get(i.row).i32(stride).op("i32.mul").i32(padding).op("i32.sub").set(i.y);
      f.get(p.x).get(i.y).get(p.xRow).op("i32.mul").op("i32.add");
      f.i32(4 * padding)
        .op("i32.sub")
        .set(i.top);
      f.i32(0).set(i.column);
      f.loop(() => {
        f.get(i.column).i32(stride).op("i32.mul").set(i.left);
        f.get(p.line).get(i.left).op("i32.add").set(i.mask);
        f.increase(i.left, { byLocal: i.top });
        for (const sum of acc) f.get(isWhole ? shift : zero).set(sum);
        if (isSplit) {
          f.get(i.column).op("i32.eqz");
          f.get(i.column)
            .i32(16 + 4 * padding)
            .op("i32.add");
          f.get(p.bytes).op("i32.gt_s").op("i32.add");
          f.when(
            () => addWindows(true),
            () => addWindows(false),
          );
        } else addWindows(true);
        f.get(p.out).get(i.row).get(p.bytes).op("i32.mul").op("i32.add").get(i.column).op("i32.add").set(i.to);
        for (const sum of acc) {
          if (!isWhole) f.get(sum).get(scale).op("f32x4.mul").get(shift).op("f32x4.add").set(sum);
          addAndClamp(f, sum, () => f.get(i.to), p.delta, low, high);
          f.get(i.to).get(sum).memory("v128.store").increase(i.to, { byLocal: p.bytes });
        }
        advance(i.column, 16, p.bytes);
      });
      advance(i.row, TALL_ROWS, p.rows);
    });
    f.increase(p.x, { byLocal: p.xPlane });
    f.get(p.out).get(p.rows).get(p.bytes).op("i32.mul").op("i32.add").set(p.out);
    if (!isWhole) f.increase(p.table, { by: 8 }).increase(p.w, { by: 4 * size * size });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
  return f;
}
