/** @file Padding: constant, reflect, replicate, circular. Upstream: aten/src/ATen/native/PadNd.cpp, ReflectionPad.cpp, ReplicationPadding.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, emptyStrided, laidOutLike } from "../tensor/clone.ts";
import { copyElements, copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { floatsOf } from "../tensor/kernels/data.ts";
import { wasmPadPlanes, type PaddedPart } from "../tensor/kernels/wasm/gathers.ts";
import { gatherPlanes } from "../tensor/kernels/gather.ts";
import { stridesIn, suggestMemoryFormat } from "../tensor/memory_format.ts";
import type { Scalar } from "../tensor/scalar.ts";
import { allocateStorage } from "../tensor/storage.ts";
import { emptyTensor, uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList, narrowView, sliceRange } from "../tensor/view_geometry.ts";
import { fillScalar } from "./creation.ts";

/** `constantPad` of the last two dimensions of float32 on the kernels. Undefined where the reference is to run. */
function padPlanes(self: Tensor, pad: readonly number[], sizes: readonly number[], value: Scalar): Tensor | undefined {
  const isPlane = self.dtype === DTYPES.float32 && self.isContiguous() && !self.isNeg && self.numel > 0;
  if (!isPlane || typeof value !== "number" || pad.some((p, i) => i >= 4 && p !== 0)) return undefined;
  const [left = 0, right = 0, top = 0, bottom = 0] = pad;
  const [height, width] = [self.sizes.at(-2) ?? 1, self.sizes.at(-1) ?? 1];
  const [outHeight, outWidth] = [sizes.at(-2) ?? 1, sizes.at(-1) ?? 1];
  const part: PaddedPart = {
    plane: height * width,
    width,
    start: Math.max(-top, 0) * width + Math.max(-left, 0),
    rows: height + Math.min(top, 0) + Math.min(bottom, 0),
    columns: width + Math.min(left, 0) + Math.min(right, 0),
    outPlane: outHeight * outWidth,
    outWidth,
    outStart: Math.max(top, 0) * outWidth + Math.max(left, 0),
  };
  const out = uninitializedTensor(sizes, self.dtype);
  return wasmPadPlanes(floatsOf(out) as Float32Array, floatsOf(self) as Float32Array, part, value) ? out : undefined;
}

/** Pads with a value; `pad` lists (before, after) from the last dimension backwards, negative to crop. */
export function constantPad(self: Tensor, pad: readonly number[], value: Scalar): Tensor {
  if (pad.length % 2 !== 0) throw new OperatorError(`Length of pad must be even but instead it equals ${pad.length}`);
  const padded = pad.length / 2;
  if (self.ndim < padded) {
    throw new OperatorError(
      `Length of pad should be no more than twice the number of dimensions of the input. Pad length is ${pad.length}while the input has ${self.ndim}dimensions.`,
    );
  }
  const sizes = [...self.sizes];
  let source = self;
  for (let i = padded - 1; i >= 0; i--) {
    const d = self.ndim - 1 - i;
    source = cropped(cropped(source, d, pad[2 * i]!, true), d, pad[2 * i + 1]!, false);
    sizes[d] = self.sizes[d]! + pad[2 * i]! + pad[2 * i + 1]!;
  }
  if (!pad.some((p) => p > 0)) return cloneTensor(source);
  const fast = padPlanes(self, pad, sizes, value);
  if (fast) return fast;
  const out = emptyStrided(sizes, stridesIn(sizes, suggestMemoryFormat(self)), self.dtype, false);
  out.quantizer = self.quantizer;
  fillScalar(out, value);
  let target = out;
  for (let i = 0; i < padded; i++) {
    const d = self.ndim - 1 - i;
    target = narrowView(target, d, Math.max(pad[2 * i]!, 0), source.sizes[d]!);
  }
  copyElements(target, source);
  return out;
}

/** A dimension without the elements that a negative padding crops at one of its ends: no more than there are. */
function cropped(source: Tensor, d: number, padding: number, isStart: boolean): Tensor {
  if (padding >= 0) return source;
  const length = source.sizes[d]! + padding;
  if (length < 0) throw new OperatorError("narrow(): length must be non-negative.");
  return narrowView(source, d, isStart ? -padding : 0, length);
}

