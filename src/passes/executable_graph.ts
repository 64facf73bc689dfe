/** @file The graph that runs for a function: calls inlined, and what is known before it runs computed on the way. Upstream: none; torch/csrc/jit/passes/inliner.cpp and freeze_module.cpp are the aim. Spec: none.
 *
 * Note [Assumptions]: most of a module's code is for cases that do not occur: training, None, another padding. Where the object that
 * a method runs on is known, so are its submodules and its flags. Attributes that hold a bool, None or a module become constants here,
 * noted as assumptions, and branches that are not taken are never copied: four fifths of a convolutional network's nodes. The
 * interpreter asks before every run whether the assumptions hold. Nothing is assumed of attributes that the code may set, and of
 * none where it runs code that is not seen here. */
import { internalAssert } from "../base/errors.ts";
import { checkLimit } from "../base/limits.ts";
import type { Assumption } from "../core/assumptions.ts";
import { coerce, ScriptObject } from "../core/ivalue.ts";
import { BoolT, IntT, isSubtypeOf, unshapedType, type Type } from "../core/type.ts";
import { constantBool, toIValue, tryInsertConstant } from "../ir/constants.ts";
import type { ScriptFunction } from "../ir/function.ts";
import { Graph, type Block, type InlinedCall, type Node, type Value } from "../ir/graph.ts";
import { constantPooling } from "./constant_pooling.ts";
import { constantPropagationImmutableTypes, isComputation } from "./constant_propagation.ts";
import { eliminateDeadCode, mayHaveDeadCode } from "./dead_code_elimination.ts";
import { calleeOf, isCall, moduleInfoOf, reachOf, rebase } from "./inliner.ts";
import { peepholeOptimize } from "./peephole.ts";
import { CONVOLUTION_RANKS } from "./peephole_alias_sensitive.ts";
import { runNode } from "./run_node.ts";

/** A graph to run, and what must hold when it does. */
export interface ExecutableGraph {
  readonly graph: Graph;
  readonly assumptions: readonly Assumption[];
}

/**
 * A new graph of a function with every call inlined, simplified once as a whole: for running. PyTorch's way (`optimizedGraph`)
 * simplifies at every level of calls, which costs a multiple and gives the graphs that are shown. `self`: what the method is to run
 * on; see Note [Assumptions]. With `notesObjects` inlined calls tell whose methods they are, which keeps those objects. Throws LimitError for code that multiplies.
 */
export function executableGraph(fn: ScriptFunction, self?: ScriptObject, notesObjects = false): ExecutableGraph {
  fn.ensureDefined();
  checkLimit("maxInlinedValues", reachOf(fn.graph).size, "a graph with its calls inlined");
  const copier = new Copier(fn.graph, self, notesObjects);
  const { graph } = copier;
  peepholeOptimize(graph);
  constantPropagationImmutableTypes(graph);
  // unseen otherwise, but dead nodes may fail, and draw random numbers
  if (mayHaveDeadCode(graph.block)) eliminateDeadCode(graph);
  constantPooling(graph);
  return { graph, assumptions: copier.assumptions };
}

/** A module that is known, and the attribute of another that holds it. */
interface KnownObject {
  readonly object: ScriptObject;
  readonly held?: { readonly by: KnownObject; readonly slot: number };
}

/** Operators that give what they take where it cannot be None. */
const UNWRAPS: ReadonlySet<string> = new Set(["prim::unchecked_unwrap_optional", "aten::_unwrap_optional"]);

/** What the values of one function or method are in the copy. */
type Values = Map<Value, Value>;

/** The inlined calls that nodes of a block remember: Note [Nodes without outputs] in interpreter/runtime.ts. */
interface Calls {
  /** Of nodes that have outputs. */
  readonly here: InlinedCall | undefined;
  /** Of nodes that have none: only the calls in whose functions an outer node has outputs. */
  readonly withoutOutputs: InlinedCall | undefined;
}

const NO_CALLS: Calls = { here: undefined, withoutOutputs: undefined };

/** Copies the nodes of functions into one graph, except those whose results are known. */
class Copier {
  readonly graph: Graph = new Graph();
  readonly assumptions: Assumption[] = [];
  private readonly objects = new Map<Value, KnownObject>();
  private readonly notesObjects: boolean;
  /** Slots that are assumed, by object. */
  private readonly assumed = new Map<ScriptObject, Set<number>>();
  /** Names of attributes of which nothing is assumed. */
  private readonly written: ReadonlySet<string>;
  /** Constants by the value that was copied, and by what they hold; they stand at the start of the graph. */
  private readonly constants: Values = new Map();
  private readonly pool = new Map<string, Value>();
  private lastConstant: Node;
  private readonly computations = new Map<Node, boolean>();
  private readonly results = new Map<Node, { readonly inputs: readonly Value[]; readonly result: Value | undefined }>();

