/** @file Vectors of float32 in locals, combined by small expressions. Upstream: none. Spec: none. */
import type { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Vectors in the locals of a function. */
export class Vectors {
  readonly f: FunctionBuilder;
  private readonly fused: boolean;
  private readonly constants = new Map<number, number>();

  /** @param fused whether there is a fused multiply-add. */
  constructor(f: FunctionBuilder, fused: boolean) {
    this.f = f;
    this.fused = fused;
  }

  /** A local that holds a constant in all lanes; made at the function's start. */
  constant(value: number): number {
    let local = this.constants.get(value);
    if (local === undefined) {
      local = this.f.local("v128");
      this.constants.set(value, local);
      this.f.f32(value).op("f32x4.splat").set(local);
    }
    return local;
  }

  /** Makes constants: at the function's start, not in a loop. */
  prepare(values: readonly number[]): void {
    for (const value of values) this.constant(value);
  }

  fresh(): number {
    return this.f.local("v128");
  }

  /** out = a op b. */
  combine(out: number, op: "f32x4.add" | "f32x4.sub", a: number, b: number): void {
    this.f.get(a).get(b).op(op).set(out);
  }

  /** out = base + sign * factor * x. */
  scaled(out: number, base: number, sign: 1 | -1, factor: number, x: number): void {
    const by = this.constant(factor);
    if (this.fused) {
      const op = sign === 1 ? "f32x4.relaxed_madd" : "f32x4.relaxed_nmadd";
      this.f.get(x).get(by).get(base).op(op).set(out);
      return;
    }
    this.f
      .get(base)
      .get(x)
      .get(by)
      .op("f32x4.mul")
      .op(sign === 1 ? "f32x4.add" : "f32x4.sub")
      .set(out);
  }

  /** plus, minus = base +- factor * x; they are neither each other nor `base`. */
  plusAndMinus(plus: number, minus: number, base: number, factor: number, x: number): void {
    if (this.fused) {
      this.scaled(plus, base, 1, factor, x);
      this.scaled(minus, base, -1, factor, x);
      return;
    }
    this.times(minus, factor, x);
    this.combine(plus, "f32x4.add", base, minus);
    this.combine(minus, "f32x4.sub", base, minus);
  }

  /** out = factor * x. */
  times(out: number, factor: number, x: number): void {
    this.f.get(x).get(this.constant(factor)).op("f32x4.mul").set(out);
  }
}
