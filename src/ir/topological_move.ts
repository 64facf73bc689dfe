/** @file Moving nodes past others without changing what a graph computes. Upstream: torch/csrc/jit/ir/alias_analysis.cpp (tryMove). Spec: none. */
import type { AliasDb } from "./alias_analysis.ts";
import type { Node } from "./graph.ts";
import { addAll, intersects, type Locations } from "./memory_dag.ts";
import { hasSideEffects } from "./node_schema.ts";

/** Which side of the move point the node ends on. */
export type MoveSide = "before" | "after";

/** What a moving group of nodes reads, writes and feeds. */
class Dependencies {
  readonly nodes: Node[] = [];
  readonly users = new Set<Node>();
  readonly reads: Locations = new Set();
  readonly writes: Locations = new Set();
  private readonly db: AliasDb;
  constructor(db: AliasDb) {
    this.db = db;
  }
  add(node: Node): void {
    this.nodes.push(node);
    addAll(this.users, usersInBlock(node));
    addAll(this.reads, this.db.readsOf(node));
    addAll(this.writes, this.db.writesOf(node));
  }
  /** Whether `node` cannot change places with the group. `forwards`: the node stands behind it. */
  dependsOn(node: Node, forwards: boolean): boolean {
    if (this.nodes.length === 0) return false;
    const linked = forwards ? this.users.has(node) : this.nodes.some((n) => usersInBlock(node).has(n));
    return linked || intersects(this.reads, this.db.writesOf(node)) || intersects(this.writes, this.db.readsOf(node));
  }
}

/** Users of a node's outputs, or the nodes of its block that hold them. */
function usersInBlock(node: Node): Set<Node> {
  const users = new Set<Node>();
  for (const output of node.outputs) {
    for (const use of output.uses) {
      let user: Node | undefined = use.user;
      while (user && user.owningBlock !== node.owningBlock) user = user.owningBlock?.owningNode;
      if (user) users.add(user);
    }
  }
  return users;
}

/**
 * Moves a node beside `point` together with the nodes between them that depend on it; false, and nothing moved, where that would
 * change the meaning. `dryRun` only asks.
 */
export function tryMove(db: AliasDb, node: Node, point: Node, side: MoveSide, dryRun = false): boolean {
  if (node.owningBlock !== point.owningBlock) return false;
  if (node === point) return true;
  const forwards = node.isBefore(point);
  const step = (n: Node): Node => (forwards ? n.next! : n.prev!);
  const onSide = side === "before" ? forwards : !forwards;
  if (onSide && step(node) === point) return true;
  if (hasSideEffects(node) || (!onSide && hasSideEffects(point))) return false;
  const mover = new Dependencies(db);
  mover.add(node);
  const rest = new Dependencies(db);
  for (let current = step(node); current !== point; current = step(current)) {
    if (hasSideEffects(current)) return false;
    if (mover.dependsOn(current, forwards) || rest.dependsOn(current, forwards)) rest.add(current);
  }
  // on its side already: the node stays there and only what depends on it must pass the point
  if ((!onSide && mover.dependsOn(point, forwards)) || rest.dependsOn(point, forwards)) return false;
  if (dryRun) return true;
  const place = (n: Node, at: Node, where: MoveSide): void => (where === "before" ? n.moveBefore(at) : n.moveAfter(at));
  place(node, point, side);
  let current = onSide ? point : node;
  const restSide: MoveSide = onSide ? (side === "before" ? "after" : "before") : side;
  for (const dependent of rest.nodes) {
    place(dependent, current, restSide);
    current = dependent;
  }
  return true;
}
