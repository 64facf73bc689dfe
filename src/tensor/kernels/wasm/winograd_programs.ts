/** @file Winograd's transforms of tiles as programs for the assembler. Upstream: none. Spec: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks.
 *
 * Note [Winograd]: a tile of 4 by 4 outputs of a 3 by 3 convolution is A^T [ (G g G^T) . (B^T d B) ] A: 36 matrix products over the
 * channels instead of 144 multiplications. The polynomial's points decide how much accuracy that costs: 0, +-sqrt(1/2), +-sqrt(2)
 * and infinity (a largest error of about 1.7 times that of the plain sum, where the usual 0, +-1, +-2 have four times).
 * Transformed filters are four times as large as the filters, so they are never kept: those of eight outputs and some channels are
 * made (`winogradFilters`), multiplied by all tiles from the cache (`winogradMultiply`) and forgotten. The lanes of a vector are
 * outputs there, and in the transform back (`winogradOutput`); in that of the input (`winogradInput`) they are four tiles. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { addAndClamp, localsOf, parametersOf, storeFirst } from "./convolution_programs.ts";
import { COLUMNS, productLoop, touch, type ProductStyle } from "./programs.ts";
import { Vectors } from "./vector_expressions.ts";

/** Outputs of a tile in one dimension. */
export const TILE = 4;
/** Inputs of a tile in one dimension. */
const SPAN = TILE + 2;
/** Components of a transformed tile. */
export const PARTS: number = SPAN * SPAN;
/** Most channels whose filters are transformed at a time: those of eight outputs stay in the second-level cache. */
export const SOME_CHANNELS = 64;
/** Elements from one component of transformed filters to the next: not a power of two, or they fall on the same few sets of the caches. */
const FILTERS_PART: number = SOME_CHANNELS * COLUMNS + 16;
/** Elements of the transformed filters of eight outputs and SOME_CHANNELS channels. */
export const FILTERS_ELEMENTS: number = PARTS * FILTERS_PART;

const HALF = Math.SQRT1_2;
const ROOT = Math.SQRT2;

/** Points of the polynomial besides 0 and infinity: these and their negatives. */
const POINTS: readonly number[] = [HALF, ROOT];
/** What Lagrange's formula divides by at these points, and at their negatives. */
const WEIGHTS: readonly number[] = POINTS.map((x) =>
  POINTS.reduce((weight, y) => weight / (x === y ? 2 * x * x : x * x - y * y), 1),
);

/** Constants of `inputTransform`. */
const INPUT_CONSTANTS: readonly number[] = [2.5, 2, 0.5, ROOT];

/** out = B^T d in one dimension; `t` are four temporaries. */
function inputTransform(v: Vectors, d: readonly number[], out: readonly number[], t: readonly number[]): void {
  const [d0, d1, d2, d3, d4, d5] = d as [number, number, number, number, number, number];
  const [even1, odd1, even2, odd2] = t as [number, number, number, number];
  v.scaled(even1, d4, -1, 2, d2);
  v.scaled(even2, d4, -1, 0.5, d2);
  v.scaled(odd1, d1, -1, 0.5, d3);
  v.scaled(odd2, d3, -1, 0.5, d1);
  v.combine(out[0]!, "f32x4.add", d0, d4);
  v.scaled(out[0]!, out[0]!, -1, 2.5, d2);
  v.plusAndMinus(out[2]!, out[1]!, even1, ROOT, odd1);
  v.plusAndMinus(out[3]!, out[4]!, even2, ROOT, odd2);
  v.combine(out[5]!, "f32x4.add", d1, d5);
  v.scaled(out[5]!, out[5]!, -1, 2.5, d3);
}

/** x ** power times the weight of every point x. */
const weighted = (power: number): [number, number] =>
  POINTS.map((x, i) => x ** power * WEIGHTS[i]!) as [number, number];

/** Constants of `outputTransform`. */
const OUTPUT_CONSTANTS: readonly number[] = [0, 1, 2, 3].flatMap(weighted);

