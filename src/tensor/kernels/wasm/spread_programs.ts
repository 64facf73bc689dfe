/** @file What transposed convolutions need around their product, as programs for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { localsOf, parametersOf } from "./convolution_programs.ts";

/** packTransposed(to, from, ld, k, panels, width): packs a left operand that lies transposed, k rows `ld` bytes apart, as `panels` panels
 * of `width` (4, 6 or 8) columns each. What fills the last panel has no meaning: up to seven elements behind the last are read. */
export function packTransposedProgram(): FunctionBuilder {
  const f = new FunctionBuilder("packTransposed", new Array<"i32">(6).fill("i32"));
  const [to, from, ld, k, panels, width] = f.parameters;
  const [at, left, second] = f.fresh("i32");
  // the second four of a panel, which are the first again where it has no more
  f.get(width).i32(4).op("i32.sub").i32(2).op("i32.shl").set(second);
  f.get(width).i32(2).op("i32.shl").set(width);
  f.loop(() => {
    f.get(from).set(at).get(k).set(left);
    f.loop(() => {
      f.get(to).get(at).memory("v128.load").memory("v128.store");
      f.get(to).get(second).op("i32.add").get(at).get(second).op("i32.add").memory("v128.load").memory("v128.store");
      f.increase(to, { byLocal: width }).increase(at, { byLocal: ld });
      f.get(left).i32(1).op("i32.sub").set(left).get(left);
    });
    f.increase(from, { byLocal: width });
    f.get(panels).i32(1).op("i32.sub").set(panels).get(panels);
  });
  return f;
}

/** How the elements of a row are spread: `Any` to elements any number of bytes apart; `Dense` to a row; `Pairs` to every second element, and
 * those of a second row to the elements between. */
export const SPREADS = ["Any", "Dense", "Pairs"] as const;
/** One of these. */
export type Spread = (typeof SPREADS)[number];

const SPREAD = [
  "to",
  "toPlane",
  "toRow",
  "step",
  "from",
  "second",
  "fromPlane",
  "fromRow",
  "planes",
  "rows",
  "columns",
] as const;

/**
 * spreadX(to, toPlane, toRow, step, from, second, fromPlane, fromRow, planes, rows, columns): adds `rows` rows of `columns` elements of each of
 * `planes` planes to elements `step` bytes apart of other rows. `second` says how many bytes behind `from` the second rows lie.
 */
export function spreadProgram(spread: Spread): FunctionBuilder {
  const f = new FunctionBuilder(`spread${spread}`, new Array<"i32">(SPREAD.length).fill("i32"));
  const p = parametersOf(SPREAD);
  const i = localsOf(f, ["row", "out", "rowsLeft", "read", "write", "left"]);
  const [a, b] = f.fresh("v128");
  /** Adds what `load` pushes to the vector or element `offset` bytes behind where it is written. */
  const add = (kind: "v128" | "f32", offset: number, load: () => void): void => {
    f.get(i.write).get(i.write).memory(`${kind}.load`, offset);
    load();
    f.op(kind === "v128" ? "f32x4.add" : "f32.add").memory(`${kind}.store`, offset);
  };
  const second = (): FunctionBuilder => f.get(i.read).get(p.second).op("i32.add");
  const move = (columns: number, writtenBytes: number): void => {
    f.increase(i.read, { by: 4 * columns }).increase(i.write, { by: writtenBytes });
    f.get(i.left).i32(columns).op("i32.sub").set(i.left);
  };
  const four = (): void => {
    if (spread === "Dense") {
      add("v128", 0, () => f.get(i.read).memory("v128.load"));
      move(4, 16);
      return;
    }
    f.get(i.read).memory("v128.load").set(a);
    second().memory("v128.load").set(b);
    add("v128", 0, () => f.get(a).get(b).shuffle(0, 4, 1, 5));
    add("v128", 16, () => f.get(a).get(b).shuffle(2, 6, 3, 7));
    move(4, 32);
  };
  const one = (): void => {
    add("f32", 0, () => f.get(i.read).memory("f32.load"));
    if (spread === "Pairs") add("f32", 4, () => second().memory("f32.load"));
    f.increase(i.read, { by: 4 }).increase(i.write, { byLocal: p.step });
    f.get(i.left).i32(1).op("i32.sub").set(i.left);
  };
  f.loop(() => {
    f.get(p.from).set(i.row).get(p.to).set(i.out).get(p.rows).set(i.rowsLeft);
    f.loop(() => {
      f.get(i.row).set(i.read).get(i.out).set(i.write).get(p.columns).set(i.left);
      const atLeastFour = (): FunctionBuilder => f.get(i.left).i32(4).op("i32.ge_s");
      if (spread !== "Any")
        atLeastFour().when(() =>
          f.loop(() => {
            four();
            atLeastFour();
          }),
        );
      f.get(i.left).when(() =>
        f.loop(() => {
          one();
          f.get(i.left);
        }),
      );
      f.increase(i.row, { byLocal: p.fromRow }).increase(i.out, { byLocal: p.toRow });
      f.get(i.rowsLeft).i32(1).op("i32.sub").set(i.rowsLeft).get(i.rowsLeft);
    });
    f.increase(p.from, { byLocal: p.fromPlane }).increase(p.to, { byLocal: p.toPlane });
    f.get(p.planes).i32(1).op("i32.sub").set(p.planes).get(p.planes);
  });
  return f;
}
