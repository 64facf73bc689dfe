/** @file The out= forms that take one dtype only: that of the result. Upstream: TensorIterator.cpp (unary ops that do not cast), resize_out_helper of generated out= forms. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import { Tensor } from "../tensor/tensor.ts";

const keys = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/));

/** Element-wise kernels that do not convert what they compute. */
const UNCONVERTED = keys(`
  abs.out absolute.out binary_cross_entropy.out bitwise_not.out ceil.out clamp_max.out clamp_min.out conj_physical.out
  elu.out fix.out floor.out frac.out gelu.out hardshrink.out hardsigmoid.out hardswish.out hardtanh.out
  huber_loss_backward.out leaky_relu.out lerp.Tensor_out mish.out neg.out negative.out round.out sgn.out sign.out silu.out
  soft_margin_loss.out softplus.out softshrink.out special_round.out trunc.out
`);

/** Forms that PyTorch generates of the functional ones, and those that are written alike. */
const GENERATED = keys(`
  add.Scalar_out alias_copy.out argmax.out argmin.out as_strided_copy.out bernoulli.float_out
  binary_cross_entropy_with_logits.out bucketize.Scalar_out celu.out clone.out count_nonzero.dim_IntList_out
  count_nonzero.out detach_copy.out diag_embed.out dist.out div.Scalar_out fill.Scalar_out flip.out
  floor_divide.Scalar_out frobenius_norm.out hardswish_backward.out index_copy.out isin.Scalar_Tensor_out
  isin.Tensor_Scalar_out isin.Tensor_Tensor_out isinf.out isnan.out linalg_vector_norm.out log_softmax.int_out median.out
  msort.out mul.Scalar_out nanmedian.out native_dropout_backward.out norm.out norm.Scalar_out permute_copy.out poisson.out
  prod.out relu.out remainder.Scalar_Tensor_out repeat.out roll.out rsub.Scalar_out rsub.Tensor_out select_copy.int_out
  slice_copy.Tensor_out slice_scatter.out softmax.int_out squeeze_copy.dim_out squeeze_copy.dims_out squeeze_copy.out
  sub.Scalar_out sum.out t_copy.out take_along_dim.out transpose_copy.int_out unsqueeze_copy.out view_as_complex_copy.out
  view_copy.dtype_out zero.out
`);

/** Checks the dtype of what the out= form of an operator of `input` is to write to. @throws OperatorError */
export function checkOutDtype(key: string, out: Tensor, result: Tensor, input: unknown): void {
  if (out.dtype === result.dtype) return;
  const name = key.slice(key.indexOf("::") + 2);
  // moduli are converted
  const isModulus =
    input instanceof Tensor && input.dtype.category === "complex" && result.dtype.category !== "complex";
  if (UNCONVERTED.has(name) && !isModulus)
    throw new OperatorError(`Found dtype ${out.dtype.cppName} but expected ${result.dtype.cppName}`);
  if (GENERATED.has(name))
    throw new OperatorError(
      `Expected out tensor to have dtype ${cppScalarName(result.dtype)}, but got ${cppScalarName(out.dtype)} instead`,
    );
}
