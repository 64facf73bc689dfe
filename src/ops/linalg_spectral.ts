/** @file Eigenvalues, singular values and what follows from them: pseudo-inverse, rank, condition, matrix norms, least squares. Upstream: aten/src/ATen/native/BatchLinearAlgebra.cpp, LinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { convertTensor } from "../tensor/clone.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { doublesOf, fromIndices } from "../tensor/kernels/data.ts";
import { factorLU, solveLU } from "../tensor/kernels/factorizations.ts";
import { generalEigen } from "../tensor/kernels/general_eigen.ts";
import { identity, loadMatrices, Matrix, multiply, storeMatrices, storeNumbers } from "../tensor/kernels/matrices.ts";
import { decomposeSVD } from "../tensor/kernels/singular_values.ts";
import { symmetricEigen } from "../tensor/kernels/symmetric_eigen.ts";
import { promoteTypes } from "../tensor/promotion.ts";
import { Complex, scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { broadcastShapes, wrapDim } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { expandView, formatList, permuteView } from "../tensor/view_geometry.ts";
import { dtypeArgument, tensorTypeName } from "./views.ts";
import {
  batchOf,
  checkFloat,
  checkInfos,
  checkKernelDtype,
  checkMatrix,
  checkSquare,
  complexOf,
  countOf,
  realOf,
} from "./linalg_checks.ts";
import { linalg_vector_norm } from "./statistics.ts";

const NOT_CONVERGED = (info: number): string =>
  `The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues (error code: ${info}).`;

/** Precision of the real numbers of a dtype. */
export function epsOf(dtype: DType): number {
  const real = realOf(dtype);
  return real === DTYPES.float64 ? 2 ** -52 : 2 ** -23;
}

function eighOf(a: Tensor, uplo: string, name: string): { values: Tensor; vectors: Tensor } {
  checkSquare(a, name);
  const side = uplo.toUpperCase();
  if (side !== "L" && side !== "U") throw new OperatorError(`Expected UPLO argument to be 'L' or 'U', but got ${uplo}`);
  checkKernelDtype(a, "linalg_eigh_cpu");
  const n = a.sizes[a.ndim - 1]!;
  const parts = loadMatrices(a).map((m) => symmetricEigen(m, side === "U", epsOf(a.dtype) / 2));
  checkInfos(
    parts.map((p) => p.info),
    "linalg.eigh",
    a.ndim === 2,
    NOT_CONVERGED,
  );
  const batch = batchOf(a);
  return {
    values: storeNumbers(joined(parts.map((p) => p.values)), null, [...batch, n], realOf(a.dtype)),
    vectors: storeMatrices(
      parts.map((p) => p.vectors),
      batch,
      n,
      n,
      a.dtype,
    ),
  };
}

