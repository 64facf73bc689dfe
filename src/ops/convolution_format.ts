/** @file The memory format that convolutions answer in, and the dtypes that they take. Upstream: aten/src/ATen/native/Convolution.cpp (determine_backend_memory_format), ConvUtils.h. Spec: none. */
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { MEMORY_FORMAT, suggestMemoryFormat, suggestRowFormat } from "../tensor/memory_format.ts";
import { numelOf } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The kernel that PyTorch's convolution would need and has not of a dtype; undefined where it computes. */
export function missingKernel(
  dtype: DType,
  dims: number,
  transposed: boolean,
  dilation: readonly number[],
): string | undefined {
  if ((dtype.category !== "int" && dtype.category !== "bool") || dtype === DTYPES.int64) return undefined;
  if (transposed) return `slow_conv_transpose${dims === 3 ? 3 : 2}d_out_cpu`;
  if (dilation.some((d) => d !== 1)) return "slow_conv_dilated<>";
  if (dtype !== DTYPES.bool) return undefined;
  return dims === 3 ? "compute_columns3d" : "slow_conv2d_cpu";
}

/** Elements of the first four dimensions from which on one sample of small kernels goes to oneDNN. */
const MIN_ONE_DNN = 20480;

/** Whether oneDNN runs a convolution of volumes: PyTorch's own kernel of them knows no other format. */
function isOneDnnVolume(input: Tensor, weight: Tensor, groups: number): boolean {
  const isFloat = input.dtype === DTYPES.float32 || input.dtype === DTYPES.complex64;
  const [kernelHeight, kernelWidth] = weight.sizes.slice(-2) as [number, number];
  return (
    isFloat &&
    (groups > 1 ||
      (kernelHeight > 3 && kernelWidth > 3) ||
      input.sizes[0]! > 1 ||
      numelOf(input.sizes.slice(0, 4)) > MIN_ONE_DNN)
  );
}

/** The format of rows; PyTorch makes the input of a 1-d convolution contiguous first. */
const rowFormat = (t: Tensor, isInput: boolean): number =>
  isInput && !t.isContiguous() ? MEMORY_FORMAT.contiguous : suggestRowFormat(t);

/** The format of what a convolution gives, of the given sizes: channels last where either the input or the weight is. */
export function convolutionFormat(input: Tensor, weight: Tensor, groups: number, sizes: readonly number[]): number {
  const formatOf = (t: Tensor): number => (t.ndim === 3 ? rowFormat(t, t === input) : suggestMemoryFormat(t));
  const format = Math.max(formatOf(input), formatOf(weight));
  if (format === MEMORY_FORMAT.contiguous || input.sizes[0] === 0) return MEMORY_FORMAT.contiguous;
  // complex ones are sums of real ones, and sums do not tell the formats of single channels apart
  const isSingle = sizes[1] === 1 || numelOf(sizes.slice(2)) === 1;
  if (input.dtype.category === "complex" && isSingle) return MEMORY_FORMAT.contiguous;
  return input.ndim < 5 || isOneDnnVolume(input, weight, groups) ? format : MEMORY_FORMAT.contiguous;
}
