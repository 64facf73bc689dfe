/** @file How a JavaScript value becomes the IValue of one argument: a function per schema type, made once. Upstream: torch/csrc/utils/python_arg_parser.cpp `FunctionParameter::check`. Spec: none. */
import { parseDevice } from "../core/device_text.ts";
import type { Argument } from "../core/schema.ts";
import type { Type } from "../core/type.ts";
import { onlyElement, scalarTensor } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { Generator } from "../tensor/generator.ts";
import { scalarDtype } from "../tensor/promotion.ts";
import { Complex, Float, boxFloat, normalizeInt, type Scalar } from "../tensor/scalar.ts";
import { Device, Tensor } from "../tensor/tensor.ts";
import { Layout, MemoryFormat, QScheme } from "../tensor/format_names.ts";

/** What a fit gives where the value is of another type. */
export const NO_FIT = Symbol("no fit");

/** The IValue for a value, or NO_FIT. */
export type Fit = (value: unknown) => unknown;

const dtypes = new Set<unknown>(Object.values(DTYPES));

/** Whether a value is one of DTYPES. */
export function isDType(value: unknown): value is DType {
  return dtypes.has(value);
}

/** Whether a value is an int: a whole number or a bigint. */
export function isInt(value: unknown): boolean {
  return typeof value === "number" ? Number.isInteger(value) : typeof value === "bigint";
}

/** PyTorch takes a zero-dim tensor for a number. */
function isZeroDim(value: unknown): value is Tensor {
  return value instanceof Tensor && value.sizes.length === 0;
}

function elementOf(tensor: Tensor): Scalar {
  const value = onlyElement(tensor);
  if (tensor.dtype.category === "bool") return value !== 0;
  return tensor.dtype.category === "float" ? boxFloat(value as number) : (value as Scalar);
}

function fitTensor(value: unknown): unknown {
  return value instanceof Tensor ? value : NO_FIT;
}

function fitInt(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? value : NO_FIT;
  if (typeof value === "bigint") return normalizeInt(value);
  if (isZeroDim(value) && value.dtype.category === "int") return elementOf(value);
  return NO_FIT;
}

function fitFloat(value: unknown): unknown {
  if (typeof value === "number") return value;
  if (value instanceof Float) return value.value;
  if (isZeroDim(value) && value.dtype.category !== "complex") return Number(elementOf(value));
  return NO_FIT;
}

function fitNumber(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return value;
  if (value instanceof Float || value instanceof Complex) return value;
  return isZeroDim(value) ? elementOf(value) : NO_FIT;
}

const fitBool: Fit = (value) => (typeof value === "boolean" ? value : NO_FIT);
const fitString: Fit = (value) => (typeof value === "string" ? value : NO_FIT);
const fitGenerator: Fit = (value) => (value instanceof Generator ? value : NO_FIT);
const fitQScheme: Fit = (value) => (value instanceof QScheme ? value.id : fitInt(value));
const fitAny: Fit = (value) => value ?? NO_FIT;

function fitDevice(value: unknown): unknown {
  if (value instanceof Device) return value;
  return typeof value === "string" ? parseDevice(value) : NO_FIT;
}

function fitComplex(value: unknown): unknown {
  if (value instanceof Complex) return value;
  return typeof value === "number" ? new Complex(value, 0) : NO_FIT;
}

/** Ints that stand for dtypes, layouts and memory formats. */
const NAMED_INTS: Readonly<Record<string, Fit>> = {
  ScalarType: (value) => (isDType(value) ? value.id : fitInt(value)),
  Layout: (value) => (value instanceof Layout ? value.id : fitInt(value)),
  MemoryFormat: (value) => (value instanceof MemoryFormat ? value.id : fitInt(value)),
};

function optional(inner: Fit): Fit {
  return (value) => (value === null || value === undefined ? null : inner(value));
}

function listOf(element: Fit, fixedLength: number | undefined): Fit {
  return (value) => {
    if (!Array.isArray(value)) {
      if (fixedLength === undefined) return NO_FIT;
      const one = element(value);
      return one === NO_FIT ? NO_FIT : new Array<unknown>(fixedLength).fill(one);
    }
    const items = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) {
      const item = element(value[i]);
      if (item === NO_FIT) return NO_FIT;
      items[i] = item;
    }
    return items;
  };
}

function fitOf(type: Type, argument: Argument, tensor: Fit): Fit {
  switch (type.kind) {
    case "Optional":
      return optional(fitOf(type.element, argument, tensor));
    case "Tensor":
      return tensor;
    case "Int":
      return NAMED_INTS[argument.realType ?? ""] ?? fitInt;
    case "Float":
      return fitFloat;
    case "Number":
      return fitNumber;
    case "Bool":
      return fitBool;
    case "String":
      return fitString;
    case "Complex":
      return fitComplex;
    case "Device":
      return fitDevice;
    case "Generator":
      return fitGenerator;
    case "QScheme":
      return fitQScheme;
    case "List":
      return listOf(fitOf(type.element, argument, tensor), argument.fixedLength);
    default:
      return fitAny;
  }
}

/** The fit of an argument. */
export function fitFor(argument: Argument): Fit {
  return fitOf(argument.type, argument, fitTensor);
}

/** The fit of an argument where a number stands for a tensor of it, which ranks lowest in type promotion. */
export function fitNumbersAsTensors(argument: Argument): Fit {
  return fitOf(argument.type, argument, (value) => {
    if (value instanceof Tensor) return value;
    const number = fitNumber(value) as Scalar | typeof NO_FIT;
    return number === NO_FIT ? NO_FIT : wrapNumber(number);
  });
}

function wrapNumber(value: Scalar): Tensor {
  const tensor = scalarTensor(value instanceof Float ? value.value : value, scalarDtype(value));
  tensor.isWrappedNumber = true;
  return tensor;
}
