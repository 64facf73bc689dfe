/** @file Parts of a `__getstate__` result that are constants of its graph. Upstream: torch/csrc/jit/passes/constant_propagation.cpp. Spec: spec/pickle.md.
 *
 * Note [Constant states]: PyTorch's executor computes what depends on constants only once per function. `return (torch.zeros(3), [1.5])`
 * then gives the same tensor and list on each call: the graph owns them too, so the pickle memoizes them, and the second object of a
 * class refers to the first one's. Calls are not looked into. */
import { isMutable } from "../core/schema.ts";
import type { FunctionLike } from "../core/type.ts";
import { ScriptFunction } from "../ir/function.ts";
import type { Value } from "../ir/graph.ts";
import { hasSideEffects, isNondeterministic, maybeSchema } from "../ir/node_schema.ts";

const CONSTRUCTORS = new Set(["prim::ListConstruct", "prim::TupleConstruct", "prim::DictConstruct"]);

function isConstantValue(value: Value): boolean {
  const { node } = value;
  if (node.kind === "prim::Constant") return true;
  if (node.blocks.length > 0 || node.outputs.length !== 1 || hasSideEffects(node) || isNondeterministic(node))
    return false;
  const schema = maybeSchema(node);
  if (!CONSTRUCTORS.has(node.kind) && (!schema || isMutable(schema))) return false;
  // a value that is written later is made anew on each call
  const isOnlyRead = value.uses.every(({ user }) => CONSTRUCTORS.has(user.kind) || user.kind === "prim::Return");
  return isOnlyRead && node.inputs.every(isConstantValue);
}

/** Finds the constants in the states that the objects of one pickle return. */
export class StateConstants {
  private readonly firstStates = new Map<FunctionLike, unknown>();

  /** The state with its constant parts replaced by those of the first call. `onConstant` sees each of them. */
  share(getState: FunctionLike, state: unknown, onConstant: (value: unknown) => void): unknown {
    const returned = getState instanceof ScriptFunction ? getState.graph.outputs[0] : undefined;
    if (!returned) return state;
    const first = this.firstStates.get(getState) ?? state;
    this.firstStates.set(getState, first);
    if (isConstantValue(returned)) {
      onConstant(first);
      return first;
    }
    if (returned.node.kind !== "prim::TupleConstruct" || !Array.isArray(state) || !Array.isArray(first)) return state;
    return state.map((item: unknown, i) => {
      if (!isConstantValue(returned.node.inputs[i]!)) return item;
      onConstant(first[i]);
      return first[i] as unknown;
    });
  }
}
