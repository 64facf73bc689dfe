/** @file Calls: arguments, nested functions, fork and awaitable. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { internalAssert } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import type { Block } from "../../ir/graph.ts";
import type { Expr, KeywordArgument } from "../ast.ts";
import type { EmitContext } from "./emit_context.ts";
import { NamedValue } from "./named_value.ts";
import { ClosureValue } from "./sugared_callable.ts";
import { SimpleValue, type SugaredValue } from "./sugared_value.ts";

/** Positional arguments; a starred one stands for its elements. */
export function emitArguments(e: EmitContext, trees: readonly Expr[]): NamedValue[] {
  return trees.flatMap((tree) => {
    if (tree.kind !== "Starred") return [e.named(tree)];
    const elements = e.parts.sugared(e, tree.value, 1).asTuple(tree.range, e.fn);
    return elements.map((x) => NamedValue.of(x.asValue(tree.range, e.fn), undefined, tree.range));
  });
}

/** Keyword arguments. */
export function emitKeywords(e: EmitContext, kwargs: readonly KeywordArgument[]): NamedValue[] {
  return kwargs.map((k) => NamedValue.of(e.parts.expr(e, k.value), k.name.name, k.range));
}

/** A `prim::Closure` with a body of its own; `liftClosures` makes a function of it. */
export function emitClosure(e: EmitContext, body: (block: Block) => void): ClosureValue {
  const node = e.graph.insertNode(e.graph.create("prim::Closure"));
  node.output.setType(T.NoneT);
  const block = node.addBlock();
  e.withLoopStatus("none", () => {
    e.defs.push({ declaredReturn: undefined, mergedReturn: undefined });
    try {
      e.inFrame(block, () => body(block));
    } finally {
      e.defs.pop();
    }
  });
  return new ClosureValue(node.output);
}

/** `fork(f, ...)` and `awaitable(f, ...)`: the call becomes a closure, which the node runs later. */
export function emitDeferred(
  e: EmitContext,
  kind: "prim::forkClosure" | "prim::awaitableClosure",
  range: SourceRange,
  callee: SugaredValue,
  args: readonly NamedValue[],
  kwargs: readonly NamedValue[],
): SugaredValue {
  const { graph } = e;
  const node = graph.insertNode(graph.create(kind).setSourceRange(range));
  let type: Type | undefined;
  graph.withInsertPoint(node, () => {
    if (callee instanceof ClosureValue) {
      const closure = callee.asValue();
      type = closure.node.blocks[0]!.outputs[0]!.type;
      node.addInput(closure);
      return;
    }
    const closure = emitClosure(e, (block) => {
      const output = callee.call(range, e.fn, args, kwargs, 1).asValue(range, e.fn);
      block.registerOutput(output);
      type = output.type;
    });
    node.addInput(closure.asValue());
  });
  internalAssert(type, "closure without a result");
  return new SimpleValue(node.output.setType(kind === "prim::forkClosure" ? T.futureOf(type) : T.awaitOf(type)));
}