export const constant_pad_nd = op(
  "aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
  constantPad,
);

type Mode = "reflect" | "replicate" | "circular";

/** Source index of each position of a dimension padded circularly. */
function circularIndices(size: number, before: number, after: number): Int32Array {
  return Int32Array.from({ length: size + before + after }, (_, j) => {
    const i = j - before;
    return i < 0 ? i + size : i >= size ? i - size : i;
  });
}

/** Source index of position `i` of a padded dimension. */
function sourceIndex(mode: Mode, i: number, size: number): number {
  if (mode === "replicate") return Math.min(Math.max(i, 0), size - 1);
  const reflected = i < 0 ? -i : i;
  return reflected >= size ? 2 * (size - 1) - reflected : reflected;
}

const MAX_UNCHECKED_INDEX = 1 << 24;

function padBy(self: Tensor, pad: readonly number[], mode: Mode): Tensor {
  const sizes = [...self.sizes];
  const dims = pad.length / 2;
  const indices: Int32Array[] = [];
  for (let i = 0; i < dims; i++) {
    const d = self.ndim - 1 - i;
    const [before, after, size] = [pad[2 * i]!, pad[2 * i + 1]!, self.sizes[d]!];
    const count = size + before + after;
    sizes[d] = Math.max(count, 0);
    // the index of a huge dimension takes long to make: the platform refuses the result first
    if (count > MAX_UNCHECKED_INDEX) allocateStorage((self.numel / Math.max(size, 1)) * count * self.dtype.itemsize);
    if (mode === "circular") indices.push(circularIndices(size, before, after));
    else {
      const index = new Int32Array(sizes[d]!);
      for (let j = 0; j < index.length; j++) index[j] = sourceIndex(mode, j - before, size);
      indices.push(index);
    }
  }
  const [columns, ...others] = indices;
  // the rows of a plane: those of all padded dimensions but the last
  let rows = Int32Array.of(0);
  let height = 1;
  others.forEach((index, i) => {
    const inner = height;
    height *= self.sizes[self.ndim - 2 - i]!;
    const known = rows;
    rows = new Int32Array(index.length * known.length);
    for (let j = 0, at = 0; j < index.length; j++)
      for (let k = 0; k < known.length; k++) rows[at++] = index[j]! * inner + known[k]!;
  });
  return columns ? gatherPlanes(self, rows, columns, height, sizes) : cloneTensor(self, 0);
}

function requireNumeric(self: Tensor, kernel: string): void {
  if (self.dtype.category === "bool")
    throw new OperatorError(`"${kernel}" not implemented for '${self.dtype.cppName}'`);
}

function reflection(dims: number, self: Tensor, padding: readonly number[]): Tensor {
  checkBatchedInput(self, dims, padding);
  for (let i = 0; i < dims; i++) {
    const d = self.ndim - 1 - i;
    const size = self.sizes[d]!;
    if (padding[2 * i]! >= size || padding[2 * i + 1]! >= size) {
      throw new OperatorError(
        `Argument #${4 + 2 * i}: Padding size should be less than the corresponding input dimension, but got: padding (${padding[2 * i]}, ${padding[2 * i + 1]}) at dimension ${d} of input ${formatList(self.sizes)}`,
      );
    }
  }
  checkOutput(self, dims, padding, "reflection");
  requireNumeric(self, `reflection_pad${dims}d`);
  return padLike(dims, self, padding, "reflect");
}

function replication(dims: number, self: Tensor, padding: readonly number[]): Tensor {
  checkBatchedInput(self, dims, padding);
  checkOutput(self, dims, padding, "replication");
  requireNumeric(self, `replication_pad${dims}d`);
  return padLike(dims, self, padding, "replicate");
}

/** All kernels but those of rows keep the memory format. */
function padLike(dims: number, self: Tensor, padding: readonly number[], mode: Mode): Tensor {
  const out = padBy(self, padding, mode);
  return dims === 1 ? out : laidOutLike(out, self);
}

