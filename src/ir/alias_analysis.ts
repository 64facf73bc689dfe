/** @file AliasDb: which values may be the same memory, and which nodes write to it. Upstream: torch/csrc/jit/ir/alias_analysis.cpp. Spec: none.
 *
 * Note [Wildcards]: whatever leaves the analysis' sight (graph inputs, elements of containers, results of calls) may be anything of
 * its type: it points to the type's one wildcard element. */
import { isMutable, type AliasInfo } from "../core/schema.ts";
import type { Type } from "../core/type.ts";
import { aliasTypes, isMutableType, wildcardKey } from "./alias_types.ts";
import { constantBool } from "./constants.ts";
import type { Block, Graph, Node, Use, Value } from "./graph.ts";
import { MemoryDag, addAll, intersects, type Element, type Locations } from "./memory_dag.ts";
import { isConservative, maybeSchema, namedInput } from "./node_schema.ts";

type Analyzer = (db: AliasAnalysis, node: Node) => void;

/** Analysis of the node kinds that no schema describes. */
// prettier-ignore
const SPECIAL: Readonly<Record<string, Analyzer>> = {
  "prim::If": (db, n) => db.analyzeIf(n),
  "prim::Loop": (db, n) => db.analyzeLoop(n),
  "prim::GradOf": (db, n) => db.analyzeGradOf(n),
  "prim::fork": (db, n) => db.analyzeFork(n),
  "prim::awaitable": (db, n) => db.analyzeFork(n),
  "prim::awaitable_nowait": (db, n) => db.analyzeFork(n),
  "prim::rpc_async": (db, n) => db.analyzeFork(n),
  "aten::wait": (db, n) => db.analyzeWait(n),
  "prim::awaitable_wait": (db, n) => db.analyzeWait(n),
  "aten::batch_norm": (db, n) => db.analyzeNorm(n, "training"),
  "aten::instance_norm": (db, n) => db.analyzeNorm(n, "use_input_stats"),
  "prim::TupleConstruct": (db, n) => db.analyzeContainer(n),
  "prim::ListConstruct": (db, n) => db.analyzeContainer(n),
  "prim::DictConstruct": (db, n) => db.analyzeContainer(n),
  "prim::TupleUnpack": (db, n) => db.analyzeExtractor(n),
  "prim::TupleIndex": (db, n) => db.analyzeExtractor(n),
  "prim::TupleSlice": (db, n) => db.analyzeExtractor(n),
  "prim::ListUnpack": (db, n) => db.analyzeExtractor(n),
  "prim::PythonOp": (db, n) => db.analyzeExtractor(n),
  "prim::GetAttr": (db, n) => db.analyzeGetAttr(n),
  "prim::SetAttr": (db, n) => db.analyzeSetAttr(n),
  "prim::unchecked_cast": (db, n) => db.point(n.output, n.input),
  "prim::ConstantChunk": (db, n) => n.outputs.forEach((o) => db.point(o, n.input)),
  "prim::profile": (db, n) => db.point(n.output, n.inputs[0]!),
  "prim::CallFunction": (db, n) => db.analyzeConservative(n),
  "prim::CallMethod": (db, n) => db.analyzeConservative(n),
  "prim::Enter": (db, n) => db.analyzeConservative(n),
  "prim::Exit": (db, n) => db.analyzeConservative(n),
  "prim::Print": () => {},
  "prim::isinstance": () => {},
};
for (const kind of [
  "Constant",
  "AutogradZero",
  "AutogradAdd",
  "Closure",
  "CreateObject",
  "tolist",
  "Uninitialized",
  "TensorExprGroup",
  "StaticSubgraph",
]) {
  (SPECIAL as Record<string, Analyzer>)[`prim::${kind}`] = (db, n) => db.analyzeCreator(n);
}
for (const kind of ["FusionGroup", "FunctionalGraph", "DifferentiableGraph", "FallbackGraph"]) {
  (SPECIAL as Record<string, Analyzer>)[`prim::${kind}`] = (db, n) => db.analyzeSubgraph(n);
}

/** Operators that take a list of tensors and keep nothing of it. */
const KEEPS_NO_LIST = new Set([
  "aten::cat",
  "aten::broadcast_tensors",
  "aten::stack",
  "aten::vstack",
  "aten::hstack",
  "aten::dstack",
]);

