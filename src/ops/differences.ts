/** @file Composites along a dimension: diff, gradient, trapezoid; covariance and correlation; hash_tensor. Upstream: aten/src/ATen/native/ReduceOps.cpp, Integration.cpp, Correlation.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor, convertTensor } from "../tensor/clone.ts";
import { fromData, toFloat64Array } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { notImplemented } from "../tensor/pointwise.ts";
import { boxFloat, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { wrapDim } from "../tensor/strides.ts";
import { emptyTensor, viewOf, type Tensor } from "../tensor/tensor.ts";
import { narrowView, transposeView } from "../tensor/view_geometry.ts";
import { planReduction, reduceReal } from "../tensor/reduce.ts";
import { add, div, divScalar, mul, mulScalar, sub } from "./arithmetic.ts";
import { cumsum } from "./cumulative.ts";
import { cat } from "./joining.ts";
import { matmul } from "./matrix.ts";
import { sum, sumDim } from "./reduction.ts";
import { ne } from "./comparison.ts";
import { clamp } from "./ternary.ts";
import { conj_physical, roundingOf, sqrt } from "./unary.ts";

function checkEdge(self: Tensor, edge: Tensor, dim: number): void {
  if (edge.ndim !== self.ndim)
    throw new OperatorError("diff expects prepend or append to be the same dimension as input");
  for (let d = 0; d < self.ndim; d++) {
    if (d !== dim && edge.sizes[d] !== self.sizes[d]) {
      throw new OperatorError(
        `diff expects the shape of tensor to prepend or append to match that of input except along the differencing dimension; input.size(${d}) = ${self.sizes[d]}, but got tensor.size(${d}) = ${edge.sizes[d]}`,
      );
    }
  }
}

op(
  "aten::diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor",
  (self, n, dim, prepend, append) => {
    if (self.ndim === 0) throw new OperatorError("diff expects input to be at least one-dimensional");
    if (n < 0) throw new OperatorError(`order must be non-negative but got ${n}`);
    const d = wrapDim(dim, self.ndim);
    const parts: Tensor[] = [];
    if (prepend !== null) {
      checkEdge(self, prepend, d);
      parts.push(prepend);
    }
    parts.push(self);
    if (append !== null) {
      checkEdge(self, append, d);
      parts.push(append);
    }
    // order zero leaves the edges out and gives a copy
    if (n === 0) return cloneTensor(self);
    let x = parts.length > 1 ? cat(parts, d) : self;
    for (let i = 0; i < n; i++) {
      const size = x.sizes[d]!;
      if (size === 0) break;
      const upper = narrowView(x, d, 1, size - 1);
      const lower = narrowView(x, d, 0, size - 1);
      x = x.dtype === DTYPES.bool ? ne(upper, lower) : sub(upper, lower);
    }
    return x;
  },
);

/** Derivative along one dimension from evenly spaced samples. */
function gradientEven(self: Tensor, d: number, spacing: Scalar, edgeOrder: number): Tensor {
  const n = self.sizes[d]!;
  const at = (start: number, length: number): Tensor => narrowView(self, d, start, length);
  const h = scalarToNumber(spacing);
  const by = (t: Tensor, divisor: number): Tensor =>
    divScalar(t, divisor === Math.trunc(divisor) ? boxFloat(divisor) : divisor);
  const interior = by(sub(at(2, n - 2), at(0, n - 2)), 2 * h);
  if (edgeOrder === 1) {
    return cat([by(sub(at(1, 1), at(0, 1)), h), interior, by(sub(at(n - 1, 1), at(n - 2, 1)), h)], d);
  }
  const first = by(add(add(mulScalar(at(0, 1), -1.5), mulScalar(at(1, 1), 2)), mulScalar(at(2, 1), -0.5)), h);
  const last = by(add(add(mulScalar(at(n - 3, 1), 0.5), mulScalar(at(n - 2, 1), -2)), mulScalar(at(n - 1, 1), 1.5)), h);
  return cat([first, interior, last], d);
}

