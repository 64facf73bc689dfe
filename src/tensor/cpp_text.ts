/** @file Text of tensors as C++ streams print them: TorchScript's `print`, and small constants in graphs. Upstream: aten/src/ATen/core/Formatting.cpp. Spec: none. */
import { formatFixed, formatG, formatScientific } from "../base/float_text.ts";
import { contiguousAs } from "./clone.ts";
import { DTYPES } from "./dtype.ts";
import { Tensor } from "./tensor.ts";

const LINE = 80; // characters of a line of a matrix
const STREAM_PRECISION = 6; // digits of a C++ stream by default

/** How the elements of one tensor or matrix are written. */
interface ElementFormat {
  /** Elements are divided by it; 1 for none. */
  readonly scale: number;
  readonly width: number;
  readonly write: (value: number) => string;
}

const general = (v: number): string => formatG(v, STREAM_PRECISION);
const fixed = (v: number): string => formatFixed(v, 4);
const scientific = (v: number): string => formatScientific(v, 4);

function formatFor(values: ArrayLike<number>, from: number, count: number): ElementFormat {
  let integral = true;
  let min = Infinity;
  let max: number | undefined;
  for (let i = from; i < from + count; i++) {
    const v = values[i]!;
    if (!Number.isFinite(v)) continue;
    if (!Number.isInteger(v)) integral = false;
    const size = Math.abs(v);
    min = Math.min(min, size);
    max = Math.max(max ?? 0, size);
  }
  const power = (v: number): number => (v === 0 ? 1 : Math.floor(Math.log10(v)) + 1);
  const expMax = max === undefined ? 1 : power(max);
  const expMin = max === undefined ? 1 : power(min);
  if (integral)
    return expMax > 9 ? { scale: 1, width: 11, write: scientific } : { scale: 1, width: expMax + 1, write: general };
  if (expMax - expMin > 4) {
    return { scale: 1, width: Math.abs(expMax) > 99 || Math.abs(expMin) > 99 ? 12 : 11, write: scientific };
  }
  if (expMax > 5 || expMax < 0) return { scale: Math.pow(10, expMax - 1), width: 7, write: fixed };
  return { scale: 1, width: expMax === 0 ? 7 : expMax + 6, write: fixed };
}

function matrixText(values: ArrayLike<number>, from: number, rows: number, columns: number, indent: number): string {
  const { scale, width, write } = formatFor(values, from, rows * columns);
  const blank = " ".repeat(indent);
  const perLine = Math.max(1, Math.floor((LINE - indent) / (width + 1)));
  let out = "";
  for (let first = 0; first < columns; first += perLine) {
    const last = Math.min(first + perLine, columns) - 1;
    if (perLine < columns) out += `${first === 0 ? "" : "\n"}Columns ${first + 1} to ${last + 1}${blank}`;
    if (scale !== 1) out += `${general(scale)} *\n${blank}`;
    for (let r = 0; r < rows; r++) {
      const row: string[] = [];
      for (let c = first; c <= last; c++) row.push(write(values[from + r * columns + c]! / scale).padStart(width));
      out += `${row.join(" ")}\n`;
      if (r !== rows - 1) out += scale === 1 ? blank : `${blank} `;
    }
  }
  return out;
}

function elementsText(values: ArrayLike<number>, sizes: readonly number[]): string {
  if (values.length === 0) return "";
  if (sizes.length === 0) return `${shortest(values[0]!)}\n`;
  if (sizes.length === 1) {
    const { scale, width, write } = formatFor(values, 0, values.length);
    let out = scale === 1 ? "" : `${general(scale)} *\n`;
    for (let i = 0; i < values.length; i++) out += `${write(values[i]! / scale).padStart(width)}\n`;
    return out;
  }
  const rows = sizes[sizes.length - 2]!;
  const columns = sizes[sizes.length - 1]!;
  if (sizes.length === 2) return matrixText(values, 0, rows, columns, 0);
  // the first index runs fastest
  const outer = sizes.slice(0, -2);
  const counter = outer.map(() => 0);
  const slices: string[] = [];
  for (;;) {
    let slice = 0;
    for (let d = 0; d < outer.length; d++) slice = slice * outer[d]! + counter[d]!;
    const name = counter.map((c) => c + 1).join(",");
    slices.push(`(${name},.,.) = \n${matrixText(values, slice * rows * columns, rows, columns, 1)}`);
    let d = 0;
    while (d < outer.length && ++counter[d]! >= outer[d]!) counter[d++] = 0;
    if (d === outer.length) return slices.join("\n");
  }
}

