/** @file `list(...)` and `dict(...)`. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (emitApplySpecialFormForList, ...ForDict). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createDict, createList, insertUncheckedCast } from "../../ir/build_nodes.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr, KeywordArgument } from "../ast.ts";
import { refineHint } from "./container_hints.ts";
import { emitBuiltinCall, insertOp } from "./emit_builtin.ts";
import type { EmitContext } from "./emit_context.ts";
import { unionHint } from "./literals.ts";
import { NamedValue } from "./named_value.ts";
import { SimpleValue, asSimple, type SugaredValue } from "./sugared_value.ts";

type Apply = Expr & { kind: "Apply" };

function checkOneArgument(tree: Apply, args: readonly Expr[], kwargs: readonly KeywordArgument[], name: string): void {
  if (args.length !== 1)
    throw new ScriptError(`${name} expected exactly 1 arguments but found ${args.length}`, tree.range);
  if (kwargs.length > 0) throw new ScriptError(`${name} takes no keyword arguments`, tree.range);
}

/** `list(iterable)`. */
export function emitListCall(e: EmitContext, tree: Apply, hint: Type | undefined): SugaredValue {
  const { graph } = e;
  const { range } = tree;
  if (tree.args.length === 0) {
    const type = hint ?? T.listOf(T.TensorT);
    if (type.kind !== "List")
      throw new ScriptError(`Expected list type annotation for list(), found ${T.typeReprStr(type)}`, range);
    return new SimpleValue(graph.insertNode(createList(graph, type.element, [])).output);
  }
  checkOneArgument(tree, tree.args, tree.kwargs, "list");
  const input = e.parts.sugared(e, tree.args[0]!, 1);
  const simple = asSimple(input);
  if (simple && (simple.type.kind === "List" || simple.type.kind === "String"))
    return new SimpleValue(insertOp(graph, "aten::list", [simple], range));
  // [elem for elem in iterable]
  const iterName = e.tempName("$_iter");
  e.env.setSugaredVar(range, iterName, input);
  const elemName = e.tempName("$_elem");
  const variable = (name: string): Expr => ({ kind: "Var", name: { name, range }, range });
  const elem = variable(elemName);
  return new SimpleValue(
    e.parts.listComprehension(
      e,
      { kind: "ListComp", element: elem, target: elem, iter: variable(iterName), range },
      hint,
    ),
  );
}

/** `dict(...)`: of nothing, a dict, pairs, a literal or a comprehension, with keywords. */
export function emitDictCall(e: EmitContext, given: Apply, hint: Type | undefined): SugaredValue {
  const { graph } = e;
  const { range } = given;
  let { args, kwargs } = given;
  const union = unionHint(hint);

  const addKeywords = (dict: Value): void => {
    for (const kwarg of kwargs) {
      const key = e.parts.expr(e, { kind: "String", value: kwarg.name.name, range: kwarg.range });
      const value = e.parts.expr(e, kwarg.value);
      checkEntry(given, dict.type, key.type, value.type);
      const named = (v: Value, name: string): NamedValue => NamedValue.of(v, name, kwarg.range);
      emitBuiltinCall(kwarg.range, graph, "aten::_set_item", [
        NamedValue.of(dict, "self", range),
        named(key, ""),
        named(value, ""),
      ]);
    }
  };
  // upstream makes the cast and goes on with the dict itself
  const addUnionCast = (dict: Value): void => {
    if (union) insertUncheckedCast(graph, dict, union);
  };

  let refined = hint;
  if (hint && hint.kind !== "Dict") {
    const narrowed = refineHint(hint, "Dict", range, true);
    refined = narrowed.refined;
    if (narrowed.candidates.length > 0) {
      throw new ScriptError(
        `There are multiple candidate Dict types in the Union type annotation \`${T.typeReprStr(hint)}\`, and full type inference is not yet supported for the \`dict()\` constructor.`,
        range,
      );
    }
  }
  if (args.length > 0) {
    let input: SugaredValue;
    try {
      input = e.parts.sugared(e, args[0]!, 1, hint);
    } catch (error) {
      // the hint may not fit what stands inside
      if (!(error instanceof ScriptError)) throw error;
      input = e.parts.sugared(e, args[0]!, 1);
    }
    const simple = asSimple(input);
    if (simple?.type.kind === "Dict") {
      const dict = insertOp(graph, "aten::dict", [simple], range);
      addKeywords(dict);
      addUnionCast(dict);
      return new SimpleValue(dict);
    }
  }
  const first = args[0];
  if (
    first &&
    ((first.kind === "Dict" && first.keys.length === 0) || (first.kind === "List" && first.elements.length === 0))
  )
    args = [];
  if (args.length === 0 && kwargs.length === 0) {
    const type = refined ?? T.dictOf(T.StringT, T.TensorT);
    if (type.kind !== "Dict")
      throw new ScriptError(
        `Expected a type annotation of Dict for dict constructor dict(), got ${T.typeStr(hint!)}`,
        range,
      );
    return new SimpleValue(graph.insertNode(createDict(graph, type.key, type.value, [], [])).output);
  }
  if (args[0]?.kind === "DictComp") {
    const dict = e.parts.dictComprehension(e, args[0], refined);
    addKeywords(dict);
    return new SimpleValue(dict);
  }
  // literals and keywords become a list of pairs
  const pair = (key: Expr, value: Expr): Expr => ({ kind: "Tuple", elements: [key, value], range });
  if (args[0]?.kind === "Dict") {
    const { keys, values } = args[0];
    args = [{ kind: "List", elements: keys.map((k, i) => pair(k, values[i]!)), range }];
  }
  if (kwargs.length > 0 && (args.length === 0 || args[0]!.kind === "List")) {
    const old = args[0]?.kind === "List" ? args[0].elements : [];
    const added = kwargs.map((k) => pair({ kind: "String", value: k.name.name, range }, k.value));
    args = [{ kind: "List", elements: [...old, ...added], range }];
    kwargs = [];
  }
  checkOneArgument(given, args, kwargs, "dict");
  const input = e.parts.sugared(e, args[0]!, 1);
  const iterName = e.tempName("$_iter");
  const keyName = e.tempName("$_key");
  const valueName = e.tempName("$_value");
  const variable = (name: string): Expr => ({ kind: "Var", name: { name, range }, range });
  const key = variable(keyName);
  const value = variable(valueName);
  e.env.setSugaredVar(range, iterName, input);
  const tree = {
    kind: "DictComp",
    key,
    value,
    target: { kind: "Tuple", elements: [key, value], range },
    iter: variable(iterName),
    range,
  } as const;
  const dict = e.parts.dictComprehension(e, tree, refined);
  addKeywords(dict);
  addUnionCast(dict);
  return new SimpleValue(dict);
}

function checkEntry(tree: Apply, dict: Type, key: Type, value: Type): void {
  if (dict.kind !== "Dict") return;
  let text = "";
  if (!T.typesEqual(key, dict.key)) {
    text += `Generated key type ${T.typeReprStr(key)} did not match the annotated key type, which was ${T.typeReprStr(dict.key)}\n`;
  }
  const whyNot: T.WhyNot = { text: "" };
  if (!T.isSubtypeOf(value, dict.value, whyNot)) {
    text += `Generated value type ${T.typeReprStr(value)} did not match the annotated value type, which was ${T.typeReprStr(dict.value)}\n${whyNot.text}`;
  }
  if (text) throw new ScriptError(text, tree.range);
}
