/** @file Pooling: max, average, adaptive, fractional, unpooling. Upstream: aten/src/ATen/native/DilatedMaxPool2d.cpp, AveragePool2d.cpp, AdaptiveAveragePooling.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { laidOut } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import type { Triple } from "../tensor/kernels/convolution.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { doublesOf, floatsAs, floatsOf, fromDoubles, fromIndices, indicesOf } from "../tensor/kernels/data.ts";
import {
  adaptiveAverage,
  adaptiveMax,
  averagePool,
  maxPool,
  pooledSize,
  type PoolGeometry,
} from "../tensor/kernels/pooling.ts";
import { MEMORY_FORMAT, suggestMemoryFormat, suggestRowFormat } from "../tensor/memory_format.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { numelOf } from "../tensor/strides.ts";
import { wasmMaxPool } from "../tensor/kernels/wasm/pooling.ts";
import { uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { list } from "./convolution.ts";
import { isReducedFloat } from "./operands.ts";
import { meanDim } from "./reduction.ts";
import { roundingOf } from "./unary.ts";

const WORDS = ["", "an int", "two ints", "three ints"];

interface PoolArguments {
  readonly name: string;
  readonly kernel: unknown;
  readonly stride: unknown;
  readonly padding: unknown;
  readonly dilation: unknown;
  readonly ceilMode: boolean;
}

function values(value: unknown, dims: number, pool: string, name: string): number[] {
  const given = list(value);
  if (given.length === dims) return given;
  if (given.length === 1) return new Array<number>(dims).fill(given[0]!);
  const tail =
    name === "stride"
      ? `must either be omitted, a single int, or a tuple of ${WORDS[dims]}`
      : `must either be a single int, or a tuple of ${WORDS[dims]}`;
  throw new OperatorError(`${pool}: ${name} ${tail}`);
}

function triple(v: readonly number[], fill: number): Triple {
  return v.length === 3 ? [v[0]!, v[1]!, v[2]!] : v.length === 2 ? [fill, v[0]!, v[1]!] : [fill, fill, v[0]!];
}

/** `pad must be non-negative` and its kin, in the order in which PyTorch computes output sizes. */
function checkWindow(kernel: number, stride: number, padding: number, dilation: number): void {
  if (stride === 0) throw new OperatorError("stride should not be zero");
  if (padding < 0) throw new OperatorError(`pad must be non-negative, but got pad: ${padding}`);
  if (padding > Math.floor(((kernel - 1) * dilation + 1) / 2)) {
    throw new OperatorError(
      `pad should be at most half of effective kernel size, but got pad=${padding}, kernel_size=${kernel} and dilation=${dilation}`,
    );
  }
}

/** The checks of max_pool1d without gradients, which has a kernel of its own. */
function checkMaxPool1d(self: Tensor, kernel: number, stride: number, padding: number, dilation: number): void {
  const ok =
    (self.ndim === 2 && self.sizes.every((s) => s !== 0)) ||
    (self.ndim === 3 && self.sizes.slice(1).every((s) => s !== 0));
  if (!ok) {
    throw new OperatorError(
      `max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:${formatList(self.sizes)}`,
    );
  }
  if (kernel <= 0) throw new OperatorError(`max_pool1d() kernel_size must be greater than zero, but got ${kernel}`);
  if (stride <= 0) throw new OperatorError(`max_pool1d() stride must be greater than zero, but got ${stride}`);
  if (padding < 0) throw new OperatorError(`max_pool1d() padding must be non-negative, but got ${padding}`);
  if (padding > Math.floor(kernel / 2)) {
    throw new OperatorError(
      `max_pool1d() padding should be at most half of kernel size, but got padding=${padding} and kernel_size=${kernel}`,
    );
  }
  if (dilation <= 0) throw new OperatorError(`max_pool1d() dilation must be greater than zero, but got ${dilation}`);
}

const AXES = ["T", "H", "W"];

