/** @file Special functions: Bessel, Airy, error function kin, orthogonal polynomials. Upstream: aten/src/ATen/native/UnaryOps.cpp, BinaryOps.cpp. Spec: none. */
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import * as bessel from "../tensor/math/bessel.ts";
import { erfcx, logNdtr, ndtri } from "../tensor/math/erf.ts";
import { POLYNOMIALS } from "../tensor/math/polynomials.ts";
import { map1, notImplemented, type Kernel1 } from "../tensor/pointwise.ts";
import { floatResult, resultType } from "../tensor/promotion.ts";
import type { Scalar } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { computeIn } from "./operands.ts";
import { addScalar, divScalar, mulScalar } from "./arithmetic.ts";
import { erf, floatUnary } from "./unary.ts";

/** A function that PyTorch has for float32 and float64 only (integers become the default dtype). */
function fullFloats(name: string, real: (x: number, round: (v: number) => number) => number): (self: Tensor) => Tensor {
  const single: Kernel1 = { name, real: (x) => real(x, Math.fround) };
  const double: Kernel1 = { name, real: (x) => real(x, exactly) };
  return (self) => {
    const dtype = floatResult(self.dtype);
    if (dtype !== DTYPES.float32 && dtype !== DTYPES.float64) throw notImplemented(name, dtype);
    return map1(self, dtype === DTYPES.float32 ? single : double, dtype);
  };
}

function exactly(x: number): number {
  return x;
}

function entr(x: number): number {
  if (x !== x) return x;
  if (x > 0) return -x * Math.log(x);
  return x === 0 ? 0 : -Infinity;
}

const i0 = floatUnary({ name: "i0_vml_cpu", real: bessel.besselI0 });
op("aten::i0(Tensor self) -> Tensor", i0);
op("aten::special_i0(Tensor self) -> Tensor", i0);
op("aten::special_i0e(Tensor self) -> Tensor", floatUnary({ name: "i0e_cpu", real: bessel.besselI0e }));
op("aten::special_i1(Tensor self) -> Tensor", floatUnary({ name: "i1_cpu", real: bessel.besselI1 }));
op("aten::special_i1e(Tensor self) -> Tensor", floatUnary({ name: "i1e_cpu", real: bessel.besselI1e }));
op("aten::special_entr(Tensor self) -> Tensor", floatUnary({ name: "entr_cpu", real: entr }));
// PyTorch's steps, each rounded: far below zero nothing is left
op("aten::special_ndtr(Tensor self) -> Tensor", (self) =>
  mulScalar(addScalar(erf(divScalar(self, Math.SQRT2)), 1, 1), 0.5),
);
op("aten::special_ndtri(Tensor self) -> Tensor", fullFloats("ndtri_cpu", ndtri));
op("aten::special_log_ndtr(Tensor self) -> Tensor", fullFloats("log_ndtr_cpu", logNdtr));
op("aten::special_erfcx(Tensor self) -> Tensor", fullFloats("erfcx_cpu", erfcx));
op("aten::special_airy_ai(Tensor x) -> Tensor", fullFloats("airy_ai_cpu", bessel.airyAi));
op("aten::special_bessel_j0(Tensor self) -> Tensor", fullFloats("bessel_j0_cpu", bessel.besselJ0));
op("aten::special_bessel_j1(Tensor self) -> Tensor", fullFloats("bessel_j1_cpu", bessel.besselJ1));
op("aten::special_bessel_y0(Tensor self) -> Tensor", fullFloats("bessel_y0_cpu", bessel.besselY0));
op("aten::special_bessel_y1(Tensor self) -> Tensor", fullFloats("bessel_y1_cpu", bessel.besselY1));
op("aten::special_modified_bessel_i0(Tensor self) -> Tensor", fullFloats("modified_bessel_i0_cpu", bessel.besselI0));
op("aten::special_modified_bessel_i1(Tensor self) -> Tensor", fullFloats("modified_bessel_i1_cpu", bessel.besselI1));
op("aten::special_modified_bessel_k0(Tensor self) -> Tensor", fullFloats("modified_bessel_k0_cpu", bessel.besselK0));
op("aten::special_modified_bessel_k1(Tensor self) -> Tensor", fullFloats("modified_bessel_k1_cpu", bessel.besselK1));
op(
  "aten::special_scaled_modified_bessel_k0(Tensor x) -> Tensor",
  fullFloats("scaled_modified_bessel_k0_cpu", bessel.scaledBesselK0),
);
op(
  "aten::special_scaled_modified_bessel_k1(Tensor x) -> Tensor",
  fullFloats("scaled_modified_bessel_k1_cpu", bessel.scaledBesselK1),
);
op(
  "aten::special_spherical_bessel_j0(Tensor x) -> Tensor",
  fullFloats("spherical_bessel_j0_cpu", bessel.sphericalBesselJ0),
);

type Operand = Tensor | Scalar;

function polynomial(family: string): (x: Operand, n: Operand) => Tensor {
  const evaluate = POLYNOMIALS[family]!;
  const name = `${family}_cpu`;
  return (x, n) => {
    const dtype = floatResult(resultType(x, n));
    if (dtype !== DTYPES.float32 && dtype !== DTYPES.float64) throw notImplemented(name, dtype);
    const single = dtype === DTYPES.float32;
    const round = single ? Math.fround : exactly;
    const limit = single ? 128 : 512;
    return computeIn({ name, real: (a, b) => evaluate(a, b, round, limit) }, x, n, dtype);
  };
}

