/** @file Invariants of graphs, one table entry each. Upstream: torch/csrc/jit/ir/ir.cpp (Graph::lint). Spec: none. */
import { internalAssert } from "../base/errors.ts";
import { allNodes, type Block, type Graph, type Node, type Value } from "./graph.ts";

/** Looks at a graph and gives what is wrong, or undefined. */
type Invariant = (graph: Graph) => string | undefined;

/** Everything that holds for every graph between two passes. */
export const INVARIANTS: Readonly<Record<string, Invariant>> = {
  "every input is recorded as a use of its value, and every use is an input": (graph) => {
    for (const node of everyNode(graph)) {
      for (const [offset, input] of node.inputs.entries()) {
        if (input.uses.filter((u) => u.user === node && u.offset === offset).length !== 1)
          return `input ${offset} of ${name(node)}`;
      }
      for (const output of node.outputs) {
        if (output.uses.some((u) => u.user.inputs[u.offset] !== output)) return `uses of %${output.debugName()}`;
      }
    }
    return undefined;
  },
  "outputs know their node and place": (graph) => {
    for (const node of everyNode(graph)) {
      for (const [offset, output] of node.outputs.entries())
        if (output.node !== node || output.offset !== offset) return `output ${offset} of ${name(node)}`;
    }
    return undefined;
  },
  "values are defined before they are used, in the same block or around it": (graph) =>
    outOfScope(graph.block, new Set()),
  "numbers are given once": (graph) => {
    const seen = new Set<number>();
    for (const value of everyValue(graph)) {
      if (seen.has(value.unique)) return `number ${value.unique} is given twice`;
      if (value.unique >= graph.nextUnique) return `number ${value.unique} is not below ${graph.nextUnique}`;
      seen.add(value.unique);
    }
    return undefined;
  },
  "names are given once, and known to the graph": (graph) => {
    for (const value of everyValue(graph)) {
      if (value.hasDebugName() && graph.uniqueNames.get(value.debugName()) !== value)
        return `name %${value.debugName()}`;
    }
    return undefined;
  },
  "nodes of a block are linked and in order": (graph) => {
    for (const block of everyBlock(graph)) {
      if (block.paramNode.inputs.length > 0 || block.returnNode.outputs.length > 0) return "a parameter or return node";
      let previous = block.paramNode;
      for (let node = block.first; ; node = node.next!) {
        if (node.prev !== previous || node.owningBlock !== block || node.graph !== graph)
          return `links of ${name(node)}`;
        if (!previous.isBefore(node)) return `order of ${name(previous)} and ${name(node)}`;
        if (node === block.returnNode) break;
        previous = node;
      }
    }
    return undefined;
  },
  "branches give what their prim::If gives": (graph) => {
    for (const node of allNodes(graph.block)) {
      if (node.kind !== "prim::If") continue;
      const counts = node.blocks.map((b) => b.outputs.length);
      if (node.inputs.length !== 1 || counts.length !== 2 || counts.some((n) => n !== node.outputs.length))
        return name(node);
    }
    return undefined;
  },
  "bodies take and give what their prim::Loop carries": (graph) => {
    for (const node of allNodes(graph.block)) {
      if (node.kind !== "prim::Loop") continue;
      const [body] = node.blocks;
      const carried = node.outputs.length;
      if (
        node.blocks.length !== 1 ||
        !body ||
        body.inputs.length !== carried + 1 ||
        body.outputs.length !== carried + 1 ||
        node.inputs.length !== carried + 2
      ) {
        return name(node);
      }
    }
    return undefined;
  },
  "constants take nothing": (graph) => {
    for (const node of allNodes(graph.block))
      if (node.kind === "prim::Constant" && (node.inputs.length > 0 || node.outputs.length !== 1)) return name(node);
    return undefined;
  },
  "graphs among the attributes are sound": (graph) => {
    for (const node of allNodes(graph.block)) {
      for (const attribute of node.attributes.values()) {
        const inner = attribute.kind === "g" ? [attribute.value] : attribute.kind === "gs" ? attribute.value : [];
        for (const g of inner) {
          const wrong = brokenInvariant(g);
          if (wrong !== undefined) return `in ${name(node)}: ${wrong}`;
        }
      }
    }
    return undefined;
  },
};

/** The first invariant that does not hold, with the place; undefined for a sound graph. */
export function brokenInvariant(graph: Graph): string | undefined {
  for (const [invariant, check] of Object.entries(INVARIANTS)) {
    const where = check(graph);
    if (where !== undefined) return `not true that ${invariant}: ${where}`;
  }
  return undefined;
}

/** Throws an internal error for a graph that a pass has broken. */
export function verifyGraph(graph: Graph): void {
  const broken = brokenInvariant(graph);
  internalAssert(broken === undefined, broken ?? "");
}

function name(node: Node): string {
  const [first] = node.outputs;
  return first ? `%${first.debugName()} = ${node.kind}` : node.kind;
}

function* everyBlock(graph: Graph): Generator<Block> {
  yield graph.block;
  for (const node of allNodes(graph.block)) yield* node.blocks;
}

function* everyNode(graph: Graph): Generator<Node> {
  for (const block of everyBlock(graph)) {
    yield block.paramNode;
    yield* block.nodes();
    yield block.returnNode;
  }
}

function* everyValue(graph: Graph): Generator<Value> {
  for (const node of everyNode(graph)) yield* node.outputs;
}

/** What is in scope goes into `scope` while the block is looked at, and is taken out after it. */
function outOfScope(block: Block, scope: Set<Value>): string | undefined {
  const own: Value[] = [...block.inputs];
  for (const value of own) scope.add(value);
  const missing = (node: Node): string | undefined => {
    const unknown = node.inputs.find((v) => !scope.has(v));
    return unknown && `%${unknown.debugName()} in ${name(node)}`;
  };
  let found: string | undefined;
  for (const node of block.nodes()) {
    found ??= missing(node);
    for (const inner of node.blocks) found ??= outOfScope(inner, scope);
    for (const output of node.outputs) {
      scope.add(output);
      own.push(output);
    }
  }
  found ??= missing(block.returnNode);
  for (const value of own) scope.delete(value);
  return found;
}
