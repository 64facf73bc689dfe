/** @file Tensor printing as Python's str(tensor). Upstream: torch/_tensor_str.py. Spec: none. */
import { emptyTensor, type Tensor } from "./tensor.ts";
import { DTYPES, type DType } from "./dtype.ts";
import { elementIndex, readElement } from "./elements.ts";
import { toFloat64Array } from "./data.ts";
import { rowMajorCursor } from "./iterate.ts";
import { formatFixed, formatScientific, pythonFloat } from "../base/float_text.ts";
import { getDefaultDtype } from "./promotion.ts";
import { Complex } from "./scalar.ts";

/** torch.set_printoptions: what str(tensor) follows. */
export interface PrintOptions {
  /** Digits after the point. */
  precision: number;
  /** Elements beyond which a tensor is summarized. */
  threshold: number;
  /** Elements shown at each end of a summarized dimension. */
  edgeitems: number;
  /** Columns of a line. */
  linewidth: number;
  /** Scientific notation always, never, or (null) as the values need. */
  sciMode: boolean | null;
}

/** PyTorch's default profile. */
export const PRINT_OPTIONS: PrintOptions = {
  precision: 4,
  threshold: 1000,
  edgeitems: 3,
  linewidth: 80,
  sciMode: null,
};

/** `torch.float32`. */
export function dtypeText(dtype: DType): string {
  return `torch.${dtype.name}`;
}

/** `(2, 3)`, `(2,)`, `()`: a Python tuple of sizes. */
export function tupleText(sizes: readonly number[]): string {
  return sizes.length === 1 ? `(${sizes[0]},)` : `(${sizes.join(", ")})`;
}

/** How the elements of one tensor are written: all with one width. */
class Formatter {
  private readonly isFloat: boolean;
  private readonly options: PrintOptions;
  private intMode = true;
  private sciMode = false;
  width = 1;

  constructor(values: readonly (number | bigint | boolean)[], isFloat: boolean, options: PrintOptions) {
    this.isFloat = isFloat;
    this.options = options;
    if (!isFloat) {
      for (const value of values) this.width = Math.max(this.width, plainText(value).length);
      return;
    }
    const finite = (values as readonly number[]).filter((x) => Number.isFinite(x) && x !== 0);
    if (finite.length === 0) return;
    let min = Infinity;
    let max = 0;
    for (const x of finite) {
      const a = Math.abs(x);
      if (a < min) min = a;
      if (a > max) max = a;
      if (x !== Math.ceil(x)) this.intMode = false;
    }
    this.sciMode = options.sciMode ?? (max / min > 1000 || max > 1e8 || min < 1e-4);
    for (const x of finite) {
      const text = this.sciMode
        ? formatScientific(x, options.precision)
        : formatFixed(x, this.intMode ? 0 : options.precision);
      this.width = Math.max(this.width, text.length + (this.intMode && !this.sciMode ? 1 : 0));
    }
  }

  format(value: number | bigint | boolean): string {
    if (!this.isFloat) return plainText(value).padStart(this.width);
    const x = value as number;
    if (this.sciMode) return formatScientific(x, this.options.precision).padStart(this.width);
    const text = this.intMode
      ? formatFixed(x, 0) + (Number.isFinite(x) ? "." : "")
      : formatFixed(x, this.options.precision);
    return text.padStart(this.width);
  }
}

function plainText(value: number | bigint | boolean): string {
  return typeof value === "boolean" ? (value ? "True" : "False") : String(value);
}

/** The elements of a tensor by logical index, as printing sees them. */
interface Elements {
  readonly isFloat: boolean;
  real(linear: number): number | bigint | boolean;
  imag: ((linear: number) => number) | undefined;
}

function elementsOf(t: Tensor): Elements {
  const { dtype } = t;
  const seg = t.storage.segment;
  if (dtype.category === "complex") {
    const read = (linear: number): Complex => {
      const index = elementIndex(t, linear);
      const value = readElement(dtype, seg, index) as Complex;
      const re = t.isNeg ? -value.re : value.re;
      return new Complex(re, t.isNeg !== t.isConj ? -value.im : value.im);
    };
    return { isFloat: true, real: (i) => read(i).re, imag: (i) => read(i).im };
  }
  const isBool = dtype === DTYPES.bool;
  return {
    isFloat: dtype.category === "float",
    real: (linear) => {
      const value = readElement(dtype, seg, elementIndex(t, linear)) as number | bigint;
      if (isBool) return value !== 0;
      return t.isNeg ? -value : value;
    },
    imag: undefined,
  };
}

