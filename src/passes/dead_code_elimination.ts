/** @file Removes nodes that nothing live depends on. Upstream: torch/csrc/jit/passes/dead_code_elimination.cpp. Spec: none. */
import { AliasDb, canWrite } from "../ir/alias_analysis.ts";
import { allNodes, type Block, type Graph, type Node, type Value } from "../ir/graph.ts";
import { addAll, intersects, type Locations } from "../ir/memory_dag.ts";
import { hasSideEffects, maybeSchema } from "../ir/node_schema.ts";
import { isMutable } from "../core/schema.ts";

/** How careful the pass is. */
export interface DeadCodeOptions {
  /** Keep nodes with side effects even if nothing uses them (default true). */
  readonly keepSideEffects?: boolean;
  /** Without alias analysis every node that may write is kept (default: analyse). */
  readonly useAliasDb?: boolean;
}

/** Removes dead nodes, outputs of control flow and inputs of forks; gives whether anything changed. */
export function eliminateDeadCode(graph: Graph, options: DeadCodeOptions = {}): boolean {
  return new DeadCodeEliminator(graph, options).run();
}

/** A graph's copy without dead code; the graph itself where it has none. */
export function withoutDeadCode(graph: Graph): Graph {
  if (!mayHaveDeadCode(graph.block)) return graph;
  const copy = graph.copy();
  return eliminateDeadCode(copy) ? copy : graph;
}

/**
 * Whether `eliminateDeadCode` could find something: a look at every node once, without analysis of aliases. A write counts as dead only
 * where nothing else is done with what it writes to.
 */
export function mayHaveDeadCode(block: Block): boolean {
  for (const node of block.nodes()) {
    if (isUnused(node) ? !writesToUsed(node) : hasUnusedResult(node)) return true;
    if (node.blocks.some(mayHaveDeadCode)) return true;
  }
  return false;
}

function isUnused(node: Node): boolean {
  return node.kind !== "prim::Constant" && node.outputs.length > 0 && !node.hasUses() && !hasSideEffects(node);
}

/** Results of control flow keep alive what they are computed from. */
function hasUnusedResult(node: Node): boolean {
  return node.blocks.length > 0 && node.outputs.some((output) => output.uses.length === 0);
}

/** Whether an unused node writes to something that comes from outside, or that others use. */
function writesToUsed(node: Node): boolean {
  const schema = maybeSchema(node);
  if (!schema) return canWrite(node);
  return schema.args.some((arg, i) => {
    if (!arg.aliasInfo?.isWrite) return false;
    let [value, user] = [node.inputs[i]!, node];
    for (;;) {
      const { node: maker } = value;
      if (maker.kind === "prim::Param" || maker.kind === "prim::GetAttr") return true;
      if (value.uses.some((use) => use.user !== user && !isUnused(use.user))) return true;
      // a view of what may be used
      if (!maybeSchema(maker)?.args[0]?.aliasInfo) return false;
      [value, user] = [maker.inputs[0]!, maker];
    }
  });
}

class DeadCodeEliminator {
  private readonly graph: Graph;
  private readonly keepSideEffects: boolean;
  private readonly useAliasDb: boolean;
  /** Whether some node lives only by what it writes: without one, aliases are of no interest. */
  private readonly hasWrites: boolean;
  private aliasDb: AliasDb | undefined;
  private readonly marked = new Set<Node>();
  private readonly liveValues = new Set<Value>();
  private readonly liveLocations: Locations = new Set();
  private readonly sideEffects = new Map<Node, boolean>();
  private readonly writes = new Map<Node, Locations>();
  private changed = false;

  constructor(graph: Graph, options: DeadCodeOptions) {
    this.graph = graph;
    this.keepSideEffects = options.keepSideEffects ?? true;
    this.useAliasDb = options.useAliasDb ?? true;
    this.hasWrites = this.useAliasDb && this.anyWriter();
  }

  run(): boolean {
    this.dropDeadForkInputs(this.graph.block);
    this.mark(this.graph.returnNode);
    this.markBlock(this.graph.block);
    this.sweep(this.graph.block);
    return this.changed;
  }

  private anyWriter(): boolean {
    for (const node of allNodes(this.graph.block)) {
      if (canWrite(node) && !(this.keepSideEffects && hasSideEffects(node))) return true;
    }
    return false;
  }

  private get db(): AliasDb {
    return (this.aliasDb ??= new AliasDb(this.graph));
  }

  private makeLive(value: Value): void {
    if (this.liveValues.has(value)) return;
    this.liveValues.add(value);
    if (this.hasWrites) addAll(this.liveLocations, this.db.locationsOf(value) ?? []);
  }

