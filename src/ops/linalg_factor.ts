/** @file Cholesky, QR, LDL and triangular systems. Upstream: aten/src/ATen/native/BatchLinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { toComplexArrays } from "../tensor/data.ts";
import type { DType } from "../tensor/dtype.ts";
import {
  applyReflectors,
  factorCholesky,
  factorLDL,
  factorQR,
  productOfReflectors,
  solveLDL,
} from "../tensor/kernels/factorizations.ts";
import {
  identity,
  loadMatrices,
  type Matrix,
  solveTriangle,
  storeMatrices,
  storeNumbers,
  triangleOf,
} from "../tensor/kernels/matrices.ts";
import { indicesOf } from "../tensor/kernels/data.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList } from "../tensor/view_geometry.ts";
import { checkSystem } from "./linalg.ts";
import {
  batchOf,
  broadcastPair,
  checkFloat,
  checkInfos,
  checkKernelDtype,
  checkMatrix,
  checkSquare,
  countOf,
  int32Tensor,
} from "./linalg_checks.ts";

const NOT_POSITIVE = (info: number): string =>
  `The factorization could not be completed because the input is not positive-definite (the leading minor of order ${info} is not positive-definite).`;

function choleskyOf(a: Tensor, upper: boolean, name: string): { factor: Tensor; infos: number[] } {
  checkSquare(a, name);
  checkFloat(a, name, "cholesky_cpu");
  const n = a.sizes[a.ndim - 1]!;
  const parts = loadMatrices(a).map((m) => factorCholesky(m, upper));
  return {
    factor: storeMatrices(
      parts.map((p) => p.factor),
      batchOf(a),
      n,
      n,
      a.dtype,
    ),
    infos: parts.map((p) => p.info),
  };
}

op(
  "aten::linalg_cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, Tensor info)",
  (self, upper, checkErrors): [Tensor, Tensor] => {
    const { factor, infos } = choleskyOf(self, upper, "linalg.cholesky");
    if (checkErrors) checkInfos(infos, "torch.linalg.cholesky_ex", self.ndim === 2, NOT_POSITIVE);
    return [factor, int32Tensor(infos, batchOf(self))];
  },
);
op("aten::linalg_cholesky(Tensor self, *, bool upper=False) -> Tensor", (self, upper) => {
  const { factor, infos } = choleskyOf(self, upper, "linalg.cholesky");
  checkInfos(infos, "linalg.cholesky", self.ndim === 2, NOT_POSITIVE);
  return factor;
});
op("aten::cholesky(Tensor self, bool upper=False) -> Tensor", (self, upper) => {
  if (self.numel === 0) return emptyTensor(self.sizes, self.dtype);
  const { factor, infos } = choleskyOf(self, upper, "cholesky");
  checkInfos(infos, "cholesky", self.ndim === 2, NOT_POSITIVE);
  return factor;
});

/** X of L L^H X = B, or of U^H U X = B. */
function solveCholesky(factor: Matrix, b: Matrix, upper: boolean): Matrix {
  const lower = upper ? triangleOf(factor, factor.rows, factor.cols, true).transpose(true) : factor;
  const x = b.clone();
  solveTriangle(lower, x, { upper: false });
  solveTriangle(lower.transpose(true), x, { upper: true });
  return x;
}

op("aten::cholesky_inverse(Tensor self, bool upper=False) -> Tensor", (self, upper) => {
  checkSquare(self, "cholesky_inverse");
  checkKernelDtype(self, "cholesky_inverse_out_cpu");
  const n = self.sizes[self.ndim - 1]!;
  const matrices = loadMatrices(self);
  const infos = matrices.map((m) => {
    for (let i = 0; i < n; i++) if (m.re[i * n + i] === 0 && m.im[i * n + i] === 0) return i + 1;
    return 0;
  });
  checkInfos(
    infos,
    "cholesky_inverse",
    self.ndim === 2,
    (info) =>
      `The diagonal element ${info} is zero, the inversion could not be completed because the input matrix is singular.`,
  );
  return storeMatrices(
    matrices.map((m) => solveCholesky(m, identity(n, n, m.isComplex), upper)),
    batchOf(self),
    n,
    n,
    self.dtype,
  );
});

