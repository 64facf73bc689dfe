/** @file Turns the blocks of traced module calls into methods of the modules, or inlines them where there is no module. Upstream: torch/csrc/jit/passes/fixup_trace_scope_blocks.cpp. Spec: none.
 *
 * While a trace runs, the nodes of a module's call lie in the block of a `prim::TracedModuleForward`, members of modules are
 * `prim::TracedAttr` values of the whole graph, and values are used across blocks freely. Here each block gets its own `self`, reads
 * members from it, and takes and gives everything else as arguments and results. */
import { internalAssert } from "../base/errors.ts";
import { QualifiedName } from "../core/qualified_name.ts";
import * as T from "../core/type.ts";
import type { ClassType } from "../core/type.ts";
import {
  createGetAttr,
  createNone,
  createTuple,
  createTupleUnpack,
  insertGraph,
  insertMethodCall,
} from "../ir/build_nodes.ts";
import { ScriptFunction } from "../ir/function.ts";
import { Graph, type Block, type Node, type Value } from "../ir/graph.ts";
import { eliminateDeadCode } from "./dead_code_elimination.ts";
import { lowerSimpleTuples } from "./lower_tuples.ts";

const FORWARD = "prim::TracedModuleForward";
const ATTRIBUTE = "prim::TracedAttr";
const ROOT = "__module";

/** Runs all steps on the graph of a trace of `self`, a module's class, or of a function. */
export function fixupTraceScopes(graph: Graph, self: ClassType | undefined): void {
  if (self) new AttributeReferences(graph).run();
  new LiftedDefinitions().run(graph.block);
  returnTuples(graph.block);
  if (!self) {
    inlineBlocks(graph.block);
    cleanUp(graph);
    return;
  }
  blocksToGraphs(graph.block);
  createMethodCalls(graph);
  cleanUpMethods(self);
  cleanUp(graph);
}

/** Gives every block its `self` and reads members from the nearest one. */
class AttributeReferences {
  private readonly graph: Graph;
  private readonly attributes = new Map<string, Value>();

  constructor(graph: Graph) {
    this.graph = graph;
    for (const node of graph.block.nodes())
      if (node.kind === ATTRIBUTE) this.attributes.set(node.attr("scope", "s"), node.output);
  }

  run(): void {
    this.addSelf(this.graph.block);
    this.convert(this.graph.block, ROOT.split("."), this.graph.inputs[0]!);
    for (const value of this.attributes.values()) value.node.destroy();
  }

  private addSelf(block: Block): void {
    for (const node of block.nodes()) {
      if (node.kind !== FORWARD) continue;
      const module = this.attributes.get(node.attr("scope", "s"));
      internalAssert(module, `${node.attr("scope", "s")} is no module of the trace`);
      node.addInput(module);
      const inner = node.blocks[0]!;
      inner.addInput("self").setType(module.type);
      this.addSelf(inner);
    }
  }

  /** Replaces the references in a block of the module at `prefix`; gives those that lie outside of that module. */
  private convert(block: Block, prefix: readonly string[], self: Value): Value[] {
    const unresolved: Value[] = [];
    const local = new Map<Value, Value>();
    const replaceInputs = (node: Node): void => {
      for (let i = 0; i < node.inputs.length; i++) {
        const input = node.inputs[i]!;
        const known = local.get(input);
        if (known) node.replaceInput(i, known);
        else if (input.node.kind === ATTRIBUTE) {
          const replaced = this.localValue(block, input, prefix, self, unresolved);
          node.replaceInput(i, replaced);
          local.set(input, replaced);
        }
      }
    };
    for (const node of block.nodes()) {
      if (node.kind === FORWARD) {
        const inner = node.blocks[0]!;
        const scope = node.attr("scope", "s").split(".");
        for (const value of this.convert(inner, scope, inner.inputs[0]!)) node.addInput(value);
      } else {
        for (const inner of node.blocks) for (const value of this.convert(inner, prefix, self)) node.addInput(value);
      }
      replaceInputs(node);
    }
    replaceInputs(block.returnNode);
    return unresolved;
  }

  private localValue(
    block: Block,
    attribute: Value,
    prefix: readonly string[],
    self: Value,
    unresolved: Value[],
  ): Value {
    const path = attribute.node.attr("scope", "s").split(".");
    if (!prefix.every((atom, i) => path[i] === atom)) {
      unresolved.push(attribute);
      return block.addInput().copyMetadata(attribute);
    }
    return this.graph.withInsertPoint(block.first, () => {
      let value = self;
      for (const name of path.slice(prefix.length))
        value = this.graph.insertNode(createGetAttr(this.graph, value, name)).output;
      return value;
    });
  }
}

/** Makes values that are used outside of their block results of it. */
class LiftedDefinitions {
  private readonly lifted = new Map<Value, Value>();

  run(block: Block): void {
    for (const node of block.nodes()) this.process(node, block);
    this.process(block.returnNode, block);
  }

