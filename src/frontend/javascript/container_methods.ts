/** @file Methods of JavaScript's arrays, Maps and strings. Upstream: none. Spec: docs/scripting.md. */
import * as T from "../../core/type.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr } from "../ast.ts";
import { emitBuiltinCall, insertOp } from "../emit/emit_builtin.ts";
import type { EmitContext } from "../emit/emit_context.ts";
import type { FormCall, FormEmitter } from "../emit/form_value.ts";
import { NamedValue } from "../emit/named_value.ts";
import { IterableTree, RangeValue } from "../emit/iterables.ts";
import { MAX_TRIP_COUNT } from "../emit/loops.ts";
import { SimpleValue, asSimple, type SugaredValue } from "../emit/sugared_value.ts";
import { isTensor, refuseAt, shown } from "./operators.ts";

/** A call of a method on a value. */
export interface ContainerCall {
  readonly tree: FormCall;
  readonly object: Expr;
  readonly value: Value;
  readonly name: string;
  readonly args: readonly Expr[];
  readonly container: string;
}

type Method = (e: EmitContext, call: ContainerCall) => SugaredValue;

function op(e: EmitContext, call: ContainerCall, name: string, args: readonly NamedValue[]): SugaredValue {
  const { range } = call.tree.callee;
  return new SimpleValue(
    emitBuiltinCall(range, e.graph, name, args, [], NamedValue.of(call.value, "self", call.object.range)),
  );
}

function expect(call: ContainerCall, min: number, max = min): void {
  const { length } = call.args;
  if (length < min || length > max)
    refuseAt(
      call.tree.range,
      `${call.name} is compiled with ${min === max ? min : `${min} to ${max}`} arguments here, found ${length}`,
    );
}

/** A method of TorchScript's lists, dicts or strings with the same arguments. */
function same(name: string, min: number, max = min): Method {
  return (e, call) => {
    expect(call, min, max);
    return op(
      e,
      call,
      name,
      call.args.map((x) => e.named(x)),
    );
  };
}

function refused(message: string): Method {
  return (_e, call) => refuseAt(call.tree.range, message.replaceAll("$", shown(call.object, "xs")));
}

const slice: Method = (e, call) => {
  expect(call, 0, 2);
  const { range } = call.tree;
  const [start, end] = call.args.map((x) => e.parts.expr(e, x));
  const step = insertConstant(e.graph, 1, T.IntT, range);
  const bound = (value: Value | undefined, name: string): NamedValue =>
    value ? NamedValue.of(value, name, range) : NamedValue.constant(null, T.NoneT, name);
  return new SimpleValue(
    emitBuiltinCall(range, e.graph, "aten::slice", [
      NamedValue.of(call.value, "self", range),
      bound(start, "start"),
      bound(end, "end"),
      NamedValue.of(step, "step", range),
    ]),
  );
};

const LIST: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["push", same("aten::append", 1)],
  ["pop", same("aten::pop", 0)],
  ["shift", (e, call) => (expect(call, 0), op(e, call, "aten::pop", [NamedValue.constant(0, T.IntT)]))],
  [
    "unshift",
    (e, call) => (
      expect(call, 1),
      op(e, call, "aten::insert", [NamedValue.constant(0, T.IntT), e.named(call.args[0]!)])
    ),
  ],
  ["reverse", same("aten::reverse", 0)],
  ["slice", slice],
  [
    "concat",
    (e, call) => {
      expect(call, 1);
      const other = e.named(call.args[0]!);
      if (other.type.kind !== "List")
        refuseAt(call.args[0]!.range, "concat takes an array here; write push for one element");
      return new SimpleValue(
        emitBuiltinCall(call.tree.range, e.graph, "aten::add", [NamedValue.of(call.value), other]),
      );
    },
  ],
  [
    "keys",
    (e, call) => {
      expect(call, 0);
      const { range } = call.tree;
      return new RangeValue(range, e.fn, [insertOp(e.graph, "aten::len", [call.value], range)]);
    },
  ],
  ["values", (_e, call) => (expect(call, 0), new SimpleValue(call.value))],
  ["forEach", refused("forEach is not compiled; write for (const x of $) { ... }")],
  ["map", refused("map takes an arrow function with an expression here: $.map((x) => x.relu())")],
  ["filter", refused("filter is not compiled; write a loop with push")],
  ["reduce", refused("reduce is not compiled; write a loop")],
  ["some", refused("some is not compiled; write a loop with a boolean")],
  ["every", refused("every is not compiled; write a loop with a boolean")],
  ["find", refused("find is not compiled; write a loop")],
  ["indexOf", refused("indexOf gives -1 for what is missing, which TorchScript does not; write a loop, or includes")],
  ["sort", refused("sort compares texts in JavaScript; write $.sort((a, b) => a - b)")],
  ["splice", refused("splice is not compiled; write slice and spread: [...$.slice(0, i), ...$.slice(i + 1)]")],
  ["flat", refused("flat is not compiled; write a loop with push")],
  ["fill", refused("fill is not compiled; write Array.from({ length: n }, () => value)")],
]);

function map(method: Method): Method {
  return (e, call) => {
    if (call.container === "record")
      refuseAt(
        call.tree.range,
        `${shown(call.object, "It")} is a record, which has no ${call.name}; write ${shown(call.object, "record")}.key, or make a Map`,
      );
    return method(e, call);
  };
}

