/** @file Puts the bodies of called functions and methods in the place of the calls. Upstream: torch/csrc/jit/passes/inliner.cpp, ir/ir.cpp (inlineCallTo), api/function_impl.cpp (preoptimizeGraph). Spec: none. */
import { internalAssert } from "../base/errors.ts";
import { checkLimit } from "../base/limits.ts";
import { ScriptFunction } from "../ir/function.ts";
import { allNodes, type Block, Graph, type InlinedCall, type Node, type Value } from "../ir/graph.ts";
import { autocast } from "./autocast.ts";
import { constantPooling } from "./constant_pooling.ts";
import { constantPropagationImmutableTypes, type PropagationOptions } from "./constant_propagation.ts";
import { peepholeOptimize } from "./peephole.ts";

/** Inlines every call whose target is known, bodies simplified as the executor would. Throws LimitError for code that multiplies. */
export function inline(graph: Graph, options: PropagationOptions = {}): boolean {
  // counted before anything is copied: a chain of functions that call each other twice doubles at every step
  checkLimit("maxInlinedValues", inlinedSize(graph), "a graph with its calls inlined");
  return inlineBlock(graph.block, options);
}

const inlinedSizes = new WeakMap<Graph, number>();

/** Values of a graph and of all that it calls, once for each call. Linear in the program. */
function inlinedSize(graph: Graph): number {
  const known = inlinedSizes.get(graph);
  if (known !== undefined) return known;
  let size = graph.nextUnique;
  for (const node of allNodes(graph.block)) {
    if (node.kind !== "prim::CallFunction" && node.kind !== "prim::CallMethod") continue;
    const callee = calleeOf(node);
    if (!callee) continue;
    callee.ensureDefined();
    size += inlinedSize(callee.graph);
  }
  inlinedSizes.set(graph, size);
  return size;
}

/** A copy of a method's graph without calls: what `inlined_graph` shows. */
export function inlinedGraph(graph: Graph, options: PropagationOptions = {}): Graph {
  const copy = graph.copy();
  inline(copy, options);
  return copy;
}

function inlineBlock(block: Block, options: PropagationOptions): boolean {
  let changed = false;
  for (let node = block.first; node !== block.returnNode;) {
    const next = node.next!;
    if (node.kind === "prim::CallFunction" || node.kind === "prim::CallMethod") {
      const callee = calleeOf(node);
      if (callee) {
        if (node.kind === "prim::CallFunction") node.removeInput(0);
        inlineCall(node, callee, options);
        changed = true;
      }
    } else for (const inner of node.blocks) if (inlineBlock(inner, options)) changed = true;
    node = next;
  }
  return changed;
}

/** The function that a call node calls, where it has a graph. */
export function calleeOf(node: Node): ScriptFunction | undefined {
  const type = node.inputs[0]!.type;
  let fn: unknown;
  if (node.kind === "prim::CallFunction") fn = type.kind === "Function" ? type.fn : undefined;
  else if (type.kind === "Class")
    fn = type.findMethod(node.attr("name", "s")) ?? type.staticMethods.get(node.attr("name", "s"));
  return fn instanceof ScriptFunction ? fn : undefined;
}

const optimized = new WeakMap<Graph, Graph>();

/** A function's graph as the executor starts from it: inlined, simplified, made once. */
export function optimizedGraph(fn: ScriptFunction, options: PropagationOptions = {}): Graph {
  fn.ensureDefined();
  let graph = optimized.get(fn.graph);
  if (!graph) {
    graph = fn.graph.copy();
    preoptimize(graph, options);
    optimized.set(fn.graph, graph);
  }
  return graph;
}

/** Inlines and simplifies a graph in place, in the order of PyTorch's `preoptimizeGraph`. */
export function preoptimize(graph: Graph, options: PropagationOptions = {}): void {
  inline(graph, options);
  peepholeOptimize(graph);
  constantPropagationImmutableTypes(graph, options);
  autocast(graph);
  constantPooling(graph);
}

/**
 * A new graph of a function with every call inlined, simplified once as a whole: for running. PyTorch's
 * way (`optimizedGraph`) simplifies at every level of calls, which costs a multiple and gives the graphs that are shown.
 */
export function executableGraph(fn: ScriptFunction, options: PropagationOptions = {}): Graph {
  fn.ensureDefined();
  checkLimit("maxInlinedValues", inlinedSize(fn.graph), "a graph with its calls inlined");
  const graph = new Graph();
  const map = new Map<Value, Value>();
  for (const input of fn.graph.inputs) map.set(input, graph.block.addInput().copyMetadata(input));
  copyInlined(graph, fn.graph.block, map, undefined, options);
  for (const output of fn.graph.outputs) graph.block.registerOutput(map.get(output)!);
  peepholeOptimize(graph);
  constantPropagationImmutableTypes(graph, options);
  constantPooling(graph);
  return graph;
}