/** What the analysis of a graph needs to know beforehand. */
export interface AliasOptions {
  /** Parameters of modules will be constants: reading one makes a fresh value. */
  readonly isFrozen?: boolean;
}

/** Walks a graph and fills the points-to graph and the list of writes. */
class AliasAnalysis {
  readonly dag = new MemoryDag();
  readonly elements = new Map<Value, Element>();
  readonly wildcards = new Map<string, Element>();
  readonly wildcardValues = new Set<Value>();
  readonly writes = new Map<Node, Value[]>();
  readonly containedWrites = new Map<Node, Value[]>();
  readonly writesToAllWildcards = new Set<Node>();
  private readonly graph: Graph;
  private readonly isFrozen: boolean;
  private readonly typeCache = new Map<Type, readonly Type[] | undefined>();
  private readonly wildcardCache = new Map<Type, Element>();

  constructor(graph: Graph, options: AliasOptions) {
    this.graph = graph;
    this.isFrozen = options.isFrozen ?? false;
  }

  analyzeGraph(): this {
    for (const input of this.graph.inputs) this.setWildcard(input);
    this.analyzeBlock(this.graph.block);
    this.dag.setWildcards(
      this.wildcardValues,
      (v) => this.elements.get(v)!,
      (v) => this.wildcardOf(v.type),
    );
    return this;
  }

  isWriter(node: Node): boolean {
    return this.writes.has(node) || this.containedWrites.has(node) || this.writesToAllWildcards.has(node);
  }

  types(type: Type): readonly Type[] | undefined {
    const known = this.typeCache.get(type);
    if (known || this.typeCache.has(type)) return known;
    const types = aliasTypes(type);
    this.typeCache.set(type, types);
    return types;
  }
  isMutable(value: Value): boolean {
    return this.types(value.type) !== undefined;
  }

  private analyzeBlock(block: Block): void {
    for (const node of block.nodes()) this.analyzeNode(node);
  }
  analyzeNode(node: Node): void {
    const special = SPECIAL[node.kind];
    if (special) return special(this, node);
    if (isConservative(node)) return this.analyzeConservative(node);
    const schema = maybeSchema(node);
    // an operator that nobody knows may do anything
    if (!schema || schema.isVararg || schema.isVarret) {
      if (schema?.isVararg) return this.analyzeCreator(node);
      return this.analyzeConservative(node);
    }
    const actuals = new Map<string, Value>();
    schema.args.forEach((arg, i) => {
      const actual = node.inputs[i]!;
      const formal = effectiveAlias(arg.aliasInfo);
      if (!formal || !this.isMutable(actual)) return;
      const set = formal.before[0] ?? "";
      if (actuals.has(set)) return;
      actuals.set(set, actual);
      if (formal.isWrite) this.write(actual, node);
      if (formal.after.includes("*")) this.setWildcard(actual);
    });
    schema.returns.forEach((returned, i) => {
      const actual = node.outputs[i];
      if (!actual) return;
      const formal = effectiveAlias(returned.aliasInfo);
      if (!formal) return this.fresh(actual);
      if (!this.isMutable(actual)) return;
      if (formal.before.includes("*")) {
        this.setWildcard(actual);
        return;
      }
      for (const set of formal.before) {
        const source = actuals.get(set);
        if (source) this.point(actual, source);
        else if (formal.before.length === 1) this.fresh(actual);
      }
      if (formal.isWrite) this.write(actual, node);
    });
  }

