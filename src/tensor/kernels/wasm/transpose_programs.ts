/** @file Transposed copies, as programs for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Four vectors become the columns of what they were; both in locals. */
export function transposeFour(f: FunctionBuilder, rows: readonly number[], pairs: readonly number[]): void {
  for (const half of [0, 1])
    for (const pair of [0, 1])
      f.get(rows[2 * pair]!)
        .get(rows[2 * pair + 1]!)
        .shuffle(2 * half, 4 + 2 * half, 2 * half + 1, 5 + 2 * half)
        .set(pairs[2 * half + pair]!);
  rows.forEach((row, r) => {
    const lane = 2 * (r & 1);
    f.get(pairs[r & 2]!)
      .get(pairs[(r & 2) + 1]!)
      .shuffle(lane, lane + 1, 4 + lane, 5 + lane)
      .set(row);
  });
}

/** Four locals for vectors. */
export const fourVectors = (f: FunctionBuilder): number[] => Array.from({ length: 4 }, () => f.local("v128"));

/** transpose(to, ldto, from, ldfrom, rows, columns): `rows` rows of `columns` elements of four bytes, at least 4 each, become columns of as many
 * rows. The last four of each overlap those before. */
export function transposeProgram(): FunctionBuilder {
  const f = new FunctionBuilder("transpose", new Array<"i32">(6).fill("i32"));
  const [to, ldto, from, ldfrom, rows, columns] = f.parameters;
  const [source, target, left, move, at] = f.fresh("i32");
  const behind = [ldto, ldfrom].map((ld) => {
    const [two, three] = [f.local("i32"), f.local("i32")];
    f.get(ld).i32(1).op("i32.shl").set(two).get(two).get(ld).op("i32.add").set(three);
    return [undefined, ld, two, three] as const;
  });
  const [vectors, pairs] = [fourVectors(f), fourVectors(f)];
  const address = (base: number, side: 0 | 1, r: number): FunctionBuilder => {
    const offset = behind[side]![r];
    f.get(base);
    return offset === undefined ? f : f.get(offset).op("i32.add");
  };
  /** count -= 4; move = what is left, at most four. */
  const advance = (count: number): FunctionBuilder => {
    f.increase(count, { by: -4 });
    return f.i32(4).get(count).get(count).i32(4).op("i32.gt_s").op("select").set(move);
  };
  const again = (count: number): FunctionBuilder => f.get(count).i32(0).op("i32.gt_s");
  f.loop(() => {
    f.get(from).set(source).get(to).set(target).get(rows).set(left);
    f.loop(() => {
      vectors.forEach((vector, r) => address(source, 1, r).memory("v128.load").set(vector));
      transposeFour(f, vectors, pairs);
      vectors.forEach((vector, r) => address(target, 0, r).get(vector).memory("v128.store"));
      advance(left).get(move).get(ldfrom).op("i32.mul").set(at);
      f.increase(source, { byLocal: at }).get(move).i32(2).op("i32.shl").set(at).increase(target, { byLocal: at });
      again(left);
    });
    advance(columns).get(move).get(ldto).op("i32.mul").set(at);
    f.increase(to, { byLocal: at }).get(move).i32(2).op("i32.shl").set(at).increase(from, { byLocal: at });
    again(columns);
  });
  return f;
}
