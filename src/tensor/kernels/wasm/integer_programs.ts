/** @file Sums of products of small integers, as programs for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "./assembler.ts";

/** Elements of 16 bits in a vector: rows are padded to a multiple of it. */
export const INTEGER_STEP = 8;
/** Rows of weights that one step of the kernel takes. */
export const INTEGER_ROWS = 4;

/** dots16(x, ldx, count, w, k, rows, y, ldy): y[j, i] = the sum over p of x[j, p] * w[i, p], for `count` rows of x and `rows` rows of w, a
 * multiple of INTEGER_ROWS, of k elements of 16 bits, a multiple of INTEGER_STEP; sums of 32 bits that wrap around. Strides in
 * bytes; the rows of w lie one behind the other. All counts are at least 1. */
export function dots16Program(): FunctionBuilder {
  const f = new FunctionBuilder("dots16", new Array<"i32">(8).fill("i32"));
  const [x, ldx, count, w, k, rows, y, ldy] = f.parameters;
  const [ldw, row, xp, end, to, left, wp] = f.fresh("i32");
  const at = Array.from({ length: INTEGER_ROWS - 1 }, () => f.local("i32"));
  const acc = Array.from({ length: INTEGER_ROWS }, () => f.local("v128"));
  const [v, low, high] = f.fresh("v128");
  /** Leaves the sums of neighbours: of lanes 0 and 1 and of 2 and 3 of both vectors. */
  const pairs = (a: number, b: number): FunctionBuilder =>
    f.get(a).get(b).shuffle(0, 4, 2, 6).get(a).get(b).shuffle(1, 5, 3, 7).op("i32x4.add");
  f.get(k).i32(1).op("i32.shl").set(ldw);
  f.loop(() => {
    f.get(x).set(row).get(y).set(to).get(count).set(left);
    f.loop(() => {
      f.get(row).set(xp).get(row).get(ldw).op("i32.add").set(end);
      f.get(w).set(wp);
      let before = w;
      for (const next of at) {
        f.get(before).get(ldw).op("i32.add").set(next);
        before = next;
      }
      for (const r of acc) f.zeros().set(r);
      f.loop(() => {
        f.get(xp).memory("v128.load").set(v);
        acc.forEach((r, i) => {
          const from = i === 0 ? wp : at[i - 1]!;
          f.get(r).get(v).get(from).memory("v128.load").op("i32x4.dot_i16x8_s").op("i32x4.add").set(r);
          f.increase(from, { by: 2 * INTEGER_STEP });
        });
        f.increase(xp, { by: 2 * INTEGER_STEP })
          .get(xp)
          .get(end)
          .op("i32.ne");
      });
      pairs(acc[0]!, acc[1]!).set(low);
      pairs(acc[2]!, acc[3]!).set(high);
      f.get(to).get(low).get(high).shuffle(0, 1, 4, 5).get(low).get(high).shuffle(2, 3, 6, 7).op("i32x4.add");
      f.memory("v128.store").increase(to, { byLocal: ldy }).increase(row, { byLocal: ldx });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.get(w)
      .get(ldw)
      .i32(2)
      .op("i32.shl")
      .op("i32.add")
      .set(w)
      .increase(y, { by: 4 * INTEGER_ROWS });
    f.get(rows).i32(INTEGER_ROWS).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
