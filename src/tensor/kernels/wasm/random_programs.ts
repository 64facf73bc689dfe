/** @file Normal random numbers as a program for the assembler. Upstream: aten/src/ATen/native/cpu/DistributionTemplates.h, avx_mathfun.h; Cephes logf.c, sinf.c. Spec: none.
 *
 * The polynomials are those of math/cephes_float.ts, and so are the bits: every fused multiply-add rounds once. Without that instruction
 * numbers are doubles that are rounded to float32 after every operation. */
import { COS, FOUR_OVER_PI, LN2_HIGH, LN2_LOW, LOG, PI4, SIN, SQRT_HALF } from "../../math/cephes_float.ts";
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** The kernels of this file. */
export interface RandomKernels {
  boxMuller(values: number, blocks: number, mean: number, std: number): void;
}

/** Bytes of half a block, whose elements belong to those of the other half: two vectors. */
const HALF_BYTES = 32;
const MANTISSA = 0x007fffff;
const HALF_BITS = 0x3f000000;

/** Two vectors of float32, or of integers. */
type Pair = readonly [number, number];
/** Eight numbers: a pair, or four vectors of doubles. */
type Eight = readonly number[];

/** Arithmetic on eight numbers, each operation rounded to float32. */
class Lanes {
  private readonly f: FunctionBuilder;
  private readonly fused: boolean;

  constructor(f: FunctionBuilder, fused: boolean) {
    this.f = f;
    this.fused = fused;
  }

  /** The number on the stack in all places. */
  splat(): Eight {
    const { f, fused } = this;
    const local = f.local("v128");
    f.op("f32x4.splat");
    if (!fused) f.op("f64x2.promote_low_f32x4");
    f.set(local);
    return new Array<number>(fused ? 2 : 4).fill(local);
  }

  constant(value: number): Eight {
    this.f.f32(value);
    return this.splat();
  }

  enter(from: Pair): Eight {
    const { f, fused } = this;
    if (fused) return from;
    return from.flatMap((v) => {
      const [low, high] = f.fresh("v128");
      f.get(v).op("f64x2.promote_low_f32x4").set(low);
      f.get(v).get(v).shuffle(2, 3, 2, 3).op("f64x2.promote_low_f32x4").set(high);
      return [low, high];
    });
  }

  leave(from: Eight): Pair {
    const { f, fused } = this;
    if (fused) return from as Pair;
    return pair(f, (i) => {
      f.get(from[2 * i]!)
        .op("f32x4.demote_f64x2_zero")
        .get(from[2 * i + 1]!)
        .op("f32x4.demote_f64x2_zero");
      f.shuffle(0, 1, 4, 5);
    });
  }

  binary(op: "add" | "mul", a: Eight, b: Eight): Eight {
    return a.map((v, i) => {
      this.f
        .get(v)
        .get(b[i]!)
        .op(`${this.fused ? "f32x4" : "f64x2"}.${op}`);
      return this.rounded();
    });
  }

  /** a * b + c. */
  fma(a: Eight, b: Eight, c: Eight): Eight {
    return a.map((v, i) => {
      this.f.get(v).get(b[i]!);
      if (this.fused) this.f.get(c[i]!).op("f32x4.relaxed_madd");
      else this.f.op("f64x2.mul").get(c[i]!).op("f64x2.add");
      return this.rounded();
    });
  }

  private rounded(): number {
    const to = this.f.local("v128");
    if (!this.fused) this.f.op("f32x4.demote_f64x2_zero").op("f64x2.promote_low_f32x4");
    this.f.set(to);
    return to;
  }

  /** Horner's scheme, from the highest coefficient; yields between steps. */
  *polynomial(x: Eight, coefficients: readonly Eight[]): Generator<void, Eight> {
    let y = coefficients[0]!;
    for (const c of coefficients.slice(1)) {
      y = this.fma(y, x, c);
      yield;
    }
    return y;
  }
}

/** What `body` leaves on the stack for each of two vectors. */
function pair(f: FunctionBuilder, body: (i: 0 | 1) => void): Pair {
  const one = (i: 0 | 1): number => {
    const to = f.local("v128");
    body(i);
    f.set(to);
    return to;
  };
  return [one(0), one(1)];
}

/** Results of two chains of operations, which are written by turns: neither waits for itself alone. */
function inTurns<A, B>(first: Generator<void, A>, second: Generator<void, B>): [A, B] {
  for (;;) {
    const a = first.next();
    const b = second.next();
    if (a.done && b.done) return [a.value, b.value];
    if (a.done || b.done) return finishBoth(a, first, b, second);
  }
}

/** The rest of the longer of two chains. */
function finishBoth<A, B>(
  a: IteratorResult<void, A>,
  first: Generator<void, A>,
  b: IteratorResult<void, B>,
  second: Generator<void, B>,
): [A, B] {
  while (!a.done) a = first.next();
  while (!b.done) b = second.next();
  return [a.value, b.value];
}

/**
 * boxMuller(values, blocks, mean, std): uniform numbers in [0, 1) become normal ones, in place: blocks of 16, of which the first eight go with the
 * last eight; at least one block.
 */
