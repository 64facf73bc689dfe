/** @file Padding: constant, reflect, replicate, circular. Upstream: aten/src/ATen/native/PadNd.cpp, ReflectionPad.cpp, ReplicationPadding.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { copyElements } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { floatsOf } from "../tensor/kernels/data.ts";
import { wasmPadPlanes, type PaddedPart } from "../tensor/kernels/wasm/gathers.ts";
import { gatherPlanes } from "../tensor/kernels/gather.ts";
import type { Scalar } from "../tensor/scalar.ts";
import { allocateStorage } from "../tensor/storage.ts";
import { emptyTensor, uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList, narrowView } from "../tensor/view_geometry.ts";
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
      `Length of pad should be no more than twice the number of dimensions of the input. Pad length is ${pad.length} while the input has ${self.ndim} dimensions.`,
    );
  }
  const sizes = [...self.sizes];
  let source = self;
  for (let i = 0; i < padded; i++) {
    const d = self.ndim - 1 - i;
    const size = self.sizes[d]! + pad[2 * i]! + pad[2 * i + 1]!;
    if (size < 0) {
      throw new OperatorError(
        `The input size ${self.sizes[d]}, plus negative padding ${pad[2 * i]} and ${pad[2 * i + 1]} resulted in a negative output size, which is invalid. Check dimension ${d} of your input.`,
      );
    }
    sizes[d] = size;
  }
  const fast = padPlanes(self, pad, sizes, value);
  if (fast) return fast;
  const out = emptyTensor(sizes, self.dtype);
  out.quantizer = self.quantizer;
  if (pad.some((p) => p > 0)) fillScalar(out, value);
  let target = out;
  for (let i = 0; i < padded; i++) {
    const d = self.ndim - 1 - i;
    const before = pad[2 * i]!;
    const after = pad[2 * i + 1]!;
    const from = Math.max(-before, 0);
    const length = source.sizes[d]! - from - Math.max(-after, 0);
    source = narrowView(source, d, from, Math.max(length, 0));
    target = narrowView(target, d, Math.max(before, 0), Math.max(length, 0));
  }
  copyElements(target, source);
  return out;
}

export const constant_pad_nd = op(
  "aten::constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0) -> Tensor",
  constantPad,
);

type Mode = "reflect" | "replicate" | "circular";

/** Source index of each position of a dimension padded circularly; negative padding crops before the ends wrap. */
function circularIndices(size: number, before: number, after: number): Int32Array {
  const left = Math.max(before, 0);
  const right = Math.max(after, 0);
  const from = Math.max(-before, 0);
  const count = size + before + after;
  return Int32Array.from({ length: count }, (_, j) => {
    const p = j < left ? count - left - right + j : j >= count - right ? left + j - (count - right) : j;
    return from + p - left;
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
  checkBatchedInput(self, dims, `reflection_pad${dims}d`, padding);
  for (let i = 0; i < dims; i++) {
    const d = self.ndim - 1 - i;
    const size = self.sizes[d]!;
    if (padding[2 * i]! >= size || padding[2 * i + 1]! >= size) {
      throw new OperatorError(
        `Argument #${dims === 1 ? 4 : dims === 2 ? [4, 6][i] : [4, 6, 8][i]}: Padding size should be less than the corresponding input dimension, but got: padding (${padding[2 * i]}, ${padding[2 * i + 1]}) at dimension ${d} of input ${formatList(self.sizes)}`,
      );
    }
  }
  checkOutput(self, dims, padding);
  requireNumeric(self, `reflection_pad${dims}d`);
  return padBy(self, padding, "reflect");
}

function replication(dims: number, self: Tensor, padding: readonly number[]): Tensor {
  checkBatchedInput(self, dims, `replication_pad${dims}d`, padding);
  checkOutput(self, dims, padding);
  requireNumeric(self, `replication_pad${dims}d`);
  return padBy(self, padding, "replicate");
}

function checkOutput(self: Tensor, dims: number, padding: readonly number[]): void {
  for (let i = 0; i < dims; i++) {
    const size = self.sizes[self.ndim - 1 - i]!;
    const out = size + padding[2 * i]! + padding[2 * i + 1]!;
    if (out < 1) {
      const names = ["W", "H", "D"];
      throw new OperatorError(`input (${names[i]}: ${size}) is too small. Calculated output ${names[i]}: ${out}`);
    }
  }
}

function checkBatchedInput(self: Tensor, dims: number, _name: string, padding: readonly number[]): void {
  if (padding.length !== 2 * dims)
    throw new OperatorError(`padding size is expected to be ${2 * dims}, but got: ${padding.length}`);
  const spatial = self.sizes.slice(self.ndim - dims - (self.ndim === dims + 1 ? 1 : 1));
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
  const dims = pad.length / 2;
  if (self.ndim !== dims + 1 && self.ndim !== dims + 2) {
    throw new OperatorError("Invalid padding size, expected 3D, 4D or 5D input");
  }
  for (let i = 0; i < dims; i++) {
    const size = self.sizes[self.ndim - 1 - i]!;
    if (pad[2 * i]! > size || pad[2 * i + 1]! > size) {
      throw new OperatorError("Padding value causes wrapping around more than once.");
    }
    if (pad[2 * i]! + pad[2 * i + 1]! + size < 0)
      throw new OperatorError("Negative padding value is resulting in an empty dimension");
  }
  return padBy(self, pad, "circular");
}

export const _pad_circular = op("aten::_pad_circular(Tensor self, SymInt[] pad) -> Tensor", circular);

function padMode(self: Tensor, pad: number[], mode: string, value: number | null): Tensor {
  if (pad.length % 2 !== 0) throw new OperatorError("Padding length must be divisible by 2");
  if (self.ndim < pad.length / 2) {
    throw new OperatorError(
      `Padding length should be less than or equal to two times the input dimension but got padding length ${pad.length} and input of dimension ${self.ndim}`,
    );
  }
  if (mode === "constant") return constant_pad_nd(self, pad, value ?? 0);
  if (value !== null && value !== 0) throw new OperatorError(`Padding mode "${mode}" doesn't take in value argument`);
  if (pad.length === 2 && (self.ndim === 2 || self.ndim === 3)) {
    if (mode === "reflect") return reflection_pad1d(self, pad);
    if (mode === "replicate") return replication_pad1d(self, pad);
    if (mode === "circular") return _pad_circular(self, pad);
  } else if (pad.length === 4 && (self.ndim === 3 || self.ndim === 4)) {
    if (mode === "reflect") return reflection_pad2d(self, pad);
    if (mode === "replicate") return replication_pad2d(self, pad);
    if (mode === "circular") return _pad_circular(self, pad);
  } else if (pad.length === 6 && (self.ndim === 4 || self.ndim === 5)) {
    if (mode === "reflect") return reflection_pad3d(self, pad);
    if (mode === "replicate") return replication_pad3d(self, pad);
    if (mode === "circular") return _pad_circular(self, pad);
  }
  if (!["reflect", "replicate", "circular"].includes(mode))
    throw new OperatorError(`Unrecognised padding mode ${mode}`);
  throw new OperatorError("Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now");
}

export const pad = op(
  'aten::pad(Tensor self, SymInt[] pad, str mode="constant", float? value=None) -> Tensor',
  padMode,
);
const MODES = ["constant", "reflect", "replicate", "circular"];
op("aten::_pad_enum(Tensor self, SymInt[] pad, int mode, float? value=None) -> Tensor", (self, padding, mode, value) =>
  padMode(self, padding, MODES[mode] ?? "", value),
);
