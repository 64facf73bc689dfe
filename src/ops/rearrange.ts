/** @file Rearranging elements: flip, roll, triangles, diagonals, shuffles, columns of patches. Upstream: aten/src/ATen/native/TensorTransformations.cpp, TriangularOps.cpp, PixelShuffle.cpp, Im2Col.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor, emptyLike, laidOut, laidOutLike } from "../tensor/clone.ts";
import { MEMORY_FORMAT, suggestMemoryFormat } from "../tensor/memory_format.ts";
import { copyElements } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { doublesOf, floatsAs, floatsOf, fromDoubles, indicesOf } from "../tensor/kernels/data.ts";
import { moveUnit, plainContiguous } from "../tensor/kernels/gather.ts";
import { addPatches, gatherPatches, patchGeometry, type Patches } from "../tensor/kernels/patches.ts";
import { Complex, type Scalar } from "../tensor/scalar.ts";
import { numelOf, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, uninitializedTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { diagonalView, formatList, narrowView, permuteView, wrapDims } from "../tensor/view_geometry.ts";
import { fillScalar } from "./creation.ts";
import { list } from "./convolution.ts";
import { reshapeTensor, transpose } from "./views.ts";

function flipDims(self: Tensor, dims: readonly number[]): Tensor {
  const wrapped = wrapDims(dims, self.ndim);
  if (self.numel === 0 || self.ndim === 0) return cloneTensor(self);
  // read backwards
  const strides = [...self.strides];
  let start = self.storageOffset;
  for (const d of wrapped) {
    start += (self.sizes[d]! - 1) * strides[d]!;
    strides[d] = -strides[d]!;
  }
  const out = emptyLike(self, self.dtype, MEMORY_FORMAT.preserve, false);
  out.isConj = self.isConj;
  out.isNeg = self.isNeg;
  copyElements(out, viewOf(self, self.sizes, strides, start));
  return out;
}

/** Contiguous room for elements as `self` has them. */
function uninitializedLike(self: Tensor): Tensor {
  const out = uninitializedTensor(self.sizes, self.dtype);
  out.quantizer = self.quantizer;
  out.isConj = self.isConj;
  out.isNeg = self.isNeg;
  return out;
}

export const flip = op("aten::flip(Tensor self, int[] dims) -> Tensor", flipDims);
op("aten::fliplr(Tensor self) -> Tensor", (self) => {
  if (self.ndim < 2) throw new OperatorError("Input must be >= 2-d.");
  return flipDims(self, [1]);
});
op("aten::flipud(Tensor self) -> Tensor", (self) => {
  if (self.ndim < 1) throw new OperatorError("Input must be >= 1-d.");
  return flipDims(self, [0]);
});

function rollDim(self: Tensor, dim: number, shift: number): Tensor {
  const n = self.sizes[dim]!;
  if (n === 0) return cloneTensor(self);
  const first = ((shift % n) + n) % n;
  const out = uninitializedLike(self);
  const [start, end] = [narrowView(self, dim, 0, n - first), narrowView(self, dim, n - first, first)];
  copyElements(narrowView(out, dim, first, n - first), start);
  copyElements(narrowView(out, dim, 0, first), end);
  // PyTorch concatenates the parts, whose format decides
  const format = suggestMemoryFormat(start);
  return format === suggestMemoryFormat(end) ? laidOut(out, format) : out;
}

export const roll = op(
  "aten::roll(Tensor self, SymInt[1] shifts, int[1] dims=[]) -> Tensor",
  (self, shiftsIn, dimsIn) => {
    const shifts = list(shiftsIn);
    const dims = list(dimsIn);
    if (self.numel === 0) return cloneTensor(self);
    if (dims.length === 0 && shifts.length === 1) {
      const flat = reshapeTensor(self, [-1]);
      return reshapeTensor(rollDim(flat, 0, shifts[0]!), self.sizes);
    }
    if (shifts.length === 0) throw new OperatorError("`shifts` required");
    if (dims.length !== shifts.length) {
      throw new OperatorError(`shifts and dimensions must align. shifts: ${shifts.length}, dims:${dims.length}`);
    }
    if (self.ndim === 0) throw new OperatorError(`Dimension specified as ${dims[0]} but tensor has no dimensions`);
    let out = self;
    dims.forEach((d, i) => (out = rollDim(out, wrapDim(d, self.ndim), shifts[i]!)));
    return out;
  },
);

