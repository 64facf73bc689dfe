/** @file Forms of calls and properties: what a name behind a dot means depends on the type before it. Upstream: none. Spec: docs/scripting.md. */
import { snakeCase } from "../../base/names.ts";
import type { Argument } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Expr, KeywordArgument } from "../ast.ts";
import { emitArguments } from "../emit/calls.ts";
import { insertOp } from "../emit/emit_builtin.ts";
import type { EmitContext } from "../emit/emit_context.ts";
import { FormValue, type FormCall, type FormEmitter } from "../emit/form_value.ts";
import { globalValue } from "../emit/globals.ts";
import { NamedValue } from "../emit/named_value.ts";
import { emitSpecialForm } from "../emit/special_forms.ts";
import { BuiltinFunction, SimpleValue, SpecialFormValue, asSimple, type SugaredValue } from "../emit/sugared_value.ts";
import { containerMethod, containsForm, entriesForm, joinForm } from "./container_methods.ts";
import { isTensor, refuseAt, shown } from "./operators.ts";

/** The parameters of what is called, where they are known before the arguments are. */
function formalsOf(meaning: SugaredValue, tree: FormCall, e: EmitContext): readonly Argument[] | undefined {
  const known = meaning.formals(tree.callee.range, e.fn);
  if (known) return known;
  if (meaning.kind() === "module" || asSimple(meaning)?.type.kind === "Class")
    return meaning.attr(tree.range, e.fn, "forward").formals(tree.range, e.fn);
  return undefined;
}

function keywordName(name: string, formals: readonly Argument[] | undefined): string {
  if (!/[A-Z]/.test(name) || formals?.some((f) => f.name === name)) return name;
  return snakeCase(name);
}

/** Whether an argument's tree needs to know what is wanted of it. */
function wantsHint(tree: Expr): boolean {
  if (tree.kind === "Ternary") return wantsHint(tree.yes) || wantsHint(tree.no);
  return tree.kind === "Apply" && tree.callee.kind === "Var" && /^\$js:(array|tuple)$/.test(tree.callee.name.name);
}

/** The hint for an array literal: an argument is converted to its parameter's type as a whole, so null does not concern the literal. */
function literalHint(tree: Expr, type: Type | undefined): Type | undefined {
  return tree.kind === "Apply" && type?.kind === "Optional" ? type.element : type;
}

/** Calls a meaning with trees: array literals become what the parameters ask for, keyword names PyTorch's. */
function emitCall(
  e: EmitContext,
  meaning: SugaredValue,
  tree: FormCall,
  callee: Expr,
  given: readonly Expr[],
  hint: Type | undefined,
): SugaredValue {
  if (meaning instanceof SpecialFormValue) return emitSpecialForm(e, meaning, { ...tree, callee, args: given }, hint);
  checkOpenNumbers(meaning, tree, given);
  let { kwargs } = tree;
  let trees = given;
  const needsFormals = kwargs.length > 0 || trees.some(wantsHint);
  const formals = needsFormals ? formalsOf(meaning, tree, e) : undefined;
  const expected = (name: string): Type | undefined => formals?.find((f) => f.name === name)?.type;
  // an object for a parameter that is a dict
  const next = formals?.[trees.length]?.type;
  const nextDict = next?.kind === "Optional" ? next.element : next;
  if (
    kwargs.length > 0 &&
    nextDict?.kind === "Dict" &&
    !kwargs.some((k) => formals!.some((f) => f.name === k.name.name))
  ) {
    trees = [...trees, dictOf(kwargs, tree)];
    kwargs = [];
  }
  const args = trees.flatMap((x, i) =>
    wantsHint(x)
      ? [NamedValue.of(e.parts.expr(e, x, literalHint(x, formals?.[i]?.type)), undefined, x.range)]
      : emitArguments(e, [x]),
  );
  const named = kwargs.map((k) => {
    const name = keywordName(k.name.name, formals);
    const type = wantsHint(k.value) ? literalHint(k.value, expected(name)) : undefined;
    return NamedValue.of(e.parts.expr(e, k.value, type), name, k.range);
  });
  return meaning.call(tree.callee.range, e.fn, args, named, 1);
}

function dictOf(kwargs: readonly KeywordArgument[], tree: FormCall): Expr {
  return {
    kind: "Dict",
    keys: kwargs.map((k) => ({ kind: "String", value: k.name.name, range: k.name.range })),
    values: kwargs.map((k) => k.value),
    range: tree.range,
  };
}