  analyzeIf(node: Node): void {
    for (const block of node.blocks) this.analyzeBlock(block);
    node.outputs.forEach((output, i) => {
      for (const block of node.blocks) this.point(output, block.outputs[i]!);
    });
  }
  analyzeLoop(node: Node): void {
    const body = node.blocks[0]!;
    body.inputs.slice(1).forEach((input, i) => this.point(input, node.inputs[i + 2]!));
    this.analyzeBlock(body);
    node.outputs.forEach((output, i) => this.point(output, body.outputs[i + 1]!));
  }
  analyzeGradOf(node: Node): void {
    const body = node.blocks[0]!;
    this.analyzeBlock(body);
    node.outputs.forEach((output, i) => this.point(output, body.outputs[i]!));
  }
  analyzeSubgraph(node: Node): void {
    const { block } = node.attr("Subgraph", "g");
    block.inputs.forEach((input, i) => this.point(input, node.inputs[i]!));
    this.analyzeBlock(block);
    node.outputs.forEach((output, i) => this.point(output, block.outputs[i]!));
  }
  analyzeCreator(node: Node): void {
    for (const output of node.outputs) this.fresh(output);
  }
  analyzeExtractor(node: Node): void {
    for (const output of node.outputs) this.setWildcard(output);
  }
  analyzeGetAttr(node: Node): void {
    const { type } = node.input;
    if (this.isFrozen && type.kind === "Class" && type.isModule) this.analyzeCreator(node);
    else this.analyzeExtractor(node);
  }
  analyzeSetAttr(node: Node): void {
    this.write(node.inputs[0]!, node);
    this.setWildcard(node.inputs[1]!);
  }
  analyzeFork(node: Node): void {
    for (const input of node.inputs) this.setWildcard(input);
    this.analyzeCreator(node);
  }
  analyzeWait(node: Node): void {
    this.analyzeExtractor(node);
    // what it waits for may have written to any of its inputs, which are not known here
    this.writesToAllWildcards.add(node);
  }
  /** Normalisation writes its running statistics while it trains. */
  analyzeNorm(node: Node, trainingArgument: string): void {
    this.analyzeCreator(node);
    if (this.isFrozen && trainingArgument === "training") return;
    const training = namedInput(node, trainingArgument);
    if (training && constantBool(training) === false) return;
    for (const name of ["running_mean", "running_var"]) {
      const stat = namedInput(node, name);
      if (stat) this.write(stat, node);
    }
  }
  analyzeConservative(node: Node): void {
    for (const input of node.inputs) {
      if (!this.isMutable(input)) continue;
      addTo(this.containedWrites, node, input);
      this.setWildcard(input);
    }
    for (const output of node.outputs) this.setWildcard(output);
  }
  analyzeContainer(node: Node): void {
    const container = node.output;
    if (!this.isMutable(container)) return;
    const [use] = container.uses;
    if (container.uses.length === 1 && use && (keepsNoList(use) || this.isReturned(use))) {
      this.fresh(container, false);
      for (const input of node.inputs) {
        if (this.isMutable(input)) this.dag.addContained(this.elementOf(input), this.elementOf(container));
      }
      return;
    }
    this.fresh(container);
    const element = this.elementOf(container);
    for (const input of node.inputs) {
      const wildcard = this.setWildcard(input);
      if (wildcard) this.dag.addContained(wildcard, element);
    }
  }

  /** A tuple that is only returned from the graph: its elements stay known. */
  private isReturned(use: Use): boolean {
    return use.user === this.graph.returnNode && use.user.inputs[use.offset]!.type.kind === "Tuple";
  }

  private write(value: Value, node: Node): void {
    if (this.isMutable(value)) addTo(this.writes, node, value);
  }

  /** `from` may be what `to` is. */
  point(from: Value, to: Value): void {
    if (neverAliases(from) || neverAliases(to)) {
      this.fresh(from);
      this.fresh(to);
      return;
    }
    if (from === to || !this.isMutable(from) || !this.isMutable(to)) return;
    this.dag.makePointer(this.elementOf(from), this.elementOf(to));
  }

  private fresh(value: Value, holdsWildcards = true): void {
    const types = this.types(value.type);
    // inside a loop the value may have its element already
    if (!types || this.elements.has(value)) return;
    const element = this.dag.makeElement(value);
    this.elements.set(value, element);
    if (holdsWildcards) this.fillFresh(element, types);
  }
  private fillFresh(element: Element, types: readonly Type[]): void {
    if (types.length > 1) {
      for (const type of types) {
        const wildcard = this.makeWildcard(type);
        if (wildcard) this.dag.makePointer(element, wildcard);
      }
      return;
    }
    for (const contained of containedTypesOf(types[0]!)) {
      const wildcard = this.makeWildcard(contained);
      if (wildcard && wildcard !== element) this.dag.addContained(wildcard, element);
    }
  }
  private elementOf(value: Value): Element {
    this.fresh(value);
    return this.elements.get(value)!;
  }