/** Derivative along one dimension from samples at given coordinates. */
function gradientUneven(self: Tensor, d: number, coordinates: Tensor, edgeOrder: number): Tensor {
  const n = self.sizes[d]!;
  const count = coordinates.sizes[0]!;
  const shape = self.sizes.map((_, i) => (i === d ? -1 : 1));
  const along = (t: Tensor): Tensor =>
    viewOf(
      t,
      shape.map((s) => (s === -1 ? t.numel : 1)),
      shape.map((s) => (s === -1 ? t.strides[0]! : 0)),
    );
  const steps = sub(narrowView(coordinates, 0, 1, count - 1), narrowView(coordinates, 0, 0, count - 1));
  const left = narrowView(steps, 0, 0, count - 2);
  const right = narrowView(steps, 0, 1, count - 2);
  const both = add(left, right);
  const at = (start: number, length: number): Tensor => narrowView(self, d, start, length);
  const a = along(div(mulScalar(right, -1), mul(left, both)));
  const b = along(div(sub(right, left), mul(left, right)));
  const c = along(div(left, mul(right, both)));
  const interior = add(add(mul(a, at(0, n - 2)), mul(b, at(1, n - 2))), mul(c, at(2, n - 2)));
  const step = (i: number): Tensor => along(narrowView(steps, 0, i, 1));
  if (edgeOrder === 1) {
    return cat(
      [div(sub(at(1, 1), at(0, 1)), step(0)), interior, div(sub(at(n - 1, 1), at(n - 2, 1)), step(count - 2))],
      d,
    );
  }
  const edge = (h1: Tensor, h2: Tensor, x: readonly [Tensor, Tensor, Tensor], sign: 1 | -1): Tensor => {
    const total = add(h1, h2);
    const w0 = div(mulScalar(add(mulScalar(h1, 2), h2), -sign), mul(h1, total));
    const w1 = div(mulScalar(total, sign), mul(h1, h2));
    const w2 = div(mulScalar(h1, -sign), mul(h2, total));
    return add(add(mul(w0, x[0]), mul(w1, x[1])), mul(w2, x[2]));
  };
  const first = edge(step(0), step(1), [at(0, 1), at(1, 1), at(2, 1)], 1);
  const last = edge(step(count - 2), step(count - 3), [at(n - 1, 1), at(n - 2, 1), at(n - 3, 1)], -1);
  return cat([first, interior, last], d);
}

function gradientOf(
  self: Tensor,
  dims: readonly number[],
  spacing: readonly (Scalar | Tensor)[],
  edgeOrder: number,
): Tensor[] {
  if (self.dtype === DTYPES.uint8) throw new OperatorError("torch.gradient does not support uint8 input.");
  if (spacing.length !== dims.length)
    throw new OperatorError(
      `torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the same length, but got a spacing argument of length ${spacing.length} and a dim argument of length ${dims.length}.`,
    );
  if (edgeOrder !== 1 && edgeOrder !== 2)
    throw new OperatorError("torch.gradient only supports edge_order=1 and edge_order=2.");
  for (const h of spacing) {
    if (typeof h === "object" && "storage" in h && h.device.type !== self.device.type) {
      throw new OperatorError(
        `torch.gradient expected each tensor to be on the same device, but got devices ${self.device.toString()} and ${h.device.toString()}!`,
      );
    }
  }
  const seen = new Set<number>();
  const wrapped = dims.map((dim) => {
    const d = wrapDim(dim, self.ndim);
    if (seen.has(d)) throw new OperatorError(`dim ${d} appears multiple times in the list of dims`);
    seen.add(d);
    return d;
  });
  for (const d of wrapped) {
    if (self.sizes[d]! < edgeOrder + 1) {
      throw new OperatorError("torch.gradient expected each dimension size to be at least edge_order+1");
    }
  }
  return wrapped.map((d, i) => {
    const h = spacing[i]!;
    if (!(typeof h === "object" && "storage" in h)) return gradientEven(self, d, h, edgeOrder);
    if (h.ndim !== 1) {
      throw new OperatorError(
        `torch.gradient expected each element of spacing to have one dimension, but got an element with ${h.ndim} dimensions!`,
      );
    }
    return gradientUneven(self, d, h, edgeOrder);
  });
}

function allDims(self: Tensor): number[] {
  return Array.from({ length: self.ndim }, (_, d) => d);
}