export function boxMullerProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("boxMuller", ["i32", "i32", "f32", "f32"]);
  const [values, blocks, mean, std] = f.parameters;
  const lanes = new Lanes(f, fused);
  const float = (value: number): number => {
    const local = f.local("v128");
    f.f32(value).op("f32x4.splat").set(local);
    return local;
  };
  const bits = (value: number): number => {
    const local = f.local("v128");
    f.i32(value).op("i32x4.splat").set(local);
    return local;
  };
  const table = (coefficients: Float32Array): Eight[] => Array.from(coefficients, (c) => lanes.constant(c));
  const [logs, cosines, sines, parts] = [table(LOG), table(COS), table(SIN), table(PI4)];
  const [minusHalf, unit] = [lanes.constant(-0.5), lanes.constant(1)];
  const [ln2Low, ln2High] = [lanes.constant(LN2_LOW), lanes.constant(LN2_HIGH)];
  f.get(mean);
  const shift = lanes.splat();
  f.get(std);
  const scale = lanes.splat();
  const [one, sqrtHalf, minusTwo] = [float(1), float(SQRT_HALF), float(-2)];
  const [twoPi, fourOverPi] = [float(2 * Math.PI), float(FOUR_OVER_PI)];
  const [mantissa, half, bias] = [bits(MANTISSA), bits(HALF_BITS), bits(126)];
  const [first, second, even, four] = [bits(1), bits(2), bits(~1), bits(4)];

  /** The logarithm of a pair: see logFloat. */
  function* logarithm(u: Pair): Generator<void, Pair> {
    const start = pair(f, (i) => f.get(u[i]).get(mantissa).op("v128.and").get(half).op("v128.or"));
    const isLow = pair(f, (i) => f.get(start[i]).get(sqrtHalf).op("f32x4.lt"));
    const exponent = pair(f, (i) => {
      f.get(u[i]).i32(23).op("i32x4.shr_s").get(bias).op("i32x4.sub");
      f.get(isLow[i]).op("i32x4.add").op("f32x4.convert_i32x4_s");
    });
    const reduced = pair(f, (i) => {
      f.get(start[i]).get(one).op("f32x4.sub");
      f.get(start[i]).get(isLow[i]).op("v128.and").op("f32x4.add");
    });
    const [x, e] = [lanes.enter(reduced), lanes.enter(exponent)];
    yield;
    const z = lanes.binary("mul", x, x);
    let y = yield* lanes.polynomial(x, logs);
    y = lanes.binary("mul", y, x);
    yield;
    y = lanes.fma(y, z, lanes.binary("mul", e, ln2Low));
    yield;
    y = lanes.binary("add", x, lanes.fma(minusHalf, z, y));
    yield;
    return lanes.leave(lanes.fma(e, ln2High, y));
  }

  /** Sine and cosine of a pair that is not negative: see sinCosFloat. */
  function* sineAndCosine(theta: Pair): Generator<void, { readonly sine: Pair; readonly cosine: Pair }> {
    const octant = pair(f, (i) => {
      f.get(theta[i]).get(fourOverPi).op("f32x4.mul").op("i32x4.trunc_sat_f32x4_s");
      f.get(first).op("i32x4.add").get(even).op("v128.and");
    });
    const octants = lanes.enter(pair(f, (i) => f.get(octant[i]).op("f32x4.convert_i32x4_s")));
    let x = lanes.enter(theta);
    yield;
    for (const part of parts) {
      x = lanes.fma(octants, part, x);
      yield;
    }
    const z = lanes.binary("mul", x, x);
    yield;
    const c = lanes.binary("mul", yield* lanes.polynomial(z, cosines), z);
    const s = lanes.binary("mul", yield* lanes.polynomial(z, sines), z);
    yield;
    const plainCosine = lanes.leave(lanes.binary("add", lanes.fma(c, z, lanes.binary("mul", minusHalf, z)), unit));
    const plainSine = lanes.leave(lanes.fma(s, x, x));
    yield;
    const isSwapped = pair(f, (i) => f.get(octant[i]).i32(30).op("i32x4.shl").i32(31).op("i32x4.shr_s"));
    /** One of the two, the other where they are swapped, with the sign on the stack. */
    const chosen = (i: 0 | 1, a: Pair, b: Pair): void => {
      f.i32(29).op("i32x4.shl");
      f.get(b[i]).get(a[i]).get(isSwapped[i]).op("v128.bitselect").op("v128.xor");
    };
    const sine = pair(f, (i) => {
      f.get(octant[i]).get(four).op("v128.and");
      chosen(i, plainSine, plainCosine);
    });
    const cosine = pair(f, (i) => {
      f.get(octant[i]).get(second).op("i32x4.sub").get(four).op("v128.and").get(four).op("v128.xor");
      chosen(i, plainCosine, plainSine);
    });
    return { sine, cosine };
  }

  f.loop(() => {
    const load = (i: number, from: number): FunctionBuilder => f.get(values).memory("v128.load", from + 16 * i);
    const u = pair(f, (i) => {
      f.get(one);
      load(i, 0).op("f32x4.sub");
    });
    const theta = pair(f, (i) => load(i, HALF_BYTES).get(twoPi).op("f32x4.mul"));
    const [log, { sine, cosine }] = inTurns(logarithm(u), sineAndCosine(theta));
    const radius = pair(f, (i) => f.get(log[i]).get(minusTwo).op("f32x4.mul").op("f32x4.sqrt"));
    [cosine, sine].forEach((wave, part) => {
      const standard = pair(f, (i) => f.get(radius[i]).get(wave[i]).op("f32x4.mul"));
      lanes.leave(lanes.fma(lanes.enter(standard), scale, shift)).forEach((v, i) =>
        f
          .get(values)
          .get(v)
          .memory("v128.store", HALF_BYTES * part + 16 * i),
      );
    });
    f.increase(values, { by: 2 * HALF_BYTES });
    f.get(blocks).i32(1).op("i32.sub").set(blocks).get(blocks);
  });
  return f;
}
