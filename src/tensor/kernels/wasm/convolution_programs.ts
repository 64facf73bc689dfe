/** @file Convolutions as programs for the assembler: products and sums that finish their results where they store them. Upstream: none. Spec: none.
 *
 * Note [Finished stores]: what follows a convolution, channel by channel (scale, shift, residual, clamp), is done to the
 * accumulators before they are stored, and they are stored where the result belongs: no pass over a result that waits. Whole
 * vectors are read beyond the end of a row, but never stored there: the neighbours may be another thread's. */
import { FunctionBuilder } from "./assembler.ts";
import { accumulate, COLUMNS, panelRows } from "./programs.ts";

/** Takes names for the parameters of a program. */
export function parametersOf<const N extends string>(names: readonly N[]): Record<N, number> {
  return Object.fromEntries(names.map((name, i) => [name, i])) as Record<N, number>;
}

/** Locals by name. */
export function localsOf<const N extends string>(f: FunctionBuilder, names: readonly N[]): Record<N, number> {
  return Object.fromEntries(names.map((name) => [name, f.local("i32")])) as Record<N, number>;
}

/** x = clamp(x + residual), with the residual `delta` (a local) bytes behind the address that `at` pushes plus `offset`; delta 0 is none. */
export function addAndClamp(
  f: FunctionBuilder,
  x: number,
  at: () => void,
  delta: number,
  low: number,
  high: number,
  offset = 0,
): void {
  f.get(delta).when(() => {
    at();
    f.get(delta).op("i32.add").memory("v128.load", offset).get(x).op("f32x4.add").set(x);
  });
  // pmax and pmin keep x where it is not a number
  f.get(x).get(low).op("f32x4.pmax").get(high).op("f32x4.pmin").set(x);
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
 * are gathered into `scratch` (32 * group * k bytes), so that panels pass by them in the first-level cache. Where `adds` is not
 * zero the product is added to C. Where `table` is not 0 it holds scale and shift of every row, and the results are finished: see
 * Note [Finished stores]; the residual lies `delta` bytes behind C, 0 is none.
 */
export function convolveProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("convolve", [...new Array<"i32">(14).fill("i32"), "f32", "f32"]);
  const ROWS = panelRows(fused);
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
  ]);
  const lane = Array.from({ length: COLUMNS }, () => f.local("i32"));
  const acc = Array.from({ length: ROWS * 2 }, () => f.local("v128"));
  const [b0, b1, x, low, high] = f.fresh("v128");
  const gather = (): void => {
    // rows of the inner dimension, each `lane`s apart in B, side by side in the scratch area
    const rowsOf = (copy: () => void): void => {
      f.get(p.offsets).set(i.from);
      f.loop(() => {
        f.get(i.from).memory("i32.load").get(i.row).op("i32.add").set(i.at);
        copy();
        f.increase(i.to, { by: 4 * COLUMNS }).increase(i.from, { by: 4 });
        f.get(i.from).get(i.end).op("i32.ne");
      });
    };
    const wide = (): void => {
      f.get(i.to).get(i.at).memory("v128.load").memory("v128.store");
      f.get(i.to).get(i.at).memory("v128.load", 16).memory("v128.store", 16);
    };
    f.get(p.scratch).set(i.to).get(i.some).set(i.left);
    f.loop(() => {
      f.get(p.positions).when(
        () => {
          f.get(p.b).get(p.positions).memory("i32.load").op("i32.add").set(i.row);
          // ascending positions are neighbours where the last is as far from the first as they are many
          f.get(p.positions)
            .memory("i32.load", 4 * (COLUMNS - 1))
            .get(p.positions)
            .memory("i32.load")
            .op("i32.sub")
            .i32(4 * (COLUMNS - 1))
            .op("i32.ne")
            .when(
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
              () => rowsOf(wide),
            );
          f.increase(p.positions, { by: 4 * COLUMNS });
        },
        () => {
          f.get(p.b).set(i.row);
          rowsOf(wide);
          f.increase(p.b, { by: 4 * COLUMNS });
        },
      );
      f.get(i.left).i32(1).op("i32.sub").set(i.left).get(i.left);
    });
  };
  /** Multiplies the panel by a tile, or by the first half of its columns: `halves` is 2 or 1. */
  const multiply = (halves: number): void => {
    const columns = [b0, b1].slice(0, halves);
    f.get(p.adds).when(
      () => {
        f.get(i.cp).set(i.at);
        for (let r = 0; r < ROWS; r++) {
          columns.forEach((_, half) =>
            f
              .get(i.at)
              .memory("v128.load", 16 * half)
              .set(acc[2 * r + half]!),
          );
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
    f.loop(() => {
      columns.forEach((b, half) =>
        f
          .get(i.bp)
          .memory("v128.load", 16 * half)
          .set(b),
      );
      for (let r = 0; r < ROWS; r++) {
        f.get(i.ap)
          .memory("v128.load32_splat", 4 * r)
          .set(x);
        for (const [half, b] of columns.entries())
          accumulate(
            f,
            fused,
            acc[2 * r + half]!,
            () => f.get(x),
            () => f.get(b),
          );
      }
      f.increase(i.bp, { by: 4 * COLUMNS }).increase(i.ap, { by: 4 * ROWS });
      f.get(i.ap).get(i.aEnd).op("i32.ne");
    });
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
  const store = (): void => {
    f.get(i.cp).set(i.at);
    for (let r = 0; r < ROWS; r++) {
      const [first, second] = [acc[2 * r]!, acc[2 * r + 1]!];
      const body = (): void => {
        f.get(p.table).when(() => {
          takeAffine(r);
          for (const [half, v] of [first, second].entries()) {
            f.get(v).get(b0).op("f32x4.mul").get(b1).op("f32x4.add").set(v);
            addAndClamp(f, v, () => f.get(i.at), p.delta, low, high, 16 * half);
          }
        });
        f.get(i.left)
          .i32(COLUMNS)
          .op("i32.ge_s")
          .when(
            () => f.get(i.at).get(first).memory("v128.store").get(i.at).get(second).memory("v128.store", 16),
            () => {
              f.get(i.at).set(i.to);
              f.get(i.left)
                .i32(4)
                .op("i32.and")
                .when(() =>
                  f.get(i.to).get(first).memory("v128.store").get(second).set(first).increase(i.to, { by: 16 }),
                );
              storeFirst(f, first, i.to, i.left);
            },
          );
        f.increase(i.at, { byLocal: p.ldc });
      };
      if (r === 0) body();
      else f.get(i.rowsLeft).i32(r).op("i32.gt_s").when(body);
    }
  };
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
  /** All panels, tile by tile. */
  const panels = (): void => {
    f.get(p.a).set(i.panel).get(p.c).set(i.corner).get(p.rows).set(i.rowsLeft).get(p.table).set(i.channel);
    f.loop(() => {
      f.get(p.scratch).set(i.bp).get(i.corner).set(i.cp).get(p.columns).set(i.left).get(i.whole).set(i.wanted);
      f.get(p.table).i32(0).op("i32.ne").get(p.delta).op("i32.eqz").op("i32.and");
      f.get(i.rowsLeft).i32(ROWS).op("i32.ge_s").op("i32.and").set(i.isQuick);
      f.get(i.panel)
        .get(p.k)
        .i32(4 * ROWS)
        .op("i32.mul")
        .op("i32.add")
        .set(i.aEnd);
      f.loop(() => {
        f.get(i.left)
          .i32(COLUMNS / 2)
          .op("i32.gt_s")
          .when(
            () => multiply(2),
            () => multiply(1),
          );
        f.get(i.isQuick).get(i.left).i32(COLUMNS).op("i32.ge_s").op("i32.and").when(storeQuickly, store);
        f.increase(i.cp, { by: 4 * COLUMNS }).increase(i.left, { by: -COLUMNS });
        f.get(i.wanted).i32(1).op("i32.sub").set(i.wanted).get(i.wanted);
      });
      f.get(i.aEnd).set(i.panel);
      f.increase(i.channel, { by: 8 * ROWS });
      f.get(i.corner).get(p.ldc).i32(ROWS).op("i32.mul").op("i32.add").set(i.corner);
      f.increase(i.rowsLeft, { by: -ROWS }).get(i.rowsLeft).i32(0).op("i32.gt_s");
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
    gather();
    // whole = some - (the last tile has one column)
    f.get(i.some);
    f.get(p.columns).get(i.some).i32(3).op("i32.shl").op("i32.sub");
    f.i32(1 - COLUMNS)
      .op("i32.eq")
      .op("i32.sub")
      .set(i.whole);
    f.get(i.whole).when(panels);
    f.get(i.whole).get(i.some).op("i32.ne").when(column);
    f.get(p.c).get(i.some).i32(5).op("i32.shl").op("i32.add").set(p.c);
    f.get(p.columns).get(i.some).i32(3).op("i32.shl").op("i32.sub").set(p.columns);
    f.get(p.columns).i32(0).op("i32.gt_s");
  });
  return f;
}

const PAD = [
  "to",
  "toPlane",
  "toRow",
  "size",
  "from",
  "fromPlane",
  "fromRow",
  "first",
  "rows",
  "bytes",
  "step",
  "planes",
  "padding",
] as const;

/**
 * padPlanes(to, toPlane, toRow, size, from, fromPlane, fromRow, first, rows, bytes, step, planes, padding): copies
 * `rows` rows of `bytes` bytes, of elements that lie `step` bytes apart where they come from, into each of `planes` planes of `size`
 * bytes, `first` bytes behind its start, and fills the rest of it with `padding`. Rows may be none, all sizes are multiples of 4. Reads up to 32 bytes beyond a row.
 */
export function padPlanesProgram(): FunctionBuilder {
  const f = new FunctionBuilder("padPlanes", [...new Array<"i32">(12).fill("i32"), "f32"]);
  const p = parametersOf(PAD);
  const i = localsOf(f, ["at", "row", "source", "left", "move", "last", "gap"]);
  const value = f.local("v128");
  /** Runs `vector` for every four elements of `bytes` (a local), the last four overlapping those before, or `single` for each where they are fewer. */
  const sweep = (bytes: number, vector: () => void, single: () => void): void => {
    f.i32(0).set(i.at);
    f.get(bytes)
      .i32(16)
      .op("i32.ge_u")
      .when(
        () => {
          f.get(bytes).i32(16).op("i32.sub").set(i.last);
          f.get(i.last).when(() =>
            f.loop(() => {
              vector();
              f.increase(i.at, { by: 16 }).get(i.at).get(i.last).op("i32.lt_u");
            }),
          );
          f.get(i.last).set(i.at);
          vector();
        },
        () =>
          f.loop(() => {
            single();
            f.increase(i.at, { by: 4 }).get(i.at).get(bytes).op("i32.ne");
          }),
      );
  };
  const to = (start: number): FunctionBuilder => f.get(start).get(i.at).op("i32.add");
  const isStep = (bytes: number): FunctionBuilder => f.get(p.step).i32(bytes).op("i32.ne").op("i32.eqz");
  const scattered = (): void => {
    f.get(i.source).set(i.move).i32(0).set(i.at);
    f.loop(() => {
      to(i.row).get(i.move).memory("f32.load").memory("f32.store");
      f.increase(i.move, { byLocal: p.step }).increase(i.at, { by: 4 }).get(i.at).get(p.bytes).op("i32.ne");
    });
  };
  /** Pads `i.gap` bytes from `i.row` on, if any. */
  const pad = (): void => {
    f.get(i.gap).when(() =>
      sweep(
        i.gap,
        () => to(i.row).get(value).memory("v128.store"),
        () => to(i.row).get(p.padding).memory("f32.store"),
      ),
    );
  };
  f.get(p.padding).op("f32x4.splat").set(value);
  f.loop(() => {
    f.get(p.to).set(i.row).get(p.first).get(p.size).get(p.rows).op("select").set(i.gap);
    pad();
    f.get(p.rows).when(() => {
      f.get(p.to).get(p.first).op("i32.add").set(i.row).get(p.from).set(i.source).get(p.rows).set(i.left);
      f.loop(() => {
        isStep(4).when(
          () =>
            sweep(
              p.bytes,
              () => {
                to(i.row);
                to(i.source).memory("v128.load").memory("v128.store");
              },
              () => {
                to(i.row);
                to(i.source).memory("f32.load").memory("f32.store");
              },
            ),
          () =>
            isStep(8).when(
              () =>
                sweep(
                  p.bytes,
                  () => {
                    to(i.row);
                    // every second element
                    for (const offset of [0, 16]) to(i.source).get(i.at).op("i32.add").memory("v128.load", offset);
                    f.shuffle(0, 2, 4, 6).memory("v128.store");
                  },
                  () => {
                    to(i.row);
                    to(i.source).get(i.at).op("i32.add").memory("f32.load").memory("f32.store");
                  },
                ),
              scattered,
            ),
        );
        f.increase(i.source, { byLocal: p.fromRow }).increase(i.row, { byLocal: p.bytes });
        f.get(i.left).i32(1).op("i32.sub").set(i.left);
        // what lies between a row and the next, or behind the last, is of one piece
        f.get(p.toRow).get(p.bytes).op("i32.sub");
        f.get(p.to).get(p.size).op("i32.add").get(i.row).op("i32.sub");
        f.get(i.left).op("select").set(i.gap);
        pad();
        f.increase(i.row, { byLocal: i.gap }).get(i.left);
      });
    });
    f.increase(p.to, { byLocal: p.toPlane }).increase(p.from, { byLocal: p.fromPlane });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
  return f;
}

/** Distance of neighbouring windows that the programs below are made for. */
export type WindowStride = 1 | 2;

/** Loops over planes of windows of three by three, four outputs at a time; the last four of a row overlap those before, so rows have
 * at least four. `outputs` names the local that holds four of them: `tap` pushes what lies at one place of their windows, `at` where they go. */
function windowLoops(
  f: FunctionBuilder,
  stride: WindowStride,
  p: Record<"x" | "xPlane" | "xRow" | "out" | "rows" | "bytes" | "planes", number>,
  atPlane: () => void,
  outputs: (tap: (y: number, x: number) => void, at: () => void) => number,
): void {
  const i = localsOf(f, ["top", "left", "at", "last", "move", "to"]);
  const line = Array.from({ length: 3 }, () => f.local("i32"));
  f.get(p.bytes).i32(16).op("i32.sub").set(i.last);
  /** Column x of the window in row y, for four outputs. */
  const tap = (y: number, x: number): void => {
    f.get(line[y]!).memory("v128.load", 4 * x);
    if (stride === 2)
      f.get(line[y]!)
        .memory("v128.load", 4 * x + 16)
        .shuffle(0, 2, 4, 6);
  };
  f.loop(() => {
    atPlane();
    f.get(p.x).set(i.top).get(p.rows).set(i.left);
    f.loop(() => {
      f.i32(0).set(i.at);
      f.loop(() => {
        f.get(i.top).get(i.at);
        if (stride === 2) f.i32(1).op("i32.shl");
        f.op("i32.add").set(line[0]!);
        for (const y of [1, 2])
          f.get(line[y - 1]!)
            .get(p.xRow)
            .op("i32.add")
            .set(line[y]!);
        f.get(p.out).get(i.at).op("i32.add").set(i.to);
        const result = outputs(tap, () => f.get(i.to));
        f.get(i.to).get(result).memory("v128.store");
        f.get(i.last).get(i.at).op("i32.sub").set(i.move);
        f.i32(16).get(i.move).get(i.move).i32(16).op("i32.gt_s").op("select").set(i.move);
        f.get(i.at).get(i.move).op("i32.add").set(i.at).get(i.move);
      });
      f.increase(p.out, { byLocal: p.bytes });
      for (let step = 0; step < stride; step++) f.increase(i.top, { byLocal: p.xRow });
      f.get(i.left).i32(1).op("i32.sub").set(i.left).get(i.left);
    });
    f.increase(p.x, { byLocal: p.xPlane });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
}

/** Takes the nine elements of the next plane's filter, times its scale, and its shift; `scale` is a temporary. */
export function takeFilter(
  f: FunctionBuilder,
  p: Record<"w" | "table", number>,
  filter: readonly number[],
  shift: number,
  scale: number,
): void {
  f.get(p.table).memory("v128.load32_splat").set(scale).get(p.table).memory("v128.load32_splat", 4).set(shift);
  filter.forEach((w, t) =>
    f
      .get(p.w)
      .memory("v128.load32_splat", 4 * t)
      .get(scale)
      .op("f32x4.mul")
      .set(w),
  );
  f.increase(p.table, { by: 8 }).increase(p.w, { by: 4 * filter.length });
}

const WINDOWS = ["x", "xPlane", "xRow", "out", "rows", "bytes", "planes"] as const;

/**
 * depthwise3S(x, xPlane, xRow, out, rows, bytes, planes, w, table, delta, low, high): 3 by 3 convolutions of `planes` planes (padded,
 * rows xRow bytes apart), each with its own nine elements at w, windows S apart; the results are `rows` rows of `bytes` bytes (at
 * least 16) a plane, without gaps. `table` holds scale and shift of every plane, the results are finished, see
 * Note [Finished stores]; the residual lies `delta` bytes behind them, 0 is none. The scale is multiplied into the filter.
 */
export function depthwise3Program(fused: boolean, stride: WindowStride): FunctionBuilder {
  const f = new FunctionBuilder(`depthwise3${stride}`, [...new Array<"i32">(10).fill("i32"), "f32", "f32"]);
  const p = parametersOf([...WINDOWS, "w", "table", "delta", "low", "high"]);
  const filter = Array.from({ length: 9 }, () => f.local("v128"));
  const [shift, low, high, acc] = f.fresh("v128");
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  windowLoops(
    f,
    stride,
    p,
    () => takeFilter(f, p, filter, shift, acc),
    (tap, at) => {
      f.get(shift).set(acc);
      filter.forEach((w, t) =>
        accumulate(
          f,
          fused,
          acc,
          () => f.get(w),
          () => tap(Math.floor(t / 3), t % 3),
        ),
      );
      addAndClamp(f, acc, at, p.delta, low, high);
      return acc;
    },
  );
  return f;
}

/** windowMax3S(x, xPlane, xRow, out, rows, bytes, planes): the largest element of windows of 3 by 3, NaN where one is, laid out as for depthwise3S. */
export function windowMax3Program(stride: WindowStride): FunctionBuilder {
  const f = new FunctionBuilder(`windowMax3${stride}`, new Array<"i32">(7).fill("i32"));
  const acc = f.local("v128");
  windowLoops(
    f,
    stride,
    parametersOf(WINDOWS),
    () => {},
    (tap) => {
      for (let t = 0; t < 9; t++) {
        if (t > 0) f.get(acc);
        tap(Math.floor(t / 3), t % 3);
        if (t > 0) f.op("f32x4.max");
        f.set(acc);
      }
      return acc;
    },
  );
  return f;
}