/** out = A^T y in one dimension, with the weights that `filterTransform` leaves out; `t` are four temporaries. */
function outputTransform(v: Vectors, y: readonly number[], out: readonly number[], t: readonly number[]): void {
  const [y0, y1, y2, y3, y4, y5] = y as [number, number, number, number, number, number];
  const [sum1, difference1, sum2, difference2] = t as [number, number, number, number];
  v.combine(sum1, "f32x4.add", y1, y2);
  v.combine(difference1, "f32x4.sub", y1, y2);
  v.combine(sum2, "f32x4.add", y3, y4);
  v.combine(difference2, "f32x4.sub", y3, y4);
  out.forEach((result, power) => {
    const [first, second] = weighted(power);
    const [x1, x2] = power % 2 === 0 ? [sum1, sum2] : [difference1, difference2];
    if (power === 0) v.scaled(result, y0, 1, first, x1);
    else if (power === TILE - 1) v.scaled(result, y5, 1, first, x1);
    else v.times(result, first, x1);
    v.scaled(result, result, 1, second, x2);
  });
}

/** Runs `body` for groups of four tiles of a row; the last group overlaps the one before it where four do not divide the row.
 * `move(local)` leaves on the stack by how many tiles the group goes on. */
function forGroups(f: FunctionBuilder, tiles: number, body: () => void, move: (step: number) => void): void {
  const [at, step] = f.fresh("i32");
  f.i32(0).set(at);
  f.loop(() => {
    body();
    // step = min(4, tiles - 4 - at)
    f.get(tiles).i32(4).op("i32.sub").get(at).op("i32.sub").set(step);
    f.i32(4).get(step).get(step).i32(4).op("i32.gt_s").op("select").set(step);
    move(step);
    f.get(at).get(step).op("i32.add").set(at);
    f.get(step).i32(0).op("i32.gt_s");
  });
}

/** pointer += step * bytes. */
function advance(f: FunctionBuilder, pointer: number, step: number, bytes: number): void {
  f.get(pointer).get(step).i32(bytes).op("i32.mul").op("i32.add").set(pointer);
}

/** Bytes of the area `temp` of the programs below: n rows of n vectors. */
export const WINOGRAD_TEMP_BYTES: number = PARTS * 16;

/** Runs `body` `count` times; `body` moves its own pointers. */
function times(f: FunctionBuilder, count: number, body: () => void): void {
  const left = f.local("i32");
  f.i32(count).set(left);
  f.loop(() => {
    body();
    f.get(left).i32(1).op("i32.sub").set(left).get(left);
  });
}

/** Runs `body` `count` (a local) times; changes it. */
function repeat(f: FunctionBuilder, count: number, body: () => void): void {
  f.loop(() => {
    body();
    f.get(count).i32(1).op("i32.sub").set(count).get(count);
  });
}

const INPUT = [
  "x",
  "xPlane",
  "ldx",
  "line",
  "height",
  "zeros",
  "masks",
  "v",
  "vChannel",
  "stride",
  "tiles",
  "rows",
  "channels",
  "temp",
] as const;

/** Words of a mask: one for every column of four tiles side by side, and two that fill the line. */
export const MASK_WORDS: number = 4 * TILE + 4;

/** winogradInput(x, xPlane, ldx, line, height, zeros, masks, v, vChannel, stride, tiles, rows, channels, temp): transforms `rows`
 * rows of `tiles` tiles of each channel of planes as they lie, which are as if padded. x is where the first tile begins, in line
 * number `line` of `height`, which may not exist, lines ldx bytes apart and planes xPlane; `zeros` stands for lines that do not, and
 * `masks` has words of ones for the columns that do, MASK_WORDS for every group of four tiles. Component k of tile t goes to
 * v + k * stride + 4 * t, channels vChannel bytes apart. Writes whole groups of four tiles, and reads whole groups of columns. */
