/** @file Embeddings with quantized rows: 8, 4 and 2 bits. Upstream: aten/src/ATen/native/quantized/cpu/qembeddingbag.cpp, qembeddingbag_prepack.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { makeNative, nativeState, type EmbeddingParams } from "../core/native_class.ts";
import { contiguousTensor } from "../tensor/clone.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { floatToHalf, halfToFloat, roundToHalf } from "../tensor/half.ts";
import { doublesOf, fromDoubles, indicesOf } from "../tensor/kernels/data.ts";
import { extremes } from "../tensor/kernels/quantized.ts";
import { roundHalfEven } from "../tensor/kernels/unary.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";

const f = Math.fround;

/** A table of rows that are decoded when they are asked for. */
interface Table {
  readonly rows: number;
  readonly width: number;
  /** Adds weight times row to `out`. */
  readonly add: (row: number, weight: number, out: Float64Array, at: number) => void;
}

/** Elements of a row of bytes with `bits` each, lowest bits first. */
function field(bytes: Uint8Array, at: number, c: number, bits: number): number {
  const perByte = 8 / bits;
  const byte = bytes[at + Math.floor(c / perByte)]!;
  return (byte >> (bits * (c % perByte))) & ((1 << bits) - 1);
}

/** The table of packed parameters: integers with a scale and a float zero point for each row. */
function packedTable(packed: unknown): Table {
  const { weight } = nativeState<EmbeddingParams>(packed);
  const bits = weight.dtype === DTYPES.quint4x2 ? 4 : weight.dtype === DTYPES.quint2x4 ? 2 : 8;
  const q = weight.quantizer;
  if (!q || q.scheme === "per_tensor_affine")
    throw new OperatorError("Expect embedding_bag weights to be quantized using kPerChannelAffineFloatQParams");
  const [rows, width] = weight.sizes as [number, number];
  // below 8 bits PyTorch's packing keeps scale and bias in half precision
  const round = bits < 8 ? roundToHalf : f;
  const exact = toFloat64Array(q.scales).map(f);
  const zeroPoints = toFloat64Array(q.zeroPoints);
  const biases = exact.map((s, i) => round(-f(f(zeroPoints[i]!) * s)));
  const scales = exact.map(round);
  const bytes = weight.storage.bytes();
  const rowBytes = Math.ceil((width * bits) / 8);
  const start = weight.storageOffset;
  return {
    rows,
    width,
    add(row, w, out, at) {
      const scale = f(w * scales[row]!);
      const bias = f(w * biases[row]!);
      for (let c = 0; c < width; c++)
        out[at + c] = f(f(out[at + c]! + bias) + scale * field(bytes, start + row * rowBytes, c, bits));
    },
  };
}