function positive(values: readonly number[], what: string, prefix: string, dims: number): void {
  if (values.every((v) => v > 0)) return;
  const names = AXES.slice(3 - dims);
  throw new OperatorError(
    `${what} should be greater than zero, but got ${names.map((n, i) => `${prefix}${n}: ${values[i]}`).join(" ")}`,
  );
}

/** Checks the arguments of a pooling operator and computes its output size. */
function geometry(self: Tensor, dims: number, a: PoolArguments): { geometry: PoolGeometry; sizes: number[] } {
  const kernel = values(a.kernel, dims, a.name, "kernel_size");
  const given = list(a.stride);
  const stride = given.length === 0 ? kernel : values(given, dims, a.name, "stride");
  const padding = values(a.padding, dims, a.name, "padding");
  const dilation = values(a.dilation, dims, a.name, "dilation");
  const spatial = self.sizes.slice(self.ndim - dims);
  const isOwnMaxPool1d = a.name === "max_pool1d";
  if (isOwnMaxPool1d) checkMaxPool1d(self, kernel[0]!, stride[0]!, padding[0]!, dilation[0]!);
  else {
    if (self.ndim !== dims + 1 && self.ndim !== dims + 2) {
      if (dims === 1) {
        throw new OperatorError(
          `Expected 2 to 3 dimensions, but got ${self.ndim}-dimensional tensor for argument #1 'self' (while checking arguments for ${a.name.replace("_with_indices", "")})`,
        );
      }
      if (dims === 3 && self.ndim < 3) {
        throw new OperatorError(
          `Dimension out of range (expected to be in range of [${-self.ndim}, ${self.ndim - 1}], but got -3)`,
        );
      }
      throw new OperatorError(`non-empty ${dims + 1}D or ${dims + 2}D (batch mode) tensor expected for input`);
    }
    for (let d = 0; d < dims; d++) checkWindow(kernel[d]!, stride[d]!, padding[d]!, dilation[d]!);
    positive(kernel, "kernel size", "k", dims);
    positive(stride, "stride", "d", dims);
    positive(dilation, "dilation", "dilation", dims);
    const empty = self.sizes.findIndex((s, d) => s === 0 && d > self.ndim - dims - 2);
    if (empty >= 0) {
      throw new OperatorError(
        dims === 3
          ? `${a.name.startsWith("max") ? "max_pool3d_with_indices_out_cpu_template()" : "avg_pool3d_out_cpu()"}: Expected input's non-batch dimensions to have positive length, but input has a shape of ${formatList(self.sizes)} and non-batch dimension ${self.sizes[empty]} has length zero!`
          : `Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:${formatList(self.sizes)}`,
      );
    }
  }
  const out = spatial.map((s, d) => pooledSize(s, kernel[d]!, padding[d]!, stride[d]!, dilation[d]!, a.ceilMode));
  const channels = self.sizes[self.ndim - dims - 1]!;
  if (out.some((s) => s < 1)) {
    if (isOwnMaxPool1d) throw new OperatorError(`max_pool1d() Invalid computed output size: ${out[0]}`);
    const wide = dims === 1 ? [channels, 1, ...spatial] : [channels, ...spatial];
    const result = dims === 1 ? [channels, 1, ...out] : [channels, ...out];
    throw new OperatorError(
      `Given input size: (${wide.join("x")}). Calculated output size: (${result.join("x")}). Output size is too small`,
    );
  }
  const sizes = [...self.sizes.slice(0, self.ndim - dims), ...out];
  return {
    sizes,
    geometry: {
      planes: numelOf(self.sizes.slice(0, self.ndim - dims)),
      input: triple(spatial, 1),
      output: triple(out, 1),
      kernel: triple(kernel, 1),
      stride: triple(stride, 1),
      padding: triple(padding, 0),
      dilation: triple(dilation, 1),
    },
  };
}

/** The memory format of what is pooled from a tensor, over its last `dims` dimensions. */
function pooledFormat(self: Tensor, dims: number): number {
  if (self.ndim !== dims + 2) return MEMORY_FORMAT.contiguous;
  return dims === 1 ? suggestRowFormat(self) : suggestMemoryFormat(self);
}

