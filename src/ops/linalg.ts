/** @file Determinants, inverses, LU factorisations and linear systems. Upstream: aten/src/ATen/native/BatchLinearAlgebra.cpp, LinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { inStrides } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { C, clog, cmul } from "../tensor/math/complex.ts";
import { indicesOf } from "../tensor/kernels/data.ts";
import { factorLU, solveLU, solveLUAdjoint, type LU } from "../tensor/kernels/factorizations.ts";
import { identity, loadMatrices, Matrix, storeMatrices, storeNumbers, triangleOf } from "../tensor/kernels/matrices.ts";
import { broadcastShapes, contiguousStrides } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList, squeezeView, transposeView, unsqueezeView } from "../tensor/view_geometry.ts";
import {
  batchIndices,
  batchOf,
  checkFloat,
  checkInfos,
  checkKernelDtype,
  checkMatrix,
  checkSquare,
  countOf,
  int32Tensor,
  loadBroadcast,
  realOf,
} from "./linalg_checks.ts";

interface Factored {
  readonly parts: LU[];
  readonly LU: Tensor;
  readonly pivots: Tensor;
  readonly infos: number[];
}

function factor(a: Tensor): Factored {
  const parts = loadMatrices(a).map(factorLU);
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const batch = batchOf(a);
  return {
    parts,
    LU: storeMatrices(
      parts.map((p) => p.lu),
      batch,
      m,
      n,
      a.dtype,
    ),
    pivots: int32Tensor(
      parts.flatMap((p) => p.pivots),
      [...batch, Math.min(m, n)],
    ),
    infos: parts.map((p) => p.info),
  };
}

/** A's transpose where det and slogdet factor that: a row-major real matrix is its transpose to LAPACK. */
function asLapackSees(a: Tensor): Tensor {
  return a.isContiguous() && a.dtype.category !== "complex" ? transposeView(a, a.ndim - 2, a.ndim - 1) : a;
}

/** (-1)^exchanges times the product of the diagonal, as [re, im]. */
function determinant({ lu, pivots }: LU): [number, number] {
  let re = pivots.reduce((sign, p, i) => (p === i + 1 ? sign : -sign), 1);
  let im = 0;
  for (let i = 0; i < lu.rows; i++) {
    const at = i * lu.cols + i;
    if (!lu.isComplex) re *= lu.re[at]!;
    else {
      cmul(re, im, lu.re[at]!, lu.im[at]!);
      re = C.re;
      im = C.im;
    }
  }
  return [re, im];
}

function detOf(a: Tensor, name: string): [Tensor, Factored] {
  checkSquare(a, name);
  checkFloat(a, name, "lu_cpu");
  const f = factor(asLapackSees(a));
  const values = f.parts.map(determinant);
  const isComplex = a.dtype.category === "complex";
  return [
    storeNumbers(
      values.map((v) => v[0]),
      isComplex ? values.map((v) => v[1]) : null,
      batchOf(a),
      a.dtype,
    ),
    f,
  ];
}

op("aten::_linalg_det(Tensor A) -> (Tensor result, Tensor LU, Tensor pivots)", (a): [Tensor, Tensor, Tensor] => {
  const [result, f] = detOf(a, "linalg.det");
  return [result, f.LU, f.pivots];
});
export const linalg_det = op("aten::linalg_det(Tensor A) -> Tensor", (a) => detOf(a, "linalg.det")[0]);
op("aten::det(Tensor self) -> Tensor", (self) => detOf(self, "linalg.det")[0]);