/** Operators whose dtype follows the numbers: a whole float is an int for the eager functions. */
const OPEN_NUMBERS = new Set(["aten::tensor", "aten::full", "aten::arange", "aten::scalar_tensor"]);

function numbersIn(tree: Expr): string[] {
  if (tree.kind === "Number") return [tree.text];
  if (tree.kind === "Unary") return numbersIn(tree.operand);
  return tree.kind === "Apply" ? tree.args.flatMap(numbersIn) : [];
}

function checkOpenNumbers(meaning: SugaredValue, tree: FormCall, args: readonly Expr[]): void {
  if (!(meaning instanceof BuiltinFunction) || !OPEN_NUMBERS.has(meaning.name)) return;
  if (tree.kwargs.some((k) => k.name.name === "dtype")) return;
  const numbers = args.flatMap(numbersIn);
  const wholeFloat = numbers.find((n) => /[.e]/i.test(n) && Number.isInteger(Number(n)));
  if (wholeFloat === undefined || numbers.some((n) => !Number.isInteger(Number(n)))) return;
  refuseAt(
    tree.range,
    `JavaScript's ${wholeFloat} is the int ${Number(wholeFloat)}, which decides the dtype here; give it: { dtype: torch.float32 }`,
  );
}

/** `callee(args)`. */
function callForm(twice: boolean): FormEmitter {
  return (e, tree, hint) => {
    const [callee, ...args] = tree.args as [Expr, ...Expr[]];
    if (twice) e.parts.sugared(e, callee, 1);
    return emitCall(e, e.parts.sugared(e, callee, 1), tree, callee, args, hint);
  };
}

/** Properties of tensors: the eager name and what it is in TorchScript. */
const TENSOR_PROPERTIES: ReadonlyMap<string, readonly [name: string, isMethod: boolean]> = new Map([
  ["shape", ["shape", false]],
  ["sizes", ["shape", false]],
  ["ndim", ["ndim", false]],
  ["dtype", ["dtype", false]],
  ["device", ["device", false]],
  ["requiresGrad", ["requires_grad", false]],
  ["numel", ["numel", true]],
  ["strides", ["stride", true]],
]);

/** Methods that the eager tensors name otherwise, or do not have. */
const TENSOR_METHODS: ReadonlyMap<string, string> = new Map([["isContiguous", "is_contiguous"]]);
const TENSOR_REFUSALS: ReadonlyMap<string, string> = new Map([
  ["numel", "numel is a property: write it without parentheses"],
  ["data", "data() gives a typed array, which TorchScript does not have; use tensor methods"],
  ["toString", "The text of a tensor differs between JavaScript and TorchScript; it is not compiled"],
]);

/** `object.name` where it is not called. */
const member: FormEmitter = (e, tree) => {
  const [objectTree, nameTree, containerTree] = tree.args as [Expr, Expr, Expr?];
  const name = stringOf(nameTree);
  const container = containerTree && stringOf(containerTree);
  const meaning = e.parts.sugared(e, objectTree, 1);
  const { range } = tree;
  const value = asSimple(meaning);
  if (!value) {
    const counts = name === "length" || (name === "size" && !meaning.hasAttr(range, e.fn, name));
    return counts ? new SimpleValue(meaning.len(range, e.fn)) : meaning.attr(range, e.fn, name);
  }
  const { type } = value;
  const length = (): SugaredValue => globalValue("len")!.call(range, e.fn, [NamedValue.of(value)], [], 0);
  switch (type.kind) {
    case "List":
      if (name === "length") return length();
      return refuseAt(range, `Arrays have no property ${name}`);
    case "Tuple":
      if (name === "length") return new SimpleValue(insertConstant(e.graph, type.elements.length, T.IntT, range));
      if (type.fieldNames?.includes(name)) return meaning.attr(range, e.fn, name);
      return refuseAt(range, `Tuples have no property ${name}`);
    case "String":
      return refuseAt(
        range,
        "TorchScript counts the bytes of a text, JavaScript its UTF-16 units; `length` is not compiled for strings",
      );
    case "Dict": {
      if (name === "size" && container !== "record") return length();
      if (container === "map" || type.key.kind !== "String")
        return refuseAt(range, `A Map's entries are no properties; write ${shown(objectTree, "map")}.get("${name}")`);
      const key = insertConstant(e.graph, name, T.StringT, nameTree.range);
      return new SimpleValue(insertOp(e.graph, "aten::__getitem__", [value, key], range));
    }
    case "Optional":
      return refuseAt(
        range,
        `${shown(objectTree, "It")} may be null; check \`${shown(objectTree, "x")} !== null\` before`,
      );
    default:
  }
  if (!isTensor(type)) return meaning.attr(range, e.fn, name);
  const property = TENSOR_PROPERTIES.get(name);
  if (!property)
    return refuseAt(
      range,
      `Tensors have no property ${name}; if it is a method, call it: ${shown(objectTree, "x")}.${name}()`,
    );
  const found = meaning.attr(range, e.fn, property[0]);
  return property[1] ? found.call(range, e.fn, [], [], 1) : found;
};

