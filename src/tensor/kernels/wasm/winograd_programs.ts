/** @file Winograd's transforms of tiles as programs for the assembler. Upstream: none. Spec: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks.
 *
 * Note [Winograd]: a tile of m by m outputs of a 3 by 3 convolution is A^T [ (G g G^T) . (B^T d B) ] A: with n = m + 2, n * n
 * matrix products over the channels instead of 9 m * m multiplications. The polynomial's points decide how much accuracy that
 * costs: 0, +-sqrt(1/2), +-sqrt(2) and infinity for m = 4 (a largest error of about 1.7 times that of the plain sum, where the
 * usual 0, +-1, +-2 have four times), 0, +-1 and infinity for m = 2. Four tiles side by side fill a vector. */
import { FunctionBuilder } from "./assembler.ts";

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
  const [at, step] = [f.local("i32"), f.local("i32")];
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

/** winogradInputM(x, ldx, v, stride, tiles, temp): transforms a row of tiles of one channel. x is the padded plane's row where the
 * tiles start, rows ldx bytes apart; component k of tile t goes to v + k * stride + 4 * t. Writes (and reads) whole groups of four. */
export function winogradInputProgram(m: TileSize): FunctionBuilder {
  const n = m + 2;
  const f = new FunctionBuilder(`winogradInput${m}`, new Array<"i32">(6).fill("i32"));
  const [x, ldx, to, stride, tiles, temp] = f.params.map((_, i) => i) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [row, out, at, part] = Array.from({ length: 4 }, () => f.local("i32")) as [number, number, number, number];
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
  forGroups(
    f,
    tiles,
    () => {
      f.get(x).set(row).get(temp).set(at);
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
      f.get(temp).set(at).get(to).set(part);
      times(f, n, () => {
        d.forEach((r, i) =>
          f
            .get(at)
            .memory("v128.load", 16 * n * i)
            .set(r),
        );
        inputTransform(v, m, d, result, t);
        f.get(part).set(out);
        result.forEach((r, i) => {
          if (i > 0) f.get(out).get(stride).i32(n).op("i32.mul").op("i32.add").set(out);
          f.get(out).get(r).memory("v128.store");
        });
        f.increase(part, { byLocal: stride }).increase(at, { by: 16 });
      });
    },
    (step) => {
      advance(f, x, step, 4 * m);
      advance(f, to, step, 4);
    },
  );
  return f;
}

/** winogradOutputM(y, stride, to, ldto, tiles, temp): transforms a row of tiles of one channel back: component k of tile t is at
 * y + k * stride + 4 * t, the m rows of the result start at `to`, ldto bytes apart. Writes whole groups of four tiles. */
