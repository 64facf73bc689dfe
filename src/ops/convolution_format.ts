/** @file The memory format that convolutions answer in. Upstream: aten/src/ATen/native/Convolution.cpp (determine_backend_memory_format), ConvUtils.h. Spec: none. */
import { DTYPES } from "../tensor/dtype.ts";
import { MEMORY_FORMAT, suggestMemoryFormat, suggestRowFormat } from "../tensor/memory_format.ts";
import { numelOf } from "../tensor/strides.ts";
import type { Tensor } from "../tensor/tensor.ts";

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