/** The value of a string tree. */
export function stringOf(tree: Expr): string {
  if (tree.kind !== "String") throw new Error("internal: a text is expected");
  return tree.value;
}

/** `object.name(args)`. */
function methodForm(twice: boolean): FormEmitter {
  return (e, tree, hint) => {
    const [object, nameTree, containerTree, ...args] = tree.args as [Expr, Expr, Expr, ...Expr[]];
    const name = stringOf(nameTree);
    if (twice) e.parts.sugared(e, object, 1);
    const meaning = e.parts.sugared(e, object, 1);
    const value = asSimple(meaning);
    const { range } = tree.callee;
    if (value) {
      const own = containerMethod(e, { tree, object, value, name, args, container: stringOf(containerTree) });
      if (own) return own;
      if (value.type.kind === "Optional" && value.type.element.kind !== "Any")
        refuseAt(range, `${shown(object, "It")} may be null; check \`${shown(object, "x")} !== null\` before`);
      if (isTensor(value.type)) {
        const refusal = TENSOR_REFUSALS.get(name);
        if (refusal !== undefined) refuseAt(range, refusal);
      }
    }
    // a module called where its type says nothing of the arguments
    if (name === "callWith" && (!value || value.type.kind === "Class"))
      return emitCall(e, meaning, tree, object, args, hint);
    const method = value && isTensor(value.type) ? (TENSOR_METHODS.get(name) ?? name) : name;
    const selected: Expr = { kind: "Select", value: object, selector: { name: method, range: nameTree.range }, range };
    return emitCall(e, meaning.attr(range, e.fn, method), tree, selected, args, hint);
  };
}

/** What is indexed with brackets. */
const indexable: FormEmitter = (e, tree) => {
  const [object, containerTree] = tree.args as [Expr, Expr?];
  const container = containerTree && stringOf(containerTree);
  const meaning = e.parts.sugared(e, object, 1);
  const value = asSimple(meaning);
  if (!value) return meaning;
  const { type } = value;
  const text = shown(object, "x");
  if (isTensor(type))
    refuseAt(
      tree.range,
      `Tensors have no elements in brackets in JavaScript; write ${text}.at(i) or ${text}.at(torch.slice(from, to))`,
    );
  if (type.kind === "String")
    refuseAt(
      tree.range,
      "Characters of a text are counted differently in both languages; use split, startsWith or includes",
    );
  if (type.kind === "Dict" && (container === "map" || type.key.kind !== "String"))
    refuseAt(tree.range, `A Map has no elements in brackets; write ${text}.get(key) and ${text}.set(key, value)`);
  if (type.kind === "Optional") refuseAt(tree.range, `${text} may be null; check \`${text} !== null\` before`);
  return meaning;
};

/** The object of `at`, `get`, `set` and `delete`. */
const subscripted: FormEmitter = (e, tree) => {
  const [object, nameTree, containerTree] = tree.args as [Expr, Expr, Expr?];
  const name = stringOf(nameTree);
  const meaning = e.parts.sugared(e, object, 1);
  const type = asSimple(meaning)?.type;
  // containers of modules
  if (!type && meaning.kind() === "module" && (name === "at" || name === "get")) return meaning;
  if (type && isTensor(type) && name !== "delete") return meaning;
  const text = shown(object, "x");
  if (type?.kind === "Dict" && name !== "at") {
    if (containerTree && stringOf(containerTree) === "record")
      refuseAt(tree.range, `${text} is a record, which has no ${name}; write ${text}.key, or make a Map`);
    return meaning;
  }
  if ((type?.kind === "List" || type?.kind === "Tuple") && name === "at") return meaning;
  if (type?.kind === "Optional") refuseAt(tree.range, `${text} may be null; check \`${text} !== null\` before`);
  const instead = type?.kind === "List" ? `; write ${text}[i]` : "";
  return refuseAt(tree.range, `${name} is not compiled for ${type ? T.typeReprStr(type) : meaning.kind()}${instead}`);
};