export function joined(parts: readonly Float64Array[]): Float64Array {
  const out = new Float64Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

op(
  'aten::linalg_eigh(Tensor self, str UPLO="L") -> (Tensor eigenvalues, Tensor eigenvectors)',
  (self, uplo): [Tensor, Tensor] => {
    const { values, vectors } = eighOf(self, uplo, "linalg.eigh");
    return [values, vectors];
  },
);
op(
  'aten::_linalg_eigh(Tensor A, str UPLO="L", bool compute_v=True) -> (Tensor eigenvalues, Tensor eigenvectors)',
  (a, uplo, computeV): [Tensor, Tensor] => {
    const { values, vectors } = eighOf(a, uplo, "linalg.eigh");
    return [values, computeV ? vectors : emptyTensor([0], a.dtype)];
  },
);
op(
  'aten::linalg_eigvalsh(Tensor self, str UPLO="L") -> Tensor',
  (self, uplo) => eighOf(self, uplo, "linalg.eigh").values,
);

function eigOf(a: Tensor, name: string): { values: Tensor; vectors: Tensor } {
  checkSquare(a, name);
  const { category } = a.dtype;
  if (category !== "float" && category !== "complex")
    throw new OperatorError(`Unknown Complex ScalarType for ${a.dtype.cppName}`);
  checkKernelDtype(a, "linalg_eig_cpu");
  const matrices = loadMatrices(a);
  for (const m of matrices) {
    if (!m.re.every(Number.isFinite) || !m.im.every(Number.isFinite))
      throw new OperatorError(`torch.linalg.eig: input tensor should not contain infs or NaNs.`);
  }
  const parts = matrices.map((m) => generalEigen(m, epsOf(a.dtype)));
  checkInfos(
    parts.map((p) => (p.converged ? 0 : 1)),
    name,
    a.ndim === 2,
    (info) =>
      `The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues (error code: ${info}).`,
  );
  const n = a.sizes[a.ndim - 1]!;
  const batch = batchOf(a);
  const dtype = complexOf(a.dtype);
  return {
    values: storeNumbers(joined(parts.map((p) => p.re)), joined(parts.map((p) => p.im)), [...batch, n], dtype),
    vectors: storeMatrices(
      parts.map((p) => p.vectors),
      batch,
      n,
      n,
      dtype,
    ),
  };
}

op("aten::linalg_eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)", (self): [Tensor, Tensor] => {
  const { values, vectors } = eigOf(self, "linalg.eig");
  return [values, vectors];
});
op("aten::linalg_eigvals(Tensor self) -> Tensor", (self) => eigOf(self, "linalg.eigvals").values);
op("aten::_linalg_eigvals(Tensor self) -> Tensor", (self) => eigOf(self, "linalg.eigvals").values);

interface Decomposed {
  readonly u: Matrix[];
  readonly s: Float64Array[];
  readonly vh: Matrix[];
}

function svdParts(a: Tensor, full: boolean): Decomposed {
  const matrices = loadMatrices(a);
  const bad = matrices.map((m) => (m.re.every(Number.isFinite) && m.im.every(Number.isFinite) ? 0 : 1));
  checkInfos(
    bad,
    "linalg.svd",
    a.ndim === 2,
    () => "The algorithm failed to converge because the input matrix contained non-finite values.",
  );
  const parts = matrices.map((m) => decomposeSVD(m, full, epsOf(a.dtype)));
  return { u: parts.map((p) => p.u), s: parts.map((p) => p.s), vh: parts.map((p) => p.vh) };
}

function svdOf(a: Tensor, full: boolean, driver: string | null): [Tensor, Tensor, Tensor] {
  checkMatrix(a, "linalg.svd");
  checkFloat(a, "linalg.svd", "linalg_svd_cpu");
  if (driver !== null && driver !== undefined) {
    throw new OperatorError(
      "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.",
    );
  }
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const batch = batchOf(a);
  const { u, s, vh } = svdParts(a, full);
  return [
    storeMatrices(u, batch, m, full ? m : k, a.dtype),
    storeNumbers(joined(s), null, [...batch, k], realOf(a.dtype)),
    storeMatrices(vh, batch, full ? n : k, n, a.dtype),
  ];
}

op(
  "aten::linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
  svdOf,
);
op(
  "aten::_linalg_svd(Tensor A, bool full_matrices=False, bool compute_uv=True, *, str? driver=None) -> (Tensor U, Tensor S, Tensor Vh)",
  (a, full, computeUV, driver): [Tensor, Tensor, Tensor] => {
    const [u, s, vh] = svdOf(a, full, driver);
    return computeUV ? [u, s, vh] : [emptyTensor([0], a.dtype), s, emptyTensor([0], a.dtype)];
  },
);
op(
  "aten::svd(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, Tensor V)",
  (self, some, computeUV): [Tensor, Tensor, Tensor] => {
    if (self.ndim < 2)
      throw new OperatorError(
        `linalg.svd: input should have at least 2 dimensions, but has ${self.ndim} dimensions instead`,
      );
    checkFloat(self, "linalg.svd", "linalg_svd_cpu");
    const [m, n] = self.sizes.slice(-2) as [number, number];
    const k = Math.min(m, n);
    const batch = batchOf(self);
    const { u, s, vh } = svdParts(self, !some);
    const values = storeNumbers(joined(s), null, [...batch, k], realOf(self.dtype));
    if (!computeUV)
      return [emptyTensor([...batch, m, m], self.dtype), values, emptyTensor([...batch, n, n], self.dtype)];
    const v = vh.map((x) => x.transpose(true));
    return [
      storeMatrices(u, batch, m, some ? k : m, self.dtype),
      values,
      storeMatrices(v, batch, n, some ? k : n, self.dtype, false),
    ];
  },
);
op("aten::linalg_svdvals(Tensor A, *, str? driver=None) -> Tensor", (a, driver) => svdOf(a, false, driver)[1]);

/** A tolerance per matrix: numbers, or tensors that broadcast with the batch. */
type Tolerance = number | Tensor | null | undefined;

function toleranceColumn(value: Tolerance, batch: readonly number[], count: number, fallback: number): Float64Array {
  if (value === null || value === undefined) return new Float64Array(count).fill(fallback);
  if (typeof value === "number") return new Float64Array(count).fill(value);
  return doublesOf(expandView(value, batch, tensorTypeName(value)));
}

/** max(atol, rtol * largest) per matrix, with PyTorch's defaults. */
function tolerances(
  a: Tensor,
  batch: readonly number[],
  atol: Tolerance,
  rtol: Tolerance,
  largest: readonly number[],
): Float64Array {
  const count = countOf(batch);
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const absolute = toleranceColumn(atol, batch, count, 0);
  const given = rtol !== null && rtol !== undefined;
  const standard = epsOf(a.dtype) * Math.max(m, n);
  const relative = toleranceColumn(rtol, batch, count, standard);
  return absolute.map((x, k) => {
    const r = !given && x > 0 ? 0 : relative[k]!;
    return Math.max(x, r * (largest[k] ?? largest[k % Math.max(1, largest.length)] ?? 0));
  });
}

function toleranceBatch(a: Tensor, ...values: Tolerance[]): number[] {
  let batch = batchOf(a);
  for (const v of values) if (v !== null && typeof v === "object") batch = broadcastShapes(batch, v.sizes);
  return batch;
}

function refuseComplex(value: Tolerance, name: string, label: string): void {
  if (value !== null && typeof value === "object" && value.dtype.category === "complex") {
    throw new OperatorError(`${name}: ${label} tensor of complex type is not supported. Got ${value.dtype.cppName}`);
  }
}

function rankOf(a: Tensor, atol: Tolerance, rtol: Tolerance, hermitian: boolean): Tensor {
  const name = "torch.linalg.matrix_rank";
  checkMatrix(a, name, "input");
  refuseComplex(atol, name, "atol");
  refuseComplex(rtol, name, "rtol");
  const batch = toleranceBatch(a, atol, rtol);
  if (a.numel === 0) return fromIndices(new Array<number>(countOf(batchOf(a))).fill(0), batchOf(a));
  if (hermitian) checkSquare(a, "linalg.eigh");
  else checkFloat(a, "linalg.svd");
  const wide = expandView(a, [...batch, ...a.sizes.slice(-2)], tensorTypeName(a));
  const values = hermitian
    ? loadMatrices(wide).map((m) => symmetricEigen(m, false).values.map(Math.abs))
    : svdParts(wide, false).s;
  const tol = tolerances(
    a,
    batch,
    atol,
    rtol,
    values.map((s) => Math.max(...s)),
  );
  return fromIndices(
    values.map((s, k) => s.filter((x) => x > tol[k]!).length),
    batch,
  );
}

op("aten::linalg_matrix_rank(Tensor self, float tol, bool hermitian=False) -> Tensor", (self, tol, hermitian) =>
  rankOf(self, tol, 0, hermitian),
);
op(
  "aten::linalg_matrix_rank.tol_tensor(Tensor input, Tensor tol, bool hermitian=False) -> Tensor",
  (self, tol, hermitian) => rankOf(self, tol, 0, hermitian),
);
op(
  "aten::linalg_matrix_rank.atol_rtol_tensor(Tensor input, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor",
  (self, atol, rtol, hermitian) => rankOf(self, atol, rtol, hermitian),
);
op(
  "aten::linalg_matrix_rank.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool hermitian=False) -> Tensor",
  (self, atol, rtol, hermitian) => rankOf(self, atol, rtol, hermitian),
);

/** v diag(1/s) u^H with the values at or below the tolerance left out. */
function pinvOf(a: Tensor, atol: Tolerance, rtol: Tolerance, hermitian: boolean): Tensor {
  const fits =
    a.ndim >= 2 &&
    (a.dtype === DTYPES.float32 ||
      a.dtype === DTYPES.float64 ||
      a.dtype === DTYPES.complex64 ||
      a.dtype === DTYPES.complex128);
  if (!fits) {
    throw new OperatorError(
      `linalg.pinv(${a.dtype.cppName}{${formatList(a.sizes)}}): expected a tensor with 2 or more dimensions of float, double, cfloat or cdouble types`,
    );
  }
  const [m, n] = a.sizes.slice(-2) as [number, number];
  if (a.numel === 0) return emptyTensor([...batchOf(a), n, m], a.dtype);
  const batch = toleranceBatch(a, atol, rtol);
  if (hermitian) checkSquare(a, "linalg.eigh");
  const wide = expandView(a, [...batch, m, n], tensorTypeName(a));
  let d: Decomposed;
  if (hermitian) {
    const parts = loadMatrices(wide).map((x) => symmetricEigen(x, false));
    d = {
      u: parts.map((p) => p.vectors),
      s: parts.map((p) => p.values),
      vh: parts.map((p) => p.vectors.transpose(true)),
    };
  } else d = svdParts(wide, false);
  const tol = tolerances(
    a,
    batch,
    atol,
    rtol,
    d.s.map((s) => Math.max(...s.map(Math.abs))),
  );
  const out = d.u.map((u, k) => {
    const scaled = d.vh[k]!.transpose(true);
    for (let j = 0; j < scaled.cols; j++) {
      const s = d.s[k]![j]!;
      const f = Math.abs(s) > tol[k]! ? 1 / s : 0;
      for (let i = 0; i < scaled.rows; i++) {
        scaled.re[i * scaled.cols + j]! *= f;
        scaled.im[i * scaled.cols + j]! *= f;
      }
    }
    return multiply(scaled, u.transpose(true));
  });
  return storeMatrices(out, batch, n, m, a.dtype, false);
}

op("aten::linalg_pinv(Tensor self, float rcond, bool hermitian=False) -> Tensor", (self, rcond, hermitian) =>
  pinvOf(self, 0, rcond, hermitian),
);
op(
  "aten::linalg_pinv.rcond_tensor(Tensor self, Tensor rcond, bool hermitian=False) -> Tensor",
  (self, rcond, hermitian) => pinvOf(self, 0, rcond, hermitian),
);
op(
  "aten::linalg_pinv.atol_rtol_float(Tensor self, *, float? atol=None, float? rtol=None, bool hermitian=False) -> Tensor",
  (self, atol, rtol, hermitian) => pinvOf(self, atol, rtol, hermitian),
);
op(
  "aten::linalg_pinv.atol_rtol_tensor(Tensor self, *, Tensor? atol=None, Tensor? rtol=None, bool hermitian=False) -> Tensor",
  (self, atol, rtol, hermitian) => pinvOf(self, atol, rtol, hermitian),
);
op("aten::pinverse(Tensor self, float rcond=1.0000000000000001e-15) -> Tensor", (self, rcond) =>
  pinvOf(self, 0, rcond, false),
);

/** Largest (or smallest) of the row or column sums of moduli. */
function sumNorm(m: Matrix, byColumns: boolean, largest: boolean): number {
  const outer = byColumns ? m.cols : m.rows;
  const inner = byColumns ? m.rows : m.cols;
  let best = largest ? 0 : Infinity;
  if (outer === 0 || inner === 0) return 0;
  for (let o = 0; o < outer; o++) {
    let sum = 0;
    for (let i = 0; i < inner; i++) {
      const at = byColumns ? i * m.cols + o : o * m.cols + i;
      sum += m.isComplex ? Math.hypot(m.re[at]!, m.im[at]!) : Math.abs(m.re[at]!);
    }
    if (sum !== sum) return NaN;
    best = largest ? Math.max(best, sum) : Math.min(best, sum);
  }
  return best;
}

function valuesNorm(m: Matrix, ord: number | "nuc", eps: number): number {
  if (!m.re.every(Number.isFinite) || !m.im.every(Number.isFinite)) {
    throw new OperatorError(
      "linalg.svd: The algorithm failed to converge because the input matrix contained non-finite values.",
    );
  }
  const { s } = decomposeSVD(m, false, eps);
  if (s.length === 0) return 0;
  if (ord === "nuc") return s.reduce((a, b) => a + b, 0);
  return ord > 0 ? s[0]! : s[s.length - 1]!;
}

function matrixNorm(
  aIn: Tensor,
  ord: number | string,
  dim: readonly number[],
  keepdim: boolean,
  dtypeId: number | null,
): Tensor {
  const name = "linalg.matrix_norm";
  checkMatrix(aIn, name);
  const { category } = aIn.dtype;
  if (category !== "float" && category !== "complex") {
    throw new OperatorError(`${name}: Expected a floating point or complex tensor as input. Got ${aIn.dtype.cppName}`);
  }
  if (dim.length !== 2) throw new OperatorError(`${name}: dim must be a 2-tuple. Got ${dim.join(" ")}`);
  const dims = dim.map((d) => wrapDim(d, aIn.ndim));
  if (dims[0] === dims[1]) throw new OperatorError(`${name}: dims must be different. Got (${dim.join(", ")})`);
  if (ord === "fro") return linalg_vector_norm(aIn, 2, dims, keepdim, dtypeId);
  const isSvd = ord === "nuc" || Math.abs(Number(ord)) === 2;
  const known = isSvd || (typeof ord === "number" && (Math.abs(ord) === 1 || Math.abs(ord) === Infinity));
  if (!known) throw new OperatorError(`${name}: Order ${ord} not supported.`);
  let a = aIn;
  if (dtypeId !== null && dtypeId !== undefined)
    a = convertTensor(aIn, checkedDtype(aIn, dtypeArgument(dtypeId), name));
  if (isSvd) checkFloat(a, name);
  const rest = Array.from({ length: a.ndim }, (_, d) => d).filter((d) => !dims.includes(d));
  const matrices = loadMatrices(permuteView(a, [...rest, ...dims]));
  const values = matrices.map((m) => {
    if (isSvd) return valuesNorm(m, ord === "nuc" ? "nuc" : Number(ord), epsOf(a.dtype));
    return sumNorm(m, Math.abs(Number(ord)) === 1, Number(ord) > 0);
  });
  const sizes = keepdim ? a.sizes.map((s, d) => (dims.includes(d) ? 1 : s)) : rest.map((d) => a.sizes[d]!);
  return storeNumbers(values, null, sizes, realOf(a.dtype));
}

function checkedDtype(a: Tensor, dtype: DType, name: string): DType {
  if (dtype.category !== "float" && dtype.category !== "complex") {
    throw new OperatorError(`${name}: dtype should be floating point or complex, but got ${dtype.cppName}`);
  }
  if ((dtype.category === "complex") !== (a.dtype.category === "complex")) {
    throw new OperatorError(
      `${name}: dtype should be ${a.dtype.category === "complex" ? "complex" : "real"} for ${a.dtype.category === "complex" ? "complex" : "real"} inputs, but got ${dtype.cppName}`,
    );
  }
  if (promoteTypes(a.dtype, dtype) !== dtype) {
    throw new OperatorError(
      `${name}: the dtype of the input (${a.dtype.cppName}) should be convertible without narrowing to the specified dtype (${dtype.cppName})`,
    );
  }
  return dtype;
}

op(
  "aten::linalg_matrix_norm(Tensor self, Scalar ord, int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, ord, dim, keepdim, dtype) => matrixNorm(self, scalarToNumber(ord), dim, keepdim, dtype),
);
op(
  'aten::linalg_matrix_norm.str_ord(Tensor self, str ord="fro", int[] dim=[-2, -1], bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  (self, ord, dim, keepdim, dtype) => {
    if (ord !== "fro" && ord !== "nuc") throw new OperatorError(`linalg.matrix_norm: Order ${ord} not supported.`);
    return matrixNorm(self, ord, dim, keepdim, dtype);
  },
);
op("aten::nuclear_norm(Tensor self, bool keepdim=False) -> Tensor", (self, keepdim) =>
  matrixNorm(self, "nuc", [-2, -1], keepdim, null),
);
op("aten::nuclear_norm.dim(Tensor self, int[2] dim, bool keepdim=False) -> Tensor", (self, dim, keepdim) =>
  matrixNorm(self, "nuc", dim, keepdim, null),
);

