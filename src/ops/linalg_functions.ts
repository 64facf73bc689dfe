/** @file Functions of matrices: powers, exponential, tensor inverses and tensor systems. Upstream: aten/src/ATen/native/LinearAlgebra.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { factorLU, solveLU } from "../tensor/kernels/factorizations.ts";
import { identity, loadMatrices, Matrix, multiply, storeMatrices } from "../tensor/kernels/matrices.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { wrapDim } from "../tensor/strides.ts";
import { expandView, permuteView } from "../tensor/view_geometry.ts";
import { eye } from "./creation.ts";
import { invertTensor, linalg_solve } from "./linalg.ts";
import { batchOf, checkFloat, checkSquare } from "./linalg_checks.ts";
import { matmul } from "./matrix.ts";
import { reshapeTensor } from "./views.ts";

function powerOf(self: Tensor, exponent: number): Tensor {
  checkSquare(self, "linalg.matrix_power");
  const n = self.sizes[self.ndim - 1]!;
  if (exponent === 0) {
    const out = emptyTensor(self.sizes, self.dtype);
    copyInto(out, expandView(eye(n, n, self.dtype.id), self.sizes, self.dtype.cppName));
    return out;
  }
  let base = exponent < 0 ? invertTensor(self) : self;
  let left = Math.abs(exponent);
  if (left === 1) return exponent < 0 ? base : cloneTensor(self);
  let result: Tensor | undefined;
  while (left > 0) {
    if (left % 2 === 1) result = result ? matmul(result, base) : base;
    left = Math.floor(left / 2);
    if (left > 0) base = matmul(base, base);
  }
  return result!;
}

op("aten::linalg_matrix_power(Tensor self, int n) -> Tensor", powerOf);
op("aten::matrix_power(Tensor self, int n) -> Tensor", powerOf);

// Higham 2005: numerator coefficients of the [13/13] Padé approximant of exp
const PADE = [
  64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
  670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
];

function combine(terms: readonly (readonly [number, Matrix])[]): Matrix {
  const first = terms[0]![1];
  const out = new Matrix(first.rows, first.cols, first.isComplex);
  for (const [f, m] of terms) {
    for (let i = 0; i < out.re.length; i++) {
      out.re[i]! += f * m.re[i]!;
      out.im[i]! += f * m.im[i]!;
    }
  }
  return out;
}

/** exp(A) by scaling, the Padé approximant of degree 13, and squaring. */
function exponential(a: Matrix): Matrix {
  const n = a.rows;
  let norm = 0;
  for (let j = 0; j < n; j++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += Math.hypot(a.re[i * n + j]!, a.im[i * n + j]!);
    norm = Math.max(norm, sum);
  }
  const squarings = norm > 5.37 && Number.isFinite(norm) ? Math.ceil(Math.log2(norm / 5.37)) : 0;
  const x = combine([[2 ** -squarings, a]]);
  const one = identity(n, n, a.isComplex);
  const x2 = multiply(x, x);
  const x4 = multiply(x2, x2);
  const x6 = multiply(x4, x2);
  const b = PADE;
  const odd = multiply(
    x,
    combine([
      [
        1,
        multiply(
          x6,
          combine([
            [b[13]!, x6],
            [b[11]!, x4],
            [b[9]!, x2],
          ]),
        ),
      ],
      [b[7]!, x6],
      [b[5]!, x4],
      [b[3]!, x2],
      [b[1]!, one],
    ]),
  );
  const even = combine([
    [
      1,
      multiply(
        x6,
        combine([
          [b[12]!, x6],
          [b[10]!, x4],
          [b[8]!, x2],
        ]),
      ),
    ],
    [b[6]!, x6],
    [b[4]!, x4],
    [b[2]!, x2],
    [b[0]!, one],
  ]);
  let result = solveLU(
    factorLU(
      combine([
        [1, even],
        [-1, odd],
      ]),
    ),
    combine([
      [1, even],
      [1, odd],
    ]),
  );
  for (let s = 0; s < squarings; s++) result = multiply(result, result);
  return result;
}

function expOf(self: Tensor): Tensor {
  checkSquare(self, "linalg.matrix_exp");
  const { category } = self.dtype;
  if (category !== "float" && category !== "complex") checkFloat(self, "linalg.matrix_exp");
  const n = self.sizes[self.ndim - 1]!;
  return storeMatrices(loadMatrices(self).map(exponential), batchOf(self), n, n, self.dtype, false);
}

op("aten::linalg_matrix_exp(Tensor self) -> Tensor", expOf);
op("aten::matrix_exp(Tensor self) -> Tensor", expOf);

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

op("aten::linalg_tensorinv(Tensor self, int ind=2) -> Tensor", (self, ind) => {
  if (!(ind > 0)) throw new OperatorError(`Expected a strictly positive integer for 'ind', but got ${ind}`);
  const front = self.sizes.slice(0, ind);
  const back = self.sizes.slice(ind);
  if (product(front) !== product(back)) {
    throw new OperatorError(
      `Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got ${product(back)} != ${product(front)}`,
    );
  }
  try {
    return reshapeTensor(invertTensor(reshapeTensor(self, [product(back), product(front)])), [...back, ...front]);
  } catch (error) {
    // the message names the function that tensorinv wraps
    if (error instanceof OperatorError && error.message.startsWith("linalg.inv: The diagonal"))
      throw new OperatorError(error.message.slice("linalg.".length), { cause: error });
    throw error;
  }
});

op("aten::linalg_tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor", (selfIn, other, dims) => {
  let self = selfIn;
  if (dims) {
    const moved = dims.map((d) => wrapDim(d, self.ndim));
    const rest = Array.from({ length: self.ndim }, (_, d) => d).filter((d) => !moved.includes(d));
    self = permuteView(self, [...rest, ...moved]);
  }
  const result = self.sizes.slice(other.ndim);
  const front = product(self.sizes.slice(0, other.ndim));
  if (product(result) !== front) {
    throw new OperatorError(
      `Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got ${product(result)} != ${front}`,
    );
  }
  checkFloat(self, "linalg.solve", "lu_cpu");
  return reshapeTensor(linalg_solve(reshapeTensor(self, [front, front]), reshapeTensor(other, [front])), result);
});
