/** @file Linear layers as a program for the assembler: products that start from the bias and are stored where they belong. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { storeFirst } from "./convolution_programs.ts";
import { accumulate, COLUMNS, productLoop, touch, type ProductStyle } from "./programs.ts";

const DENSE = ["a", "b", "tileStride", "k", "rows", "columns", "c", "ldc", "adds", "bias"] as const;

/**
 * dense(a, b, tileStride, k, rows, columns, c, ldc, adds, bias): C (rows by columns) = A B + bias, addresses and strides in bytes. A is
 * packed in panels, B in tiles (Note [Packed product]), `tileStride` apart. Where `adds` is not zero the product is added to C, else to the
 * bias of every column, which has whole tiles; 0 is none. Nothing is stored beyond C; whole vectors are read there. All counts are at least 1.
 */
export function denseProgram(style: ProductStyle): FunctionBuilder {
  const { rows: ROWS } = style;
  const f = new FunctionBuilder("dense", new Array<"i32">(DENSE.length).fill("i32"));
  const p = Object.fromEntries(DENSE.map((name, i) => [name, i])) as Record<(typeof DENSE)[number], number>;
  const [panelBytes, ap, aEnd, bp, cp, at, left, wanted, share, ahead, aheadEnd, stop] = f.fresh("i32");
  const acc = Array.from({ length: ROWS * 2 }, () => f.local("v128"));
  const [b0, b1, x] = f.fresh("v128");
  /** Runs `body` for every row of the panel with its address in `at`; beyond the last row that stays where it was. */
  const everyRow = (body: (first: number, second: number) => void): void => {
    f.get(cp).set(at);
    for (let r = 0; r < ROWS; r++) {
      body(acc[2 * r]!, acc[2 * r + 1]!);
      if (r + 1 < ROWS) {
        f.get(at).get(p.ldc).i32(0);
        f.get(left)
          .i32(r + 1)
          .op("i32.gt_s")
          .op("select")
          .op("i32.add")
          .set(at);
      }
    }
  };
  const begin = (): void => {
    f.get(p.adds).when(
      () =>
        everyRow((first, second) => {
          f.get(at).memory("v128.load").set(first).get(at).memory("v128.load", 16).set(second);
        }),
      () => {
        f.zeros().set(b0).zeros().set(b1);
        f.get(p.bias).when(() => f.get(p.bias).memory("v128.load").set(b0).get(p.bias).memory("v128.load", 16).set(b1));
        acc.forEach((v, i) => f.get(i % 2 === 0 ? b0 : b1).set(v));
      },
    );
  };
  const multiply = (): void => {
    f.get(p.b).set(bp);
    productLoop(f, style, { acc, b: [b0, b1], x }, { ap, bp, end: "ap", stop: aEnd }, () =>
      f.increase(bp, { by: 4 * COLUMNS }).increase(ap, { by: 4 * ROWS }),
    );
  };
  /** Stores what there is of two vectors at `at`, and of the columns that are wanted. */
  const storePart = (first: number, second: number): void => {
    f.get(wanted)
      .i32(4)
      .op("i32.and")
      .when(() => f.get(at).get(first).memory("v128.store").get(second).set(first).increase(at, { by: 16 }));
    storeFirst(f, first, at, wanted);
  };
  const store = (): void => {
    const isWhole = f.local("i32");
    f.get(wanted).i32(COLUMNS).op("i32.ge_s").set(isWhole);
    f.get(cp).set(at);
    for (let r = 0; r < ROWS; r++) {
      const [first, second] = [acc[2 * r]!, acc[2 * r + 1]!];
      f.get(left)
        .i32(r)
        .op("i32.gt_s")
        .when(() => {
          f.get(isWhole).when(
            () => f.get(at).get(first).memory("v128.store").get(at).get(second).memory("v128.store", 16),
            () => storePart(first, second),
          );
          f.increase(cp, { byLocal: p.ldc }).get(cp).set(at);
        });
    }
  };
  f.get(p.columns).set(wanted);
  f.get(p.k)
    .i32(32)
    .op("i32.mul")
    .get(p.rows)
    .i32(ROWS - 1)
    .op("i32.add")
    .i32(ROWS)
    .op("i32.div_u")
    .op("i32.div_u");
  f.i32(64).op("i32.add").i32(-64).op("i32.and").set(share);
  f.loop(() => {
    f.get(p.b).get(p.tileStride).op("i32.add").set(ahead);
    f.get(ahead)
      .get(p.k)
      .i32(32)
      .op("i32.mul")
      .op("i32.add")
      .i32(0)
      .get(wanted)
      .i32(COLUMNS)
      .op("i32.gt_s")
      .op("select")
      .set(aheadEnd);
    f.get(p.a).set(ap).get(p.c).set(cp).get(p.rows).set(left);
    f.get(p.k)
      .i32(4 * ROWS)
      .op("i32.mul")
      .set(panelBytes);
    f.loop(() => {
      f.get(ap).get(panelBytes).op("i32.add").set(aEnd);
      // a share of the next tile
      f.get(ahead).get(share).op("i32.add").set(stop);
      f.get(stop).get(aheadEnd).get(stop).get(aheadEnd).op("i32.lt_u").op("select").set(stop);
      touch(f, ahead, stop);
      begin();
      multiply();
      store();
      f.get(left).i32(ROWS).op("i32.sub").set(left);
      f.get(left).i32(0).op("i32.gt_s");
    });
    f.get(p.bias).when(() => f.increase(p.bias, { by: 4 * COLUMNS }));
    f.increase(p.b, { byLocal: p.tileStride }).increase(p.c, { by: 4 * COLUMNS });
    f.get(wanted).i32(COLUMNS).op("i32.sub").set(wanted);
    f.get(wanted).i32(0).op("i32.gt_s");
  });
  return f;
}

/** Rows that one pass of `addRows` adds. */
const ADDED_ROWS = 4;

/** addRows(x, k, b, ldb, vectors, y): y, `vectors` vectors of four, += the sum of x[p] times row p of b, over k rows ldb bytes apart. Counts are at least 1. */
export function addRowsProgram(fused: boolean): FunctionBuilder {
  const f = new FunctionBuilder("addRows", new Array<"i32">(6).fill("i32"));
  const [x, k, b, ldb, vectors, y] = f.parameters;
  const [to, left] = f.fresh("i32");
  const at = Array.from({ length: ADDED_ROWS }, () => f.local("i32"));
  const factors = Array.from({ length: ADDED_ROWS }, () => f.local("v128"));
  const sum = f.local("v128");
  const add = (rows: number): void => {
    for (let r = 0; r < rows; r++) {
      f.get(b)
        .set(at[r]!)
        .get(x)
        .memory("v128.load32_splat", 4 * r)
        .set(factors[r]!);
      f.increase(b, { byLocal: ldb });
    }
    f.get(y).set(to).get(vectors).set(left);
    f.loop(() => {
      f.get(to).memory("v128.load").set(sum);
      for (let r = 0; r < rows; r++) {
        accumulate(
          f,
          fused,
          sum,
          () => f.get(factors[r]!),
          () => f.get(at[r]!).memory("v128.load"),
        );
        f.increase(at[r]!, { by: 16 });
      }
      f.get(to).get(sum).memory("v128.store").increase(to, { by: 16 });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.increase(x, { by: 4 * rows });
    f.get(k).i32(rows).op("i32.sub").set(k);
  };
  f.loop(() => {
    f.get(k)
      .i32(ADDED_ROWS)
      .op("i32.ge_s")
      .when(
        () => add(ADDED_ROWS),
        () => add(1),
      );
    f.get(k);
  });
  return f;
}