export function winogradInputProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("winogradInput", new Array<"i32">(INPUT.length).fill("i32"));
  const p = parametersOf(INPUT);
  const { ldx, stride, temp } = p;
  const i = localsOf(f, [
    "row",
    "out",
    "at",
    "part",
    "x",
    "to",
    "left",
    "xRow",
    "toRow",
    "from",
    "first",
    "now",
    "mask",
  ]);
  const { row, out, at, part } = i;
  const v = new Vectors(f, fused);
  v.prepare(INPUT_CONSTANTS);
  const d = Array.from({ length: SPAN }, () => v.fresh());
  const t = Array.from({ length: 4 }, () => v.fresh());
  const result = Array.from({ length: SPAN }, () => v.fresh());
  const load = (local: number, how: "v128.load" | "v128.load32_splat", column: number): void => {
    f.get(i.from)
      .memory(how, 4 * column)
      .get(i.mask)
      .memory(how, 4 * column)
      .op("v128.and")
      .set(local);
  };
  const pick = (local: number, a: number, b: number, lanes: readonly [number, number, number, number]): void => {
    f.get(a)
      .get(b)
      .shuffle(...lanes)
      .set(local);
  };
  const group = (): void => {
    f.get(i.x).set(row).get(i.first).set(i.now).get(temp).set(at);
    times(f, SPAN, () => {
      f.get(row).get(p.zeros).get(i.now).get(p.height).op("i32.lt_u").op("select").set(i.from);
      // columns j, j + 4, j + 8, j + 12 of eighteen: a transpose, and its first two vectors moved on by one tile
      for (let q = 0; q < 4; q++) load(t[q]!, "v128.load", 4 * q);
      pick(result[0]!, t[0]!, t[1]!, [0, 4, 1, 5]);
      pick(result[1]!, t[2]!, t[3]!, [0, 4, 1, 5]);
      pick(result[2]!, t[0]!, t[1]!, [2, 6, 3, 7]);
      pick(result[3]!, t[2]!, t[3]!, [2, 6, 3, 7]);
      pick(d[0]!, result[0]!, result[1]!, [0, 1, 4, 5]);
      pick(d[1]!, result[0]!, result[1]!, [2, 3, 6, 7]);
      pick(d[2]!, result[2]!, result[3]!, [0, 1, 4, 5]);
      pick(d[3]!, result[2]!, result[3]!, [2, 3, 6, 7]);
      for (let q = 0; q < 2; q++) load(t[q]!, "v128.load32_splat", 4 * TILE + q);
      pick(d[4]!, d[0]!, t[0]!, [1, 2, 3, 4]);
      pick(d[5]!, d[1]!, t[1]!, [1, 2, 3, 4]);
      inputTransform(v, d, result, t);
      result.forEach((r, j) =>
        f
          .get(at)
          .get(r)
          .memory("v128.store", 16 * j),
      );
      f.increase(row, { byLocal: ldx })
        .increase(i.now, { by: 1 })
        .increase(at, { by: 16 * SPAN });
    });
    f.get(temp).set(at).get(i.to).set(part);
    times(f, SPAN, () => {
      d.forEach((r, k) =>
        f
          .get(at)
          .memory("v128.load", 16 * SPAN * k)
          .set(r),
      );
      inputTransform(v, d, result, t);
      f.get(part).set(out);
      result.forEach((r, k) => {
        if (k > 0) f.get(out).get(stride).i32(SPAN).op("i32.mul").op("i32.add").set(out);
        f.get(out).get(r).memory("v128.store");
      });
      f.increase(part, { byLocal: stride }).increase(at, { by: 16 });
    });
  };
  repeat(f, p.channels, () => {
    f.get(p.x).set(i.xRow).get(p.v).set(i.toRow).get(p.rows).set(i.left).get(p.line).set(i.first);
    repeat(f, i.left, () => {
      f.get(i.xRow).set(i.x).get(i.toRow).set(i.to).get(p.masks).set(i.mask);
      forGroups(f, p.tiles, group, (step) => {
        advance(f, i.x, step, 4 * TILE);
        advance(f, i.to, step, 4);
        f.increase(i.mask, { by: 4 * MASK_WORDS });
      });
      advance(f, i.xRow, ldx, TILE);
      f.increase(i.first, { by: TILE });
      advance(f, i.toRow, p.tiles, 4);
    });
    f.increase(p.x, { byLocal: p.xPlane }).increase(p.v, { byLocal: p.vChannel });
  });
  return f;
}

