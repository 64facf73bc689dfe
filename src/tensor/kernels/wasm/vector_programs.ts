/** @file Exponentials and what is made of them, four elements at a time, as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Vector functions]: constants are read from a table in memory, which is faster than making them in the loop. exp: x = n ln 2
 * + r, a polynomial in r, fitted to 4e-9, and 2^n, for exp itself in two factors so that results that are not normal numbers come out right; at most
 * 1.5 units in the last place off. The normal distribution's tail (for gelu) is exp(-z^2) times a polynomial in (z - 2.5) / (z + 2.5),
 * fitted to 3e-8: it keeps its relative precision where 1 + erf(x) has none. tanh: a polynomial below 0.55, exp(-2x) above. log: a polynomial
 * around one and the exponent, in the coefficients of the Cephes library; erf: its polynomial below one, the tail above. NaN
 * and infinities come out as from the functions of Math. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Functions of one vector, by the module that they are in. */
export const FUNCTION_VECTORS = ["exp", "sigmoid", "silu", "tanh", "gelu", "log", "erf"] as const;
export const ACTIVATION_VECTORS = ["hardsigmoid", "hardswish", "geluTanh", "mish", "softplus", "logSigmoid"] as const;
export const UNARY_VECTORS = [...FUNCTION_VECTORS, ...ACTIVATION_VECTORS] as const;
/** Those of an instruction or two, exact to the last bit. */
export const SHORT_VECTORS = [
  "abs",
  "neg",
  "floor",
  "ceil",
  "trunc",
  "round",
  "sqrt",
  "square",
  "cube",
  "reciprocal",
  "rsqrt",
] as const;
/** Name of such a function. */
export type UnaryVector = (typeof UNARY_VECTORS)[number] | (typeof SHORT_VECTORS)[number];

/** A compiled program of one. */
export type UnaryKernel = (to: number, from: number, count: number, table: number) => void;

/** The compiled module of functions. */
export type VectorKernels = Readonly<Record<(typeof FUNCTION_VECTORS)[number], UnaryKernel>> & {
  clamp(to: number, from: number, count: number, low: number, high: number): void;
};

/** The compiled module of activations. */
export type ActivationKernels = Readonly<Record<(typeof ACTIVATION_VECTORS)[number], UnaryKernel>> & {
  leakyRelu(to: number, from: number, count: number, slope: number): void;
  replace(to: number, from: number, count: number, low: number, high: number, value: number): void;
  nanToNum(to: number, from: number, count: number, nan: number, high: number, low: number): void;
  elu(to: number, from: number, count: number, table: number, slope: number, negative: number, positive: number): void;
};

const LN2_HIGH = 0.693359375;
/** Bits of the largest number less those of the smallest normal one. */
const LAST_NORMAL = 0x7effffff;

/** Constants by name; the table holds them in this order. */
const CONSTANTS = {
  lowest: -104,
  highest: 89,
  lowestNormal: -127 * Math.LN2,
  highestNormal: 128 * Math.LN2,
  magic: 1.5 * 2 ** 23,
  log2e: Math.LOG2E,
  ln2High: LN2_HIGH,
  ln2Low: Math.LN2 - LN2_HIGH,
  e6: 0.00138636131,
  e5: 0.00836767669,
  e4: 0.0416672447,
  e3: 0.166665325,
  half: 0.5,
  one: 1,
  two: 2,
  three: 3,
  six: 6,
  twenty: 20,
  tanh1: -2 * Math.sqrt(2 / Math.PI),
  tanh3: -2 * Math.sqrt(2 / Math.PI) * 0.044715,
  infinity: -Infinity,
  rootHalf: Math.SQRT1_2,
  far: 14,
  center: 2.5,
  g9: 0.000473106059,
  g8: 0.0003632428431,
  g7: -0.004285187862,
  g6: 0.001001378847,
  g5: 0.03273211545,
  g4: -0.1029825872,
  g3: 0.1576337899,
  g2: -0.09902333165,
  g1: -0.1223569237,
  g0: 1.26483817,
  small: 0.55,
  t4: -0.00627638968,
  t3: 0.0211162156,
  t2: -0.0538751386,
  t1: 0.13332924,
  t0: -0.333333304,
  smallestNormal: 2 ** -126,
  beyondFraction: 2 ** 23,
  minus23: -23,
  minusOne: -1,
  positiveInfinity: Infinity,
  none: NaN,
  l8: 0.070376836292,
  l7: -0.1151461031,
  l6: 0.116769987,
  l5: -0.12420140846,
  l4: 0.14249322787,
  l3: -0.16668057665,
  l2: 0.20000714765,
  l1: -0.24999993993,
  l0: 0.33333331174,
  r6: 7.853861353153693e-5,
  r5: -8.010193625184903e-4,
  r4: 5.188327685732524e-3,
  r3: -2.685381193529856e-2,
  r2: 1.128358514861418e-1,
  r1: -3.7612625824233e-1,
  r0: 1.12837916572671,
} as const;
type Constant = keyof typeof CONSTANTS;
const NAMES = Object.keys(CONSTANTS) as Constant[];