/** The same of kernels that know no format of volumes but the plain one. */
function planeFormat(self: Tensor, dims: number): number {
  return dims === 3 ? MEMORY_FORMAT.contiguous : pooledFormat(self, dims);
}

/** Refuses a volume without a batch whose strides are those of a batch of images. */
function checkVolumeFormat(self: Tensor): void {
  if (self.ndim === 4 && suggestMemoryFormat(self) !== MEMORY_FORMAT.contiguous)
    throw new OperatorError("Unsupported memory format. Supports only ChannelsLast3d, Contiguous");
}

function requireReal(self: Tensor, name: string): void {
  if (self.dtype === DTYPES.bool || self.dtype.category === "complex") {
    throw new OperatorError(`"${name}" not implemented for '${self.dtype.cppName}'`);
  }
}

function maxPoolNd(
  dims: number,
  name: string,
  self: Tensor,
  kernel: unknown,
  stride: unknown,
  padding: unknown,
  dilation: unknown,
  ceilMode: boolean,
  { onlyValues = false } = {},
): [Tensor, Tensor] {
  const { geometry: g, sizes } = geometry(self, dims, { name, kernel, stride, padding, dilation, ceilMode });
  if (dims === 3) checkVolumeFormat(self);
  requireReal(self, name);
  // the kernel of max_pool1d alone knows no other format
  const format = name === "max_pool1d" ? MEMORY_FORMAT.contiguous : pooledFormat(self, dims);
  const count = numelOf(sizes);
  if (onlyValues && self.dtype === DTYPES.float32) {
    const fast = uninitializedTensor(sizes);
    const x = floatsAs(self, DTYPES.float32) as Float32Array;
    if (wasmMaxPool(x, floatsOf(fast) as Float32Array, g)) {
      const values = laidOut(fast, format);
      return [values, values];
    }
  }
  const out = new Float64Array(count);
  const indices = new Float64Array(count);
  if (count > 0) maxPool(readReal(self), out, indices, g);
  return [laidOut(fromDoubles(out, sizes, self.dtype), format), laidOut(fromIndices(indices, sizes), format)];
}

/** Asks for no indices. */
const VALUES = { onlyValues: true };

function readReal(self: Tensor): ArrayLike<number> {
  return self.dtype === DTYPES.float32 ? floatsAs(self, DTYPES.float32) : doublesOf(self);
}

export const max_pool2d_with_indices = op(
  "aten::max_pool2d_with_indices(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
  (self, k, s, p, d, c) => maxPoolNd(2, "max_pool2d", self, k, s, p, d, c),
);
op(
  "aten::max_pool1d_with_indices(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], int[1] dilation=[1], bool ceil_mode=False) -> (Tensor, Tensor)",
  (self, k, s, p, d, c) => maxPoolNd(1, "max_pool1d_with_indices", self, k, s, p, d, c),
);
op(
  "aten::max_pool3d_with_indices(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False) -> (Tensor, Tensor)",
  (self, k, s, p, d, c) => maxPoolNd(3, "max_pool3d", self, k, s, p, d, c),
);
op(
  "aten::max_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], int[1] dilation=[1], bool ceil_mode=False) -> Tensor",
  (self, k, s, p, d, c) =>
    maxPoolNd(1, self.requiresGrad ? "max_pool1d_with_indices" : "max_pool1d", self, k, s, p, d, c, VALUES)[0],
);
export const max_pool2d = op(
  "aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor",
  (self, k, s, p, d, c) => maxPoolNd(2, "max_pool2d", self, k, s, p, d, c, VALUES)[0],
);
op(
  "aten::max_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, bool ceil_mode=False) -> Tensor",
  (self, k, s, p, d, c) => maxPoolNd(3, "max_pool3d", self, k, s, p, d, c, VALUES)[0],
);

