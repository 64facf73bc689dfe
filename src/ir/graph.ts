/** @file Graph, Block, Node, Value, Use: the one truth of a program; the only mutators of its edges. Upstream: torch/csrc/jit/ir/ir.h, ir.cpp. Spec: none.
 *
 * Note [Numbering]: the printed text of a graph shows the order in which its values were made, so every front-end step and pass
 * makes values in PyTorch's order, and nothing here makes one on the side.
 * Note [Topological order]: nodes of a block form a ring through its return node; `topoPosition` orders them. */
import { internalAssert } from "../base/errors.ts";
import type { SourceRange } from "../base/source_range.ts";
import type { FunctionSchema } from "../core/schema.ts";
import { TensorT, type Type } from "../core/type.ts";
import { AllNodes, BlockNodes } from "./node_iterators.ts";
import { compareNodes, depthOf, dominates } from "./node_order.ts";
import { NO_ATTRIBUTES, Scope, isValidDebugName, splitName, withCopies, type InlinedCall } from "./attribute.ts";
import type * as attributes from "./attribute.ts";

export { Scope, isValidDebugName };
export type { InlinedCall };
/** An attribute of a node. */
export type Attribute = attributes.Attribute<Graph>;
export type AttributeKind = attributes.AttributeKind;
/** The TypeScript type of an attribute of a kind. */
export type AttributeValue<K extends AttributeKind> = Extract<Attribute, { kind: K }>["value"];

/** One use of a value: input `offset` of `user`. */
export interface Use {
  readonly user: Node;
  offset: number;
}

/** A value of a graph: output `offset` of `node`. */
export class Value {
  readonly node: Node;
  /** Which output of the node; changes when outputs are erased. */
  offset: number;
  readonly unique: number;
  type: Type = TensorT;
  uses: Use[] = [];
  private name = "";

  constructor(node: Node, offset: number, unique: number) {
    this.node = node;
    this.offset = offset;
    this.unique = unique;
  }

  setType(type: Type): this {
    this.type = type;
    return this;
  }

  hasDebugName(): boolean {
    return this.name !== "";
  }

  /** Name without `%`: the one given, or the number. */
  debugName(): string {
    return this.name || String(this.unique);
  }

  /** The name without the suffix that uniqueness cost. */
  debugNameBase(): string {
    return splitName(this.debugName()).base;
  }

  /** Names the value; another owner of the name gets a numbered one. Empty clears. */
  setDebugName(name: string): this {
    if (!isValidDebugName(name)) internalAssert(false, `invalid name: '${name}'`);
    const graph = this.node.graph;
    const names = graph.uniqueNames;
    if (this.name) {
      names.delete(this.name);
      this.name = "";
    }
    if (!name) return this;
    const owner = names.get(name);
    if (owner) {
      const { base, number } = splitName(name);
      let suffix = number ?? 1;
      const known = graph.nameBaseSuffix.get(base);
      if (known !== undefined) suffix = Math.max(suffix, known + 1);
      let replacement = `${base}.${suffix++}`;
      while (names.has(replacement)) replacement = `${base}.${suffix++}`;
      graph.nameBaseSuffix.set(base, suffix);
      owner.name = ""; // its entry is overwritten below: deleting it each time leaves a trail that lookups walk
      owner.setDebugName(replacement);
    }
    names.set(name, this);
    this.name = name;
    return this;
  }

  copyMetadata(from: Value): this {
    this.type = from.type;
    if (from.hasDebugName()) this.setDebugName(from.debugName());
    return this;
  }

  /** Makes every user use `other`. */
  replaceAllUsesWith(other: Value): void {
    internalAssert(this.node.graph === other.node.graph, "values of two graphs");
    if (this === other) return;
    for (const use of this.uses) {
      use.user.inputs[use.offset] = other;
      other.uses.push(use);
    }
    this.uses = [];
  }

  /** Like `replaceAllUsesWith`, for users after `node` in the order of the graph. */
  replaceAllUsesAfterNodeWith(node: Node, other: Value): void {
    // the list changes while the users do
    for (const use of this.uses.filter(({ user }) => user.isAfter(node))) use.user.replaceInput(use.offset, other);
  }