/** Throws where cropping leaves too little: one dimension of those that are padded may become empty, none negative. */
function checkOutput(self: Tensor, dims: number, padding: readonly number[], kind: "reflection" | "replication"): void {
  const first = self.ndim - dims;
  const sizes = self.sizes.map((size, d) => {
    const pair = 2 * (self.ndim - 1 - d);
    return d < first ? size : size + padding[pair]! + padding[pair + 1]!;
  });
  if (sizes.slice(first).every((size) => size < 1)) {
    const separators = ["D: ", dims === 3 ? " H: " : "H: ", dims === 1 ? "W: " : ", W: "].slice(3 - dims);
    const given = separators.map((name, i) => name + self.sizes[first + i]).join("");
    const made = ["D", "H", "W"].slice(3 - dims).map((name, i) => `${name}: ${sizes[first + i]}`);
    const gap = kind === "replication" && dims === 2 ? " " : "";
    throw new OperatorError(`input (${given}${gap}) is too small. Calculated output ${made.join(" ")}`);
  }
  const negative = sizes.find((size) => size < 0);
  if (negative === undefined) return;
  throw new OperatorError(
    kind === "reflection" && dims === 2
      ? "numel: integer multiplication overflow"
      : `Trying to create tensor with negative dimension ${negative}: ${formatList(sizes)}`,
  );
}

function checkBatchedInput(self: Tensor, dims: number, padding: readonly number[]): void {
  if (padding.length !== 2 * dims)
    throw new OperatorError(`padding size is expected to be ${2 * dims}, but got: ${padding.length}`);
  const spatial = self.sizes.slice(self.ndim - dims - 1);
  const valid = (self.ndim === dims + 1 || self.ndim === dims + 2) && spatial.every((s) => s !== 0);
  if (!valid) {
    throw new OperatorError(
      `Expected ${dims + 1}D or ${dims + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: ${formatList(self.sizes)}`,
    );
  }
}

export const reflection_pad1d = op(
  "aten::reflection_pad1d(Tensor self, SymInt[2] padding) -> Tensor",
  (self, padding) => reflection(1, self, padding),
);
export const reflection_pad2d = op(
  "aten::reflection_pad2d(Tensor self, SymInt[4] padding) -> Tensor",
  (self, padding) => reflection(2, self, padding),
);
export const reflection_pad3d = op(
  "aten::reflection_pad3d(Tensor self, SymInt[6] padding) -> Tensor",
  (self, padding) => reflection(3, self, padding),
);
export const replication_pad1d = op(
  "aten::replication_pad1d(Tensor self, SymInt[2] padding) -> Tensor",
  (self, padding) => replication(1, self, padding),
);
export const replication_pad2d = op(
  "aten::replication_pad2d(Tensor self, SymInt[4] padding) -> Tensor",
  (self, padding) => replication(2, self, padding),
);
export const replication_pad3d = op(
  "aten::replication_pad3d(Tensor self, SymInt[6] padding) -> Tensor",
  (self, padding) => replication(3, self, padding),
);

function circular(self: Tensor, pad: readonly number[]): Tensor {
  const dims = Math.floor(pad.length / 2);
  if (self.ndim !== dims + 1 && self.ndim !== dims + 2) {
    throw new OperatorError(
      `Invalid padding size, expected 1 or 2 non-padded dimensions, which would be equivalent to padding of length ${2 * (self.ndim - 1)} or ${2 * (self.ndim - 2)} respectively but got ${pad.length}`,
    );
  }
  for (let i = dims - 1; i >= 0; i--) {
    const size = self.sizes[self.ndim - 1 - i]!;
    if (pad[2 * i]! > size || pad[2 * i + 1]! > size) {
      throw new OperatorError("Padding value causes wrapping around more than once.");
    }
    if (pad[2 * i]! + pad[2 * i + 1]! + size < 0)
      throw new OperatorError("Negative padding value is resulting in an empty dimension");
  }
  return pad.some((p) => p < 0) ? circularCropped(self, pad) : padBy(self, pad, "circular");
}

