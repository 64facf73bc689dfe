/** @file return, break and continue become values: what follows a possible exit is put under a condition. Upstream: torch/csrc/jit/frontend/exit_transforms.cpp. Spec: none. */
import { internalAssert } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createUninitialized } from "../../ir/build_nodes.ts";
import { constantBool, insertConstant } from "../../ir/constants.ts";
import { allNodes, type Block, type Graph, type Node, type Value } from "../../ir/graph.ts";

type ExitKind = "prim::ReturnStmt" | "prim::LoopContinuation";
type ExitStatus = "will" | "might" | "wont" | "throws";

/** Whether an exit was taken, and the values that it takes along. */
interface Exit {
  readonly taken: Value;
  readonly values: readonly Value[];
}

/** Removes the exits of one kind from a graph. */
class ExitTransformer {
  private readonly graph: Graph;
  private readonly trueValue: Value;
  private readonly falseValue: Value;
  /** Stands for "raised": nobody ever looks at it. */
  private readonly throwsValue: Value;
  /** One uninitialized value per type, shared. */
  private readonly units = new Map<Type, Value>();
  private readonly kind: ExitKind;
  /** The block that exits lead to the end of. */
  private target: Block | undefined;

  constructor(graph: Graph, kind: ExitKind) {
    this.graph = graph;
    this.kind = kind;
    const constant = (value: boolean): Value => insertConstant(graph, value, T.BoolT);
    [this.trueValue, this.falseValue] = graph.withInsertPoint(
      graph.block.first,
      () => [constant(true), constant(false)] as const,
    );
    this.throwsValue = this.unit(T.BoolT);
  }

  run(): void {
    this.transformBlock(this.graph.block);
  }

  private unit(type: Type): Value {
    let value = this.units.get(type);
    if (!value) {
      value = createUninitialized(this.graph, type).insertAfter(this.graph.paramNode).output;
      this.units.set(type, value);
    }
    return value;
  }
  private unitsLike(values: readonly Value[]): Value[] {
    return values.map((v) => this.unit(v.type));
  }
  private wont(): Exit {
    return { taken: this.falseValue, values: [] };
  }
  private throws(): Exit {
    return { taken: this.throwsValue, values: [] };
  }
  private status({ taken }: Exit): ExitStatus {
    if (taken === this.trueValue) return "will";
    if (taken === this.falseValue) return "wont";
    return taken === this.throwsValue ? "throws" : "might";
  }

  private transformLoop(node: Node): Exit {
    const { graph } = this;
    const body = node.blocks[0]!;
    const exit = this.transformBlock(body);
    const status = this.status(exit);
    // the loop may not be entered at all
    if (status === "wont" || status === "throws") return this.wont();
    // leave the loop once the exit was taken
    const proceed = graph.create("prim::If", [], 0).insertBefore(body.returnNode);
    proceed.addInput(exit.taken);
    proceed.addBlock().registerOutput(this.falseValue);
    proceed.addBlock().registerOutput(body.outputs[0]!);
    const condition = proceed.addOutput().setType(T.BoolT);
    body.eraseOutput(0);
    body.insertOutput(0, condition);
    // carry out of it whether it was, and its values
    node.addInput(this.falseValue);
    body.addInput().setType(T.BoolT);
    body.registerOutput(exit.taken);
    const taken = node.addOutput().setType(T.BoolT);
    for (const value of exit.values) {
      const { type } = value;
      node.addInput(this.unit(type));
      node.addOutput().setType(type);
      body.addInput().setType(type);
      body.registerOutput(value);
    }
    return { taken, values: node.outputs.slice(node.outputs.length - exit.values.length) };
  }