/** Copies a block's nodes to the insert point of `graph`, calls as the bodies of what they call; `here` is the call that the block stands for. */
function copyInlined(
  graph: Graph,
  source: Block,
  map: Map<Value, Value>,
  here: InlinedCall | undefined,
  options: PropagationOptions,
): void {
  const frames = new Map<InlinedCall, InlinedCall>();
  const find = (value: Value): Value => map.get(value)!;
  for (const node of source.nodes()) {
    const isCall = node.kind === "prim::CallFunction" || node.kind === "prim::CallMethod";
    const callee = isCall ? calleeOf(node) : undefined;
    if (callee) {
      callee.ensureDefined();
      // functions are called from many places, methods mostly from one; the first input of a call of a function is the function
      const isShared = node.kind === "prim::CallFunction";
      const body = isShared ? optimizedGraph(callee, options) : callee.graph;
      const inputs = isShared ? node.inputs.slice(1) : node.inputs;
      internalAssert(body.inputs.length === inputs.length, `call of ${callee.name} with ${inputs.length} inputs`);
      const inner = new Map<Value, Value>();
      body.inputs.forEach((input, i) => inner.set(input, find(inputs[i]!)));
      const call = { caller: here, functionName: callee.name, range: node.sourceRange, ...moduleInfoOf(node) };
      copyInlined(graph, body.block, inner, call, options);
      node.outputs.forEach((output, i) => map.set(output, inner.get(body.outputs[i]!)!));
      continue;
    }
    const copy = graph.insertNode(graph.createClone(node, find, false));
    if (here) copy.callstack = rebase(node.callstack, here, frames);
    node.outputs.forEach((output, i) => map.set(output, copy.outputs[i]!));
    for (const block of node.blocks) {
      const target = copy.addBlock();
      for (const input of block.inputs) map.set(input, target.addInput().copyMetadata(input));
      graph.withInsertPoint(target, () => copyInlined(graph, block, map, here, options));
      for (const output of block.outputs) target.registerOutput(find(output));
    }
  }
}

function inlineCall(call: Node, callee: ScriptFunction, options: PropagationOptions): void {
  const { graph } = call;
  const body = optimizedGraph(callee, options);
  // functions that call each other twice make graphs of 2^depth nodes
  const map = new Map<Value, Value>();
  const find = (value: Value): Value => {
    const found = map.get(value);
    internalAssert(found, "value from outside the inlined graph");
    return found;
  };
  internalAssert(body.inputs.length === call.inputs.length, `call of ${callee.name} with ${call.inputs.length} inputs`);
  body.inputs.forEach((input, i) => map.set(input, call.inputs[i]!));
  const here: InlinedCall = {
    caller: undefined,
    functionName: callee.name,
    range: call.sourceRange,
    ...moduleInfoOf(call),
  };
  const frames = new Map<InlinedCall, InlinedCall>();
  graph.withInsertPoint(call, () => {
    for (const node of body.block.nodes()) {
      const copy = graph.insertNode(graph.createClone(node, find));
      node.outputs.forEach((output, i) => map.set(output, copy.outputs[i]!));
      addFrame(copy, here, frames);
    }
  });
  const results = body.outputs.map(find);
  call.outputs.forEach((output, i) => {
    if (output.hasDebugName()) results[i]!.setDebugName(output.debugName());
    output.replaceAllUsesWith(results[i]!);
  });
  call.destroy();
}

/** Puts the call `here` below the call stack of a node and of those inside it. */
function addFrame(node: Node, here: InlinedCall, frames: Map<InlinedCall, InlinedCall>): void {
  node.callstack = rebase(node.callstack, here, frames);
  for (const block of node.blocks) for (const inner of block.nodes()) addFrame(inner, here, frames);
}

function rebase(stack: InlinedCall | undefined, here: InlinedCall, frames: Map<InlinedCall, InlinedCall>): InlinedCall {
  if (!stack) return here;
  let moved = frames.get(stack);
  if (!moved) {
    moved = { ...stack, caller: rebase(stack.caller, here, frames) };
    frames.set(stack, moved);
  }
  return moved;
}

function moduleInfoOf(call: Node): Pick<InlinedCall, "moduleInfo"> {
  if (call.kind !== "prim::CallMethod") return {};
  const self = call.inputs[0]!;
  const typeName = self.type.kind === "Class" ? self.type.name.qualifiedName : "";
  const instanceName =
    self.node.kind === "prim::GetAttr"
      ? self.node.attr("name", "s")
      : self === call.graph.inputs[0]
        ? "SELF"
        : "INSTANCE_NAME_UNKNOWN";
  return { moduleInfo: { typeName, instanceName } };
}