/** Behind the constants: four vectors of these, one element apart, count the last 0 to 3 elements of a vector. */
const COUNTED = [0, 0, 0, 0, 1, 1, 1];
/** Byte offset of those vectors in the table. */
export const COUNTED_BYTES: number = 4 * NAMES.length;

/** The table of constants. */
export const VECTOR_TABLE = Float32Array.from([...NAMES.map((name) => CONSTANTS[name]), ...COUNTED]);

/** Code on vectors with the table at hand. */
export class Vectors {
  readonly f: FunctionBuilder;
  private readonly table: number;
  private readonly fused: boolean;
  constructor(f: FunctionBuilder, table: number, fused: boolean) {
    this.f = f;
    this.table = table;
    this.fused = fused;
  }
  constant(name: Constant): FunctionBuilder {
    return this.f.get(this.table).memory("v128.load32_splat", 4 * NAMES.indexOf(name));
  }
  /** Leaves the polynomial at x on the stack, coefficients from the highest. */
  polynomial(x: number, coefficients: readonly Constant[]): FunctionBuilder {
    const [first, ...rest] = coefficients as [Constant, ...Constant[]];
    this.constant(first);
    for (const c of rest) this.times(x, () => this.constant(c));
    return this.f;
  }
  /** x = e^(x - n ln 2) - 1, where n is the whole number nearest to x / ln 2, plus `magic`: then its low bits are those of an integer. r is a temporary. */
  private fraction(x: number, n: number, r: number): void {
    const { f } = this;
    f.get(x);
    this.constant("log2e").op("f32x4.mul");
    this.constant("magic").op("f32x4.add").set(n);
    f.get(n);
    this.constant("magic").op("f32x4.sub").set(r);
    f.get(x).get(r);
    this.constant("ln2High").op("f32x4.mul").op("f32x4.sub").get(r);
    this.constant("ln2Low").op("f32x4.mul").op("f32x4.sub").set(r);
    // r + r^2 (1/2 + e3 r + r^2 (e4 + e5 r + r^2 e6)), where x holds r^2: half as many steps after each other as one by one
    f.get(r).get(r).op("f32x4.mul").set(x);
    this.constant("e6");
    this.times(x, () => this.line("e5", r, "e4"));
    this.times(x, () => this.line("e3", r, "half"));
    this.times(x, () => f.get(r)).set(x);
  }
  /** Leaves the sum of x times the vector on the stack and what `addend` leaves there. */
  private times(x: number, addend: () => FunctionBuilder): FunctionBuilder {
    const { f } = this;
    f.get(x);
    if (this.fused) return addend().op("f32x4.relaxed_madd");
    f.op("f32x4.mul");
    return addend().op("f32x4.add");
  }
  /** Leaves slope * x + start on the stack. */
  line(slope: Constant, x: number, start: Constant): FunctionBuilder {
    this.constant(slope);
    return this.times(x, () => this.constant(start));
  }
  /** x = exp(x); n and r are temporaries. */
  exp(x: number, n: number, r: number): void {
    const { f } = this;
    f.get(x);
    this.constant("lowest").op("f32x4.pmax");
    this.constant("highest").op("f32x4.pmin").set(x);
    this.fraction(x, n, r);
    // 2^n as two factors, n = h + (n - h): the bits of h << 23 on top of those of one
    f.get(n);
    this.constant("magic").op("i32x4.sub").set(n);
    f.get(n).i32(1).op("i32x4.shr_s").set(r);
    f.get(x);
    this.constant("one").op("f32x4.add").get(r).i32(23).op("i32x4.shl");
    this.constant("one").op("i32x4.add").op("f32x4.mul").get(n).get(r).op("i32x4.sub").i32(23).op("i32x4.shl");
    this.constant("one").op("i32x4.add").op("f32x4.mul").set(x);
  }
  /** x = e^r - 1 and n = 2^m, where e to the old x is 2^m e^r; 2^m is zero below the normal numbers, infinity beyond them. */
  private parts(x: number, n: number, r: number): void {
    const { f } = this;
    f.get(x);
    this.constant("lowestNormal").op("f32x4.pmax");
    this.constant("highestNormal").op("f32x4.pmin").set(x);
    this.fraction(x, n, r);
    // m from -127 (the bits of zero) to 128 (those of infinity)
    f.get(n).i32(23).op("i32x4.shl");
    this.constant("one").op("i32x4.add").set(n);
  }
  /** x = exp(x) for x up to 88.3, infinity beyond; results below the normal numbers are zero. Cheaper than `exp`. */
  expNormal(x: number, n: number, r: number): void {
    this.parts(x, n, r);
    this.f.get(x);
    this.constant("one").op("f32x4.add").get(n).op("f32x4.mul").set(x);
  }
  /** x = exp(x) - 1 for x up to zero. */
  expMinusOne(x: number, n: number, r: number): void {
    this.parts(x, n, r);
    // 2^m (e^r - 1) + (2^m - 1): near zero the second term is nothing
    this.f.get(x);
    this.times(n, () => {
      this.f.get(n);
      return this.constant("minusOne").op("f32x4.add");
    }).set(x);
  }
  /** Leaves min(max(x + 3, 0), 6) on the stack; what is not a number stays. */
  ramp(x: number): FunctionBuilder {
    this.f.get(x);
    this.constant("three").op("f32x4.add").zeros().op("f32x4.pmax");
    return this.constant("six").op("f32x4.pmin");
  }
  /** y = log(x), with three temporaries. */
  log(x: number, y: number, [e, z, m]: readonly number[]): void {
    const { f } = this;
    // whether there is something else than normal numbers above zero
    const isRare = f.local("i32");
    f.get(x);
    this.constant("smallestNormal").op("i32x4.sub").i32(LAST_NORMAL).op("i32x4.splat");
    f.op("i32x4.gt_u").op("v128.any_true").set(isRare);
    // m: x, or 2^23 times it where it is no normal number
    f.get(x).set(m!).get(isRare);
    f.when(() => {
      f.get(x);
      this.constant("beyondFraction").op("f32x4.mul").get(x).get(x);
      this.constant("smallestNormal").op("f32x4.lt").op("v128.bitselect").set(m!);
    });
    // e: the exponent, so that m = the value / 2^e lies around one, from the root of 1/2 to that of 2
    f.get(m!);
    this.constant("rootHalf").op("i32x4.sub").set(e!);
    f.get(e!).i32(0x7fffff).op("i32x4.splat").op("v128.and");
    this.constant("rootHalf").op("i32x4.add").set(m!);
    f.get(e!).i32(23).op("i32x4.shr_s").op("f32x4.convert_i32x4_s").set(e!);
    f.get(isRare);
    f.when(() => {
      this.constant("minus23").get(x);
      this.constant("smallestNormal").op("f32x4.lt").op("v128.and").get(e!).op("f32x4.add").set(e!);
    });
    f.get(m!);
    this.constant("minusOne").op("f32x4.add").set(m!);
    f.get(m!).get(m!).op("f32x4.mul").set(z!);
    this.polynomial(m!, ["l8", "l7", "l6", "l5", "l4", "l3", "l2", "l1", "l0"]);
    f.get(m!).op("f32x4.mul").get(z!).op("f32x4.mul").get(e!);
    this.constant("ln2Low").op("f32x4.mul").op("f32x4.add").get(z!);
    this.constant("half").op("f32x4.mul").op("f32x4.sub").get(m!).op("f32x4.add").get(e!);
    this.constant("ln2High").op("f32x4.mul").op("f32x4.add").set(y);
    f.get(isRare);
    f.when(() => {
      // infinity and what is not a number stay; nothing has no logarithm but -infinity, and less than nothing has none
      f.get(y).get(x).get(x);
      this.constant("positiveInfinity").op("f32x4.lt").op("v128.bitselect").set(y);
      this.constant("none").get(y).get(x).zeros().op("f32x4.lt").op("v128.bitselect").set(y);
      f.get(y);
      this.constant("infinity").get(x).zeros().op("f32x4.ne").op("v128.bitselect").set(y);
    });
  }
}

