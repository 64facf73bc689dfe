/** @file The WebAssembly kernels as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Packed product]: C (rows by columns) = A B. A is packed in panels of some rows, one element of each row after the
 * other; B is read through tiles of COLUMNS columns. V8 has 15 of the 16 vector registers of x86-64 for a loop: with fused
 * multiply-add 12 accumulators, two vectors of B and one broadcast element of A fill them; without, a product needs a register of
 * its own, and six rows run at two thirds of the speed of four. Unrolling over the inner dimension costs 30 %. Rows and columns
 * beyond the edge are zeros in the panels and are never copied out.
 *
 * Note [Pinned rows]: V8 before 13 puts arithmetic as late into a loop as it may, behind all loads, and then moves and spills
 * registers. A conditional way out after every row, which is never taken, needs the sums of that row: they cannot be put off. Six
 * rows then run at 65 of 68 GFLOP/s, unpinned at 45 (Node 22), convolutions with four without fused multiply-add 7 % faster (Node 20; other products 4 to 8 % slower). Younger
 * engines, which have Float16Array, do it right by themselves and would be half a percent slower. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Rows of a panel of the left operand. */
export type PanelRows = 4 | 6;
/** What products are made of: with or without fused multiply-add, rows of a panel, and whether rows are pinned (Note [Pinned rows]). */
export interface ProductStyle {
  readonly fused: boolean;
  readonly rows: PanelRows;
  readonly pinned: boolean;
}
/** Columns of a tile of the right operand. */
export const COLUMNS = 8;
/** Bytes of a line of the cache. */
const CACHE_LINE = 64;
/** Outputs that a step of the depthwise kernel makes. */
export const DEPTHWISE_STEP = 16;

/** acc += x * y, each pushed by a function; one rounding where the build has it. */
export function accumulate(f: FunctionBuilder, fused: boolean, acc: number, x: () => void, y: () => void): void {
  if (fused) {
    x();
    y();
    f.get(acc).op("f32x4.relaxed_madd").set(acc);
  } else {
    f.get(acc);
    x();
    y();
    f.op("f32x4.mul").op("f32x4.add").set(acc);
  }
}

/** Locals of a product's innermost step. */
export interface ProductLocals {
  /** Accumulators of every row, one for each vector of `b`. */
  readonly acc: readonly number[];
  /** Vectors of a row of the right operand. */
  readonly b: readonly number[];
  /** An element of the left operand, in all lanes. */
  readonly x: number;
}

/** Locals with the addresses of a product's current elements and vectors, and with that of one of them where it ends. */
export interface ProductRange {
  readonly ap: number;
  readonly bp: number;
  readonly end: "ap" | "bp";
  readonly stop: number;
}

/** Accumulates the products of as many elements side by side at `ap` as there are rows with the vectors that `load` takes from `bp`,
 * until the address `end` names is `stop`; `advance` increases both. */
export function productLoop(
  f: FunctionBuilder,
  { fused, pinned }: ProductStyle,
  { acc, b, x }: ProductLocals,
  range: ProductRange,
  advance: () => void,
  load = (): void =>
    b.forEach((vector, i) =>
      f
        .get(range.bp)
        .memory("v128.load", 16 * i)
        .set(vector),
    ),
): void {
  // bits that no address of an element has, which V8 does not know; of equal questions it keeps one
  const ways = [range.ap, range.bp].flatMap((address) => [1, 2, 3].map((bits) => ({ address, bits })));
  const rows = acc.length / b.length;
  f.leavableLoop((leave) => {
    load();
    for (let r = 0; r < rows; r++) {
      f.get(range.ap)
        .memory("v128.load32_splat", 4 * r)
        .set(x);
      for (const [i, vector] of b.entries())
        accumulate(
          f,
          fused,
          acc[b.length * r + i]!,
          () => f.get(x),
          () => f.get(vector),
        );
      if (pinned && r + 1 < rows) {
        const { address, bits } = ways[r]!;
        f.get(address).i32(bits).op("i32.and");
        leave();
      }
    }
    advance();
    f.get(range[range.end]).get(range.stop).op("i32.ne");
  });
}

/** Reads from the address in `at` up to that in `end`, a line of the cache at a time, which moves `at`: what is read lies nearer when it is wanted. */
export function touch(f: FunctionBuilder, at: number, end: number): void {
  f.get(at)
    .get(end)
    .op("i32.lt_u")
    .when(() =>
      f.loop(() => {
        f.get(at).memory("i32.load").op("drop");
        f.increase(at, { by: CACHE_LINE }).get(at).get(end).op("i32.lt_u");
      }),
    );
}

