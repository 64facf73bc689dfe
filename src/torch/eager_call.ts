/** @file Calls an operator by name with JavaScript values: picks the overload as PyTorch's argument parser does. Upstream: torch/csrc/utils/python_arg_parser.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { dispatch } from "../core/dispatcher.ts";
import { findOperator, schemasFor } from "../core/operator_registry.ts";
import { schemaText, type Argument, type FunctionSchema } from "../core/schema.ts";
import type { Type } from "../core/type.ts";
import type { DType } from "../tensor/dtype.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";

const NO_FIT = Symbol("no fit");

function isDType(value: unknown): value is DType {
  return typeof value === "object" && value !== null && "storageName" in value && "itemsize" in value;
}

/** Parses `cuda:0`. */
export function deviceFrom(text: string): Device {
  const [type, index] = text.split(":");
  return new Device(type!, index === undefined ? undefined : Number(index));
}

function isInt(value: unknown): boolean {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

/** The IValue for an argument, or NO_FIT. */
function fit(value: unknown, type: Type, argument: Argument): unknown {
  switch (type.kind) {
    case "Optional":
      return value === null || value === undefined ? null : fit(value, type.element, argument);
    case "Tensor":
      return value instanceof Tensor ? value : NO_FIT;
    case "Int":
      if (argument.realType === "ScalarType" && isDType(value)) return value.id;
      return isInt(value) ? value : NO_FIT;
    case "Float":
      if (value instanceof Float) return value.value;
      return typeof value === "number" ? value : NO_FIT;
    case "Number":
      return typeof value === "number" ||
        typeof value === "bigint" ||
        typeof value === "boolean" ||
        value instanceof Float ||
        value instanceof Complex
        ? value
        : NO_FIT;
    case "Bool":
      return typeof value === "boolean" ? value : NO_FIT;
    case "String":
      return typeof value === "string" ? value : NO_FIT;
    case "Complex":
      return value instanceof Complex ? value : NO_FIT;
    case "Device":
      return value instanceof Device ? value : typeof value === "string" ? deviceFrom(value) : NO_FIT;
    case "List": {
      if (!Array.isArray(value)) {
        if (argument.fixedLength === undefined) return NO_FIT;
        const one = fit(value, type.element, argument);
        return one === NO_FIT ? NO_FIT : new Array<unknown>(argument.fixedLength).fill(one);
      }
      const items: unknown[] = [];
      for (const item of value) {
        const fitted = fit(item, type.element, argument);
        if (fitted === NO_FIT) return NO_FIT;
        items.push(fitted);
      }
      return items;
    }
    default:
      return value === null || value === undefined ? NO_FIT : value;
  }
}

/** Keyword arguments: a plain object behind the positional ones. */
export type Kwargs = Readonly<Record<string, unknown>>;

function isKwargs(value: unknown): value is Kwargs {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype && !isDType(value)
  );
}

function bind(schema: FunctionSchema, args: readonly unknown[], kwargs: Kwargs): unknown[] | undefined {
  const values: unknown[] = [];
  let used = 0;
  let position = 0;
  // sizes may be given one by one: x.view(2, 3)
  const first = schema.args.findIndex((a) => a.name !== "self");
  const spread =
    first >= 0 && schema.args[first]!.type.kind === "List" && args.length > first && args.slice(first).every(isInt);
  for (const argument of schema.args) {
    let value: unknown;
    if (position < args.length && !argument.kwargOnly) {
      if (spread && position === first) {
        value = args.slice(first);
        position = args.length;
      } else value = args[position++];
    } else if (Object.hasOwn(kwargs, argument.name)) {
      value = kwargs[argument.name];
      used++;
    }
    if (value === undefined) {
      if (!argument.hasDefault) return undefined;
      values.push(argument.defaultValue);
      continue;
    }
    const fitted = fit(value, argument.type, argument);
    if (fitted === NO_FIT) return undefined;
    values.push(fitted);
  }
  return position === args.length && used === Object.keys(kwargs).length ? values : undefined;
}

/**
 * Calls `aten::NAME` with positional arguments and, last, an object of keyword arguments.
 * @throws OperatorError where no overload takes the arguments, and what the operator throws.
 */
export function callByName(name: string, args: readonly unknown[]): unknown {
  const last = args.at(-1);
  const kwargs = isKwargs(last) ? last : {};
  const positional = isKwargs(last) ? args.slice(0, -1) : args;
  const schemas = schemasFor(`aten::${name}`);
  for (const schema of schemas) {
    const values = bind(schema, positional, kwargs);
    if (!values) continue;
    const entry = findOperator(schema);
    if (!entry) throw new OperatorError(`Operator ${schemaText(schema)} is not supported`);
    return dispatch(entry, values);
  }
  if (schemas.length === 0) throw new OperatorError(`Unknown operator "aten::${name}"`);
  throw new OperatorError(
    `${name}(): no overload takes (${positional.map(describe).join(", ")}${Object.keys(kwargs)
      .map((k) => `, ${k}=`)
      .join("")}); the overloads are:\n${schemas.map((s) => `  ${schemaText(s)}`).join("\n")}`,
  );
}

function describe(value: unknown): string {
  if (value === null) return "None";
  if (value instanceof Tensor) return "Tensor";
  if (Array.isArray(value)) return `list of ${value.length}`;
  return typeof value === "object" ? value.constructor.name : typeof value;
}
