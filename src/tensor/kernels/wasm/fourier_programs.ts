/** @file Discrete Fourier transforms of four lines at a time, as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Four lines]: an element of the work area is 32 bytes, the real parts of four lines and then their imaginary parts, so that nothing
 * is shuffled between entering and leaving it. A transform is a pass for each factor of its length from one area to another (Stockham's,
 * which leaves the results in order). Parts are `delta` bytes apart: whoever starts at the imaginary parts with a negative `delta`
 * swaps the parts of inputs and results, which transforms backward. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { fourVectors, transposeFour } from "./transpose_programs.ts";

/** Factors of lengths that there are passes for, the order in which a length is taken apart. */
export const RADICES = [5, 3, 4, 2] as const;
/** One of them. */
export type Radix = (typeof RADICES)[number];

/** Bytes of an element of four lines. */
export const ELEMENT_BYTES = 32;

/** Locals of a complex vector. */
interface Parts {
  readonly re: number;
  readonly im: number;
}

const partsOf = (f: FunctionBuilder): Parts => ({ re: f.local("v128"), im: f.local("v128") });

/** Leaves x * y - z * w (`sign` -1) or x * y + z * w on the stack. */
function productSum(
  f: FunctionBuilder,
  fused: boolean,
  x: number,
  y: number,
  sign: -1 | 1,
  z: number,
  w: number,
): void {
  if (fused) {
    f.get(z).get(w).get(x).get(y).op("f32x4.mul");
    f.op(sign === 1 ? "f32x4.relaxed_madd" : "f32x4.relaxed_nmadd");
  } else {
    f.get(x).get(y).op("f32x4.mul").get(z).get(w).op("f32x4.mul");
    f.op(sign === 1 ? "f32x4.add" : "f32x4.sub");
  }
}

/** Leaves acc + x * y on the stack, both vectors in locals. */
function plusProduct(f: FunctionBuilder, fused: boolean, acc: () => void, x: number, y: number): void {
  if (fused) {
    f.get(x).get(y);
    acc();
    f.op("f32x4.relaxed_madd");
  } else {
    acc();
    f.get(x).get(y).op("f32x4.mul").op("f32x4.add");
  }
}

const ADD = "f32x4.add";
const SUB = "f32x4.sub";

/** to = a + b or a - b, both parts. */
function combine(f: FunctionBuilder, to: Parts, a: Parts, op: typeof ADD | typeof SUB, b: Parts): void {
  f.get(a.re).get(b.re).op(op).set(to.re);
  f.get(a.im).get(b.im).op(op).set(to.im);
}

/** low = a - i b, high = a + i b. Neither is `b`; `low` may be `a`. */
function turned(f: FunctionBuilder, low: Parts, high: Parts, a: Parts, b: Parts): void {
  f.get(a.re).get(b.im).op(SUB).set(high.re);
  f.get(a.im).get(b.re).op(ADD).set(high.im);
  f.get(a.re).get(b.im).op(ADD).set(low.re);
  f.get(a.im).get(b.re).op(SUB).set(low.im);
}

/** A transform of as many elements as the radix in place of `x`, given two complex temporaries; returns where the results are. */
type Butterfly = (x: readonly Parts[], temps: readonly [Parts, Parts]) => readonly Parts[];

