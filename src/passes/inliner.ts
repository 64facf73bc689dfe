/** @file Puts the bodies of called functions and methods in the place of the calls. Upstream: torch/csrc/jit/passes/inliner.cpp, ir/ir.cpp (inlineCallTo), api/function_impl.cpp (preoptimizeGraph). Spec: none. */
import { internalAssert } from "../base/errors.ts";
import { checkLimit } from "../base/limits.ts";
import { ScriptFunction } from "../ir/function.ts";
import { allNodes, type Block, type Graph, type InlinedCall, type Node, type Value } from "../ir/graph.ts";
import { autocast } from "./autocast.ts";
import { constantPooling } from "./constant_pooling.ts";
import { constantPropagationImmutableTypes, type PropagationOptions } from "./constant_propagation.ts";
import { peepholeOptimize } from "./peephole.ts";

/** Inlines every call whose target is known, bodies simplified as the executor would. Throws LimitError for code that multiplies. */
export function inline(graph: Graph, options: PropagationOptions = {}): boolean {
  // counted before anything is copied: a chain of functions that call each other twice doubles at every step
  checkLimit("maxInlinedValues", reachOf(graph).size, "a graph with its calls inlined");
  return inlineBlock(graph.block, options);
}

/** What a graph and all that it calls do. */
export interface Reach {
  /** Values, once for each call. */
  readonly size: number;
  /** Names of attributes that are set. */
  readonly written: ReadonlySet<string>;
  /** Whether code runs that is not seen. */
  readonly isOpaque: boolean;
}

/** Kinds of nodes that run other code; a call is one where its target is not known. */
const OPAQUE: ReadonlySet<string> = new Set([
  "prim::CallFunction",
  "prim::CallMethod",
  "prim::fork",
  "prim::awaitable",
  "prim::Closure",
  "prim::Enter",
  "prim::Exit",
  "aten::wait",
]);

const reaches = new WeakMap<Graph, Reach>();

/** Linear in the program. */
export function reachOf(graph: Graph): Reach {
  const known = reaches.get(graph);
  if (known) return known;
  let size = graph.nextUnique;
  let isOpaque = false;
  const written = new Set<string>();
  for (const node of allNodes(graph.block)) {
    const callee = isCall(node) ? calleeOf(node) : undefined;
    if (callee) {
      callee.ensureDefined();
      const inner = reachOf(callee.graph);
      size += inner.size;
      isOpaque ||= inner.isOpaque;
      for (const name of inner.written) written.add(name);
    } else if (node.kind === "prim::SetAttr") written.add(node.attr("name", "s"));
    else if (OPAQUE.has(node.kind) || !/^(aten|prim|quantized)::/.test(node.kind)) isOpaque = true;
  }
  const reach = { size, written, isOpaque };
  reaches.set(graph, reach);
  return reach;
}

/** Whether a node calls a function or method. */
export function isCall(node: Node): boolean {
  return node.kind === "prim::CallFunction" || node.kind === "prim::CallMethod";
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
    if (isCall(node)) {
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
      // upstream finds the nodes by their outputs: Note [Nodes without outputs] in interpreter/runtime.ts
      if (copy.outputs.length > 0) addFrame(copy, here, frames);
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

/** A call stack on top of another. */
export function rebase(
  stack: InlinedCall | undefined,
  here: InlinedCall,
  frames: Map<InlinedCall, InlinedCall>,
): InlinedCall {
  if (!stack) return here;
  let moved = frames.get(stack);
  if (!moved) {
    moved = { ...stack, caller: rebase(stack.caller, here, frames) };
    frames.set(stack, moved);
  }
  return moved;
}

/** The module that a method is called on, for call stacks. */
export function moduleInfoOf(call: Node): Pick<InlinedCall, "moduleInfo"> {
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
