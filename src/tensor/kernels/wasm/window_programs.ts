/** @file Padded planes, and windows of 3 by 3 over them, as programs for the assembler. Upstream: none. Spec: none. See Note [Finished stores]. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { addAndClamp, localsOf, parametersOf } from "./convolution_programs.ts";
import { accumulate, takeLarger } from "./programs.ts";

/** Locals for eight elements side by side, of which windows two apart take every second. */
export type Eight = readonly [number, number];
export const eightLocals = (f: FunctionBuilder): Eight => [f.local("v128"), f.local("v128")];

/** Loads the eight elements `offset` bytes behind the address in `at`. */
export function loadEight(f: FunctionBuilder, at: number, offset: number, eight: Eight): void {
  for (const [half, v] of eight.entries())
    f.get(at)
      .memory("v128.load", offset + 16 * half)
      .set(v);
}

/** Pushes every second of them, from the first or the second on. */
export function pushEverySecond(f: FunctionBuilder, [low, high]: Eight, from: 0 | 1): void {
  f.get(low).get(high);
  f.shuffle(from, from + 2, from + 4, from + 6);
}

const PAD = [
  "to",
  "toPlane",
  "toRow",
  "size",
  "from",
  "fromPlane",
  "fromRow",
  "first",
  "rows",
  "bytes",
  "step",
  "planes",
  "padding",
] as const;

/**
 * padPlanes(to, toPlane, toRow, size, from, fromPlane, fromRow, first, rows, bytes, step, planes, padding): copies
 * `rows` rows of `bytes` bytes, of elements that lie `step` bytes apart where they come from, into each of `planes` planes of `size`
 * bytes, `first` bytes behind its start, and fills the rest of it with `padding`. Rows may be none, all sizes are multiples of 4. Reads up to 32 bytes beyond a row.
 */