  constructor(source: Graph, self: ScriptObject | undefined, notesObjects: boolean) {
    this.notesObjects = notesObjects;
    const { graph } = this;
    const { written, isOpaque } = reachOf(source);
    this.written = written;
    this.lastConstant = graph.paramNode;
    const values: Values = new Map();
    for (const input of source.inputs) values.set(input, graph.block.addInput().setType(input.type));
    if (self && !isOpaque) this.objects.set(graph.inputs[0]!, { object: self });
    this.copyBlock(source.block, values, NO_CALLS);
    for (const output of source.outputs) graph.block.registerOutput(this.find(values, output));
    // modules without parameters, and those whose flags were all that was asked for
    for (const node of graph.block.reverseNodes()) {
      if (node.kind === "prim::GetAttr" && !node.hasUses()) node.destroy();
    }
  }

  /** Copies a block's nodes to the insert point, calls as the bodies of what they call; `calls` are those that the block stands for. */
  private copyBlock(source: Block, values: Values, calls: Calls): void {
    const frames = new Map<InlinedCall, InlinedCall>();
    for (let node = source.first; node !== source.returnNode; node = node.next!) {
      if (node.kind === "prim::Constant") continue; // copied when it is used
      const callee = isCall(node) ? calleeOf(node) : undefined;
      if (callee) this.copyCall(node, callee, values, calls);
      else if (!this.foldsAway(node, values, calls)) this.copyNode(node, values, calls, frames);
    }
  }

  private copyCall(node: Node, callee: ScriptFunction, values: Values, calls: Calls): void {
    const { graph } = callee;
    // the first input of a call of a function is the function
    const first = node.kind === "prim::CallFunction" ? 1 : 0;
    internalAssert(
      graph.inputs.length === node.inputs.length - first,
      `call of ${callee.name} with ${node.inputs.length} inputs`,
    );
    const inner: Values = new Map();
    graph.inputs.forEach((input, i) => inner.set(input, this.find(values, node.inputs[first + i]!)));
    const self =
      this.notesObjects && first === 0 ? this.objects.get(this.find(values, node.inputs[0]!))?.object : undefined;
    const here: InlinedCall = {
      caller: calls.here,
      functionName: callee.name,
      range: node.sourceRange,
      ...moduleInfoOf(node),
      ...(self && { self }),
    };
    // who asks for objects counts time to all modules
    this.copyBlock(graph.block, inner, { here, withoutOutputs: this.notesObjects ? here : calls.withoutOutputs });
    node.outputs.forEach((output, i) => values.set(output, this.find(inner, graph.outputs[i]!)));
  }

  private copyNode(node: Node, values: Values, calls: Calls, frames: Map<InlinedCall, InlinedCall>): void {
    const { graph } = this;
    const copy = graph.create(node.kind, [], 0).copyAttributes(node).copyMetadata(node);
    const here = node.outputs.length > 0 ? calls.here : calls.withoutOutputs;
    if (here) copy.callstack = node.callstack ? rebase(node.callstack, here, frames) : here;
    for (const input of node.inputs) copy.addInput(this.find(values, input));
    // no names: nobody reads this graph
    for (const output of node.outputs) values.set(output, copy.addOutput().setType(output.type));
    copy.schema = node.schema;
    copy.historicSchemaName = node.historicSchemaName;
    graph.insertNode(copy);
    if (node.kind === "prim::GetAttr") this.followModule(copy);
    for (const block of node.blocks) {
      const target = copy.addBlock();
      for (const input of block.inputs) values.set(input, target.addInput().setType(input.type));
      graph.withInsertPoint(target, () => this.copyBlock(block, values, { here, withoutOutputs: here }));
      for (const output of block.outputs) target.registerOutput(this.find(values, output));
    }
  }

  /** What a value of a function is in the copy. */
  private find(values: Values, value: Value): Value {
    const known = values.get(value) ?? this.constants.get(value);
    if (known) return known;
    const { node } = value;
    internalAssert(node.kind === "prim::Constant", `%${value.debugName()} is used before it is defined`);
    const plain = toIValue(value);
    let copy = plain && this.constant(plain.value, value.type);
    if (!copy) {
      copy = this.graph.createClone(node, () => value).output;
      this.append(copy.node);
    }
    this.constants.set(value, copy);
    return copy;
  }

  /** The constant of a number, string, bool or None; undefined for other values. */
  private constant(value: unknown, type: Type): Value | undefined {
    if (value !== null && typeof value === "object") return undefined;
    const kind = value === null ? "None" : type.kind;
    const key = `${kind}:${Object.is(value, -0) ? "-0" : String(value)}`;
    let constant = this.pool.get(key);
    if (!constant) {
      constant = tryInsertConstant(this.graph, value, type);
      if (!constant) return undefined;
      constant.node.unlink();
      this.append(constant.node);
      this.pool.set(key, constant);
    }
    return constant;
  }

  private append(constant: Node): void {
    constant.insertAfter(this.lastConstant);
    this.lastConstant = constant;
  }