/** gemm(a, b, tileStride, offsets, k, panels, tiles, c, ldc, adds, scratch): addresses and strides in bytes. Row p of tile t of
 * B lies at b + t * tileStride + offsets[p], and is first gathered into `scratch`; where scratch is 0 the tile is dense.
 * Where `adds` is not zero the product is added to C. k, panels and tiles are at least 1. */
export function gemmProgram(style: ProductStyle): FunctionBuilder {
  const { rows: ROWS } = style;
  const f = new FunctionBuilder("gemm", new Array<"i32">(11).fill("i32"));
  const [a, b, tileStride, offsets, k, panels, tiles, c, ldc, adds, scratch] = f.parameters;
  const [panel, ap, aEnd, bp, tile, row, from] = f.fresh("i32");
  const acc = Array.from({ length: ROWS * 2 }, () => f.local("v128"));
  const [b0, b1, x] = f.fresh("v128");
  f.loop(() => {
    f.get(b).set(tile);
    f.get(scratch).when(() => {
      f.get(scratch).set(tile).get(scratch).set(bp).get(offsets).set(from);
      f.loop(() => {
        f.get(from).memory("i32.load").get(b).op("i32.add").set(row);
        f.get(bp).get(row).memory("v128.load").memory("v128.store");
        f.get(bp).get(row).memory("v128.load", 16).memory("v128.store", 16);
        f.increase(bp, { by: 4 * COLUMNS }).increase(from, { by: 4 });
        f.get(from).get(offsets).get(k).i32(2).op("i32.shl").op("i32.add").op("i32.ne");
      });
    });
    f.get(a).set(ap).get(c).set(row).get(panels).set(panel);
    f.loop(() => {
      for (const r of acc) f.zeros().set(r);
      f.get(tile).set(bp);
      f.get(ap)
        .get(k)
        .i32(4 * ROWS)
        .op("i32.mul")
        .op("i32.add")
        .set(aEnd);
      productLoop(f, style, { acc, b: [b0, b1], x }, { ap, bp, end: "ap", stop: aEnd }, () =>
        f.increase(bp, { by: 4 * COLUMNS }).increase(ap, { by: 4 * ROWS }),
      );
      f.get(adds).when(() => {
        f.get(row).set(from);
        for (let r = 0; r < ROWS; r++) {
          for (const half of [0, 1])
            f.get(acc[2 * r + half]!)
              .get(from)
              .memory("v128.load", 16 * half)
              .op("f32x4.add")
              .set(acc[2 * r + half]!);
          f.increase(from, { byLocal: ldc });
        }
      });
      for (let r = 0; r < ROWS; r++) {
        for (const half of [0, 1])
          f.get(row)
            .get(acc[2 * r + half]!)
            .memory("v128.store", 16 * half);
        f.increase(row, { byLocal: ldc });
      }
      f.get(panel).i32(1).op("i32.sub").set(panel).get(panel);
    });
    f.increase(b, { byLocal: tileStride }).increase(c, { by: 4 * COLUMNS });
    f.get(tiles).i32(1).op("i32.sub").set(tiles).get(tiles);
  });
  return f;
}

/** dots(x, w, ldw, k, rows, y): y[i] = the dot product of x and row i of w, over rows of k elements, ldw bytes apart. Four rows
 * at a time; `rows` is a multiple of 4 and k of 4 (the caller pads with zeros). */
