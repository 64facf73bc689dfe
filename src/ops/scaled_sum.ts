/** @file Sums with a factor, `a + alpha * b`, of floats, with PyTorch's roundings. Upstream: aten/src/ATen/native/ufunc/add.h, cpu/Loops.h. Spec: none. */
import { convertTensor } from "../tensor/clone.ts";
import { copyElements } from "../tensor/copy.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { broadcastStrides, coalesce, iterationOrder, outputStrides, type Run } from "../tensor/iterate.ts";
import { scaledSum } from "../tensor/kernels/wasm/elements.ts";
import { fusedMultiplyAdd } from "../tensor/math/fused.ts";
import { broadcastAll, map2, type Kernel2 } from "../tensor/pointwise.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { viewOf, type Tensor } from "../tensor/tensor.ts";
import { operand } from "./operands.ts";
import { roundingOf } from "./unary.ts";

/** Bytes that PyTorch's loops take at a time on a processor with AVX2: two vectors. What is left of a row goes one by one. */
const STEP_BYTES = 64;

/** Bytes of the shorter vectors that the compiler makes of the loop for what is left. */
const SHORT_BYTES = 16;

/** Elements of every row whose product is rounded before it is added: `count` from `start` on. */
interface Parted {
  readonly start: number;
  readonly count: number;
}

/**
 * Which elements of a row round twice, in PyTorch's loop for it on a processor that fuses multiplication and addition. Halves do where
 * they go one by one. Of other floats these are some where the second operand is a number, whose product is made before the loop: of
 * what is left over, but for the first and the last ones.
 */
function partedOf({ size, strides: [a, b, out] }: Run, itemsize: number): Parted {
  const left = size % (STEP_BYTES / itemsize);
  const isVector = out === 1 && (a === 1 || b === 1) && (a === 1 || a === 0) && (b === 1 || b === 0);
  if (itemsize === 2) return isVector ? { start: size - left, count: left } : { start: 0, count: size };
  const isNumber = isVector && b === 0 && left > 0;
  const width = SHORT_BYTES / itemsize;
  return { start: size - left + 1, count: isNumber ? left - 1 - ((left - 1) % width) : 0 };
}

/** `a + alpha * b`, or `a - alpha * b`, of floats: rounded once, but for the elements that PyTorch rounds twice. */
export function scaledSumOf(a: Tensor | Scalar, b: Tensor | Scalar, alpha: Scalar, sign: 1 | -1, dtype: DType): Tensor {
  const name = sign === 1 ? "add_stub" : "sub_stub";
  const round = roundingOf(dtype);
  const factor = sign * round(scalarToNumber(alpha));
  const isHalf = dtype.itemsize === 2;
  const inner = isHalf ? Math.fround : round;
  const f32 = scaledSum(factor);
  const isDouble = dtype === DTYPES.float64;
  const fused: Kernel2 = {
    name,
    // float32 is rounded by the map
    real: isDouble ? (x, y) => fusedMultiplyAdd(factor, y, x) : (x, y) => inner(x + factor * y),
    f32,
  };
  const parted: Kernel2 = { name, real: (x, y) => inner(x + round(factor * y)) };
  const [x, y] = [convertTensor(operand(a, dtype), dtype), convertTensor(operand(b, dtype), dtype)];
  const sizes = broadcastAll([x, y]);
  const strides = outputStrides([x, y], sizes);
  const operands = [x, y].map((t) => broadcastStrides(t, sizes));
  const row = coalesce(sizes, iterationOrder(sizes, [strides]), [...operands, strides])[0]!;
  const { start, count } = partedOf(row, dtype.itemsize);
  if (count === 0 || x.device.type === "meta" || y.device.type === "meta") return map2(x, y, fused, dtype);
  if (count === row.size) return map2(x, y, parted, dtype);
  // these first: the other sum may write where it reads
  const isRow = sizes.reduce((n, size) => n * size, 1) === row.size;
  const part = (t: Tensor, stride: number): Tensor => viewOf(t, [count], [stride], t.storageOffset + start * stride);
  const rest = isRow
    ? map2(part(x, row.strides[0]!), part(y, row.strides[1]!), parted, dtype)
    : map2(viewOf(x, x.sizes, x.strides), y, parted, dtype);
  const result = map2(x, y, fused, dtype);
  if (isRow) copyElements(part(result, 1), rest);
  else {
    // both lie densely, row after row
    const parts = (t: Tensor): Tensor => viewOf(t, [t.numel / row.size, count], [row.size, 1], t.storageOffset + start);
    copyElements(parts(result), parts(rest));
  }
  return result;
}
