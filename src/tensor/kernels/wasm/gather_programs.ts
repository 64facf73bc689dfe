/** @file Planes whose rows and columns are those of other planes, as programs for the assembler. Upstream: none. Spec: none. */
import { FunctionBuilder } from "../../../base/wasm_assembler.ts";

/** gatherRows(to, from, rowTable, rows, columnTable, left, run, right): `rows` dense rows, of those that begin as many bytes behind `from` as the
 * row table says. A row is `left` elements that lie as far behind its beginning as the column table says, then `run` elements side by side,
 * at least 4, of which the table says where the first is, then `right` elements as those at the left. The last four of a run overlap those before. */
export function gatherRowsProgram(): FunctionBuilder {
  const f = new FunctionBuilder("gatherRows", new Array<"i32">(8).fill("i32"));
  const [to, from, rowTable, rows, columnTable, left, run, right] = f.parameters;
  const [base, table, count, source, last, behind] = f.fresh("i32");
  const take = (): FunctionBuilder => {
    f.get(base).get(table).memory("i32.load").op("i32.add").set(source);
    return f.increase(table, { by: 4 });
  };
  const single = (many: number): void => {
    f.get(many).when(() => {
      f.get(many).set(count);
      f.loop(() => {
        take().get(to).get(source).memory("i32.load").memory("i32.store");
        f.increase(to, { by: 4 });
        f.get(count).i32(1).op("i32.sub").set(count).get(count);
      });
    });
  };
  f.loop(() => {
    f.get(from).get(rowTable).memory("i32.load").op("i32.add").set(base);
    f.get(columnTable).set(table);
    single(left);
    // last = where the last vector of the run goes
    take().get(to).get(run).i32(2).op("i32.shl").op("i32.add").i32(16).op("i32.sub").set(last);
    f.get(source).get(to).op("i32.sub").set(behind);
    const vector = (at: number): void => {
      f.get(at).get(at).get(behind).op("i32.add").memory("v128.load").memory("v128.store");
    };
    const isBefore = (): FunctionBuilder => f.get(to).get(last).op("i32.lt_u");
    isBefore().when(() =>
      f.loop(() => {
        vector(to);
        f.increase(to, { by: 16 });
        isBefore();
      }),
    );
    vector(last);
    f.get(last).i32(16).op("i32.add").set(to);
    single(right);
    f.increase(rowTable, { by: 4 });
    f.get(rows).i32(1).op("i32.sub").set(rows).get(rows);
  });
  return f;
}
