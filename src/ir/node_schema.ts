/** @file Which operator schema a node calls, and what follows from it: side effects, randomness. Upstream: torch/csrc/jit/ir/ir.cpp. Spec: none. */
import { ScriptError } from "../base/errors.ts";
import { matchTypeVariables, type TypeEnv } from "../core/match_types.ts";
import { schemasFor } from "../core/operator_registry.ts";
import { operatorName, schemaText, type FunctionSchema } from "../core/schema.ts";
import { evalTypeVariables, isSubtypeOf, typeStr } from "../core/type.ts";
import { constantBool } from "./constants.ts";
import type { Node, Value } from "./graph.ts";

/** Whether the node's inputs fit a schema of its name. */
export function nodeMatches(node: Node, schema: FunctionSchema): boolean {
  const { args, isVararg } = schema;
  if (node.kind !== schema.name || node.inputs.length < args.length) return false;
  if (!isVararg && node.inputs.length !== args.length) return false;
  const env: TypeEnv = new Map();
  return args.every((arg, i) => {
    const actual = node.inputs[i]!.type;
    if (matchTypeVariables(arg.type, actual, env) !== undefined) return false;
    // None matches Optional[T] although T stays unbound
    return isSubtypeOf(actual, evalTypeVariables(arg.type, env) ?? arg.type);
  });
}

/** The first overload that the node's inputs fit, or undefined. */
export function maybeSchema(node: Node): FunctionSchema | undefined {
  node.schema ??= schemasFor(node.kind).find((schema) => nodeMatches(node, schema));
  return node.schema;
}

/** Like `maybeSchema`. @throws ScriptError where no overload fits. */
export function nodeSchema(node: Node): FunctionSchema {
  const schema = maybeSchema(node);
  if (schema) return schema;
  const types = node.inputs.map((v) => typeStr(v.type)).join(", ");
  const candidates = schemasFor(node.kind).map((s) => `  ${schemaText(s)}\n`);
  const tried = candidates.length > 0 ? `candidates were:\n${candidates.join("")}` : "no candidates found\n";
  throw new ScriptError(
    `Schema not found for node. File a bug report.\nNode: ${node.kind}\nInput types:${types}\n${tried}`,
    node.sourceRange,
  );
}

/** Whether the node calls one of the overloads, given as `aten::add.Scalar`. */
export function callsOverload(node: Node, ...keys: string[]): boolean {
  const schema = maybeSchema(node);
  return schema !== undefined && keys.includes(operatorName(schema));
}

/** The input for a schema argument. */
export function namedInput(node: Node, name: string): Value | undefined {
  const at = maybeSchema(node)?.args.findIndex((a) => a.name === name) ?? -1;
  return at < 0 ? undefined : node.inputs[at];
}

// prettier-ignore
const SIDE_EFFECTS = new Set([
  "prim::PythonOp", "prim::IgnoredPythonOp", "prim::Print", "prim::RaiseException", "aten::warn", "aten::save", "aten::manual_seed",
  "prim::AddStatValue", "prim::TimePoint", "prim::CallFunction", "prim::CallMethod", "prim::BailoutTemplate", "prim::BailOut",
  "prim::rpc_async", "prim::rpc_sync", "prim::rpc_remote", "aten::wait",
  "cuda::set_stream", "cuda::_set_device", "cuda::_current_device", "cuda::synchronize", "prim::Enter", "prim::Exit",
]);

/** Operators that PyTorch registers without saying what they touch: they are kept, and may write to anything they get. */
// prettier-ignore
const CONSERVATIVE = new Set([
  "prim::IgnoredPythonOp", "aten::get_autocast_dtype", "aten::is_autocast_cpu_enabled", "aten::is_autocast_enabled", "aten::is_grad_enabled",
  "aten::set_grad_enabled", "aten::_get_cpu_capability", "aten::backward", "aten::save", "aten::dist_backward", "profiler::_record_function_exit",
  "_test::get_first", "_test::cat", "_test::leaky_relu",
]);

/** Whether alias analysis must assume the worst of the node. */
export function isConservative(node: Node): boolean {
  return CONSERVATIVE.has(node.kind);
}

/** Whether running the node does more than giving its outputs; writes to values are alias analysis' matter. */
export function hasSideEffects(node: Node): boolean {
  return SIDE_EFFECTS.has(node.kind) || CONSERVATIVE.has(node.kind);
}

// prettier-ignore
const NONDETERMINISTIC = new Set([
  "aten::dropout", "aten::_fused_dropout", "aten::_standard_gamma", "aten::bernoulli", "aten::bernoulli.p", "aten::multinomial",
  "aten::native_dropout", "aten::normal.Tensor_Tensor", "aten::normal.float_Tensor", "aten::normal.Tensor_float", "aten::poisson",
  "aten::binomial", "aten::rrelu", "aten::rrelu_with_noise", "aten::rand", "aten::rand_like", "aten::randint", "aten::randint.low",
  "aten::randint_like", "aten::randint_like.low_dtype", "aten::randn", "aten::randn_like", "aten::randperm",
]);

/** Whether two runs of the node on the same inputs may differ. */
export function isNondeterministic(node: Node): boolean {
  const schema = maybeSchema(node);
  if (!schema || !NONDETERMINISTIC.has(operatorName(schema))) return false;
  // dropout that does not train does nothing
  if (schema.name === "aten::dropout") {
    const train = namedInput(node, "train");
    return !(train && constantBool(train) === false);
  }
  return true;
}