type Body = (v: Vectors, x: number, y: number, t: readonly number[]) => void;
/** y = an instruction of x. */
const instruction =
  (name: Parameters<FunctionBuilder["op"]>[0]): Body =>
  (v, x, y) =>
    v.f.get(x).op(name).set(y);

/** y = log(1 + exp(-|x|)): the logarithm of the rounded sum, times what the sum lost to rounding. */
const logOfSum: Body = (v, x, y, [a, b, c, d, e]) => {
  const { f } = v;
  f.get(x).op("f32x4.abs").op("f32x4.neg").set(d!);
  v.exp(d!, a!, b!);
  v.constant("one").get(d!).op("f32x4.add").set(c!);
  v.log(c!, y, [a!, b!, e!]);
  f.get(y).get(d!).op("f32x4.mul").get(c!);
  v.constant("one").op("f32x4.sub").op("f32x4.div").get(d!).get(c!);
  v.constant("one").op("f32x4.ne").op("v128.bitselect").set(y);
};

/** y = function of x, with the temporaries `t`. */
const BODIES: Readonly<Record<UnaryVector, Body>> = {
  abs: instruction("f32x4.abs"),
  neg: instruction("f32x4.neg"),
  floor: instruction("f32x4.floor"),
  ceil: instruction("f32x4.ceil"),
  trunc: instruction("f32x4.trunc"),
  round: instruction("f32x4.nearest"),
  sqrt: instruction("f32x4.sqrt"),
  square: (v, x, y) => v.f.get(x).get(x).op("f32x4.mul").set(y),
  cube: (v, x, y) => v.f.get(x).get(x).op("f32x4.mul").get(x).op("f32x4.mul").set(y),
  reciprocal: (v, x, y) => v.constant("one").get(x).op("f32x4.div").set(y),
  rsqrt: (v, x, y) => v.constant("one").get(x).op("f32x4.sqrt").op("f32x4.div").set(y),
  exp: (v, x, y, [a, b]) => {
    v.f.get(x).set(y);
    v.exp(y, a!, b!);
  },
  sigmoid: (v, x, y, [a, b]) => {
    v.f.get(x).op("f32x4.neg").set(y);
    v.expNormal(y, a!, b!);
    v.constant("one");
    v.constant("one").get(y).op("f32x4.add").op("f32x4.div").set(y);
  },
  silu: (v, x, y, [a, b]) => {
    v.f.get(x).op("f32x4.neg").set(y);
    v.expNormal(y, a!, b!);
    v.f.get(x);
    v.constant("one").get(y).op("f32x4.add").op("f32x4.div").set(y);
  },
  tanh: (v, x, y, [a, b, c]) => {
    const { f } = v;
    // far from zero: (1 - e) / (1 + e) with e = exp(-2 |x|), and the sign of x
    f.get(x).op("f32x4.abs").op("f32x4.neg");
    v.constant("two").op("f32x4.mul").set(y);
    v.expNormal(y, a!, b!);
    v.constant("one").get(y).op("f32x4.sub");
    v.constant("one").get(y).op("f32x4.add").op("f32x4.div").set(y);
    f.get(y).op("f32x4.neg").get(y).get(x).zeros().op("f32x4.lt").op("v128.bitselect").set(y);
    f.get(x).get(x).op("f32x4.mul").set(c!);
    v.polynomial(c!, ["t4", "t3", "t2", "t1", "t0"]).get(c!).op("f32x4.mul").get(x).op("f32x4.mul");
    f.get(x).op("f32x4.add").get(y).get(x).op("f32x4.abs");
    v.constant("small").op("f32x4.lt").op("v128.bitselect").set(y);
  },
  gelu: (v, x, y, [a, b, c, d]) => {
    const { f } = v;
    // z = min(|x| / sqrt 2, 14), c = (z - 2.5) / (z + 2.5)
    f.get(x).op("f32x4.abs");
    v.constant("rootHalf").op("f32x4.mul");
    v.constant("far").op("f32x4.pmin").set(d!);
    f.get(d!);
    v.constant("center").op("f32x4.sub").get(d!);
    v.constant("center").op("f32x4.add").op("f32x4.div").set(c!);
    // y = exp(-x^2 / 2)
    f.get(x).get(x).op("f32x4.mul");
    v.constant("half").op("f32x4.mul").op("f32x4.neg").set(y);
    v.expNormal(y, a!, b!);
    // y = the tail beyond |x|: y / 2 * polynomial / (1 + 2 z)
    v.polynomial(c!, ["g9", "g8", "g7", "g6", "g5", "g4", "g3", "g2", "g1", "g0"]);
    f.get(y).op("f32x4.mul");
    v.constant("half").op("f32x4.mul");
    v.constant("one").get(d!).op("f32x4.add").get(d!).op("f32x4.add").op("f32x4.div").set(y);
    // x * tail for negative x, x * (1 - tail) for others
    f.get(x).get(y);
    v.constant("one").get(y).op("f32x4.sub").get(x).zeros().op("f32x4.lt").op("v128.bitselect");
    f.op("f32x4.mul").set(y);
  },
  softplus: (v, x, y, t) => {
    logOfSum(v, x, y, t);
    v.f.get(x).zeros().op("f32x4.max").get(y).op("f32x4.add").set(y);
  },
  logSigmoid: (v, x, y, t) => {
    logOfSum(v, x, y, t);
    v.f.get(x).zeros().op("f32x4.min").get(y).op("f32x4.sub").set(y);
  },
  hardsigmoid: (v, x, y) => {
    v.ramp(x);
    v.constant("six").op("f32x4.div").set(y);
  },
  hardswish: (v, x, y) => {
    v.f.get(x);
    v.ramp(x).op("f32x4.mul");
    v.constant("six").op("f32x4.div").set(y);
  },
  geluTanh: (v, x, y, [a, b]) => {
    const { f } = v;
    // (1 + tanh(z)) / 2 = 1 / (1 + exp(-2 z))
    f.get(x).get(x).op("f32x4.mul").set(y);
    v.line("tanh3", y, "tanh1").get(x).op("f32x4.mul").set(y);
    v.expNormal(y, a!, b!);
    f.get(x);
    v.constant("one").get(y).op("f32x4.add").op("f32x4.div").set(y);
  },
  mish: (v, x, y, [a, b]) => {
    const { f } = v;
    // tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2); beyond 20 that is one
    f.get(x);
    v.constant("twenty").op("f32x4.pmin").set(y);
    v.expNormal(y, a!, b!);
    f.get(y).get(y);
    v.constant("two").op("f32x4.add").op("f32x4.mul").set(y);
    f.get(y).get(y);
    v.constant("two").op("f32x4.add").op("f32x4.div").get(x).op("f32x4.mul").set(y);
  },
  log: (v, x, y, t) => v.log(x, y, t),
  erf: (v, x, y, [a, b, c, d]) => {
    const { f } = v;
    // far from zero: 1 - exp(-x^2) * polynomial / (1 + 2 |x|), and the sign of x
    f.get(x).op("f32x4.abs");
    v.constant("far").op("f32x4.pmin").set(d!);
    f.get(d!);
    v.constant("center").op("f32x4.sub").get(d!);
    v.constant("center").op("f32x4.add").op("f32x4.div").set(c!);
    f.get(d!).get(d!).op("f32x4.mul").op("f32x4.neg").set(y);
    v.expNormal(y, a!, b!);
    v.polynomial(c!, ["g9", "g8", "g7", "g6", "g5", "g4", "g3", "g2", "g1", "g0"]).get(y).op("f32x4.mul");
    v.constant("one").get(d!).op("f32x4.add").get(d!).op("f32x4.add").op("f32x4.div").set(y);
    v.constant("one").get(y).op("f32x4.sub").set(y);
    f.get(y).op("f32x4.neg").get(y).get(x).zeros().op("f32x4.lt").op("v128.bitselect").set(y);
    // near zero: x times a polynomial in x^2
    f.get(x).get(x).op("f32x4.mul").set(c!);
    v.polynomial(c!, ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]).get(x).op("f32x4.mul").get(y);
    f.get(x).op("f32x4.abs");
    v.constant("one").op("f32x4.lt").op("v128.bitselect").set(y);
    // what is not a number stays
    f.get(x).get(y).get(x).get(x).op("f32x4.ne").op("v128.bitselect").set(y);
  },
};

