/** @file Products of float64 matrices, as a program for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "./assembler.ts";

/** Rows and columns of a tile of the result; a panel of an operand has an element of each, one after the other. */
export const DOUBLE_TILE = 4;

/** product64(a, b, c, ldc, k, panels): four rows of c, `ldc` bytes apart, from a panel of `a` and `panels` panels of `b`, one behind the
 * other; panels are k groups of DOUBLE_TILE elements. Every sum is made in order, multiplied and added apart: the bits of plain loops. */
export function product64Program(): FunctionBuilder {
  const f = new FunctionBuilder("product64", new Array<"i32">(6).fill("i32"));
  const [a, b, c, ldc, k, panels] = f.parameters;
  const [ap, left, to] = f.fresh("i32");
  const [b0, b1, y] = f.fresh("v128");
  const acc = Array.from({ length: 2 * DOUBLE_TILE }, () => f.local("v128"));
  f.loop(() => {
    for (const sum of acc) f.zeros().set(sum);
    f.get(a).set(ap).get(k).set(left);
    f.loop(() => {
      f.get(b).memory("v128.load").set(b0).get(b).memory("v128.load", 16).set(b1);
      for (let r = 0; r < DOUBLE_TILE; r++) {
        f.get(ap)
          .memory("v128.load64_splat", 8 * r)
          .set(y);
        [b0, b1].forEach((x, half) => {
          const sum = acc[2 * r + half]!;
          f.get(sum).get(y).get(x).op("f64x2.mul").op("f64x2.add").set(sum);
        });
      }
      f.increase(ap, { by: 8 * DOUBLE_TILE }).increase(b, { by: 8 * DOUBLE_TILE });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.get(c).set(to);
    for (let r = 0; r < DOUBLE_TILE; r++) {
      f.get(to)
        .get(acc[2 * r]!)
        .memory("v128.store");
      f.get(to)
        .get(acc[2 * r + 1]!)
        .memory("v128.store", 16);
      f.increase(to, { byLocal: ldc });
    }
    f.increase(c, { by: 8 * DOUBLE_TILE });
    f.get(panels).i32(1).op("i32.sub").set(panels).get(panels);
  });
  return f;
}