export function padPlanesProgram(): FunctionBuilder {
  const f = new FunctionBuilder("padPlanes", [...new Array<"i32">(12).fill("i32"), "f32"]);
  const p = parametersOf(PAD);
  const i = localsOf(f, ["at", "row", "source", "left", "move", "last", "gap"]);
  const value = f.local("v128");
  /** Runs `vector` for every four elements of `bytes` (a local), the last four overlapping those before, or `single` for each where they are fewer. */
  const sweep = (bytes: number, vector: () => void, single: () => void): void => {
    f.i32(0).set(i.at);
    f.get(bytes)
      .i32(16)
      .op("i32.ge_u")
      .when(
        () => {
          f.get(bytes).i32(16).op("i32.sub").set(i.last);
          f.get(i.last).when(() =>
            f.loop(() => {
              vector();
              f.increase(i.at, { by: 16 }).get(i.at).get(i.last).op("i32.lt_u");
            }),
          );
          f.get(i.last).set(i.at);
          vector();
        },
        () =>
          f.loop(() => {
            single();
            f.increase(i.at, { by: 4 }).get(i.at).get(bytes).op("i32.ne");
          }),
      );
  };
  const to = (start: number): FunctionBuilder => f.get(start).get(i.at).op("i32.add");
  const isStep = (bytes: number): FunctionBuilder => f.get(p.step).i32(bytes).op("i32.ne").op("i32.eqz");
  const scattered = (): void => {
    f.get(i.source).set(i.move).i32(0).set(i.at);
    f.loop(() => {
      to(i.row).get(i.move).memory("f32.load").memory("f32.store");
      f.increase(i.move, { byLocal: p.step }).increase(i.at, { by: 4 }).get(i.at).get(p.bytes).op("i32.ne");
    });
  };
  /** Pads `i.gap` bytes from `i.row` on, if any. */
  const pad = (): void => {
    f.get(i.gap).when(() =>
      sweep(
        i.gap,
        () => to(i.row).get(value).memory("v128.store"),
        () => to(i.row).get(p.padding).memory("f32.store"),
      ),
    );
  };
  f.get(p.padding).op("f32x4.splat").set(value);
  f.loop(() => {
    f.get(p.to).set(i.row).get(p.first).get(p.size).get(p.rows).op("select").set(i.gap);
    pad();
    f.get(p.rows).when(() => {
      f.get(p.to).get(p.first).op("i32.add").set(i.row).get(p.from).set(i.source).get(p.rows).set(i.left);
      f.loop(() => {
        isStep(4).when(
          () =>
            sweep(
              p.bytes,
              () => {
                to(i.row);
                to(i.source).memory("v128.load").memory("v128.store");
              },
              () => {
                to(i.row);
                to(i.source).memory("f32.load").memory("f32.store");
              },
            ),
          () =>
            isStep(8).when(
              () =>
                sweep(
                  p.bytes,
                  () => {
                    to(i.row);
                    // every second element
                    for (const offset of [0, 16]) to(i.source).get(i.at).op("i32.add").memory("v128.load", offset);
                    f.shuffle(0, 2, 4, 6).memory("v128.store");
                  },
                  () => {
                    to(i.row);
                    to(i.source).get(i.at).op("i32.add").memory("f32.load").memory("f32.store");
                  },
                ),
              scattered,
            ),
        );
        f.increase(i.source, { byLocal: p.fromRow }).increase(i.row, { byLocal: p.bytes });
        f.get(i.left).i32(1).op("i32.sub").set(i.left);
        // what lies between a row and the next, or behind the last, is of one piece
        f.get(p.toRow).get(p.bytes).op("i32.sub");
        f.get(p.to).get(p.size).op("i32.add").get(i.row).op("i32.sub");
        f.get(i.left).op("select").set(i.gap);
        pad();
        f.increase(i.row, { byLocal: i.gap }).get(i.left);
      });
    });
    f.increase(p.to, { byLocal: p.toPlane }).increase(p.from, { byLocal: p.fromPlane });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
  return f;
}

/** Distance of neighbouring windows that the programs below are made for. */
export type WindowStride = 1 | 2;

/** Loops over planes of windows of three by three, four outputs at a time; the last four of a row overlap those before, so rows have
 * at least four. `outputs` names the local that holds four of them: `tap` pushes what lies at one place of their windows, `at` where they go. */
function windowLoops(
  f: FunctionBuilder,
  stride: WindowStride,
  p: Record<"x" | "xPlane" | "xRow" | "out" | "rows" | "bytes" | "planes", number>,
  atPlane: () => void,
  outputs: (tap: (y: number, x: number) => void, at: () => void) => number,
): void {
  const i = localsOf(f, ["top", "left", "at", "last", "move", "to"]);
  const line = Array.from({ length: 3 }, () => f.local("i32"));
  f.get(p.bytes).i32(16).op("i32.sub").set(i.last);
  const eight = eightLocals(f);
  /** Column x of the window in row y, for four outputs; columns come in order. */
  const tap = (y: number, x: number): void => {
    if (stride === 1) {
      f.get(line[y]!).memory("v128.load", 4 * x);
      return;
    }
    // the first and the second column are in the same eight elements
    if (x !== 1) loadEight(f, line[y]!, 4 * x, eight);
    pushEverySecond(f, eight, x === 1 ? 1 : 0);
  };
  f.loop(() => {
    atPlane();
    f.get(p.x).set(i.top).get(p.rows).set(i.left);
    f.loop(() => {
      f.i32(0).set(i.at);
      f.loop(() => {
        f.get(i.top).get(i.at);
        if (stride === 2) f.i32(1).op("i32.shl");
        f.op("i32.add").set(line[0]!);
        for (const y of [1, 2])
          f.get(line[y - 1]!)
            .get(p.xRow)
            .op("i32.add")
            .set(line[y]!);
        f.get(p.out).get(i.at).op("i32.add").set(i.to);
        const result = outputs(tap, () => f.get(i.to));
        f.get(i.to).get(result).memory("v128.store");
        f.get(i.last).get(i.at).op("i32.sub").set(i.move);
        f.i32(16).get(i.move).get(i.move).i32(16).op("i32.gt_s").op("select").set(i.move);
        f.get(i.at).get(i.move).op("i32.add").set(i.at).get(i.move);
      });
      f.increase(p.out, { byLocal: p.bytes });
      for (let step = 0; step < stride; step++) f.increase(i.top, { byLocal: p.xRow });
      f.get(i.left).i32(1).op("i32.sub").set(i.left).get(i.left);
    });
    f.increase(p.x, { byLocal: p.xPlane });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
}

/** Takes the nine elements of the next plane's filter, times its scale, and its shift; `scale` is a temporary. */
export function takeFilter(
  f: FunctionBuilder,
  p: Record<"w" | "table", number>,
  filter: readonly number[],
  shift: number,
  scale: number,
): void {
  f.get(p.table).memory("v128.load32_splat").set(scale).get(p.table).memory("v128.load32_splat", 4).set(shift);
  filter.forEach((w, t) =>
    f
      .get(p.w)
      .memory("v128.load32_splat", 4 * t)
      .get(scale)
      .op("f32x4.mul")
      .set(w),
  );
  f.increase(p.table, { by: 8 }).increase(p.w, { by: 4 * filter.length });
}

const WINDOWS = ["x", "xPlane", "xRow", "out", "rows", "bytes", "planes"] as const;

/**
 * depthwise3S(x, xPlane, xRow, out, rows, bytes, planes, w, table, delta, low, high): 3 by 3 convolutions of `planes` planes (padded,
 * rows xRow bytes apart), each with its own nine elements at w, windows S apart; the results are `rows` rows of `bytes` bytes (at
 * least 16) a plane, without gaps. `table` holds scale and shift of every plane, the results are finished, see
 * Note [Finished stores]; the residual lies `delta` bytes behind them, 0 is none. The scale is multiplied into the filter.
 */
export function depthwise3Program(fused: boolean, stride: WindowStride): FunctionBuilder {
  const f = new FunctionBuilder(`depthwise3${stride}`, [...new Array<"i32">(10).fill("i32"), "f32", "f32"]);
  const p = parametersOf([...WINDOWS, "w", "table", "delta", "low", "high"]);
  const filter = Array.from({ length: 9 }, () => f.local("v128"));
  const [shift, low, high, acc] = f.fresh("v128");
  f.get(p.low).op("f32x4.splat").set(low).get(p.high).op("f32x4.splat").set(high);
  windowLoops(
    f,
    stride,
    p,
    () => takeFilter(f, p, filter, shift, acc),
    (tap, at) => {
      f.get(shift).set(acc);
      filter.forEach((w, t) =>
        accumulate(
          f,
          fused,
          acc,
          () => f.get(w),
          () => tap(Math.floor(t / 3), t % 3),
        ),
      );
      addAndClamp(f, acc, at, p.delta, low, high);
      return acc;
    },
  );
  return f;
}

/** windowMax3S(x, xPlane, xRow, out, rows, bytes, planes): the largest element of windows of 3 by 3, NaN where one is, laid out as for depthwise3S. */
export function windowMax3Program(stride: WindowStride): FunctionBuilder {
  const f = new FunctionBuilder(`windowMax3${stride}`, new Array<"i32">(7).fill("i32"));
  const [acc, x, nan] = f.fresh("v128");
  windowLoops(
    f,
    stride,
    parametersOf(WINDOWS),
    () => {},
    (tap) => {
      for (let t = 0; t < 9; t++) {
        tap(Math.floor(t / 3), t % 3);
        if (t === 0) f.set(acc).zeros().set(nan);
        else {
          f.set(x);
          takeLarger(f, acc, nan, x);
        }
      }
      f.get(acc).get(nan).op("v128.or").set(acc);
      return acc;
    },
  );
  return f;
}