/** What a `for` runs over. */
const elements: FormEmitter = (e, tree) => {
  const [object] = tree.args as [Expr];
  const meaning = e.parts.sugared(e, object, 1);
  const value = asSimple(meaning);
  if (!value) return meaning;
  const text = shown(object, "x");
  switch (value.type.kind) {
    case "Dict":
      // a Map gives pairs
      return new SimpleValue(insertOp(e.graph, "aten::items", [value], tree.range));
    case "String":
      return refuseAt(tree.range, "JavaScript runs over code points, TorchScript over bytes; use split");
    case "Optional":
      return refuseAt(tree.range, `${text} may be null; check \`${text} !== null\` before`);
    default:
      return meaning;
  }
};

const enumerate: FormEmitter = (e, tree, hint) =>
  emitSpecialForm(e, new SpecialFormValue("prim::enumerate"), tree, hint);

/** `map.get(k) ?? value`. */
const getOr: FormEmitter = (e, tree) => {
  const [object, key, fallback] = tree.args as [Expr, Expr, Expr];
  const meaning = e.parts.sugared(e, object, 1);
  const value = asSimple(meaning);
  if (value?.type.kind !== "Dict") return refuseAt(object.range, "`get(key) ?? value` is compiled for Maps");
  if (value.type.value.kind === "Optional")
    refuseAt(tree.range, "The value may be null, which `??` takes for missing; write map.has(key) ? ... : ...");
  return meaning.attr(tree.range, e.fn, "get").call(tree.range, e.fn, [e.named(key), e.named(fallback)], [], 1);
};

/** Methods of `Object` on records. */
function objectForm(method: "keys" | "values" | "items"): FormEmitter {
  return (e, tree) => {
    const [arg] = tree.args;
    if (!arg || tree.args.length !== 1) return refuseAt(tree.range, "It takes one record");
    const meaning = e.parts.sugared(e, arg, 1);
    const type = asSimple(meaning)?.type;
    if (type?.kind !== "Dict" || type.key.kind !== "String")
      return refuseAt(tree.range, "It takes a record with texts as keys; a Map has keys(), values(), entries()");
    return meaning.attr(tree.range, e.fn, method).call(tree.range, e.fn, [], [], 1);
  };
}

/** `xs.sort((a, b) => a - b)`. */
function sortForm(descending: boolean): FormEmitter {
  return (e, tree) => {
    const meaning = e.parts.sugared(e, tree.args[0]!, 1);
    const type = asSimple(meaning)?.type;
    if (type?.kind !== "List" || (type.element.kind !== "Int" && type.element.kind !== "Float"))
      return refuseAt(tree.range, "Arrays of numbers can be sorted so");
    const reverse = descending ? [NamedValue.constant(true, T.BoolT, "reverse")] : [];
    return meaning.attr(tree.callee.range, e.fn, "sort").call(tree.callee.range, e.fn, [], reverse, 1);
  };
}

/** The forms of calls, by name. */
export function callForms(): [string, SugaredValue][] {
  const forms: [string, FormEmitter][] = [
    ["call", callForm(false)],
    ["call2", callForm(true)],
    ["method", methodForm(false)],
    ["method2", methodForm(true)],
    ["member", member],
    ["indexable", indexable],
    ["subscripted", subscripted],
    ["elements", elements],
    ["enumerate", enumerate],
    ["entries", entriesForm],
    ["contains", containsForm],
    ["join", joinForm],
    ["getOr", getOr],
    ["sort", sortForm(false)],
    ["sortDown", sortForm(true)],
    ["Object.keys", objectForm("keys")],
    ["Object.values", objectForm("values")],
    ["Object.entries", objectForm("items")],
  ];
  return forms.map(([name, emit]) => [name, new FormValue(`js::${name}`, emit)]);
}