function slogdetOf(a: Tensor, name = "linalg.slogdet"): { sign: Tensor; logabs: Tensor; f: Factored } {
  checkSquare(a, name);
  checkFloat(a, name);
  const f = factor(asLapackSees(a));
  const isComplex = a.dtype.category === "complex";
  const re: number[] = [];
  const im: number[] = [];
  const logs: number[] = [];
  for (const { lu, pivots } of f.parts) {
    let sr = pivots.reduce((sign, p, i) => (p === i + 1 ? sign : -sign), 1);
    let si = 0;
    let log = 0;
    for (let i = 0; i < lu.rows; i++) {
      const at = i * lu.cols + i;
      const size = isComplex ? Math.hypot(lu.re[at]!, lu.im[at]!) : Math.abs(lu.re[at]!);
      log += Math.log(size);
      if (isComplex) {
        cmul(sr, si, size === 0 ? 0 : lu.re[at]! / size, size === 0 ? 0 : lu.im[at]! / size);
        sr = C.re;
        si = C.im;
      } else sr *= Number.isNaN(lu.re[at]!) ? 0 : Math.sign(lu.re[at]!);
    }
    re.push(sr);
    im.push(si);
    logs.push(log);
  }
  const batch = batchOf(a);
  return {
    sign: storeNumbers(re, isComplex ? im : null, batch, a.dtype),
    logabs: storeNumbers(logs, null, batch, realOf(a.dtype)),
    f,
  };
}

op(
  "aten::_linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet, Tensor LU, Tensor pivots)",
  (a): [Tensor, Tensor, Tensor, Tensor] => {
    const { sign, logabs, f } = slogdetOf(a);
    return [sign, logabs, f.LU, f.pivots];
  },
);
op("aten::linalg_slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)", (a): [Tensor, Tensor] => {
  const { sign, logabs } = slogdetOf(a);
  return [sign, logabs];
});
op("aten::slogdet(Tensor self) -> (Tensor sign, Tensor logabsdet)", (a): [Tensor, Tensor] => {
  const { sign, logabs } = slogdetOf(a);
  return [sign, logabs];
});
op("aten::logdet(Tensor self) -> Tensor", (self) => {
  checkSquare(self, "logdet");
  checkFloat(self, "logdet");
  const isComplex = self.dtype.category === "complex";
  const values = loadMatrices(self).map((m) => {
    const lu = factorLU(m);
    let log = 0;
    let angle = 0;
    let sign = lu.pivots.reduce((s, p, i) => (p === i + 1 ? s : -s), 1);
    for (let i = 0; i < lu.lu.rows; i++) {
      const at = i * lu.lu.cols + i;
      clog(lu.lu.re[at]!, lu.lu.im[at]!);
      log += C.re;
      angle += C.im;
      if (lu.lu.re[at]! < 0) sign = -sign;
    }
    if (!isComplex) return [sign < 0 ? NaN : log, 0];
    if (lu.pivots.reduce((s, p, i) => (p === i + 1 ? s : -s), 1) < 0) angle += Math.PI;
    return [log, Math.atan2(Math.sin(angle), Math.cos(angle))];
  });
  return storeNumbers(
    values.map((v) => v[0]!),
    isComplex ? values.map((v) => v[1]!) : null,
    batchOf(self),
    self.dtype,
  );
});

function inverseOf(a: Tensor, name: string): { inverse: Tensor; infos: number[] } {
  checkSquare(a, "linalg.inv");
  checkFloat(a, name);
  const n = a.sizes[a.ndim - 1]!;
  const parts = loadMatrices(a).map(factorLU);
  const inverse = storeMatrices(
    parts.map((p) => solveLU(p, identity(n, n, p.lu.isComplex))),
    batchOf(a),
    n,
    n,
    a.dtype,
  );
  return { inverse, infos: parts.map((p) => p.info) };
}

const SINGULAR = (info: number): string =>
  `The diagonal element ${info} is zero, the inversion could not be completed because the input matrix is singular.`;

op(
  "aten::linalg_inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)",
  (a, checkErrors): [Tensor, Tensor] => {
    const { inverse, infos } = inverseOf(a, "linalg.inv");
    if (checkErrors) checkInfos(infos, "linalg.inv_ex", a.ndim === 2, SINGULAR);
    return [inverse, int32Tensor(infos, batchOf(a))];
  },
);

