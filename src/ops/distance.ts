/** @file Distances between vectors: cdist, pdist, pairwise distance, cosine similarity, triplet losses. Upstream: aten/src/ATen/native/Distance.cpp, Loss.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { toComplexArrays } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { doublesOf, floatsAs, floatsOf, fromDoubles, type Floats } from "../tensor/kernels/data.ts";
import { broadcastColumns, floatsIn, reduceLoss } from "../tensor/kernels/loss.ts";
import { batchedProduct } from "../tensor/kernels/matmul.ts";
import { broadcastAll, notImplemented } from "../tensor/pointwise.ts";
import { floatResult, promoteTypes, resultType, toRealDtype } from "../tensor/promotion.ts";
import { broadcastShapes, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { expandView } from "../tensor/view_geometry.ts";
import { isReducedFloat } from "./operands.ts";
import { roundingOf } from "./unary.ts";
import { reshapeTensor } from "./views.ts";

/** Adds magnitudes into a p-norm. */
class NormSum {
  private readonly p: number;
  private total: number;
  constructor(p: number) {
    this.p = p;
    this.total = p === -Infinity ? Infinity : 0;
  }
  add(magnitude: number): void {
    const { p } = this;
    if (p === 2) this.total += magnitude * magnitude;
    else if (p === 1) this.total += magnitude;
    else if (p === 0) this.total += magnitude !== 0 ? 1 : 0;
    else if (p === Infinity) this.total = magnitude !== magnitude ? NaN : Math.max(this.total, magnitude);
    else if (p === -Infinity) this.total = magnitude !== magnitude ? NaN : Math.min(this.total, magnitude);
    else this.total += magnitude ** p;
  }
  result(): number {
    const { p, total } = this;
    if (p === 2) return Math.sqrt(total);
    return p === 1 || p === 0 || Math.abs(p) === Infinity ? total : total ** (1 / p);
  }
}

/** Distances between the last dimensions of broadcast operands, as doubles. */
function pairDistances(
  x1: Tensor,
  x2: Tensor,
  p: number,
  eps: number,
): { values: Float64Array; rows: number[]; dtype: DType } {
  if (x1.dtype === DTYPES.bool && x2.dtype === DTYPES.bool)
    throw new OperatorError(
      "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.",
    );
  const sizes = broadcastAll([x1, x2]);
  const width = sizes[sizes.length - 1] ?? 1;
  const rows = sizes.slice(0, -1);
  const count = rows.reduce((a, b) => a * b, 1);
  const dtype = toRealDtype(floatResult(resultType(x1, x2)));
  const kind = resultType(x1, x2);
  if (kind.category !== "complex" && kind !== DTYPES.uint8) {
    const [x, y] = [floatsIn(x1, sizes), floatsIn(x2, sizes)];
    const distances = new Float64Array(count);
    for (let r = 0; r < count; r++) distances[r] = rowDistance(x, r * width, y, r * width, width, p, eps);
    return { values: distances, rows, dtype };
  }
  const a = toComplexArrays(expandView(x1, sizes, x1.dtype.cppName));
  const b = toComplexArrays(expandView(x2, sizes, x2.dtype.cppName));
  const values = new Float64Array(count);
  // the difference of unsigned bytes wraps around before the rest is a float
  if (kind === DTYPES.uint8) for (let i = 0; i < a.re.length; i++) a.re[i] = ((a.re[i]! - b.re[i]!) & 255) + b.re[i]!;
  for (let r = 0; r < count; r++) {
    const norm = new NormSum(p);
    for (let i = r * width; i < (r + 1) * width; i++) {
      const re = a.re[i]! - b.re[i]! + eps;
      const im = a.im[i]! - b.im[i]!;
      norm.add(im === 0 ? Math.abs(re) : Math.hypot(re, im));
    }
    values[r] = norm.result();
  }
  return { values, rows, dtype };
}

export const pairwise_distance = op(
  "aten::pairwise_distance(Tensor x1, Tensor x2, float p=2., float eps=9.9999999999999995e-07, bool keepdim=False) -> Tensor",
  (x1, x2, p, eps, keepdim) => {
    const { values, rows, dtype } = pairDistances(x1, x2, p, eps);
    return fromDoubles(values, keepdim ? [...rows, 1] : rows, dtype);
  },
);