  /** Like `replaceAllUsesWith`, for users that `node` dominates. */
  replaceAllUsesDominatedByNodeWith(node: Node, other: Value): void {
    for (const use of this.uses.filter(({ user }) => user.isDominatedBy(node)))
      use.user.replaceInput(use.offset, other);
  }

  /** Whether the value is a constant None. */
  mustBeNone(): boolean {
    return this.type.kind === "None" || this.node.mustBeNone();
  }
  /** Whether the type excludes None. */
  mustNotBeNone(): boolean {
    return (
      this.node.kind !== "prim::AutogradAdd" &&
      this.type.kind !== "None" &&
      this.type.kind !== "Optional" &&
      !(this.type.kind === "Union" && this.type.members.some((m) => m.kind === "None"))
    );
  }
}

/** An operation. Blocks hang on it, attributes parametrise it. */
export class Node {
  /** `aten::add`, `prim::If`, ... */
  readonly kind: string;
  readonly graph: Graph;
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly blocks: Block[] = [];
  /** Never changed, but replaced: nodes and their copies share one. */
  attributes: ReadonlyMap<string, Attribute> = NO_ATTRIBUTES;
  owningBlock: Block | undefined;
  prev: Node | undefined;
  next: Node | undefined;
  topoPosition = 0;
  sourceRange: SourceRange | undefined;
  scope: Scope | undefined;
  callstack: InlinedCall | undefined;
  /** Archive version this node's schema belongs to, for upgraders. */
  historicSchemaName: string | undefined;
  /** The overload, once known; forgotten when the inputs change. Ask `maybeSchema` of `node_schema.ts`. */
  schema: FunctionSchema | undefined;

  constructor(graph: Graph, kind: string) {
    this.graph = graph;
    this.kind = kind;
  }

  /** The only input. */
  get input(): Value {
    if (this.inputs.length !== 1) internalAssert(false, `${this.kind} has ${this.inputs.length} inputs`);
    return this.inputs[0]!;
  }
  /** The only output. */
  get output(): Value {
    if (this.outputs.length !== 1) internalAssert(false, `${this.kind} has ${this.outputs.length} outputs`);
    return this.outputs[0]!;
  }

  setSourceRange(range: SourceRange | undefined): this {
    this.sourceRange = range;
    return this;
  }

  /** Attribute of a kind; internal error where it is absent or of another kind. */
  attr<K extends AttributeKind>(name: string, kind: K): AttributeValue<K> {
    const attribute = this.attributes.get(name);
    if (attribute?.kind !== kind) internalAssert(false, `${this.kind} has no ${kind} attribute "${name}"`);
    return attribute.value as AttributeValue<K>;
  }
  hasAttr(name: string): boolean {
    return this.attributes.has(name);
  }
  setAttr<K extends AttributeKind>(name: string, kind: K, value: AttributeValue<K>): this {
    this.attributes = new Map(this.attributes).set(name, { kind, value } as Attribute);
    return this;
  }

  mustBeNone(): boolean {
    return (
      this.kind === "prim::AutogradZero" ||
      (this.outputs.length === 1 && this.outputs[0]!.type.kind === "None") ||
      (this.kind === "prim::Constant" &&
        this.attributes.size === 0 &&
        this.outputs.length === 1 &&
        this.outputs[0]!.type.kind === "Optional")
    );
  }