/** The table of a byte tensor whose rows end in their scale and bias: float32 for 8 bits, half below. */
function rowwiseTable(weight: Tensor, bits: number): Table {
  const [rows, rowBytes] = weight.sizes as [number, number];
  const tail = bits === 8 ? 8 : 4;
  const width = ((rowBytes - tail) * 8) / bits;
  const source = contiguousTensor(weight);
  const bytes = source.storage.bytes().subarray(source.storageOffset, source.storageOffset + rows * rowBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parameter = (row: number, k: number): number => {
    const at = row * rowBytes + rowBytes - tail;
    return bits === 8 ? view.getFloat32(at + 4 * k, true) : halfToFloat(view.getUint16(at + 2 * k, true));
  };
  return {
    rows,
    width,
    add(row, w, out, at) {
      const scale = f(w * parameter(row, 0));
      const bias = f(w * parameter(row, 1));
      for (let c = 0; c < width; c++)
        out[at + c] = f(out[at + c]! + scale * field(bytes, row * rowBytes, c, bits) + bias);
    },
  };
}

function checkRow(row: number, rows: number): void {
  if (!(row >= 0 && row < rows))
    throw new OperatorError(`Expected embedding index to be between 0 and ${rows - 1}, but found ${row}`);
}

function lookUp(table: Table, indices: Tensor): Tensor {
  const list = indicesOf(indices);
  const out = new Float64Array(list.length * table.width);
  list.forEach((row, i) => {
    checkRow(row, table.rows);
    table.add(row, 1, out, i * table.width);
  });
  return fromDoubles(out, [...indices.sizes, table.width], DTYPES.float32);
}

interface BagOptions {
  readonly offsets: Tensor | null;
  readonly pruned: boolean;
  readonly weights: Tensor | null;
  readonly mapping: Tensor | null;
  readonly includeLast: boolean;
}

/** Sums of the rows of each bag. */
function sumBags(
  table: Table,
  indices: Tensor,
  { offsets, pruned, weights, mapping, includeLast }: BagOptions,
): Tensor {
  const list = indicesOf(indices);
  let starts: number[];
  if (indices.ndim === 2) {
    if (offsets)
      throw new OperatorError(
        "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences.",
      );
    starts = Array.from({ length: indices.sizes[0]! + 1 }, (_, i) => i * indices.sizes[1]!);
  } else {
    if (indices.ndim !== 1)
      throw new OperatorError(`input has to be a 1D or 2D Tensor, but got Tensor of dimension ${indices.ndim}`);
    if (!offsets) throw new OperatorError("offsets has to be a 1D Tensor");
    starts = Array.from(indicesOf(offsets));
    if (!includeLast) starts.push(list.length);
  }
  const w = weights ? doublesOf(weights) : undefined;
  const isPruned = pruned && mapping && mapping.numel > 1;
  const remap = isPruned ? indicesOf(mapping) : undefined;
  const bags = Math.max(0, starts.length - 1);
  const out = new Float64Array(bags * table.width);
  for (let b = 0; b < bags; b++) {
    for (let i = starts[b]!; i < starts[b + 1]!; i++) {
      const row = remap ? (remap[list[i]!] ?? -1) : list[i]!;
      if (remap && row === -1) continue;
      checkRow(row, table.rows);
      table.add(row, w ? w[i]! : 1, out, b * table.width);
    }
  }
  return fromDoubles(out, [bags, table.width], DTYPES.float32);
}

op(
  "quantized::embedding_byte(__torch__.torch.classes.quantized.EmbeddingPackedParamsBase weight, Tensor indices, bool pruned_weights=False) -> Tensor",
  (packed, indices) => lookUp(packedTable(packed), indices),
);
op(
  "quantized::embedding_4bit(__torch__.torch.classes.quantized.EmbeddingPackedParamsBase weight, Tensor indices, bool pruned_weights=False) -> Tensor",
  (packed, indices) => lookUp(packedTable(packed), indices),
);

type BagSchema =
  "quantized::embedding_bag_byte(Tensor weight, Tensor indices, Tensor? offsets=None, bool scale_grad_by_freq=False, int mode=0, bool pruned_weights=False, Tensor? per_sample_weights=None, Tensor? compressed_indices_mapping=None, bool include_last_offset=False) -> Tensor";
const BAG_ARGUMENTS =
  "Tensor indices, Tensor? offsets=None, bool scale_grad_by_freq=False, int mode=0, bool pruned_weights=False, Tensor? per_sample_weights=None, Tensor? compressed_indices_mapping=None, bool include_last_offset=False) -> Tensor";

function registerBag(name: string, weightType: string, tableOf: (weight: never) => Table): void {
  op(
    `quantized::${name}(${weightType} weight, ${BAG_ARGUMENTS}` as BagSchema,
    (weight, indices, offsets, _scale, _mode, pruned, weights, mapping, includeLast) =>
      sumBags(tableOf(weight as never), indices, { offsets, pruned, weights, mapping, includeLast }),
  );
}

const PACKED = "__torch__.torch.classes.quantized.EmbeddingPackedParamsBase";
registerBag("embedding_bag_byte", PACKED, (packed: unknown) => packedTable(packed));
registerBag("embedding_bag_4bit", PACKED, (packed: unknown) => packedTable(packed));
registerBag("embedding_bag_byte_rowwise_offsets", "Tensor", (weight: Tensor) => rowwiseTable(weight, 8));
registerBag("embedding_bag_4bit_rowwise_offsets", "Tensor", (weight: Tensor) => rowwiseTable(weight, 4));
registerBag("embedding_bag_2bit_rowwise_offsets", "Tensor", (weight: Tensor) => rowwiseTable(weight, 2));

op(
  "quantized::embedding_bag_prepack(Tensor weight) -> __torch__.torch.classes.quantized.EmbeddingPackedParamsBase W_prepack",
  (weight) =>
    makeNative<EmbeddingParams>("quantized.EmbeddingPackedParamsBase", {
      version: 1,
      weight,
      floats: [],
      ints: [weight.dtype === DTYPES.quint4x2 ? 4 : 8],
    }),
);
op(
  "quantized::embedding_bag_unpack(__torch__.torch.classes.quantized.EmbeddingPackedParamsBase W_prepack) -> Tensor W_origin",
  (packed) => nativeState<EmbeddingParams>(packed).weight,
);

/** The error of quantizing values between two bounds to `bits` bits, as PyTorch measures it. */
function quantizationLoss(x: ArrayLike<number>, minIn: number, max: number, bits: number): number {
  const min = roundToHalf(minIn);
  const range = f(max - min);
  const levels = (1 << bits) - 1;
  const scale = range === 0 ? 1 : roundToHalf(f(range / levels));
  const inverse = scale === 0 ? 1 : f(1 / scale);
  let norm = 0;
  for (let i = 0; i < x.length; i++) {
    const q = Math.max(0, Math.min(levels, roundHalfEven(f(f(x[i]! - min) * inverse))));
    const error = f(x[i]! - f(f(q * scale) + min));
    norm = f(norm + error * error);
  }
  return f(Math.sqrt(norm));
}

/** Narrows the bounds of values step by step, from whichever side costs less, and keeps the best local optimum. */
function optimizedBounds(
  x: ArrayLike<number>,
  bins: number,
  ratio: number,
  bits: number,
): { min: number; max: number } {
  let { min, max } = extremes(x);
  const step = f(f(max - min) / bins);
  const least = f(Math.trunc(bins * (1 - f(ratio))) * step);
  let loss = quantizationLoss(x, min, max, bits);
  let [low, high, current] = [min, max, loss];
  while (f(low + least) < high) {
    const raised = quantizationLoss(x, f(low + step), high, bits);
    const lowered = quantizationLoss(x, low, f(high - step), bits);
    if (current < raised && current < lowered && current < loss) [loss, min, max] = [current, low, high];
    if (raised < lowered) [low, current] = [f(low + step), raised];
    else [high, current] = [f(high - step), lowered];
    // a step that float32 cannot represent next to the bounds would never end
    if (step === 0) break;
  }
  return { min, max };
}

op(
  "aten::choose_qparams_optimized(Tensor input, int numel, int n_bins, float ratio, int bit_width) -> (Tensor, Tensor)",
  (input, numel, bins, ratio, bits): [Tensor, Tensor] => {
    if (numel < 0 || numel > input.numel) throw new OperatorError("numel is out of the bound of input tensor");
    const { min, max } = optimizedBounds(doublesOf(input).subarray(0, numel), bins, ratio, bits);
    return [fromDoubles([max], [1], DTYPES.float32), fromDoubles([min], [1], DTYPES.float32)];
  },
);

/** Quantizes rows to bytes that end in scale and bias. `bounds` chooses what the integers reach from and to. */
function packRows(
  weight: Tensor,
  bits: number,
  bounds: (row: Float64Array, r: number) => { min: number; max: number } = (row) => extremes(row),
): Tensor {
  const width = weight.sizes[weight.ndim - 1]!;
  const rows = weight.numel / Math.max(1, width);
  const perByte = 8 / bits;
  const tail = bits === 8 ? 8 : 4;
  const rowBytes = Math.ceil(width / perByte) + tail;
  const out = emptyTensor([...weight.sizes.slice(0, -1), rowBytes], DTYPES.uint8);
  const bytes = out.storage.bytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const x = doublesOf(weight);
  const levels = (1 << bits) - 1;
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * width, (r + 1) * width);
    let { min, max } = bounds(row, r);
    let inverse: number;
    const at = r * rowBytes + rowBytes - tail;
    if (bits === 8) {
      const range = f(max - min);
      inverse = f(255 / f(range + f(1e-8)));
      view.setFloat32(at, f(range / 255), true);
      view.setFloat32(at + 4, min, true);
    } else {
      min = roundToHalf(min);
      const range = f(max - min);
      let scale = roundToHalf(range === 0 ? 1 : f(range / levels));
      if (scale === 0) scale = 1;
      inverse = f(1 / scale);
      if (!Number.isFinite(inverse)) [scale, inverse] = [1, 1];
      view.setUint16(at, floatToHalf(scale), true);
      view.setUint16(at + 2, floatToHalf(min), true);
    }
    for (let c = 0; c < width; c++) {
      const q = Math.max(0, Math.min(levels, roundHalfEven(f(f(row[c]! - min) * inverse))));
      bytes[r * rowBytes + Math.floor(c / perByte)]! |= q << (bits * (c % perByte));
    }
  }
  return out;
}