  private transformIf(node: Node): Exit {
    const yesBlock = node.blocks[0]!;
    const noBlock = node.blocks[1]!;
    let yes = this.transformBlock(yesBlock);
    let no = this.transformBlock(noBlock);
    const yesStatus = this.status(yes);
    const noStatus = this.status(no);
    const status = ifStatus(yesStatus, noStatus);
    if (status === "throws") return this.throws();
    if (status === "wont") return this.wont();
    // the branch that does not exit has no values: nobody will look at them
    if (yesStatus === "wont" || yesStatus === "throws") yes = { taken: yes.taken, values: this.unitsLike(no.values) };
    else if (noStatus === "wont" || noStatus === "throws") no = { taken: no.taken, values: this.unitsLike(yes.values) };
    let taken = this.trueValue;
    if (status !== "will") {
      addIfOutputs(node, [yes.taken], [no.taken]);
      taken = node.outputs[node.outputs.length - 1]!;
    }
    addIfOutputs(node, yes.values, no.values);
    return { taken, values: node.outputs.slice(node.outputs.length - yes.values.length) };
  }

  /** Puts the nodes from `from` on under the condition that the exit was not taken. */
  private guard(block: Block, exit: Exit, from: Node): Exit {
    const { graph } = this;
    const guard = graph.create("prim::If", [], 0).insertBefore(from);
    guard.addInput(exit.taken);
    const exitBlock = guard.addBlock();
    const guarded = guard.addBlock();
    for (let node = from; node !== block.returnNode;) {
      const next = node.next!;
      node.moveBefore(guarded.returnNode);
      node = next;
    }
    const outputs = [...block.outputs];
    const placeholders = this.unitsLike(outputs);
    outputs.forEach((output, i) => {
      exitBlock.registerOutput(placeholders[i]!);
      guarded.registerOutput(output);
      guard.addOutput().setType(output.type);
    });
    replaceOutputs(block, guard.outputs);
    graph.create(this.kind, exit.values, 0).insertBefore(exitBlock.returnNode);
    return this.transformIf(guard);
  }

  /** Removes what can never run. */
  private deleteFrom(block: Block, from: Node): void {
    if (from === block.returnNode) return;
    // backwards, so that nothing is used any more when it goes
    for (let node = block.returnNode.prev!; ;) {
      const previous = node.prev!;
      // outputs of the block may still name them
      for (const output of node.outputs) if (output.uses.length > 0) output.replaceAllUsesWith(this.unit(output.type));
      const last = node === from;
      node.destroy();
      if (last) return;
      node = previous;
    }
  }

  private isTarget(block: Block): boolean {
    const owner = block.owningNode?.kind;
    if (this.kind === "prim::LoopContinuation") return owner === "prim::Loop";
    return owner === undefined || owner === "prim::Closure";
  }

  private transformBlock(block: Block): Exit {
    const outerTarget = this.target;
    if (this.isTarget(block)) this.target = block;
    let exit = this.wont();
    for (let node = block.first; node !== block.returnNode;) {
      const next = node.next!;
      switch (node.kind) {
        case "prim::RaiseException":
          exit = this.throws();
          break;
        case "prim::ReturnStmt":
        case "prim::LoopContinuation":
          if (node.kind === this.kind) {
            exit = { taken: this.trueValue, values: [...node.inputs] };
            node.destroy();
          }
          break;
        case "prim::If":
          exit = this.transformIf(node);
          break;
        case "prim::With":
          exit = this.transformBlock(node.blocks[0]!);
          break;
        case "prim::Closure":
          this.transformBlock(node.blocks[0]!);
          break;
        case "prim::Loop":
          exit = this.transformLoop(node);
          break;
        default:
          break;
      }
      const status = this.status(exit);
      if (status === "will" || status === "throws") {
        this.deleteFrom(block, next);
        break;
      }
      if (status === "might") {
        if (next !== block.returnNode) exit = this.guard(block, exit, next);
        break;
      }
      node = next;
    }
    if (this.target === block) {
      const status = this.status(exit);
      if (status === "might") {
        const choose = this.graph.create("prim::If", [], 0).insertBefore(block.returnNode);
        choose.addBlock();
        choose.addBlock();
        choose.addInput(exit.taken);
        addIfOutputs(choose, exit.values, [...block.outputs]);
        replaceOutputs(block, choose.outputs);
      } else if (status === "will") replaceOutputs(block, exit.values);
      // the exit has reached its end
      exit = this.wont();
    }
    this.target = outerTarget;
    return exit;
  }
}

