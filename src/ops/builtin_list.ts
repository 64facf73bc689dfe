/** @file List operators: access, change, search, order, arithmetic. Upstream: torch/csrc/jit/runtime/register_ops_utils.cpp, register_prim_ops_fulljit.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { compareBytes } from "../base/byte_string.ts";
import { formatG } from "../base/float_text.ts";
import { LIMITS } from "../base/limits.ts";
import { valueType } from "../core/ivalue_text.ts";
import { builtin, callOperator } from "../core/operator_registry.ts";
import { callFunction, typedBuiltin } from "../core/typed_builtin.ts";
import { AnyT, typeReprStr, typeStr, typesEqual, type Type } from "../core/type.ts";
import { cppTensorText } from "../tensor/cpp_text.ts";
import { Complex, Float, type Int } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { addInt } from "./builtin_int.ts";
import { isNonzero } from "./builtin_convert.ts";
import { sliceIndices, toIndex } from "./slice_indices.ts";

type List = unknown[];

/** The position of a Python index. */
function at(list: List, index: Int): number {
  const i = toIndex(index);
  const position = i < 0 ? list.length + i : i;
  if (position < 0 || position >= list.length) throw new OperatorError("list index out of range");
  return position;
}
const getItem = (list: List, index: Int): unknown => list[at(list, index)];

builtin("aten::__getitem__.t(t[](a) list, int idx) -> t(*)", getItem);
builtin("aten::select.t(t[](a) list, int idx) -> t(*)", getItem);
builtin("aten::_set_item.t(t[](a!) l, int idx, t(b -> *) el) -> t[](a!)", (list: List, index: Int, value: unknown) => {
  list[at(list, index)] = value;
  return list;
});
builtin("aten::len.t(t[] a) -> int", (list: List) => list.length);
builtin("aten::len.any(Any[] a) -> int", (list: List) => list.length);
builtin("aten::append.t(t[](a!) self, t(c -> *) el) -> t[](a!)", (list: List, value: unknown) => {
  list.push(value);
  return list;
});
builtin("aten::extend.t(t[](a!) self, t[] other) -> ()", (list: List, other: List) => {
  appendAll(list, other);
});
builtin("aten::insert.t(t[](a!) self, int idx, t(b -> *) el) -> ()", (list: List, index: Int, value: unknown) => {
  const i = toIndex(index);
  list.splice(i < 0 ? Math.max(0, list.length + i) : Math.min(i, list.length), 0, value);
});
function popAt(list: List, index: Int, emptyMessage: string): unknown {
  if (list.length === 0) throw new OperatorError(emptyMessage);
  const position = at(list, index);
  return position === list.length - 1 ? list.pop() : list.splice(position, 1)[0];
}
builtin("aten::pop.t(t[](a!) self, int idx=-1) -> t(*)", (list: List, index: Int) =>
  popAt(list, index, "pop from empty list"),
);
builtin("aten::Delete.t(t[](a!) self, int idx) -> ()", (list: List, index: Int) => {
  popAt(list, index, "pop index out of range");
});
builtin("aten::clear.t(t[](a!) self) -> ()", (list: List) => {
  list.length = 0;
});
builtin("aten::reverse.t(t[](a!) self) -> ()", (list: List) => {
  list.reverse();
});
builtin("aten::copy.t(t[](a) self) -> t[]", (list: List) => [...list]);
builtin("aten::list.t(t[] l) -> t[]", (list: List) => [...list]);
builtin(
  "aten::slice.t(t[] l, int? start=None, int? end=None, int step=1) -> t[]",
  (list: List, start: Int | null, end: Int | null, step: Int) => {
    const [from, count, by] = sliceIndices(list.length, start, end, step);
    if (by === 1) return list.slice(from, from + count);
    return Array.from({ length: count }, (_, k) => list[from + k * by]);
  },
);

function checkLength(length: number): void {
  if (!(length >= 0 && length <= LIMITS.maxPickleItems)) throw new OperatorError("vector::reserve");
}
function appendAll(list: List, other: List): void {
  checkLength(list.length + other.length);
  // also right where both are the same list
  for (let i = 0, n = other.length; i < n; i++) list.push(other[i]);
}
function repeat(list: List, count: Int): List {
  const n = toIndex(count);
  checkLength(list.length * n);
  const out: List = [];
  for (let k = 0; k < n && list.length > 0; k++) for (const value of list) out.push(value);
  return out;
}
builtin("aten::add.t(t[] a, t[] b) -> t[]", (a: List, b: List) => [...a, ...b]);
builtin("aten::add_.t(t[](a!) self, t[] b) -> t[]", (a: List, b: List) => {
  appendAll(a, b);
  return a;
});
builtin("aten::mul.left_t(t[] l, int n) -> t[]", repeat);
builtin("aten::mul.right_(int n, t[] l) -> t[]", (n: Int, list: List) => repeat(list, n));
builtin("aten::mul_.t(t[](a!) l, int n) -> t[](a!)", (list: List, n: Int) => {
  const out = n <= 0 ? [] : repeat(list, n);
  list.length = 0;
  appendAll(list, out);
  return list;
});
builtin("prim::rangelist(int n) -> int[]", (n: Int) => {
  checkLength(Math.max(0, toIndex(n)));
  return Array.from({ length: Math.max(0, toIndex(n)) }, (_, i) => i);
});
builtin("aten::Size(int[] sizes) -> int[]", (sizes: List) => sizes);