function checkNormDims(self: Tensor, dim: readonly number[] | null, hasOrd: boolean): void {
  if (dim && dim.length !== 1 && dim.length !== 2)
    throw new OperatorError(`linalg.norm: If dim is specified, it must be of length 1 or 2. Got ${formatList(dim)}`);
  if (!dim && hasOrd && self.ndim !== 1 && self.ndim !== 2) {
    throw new OperatorError(
      `linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got ${self.ndim}D.`,
    );
  }
}

op(
  "aten::linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, ord, dimIn, keepdim, dtype) => {
    const dim = dimIn as number[] | null;
    checkNormDims(self, dim, ord !== null);
    if (ord !== null && (dim ? dim.length === 2 : self.ndim === 2))
      return matrixNorm(self, scalarToNumber(ord), dim ?? [0, 1], keepdim, dtype);
    return linalg_vector_norm(self, ord ?? 2, dim, keepdim, dtype);
  },
);
op(
  "aten::linalg_norm.ord_str(Tensor self, str ord, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor",
  (self, ord, dimIn, keepdim, dtype) => {
    const dim = dimIn as number[] | null;
    checkNormDims(self, dim, true);
    if (ord !== "fro" && ord !== "nuc") throw new OperatorError(`linalg.matrix_norm: Order ${ord} not supported.`);
    return matrixNorm(self, ord, dim ?? [0, 1], keepdim, dtype);
  },
);

