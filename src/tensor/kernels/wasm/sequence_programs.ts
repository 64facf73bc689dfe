/** @file Sequences of small operators that run in one call, as programs for the assembler. Upstream: none. Spec: none.
 *
 * Note [Sequences]: a call from JavaScript, and a copy into the memory and back, cost more than a small operator computes. A sequence is a list
 * of records in the memory, each the number of a function of the module and its arguments; `runSequence` goes through it, and what one
 * leaves the next finds in its place. sequences.ts writes the records. */
import { internalAssert } from "../../../base/errors.ts";
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { accumulate } from "./programs.ts";
import {
  BINARY,
  EXPONENTIALS,
  PLAIN_UNARY,
  RECORD_WORDS,
  SEQUENCE_NUMBERS,
  TILE_ROWS,
  type SequenceFunction,
} from "./sequence_names.ts";
import { unaryProgram } from "./vector_programs.ts";

/** What the functions of one vector that need no table do. */
const PLAIN: Readonly<Record<(typeof PLAIN_UNARY)[number], (f: FunctionBuilder) => FunctionBuilder>> = {
  // keeps what is not a number, and the sign of zero
  relu: (f) => f.zeros().op("f32x4.pmax"),
  neg: (f) => f.op("f32x4.neg"),
  sqrt: (f) => f.op("f32x4.sqrt"),
};

/** name(to, from, count): count elements, rounded up to a multiple of 4, at least 1. */
function plainUnaryProgram(name: (typeof PLAIN_UNARY)[number]): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(3).fill("i32"));
  const [to, from, count] = [0, 1, 2];
  f.loop(() => {
    f.get(to).get(from).memory("v128.load");
    PLAIN[name](f).memory("v128.store");
    f.increase(to, { by: 16 }).increase(from, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count).i32(0).op("i32.gt_s");
  });
  return f;
}

/** name(to, a, b, count): count elements, rounded up to a multiple of 4, at least 1. */
function binaryProgram(name: (typeof BINARY)[number]): FunctionBuilder {
  const f = new FunctionBuilder(name, new Array<"i32">(4).fill("i32"));
  const [to, a, b, count] = [0, 1, 2, 3];
  f.loop(() => {
    f.get(to).get(a).memory("v128.load").get(b).memory("v128.load").op(`f32x4.${name}`).memory("v128.store");
    f.increase(to, { by: 16 }).increase(a, { by: 16 }).increase(b, { by: 16 });
    f.get(count).i32(4).op("i32.sub").set(count).get(count).i32(0).op("i32.gt_s");
  });
  return f;
}

/**
 * rowProduct(x, w, k, n, bias, y): y = x w + bias for one row x of k elements and the tiles of n rows: element p of each row of a tile, side by
 * side, then the next. A last tile of at most TILE_ROWS / 2 rows is half as wide. `bias` and `y` are as long as the tiles are wide together.
 */
function rowProductProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("rowProduct", new Array<"i32">(6).fill("i32"));
  const [x, w, k, n, bias, y] = [0, 1, 2, 3, 4, 5];
  const [xp, xEnd] = f.fresh("i32");
  const acc = Array.from({ length: TILE_ROWS / 4 }, () => f.local("v128"));
  const v = f.local("v128");
  const tile = (count: number): void => {
    const some = acc.slice(0, count);
    for (const r of some) f.zeros().set(r);
    f.get(x).set(xp);
    f.loop(() => {
      f.get(xp).memory("v128.load32_splat").set(v);
      some.forEach((r, i) =>
        accumulate(
          f,
          fused,
          r,
          () => f.get(v),
          () => f.get(w).memory("v128.load", 16 * i),
        ),
      );
      f.increase(w, { by: 16 * count }).increase(xp, { by: 4 });
      f.get(xp).get(xEnd).op("i32.ne");
    });
    some.forEach((r, i) =>
      f
        .get(y)
        .get(r)
        .get(bias)
        .memory("v128.load", 16 * i)
        .op("f32x4.add")
        .memory("v128.store", 16 * i),
    );
    f.increase(y, { by: 16 * count }).increase(bias, { by: 16 * count });
  };
  const isLong = (): FunctionBuilder =>
    f
      .get(n)
      .i32(TILE_ROWS / 2)
      .op("i32.gt_s");
  f.get(x).get(k).i32(2).op("i32.shl").op("i32.add").set(xEnd);
  isLong().when(() => {
    f.loop(() => {
      tile(TILE_ROWS / 4);
      f.get(n).i32(TILE_ROWS).op("i32.sub").set(n);
      isLong();
    });
  });
  f.get(n)
    .i32(0)
    .op("i32.gt_s")
    .when(() => tile(TILE_ROWS / 8));
  return f;
}

/** gather(to, from, stride, rows, bytes): rows of `bytes` bytes, `stride` bytes apart, one behind the other; a multiple of 4 and at least one. */
function gatherProgram(): FunctionBuilder {
  const f = new FunctionBuilder("gather", new Array<"i32">(5).fill("i32"));
  const [to, from, stride, rows, bytes] = [0, 1, 2, 3, 4];
  const [at, end] = f.fresh("i32");
  f.loop(() => {
    f.get(from).set(at).get(from).get(bytes).op("i32.add").set(end);
    f.loop(() => {
      f.get(to).get(at).memory("f32.load").memory("f32.store");
      f.increase(to, { by: 4 }).increase(at, { by: 4 });
      f.get(at).get(end).op("i32.ne");
    });
    f.increase(from, { byLocal: stride });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}

/** The functions that records may name, in the order of SEQUENCE_NUMBERS; exponentials take the table last. */
function steps(fused: boolean): FunctionBuilder[] {
  return [
    ...BINARY.map(binaryProgram),
    ...EXPONENTIALS.map((name) => unaryProgram(name, fused)),
    rowProductProgram(fused),
    ...PLAIN_UNARY.map(plainUnaryProgram),
    gatherProgram(),
  ];
}

/** The module: the steps, and runSequence(at, end, table), which runs the records from `at` to `end`, at least one. */
export function sequencePrograms(fused: boolean): FunctionBuilder[] {
  const functions = steps(fused);
  internalAssert(
    functions.every((step, i) => SEQUENCE_NUMBERS[step.name as SequenceFunction] === i),
    "functions of sequences stand in the order of their numbers",
  );
  const f = new FunctionBuilder("runSequence", new Array<"i32">(3).fill("i32"));
  const [at, end, table] = [0, 1, 2];
  const number = f.local("i32");
  f.loop(() => {
    f.get(at).memory("i32.load").set(number);
    functions.forEach((step, i) => {
      f.get(number)
        .i32(i)
        .op("i32.eq")
        .when(() => {
          const takesTable = (EXPONENTIALS as readonly string[]).includes(step.name);
          step.params.forEach((_, p) => {
            if (takesTable && p === step.params.length - 1) f.get(table);
            else f.get(at).memory("i32.load", 4 * (p + 1));
          });
          f.call(i);
        });
    });
    f.increase(at, { by: 4 * RECORD_WORDS });
    f.get(at).get(end).op("i32.ne");
  });
  return [...functions, f];
}
