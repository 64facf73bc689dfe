/** @file What may alias what. Upstream: test/cpp/jit/test_alias_analysis.cpp. Spec: none. */
import { describe, expect, test } from "vitest";
import { AliasDb, writeTest } from "../../src/ir/alias_analysis.ts";
import { allNodes, type Graph, type Node, type Value } from "../../src/ir/graph.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText } from "../../src/ir/printer.ts";
import { tryMove } from "../../src/ir/topological_move.ts";

function value(graph: Graph, name: string): Value {
  const found = graph.uniqueNames.get(name);
  if (!found) throw new Error(`no %${name}`);
  return found;
}
function node(graph: Graph, kind: string): Node {
  return [...allNodes(graph.block)].find((n) => n.kind === kind)!;
}
function parse(body: string): { graph: Graph; db: AliasDb; v: (name: string) => Value } {
  const graph = parseGraph(`graph(%a : Tensor, %b : Tensor, %i : int):\n${body}\n`);
  return { graph, db: new AliasDb(graph), v: (name) => value(graph, name) };
}

describe("AliasDb", () => {
  test("graph inputs of one type may alias", () => {
    const { db, v } = parse("  return (%a)");
    expect(db.mayAlias([v("a")], [v("b")])).toBe(true);
  });
  test("views alias what they are of, results of arithmetic nothing", () => {
    const { db, v } = parse(
      "  %view : Tensor = aten::select(%a, %i, %i)\n  %sum : Tensor = aten::mul(%a, %b)\n  return (%sum)",
    );
    expect(db.mayAlias([v("view")], [v("a")])).toBe(true);
    expect(db.mayAlias([v("sum")], [v("a"), v("b")])).toBe(false);
  });
  test("a write to a view is a write to what it is of", () => {
    const { graph, db, v } = parse(
      "  %fresh : Tensor = aten::mul(%a, %b)\n  %other : Tensor = aten::mul(%a, %b)\n  %view : Tensor = aten::select(%fresh, %i, %i)\n  %w : Tensor = aten::add_(%view, %a, %i)\n  return (%fresh)",
    );
    expect(db.hasWriters(v("fresh"))).toBe(true);
    expect(db.hasWriters(v("other"))).toBe(false);
    expect(db.writesToAlias(node(graph, "aten::add_"), [v("fresh")])).toBe(true);
    expect(db.writesToWildcard(node(graph, "aten::add_"))).toBe(false);
  });
  test("elements of containers are wildcards, unless the container goes into cat", () => {
    const { db, v } = parse(
      "  %f : Tensor = aten::mul(%a, %b)\n  %g : Tensor = aten::mul(%a, %b)\n  %l : Tensor[] = prim::ListConstruct(%f, %f)\n  %c : Tensor = aten::cat(%l, %i)\n  %m : Tensor[] = prim::ListConstruct(%g)\n  return (%c, %m)",
    );
    expect(db.mayAlias([v("f")], [v("a")])).toBe(false);
    expect(db.mayAlias([v("g")], [v("a")])).toBe(true);
    expect(db.mayContainAlias([v("l")], [v("f")])).toBe(true);
  });
  test("an If's result may be what either branch gives", () => {
    const { db, v } = parse(
      "  %f : Tensor = aten::mul(%a, %b)\n  %g : Tensor = aten::mul(%a, %b)\n  %h : Tensor = aten::mul(%a, %b)\n  %t : bool = prim::Constant[value=1]()\n  %r : Tensor = prim::If(%t)\n    block0():\n      -> (%f)\n    block1():\n      -> (%g)\n  return (%h)",
    );
    expect(db.mayAlias([v("r")], [v("f")])).toBe(true);
    expect(db.mayAlias([v("r")], [v("g")])).toBe(true);
    expect(db.mayAlias([v("r")], [v("h")])).toBe(false);
  });
  test("batch_norm writes its statistics only while it trains", () => {
    const body = (training: number): string =>
      `  %f : Tensor = aten::mul(%a, %b)\n  %t : bool = prim::Constant[value=${training}]()\n  %e : float = prim::Constant[value=0.5]()\n  %y : Tensor = aten::batch_norm(%a, %b, %b, %f, %f, %t, %e, %e, %t)\n  return (%y)`;
    for (const training of [0, 1]) {
      const { db, v } = parse(body(training));
      expect(db.hasWriters(v("f"))).toBe(training === 1);
    }
  });
});

describe("tryMove", () => {
  const BODY =
    "  %f : Tensor = aten::mul(%a, %b)\n  %g : Tensor = aten::neg(%f)\n  %h : Tensor = aten::abs(%a)\n  %w : Tensor = aten::relu_(%h)\n  return (%g, %w)";
  test("moves a node with those that depend on it", () => {
    const { graph, db } = parse(BODY);
    expect(tryMove(db, node(graph, "aten::mul"), node(graph, "aten::abs"), "after")).toBe(true);
    expect([...graph.block.nodes()].map((n) => n.kind)).toEqual(["aten::abs", "aten::mul", "aten::neg", "aten::relu_"]);
  });
  test("does not move a reader past a writer", () => {
    const { graph, db } = parse(BODY);
    const before = graphText(graph);
    expect(tryMove(db, node(graph, "aten::relu_"), node(graph, "aten::abs"), "before")).toBe(false);
    expect(graphText(graph)).toBe(before);
  });
});

describe("writeTest()", () => {
  test("tells the nodes that write as the whole analysis does", () => {
    const { graph, db } = parse(
      `  %list : Tensor[] = prim::ListConstruct(%a, %b)
  %one : int = prim::Constant[value=1]()
  %more : Tensor[] = aten::append(%list, %a)
  %sum : Tensor = aten::add(%a, %b, %one)
  %w : Tensor = aten::add_(%sum, %b, %one)
  %r : Tensor = aten::relu(%w)
  %z : Tensor = aten::zero_(%r)
  return (%z)`,
    );
    const writes = writeTest(graph);
    const writers = [...allNodes(graph.block)].filter(writes).map((n) => n.kind);
    expect(writers).toEqual(["aten::append", "aten::add_", "aten::zero_"]);
    for (const node of allNodes(graph.block)) expect(writes(node)).toBe(db.writesOf(node).size > 0);
  });
});