function dimsFor(self: Tensor, dim: number | null, count: number): number[] {
  if (dim !== null) {
    if (count !== 1) {
      throw new OperatorError(
        `torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the same length, but got a spacing argument of length ${count} and a dim argument of length 1.`,
      );
    }
    return [dim];
  }
  if (count !== self.ndim) {
    throw new OperatorError(
      `torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to 'self.dim() = ${self.ndim}', since dim argument was not given, but got a list of length ${count}`,
    );
  }
  return allDims(self);
}

op(
  "aten::gradient.scalarint(Tensor self, *, Scalar? spacing=None, int? dim=None, int edge_order=1) -> Tensor[]",
  (self, spacing, dim, edgeOrder) => {
    const dims = dim === null ? allDims(self) : [dim];
    return gradientOf(
      self,
      dims,
      dims.map(() => spacing ?? 1),
      edgeOrder,
    );
  },
);
op(
  "aten::gradient.scalararray(Tensor self, *, Scalar spacing, int[] dim, int edge_order=1) -> Tensor[]",
  (self, spacing, dim, edgeOrder) =>
    gradientOf(
      self,
      dim,
      dim.map(() => spacing),
      edgeOrder,
    ),
);
op("aten::gradient.array(Tensor self, *, int[] dim, int edge_order=1) -> Tensor[]", (self, dim, edgeOrder) =>
  gradientOf(
    self,
    dim,
    dim.map(() => 1),
    edgeOrder,
  ),
);
op(
  "aten::gradient.scalarrayint(Tensor self, *, Scalar[] spacing, int? dim=None, int edge_order=1) -> Tensor[]",
  (self, spacing, dim, edgeOrder) => gradientOf(self, dimsFor(self, dim, spacing.length), spacing, edgeOrder),
);
op(
  "aten::gradient.scalarrayarray(Tensor self, *, Scalar[] spacing, int[] dim, int edge_order=1) -> Tensor[]",
  (self, spacing, dim, edgeOrder) => gradientOf(self, dim, spacing, edgeOrder),
);
op(
  "aten::gradient.tensorarrayint(Tensor self, *, Tensor[] spacing, int? dim=None, int edge_order=1) -> Tensor[]",
  (self, spacing, dim, edgeOrder) => gradientOf(self, dimsFor(self, dim, spacing.length), spacing, edgeOrder),
);
op(
  "aten::gradient.tensorarray(Tensor self, *, Tensor[] spacing, int[] dim, int edge_order=1) -> Tensor[]",
  (self, spacing, dim, edgeOrder) => gradientOf(self, dim, spacing, edgeOrder),
);

/** y[1:] + y[:-1] along a dimension. */
function pairSums(y: Tensor, d: number): Tensor {
  const n = y.sizes[d]!;
  return add(narrowView(y, d, 1, n - 1), narrowView(y, d, 0, n - 1));
}

function emptyIntegral(y: Tensor, d: number): Tensor {
  return emptyTensor(
    y.sizes.filter((_, i) => i !== d),
    y.dtype.category === "int" ? DTYPES.float32 : y.dtype,
  );
}

function checkIntegrand(name: string, y: Tensor, x: Tensor | null): void {
  if (y.dtype === DTYPES.bool || x?.dtype === DTYPES.bool) {
    const which = x ? "`x` or `y`" : "`y`";
    throw new OperatorError(`${name}: received a bool input for ${which}, but bool is not supported`);
  }
}

/** Steps of `x` along `dim`, broadcastable to y's pair sums. */
function widths(name: string, y: Tensor, x: Tensor, dim: number): Tensor {
  if (x.ndim === 1) {
    if (x.sizes[0] !== y.sizes[dim])
      throw new OperatorError(`${name}: There must be one \`x\` value for each sample point`);
    const n = x.numel;
    const dx = sub(narrowView(x, 0, 1, n - 1), narrowView(x, 0, 0, n - 1));
    return viewOf(
      dx,
      y.sizes.map((_, i) => (i === dim ? n - 1 : 1)),
      y.sizes.map((_, i) => (i === dim ? dx.strides[0]! : 0)),
    );
  }
  let wide = x;
  if (x.ndim < y.ndim) {
    const lead = y.ndim - x.ndim;
    wide = viewOf(
      x,
      [...new Array<number>(lead).fill(1), ...x.sizes],
      [...new Array<number>(lead).fill(0), ...x.strides],
    );
  }
  const at = wide.ndim - (y.ndim - dim);
  const n = wide.sizes[at]!;
  return sub(narrowView(wide, at, 1, n - 1), narrowView(wide, at, 0, n - 1));
}