op("aten::rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", (self, kIn, dimsIn) => {
  const dims = list(dimsIn);
  if (dims.length !== 2) throw new OperatorError(`expected total rotation dims == 2, but got dims = ${dims.length}`);
  if (self.ndim < 2) throw new OperatorError(`expected total dims >= 2, but got total dims = ${self.ndim}`);
  const [d0, d1] = dims as [number, number];
  if (d0 === d1 || Math.abs(d0 - d1) === self.ndim) {
    throw new OperatorError(`expected rotation dims to be different, but got dim0 = ${d0} and dim1 = ${d1}`);
  }
  for (const [i, d] of dims.entries()) {
    if (d >= self.ndim || d < -self.ndim) throw new OperatorError(`Rotation dim${i} out of range, dim${i} = ${d}`);
  }
  const k = ((kIn % 4) + 4) % 4;
  if (k === 1) return transpose(flipDims(self, [d1]), d0, d1);
  if (k === 2) return flipDims(self, dims);
  if (k === 3) return transpose(flipDims(self, [d0]), d0, d1);
  return cloneTensor(self, 0);
});

/** A copy whose columns before or after the diagonal `k` of each matrix are 0. */
function triangle(self: Tensor, name: string, k: number, isLower: boolean): Tensor {
  if (self.ndim < 2) throw new OperatorError(`${name}: input tensor must have at least 2 dimensions`);
  const out = cloneTensor(self, 0);
  const { of, per } = moveUnit(self.dtype);
  const words = of(out.storage.segment);
  const rows = self.sizes[self.ndim - 2]!;
  const cols = self.sizes[self.ndim - 1]!;
  const lines = out.numel / Math.max(cols, 1);
  for (let line = 0, at = out.base0 * per; line < lines; line++, at += cols * per) {
    const diagonal = (line % rows) + k;
    const cut = Math.min(Math.max(isLower ? diagonal + 1 : diagonal, 0), cols) * per;
    if (isLower) words.fill(0, at + cut, at + cols * per);
    else words.fill(0, at, at + cut);
  }
  return out;
}

export const tril = op("aten::tril(Tensor self, SymInt diagonal=0) -> Tensor", (self, k) =>
  triangle(self, "tril", k, true),
);
export const triu = op("aten::triu(Tensor self, SymInt diagonal=0) -> Tensor", (self, k) =>
  triangle(self, "triu", k, false),
);

function diagEmbed(self: Tensor, offset: number, dim1In: number, dim2In: number): Tensor {
  const ndim = self.ndim + 1;
  const dim1 = wrapDim(dim1In, ndim);
  const dim2 = wrapDim(dim2In, ndim);
  if (dim1 === dim2) throw new OperatorError(`diagonal dimensions cannot be identical ${dim1In}, ${dim2In}`);
  const n = self.sizes[self.ndim - 1]! + Math.abs(offset);
  const sizes = self.sizes.slice(0, -1);
  sizes.splice(Math.min(dim1, dim2), 0, n);
  sizes.splice(Math.max(dim1, dim2), 0, n);
  const out = emptyTensor(sizes, self.dtype);
  copyElements(diagonalView(out, offset, dim1, dim2), self);
  return out;
}

op("aten::diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", diagEmbed);
export const diag = op("aten::diag(Tensor self, int diagonal=0) -> Tensor", (self, k) => {
  if (self.ndim !== 1 && self.ndim !== 2)
    throw new OperatorError(`diag(): Supports 1D or 2D tensors. Got ${self.ndim}D`);
  return self.ndim === 1 ? diagEmbed(self, k, 0, 1) : cloneTensor(diagonalView(self, k, 0, 1), 0);
});
op("aten::diagflat(Tensor self, int offset=0) -> Tensor", (self, k) => diagEmbed(reshapeTensor(self, [-1]), k, 0, 1));

op(
  "aten::fill_diagonal_(Tensor(a!) self, Scalar fill_value, bool wrap=False) -> Tensor(a!)",
  (self, value: Scalar, wrap) => {
    if (self.ndim < 2) throw new OperatorError("dimensions must larger than 1");
    if (self.ndim > 2 && self.sizes.some((s) => s !== self.sizes[0])) {
      throw new OperatorError("all dimensions of input must be of equal length");
    }
    const height = self.sizes[0]!;
    const width = self.sizes[1]!;
    const step = self.strides.reduce((a, b) => a + b, 0);
    const count = Math.min(height, width);
    if (count === 0) return self;
    fillScalar(viewOf(self, [count], [step]), value);
    if (wrap && self.ndim === 2 && height > width + 1) {
      // the diagonal begins again after a row left out
      for (let row = width + 1; row < height; row += width + 1) {
        const n = Math.min(width, height - row);
        fillScalar(viewOf(self, [n], [step], self.storageOffset + row * self.strides[0]!), value);
      }
    }
    return self;
  },
);