const MULTIPLY = ["u", "v", "vPart", "vChannel", "count", "tiles", "sums", "sPart", "adds"] as const;

/** winogradMultiply(u, v, vPart, vChannel, count, tiles, sums, sPart, adds): for every component the products of eight outputs'
 * filters by all tiles, summed over `count` channels. Filters of a channel are eight elements at u, channels side by side; tiles are
 * at v, channels vChannel bytes apart; the sums of a tile are eight elements at `sums`, tiles side by side. Components are
 * vPart and sPart bytes apart. Where `adds` is not zero the products are added to the sums. Reads and writes whole panels of tiles. */
export function winogradMultiplyProgram(style: ProductStyle): FunctionBuilder {
  const { rows: ROWS } = style;
  const f = new FunctionBuilder("winogradMultiply", new Array<"i32">(MULTIPLY.length).fill("i32"));
  const p = parametersOf(MULTIPLY);
  const { tile, to, left, ap, bp, end } = localsOf(f, ["tile", "to", "left", "ap", "bp", "end"]);
  const acc = Array.from({ length: ROWS * 2 }, () => f.local("v128"));
  const [b0, b1, x] = f.fresh("v128");
  const panel = (rows: number): void => {
    const sums = acc.slice(0, 2 * rows);
    f.get(p.adds).when(
      () =>
        sums.forEach((r, i) =>
          f
            .get(to)
            .memory("v128.load", 16 * i)
            .set(r),
        ),
      () => sums.forEach((r) => f.zeros().set(r)),
    );
    f.get(p.u).set(bp).get(tile).set(ap);
    productLoop(f, style, { acc: sums, b: [b0, b1], x }, { ap, bp, end: "bp", stop: end }, () =>
      f.increase(bp, { by: 4 * COLUMNS }).increase(ap, { byLocal: p.vChannel }),
    );
    sums.forEach((r, i) =>
      f
        .get(to)
        .get(r)
        .memory("v128.store", 16 * i),
    );
    f.increase(tile, { by: 4 * rows })
      .increase(to, { by: 4 * COLUMNS * rows })
      .increase(left, { by: -rows });
  };
  times(f, PARTS, () => {
    f.get(p.v).set(tile).get(p.sums).set(to).get(p.tiles).set(left);
    f.get(p.u)
      .get(p.count)
      .i32(4 * COLUMNS)
      .op("i32.mul")
      .op("i32.add")
      .set(end);
    f.loop(() => {
      if (ROWS === 4) panel(4);
      else
        f.get(left)
          .i32(4)
          .op("i32.gt_s")
          .when(
            () => panel(ROWS),
            () => panel(4),
          );
      f.get(left).i32(0).op("i32.gt_s");
    });
    f.increase(p.u, { by: 4 * FILTERS_PART })
      .increase(p.v, { byLocal: p.vPart })
      .increase(p.sums, { byLocal: p.sPart });
  });
  return f;
}

const OUTPUT = [
  "sums",
  "sPart",
  "to",
  "toPlane",
  "height",
  "width",
  "tiles",
  "outs",
  "temp",
  "table",
  "delta",
  "low",
  "high",
] as const;

/** winogradOutput(sums, sPart, to, toPlane, height, width, tiles, outs, temp, table, delta, low, high): transforms rows of `tiles`
 * tiles of `outs` (at most eight) outputs back, from where `winogradMultiply` put them. The results are `height` rows of `width`
 * elements from `to` on, planes toPlane bytes apart; `table` holds scale and shift of every output, and they are finished: see Note
 * [Finished stores]; the residual lies `delta` bytes behind them, 0 is none. Reads tables of whole vectors. */
