/** @file The passes after emission that have no binding in PyTorch: closures, aliases, order of outputs, inlining. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import "../../src/ops/index.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import * as T from "../../src/core/type.ts";
import { ScriptFunction } from "../../src/ir/function.ts";
import { allNodes, Graph } from "../../src/ir/graph.ts";
import { insertFunctionCall } from "../../src/ir/build_nodes.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText } from "../../src/ir/printer.ts";
import { verifyGraph } from "../../src/ir/verify.ts";
import { canonicalizeOutputs } from "../../src/passes/canonicalize.ts";
import { inlinedGraph } from "../../src/passes/inliner.ts";
import { normalizeOps } from "../../src/passes/normalize_ops.ts";
import { runCleanupPasses } from "../../src/passes/pipeline.ts";
import { annotateWarns } from "../../src/passes/annotate_warns.ts";

function lines(graph: Graph): string[] {
  verifyGraph(graph);
  return graphText(graph)
    .split("\n")
    .map((l) => l.trim())
    .filter((l) => l !== "");
}

describe("normalizeOps", () => {
  test("renames aliases, rsub and `is` of bools", () => {
    const graph = parseGraph(
      "graph(%x : Tensor, %y : Tensor, %b : bool, %n : int):\n  %p : Tensor = aten::arccos(%x)\n  %q : Tensor = aten::multiply_(%p, %y)\n  %r : Tensor = aten::rsub(%q, %y, %n)\n  %s : bool = aten::__isnot__(%b, %b)\n  return (%r, %s)",
    );
    expect(normalizeOps(graph)).toBe(true);
    const text = lines(graph).join("\n");
    for (const part of ["aten::acos(%x)", "aten::mul_(%p, %y)", "aten::sub(%y, %q, %n)", "aten::ne(%b, %b)"])
      expect(text).toContain(part);
    expect(normalizeOps(graph)).toBe(false);
  });
});

describe("canonicalizeOutputs", () => {
  test("orders results of If and Loop by their first use", () => {
    const graph = parseGraph(`graph(%c : bool, %n : int, %x : int, %y : int):
  %a : int, %b : int = prim::If(%c)
    block0():
      -> (%x, %y)
    block1():
      -> (%y, %x)
  %p : int, %q : int = prim::Loop(%n, %c, %a, %x)
    block0(%i : int, %pp : int, %qq : int):
      -> (%c, %qq, %pp)
  return (%q, %p, %b)`);
    expect(canonicalizeOutputs(graph)).toBe(true);
    expect(lines(graph)).toContain("%q : int, %p : int = prim::Loop(%n, %c, %x, %a)");
    expect(lines(graph)).toContain("block0(%i : int, %qq : int, %pp : int):");
    expect(lines(graph)).toContain("-> (%c, %pp, %qq)");
    expect(lines(graph)[4]).toBe("%a : int, %b : int = prim::If(%c)");
  });
});

describe("closures", () => {
  test("a forked closure becomes a fork that takes what it captures", () => {
    const graph = parseGraph("graph(%x : Tensor, %y : Tensor):\n  return (%x)");
    const closure = graph.insertNode(graph.create("prim::Closure"));
    closure.output.setType(T.futureOf(T.TensorT));
    const body = closure.addBlock();
    const sum = body.appendNode(graph.create("aten::mul", graph.inputs));
    body.registerOutput(sum.output);
    const fork = graph.insertNode(graph.create("prim::forkClosure", [closure.output]));
    fork.output.setType(T.futureOf(T.TensorT)).setDebugName("fut");
    graph.block.replaceOutput(0, graph.insertNode(graph.create("aten::wait", [fork.output])).output);
    runCleanupPasses(graph);
    const text = lines(graph).join("\n");
    expect(text).toContain("%fut : Future[Tensor] = prim::fork_0(%x, %y)");
    expect(text).toContain("with prim::fork_0 = graph(%x : Tensor,\n%y : Tensor):");
    expect(text).not.toContain("Closure");
  });
});

describe("annotateWarns", () => {
  test("numbers are never given twice", () => {
    const text = "graph(%m : str, %n : int):\n   = aten::warn(%m, %n)\n   = aten::warn(%m, %n)\n  return ()";
    const [first, second] = [parseGraph(text), parseGraph(text)];
    annotateWarns(first);
    annotateWarns(second);
    const ids = [first, second].flatMap((g) => [...g.block.nodes()].map((n) => n.attr("warn_id", "i")));
    expect(new Set(ids).size).toBe(4);
  });
});

describe("inlinedGraph", () => {
  function outer(): Graph {
    const callee = new ScriptFunction(
      new QualifiedName("__torch__.f"),
      parseGraph(
        "graph(%x : Tensor):\n  %1 : NoneType = prim::Constant()\n  %y : Tensor = aten::neg(%x)\n  %3 : bool = aten::__is__(%1, %1)\n  return (%y)",
      ),
    );
    const graph = parseGraph("graph(%a : Tensor, %y : Tensor):\n  return (%a)");
    const once = insertFunctionCall(graph, callee, [graph.inputs[0]!], T.TensorT);
    const twice = insertFunctionCall(graph, callee, [once], T.TensorT).setDebugName("out");
    graph.block.replaceOutput(0, twice);
    return graph;
  }
  test("puts simplified bodies in the place of calls and leaves the graph alone", () => {
    const graph = outer();
    const before = graphText(graph);
    const text = lines(inlinedGraph(graph)).join("\n");
    expect(graphText(graph)).toBe(before);
    // names of the callee push those of the caller aside, and the call's own name wins
    expect(text).toContain("%y.3 : Tensor = aten::neg(%a)");
    expect(text).toContain("%out : Tensor = aten::neg(%y.3)");
    expect(text).not.toContain("__is__");
  });
  test("inlined nodes know the calls that led to them", () => {
    const inlined = inlinedGraph(outer());
    const stacks = [...allNodes(inlined.block)].filter((n) => n.kind === "aten::neg").map((n) => n.callstack);
    expect(stacks.map((s) => s?.functionName)).toEqual(["f", "f"]);
    expect(stacks[0]).not.toBe(stacks[1]);
  });
});