  addInput(value: Value): Value {
    this.schema = undefined;
    value.uses.push({ user: this, offset: this.inputs.length });
    this.inputs.push(value);
    return value;
  }
  insertInput(offset: number, value: Value): Value {
    this.schema = undefined;
    for (let i = offset; i < this.inputs.length; i++) this.findUse(i).offset++;
    this.inputs.splice(offset, 0, value);
    value.uses.push({ user: this, offset });
    return value;
  }
  replaceInput(offset: number, value: Value): Value {
    const old = this.dropInput(offset);
    this.inputs[offset] = value;
    value.uses.push({ user: this, offset });
    return old;
  }
  replaceInputWith(from: Value, to: Value): void {
    for (let i = 0; i < this.inputs.length; i++) if (this.inputs[i] === from) this.replaceInput(i, to);
  }
  removeInput(offset: number): void {
    this.dropInput(offset);
    for (let i = offset + 1; i < this.inputs.length; i++) this.findUse(i).offset--;
    this.inputs.splice(offset, 1);
  }
  removeAllInputs(): void {
    for (let i = 0; i < this.inputs.length; i++) this.dropInput(i);
    this.inputs.length = 0;
  }
  private findUse(offset: number): Use {
    const use = this.inputs[offset]!.uses.findLast((u) => u.user === this && u.offset === offset);
    internalAssert(use, "use list out of step");
    return use;
  }
  private dropInput(offset: number): Value {
    this.schema = undefined;
    const value = this.inputs[offset]!;
    const at = value.uses.findLastIndex((u) => u.user === this && u.offset === offset); // mostly what was added last
    internalAssert(at >= 0, "use list out of step");
    value.uses.splice(at, 1);
    return value;
  }

  addOutput(): Value {
    const value = new Value(this, this.outputs.length, this.graph.nextUnique++);
    this.outputs.push(value);
    return value;
  }
  insertOutput(offset: number): Value {
    const value = new Value(this, offset, this.graph.nextUnique++);
    this.outputs.splice(offset, 0, value);
    for (let i = offset + 1; i < this.outputs.length; i++) this.outputs[i]!.offset++;
    return value;
  }
  eraseOutput(offset: number): void {
    const value = this.outputs[offset]!;
    if (value.uses.length > 0) internalAssert(false, `output ${offset} of ${this.kind} is used`);
    value.setDebugName("");
    this.outputs.splice(offset, 1);
    for (let i = offset; i < this.outputs.length; i++) this.outputs[i]!.offset--;
  }

  /** Puts the inputs into another order: `order[i]` is the old place of the new input i. */
  permuteInputs(order: readonly number[]): void {
    const old = [...this.inputs];
    const uses = old.map((_, i) => this.findUse(i));
    order.forEach((from, to) => {
      this.inputs[to] = old[from]!;
      uses[from]!.offset = to;
    });
  }
  /** Puts the outputs into another order. */
  permuteOutputs(order: readonly number[]): void {
    const old = [...this.outputs];
    order.forEach((from, to) => {
      this.outputs[to] = old[from]!;
      old[from]!.offset = to;
    });
  }

  addBlock(): Block {
    const block = new Block(this.graph, this);
    this.blocks.push(block);
    return block;
  }
  eraseBlock(index: number): void {
    const block = this.blocks[index]!;
    this.blocks.splice(index, 1);
    block.destroy();
  }

  /** Puts the node before `other`. */
  insertBefore(other: Node): this {
    internalAssert(other.prev, "insertBefore a node that is in no block");
    return this.insertAfter(other.prev);
  }
  /** Puts the node behind `other`. */
  insertAfter(other: Node): this {
    internalAssert(!this.owningBlock || !this.next, "node is in a block already");
    internalAssert(other.owningBlock, "insertAfter a node that is in no block");
    this.owningBlock = other.owningBlock;
    const next = other.next!;
    other.next = this;
    this.prev = other;
    this.next = next;
    next.prev = this;
    this.assignTopoPosition();
    return this;
  }
  moveBefore(other: Node): void {
    this.unlink();
    this.insertBefore(other);
  }
  moveAfter(other: Node): void {
    this.unlink();
    this.insertAfter(other);
  }
  /** Takes the node out of its block, to be put somewhere else. */
  unlink(): void {
    this.prev!.next = this.next;
    this.next!.prev = this.prev;
    this.prev = undefined;
    this.next = undefined;
    this.owningBlock = undefined;
  }
  private assignTopoPosition(): void {
    const before = this.prev!;
    const after = this.next!;
    const last = this.owningBlock!.returnNode;
    const first = this.owningBlock!.paramNode;
    const low = before === first ? 0 : before.topoPosition;
    if (after === last) {
      this.topoPosition = low + 1048576;
      return;
    }
    const middle = (low + after.topoPosition) / 2;
    if (middle > low && middle < after.topoPosition) this.topoPosition = middle;
    else this.owningBlock!.reindexTopology();
  }