/** name(to, from, count, table): count elements, a positive multiple of 4; to may be from. */
export function unaryProgram(name: UnaryVector, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(4).fill("i32"));
  const [to, from, count, table] = f.parameters;
  const v = new Vectors(f, table, fused);
  const [x, y] = f.fresh("v128");
  const t = Array.from({ length: 5 }, () => f.local("v128"));
  f.loop(() => {
    f.get(from).memory("v128.load").set(x);
    BODIES[name](v, x, y, t);
    f.get(to).get(y).memory("v128.store");
    f.increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** clamp(to, from, count, low, high): count elements, a positive multiple of 4; to may be from. Above `high` comes after below `low`. */
export function clampProgram(): FunctionBuilder {
  const f = new FunctionBuilder("clamp", ["i32", "i32", "i32", "f32", "f32"]);
  const [to, from, count, low, high] = f.parameters;
  const [least, most] = f.fresh("v128");
  f.get(low).op("f32x4.splat").set(least).get(high).op("f32x4.splat").set(most);
  f.loop(() => {
    // pmax and pmin keep their first operand where it is not a number
    f.get(to).get(from).memory("v128.load").get(least).op("f32x4.pmax").get(most).op("f32x4.pmin");
    f.memory("v128.store").increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** elu(to, from, count, table, slope, negative, positive): positive * x, or negative * (exp(slope * x) - 1) where x is below zero; `slope`
 * is not. count elements, a positive multiple of 4; to may be from. */
export function eluProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("elu", ["i32", "i32", "i32", "i32", "f32", "f32", "f32"]);
  const [to, from, count, table, slope, negative, positive] = f.parameters;
  const v = new Vectors(f, table, fused);
  const [x, y, a, b, inner, below, above] = f.fresh("v128");
  f.get(slope).op("f32x4.splat").set(inner);
  f.get(negative).op("f32x4.splat").set(below).get(positive).op("f32x4.splat").set(above);
  f.loop(() => {
    f.get(from).memory("v128.load").set(x).get(x).get(inner).op("f32x4.mul").set(y);
    v.expMinusOne(y, a, b);
    f.get(to).get(y).get(below).op("f32x4.mul").get(x).get(above).op("f32x4.mul");
    f.get(x).zeros().op("f32x4.lt").op("v128.bitselect").memory("v128.store");
    f.increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** leakyRelu(to, from, count, slope): x, or slope * x where x is not above zero; count elements, a positive multiple of 4; to may be from. */
export function leakyReluProgram(): FunctionBuilder {
  const f = new FunctionBuilder("leakyRelu", ["i32", "i32", "i32", "f32"]);
  const [to, from, count, slope] = f.parameters;
  const [factor, x] = f.fresh("v128");
  f.get(slope).op("f32x4.splat").set(factor);
  f.loop(() => {
    f.get(from).memory("v128.load").set(x);
    f.get(to).get(x).get(x).get(factor).op("f32x4.mul").zeros().get(x).op("f32x4.lt").op("v128.bitselect");
    f.memory("v128.store").increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** replace(to, from, count, low, high, value): `value` from `low` to `high`, else x; count elements, a positive multiple of 4; to may be from. */
export function replaceProgram(): FunctionBuilder {
  const f = new FunctionBuilder("replace", ["i32", "i32", "i32", "f32", "f32", "f32"]);
  const [to, from, count, low, high, value] = f.parameters;
  const [x, least, most, other] = f.fresh("v128");
  f.get(low).op("f32x4.splat").set(least).get(high).op("f32x4.splat").set(most);
  f.get(value).op("f32x4.splat").set(other);
  f.loop(() => {
    f.get(from).memory("v128.load").set(x);
    f.get(to).get(other).get(x).get(x).get(least).op("f32x4.ge").get(x).get(most).op("f32x4.le").op("v128.and");
    f.op("v128.bitselect").memory("v128.store").increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** nanToNum(to, from, count, nan, high, low): what is not a number and the infinities replaced; count elements, a positive multiple of 4; to may be from. */
export function nanToNumProgram(): FunctionBuilder {
  const f = new FunctionBuilder("nanToNum", ["i32", "i32", "i32", "f32", "f32", "f32"]);
  const [to, from, count, nan, high, low] = f.parameters;
  const [x, none, most, least, infinity, below] = f.fresh("v128");
  for (const [value, into] of [
    [nan, none],
    [high, most],
    [low, least],
  ] as const)
    f.get(value).op("f32x4.splat").set(into);
  f.f32(Infinity).op("f32x4.splat").set(infinity).f32(-Infinity).op("f32x4.splat").set(below);
  f.loop(() => {
    f.get(from).memory("v128.load").set(x).get(to);
    f.get(least).get(most).get(none).get(x).get(x).get(x).op("f32x4.ne").op("v128.bitselect");
    f.get(x).get(infinity).op("f32x4.eq").op("v128.bitselect");
    f.get(x).get(below).op("f32x4.eq").op("v128.bitselect");
    f.memory("v128.store").increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count);
  });
  return f;
}