  /** Whether the results of a node are known, or those of its block that runs take their place. */
  private foldsAway(node: Node, values: Values, calls: Calls): boolean {
    if (node.kind === "prim::If") {
      const condition = constantBool(this.find(values, node.input));
      if (condition === undefined) return false;
      const block = node.blocks[condition ? 0 : 1]!;
      const here = node.outputs.length > 0 ? calls.here : calls.withoutOutputs;
      this.copyBlock(block, values, { here, withoutOutputs: here });
      node.outputs.forEach((output, i) => values.set(output, this.find(values, block.outputs[i]!)));
      return true;
    }
    if (node.outputs.length !== 1 || node.blocks.length > 0) return false;
    const result = this.resultOf(node, values);
    if (!result) return false;
    values.set(node.output, result);
    return true;
  }

  /** The result of a node that need not run. */
  private resultOf(node: Node, values: Values): Value | undefined {
    if (node.kind === "prim::GetAttr") return this.flag(node, this.find(values, node.input));
    if (node.kind === "aten::__is__" || node.kind === "aten::__isnot__") {
      const inputs = node.inputs.map((v) => this.find(values, v));
      const nones = inputs.filter((v) => v.mustBeNone()).length;
      if (nones + inputs.filter((v) => v.mustNotBeNone()).length < 2 || nones === 0) return undefined;
      return this.constant((nones === 2) === (node.kind === "aten::__is__"), BoolT);
    }
    if (UNWRAPS.has(node.kind) || node.kind === "prim::unchecked_cast") {
      const value = this.find(values, node.input);
      const isSuch = UNWRAPS.has(node.kind)
        ? value.mustNotBeNone()
        : isSubtypeOf(unshapedType(value.type), unshapedType(node.output.type));
      return isSuch ? value : undefined;
    }
    if (node.kind === "aten::dim") {
      const value = this.find(values, node.inputs[0]!);
      return this.hasRankOfKind(value) ? this.constant(CONVOLUTION_RANKS[value.node.kind], IntT) : undefined;
    }
    return this.compute(node, values);
  }

  /** Whether a tensor is the result of a convolution here, and nothing but `dim` was done with it so far. */
  private hasRankOfKind({ node, uses }: Value): boolean {
    if (CONVOLUTION_RANKS[node.kind] === undefined) return false;
    return (
      node.owningBlock === this.graph.insertPoint.owningBlock && uses.every((use) => use.user.kind === "aten::dim")
    );
  }

  /** The value of an attribute that is a bool or None. */
  private flag(node: Node, from: Value): Value | undefined {
    const owner = this.objects.get(from);
    const slot = owner && this.slotOf(owner, node);
    if (slot === undefined) return undefined;
    const value = owner!.object.slots[slot];
    if (value !== null && typeof value !== "boolean") return undefined;
    const constant = this.constant(value, node.output.type);
    if (constant) this.assume(owner!, slot);
    return constant;
  }

  private slotOf({ object }: KnownObject, node: Node): number | undefined {
    const name = node.attr("name", "s");
    return this.written.has(name) ? undefined : object.type.findSlot(name);
  }

  /** Remembers the module that an attribute holds. */
  private followModule(node: Node): void {
    const holder = this.objects.get(node.input);
    const slot = holder && this.slotOf(holder, node);
    if (slot === undefined) return;
    const object = holder!.object.slots[slot];
    if (object instanceof ScriptObject && object.type.isModule) {
      this.objects.set(node.output, { object, held: { by: holder!, slot } });
    }
  }

  /** Notes that an attribute has the value that it has, and that the object is where it was found. */
  private assume(owner: KnownObject, slot: number): void {
    const { object, held } = owner;
    let slots = this.assumed.get(object);
    if (!slots) this.assumed.set(object, (slots = new Set()));
    if (slots.has(slot)) return;
    slots.add(slot);
    this.assumptions.push({ object, slot, value: object.slots[slot] });
    if (held) this.assume(held.by, held.slot);
  }

  /** The result of an operator on constants that nobody can change. */
  private compute(node: Node, values: Values): Value | undefined {
    let isComputed = this.computations.get(node);
    if (isComputed === undefined) this.computations.set(node, (isComputed = isComputation(node)));
    if (!isComputed) return undefined;
    const inputs = node.inputs.map((input) => this.find(values, input));
    if (!inputs.every((value) => value.node.kind === "prim::Constant")) return undefined;
    // a function that is called again mostly gets the same
    const last = this.results.get(node);
    if (last?.inputs.every((value, i) => value === inputs[i])) return last.result;
    const result = this.run(node, inputs);
    this.results.set(node, { inputs, result });
    return result;
  }

  private run(node: Node, inputs: readonly Value[]): Value | undefined {
    const args: unknown[] = [];
    for (const [i, value] of inputs.entries()) {
      const constant = toIValue(value);
      if (!constant) return undefined;
      args.push(coerce(constant.value, value.type, node.inputs[i]!.type));
    }
    const outputs = runNode(node, args);
    return outputs && this.constant(outputs[0], node.output.type);
  }
}
