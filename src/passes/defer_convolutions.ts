/** @file Convolutions that wait for what follows them, so that one kernel does it all. Upstream: torch/csrc/jit/passes/frozen_conv_folding.cpp (the aim, not the way). Spec: none.
 *
 * Note [Deferred convolutions]: in `relu(batch_norm(conv(x)) + residual)` the convolution only notes what it is to compute; the
 * operators behind it add their part to the note, and `tsarchive::settle` behind the last one computes everything in one pass.
 * Nothing is computed twice, and at run time every step may decline (training, another dtype, a traced call): it settles the note
 * and runs as the operator that it was. Where something between the first and the last step might write to what the note holds,
 * a `settle` stands in front of it. For graphs that only run; never for one that is shown or saved. */
import { writeTest } from "../ir/alias_analysis.ts";
import { toIValue } from "../ir/constants.ts";
import { allNodes, type Block, type Graph, type Node, type Value } from "../ir/graph.ts";
import { callsOverload } from "../ir/node_schema.ts";

/** Kind of the node that computes what was noted. */
export const SETTLE = "tsarchive::settle";

/** Kind of the deferred form of an operator: `tsarchive::deferred_relu_` of `aten::relu_`. Kernels: ops/deferred_convolution.ts. */
const deferred = (kind: string): string => kind.replace("aten::", "tsarchive::deferred_");

/** Operators that look at sizes only. */
const METADATA: ReadonlySet<string> = new Set(["aten::size", "aten::dim", "aten::len", "prim::dtype", "prim::device"]);

type Stage = "convolution" | "normalized" | "added" | "clamped";

interface Chain {
  readonly convolution: Node;
  readonly steps: readonly Node[];
}

/** Rewrites the graph; false where it has no such chain. */
export function deferConvolutions(graph: Graph): boolean {
  const chains: Chain[] = [];
  // a sum of two convolutions is a step behind one of them only
  const taken = new Set<Node>();
  for (const node of allNodes(graph.block)) {
    if (!isConvolution(node)) continue;
    const steps = stepsBehind(node, taken);
    for (const step of steps) taken.add(step);
    if (steps.length > 0) chains.push({ convolution: node, steps });
  }
  if (chains.length === 0) return false;
  const writes = writeTest(graph);
  const members = new Set(chains.flatMap((c) => [c.convolution, ...c.steps]));
  const hazards = chains.map((chain) => writersBetween(chain, members, writes));
  chains.forEach((chain, i) => rewrite(graph, chain, hazards[i]!));
  return true;
}

const constantOf = (value: Value | undefined): unknown => (value ? toIValue(value)?.value : undefined);

function isConvolution(node: Node): boolean {
  if (node.kind === "aten::conv2d") return callsOverload(node, "aten::conv2d");
  return node.kind === "aten::_convolution" && constantOf(node.inputs[6]) === false;
}

/** The operators behind a convolution, each the only reader of the one before it, up to one that is a step already. */
function stepsBehind(convolution: Node, taken: ReadonlySet<Node>): Node[] {
  const steps: Node[] = [];
  let stage: Stage = "convolution";
  for (let value = convolution.output; stage !== "clamped";) {
    const readers = value.uses.filter((use) => !METADATA.has(use.user.kind));
    const use = readers[0];
    if (!use || readers.length !== 1 || taken.has(use.user) || use.user.owningBlock !== convolution.owningBlock) break;
    const next = stageOf(use.user, use.offset, stage);
    if (!next) break;
    stage = next;
    steps.push(use.user);
    value = use.user.output;
  }
  return steps;
}

/** The stage behind a step that takes the value at `offset`, or undefined where it is no step. */
function stageOf(node: Node, offset: number, stage: Stage): Stage | undefined {
  // an `out=` form writes to another tensor
  if (!node.kind.endsWith("_") && node.schema?.returns[0]?.aliasInfo !== undefined) return undefined;
  switch (node.kind) {
    case "aten::batch_norm":
      return offset === 0 && stage === "convolution" ? "normalized" : undefined;
    case "aten::add":
    case "aten::add_": {
      const isPlain =
        node.inputs.length === 3 && node.inputs[1]!.type.kind === "Tensor" && constantOf(node.inputs[2]) === 1;
      const isHere = offset === 0 || (offset === 1 && node.kind === "aten::add");
      return isPlain && isHere && stage !== "added" ? "added" : undefined;
    }
    case "aten::relu":
    case "aten::relu_":
    case "aten::relu6":
    case "aten::relu6_":
      return "clamped";
    case "aten::hardtanh":
    case "aten::hardtanh_":
      return offset === 0 && node.inputs.slice(1).every((v) => typeof constantOf(v) === "number")
        ? "clamped"
        : undefined;
    default:
      return undefined;
  }
}

/** Nodes between the ends of a chain, at any depth, that may write to something. Steps of other chains look after themselves. */
function writersBetween(chain: Chain, members: ReadonlySet<Node>, writes: (node: Node) => boolean): Node[] {
  const writers: Node[] = [];
  const visit = (node: Node): void => {
    if (members.has(node)) return;
    for (const block of node.blocks) visitBlock(block);
    if (node.blocks.length === 0 && writes(node)) writers.push(node);
  };
  const visitBlock = (block: Block): void => {
    for (const node of block.nodes()) visit(node);
  };
  const last = chain.steps.at(-1)!;
  for (let node = chain.convolution.next!; node !== last; node = node.next!) visit(node);
  return writers;
}

function rewrite(graph: Graph, chain: Chain, hazards: readonly Node[]): void {
  const { convolution, steps } = chain;
  const inputs = convolution.inputs;
  const isPlain = convolution.kind === "aten::conv2d";
  // _convolution has `transposed` and `output_padding` before `groups`
  const operands = isPlain ? inputs.slice(0, 7) : [...inputs.slice(0, 6), inputs[8]!];
  let kept = [inputs[0]!, inputs[1]!, inputs[2]!];
  let value = replace(graph, convolution, deferred(isPlain ? "aten::conv2d" : "aten::convolution"), operands);
  for (const writer of hazards) settleBefore(graph, writer, value);
  for (const step of steps) {
    const [first, second] = step.inputs as [Value, Value];
    const isSum = step.kind === "aten::add" || step.kind === "aten::add_";
    const isSecond = isSum && first !== value;
    if (isSum) kept = [...kept, isSecond ? first : second];
    value = replace(graph, step, deferred(isSecond ? "aten::add_to" : step.kind), step.inputs);
  }
  const settle = graph.create(SETTLE, [value, ...kept], 0);
  settle.copyMetadata(steps.at(-1)!);
  settle.insertAfter(value.node);
}

function replace(graph: Graph, node: Node, kind: string, inputs: readonly Value[]): Value {
  const made = graph.create(kind, inputs, 1);
  made.copyMetadata(node);
  made.output.copyMetadata(node.output);
  made.insertBefore(node);
  node.replaceAllUsesWith(made);
  node.destroy();
  return made.output;
}

function settleBefore(graph: Graph, writer: Node, value: Value): void {
  const settle = graph.create(SETTLE, [value], 0);
  settle.copyMetadata(writer);
  settle.insertBefore(writer);
}
