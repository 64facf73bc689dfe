/** @file Things that look like calls but evaluate their arguments in their own way: annotate, getattr, range, fork, ... Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (emitApplySpecialForm). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import {
  createNone,
  createObject,
  createTuple,
  createUninitialized,
  insertToList,
  insertUncheckedCast,
  unpackTuple,
} from "../../ir/build_nodes.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr } from "../ast.ts";
import { emitArguments, emitDeferred, emitKeywords } from "./calls.ts";
import { emitDictCall, emitListCall } from "./constructors.ts";
import { bracketRange, type EmitContext } from "./emit_context.ts";
import { FormValue } from "./form_value.ts";
import { IterableTree, RangeValue } from "./iterables.ts";
import { MAX_TRIP_COUNT } from "./loops.ts";
import { toValues } from "./named_value.ts";
import { tryConvertToType } from "./schema_matching.ts";
import { ClassValue } from "./sugared_callable.ts";
import { SimpleValue, type SpecialFormValue, type SugaredValue } from "./sugared_value.ts";

type Apply = Expr & { kind: "Apply" };
type Form = (e: EmitContext, tree: Apply, hint: Type | undefined) => SugaredValue;

function calleeName(tree: Apply): string {
  return tree.callee.kind === "Var"
    ? tree.callee.name.name
    : tree.callee.kind === "Select"
      ? tree.callee.selector.name
      : "this function";
}

function checkArguments(tree: Apply, min: number, max = min): void {
  const count = tree.args.length;
  if (count < min || count > max) {
    const what =
      min === max
        ? `expected exactly ${min} arguments but found ${count}`
        : `expected to have number of arguments between ${min} and ${max} but found ${count}`;
    throw new ScriptError(`${calleeName(tree)} ${what}`, tree.range);
  }
  if (tree.kwargs.length > 0) throw new ScriptError(`${calleeName(tree)} takes no keyword arguments`, tree.range);
}

function mayBeNone(type: Type): boolean {
  return type.kind === "Optional" || (type.kind === "Union" && type.members.some((m) => m.kind === "None"));
}

/** `annotate(T, value)`. */
function emitAnnotate(e: EmitContext, tree: Apply): SugaredValue {
  checkArguments(tree, 2);
  const type = e.types.parseTypeFromExpr(tree.args[0]!);
  let value = tryConvertToType(tree.range, e.graph, type, e.parts.expr(e, tree.args[1]!, type), true);
  const whyNot: T.WhyNot = { text: "" };
  if (!T.isSubtypeOf(value.type, type, whyNot)) {
    throw new ScriptError(
      `expected an expression of type ${T.typeReprStr(type)} but found ${T.typeReprStr(value.type)}\n${whyNot.text}`,
      bracketRange(tree.callee.range, tree.args),
    );
  }
  // None that remembers what it could have been
  if (mayBeNone(type) && T.isSubtypeOf(value.type, T.NoneT)) {
    const none = createNone(e.graph);
    none.output.setType(type);
    value = e.graph.insertNode(none).output;
  }
  return new SimpleValue(value);
}

/** `unchecked_cast(T, value)`. */
function emitUncheckedCast(e: EmitContext, tree: Apply): SugaredValue {
  checkArguments(tree, 2);
  const type = e.types.parseTypeFromExpr(tree.args[0]!);
  const value = e.parts.expr(e, tree.args[1]!);
  // saved code says every cast, also those that a refinement makes again
  if (value.node.kind === "prim::unchecked_cast" && T.typesEqual(value.type, type)) return new SimpleValue(value);
  return new SimpleValue(insertUncheckedCast(e.graph, value, type));
}

/** `getattr(object, "name")`, `getattr(object, "name", default)`. */
function emitGetAttr(e: EmitContext, tree: Apply): SugaredValue {
  checkArguments(tree, 2, 3);
  const object = e.parts.sugared(e, tree.args[0]!, 1);
  const selector = tree.args[1]!;
  if (selector.kind !== "String")
    throw new ScriptError("getattr's second argument must be a string literal", tree.range);
  if (tree.args.length === 2 || object.hasAttr(tree.range, e.fn, selector.value))
    return object.attr(tree.range, e.fn, selector.value);
  return e.parts.sugared(e, tree.args[2]!, 1);
}

function emitDeferredForm(kind: "prim::forkClosure" | "prim::awaitableClosure", name: string): Form {
  return (e, tree) => {
    const [first, ...rest] = tree.args;
    if (!first) throw new ScriptError(`Expected at least one argument to ${name}()`, tree.range);
    const callee = e.parts.sugared(e, first, 1);
    const args = emitArguments(e, rest);
    return emitDeferred(e, kind, tree.range, callee, args, emitKeywords(e, tree.kwargs));
  };
}

/** `tuple(iterable)`. */
function emitTupleCall(e: EmitContext, tree: Apply): SugaredValue {
  checkArguments(tree, 1);
  const elements = e.parts.sugared(e, tree.args[0]!, 1).asTuple(tree.range, e.fn);
  const values = elements.map((x) => x.asValue(tree.range, e.fn));
  return new SimpleValue(e.graph.insertNode(createTuple(e.graph, values)).output);
}

/** `tensor.tolist()`: the annotation around says what becomes of it. */
function emitToList(e: EmitContext, tree: Apply, hint: Type | undefined): SugaredValue {
  if (tree.callee.kind !== "Select") throw new ScriptError("tolist must be called on a tensor", tree.range);
  const { value } = tree.callee;
  const operand = e.parts.sugared(e, value, 1);
  if (!hint) throw new ScriptError("Expected type hint for result of tolist()", tree.range);
  return new SimpleValue(insertToList(e.graph, operand.asValue(value.range, e.fn), hint, tree.range));
}

