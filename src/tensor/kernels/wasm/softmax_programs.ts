/** @file Softmax and log-softmax of rows and of columns, as programs for the assembler. Upstream: none. Spec: none. See Note [Vector functions]. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { COUNTED_BYTES, Vectors } from "./vector_programs.ts";

/**
 * softmax(to, ldto, from, ldfrom, rows, columns, table), logSoftmax likewise: softmax of `rows` rows of `columns` elements, at least 4, strides in
 * bytes; `to` may be `from`. A row ends in a vector that overlaps the one before it, of which only the elements that are left count.
 */
export function softmaxProgram(fused: boolean, isLog: boolean): FunctionBuilder {
  const f = new FunctionBuilder(isLog ? "logSoftmax" : "softmax", new Array<"i32">(7).fill("i32"));
  const [to, ldto, from, ldfrom, rows, columns, table] = f.parameters;
  const [at, out, end, last] = f.fresh("i32");
  const [most, sum, x, a, b, tail, log] = f.fresh("v128");
  const v = new Vectors(f, table, fused);
  /** Runs `body` for the whole vectors of the row, with their places in `at` and `out`. */
  const everyVector = (body: () => void): void => {
    f.get(from).set(at).get(to).set(out);
    f.loop(() => {
      body();
      f.increase(at, { by: 16 }).increase(out, { by: 16 }).get(at).get(end).op("i32.ne");
    });
  };
  /** Combines the four lanes of a vector in all lanes. */
  const across = (vector: number, op: "f32x4.pmax" | "f32x4.add"): void => {
    f.get(vector).get(vector).get(vector).shuffle(2, 3, 0, 1).op(op).set(vector);
    f.get(vector).get(vector).get(vector).shuffle(1, 0, 3, 2).op(op).set(vector);
  };
  const exponential = (): void => {
    f.get(x).get(most).op("f32x4.sub").set(x);
    v.expNormal(x, a, b);
  };
  const atLast = (start: number): FunctionBuilder => f.get(start).get(last).op("i32.add");
  f.loop(() => {
    f.get(from).get(columns).i32(-4).op("i32.and").i32(2).op("i32.shl").op("i32.add").set(end);
    f.get(columns).i32(4).op("i32.sub").i32(2).op("i32.shl").set(last);
    atLast(from).memory("v128.load").set(tail);
    // an element that is not a number may be passed over here: it makes the sum not a number
    f.get(tail).set(most);
    everyVector(() => f.get(most).get(at).memory("v128.load").op("f32x4.pmax").set(most));
    across(most, "f32x4.pmax");
    f.zeros().set(sum);
    everyVector(() => {
      f.get(at).memory("v128.load").set(x);
      exponential();
      if (!isLog) f.get(out).get(x).memory("v128.store");
      f.get(sum).get(x).op("f32x4.add").set(sum);
    });
    f.get(columns)
      .i32(3)
      .op("i32.and")
      .when(() => {
        f.get(tail).set(x);
        exponential();
        if (!isLog) atLast(to).get(x).memory("v128.store");
        f.get(sum).get(x).get(table).get(columns).i32(3).op("i32.and").i32(2).op("i32.shl").op("i32.add");
        f.memory("v128.load", COUNTED_BYTES).op("f32x4.mul").op("f32x4.add").set(sum);
      });
    across(sum, "f32x4.add");
    if (isLog) {
      v.log(sum, log, [a, b, x]);
      const finish = (value: () => void): FunctionBuilder => {
        value();
        return f.get(most).op("f32x4.sub").get(log).op("f32x4.sub");
      };
      everyVector(() => {
        f.get(out);
        finish(() => f.get(at).memory("v128.load")).memory("v128.store");
      });
      atLast(to);
      finish(() => f.get(tail)).memory("v128.store");
    } else {
      v.constant("one").get(sum).op("f32x4.div").set(sum);
      atLast(to).memory("v128.load").set(tail);
      everyVector(() => f.get(out).get(out).memory("v128.load").get(sum).op("f32x4.mul").memory("v128.store"));
      atLast(to).get(tail).get(sum).op("f32x4.mul").memory("v128.store");
    }
    f.increase(from, { byLocal: ldfrom }).increase(to, { byLocal: ldto });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/**
 * softmaxColumns(to, from, ld, rows, columns, table), logSoftmaxColumns likewise: softmax of `columns` columns, at least 4, of `rows` elements that are
 * `ld` bytes apart in both; `to` must not overlap `from`. The last four columns overlap those before.
 */
export function softmaxColumnsProgram(fused: boolean, isLog: boolean): FunctionBuilder {
  const f = new FunctionBuilder(isLog ? "logSoftmaxColumns" : "softmaxColumns", new Array<"i32">(6).fill("i32"));
  const [to, from, ld, rows, columns, table] = f.parameters;
  const [at, out, left, move] = f.fresh("i32");
  const [most, sum, x, a, b, log] = f.fresh("v128");
  const v = new Vectors(f, table, fused);
  const everyRow = (body: () => void): void => {
    f.get(from).set(at).get(to).set(out).get(rows).set(left);
    f.loop(() => {
      body();
      f.increase(at, { byLocal: ld }).increase(out, { byLocal: ld });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
  };
  f.loop(() => {
    f.get(from).memory("v128.load").set(most).zeros().set(sum);
    everyRow(() => f.get(most).get(at).memory("v128.load").op("f32x4.pmax").set(most));
    everyRow(() => {
      f.get(at).memory("v128.load").get(most).op("f32x4.sub").set(x);
      v.expNormal(x, a, b);
      if (!isLog) f.get(out).get(x).memory("v128.store");
      f.get(sum).get(x).op("f32x4.add").set(sum);
    });
    if (isLog) {
      v.log(sum, log, [a, b, x]);
      everyRow(() => {
        f.get(out).get(at).memory("v128.load").get(most).op("f32x4.sub").get(log).op("f32x4.sub").memory("v128.store");
      });
    } else {
      v.constant("one").get(sum).op("f32x4.div").set(sum);
      everyRow(() => f.get(out).get(out).memory("v128.load").get(sum).op("f32x4.mul").memory("v128.store"));
    }
    // move = the columns that are left, at most four
    f.increase(columns, { by: -4 });
    f.i32(4).get(columns).get(columns).i32(4).op("i32.gt_s").op("select").i32(2).op("i32.shl").set(move);
    f.increase(from, { byLocal: move }).increase(to, { byLocal: move }).get(columns).i32(0).op("i32.gt_s");
  });
  return f;
}