  /** Whether the node runs before `other`, across nested blocks; a node is neither before nor after one that holds it. */
  isBefore(other: Node): boolean {
    return compareNodes(this, other) < 0;
  }
  isAfter(other: Node): boolean {
    return compareNodes(this, other) > 0;
  }
  isDominatedBy(dominator: Node): boolean {
    return dominates(dominator, this);
  }
  /** How many blocks lie between the node and its graph's own block. */
  get depth(): number {
    return depthOf(this);
  }

  hasUses(): boolean {
    return this.outputs.some((o) => o.uses.length > 0);
  }
  replaceAllUsesWith(other: Node): void {
    this.outputs.forEach((o, i) => o.replaceAllUsesWith(other.outputs[i]!));
  }
  /** Graphs among the attributes are copied, and numbered anew by that. */
  copyAttributes(from: Node): this {
    this.attributes = withCopies(this.attributes, from.attributes);
    return this;
  }
  copyMetadata(from: Node): this {
    this.sourceRange = from.sourceRange;
    this.scope = from.scope;
    this.callstack = from.callstack;
    return this;
  }

  destroy(): void {
    while (this.outputs.length > 0) this.eraseOutput(this.outputs.length - 1);
    while (this.blocks.length > 0) this.eraseBlock(this.blocks.length - 1);
    this.removeAllInputs();
    if (this.next) this.unlink();
  }
}

/** A sequence of nodes with parameters (outputs of `paramNode`) and results (inputs of `returnNode`). */
export class Block {
  readonly graph: Graph;
  /** The node that the block hangs on; undefined for the graph's own block. */
  readonly owningNode: Node | undefined;
  readonly paramNode: Node;
  readonly returnNode: Node;

  constructor(graph: Graph, owningNode: Node | undefined) {
    this.graph = graph;
    this.owningNode = owningNode;
    this.paramNode = new Node(graph, "prim::Param");
    this.returnNode = new Node(graph, "prim::Return");
    this.paramNode.owningBlock = this;
    this.returnNode.owningBlock = this;
    this.paramNode.next = this.returnNode;
    this.paramNode.prev = this.returnNode;
    this.returnNode.prev = this.paramNode;
    this.returnNode.next = this.paramNode;
  }

  get inputs(): readonly Value[] {
    return this.paramNode.outputs;
  }
  get outputs(): readonly Value[] {
    return this.returnNode.inputs;
  }
  /** First node, or the return node where the block is empty. */
  get first(): Node {
    return this.paramNode.next!;
  }

  /** Last node, or the parameters' node where the block is empty. */
  get last(): Node {
    return this.returnNode.prev!;
  }

  /** The nodes in order; the current node may be removed while iterating. */
  nodes(): IterableIterator<Node, undefined> {
    return new BlockNodes(this);
  }
  reverseNodes(): IterableIterator<Node, undefined> {
    return new BlockNodes(this, true);
  }

  addInput(name = ""): Value {
    const value = this.paramNode.addOutput();
    if (name) value.setDebugName(name);
    return value;
  }
  insertInput(offset: number, name = ""): Value {
    const value = this.paramNode.insertOutput(offset);
    if (name) value.setDebugName(name);
    return value;
  }
  eraseInput(offset: number): void {
    this.paramNode.eraseOutput(offset);
  }
  registerOutput(value: Value): number {
    this.returnNode.addInput(value);
    return this.outputs.length - 1;
  }
  insertOutput(offset: number, value: Value): void {
    this.returnNode.insertInput(offset, value);
  }
  eraseOutput(offset: number): void {
    this.returnNode.removeInput(offset);
  }
  replaceOutput(offset: number, value: Value): void {
    this.returnNode.replaceInput(offset, value);
  }

  appendNode(node: Node): Node {
    return node.insertBefore(this.returnNode);
  }
  prependNode(node: Node): Node {
    return node.insertAfter(this.paramNode);
  }
  reindexTopology(): void {
    let position = 0;
    for (let node = this.paramNode.next!; node !== this.returnNode; node = node.next!) {
      position += 1048576;
      node.topoPosition = position;
    }
  }