op("aten::trace(Tensor self) -> Tensor", (self) => {
  if (self.ndim !== 2) throw new OperatorError(`trace: expected a matrix, but got tensor with dim ${self.ndim}`);
  if (self.dtype === DTYPES.bool) throw new OperatorError(`"trace" not implemented for 'Bool'`);
  const diagonal = diagonalView(self, 0, 0, 1);
  if (self.dtype.category === "complex") {
    const pairs = cloneTensor(convertTensor(diagonal, DTYPES.complex128), 0);
    const v = pairs.storage.segment.f64;
    let [re, im] = [0, 0];
    for (let i = 0; i < pairs.numel; i++) {
      re += v[2 * (pairs.base0 + i)]!;
      im += v[2 * (pairs.base0 + i) + 1]!;
    }
    return fillScalar(emptyTensor([], self.dtype), new Complex(re, im));
  }
  const total = doublesOf(diagonal).reduce((a, b) => a + b, 0);
  const dtype = self.dtype.category === "int" || self.dtype === DTYPES.bool ? DTYPES.int64 : self.dtype;
  return fromDoubles([total], [], dtype);
});

export const one_hot = op("aten::one_hot(Tensor self, int num_classes=-1) -> Tensor", (self, classesIn) => {
  if (self.dtype !== DTYPES.int64)
    throw new OperatorError("one_hot is only applicable to index tensor of type LongTensor.");
  if (self.numel === 0) {
    if (classesIn <= 0) throw new OperatorError("Can not infer total number of classes from empty tensor.");
    return emptyTensor([...self.sizes, classesIn], DTYPES.int64);
  }
  const values = indicesOf(self);
  let most = 0;
  for (const v of values) {
    if (v < 0) throw new OperatorError("Class values must be non-negative.");
    most = Math.max(most, v);
  }
  if (classesIn !== -1) {
    if (classesIn < 1) throw new OperatorError("num_classes should be positive");
    if (most >= classesIn) throw new OperatorError("Class values must be smaller than num_classes.");
  }
  const classes = classesIn === -1 ? most + 1 : classesIn;
  const out = emptyTensor([...self.sizes, classes], DTYPES.int64);
  const words = out.storage.segment.i32;
  for (let i = 0; i < values.length; i++) words[2 * (out.base0 + i * classes + values[i]!)] = 1;
  return out;
});

/** The format of images that pixels are shuffled in. */
function imageFormat(self: Tensor): number {
  const format = suggestMemoryFormat(self);
  if (format === MEMORY_FORMAT.channelsLast3d)
    throw new OperatorError("Unsupported memory format. Supports only ChannelsLast, Contiguous");
  return format;
}

op("aten::pixel_shuffle(Tensor self, int upscale_factor) -> Tensor", (self, r) => {
  if (self.ndim < 3)
    throw new OperatorError(
      `pixel_shuffle expects input to have at least 3 dimensions, but got input with ${self.ndim} dimension(s)`,
    );
  if (r <= 0) throw new OperatorError(`pixel_shuffle expects a positive upscale_factor, but got ${r}`);
  const [c, h, w] = self.sizes.slice(-3) as [number, number, number];
  if (c % (r * r) !== 0) {
    throw new OperatorError(
      `pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)=${c} is not divisible by ${r * r}`,
    );
  }
  const lead = self.sizes.slice(0, -3);
  const n = lead.length;
  const split = reshapeTensor(self, [...lead, c / (r * r), r, r, h, w]);
  const order = [...lead.map((_, d) => d), n, n + 3, n + 1, n + 4, n + 2];
  const shuffled = cloneTensor(permuteView(split, order), 0);
  return laidOut(reshapeTensor(shuffled, [...lead, c / (r * r), h * r, w * r]), imageFormat(self));
});
op("aten::pixel_unshuffle(Tensor self, int downscale_factor) -> Tensor", (self, r) => {
  if (self.ndim < 3)
    throw new OperatorError(
      `pixel_unshuffle expects input to have at least 3 dimensions, but got input with ${self.ndim} dimension(s)`,
    );
  if (r <= 0) throw new OperatorError(`pixel_unshuffle expects a positive downscale_factor, but got ${r}`);
  const [c, h, w] = self.sizes.slice(-3) as [number, number, number];
  if (h % r !== 0)
    throw new OperatorError(
      `pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=${h} is not divisible by ${r}`,
    );
  if (w % r !== 0)
    throw new OperatorError(
      `pixel_unshuffle expects width to be divisible by downscale_factor, but input.size(-1)=${w} is not divisible by ${r}`,
    );
  const lead = self.sizes.slice(0, -3);
  const n = lead.length;
  // as PyTorch does, sizes included
  if (self.numel === 0) return cloneTensor(self);
  const split = reshapeTensor(self, [...lead, c, h / r, r, w / r, r]);
  const order = [...lead.map((_, d) => d), n, n + 2, n + 4, n + 1, n + 3];
  const shuffled = cloneTensor(permuteView(split, order), 0);
  return laidOut(reshapeTensor(shuffled, [...lead, c * r * r, h / r, w / r]), imageFormat(self));
});