function trapezoidX(y: Tensor, x: Tensor, dim: number): Tensor {
  const d = wrapDim(dim, y.ndim);
  if (y.sizes[d] === 0) return emptyIntegral(y, d);
  checkIntegrand("trapezoid", y, x);
  return divScalar(sumDim(mul(widths("trapezoid", y, x, d), pairSums(y, d)), [d]), boxFloat(2));
}
function trapezoidDx(y: Tensor, dx: Scalar, dim: number): Tensor {
  if (y.ndim === 0) throw new OperatorError(`Dimension specified as ${dim} but tensor has no dimensions`);
  const d = wrapDim(dim, y.ndim);
  if (y.sizes[d] === 0) return emptyIntegral(y, d);
  checkIntegrand("trapezoid", y, null);
  // sum of y without half of both ends
  const n = y.sizes[d]!;
  const ends = divScalar(add(narrowView(y, d, 0, 1), narrowView(y, d, n - 1, 1)), boxFloat(2));
  return mulScalar(sub(sumDim(y, [d]), sumDim(ends, [d])), dx);
}
op("aten::trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", trapezoidX);
op("aten::trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor", trapezoidDx);
op("aten::trapz.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", trapezoidX);
op("aten::trapz.dx(Tensor y, *, float dx=1., int dim=-1) -> Tensor", (y, dx, dim) => trapezoidDx(y, boxFloat(dx), dim));
op("aten::cumulative_trapezoid.x(Tensor y, Tensor x, *, int dim=-1) -> Tensor", (y, x, dim) => {
  checkIntegrand("cumulative_trapezoid", y, x);
  const d = wrapDim(dim, y.ndim);
  return divScalar(cumsum(mul(widths("cumulative_trapezoid", y, x, d), pairSums(y, d)), d), boxFloat(2));
});
op("aten::cumulative_trapezoid.dx(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor", (y, dx, dim) => {
  checkIntegrand("cumulative_trapezoid", y, null);
  const d = wrapDim(dim, y.ndim);
  const half = scalarToNumber(dx) / 2;
  return mulScalar(cumsum(pairSums(y, d), d), boxFloat(half));
});

function checkWeights(name: string, w: Tensor, observations: number, floating: boolean): void {
  if (w.ndim > 1)
    throw new OperatorError(
      `cov(): expected ${name} to have one or fewer dimensions but got ${name} with ${w.ndim} dimensions`,
    );
  const ok = floating ? w.dtype.category === "float" : w.dtype.category === "int";
  if (!ok) {
    throw new OperatorError(
      `cov(): expected ${name} to have ${floating ? "floating point" : "integral"} dtype but got ${name} with ${w.dtype.cppName} dtype`,
    );
  }
  if (w.numel !== observations) {
    throw new OperatorError(
      `cov(): expected ${name} to have the same numel as there are observations in the input but got ${w.numel} != ${observations}`,
    );
  }
  if (w.numel > 0 && toFloat64Array(w).some((x) => x < 0)) throw new OperatorError(`cov(): ${name} cannot be negative`);
}

function squeezed(t: Tensor): Tensor {
  const keep = t.sizes.flatMap((s, d) => (s === 1 ? [] : [d]));
  return viewOf(
    t,
    keep.map((d) => t.sizes[d]!),
    keep.map((d) => t.strides[d]!),
  );
}

