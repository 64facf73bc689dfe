/** @file Runs one node on constants, for constant propagation. Upstream: torch/csrc/jit/passes/constant_propagation.cpp (runNodeIfInputsAreConstant). Spec: none. */
import { coerce, dictKey } from "../core/ivalue.ts";
import { valueType } from "../core/ivalue_text.ts";
import { matchTypeVariables, type TypeEnv } from "../core/match_types.ts";
import { findOperator } from "../core/operator_registry.ts";
import { evalTypeVariables, isSubtypeOf, type Type } from "../core/type.ts";
import { toIValue } from "../ir/constants.ts";
import type { Node } from "../ir/graph.ts";
import { maybeSchema } from "../ir/node_schema.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Outputs of a node for given inputs (in the forms of their static types), or undefined where it cannot run now. */
export type NodeRunner = (node: Node, inputs: readonly unknown[]) => readonly unknown[] | undefined;

/** Outputs of a node whose inputs are all constants; undefined where one is not, or the node does not run. */
export function runOnConstants(node: Node, run: NodeRunner = runNode): readonly unknown[] | undefined {
  const inputs: unknown[] = [];
  for (const input of node.inputs) {
    const constant = toIValue(input);
    if (!constant) return undefined;
    inputs.push(constant.value);
  }
  const outputs = run(node, inputs);
  // tensors that need a gradient cannot be constants
  return outputs?.some((v) => v instanceof Tensor && v.requiresGrad) ? undefined : outputs;
}

/** Runs node kinds that make and take apart values, and registered operators. */
export const runNode: NodeRunner = (node, inputs) => {
  const types = node.inputs.map((v) => v.type);
  switch (node.kind) {
    case "prim::ListUnpack":
    case "prim::TupleUnpack": {
      const items = inputs[0] as readonly unknown[];
      return items.length === node.outputs.length ? items : undefined;
    }
    case "prim::TupleConstruct": {
      const type = node.output.type;
      return [inputs.map((v, i) => (type.kind === "Tuple" ? coerce(v, types[i]!, type.elements[i]!) : v))];
    }
    case "prim::TupleIndex": {
      const items = inputs[0] as readonly unknown[];
      const index = Number(inputs[1]) < 0 ? Number(inputs[1]) + items.length : Number(inputs[1]);
      if (index < 0 || index >= items.length) return undefined;
      const element = types[0]!.kind === "Tuple" ? types[0]!.elements[index]! : node.output.type;
      return [coerce(items[index], element, node.output.type)];
    }
    case "prim::TupleSlice":
      return [(inputs[0] as readonly unknown[]).slice(Number(node.attr("beg", "i")), Number(node.attr("end", "i")))];
    case "prim::ListConstruct": {
      const type = node.output.type;
      return [inputs.map((v, i) => (type.kind === "List" ? coerce(v, types[i]!, type.element) : v))];
    }
    case "prim::DictConstruct": {
      const dict = new Map<unknown, unknown>();
      for (let i = 0; i < inputs.length; i += 2) dict.set(dictKey(inputs[i]), inputs[i + 1]);
      return [dict];
    }
    case "prim::isinstance": {
      const own = valueType(inputs[0], types[0]!);
      return [node.attr("types", "tys").some((t) => isSubtypeOf(own, t))];
    }
    case "prim::unchecked_cast":
      return [coerce(inputs[0], types[0]!, node.output.type)];
    default:
      return callOperatorOf(node, inputs, types);
  }
};

function callOperatorOf(
  node: Node,
  inputs: readonly unknown[],
  types: readonly Type[],
): readonly unknown[] | undefined {
  const schema = maybeSchema(node);
  if (!schema || schema.isVararg || schema.isVarret) return undefined;
  const entry = findOperator(schema);
  if (!entry) return undefined;
  const env: TypeEnv = new Map();
  const args = schema.args.map((arg, i) => {
    matchTypeVariables(arg.type, types[i]!, env);
    const value = coerce(inputs[i], types[i]!, evalTypeVariables(arg.type, env) ?? arg.type);
    return typeof value === "bigint" && !entry.exactInts ? Number(value) : value;
  });
  let result: unknown;
  try {
    result = entry.kernel(...(args as never[]));
  } catch {
    // an error of the program stays where it is: it is raised when the node runs
    return undefined;
  }
  if (schema.returns.length === 0) return [];
  const results = schema.returns.length === 1 ? [result] : (result as readonly unknown[]);
  return results.map((value, i) => {
    const type = schema.returns[i]!.type;
    return coerce(value, evalTypeVariables(type, env) ?? type, node.outputs[i]!.type);
  });
}