function avgPoolNd(
  dims: number,
  self: Tensor,
  kernel: unknown,
  stride: unknown,
  padding: unknown,
  ceilMode: boolean,
  includePad: boolean,
  divisor: number | null,
): Tensor {
  if (divisor === 0) throw new OperatorError("divisor must be not zero");
  const { geometry: g, sizes } = geometry(self, dims, {
    name: `avg_pool${dims}d`,
    kernel,
    stride,
    padding,
    dilation: 1,
    ceilMode,
  });
  // of halves there are kernels of planes, not of volumes
  const isSupported =
    self.dtype === DTYPES.int64 || (self.dtype.category === "float" && !(dims === 3 && isReducedFloat(self.dtype)));
  if (!isSupported) throw notImplemented(dims === 3 ? "avg_pool3d_out_frame" : "avg_pool2d", self.dtype);
  const format = planeFormat(self, dims);
  if (self.dtype === DTYPES.float32) {
    const result = uninitializedTensor(sizes, self.dtype);
    averagePool(floatsAs(self, self.dtype), floatsOf(result), g, includePad, divisor);
    return laidOut(result, format);
  }
  const out = new Float64Array(numelOf(sizes));
  averagePool(readReal(self), out, g, includePad, divisor);
  return laidOut(fromDoubles(self.dtype === DTYPES.int64 ? out.map(Math.trunc) : out, sizes, self.dtype), format);
}

op(
  "aten::avg_pool1d(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=[0], bool ceil_mode=False, bool count_include_pad=True) -> Tensor",
  (self, k, s, p, c, include) => avgPoolNd(1, self, k, s, p, c, include, null),
);
export const avg_pool2d = op(
  "aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
  (self, k, s, p, c, include, divisor) => avgPoolNd(2, self, k, s, p, c, include, divisor),
);
op(
  "aten::avg_pool3d(Tensor self, int[3] kernel_size, int[3] stride=[], int[3] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor",
  (self, k, s, p, c, include, divisor) => avgPoolNd(3, self, k, s, p, c, include, divisor),
);

function checkAdaptive(self: Tensor, dims: number, size: readonly number[], kind: "avg" | "max"): void {
  const name = `adaptive_${kind}_pool${dims}d`;
  if (size.length !== dims) {
    throw new OperatorError(
      dims === 1
        ? `${name}() argument 'output_size' should contain one int (got ${size.length})`
        : kind === "avg"
          ? `${name}: output_size must be ${dims}`
          : `${name}(): internal error: output_size.size() must be ${dims}`,
    );
  }
  if (dims === 1) {
    if (self.ndim !== 2 && self.ndim !== 3) {
      throw new OperatorError(
        `Expected 2 to 3 dimensions, but got ${self.ndim}-dimensional tensor for argument #1 'self' (while checking arguments for ${name})`,
      );
    }
  } else if (self.ndim !== dims + 1 && self.ndim !== dims + 2) {
    throw new OperatorError(
      `${name}(): Expected ${dims + 1}D or ${dims + 2}D tensor, but got${kind === "max" ? ":" : ""} ${formatList(self.sizes)}`,
    );
  }
  if (size.some((s) => s < 0)) {
    throw new OperatorError(
      kind === "avg"
        ? dims === 1
          ? `adaptive_avg_pool2d: elements of output_size must be greater than or equal to 0 but received {1, ${size[0]}}`
          : `${name}: elements of output_size must be greater than or equal to 0 but received {${size.join(", ")}}`
        : `Trying to create tensor with negative dimension ${size.find((s) => s < 0)}: ${formatList([...self.sizes.slice(0, self.ndim - dims), ...size])}`,
    );
  }
  for (let d = self.ndim - dims; d < self.ndim; d++) {
    if (self.sizes[d] === 0) {
      throw new OperatorError(
        `${name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ${formatList(self.sizes)} with dimension ${d} being empty`,
      );
    }
  }
}

/** adaptive_avg_pool of one number for each plane or volume, which PyTorch takes as a mean. @param size ones. */
function meanOfPlanes(dims: number, self: Tensor, size: readonly number[]): Tensor {
  checkAdaptive(self, dims, size, "avg");
  return meanDim(
    self,
    size.map((_, d) => -1 - d),
    true,
  );
}