/**
 * Circular padding of which some is negative, by PyTorch's steps: what stays is copied, then each dimension's ends wrap around to the
 * other side of the result. Where more is wrapped than was left, the copies refuse it as PyTorch's do.
 */
function circularCropped(self: Tensor, pad: readonly number[]): Tensor {
  const dims = Math.floor(pad.length / 2);
  const sizes = self.sizes.map(
    (size, d) => size + (pad[2 * (self.ndim - 1 - d)] ?? 0) + (pad[2 * (self.ndim - 1 - d) + 1] ?? 0),
  );
  const out = emptyTensor(sizes, self.dtype);
  const slice = (t: Tensor, d: number, start: number, end: number): Tensor => {
    const range = sliceRange(t.sizes[d]!, start, end, 1);
    return narrowView(t, d, range.start, range.length);
  };
  let [target, source] = [out, self];
  for (let i = 0; i < dims; i++) {
    const d = self.ndim - 1 - i;
    const [before, after] = [pad[2 * i]!, pad[2 * i + 1]!];
    target = slice(target, d, Math.max(before, 0), sizes[d]! - Math.max(after, 0));
    source = slice(source, d, Math.max(-before, 0), self.sizes[d]! - Math.max(-after, 0));
  }
  copyInto(target, source);
  for (let i = 0; i < dims; i++) {
    const d = self.ndim - 1 - i;
    const [before, after] = [Math.max(pad[2 * i]!, 0), Math.max(pad[2 * i + 1]!, 0)];
    const end = sizes[d]! - after;
    if (before > 0) copyInto(slice(out, d, 0, before), slice(out, d, end - before, end));
    if (after > 0) copyInto(slice(out, d, end, sizes[d]!), slice(out, d, before, before + after));
  }
  return out;
}

export const _pad_circular = op("aten::_pad_circular(Tensor self, SymInt[] pad) -> Tensor", circular);

type AnyMode = Mode | "constant";

/** Modes by PyTorch's numbers. */
const MODES: readonly AnyMode[] = ["reflect", "replicate", "circular", "constant"];
const PADDINGS: Readonly<Record<Mode, readonly ((self: Tensor, pad: number[]) => Tensor)[]>> = {
  reflect: [reflection_pad1d, reflection_pad2d, reflection_pad3d],
  replicate: [replication_pad1d, replication_pad2d, replication_pad3d],
  circular: [_pad_circular, _pad_circular, _pad_circular],
};

function padMode(self: Tensor, pad: number[], mode: AnyMode | undefined, value: number | null): Tensor {
  if (pad.length % 2 !== 0) throw new OperatorError("Padding length must be divisible by 2");
  const dims = pad.length / 2;
  if (self.ndim < dims) {
    throw new OperatorError(
      `Padding length should be less than or equal to two times the input dimension but got padding length ${pad.length} and input of dimension ${self.ndim}`,
    );
  }
  if (mode === "constant") return constant_pad_nd(self, pad, value ?? 0);
  if (mode && value !== null && value !== 0)
    throw new OperatorError(`Padding mode "${mode}" doesn't take in value argument`);
  const padding = mode && (self.ndim === dims + 1 || self.ndim === dims + 2) && PADDINGS[mode][dims - 1];
  if (padding) return padding(self, pad);
  throw new OperatorError(
    `Padding size ${pad.length} is not supported for ${self.ndim}D input tensor.
Supported combinations for non-constant padding:
  - 2D or 3D input: padding size = 2 (pads last dimension)
  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)
  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)`,
  );
}

export const pad = op(
  'aten::pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor',
  (self, padding, mode, value) => {
    const known = MODES.find((name) => name === mode);
    if (!known) throw new OperatorError(`Unrecognised padding mode ${mode}`);
    return padMode(self, padding, known, value);
  },
);
op("aten::_pad_enum(Tensor self, SymInt[] pad, int mode, float? value=None) -> Tensor", (self, padding, mode, value) =>
  padMode(self, padding, MODES[mode], value),
);
