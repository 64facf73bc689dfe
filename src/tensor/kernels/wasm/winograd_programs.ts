/** @file Winograd's transforms of tiles as programs for the assembler. Upstream: none. Spec: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks.
 *
 * Note [Winograd]: a tile of m by m outputs of a 3 by 3 convolution is A^T [ (G g G^T) . (B^T d B) ] A: with n = m + 2, n * n
 * matrix products over the channels instead of 9 m * m multiplications. The polynomial's points decide how much accuracy that
 * costs: 0, +-sqrt(1/2), +-sqrt(2) and infinity for m = 4 (a largest error of about 1.7 times that of the plain sum, where the
 * usual 0, +-1, +-2 have four times), 0, +-1 and infinity for m = 2. Four tiles side by side fill a vector. */
import { FunctionBuilder } from "./assembler.ts";
import { addAndClamp, localsOf, parametersOf, storeFirst } from "./convolution_programs.ts";

/** Outputs of a tile in one dimension. */
export type TileSize = 2 | 4;

const HALF = Math.SQRT1_2;
const ROOT = Math.SQRT2;

/** Points of the polynomial without infinity. */
export const WINOGRAD_POINTS: Readonly<Record<TileSize, readonly number[]>> = {
  2: [0, 1, -1],
  4: [0, HALF, -HALF, ROOT, -ROOT],
};

/** Vectors in locals, combined by small expressions. */
class Vectors {
  readonly f: FunctionBuilder;
  private readonly constants = new Map<number, number>();

  constructor(f: FunctionBuilder) {
    this.f = f;
  }

  /** A local that holds a constant in all lanes; made at the function's start. */
  constant(value: number): number {
    let local = this.constants.get(value);
    if (local === undefined) {
      local = this.f.local("v128");
      this.constants.set(value, local);
      this.f.f32(value).op("f32x4.splat").set(local);
    }
    return local;
  }

  fresh(): number {
    return this.f.local("v128");
  }

  /** out = a op b. */
  combine(out: number, op: "f32x4.add" | "f32x4.sub", a: number, b: number): void {
    this.f.get(a).get(b).op(op).set(out);
  }

  /** out = base + sign * factor * x. */
  scaled(out: number, base: number, sign: 1 | -1, factor: number, x: number): void {
    const by = this.constant(factor);
    this.f
      .get(base)
      .get(x)
      .get(by)
      .op("f32x4.mul")
      .op(sign === 1 ? "f32x4.add" : "f32x4.sub")
      .set(out);
  }

  /** out = factor * x. */
  times(out: number, factor: number, x: number): void {
    this.f.get(x).get(this.constant(factor)).op("f32x4.mul").set(out);
  }
}

const CONSTANTS: Readonly<Record<TileSize, readonly number[]>> = {
  2: [],
  4: [2.5, 2, 0.5, ROOT, HALF, ROOT / 4, 2 * ROOT],
};

/** out = B^T d in one dimension; `t` are four temporaries. */
function inputTransform(
  v: Vectors,
  m: TileSize,
  d: readonly number[],
  out: readonly number[],
  t: readonly number[],
): void {
  const [d0, d1, d2, d3, d4, d5] = d as [number, number, number, number, number, number];
  if (m === 2) {
    v.combine(out[0]!, "f32x4.sub", d2, d0);
    v.combine(out[1]!, "f32x4.add", d2, d1);
    v.combine(out[2]!, "f32x4.sub", d2, d1);
    v.combine(out[3]!, "f32x4.sub", d3, d1);
    return;
  }
  const [even1, odd1, even2, odd2] = t as [number, number, number, number];
  v.scaled(even1, d4, -1, 2, d2);
  v.scaled(even2, d4, -1, 0.5, d2);
  v.scaled(odd1, d1, -1, 0.5, d3);
  v.scaled(odd2, d3, -1, 0.5, d1);
  v.times(odd1, ROOT, odd1);
  v.times(odd2, ROOT, odd2);
  v.combine(out[0]!, "f32x4.add", d0, d4);
  v.scaled(out[0]!, out[0]!, -1, 2.5, d2);
  v.combine(out[1]!, "f32x4.sub", even1, odd1);
  v.combine(out[2]!, "f32x4.add", even1, odd1);
  v.combine(out[3]!, "f32x4.add", even2, odd2);
  v.combine(out[4]!, "f32x4.sub", even2, odd2);
  v.combine(out[5]!, "f32x4.add", d1, d5);
  v.scaled(out[5]!, out[5]!, -1, 2.5, d3);
}