/** Whether `meanOfPlanes` is to be asked; of float32 and float64 the kernel gives the same. */
function isMeanOfPlanes(self: Tensor, size: readonly number[]): boolean {
  const { category } = self.dtype;
  return size.every((s) => s === 1) && category !== "quantized" && (category !== "float" || isReducedFloat(self.dtype));
}

function adaptiveAvgNd(dims: number, self: Tensor, size: readonly number[]): Tensor {
  checkAdaptive(self, dims, size, "avg");
  if (self.dtype.category !== "float" && self.numel > 0)
    throw notImplemented(dims === 3 ? "adaptive_avg_pool3d_cpu" : "adaptive_avg_pool2d", self.dtype);
  const lead = self.sizes.slice(0, self.ndim - dims);
  const sizes = [...lead, ...size];
  const out = new Float64Array(numelOf(sizes));
  // the 3-d kernel sums in the dtype itself
  const round =
    dims === 3 && self.dtype === DTYPES.float16
      ? roundToHalf
      : dims === 3 && self.dtype === DTYPES.bfloat16
        ? roundToBfloat16
        : undefined;
  adaptiveAverage(
    readReal(self),
    out,
    numelOf(lead),
    triple(self.sizes.slice(self.ndim - dims), 1),
    triple(size, 1),
    round,
  );
  return laidOut(fromDoubles(out, sizes, self.dtype), planeFormat(self, dims));
}

op("aten::adaptive_avg_pool1d(Tensor self, int[1] output_size) -> Tensor", (self, sizeIn) => {
  const size = list(sizeIn);
  return isMeanOfPlanes(self, size) ? meanOfPlanes(1, self, size) : adaptiveAvgNd(1, self, size);
});
export const adaptive_avg_pool2d = op(
  "aten::adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor",
  (self, sizeIn) => {
    const size = list(sizeIn);
    if (!isMeanOfPlanes(self, size)) return adaptiveAvgNd(2, self, size);
    return laidOut(meanOfPlanes(2, self, size), planeFormat(self, 2));
  },
);
op("aten::_adaptive_avg_pool2d(Tensor self, SymInt[2] output_size) -> Tensor", (self, size) =>
  adaptiveAvgNd(2, self, list(size)),
);
op("aten::adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", (self, sizeIn) => {
  const size = list(sizeIn);
  const out = isMeanOfPlanes(self, size) ? meanOfPlanes(3, self, size) : adaptiveAvgNd(3, self, size);
  // a mean of whole volumes keeps their format, the kernel does not
  return size.every((s) => s === 1) ? laidOut(out, pooledFormat(self, 3)) : out;
});
op("aten::_adaptive_avg_pool3d(Tensor self, SymInt[3] output_size) -> Tensor", (self, size) =>
  adaptiveAvgNd(3, self, list(size)),
);

function adaptiveMaxNd(dims: number, self: Tensor, size: readonly number[]): [Tensor, Tensor] {
  checkAdaptive(self, dims, size, "max");
  for (let d = 1; d < self.ndim; d++) {
    if (self.sizes[d] === 0)
      throw new OperatorError(
        `adaptive_max_pool${dims}d(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ${formatList(self.sizes)} with dimension ${d} being empty`,
      );
  }
  if (self.dtype.category !== "float")
    throw notImplemented(dims === 3 ? "adaptive_max_pool3d_cpu" : "adaptive_max_pool2d", self.dtype);
  const lead = self.sizes.slice(0, self.ndim - dims);
  const sizes = [...lead, ...size];
  const out = new Float64Array(numelOf(sizes));
  const indices = new Float64Array(out.length);
  adaptiveMax(
    readReal(self),
    out,
    indices,
    numelOf(lead),
    triple(self.sizes.slice(self.ndim - dims), 1),
    triple(size, 1),
  );
  const format = planeFormat(self, dims);
  return [laidOut(fromDoubles(out, sizes, self.dtype), format), laidOut(fromIndices(indices, sizes), format)];
}

