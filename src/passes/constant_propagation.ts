/** @file Replaces nodes on constants by constants, and control flow whose course is known. Upstream: torch/csrc/jit/passes/constant_propagation.cpp. Spec: none. */
import { AliasDb } from "../ir/alias_analysis.ts";
import { isMutableType } from "../ir/alias_types.ts";
import { constantBool, constantInt, insertConstant, toIValue, tryInsertConstant } from "../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { sameComputation } from "../ir/node_hashing.ts";
import { callsOverload, hasSideEffects, isNondeterministic, maybeSchema } from "../ir/node_schema.ts";
import { eliminateDeadCode } from "./dead_code_elimination.ts";
import { runOnConstants, type NodeRunner } from "./run_node.ts";

/** How nodes run; the registered operators' kernels where it is left out. */
export interface PropagationOptions {
  readonly runNode?: NodeRunner;
}

/** Propagates constants through nodes that neither take nor give anything that can change. */
export function constantPropagationImmutableTypes(graph: Graph, options: PropagationOptions = {}): boolean {
  return propagate(graph, false, options);
}

/** Propagates constants through all nodes whose inputs and outputs nobody writes to. */
export function constantPropagation(graph: Graph, options: PropagationOptions = {}): boolean {
  return propagate(graph, true, options);
}

function propagate(graph: Graph, mutableTypes: boolean, options: PropagationOptions): boolean {
  const changed = new ConstantPropagator(graph, mutableTypes, options).run();
  if (changed) eliminateDeadCode(graph);
  return changed;
}

const SKIPPED = new Set([
  "prim::If",
  "prim::Loop",
  "prim::Closure",
  "prim::Constant",
  "prim::AutogradZero",
  "prim::Uninitialized",
  "prim::Guard",
  "prim::profile",
  "prim::profile_ivalue",
  "prim::unchecked_unwrap_optional",
  "prim::awaitable",
  "aten::dequantize",
]);

function isPure(node: Node): boolean {
  if (SKIPPED.has(node.kind) || node.blocks.length > 0 || hasSideEffects(node)) return false;
  // PyTorch's kernel takes its arguments the wrong way round and fails; only a peephole of its executor knows better
  if (callsOverload(node, "aten::device.with_index")) return false;
  return !maybeSchema(node)?.isVararg && !isNondeterministic(node);
}

/** Whether a node does nothing but compute, with values that nobody can change. */
export function isComputation(node: Node): boolean {
  return !hasMutable(node.inputs) && !hasMutable(node.outputs) && isPure(node);
}

class ConstantPropagator {
  private readonly graph: Graph;
  private readonly mutableTypes: boolean;
  private readonly runner: NodeRunner | undefined;
  private aliasDb: AliasDb | undefined;
  private changed = false;

  constructor(graph: Graph, mutableTypes: boolean, options: PropagationOptions) {
    this.graph = graph;
    this.mutableTypes = mutableTypes;
    this.runner = options.runNode;
  }

  run(): boolean {
    this.visitBlock(this.graph.block);
    return this.changed;
  }

  private visitBlock(block: Block): void {
    for (let node = block.first; node !== block.returnNode;) {
      // the node may be destroyed, and its body moved before the next one
      const next = node.next!;
      this.visitNode(node);
      node = next;
    }
  }

  private visitNode(node: Node): void {
    const constantInputs = node.inputs.every((v) => v.node.kind === "prim::Constant");
    if (node.kind === "prim::If") {
      if (constantInputs) this.inlineIf(node);
      else {
        for (const block of node.blocks) this.visitBlock(block);
        this.dropIfOutputs(node);
      }
    } else if (node.kind === "prim::Loop") {
      if (willNotRun(node)) this.removeLoop(node);
      else {
        for (const block of node.blocks) this.visitBlock(block);
        this.dropLoopOutputs(node);
      }
    } else if (constantInputs && this.isSupported(node)) this.propagateNode(node);
    else for (const block of node.blocks) this.visitBlock(block);
  }

  private isSupported(node: Node): boolean {
    if (!this.mutableTypes) return isComputation(node);
    if (!isPure(node)) return false;
    this.aliasDb ??= new AliasDb(this.graph);
    return !this.aliasDb.nodeHasWriters(node);
  }

  private propagateNode(node: Node): void {
    const outputs = runOnConstants(node, this.runner);
    if (!outputs) return;
    node.graph.withInsertPoint(node, () => {
      outputs.forEach((value, i) => {
        const old = node.outputs[i]!;
        const constant = tryInsertConstant(node.graph, value, old.type);
        if (!constant) return;
        this.changed = true;
        if (value === null) constant.setType(old.type);
        old.replaceAllUsesWith(constant);
      });
    });
  }

  /** Puts the branch that runs in the place of the node. */
  private inlineIf(node: Node): void {
    const condition = constantBool(node.input);
    const body = node.blocks[condition ? 0 : 1]!;
    this.visitBlock(body);
    for (let inner = body.first; inner !== body.returnNode;) {
      const next = inner.next!;
      inner.moveBefore(node);
      inner = next;
    }
    node.outputs.forEach((output, i) => output.replaceAllUsesWith(body.outputs[i]!));
    node.destroy();
    this.changed = true;
  }

  private removeLoop(node: Node): void {
    node.outputs.forEach((output, i) => output.replaceAllUsesWith(node.inputs[i + 2]!));
    node.destroy();
    this.changed = true;
  }

  /** Removes outputs that both branches give alike. */
  private dropIfOutputs(node: Node): void {
    const [then, otherwise] = node.blocks as [Block, Block];
    const before = then.outputs.length;
    for (let i = 0; i < then.outputs.length;) {
      const left = then.outputs[i]!;
      const right = otherwise.outputs[i]!;
      let replacement: Value | undefined = left === right ? left : undefined;
      if (!replacement) {
        const constant = toIValue(left);
        if (constant && sameComputation(left.node, right.node)) {
          replacement = node.graph.withInsertPoint(node, () => insertConstant(node.graph, constant.value, left.type));
        }
      }
      if (!replacement) {
        i++;
        continue;
      }
      node.outputs[i]!.replaceAllUsesWith(replacement);
      node.eraseOutput(i);
      then.eraseOutput(i);
      otherwise.eraseOutput(i);
    }
    if (then.outputs.length !== before) this.changed = true;
  }

  /** Removes carried values that the body does not change. */
  private dropLoopOutputs(node: Node): void {
    const body = node.blocks[0]!;
    for (let i = node.outputs.length - 1; i >= 0; i--) {
      const carried = body.inputs[i + 1]!;
      if (carried !== body.outputs[i + 1]) continue;
      const initial = node.inputs[i + 2]!;
      node.outputs[i]!.replaceAllUsesWith(initial);
      carried.replaceAllUsesWith(initial);
      node.eraseOutput(i);
      node.removeInput(i + 2);
      // the body's result was this value: it goes first, so that nothing uses the parameter
      body.eraseOutput(i + 1);
      body.eraseInput(i + 1);
      this.changed = true;
    }
  }
}

function willNotRun(loop: Node): boolean {
  const trips = constantInt(loop.inputs[0]!) ?? 1;
  return !(trips > 0) || constantBool(loop.inputs[1]!) === false;
}

function hasMutable(values: readonly Value[]): boolean {
  return values.some((v) => isMutableType(v.type));
}