function conditionOf(self: Tensor, p: Scalar | string | null): Tensor {
  if (self.ndim < 2) throw new OperatorError("linalg.cond: The input tensor must have at least 2 dimensions.");
  const ord =
    typeof p === "string" ? p : p === null || p === undefined ? 2 : p instanceof Complex ? NaN : scalarToNumber(p);
  const valid = typeof ord === "string" ? ord === "fro" || ord === "nuc" : [1, 2, Infinity].includes(Math.abs(ord));
  if (!valid) throw new OperatorError(`linalg.cond got an invalid norm type: ${ord}`);
  const batch = batchOf(self);
  const real = realOf(self.dtype);
  if (self.numel === 0) return emptyTensor(batch, real);
  if (typeof ord === "number" && Math.abs(ord) === 2) {
    checkFloat(self, "linalg.svd", "linalg_svd_cpu");
    const values = svdParts(self, false).s.map((s) => (ord > 0 ? s[0]! / s[s.length - 1]! : s[s.length - 1]! / s[0]!));
    return storeNumbers(values, null, batch, real);
  }
  checkSquare(self, `linalg.cond(ord=${ord})`);
  checkFloat(self, "linalg.inv");
  const n = self.sizes[self.ndim - 1]!;
  const values = loadMatrices(self).map((m) => {
    const lu = factorLU(m);
    if (lu.info !== 0) return Infinity;
    const inverse = solveLU(lu, identity(n, n, m.isComplex));
    return plainNorm(m, ord, self.dtype) * plainNorm(inverse, ord, self.dtype);
  });
  return storeNumbers(values, null, batch, real);
}

function plainNorm(m: Matrix, ord: number | string, dtype: DType): number {
  if (ord === "fro") {
    let sum = 0;
    for (let i = 0; i < m.re.length; i++) sum += m.re[i]! ** 2 + m.im[i]! ** 2;
    return Math.sqrt(sum);
  }
  if (ord === "nuc") return valuesNorm(m, "nuc", epsOf(dtype));
  return sumNorm(m, Math.abs(Number(ord)) === 1, Number(ord) > 0);
}

op("aten::linalg_cond(Tensor self, Scalar? p=None) -> Tensor", conditionOf);
op("aten::linalg_cond.p_str(Tensor self, str p) -> Tensor", conditionOf);