  /** Copies nodes, parameters and results of `source` into this block; `map` gives values from outside. */
  cloneFrom(source: Block, map: (value: Value) => Value): void {
    const local = new Map<Value, Value>();
    const env = (v: Value): Value => local.get(v) ?? map(v);
    for (const input of source.inputs) local.set(input, this.addInput().copyMetadata(input));
    for (const node of source.nodes()) {
      const copy = this.appendNode(this.graph.createClone(node, env));
      node.outputs.forEach((o, i) => local.set(o, copy.outputs[i]!.copyMetadata(o)));
    }
    for (const output of source.outputs) this.registerOutput(env(output));
  }

  destroy(): void {
    this.returnNode.removeAllInputs();
    for (let node = this.returnNode.prev!; node !== this.paramNode;) {
      const prev = node.prev!;
      node.destroy();
      node = prev;
    }
    while (this.paramNode.outputs.length > 0) this.paramNode.eraseOutput(this.paramNode.outputs.length - 1);
  }
}

/** A function's body: one block, its value names and the insert point of builders. */
export class Graph {
  nextUnique = 0;
  readonly uniqueNames = new Map<string, Value>();
  readonly nameBaseSuffix = new Map<string, number>();
  readonly block: Block;
  currentScope: Scope | undefined;
  private insertBeforeNode: Node;

  constructor() {
    this.block = new Block(this, undefined);
    this.insertBeforeNode = this.block.returnNode;
  }

  get inputs(): readonly Value[] {
    return this.block.inputs;
  }
  get outputs(): readonly Value[] {
    return this.block.outputs;
  }
  get returnNode(): Node {
    return this.block.returnNode;
  }
  get paramNode(): Node {
    return this.block.paramNode;
  }
  addInput(name = ""): Value {
    return this.block.addInput(name);
  }
  registerOutput(value: Value): number {
    return this.block.registerOutput(value);
  }

  /** A node in no block yet. */
  create(kind: string, inputs: readonly Value[] = [], numOutputs = 1): Node {
    const node = new Node(this, kind);
    node.scope = this.currentScope;
    for (const input of inputs) node.addInput(input);
    for (let i = 0; i < numOutputs; i++) node.addOutput();
    return node;
  }
  /** A copy of a node with its blocks; the outputs get types and names only where the caller copies them. */
  createClone(node: Node, map: (value: Value) => Value, copyBlocks = true): Node {
    const copy = this.create(node.kind, [], 0);
    for (const output of node.outputs) copy.addOutput().copyMetadata(output);
    copy.copyAttributes(node);
    copy.sourceRange = node.sourceRange;
    if (node.scope?.parent) copy.scope = node.scope;
    copy.callstack = node.callstack;
    for (const input of node.inputs) copy.addInput(map(input));
    copy.schema = node.schema;
    copy.historicSchemaName = node.historicSchemaName;
    if (copyBlocks) for (const block of node.blocks) copy.addBlock().cloneFrom(block, map);
    return copy;
  }

  get insertPoint(): Node {
    return this.insertBeforeNode;
  }
  /** New nodes go before `at`, or to the end of the block. */
  setInsertPoint(at: Node | Block): void {
    this.insertBeforeNode = at instanceof Block ? at.returnNode : at;
  }
  /** Runs `body` with another insert point. */
  withInsertPoint<R>(at: Node | Block, body: () => R): R {
    const old = this.insertBeforeNode;
    this.setInsertPoint(at);
    try {
      return body();
    } finally {
      this.insertBeforeNode = old;
    }
  }
  insertNode(node: Node): Node {
    return node.insertBefore(this.insertBeforeNode);
  }

  /** A copy with equal names and numbering order. */
  copy(): Graph {
    const graph = new Graph();
    graph.block.cloneFrom(this.block, () => {
      throw new Error("internal: value from outside the graph");
    });
    return graph;
  }
}

/** Every node of a block and its sub-blocks, outer first. */
export function allNodes(block: Block): IterableIterator<Node, undefined> {
  return new AllNodes(block);
}
