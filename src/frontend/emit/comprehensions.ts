/** @file List and dict comprehensions. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { insertUncheckedCast } from "../../ir/build_nodes.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr } from "../ast.ts";
import { chooseDict, chooseList, refineHint } from "./container_hints.ts";
import { emitBuiltinCall } from "./emit_builtin.ts";
import type { EmitContext } from "./emit_context.ts";
import { unionHint } from "./literals.ts";
import { NamedValue } from "./named_value.ts";

/** Runs `body` in the loop of a comprehension, whose variables stay in it. */
function inScope(e: EmitContext, tree: Expr & { kind: "ListComp" | "DictComp" }, body: () => void): void {
  const scope = e.graph.insertNode(e.graph.create("prim::ComprehensionScope", [], 0).setSourceRange(tree.range));
  e.inFrame(scope.addBlock(), () => e.parts.forLoop(e, [tree.target], [tree.iter], tree.range, body));
}

/** `[element for target in iter]`. */
export function emitListComprehension(
  e: EmitContext,
  tree: Expr & { kind: "ListComp" },
  hint: Type | undefined,
): Value {
  const { graph } = e;
  const { range } = tree;
  // over an unrolled iterable of length 0 it stays a list of tensors
  const list = graph.insertNode(graph.create("prim::ListConstruct")).output.setType(T.listOf(T.TensorT));
  let refined: Type | undefined = hint;
  let candidates: readonly Type[] = [];
  if (hint) {
    const narrowed = refineHint(hint, "List", range);
    refined = narrowed.refined;
    candidates = narrowed.candidates;
    if (candidates.length === 0) list.setType(refined);
  }
  let first = true;
  inScope(e, tree, () => {
    const out = e.parts.expr(e, tree.element);
    if (first) list.setType(T.listOf(out.type));
    first = false;
    const elementHint = refined?.kind === "List" ? refined.element : undefined;
    const sofar = list.type.kind === "List" ? list.type.element : out.type;
    const unified = T.unifyTypes(sofar, out.type, true, elementHint)!;
    if (candidates.length === 0 && refined?.kind === "List" && !T.isSubtypeOf(unified, refined.element)) {
      throw new ScriptError(
        `List type annotation \`${T.typeReprStr(refined)}\` did not match the types of the given list elements, which were unified to ${T.typeReprStr(unified)}`,
        range,
      );
    }
    if (candidates.length > 0) refined = chooseList(candidates, hint!, unified, range);
    else if (!refined || refined.kind === "Any") refined = T.listOf(unified);
    list.setType(refined);
    if (refined.kind === "List") out.setType(refined.element);
    emitBuiltinCall(
      range,
      graph,
      "aten::append",
      [NamedValue.of(out, "", range)],
      [],
      NamedValue.of(list, "self", range),
    );
  });
  return list;
}

/** `{key: value for target in iter}`. */
export function emitDictComprehension(
  e: EmitContext,
  tree: Expr & { kind: "DictComp" },
  hint: Type | undefined,
): Value {
  const { graph } = e;
  const { range } = tree;
  const dict = graph.insertNode(graph.create("prim::DictConstruct")).output.setType(T.dictOf(T.StringT, T.TensorT));
  let refined: Type | undefined = hint;
  let candidates: readonly Type[] = [];
  if (hint) {
    const narrowed = refineHint(hint, "Dict", range);
    refined = narrowed.refined;
    candidates = narrowed.candidates;
    if (candidates.length === 0) dict.setType(refined);
  }
  let firstKey: Type | undefined;
  inScope(e, tree, () => {
    const key = e.parts.expr(e, tree.key);
    const value = e.parts.expr(e, tree.value);
    if (key.type.kind === "Union") {
      throw new ScriptError(
        `Dicts may only contain homogeneous keys, but the type of the first generated key was ${T.typeReprStr(key.type)}`,
        range,
      );
    }
    if (firstKey && !T.typesEqual(firstKey, key.type)) {
      throw new ScriptError(
        `Dicts may only contain homogeneous keys. Expected dict comprehension to generate type ${T.typeReprStr(firstKey)}, but got ${T.typeReprStr(key.type)}`,
        range,
      );
    }
    dict.setType(T.dictOf(key.type, value.type));
    firstKey = key.type;
    if (refined?.kind === "Dict" && candidates.length === 0) {
      let text = "";
      for (const [what, actual, wanted] of [
        ["key", key.type, refined.key],
        ["value", value.type, refined.value],
      ] as const) {
        const whyNot: T.WhyNot = { text: "" };
        if (!T.isSubtypeOf(actual, wanted, whyNot)) {
          text += `Dict type annotation \`${T.typeReprStr(refined)}\` did not match the type of an actual ${what} type \`${T.typeReprStr(actual)}\`\n${whyNot.text}`;
        }
      }
      if (text) throw new ScriptError(text, range);
    }
    if (hint) {
      if (candidates.length > 0) refined = chooseDict(candidates, hint, key.type, value.type, range);
      if (refined?.kind === "Dict") {
        dict.setType(refined);
        key.setType(refined.key);
        value.setType(refined.value);
      }
    }
    const named = (v: Value, name: string): NamedValue => NamedValue.of(v, name, range);
    emitBuiltinCall(range, graph, "aten::_set_item", [named(dict, "self"), named(key, ""), named(value, "")]);
  });
  const union = unionHint(hint);
  return union ? insertUncheckedCast(graph, dict, union) : dict;
}