export function winogradOutputProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("winogradOutput", [...new Array<"i32">(11).fill("i32"), "f32", "f32"]);
  const p = parametersOf(OUTPUT);
  const { sPart, temp } = p;
  const i = localsOf(f, [
    "from",
    "part",
    "row",
    "at",
    "y",
    "to",
    "yRow",
    "toRow",
    "rowsLeft",
    "left",
    "columns",
    "lines",
  ]);
  const { from, part, row, at } = i;
  const v = new Vectors(f, fused);
  v.prepare(OUTPUT_CONSTANTS);
  const d = Array.from({ length: SPAN }, () => v.fresh());
  const t = Array.from({ length: 4 }, () => v.fresh());
  const result = Array.from({ length: TILE }, () => v.fresh());
  const [scale, shift, low, high, value] = Array.from({ length: 5 }, () => v.fresh()) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const pick = (a: number, b: number, lanes: readonly [number, number, number, number]): FunctionBuilder =>
    f
      .get(a)
      .get(b)
      .shuffle(...lanes);
  /** Stores the line of an output in `value` at `row`, and goes on to the next output. */
  const put = (output: number): void => {
    f.get(p.outs)
      .i32(output)
      .op("i32.gt_s")
      .when(() => {
        addAndClamp(f, value, () => f.get(row), p.delta, low, high);
        f.get(i.columns)
          .i32(TILE)
          .op("i32.ge_s")
          .when(
            () => f.get(row).get(value).memory("v128.store"),
            () => {
              f.get(row).set(from);
              storeFirst(f, value, from, i.columns);
            },
          );
      });
    f.increase(row, { byLocal: p.toPlane });
  };
  const group = (): void => {
    f.get(i.y).set(part).get(temp).set(at);
    times(f, SPAN, () => {
      f.get(part).set(from);
      d.forEach((r, k) => {
        if (k > 0) f.get(from).get(sPart).i32(SPAN).op("i32.mul").op("i32.add").set(from);
        f.get(from).memory("v128.load").set(r);
      });
      outputTransform(v, d, result, t);
      result.forEach((r, k) =>
        f
          .get(at)
          .get(r)
          .memory("v128.store", 16 * SPAN * k),
      );
      f.increase(part, { byLocal: sPart }).increase(at, { by: 16 });
    });
    f.get(i.to).set(part).get(temp).set(at);
    // as many lines of the tile as there are rows
    f.i32(TILE).get(i.rowsLeft).get(i.rowsLeft).i32(TILE).op("i32.gt_s").op("select").set(i.lines);
    repeat(f, i.lines, () => {
      d.forEach((r, k) =>
        f
          .get(at)
          .memory("v128.load", 16 * k)
          .set(r),
      );
      outputTransform(v, d, result, t);
      for (const r of result) f.get(r).get(scale).op("f32x4.mul").get(shift).op("f32x4.add").set(r);
      const [r0, r1, r2, r3] = result as [number, number, number, number];
      pick(r0, r1, [0, 4, 1, 5]).set(t[0]!);
      pick(r2, r3, [0, 4, 1, 5]).set(t[1]!);
      pick(r0, r1, [2, 6, 3, 7]).set(t[2]!);
      pick(r2, r3, [2, 6, 3, 7]).set(t[3]!);
      f.get(part).set(row);
      for (const first of [0, 2]) {
        pick(t[first]!, t[first + 1]!, [0, 1, 4, 5]).set(value);
        put(first);
        pick(t[first]!, t[first + 1]!, [2, 3, 6, 7]).set(value);
        put(first + 1);
      }
      advance(f, part, p.width, 4);
      f.increase(at, { by: 16 * SPAN });
    });
  };
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  f.loop(() => {
    f.get(p.table).memory("v128.load").set(t[0]!).get(p.table).memory("v128.load", 16).set(t[1]!);
    pick(t[0]!, t[1]!, [0, 2, 4, 6]).set(scale);
    pick(t[0]!, t[1]!, [1, 3, 5, 7]).set(shift);
    f.get(p.sums).set(i.yRow).get(p.to).set(i.toRow).get(p.height).set(i.rowsLeft);
    f.loop(() => {
      f.get(i.yRow).set(i.y).get(i.toRow).set(i.to).get(p.width).set(i.columns).get(p.tiles).set(i.left);
      repeat(f, i.left, () => {
        group();
        f.increase(i.to, { by: 4 * TILE })
          .increase(i.y, { by: 4 * COLUMNS })
          .increase(i.columns, { by: -TILE });
      });
      f.get(i.y).set(i.yRow);
      advance(f, i.toRow, p.width, 4 * TILE);
      f.increase(i.rowsLeft, { by: -TILE }).get(i.rowsLeft).i32(0).op("i32.gt_s");
    });
    f.increase(p.table, { by: 32 }).increase(p.sums, { by: 16 });
    advance(f, p.to, p.toPlane, 4);
    f.increase(p.outs, { by: -4 }).get(p.outs).i32(0).op("i32.gt_s");
  });
  return f;
}