op("aten::adaptive_max_pool1d(Tensor self, int[1] output_size) -> (Tensor, Tensor)", (self, size) =>
  adaptiveMaxNd(1, self, list(size)),
);
op("aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)", (self, size) =>
  adaptiveMaxNd(2, self, list(size)),
);
op("aten::adaptive_max_pool3d(Tensor self, int[3] output_size) -> (Tensor, Tensor)", (self, size) =>
  adaptiveMaxNd(3, self, list(size)),
);

function unpool(self: Tensor, indices: Tensor, size: readonly number[], dims: 2 | 3): Tensor {
  if (indices.dtype !== DTYPES.int64)
    throw new OperatorError(`elements in indices should be type int64 but got: ${indices.dtype.cppName}`);
  if (size.length !== dims)
    throw new OperatorError(
      `There should be exactly ${dims === 2 ? "two" : "three"} elements (${dims === 2 ? "height, width" : "depth, height, width"}) in output_size, but got ${size.length} elements.`,
    );
  if (self.ndim !== dims + 1 && self.ndim !== dims + 2) {
    throw new OperatorError(
      `Input to max_unpooling${dims}d should be a ${dims + 1}d or ${dims + 2}d Tensor, but got a tensor with ${self.ndim} dimensions.`,
    );
  }
  if (!self.sizes.every((s, d) => s === indices.sizes[d]) || self.ndim !== indices.ndim) {
    throw new OperatorError(
      `Expected shape of indices to be same as that of the input tensor (${formatList(self.sizes)}) but got indices tensor with shape: ${formatList(indices.sizes)}`,
    );
  }
  if (self.dtype.category !== "float") throw notImplemented(`max_unpool${dims}d`, self.dtype);
  const lead = self.sizes.slice(0, self.ndim - dims);
  const planes = numelOf(lead);
  const inner = planes === 0 ? 0 : self.numel / planes;
  const volume = numelOf(size);
  const out = new Float64Array(planes * volume);
  const x = doublesOf(self);
  const at = indicesOf(indices);
  for (let i = 0; i < x.length; i++) {
    const index = at[i]!;
    if (index < 0 || index >= volume) {
      throw new OperatorError(`Found an invalid max index: ${index} (output volumes are of size ${size.join("x")})`);
    }
    out[Math.floor(i / inner) * volume + index] = x[i]!;
  }
  const format = planeFormat(self, dims);
  return laidOut(fromDoubles(out, [...lead, ...size], self.dtype), format);
}

op("aten::max_unpool2d(Tensor self, Tensor indices, SymInt[2] output_size) -> Tensor", (self, indices, size) =>
  unpool(self, indices, list(size), 2),
);
op(
  "aten::max_unpool3d(Tensor self, Tensor indices, SymInt[3] output_size, int[3] stride, int[3] padding) -> Tensor",
  (self, indices, size) => unpool(self, indices, list(size), 3),
);

/** Starts of the pooling regions of one dimension, chosen by a random sample. */
function regionStarts(
  sample: number,
  input: number,
  output: number,
  kernel: number,
  round: (x: number) => number,
): number[] {
  const starts = new Array<number>(output);
  if (output > 1) {
    const alpha = round(round(input - kernel) / round(output - 1));
    for (let i = 0; i < output - 1; i++)
      starts[i] = Math.trunc(round(round(i + sample) * alpha)) - Math.trunc(round(sample * alpha));
  }
  if (output > 0) starts[output - 1] = input - kernel;
  return starts;
}

