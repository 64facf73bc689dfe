/** @file Convolutions as programs for the assembler: products and sums that finish their results where they store them. Upstream: none. Spec: none.
 *
 * Note [Finished stores]: what follows a convolution, channel by channel (scale, shift, residual, clamp), is done to the
 * accumulators before they are stored, and they are stored where the result belongs: no pass over a result that waits. Whole
 * vectors are read beyond the end of a row, but never stored there: the neighbours may be another thread's.
 *
 * Note [Wider vectors]: V8 13 and later can make two vectors side by side one of 256 bits (`--experimental-wasm-revectorize`): products then run
 * at 100 GFLOP/s instead of 68. It starts where both are stored, and needs both to come from the same operations everywhere: loads of
 * neighbours with no store between them, and no path on which only one of the two was computed. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { accumulate, COLUMNS, productLoop, type ProductStyle } from "./programs.ts";

/** Takes names for the parameters of a program. */
export function parametersOf<const N extends string>(names: readonly N[]): Record<N, number> {
  return Object.fromEntries(names.map((name, i) => [name, i])) as Record<N, number>;
}

/** Locals by name. */
export function localsOf<const N extends string>(f: FunctionBuilder, names: readonly N[]): Record<N, number> {
  return Object.fromEntries(names.map((name) => [name, f.local("i32")])) as Record<N, number>;
}

/** x = clamp(x + residual), with the residual `delta` (a local) bytes behind the address that `at` pushes; delta 0 is none. Several vectors lie side by side. */
export function addAndClamp(
  f: FunctionBuilder,
  x: number | readonly number[],
  at: () => void,
  delta: number,
  low: number,
  high: number,
): void {
  const vectors = typeof x === "number" ? [x] : x;
  f.get(delta).when(() => {
    for (const [i, v] of vectors.entries()) {
      at();
      f.get(delta)
        .op("i32.add")
        .memory("v128.load", 16 * i)
        .get(v)
        .op("f32x4.add")
        .set(v);
    }
  });
  // pmax and pmin keep x where it is not a number
  for (const v of vectors) f.get(v).get(low).op("f32x4.pmax").get(high).op("f32x4.pmin").set(v);
}

/** Stores the first `count` (a local, at most 3 matter) elements of x at the address in `at`; changes x and at. */
export function storeFirst(f: FunctionBuilder, x: number, at: number, count: number): void {
  f.get(count)
    .i32(2)
    .op("i32.and")
    .when(() => {
      f.get(at).get(x).storeLow();
      f.get(x).get(x).shuffle(2, 3, 2, 3).set(x).increase(at, { by: 8 });
    });
  f.get(count)
    .i32(1)
    .op("i32.and")
    .when(() => f.get(at).get(x).extractLane(0).memory("f32.store"));
}

/**
 * Note [Lone columns]: planes of 7 by 7 are six tiles and one column. Half a tile for it would cost as much as two thirds of a
 * whole one; instead every vector is rows of A times one element of B, in so many sums that none waits for another.
 */
const LONE_VECTORS = 4;
/** Rows that take as long as fewer: eight sums hide the latency of additions. */
const FEW_ROWS = 4;

const CONVOLVE = [
  "a",
  "b",
  "positions",
  "offsets",
  "k",
  "rows",
  "columns",
  "c",
  "ldc",
  "adds",
  "scratch",
  "group",
  "table",
  "delta",
  "low",
  "high",
] as const;

/**
 * convolve(a, b, positions, offsets, k, rows, columns, c, ldc, adds, scratch, group, table, delta, low, high): C = A B, addresses
 * and strides in bytes. A is packed in panels (Note [Packed product]). Element (p, j) of B lies at b + offsets[p] + positions[j],
 * or, where positions is 0, + 4 * j; positions ascend, and there is a whole number of tiles of them. `group` tiles of B at a time
 * are gathered into `scratch` (32 * group * k bytes), so that panels pass by them in the first-level cache; where columns are neighbours
 * the product of the first panel does it, which has time for loads and stores. Where `adds` is not
 * zero the product is added to C. Where `table` is not 0 it holds scale and shift of every row, and the results are finished: see
 * Note [Finished stores]; the residual lies `delta` bytes behind C, 0 is none.
 */
