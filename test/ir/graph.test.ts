/** @file Graph editing: names, numbers, uses, order. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import * as T from "../../src/core/type.ts";
import { insertInt } from "../../src/ir/constants.ts";
import { Graph, type Node } from "../../src/ir/graph.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText } from "../../src/ir/printer.ts";
import { brokenInvariant, verifyGraph } from "../../src/ir/verify.ts";

describe("names", () => {
  test("setDebugName() renames the other owner of the name", () => {
    const graph = new Graph();
    const [a, b, c] = ["x", "x", "x"].map((name) => graph.addInput(name));
    expect([a, b, c].map((v) => v!.debugName())).toEqual(["x.1", "x.3", "x"]);
    graph.addInput("x.1");
    expect(a!.debugName()).toBe("x.5");
    expect(a!.debugNameBase()).toBe("x");
  });
  test("setDebugName() refuses numbers", () => {
    expect(() => new Graph().addInput().setDebugName("12")).toThrow(/invalid name/);
  });
});

const NESTED = `graph(%c : bool, %x : Tensor):
  %2 : Tensor = prim::If(%c)
    block0():
      %3 : Tensor = aten::neg(%x)
      -> (%3)
    block1():
      -> (%x)
  %4 : Tensor = aten::neg(%2)
  return (%4)
`;

function nodesOf(text: string): { graph: Graph; branch: Node; inner: Node; last: Node } {
  const graph = parseGraph(text);
  const [branch, last] = [...graph.block.nodes()] as [Node, Node];
  return { graph, branch, inner: branch.blocks[0]!.first, last };
}

describe("order", () => {
  test("isBefore() and isAfter() look across blocks", () => {
    const { branch, inner, last } = nodesOf(NESTED);
    expect([inner.isBefore(last), last.isAfter(inner), branch.isBefore(last)]).toEqual([true, true, true]);
    expect([inner.isBefore(branch), inner.isAfter(branch), inner.depth]).toEqual([false, false, 1]);
    expect(last.isDominatedBy(branch)).toBe(true);
    expect(last.isDominatedBy(inner)).toBe(false);
  });
  test("many insertions at one place keep the order", () => {
    const graph = new Graph();
    const last = graph.insertNode(graph.create("aten::rand"));
    for (let i = 0; i < 200; i++) graph.create("aten::rand").insertBefore(last);
    for (let i = 0; i < 200; i++) graph.create("aten::rand").insertAfter(graph.paramNode);
    verifyGraph(graph);
  });
});

describe("edits", () => {
  test("replaceAllUsesWith() and destroy() keep the use lists", () => {
    const { graph, branch } = nodesOf(NESTED);
    branch.output.replaceAllUsesWith(graph.inputs[1]!);
    verifyGraph(graph);
    branch.destroy();
    verifyGraph(graph);
    expect(graphText(graph)).toBe(
      "graph(%c : bool,\n      %x : Tensor):\n  %4 : Tensor = aten::neg(%x)\n  return (%4)\n",
    );
  });
  test("permuteInputs() and permuteOutputs() move uses and places", () => {
    const graph = parseGraph(
      "graph(%a : int, %b : int):\n  %2 : int, %3 : int = foo::bar(%a, %b, %a)\n  return (%2, %3)\n",
    );
    const node = graph.block.first;
    node.permuteInputs([2, 0, 1]);
    node.permuteOutputs([1, 0]);
    verifyGraph(graph);
    expect(graphText(graph)).toContain("%3 : int, %2 : int = foo::bar(%a, %a, %b)");
  });
  test("copy() copies subgraphs too, numbered anew", () => {
    const graph = parseGraph(
      "graph(%x : Tensor):\n  %5 : Future[Tensor] = prim::fork_0(%x)\n  return (%5)\nwith prim::fork_0 = graph(%y : Tensor):\n  %9 : Tensor = aten::neg(%y)\n  return (%9)\n",
    );
    const copy = graph.copy();
    expect(graphText(copy)).toContain("%1 : Future[Tensor] = prim::fork_0(%x)");
    expect(graphText(copy)).toContain("%1 : Tensor = aten::neg(%y)");
    expect(copy.block.first.attr("Subgraph", "g")).not.toBe(graph.block.first.attr("Subgraph", "g"));
  });
});

describe("verify", () => {
  test("finds values that are used before they are defined", () => {
    const { graph, last, branch } = nodesOf(NESTED);
    last.moveBefore(branch);
    expect(brokenInvariant(graph)).toMatch(/defined before they are used/);
  });
  test("finds branches that give less than their prim::If", () => {
    const { graph, branch } = nodesOf(NESTED);
    branch.blocks[1]!.eraseOutput(0);
    expect(brokenInvariant(graph)).toMatch(/prim::If/);
  });
  test("finds constants with inputs", () => {
    const graph = new Graph();
    const one = insertInt(graph, 1);
    insertInt(graph, 2).node.addInput(one);
    expect(brokenInvariant(graph)).toMatch(/constants take nothing/);
    expect(one.type).toBe(T.IntT);
  });
});
