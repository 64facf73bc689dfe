/** @file Functions of float32 elements that are computed in double precision, two elements at a time, as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Wide functions]: a float32 element becomes a double, the result is rounded once. Polynomials are fitted to 2^-41 and better, relative
 * to the result, so that it is the nearest float32 but for one in some thousand elements, at most 0.501 units in the last place off:
 * what the functions of Math gave, rounded. In doubles no float32 is a denormal, none of the steps overflows, and two parts of pi are enough
 * for angles up to `mostDirect`; beyond, the digits of 1 / pi that matter are looked up by the angle's exponent. Polynomials are summed in pairs of pairs
 * (Estrin), as otherwise every step would wait for the one before it. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { Doubles } from "./wide_code.ts";

/** Functions of one element, by the module that they are in. */
export const TRIGONOMETRIC_VECTORS = ["sin", "cos", "tan"] as const;
export const ANGLE_VECTORS = ["atan", "asin", "acos"] as const;
export const LOGARITHM_VECTORS = ["log1p", "log2", "log10", "asinh", "acosh", "atanh"] as const;
export const POWER_VECTORS = ["exp2", "expm1", "sinh", "cosh"] as const;
export const WIDE_VECTORS = [
  ...TRIGONOMETRIC_VECTORS,
  ...ANGLE_VECTORS,
  ...LOGARITHM_VECTORS,
  ...POWER_VECTORS,
] as const;
/** Functions of two elements, likewise. */
export const ANGLE_PAIRS = ["atan2", "hypot"] as const;
export const POWER_PAIRS = ["pow"] as const;
export const MODULUS_PAIRS = ["fmod", "remainder"] as const;
export const WIDE_PAIRS = [...ANGLE_PAIRS, ...POWER_PAIRS, ...MODULUS_PAIRS] as const;
/** Name of such a function. */
export type WideVector = (typeof WIDE_VECTORS)[number];
export type WidePair = (typeof WIDE_PAIRS)[number];

type Body = (v: Doubles, x: number) => number;

/** The sine of up to half a turn; the sign is the low bit of n. */
function signedSine(v: Doubles, r: number, n: number): number {
  const { f } = v;
  const z = v.keep(() => f.get(r).get(r).op("f64x2.mul"));
  return v.keep(() => {
    v.polynomial("sin", z).get(z);
    v.multiplyAdd(() => v.constant("one"))
      .get(r)
      .op("f64x2.mul");
    f.get(n).i32(63).op("i64x2.shl").op("v128.xor");
  });
}