  private process(node: Node, block: Block): void {
    for (let i = 0; i < node.inputs.length; i++) {
      let input = node.inputs[i]!;
      const known = this.lifted.get(input);
      if (known) {
        node.replaceInput(i, known);
        input = known;
      }
      if (input.node.owningBlock === block) continue;
      const common = commonBlock(node, input.node);
      let value = input;
      for (let inner = input.node.owningBlock!; inner !== common; inner = inner.owningNode!.owningBlock!) {
        inner.registerOutput(value);
        value = inner.owningNode!.addOutput().setType(value.type);
      }
      this.lifted.set(input, value);
      node.replaceInput(i, value);
    }
    if (node.kind === FORWARD) this.run(node.blocks[0]!);
  }
}

function outerBlocks(node: Node): Block[] {
  const blocks: Block[] = [];
  for (let block = node.owningBlock; block; block = block.owningNode?.owningBlock) blocks.push(block);
  return blocks;
}

function commonBlock(a: Node, b: Node): Block {
  const blocks = new Set(outerBlocks(a));
  const common = outerBlocks(b).find((block) => blocks.has(block));
  internalAssert(common, "nodes of two graphs");
  return common;
}

/** A method returns one value: several become a tuple, none becomes None. */
function returnTuples(block: Block): void {
  const { graph } = block;
  for (const node of block.nodes()) {
    if (node.kind !== FORWARD) continue;
    const inner = node.blocks[0]!;
    returnTuples(inner);
    if (inner.outputs.length > 1) {
      const tuple = graph.withInsertPoint(inner.returnNode, () => graph.insertNode(createTuple(graph, inner.outputs)));
      while (inner.outputs.length > 0) inner.eraseOutput(0);
      inner.registerOutput(tuple.output);
      const result = node.addOutput().setType(T.tupleOf(node.outputs.slice(0, -1).map((o) => o.type)));
      const unpack = createTupleUnpack(graph, result).insertAfter(node);
      for (let i = unpack.outputs.length - 1; i >= 0; i--) {
        node.outputs[i]!.replaceAllUsesWith(unpack.outputs[i]!);
        node.eraseOutput(i);
      }
    } else if (inner.outputs.length === 0) {
      const none = graph.withInsertPoint(inner.returnNode, () => graph.insertNode(createNone(graph)));
      inner.registerOutput(none.output);
      node.addOutput().setType(T.NoneT);
    }
  }
}

/** The body of a block as a graph; what it uses from outside becomes inputs of the graph and of the node. */
function extract(node: Node): Graph {
  const graph = new Graph();
  const captured = new Map<Value, Value>();
  graph.block.cloneFrom(node.blocks[0]!, (value) => {
    let input = captured.get(value);
    if (!input) {
      input = graph.addInput().copyMetadata(value);
      captured.set(value, input);
      node.addInput(value);
    }
    return input;
  });
  return graph;
}

function blocksToGraphs(block: Block): void {
  for (const node of block.nodes()) {
    if (node.kind !== FORWARD) continue;
    blocksToGraphs(node.blocks[0]!);
    const graph = extract(node);
    node.setAttr("Subgraph", "g", graph);
    node.eraseBlock(0);
  }
}

/** The first of `forward`, `forward1`, `forward2`, ... that the class does not have. */
function freeMethodName(type: ClassType): string {
  for (let i = 0; ; i++) {
    const name = i === 0 ? "forward" : `forward${i}`;
    if (!type.methods.has(name)) return name;
  }
}

function createMethodCalls(graph: Graph): void {
  for (const node of graph.block.nodes()) {
    if (node.kind !== FORWARD) continue;
    graph.withInsertPoint(node, () => {
      const type = node.inputs[0]!.type as ClassType;
      const body = node.attr("Subgraph", "g");
      createMethodCalls(body);
      const name = freeMethodName(type);
      const fn = new ScriptFunction(new QualifiedName(`${type.name.qualifiedName}.${name}`), body);
      type.methods.set(name, fn);
      const result = insertMethodCall(graph, name, node.inputs, fn.schema.returns[0]!.type);
      node.output.replaceAllUsesWith(result);
    });
    node.destroy();
  }
}

/** Puts the nodes of module calls where the calls are: a function has no modules. */
function inlineBlocks(block: Block): void {
  const { graph } = block;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) inlineBlocks(inner);
    if (node.kind !== FORWARD) continue;
    const body = extract(node);
    graph.withInsertPoint(node, () => {
      const results = insertGraph(graph, body, node.inputs);
      node.outputs.forEach((output, i) => output.replaceAllUsesWith(results[i]!));
    });
    node.destroy();
  }
}

function cleanUp(graph: Graph): void {
  lowerSimpleTuples(graph);
  eliminateDeadCode(graph);
}

function cleanUpMethods(type: ClassType, seen: Set<ClassType> = new Set()): void {
  if (seen.has(type)) return;
  seen.add(type);
  for (const { type: attribute } of type.attributes)
    if (attribute.kind === "Class" && attribute.isModule) cleanUpMethods(attribute, seen);
  for (const method of type.methods.values())
    if (method instanceof ScriptFunction && method.isDefined()) cleanUp(method.graph);
}