class Printer {
  private readonly sizes: readonly number[];
  private readonly elements: Elements;
  private readonly options: PrintOptions;
  private readonly summarize: boolean;
  private readonly real: Formatter;
  private readonly imag: Formatter | undefined;
  private readonly strides: number[];

  constructor(t: Tensor, options: PrintOptions) {
    this.sizes = t.sizes;
    this.elements = elementsOf(t);
    this.options = options;
    this.summarize = t.numel > options.threshold;
    this.strides = new Array<number>(t.ndim);
    let stride = 1;
    for (let d = t.ndim - 1; d >= 0; d--) {
      this.strides[d] = stride;
      stride *= t.sizes[d]!;
    }
    const shown: number[] = [];
    this.collect(0, 0, shown);
    this.real = new Formatter(
      shown.map((i) => this.elements.real(i)),
      this.elements.isFloat,
      options,
    );
    const { imag } = this.elements;
    this.imag = imag ? new Formatter(shown.map(imag), true, options) : undefined;
  }

  /** Indices of a dimension that are shown; -1 stands for the dots. */
  private indices(d: number): number[] {
    const size = this.sizes[d]!;
    const { edgeitems } = this.options;
    if (this.summarize && size > 2 * edgeitems) {
      const head = Array.from({ length: edgeitems }, (_, i) => i);
      return [...head, -1, ...head.map((i) => size - edgeitems + i)];
    }
    return Array.from({ length: size }, (_, i) => i);
  }

  private collect(d: number, base: number, into: number[]): void {
    if (d === this.sizes.length) {
      into.push(base);
      return;
    }
    for (const i of this.indices(d)) if (i >= 0) this.collect(d + 1, base + i * this.strides[d]!, into);
  }

  private element(linear: number): string {
    const real = this.real.format(this.elements.real(linear));
    if (!this.imag) return real;
    const imag = `${this.imag.format(this.elements.imag!(linear))}j`.trimStart();
    return real + (imag.startsWith("-") || imag.startsWith("+") ? "" : "+") + imag;
  }

  print(d: number, base: number, indent: number): string {
    const dim = this.sizes.length - d;
    if (dim === 0) return this.element(base);
    const indices = this.indices(d);
    const stride = this.strides[d]!;
    if (dim === 1) {
      const width = this.real.width + 2 + (this.imag ? this.imag.width + 1 : 0);
      const perLine = Math.max(1, Math.floor((this.options.linewidth - indent) / width));
      const data = indices.map((i) => (i < 0 ? " ..." : this.element(base + i * stride)));
      const lines: string[] = [];
      for (let i = 0; i < data.length; i += perLine) lines.push(data.slice(i, i + perLine).join(", "));
      return `[${lines.join(`,\n${" ".repeat(indent + 1)}`)}]`;
    }
    const slices = indices.map((i) => (i < 0 ? "..." : this.print(d + 1, base + i * stride, indent + 1)));
    return `[${slices.join(`,${"\n".repeat(dim - 1)}${" ".repeat(indent + 1)}`)}]`;
  }
}

/** The bracketed elements, as they follow `tensor(`. */
export function elementsText(t: Tensor, indent: number, options: PrintOptions = PRINT_OPTIONS): string {
  return t.numel === 0 ? "[]" : new Printer(t, options).print(0, 0, indent);
}

function dequantized(t: Tensor): Tensor {
  const q = t.quantizer;
  const out = emptyTensor(t.sizes, DTYPES.float32);
  const x = toFloat64Array(t);
  if (q?.scheme === "per_tensor_affine") {
    for (let i = 0; i < x.length; i++) x[i] = (x[i]! - q.zeroPoint) * Math.fround(q.scale);
  } else if (q) {
    const scales = toFloat64Array(q.scales);
    const zeros = toFloat64Array(q.zeroPoints);
    let inner = 1;
    for (let d = q.axis + 1; d < t.ndim; d++) inner *= t.sizes[d]!;
    for (let i = 0; i < x.length; i++) {
      const c = Math.floor(i / inner) % scales.length;
      x[i] =
        q.scheme === "per_channel_affine"
          ? (x[i]! - zeros[c]!) * Math.fround(scales[c]!)
          : x[i]! * scales[c]! + zeros[c]!;
    }
  }
  rowMajorCursor(out).store(x, out.numel, true);
  return out;
}

function part(label: string, t: Tensor, indent: number, options: PrintOptions): string {
  const prefix = `${label}=tensor(`;
  const size = t.numel === 0 ? `, size=${tupleText(t.sizes)}` : "";
  return `${prefix}${elementsText(t, indent + prefix.length, options)}${size})`;
}