const DICT: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["keys", map(same("aten::keys", 0))],
  ["values", map(same("aten::values", 0))],
  ["entries", map(same("aten::items", 0))],
  ["clear", map(same("aten::clear", 0))],
  ["set", refused("set is a statement of its own: $.set(key, value)")],
  ["delete", refused("delete is a statement of its own: $.delete(key)")],
  ["forEach", refused("forEach is not compiled; write for (const [key, value] of $) { ... }")],
]);

const STRING: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["startsWith", same("aten::startswith", 1)],
  ["endsWith", same("aten::endswith", 1)],
  ["split", same("aten::split", 1)],
  ["replaceAll", same("aten::replace", 2)],
  ["replace", refused("replace stops after the first match in JavaScript; write replaceAll")],
  ["concat", refused("Write a + b for texts")],
]);

/** Calls a method that arrays, Maps or strings have in JavaScript; undefined for other values. */
export function containerMethod(e: EmitContext, call: ContainerCall): SugaredValue | undefined {
  const { kind } = call.value.type;
  const table = kind === "List" ? LIST : kind === "Dict" ? DICT : kind === "String" ? STRING : undefined;
  if (!table) return undefined;
  if (call.tree.kwargs.length > 0) refuseAt(call.tree.range, `${call.name} takes no options`);
  const method = table.get(call.name);
  if (method) return method(e, call);
  const what = kind === "List" ? "arrays" : kind === "Dict" ? "Maps" : "strings";
  // a text's methods work on bytes in TorchScript
  return refuseAt(
    call.tree.callee.range,
    `${call.name} of ${what} is not compiled; compiled are ${[...table.keys()].filter((k) => !isRefused(table, k)).join(", ")}`,
  );
}

/** `list.includes(x)`, `map.has(k)`, `text.includes(part)`: Python's `in`, which evaluates the key first. */
export const containsForm: FormEmitter = (e, tree) => {
  const [object, keyTree, nameTree, containerTree] = tree.args as [Expr, Expr, Expr, Expr?];
  const name = nameTree.kind === "String" ? nameTree.value : "";
  const key = e.named(keyTree);
  const meaning = e.parts.sugared(e, object, 1);
  const value = asSimple(meaning);
  const kind = value?.type.kind;
  if (!value && meaning.kind() === "module" && name === "has")
    return meaning.attr(tree.range, e.fn, "__contains__").call(tree.range, e.fn, [key], [], 1);
  if (!value || (kind !== "List" && kind !== "Dict" && kind !== "String"))
    return meaning.attr(tree.range, e.fn, name).call(tree.range, e.fn, [key], [], 1);
  if ((kind === "Dict") !== (name === "has"))
    refuseAt(
      tree.range,
      kind === "Dict" ? "Maps have has(key), not includes" : "has is a method of Maps; write includes",
    );
  if (containerTree?.kind === "String" && containerTree.value === "record" && kind === "Dict")
    refuseAt(
      tree.range,
      `${shown(object, "It")} is a record, which has no ${name}; write "key" in ${shown(object, "record")}`,
    );
  if (kind === "List" && !["Int", "String", "Bool"].includes(key.type.kind)) {
    refuseAt(
      tree.range,
      isTensor(key.type)
        ? "includes compares the identity of tensors in JavaScript; write a loop with torch.equal(a, b)"
        : `includes is compiled for ints, strings and booleans, found ${T.typeReprStr(key.type)}`,
    );
  }
  return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::__contains__", [NamedValue.of(value), key]));
};

/** `texts.join(separator)`. */
export const joinForm: FormEmitter = (e, tree) => {
  const [object, separatorTree] = tree.args as [Expr, Expr];
  const separator = e.parts.expr(e, separatorTree);
  const value = e.parts.expr(e, object);
  if (value.type.kind !== "List" || value.type.element.kind !== "String")
    refuseAt(
      tree.range,
      "join is compiled for arrays of strings; map the elements to texts before: xs.map((n) => `${n}`)",
    );
  const self = NamedValue.of(separator, "self");
  return new SimpleValue(emitBuiltinCall(tree.range, e.graph, "aten::join", [NamedValue.of(value)], [], self));
};

/** `list.entries()`: Python's `enumerate`; of a Map its items. */
export const entriesForm: FormEmitter = (e, tree) => {
  const { range } = tree;
  const end = e.literal(MAX_TRIP_COUNT, MAX_TRIP_COUNT, T.IntT, range);
  const meaning = e.parts.sugared(e, tree.args[0]!, 1);
  const value = asSimple(meaning);
  if (value?.type.kind === "Dict") return new SimpleValue(insertOp(e.graph, "aten::items", [value], range));
  if (value && value.type.kind !== "List" && value.type.kind !== "Tuple")
    refuseAt(range, `entries is compiled for arrays and Maps, found ${T.typeReprStr(value.type)}`);
  const iterable = meaning.iter(range, e.fn);
  const pairs = new IterableTree();
  pairs.addChild(range, new RangeValue(range, e.fn, [end], iterable.staticLength()));
  pairs.addChild(range, iterable);
  return pairs;
};

const REFUSED_NAMES = new Set(
  "forEach map filter reduce some every find indexOf sort splice flat fill set delete replace concat".split(" "),
);
function isRefused(table: ReadonlyMap<string, Method>, name: string): boolean {
  if (name === "concat") return table === STRING;
  return REFUSED_NAMES.has(name);
}