/** The shortest text that gives the number back; exponents from 1e16 up and below 1e-4. */
function shortest(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4)) {
    const [mantissa, power] = value.toExponential().split("e") as [string, string];
    return `${mantissa}e${power[0]!}${power.slice(1).padStart(2, "0")}`;
  }
  return String(value);
}

/** The elements as doubles, in order: integers of quantized tensors mapped, imaginary parts dropped. */
function doubles(tensor: Tensor): Float64Array {
  if (tensor.quantizer) return dequantized(tensor);
  const plain = contiguousAs(tensor, DTYPES.float64);
  const { base0 } = plain;
  return plain.storage.segment.f64.slice(base0, base0 + plain.numel);
}

function dequantized(tensor: Tensor): Float64Array {
  const { quantizer, dtype } = tensor;
  const raw = dtype === DTYPES.quint8 ? DTYPES.uint8 : dtype === DTYPES.qint8 ? DTYPES.int8 : DTYPES.int32;
  const values = doubles(new Tensor(tensor.storage, raw, tensor.sizes, tensor.strides, tensor.storageOffset));
  if (!quantizer) return values;
  if (quantizer.scheme === "per_tensor_affine") {
    return values.map((v) => Math.fround((v - quantizer.zeroPoint) * Math.fround(quantizer.scale)));
  }
  const scales = doubles(quantizer.scales);
  const zeros = doubles(quantizer.zeroPoints);
  const inner = tensor.sizes.slice(quantizer.axis + 1).reduce((a, b) => a * b, 1);
  const channels = tensor.sizes[quantizer.axis]!;
  const float = quantizer.scheme === "per_channel_affine_float_qparams";
  return values.map((v, i) => {
    const c = Math.floor(i / inner) % channels;
    const scale = Math.fround(scales[c]!);
    return Math.fround(float ? (v - zeros[c]!) * scale : (v - zeros[c]!) * scale);
  });
}

const BACKENDS: Readonly<Record<string, string>> = {
  cpu: "CPU",
  cuda: "CUDA",
  meta: "Meta",
  mps: "MPS",
  xpu: "XPU",
};

function typeName(tensor: Tensor): string {
  const backend = BACKENDS[tensor.device.type] ?? tensor.device.type.toUpperCase();
  const prefix = tensor.quantizer
    ? "Quantized"
    : tensor.sparse
      ? tensor.sparse.layout === "sparse_coo"
        ? "Sparse"
        : "SparseCsr"
      : "";
  return `${prefix}${backend}${tensor.dtype.cppName}Type`;
}

/** The single element of a one-element tensor as `item()` gives it, for doubles and integers below 2^53. */
export function firstElement(tensor: Tensor): number {
  return doubles(tensor)[0]!;
}

/** Text of a tensor as C++ prints it: elements, then `[ CPUFloatType{2,3} ]`. */
export function cppTensorText(tensor: Tensor): string {
  const type = typeName(tensor);
  if (tensor.sparse?.layout === "sparse_coo") {
    const { indices, values } = tensor.sparse;
    return `[ ${type}{}\nindices:\n${cppTensorText(indices)}\nvalues:\n${cppTensorText(values)}\nsize:\n[${tensor.sizes.join(", ")}]\n]`;
  }
  const elements = tensor.numel > 0 ? elementsText(doubles(tensor), tensor.sizes) : "";
  let out = `${elements}[ ${type}{${tensor.sizes.join(",")}}`;
  const { quantizer } = tensor;
  if (quantizer) {
    out += `, qscheme: ${quantizer.scheme}`;
    if (quantizer.scheme === "per_tensor_affine")
      out += `, scale: ${shortest(quantizer.scale)}, zero_point: ${quantizer.zeroPoint}`;
    else
      out += `, scales: ${cppTensorText(quantizer.scales)}, zero_points: ${cppTensorText(quantizer.zeroPoints)}, axis: ${quantizer.axis}`;
  }
  return `${out} ]`;
}