/** out = A^T y in one dimension; `t` are four temporaries. */
function outputTransform(
  v: Vectors,
  m: TileSize,
  y: readonly number[],
  out: readonly number[],
  t: readonly number[],
): void {
  const [y0, y1, y2, y3, y4, y5] = y as [number, number, number, number, number, number];
  const [sum1, difference1, sum2, difference2] = t as [number, number, number, number];
  v.combine(sum1, "f32x4.add", y1, y2);
  v.combine(difference1, "f32x4.sub", y1, y2);
  if (m === 2) {
    v.combine(out[0]!, "f32x4.add", y0, sum1);
    v.combine(out[1]!, "f32x4.add", difference1, y3);
    return;
  }
  v.combine(sum2, "f32x4.add", y3, y4);
  v.combine(difference2, "f32x4.sub", y3, y4);
  v.combine(out[0]!, "f32x4.add", y0, sum1);
  v.combine(out[0]!, "f32x4.add", out[0]!, sum2);
  v.times(out[1]!, HALF, difference1);
  v.scaled(out[1]!, out[1]!, 1, ROOT, difference2);
  v.times(out[2]!, 0.5, sum1);
  v.scaled(out[2]!, out[2]!, 1, 2, sum2);
  v.scaled(out[3]!, y5, 1, ROOT / 4, difference1);
  v.scaled(out[3]!, out[3]!, 1, 2 * ROOT, difference2);
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
export const WINOGRAD_TEMP_BYTES = 36 * 16;

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

const INPUT = ["x", "xPlane", "ldx", "v", "vChannel", "stride", "tiles", "rows", "channels", "temp"] as const;

/** winogradInputM(x, xPlane, ldx, v, vChannel, stride, tiles, rows, channels, temp): transforms `rows` rows of `tiles` tiles of each
 * channel. x is the padded plane's row where the tiles start, rows ldx bytes apart and planes xPlane; component k of tile t goes to
 * v + k * stride + 4 * t, channels vChannel bytes apart. Writes (and reads) whole groups of four tiles. */
export function winogradInputProgram(m: TileSize): FunctionBuilder {
  const n = m + 2;
  const f = new FunctionBuilder(`winogradInput${m}`, new Array<"i32">(INPUT.length).fill("i32"));
  const p = parametersOf(INPUT);
  const { ldx, stride, temp } = p;
  const i = localsOf(f, ["row", "out", "at", "part", "x", "to", "left", "xRow", "toRow"]);
  const { row, out, at, part } = i;
  const v = new Vectors(f);
  for (const c of CONSTANTS[m]) v.constant(c);
  const d = Array.from({ length: n }, () => v.fresh());
  const t = Array.from({ length: 4 }, () => v.fresh());
  const result = Array.from({ length: n }, () => v.fresh());
  const load = (local: number, offset: number): void => {
    f.get(row)
      .memory("v128.load", 4 * offset)
      .set(local);
  };
  const pick = (local: number, a: number, b: number, lanes: readonly [number, number, number, number]): void => {
    f.get(a)
      .get(b)
      .shuffle(...lanes)
      .set(local);
  };
  const group = (): void => {
    f.get(i.x).set(row).get(temp).set(at);
    times(f, n, () => {
      if (m === 2) {
        // columns j, j + 2, j + 4, j + 6 of ten
        load(t[0]!, 0);
        load(t[1]!, 4);
        load(t[2]!, 2);
        load(t[3]!, 6);
        pick(d[0]!, t[0]!, t[1]!, [0, 2, 4, 6]);
        pick(d[1]!, t[0]!, t[1]!, [1, 3, 5, 7]);
        pick(d[2]!, t[2]!, t[3]!, [0, 2, 4, 6]);
        pick(d[3]!, t[2]!, t[3]!, [1, 3, 5, 7]);
      } else {
        // columns j, j + 4, j + 8, j + 12 of eighteen: a transpose, and its first two vectors moved on by one tile
        for (let q = 0; q < 4; q++) load(t[q]!, 4 * q);
        pick(result[0]!, t[0]!, t[1]!, [0, 4, 1, 5]);
        pick(result[1]!, t[2]!, t[3]!, [0, 4, 1, 5]);
        pick(result[2]!, t[0]!, t[1]!, [2, 6, 3, 7]);
        pick(result[3]!, t[2]!, t[3]!, [2, 6, 3, 7]);
        pick(d[0]!, result[0]!, result[1]!, [0, 1, 4, 5]);
        pick(d[1]!, result[0]!, result[1]!, [2, 3, 6, 7]);
        pick(d[2]!, result[2]!, result[3]!, [0, 1, 4, 5]);
        pick(d[3]!, result[2]!, result[3]!, [2, 3, 6, 7]);
        f.get(row).memory("v128.load32_splat", 64).set(t[0]!);
        f.get(row).memory("v128.load32_splat", 68).set(t[1]!);
        pick(d[4]!, d[0]!, t[0]!, [1, 2, 3, 4]);
        pick(d[5]!, d[1]!, t[1]!, [1, 2, 3, 4]);
      }
      inputTransform(v, m, d, result, t);
      result.forEach((r, j) =>
        f
          .get(at)
          .get(r)
          .memory("v128.store", 16 * j),
      );
      f.increase(row, { byLocal: ldx }).increase(at, { by: 16 * n });
    });
    f.get(temp).set(at).get(i.to).set(part);
    times(f, n, () => {
      d.forEach((r, k) =>
        f
          .get(at)
          .memory("v128.load", 16 * n * k)
          .set(r),
      );
      inputTransform(v, m, d, result, t);
      f.get(part).set(out);
      result.forEach((r, k) => {
        if (k > 0) f.get(out).get(stride).i32(n).op("i32.mul").op("i32.add").set(out);
        f.get(out).get(r).memory("v128.store");
      });
      f.increase(part, { byLocal: stride }).increase(at, { by: 16 });
    });
  };
  repeat(f, p.channels, () => {
    f.get(p.x).set(i.xRow).get(p.v).set(i.toRow).get(p.rows).set(i.left);
    repeat(f, i.left, () => {
      f.get(i.xRow).set(i.x).get(i.toRow).set(i.to);
      forGroups(f, p.tiles, group, (step) => {
        advance(f, i.x, step, 4 * m);
        advance(f, i.to, step, 4);
      });
      for (let r = 0; r < m; r++) f.increase(i.xRow, { byLocal: ldx });
      advance(f, i.toRow, p.tiles, 4);
    });
    f.increase(p.x, { byLocal: p.xPlane }).increase(p.v, { byLocal: p.vChannel });
  });
  return f;
}

const OUTPUT = [
  "y",
  "yChannel",
  "stride",
  "to",
  "toPlane",
  "height",
  "width",
  "tiles",
  "channels",
  "temp",
  "table",
  "delta",
  "low",
  "high",
] as const;

/** winogradOutputM(y, yChannel, stride, to, toPlane, height, width, tiles, channels, temp, table, delta, low, high): transforms
 * rows of `tiles` tiles of each channel back: component k of tile t is at y + k * stride + 4 * t, channels yChannel bytes apart.
 * The results are `height` rows of `width` elements from `to` on, planes toPlane bytes apart; `table` holds scale and shift of every
 * channel, and they are finished: see Note [Finished stores]; the residual lies `delta` bytes behind them, 0 is none. */
export function winogradOutputProgram(m: TileSize): FunctionBuilder {
  const n = m + 2;
  const f = new FunctionBuilder(`winogradOutput${m}`, [...new Array<"i32">(12).fill("i32"), "f32", "f32"]);
  const p = parametersOf(OUTPUT);
  const { stride, temp } = p;
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
  const v = new Vectors(f);
  for (const c of CONSTANTS[m]) v.constant(c);
  const d = Array.from({ length: n }, () => v.fresh());
  const t = Array.from({ length: 4 }, () => v.fresh());
  const result = Array.from({ length: m }, () => v.fresh());
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
  /** Puts the vector on the stack at column 4 * q of the group. */
  const put = (q: number): void => {
    f.get(scale).op("f32x4.mul").get(shift).op("f32x4.add").set(value);
    f.get(i.columns)
      .i32(4 * q)
      .op("i32.gt_s")
      .when(() => {
        addAndClamp(f, value, () => f.get(row), p.delta, low, high, 16 * q);
        f.get(i.columns)
          .i32(4 * q + 4)
          .op("i32.ge_s")
          .when(
            () =>
              f
                .get(row)
                .get(value)
                .memory("v128.store", 16 * q),
            () => {
              f.get(row)
                .i32(16 * q)
                .op("i32.add")
                .set(from);
              storeFirst(f, value, from, i.columns);
            },
          );
      });
  };
  const group = (): void => {
    f.get(i.y).set(part).get(temp).set(at);
    times(f, n, () => {
      f.get(part).set(from);
      d.forEach((r, k) => {
        if (k > 0) f.get(from).get(stride).i32(n).op("i32.mul").op("i32.add").set(from);
        f.get(from).memory("v128.load").set(r);
      });
      outputTransform(v, m, d, result, t);
      result.forEach((r, k) =>
        f
          .get(at)
          .get(r)
          .memory("v128.store", 16 * n * k),
      );
      f.increase(part, { byLocal: stride }).increase(at, { by: 16 });
    });
    f.get(i.to).set(row).get(temp).set(at);
    // as many lines of the tiles as there are rows
    f.i32(m).get(i.rowsLeft).get(i.rowsLeft).i32(m).op("i32.gt_s").op("select").set(i.lines);
    repeat(f, i.lines, () => {
      d.forEach((r, k) =>
        f
          .get(at)
          .memory("v128.load", 16 * k)
          .set(r),
      );
      outputTransform(v, m, d, result, t);
      const [r0, r1, r2, r3] = result as [number, number, number, number];
      if (m === 2) {
        pick(r0, r1, [0, 4, 1, 5]);
        put(0);
        pick(r0, r1, [2, 6, 3, 7]);
        put(1);
      } else {
        pick(r0, r1, [0, 4, 1, 5]).set(t[0]!);
        pick(r2, r3, [0, 4, 1, 5]).set(t[1]!);
        pick(r0, r1, [2, 6, 3, 7]).set(t[2]!);
        pick(r2, r3, [2, 6, 3, 7]).set(t[3]!);
        for (const [q, first] of [0, 2].entries()) {
          pick(t[first]!, t[first + 1]!, [0, 1, 4, 5]);
          put(2 * q);
          pick(t[first]!, t[first + 1]!, [2, 3, 6, 7]);
          put(2 * q + 1);
        }
      }
      advance(f, row, p.width, 4);
      f.increase(at, { by: 16 * n });
    });
  };
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  repeat(f, p.channels, () => {
    f.get(p.table).memory("v128.load32_splat").set(scale).get(p.table).memory("v128.load32_splat", 4).set(shift);
    f.get(p.y).set(i.yRow).get(p.to).set(i.toRow).get(p.height).set(i.rowsLeft);
    f.loop(() => {
      f.get(i.yRow).set(i.y).get(i.toRow).set(i.to).get(p.width).set(i.columns);
      forGroups(f, p.tiles, group, (step) => {
        advance(f, i.to, step, 4 * m);
        advance(f, i.y, step, 4);
        f.get(i.columns).get(step).i32(m).op("i32.mul").op("i32.sub").set(i.columns);
      });
      advance(f, i.yRow, p.tiles, 4);
      advance(f, i.toRow, p.width, 4 * m);
      f.increase(i.rowsLeft, { by: -m }).get(i.rowsLeft).i32(0).op("i32.gt_s");
    });
    f.increase(p.table, { by: 8 }).increase(p.y, { byLocal: p.yChannel }).increase(p.to, { byLocal: p.toPlane });
  });
  return f;
}

/** Rows of G: 1, p, p * p over the product of the differences to the other points. The row of -p is the next of that of p. */
const weightRows = (m: TileSize): { point: number; square: number; even: number; odd: number }[] =>
  WINOGRAD_POINTS[m].map((point, i, points) => {
    const over = points.reduce((product, q, j) => (j === i ? product : product * (point - q)), 1);
    return { point, square: point * point, even: 1 / over, odd: point / over };
  });

/** out = G g in one dimension; `t` are two temporaries. */
function weightTransform(
  v: Vectors,
  m: TileSize,
  [g0, g1, g2]: readonly [number, number, number],
  out: readonly number[],
  [even, odd]: readonly [number, number],
): void {
  const rows = weightRows(m);
  rows.forEach((row, i) => {
    if (row.point === 0) v.times(out[i]!, row.even, g0);
    if (row.point <= 0) return;
    v.scaled(even, g0, 1, row.square, g2);
    v.times(even, row.even, even);
    v.times(odd, row.odd, g1);
    v.combine(out[i]!, "f32x4.add", even, odd);
    v.combine(out[i + 1]!, "f32x4.sub", even, odd);
  });
  v.f.get(g2).set(out[rows.length]!);
}

/** winogradWeightsM(from, to, stride, count, temp): G g G^T of `count` channels of a panel of `rows` filters. `from` holds 9 taps a
 * channel, each of `rows` elements side by side; component k of a channel's `rows` elements goes to to + k * stride, channels side by side. */
export function winogradWeightsProgram(m: TileSize, rows: number): FunctionBuilder {
  const n = m + 2;
  const f = new FunctionBuilder(`winogradWeights${m}`, new Array<"i32">(5).fill("i32"));
  const [from, to, stride, count, temp] = f.parameters;
  const { tap, at, out } = localsOf(f, ["tap", "at", "out"]);
  const v = new Vectors(f);
  const g = [v.fresh(), v.fresh(), v.fresh()] as const;
  const t = [v.fresh(), v.fresh()] as const;
  const result = Array.from({ length: n }, () => v.fresh());
  const transform = (): void => weightTransform(v, m, g, result, t);
  for (const { square, even, odd } of weightRows(m)) for (const c of [square, even, odd]) v.constant(c);
  repeat(f, count, () => {
    // four filters at a time; the second four overlap the first where the panel has six
    for (const first of rows === 4 ? [0] : [0, rows - 4]) {
      f.get(from).set(tap).get(temp).set(at);
      times(f, 3, () => {
        g.forEach((x, j) =>
          f
            .get(tap)
            .memory("v128.load", 4 * (first + 3 * rows * j))
            .set(x),
        );
        transform();
        result.forEach((r, k) =>
          f
            .get(at)
            .get(r)
            .memory("v128.store", 48 * k),
        );
        f.increase(tap, { by: 4 * rows }).increase(at, { by: 16 });
      });
      f.get(temp).set(at).get(to).set(out);
      times(f, n, () => {
        g.forEach((x, j) =>
          f
            .get(at)
            .memory("v128.load", 16 * j)
            .set(x),
        );
        transform();
        for (const r of result)
          f.get(out)
            .get(r)
            .memory("v128.store", 4 * first)
            .increase(out, { byLocal: stride });
        f.increase(at, { by: 48 });
      });
    }
    f.increase(from, { by: 36 * rows }).increase(to, { by: 4 * rows });
  });
  return f;
}