function checkSolveInputs(b: Tensor, a: Tensor, name: string): void {
  const [am, an] = a.sizes.slice(-2);
  if (b.dtype !== a.dtype)
    throw new OperatorError(
      `Expected b and A to have the same dtype, but found b of type ${b.dtype.cppName} and A of type ${a.dtype.cppName} instead.`,
    );
  if (am !== an) throw new OperatorError(`A must be batches of square matrices, but they are ${am} by ${an} matrices`);
  if (an !== b.sizes[b.ndim - 2]) {
    throw new OperatorError(
      `Incompatible matrix sizes for ${name}: each A matrix is ${an} by ${an} but each b matrix is ${b.sizes[b.ndim - 2]} by ${b.sizes[b.ndim - 1]}`,
    );
  }
}

function choleskySolve(self: Tensor, a: Tensor, upper: boolean): Tensor {
  if (self.ndim < 2)
    throw new OperatorError(`b should have at least 2 dimensions, but has ${self.ndim} dimensions instead`);
  if (a.ndim < 2) throw new OperatorError(`u should have at least 2 dimensions, but has ${a.ndim} dimensions instead`);
  checkSolveInputs(self, a, "cholesky_solve");
  checkKernelDtype(self, "cholesky_solve_cpu");
  const pair = broadcastPair(a, self);
  const x = pair.b.map((b, k) => solveCholesky(pair.a[k]!, b, upper));
  return storeMatrices(x, pair.batch, self.sizes[self.ndim - 2]!, self.sizes[self.ndim - 1]!, self.dtype);
}

op("aten::cholesky_solve(Tensor self, Tensor input2, bool upper=False) -> Tensor", choleskySolve);
op("aten::_cholesky_solve_helper(Tensor self, Tensor A, bool upper) -> Tensor", choleskySolve);

function qrOf(a: Tensor, mode: string): [Tensor, Tensor] {
  if (mode !== "reduced" && mode !== "complete" && mode !== "r") {
    throw new OperatorError(
      `qr received unrecognized mode '${mode}' but expected one of 'reduced' (default), 'r', or 'complete'`,
    );
  }
  checkMatrix(a, "linalg.qr");
  checkFloat(a, "linalg.qr");
  const [m, n] = a.sizes.slice(-2) as [number, number];
  const k = mode === "complete" ? m : Math.min(m, n);
  const batch = batchOf(a);
  const parts = loadMatrices(a).map(factorQR);
  const r = storeMatrices(
    parts.map((p) => triangleOf(p.packed, k, n, true)),
    batch,
    k,
    n,
    a.dtype,
  );
  if (mode === "r") return [emptyTensor([0], a.dtype), r];
  return [
    storeMatrices(
      parts.map((p) => productOfReflectors(p.packed, p.tau, k)),
      batch,
      m,
      k,
      a.dtype,
    ),
    r,
  ];
}

op('aten::linalg_qr(Tensor A, str mode="reduced") -> (Tensor Q, Tensor R)', qrOf);
op("aten::qr(Tensor self, bool some=True) -> (Tensor Q, Tensor R)", (self, some) =>
  qrOf(self, some ? "reduced" : "complete"),
);

op("aten::geqrf(Tensor self) -> (Tensor a, Tensor tau)", (self): [Tensor, Tensor] => {
  if (self.ndim < 2) throw new OperatorError("torch.geqrf: input must have at least 2 dimensions.");
  checkKernelDtype(self, "geqrf_cpu");
  const [m, n] = self.sizes.slice(-2) as [number, number];
  const batch = batchOf(self);
  const parts = loadMatrices(self).map(factorQR);
  return [
    storeMatrices(
      parts.map((p) => p.packed),
      batch,
      m,
      n,
      self.dtype,
    ),
    storeTau(
      parts.map((p) => p.tau),
      batch,
      Math.min(m, n),
      self.dtype,
    ),
  ];
});

