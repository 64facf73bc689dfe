/** @file Which results of a graph are temporaries, and where they end. Upstream: torch/csrc/jit/runtime/static/impl.cpp (ManagedTensorRanges: the aim). Spec: none. See Note [Temporaries] in tensor/temporaries.ts.
 *
 * Values that may share a storage form a group; a tuple or list belongs to the group of what is in it, unless the operators that take it
 * only read it. A group is planned when all of it was made by operators of FRESH or MAY_COPY in one block (or inside its branches) and none
 * of it leaves: no return, attribute, dict, call, fork or loop variable. Only what is known not to alias is taken as separate: an operator
 * whose schema has no alias annotation but which is not in FRESH (`dropout` gives its argument when it does nothing) joins its result
 * with its arguments. */
import type { Type } from "../core/type.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { allNodes } from "../ir/graph.ts";
import { BlockOrder } from "./liveness.ts";

/** Operators that give one tensor with a storage of its own, whatever their arguments are. */
const FRESH: ReadonlySet<string> = new Set(
  `conv1d conv2d conv3d _convolution convolution batch_norm layer_norm group_norm native_layer_norm linear matmul mm bmm addmm
  baddbmm relu gelu sigmoid tanh silu hardswish hardsigmoid leaky_relu elu softplus exp sqrt rsqrt neg add sub mul div softmax
  log_softmax max_pool2d avg_pool2d adaptive_avg_pool2d scaled_dot_product_attention embedding cat stack relu6 hardtanh
  mean sum abs pow rsub clamp log sin cos where masked_fill clone repeat zeros ones index_select gather instance_norm
  upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d upsample_bicubic2d _upsample_nearest_exact1d
  _upsample_nearest_exact2d conv_transpose1d conv_transpose2d conv_transpose3d constant_pad_nd mish glu prelu
  lerp addcmul addcdiv atan2 hypot fmod remainder maximum minimum tan asin acos atan sinh cosh asinh acosh atanh exp2
  expm1 log1p log2 log10 erf square reciprocal floor ceil round trunc eq ne lt le gt ge amax amin var std logsumexp
  argmax argmin outer cumsum scatter floor_divide logical_and logical_or logical_xor logical_not bitwise_and bitwise_or
  bitwise_xor bitwise_not __and__ __or__ __xor__`
    .split(/\s+/)
    .map((name) => `aten::${name}`)
    .concat("tsarchive::deferred_conv2d", "tsarchive::deferred_convolution"),
);

/** Operators whose results share nothing with their arguments, but are not planned. */
const SEPARATE: ReadonlySet<string> = new Set(["aten::_native_multi_head_attention", "aten::native_layer_norm"]);

/** Operators that give their argument, a view of it, or a copy where they have to: results share the argument's end. */
export const MAY_COPY: ReadonlySet<string> = new Set(
  ["contiguous", "reshape", "flatten", "dropout", "to"].map((name) => `aten::${name}`),
);

/** Offset of the argument that a step of a deferred convolution gives back. */
const PASSES: Readonly<Record<string, number>> = { "tsarchive::deferred_add_to": 1 };

/** Whether a node is of FRESH; no `out=` form, which gives its last argument, and no `add` or `mul` of lists, which gives what is in them. */
function isFresh(node: Node): boolean {
  return (
    FRESH.has(node.kind) &&
    node.schema?.returns[0]?.aliasInfo === undefined &&
    node.outputs.every((output) => output.type.kind === "Tensor")
  );
}

/** Kinds through which a value leaves what is known of it. */
const OPAQUE: ReadonlySet<string> = new Set([
  "prim::SetAttr",
  "prim::CallMethod",
  "prim::CallFunction",
  "prim::InterfaceCall",
  "prim::DictConstruct",
  "prim::CreateObject",
  "prim::fork",
  "prim::awaitable",
  "prim::Closure",
  "prim::Enter",
  "prim::Exit",
  "prim::Loop",
  "aten::wait",
]);

/** What the compiler needs to know. */
export interface MemoryPlan {
  /** Nodes whose result is a temporary. */
  readonly temporaries: ReadonlySet<Node>;
  /** Values whose storage ends behind a node, in the node's block. */
  readonly ends: ReadonlyMap<Node, readonly Value[]>;
}

/** Values that may share a storage. */
class Group {
  parent: Group | undefined;
  members: Value[];
  /** Lists of members for operators that only read them. */
  readonly lists: Value[] = [];
  escapes = false;
  constructor(value: Value) {
    this.members = [value];
  }
}

/** Whether a value of the type is a tensor or holds some; undefined where it may hold anything. */
function holdsTensors(type: Type): boolean | undefined {
  switch (type.kind) {
    case "Tensor":
      return true;
    case "List":
    case "Optional":
      return holdsTensors(type.element);
    case "Tuple": {
      const elements = type.elements.map(holdsTensors);
      return elements.includes(undefined) ? undefined : elements.includes(true);
    }
    case "Int":
    case "Float":
    case "Bool":
    case "Number":
    case "String":
    case "None":
    case "Complex":
    case "Device":
    case "Generator":
      return false;
    default:
      return undefined;
  }
}

class Planner {
  private readonly groups = new Map<Value, Group>();

  group(value: Value): Group {
    let group = this.groups.get(value);
    if (!group) this.groups.set(value, (group = new Group(value)));
    while (group.parent) group = group.parent;
    return group;
  }