/** The inverse; throws where a matrix is singular. */
export function invertTensor(a: Tensor): Tensor {
  const { inverse, infos } = inverseOf(a, "linalg.inv");
  checkInfos(infos, "linalg.inv", a.ndim === 2, SINGULAR);
  return inverse;
}

export const linalg_inv = op("aten::linalg_inv(Tensor A) -> Tensor", invertTensor);
op("aten::inverse(Tensor self) -> Tensor", invertTensor);

/** Whether B is a batch of vectors for A's batch of matrices. */
export function isVectorRhs(a: Tensor, b: Tensor): boolean {
  const vector = a.sizes.slice(0, -1);
  return b.ndim === 1 || (a.ndim - 1 === b.ndim && vector.every((s, d) => s === b.sizes[d]));
}

function sameDtype(a: Tensor, b: Tensor, name: string): void {
  if (a.dtype !== b.dtype) {
    throw new OperatorError(
      `${name}: Expected A and B to have the same dtype, but found A of type ${a.dtype.cppName} and B of type ${b.dtype.cppName} instead`,
    );
  }
}

/** Refuses right hand sides that do not fit. */
export function checkSystem(a: Tensor, b: Tensor, left: boolean, name: string): void {
  checkMatrix(b, name, "B");
  const n = a.sizes[a.ndim - 1]!;
  const ok = left ? b.sizes[b.ndim - 2] === n : b.sizes[b.ndim - 1] === n;
  if (!ok) {
    const [am, an, bm, bn] = [...a.sizes.slice(-2), ...b.sizes.slice(-2)];
    throw new OperatorError(
      `${name}: Incompatible shapes of A and B for the equation ${left ? "AX = B" : "XA = B"} (${am}x${an} and ${bm}x${bn})`,
    );
  }
}

function solveWith(a: Tensor, bIn: Tensor, left: boolean): { result: Tensor; f: Factored } {
  const name = "linalg.solve";
  checkFloat(a, name);
  checkSquare(a, name);
  sameDtype(a, bIn, name);
  const isVector = isVectorRhs(a, bIn);
  const b = isVector ? unsqueezeView(bIn, bIn.ndim) : bIn;
  checkSystem(a, b, left, name);
  if (isVector && !left) {
    throw new OperatorError(
      "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)",
    );
  }
  const f = factor(a);
  const batch = broadcastShapes(batchOf(b), batchOf(a));
  const from = batchIndices(batchOf(a), batch);
  const x = loadBroadcast(b, batch).map((m, k) => {
    const lu = f.parts[from[k]!]!;
    return left ? solveLU(lu, m) : solveLUAdjoint(lu, m.transpose(), false).transpose();
  });
  const [rows, cols] = b.sizes.slice(-2) as [number, number];
  const result = storeMatrices(x, batch, rows, cols, a.dtype, left);
  if (!isVector) return { result, f };
  // vectors of a batch lie as the columns of a matrix would
  const vectors = squeezeView(result, [result.ndim - 1]);
  const { sizes, ndim } = vectors;
  if (ndim < 2) return { result: vectors, f };
  const strides = contiguousStrides([...sizes.slice(0, -2), sizes[ndim - 1]!, sizes[ndim - 2]!]);
  strides.push(...strides.splice(-2).toReversed());
  return { result: inStrides(vectors, strides), f };
}

const SOLVE_FAILED = (): string => "The solver failed because the input matrix is singular.";

op(
  "aten::_linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor LU, Tensor pivots, Tensor info)",
  (a, b, left, checkErrors): [Tensor, Tensor, Tensor, Tensor] => {
    const { result, f } = solveWith(a, b, left);
    if (checkErrors) checkInfos(f.infos, "torch.linalg.solve_ex", a.ndim === 2, SOLVE_FAILED);
    return [result, f.LU, f.pivots, int32Tensor(f.infos, batchOf(a))];
  },
);
op(
  "aten::linalg_solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, Tensor info)",
  (a, b, left, checkErrors): [Tensor, Tensor] => {
    const { result, f } = solveWith(a, b, left);
    if (checkErrors) checkInfos(f.infos, "torch.linalg.solve_ex", a.ndim === 2, SOLVE_FAILED);
    return [result, int32Tensor(f.infos, batchOf(a))];
  },
);
export const linalg_solve = op("aten::linalg_solve(Tensor A, Tensor B, *, bool left=True) -> Tensor", (a, b, left) => {
  const { result, f } = solveWith(a, b, left);
  checkInfos(f.infos, "torch.linalg.solve", a.ndim === 2, SOLVE_FAILED);
  return result;
});