export function dotsProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("dots", new Array<"i32">(6).fill("i32"));
  const [x, w, ldw, k, rows, y] = f.parameters;
  const [xp, xEnd] = f.fresh("i32");
  const at = Array.from({ length: 4 }, () => f.local("i32"));
  const acc = Array.from({ length: 4 }, () => f.local("v128"));
  const v = f.local("v128");
  f.get(x).get(k).i32(2).op("i32.shl").op("i32.add").set(xEnd);
  f.loop(() => {
    f.get(x).set(xp).get(w).set(at[0]!);
    for (let r = 1; r < 4; r++)
      f.get(at[r - 1]!)
        .get(ldw)
        .op("i32.add")
        .set(at[r]!);
    for (const r of acc) f.zeros().set(r);
    f.loop(() => {
      f.get(xp).memory("v128.load").set(v);
      for (let r = 0; r < 4; r++) {
        accumulate(
          f,
          fused,
          acc[r]!,
          () => f.get(v),
          () => f.get(at[r]!).memory("v128.load"),
        );
        f.increase(at[r]!, { by: 16 });
      }
      f.increase(xp, { by: 16 }).get(xp).get(xEnd).op("i32.ne");
    });
    for (let r = 0; r < 4; r++) {
      const lane = (i: number): FunctionBuilder => f.get(acc[r]!).extractLane(i);
      f.get(y);
      lane(0);
      lane(1).op("f32.add");
      lane(2);
      lane(3)
        .op("f32.add")
        .op("f32.add")
        .memory("f32.store", 4 * r);
    }
    f.get(w).get(ldw).i32(2).op("i32.shl").op("i32.add").set(w).increase(y, { by: 16 });
    f.get(rows).i32(4).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** Vectors of a row that `dotsInTurn` takes at a time. */
const TURN_VECTORS = 4;

/** dotsInTurn(x, w, k, rows, y): as `dots` for rows that lie side by side, one after the other: memory that no cache holds is read twice as fast
 * in order as in four places at once. k is a multiple of 4. */
export function dotsInTurnProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("dotsInTurn", new Array<"i32">(5).fill("i32"));
  const [x, w, k, rows, y] = f.parameters;
  const [xp, xEnd, wideEnd] = f.fresh("i32");
  const acc = Array.from({ length: TURN_VECTORS }, () => f.local("v128"));
  /** Adds the products of vectors up to the address in `end`, some at a time. */
  const addUpTo = (end: number, sums: readonly number[]): void => {
    f.get(xp)
      .get(end)
      .op("i32.ne")
      .when(() =>
        f.loop(() => {
          sums.forEach((sum, i) =>
            accumulate(
              f,
              fused,
              sum,
              () => f.get(xp).memory("v128.load", 16 * i),
              () => f.get(w).memory("v128.load", 16 * i),
            ),
          );
          f.increase(w, { by: 16 * sums.length }).increase(xp, { by: 16 * sums.length });
          f.get(xp).get(end).op("i32.ne");
        }),
      );
  };
  f.get(x).get(k).i32(2).op("i32.shl").op("i32.add").set(xEnd);
  f.get(x)
    .get(k)
    .i32(-4 * TURN_VECTORS)
    .op("i32.and")
    .i32(2)
    .op("i32.shl")
    .op("i32.add")
    .set(wideEnd);
  f.loop(() => {
    f.get(x).set(xp);
    for (const sum of acc) f.zeros().set(sum);
    addUpTo(wideEnd, acc);
    addUpTo(xEnd, acc.slice(0, 1));
    f.get(y);
    f.get(acc[0]!).get(acc[1]!).op("f32x4.add").get(acc[2]!).get(acc[3]!).op("f32x4.add").op("f32x4.add").set(acc[0]!);
    f.get(acc[0]!).extractLane(0).get(acc[0]!).extractLane(1).op("f32.add");
    f.get(acc[0]!).extractLane(2).get(acc[0]!).extractLane(3).op("f32.add").op("f32.add").memory("f32.store");
    f.increase(y, { by: 4 });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** depthwise(x, offsets, w, taps, steps, out): out[p] = sum over taps t of w[t] * x[offsets[t] / 4 + p], for
 * DEPTHWISE_STEP * steps outputs. taps and steps are at least 1. */
export function depthwiseProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("depthwise", new Array<"i32">(6).fill("i32"));
  const [x, offsets, w, taps, steps, out] = f.parameters;
  const [from, wp, wEnd, at] = f.fresh("i32");
  const acc = Array.from({ length: DEPTHWISE_STEP / 4 }, () => f.local("v128"));
  const v = f.local("v128");
  f.get(w).get(taps).i32(2).op("i32.shl").op("i32.add").set(wEnd);
  f.loop(() => {
    for (const r of acc) f.zeros().set(r);
    f.get(w).set(wp).get(offsets).set(from);
    f.loop(() => {
      f.get(from).memory("i32.load").get(x).op("i32.add").set(at);
      f.get(wp).memory("v128.load32_splat").set(v);
      acc.forEach((r, i) =>
        accumulate(
          f,
          fused,
          r,
          () => f.get(v),
          () => f.get(at).memory("v128.load", 16 * i),
        ),
      );
      f.increase(from, { by: 4 }).increase(wp, { by: 4 }).get(wp).get(wEnd).op("i32.ne");
    });
    acc.forEach((r, i) =>
      f
        .get(out)
        .get(r)
        .memory("v128.store", 16 * i),
    );
    f.increase(x, { by: 4 * DEPTHWISE_STEP }).increase(out, { by: 4 * DEPTHWISE_STEP });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/**
 * acc = the larger of acc and x, and nan |= where x is no number; `acc | nan` is then NaN where anything was. A maximum that keeps NaN by
 * itself is nine instructions in V8, these are three: the plain one keeps acc where that is NaN, or x is.
 */
export function takeLarger(f: FunctionBuilder, acc: number, nan: number, x: number): void {
  f.get(acc).get(x).op("f32x4.pmax").set(acc);
  f.get(nan).get(x).get(x).op("f32x4.ne").op("v128.or").set(nan);
}

/** windowMax(x, offsets, taps, steps, out): out[p] = the largest x[offsets[t] / 4 + p] over taps t, NaN where one is, for
 * DEPTHWISE_STEP * steps outputs. taps and steps are at least 1. */
export function windowMaxProgram(): FunctionBuilder {
  const f = new FunctionBuilder("windowMax", new Array<"i32">(5).fill("i32"));
  const [x, offsets, taps, steps, out] = f.parameters;
  const [from, end, at] = f.fresh("i32");
  const acc = Array.from({ length: DEPTHWISE_STEP / 4 }, () => f.local("v128"));
  const nan = acc.map(() => f.local("v128"));
  const v = f.local("v128");
  f.get(offsets).get(taps).i32(2).op("i32.shl").op("i32.add").set(end);
  f.loop(() => {
    for (const r of acc) f.f32(-Infinity).op("f32x4.splat").set(r);
    for (const r of nan) f.zeros().set(r);
    f.get(offsets).set(from);
    f.loop(() => {
      f.get(from).memory("i32.load").get(x).op("i32.add").set(at);
      acc.forEach((r, i) => {
        f.get(at)
          .memory("v128.load", 16 * i)
          .set(v);
        takeLarger(f, r, nan[i]!, v);
      });
      f.increase(from, { by: 4 }).get(from).get(end).op("i32.ne");
    });
    acc.forEach((r, i) =>
      f
        .get(out)
        .get(r)
        .get(nan[i]!)
        .op("v128.or")
        .memory("v128.store", 16 * i),
    );
    f.increase(x, { by: 4 * DEPTHWISE_STEP }).increase(out, { by: 4 * DEPTHWISE_STEP });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}

/** interleave(to, step, from, stride, k): element p of the four rows from `from` on, `stride` bytes apart, goes to the four
 * elements at to + p * step. k is at least 1. */
export function interleaveProgram(): FunctionBuilder {
  const f = new FunctionBuilder("interleave", new Array<"i32">(5).fill("i32"));
  const [to, step, from, stride, k] = f.parameters;
  const [end, wideEnd] = f.fresh("i32");
  const at = [from, f.local("i32"), f.local("i32"), f.local("i32")];
  const rows = Array.from({ length: 4 }, () => f.local("v128"));
  const pairs = Array.from({ length: 4 }, () => f.local("v128"));
  for (let r = 1; r < 4; r++)
    f.get(at[r - 1]!)
      .get(stride)
      .op("i32.add")
      .set(at[r]!);
  f.get(from).get(k).i32(2).op("i32.shl").op("i32.add").set(end);
  f.get(from).get(k).i32(-4).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wideEnd);
  f.get(from)
    .get(wideEnd)
    .op("i32.ne")
    .when(() => {
      f.loop(() => {
        at.forEach((row, r) => f.get(row).memory("v128.load").set(rows[r]!).increase(row, { by: 16 }));
        for (const half of [0, 1]) {
          const [low, high] = [2 * half, 2 * half + 1];
          f.get(rows[0]!)
            .get(rows[1]!)
            .shuffle(low, 4 + low, high, 4 + high)
            .set(pairs[low]!);
          f.get(rows[2]!)
            .get(rows[3]!)
            .shuffle(low, 4 + low, high, 4 + high)
            .set(pairs[high]!);
        }
        for (let p = 0; p < 4; p++) {
          const [even, odd] = [pairs[p & 2]!, pairs[(p & 2) + 1]!];
          const lane = 2 * (p & 1);
          f.get(to)
            .get(even)
            .get(odd)
            .shuffle(lane, lane + 1, 4 + lane, 5 + lane)
            .memory("v128.store")
            .increase(to, { byLocal: step });
        }
        f.get(from).get(wideEnd).op("i32.ne");
      });
    });
  f.get(from)
    .get(end)
    .op("i32.ne")
    .when(() => {
      f.loop(() => {
        at.forEach((row, r) =>
          f
            .get(to)
            .get(row)
            .memory("f32.load")
            .memory("f32.store", 4 * r)
            .increase(row, { by: 4 }),
        );
        f.increase(to, { byLocal: step }).get(from).get(end).op("i32.ne");
      });
    });
  return f;
}