/** Constants of `filterTransform`. */
const FILTER_CONSTANTS: readonly number[] = POINTS.flatMap((x) => [x * x, x]);

/** plus, minus = g0 +- x * g1 + x * x * g2: the filter at a point x and at its negative. */
function atPoints(v: Vectors, x: number, [g0, g1, g2]: Triple, even: number, plus: number, minus: number): void {
  v.scaled(even, g0, 1, x * x, g2);
  v.plusAndMinus(plus, minus, even, x, g1);
}

type Triple = readonly [number, number, number];

/** winogradFilters(from, to, count): G g G^T, without the weights, of `count` channels of a panel of eight filters. `from` holds 9
 * taps a channel, each of eight elements side by side; component k of a channel's eight elements goes to
 * to + 4 * k * FILTERS_PART, channels side by side. */
export function winogradFiltersProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("winogradFilters", new Array<"i32">(3).fill("i32"));
  const [from, to, count] = f.parameters;
  const v = new Vectors(f, fused);
  const triple = (): Triple => [v.fresh(), v.fresh(), v.fresh()];
  const [g, plus, minus] = [triple(), triple(), triple()];
  const [even, first, second] = [v.fresh(), v.fresh(), v.fresh()];
  const [at, end] = f.fresh("i32");
  v.prepare(FILTER_CONSTANTS);
  // read once without the 36 streams of stores between, which keep the processor from reading ahead
  f.get(from).set(at);
  f.get(from)
    .get(count)
    .i32(4 * 9 * COLUMNS)
    .op("i32.mul")
    .op("i32.add")
    .set(end);
  touch(f, at, end);
  const tap = (to: number, row: number, column: number): void => {
    f.get(from)
      .memory("v128.load", 4 * COLUMNS * (3 * row + column))
      .set(to);
  };
  /** Transforms row `at` of G g, and stores it. */
  const row = (at: number, values: Triple): void => {
    const put = (value: number, column: number): void => {
      f.get(to)
        .get(value)
        .memory("v128.store", 4 * FILTERS_PART * (SPAN * at + column));
    };
    put(values[0], 0);
    POINTS.forEach((x, i) => {
      atPoints(v, x, values, even, first, second);
      put(first, 2 * i + 1);
      put(second, 2 * i + 2);
    });
    put(values[2], SPAN - 1);
  };
  repeat(f, count, () => {
    // four filters at a time
    times(f, 2, () => {
      g.forEach((x, column) => tap(x, 0, column));
      row(0, g);
      POINTS.forEach((x, i) => {
        for (let column = 0; column < 3; column++) {
          g.forEach((value, r) => tap(value, r, column));
          atPoints(v, x, g, even, plus[column]!, minus[column]!);
        }
        row(2 * i + 1, plus);
        row(2 * i + 2, minus);
      });
      g.forEach((x, column) => tap(x, 2, column));
      row(SPAN - 1, g);
      f.increase(from, { by: 16 }).increase(to, { by: 16 });
    });
    f.increase(from, { by: 4 * 8 * COLUMNS });
  });
  return f;
}