op("quantized::embedding_bag_byte_prepack(Tensor weight) -> Tensor", (weight) => packRows(weight, 8));
type PrepackSchema =
  "quantized::embedding_bag_4bit_prepack(Tensor weight, bool optimized_qparams=False, int nbins=200, float ratio=0.16) -> Tensor";
type BoundsSchema =
  "quantized::embedding_bag_4bit_prepack_with_rowwise_min_max(Tensor weight, Tensor rowwise_min_max, bool optimized_qparams=False, int nbins=200, float ratio=0.16) -> Tensor";
for (const bits of [4, 2]) {
  const options = "bool optimized_qparams=False, int nbins=200, float ratio=0.16) -> Tensor";
  op(
    `quantized::embedding_bag_${bits}bit_prepack(Tensor weight, ${options}` as PrepackSchema,
    (weight, optimized, bins, ratio) =>
      packRows(weight, bits, optimized ? (row) => optimizedBounds(row, bins, ratio, bits) : undefined),
  );
  op(
    `quantized::embedding_bag_${bits}bit_prepack_with_rowwise_min_max(Tensor weight, Tensor rowwise_min_max, ${options}` as BoundsSchema,
    (weight, bounds) => packRows(weight, bits, givenBounds(bounds)),
  );
}
op(
  "quantized::embedding_bag_byte_prepack_with_rowwise_min_max(Tensor weight, Tensor rowwise_min_max) -> Tensor",
  (weight, bounds) => packRows(weight, 8, givenBounds(bounds)),
);

/** Bounds that come with the weights: (rows, 2). */
function givenBounds(bounds: Tensor): (row: Float64Array, r: number) => { min: number; max: number } {
  const given = doublesOf(bounds);
  return (_row, r) => ({ min: given[2 * r]!, max: given[2 * r + 1]! });
}

function unpackRows(weight: Tensor, bits: number): Tensor {
  const table = rowwiseTable(weight, bits);
  const out = new Float64Array(table.rows * table.width);
  for (let r = 0; r < table.rows; r++) table.add(r, 1, out, r * table.width);
  return fromDoubles(out, [table.rows, table.width], DTYPES.float32);
}

op("quantized::embedding_bag_byte_unpack(Tensor weight) -> Tensor", (weight) => unpackRows(weight, 8));
op("quantized::embedding_bag_4bit_unpack(Tensor weight) -> Tensor", (weight) => unpackRows(weight, 4));
op("quantized::embedding_bag_2bit_unpack(Tensor weight) -> Tensor", (weight) => unpackRows(weight, 2));