function storeTau(
  taus: readonly { re: number[]; im: number[] }[],
  batch: readonly number[],
  k: number,
  dtype: DType,
): Tensor {
  return storeNumbers(
    taus.flatMap((t) => t.re),
    dtype.category === "complex" ? taus.flatMap((t) => t.im) : null,
    [...batch, k],
    dtype,
  );
}

function loadTau(tau: Tensor, count: number): { re: Float64Array; im: Float64Array }[] {
  const { re, im } = toComplexArrays(tau);
  const k = tau.sizes[tau.ndim - 1]!;
  return Array.from({ length: count }, (_, i) => ({
    re: re.slice(i * k, (i + 1) * k),
    im: im.slice(i * k, (i + 1) * k),
  }));
}

function householder(input: Tensor, tau: Tensor): Tensor {
  const name = "torch.linalg.householder_product";
  if (input.ndim < 2) throw new OperatorError(`${name}: input must have at least 2 dimensions.`);
  const [m, n] = input.sizes.slice(-2) as [number, number];
  if (m < n) throw new OperatorError(`${name}: input.shape[-2] must be greater than or equal to input.shape[-1]`);
  if (n < (tau.sizes[tau.ndim - 1] ?? 0))
    throw new OperatorError(`${name}: input.shape[-1] must be greater than or equal to tau.shape[-1]`);
  if (input.ndim - tau.ndim !== 1) {
    throw new OperatorError(
      `${name}: Expected tau to have one dimension less than input, but got tau.ndim equal to ${tau.ndim} and input.ndim is equal to ${input.ndim}`,
    );
  }
  const batch = batchOf(input);
  if (batch.some((s, d) => s !== tau.sizes[d])) {
    throw new OperatorError(
      `${name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got ${formatList(tau.sizes.slice(0, -1))}`,
    );
  }
  if (tau.dtype !== input.dtype)
    throw new OperatorError(
      `${name}: tau dtype ${tau.dtype.cppName} does not match input dtype ${input.dtype.cppName}`,
    );
  checkKernelDtype(input, "orgqr_cpu");
  const taus = loadTau(tau, countOf(batch));
  return storeMatrices(
    loadMatrices(input).map((q, k) => productOfReflectors(q, taus[k]!, n)),
    batch,
    m,
    n,
    input.dtype,
  );
}

op("aten::linalg_householder_product(Tensor input, Tensor tau) -> Tensor", householder);
op("aten::orgqr(Tensor self, Tensor input2) -> Tensor", householder);

