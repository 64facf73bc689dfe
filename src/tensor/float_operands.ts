/** @file Operands of float32 arithmetic that are converted before it starts. Upstream: aten/src/ATen/TensorIterator.cpp (compute_types). Spec: none. */
import { convertTensor } from "./clone.ts";
import { copyElements } from "./copy.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { sameSizes } from "./strides.ts";
import { runForTemporary } from "./temporaries.ts";
import { uninitializedTensor, viewOf, type Tensor } from "./tensor.ts";

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

/** Elements that are converted at a time: with what is made of them they stay in the second-level cache. */
const PIECE = 1 << 13;

/** What computes elements from `first` on of a result: float32 operands of so many elements, or of one, into `to` or elsewhere. */
export type PieceRunner = (result: Tensor, to: Tensor, operands: readonly Tensor[], first: number) => void;

/**
 * A contiguous result of half or bfloat16 operands, all as large or single elements, which are converted to float32 some at a time instead
 * of as a whole. Undefined where it is another case.
 * @param exact operands that keep their precision, by position.
 */
export function mapPieces(
  operands: readonly Tensor[],
  compute: DType,
  out: DType,
  exact: readonly boolean[] | undefined,
  run: PieceRunner,
): Tensor | undefined {
  if (compute !== DTYPES.float16 && compute !== DTYPES.bfloat16) return undefined;
  if ((out !== compute && out !== DTYPES.bool) || operands.every((t) => t.numel <= PIECE)) return undefined;
  const { sizes } = operands.find((t) => t.numel > 1)!;
  const isPlain = (t: Tensor, k: number): boolean =>
    (t.dtype === compute || (exact?.[k] === true && t.numel === 1)) &&
    ((t.numel === 1 && t.ndim <= sizes.length) || sameSizes(t.sizes, sizes)) &&
    t.isContiguous() &&
    !t.isNeg &&
    t.device.type !== "meta";
  if (!operands.every(isPlain)) return undefined;
  const result = uninitializedTensor(sizes, out);
  inPieces(result, operands, run);
  return result;
}

const inPieces = runForTemporary((result: Tensor, operands: readonly Tensor[], run: PieceRunner): void => {
  const { float32 } = DTYPES;
  const part = (t: Tensor, first: number, count: number): Tensor => viewOf(t, [count], [1], t.storageOffset + first);
  const areas = operands.map((t) =>
    t.numel === 1 ? convertTensor(t, float32) : uninitializedTensor([PIECE], float32),
  );
  const target = uninitializedTensor([PIECE], float32);
  for (let first = 0; first < result.numel; first += PIECE) {
    const count = Math.min(PIECE, result.numel - first);
    const numbers = operands.map((t, k) => {
      if (t.numel === 1) return areas[k]!;
      const area = part(areas[k]!, 0, count);
      copyElements(area, part(t, first, count));
      return area;
    });
    const to = part(target, 0, count);
    run(result, to, numbers, first);
    if (result.dtype.category === "float") copyElements(part(result, first, count), to);
  }
}) as (result: Tensor, operands: readonly Tensor[], run: PieceRunner) => void;
