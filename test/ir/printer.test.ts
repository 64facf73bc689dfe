/** @file Text of graphs, against PyTorch's. Upstream: none. Spec: none. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import "../../src/ops/index.ts";
import { Source, SourceRange } from "../../src/base/source_range.ts";
import * as T from "../../src/core/type.ts";
import type { Type } from "../../src/core/type.ts";
import { insertConstant, toIValue } from "../../src/ir/constants.ts";
import { Graph, Scope } from "../../src/ir/graph.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText, nodeText } from "../../src/ir/printer.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { floatToHalf } from "../../src/tensor/half.ts";
import { Complex } from "../../src/tensor/scalar.ts";
import { Device, Tensor, emptyTensor, viewOf } from "../../src/tensor/tensor.ts";

function tensor(sizes: readonly number[], values: readonly number[], dtype: DType = DTYPES.float32): Tensor {
  const made = emptyTensor(sizes, dtype);
  const { segment } = made.storage;
  values.forEach((v, i) => {
    if (dtype === DTYPES.int64) segment.i64[made.storage.byteOffset / 8 + i] = BigInt(v);
    else if (dtype === DTYPES.float16) segment.u16[made.base0 + i] = floatToHalf(v);
    else
      segment[dtype.array][(made.storage.byteOffset * (dtype.category === "complex" ? 2 : 1)) / dtype.itemsize + i] = v;
  });
  return made;
}
function big(): Tensor {
  const made = tensor([1], [0], DTYPES.int64);
  made.storage.segment.i64[made.storage.byteOffset / 8] = 2n ** 53n + 1n;
  return made;
}
const ones = (sizes: readonly number[], count: number): Tensor =>
  tensor(
    sizes,
    Array.from({ length: count }, () => 1),
  );
const I = DTYPES.int64;

const TENSORS: readonly Tensor[] = [
  ones([2, 3], 6),
  ones([], 1),
  viewOf(ones([2, 3], 6), [3, 2], [1, 3]),
  ones([0, 3], 0),
  viewOf(ones([1, 3], 3), [4, 3], [0, 1]),
  tensor([1], [1, 2], DTYPES.complex64),
  tensor([1], [1], DTYPES.bool),
  tensor([], [1.5], DTYPES.float16),
  tensor([], [100000.5]),
  tensor([], [NaN]),
  tensor([2, 1, 3], [0, 1, 2, 3, 4, 5], I),
  tensor([2], [1.5, Infinity]),
  tensor([2], [1e10, 1]),
  tensor([2], [1e-5, 1]),
  tensor([2], [123456, 1]),
  tensor([2], [1, 0], DTYPES.bool),
  tensor([2], [1, NaN]),
  tensor([2], [NaN, NaN]),
  tensor([0], [], I),
  tensor([2], [0.001, 0.0025]),
  tensor([3], [-0.5, 0.25, -12.125]),
  big(),
  tensor([2, 2], [1, -20, 300, 4], DTYPES.int16),
];
const VALUES: readonly (readonly [unknown, Type])[] = [
  [[1, null, ones([3], 3)], T.tupleOf([T.IntT, T.optionalOf(T.IntT), T.TensorT])],
  [[1, 2], T.listOf(T.IntT)],
  [[1, 2], T.listOf(T.FloatT)],
  [new Map([["a", 1]]), T.dictOf(T.StringT, T.IntT)],
  [[1, [2, "x"]], T.tupleOf([T.IntT, T.tupleOf([T.IntT, T.StringT])])],
  [[[1, 2]], T.listOf(T.tupleOf([T.IntT, T.IntT]))],
  [["a"], T.listOf(T.StringT)],
  [[ones([3], 3)], T.listOf(T.TensorT)],
  [[null, 1], T.listOf(T.optionalOf(T.IntT))],
  [new Device("cuda", 1), T.DeviceT],
  [null, T.optionalOf(T.IntT)],
  [1.5, T.FloatT],
  [2, T.IntT],
  [true, T.BoolT],
  ["s", T.StringT],
  [[], T.tupleOf([])],
  [new Complex(0, 3), T.ComplexT],
  [[new Complex(0, 3)], T.listOf(T.ComplexT)],
  [0.1, T.FloatT],
  [-0, T.FloatT],
  [1e10, T.FloatT],
  [12345678901.5, T.FloatT],
  [1e300, T.FloatT],
  [2.5e-8, T.FloatT],
  [Infinity, T.FloatT],
  ["a\n'\"\t\\\u0001é", T.StringT],
  [2n ** 62n, T.IntT],
];

test("constants print as in PyTorch", () => {
  const graph = new Graph();
  for (const made of TENSORS) graph.registerOutput(insertConstant(graph, made, T.TensorT));
  for (const [value, type] of VALUES) graph.registerOutput(insertConstant(graph, value, type));
  const want = readFileSync(new URL("../golden/graph/constants.txt", import.meta.url), "utf8");
  expect(graphText(graph).split("\n")).toEqual(want.split("\n"));
});

test("toIValue() gives back what insertConstant() took", () => {
  const graph = new Graph();
  for (const [value, type] of VALUES) expect(toIValue(insertConstant(graph, value, type))).toEqual({ value });
});

test("graphText() prints blocks, groups, scopes and locations", () => {
  const text = `graph(%x.1 : Tensor,
      %n : int):
  %2 : bool = prim::Constant[value=1]() # net.py:3:4
  %y : Tensor, %4 : int = prim::If(%2) # net.py:4:0
    block0():
      %5 : Tensor = aten::relu(%x.1), scope: __module.a/__module.a.b # net.py:5:8
      -> (%5, %n)
    block1():
      -> (%x.1, %n)
  %fut : Future[Tensor] = prim::fork_0(%y) # net.py:6:0
  %z : Tensor = aten::wait(%fut)
  %8 : bool = prim::isinstance[types=[int, Tensor[], Dict(str, int)?]](%z)
   = aten::warn[warn_id=3](%8)
  return (%z, %4)
with prim::fork_0 = graph(%a : Tensor):
  %1 : Tensor = aten::neg(%a)
  return (%1)
`;
  expect(graphText(parseGraph(text))).toBe(text);
});

test("graphText() without locations still shows them inside blocks, as PyTorch does", () => {
  const graph = new Graph();
  const range = new SourceRange(new Source("", "f.py", 7), 2, 3);
  const condition = insertConstant(graph, true, T.BoolT, range);
  const branch = graph.insertNode(graph.create("prim::If", [condition], 0)).setSourceRange(range);
  branch.addBlock().appendNode(graph.create("aten::rand", [], 1).setSourceRange(range));
  branch.addBlock();
  expect(graphText(graph, { printSourceLocations: false })).toBe(
    "graph():\n  %0 : bool = prim::Constant[value=1]()\n   = prim::If(%0)\n    block0():\n      %1 : Tensor = aten::rand() # f.py:7:2\n      -> ()\n    block1():\n      -> ()\n  return ()\n",
  );
});

test("scopes print from the root", () => {
  const graph = new Graph();
  graph.currentScope = new Scope(new Scope(new Scope(), "__module.a"), "__module.a.b");
  expect(nodeText(graph.insertNode(graph.create("aten::rand")))).toBe(
    "%0 : Tensor = aten::rand(), scope: __module.a/__module.a.b\n",
  );
});