function channelShuffle(self: Tensor, groups: number): Tensor {
  if (self.ndim <= 2)
    throw new OperatorError(
      `channel_shuffle expects input with > 2 dims, but got input with sizes ${formatList(self.sizes)}`,
    );
  if (groups <= 0)
    throw new OperatorError(`Number of groups to divide channels in must be positive. Value of groups:${groups}`);
  const c = self.sizes[1]!;
  if (c % groups !== 0)
    throw new OperatorError(`Number of channels must be divisible by groups. Got ${c} channels and ${groups} groups.`);
  if (self.numel === 0) return viewOf(self, self.sizes, self.strides);
  const rest = numelOf(self.sizes.slice(2));
  const split = reshapeTensor(self, [self.sizes[0]!, groups, c / groups, rest]);
  return laidOutLike(reshapeTensor(cloneTensor(permuteView(split, [0, 2, 1, 3]), 0), self.sizes), self);
}

op("aten::channel_shuffle(Tensor self, SymInt groups) -> Tensor", channelShuffle);
op("aten::native_channel_shuffle(Tensor self, SymInt groups) -> Tensor", channelShuffle);

function checkPatches(p: Patches): void {
  const check = (v: readonly number[], what: string, least: number): void => {
    if (v.some((x) => x < least))
      throw new OperatorError(
        `${what} should be ${least > 0 ? "greater than zero" : "non-negative"}, but got ${what}_height: ${v[0]} ${what}_width: ${v[1]}`,
      );
  };
  check(p.kernel, "kernel", 1);
  check(p.dilation, "dilation", 1);
  check(p.padding, "padding", 0);
  check(p.stride, "stride", 1);
}

function requirePatchDtype(self: Tensor, kernel: string): void {
  if (self.dtype.category === "int") throw new OperatorError(`"${kernel}" not implemented for '${self.dtype.cppName}'`);
}

op(
  "aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
  (self, kernel, dilation, padding, stride) => {
    const p: Patches = { kernel, dilation, padding, stride };
    checkPatches(p);
    const isBatched = self.ndim === 4;
    requirePatchDtype(self, "im2col_out_cpu");
    if (self.ndim !== 3 && self.ndim !== 4) {
      throw new OperatorError(
        `Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: ${formatList(self.sizes)}`,
      );
    }
    const [batch, channels, h, w] = (isBatched ? self.sizes : [1, ...self.sizes]) as [number, number, number, number];
    const g = patchGeometry([h, w], p);
    const { counts } = g;
    if (counts[0] < 1 || counts[1] < 1) {
      throw new OperatorError(
        `Given input with spatial size (${h}, ${w}), kernel_size=(${kernel.join(", ")}), dilation=(${dilation.join(", ")}), padding=(${padding.join(", ")}), stride=(${stride.join(", ")}), calculated shape of the array of sliding blocks as (${counts.join(", ")}), but its components must be at least one.`,
      );
    }
    const taps = kernel[0]! * kernel[1]!;
    const source = plainContiguous(self);
    const out = emptyTensor([...(isBatched ? [batch] : []), channels * taps, g.positions], self.dtype);
    const { of, per } = moveUnit(self.dtype);
    const wordsOf = (t: Tensor): ReturnType<typeof of> =>
      of(t.storage.segment).subarray(t.base0 * per, (t.base0 + t.numel) * per);
    gatherPatches(wordsOf(out), wordsOf(source), batch * channels, g, per);
    return out;
  },
);

