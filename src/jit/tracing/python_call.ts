/** @file The call that PyTorch's Python bindings make of an eager call, where it is another overload or has more arguments. Upstream: torch/csrc/utils/python_arg_parser.cpp (should_allow_numbers_as_tensors), tools/autograd/gen_python_functions.py. Spec: none. */
import { schemaOf } from "../../core/operator_registry.ts";
import type { FunctionSchema } from "../../core/schema.ts";
import { fromData } from "../../tensor/data.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { Complex, Float } from "../../tensor/scalar.ts";
import { Device, Tensor } from "../../tensor/tensor.ts";

/** Operators that take numbers for tensors: a number becomes a tensor without dimensions. */
const NUMBERS_AS_TENSORS = /^aten::(add|sub|mul|div|divide|multiply|subtract|true_divide|floor_divide)_?$/;

/** A number as the tensor that PyTorch wraps it in. */
export function wrapNumber(value: unknown): Tensor {
  if (typeof value === "boolean") return fromData([Number(value)], [], DTYPES.bool);
  if (value instanceof Complex) return fromData([value.re, value.im], [], DTYPES.complex128);
  if (value instanceof Float) return fromData([value.value], [], DTYPES.float64);
  if (typeof value === "bigint" || Number.isInteger(value)) return fromData([value as number], [], DTYPES.int64);
  return fromData([value as number], [], DTYPES.float64);
}

/** Options that creation functions fill in; those that take them from a tensor leave the rest open. */
function fillOptions(schema: FunctionSchema, args: unknown[]): unknown[] {
  const at = (name: string): number => schema.args.findIndex((a) => a.kwargOnly && a.name === name);
  const [layout, device, pin] = [at("layout"), at("device"), at("pin_memory")];
  if (device < 0 || layout < 0 || pin < 0) return args;
  if (schema.args[0]?.type.kind !== "Tensor") args[device] ??= new Device("cpu");
  args[pin] ??= false;
  return args;
}

/** A call with the overload and arguments that the bindings give it. */
export function pythonCall(
  schema: FunctionSchema,
  args: readonly unknown[],
): { readonly schema: FunctionSchema; readonly args: readonly unknown[] } {
  if (NUMBERS_AS_TENSORS.test(schema.name) && schema.overloadName.startsWith("Scalar")) {
    const overload = schema.overloadName.replace("Scalar", "Tensor");
    const tensorSchema =
      schemaOf(`${schema.name}.${overload}`) ?? (overload === "Tensor" ? schemaOf(schema.name) : undefined);
    if (tensorSchema) {
      const other = schema.args.findIndex((a) => a.name === "other");
      return { schema: tensorSchema, args: args.map((value, i) => (i === other ? wrapNumber(value) : value)) };
    }
  }
  return { schema, args: fillOptions(schema, [...args]) };
}
