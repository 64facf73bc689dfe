/** @file Sums over rows and columns of what elements are away from a number: squares, exponentials; where an extremum is. Programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Centred sums]: variances and log-sum-exps take a first pass for the mean or the maximum, and a second one here for the
 * sum of squares of differences from it, or of their exponentials. Both are double precision, as in the reference. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { Doubles } from "./wide_code.ts";

/** What is summed of the differences. */
export const CENTERED_SUMS = ["squares", "exponentials"] as const;
/** Name of such a sum. */
export type CenteredSum = (typeof CENTERED_SUMS)[number];

/** Keeps what is summed of the elements x, two doubles, around the numbers `center`. */
function term(v: Doubles, kind: CenteredSum, x: number, center: number): number {
  const { f } = v;
  const difference = v.keep(() => f.get(x).get(center).op("f64x2.sub"));
  return kind === "exponentials" ? v.exp(difference) : v.keep(() => f.get(difference).get(difference).op("f64x2.mul"));
}

/** kindRows(x, rows, columns, ld, y, centers, table): y[r] = the sum over row r, `ld` bytes apart, around centers[r]; both have 8 bytes a row. Counts are at least 1. */
export function centeredRowsProgram(kind: CenteredSum, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Rows`, new Array<"i32">(7).fill("i32"));
  const [x, rows, columns, ld, y, centers, table] = f.parameters;
  const v = new Doubles(f, table, fused, x);
  const [at, wide, end] = f.fresh("i32");
  const [pair, center] = f.fresh("v128");
  const sums = Array.from({ length: kind === "squares" ? 4 : 1 }, () => f.local("v128"));
  const step = 2 * sums.length;
  /** Runs `body` while `at` is not `until`. */
  const upTo = (until: number, elements: number, body: () => void): void => {
    f.get(at).get(until).op("i32.ne");
    f.when(() =>
      f.loop(() => {
        body();
        f.increase(at, { by: 4 * elements })
          .get(at)
          .get(until)
          .op("i32.ne");
      }),
    );
  };
  f.loop(() => {
    for (const sum of sums) f.zeros().set(sum);
    f.get(centers).memory("v128.load64_splat").set(center).increase(centers, { by: 8 });
    f.get(x).set(at).get(x).get(columns).i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(x).get(columns).i32(-step).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wide);
    upTo(wide, step, () => {
      sums.forEach((sum, i) => {
        f.get(at)
          .memory("v128.load64_zero", 8 * i)
          .op("f64x2.promote_low_f32x4")
          .set(pair);
        const some = term(v, kind, pair, center);
        f.get(sum).get(some).op("f64x2.add").set(sum);
      });
    });
    upTo(end, 1, () => {
      f.get(at).memory("v128.load32_zero").op("f64x2.promote_low_f32x4").set(pair);
      const one = term(v, kind, pair, center);
      // the second of the pair is no element
      f.get(sums[0]!).get(one).zeros().shuffle(0, 1, 4, 5).op("f64x2.add").set(sums[0]!);
    });
    const [first, ...others] = sums as [number, ...number[]];
    for (const sum of others) f.get(first).get(sum).op("f64x2.add").set(first);
    f.get(y).get(first).get(first).get(first).shuffle(2, 3, 0, 1).op("f64x2.add").storeLow();
    f.increase(y, { by: 8 }).increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** kindColumns(x, rows, columns, ld, y, centers, table): adds every row to y, around the centers of the columns; both have 8 bytes a column, and room for an even number. */
export function centeredColumnsProgram(kind: CenteredSum, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Columns`, new Array<"i32">(7).fill("i32"));
  const [x, rows, columns, ld, y, centers, table] = f.parameters;
  const v = new Doubles(f, table, fused, x);
  const [at, to, from, left] = f.fresh("i32");
  const [pair, center] = f.fresh("v128");
  f.loop(() => {
    f.get(x).set(at).get(y).set(to).get(centers).set(from).get(columns).set(left);
    f.loop(() => {
      f.get(at).memory("v128.load64_zero").op("f64x2.promote_low_f32x4").set(pair);
      f.get(from).memory("v128.load").set(center);
      const some = term(v, kind, pair, center);
      f.get(to).get(to).memory("v128.load").get(some).op("f64x2.add").memory("v128.store");
      f.increase(at, { by: 8 }).increase(to, { by: 16 }).increase(from, { by: 16 });
      f.get(left).i32(2).op("i32.sub").set(left).get(left).i32(0).op("i32.gt_s");
    });
    f.increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** findRows(x, rows, columns, ld, wanted, to): to[r] = the first column of row r, `ld` bytes apart, whose element equals wanted[r] or is not a number; there is one. */
export function findRowsProgram(): FunctionBuilder {
  const f = new FunctionBuilder("findRows", new Array<"i32">(6).fill("i32"));
  const [x, rows, columns, ld, wanted, to] = f.parameters;
  const [at, wide] = f.fresh("i32");
  const [value, some, found] = f.fresh("v128");
  const one = f.local("f32");
  f.loop(() => {
    f.get(wanted).memory("v128.load32_splat").set(value);
    f.get(x).set(at).get(x).get(columns).i32(-16).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(wide);
    f.leavableLoop((leave) => {
      f.get(at).get(wide).op("i32.eq");
      leave();
      f.zeros().set(found);
      for (let i = 0; i < 4; i++) {
        f.get(at)
          .memory("v128.load", 16 * i)
          .set(some);
        f.get(found).get(some).get(value).op("f32x4.eq").op("v128.or");
        f.get(some).get(some).op("f32x4.ne").op("v128.or").set(found);
      }
      f.get(found).op("v128.any_true");
      leave();
      f.increase(at, { by: 64 }).i32(1);
    });
    f.leavableLoop((leave) => {
      f.get(at).memory("f32.load").set(one);
      f.get(one).get(wanted).memory("f32.load").op("f32.eq");
      leave();
      f.get(one).get(one).op("f32.ne");
      leave();
      f.increase(at, { by: 4 }).i32(1);
    });
    f.get(to).get(at).get(x).op("i32.sub").i32(2).op("i32.shr_u").memory("i32.store");
    f.increase(to, { by: 4 }).increase(wanted, { by: 4 }).increase(x, { byLocal: ld });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** maxWhere(x, rows, columns, ld, best, where, first): where a row has a larger element than best, or the first that is not a number, it goes there and the
 * row's number to `where`: `first`, and so on. Both have 4 bytes a column, and room for a multiple of 4. minWhere: a smaller one. */
export function whereColumnsProgram(kind: "max" | "min"): FunctionBuilder {
  const f = new FunctionBuilder(`${kind}Where`, new Array<"i32">(7).fill("i32"));
  const [x, rows, columns, ld, best, where, first] = f.parameters;
  const [offset, bytes] = f.fresh("i32");
  const [value, old, isBetter, number] = f.fresh("v128");
  f.get(columns).i32(2).op("i32.shl").set(bytes);
  f.loop(() => {
    f.get(first).op("i32x4.splat").set(number).i32(0).set(offset);
    f.loop(() => {
      const place = (base: number): FunctionBuilder => f.get(base).get(offset).op("i32.add");
      place(x).memory("v128.load").set(value);
      place(best).memory("v128.load").set(old);
      f.get(value)
        .get(old)
        .op(kind === "max" ? "f32x4.le" : "f32x4.ge")
        .op("v128.not")
        .get(old)
        .get(old);
      f.op("f32x4.eq").op("v128.and").set(isBetter);
      place(best).get(value).get(old).get(isBetter).op("v128.bitselect").memory("v128.store");
      place(where).get(number);
      place(where).memory("v128.load").get(isBetter).op("v128.bitselect").memory("v128.store");
      f.increase(offset, { by: 16 }).get(offset).get(bytes).op("i32.lt_s");
    });
    f.increase(x, { byLocal: ld }).increase(first, { by: 1 });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
