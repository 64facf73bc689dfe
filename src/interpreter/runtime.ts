/** @file State of a run: budgets, call depth, entered objects, and how an error travels up the frames. Upstream: torch/csrc/jit/runtime/interpreter.cpp. Spec: none. */
import {
  LimitError,
  OperatorError,
  ScriptRuntimeError,
  TorchScriptError,
  UnsupportedError,
  internalAssert,
} from "../base/errors.ts";
import { LIMITS } from "../base/limits.ts";
import { isIntercepted } from "../core/dispatcher.ts";
import { AbsentElements } from "../tensor/absent_elements.ts";
import { releaseAllTemporaries } from "../tensor/temporaries.ts";
import type { Code, CodeRef, DirectCode, Frame, NativeCall, Origin } from "./instructions.ts";
import { directCode } from "./tier.ts";
import { stackTrace, type StackEntry } from "./traceback.ts";

/** What `prim::RaiseException` throws: never leaves the interpreter. */
export class RaisedException {
  readonly message: string;
  /** Qualified name of the Python class, where the script says one. */
  readonly className: string | undefined;
  constructor(message: string, className?: string) {
    this.message = message;
    this.className = className;
  }
}

/** How a frame was entered: torch inlines calls of known functions, so that some of their frames never show. */
export type CallKind = "inlined" | "frame";

/**
 * An error on its way up the frames, with the frames that it has left.
 *
 * Note [Nodes without outputs]: torch's inliner remembers the calls on the way to a node by the node's outputs, so an error of a
 * node that has none (prim::RaiseException, list.sort) shows no inlined calls: its own place, in the outermost inlined function.
 */
class InFlight {
  readonly error: unknown;
  /** Innermost first. */
  readonly entries: StackEntry[] = [];
  /** It has just left a frame: the next block says where the call stands. */
  leftFrame: CallKind | undefined;
  /** See Note [Nodes without outputs]. */
  hidesCalls: boolean;
  constructor(error: unknown, hidesCalls: boolean) {
    this.error = error;
    this.hidesCalls = hidesCalls;
  }
}

/** An object in a `with` and the code that ends it. */
export interface EnteredObject {
  readonly object: unknown;
  readonly exit: CodeRef;
}

/** Instructions that may still run. A typed array: a number in a variable would be boxed anew at every write. */
export const budget = new Float64Array([Infinity]);
/** `aten::warn` nodes that have warned in this run. */
let warned = new Set<number>();
let entered: EnteredObject[] = [];
/** Nested activations. A typed array, as `budget` is. */
export const depth = new Int32Array(1);

/** Whether the warning of a node is the first of its kind in this run. */
export function firstWarning(id: number): boolean {
  if (warned.has(id)) return false;
  warned.add(id);
  return true;
}

export function enterObject(object: EnteredObject): void {
  entered.push(object);
}

export function leaveObject(): EnteredObject {
  const last = entered.pop();
  internalAssert(last, "prim::Exit without prim::Enter");
  return last;
}

/** Throws LimitError: the step budget is used up. */
export function budgetExceeded(): never {
  throw new LimitError("maxSteps", 0, "Cannot go on running: the step budget maxSteps is used up");
}

/** Adds the place of the instruction at fault, once per frame. Called by every block that an error passes. */
export function locate(error: unknown, at: Origin | undefined, functionName: string): unknown {
  if (error instanceof InFlight) {
    const kind = error.leftFrame;
    if (!kind) return error;
    error.leftFrame = undefined;
    if (kind === "frame") error.hidesCalls = false;
    if (error.hidesCalls) error.entries.push({ range: error.entries.pop()?.range, functionName });
    else pushEntries(error, at, functionName);
    return error;
  }
  if (error instanceof LimitError) return error;
  if (error instanceof AbsentElements && at) return locate(error.of(at.kind), at, functionName);
  if (error instanceof UnsupportedError)
    return error.range || !at?.sourceRange ? error : new UnsupportedError(error.feature, error.message, at.sourceRange);
  if (error instanceof RangeError && /call stack/.test(error.message)) {
    return new LimitError(
      "maxCallDepth",
      depth[0]!,
      `Cannot run ${functionName}: calls are nested deeper than the platform's stack allows (depth ${depth[0]})`,
    );
  }
  const flight = new InFlight(error, at?.outputs.length === 0);
  pushEntries(flight, at, functionName);
  return flight;
}

function pushEntries(flight: InFlight, at: Origin | undefined, functionName: string): void {
  const calls: { name: string; range: StackEntry["range"] }[] = [];
  // from the innermost inlined call out
  for (let call = at?.callstack; call; call = call.caller) calls.push({ name: call.functionName, range: call.range });
  let range = at?.sourceRange;
  for (const call of calls) {
    flight.entries.push({ functionName: call.name, range });
    range = call.range;
  }
  flight.entries.push({ functionName, range });
}

/** Refuses one call more than the limit allows; the caller has counted it. */
export function tooDeep(name: string): never {
  depth[0]!--;
  throw new LimitError(
    "maxCallDepth",
    LIMITS.maxCallDepth + 1,
    `Cannot call ${name}: calls are nested deeper than the limit maxCallDepth = ${LIMITS.maxCallDepth}`,
  );
}

/** What leaves generated code where `error` stopped it at `at`. */
export function failDirect(error: unknown, at: Origin | undefined, functionName: string): unknown {
  const located = locate(error, at, functionName);
  if (located instanceof InFlight) located.leftFrame = "inlined";
  return located;
}

