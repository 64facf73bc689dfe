/** @file Weighted sums of rows and of columns, as programs for the assembler: separable resampling. Upstream: none. Spec: none.
 *
 * Both read a table of taps: for every output position, `taps` pairs of a byte offset and a weight. Columns are made of four rows at a
 * time whose elements lie interleaved, four of a column side by side: then they are sums of vectors, too. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { accumulate } from "./programs.ts";

/** Taps of a position that there are programs for: nearest, which moves elements and looks at no weight, linear and cubic. */
export const TAPS = [1, 2, 4] as const;
/** One of them. */
export type TapCount = (typeof TAPS)[number];

/** Bytes of a tap in the table. */
export const TAP_BYTES = 8;

/** Takes the addresses and weights of the position that `table` is at, and moves it to the next. */
function takeTaps(
  f: FunctionBuilder,
  from: number,
  table: number,
  at: readonly number[],
  weights: readonly number[],
): void {
  at.forEach((address, k) => {
    f.get(from)
      .get(table)
      .memory("i32.load", TAP_BYTES * k)
      .op("i32.add")
      .set(address);
    if (at.length === 1) return;
    f.get(table)
      .memory("v128.load32_splat", TAP_BYTES * k + 4)
      .set(weights[k]!);
  });
  f.increase(table, { by: TAP_BYTES * at.length });
}

/** sum = what `load` pushes for every tap, times its weight. */
function sumTaps(
  f: FunctionBuilder,
  fused: boolean,
  sum: number,
  weights: readonly number[],
  load: (k: number) => void,
): void {
  load(0);
  if (weights.length > 1) f.get(weights[0]!).op("f32x4.mul");
  f.set(sum);
  for (const [k, weight] of weights.entries())
    if (k > 0)
      accumulate(
        f,
        fused,
        sum,
        () => load(k),
        () => f.get(weight),
      );
}

/** sumRowsT(to, from, table, rows, bytes): `rows` rows of `bytes` bytes, at least 16, without gaps; each is the sum of T rows, those that
 * the table says. The last four elements of a row overlap those before. */
export function sumRowsProgram(fused: boolean, taps: TapCount): FunctionBuilder {
  const f = new FunctionBuilder(`sumRows${taps}`, new Array<"i32">(5).fill("i32"));
  const [to, from, table, rows, bytes] = f.parameters;
  const [i, move] = f.fresh("i32");
  const [sum] = f.fresh("v128");
  const at = Array.from({ length: taps }, () => f.local("i32"));
  const weights = Array.from({ length: taps }, () => f.local("v128"));
  f.loop(() => {
    takeTaps(f, from, table, at, weights);
    f.i32(0).set(i);
    f.loop(() => {
      sumTaps(f, fused, sum, weights, (k) => f.get(at[k]!).get(i).op("i32.add").memory("v128.load"));
      f.get(to).get(i).op("i32.add").get(sum).memory("v128.store");
      // move = the bytes that are left, at most sixteen
      f.get(bytes).i32(16).op("i32.sub").get(i).op("i32.sub").set(move);
      f.i32(16).get(move).get(move).i32(16).op("i32.gt_s").op("select").set(move);
      f.increase(i, { byLocal: move }).get(move);
    });
    f.increase(to, { byLocal: bytes });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** sumColumnsT(to, ldto, from, table, columns): four rows, `ldto` bytes apart (0: one, which comes four times), of `columns` elements, at
 * least 4; each column is the sum of T interleaved ones, those that the table says. The last four columns overlap those before. */
export function sumColumnsProgram(fused: boolean, taps: TapCount): FunctionBuilder {
  const f = new FunctionBuilder(`sumColumns${taps}`, new Array<"i32">(5).fill("i32"));
  const [to, ldto, from, table, columns] = f.parameters;
  const [here, move, out] = f.fresh("i32");
  const at = Array.from({ length: taps }, () => f.local("i32"));
  const weights = Array.from({ length: taps }, () => f.local("v128"));
  const sums = Array.from({ length: 4 }, () => f.local("v128"));
  const pairs = Array.from({ length: 4 }, () => f.local("v128"));
  f.loop(() => {
    f.get(table).set(here);
    for (const sum of sums) {
      takeTaps(f, from, here, at, weights);
      sumTaps(f, fused, sum, weights, (k) => f.get(at[k]!).memory("v128.load"));
    }
    // four columns become four rows
    for (const half of [0, 1])
      for (const pair of [0, 1])
        f.get(sums[2 * pair]!)
          .get(sums[2 * pair + 1]!)
          .shuffle(2 * half, 4 + 2 * half, 2 * half + 1, 5 + 2 * half)
          .set(pairs[2 * half + pair]!);
    f.get(to).set(out);
    for (let r = 0; r < 4; r++) {
      const lane = 2 * (r & 1);
      f.get(out)
        .get(pairs[r & 2]!)
        .get(pairs[(r & 2) + 1]!)
        .shuffle(lane, lane + 1, 4 + lane, 5 + lane)
        .memory("v128.store");
      if (r < 3) f.increase(out, { byLocal: ldto });
    }
    // move = the columns that are left, at most four
    f.increase(columns, { by: -4 });
    f.i32(4).get(columns).get(columns).i32(4).op("i32.gt_s").op("select").set(move);
    f.get(to).get(move).i32(2).op("i32.shl").op("i32.add").set(to);
    f.get(table)
      .get(move)
      .i32(TAP_BYTES * taps)
      .op("i32.mul")
      .op("i32.add")
      .set(table);
    f.get(columns).i32(0).op("i32.gt_s");
  });
  return f;
}