  private makeWildcard(type: Type): Element | undefined {
    const known = this.wildcardCache.get(type);
    if (known) return known;
    const types = this.types(type);
    if (!types) return undefined;
    const key = wildcardKey(types);
    let wildcard = this.wildcards.get(key);
    if (wildcard) this.wildcardCache.set(type, wildcard);
    else {
      wildcard = this.dag.makeElement();
      this.wildcards.set(key, wildcard);
      // before what it holds: a class may hold itself
      this.wildcardCache.set(type, wildcard);
      this.fillFresh(wildcard, types);
    }
    return wildcard;
  }
  private setWildcard(value: Value): Element | undefined {
    const wildcard = this.makeWildcard(value.type);
    if (!wildcard) return undefined;
    this.elementOf(value);
    this.wildcardValues.add(value);
    return wildcard;
  }
  wildcardOf(type: Type): Element | undefined {
    const known = this.wildcardCache.get(type);
    if (known) return known;
    const types = this.types(type);
    return types && this.wildcards.get(wildcardKey(types));
  }
}

function addTo(map: Map<Node, Value[]>, node: Node, value: Value): void {
  const values = map.get(node);
  if (values) values.push(value);
  else map.set(node, [value]);
}

/** A list's own alias set, or that of its elements where only they have one: `Tensor(a)[]`. */
function effectiveAlias(info: AliasInfo | undefined): AliasInfo | undefined {
  if (!info?.contained) return info;
  return info.before === info.contained.before ? info.contained : info;
}

/** None and values that are never there alias nothing. */
function neverAliases(value: Value): boolean {
  return value.mustBeNone() || value.node.kind === "prim::Uninitialized";
}

function keepsNoList(use: Use): boolean {
  return use.user.inputs[use.offset]!.type.kind === "List" && KEEPS_NO_LIST.has(use.user.kind);
}

function containedTypesOf(type: Type): readonly Type[] {
  if (type.kind === "Class") return type.attributes.map((a) => a.type);
  switch (type.kind) {
    case "List":
    case "Future":
    case "Await":
      return [type.element];
    case "Dict":
      return [type.key, type.value];
    case "Tuple":
      return type.elements;
    default:
      return [];
  }
}

/**
 * A test of nodes without blocks: whether `AliasDb.writesOf` would give any location. Whether a node writes shows from the node;
 * only what it writes to needs the analysis of the whole graph.
 */
export function writeTest(graph: Graph): (node: Node) => boolean {
  const analysis = new AliasAnalysis(graph, {});
  return (node) => {
    analysis.analyzeNode(node);
    return analysis.isWriter(node);
  };
}

/** Kinds of `SPECIAL` that write. Normalisations do it while they train; what has blocks or a subgraph may hold what does. */
const WRITERS: ReadonlySet<string> = new Set(
  "SetAttr CallFunction CallMethod Enter Exit awaitable_wait GradOf FusionGroup FunctionalGraph DifferentiableGraph FallbackGraph"
    .split(" ")
    .map((name) => `prim::${name}`)
    .concat("aten::wait", "aten::batch_norm", "aten::instance_norm"),
);

/** Whether `AliasDb.writesOf` can give a location for the node itself: told from the node alone, and with yes where that is not enough. */
export function canWrite(node: Node): boolean {
  if (Object.hasOwn(SPECIAL, node.kind)) return WRITERS.has(node.kind);
  if (isConservative(node)) return true;
  const schema = maybeSchema(node);
  if (!schema) return true;
  return !schema.isVararg && (schema.isVarret || isMutable(schema));
}

/** Alias information of a graph as it was when asked for; removing nodes keeps it valid. */
export class AliasDb {
  private readonly graph: Graph;
  private readonly analysis: AliasAnalysis;
  private readonly writeIndex = new Map<Node, Locations>();
  private readonly writtenTo: Locations = new Set();

