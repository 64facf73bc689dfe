/** @file Maps of two integer tensors on vector instructions. Upstream: aten/src/ATen/native/cpu/BinaryOpsKernel.cpp. Spec: none. */
import { convertTensor } from "./clone.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { hasIntegerMaps, wasmIntegerMap, type IntegerMap } from "./kernels/wasm/integer_maps.ts";
import type { Tensor } from "./tensor.ts";

const isIntegral = (t: Tensor): boolean => (t.dtype.category === "int" || t.dtype === DTYPES.bool) && !t.isNeg;

/** `out` full of the function of two broadcast tensors, which are made `compute` first; false where another loop is to run. */
export function mapIntegers(map: IntegerMap, out: Tensor, inputs: readonly Tensor[], compute: DType): boolean {
  if (!hasIntegerMaps(compute, out.numel) || !inputs.every(isIntegral)) return false;
  const isLogic = map === "logicalAnd" || map === "logicalOr" || map === "logicalXor";
  if (isLogic && out.dtype !== DTYPES.bool) return false;
  const [a, b] = inputs.map((t) => {
    const common = convertTensor(t, compute);
    return isLogic ? convertTensor(common, DTYPES.bool) : common;
  });
  return wasmIntegerMap(map, out, a!, b!);
}