  join(a: Value, b: Value): void {
    const [into, from] = [this.group(a), this.group(b)];
    if (into === from) return;
    from.parent = into;
    into.members.push(...from.members);
    into.lists.push(...from.lists);
    into.escapes ||= from.escapes;
  }

  escape(values: readonly Value[]): void {
    for (const value of values) if (holdsTensors(value.type) !== false) this.group(value).escapes = true;
  }

  all(): Set<Group> {
    return new Set([...this.groups.keys()].map((value) => this.group(value)));
  }
}

/** The plan of a graph. */
export function planMemory(graph: Graph): MemoryPlan {
  const planner = new Planner();
  planner.escape(graph.inputs);
  planner.escape(graph.outputs);
  for (const node of allNodes(graph.block)) visit(planner, node);
  const temporaries = new Set<Node>();
  const ends = new Map<Node, Value[]>();
  for (const group of planner.all()) {
    if (group.escapes) continue;
    const made = group.members.filter(({ node }) => isFresh(node) || MAY_COPY.has(node.kind)).map((v) => v.node);
    if (!made.some(isFresh)) continue;
    const home = commonBlock(group.members.map((v) => v.node));
    if (!home) continue;
    const last = lastUser(home, [...group.members, ...group.lists]);
    const here = group.members.filter((v) => v.node.owningBlock === home && v.type.kind === "Tensor");
    if (!last || here.length === 0) continue;
    for (const node of made) temporaries.add(node);
    const list = ends.get(last);
    if (list) list.push(...here);
    else ends.set(last, here);
  }
  return { temporaries, ends };
}

function visit(planner: Planner, node: Node): void {
  if (node.kind === "prim::Constant") return;
  if (OPAQUE.has(node.kind)) {
    planner.escape([...node.inputs, ...node.outputs]);
    for (const block of node.blocks) planner.escape([...block.inputs, ...block.outputs]);
    return;
  }
  if (node.kind === "prim::If") {
    node.outputs.forEach((output, i) => {
      for (const block of node.blocks) planner.join(output, block.outputs[i]!);
      if (holdsTensors(output.type) === undefined) planner.escape([output]);
    });
    return;
  }
  if (node.kind === "prim::GetAttr") {
    planner.escape(node.outputs);
    return;
  }
  if (node.kind === "prim::ListConstruct" && node.output.uses.every(({ user }) => isFresh(user))) {
    // `cat` reads the list and leaves what is in it alone
    for (const value of node.inputs)
      if (holdsTensors(value.type) !== false) planner.group(value).lists.push(node.output);
    return;
  }
  const values = [...node.inputs, ...node.outputs].filter((v) => holdsTensors(v.type) !== false);
  if (node.blocks.length > 0 || values.some((v) => holdsTensors(v.type) === undefined)) {
    planner.escape(values);
    return;
  }
  if (isFresh(node) && node.outputs.length === 1 && node.output.type.kind === "Tensor") {
    planner.group(node.output);
    return;
  }
  if (SEPARATE.has(node.kind)) {
    for (const output of node.outputs) planner.group(output);
    return;
  }
  if (node.kind.startsWith("tsarchive::")) {
    if (node.outputs.length > 0) planner.join(node.output, node.inputs[PASSES[node.kind] ?? 0]!);
    return;
  }
  const schema = node.schema;
  const isAnnotated = schema?.returns.length === 1 && schema.returns[0]!.aliasInfo !== undefined;
  if (isAnnotated && node.outputs.length === 1 && node.inputs[0]!.type.kind === "Tensor" && node.kind.endsWith("_")) {
    // in place: the result is the first argument
    planner.join(node.output, node.inputs[0]!);
    return;
  }
  const isReading = node.outputs.every((v) => holdsTensors(v.type) === false);
  const hasLists = node.inputs.some((v) => v.type.kind === "List" && holdsTensors(v.type) !== false);
  if (isReading && !hasLists) return;
  for (const value of values.slice(1)) planner.join(values[0]!, value);
}

/** The innermost block that holds all nodes, themselves or in its branches; undefined where a loop is in between. */
function commonBlock(nodes: readonly Node[]): Block | undefined {
  let home: Block | undefined = nodes[0]!.owningBlock;
  for (const node of nodes) {
    while (home && !isInside(node, home)) home = home.owningNode?.owningBlock;
  }
  for (const node of nodes) {
    for (let block = node.owningBlock; block !== home; block = block?.owningNode?.owningBlock) {
      if (!block || block.owningNode?.kind !== "prim::If") return undefined;
    }
  }
  return home;
}

function isInside(node: Node, block: Block): boolean {
  for (let at = node.owningBlock; at; at = at.owningNode?.owningBlock) if (at === block) return true;
  return false;
}

const orders = new WeakMap<Block, BlockOrder>();

/** The node of the block behind which no member is used; undefined where that is the end of the block. */
function lastUser(block: Block, members: readonly Value[]): Node | undefined {
  let order = orders.get(block);
  if (!order) orders.set(block, (order = new BlockOrder(block)));
  let last = -1;
  for (const value of members) {
    const own = value.node.owningBlock === block ? order.positionOf(value.node) : -1;
    last = Math.max(last, order.lastUse(value), own);
  }
  return last < 0 || last >= order.end ? undefined : order.at(last);
}