export function convolveProgram(style: ProductStyle): FunctionBuilder {
  const { fused, rows: ROWS } = style;
  const f = new FunctionBuilder("convolve", [...new Array<"i32">(14).fill("i32"), "f32", "f32"]);
  const p = parametersOf(CONVOLVE);
  const i = localsOf(f, [
    "some",
    "from",
    "row",
    "to",
    "end",
    "panel",
    "ap",
    "aEnd",
    "bp",
    "left",
    "rowsLeft",
    "corner",
    "cp",
    "at",
    "channel",
    "wanted",
    "whole",
    "isQuick",
    "isFirst",
    "gathers",
  ]);
  const lane = Array.from({ length: COLUMNS }, () => f.local("i32"));
  const acc = Array.from({ length: ROWS * 2 }, () => f.local("v128"));
  const [b0, b1, x, low, high] = f.fresh("v128");
  /** The next row of the inner dimension: where the tile's columns of it lie goes to `at`. */
  const takeRow = (): void => {
    f.get(i.from).memory("i32.load").get(i.row).op("i32.add").set(i.at);
    f.increase(i.from, { by: 4 });
  };
  /** Finds the next tile's columns: `row` is the first, and `gathers` whether they are neighbours. */
  const findColumns = (): void => {
    f.get(p.offsets).set(i.from).get(p.b).set(i.row).i32(1).set(i.gathers);
    f.get(p.positions).when(
      () => {
        f.get(i.row).get(p.positions).memory("i32.load").op("i32.add").set(i.row);
        // ascending positions are neighbours where the last is as far from the first as they are many
        f.get(p.positions)
          .memory("i32.load", 4 * (COLUMNS - 1))
          .get(p.positions)
          .memory("i32.load")
          .op("i32.sub")
          .i32(4 * (COLUMNS - 1))
          .op("i32.eq")
          .set(i.gathers);
      },
      () => {
        f.increase(p.b, { by: 4 * COLUMNS });
      },
    );
  };
  /** Puts the rows of the inner dimension of a tile side by side at `bp`, where the panel's product does not do it. */
  const gather = (): void => {
    const rowsOf = (copy: () => void): void => {
      f.loop(() => {
        takeRow();
        copy();
        f.increase(i.to, { by: 4 * COLUMNS });
        f.get(i.from).get(i.end).op("i32.ne");
      });
    };
    f.get(i.bp).set(i.to);
    f.get(i.gathers).when(
      () =>
        rowsOf(() => {
          f.get(i.to).get(i.at).memory("v128.load").memory("v128.store");
          f.get(i.to).get(i.at).memory("v128.load", 16).memory("v128.store", 16);
        }),
      () => {
        lane.forEach((l, j) =>
          f
            .get(p.positions)
            .memory("i32.load", 4 * j)
            .get(p.positions)
            .memory("i32.load")
            .op("i32.sub")
            .set(l),
        );
        rowsOf(() =>
          lane.forEach((l, j) =>
            f
              .get(i.to)
              .get(i.at)
              .get(l)
              .op("i32.add")
              .memory("f32.load")
              .memory("f32.store", 4 * j),
          ),
        );
      },
    );
    f.i32(0).set(i.gathers);
  };
  /** Sets the accumulators to zero, or to C. */
  const takeSums = (): void => {
    f.get(p.adds).when(
      () => {
        f.get(i.cp).set(i.at);
        for (let r = 0; r < ROWS; r++) {
          for (const half of [0, 1])
            f.get(i.at)
              .memory("v128.load", 16 * half)
              .set(acc[2 * r + half]!);
          // beyond the last row the address stays where it was: there may be no memory
          if (r + 1 < ROWS) {
            f.get(i.at).get(p.ldc).i32(0);
            f.get(i.rowsLeft)
              .i32(r + 1)
              .op("i32.gt_s")
              .op("select")
              .op("i32.add")
              .set(i.at);
          }
        }
      },
      () => acc.forEach((r) => f.zeros().set(r)),
    );
    f.get(i.panel).set(i.ap);
  };
  /** Multiplies `rows` rows of the panel by a tile, or by the first half of its columns: `halves` is 2 or 1. With `gathers` the tile is read where it lies, and put into the scratch area. */
  const multiply = (halves: number, rows: number, gathers = false): void => {
    const columns = [b0, b1].slice(0, halves);
    const sums = acc.filter((_, n) => n % 2 < halves && n < 2 * rows);
    // here and not once for all loops: V8 before 13 moves registers around where sums come from one place into several
    takeSums();
    const gatherRow = (): void => {
      takeRow();
      // all loads first: see Note [Wider vectors]
      columns.forEach((v, n) =>
        f
          .get(i.at)
          .memory("v128.load", 16 * n)
          .set(v),
      );
      columns.forEach((v, n) =>
        f
          .get(i.bp)
          .get(v)
          .memory("v128.store", 16 * n),
      );
    };
    productLoop(
      f,
      style,
      { acc: sums, b: columns, x },
      { ap: i.ap, bp: i.bp, end: "ap", stop: i.aEnd },
      () => f.increase(i.bp, { by: 4 * COLUMNS }).increase(i.ap, { by: 4 * ROWS }),
      gathers ? gatherRow : undefined,
    );
  };
  /** Scale and shift of a row of the panel. */
  const takeAffine = (r: number): void => {
    f.get(i.channel)
      .memory("v128.load32_splat", 8 * r)
      .set(b0);
    f.get(i.channel)
      .memory("v128.load32_splat", 8 * r + 4)
      .set(b1);
  };
  /** Whole tiles of whole panels without a residual: no questions. */
  const storeQuickly = (): void => {
    f.get(i.cp).set(i.at);
    for (let r = 0; r < ROWS; r++) {
      takeAffine(r);
      for (const half of [0, 1]) {
        f.get(i.at)
          .get(acc[2 * r + half]!)
          .get(b0)
          .op("f32x4.mul")
          .get(b1)
          .op("f32x4.add")
          .get(low)
          .op("f32x4.pmax")
          .get(high)
          .op("f32x4.pmin")
          .memory("v128.store", 16 * half);
      }
      if (r + 1 < ROWS) f.increase(i.at, { byLocal: p.ldc });
    }
  };
  /** Finishes the rows that there are, as many vectors of each as `halves`, and stores them: `put` does with the vectors of a row at `at`. */
  const storeRows = (halves: number, put: (vectors: readonly number[]) => void): void => {
    f.get(i.cp).set(i.at);
    for (let r = 0; r < ROWS; r++) {
      const vectors = acc.slice(2 * r, 2 * r + halves);
      const body = (): void => {
        f.get(p.table).when(() => {
          takeAffine(r);
          for (const v of vectors) f.get(v).get(b0).op("f32x4.mul").get(b1).op("f32x4.add").set(v);
          addAndClamp(f, vectors, () => f.get(i.at), p.delta, low, high);
        });
        put(vectors);
        f.increase(i.at, { byLocal: p.ldc });
      };
      if (r === 0) body();
      else f.get(i.rowsLeft).i32(r).op("i32.gt_s").when(body);
    }
  };
  const store = (): void =>
    storeRows(2, ([first, second]) =>
      f
        .get(i.left)
        .i32(COLUMNS)
        .op("i32.ge_s")
        .when(
          () => f.get(i.at).get(first!).memory("v128.store").get(i.at).get(second!).memory("v128.store", 16),
          () => {
            f.get(i.at).set(i.to);
            f.get(i.left)
              .i32(4)
              .op("i32.and")
              .when(() =>
                f.get(i.to).get(first!).memory("v128.store").get(second!).set(first!).increase(i.to, { by: 16 }),
              );
            storeFirst(f, first!, i.to, i.left);
          },
        ),
    );
  /** Half a tile, or less. */
  const storeHalf = (): void =>
    storeRows(1, ([first]) =>
      f
        .get(i.left)
        .i32(4)
        .op("i32.ge_s")
        .when(
          () => f.get(i.at).get(first!).memory("v128.store"),
          () => {
            f.get(i.at).set(i.to);
            storeFirst(f, first!, i.to, i.left);
          },
        ),
    );
  /** One column for all panels, which lies alone in the last tile: see Note [Lone columns]. */
  const column = (): void => {
    const parts = ROWS === 4 ? [0] : [0, 8]; // byte offsets of a panel's vectors
    const panels = LONE_VECTORS / parts.length;
    const ap = lane.slice(0, panels);
    const sums = acc.slice(0, LONE_VECTORS);
    f.get(p.c).get(i.whole).i32(5).op("i32.shl").op("i32.add").set(i.at);
    f.get(p.a).set(i.panel).get(p.rows).set(i.rowsLeft).get(p.table).set(i.channel);
    f.get(p.k)
      .i32(4 * ROWS)
      .op("i32.mul")
      .set(i.to);
    f.loop(() => {
      // beyond the last panel the address stays where it was: there may be no memory
      ap.forEach((a, q) => {
        if (q === 0) f.get(i.panel);
        else {
          f.get(ap[q - 1]!)
            .get(i.to)
            .i32(0);
          f.get(i.rowsLeft)
            .i32(ROWS * q)
            .op("i32.gt_s")
            .op("select")
            .op("i32.add");
        }
        f.set(a);
      });
      f.get(ap[0]!).get(i.to).op("i32.add").set(i.aEnd);
      f.get(p.scratch).get(p.k).get(i.whole).op("i32.mul").i32(5).op("i32.shl").op("i32.add").set(i.bp);
      sums.forEach((r) => f.zeros().set(r));
      f.loop(() => {
        f.get(i.bp).memory("v128.load32_splat").set(b0);
        ap.forEach((a, q) => {
          parts.forEach((part, n) =>
            accumulate(
              f,
              fused,
              sums[q * parts.length + n]!,
              () => f.get(b0),
              () => f.get(a).memory("v128.load", part),
            ),
          );
          f.increase(a, { by: 4 * ROWS });
        });
        f.increase(i.bp, { by: 4 * COLUMNS })
          .get(ap[0]!)
          .get(i.aEnd)
          .op("i32.ne");
      });
      f.i32(panels).set(i.wanted);
      f.loop(() => {
        parts.forEach((_, n) => {
          // the second vector of a panel begins with the last two rows of the first
          if (n > 0) f.get(sums[n]!).get(sums[n]!).shuffle(2, 3, 0, 1).set(sums[0]!);
          f.i32(n > 0 ? ROWS - 4 : 4).set(i.left);
          f.loop(() => {
            f.get(i.rowsLeft)
              .i32(0)
              .op("i32.gt_s")
              .when(() => {
                f.get(sums[0]!).set(x);
                f.get(p.adds).when(() => f.get(x).get(i.at).memory("v128.load").op("f32x4.add").set(x));
                f.get(p.table).when(() => {
                  takeAffine(0);
                  f.get(x).get(b0).op("f32x4.mul").get(b1).op("f32x4.add").set(x);
                  addAndClamp(f, x, () => f.get(i.at), p.delta, low, high);
                });
                f.get(i.at).get(x).extractLane(0).memory("f32.store");
                f.increase(i.at, { byLocal: p.ldc }).increase(i.channel, { by: 8 });
              });
            f.get(sums[0]!).get(sums[0]!).shuffle(1, 2, 3, 0).set(sums[0]!);
            f.increase(i.rowsLeft, { by: -1 });
            f.get(i.left).i32(1).op("i32.sub").set(i.left).get(i.left);
          });
        });
        for (let v = parts.length; v < LONE_VECTORS; v++) f.get(sums[v]!).set(sums[v - parts.length]!);
        f.get(i.wanted).i32(1).op("i32.sub").set(i.wanted).get(i.wanted);
      });
      f.get(i.panel).get(i.to).i32(panels).op("i32.mul").op("i32.add").set(i.panel);
      f.get(i.rowsLeft).i32(0).op("i32.gt_s");
    });
  };
  /** All panels, tile by tile; the first one gathers the tiles, and the last one of them too where it is a lone column. */
  const panels = (): void => {
    f.get(p.a).set(i.panel).get(p.c).set(i.corner).get(p.rows).set(i.rowsLeft).get(p.table).set(i.channel);
    f.i32(1).set(i.isFirst).get(i.some).set(i.wanted);
    f.loop(() => {
      f.get(p.scratch).set(i.bp).get(i.corner).set(i.cp).get(p.columns).set(i.left);
      f.get(p.table).i32(0).op("i32.ne").get(p.delta).op("i32.eqz").op("i32.and");
      f.get(i.rowsLeft).i32(ROWS).op("i32.ge_s").op("i32.and").set(i.isQuick);
      f.get(i.panel)
        .get(p.k)
        .i32(4 * ROWS)
        .op("i32.mul")
        .op("i32.add")
        .set(i.aEnd);
      f.loop(() => {
        f.i32(0).set(i.gathers);
        f.get(i.isFirst).when(() => {
          findColumns();
          // the product gathers whole tiles of neighbours
          f.get(i.gathers)
            .get(i.left)
            .i32(COLUMNS / 2)
            .op("i32.gt_s")
            .op("i32.and")
            .op("i32.eqz")
            .when(gather);
          f.get(p.positions).when(() => f.increase(p.positions, { by: 4 * COLUMNS }));
        });
        const whole = (): void => {
          f.get(i.gathers).when(
            () => multiply(2, ROWS, true),
            () => {
              if (ROWS === 4) multiply(2, ROWS);
              else
                f.get(i.rowsLeft)
                  .i32(FEW_ROWS)
                  .op("i32.gt_s")
                  .when(
                    () => multiply(2, ROWS),
                    () => multiply(2, FEW_ROWS),
                  );
            },
          );
        };
        const half = (): void => multiply(1, ROWS);
        const storeWhole = (): void => {
          f.get(i.isQuick).get(i.left).i32(COLUMNS).op("i32.ge_s").op("i32.and").when(storeQuickly, store);
        };
        const product = (): void => {
          f.get(i.left)
            .i32(COLUMNS / 2)
            .op("i32.gt_s");
          if (fused) {
            // apart: see Note [Wider vectors]
            f.when(
              () => {
                whole();
                storeWhole();
              },
              () => {
                half();
                storeHalf();
              },
            );
          } else {
            f.when(whole, half);
            storeWhole();
          }
        };
        // whether the tile is not the lone column
        f.get(i.left).i32(1).op("i32.ne").when(product);
        f.increase(i.cp, { by: 4 * COLUMNS }).increase(i.left, { by: -COLUMNS });
        f.get(i.wanted).i32(1).op("i32.sub").set(i.wanted).get(i.wanted);
      });
      f.get(i.aEnd).set(i.panel);
      f.i32(0).set(i.isFirst).get(i.whole).set(i.wanted);
      f.increase(i.channel, { by: 8 * ROWS });
      f.get(i.corner).get(p.ldc).i32(ROWS).op("i32.mul").op("i32.add").set(i.corner);
      f.increase(i.rowsLeft, { by: -ROWS }).get(i.rowsLeft).i32(0).op("i32.gt_s");
      f.get(i.whole).i32(0).op("i32.ne").op("i32.and");
    });
  };
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  f.get(p.offsets).get(p.k).i32(2).op("i32.shl").op("i32.add").set(i.end);
  f.loop(() => {
    // some = min(group, tiles that are left)
    f.get(p.columns)
      .i32(COLUMNS - 1)
      .op("i32.add")
      .i32(3)
      .op("i32.shr_u")
      .set(i.some);
    f.get(p.group).get(i.some).get(i.some).get(p.group).op("i32.gt_s").op("select").set(i.some);
    // whole = some - (the last tile has one column)
    f.get(i.some);
    f.get(p.columns).get(i.some).i32(3).op("i32.shl").op("i32.sub");
    f.i32(1 - COLUMNS)
      .op("i32.eq")
      .op("i32.sub")
      .set(i.whole);
    panels();
    f.get(i.whole).get(i.some).op("i32.ne").when(column);
    f.get(p.c).get(i.some).i32(5).op("i32.shl").op("i32.add").set(p.c);
    f.get(p.columns).get(i.some).i32(3).op("i32.shl").op("i32.sub").set(p.columns);
    f.get(p.columns).i32(0).op("i32.gt_s");
  });
  return f;
}
