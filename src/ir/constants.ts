/** @file Constants: IValue -> prim::Constant and back. Upstream: torch/csrc/jit/ir/constants.cpp. Spec: none. */
import { UnsupportedError } from "../base/errors.ts";
import type { SourceRange } from "../base/source_range.ts";
import { valueType } from "../core/ivalue_text.ts";
import { EnumValue, ScriptObject } from "../core/ivalue.ts";
import * as T from "../core/type.ts";
import type { Type } from "../core/type.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import type { Graph, Node, Scope, Value } from "./graph.ts";

/** The type of a tensor constant: all that is known of the tensor. */
export function tensorTypeOf(tensor: Tensor): Type {
  const detail: T.TensorDetail = {
    scalarType: tensor.dtype.cppName,
    requiresGrad: tensor.requiresGrad,
    device: tensor.device.toString(),
    ...(tensor.sparse ? {} : { sizes: tensor.sizes, strides: tensor.strides }),
  };
  return { kind: "Tensor", detail };
}

/** Whether a value may become a constant: no modules, no objects inside containers, no tensors that need a gradient. */
export function isInsertable(value: unknown, type: Type): boolean {
  const own = valueType(value, type);
  switch (own.kind) {
    case "Int":
    case "None":
    case "Bool":
    case "Float":
    case "Complex":
    case "String":
    case "Device":
    case "Stream":
    case "Enum":
      return true;
    case "Tensor":
      return !(value as Tensor).requiresGrad;
    case "List":
      return (value as unknown[]).every((v) => isInsertable(v, own.element));
    case "Tuple":
      return (value as unknown[]).every((v, i) => isInsertable(v, own.elements[i] ?? T.AnyT));
    case "Dict":
      return [...(value as Map<unknown, unknown>)].every(
        ([k, v]) => isInsertable(k, own.key) && isInsertable(v, own.value),
      );
    default:
      return false;
  }
}

/**
 * Inserts a constant at the graph's insert point, or gives undefined where the value cannot be one. `type` is the static type;
 * the constant gets the value's own (None or T for an Optional, every detail for a tensor).
 */
export function tryInsertConstant(
  graph: Graph,
  value: unknown,
  type: Type,
  range?: SourceRange,
  scope?: Scope,
): Value | undefined {
  const own = valueType(value, type, tensorTypeOf);
  // the node is made first, as upstream does: also a refused constant costs a number
  const node = graph.create("prim::Constant");
  if (!fillConstant(node, value instanceof Float ? value.value : value, own)) {
    node.destroy();
    return undefined;
  }
  if (range) node.setSourceRange(range);
  if (scope) node.scope = scope;
  return graph.insertNode(node).output;
}

function fillConstant(node: Node, value: unknown, type: Type): boolean {
  const output = node.output.setType(type);
  switch (type.kind) {
    case "Tensor":
      if ((value as Tensor).requiresGrad) return false;
      node.setAttr("value", "t", value as Tensor);
      return true;
    case "Int":
      node.setAttr("value", "i", value as number | bigint);
      return true;
    case "Float":
      node.setAttr("value", "f", value as number);
      return true;
    case "Complex":
      node.setAttr(
        "value",
        "c",
        value instanceof Complex ? { re: value.re, im: value.im } : { re: Number(value), im: 0 },
      );
      return true;
    case "Bool":
      node.setAttr("value", "i", value ? 1 : 0);
      return true;
    case "String":
      node.setAttr("value", "s", value as string);
      return true;
    case "Device":
      node.setAttr("value", "s", String(value));
      return true;
    case "None":
      output.setType(T.NoneT);
      return true;
    case "List":
    case "Tuple":
    case "Dict":
      if (!isInsertable(value, type)) return false;
      node.setAttr("value", "ival", value);
      return true;
    case "Stream":
    case "Generator":
      node.setAttr("value", "ival", value);
      return true;
    case "Enum":
      node.setAttr("value", "ival", value);
      return true;
    case "Class":
      if (type.isModule) return false;
      node.setAttr("value", "ival", value);
      return true;
    default:
      return false;
  }
}

/** Like `tryInsertConstant`. @throws UnsupportedError for values that cannot be constants. */
export function insertConstant(graph: Graph, value: unknown, type: Type, range?: SourceRange, scope?: Scope): Value {
  const constant = tryInsertConstant(graph, value, type, range, scope);
  if (!constant) throw new UnsupportedError("constant", `Unsupported value kind: ${valueType(value, type).kind}`);
  return constant;
}

/** Inserts an int constant. */
export function insertInt(graph: Graph, value: number | bigint, range?: SourceRange): Value {
  return insertConstant(graph, value, T.IntT, range);
}

/** The static type of an `ival` attribute's value: the output's type for a constant. */
export function attributeType(node: Node, value: unknown): Type {
  const type = node.outputs[0]?.type;
  if (node.kind === "prim::Constant" && type) return type;
  if (value instanceof ScriptObject || value instanceof EnumValue) return value.type;
  return T.AnyT;
}

/** The value of a constant, in the form of the value's type; undefined for anything else and for function constants. */
export function toIValue(value: Value): { readonly value: unknown } | undefined {
  const { node, type } = value;
  if (node.kind !== "prim::Constant" || type.kind === "Function") return undefined;
  const attribute = node.attributes.get("value");
  if (!attribute) return node.mustBeNone() || type.kind === "None" ? { value: null } : undefined;
  switch (attribute.kind) {
    case "i":
      return { value: type.kind === "Bool" ? Boolean(attribute.value) : attribute.value };
    case "c":
      return { value: new Complex(attribute.value.re, attribute.value.im) };
    case "s":
      return { value: type.kind === "Device" ? parseDevice(attribute.value) : attribute.value };
    default:
      return { value: attribute.value };
  }
}

function parseDevice(text: string): Device {
  const colon = text.indexOf(":");
  return colon < 0 ? new Device(text) : new Device(text.slice(0, colon), Number(text.slice(colon + 1)));
}

/** Whether the value is a constant (functions are). */
export function isConstant(value: Value): boolean {
  return value.node.kind === "prim::Constant";
}

/** A constant's value if it is a bool. */
export function constantBool(value: Value): boolean | undefined {
  const constant = toIValue(value);
  return typeof constant?.value === "boolean" ? constant.value : undefined;
}

/** A constant's value if it is an int. */
export function constantInt(value: Value): number | bigint | undefined {
  const constant = toIValue(value);
  if (value.type.kind !== "Int" || !constant) return undefined;
  return constant.value as number | bigint;
}

/** A constant's value of a kind of type, e.g. `constantAs(v, "String")`; undefined where it is none. */
export function constantAs(value: Value, kind: T.TypeKind): unknown {
  return value.type.kind === kind ? toIValue(value)?.value : undefined;
}