op(
  "aten::triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1., float p=2., float eps=9.9999999999999995e-07, bool swap=False, int reduction=1) -> Tensor",
  (anchor, positive, negative, margin, p, eps, swap, reduction) => {
    if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim) {
      throw new OperatorError(
        `The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor ${anchor.ndim}D, positive ${positive.ndim}D, and negative ${negative.ndim}D inputs`,
      );
    }
    if (!(margin > 0)) throw new OperatorError(`Expected margin to be greater than 0, but got ${margin}`);
    const near = pairDistances(anchor, positive, p, eps);
    const far = pairDistances(anchor, negative, p, eps);
    const columns = [fromDoubles(near.values, near.rows), fromDoubles(far.values, far.rows)];
    if (swap) {
      const between = pairDistances(positive, negative, p, eps);
      columns.push(fromDoubles(between.values, between.rows));
    }
    const { sizes, values } = broadcastColumns(columns);
    const losses = values[0]!.map((d, i) => {
      const other = swap ? Math.min(values[1]![i]!, values[2]![i]!) : values[1]![i]!;
      return Math.max(margin + d - other, 0);
    });
    return reduceLoss(losses, sizes, promoteTypes(near.dtype, far.dtype), reduction, []);
  },
);

export const cosine_similarity = op(
  "aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
  (x1, x2, dimIn, eps) => {
    if (!(eps >= 0)) throw new OperatorError(`eps must be non-negative, got: ${eps}`);
    const dtype = promoteTypes(x1.dtype, x2.dtype);
    if (dtype.category !== "float") {
      throw new OperatorError(`expected common dtype to be floating point, yet common dtype is ${dtype.cppName}`);
    }
    const sizes = broadcastAll([x1, x2]);
    const [a, b] = [floatsIn(x1, sizes), floatsIn(x2, sizes)];
    const dim = wrapDim(dimIn, sizes.length);
    const width = sizes[dim] ?? 1;
    const inner = sizes.slice(dim + 1).reduce((x, y) => x * y, 1);
    const outer = sizes.slice(0, dim).reduce((x, y) => x * y, 1);
    const out = new Float64Array(outer * inner);
    // halves are rounded between the operators that this is made of
    const round = isReducedFloat(dtype) ? roundingOf(dtype) : (v: number): number => v;
    const least = round(eps);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let na = 0;
        let nb = 0;
        for (let k = 0; k < width; k++) {
          const at = (o * width + k) * inner + i;
          na += a[at]! * a[at]!;
          nb += b[at]! * b[at]!;
        }
        na = Math.max(round(Math.sqrt(na)), least);
        nb = Math.max(round(Math.sqrt(nb)), least);
        let sum = 0;
        for (let k = 0; k < width; k++) {
          const at = (o * width + k) * inner + i;
          sum += round(round(a[at]! / na) * round(b[at]! / nb));
        }
        out[o * inner + i] = sum;
      }
    }
    return fromDoubles(out, sizes.length === 0 ? [] : [...sizes.slice(0, dim), ...sizes.slice(dim + 1)], dtype);
  },
);

/** Rows on either side from which PyTorch takes Euclidean distances by a matrix product. */
const PRODUCT_ROWS = 25;

/** Distances between every row of x1 (..., P, M) and every row of x2 (..., R, M): (..., P, R). */
function crossDistances(x1: Tensor, x2: Tensor, p: number, byProduct: boolean): Tensor {
  const width = x1.sizes[x1.ndim - 1]!;
  const n1 = x1.sizes[x1.ndim - 2]!;
  const n2 = x2.sizes[x2.ndim - 2]!;
  const batch = broadcastShapes(x1.sizes.slice(0, -2), x2.sizes.slice(0, -2));
  const count = batch.reduce((a, b) => a * b, 1);
  const left = expandView(x1, [...batch, n1, width], x1.dtype.cppName);
  const right = expandView(x2, [...batch, n2, width], x2.dtype.cppName);
  const sizes = [...batch, n1, n2];
  if (byProduct && count * n1 * n2 * width > 0) return euclideanByProduct(left, right, sizes);
  const a = doublesOf(left);
  const b = doublesOf(right);
  const out = new Float64Array(count * n1 * n2);
  let at = 0;
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < n1; i++) {
      for (let j = 0; j < n2; j++, at++)
        out[at] = rowDistance(a, (k * n1 + i) * width, b, (k * n2 + j) * width, width, p);
    }
  }
  return fromDoubles(out, sizes, x1.dtype);
}

/** |a|² - 2 a·b + |b|² as one product of rows with two more columns each (Distance.cpp, _euclidean_dist). */
function euclideanByProduct(x1: Tensor, x2: Tensor, sizes: readonly number[]): Tensor {
  const a = withSquares(x1, -2, 0);
  const b = withSquares(x2, 1, 1);
  const [count, n, width] = b.sizes as [number, number, number];
  const out = batchedProduct(a, viewOf(b, [count, width, n], [n * width, 1, width]));
  const squares = floatsOf(out);
  // NaN stays
  for (let i = 0; i < squares.length; i++) squares[i] = Math.sqrt(squares[i]! < 0 ? 0 : squares[i]!);
  return reshapeTensor(out, sizes);
}

