/** @file Literals: numbers, lists, dicts. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createDict, createList, insertUncheckedCast } from "../../ir/build_nodes.ts";
import type { Node, Value } from "../../ir/graph.ts";
import { Complex } from "../../tensor/scalar.ts";
import type { Expr } from "../ast.ts";
import { parseNumber } from "../string_literal.ts";
import { chooseDict, chooseList, refineHint } from "./container_hints.ts";
import type { EmitContext } from "./emit_context.ts";

/** A number literal. */
export function emitNumber(e: EmitContext, tree: Expr & { kind: "Number" }): Value {
  const number = parseNumber(tree.text, tree.range);
  switch (number.kind) {
    case "int":
      return e.literal(number.value, number.value, T.IntT, tree.range);
    case "float":
      return e.literal(number.value, number.value, T.FloatT, tree.range);
    case "complex":
      return e.literal(number.imag, new Complex(0, number.imag), T.ComplexT, tree.range);
  }
}

/** Whether a hint is a union or optional, which a container literal is cast to in the end. */
export function unionHint(hint: Type | undefined): Type | undefined {
  return hint && (hint.kind === "Union" || hint.kind === "Optional") ? hint : undefined;
}

/** `[a, b]`, its values emitted already. */
export function emitListLiteral(e: EmitContext, tree: Expr, values: readonly Value[], hint: Type | undefined): Value {
  const { graph } = e;
  // An empty literal may become any list as an argument, and is List[Tensor] otherwise.
  if (values.length === 0 && !hint)
    return graph.insertNode(graph.create("prim::EmptyListLiteral")).output.setType(T.listOf(T.TensorT));
  let element: Type = T.TensorT;
  const narrowed = hint && refineHint(hint, "List", tree.range);
  const candidates = narrowed?.candidates ?? [];
  if (narrowed && candidates.length === 0) {
    if (narrowed.refined.kind === "List") element = narrowed.refined.element;
    else if (narrowed.refined.kind !== "Any")
      throw new ScriptError(`Expected an annotation of type List but got ${T.typeReprStr(hint)}`, tree.range);
  }
  if (candidates.length > 0 && values.length === 0) {
    throw new ScriptError(
      `Cannot assign an empty list to a variable annotated to be type ${T.typeReprStr(narrowed!.refined)} because there are multiple possible List type candidates in the Union annotation`,
      tree.range,
    );
  }
  if (values.length > 0) {
    const elementHint = narrowed?.refined.kind === "List" ? narrowed.refined.element : undefined;
    const unified = T.unifyTypeList(
      values.map((v) => v.type),
      true,
      elementHint,
    )!;
    if (narrowed && candidates.length === 0 && narrowed.refined.kind === "List" && !T.isSubtypeOf(unified, element)) {
      throw new ScriptError(
        `List type annotation \`${T.typeReprStr(narrowed.refined)}\` did not match the types of the given list elements, which were unified to ${T.typeReprStr(unified)}`,
        tree.range,
      );
    }
    if (candidates.length > 0) {
      const chosen = chooseList(candidates, hint!, unified, tree.range);
      if (chosen.kind === "List") element = chosen.element;
    }
    if (!narrowed || narrowed.refined.kind === "Any") element = unified;
  }
  const list = graph.insertNode(createList(graph, element, values)).output;
  const union = unionHint(hint);
  return union ? insertUncheckedCast(graph, list, union) : list;
}

/** `{a: b}`. */
export function emitDictLiteral(e: EmitContext, tree: Expr & { kind: "Dict" }, hint: Type | undefined): Value {
  const keys: Value[] = [];
  const values: Value[] = [];
  let valueType: Type | undefined;
  tree.keys.forEach((keyTree, i) => {
    keys.push(e.parts.expr(e, keyTree));
    values.push(e.parts.expr(e, tree.values[i]!));
    if (i === 0) {
      valueType = values[0]!.type;
      return;
    }
    if (keys[i - 1]!.type.kind !== keys[i]!.type.kind) {
      throw new ScriptError(
        `Dict keys must contain only a single type. Expected: ${T.typeReprStr(keys[i - 1]!.type)} but found ${T.typeReprStr(keys[i]!.type)} instead`,
        keyTree.range,
      );
    }
    valueType = T.unifyTypes(valueType!, values[i]!.type, true)!;
  });
  const natural = (): Type =>
    keys.length === 0 ? T.dictOf(T.StringT, T.TensorT) : T.dictOf(keys[0]!.type, valueType!);
  let refined: Type;
  if (hint) {
    const narrowed = refineHint(hint, "Dict", tree.range);
    refined = narrowed.refined.kind === "Any" ? natural() : narrowed.refined;
    if (narrowed.candidates.length > 0) {
      if (values.length === 0) {
        throw new ScriptError(
          `Cannot assign an empty dict to a variable annotated to be type ${T.typeReprStr(hint)} because there are multiple possible Dict type candidates in the Union annotation`,
          tree.range,
        );
      }
      refined = chooseDict(narrowed.candidates, hint, keys[0]!.type, valueType!, tree.range);
    }
  } else refined = natural();
  if (refined.kind !== "Dict")
    throw new ScriptError(`Expected an annotation of type Dict but got ${T.typeReprStr(refined)}`, tree.range);
  if (values.length > 0) {
    if (!T.typesEqual(refined.key, keys[0]!.type)) {
      throw new ScriptError(
        `Type annotation was inferred to be ${T.typeReprStr(refined)}but the type of keys given by the dict literal is ${T.typeReprStr(keys[0]!.type)}`,
        tree.range,
      );
    }
    if (!T.isSubtypeOf(valueType!, refined.value)) {
      throw new ScriptError(
        `Type annotation was inferred to be \`${T.typeReprStr(refined)}\`, but the type of values given by the dict literal is ${T.typeReprStr(valueType!)}`,
        tree.range,
      );
    }
  }
  const node: Node = e.graph.insertNode(createDict(e.graph, refined.key, refined.value, keys, values));
  const union = unionHint(hint);
  return union ? insertUncheckedCast(e.graph, node.output, union) : node.output;
}
