/** @file When two nodes compute the same: for common subexpressions and constants. Upstream: torch/csrc/jit/ir/node_hashing.cpp. Spec: none. */
import { EnumValue } from "../core/ivalue.ts";
import { valueType } from "../core/ivalue_text.ts";
import { isSubtypeOf, BoolT, NumberT, typesEqual, type Type } from "../core/type.ts";
import { contiguousAs } from "../tensor/clone.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { attributeType } from "./constants.ts";
import type { Attribute, Node } from "./graph.ts";

/** Equal for nodes that `sameComputation` finds equal. */
export function nodeHash(node: Node): string {
  let constant = "";
  const value = node.attributes.get("value");
  const type = node.outputs[0]?.type;
  if (node.kind === "prim::Constant" && type && value) {
    // -0 and 0 are equal
    if (isSubtypeOf(type, NumberT) || isSubtypeOf(type, BoolT))
      constant = value.kind === "i" || value.kind === "f" ? String(Number(value.value) || 0) : "";
    else if (value.kind === "s") constant = value.value;
  }
  return `${node.kind}(${node.inputs.map((v) => v.unique).join()})${node.outputs.map((v) => v.type.kind).join()}=${constant}`;
}

/** Whether two nodes have the kind, output types, inputs and attributes in common. Graph attributes are never equal. */
export function sameComputation(a: Node, b: Node): boolean {
  return (
    a.kind === b.kind &&
    a.outputs.length === b.outputs.length &&
    a.outputs.every((v, i) => typesEqual(v.type, b.outputs[i]!.type)) &&
    a.inputs.length === b.inputs.length &&
    a.inputs.every((v, i) => v === b.inputs[i]) &&
    sameAttributes(a, b)
  );
}

function sameAttributes(a: Node, b: Node): boolean {
  if (a.attributes.size !== b.attributes.size) return false;
  for (const [name, left] of a.attributes) {
    const right = b.attributes.get(name);
    if (!right || !sameAttribute(left, right, a, b)) return false;
  }
  return true;
}

function sameAttribute(left: Attribute, right: Attribute, a: Node, b: Node): boolean {
  switch (left.kind) {
    case "i":
    case "f":
    case "s":
      return right.kind === left.kind && left.value === right.value;
    case "c":
      return right.kind === "c" && left.value.re === right.value.re && left.value.im === right.value.im;
    case "is":
    case "fs":
    case "ss":
      return (
        right.kind === left.kind &&
        left.value.length === right.value.length &&
        left.value.every((v, i) => v === right.value[i])
      );
    case "t":
      return right.kind === "t" && sameTensor(left.value, right.value);
    case "ts":
      return (
        right.kind === "ts" &&
        left.value.length === right.value.length &&
        left.value.every((v, i) => sameTensor(v, right.value[i]!))
      );
    case "ty":
      return right.kind === "ty" && typesEqual(left.value, right.value);
    case "tys":
      return (
        right.kind === "tys" &&
        left.value.length === right.value.length &&
        left.value.every((v, i) => typesEqual(v, right.value[i]!))
      );
    case "ival":
      // upstream compares enum values by pointer, and each mention of a member makes a new one: only copies of a node are equal
      if (left.value instanceof EnumValue) return left === right;
      return (
        right.kind === "ival" &&
        sameValue(left.value, attributeType(a, left.value), right.value, attributeType(b, right.value))
      );
    default:
      return false;
  }
}

/** Whether two IValues are equal; containers compare element by element, their types do not count. */
export function sameValue(a: unknown, typeA: Type, b: unknown, typeB: Type): boolean {
  const left = valueType(a, typeA);
  const right = valueType(b, typeB);
  if (left.kind !== right.kind) return false;
  const x = a instanceof Float ? a.value : a;
  const y = b instanceof Float ? b.value : b;
  switch (left.kind) {
    case "Tensor":
      return sameTensor(x as Tensor, y as Tensor);
    case "List": {
      const [l, r] = [x as unknown[], y as unknown[]];
      return (
        l.length === r.length &&
        l.every((v, i) => sameValue(v, left.element, r[i], right.kind === "List" ? right.element : left.element))
      );
    }
    case "Tuple": {
      const [l, r] = [x as unknown[], y as unknown[]];
      return (
        l.length === r.length &&
        l.every((v, i) =>
          sameValue(v, left.elements[i]!, r[i], right.kind === "Tuple" ? right.elements[i]! : left.elements[i]!),
        )
      );
    }
    case "Dict": {
      const l = [...(x as Map<unknown, unknown>)];
      const r = [...(y as Map<unknown, unknown>)];
      if (right.kind !== "Dict") return false;
      // upstream: entries differ only where both key and value do
      return (
        l.length === r.length &&
        l.every(
          ([k, v], i) => sameValue(k, left.key, r[i]![0], right.key) || sameValue(v, left.value, r[i]![1], right.value),
        )
      );
    }
    case "Complex":
      return x instanceof Complex && y instanceof Complex && x.re === y.re && x.im === y.im;
    case "Device":
      return String(x) === String(y);
    case "Enum":
      return x instanceof EnumValue && y instanceof EnumValue && x.type === y.type && x.name === y.name;
    default:
      return x === y;
  }
}

/** Whether two tensors have dtype, shape, device and elements in common; NaN equals nothing. */
export function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || a.sizes.length !== b.sizes.length || a.sizes.some((s, i) => s !== b.sizes[i]))
    return false;
  if (
    a.device.toString() !== b.device.toString() ||
    Boolean(a.quantizer) !== Boolean(b.quantizer) ||
    a.sparse ||
    b.sparse
  )
    return false;
  if (a.storage === b.storage && a.storageOffset === b.storageOffset && a.strides.every((s, i) => s === b.strides[i]))
    return true;
  if (a.quantizer && b.quantizer && JSON.stringify(quantizerKey(a)) !== JSON.stringify(quantizerKey(b))) return false;
  const x = contiguousAs(a, a.dtype);
  const y = contiguousAs(b, b.dtype);
  const count = (x.numel * x.dtype.itemsize) / itemBytes(x.dtype.array);
  const left = x.storage.segment[x.dtype.array];
  const right = y.storage.segment[y.dtype.array];
  const l0 = (x.storage.byteOffset + x.storageOffset * x.dtype.itemsize) / itemBytes(x.dtype.array);
  const r0 = (y.storage.byteOffset + y.storageOffset * y.dtype.itemsize) / itemBytes(y.dtype.array);
  // floats compare as numbers (0 equals -0, NaN nothing), everything else by its bits
  for (let i = 0; i < count; i++) if (left[l0 + i] !== right[r0 + i]) return false;
  return true;
}

function itemBytes(array: Tensor["dtype"]["array"]): number {
  return Number(array.slice(1)) / 8;
}

function quantizerKey(tensor: Tensor): unknown {
  const { quantizer } = tensor;
  return quantizer?.scheme === "per_tensor_affine" ? quantizer : quantizer?.axis;
}