  private dropDeadForkInputs(block: Block): void {
    for (const node of block.nodes()) {
      for (const inner of node.blocks) this.dropDeadForkInputs(inner);
      if (node.kind !== "prim::fork") continue;
      const subgraph = node.attr("Subgraph", "g");
      // upstream walks forward while it erases: the input behind an erased one stays
      for (let i = 0; i < subgraph.inputs.length; i++) {
        if (subgraph.inputs[i]!.uses.length > 0) continue;
        subgraph.block.eraseInput(i);
        node.removeInput(i);
        this.changed = true;
      }
    }
  }

  /** Marks a block's return node: only what somebody uses outside is live. Gives whether it was new. */
  private markReturn(node: Node): boolean {
    if (this.marked.has(node)) return false;
    const outer = node.owningBlock!.owningNode;
    if (!outer || outer.kind === "prim::Reverse") return this.mark(node);
    if (outer.kind === "prim::Loop") {
      const body = outer.blocks[0]!;
      outer.outputs.forEach((output, i) => {
        if (this.liveValues.has(output) || body.inputs[i + 1]!.uses.length > 0) this.makeLive(body.outputs[i + 1]!);
      });
      this.makeLive(body.outputs[0]!);
    } else {
      outer.outputs.forEach((output, i) => {
        if (this.liveValues.has(output)) this.makeLive(node.inputs[i]!);
      });
    }
    this.marked.add(node);
    return true;
  }

  private markBlock(block: Block): boolean {
    let any = false;
    if (this.keepSideEffects) {
      for (const node of block.nodes()) if (this.hasSideEffects(node) && this.mark(node)) any = true;
    }
    if (this.markReturn(block.returnNode)) any = true;
    for (const node of block.reverseNodes()) {
      if (node.kind === "prim::Loop") {
        // what one iteration leaves alive may keep something alive in the iteration before
        while (this.markBlock(node.blocks[0]!)) any = true;
      } else {
        for (const inner of node.blocks) if (this.markBlock(inner)) any = true;
      }
      if (this.markIfLive(node)) any = true;
    }
    return any;
  }

  private markIfLive(node: Node): boolean {
    if (this.marked.has(node)) return false;
    if (node.outputs.some((v) => this.liveValues.has(v))) return this.mark(node);
    if (this.hasWrites && intersects(this.writesOf(node), this.liveLocations)) return this.mark(node);
    return false;
  }

  private writesOf(node: Node): Locations {
    let writes = this.writes.get(node);
    if (!writes) this.writes.set(node, (writes = this.db.writesOf(node)));
    return writes;
  }

  /** Marks a node and those that hold it; their inputs become live. Gives whether it was new. */
  private mark(node: Node): boolean {
    if (this.marked.has(node)) return false;
    for (let current: Node | undefined = node; current; current = current.owningBlock?.owningNode) {
      if (this.marked.has(current)) continue;
      this.marked.add(current);
      for (const input of current.inputs) this.makeLive(input);
    }
    return true;
  }

  private sweep(block: Block): void {
    for (const node of block.reverseNodes()) {
      this.dropDeadOutputs(node);
      for (const inner of node.blocks) this.sweep(inner);
      if (this.marked.has(node) || node.hasUses()) continue;
      node.destroy();
      this.changed = true;
    }
  }

  private dropDeadOutputs(node: Node): void {
    if (node.kind === "prim::If" || node.kind === "prim::GradOf") {
      for (let i = node.outputs.length - 1; i >= 0; i--) {
        if (node.outputs[i]!.uses.length > 0) continue;
        node.eraseOutput(i);
        for (const block of node.blocks) block.eraseOutput(i);
        this.changed = true;
      }
    } else if (node.kind === "prim::Loop") {
      const body = node.blocks[0]!;
      for (let i = node.outputs.length - 1; i >= 0; i--) {
        if (node.outputs[i]!.uses.length > 0 || body.inputs[i + 1]!.uses.length > 0) continue;
        node.eraseOutput(i);
        node.removeInput(i + 2);
        body.eraseInput(i + 1);
        body.eraseOutput(i + 1);
        this.changed = true;
      }
    }
  }

  private hasSideEffects(node: Node): boolean {
    const known = this.sideEffects.get(node);
    if (known !== undefined) return known;
    const found =
      hasSideEffects(node) ||
      node.blocks.some((b) => [...b.nodes()].some((n) => this.hasSideEffects(n))) ||
      this.writesUntracked(node);
    this.sideEffects.set(node, found);
    return found;
  }

  private writesUntracked(node: Node): boolean {
    if (this.useAliasDb) return this.hasWrites && this.db.writesToWildcard(node);
    if (node.kind === "prim::SetAttr") return true;
    const schema = maybeSchema(node);
    return schema !== undefined && isMutable(schema);
  }
}