/** Runs code with arguments: generated where the tier in use has it and nobody watches operators, else on a new frame. */
export function invoke(code: Code, args: readonly unknown[]): unknown {
  const direct = isIntercepted() ? null : directCode(code);
  if (direct) {
    try {
      return callDirect(direct, args);
    } catch (error) {
      if (error instanceof InFlight) error.leftFrame = "frame";
      throw error;
    }
  }
  const frame = code.template.slice();
  for (let i = 0; i < args.length; i++) frame[i] = args[i];
  return runFrame(code, frame, "frame");
}

/** A call from closures: arguments by their registers in the caller's frame. */
export function callFrame(code: Code, caller: Frame, args: readonly number[]): unknown {
  const direct = isIntercepted() ? null : directCode(code);
  if (direct) {
    const [a, b, c] = args as [number, number, number];
    switch (args.length) {
      case 1:
        return direct(caller[a]);
      case 2:
        return direct(caller[a], caller[b]);
      case 3:
        return direct(caller[a], caller[b], caller[c]);
      default:
        return direct(...args.map((r) => caller[r]));
    }
  }
  const frame: Frame = code.template.slice();
  for (let k = 0; k < args.length; k++) frame[k] = caller[args[k]!];
  return runFrame(code, frame, "inlined");
}

/** A call from generated code of what was not generated when the caller looked. */
export function callInlined(code: Code, args: readonly unknown[]): unknown {
  const direct = directCode(code);
  if (direct) return direct(...args);
  const frame: Frame = code.template.slice();
  for (let k = 0; k < args.length; k++) frame[k] = args[k];
  return runFrame(code, frame, "inlined");
}

function callDirect(direct: DirectCode, args: readonly unknown[]): unknown {
  switch (args.length) {
    case 1:
      return direct(args[0]);
    case 2:
      return direct(args[0], args[1]);
    case 3:
      return direct(args[0], args[1], args[2]);
    default:
      return direct(...args);
  }
}

let observer: ((self: unknown) => void) | undefined;

/** Tells of every frame that `body` enters, with its first argument: for profiles. */
export function withFrameObserver<R>(enter: (self: unknown) => void, body: () => R): R {
  observer = enter;
  try {
    return body();
  } finally {
    observer = undefined;
  }
}

/** Runs closures on a prepared frame and gives the result. */
function runFrame(code: Code, frame: Frame, kind: CallKind): unknown {
  if (++depth[0]! > LIMITS.maxCallDepth) tooDeep(code.name);
  if (observer) observer(frame[0]);
  try {
    code.run(frame);
  } catch (error) {
    if (error instanceof InFlight) error.leftFrame = kind;
    throw error;
  } finally {
    depth[0]!--;
  }
  const { outputs } = code;
  return outputs.length === 1 ? frame[outputs[0]!] : outputs.length === 0 ? null : outputs.map((r) => frame[r]);
}

/** Code of a callee that is compiled by now. */
export function calleeCode(ref: CodeRef | NativeCall): Code {
  internalAssert(typeof ref !== "function" && ref.code, "call of code that is not compiled");
  return ref.code;
}

/** Called when an outermost run fails: what kernels keep for later instructions of the run is of no use any more. */
export const afterFailedRun: (() => void)[] = [];

/**
 * Runs code as a run of its own, as a fork does: errors leave with their full text.
 * @throws ScriptRuntimeError.
 */
export function runIsolated(code: Code, args: readonly unknown[]): unknown {
  const outerEntered = entered;
  const outerWarned = warned;
  entered = [];
  warned = new Set();
  try {
    return invoke(code, args);
  } catch (error) {
    closeEntered();
    if (depth[0] === 0) for (const forget of afterFailedRun) forget();
    throw finish(error);
  } finally {
    if (depth[0] === 0) releaseAllTemporaries();
    entered = outerEntered;
    warned = outerWarned;
  }
}

/** After an error every `with` that is still open is left, innermost first; what `__exit__` throws is dropped. */
function closeEntered(): void {
  while (entered.length > 0) {
    const { object, exit } = leaveObject();
    try {
      invoke(calleeCode(exit), [object, null, null, null]);
    } catch {
      // torch prints these nowhere
    }
  }
}

/** Turns an error that has left the outermost frame into the one that users see. */
function finish(error: unknown): unknown {
  if (!(error instanceof InFlight)) return error;
  const inner = error.error;
  const isRaised = inner instanceof RaisedException;
  const className = (isRaised && inner.className) || "RuntimeError";
  const message = messageOf(inner);
  const text = `The following operation failed in the TorchScript interpreter.\n${stackTrace([...error.entries].reverse())}${className}: ${message}`;
  const cause = inner instanceof Error ? { cause: inner } : undefined;
  const reason = inner instanceof ScriptRuntimeError ? inner.reason : `${className}: ${message}`;
  return new ScriptRuntimeError(text, reason, isRaised ? "torch.jit.Error" : "RuntimeError", cause);
}

function messageOf(error: unknown): string {
  if (error instanceof RaisedException || error instanceof OperatorError) return error.message;
  // the text of another run ends in a newline in torch
  if (error instanceof ScriptRuntimeError) return `${error.message}\n`;
  if (error instanceof TorchScriptError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Runs `body` with a step budget. */
export function withBudget<R>(maxSteps: number | undefined, body: () => R): R {
  if (maxSteps === undefined) return body();
  const outer = budget[0]!;
  budget[0] = Math.min(outer, maxSteps);
  const start = budget[0];
  try {
    return body();
  } finally {
    budget[0] = outer - (start - budget[0]);
  }
}
