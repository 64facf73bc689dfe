/** @file Code on vectors of two doubles: exponentials, logarithms, angles. Upstream: none. Spec: none. See Note [Wide functions]. */
import type { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import {
  coefficientOffset,
  constantOffset,
  DIGIT_PARTS,
  DIGITS_BYTES,
  FIRST_FAR_EXPONENT,
  POLYNOMIALS,
  type WideConstant,
} from "./wide_table.ts";

/** Code on vectors of two doubles with the table at hand. */
export class Doubles {
  readonly f: FunctionBuilder;
  private readonly table: number;
  private readonly fused: boolean;
  /** Where the elements come from. */
  private readonly source: number;
  constructor(f: FunctionBuilder, table: number, fused: boolean, source: number) {
    this.f = f;
    this.table = table;
    this.fused = fused;
    this.source = source;
  }
  constant(name: WideConstant): FunctionBuilder {
    return this.f.get(this.table).memory("v128.load64_splat", constantOffset(name));
  }
  /** What `write` leaves on the stack, in a local. */
  keep(write: () => void): number {
    write();
    const to = this.f.local("v128");
    this.f.set(to);
    return to;
  }
  /** Leaves a * b + what `addend` leaves there on the stack, where `a` and `b` are there. */
  multiplyAdd(addend: () => void): FunctionBuilder {
    if (!this.fused) this.f.op("f64x2.mul");
    addend();
    return this.f.op(this.fused ? "f64x2.relaxed_madd" : "f64x2.add");
  }
  /** Leaves the polynomial of a name at z on the stack. */
  polynomial(name: keyof typeof POLYNOMIALS, z: number): FunctionBuilder {
    const { f } = this;
    const count = POLYNOMIALS[name].length;
    const powers = [z];
    for (let step = 2; step < count; step *= 2) {
      const last = powers.at(-1)!;
      powers.push(this.keep(() => f.get(last).get(last).op("f64x2.mul")));
    }
    const sum = (from: number, size: number, level: number): void => {
      if (from + size / 2 >= count && size > 1) sum(from, size / 2, level - 1);
      else if (size === 1) f.get(this.table).memory("v128.load64_splat", coefficientOffset(name, from));
      else {
        sum(from + size / 2, size / 2, level - 1);
        f.get(powers[level]!);
        this.multiplyAdd(() => sum(from, size / 2, level - 1));
      }
    };
    sum(0, 2 ** powers.length, powers.length - 1);
    return f;
  }
  /** Keeps `yes` where the comparison that `write` leaves is true, else `no`, as a local. */
  choose(yes: number, no: number, write: () => void): number {
    return this.keep(() => {
      this.f.get(yes).get(no);
      write();
      this.f.op("v128.bitselect");
    });
  }

  /** The parts of exp(x), or of 2^x: e^r - 1 and n as the low bits of an integer, e^x = 2^n e^r. x is between -700 and 700. */
  private exponent(x: number, isOfTwo = false): { less: number; n: number } {
    const { f } = this;
    const n = this.keep(() => {
      f.get(x);
      if (!isOfTwo) this.constant("log2e").op("f64x2.mul");
      this.constant("magic").op("f64x2.add");
    });
    const r = this.keep(() => {
      f.get(x).get(n);
      this.constant("magic").op("f64x2.sub");
      if (isOfTwo) f.op("f64x2.sub");
      this.constant("ln2").op("f64x2.mul");
      if (!isOfTwo) f.op("f64x2.sub");
    });
    const less = this.keep(() => {
      this.polynomial("exp", r).get(r).op("f64x2.mul").get(r);
      this.multiplyAdd(() => f.get(r));
    });
    return { less, n };
  }
  /** Keeps exp(x), or 2^x, as float32 shows it: x is cut to where that is nothing or infinity. */
  exp(x: number, isOfTwo = false): number {
    const { f } = this;
    const { less, n } = this.exponent(this.bounded(x), isOfTwo);
    return this.keep(() => {
      f.get(less);
      this.constant("one").op("f64x2.add").get(n).i32(52).op("i64x2.shl").op("i64x2.add");
    });
  }
  /** Keeps exp(x) to less than a unit in the last place of a double. */
  expDouble(x: number): number {
    const { f } = this;
    const inside = this.keep(() => {
      f.get(x);
      this.constant("lowestDouble").op("f64x2.pmax");
      this.constant("highestDouble").op("f64x2.pmin");
    });
    const n = this.keep(() => {
      f.get(inside);
      this.constant("log2e").op("f64x2.mul");
      this.constant("magic").op("f64x2.add");
    });
    const k = this.keep(() => {
      f.get(n);
      this.constant("magic").op("f64x2.sub");
    });
    const [high, low] = (["highLn2", "lowLn2"] as const).map((part) =>
      this.keep(() => {
        if (part === "highLn2") f.get(inside);
        f.get(k);
        this.constant(part).op("f64x2.mul");
        if (part === "highLn2") f.op("f64x2.sub");
      }),
    ) as [number, number];
    const r = this.keep(() => f.get(high).get(low).op("f64x2.sub"));
    const square = this.keep(() => f.get(r).get(r).op("f64x2.mul"));
    // 1 + r + r^2 P(r), with what r and the first sum lost to rounding
    const near = this.keep(() => {
      this.constant("one").get(r).op("f64x2.add");
    });
    const power = this.keep(() => {
      f.get(near);
      this.constant("one").get(near).op("f64x2.sub").get(r).op("f64x2.add");
      this.polynomial("expLong", r).get(square);
      this.multiplyAdd(() => f.get(high).get(r).op("f64x2.sub").get(low).op("f64x2.sub"));
      f.op("f64x2.add").op("f64x2.add");
    });
    // 2^n as two factors, so that results that are not normal numbers are rounded once
    const half = this.keep(() => {
      f.get(k);
      this.constant("oneHalf").op("f64x2.mul");
      this.constant("magic").op("f64x2.add");
    });
    return this.keep(() => {
      f.get(power).get(half).i32(52).op("i64x2.shl");
      this.constant("one").op("i64x2.add").op("f64x2.mul");
      f.get(n).get(half).op("i64x2.sub").i32(52).op("i64x2.shl");
      this.constant("one").op("i64x2.add").op("f64x2.mul");
    });
  }
  /** Keeps exp(x) - 1. */
  expm1(x: number): number {
    const { f } = this;
    const { less, n } = this.exponent(this.bounded(x));
    const power = this.keep(() => {
      f.get(n).i32(52).op("i64x2.shl");
      this.constant("one").op("i64x2.add");
    });
    return this.keep(() => {
      f.get(less).get(power);
      this.multiplyAdd(() => {
        f.get(power);
        this.constant("one").op("f64x2.sub");
      });
      // of nothing, too, the sign stays
      f.get(x);
      this.constant("minusZero").op("v128.and").op("v128.or");
    });
  }
  private bounded(x: number): number {
    return this.keep(() => {
      this.f.get(x);
      this.constant("lowest").op("f64x2.pmax");
      this.constant("highest").op("f64x2.pmin");
    });
  }

  /** Keeps log(x); with `over` log(1 + over), where x is 1 + over rounded. */
  log(x: number, over?: number): number {
    const { f } = this;
    // x = 2^e m with m from the root of 1/2 to that of 2
    const h = this.keep(() => {
      f.get(x);
      this.constant("oneOverRoot").op("i64x2.add");
    });
    const biased = f.local("v128");
    // its negative: times the negative of ln 2 it is -0 where e is 0, which changes no sign
    const e = this.keep(() => {
      f.get(h).i32(52).op("i64x2.shr_u");
      this.constant("whole").op("v128.or").set(biased);
      this.constant("wholeAndBias").get(biased).op("f64x2.sub");
    });
    let d = this.keep(() => {
      f.get(h);
      this.constant("fraction").op("v128.and");
      this.constant("rootHalf").op("i64x2.add");
      this.constant("one").op("f64x2.sub");
    });
    if (over !== undefined) d = this.choose(over, d, () => f.get(e).zeros().op("f64x2.eq"));
    const s = this.keep(() => {
      f.get(d).get(d);
      this.constant("two").op("f64x2.add").op("f64x2.div");
    });
    const z = this.keep(() => f.get(s).get(s).op("f64x2.mul"));
    // 2 s + s z P(z) + e ln 2
    const y = this.keep(() => {
      this.polynomial("log", z).get(z).op("f64x2.mul");
      this.constant("two").op("f64x2.add").get(s).op("f64x2.mul").get(e);
      this.constant("minusLn2").op("f64x2.mul").op("f64x2.add");
    });
    f.get(e).op("f64x2.abs");
    this.constant("highest").op("f64x2.gt").op("v128.any_true");
    f.when(() => {
      // infinity and what is not a number stay; nothing has the logarithm -infinity, and less than nothing has none
      f.get(y).get(x).get(x);
      this.constant("infinity").op("f64x2.lt").op("v128.bitselect").set(y);
      this.constant("minusInfinity").get(y);
      this.constant("none").get(x).zeros().op("f64x2.ge").op("v128.bitselect");
      f.get(x).zeros().op("f64x2.eq").op("v128.bitselect").set(y);
    });
    return y;
  }
  /** Keeps log(1 + x). */
  log1p(x: number): number {
    const u = this.keep(() => {
      this.f.get(x);
      this.constant("one").op("f64x2.add");
    });
    return this.log(u, x);
  }

  /** Keeps the sign bits of `from` on what is positive. */
  withSign(x: number, from: number): number {
    return this.keep(() => {
      this.f.get(from);
      this.constant("minusZero").op("v128.and").get(x).op("v128.xor");
    });
  }
  absolute(x: number): number {
    return this.keep(() => this.f.get(x).op("f64x2.abs"));
  }

  /** Keeps atan2(y, x). */
  atan2(y: number, x: number): number {
    const { f } = this;
    // infinities become numbers of which all that are finite are nothing
    const [ay, ax] = [y, x].map((v) =>
      this.keep(() => {
        f.get(v).op("f64x2.abs");
        this.constant("huge").op("f64x2.pmin");
      }),
    ) as [number, number];
    // what is not a number is the lower one where it is x, the higher one where it is y
    const low = this.keep(() => f.get(ax).get(ay).op("f64x2.pmin"));
    const high = this.keep(() => f.get(ay).get(ax).op("f64x2.pmax"));
    const isSteep = this.keep(() => f.get(ay).get(ax).op("f64x2.gt"));
    // beyond half of 45 degrees: the angle from 45 on, below zero
    const isBeyond = this.keep(() => {
      f.get(low).get(high);
      this.constant("rootLessOne").op("f64x2.mul").op("f64x2.gt");
    });
    const q = this.keep(() => {
      f.get(low).get(high).get(isBeyond).op("v128.and").op("f64x2.sub");
      f.get(high).get(low).get(isBeyond).op("v128.and").op("f64x2.add");
      this.constant("tiny").op("f64x2.pmax").op("f64x2.div");
    });
    const z = this.keep(() => f.get(q).get(q).op("f64x2.mul"));
    const angle = this.keep(() => {
      this.polynomial("atan", z).get(z).op("f64x2.mul").get(q);
      this.multiplyAdd(() => f.get(q));
      this.constant("eighth").get(isBeyond).op("v128.and").op("f64x2.add");
      // a quarter less it where y is the higher, a half less that where x is below zero
      this.constant("minusZero").get(isSteep).op("v128.and").op("v128.xor");
      this.constant("quarter").get(isSteep).op("v128.and").op("f64x2.add");
      this.constant("minusZero").get(x).op("v128.and").op("v128.xor");
      this.constant("half").get(x).zeros().op("i64x2.lt_s").op("v128.and").op("f64x2.add");
    });
    return this.withSign(angle, y);
  }
  /** Keeps asin(x): beyond 1/2 a quarter less twice the arc sine of sqrt((1 - |x|) / 2). */
  asin(x: number): number {
    const { f } = this;
    const a = this.absolute(x);
    const isBeyond = this.keep(() => {
      f.get(a);
      this.constant("oneHalf").op("f64x2.gt");
    });
    const [near, far] = [
      this.keep(() => f.get(a).get(a).op("f64x2.mul")),
      this.keep(() => {
        this.constant("one").get(a).op("f64x2.sub");
        this.constant("oneHalf").op("f64x2.mul");
      }),
    ];
    const z = this.choose(far, near, () => f.get(isBeyond));
    const root = this.keep(() => f.get(z).op("f64x2.sqrt"));
    const s = this.choose(root, a, () => f.get(isBeyond));
    const arc = this.keep(() => {
      this.polynomial("asin", z).get(z).op("f64x2.mul").get(s);
      this.multiplyAdd(() => f.get(s));
    });
    const rest = this.keep(() => {
      this.constant("quarter").get(arc).op("f64x2.sub").get(arc).op("f64x2.sub");
    });
    return this.withSign(
      this.choose(rest, arc, () => f.get(isBeyond)),
      x,
    );
  }

  /**
   * The angle x as r and how often it was turned, in units of `unit`, plus that unit times `offset`: the low bit of n says whether the
   * number is odd. r is at most half a unit.
   */
  turns(x: number, per: "perPi" | "perQuarter", isHalfOff: boolean): { r: number; n: number } {
    const { f } = this;
    const suffix = per === "perPi" ? "Pi" : "Quarter";
    const [r, n] = [this.f.local("v128"), this.f.local("v128")];
    /** Leaves the number on the stack as a double. */
    const number = (of: number): void => {
      f.get(of);
      this.constant("magic").op("f64x2.sub");
    };
    f.get(x);
    this.constant(per).op("f64x2.mul");
    if (isHalfOff) this.constant("oneHalf").op("f64x2.sub");
    this.constant("magic").op("f64x2.add").set(n);
    const k = this.keep(() => {
      number(n);
      if (isHalfOff) this.constant("oneHalf").op("f64x2.add");
    });
    f.get(x).get(k);
    this.constant(`high${suffix}`).op("f64x2.mul").op("f64x2.sub").get(k);
    this.constant(`low${suffix}`).op("f64x2.mul").op("f64x2.sub").set(r);
    const isFar = this.keep(() => {
      f.get(x).op("f64x2.abs");
      this.constant("mostDirect").op("f64x2.gt");
    });
    f.get(isFar).op("v128.any_true");
    f.when(() => {
      const at = [0, 1].map((element) => this.digitsOf(element));
      // products of an element's 24 bits with 28 of 1 / pi are exact, and so are sums of which whole numbers were taken
      const [sum, whole, m] = [this.f.local("v128"), this.f.local("v128"), this.f.local("v128")];
      f.get(x);
      if (per === "perQuarter") f.get(x).op("f64x2.add");
      f.set(m);
      f.zeros().set(whole);
      for (let part = 0; part < DIGIT_PARTS; part++) {
        f.get(m)
          .get(at[0]!)
          .memory("v128.load64_splat", 8 * part);
        f.get(at[1]!)
          .memory("v128.load64_splat", 8 * part)
          .shuffle(0, 1, 4, 5)
          .op("f64x2.mul");
        if (part === 0) {
          if (isHalfOff) this.constant("oneHalf").op("f64x2.sub");
        } else f.get(sum).op("f64x2.add");
        f.set(sum);
        if (part === DIGIT_PARTS - 1) break;
        const some = this.f.local("v128");
        f.get(sum);
        this.constant("magic").op("f64x2.add").set(some).get(whole).get(some).op("i64x2.add").set(whole).get(sum);
        number(some);
        f.op("f64x2.sub").set(sum);
      }
      f.get(whole).get(n).get(isFar).op("v128.bitselect").set(n).get(sum);
      this.constant(per === "perPi" ? "half" : "quarter")
        .op("f64x2.mul")
        .get(r)
        .get(isFar)
        .op("v128.bitselect")
        .set(r);
    });
    return { r, n };
  }
  /** Address of the digits for one of the two elements. */
  private digitsOf(element: number): number {
    const { f } = this;
    const [exponent] = f.fresh("i32");
    f.get(this.source)
      .memory("i32.load", 4 * element)
      .i32(23)
      .op("i32.shr_u")
      .i32(255)
      .op("i32.and");
    f.i32(FIRST_FAR_EXPONENT).op("i32.sub").set(exponent);
    f.get(exponent).i32(0).get(exponent).i32(0).op("i32.gt_s").op("select");
    f.i32(8 * DIGIT_PARTS).op("i32.mul");
    f.get(this.table).op("i32.add").i32(DIGITS_BYTES).op("i32.add").set(exponent);
    return exponent;
  }
}
