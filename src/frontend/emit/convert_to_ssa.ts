/** @file Loads and stores of variables become values: control flow gets inputs and outputs for what it changes. Upstream: torch/csrc/jit/frontend/convert_to_ssa.cpp. Spec: none. */
import { internalAssert } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createLoad, createStore } from "../../ir/build_nodes.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../../ir/graph.ts";
import { isMeaningfulName } from "./environment.ts";
import { transformExits } from "./exit_transforms.ts";
import { inlineBlockBeforeNode, inlineLoopConditions } from "./inline_loop_condition.ts";

/** What the variables of nested blocks are bound to. */
class Frame<V> {
  readonly next: Frame<V> | undefined;
  private readonly table = new Map<string, V>();
  constructor(next?: Frame<V>) {
    this.next = next;
  }
  set(name: string, value: V): void {
    this.table.set(name, value);
  }
  findHere(name: string): V | undefined {
    return this.table.get(name);
  }
  find(name: string): V | undefined {
    for (let frame: Frame<V> | undefined = this; frame; frame = frame.next) {
      const value = frame.table.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  }
  names(): string[] {
    return [...this.table.keys()].sort();
  }
}

function addBlockOutput(block: Block, type: Type, name: string): void {
  const { graph } = block;
  const load = createLoad(graph, name, type).insertBefore(block.returnNode);
  block.registerOutput(load.output);
}

function addNodeOutput(node: Node, type: Type, name: string): void {
  const output = node.addOutput().setType(type);
  if (isMeaningfulName(name)) output.setDebugName(name);
  createStore(node.graph, name, output).insertAfter(node);
}

/** Adds loads before and stores behind control flow for the variables that it assigns. Gives the block's assigned variables. */
function addLoadsAndStores(block: Block, outer: Frame<Type> | undefined): Frame<Type> {
  const frame = new Frame<Type>(outer);
  for (const node of block.nodes()) {
    switch (node.kind) {
      case "prim::If":
        addIfOutputs(node, frame);
        break;
      case "prim::Loop":
        addLoopCarried(node, frame);
        break;
      case "prim::Closure":
        for (const inner of node.blocks) addLoadsAndStores(inner, frame);
        break;
      case "prim::ComprehensionScope":
        addLoadsAndStores(node.blocks[0]!, frame);
        break;
      case "prim::Store":
        frame.set(node.attr("name", "s"), node.input.type);
        break;
      default:
        break;
    }
  }
  return frame;
}

function addIfOutputs(node: Node, outer: Frame<Type>): void {
  const yesBlock = node.blocks[0]!;
  const noBlock = node.blocks[1]!;
  const yes = addLoadsAndStores(yesBlock, outer);
  const no = addLoadsAndStores(noBlock, outer);
  const mutated = new Set([...yes.names().filter((n) => no.find(n)), ...no.names().filter((n) => yes.find(n))]);
  for (const name of [...mutated].sort()) {
    const yesType = yes.find(name)!;
    const noType = no.find(name)!;
    const unified = T.unifyTypes(yesType, noType, true)!;
    addBlockOutput(yesBlock, yesType, name);
    addBlockOutput(noBlock, noType, name);
    addNodeOutput(node, unified, name);
  }
}

function addLoopCarried(node: Node, outer: Frame<Type>): void {
  const body = node.blocks[0]!;
  const variables = addLoadsAndStores(body, outer);
  for (const name of variables.names()) {
    const outerType = outer.find(name);
    // known only in the body: each round makes its own
    if (!outerType) continue;
    const innerType = variables.findHere(name)!;
    const unified = T.unifyTypes(outerType, innerType);
    internalAssert(unified, `variable ${name} changes its type in a loop`);
    node.addInput(createLoad(node.graph, name, outerType).insertBefore(node).output);
    const input = body.addInput(name).setType(unified);
    createStore(node.graph, name, input).insertAfter(body.paramNode);
    addBlockOutput(body, innerType, name);
    addNodeOutput(node, unified, name);
  }
}

/** `break` and `continue` become `prim::LoopContinuation(proceed, carried...)`. */
class LoopContinuations {
  private readonly graph: Graph;
  private readonly falseValue: Value;

  constructor(block: Block) {
    this.graph = block.graph;
    this.falseValue = this.graph.withInsertPoint(block.first, () => insertConstant(this.graph, false, T.BoolT));
    this.visit(block, undefined);
  }

  private visit(block: Block, loop: Node | undefined): void {
    for (const node of [...block.nodes()]) {
      switch (node.kind) {
        case "prim::If":
          for (const inner of node.blocks) this.visit(inner, loop);
          break;
        case "prim::Closure":
          new LoopContinuations(node.blocks[0]!);
          break;
        case "prim::Loop":
          this.visit(node.blocks[0]!, node);
          break;
        case "prim::ContinueStmt": {
          const continuation = this.graph.create("prim::LoopContinuation", [], 0).insertAfter(node);
          const header = continuation.addBlock();
          header.cloneFrom(loop!.blocks[1]!, (v) => v);
          inlineBlockBeforeNode(node, header);
          continuation.addInput(header.outputs[0]!);
          continuation.eraseBlock(0);
          this.addCarried(continuation, loop!);
          node.destroy();
          break;
        }
        case "prim::BreakStmt": {
          const continuation = this.graph.create("prim::LoopContinuation", [], 0).insertAfter(node);
          continuation.addInput(this.falseValue);
          this.addCarried(continuation, loop!);
          node.destroy();
          break;
        }
        default:
          break;
      }
    }
  }

  private addCarried(continuation: Node, loop: Node): void {
    for (const output of loop.blocks[0]!.outputs) {
      internalAssert(output.node.kind === "prim::Load", "a loop carries no variable");
      const load = this.graph.createClone(output.node, (v) => v).insertBefore(continuation);
      continuation.addInput(load.output);
    }
  }
}

function eraseLoadsAndStores(block: Block, outer: Frame<Value> | undefined): void {
  const frame = new Frame<Value>(outer);
  for (let node = block.first; node !== block.returnNode;) {
    const next = node.next!;
    switch (node.kind) {
      case "prim::Store":
        frame.set(node.attr("name", "s"), node.input);
        node.destroy();
        break;
      case "prim::Load": {
        const value = frame.find(node.attr("name", "s"));
        internalAssert(value, "load of a variable that nobody stores");
        node.output.replaceAllUsesWith(value);
        node.destroy();
        break;
      }
      case "prim::ComprehensionScope": {
        // its variables stay inside, its nodes do not
        const body = node.blocks[0]!;
        eraseLoadsAndStores(body, frame);
        inlineBlockBeforeNode(node, body);
        node.destroy();
        break;
      }
      default:
        for (const inner of node.blocks) eraseLoadsAndStores(inner, frame);
        break;
    }
    node = next;
  }
}

/** Brings a graph of loads, stores and jumps to the form where each value is assigned once. */
export function convertToSSA(graph: Graph): void {
  addLoadsAndStores(graph.block, undefined);
  new LoopContinuations(graph.block);
  inlineLoopConditions(graph.block);
  eraseLoadsAndStores(graph.block, undefined);
  transformExits(graph);
}
