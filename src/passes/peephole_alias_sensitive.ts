/** @file Simplifications that must know what aliases what. Upstream: torch/csrc/jit/passes/peephole_alias_sensitive.cpp. Spec: none. */
import { isSubtypeOf, IntT } from "../core/type.ts";
import { AliasDb } from "../ir/alias_analysis.ts";
import { insertConstant, toIValue } from "../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { callsOverload } from "../ir/node_schema.ts";
import { tryMove } from "../ir/topological_move.ts";

/** Dimensions of what a convolution gives. */
export const CONVOLUTION_RANKS: Readonly<Record<string, number>> = {
  "aten::conv1d": 3,
  "aten::conv2d": 4,
  "aten::conv3d": 5,
};

/** Folds `dim` of convolutions, and additions of 0 and products with 1. */
export function peepholeAliasSensitive(graph: Graph): boolean {
  return new AliasSensitive(graph).visit(graph.block);
}

class AliasSensitive {
  private readonly graph: Graph;
  private aliasDb: AliasDb | undefined;
  /** Values whose aliases are no longer those of the database. */
  private readonly stale = new Set<Value>();
  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** Analysed for the first node that needs it: most graphs have none. What changes before it are uses of ints, which alias nothing. */
  private get db(): AliasDb {
    return (this.aliasDb ??= new AliasDb(this.graph));
  }

  visit(block: Block): boolean {
    let changed = false;
    for (const node of block.nodes()) {
      for (const inner of node.blocks) if (this.visit(inner)) changed = true;
      if (this.simplify(node)) changed = true;
    }
    return changed;
  }

  private simplify(node: Node): boolean {
    const rank = CONVOLUTION_RANKS[node.kind];
    if (rank !== undefined) return this.foldDim(node, rank);
    // with a float, removing the operation would remove a type promotion
    const isInt = (i: number): boolean => isSubtypeOf(node.inputs[i]!.type, IntT);
    if (callsOverload(node, "aten::add.Scalar", "aten::sub.Scalar")) {
      return isInt(1) && isInt(2) && isNumber(node.inputs[2]!, 1) && isNumber(node.inputs[1]!, 0) && this.forward(node);
    }
    if (callsOverload(node, "aten::mul.Scalar")) return isInt(1) && isNumber(node.inputs[1]!, 1) && this.forward(node);
    return false;
  }

  private foldDim(node: Node, rank: number): boolean {
    const users = node.output.uses.map((use) => use.user).filter((user) => user.kind === "aten::dim");
    if (users.length === 0) return false;
    const written = this.db.hasWriters(node.output);
    let changed = !written;
    for (const user of users) {
      if (written) {
        if (!tryMove(this.db, node, user, "after")) continue;
        changed = true;
      }
      const constant = user.graph.withInsertPoint(user, () => insertConstant(user.graph, rank, IntT));
      user.output.replaceAllUsesWith(constant);
    }
    return changed;
  }

  /** Makes the users of the output use the first input, where nobody can tell. */
  private forward(node: Node): boolean {
    const [input, output] = [node.inputs[0]!, node.output];
    if (!this.db.safeToChangeAliasing([input], [output]) || this.db.mayAlias([input, output], this.stale)) return false;
    output.replaceAllUsesWith(input);
    this.stale.add(input).add(output);
    return true;
  }
}

function isNumber(value: Value, expected: number): boolean {
  const constant = toIValue(value);
  return constant !== undefined && Number(constant.value) === expected;
}
