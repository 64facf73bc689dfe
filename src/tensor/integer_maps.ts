/** @file Maps of one and of two integer tensors on vector instructions. Upstream: aten/src/ATen/native/cpu/BinaryOpsKernel.cpp. Spec: none. */
import { convertTensor } from "./clone.ts";
import { scalarTensor } from "./data.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { hasIntegerMaps, wasmIntegerMap, type IntegerMap } from "./kernels/wasm/integer_maps.ts";
import type { Tensor } from "./tensor.ts";

const isIntegral = (t: Tensor): boolean =>
  (t.dtype.category === "int" || t.dtype === DTYPES.bool) && !t.isNeg && t.device.type === "cpu";

/** `out` full of the function of one or two broadcast tensors, which are made `compute` first; false where another loop is to run. */
export function mapIntegers(
  map: IntegerMap | IntegerUnary,
  out: Tensor,
  inputs: readonly Tensor[],
  compute: DType,
): boolean {
  if (!hasIntegerMaps(compute, out.numel) || !inputs.every(isIntegral)) return false;
  if (isUnary(map)) return mapInteger(map, out, convertTensor(inputs[0]!, compute));
  const isLogic = map === "logicalAnd" || map === "logicalOr" || map === "logicalXor";
  if (isLogic && out.dtype !== DTYPES.bool) return false;
  const [a, b] = inputs.map((t) => {
    const common = convertTensor(t, compute);
    return isLogic ? convertTensor(common, DTYPES.bool) : common;
  });
  return wasmIntegerMap(map, out, a!, b!);
}

const UNARY = ["neg", "abs", "not", "logicalNot", "square", "relu"] as const;
/** A function of one integer by name. */
export type IntegerUnary = (typeof UNARY)[number];
const isUnary = (map: IntegerMap | IntegerUnary): map is IntegerUnary => (UNARY as readonly string[]).includes(map);

function mapInteger(map: IntegerUnary, out: Tensor, x: Tensor): boolean {
  const number = (value: number): Tensor => scalarTensor(value, x.dtype);
  switch (map) {
    case "neg":
      return wasmIntegerMap("sub", out, number(0), x);
    case "abs":
      // the least number stays what it is
      return x.dtype.isSigned && wasmIntegerMap("sub", out, number(0), x) && wasmIntegerMap("maximum", out, out, x);
    case "not":
      return wasmIntegerMap("xor", out, x, number(-1));
    case "logicalNot":
      return wasmIntegerMap("eq", out, x, number(0));
    case "square":
      return wasmIntegerMap("mul", out, x, x);
    case "relu":
      return wasmIntegerMap("maximum", out, x, number(0));
  }
}