/** The transforms of a few elements. What they need of constants is set here, outside of the loop. */
function butterfly(f: FunctionBuilder, radix: Radix, fused: boolean): Butterfly {
  const constant = (value: number): number => {
    const local = f.local("v128");
    f.f32(value).op("f32x4.splat").set(local);
    return local;
  };
  if (radix === 2) {
    return ([a, b], [sum]) => {
      combine(f, sum, a!, ADD, b!);
      combine(f, b!, a!, SUB, b!);
      return [sum, b!];
    };
  }
  if (radix === 4) {
    return ([a, b, c, d], [sum, rest]) => {
      combine(f, sum, a!, ADD, c!);
      combine(f, a!, a!, SUB, c!);
      combine(f, rest, b!, ADD, d!);
      combine(f, b!, b!, SUB, d!);
      combine(f, c!, sum, SUB, rest);
      combine(f, sum, sum, ADD, rest);
      turned(f, rest, d!, a!, b!);
      return [sum, rest, c!, d!];
    };
  }
  if (radix === 3) {
    const [minusHalf, sine] = [constant(-0.5), constant(Math.sqrt(3) / 2)];
    return ([a, b, c], [sum, turn]) => {
      combine(f, sum, b!, ADD, c!);
      combine(f, turn, b!, SUB, c!);
      for (const part of ["re", "im"] as const) {
        f.get(turn[part]).get(sine).op("f32x4.mul").set(turn[part]);
        plusProduct(f, fused, () => f.get(a![part]), sum[part], minusHalf);
        f.set(b![part]);
      }
      combine(f, a!, a!, ADD, sum);
      turned(f, sum, c!, b!, turn);
      return [a!, sum, c!];
    };
  }
  const angle = (2 * Math.PI) / 5;
  const [cos1, cos2] = [constant(Math.cos(angle)), constant(Math.cos(2 * angle))];
  const [sin1, sin2] = [constant(Math.sin(angle)), constant(Math.sin(2 * angle))];
  return ([a, b, c, d, e], [t1, t2]) => {
    combine(f, t1, b!, ADD, e!);
    combine(f, t2, c!, ADD, d!);
    combine(f, e!, b!, SUB, e!);
    combine(f, d!, c!, SUB, d!);
    for (const part of ["re", "im"] as const) {
      const mean = (first: number, second: number): void =>
        plusProduct(f, fused, () => plusProduct(f, fused, () => f.get(a![part]), t1[part], first), t2[part], second);
      mean(cos1, cos2);
      f.set(b![part]);
      mean(cos2, cos1);
      f.set(c![part]);
      f.get(a![part]).get(t1[part]).op(ADD).get(t2[part]).op(ADD).set(a![part]);
      productSum(f, fused, e![part], sin1, 1, d![part], sin2);
      f.set(t1[part]);
      productSum(f, fused, e![part], sin2, -1, d![part], sin1);
      f.set(t2[part]);
    }
    turned(f, b!, e!, b!, t1);
    turned(f, c!, d!, c!, t2);
    return [a!, b!, c!, d!, e!];
  };
}

/** passR(to, from, delta, leg, step, count, twiddles): R elements `leg` bytes apart become as many, `step` bytes apart; `step` bytes of
 * them one behind the other, then with the next twiddles, R - 1 pairs of cosine and sine, `count` times.
 * lastR(to, from, delta, leg): one such group without twiddles, in which `step` is `leg`. */
