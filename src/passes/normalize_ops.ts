/** @file Gives operators with several names one name. Upstream: torch/csrc/jit/passes/normalize_ops.cpp. Spec: none. */
import type { Block, Graph, Node } from "../ir/graph.ts";
import { callsOverload } from "../ir/node_schema.ts";

/** Other name -> name, without namespace. Names with `_` behind are added for those of the first list. */
// prettier-ignore
const WITH_INPLACE: Readonly<Record<string, string>> = {
  absolute: "abs", clip: "clamp", arccos: "acos", arcsin: "asin", arctan: "atan", arctan2: "atan2", arccosh: "acosh", arcsinh: "asinh",
  arctanh: "atanh", fix: "trunc", negative: "neg", subtract: "sub", greater_equal: "ge", greater: "gt", less_equal: "le", less: "lt",
  not_equal: "ne", divide: "div", multiply: "mul", true_divide: "div", swapdims: "transpose", swapaxes: "transpose",
};
// prettier-ignore
const FUNCTIONAL: Readonly<Record<string, string>> = {
  det: "linalg_det", matrix_power: "linalg_matrix_power", matrix_exp: "linalg_matrix_exp", ger: "outer", linalg_matmul: "matmul",
  inverse: "linalg_inv", concat: "cat", concatenate: "cat", row_stack: "vstack", moveaxis: "movedim",
  special_erf: "erf", special_erfc: "erfc", special_erfinv: "erfinv", special_expit: "sigmoid", special_exp2: "exp2", special_expm1: "expm1",
  special_logit: "logit", special_logsumexp: "logsumexp", special_round: "round", special_log1p: "log1p", special_sinc: "sinc",
  special_digamma: "digamma", special_psi: "digamma", special_i0: "i0", special_xlogy: "xlogy", special_log_softmax: "log_softmax",
  orgqr: "linalg_householder_product", adjoint: "mH", special_multigammaln: "mvlgamma", special_polygamma: "polygamma",
  special_softmax: "softmax", special_gammainc: "igamma", special_gammaincc: "igammac", special_gammaln: "lgamma",
  mkldnn_rnn_layer: "onednn_rnn_layer", mkldnn_rnn_layer_backward: "onednn_rnn_layer_backward",
};

/** Full names: `aten::arccos` -> `aten::acos`. */
export const OPERATOR_ALIASES: ReadonlyMap<string, string> = new Map([
  ...Object.entries(FUNCTIONAL).map(([from, to]) => [`aten::${from}`, `aten::${to}`] as const),
  ...Object.entries(WITH_INPLACE).flatMap(
    ([from, to]) =>
      [
        [`aten::${from}`, `aten::${to}`],
        [`aten::${from}_`, `aten::${to}_`],
      ] as const,
  ),
]);

/** Renames aliases, turns `rsub` into `sub`, and `is` between bools into `==`. */
export function normalizeOps(graph: Graph): boolean {
  return normalizeBlock(graph.block);
}

function normalizeBlock(block: Block): boolean {
  let changed = false;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) if (normalizeBlock(inner)) changed = true;
    const kind = normalizedKind(node);
    if (kind === undefined) continue;
    const copy = replaceKind(node, kind);
    if (node.kind === "aten::rsub") {
      const [self, other] = node.inputs;
      copy.replaceInput(0, other!);
      copy.replaceInput(1, self!);
    }
    node.destroy();
    changed = true;
  }
  return changed;
}

function normalizedKind(node: Node): string | undefined {
  if (node.kind === "aten::rsub" && callsOverload(node, "aten::rsub.Tensor")) return "aten::sub";
  const alias = OPERATOR_ALIASES.get(node.kind);
  if (alias !== undefined) return alias;
  if (node.kind !== "aten::__is__" && node.kind !== "aten::__isnot__") return undefined;
  if (node.inputs.length !== 2 || node.inputs.some((v) => v.type.kind !== "Bool")) return undefined;
  return node.kind === "aten::__is__" ? "aten::eq" : "aten::ne";
}

/** A node of another kind before this one, which takes over its users. */
function replaceKind(node: Node, kind: string): Node {
  const { graph } = node;
  const copy = graph.withInsertPoint(node, () => graph.insertNode(graph.create(kind, node.inputs, 0)));
  for (const output of node.outputs) output.replaceAllUsesWith(copy.addOutput().copyMetadata(output));
  return copy.copyMetadata(node).copyAttributes(node);
}
