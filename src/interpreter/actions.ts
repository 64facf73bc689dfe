/** @file What the rarer instructions do, on values: shared by both tiers. Upstream: torch/csrc/jit/runtime/interpreter.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitWarning } from "../base/sinks.ts";
import { Future, ScriptObject, dictKey } from "../core/ivalue.ts";
import type { Instruction } from "./instructions.ts";
import { calleeCode, enterObject, firstWarning, invoke, leaveObject, runIsolated } from "./runtime.ts";

type Of<Op extends Instruction["op"]> = Extract<Instruction, { op: Op }>;

/** Calls the method that the first argument's class has under an interface's name. */
export function callInterface(i: Of<"call_interface">, values: unknown[]): unknown {
  const callee = i.lookup((values[0] as ScriptObject).type);
  return typeof callee === "function" ? callee(values) : invoke(calleeCode(callee), values);
}

/** An object without values in its slots. */
export function createObject(i: Of<"create_object">): ScriptObject {
  return new ScriptObject(
    i.type,
    i.type.attributes.map(() => null),
  );
}

/** A dict of keys and values. */
export function makeDict(keys: readonly unknown[], values: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let k = 0; k < keys.length; k++) map.set(dictKey(keys[k]), values[k]);
  return map;
}

/** Refuses a list that does not have as many elements as names to unpack it to. */
export function checkUnpacked(values: readonly unknown[], count: number): void {
  if (values.length !== count)
    throw new OperatorError(`Expected ${count} elements in a list but found ${values.length}`);
}

/** Starts a fork, or prepares an awaitable. */
export function fork(i: Of<"fork">, values: readonly unknown[]): Future {
  const { callee, type, lazy } = i;
  const future = new Future(type, () => runIsolated(calleeCode(callee), values));
  if (lazy) return future;
  // torch runs it at once on another thread; an error waits for who waits
  try {
    future.wait();
  } catch {
    // kept in the future
  }
  return future;
}

/** Enters a `with`. */
export function enterWith(i: Of<"enter">, object: unknown): unknown {
  const result = invoke(calleeCode(i.enter), [object]);
  enterObject({ object, exit: i.exit });
  return result;
}

/** Leaves the innermost `with`. */
export function exitWith(): unknown {
  const { object, exit } = leaveObject();
  return invoke(calleeCode(exit), [object, null, null, null]);
}

/** Warns, once a run where the node has a number. */
export function warn(i: Of<"warn">, message: unknown): void {
  const place = i.at.sourceRange?.fileLineCol();
  if (i.id === undefined || firstWarning(i.id))
    emitWarning(message as string, { filename: place?.[0], line: place?.[1] });
}