/** Keeps the function of x, see Doubles. */
const BODIES: Readonly<Record<WideVector, Body>> = {
  sin: (v, x) => {
    const { r, n } = v.turns(x, "perPi", false);
    return signedSine(v, r, n);
  },
  // the sine of a quarter turn more, which is half a unit: r is what is left of half a unit more than n says
  cos: (v, x) => {
    const { r, n } = v.turns(x, "perPi", true);
    const y = signedSine(v, r, n);
    return v.keep(() => v.f.get(y).op("f64x2.neg"));
  },
  tan: (v, x) => {
    const { f } = v;
    const { r, n } = v.turns(x, "perQuarter", false);
    const z = v.keep(() => f.get(r).get(r).op("f64x2.mul"));
    const sine = v.keep(() => {
      v.polynomial("sinShort", z).get(z);
      v.multiplyAdd(() => v.constant("one"))
        .get(r)
        .op("f64x2.mul");
    });
    const cosine = v.keep(() => {
      v.polynomial("cosShort", z).get(z);
      v.multiplyAdd(() => v.constant("one"));
    });
    const isOdd = v.keep(() => f.get(n).i32(63).op("i64x2.shl").zeros().op("i64x2.lt_s"));
    const above = v.choose(cosine, sine, () => f.get(isOdd));
    const below = v.choose(sine, cosine, () => f.get(isOdd));
    return v.keep(() => f.get(above).get(below).op("f64x2.div").get(n).i32(63).op("i64x2.shl").op("v128.xor"));
  },
  atan: (v, x) => {
    const one = v.keep(() => v.constant("one"));
    return v.atan2(x, one);
  },
  asin: (v, x) => v.asin(x),
  acos: (v, x) => {
    const y = v.asin(x);
    return v.keep(() => v.constant("quarter").get(y).op("f64x2.sub"));
  },
  log1p: (v, x) => v.log1p(x),
  log2: (v, x) => {
    const y = v.log(x);
    return v.keep(() => {
      v.f.get(y);
      v.constant("log2e").op("f64x2.mul");
    });
  },
  log10: (v, x) => {
    const y = v.log(x);
    return v.keep(() => {
      v.f.get(y);
      v.constant("log10e").op("f64x2.mul");
    });
  },
  asinh: (v, x) => {
    const { f } = v;
    const a = v.absolute(x);
    const square = v.keep(() => f.get(a).get(a).op("f64x2.mul"));
    // log(1 + a + a^2 / (1 + sqrt(1 + a^2)))
    const over = v.keep(() => {
      f.get(square);
      v.constant("one");
      v.constant("one").get(square).op("f64x2.add").op("f64x2.sqrt").op("f64x2.add").op("f64x2.div");
      f.get(a).op("f64x2.add");
    });
    const y = v.log1p(over);
    const finite = v.choose(y, a, () => {
      f.get(a);
      v.constant("infinity").op("f64x2.lt");
    });
    return v.withSign(finite, x);
  },
  acosh: (v, x) => {
    const { f } = v;
    const t = v.keep(() => {
      f.get(x);
      v.constant("one").op("f64x2.sub");
    });
    const over = v.keep(() => {
      f.get(t).get(t);
      v.constant("two").op("f64x2.add").op("f64x2.mul").op("f64x2.sqrt").get(t).op("f64x2.add");
    });
    // far below one the root is that of a positive number again
    const y = v.log1p(over);
    return v.keep(() => {
      f.get(y);
      v.constant("none").get(t).zeros().op("f64x2.ge").op("v128.bitselect");
    });
  },
  atanh: (v, x) => {
    const { f } = v;
    const over = v.keep(() => {
      f.get(x).get(x).op("f64x2.add");
      v.constant("one").get(x).op("f64x2.sub").op("f64x2.div");
    });
    const y = v.log1p(over);
    return v.keep(() => {
      v.constant("oneHalf").get(y).op("f64x2.mul");
    });
  },
  exp2: (v, x) => v.exp(x, true),
  expm1: (v, x) => v.expm1(x),
  sinh: (v, x) => {
    const { f } = v;
    const less = v.expm1(v.absolute(x));
    const y = v.keep(() => {
      f.get(less).get(less).get(less);
      v.constant("one").op("f64x2.add").op("f64x2.div").op("f64x2.add");
      v.constant("oneHalf").op("f64x2.mul");
    });
    return v.withSign(y, x);
  },
  cosh: (v, x) => {
    const { f } = v;
    const e = v.exp(v.absolute(x));
    return v.keep(() => {
      f.get(e);
      v.constant("one").get(e).op("f64x2.div").op("f64x2.add");
      v.constant("oneHalf").op("f64x2.mul");
    });
  },
};

/** The remainder of x by y with the sign of x, exact: quotients are taken 28 bits at a time, so that all products and differences are exact. */
function fmod(v: Doubles, x: number, y: number): number {
  const { f } = v;
  const [rest, by] = [v.absolute(x), v.absolute(y)];
  const [left, q] = [f.local("v128"), f.local("v128")];
  const more = (): FunctionBuilder => f.get(rest).get(by).op("f64x2.ge").set(left).get(left).op("v128.any_true");
  more();
  f.when(() =>
    f.loop(() => {
      f.get(rest).get(by).op("f64x2.div");
      f.i32(25).op("i64x2.shr_u").i32(25).op("i64x2.shl").op("f64x2.trunc").set(q);
      // where the rest is the smaller already nothing is taken, not even infinity times nothing
      f.get(rest).get(q).get(by).op("f64x2.mul").get(left).op("v128.and").op("f64x2.sub").set(rest);
      more();
    }),
  );
  const result = v.withSign(rest, x);
  return v.choose(y, result, () => f.get(y).get(y).op("f64x2.ne"));
}

