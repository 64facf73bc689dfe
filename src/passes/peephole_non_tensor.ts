/** @file Simplifies None checks, casts, conditions and integer arithmetic. Upstream: torch/csrc/jit/passes/peephole_non_tensor.cpp. Spec: none. */
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { constantBool, constantInt, insertConstant } from "../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { normalizeInt } from "../tensor/scalar.ts";

/** Simplifies what does not compute with tensors. */
export function peepholeNonTensor(graph: Graph): boolean {
  return visitBlock(graph.block);
}

function visitBlock(block: Block): boolean {
  let changed = false;
  for (const node of block.nodes()) {
    for (const inner of node.blocks) if (visitBlock(inner)) changed = true;
    if (node.kind !== "prim::Constant" && replaceNones(node)) changed = true;
    if (RULES[node.kind]?.(node)) changed = true;
  }
  return changed;
}

/** A constant before the node. */
function constantBefore(node: Node, value: unknown, type: Type): Value {
  return node.graph.withInsertPoint(node, () => insertConstant(node.graph, value, type));
}

/** Values that can only be None become constants, e.g. attributes that were None when the module was saved. */
function replaceNones(node: Node): boolean {
  let changed = false;
  for (const output of node.outputs) {
    if (output.type.kind !== "None") continue;
    output.replaceAllUsesWith(constantBefore(node, null, T.NoneT));
    changed = true;
  }
  return changed;
}

type Rule = (node: Node) => boolean;

/** Replaces a node on one input by the input. */
function forward(node: Node): boolean {
  node.output.replaceAllUsesWith(node.inputs[0]!);
  return true;
}

const simplifyIf: Rule = (node) => {
  let changed = false;
  const [then, otherwise] = node.blocks as [Block, Block];
  node.outputs.forEach((output, i) => {
    // `x and True`, `x or False`: the result is the condition
    if (output.type.kind !== "Bool") return;
    if (constantBool(then.outputs[i]!) === true && constantBool(otherwise.outputs[i]!) === false) {
      output.replaceAllUsesWith(node.input);
      changed = true;
    }
  });
  node.outputs.forEach((output, i) => {
    const types = [then.outputs[i]!.type, otherwise.outputs[i]!.type] as const;
    if (output.type.kind !== "Optional" || types.some((t) => t.kind === "Optional")) return;
    const unified = T.unifyTypes(types[0], types[1]);
    if (!unified) return;
    output.setType(unified);
    changed = true;
  });
  return changed;
};

const simplifyIs: Rule = (node) => {
  let changed = false;
  for (const i of [0, 1]) {
    if (!node.inputs[i]!.mustBeNone() || !node.inputs[1 - i]!.mustNotBeNone()) continue;
    node.output.replaceAllUsesWith(constantBefore(node, node.kind === "aten::__isnot__", T.BoolT));
    changed = true;
  }
  return changed;
};

const unwrap: Rule = (node) => node.input.mustNotBeNone() && forward(node);

const uncast: Rule = (node) =>
  T.isSubtypeOf(T.unshapedType(node.input.type), T.unshapedType(node.output.type)) && forward(node);

const ofInt: Rule = (node) => node.inputs.length === 1 && node.input.type.kind === "Int" && forward(node);

/** Types whose comparison never fails. */
function isPlain(type: Type): boolean {
  return type.kind === "Bool" || type.kind === "Int" || type.kind === "Float" || type.kind === "None";
}

const compareWithItself: Rule = (node) => {
  const [left, right] = node.inputs;
  if (node.inputs.length !== 2 || left !== right || !left) return false;
  const { type } = left;
  const plain =
    type.kind === "List"
      ? isPlain(type.element)
      : type.kind === "Dict"
        ? isPlain(type.key) && isPlain(type.value)
        : isPlain(type);
  if (!plain) return false;
  node.output.replaceAllUsesWith(constantBefore(node, node.kind === "aten::eq", T.BoolT));
  return true;
};

/** The constant of an operation on two ints. Commutative ones get it as second input, whether or not it is used then. */
function intOperand(node: Node): bigint | undefined {
  if (node.inputs.length !== 2 || node.inputs.some((v) => v.type.kind !== "Int")) return undefined;
  if (node.kind === "aten::mul" || node.kind === "aten::add") {
    const first = constantInt(node.inputs[0]!);
    if (first !== undefined) {
      node.permuteInputs([1, 0]);
      return BigInt(first);
    }
  }
  const second = constantInt(node.inputs[1]!);
  return second === undefined ? undefined : BigInt(second);
}

const timesOne: Rule = (node) => intOperand(node) === 1n && forward(node);

/** `x + 0` is x; `x + a - b` is `x + (a - b)`. */
const addConstants: Rule = (node) => {
  const constant = intOperand(node);
  if (constant === undefined) return false;
  if (constant === 0n) return forward(node);
  const inner = node.inputs[0]!.node;
  if (inner.kind !== "aten::add" && inner.kind !== "aten::sub") return false;
  const delta = intOperand(inner);
  if (delta === undefined) return false;
  const merged = inner.kind === node.kind ? constant + delta : constant - delta;
  if (merged === 0n) node.output.replaceAllUsesWith(inner.inputs[0]!);
  else {
    node.replaceInput(0, inner.inputs[0]!);
    node.replaceInput(1, constantBefore(node, normalizeInt(merged), T.IntT));
  }
  return true;
};

const RULES: Readonly<Record<string, Rule>> = {
  "prim::If": simplifyIf,
  "aten::__is__": simplifyIs,
  "aten::__isnot__": simplifyIs,
  "prim::unchecked_unwrap_optional": unwrap,
  "aten::_unwrap_optional": unwrap,
  "prim::unchecked_cast": uncast,
  "aten::Int": ofInt,
  "aten::ceil": ofInt,
  "aten::eq": compareWithItself,
  "aten::ne": compareWithItself,
  "aten::mul": timesOne,
  "aten::floordiv": timesOne,
  "aten::div": timesOne,
  "aten::add": addConstants,
  "aten::sub": addConstants,
};
