/** @file Loops. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none.
 *
 * Note [Loop form]: a loop is emitted as `prim::Loop(max_trip_count)` with a body block and a block for the condition; conversion
 * to SSA inlines the condition and adds what the loop carries. */
import { ScriptError, internalAssert } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr, Stmt } from "../ast.ts";
import { validateTargets } from "./assignments.ts";
import { emitToBool } from "./conditions.ts";
import { rangeOf, type EmitContext } from "./emit_context.ts";
import { SimpleValue, type SugaredValue } from "./sugared_value.ts";

/** The trip count of loops that a condition ends. */
export const MAX_TRIP_COUNT = 2n ** 63n - 1n;

interface LoopParts {
  /** What a for loop runs over. */
  readonly iterable?: { readonly value: SugaredValue; readonly targets: readonly Expr[] };
  /** Condition of a while loop. */
  readonly condition?: Expr;
}

function emitLoop(e: EmitContext, range: SourceRange, { iterable, condition }: LoopParts, body: () => void): void {
  const { graph } = e;
  const trips = iterable ? iterable.value.len(range, e.fn) : e.literal(MAX_TRIP_COUNT, MAX_TRIP_COUNT, T.IntT, range);
  const node = graph.insertNode(graph.create("prim::Loop", [], 0).setSourceRange(range));
  const bodyBlock = node.addBlock();
  const conditionBlock = node.addBlock();
  let proceed: Value | undefined;
  if (condition) {
    e.inFrame(conditionBlock, () => {
      proceed = emitToBool(e, condition.range, e.parts.expr(e, condition));
    });
  } else proceed = graph.withInsertPoint(node, () => insertConstant(graph, true, T.BoolT, range));
  conditionBlock.registerOutput(proceed!);
  node.addInput(trips);
  e.withLoopStatus("loop", () => {
    const counter = bodyBlock.addInput().setType(T.IntT);
    e.inFrame(bodyBlock, () => {
      if (iterable) {
        const current = iterable.value.getitem(range, e.fn, counter).asValue(range, e.fn);
        validateTargets(iterable.targets, range);
        const targets: readonly Expr[] =
          iterable.targets.length > 1 ? [{ kind: "Tuple", elements: iterable.targets, range }] : iterable.targets;
        e.parts.assign(e, targets, [new SimpleValue(current)], range, 1);
      }
      body();
    });
  });
}

/** One copy of the body per element, without a frame of its own: elements may have different types. */
function emitUnrolledLoop(
  e: EmitContext,
  range: SourceRange,
  iterable: SugaredValue,
  targets: readonly Expr[],
  body: () => void,
): void {
  const length = iterable.staticLength();
  internalAssert(length !== undefined, "an unrolled loop of unknown length");
  e.withLoopStatus("unrolled", () => {
    for (let i = 0; i < length; i++) {
      const index = e.literal(i, i, T.IntT, range);
      const element = iterable.getitem(range, e.fn, index);
      e.parts.assign(e, targets, [element], rangeOf(targets), 1);
      body();
    }
  });
}

/** A for loop or the loop of a comprehension. */
export function emitForLoop(
  e: EmitContext,
  targets: readonly Expr[],
  iters: readonly Expr[],
  range: SourceRange,
  body: () => void,
): void {
  if (iters.length !== 1) throw new ScriptError("List of iterables is not supported currently", range);
  const value = e.parts.sugared(e, iters[0]!, 1).iter(range, e.fn);
  if (value.staticLength() === undefined) emitLoop(e, range, { iterable: { value, targets } }, body);
  else emitUnrolledLoop(e, range, value, targets, body);
}

/** `for targets in iters:`. */
export function emitFor(e: EmitContext, stmt: Stmt & { kind: "For" }): void {
  emitForLoop(e, stmt.targets, stmt.iters, stmt.range, () => e.parts.statements(e, stmt.body));
}

/** `while condition:`. */
export function emitWhile(e: EmitContext, stmt: Stmt & { kind: "While" }): void {
  emitLoop(e, stmt.range, { condition: stmt.condition }, () => e.parts.statements(e, stmt.body));
}

/** `break` and `continue`. */
export function emitLoopExit(e: EmitContext, stmt: Stmt & { kind: "Pass" | "Break" | "Continue" }): void {
  const word = stmt.kind.toLowerCase();
  if (e.loopStatus === "none") throw new ScriptError(`SyntaxError: '${word}' outside loop`, stmt.range);
  if (e.loopStatus === "unrolled") {
    throw new ScriptError(
      "Because we emit iteration over modulelists or tuples as unrolled loops, we do not support break or continue inside the body of these loops",
      stmt.range,
    );
  }
  e.graph.insertNode(e.graph.create(`prim::${stmt.kind}Stmt`, [], 0).setSourceRange(stmt.range));
}