export function winogradOutputProgram(m: TileSize): FunctionBuilder {
  const n = m + 2;
  const f = new FunctionBuilder(`winogradOutput${m}`, new Array<"i32">(6).fill("i32"));
  const [y, stride, to, ldto, tiles, temp] = f.params.map((_, i) => i) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [from, part, row, at] = Array.from({ length: 4 }, () => f.local("i32")) as [number, number, number, number];
  const v = new Vectors(f);
  for (const c of CONSTANTS[m]) v.constant(c);
  const d = Array.from({ length: n }, () => v.fresh());
  const t = Array.from({ length: 4 }, () => v.fresh());
  const result = Array.from({ length: m }, () => v.fresh());
  const pick = (a: number, b: number, lanes: readonly [number, number, number, number]): FunctionBuilder =>
    f
      .get(a)
      .get(b)
      .shuffle(...lanes);
  forGroups(
    f,
    tiles,
    () => {
      f.get(y).set(part).get(temp).set(at);
      times(f, n, () => {
        f.get(part).set(from);
        d.forEach((r, i) => {
          if (i > 0) f.get(from).get(stride).i32(n).op("i32.mul").op("i32.add").set(from);
          f.get(from).memory("v128.load").set(r);
        });
        outputTransform(v, m, d, result, t);
        result.forEach((r, i) =>
          f
            .get(at)
            .get(r)
            .memory("v128.store", 16 * n * i),
        );
        f.increase(part, { byLocal: stride }).increase(at, { by: 16 });
      });
      f.get(to).set(row).get(temp).set(at);
      times(f, m, () => {
        d.forEach((r, j) =>
          f
            .get(at)
            .memory("v128.load", 16 * j)
            .set(r),
        );
        outputTransform(v, m, d, result, t);
        const [r0, r1, r2, r3] = result as [number, number, number, number];
        if (m === 2) {
          f.get(row);
          pick(r0, r1, [0, 4, 1, 5]).memory("v128.store");
          f.get(row);
          pick(r0, r1, [2, 6, 3, 7]).memory("v128.store", 16);
        } else {
          pick(r0, r1, [0, 4, 1, 5]).set(t[0]!);
          pick(r2, r3, [0, 4, 1, 5]).set(t[1]!);
          pick(r0, r1, [2, 6, 3, 7]).set(t[2]!);
          pick(r2, r3, [2, 6, 3, 7]).set(t[3]!);
          for (const [q, low] of [0, 2].entries()) {
            f.get(row);
            pick(t[low]!, t[low + 1]!, [0, 1, 4, 5]).memory("v128.store", 32 * q);
            f.get(row);
            pick(t[low]!, t[low + 1]!, [2, 3, 6, 7]).memory("v128.store", 32 * q + 16);
          }
        }
        f.increase(row, { byLocal: ldto }).increase(at, { by: 16 * n });
      });
    },
    (step) => {
      advance(f, to, step, 4 * m);
      advance(f, y, step, 4);
    },
  );
  return f;
}

/** winogradWeightsM(from, to, stride, count, table, temp): G g G^T of `count` channels of a panel of `rows` filters, in double
 * precision. `from` holds 9 taps a channel, each of `rows` elements side by side; component k of a channel's `rows` elements goes to
 * to + k * stride, channels side by side. `table` holds G, row by row. */
export function winogradWeightsProgram(m: TileSize, rows: number): FunctionBuilder {
  const n = m + 2;
  const f = new FunctionBuilder(`winogradWeights${m}`, new Array<"i32">(6).fill("i32"));
  const [from, to, stride, count, table, temp] = f.params.map((_, i) => i) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [tap, at, out] = [f.local("i32"), f.local("i32"), f.local("i32")];
  const g = [f.local("v128"), f.local("v128"), f.local("v128")];
  /** Leaves G[i] . g on the stack. */
  const product = (i: number): void =>
    g.forEach((x, j) => {
      f.get(x)
        .get(table)
        .memory("v128.load64_splat", 8 * (3 * i + j))
        .op("f64x2.mul");
      if (j > 0) f.op("f64x2.add");
    });
  f.loop(() => {
    // two filters at a time
    times(f, rows / 2, () => {
      f.get(from).set(tap).get(temp).set(at);
      times(f, 3, () => {
        g.forEach((x, j) =>
          f
            .get(tap)
            .memory("v128.load64_zero", 12 * rows * j)
            .op("f64x2.promote_low_f32x4")
            .set(x),
        );
        for (let i = 0; i < n; i++) {
          f.get(at);
          product(i);
          f.memory("v128.store", 48 * i);
        }
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
        for (let j = 0; j < n; j++) {
          f.get(out);
          product(j);
          f.op("f32x4.demote_f64x2_zero").storeLow();
          f.increase(out, { byLocal: stride });
        }
        f.increase(at, { by: 48 });
      });
      f.increase(from, { by: 8 }).increase(to, { by: 8 });
    });
    // 9 taps of `rows` elements, of which the pairs passed one
    f.increase(from, { by: 32 * rows });
    f.get(count).i32(1).op("i32.sub").set(count).get(count);
  });
  return f;
}
