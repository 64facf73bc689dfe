/** @file Products of float64 matrices and functions of float64 arrays, as programs for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { Doubles } from "./wide_code.ts";

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

/** Functions of two float64 arrays, by the instruction that does it. */
export const DOUBLE_BINARY = { add: "f64x2.add", sub: "f64x2.sub", mul: "f64x2.mul", div: "f64x2.div" } as const;
/** Name of a function of float64 arrays. */
export type DoubleMap = keyof typeof DOUBLE_BINARY | "exp";
export const DOUBLE_MAPS = [...Object.keys(DOUBLE_BINARY), "exp"] as DoubleMap[];

/** Vectors of one step. */
const UNROLLED = 4;
/** Elements of one step. */
export const DOUBLE_STEP = 2 * UNROLLED;

/** name(to, a, aStep, b, bStep, steps, table): `steps` times DOUBLE_STEP elements; a step of 0 bytes, instead of 16, reads the same vector again. */
export function doubleMapProgram(name: DoubleMap, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(7).fill("i32"));
  const [to, a, aStep, b, bStep, steps, table] = f.parameters;
  if (name === "exp") {
    const v = new Doubles(f, table, fused, a);
    const x = f.local("v128");
    f.get(steps).i32(UNROLLED).op("i32.mul").set(steps);
    f.loop(() => {
      f.get(a).memory("v128.load").set(x).increase(a, { byLocal: aStep });
      const y = v.expDouble(x);
      f.get(to).get(y).memory("v128.store").increase(to, { by: 16 });
      f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
    });
    return f;
  }
  f.loop(() => {
    for (let i = 0; i < UNROLLED; i++) {
      f.get(to).get(a).memory("v128.load").get(b).memory("v128.load").op(DOUBLE_BINARY[name]);
      f.memory("v128.store", 16 * i);
      f.increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    }
    f.increase(to, { by: 16 * UNROLLED });
    f.get(steps).i32(1).op("i32.sub").set(steps).get(steps);
  });
  return f;
}