function ifStatus(yes: ExitStatus, no: ExitStatus): ExitStatus {
  if (yes === "throws") return no;
  if (no === "throws") return yes;
  if (yes === "wont" && no === "wont") return "wont";
  return yes === "will" && no === "will" ? "will" : "might";
}

function addIfOutputs(node: Node, yes: readonly Value[], no: readonly Value[]): void {
  for (const value of yes) node.blocks[0]!.registerOutput(value);
  for (const value of no) node.blocks[1]!.registerOutput(value);
  yes.forEach((value, i) => {
    const unified = T.unifyTypes(value.type, no[i]!.type, true);
    internalAssert(unified, "exits with values of different types");
    node.addOutput().setType(unified);
  });
}

function replaceOutputs(block: Block, outputs: readonly Value[]): void {
  while (block.outputs.length > 0) block.eraseOutput(0);
  for (const output of outputs) block.registerOutput(output);
}

/** Merges an if into the one before it where that decides it: `if x: return 1` and the guard of what follows. */
function inlineConsecutiveIf(first: Node): boolean {
  const second = first.next!;
  if (first.kind !== "prim::If" || second.kind !== "prim::If") return false;
  const condition = second.inputs[0]!;
  if (condition.node !== first) return false;
  const { blocks } = first;
  const outcomes = blocks.map((block) => constantBool(block.outputs[condition.offset]!));
  // equal outcomes are left to constant propagation: they would double the code here
  if (outcomes[0] === undefined || outcomes[1] === undefined || outcomes[0] === outcomes[1]) return false;
  blocks.forEach((block, i) => {
    const chosen = second.blocks[outcomes[i] ? 0 : 1]!;
    block.cloneFrom(chosen, (value) => (value.node === first ? block.outputs[value.offset]! : value));
  });
  for (const output of second.outputs) output.replaceAllUsesWith(first.addOutput().copyMetadata(output));
  second.destroy();
  return true;
}

function inlineConsecutiveIfs(block: Block): void {
  for (let node = block.first; node !== block.returnNode;) {
    for (const inner of node.blocks) inlineConsecutiveIfs(inner);
    if (!inlineConsecutiveIf(node)) node = node.next!;
  }
}

/** `Enter, ..., Exit` become `Enter, With { ... } { Exit }`, so that an exit between them still passes the Exit. */
function wrapWithBlocks(graph: Graph): void {
  const pairs: [enter: Node, exit: Node][] = [];
  const open: Node[] = [];
  for (const node of allNodes(graph.block)) {
    if (node.kind === "prim::Enter") open.push(node);
    else if (node.kind === "prim::Exit") {
      const enter = open.pop();
      internalAssert(enter?.inputs[0] === node.inputs[0], "Exit without its Enter");
      pairs.push([enter!, node]);
    }
  }
  internalAssert(open.length === 0, "Enter without Exit");
  for (const [enter, exit] of pairs) {
    const wrapper = graph.create("prim::With", [], 0);
    const body = wrapper.addBlock();
    const exitBlock = wrapper.addBlock();
    for (let node = enter.next!; node !== exit;) {
      const next = node.next!;
      node.moveBefore(body.returnNode);
      node = next;
    }
    exit.moveBefore(exitBlock.returnNode);
    wrapper.insertAfter(enter);
  }
}

function unwrapWithBlocks(graph: Graph): void {
  for (const wrapper of [...allNodes(graph.block)].filter((n) => n.kind === "prim::With")) {
    for (const block of wrapper.blocks) for (const node of [...block.nodes()]) node.moveBefore(wrapper);
    wrapper.destroy();
  }
}

/** Removes loop continuations, then returns. */
export function transformExits(graph: Graph): void {
  wrapWithBlocks(graph);
  new ExitTransformer(graph, "prim::LoopContinuation").run();
  new ExitTransformer(graph, "prim::ReturnStmt").run();
  inlineConsecutiveIfs(graph.block);
  unwrapWithBlocks(graph);
}
