/** @file Casts inputs of tensor operators inside `with autocast(...)`. Upstream: torch/csrc/jit/passes/autocast.cpp. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import { isMutable } from "../core/schema.ts";
import { BoolT, IntT, TensorT } from "../core/type.ts";
import { constantAs, constantBool, insertConstant } from "../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { maybeSchema } from "../ir/node_schema.ts";

/** What is on at a place of the program. */
interface AutocastState {
  readonly cuda: boolean;
  readonly cpu: boolean;
  /** ScalarType numbers. */
  readonly cudaType: number;
  readonly cpuType: number;
}

const HALF = 5; // c10::ScalarType numbers
const BFLOAT16 = 15;
const OFF: AutocastState = { cuda: false, cpu: false, cudaType: HALF, cpuType: BFLOAT16 };

const AUTOCAST_CLASSES = new Set([
  "__torch__.torch.cuda.amp.autocast_mode.autocast",
  "__torch__.torch.cpu.amp.autocast_mode.autocast",
  "__torch__.torch.amp.autocast_mode.autocast",
]);

/** How an operator is treated. */
type Policy = "reduced" | "full" | "full_unless_dtype" | "widest" | "banned";

// prettier-ignore
const OPERATORS: Readonly<Record<Policy, string>> = {
  reduced: "_convolution conv1d conv2d conv3d conv_tbc conv_transpose1d convolution cudnn_convolution cudnn_convolution_transpose prelu addmm addmv addr matmul mm mv linear addbmm baddbmm bmm _thnn_fused_lstm_cell _thnn_fused_gru_cell lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
  full: "native_layer_norm acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan pow softplus gelu layer_norm group_norm frobenius_norm nuclear_norm cosine_similarity cosine_embedding_loss nll_loss nll_loss2d hinge_embedding_loss kl_div l1_loss smooth_l1_loss mse_loss margin_ranking_loss multilabel_margin_loss soft_margin_loss triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits dist pdist cdist renorm logsumexp",
  full_unless_dtype: "prod log_softmax cumprod cumsum sum",
  widest: "addcdiv addcmul atan2 bilinear cross dot equal index_put tensordot add sub mul div",
  banned: "binary_cross_entropy",
};
const POLICIES = new Map<string, Policy>(
  (Object.entries(OPERATORS) as [Policy, string][]).flatMap(([policy, names]) =>
    names.split(" ").map((n) => [`aten::${n}`, policy] as const),
  ),
);

/** Inserts the casts of every autocast region. */
export function autocast(graph: Graph): boolean {
  return visitBlock(graph.block, OFF);
}

function visitBlock(block: Block, outer: AutocastState): boolean {
  let changed = false;
  const stack: AutocastState[] = [];
  const state = (): AutocastState => stack.at(-1) ?? outer;
  for (const node of block.nodes()) {
    if (node.kind === "prim::Enter" && isAutocast(node.input)) stack.push(parseAutocast(node.input, state()));
    else if (node.kind === "prim::Exit" && isAutocast(node.inputs[0]!)) stack.pop();
    else if (applyPolicy(node, state())) changed = true;
    for (const inner of node.blocks) if (visitBlock(inner, state())) changed = true;
  }
  return changed;
}

function isAutocast(value: Value): boolean {
  return (
    value.type.kind === "Class" &&
    AUTOCAST_CLASSES.has(value.type.name.qualifiedName.replace(/\.___torch_mangle_\d+/, ""))
  );
}

/** Reads the settings from the attributes that the inlined constructor sets. */
function parseAutocast(instance: Value, state: AutocastState): AutocastState {
  if (instance.node.kind !== "prim::CreateObject")
    throw new ScriptError("Unsupported autocast syntax", instance.node.sourceRange);
  let enabled: boolean | undefined;
  let device: unknown;
  let type: unknown;
  for (const { user } of instance.uses) {
    if (user.kind !== "prim::SetAttr") continue;
    const value = user.inputs[1]!;
    const name = user.attr("name", "s");
    if (name === "_enabled") enabled = constantBool(value);
    else if (name === "device") device = constantAs(value, "String");
    else if (name === "fast_dtype") type = constantAs(value, "Int");
  }
  if (enabled === undefined)
    throw new ScriptError("Autocast _enabled argument must be a constant", instance.node.sourceRange);
  if (device === "cuda") return { ...state, cuda: enabled, cudaType: typeof type === "number" ? type : HALF };
  if (device === "cpu") return { ...state, cpu: enabled, cpuType: typeof type === "number" ? type : BFLOAT16 };
  throw new ScriptError(`unrecognized device for autocast pass: ${String(device)}`, instance.node.sourceRange);
}

function applyPolicy(node: Node, state: AutocastState): boolean {
  const policy = POLICIES.get(node.kind);
  if (policy === undefined || (!state.cuda && !state.cpu)) return false;
  const schema = maybeSchema(node);
  if (!schema || isMutable(schema)) return false;
  switch (policy) {
    case "banned":
      throw new ScriptError("Unsafe to autocast", node.sourceRange);
    case "reduced":
      return castInputs(node, "aten::_autocast_to_reduced_precision", state);
    case "full":
      return castInputs(node, "aten::_autocast_to_full_precision", state);
    case "full_unless_dtype": {
      const at = schema.args.findIndex(
        (a) => a.name === "dtype" && a.type.kind === "Optional" && a.type.element.kind === "Int",
      );
      if (at >= 0 && node.inputs[at]!.type.kind !== "None") return false;
      return castInputs(node, "aten::_autocast_to_full_precision", state);
    }
    case "widest": {
      const wide = node.inputs.some(
        ({ type }) => type.kind === "Tensor" && (!type.detail?.scalarType || type.detail.scalarType === "Float"),
      );
      return wide && castInputs(node, "aten::_autocast_to_full_precision", state);
    }
  }
}

function castInputs(node: Node, cast: string, state: AutocastState): boolean {
  const { graph } = node;
  const inputs = new Set(node.inputs.filter((v) => v.type.kind === "Tensor" && v.node.kind !== cast));
  graph.withInsertPoint(node, () => {
    for (const input of inputs) {
      const args = [input, insertConstant(graph, state.cuda, BoolT), insertConstant(graph, state.cpu, BoolT)];
      if (cast.endsWith("reduced_precision"))
        args.push(insertConstant(graph, state.cudaType, IntT), insertConstant(graph, state.cpuType, IntT));
      const made = graph.insertNode(graph.create(cast, args));
      node.replaceInputWith(input, made.output.setType(TensorT));
    }
  });
  return inputs.size > 0;
}
