/** @file Operands of float32 arithmetic that are converted before it starts. Upstream: aten/src/ATen/TensorIterator.cpp (compute_types). Spec: none. */
import { convertTensor } from "./clone.ts";
import { DTYPES, type DType } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

/** Elements from which vector instructions pay for another pass. */
const MIN_ELEMENTS = 256;

/**
 * The operands as float32, where a function of them in `compute` is the same function of these, rounded: integers and truth values in float32,
 * which are rounded to it first anyhow, and half and bfloat16, which PyTorch computes in float32. Undefined where it is another case,
 * where the layout of the result would change, and where all are float32 or few.
 * @param exact operands that keep their precision, by position.
 */
export function float32Operands(
  operands: readonly Tensor[],
  compute: DType,
  exact: readonly boolean[] | undefined,
): Tensor[] | undefined {
  const { float32, float16, bfloat16 } = DTYPES;
  const isHalf = compute === float16 || compute === bfloat16;
  if (compute !== float32 && !isHalf) return undefined;
  let isWorth = false;
  for (let k = 0; k < operands.length; k++) {
    const t = operands[k]!;
    if (t.device.type === "meta" || t.isNeg || !t.isContiguous()) return undefined;
    if (t.numel >= MIN_ELEMENTS && t.dtype !== float32) isWorth = true;
    const isWhole = t.dtype.category === "int" || t.dtype.category === "bool";
    const fits = isHalf ? t.dtype === compute || exact?.[k] : isWhole || t.dtype === float32;
    if (!fits) return undefined;
  }
  return isWorth ? operands.map((t) => convertTensor(t, float32)) : undefined;
}
