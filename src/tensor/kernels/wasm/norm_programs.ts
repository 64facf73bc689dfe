/** @file Normalisation of groups of channels, and maps of channels, as programs for the assembler. Upstream: aten/src/ATen/native/cpu/group_norm_kernel.cpp (the order of roundings). Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** Vectors of one step of a loop. */
const UNROLLED = 4;

interface Sweep {
  /** Address that moves through the elements. */
  readonly at: number;
  /** Its end. */
  readonly end: number;
  /** A local. */
  readonly wide: number;
}

/** Runs `vector` for every four elements from `at` to `end`, with its number in the step and its offset, then `single` for each that is left. */
function sweep(
  f: FunctionBuilder,
  { at, end, wide }: Sweep,
  vector: (k: number, offset: number) => void,
  single: () => void,
  move: (bytes: number) => void = () => {},
): void {
  const upTo = (until: number, bytes: number, body: () => void): void => {
    f.get(at)
      .get(until)
      .op("i32.ne")
      .when(() =>
        f.loop(() => {
          body();
          f.increase(at, { by: bytes });
          move(bytes);
          f.get(at).get(until).op("i32.ne");
        }),
      );
  };
  for (const [bytes, vectors] of [
    [16 * UNROLLED, UNROLLED],
    [16, 1],
  ] as const) {
    f.get(end)
      .get(end)
      .get(at)
      .op("i32.sub")
      .i32(bytes - 4)
      .op("i32.and")
      .op("i32.sub")
      .set(wide);
    upTo(wide, bytes, () => {
      for (let k = 0; k < vectors; k++) vector(k, 16 * k);
    });
  }
  upTo(end, 4, single);
}

/** to = from * scale + shift for the elements up to `end`; scale and shift as numbers and in all lanes. */
function affine(
  f: FunctionBuilder,
  range: Sweep,
  to: number,
  [scale, shift]: readonly [number, number],
  [scales, shifts]: readonly [number, number],
): void {
  f.get(scale).op("f32x4.splat").set(scales).get(shift).op("f32x4.splat").set(shifts);
  sweep(
    f,
    range,
    (_, offset) => {
      f.get(to).get(range.at).memory("v128.load", offset).get(scales).op("f32x4.mul").get(shifts).op("f32x4.add");
      f.memory("v128.store", offset);
    },
    () => {
      f.get(to).get(range.at).memory("f32.load").get(scale).op("f32.mul").get(shift).op("f32.add").memory("f32.store");
    },
    (bytes) => f.increase(to, { by: bytes }),
  );
}

/** affinePlanes(to, from, planes, bytes, pairs, first, end): planes of `bytes` bytes become x * scale + shift, two numbers at `pairs` for each; behind
 * those before `end` come those from `first` on. */
export function affinePlanesProgram(): FunctionBuilder {
  const f = new FunctionBuilder("affinePlanes", new Array<"i32">(7).fill("i32"));
  const [to, from, planes, bytes, pairs, first, end] = f.parameters;
  const [wide, last] = f.fresh("i32");
  const [scale, shift] = f.fresh("f32");
  const [scales, shifts] = f.fresh("v128");
  f.loop(() => {
    f.get(pairs).memory("f32.load").set(scale).get(pairs).memory("f32.load", 4).set(shift);
    f.get(from).get(bytes).op("i32.add").set(last);
    affine(f, { at: from, end: last, wide }, to, [scale, shift], [scales, shifts]);
    f.increase(pairs, { by: 8 });
    f.get(first).get(pairs).get(pairs).get(end).op("i32.eq").op("select").set(pairs);
    f.get(planes).i32(1).op("i32.sub").set(planes).get(planes);
  });
  return f;
}

/** normGroup(to, from, channels, bytes, pairs, moments, eps): normalises `channels` channels of `bytes` bytes together, each then times the first
 * number of its pair plus the second. Mean and 1 / sqrt(variance + eps) go to `moments`. */
export function normGroupProgram(): FunctionBuilder {
  const f = new FunctionBuilder("normGroup", [...new Array<"i32">(6).fill("i32"), "f32"]);
  const [to, from, channels, bytes, pairs, moments, eps] = f.parameters;
  const [at, end, wide] = f.fresh("i32");
  const [count, mean, rstd, scale, shift, rest] = f.fresh("f32");
  const sums = Array.from({ length: UNROLLED }, () => f.local("v128"));
  const [means, x] = f.fresh("v128");
  const range = { at, end, wide };
  /** Leaves the average of what `push` and `pushSingle` push for every element. */
  const average = (push: (offset: number) => void, pushSingle: () => void): FunctionBuilder => {
    for (const sum of sums) f.zeros().set(sum);
    f.f32(0).set(rest).get(from).set(at);
    sweep(
      f,
      range,
      (k, offset) => {
        push(offset);
        f.get(sums[k]!).op("f32x4.add").set(sums[k]!);
      },
      () => {
        pushSingle();
        f.get(rest).op("f32.add").set(rest);
      },
    );
    for (const [a, b] of [
      [0, 1],
      [2, 3],
      [0, 2],
    ] as const)
      f.get(sums[a]!).get(sums[b]!).op("f32x4.add").set(sums[a]!);
    const [sum] = sums as [number];
    f.get(sum).get(sum).get(sum).shuffle(2, 3, 0, 1).op("f32x4.add").set(sum);
    f.get(sum).get(sum).get(sum).shuffle(1, 0, 3, 2).op("f32x4.add").extractLane(0);
    return f.get(rest).op("f32.add").get(count).op("f32.div");
  };
  f.get(from).get(channels).get(bytes).op("i32.mul").op("i32.add").set(end);
  f.get(end).get(from).op("i32.sub").i32(2).op("i32.shr_u").op("f32.convert_i32_u").set(count);
  average(
    (offset) => f.get(at).memory("v128.load", offset),
    () => f.get(at).memory("f32.load"),
  ).set(mean);
  f.get(mean).op("f32x4.splat").set(means);
  f.f32(1);
  average(
    (offset) => {
      f.get(at).memory("v128.load", offset).get(means).op("f32x4.sub").set(x);
      f.get(x).get(x).op("f32x4.mul");
    },
    () => {
      f.get(at).memory("f32.load").get(mean).op("f32.sub").set(shift).get(shift).get(shift).op("f32.mul");
    },
  );
  f.get(eps).op("f32.add").op("f32.sqrt").op("f32.div").set(rstd);
  f.get(moments).get(mean).memory("f32.store").get(moments).get(rstd).memory("f32.store", 4);
  f.get(from).set(at);
  f.loop(() => {
    f.get(rstd).get(pairs).memory("f32.load").op("f32.mul").set(scale);
    f.get(pairs).memory("f32.load", 4).get(mean).get(scale).op("f32.mul").op("f32.sub").set(shift);
    f.get(at).get(bytes).op("i32.add").set(end);
    affine(f, range, to, [scale, shift], [means, x]);
    f.increase(pairs, { by: 8 });
    f.get(channels).i32(1).op("i32.sub").set(channels).get(channels);
  });
  return f;
}