  constructor(graph: Graph, options: AliasOptions = {}) {
    this.graph = graph;
    this.analysis = new AliasAnalysis(graph, options).analyzeGraph();
    const { dag, elements, wildcards } = this.analysis;
    for (const [node, values] of this.analysis.writes) {
      for (const value of values) addAll(this.writesAt(node), dag.locationsOf(elements.get(value)!));
    }
    for (const [node, values] of this.analysis.containedWrites) {
      for (const value of values) dag.collectContained(elements.get(value)!, this.writesAt(node));
    }
    for (const node of this.analysis.writesToAllWildcards) {
      for (const wildcard of wildcards.values()) this.writesAt(node).add(wildcard.index);
    }
    for (const locations of this.writeIndex.values()) addAll(this.writtenTo, locations);
  }
  private writesAt(node: Node): Locations {
    let locations = this.writeIndex.get(node);
    if (!locations) this.writeIndex.set(node, (locations = new Set()));
    return locations;
  }
  /** Where the value may lie; undefined for immutable values and values that were not there. */
  locationsOf(value: Value): ReadonlySet<number> | undefined {
    const element = this.analysis.elements.get(value);
    return element && this.analysis.dag.locationsOf(element);
  }
  private elementsOf(values: Iterable<Value>): Element[] {
    return [...values].flatMap((v) => this.analysis.elements.get(v) ?? []);
  }

  /** Whether any node writes to what the value may be. */
  hasWriters(value: Value): boolean {
    if (value.mustBeNone()) return false;
    const locations = this.locationsOf(value);
    return locations !== undefined && intersects(locations, this.writtenTo);
  }
  /** Whether anything that the node takes or gives is written to. */
  nodeHasWriters(node: Node): boolean {
    return node.inputs.some((v) => this.hasWriters(v)) || node.outputs.some((v) => this.hasWriters(v));
  }
  /** Locations that the node and its blocks write to. */
  writesOf(node: Node): Locations {
    const out: Locations = new Set(this.writeIndex.get(node));
    for (const block of node.blocks) for (const inner of block.nodes()) addAll(out, this.writesOf(inner));
    return out;
  }
  /** Locations that the node and its blocks read. */
  readsOf(node: Node): Locations {
    const out: Locations = new Set();
    for (const element of this.elementsOf(node.inputs)) this.analysis.dag.collectContained(element, out);
    for (const block of node.blocks) for (const inner of block.nodes()) addAll(out, this.readsOf(inner));
    return out;
  }
  /** Whether the node writes to what one of the values may be. */
  writesToAlias(node: Node, values: Iterable<Value>): boolean {
    const writes = this.writesOf(node);
    if (writes.size === 0) return false;
    for (const value of values) {
      const locations = this.locationsOf(value);
      if (locations && intersects(writes, locations)) return true;
    }
    return false;
  }
  /** Whether the node itself writes to something that is not known. */
  writesToWildcard(node: Node): boolean {
    const writes = this.writeIndex.get(node);
    if (!writes) return false;
    for (const wildcard of this.analysis.wildcards.values()) if (writes.has(wildcard.index)) return true;
    return false;
  }
  /** Whether a value of `a` and one of `b` may be the same thing. */
  mayAlias(a: Iterable<Value>, b: Iterable<Value>): boolean {
    const left: Locations = new Set();
    for (const value of a) addAll(left, this.locationsOf(value) ?? []);
    for (const value of b) {
      const locations = this.locationsOf(value);
      if (locations && intersects(left, locations)) return true;
    }
    return false;
  }
  /** Whether a value of `a`, or something inside it, may be one of `b` or inside it. */
  mayContainAlias(a: Iterable<Value>, b: Iterable<Value>): boolean {
    return this.analysis.dag.mayContainAlias(this.elementsOf(a), this.elementsOf(b));
  }
  mayAliasWildcard(value: Value): boolean {
    const wildcard = this.analysis.wildcardOf(value.type);
    const element = this.analysis.elements.get(value);
    return wildcard !== undefined && element !== undefined && this.analysis.dag.mayAlias(element, wildcard);
  }
  private escapesScope(values: readonly Value[]): boolean {
    return (
      this.mayContainAlias(this.graph.inputs, values) ||
      this.mayContainAlias(this.graph.outputs, values) ||
      values.some((v) => this.mayAliasWildcard(v))
    );
  }
  /** Whether values of `a` may become, or stop being, the same thing as values of `b` without anybody noticing. */
  safeToChangeAliasing(a: readonly Value[], b: readonly Value[]): boolean {
    if ([...a, ...b].some((v) => this.hasWriters(v))) return false;
    return !(this.escapesScope(a) && this.escapesScope(b));
  }
  /** Whether a value's type can change or hold what can. */
  isMutable(value: Value): boolean {
    return isMutableType(value.type);
  }
}