function factorChecked(a: Tensor, pivot: boolean, name: string): Factored {
  if (a.ndim < 2)
    throw new OperatorError(
      `${name}: Expected tensor with 2 or more dimensions. Got size: ${formatList(a.sizes)} instead`,
    );
  if (a.numel > 0) checkKernelDtype(a, "lu_cpu");
  if (!pivot) throw new OperatorError(`${name}: LU without pivoting is not implemented on the CPU`);
  return factor(a);
}

op(
  "aten::linalg_lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, Tensor pivots, Tensor info)",
  (a, pivot, checkErrors): [Tensor, Tensor, Tensor] => {
    const f = factorChecked(a, pivot, "linalg.lu_factor");
    if (checkErrors) checkInfos(f.infos, "torch.linalg.lu_factor_ex", a.ndim === 2, ZERO_PIVOT);
    return [f.LU, f.pivots, int32Tensor(f.infos, batchOf(a))];
  },
);

const ZERO_PIVOT = (info: number): string =>
  `U[${info},${info}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)`;

op(
  "aten::linalg_lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
  (a, pivot): [Tensor, Tensor] => {
    const f = factorChecked(a, pivot, "linalg.lu_factor");
    checkInfos(f.infos, "torch.linalg.lu_factor", a.ndim === 2, ZERO_PIVOT);
    return [f.LU, f.pivots];
  },
);
op(
  "aten::_lu_with_info(Tensor self, bool pivot=True, bool check_errors=True) -> (Tensor LU, Tensor pivots, Tensor info)",
  (a, pivot): [Tensor, Tensor, Tensor] => {
    const f = factorChecked(a, pivot, "linalg.lu_factor");
    return [f.LU, f.pivots, int32Tensor(f.infos, batchOf(a))];
  },
);

/** P of P L U = A from row exchanges. */
function permutation(pivots: readonly number[], n: number, isComplex: boolean): Matrix {
  const order = Array.from({ length: n }, (_, i) => i);
  pivots.forEach((p, i) => {
    [order[i], order[p - 1]] = [order[p - 1]!, order[i]!];
  });
  const out = new Matrix(n, n, isComplex);
  order.forEach((row, j) => {
    out.re[row * n + j] = 1;
  });
  return out;
}

function lowerAndUpper(
  lu: readonly Matrix[],
  batch: readonly number[],
  m: number,
  n: number,
  a: Tensor,
): [Tensor, Tensor] {
  const k = Math.min(m, n);
  const l = lu.map((x) => triangleOf(x, m, k, false, true));
  const u = lu.map((x) => triangleOf(x, k, n, true));
  return [storeMatrices(l, batch, m, k, a.dtype, false), storeMatrices(u, batch, k, n, a.dtype, false)];
}

op(
  "aten::linalg_lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)",
  (a, pivot): [Tensor, Tensor, Tensor] => {
    const f = factorChecked(a, pivot, "linalg.lu");
    const [m, n] = a.sizes.slice(-2) as [number, number];
    const [l, u] = lowerAndUpper(
      f.parts.map((p) => p.lu),
      batchOf(a),
      m,
      n,
      a,
    );
    const p = f.parts.map((x) => permutation(x.pivots, m, x.lu.isComplex));
    return [storeMatrices(p, batchOf(a), m, m, a.dtype, false), l, u];
  },
);