function fractional(dims: 2 | 3, self: Tensor, kernelIn: unknown, sizeIn: unknown, samples: Tensor): [Tensor, Tensor] {
  const kernel = values(kernelIn, dims, `fractional_max_pool${dims}d`, "kernel_size");
  const size = values(sizeIn, dims, `fractional_max_pool${dims}d`, "output_size");
  if (self.ndim !== dims + 1 && self.ndim !== dims + 2) {
    throw new OperatorError(
      `fractional_max_pool${dims}d(): Expected ${dims + 1}D or ${dims + 2}D tensor, but got: ${formatList(self.sizes)}`,
    );
  }
  const spatial = self.sizes.slice(self.ndim - dims);
  const names = dims === 2 ? ["height", "width"] : ["time", "height", "width"];
  for (let d = 0; d < dims; d++) {
    if (size[d]! + kernel[d]! - 1 > spatial[d]!) {
      throw new OperatorError(
        `fractional_max_pool${dims}d(): pool ${names[d]} ${kernel[d]} too large relative to input ${names[d]} ${spatial[d]}`,
      );
    }
  }
  if (self.dtype.category !== "float") throw notImplemented(`fractional_max_pool${dims}d_out_frame`, self.dtype);
  const lead = self.sizes.slice(0, self.ndim - dims);
  const planes = numelOf(lead);
  const x = doublesOf(self);
  const random = doublesOf(samples);
  const sizes = [...lead, ...size];
  const out = new Float64Array(numelOf(sizes));
  const indices = new Float64Array(out.length);
  const [id, ih, iw] = triple(spatial, 1);
  const [od, oh, ow] = triple(size, 1);
  const [kd, kh, kw] = triple(kernel, 1);
  const round = roundingOf(self.dtype);
  let at = 0;
  for (let n = 0; n < planes; n++) {
    // samples are ordered width, height for 2-d and time, height, width for 3-d
    const draw = (d: number): number => random[n * dims + (dims === 2 ? 1 - d : d)]!;
    const zs = dims === 3 ? regionStarts(draw(0), id, od, kd, round) : [0];
    const ys = regionStarts(draw(dims - 2), ih, oh, kh, round);
    const xs = regionStarts(draw(dims - 1), iw, ow, kw, round);
    for (const z0 of zs) {
      for (const y0 of ys) {
        for (const x0 of xs) {
          let best = -Infinity;
          let bestAt = (z0 * ih + y0) * iw + x0;
          for (let z = z0; z < z0 + kd; z++) {
            for (let y = y0; y < y0 + kh; y++) {
              for (let w = x0; w < x0 + kw; w++) {
                const index = (z * ih + y) * iw + w;
                const v = x[n * id * ih * iw + index]!;
                if (v > best || v !== v) {
                  best = v;
                  bestAt = index;
                }
              }
            }
          }
          out[at] = best;
          indices[at++] = bestAt;
        }
      }
    }
  }
  return [fromDoubles(out, sizes, self.dtype), fromIndices(indices, sizes)];
}

op(
  "aten::fractional_max_pool2d(Tensor self, int[2] kernel_size, int[2] output_size, Tensor random_samples) -> (Tensor, Tensor)",
  (self, kernel, size, samples) => fractional(2, self, kernel, size, samples),
);
op(
  "aten::fractional_max_pool3d(Tensor self, int[3] kernel_size, int[3] output_size, Tensor random_samples) -> (Tensor, Tensor)",
  (self, kernel, size, samples) => fractional(3, self, kernel, size, samples),
);

op(
  "aten::mkldnn_max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor",
  (self, k, s, p, d, c) => maxPoolNd(2, "max_pool2d", self, k, s, p, d, c, VALUES)[0],
);

op(
  "aten::max_pool2d_with_indices_backward(Tensor grad_output, Tensor self, int[2] kernel_size, int[2] stride, int[2] padding, int[2] dilation, bool ceil_mode, Tensor indices) -> Tensor",
  (grad, self, _k, _s, _p, _d, _c, indices) => {
    if (self.dtype.category !== "float") throw notImplemented("max_pool2d_backward", self.dtype);
    const out = new Float64Array(self.numel);
    const plane = self.sizes[self.ndim - 1]! * self.sizes[self.ndim - 2]!;
    const pooled = grad.sizes[grad.ndim - 1]! * grad.sizes[grad.ndim - 2]!;
    const g = doublesOf(grad);
    const at = indicesOf(indices);
    for (let i = 0; i < g.length; i++) {
      const to = Math.floor(i / pooled) * plane + at[i]!;
      out[to] = out[to]! + g[i]!;
    }
    return laidOut(fromDoubles(out, self.sizes, self.dtype), planeFormat(self, 2));
  },
);