function sparseContents(t: Tensor, indent: number, options: PrintOptions): string {
  const s = t.sparse!;
  const gap = `,\n${" ".repeat(indent)}`;
  if (s.layout === "sparse_coo")
    return part("indices", s.indices, indent, options) + gap + part("values", s.values, indent, options);
  const byRow = s.layout === "sparse_csr" || s.layout === "sparse_bsr";
  const parts = [
    part(byRow ? "crow_indices" : "ccol_indices", s.compressedIndices, indent, options),
    part(byRow ? "col_indices" : "row_indices", s.plainIndices, indent, options),
    part("values", s.values, indent, options),
  ];
  return parts.join(gap);
}

function addSuffixes(
  text: string,
  suffixes: readonly string[],
  indent: number,
  forceNewline: boolean,
  linewidth: number,
): string {
  let out = text;
  let last = text.length - text.lastIndexOf("\n") + 1;
  let force = forceNewline;
  for (const suffix of suffixes) {
    if (force || last + suffix.length + 2 > linewidth) {
      out += `,\n${" ".repeat(indent)}${suffix}`;
      last = indent + suffix.length;
      force = false;
    } else {
      out += `, ${suffix}`;
      last += suffix.length + 2;
    }
  }
  return `${out})`;
}

function nestedText(components: readonly Tensor[], options: PrintOptions): string {
  const lines = components.map((component) => `  ${tensorText(component, options).replaceAll("\n", "\n  ")}`);
  return `nested_tensor([\n${lines.join(",\n")}\n])`;
}

/** str(tensor): `tensor([1., 2.], dtype=torch.float64)`; parameters print as `Parameter containing:` does in Python. */
export function tensorText(t: Tensor, options: PrintOptions = PRINT_OPTIONS): string {
  if (t.nested) return nestedText(t.nested, options);
  const indent = "tensor(".length;
  const suffixes: string[] = [];
  const isMeta = t.device.type === "meta";
  if (t.device.type !== "cpu") suffixes.push(`device='${t.device.toString()}'`);
  const standard = getDefaultDtype();
  const standardComplex = standard === DTYPES.float64 ? DTYPES.complex128 : DTYPES.complex64;
  const isCommon =
    t.dtype === standard || t.dtype === standardComplex || t.dtype === DTYPES.int64 || t.dtype === DTYPES.bool;
  let contents: string;
  if (t.sparse) {
    suffixes.push(`size=${tupleText(t.sizes)}`);
    suffixes.push(
      `nnz=${t.sparse.layout === "sparse_coo" ? t.sparse.values.sizes[0]! : t.sparse.plainIndices.sizes.at(-1)!}`,
    );
    if (!isCommon) suffixes.push(`dtype=${dtypeText(t.dtype)}`);
    contents = sparseContents(t, indent, options);
  } else if (t.dtype.category === "quantized") {
    suffixes.push(`size=${tupleText(t.sizes)}`, `dtype=${dtypeText(t.dtype)}`);
    const q = t.quantizer;
    if (q) {
      suffixes.push(`quantization_scheme=torch.${q.scheme}`);
      if (q.scheme === "per_tensor_affine") suffixes.push(`scale=${pythonFloat(q.scale)}`, `zero_point=${q.zeroPoint}`);
      else
        suffixes.push(
          `scale=${tensorText(q.scales, options)}`,
          `zero_point=${tensorText(q.zeroPoints, options)}`,
          `axis=${q.axis}`,
        );
    }
    contents = elementsText(dequantized(t), indent, options);
  } else if (isMeta) {
    suffixes.push(`size=${tupleText(t.sizes)}`);
    if (t.dtype !== standard) suffixes.push(`dtype=${dtypeText(t.dtype)}`);
    contents = "...";
  } else if (t.numel === 0) {
    if (t.ndim !== 1) suffixes.push(`size=${tupleText(t.sizes)}`);
    if (t.dtype !== standard) suffixes.push(`dtype=${dtypeText(t.dtype)}`);
    contents = "[]";
  } else {
    if (!isCommon) suffixes.push(`dtype=${dtypeText(t.dtype)}`);
    contents = elementsText(t, indent, options);
  }
  if (t.sparse) suffixes.push(`layout=torch.${t.sparse.layout}`);
  const gradFn = t.autograd?.gradFn;
  if (gradFn) suffixes.push(`grad_fn=<${(gradFn as { name?: string }).name ?? "Function"}>`);
  else if (t.requiresGrad) suffixes.push("requires_grad=True");
  const text = addSuffixes(
    `tensor(${contents}`,
    suffixes,
    indent,
    t.sparse?.layout === "sparse_coo",
    options.linewidth,
  );
  return t.isParameter ? `Parameter containing:\n${text}` : text;
}
