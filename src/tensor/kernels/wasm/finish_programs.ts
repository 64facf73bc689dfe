/** @file What follows a product or convolution, in one pass: scale, shift, residual, clamp. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** finish(to, ldto, from, ldfrom, rows, columns, residual, scale, shift, low, high): to = clamp(from * scale + shift + residual) for
 * `rows` rows of `columns` elements; residual lies as `to` does, or is 0. Strides in bytes; rows and columns at least 1.
 * Rows of four and more elements end in a vector that overlaps the one before it, so `to` must not overlap what is read. */
export function finishProgram(): FunctionBuilder {
  const f = new FunctionBuilder("finish", [...new Array<"i32">(7).fill("i32"), "f32", "f32", "f32", "f32"]);
  const [to, ldto, from, ldfrom, rows, columns, residual, scale, shift, low, high] = f.parameters;
  const [at, last, step] = f.fresh("i32");
  const [vScale, vShift, vLow, vHigh, x] = f.fresh("v128");
  for (const [scalar, vector] of [
    [scale, vScale],
    [shift, vShift],
    [low, vLow],
    [high, vHigh],
  ] as const)
    f.get(scalar).op("f32x4.splat").set(vector);
  f.get(columns).i32(2).op("i32.shl").set(columns);
  const value = (load: "v128.load" | "v128.load32_splat"): void => {
    f.get(from).get(at).op("i32.add").memory(load).get(vScale).op("f32x4.mul").get(vShift).op("f32x4.add").set(x);
    f.get(residual).when(() => {
      f.get(residual).get(at).op("i32.add").memory(load).get(x).op("f32x4.add").set(x);
    });
    // pmax and pmin keep x where it is not a number
    f.get(x).get(vLow).op("f32x4.pmax").get(vHigh).op("f32x4.pmin").set(x);
  };
  f.loop(() => {
    f.i32(0).set(at);
    f.get(columns)
      .i32(16)
      .op("i32.ge_u")
      .when(() => {
        f.get(columns).i32(16).op("i32.sub").set(last);
        f.loop(() => {
          value("v128.load");
          f.get(to).get(at).op("i32.add").get(x).memory("v128.store");
          // step = min(16, last - at)
          f.get(last).get(at).op("i32.sub").set(step);
          f.i32(16).get(step).get(step).i32(16).op("i32.gt_s").op("select").set(step);
          f.get(at).get(step).op("i32.add").set(at).get(step);
        });
        f.get(columns).set(at);
      });
    f.get(at)
      .get(columns)
      .op("i32.ne")
      .when(() => {
        f.loop(() => {
          value("v128.load32_splat");
          f.get(to).get(at).op("i32.add").get(x).extractLane(0).memory("f32.store");
          f.increase(at, { by: 4 }).get(at).get(columns).op("i32.ne");
        });
      });
    f.increase(to, { byLocal: ldto }).increase(from, { byLocal: ldfrom });
    f.get(residual).when(() => f.increase(residual, { byLocal: ldto }));
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