op(
  "aten::ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) -> Tensor",
  (self, tau, other, left, transpose) => {
    const name = "torch.ormqr";
    if (self.ndim < 2) throw new OperatorError(`${name}: input must have at least 2 dimensions.`);
    if (other.ndim < 2) throw new OperatorError(`${name}: other must have at least 2 dimensions.`);
    const side = left ? -2 : -1;
    const width = other.sizes[other.ndim + side]!;
    const k = tau.sizes[tau.ndim - 1] ?? 0;
    const [rows, cols] = self.sizes.slice(-2) as [number, number];
    if (width !== rows) throw new OperatorError(`${name}: other.shape[${side}] must be equal to input.shape[-2]`);
    if (k !== Math.min(width, cols))
      throw new OperatorError(`${name}: tau.shape[-1] must be equal to min(other.shape[${side}], input.shape[-1])`);
    if (self.ndim - tau.ndim !== 1) {
      throw new OperatorError(
        `${name}: Expected tau to have one dimension less than input, but got tau.ndim equal to ${tau.ndim} and input.ndim is equal to ${self.ndim}`,
      );
    }
    if (self.ndim !== other.ndim) {
      throw new OperatorError(
        `${name}: Expected other to have the same number of dimensions as input, but got other.ndim equal to ${other.ndim} and input.ndim is equal to ${self.ndim}`,
      );
    }
    const batch = batchOf(self);
    if (batch.some((s, d) => s !== tau.sizes[d])) {
      throw new OperatorError(
        `${name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got ${formatList(tau.sizes.slice(0, -1))}`,
      );
    }
    if (batch.some((s, d) => s !== other.sizes[d])) {
      throw new OperatorError(
        `${name}: Expected batch dimensions of other to be equal to input.shape[:-2], but got ${formatList(batchOf(other))}`,
      );
    }
    for (const [t, label] of [
      [tau, "tau"],
      [other, "other"],
    ] as const) {
      if (t.dtype !== self.dtype)
        throw new OperatorError(
          `${name}: Expected input and ${label} to have the same dtype, but input has dtype ${self.dtype.cppName} and ${label} has dtype ${t.dtype.cppName}`,
        );
    }
    checkKernelDtype(self, "ormqr_cpu");
    const taus = loadTau(tau, countOf(batch));
    const c = loadMatrices(other);
    const out = loadMatrices(self).map((q, i) => {
      if (left) return applyReflectors(q, taus[i]!, c[i]!, transpose);
      return applyReflectors(q, taus[i]!, c[i]!.transpose(true), !transpose).transpose(true);
    });
    return storeMatrices(out, batch, other.sizes[other.ndim - 2]!, other.sizes[other.ndim - 1]!, other.dtype);
  },
);

function ldlOf(self: Tensor, hermitian: boolean): { ld: Tensor; pivots: Tensor; infos: number[] } {
  checkSquare(self, "torch.linalg.ldl_factor_ex");
  checkFloat(self, "torch.linalg.ldl_factor_ex", "ldl_factor_kernel_cpu");
  const n = self.sizes[self.ndim - 1]!;
  const parts = loadMatrices(self).map((m) => factorLDL(m, hermitian && m.isComplex));
  const batch = batchOf(self);
  return {
    ld: storeMatrices(
      parts.map((p) => p.ld),
      batch,
      n,
      n,
      self.dtype,
    ),
    pivots: int32Tensor(
      parts.flatMap((p) => p.pivots),
      [...batch, n],
    ),
    infos: parts.map((p) => p.info),
  };
}

op(
  "aten::linalg_ldl_factor_ex(Tensor self, *, bool hermitian=False, bool check_errors=False) -> (Tensor LD, Tensor pivots, Tensor info)",
  (self, hermitian, checkErrors): [Tensor, Tensor, Tensor] => {
    const { ld, pivots, infos } = ldlOf(self, hermitian);
    if (checkErrors) checkInfos(infos, "torch.linalg.ldl_factor_ex", self.ndim === 2, LDL_FAILED);
    return [ld, pivots, int32Tensor(infos, batchOf(self))];
  },
);

const LDL_FAILED = (): string => "The factorization could not be completed because the input matrix is singular.";