/** C's pow. */
function pow(v: Doubles, x: number, y: number): number {
  const { f } = v;
  const base = v.absolute(x);
  const l = v.log(base);
  const product = v.keep(() => f.get(l).get(y).op("f64x2.mul"));
  const power = v.exp(product);
  // what is not plain: bases below zero, and what has no logarithm, no exponent or an infinite one
  f.get(product).op("f64x2.abs");
  v.constant("infinity").op("f64x2.lt").op("v128.not").get(x);
  v.constant("minusZero").op("v128.and").op("v128.or").op("v128.any_true");
  f.when(() => {
    const isWhole = v.keep(() => f.get(y).op("f64x2.floor").get(y).op("f64x2.eq"));
    const isOdd = v.keep(() => {
      f.get(y);
      v.constant("oneHalf").op("f64x2.mul").op("f64x2.floor");
      v.constant("two").op("f64x2.mul").get(y).op("f64x2.ne").get(isWhole).op("v128.and");
    });
    // the base's sign for odd exponents
    f.get(x).get(isOdd).op("v128.and");
    v.constant("minusZero").op("v128.and").get(power).op("v128.xor").set(power);
    // no number: a base below zero, but above -infinity, of an exponent that is not whole
    v.constant("none").get(power).get(x).zeros().op("f64x2.lt").get(x);
    v.constant("minusInfinity").op("f64x2.gt").op("v128.and");
    f.get(isWhole).op("v128.not").op("v128.and").op("v128.bitselect").set(power);
    // one: the exponent zero, the base one, the base minus one of an infinite exponent
    v.constant("one").get(power).get(y).zeros().op("f64x2.eq").get(x);
    v.constant("one").op("f64x2.eq").op("v128.or").get(base);
    v.constant("one").op("f64x2.eq").get(y).op("f64x2.abs");
    v.constant("infinity").op("f64x2.eq").op("v128.and").op("v128.or").op("v128.bitselect").set(power);
  });
  return power;
}

const PAIR_BODIES: Readonly<Record<WidePair, (v: Doubles, x: number, y: number) => number>> = {
  atan2: (v, y, x) => v.atan2(y, x),
  hypot: (v, x, y) => {
    const { f } = v;
    const [a, b] = [v.absolute(x), v.absolute(y)];
    const root = v.keep(() => {
      f.get(a).get(a).op("f64x2.mul").get(b).get(b).op("f64x2.mul").op("f64x2.add").op("f64x2.sqrt");
    });
    // infinity, whatever the other is
    const infinite = v.keep(() => v.constant("infinity"));
    return v.choose(infinite, root, () => {
      f.get(a).get(infinite).op("f64x2.eq").get(b).get(infinite).op("f64x2.eq").op("v128.or");
    });
  },
  pow,
  fmod,
  remainder: (v, x, y) => {
    const { f } = v;
    const rest = fmod(v, x, y);
    const sum = v.keep(() => f.get(rest).get(y).op("f64x2.add"));
    // where its sign is not the divisor's; a zero stays as it is
    return v.choose(sum, rest, () => {
      f.get(rest).get(y).op("v128.xor").zeros().op("i64x2.lt_s");
      f.get(rest).zeros().op("f64x2.ne").op("v128.and");
    });
  },
};

/** Loads two elements as doubles. */
function loadPair(f: FunctionBuilder, at: number, into: number): void {
  f.get(at).memory("v128.load64_zero").op("f64x2.promote_low_f32x4").set(into);
}

/** name(to, from, count, table): count elements, a positive multiple of 2; to may be from. */
export function wideProgram(name: WideVector, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(4).fill("i32"));
  const [to, from, count, table] = f.parameters;
  const v = new Doubles(f, table, fused, from);
  const x = f.local("v128");
  f.loop(() => {
    loadPair(f, from, x);
    const y = BODIES[name](v, x);
    f.get(to).get(y).op("f32x4.demote_f64x2_zero").storeLow();
    f.increase(to, { by: 8 }).increase(from, { by: 8 });
    f.get(count).i32(2).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** name(to, a, aStep, b, bStep, pairs, table): twice `pairs` elements; operands move `aStep` and `bStep` bytes a pair, or not at all. */
export function widePairProgram(name: WidePair, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(7).fill("i32"));
  const [to, a, aStep, b, bStep, pairs, table] = f.parameters;
  const v = new Doubles(f, table, fused, a);
  const [x, y] = f.fresh("v128");
  f.loop(() => {
    loadPair(f, a, x);
    loadPair(f, b, y);
    const result = PAIR_BODIES[name](v, x, y);
    f.get(to).get(result).op("f32x4.demote_f64x2_zero").storeLow();
    f.increase(to, { by: 8 }).increase(a, { byLocal: aStep }).increase(b, { byLocal: bStep });
    f.get(pairs).i32(1).op("i32.sub").set(pairs).get(pairs);
  });
  return f;
}