function passProgram(radix: Radix, isLast: boolean, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(`${isLast ? "last" : "pass"}${radix}`, new Array<"i32">(isLast ? 4 : 7).fill("i32"));
  const [to, from, delta, leg, givenStep, count, twiddles] = f.parameters;
  const step = isLast ? leg : givenStep;
  const [end, at] = f.fresh("i32");
  const later = Array.from({ length: radix - 1 }, () => [f.local("i32"), f.local("i32")] as const);
  const x = Array.from({ length: radix }, () => partsOf(f));
  const temps = [partsOf(f), partsOf(f)] as const;
  const roots = isLast ? [] : later.map(() => partsOf(f));
  later.forEach(([behindIn, behindOut], j) => {
    f.get(leg)
      .i32(j + 1)
      .op("i32.mul")
      .set(behindIn);
    f.get(step)
      .i32(j + 1)
      .op("i32.mul")
      .set(behindOut);
  });
  const transform = butterfly(f, radix, fused);
  /** Leaves the address of the real part of element j and notes that of the imaginary part. */
  const address = (base: number, j: number, side: 0 | 1): void => {
    f.get(base);
    if (j > 0)
      f.get(later[j - 1]![side])
        .op("i32.add")
        .set(at)
        .get(at);
  };
  const imaginary = (base: number, j: number): FunctionBuilder =>
    f
      .get(j > 0 ? at : base)
      .get(delta)
      .op("i32.add");
  const group = (): void => {
    f.loop(() => {
      x.forEach(({ re, im }, j) => {
        address(from, j, 0);
        f.memory("v128.load").set(re);
        imaginary(from, j).memory("v128.load").set(im);
      });
      transform(x, temps).forEach(({ re, im }, j) => {
        const root = j > 0 ? roots[j - 1] : undefined;
        address(to, j, 1);
        if (root) productSum(f, fused, re, root.re, -1, im, root.im);
        else f.get(re);
        f.memory("v128.store");
        imaginary(to, j);
        if (root) productSum(f, fused, re, root.im, 1, im, root.re);
        else f.get(im);
        f.memory("v128.store");
      });
      f.increase(from, { by: ELEMENT_BYTES }).increase(to, { by: ELEMENT_BYTES });
      f.get(to).get(end).op("i32.ne");
    });
  };
  const setEnd = (): FunctionBuilder => f.get(to).get(step).op("i32.add").set(end);
  if (isLast) {
    setEnd();
    group();
    return f;
  }
  f.loop(() => {
    roots.forEach(({ re, im }, j) => {
      f.get(twiddles)
        .memory("v128.load32_splat", 8 * j)
        .set(re);
      f.get(twiddles)
        .memory("v128.load32_splat", 8 * j + 4)
        .set(im);
    });
    f.increase(twiddles, { by: 8 * roots.length });
    setEnd();
    group();
    f.increase(to, { byLocal: later.at(-1)![1] });
    f.get(count).i32(1).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** The passes of some radices. */
export function passPrograms(radices: readonly Radix[], fused: boolean): FunctionBuilder[] {
  return radices.flatMap((radix) => [passProgram(radix, false, fused), passProgram(radix, true, fused)]);
}

/** enterRows(to, row0, row1, row2, row3, count): `count` numbers of four rows, which are parts in turn; reads and writes up to three more of
 * each. enterWindow(..., window) multiplies them by those of a window. */
export function enterRowsProgram(isWindowed: boolean): FunctionBuilder {
  const f = new FunctionBuilder(
    isWindowed ? "enterWindow" : "enterRows",
    new Array<"i32">(isWindowed ? 7 : 6).fill("i32"),
  );
  const [to, row0, row1, row2, row3, count, window] = f.parameters;
  const [rows, pairs] = [fourVectors(f), fourVectors(f)];
  f.loop(() => {
    [row0, row1, row2, row3].forEach((row, r) =>
      f.get(row).memory("v128.load").set(rows[r]!).increase(row, { by: 16 }),
    );
    transposeFour(f, rows, pairs);
    rows.forEach((row, r) => {
      f.get(to).get(row);
      if (isWindowed)
        f.get(window)
          .memory("v128.load32_splat", 4 * r)
          .op("f32x4.mul");
      f.memory("v128.store", 16 * r);
    });
    if (isWindowed) f.increase(window, { by: 16 });
    f.increase(to, { by: 64 }).increase(count, { by: -4 });
    f.get(count).i32(0).op("i32.gt_s");
  });
  return f;
}

/** Leaves what the parts of two complex numbers side by side are multiplied by in a local. */
function scaleLocal(f: FunctionBuilder, re: number, im: number): number {
  const scale = f.local("v128");
  f.get(re).op("f32x4.splat").get(im).replaceLane(1).get(im).replaceLane(3).set(scale);
  return scale;
}

/** leaveRows(from, count, row0, row1, row2, row3, re, im): an even `count` of numbers to four rows, real and imaginary parts multiplied. */
export function leaveRowsProgram(): FunctionBuilder {
  const f = new FunctionBuilder("leaveRows", [...new Array<"i32">(6).fill("i32"), "f32", "f32"]);
  const [from, count, row0, row1, row2, row3, re, im] = f.parameters;
  const to = [row0, row1, row2, row3];
  const [rows, pairs] = [fourVectors(f), fourVectors(f)];
  const scale = scaleLocal(f, re, im);
  const some = (store: (r: number) => void): void => {
    rows.forEach((row, r) =>
      f
        .get(from)
        .memory("v128.load", 16 * r)
        .set(row),
    );
    transposeFour(f, rows, pairs);
    to.forEach((address, r) => {
      f.get(address).get(rows[r]!).get(scale).op("f32x4.mul");
      store(r);
    });
  };
  f.get(count)
    .i32(4)
    .op("i32.ge_s")
    .when(() =>
      f.loop(() => {
        some((r) => f.memory("v128.store").increase(to[r]!, { by: 16 }));
        f.increase(from, { by: 64 }).increase(count, { by: -4 });
        f.get(count).i32(4).op("i32.ge_s");
      }),
    );
  f.get(count).when(() => some(() => f.storeLow()));
  return f;
}

/** enterLines(to, line0, line1, line2, line3, stride, count): complex numbers of four lines, `stride` bytes apart in each. */
export function enterLinesProgram(): FunctionBuilder {
  const f = new FunctionBuilder("enterLines", new Array<"i32">(7).fill("i32"));
  const [to, line0, line1, line2, line3, stride, count] = f.parameters;
  const [first, second] = f.fresh("v128");
  const pair = (a: number, b: number, into: number): void => {
    f.get(a).memory("v128.load64_zero").get(b).memory("v128.load64_zero").shuffle(0, 4, 1, 5).set(into);
    f.increase(a, { byLocal: stride }).increase(b, { byLocal: stride });
  };
  f.loop(() => {
    pair(line0, line1, first);
    pair(line2, line3, second);
    f.get(to).get(first).get(second).shuffle(0, 1, 4, 5).memory("v128.store");
    f.get(to).get(first).get(second).shuffle(2, 3, 6, 7).memory("v128.store", 16);
    f.increase(to, { by: ELEMENT_BYTES });
    f.get(count).i32(1).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** leaveLines(from, count, line0, line1, line2, line3, stride, re, im): the same back, real and imaginary parts multiplied. */
export function leaveLinesProgram(): FunctionBuilder {
  const f = new FunctionBuilder("leaveLines", [...new Array<"i32">(7).fill("i32"), "f32", "f32"]);
  const [from, count, line0, line1, line2, line3, stride, re, im] = f.parameters;
  const pair = f.local("v128");
  const scale = scaleLocal(f, re, im);
  const leave = (a: number, b: number, lane: 0 | 2): void => {
    f.get(from).memory("v128.load").get(from).memory("v128.load", 16);
    f.shuffle(lane, 4 + lane, lane + 1, 5 + lane)
      .get(scale)
      .op("f32x4.mul")
      .set(pair);
    f.get(a).get(pair).storeLow();
    f.get(b).get(pair).get(pair).shuffle(2, 3, 2, 3).storeLow();
    f.increase(a, { byLocal: stride }).increase(b, { byLocal: stride });
  };
  f.loop(() => {
    leave(line0, line1, 0);
    leave(line2, line3, 2);
    f.increase(from, { by: ELEMENT_BYTES });
    f.get(count).i32(1).op("i32.sub").set(count).get(count);
  });
  return f;
}

/** Locals: the first times the second, plus or minus the third times the fourth. */
type Products = readonly [number, number, number, number];

/** plus = x + (a * b + sign * c * d) and minus = x - (a * b + sign * c * d); with fused products rounded once less. */
function addProducts(
  f: FunctionBuilder,
  fused: boolean,
  x: number,
  [a, b, c, d]: Products,
  sign: -1 | 1,
  temp: number,
  plus: number,
  minus: number,
): void {
  if (fused) {
    const [add, subtract] = ["f32x4.relaxed_madd", "f32x4.relaxed_nmadd"] as const;
    f.get(a).get(b).get(c).get(d).get(x);
    f.op(sign === 1 ? add : subtract)
      .op(add)
      .set(plus);
    f.get(a).get(b).get(c).get(d).get(x);
    f.op(sign === 1 ? subtract : add)
      .op(subtract)
      .set(minus);
    return;
  }
  productSum(f, fused, a, b, sign, c, d);
  f.set(temp);
  f.get(x).get(temp).op(ADD).set(plus);
  f.get(x).get(temp).op(SUB).set(minus);
}

/** splitReal(at, end, roots): transforms of pairs of real numbers, from `at` to before `end`, become twice those of the real numbers, the
 * non-redundant half: one element more. joinReal is the opposite. Both read exp(-2 pi i k / n) for k from 1 on. */
export function realProgram(isJoin: boolean, fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder(isJoin ? "joinReal" : "splitReal", ["i32", "i32", "i32"]);
  const [a, b, roots] = f.parameters;
  const [low, high, even, odd, turn, root] = Array.from({ length: 6 }, () => partsOf(f)) as unknown as Parts[] & {
    length: 6;
  };
  const load = (at: number, to: Parts): FunctionBuilder =>
    f.get(at).memory("v128.load").set(to.re).get(at).memory("v128.load", 16).set(to.im);
  const store = (at: number, offset: 0 | 16, push: () => void): void => {
    f.get(at);
    push();
    f.memory("v128.store", offset);
  };
  const value = (x: number, op: typeof ADD | typeof SUB, y: number): void => void f.get(x).get(y).op(op);
  if (isJoin) {
    // the imaginary parts of both ends are taken for zero
    f.get(a).memory("v128.load").set(low!.re).get(b).memory("v128.load").set(low!.im);
    store(a, 0, () => value(low!.re, ADD, low!.im));
    store(a, 16, () => value(low!.re, SUB, low!.im));
  } else {
    load(a, low!);
    for (const [at, op] of [
      [a, ADD],
      [b, SUB],
    ] as const) {
      // twice, as the others
      store(at, 0, () => {
        value(low!.re, op, low!.im);
        value(low!.re, op, low!.im);
        f.op(ADD);
      });
      store(at, 16, () => f.zeros());
    }
  }
  f.increase(a, { by: ELEMENT_BYTES }).increase(b, { by: -ELEMENT_BYTES });
  f.get(b)
    .get(a)
    .op("i32.ge_s")
    .when(() =>
      f.loop(() => {
        load(a, low!);
        load(b, high!);
        f.get(roots).memory("v128.load32_splat").set(root!.re).get(roots).memory("v128.load32_splat", 4).set(root!.im);
        value(low!.re, ADD, high!.re);
        f.set(even!.re);
        value(low!.im, SUB, high!.im);
        f.set(even!.im);
        value(low!.re, SUB, high!.re);
        f.set(odd!.re);
        value(low!.im, ADD, high!.im);
        f.set(odd!.im);
        // turn = -i * odd * root, or i * odd / root; each part is a sum of two products
        const [re, im] = (
          isJoin
            ? [
                [root!.im, odd!.re, root!.re, odd!.im],
                [root!.re, odd!.re, root!.im, odd!.im],
              ]
            : [
                [root!.re, odd!.im, root!.im, odd!.re],
                [root!.im, odd!.im, root!.re, odd!.re],
              ]
        ) as [Products, Products];
        const reSign = isJoin ? -1 : 1;
        addProducts(f, fused, even!.re, re, reSign, turn!.re, low!.re, high!.re);
        addProducts(f, fused, even!.im, im, -reSign as -1 | 1, turn!.im, low!.im, high!.im);
        // where both are the same element, the second stores what the first did
        store(b, 0, () => f.get(high!.re));
        store(b, 16, () => f.get(high!.im).op("f32x4.neg"));
        store(a, 0, () => f.get(low!.re));
        store(a, 16, () => f.get(low!.im));
        f.increase(roots, { by: 8 });
        f.increase(a, { by: ELEMENT_BYTES }).increase(b, { by: -ELEMENT_BYTES });
        f.get(b).get(a).op("i32.ge_s");
      }),
    );
  return f;
}