const chebyshevT = polynomial("chebyshev_polynomial_t");
op("aten::special_chebyshev_polynomial_t(Tensor x, Tensor n) -> Tensor", chebyshevT);
op("aten::special_chebyshev_polynomial_t.x_scalar(Scalar x, Tensor n) -> Tensor", chebyshevT);
op("aten::special_chebyshev_polynomial_t.n_scalar(Tensor x, Scalar n) -> Tensor", chebyshevT);

const chebyshevU = polynomial("chebyshev_polynomial_u");
op("aten::special_chebyshev_polynomial_u(Tensor x, Tensor n) -> Tensor", chebyshevU);
op("aten::special_chebyshev_polynomial_u.x_scalar(Scalar x, Tensor n) -> Tensor", chebyshevU);
op("aten::special_chebyshev_polynomial_u.n_scalar(Tensor x, Scalar n) -> Tensor", chebyshevU);

const chebyshevV = polynomial("chebyshev_polynomial_v");
op("aten::special_chebyshev_polynomial_v(Tensor x, Tensor n) -> Tensor", chebyshevV);
op("aten::special_chebyshev_polynomial_v.x_scalar(Scalar x, Tensor n) -> Tensor", chebyshevV);
op("aten::special_chebyshev_polynomial_v.n_scalar(Tensor x, Scalar n) -> Tensor", chebyshevV);

const chebyshevW = polynomial("chebyshev_polynomial_w");
op("aten::special_chebyshev_polynomial_w(Tensor x, Tensor n) -> Tensor", chebyshevW);
op("aten::special_chebyshev_polynomial_w.x_scalar(Scalar x, Tensor n) -> Tensor", chebyshevW);
op("aten::special_chebyshev_polynomial_w.n_scalar(Tensor x, Scalar n) -> Tensor", chebyshevW);

const hermiteH = polynomial("hermite_polynomial_h");
op("aten::special_hermite_polynomial_h(Tensor x, Tensor n) -> Tensor", hermiteH);
op("aten::special_hermite_polynomial_h.x_scalar(Scalar x, Tensor n) -> Tensor", hermiteH);
op("aten::special_hermite_polynomial_h.n_scalar(Tensor x, Scalar n) -> Tensor", hermiteH);

const hermiteHe = polynomial("hermite_polynomial_he");
op("aten::special_hermite_polynomial_he(Tensor x, Tensor n) -> Tensor", hermiteHe);
op("aten::special_hermite_polynomial_he.x_scalar(Scalar x, Tensor n) -> Tensor", hermiteHe);
op("aten::special_hermite_polynomial_he.n_scalar(Tensor x, Scalar n) -> Tensor", hermiteHe);

const laguerreL = polynomial("laguerre_polynomial_l");
op("aten::special_laguerre_polynomial_l(Tensor x, Tensor n) -> Tensor", laguerreL);
op("aten::special_laguerre_polynomial_l.x_scalar(Scalar x, Tensor n) -> Tensor", laguerreL);
op("aten::special_laguerre_polynomial_l.n_scalar(Tensor x, Scalar n) -> Tensor", laguerreL);

const legendreP = polynomial("legendre_polynomial_p");
op("aten::special_legendre_polynomial_p(Tensor x, Tensor n) -> Tensor", legendreP);
op("aten::special_legendre_polynomial_p.x_scalar(Scalar x, Tensor n) -> Tensor", legendreP);
op("aten::special_legendre_polynomial_p.n_scalar(Tensor x, Scalar n) -> Tensor", legendreP);

const shiftedChebyshevT = polynomial("shifted_chebyshev_polynomial_t");
op("aten::special_shifted_chebyshev_polynomial_t(Tensor x, Tensor n) -> Tensor", shiftedChebyshevT);
op("aten::special_shifted_chebyshev_polynomial_t.x_scalar(Scalar x, Tensor n) -> Tensor", shiftedChebyshevT);
op("aten::special_shifted_chebyshev_polynomial_t.n_scalar(Tensor x, Scalar n) -> Tensor", shiftedChebyshevT);

const shiftedChebyshevU = polynomial("shifted_chebyshev_polynomial_u");
op("aten::special_shifted_chebyshev_polynomial_u(Tensor x, Tensor n) -> Tensor", shiftedChebyshevU);
op("aten::special_shifted_chebyshev_polynomial_u.x_scalar(Scalar x, Tensor n) -> Tensor", shiftedChebyshevU);
op("aten::special_shifted_chebyshev_polynomial_u.n_scalar(Tensor x, Scalar n) -> Tensor", shiftedChebyshevU);

const shiftedChebyshevV = polynomial("shifted_chebyshev_polynomial_v");
op("aten::special_shifted_chebyshev_polynomial_v(Tensor x, Tensor n) -> Tensor", shiftedChebyshevV);
op("aten::special_shifted_chebyshev_polynomial_v.x_scalar(Scalar x, Tensor n) -> Tensor", shiftedChebyshevV);
op("aten::special_shifted_chebyshev_polynomial_v.n_scalar(Tensor x, Scalar n) -> Tensor", shiftedChebyshevV);

const shiftedChebyshevW = polynomial("shifted_chebyshev_polynomial_w");
op("aten::special_shifted_chebyshev_polynomial_w(Tensor x, Tensor n) -> Tensor", shiftedChebyshevW);
op("aten::special_shifted_chebyshev_polynomial_w.x_scalar(Scalar x, Tensor n) -> Tensor", shiftedChebyshevW);
op("aten::special_shifted_chebyshev_polynomial_w.n_scalar(Tensor x, Scalar n) -> Tensor", shiftedChebyshevW);
