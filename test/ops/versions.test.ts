/** @file Every operator that writes in place counts it in the storage's version: what is packed from weights depends on it. */
import { expect, test } from "vitest";
import { listOperators, torch, type Tensor } from "../../src/node/index.ts";

const make = (): Tensor => torch.rand([4, 4]);
const rows = torch.from(new BigInt64Array([0n, 1n]), [2]);
const cells = torch.from(new BigInt64Array(16), [4, 4]);

/** Arguments behind self that many operators take, and those of some that take others. */
const COMMON = (): unknown[][] => [[], [make()], [0.5], [0.5, 0.5], [0, 1]];
const OWN: Readonly<Record<string, () => unknown[]>> = {
  fill_: () => [2],
  index_add_: () => [0, rows, torch.rand([2, 4])],
  index_copy_: () => [0, rows, torch.rand([2, 4])],
  index_fill_: () => [0, rows, 1],
  index_put_: () => [[rows], torch.rand([2, 4])],
  masked_fill_: () => [torch.call("gt", make(), 0.5), 1],
  masked_scatter_: () => [torch.call("gt", make(), 0.5), make()],
  scatter_: () => [0, cells, make()],
  scatter_add_: () => [0, cells, make()],
  addmm_: () => [make(), make()],
  addcmul_: () => [make(), make()],
  lerp_: () => [make(), 0.5],
};

test("in-place operators that change elements count the write", () => {
  const names = new Set(
    listOperators()
      .filter((o) => o.schema.includes("Tensor(a!) self"))
      .map((o) => o.schema.slice("aten::".length, o.schema.indexOf("(")).split(".")[0]!)
      .filter((name) => name.endsWith("_") && !name.endsWith("__")),
  );
  const silent: string[] = [];
  let checked = 0;
  for (const name of names) {
    const own = OWN[name];
    for (const args of own ? [own()] : COMMON()) {
      const x = make();
      const before = x.storage.version;
      const bytes = x.storage.bytes().slice();
      try {
        torch.call(name, x, ...args);
      } catch {
        continue; // takes other arguments
      }
      checked++;
      if (x.storage.version === before && !x.storage.bytes().every((b, i) => b === bytes[i])) silent.push(name);
      break;
    }
  }
  expect(silent).toEqual([]);
  expect(checked).toBeGreaterThan(130);
});

test("writes through views count on the storage that they share", () => {
  const x = make();
  const before = x.storage.version;
  torch.call("fill_", torch.call("select", x, 0, 1), 3);
  expect(x.storage.version).toBeGreaterThan(before);
});