op(
  "aten::col2im(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor",
  (self, size, kernel, dilation, padding, stride) => {
    const p: Patches = { kernel, dilation, padding, stride };
    checkPatches(p);
    if (self.ndim !== 2 && self.ndim !== 3) {
      throw new OperatorError(
        `Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, but got: ${formatList(self.sizes)}`,
      );
    }
    const isBatched = self.ndim === 3;
    requirePatchDtype(self, "col2im_out_cpu");
    const [batch, rows, columns] = (isBatched ? self.sizes : [1, ...self.sizes]) as [number, number, number];
    const taps = kernel[0]! * kernel[1]!;
    if (rows % taps !== 0) {
      throw new OperatorError(
        `Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)=${rows} and kernel_size=(${kernel.join(", ")}).`,
      );
    }
    const g = patchGeometry(size, p);
    const { counts } = g;
    if (counts[0] * counts[1] !== columns) {
      throw new OperatorError(
        `Given output_size=(${size.join(", ")}), kernel_size=(${kernel.join(", ")}), dilation=(${dilation.join(", ")}), padding=(${padding.join(", ")}), stride=(${stride.join(", ")}), expected size of input's dimension 2 to match the calculated number of sliding blocks ${counts[0]} * ${counts[1]} = ${counts[0] * counts[1]}, but got input.size(2)=${columns}.`,
      );
    }
    const channels = rows / taps;
    const sizes = [...(isBatched ? [batch] : []), channels, size[0]!, size[1]!];
    const isComplex = self.dtype.category === "complex";
    // float32 is summed in its own precision, as PyTorch does it
    const dtype = self.dtype === DTYPES.float32 ? self.dtype : isComplex ? DTYPES.complex128 : DTYPES.float64;
    const sum = emptyTensor(sizes, dtype);
    addPatches(floatsOf(sum), floatsAs(self, dtype), batch * channels, g, isComplex ? 2 : 1);
    return convertTensor(sum, self.dtype);
  },
);

op("aten::vander(Tensor x, int? N=None, bool increasing=False) -> Tensor", (x, count, increasing) => {
  if (x.ndim !== 1) throw new OperatorError("x must be a one-dimensional tensor.");
  const n = count ?? x.numel;
  if (n < 0) throw new OperatorError("N must be non-negative.");
  return powerColumns(x, n, increasing);
});
op("aten::linalg_vander(Tensor x, *, SymInt? N=None) -> Tensor", (x, count) => {
  if (x.dtype === DTYPES.float16 || x.dtype === DTYPES.bfloat16 || x.dtype === DTYPES.bool) {
    throw new OperatorError(
      `linalg.vander supports floating point, complex, and integer tensors, but got ${x.dtype.cppName}`,
    );
  }
  const line = x.ndim === 0 ? reshapeTensor(x, [1]) : x;
  const n = count ?? line.sizes[line.ndim - 1]!;
  if (n <= 1) throw new OperatorError(`linalg.vander: N must be greater than 1. Got ${n}`);
  return powerColumns(line, n, true);
});

/** x ** 0, x ** 1, ... as a new last dimension. */
function powerColumns(x: Tensor, n: number, increasing: boolean): Tensor {
  const dtype = x.dtype.category === "int" || x.dtype === DTYPES.bool ? DTYPES.int64 : x.dtype;
  const isComplex = dtype.category === "complex";
  const wide = cloneTensor(convertTensor(x, isComplex ? DTYPES.complex128 : DTYPES.float64), 0);
  const out = emptyTensor([...x.sizes, n], wide.dtype);
  const a = wide.storage.segment.f64;
  const b = out.storage.segment.f64;
  const per = isComplex ? 2 : 1;
  for (let i = 0; i < x.numel; i++) {
    let re = 1;
    let im = 0;
    const xr = a[(wide.base0 + i) * per]!;
    const xi = isComplex ? a[(wide.base0 + i) * per + 1]! : 0;
    for (let k = 0; k < n; k++) {
      const at = (out.base0 + i * n + (increasing ? k : n - 1 - k)) * per;
      b[at] = re;
      if (isComplex) b[at + 1] = im;
      [re, im] = isComplex ? [re * xr - im * xi, re * xi + im * xr] : [re * xr, 0];
    }
  }
  return convertTensor(out, dtype);
}