/** `Class.__new__(Class)`. */
function emitNew(e: EmitContext, tree: Apply): SugaredValue {
  if (tree.args.length !== 1) throw new ScriptError("Only one argument to __new__ allowed", tree.range);
  const cls = e.parts.sugared(e, tree.args[0]!, 1);
  if (!(cls instanceof ClassValue))
    throw new ScriptError(`Expected class value as argument to __new__, got ${cls.kind()} instead`, tree.range);
  return new SimpleValue(e.graph.insertNode(createObject(e.graph, cls.type)).setSourceRange(tree.range).output);
}

function emitEnumerate(e: EmitContext, tree: Apply): SugaredValue {
  const { range, args, kwargs } = tree;
  const value = (x: Expr): Value => e.parts.sugared(e, x, 1).asValue(range, e.fn);
  if (args.length === 0) throw new ScriptError("enumerate expected at least 1 arguments, got 0", range);
  let start = args.length === 2 ? value(args[1]!) : undefined;
  if (args.length + kwargs.length > 2)
    throw new ScriptError(`enumerate expected at most 2 arguments, got ${args.length + kwargs.length}`, range);
  const [keyword] = kwargs;
  if (keyword) {
    if (keyword.name.name !== "start")
      throw new ScriptError(`enumerate expected kwarg name 'start', got '${keyword.name.name}'`, range);
    start = value(keyword.value);
  }
  const end = e.literal(MAX_TRIP_COUNT, MAX_TRIP_COUNT, T.IntT, range);
  const iterable = e.parts.sugared(e, args[0]!, 1).iter(range, e.fn);
  // the index runs as long as the other
  const index = new RangeValue(range, e.fn, start ? [start, end] : [end], iterable.staticLength());
  const pairs = new IterableTree();
  pairs.addChild(range, index);
  pairs.addChild(range, iterable);
  return pairs;
}

function emitZip(e: EmitContext, tree: Apply): SugaredValue {
  if (tree.args.length === 0) throw new ScriptError("zip expected at least 1 arguments, got 0", tree.range);
  const tuples = new IterableTree();
  for (const arg of tree.args) tuples.addChild(tree.range, e.parts.sugared(e, arg, 1).iter(tree.range, e.fn));
  return tuples;
}

/** `tensor.__getitem__(index)`. */
function emitGetItem(e: EmitContext, tree: Apply): SugaredValue {
  const { range } = tree;
  if (tree.callee.kind !== "Select") throw new ScriptError("__getitem__ must be called on a tensor", range);
  const self = e.parts.sugared(e, tree.callee.value, 1).asValue(range, e.fn);
  if (tree.args.length !== 1)
    throw new ScriptError(`__getitem__ expected exactly 1 arguments, got ${tree.args.length}`, range);
  const index = e.parts.sugared(e, tree.args[0]!, 1).asValue(range, e.fn);
  return new SimpleValue(
    e.parts.index(e, range, self, index.type.kind === "Tuple" ? unpackTuple(e.graph, index) : [index]),
  );
}

function unsupported(name: string): Form {
  return (_e, tree) => {
    throw new ScriptError(`${name} is not supported: remote calls need a cluster`, tree.range);
  };
}

/** One entry per special form. */
const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ["prim::fork", emitDeferredForm("prim::forkClosure", "fork")],
  ["prim::awaitable", emitDeferredForm("prim::awaitableClosure", "awaitable")],
  ["prim::annotate", emitAnnotate],
  ["prim::unchecked_cast", emitUncheckedCast],
  ["prim::GetAttr", emitGetAttr],
  [
    "prim::Uninitialized",
    (e, tree) => {
      checkArguments(tree, 1);
      const type = e.types.parseTypeFromExpr(tree.args[0]!);
      return new SimpleValue(e.graph.insertNode(createUninitialized(e.graph, type)).setSourceRange(tree.range).output);
    },
  ],
  ["prim::TupleConstruct", emitTupleCall],
  [
    "prim::isinstance",
    (e, tree) => {
      checkArguments(tree, 2);
      return new SimpleValue(e.parts.isInstance(e, tree.args[0]!, tree.args[1]!).value);
    },
  ],
  [
    "prim::HasAttr",
    (e, tree) => {
      checkArguments(tree, 2);
      return new SimpleValue(e.parts.hasAttr(e, tree.args[0]!, tree.args[1]!).value);
    },
  ],
  ["prim::tolist", emitToList],
  ["prim::CreateObject", emitNew],
  ["prim::range", (e, tree) => new RangeValue(tree.range, e.fn, toValues(e.graph, emitArguments(e, tree.args)))],
  ["prim::enumerate", emitEnumerate],
  ["prim::zip", emitZip],
  ["prim::list", emitListCall],
  ["prim::dict", emitDictCall],
  ["aten::index", emitGetItem],
  ["prim::rpc_async", unsupported("rpc_async")],
  ["prim::rpc_sync", unsupported("rpc_sync")],
  ["prim::rpc_remote", unsupported("rpc_remote")],
]);

/** Evaluates the call of a special form. */
export function emitSpecialForm(
  e: EmitContext,
  value: SpecialFormValue,
  tree: Apply,
  hint: Type | undefined,
): SugaredValue {
  if (value instanceof FormValue) return value.emit(e, tree, hint);
  const form = FORMS.get(value.form);
  if (!form) throw new ScriptError(`unknown special form: ${value.form}`, tree.range);
  return form(e, tree, hint);
}