op(
  "aten::linalg_ldl_factor(Tensor self, *, bool hermitian=False) -> (Tensor LD, Tensor pivots)",
  (self, hermitian): [Tensor, Tensor] => {
    const { ld, pivots, infos } = ldlOf(self, hermitian);
    checkInfos(infos, "torch.linalg.ldl_factor", self.ndim === 2, LDL_FAILED);
    return [ld, pivots];
  },
);
op(
  "aten::linalg_ldl_solve(Tensor LD, Tensor pivots, Tensor B, *, bool hermitian=False) -> Tensor",
  (ld, pivots, b, hermitian) => {
    const name = "torch.linalg.ldl_solve";
    checkSquare(ld, name, "LD");
    checkFloat(ld, name);
    if (b.ndim < 2)
      throw new OperatorError(
        `${name}: Expected B to have at least 2 dimensions, but it has ${b.ndim} dimensions instead`,
      );
    if (pivots.ndim !== ld.ndim - 1 || batchOf(ld).some((s, d) => s !== pivots.sizes[d])) {
      throw new OperatorError(
        `${name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape ${formatList(pivots.sizes)} instead`,
      );
    }
    if (pivots.dtype.category !== "int")
      throw new OperatorError(`${name}: Expected pivots to be integers. Got ${pivots.dtype.cppName}`);
    if (ld.dtype !== b.dtype)
      throw new OperatorError(`${name}: LD dtype ${ld.dtype.cppName} does not match b dtype ${b.dtype.cppName}`);
    const n = ld.sizes[ld.ndim - 1]!;
    checkSystem(ld, b, true, name);
    const all = indicesOf(pivots);
    for (const p of all)
      if (p === 0 || Math.abs(p) > n) throw new OperatorError(`${name}: pivots must be between 1 and ${n}`);
    const own = countOf(batchOf(ld));
    const lists = Array.from({ length: own }, (_, k) => Array.from(all.slice(k * n, (k + 1) * n)));
    const pair = broadcastPair(ld, b);
    const x = pair.b.map((rhs, k) =>
      solveLDL(
        { ld: pair.a[k]!, pivots: lists[own === pair.a.length ? k : k % own]! },
        rhs,
        hermitian && rhs.isComplex,
      ),
    );
    return storeMatrices(x, pair.batch, b.sizes[b.ndim - 2]!, b.sizes[b.ndim - 1]!, b.dtype);
  },
);

op(
  "aten::linalg_solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool unitriangular=False) -> Tensor",
  (a, b, upper, left, unit) => {
    const name = "linalg.solve_triangular";
    checkSquare(a, name);
    checkSystem(a, b, left, name);
    checkKernelDtype(a, "triangular_solve_cpu");
    const pair = broadcastPair(a, b);
    const x = pair.b.map((rhs, k) => {
      const triangle = triangleOf(pair.a[k]!, pair.a[k]!.rows, pair.a[k]!.cols, upper);
      if (left) {
        const out = rhs.clone();
        solveTriangle(triangle, out, { upper, unit });
        return out;
      }
      const flipped = rhs.transpose();
      solveTriangle(triangle.transpose(), flipped, { upper: !upper, unit });
      return flipped.transpose();
    });
    return storeMatrices(x, pair.batch, b.sizes[b.ndim - 2]!, b.sizes[b.ndim - 1]!, b.dtype);
  },
);

op(
  "aten::triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)",
  (self, a, upper, transpose, unit): [Tensor, Tensor] => {
    const name = "torch.triangular_solve";
    if (self.ndim < 2)
      throw new OperatorError(
        `${name}: Expected b to have at least 2 dimensions, but it has ${self.ndim} dimensions instead`,
      );
    if (a.ndim < 2)
      throw new OperatorError(
        `${name}: Expected A to have at least 2 dimensions, but it has ${a.ndim} dimensions instead`,
      );
    checkSolveInputs(self, a, "triangular_solve");
    checkKernelDtype(a, "triangular_solve_cpu");
    const pair = broadcastPair(a, self);
    const x = pair.b.map((rhs, k) => {
      const triangle = triangleOf(pair.a[k]!, pair.a[k]!.rows, pair.a[k]!.cols, upper);
      const out = rhs.clone();
      solveTriangle(transpose ? triangle.transpose() : triangle, out, { upper: transpose ? !upper : upper, unit });
      return out;
    });
    const [rows, cols] = self.sizes.slice(-2) as [number, number];
    const n = a.sizes[a.ndim - 1]!;
    return [storeMatrices(x, pair.batch, rows, cols, self.dtype), storeMatrices(pair.a, pair.batch, n, n, a.dtype)];
  },
);