// lists of one kind of element
type Equal = (a: unknown, b: unknown) => boolean;
const identical: Equal = (a, b) => a === b;
const equalTensors: Equal = (a, b) => isNonzero(callOperator("aten::eq.Tensor", [a, b]) as Tensor);
const lessTensors = (a: unknown, b: unknown): boolean => isNonzero(callOperator("aten::lt.Tensor", [a, b]) as Tensor);
const lessNumbers = (a: unknown, b: unknown): boolean => (a as number) < (b as number);

interface ElementKind {
  readonly name: string;
  readonly equal: Equal;
  readonly less: (a: unknown, b: unknown) => boolean;
  /** Text in "... is not in list". */
  readonly text: (value: unknown) => string;
}
const KINDS: readonly ElementKind[] = [
  { name: "int", equal: identical, less: lessNumbers, text: String },
  { name: "float", equal: identical, less: lessNumbers, text: (v) => formatG(v as number, 6) },
  { name: "bool", equal: identical, less: lessNumbers, text: (v) => (v ? "1" : "0") },
  { name: "str", equal: identical, less: (a, b) => compareBytes(a as string, b as string) < 0, text: String },
  {
    name: "Tensor",
    equal: equalTensors,
    less: lessTensors,
    text: (v) => cppTensorText(v as Tensor).replace(/\[ CPU(\w+)Type\{/, "[ torch.$1Tensor{"),
  },
];

const listsEqual = (a: List, b: List, equal: Equal): boolean =>
  a.length === b.length && a.every((v, i) => equal(v, b[i]));

/** Negative, zero or positive by `less`. */
function comparison(less: (a: unknown, b: unknown) => boolean, reverse: boolean): (a: unknown, b: unknown) => number {
  const sign = reverse ? 1 : -1;
  // V8 gives the later element first; PyTorch's errors name the earlier one first
  return (a, b) => (a === b ? 0 : less(b, a) ? -sign : less(a, b) ? sign : 0);
}

for (const { name, equal, less, text } of KINDS) {
  const list = name === "Tensor" ? "Tensor_list" : `${name}_list`;
  builtin(`aten::eq.${list}(${name}[] a, ${name}[] b) -> bool`, (a: List, b: List) => listsEqual(a, b, equal));
  builtin(`aten::ne.${list}(${name}[] a, ${name}[] b) -> bool`, (a: List, b: List) => !listsEqual(a, b, equal));
  builtin(`aten::count.${name}(${name}[] self, ${name} el) -> int`, (l: List, v: unknown) =>
    l.reduce<number>((n, x) => n + Number(equal(v, x)), 0),
  );
  builtin(`aten::index.list_${name}(${name}[] self, ${name} el) -> int`, (l: List, v: unknown) => {
    const found = l.findIndex((x) => equal(v, x));
    if (found < 0) throw new OperatorError(`'${text(v)}' is not in list`);
    return found;
  });
  builtin(`aten::remove.${name}(${name}[](a!) self, ${name} el) -> ()`, (l: List, v: unknown) => {
    const found = l.findIndex((x) => equal(v, x));
    if (found < 0) throw new OperatorError("list.remove(x): x not in list");
    l.splice(found, 1);
  });
  builtin(`aten::sort.${name}(${name}[](a!) self, bool reverse=False) -> ()`, (l: List, reverse: boolean) => {
    l.sort(comparison(less, reverse));
  });
  builtin(`aten::sorted.${name}(${name}[](a) input) -> ${name}[]`, (l: List) => [...l].sort(comparison(less, false)));
}
for (const name of ["int", "str", "float"]) {
  builtin(`aten::__contains__.${name}_list(${name}[] l, ${name} item) -> bool`, (l: List, v: unknown) =>
    l.some((x) => x === v),
  );
}

// min, max, sum, any, all
for (const name of ["int", "float", "bool"]) {
  for (const [op, better] of [
    ["min", (a: number, b: number) => a < b],
    ["max", (a: number, b: number) => a > b],
  ] as const) {
    builtin(`prim::${op}.${name}_list(${name}[] l, ${name}[] r) -> ${name}[]`, (a: number[], b: number[]) => {
      for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return better(a[i]!, b[i]!) ? a : b;
      return better(a.length, b.length) ? a : b;
    });
    builtin(`prim::${op}.self_${name}(${name}[] self) -> ${name}`, (l: number[]) => {
      if (l.length === 0) throw new OperatorError(`${op}() arg is an empty sequence`);
      return l.reduce((best, v) => (better(v, best) ? v : best));
    });
  }
}
// torch adds up ints in a C int
builtin("aten::sum.int(int[] self) -> int", (l: Int[]) => Number(BigInt.asIntN(32, BigInt(l.reduce<Int>(addInt, 0)))));
builtin("aten::sum.float(float[] self) -> float", (l: number[]) => l.reduce((a, b) => a + b, 0));
builtin("aten::sum.complex(complex[] self) -> complex", (l: Complex[]) =>
  l.reduce((a, b) => new Complex(a.re + b.re, a.im + b.im), new Complex(0, 0)),
);
builtin("aten::sum.bool(bool[] self) -> int", (l: boolean[]) => l.filter(Boolean).length);
const isTrue = (v: unknown): boolean => v !== 0 && v !== false && v !== "";
for (const name of ["int", "float", "bool"]) {
  builtin(`aten::any.${name}(${name}[] self) -> bool`, (l: List) => l.some(isTrue));
  builtin(`aten::all.${name}(${name}[] self) -> bool`, (l: List) => l.every(isTrue));
}
builtin("aten::any.str(str[] self) -> bool", (l: List) => l.some(isTrue));

// lists of tuples and objects
type Less = (a: unknown, b: unknown) => boolean;

function notSortable(type: Type): never {
  throw new OperatorError(
    `Contained elements in ${typeStr(type)} are not sortable. Only Int, Bool, Float, String, Tensor, a User Defined Class with __lt__ method defined or Tuples of aforementioned types can be sorted.`,
  );
}

/** Whether values of a type can be sorted; what is at fault is named by the element type of the list. */
function checkSortable(type: Type, whole: Type): void {
  switch (type.kind) {
    case "Int":
    case "Bool":
    case "Float":
    case "String":
    case "Tensor":
      return;
    case "Tuple":
      for (const element of type.elements) checkSortable(element, whole);
      return;
    case "Class": {
      const method = type.findMethod("__lt__");
      if (!method)
        throw new OperatorError(
          `To sort a list of ${typeReprStr(type)} it must define a __lt__ method with two inputs of type ${typeReprStr(type)} that returns a bool`,
        );
      return;
    }
    default:
      notSortable(whole);
  }
}

/** `<` of two values whose static types are known; both must be of one type. */
function lessThan(a: unknown, b: unknown, staticType: Type): boolean {
  const type = valueType(a, staticType);
  const other = valueType(b, staticType);
  if (!typesEqual(type, other))
    throw new OperatorError(
      `Only values of same type can be compared. Found ${typeReprStr(type)} and ${typeReprStr(other)}`,
    );
  const x = a instanceof Float ? a.value : a;
  const y = b instanceof Float ? b.value : b;
  switch (type.kind) {
    case "String":
      return compareBytes(x as string, y as string) < 0;
    case "Tensor":
      return lessTensors(x, y);
    case "Class":
      return callFunction(type.findMethod("__lt__")!, [x, y]) as boolean;
    case "Tuple": {
      const [p, q] = [x as List, y as List];
      for (let i = 0; i < type.elements.length; i++) {
        const element = type.elements[i]!;
        if (lessThan(p[i], q[i], element)) return true;
        if (lessThan(q[i], p[i], element)) return false;
      }
      return false;
    }
    default:
      return lessNumbers(x, y);
  }
}

function sortAny(list: List, type: Type, reverse: boolean): List {
  const element = type.kind === "List" ? type.element : AnyT;
  if (list.length > 0) {
    const own = valueType(list[0], element);
    checkSortable(own, own);
  }
  const less: Less = (a, b) => lessThan(a, b, element);
  return list.sort(comparison(less, reverse));
}
typedBuiltin("aten::sort.any(t[](a!) self, bool reverse=False) -> ()", ([type]) => (list: List, reverse: boolean) => {
  sortAny(list, type!, reverse);
});
typedBuiltin(
  "aten::sorted.any(t[](a) self) -> t[]",
  ([type]) =>
    (list: List) =>
      sortAny([...list], type!, false),
);
