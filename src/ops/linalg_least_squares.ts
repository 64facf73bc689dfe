/** @file Least squares by the drivers of LAPACK. Upstream: aten/src/ATen/native/BatchLinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { inStrides } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { fromIndices } from "../tensor/kernels/data.ts";
import { factorQR, applyReflectors } from "../tensor/kernels/factorizations.ts";
import {
  loadMatrices,
  Matrix,
  multiply,
  solveTriangle,
  storeMatrices,
  storeNumbers,
  triangleOf,
} from "../tensor/kernels/matrices.ts";
import { decomposeSVD } from "../tensor/kernels/singular_values.ts";
import { broadcastShapes, contiguousStrides } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { expandView, squeezeView, unsqueezeView } from "../tensor/view_geometry.ts";
import { tensorTypeName } from "./views.ts";
import { batchOf, checkKernelDtype, realOf } from "./linalg_checks.ts";
import { epsOf, joined } from "./linalg_spectral.ts";

const DRIVERS = ["gels", "gelsy", "gelsd", "gelss"];

interface LeastSquares {
  readonly x: Matrix;
  readonly rank: number;
  readonly s: Float64Array;
  readonly residuals: number[];
}

/** The solution of least norm among those of least residual. */
function leastSquares(a: Matrix, b: Matrix, driver: string, rcond: number, eps: number): LeastSquares {
  const { rows: m, cols: n } = a;
  let x: Matrix;
  let rank = Math.min(m, n);
  let s: Float64Array = new Float64Array(0);
  if (driver === "gels" && m >= n) {
    const { packed, tau } = factorQR(a);
    x = applyReflectors(packed, tau, b, true).resized(n, b.cols);
    solveTriangle(triangleOf(packed, n, n, true), x, { upper: true });
  } else {
    const d = decomposeSVD(a, false, eps);
    s = d.s;
    const limit = driver === "gels" ? 0 : rcond * (s[0] ?? 0);
    rank = s.filter((v) => v > limit).length;
    const c = multiply(d.u.transpose(true), b);
    for (let i = 0; i < c.rows; i++) {
      const f = i < rank ? 1 / s[i]! : 0;
      for (let j = 0; j < c.cols; j++) {
        c.re[i * c.cols + j]! *= f;
        c.im[i * c.cols + j]! *= f;
      }
    }
    x = multiply(d.vh.transpose(true), c);
  }
  const product = multiply(a, x);
  const residuals = Array.from({ length: b.cols }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < m; i++) {
      const at = i * b.cols + j;
      sum += (b.re[at]! - product.re[at]!) ** 2 + (b.im[at]! - product.im[at]!) ** 2;
    }
    return sum;
  });
  return { x, rank, s, residuals };
}

op(
  "aten::linalg_lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None) -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
  (self, other, rcond, driverIn): [Tensor, Tensor, Tensor, Tensor] => {
    const name = "torch.linalg.lstsq";
    if (self.ndim < 2) throw new OperatorError(`${name}: input must have at least 2 dimensions.`);
    if (other.ndim < 1) throw new OperatorError(`${name}: other must have at least 1 dimension.`);
    if (self.dtype !== other.dtype) {
      throw new OperatorError(
        `${name}: Expected input and other to have the same dtype, but got input's dtype ${self.dtype.cppName} and other's dtype ${other.dtype.cppName}`,
      );
    }
    const difference = self.ndim - other.ndim;
    if (difference < 0 || difference > 1) {
      throw new OperatorError(
        `${name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1`,
      );
    }
    const isVector = difference === 1;
    const b = isVector ? unsqueezeView(other, other.ndim) : other;
    const [m, n] = self.sizes.slice(-2) as [number, number];
    if (b.sizes[b.ndim - 2] !== m) {
      throw new OperatorError(`${name}: input.size(-2) should match other.size(${isVector ? -1 : -2})`);
    }
    const driver = driverIn ?? "gelsy";
    if (!DRIVERS.includes(driver))
      throw new OperatorError(`${name}: parameter \`driver\` should be one of (gels, gelsy, gelsd, gelss)`);
    checkKernelDtype(self, "linalg_lstsq_cpu");
    const eps = epsOf(self.dtype);
    const tolerance = rcond ?? eps * Math.max(m, n);
    const batch = broadcastShapes(batchOf(self), batchOf(b));
    const as = loadMatrices(expandView(self, [...batch, m, n], tensorTypeName(self)));
    const k = b.sizes[b.ndim - 1]!;
    const bs = loadMatrices(expandView(b, [...batch, m, k], tensorTypeName(b)));
    const parts = as.map((a, i) => leastSquares(a, bs[i]!, driver, tolerance, eps));
    const x = storeMatrices(
      parts.map((p) => p.x),
      batch,
      n,
      k,
      self.dtype,
    );
    // LAPACK leaves the solution in the first rows of the right hand sides
    const rows = Math.max(m, n, 1);
    const strides = contiguousStrides([...batch, k, rows]);
    strides.push(...strides.splice(-2).toReversed());
    const solution = inStrides(x, strides);
    const real = realOf(self.dtype);
    const none = emptyTensor([0], real);
    const hasRank = driver !== "gels";
    const hasValues = driver === "gelsd" || driver === "gelss";
    const fullRank = driver === "gels" || parts.every((p) => p.rank === n);
    const residuals =
      m > n && driver !== "gelsy" && fullRank
        ? storeNumbers(
            parts.flatMap((p) => p.residuals),
            null,
            [...batch, k],
            real,
          )
        : none;
    return [
      isVector ? squeezeView(solution, [x.ndim - 1]) : solution,
      residuals,
      hasRank
        ? fromIndices(
            parts.map((p) => p.rank),
            batch,
          )
        : emptyTensor([0], DTYPES.int64),
      hasValues ? storeNumbers(joined(parts.map((p) => p.s)), null, [...batch, Math.min(m, n)], real) : none,
    ];
  },
);