export const cov = op(
  "aten::cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor",
  (self, correction, fweights, aweights) => {
    if (self.ndim > 2) {
      throw new OperatorError(
        `cov(): expected input to have two or fewer dimensions but got an input with ${self.ndim} dimensions`,
      );
    }
    if (self.dtype === DTYPES.bool) throw new OperatorError("cov(): bool dtype is not supported for input");
    let input = self.ndim < 2 ? viewOf(self, [1, self.numel], [0, self.strides[0] ?? 1]) : self;
    const observations = input.sizes[1]!;
    if (fweights !== null) checkWeights("fweights", fweights, observations, false);
    if (aweights !== null) checkWeights("aweights", aweights, observations, true);
    const w = fweights === null ? aweights : aweights === null ? fweights : mul(fweights, aweights);
    const wSum = w === null ? observations : toFloat64Array(sum(w))[0]!;
    if (w !== null && wSum === 0) throw new OperatorError("cov(): weights sum to zero, can't be normalized");
    const total = w === null ? sumDim(input, [1]) : sumDim(mul(input, w), [1]);
    const average = divScalar(total, boxFloat(wSum));
    let norm: number;
    if (w !== null && aweights !== null && correction !== 0) {
      const weighted = toFloat64Array(sum(mul(w, aweights)))[0]!;
      const round = roundingOf(w.dtype);
      norm = round(wSum - round(round(correction * weighted) / wSum));
    } else norm = wSum - correction;
    norm = norm > 0 ? norm : 0;
    input = sub(input, viewOf(average, [average.numel, 1], [1, 0]));
    const other = conj_physical(transposeView(w === null ? input : mul(input, w), 0, 1));
    return squeezed(divScalar(matmul(input, other), boxFloat(norm)));
  },
);

op("aten::corrcoef(Tensor self) -> Tensor", (self) => {
  if (self.ndim > 2) {
    throw new OperatorError(
      `corrcoef(): expected input to have two or fewer dimensions but got an input with ${self.ndim} dimensions`,
    );
  }
  const c = cov(self);
  if (c.ndim === 0) return div(c, c);
  const n = c.sizes[0]!;
  const variances = viewOf(c, [n], [c.strides[0]! + c.strides[1]!]);
  const isComplex = c.dtype.category === "complex";
  const deviations = sqrt(isComplex ? realParts(variances) : variances);
  const scaled = div(div(c, viewOf(deviations, [n, 1], [1, 0])), viewOf(deviations, [1, n], [0, 1]));
  return isComplex ? scaled : clampUnit(scaled);
});

function realParts(t: Tensor): Tensor {
  const x = convertTensor(t, t.dtype === DTYPES.complex128 ? DTYPES.float64 : DTYPES.float32);
  return x;
}

function clampUnit(t: Tensor): Tensor {
  return clamp(t, boxFloat(-1), boxFloat(1));
}

/** XOR of the bits of all elements, seen as float64 or int64. */
op(
  "aten::hash_tensor(Tensor self, int[1] dim=[], *, bool keepdim=False, int mode=0) -> Tensor",
  (self, dims, keepdim, mode) => {
    if (mode !== 0) throw new OperatorError(`Unknown hash_tensor mode: ${mode}`);
    if (self.dtype.category === "complex") throw notImplemented("xor_sum_cpu", self.dtype);
    if (self.numel === 0 && dims.length === 0) {
      throw new OperatorError(
        "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.",
      );
    }
    const wide = convertTensor(self, self.dtype.category === "float" ? DTYPES.float64 : DTYPES.int64);
    const bits = wide.dtype === DTYPES.int64 ? wide : asInt64(wide);
    const plan = planReduction(bits, dims, keepdim);
    let acc = 0n;
    const fold = {
      start: () => {
        acc = 0n;
      },
      fold: (x: readonly bigint[], from: number, to: number) => {
        for (let i = from; i < to; i++) acc ^= x[i]!;
      },
      finish: () => acc,
    };
    if (plan.count === 0) return emptyTensor(plan.sizes, DTYPES.uint64);
    // NaN makes the engine use the exact fold
    const never = { start: () => {}, fold: () => {}, finish: () => NaN };
    return reduceReal(bits, plan, never, DTYPES.uint64, false, fold);
  },
);

function asInt64(t: Tensor): Tensor {
  const out = fromData([], [0], DTYPES.int64);
  out.storage = t.storage;
  out.storageOffset = t.storageOffset;
  out.setGeometry(t.sizes, t.strides);
  return out;
}