/** Rows times `scale` with their sum of squares and a 1 behind, the sum `late` columns behind their end: (count, rows, width + 2). */
function withSquares(x: Tensor, scale: number, late: number): Tensor {
  const [rows, width] = x.sizes.slice(-2) as [number, number];
  const out = emptyTensor([x.numel / (rows * width), rows, width + 2], x.dtype);
  const to = floatsOf(out);
  const from = floatsAs(x, x.dtype);
  for (let at = 0, i = 0; at < to.length; at += width + 2) {
    let squares = 0;
    for (let c = 0; c < width; c++, i++) {
      const v = from[i]!;
      to[at + c] = scale * v;
      squares += v * v;
    }
    to[at + width + late] = squares;
    to[at + width + 1 - late] = 1;
  }
  return out;
}

/** The p-norm of the difference of two rows, to whose elements `eps` is added. */
function rowDistance(a: Floats, ai: number, b: Floats, bi: number, width: number, p: number, eps = 0): number {
  let total = 0;
  if (p === 2) {
    for (let c = 0; c < width; c++) {
      const d = a[ai + c]! - b[bi + c]! + eps;
      total += d * d;
    }
    return Math.sqrt(total);
  }
  if (p === 1) {
    for (let c = 0; c < width; c++) total += Math.abs(a[ai + c]! - b[bi + c]! + eps);
    return total;
  }
  const norm = new NormSum(p);
  for (let c = 0; c < width; c++) norm.add(Math.abs(a[ai + c]! - b[bi + c]! + eps));
  return norm.result();
}

function checkedCdist(x1: Tensor, x2: Tensor, p: number, mode: number | null): Tensor {
  for (const [x, name] of [
    [x1, "X1"],
    [x2, "X2"],
  ] as const) {
    if (x.ndim < 2) throw new OperatorError(`cdist only supports at least 2D tensors, ${name} got: ${x.ndim}D`);
  }
  const [c1, c2] = [x1.sizes[x1.ndim - 1]!, x2.sizes[x2.ndim - 1]!];
  if (c1 !== c2) throw new OperatorError(`X1 and X2 must have the same number of columns. X1: ${c1} X2: ${c2}`);
  for (const [x, name] of [
    [x1, "X1"],
    [x2, "X2"],
  ] as const) {
    if (x.dtype.category !== "float")
      throw new OperatorError(`cdist only supports floating-point dtypes, ${name} got: ${x.dtype.cppName}`);
  }
  if (!(p >= 0)) throw new OperatorError("cdist only supports non-negative p values");
  if (mode !== null && mode !== undefined && !(mode >= 0 && mode <= 2))
    throw new OperatorError(`possible modes: 0, 1, 2, but was: ${mode}`);
  if (x1.dtype !== DTYPES.float32 && x1.dtype !== DTYPES.float64) throw notImplemented("cdist", x1.dtype);
  if (x1.dtype !== x2.dtype)
    throw new OperatorError(`expected scalar type ${x1.dtype.cppName} but found ${x2.dtype.cppName}`);
  const isLarge = x1.sizes[x1.ndim - 2]! > PRODUCT_ROWS || x2.sizes[x2.ndim - 2]! > PRODUCT_ROWS;
  return crossDistances(x1, x2, p, p === 2 && (mode === 1 || (mode !== 2 && isLarge)));
}

export const cdist = op(
  "aten::cdist(Tensor x1, Tensor x2, float p=2., int? compute_mode=None) -> Tensor",
  checkedCdist,
);
op("aten::_cdist_forward(Tensor x1, Tensor x2, float p, int? compute_mode) -> Tensor", checkedCdist);
op("aten::_euclidean_dist(Tensor x1, Tensor x2) -> Tensor", (x1, x2) => crossDistances(x1, x2, 2, true));

function pairsOfRows(self: Tensor, p: number): Tensor {
  if (self.ndim !== 2) throw new OperatorError(`pdist only supports 2D tensors, got: ${self.ndim}D`);
  if (self.dtype.category !== "float") throw new OperatorError("pdist only supports floating-point dtypes");
  if (!(p >= 0)) throw new OperatorError("pdist only supports non-negative p values");
  if (self.dtype !== DTYPES.float32 && self.dtype !== DTYPES.float64) throw notImplemented("pdist", self.dtype);
  const [n, width] = self.sizes as [number, number];
  const x = doublesOf(self);
  const out = new Float64Array(n > 1 ? (n * (n - 1)) / 2 : 0);
  let at = 0;
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) out[at++] = rowDistance(x, i * width, x, j * width, width, p);
  return fromDoubles(out, [out.length], self.dtype);
}

op("aten::pdist(Tensor self, float p=2.) -> Tensor", pairsOfRows);
op("aten::_pdist_forward(Tensor self, float p=2.) -> Tensor", pairsOfRows);