function pivotLists(pivots: Tensor, count: number, rows: number): number[][] {
  const all = indicesOf(pivots);
  const size = pivots.sizes[pivots.ndim - 1] ?? 0;
  for (const p of all) {
    if (!(p >= 1 && p <= rows)) {
      throw new OperatorError(
        "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the result of lu_factor?",
      );
    }
  }
  return Array.from({ length: count }, (_, k) => Array.from(all.slice(k * size, (k + 1) * size)));
}

op(
  "aten::lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True) -> (Tensor P, Tensor L, Tensor U)",
  (lu, pivots, unpackData, unpackPivots): [Tensor, Tensor, Tensor] => {
    if (lu.ndim < 2)
      throw new OperatorError(
        `torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: ${formatList(lu.sizes)} instead`,
      );
    if (unpackPivots && pivots.dtype !== DTYPES.int32) {
      throw new OperatorError("torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.");
    }
    const [m, n] = lu.sizes.slice(-2) as [number, number];
    const batch = batchOf(lu);
    const empty = (): Tensor => emptyTensor([0], lu.dtype);
    const p = unpackPivots
      ? storeMatrices(
          pivotLists(pivots, countOf(batch), m).map((x) => permutation(x, m, false)),
          batch,
          m,
          m,
          lu.dtype,
          false,
        )
      : empty();
    if (!unpackData) return [p, empty(), empty()];
    const [l, u] = lowerAndUpper(loadMatrices(lu), batch, m, n, lu);
    return [p, l, u];
  },
);

function solveFactored(lu: Tensor, pivots: Tensor, b: Tensor, left: boolean, adjoint: boolean): Tensor {
  const name = "linalg.lu_solve";
  checkFloat(lu, name);
  if (lu.dtype !== b.dtype) {
    throw new OperatorError(
      `${name}: Expected LU and B to have the same dtype, but found LU of type ${lu.dtype.cppName} and B of type ${b.dtype.cppName} instead`,
    );
  }
  if (pivots.dtype !== DTYPES.int32)
    throw new OperatorError(`${name}: pivots should be a Tensor of scalar type torch.int32`);
  checkSquare(lu, name, "LU");
  checkSystem(lu, b, left, name);
  const n = lu.sizes[lu.ndim - 1]!;
  if (pivots.sizes[pivots.ndim - 1] !== n)
    throw new OperatorError(`${name}: Number of pivots per batch should be same as the dimension of the matrix`);
  const own = batchOf(lu);
  if (pivots.ndim !== lu.ndim - 1 || own.some((s, d) => s !== pivots.sizes[d])) {
    throw new OperatorError(
      `${name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape ${formatList(pivots.sizes)} instead`,
    );
  }
  const lists = pivotLists(pivots, countOf(own), n);
  const matrices = loadMatrices(lu);
  const batch = broadcastShapes(own, batchOf(b));
  const from = batchIndices(own, batch);
  const x = loadBroadcast(b, batch).map((rhs, k) => {
    const parts = { lu: matrices[from[k]!]!, pivots: lists[from[k]!]! };
    if (left) return adjoint ? solveLUAdjoint(parts, rhs, true) : solveLU(parts, rhs);
    // X A = B is A^T X^T = B^T, and X A^H = B is A X^H = B^H
    return adjoint
      ? solveLU(parts, rhs.transpose(true)).transpose(true)
      : solveLUAdjoint(parts, rhs.transpose(), false).transpose();
  });
  const [rows, cols] = b.sizes.slice(-2) as [number, number];
  return storeMatrices(x, batch, rows, cols, lu.dtype, left);
}

op(
  "aten::linalg_lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
  solveFactored,
);
op("aten::lu_solve(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor", (self, lu, pivots) =>
  solveFactored(lu, pivots, self, true, false),
);

op("aten::_linalg_check_errors(Tensor info, str api_name, *, bool is_matrix) -> ()", (info, name, isMatrix) => {
  checkInfos(Array.from(indicesOf(info)), name, isMatrix, SINGULAR);
});
