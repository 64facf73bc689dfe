/** @file What single out= forms are particular about: the dtype of `out`, and how it lies after it was resized. Upstream: TensorIterator.cpp (unary ops that do not cast), resize_out_helper of generated out= forms. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import { canCast } from "../tensor/promotion.ts";
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
  addmm.out addmv.out aminmax.out avg_pool2d.out avg_pool3d.out baddbmm.out bmm.out cross.out cumprod.out cumsum.out
  diag.out diagonal_copy.out expand_copy.out index_add.out index_reduce.out linalg_cholesky.out linalg_cholesky_ex.L
  linalg_cross.out linalg_det.out linalg_eigh.eigvals linalg_eigvalsh.out linalg_inv.out linalg_inv_ex.inverse
  linalg_ldl_factor.out linalg_ldl_factor_ex.out linalg_ldl_solve.out linalg_lu.out linalg_lu_factor.out
  linalg_lu_factor_ex.out linalg_lu_solve.out linalg_qr.out linalg_slogdet.out linalg_solve.out linalg_solve_ex.out
  linalg_svd.U linalg_svdvals.out linear.out lu_solve.out lu_unpack.out matmul.out max.dim_max min.dim_min mm.out qr.Q
  renorm.out scatter.reduce_out scatter.src_out scatter.value_out scatter.value_reduce_out scatter_add.out
  scatter_reduce.two_out sort.values sort.values_stable svd.U topk.values triangular_solve.X tril.out triu.out
  unfold_copy.out view_copy.out
`);

/** Forms that compute elsewhere and copy: an `out` of other sizes becomes contiguous, however the result lies. */
const COPIED = keys(`
  cholesky.out cholesky_solve.out fft_fft.out fft_fft2.out fft_fftn.out fft_hfft.out fft_hfft2.out
  fft_hfftn.out fft_ifft2.out fft_ifftn.out fft_ihfft2.out fft_ihfftn.out fft_irfft.out fft_irfft2.out fft_irfftn.out
  fft_rfft.out fft_rfft2.out fft_rfftn.out linalg_lu.out
  linalg_matrix_power.out linalg_tensorinv.out lu_unpack.out nanquantile.out nanquantile.scalar_out quantile.out
  quantile.scalar_out
`);

/** Whether the out= form of an operator leaves an `out` that it resizes contiguous. */
export function isCopiedToOut(key: string): boolean {
  return COPIED.has(key.slice(key.indexOf("::") + 2));
}

/** What a form says of an `out` of another dtype: of any other, of one that the result cannot be cast to, or of another category. */
interface Refusal {
  readonly names: ReadonlySet<string>;
  readonly refuses: "other" | "uncastable" | "real" | "inexact" | "whole";
  /** `{o}`, `{r}` and `{s}` are the dtypes of `out`, of the result and of the input, `{co}` and `{cr}` their names in C++. */
  readonly text: string;
}

const refusal = (refuses: Refusal["refuses"], text: string, names: string): Refusal => ({
  names: keys(names),
  refuses,
  text,
});

/** Linear algebra that computes in the dtype of its input and then casts. */
const castably = (name: string, what: string, names: string): Refusal =>
  refusal(
    "uncastable",
    `${name}: Expected ${what} to be safely castable from {r} dtype, but got ${what} with dtype {o}`,
    names,
  );

const SEARCHED =
  "torch.searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on whether out_int32 flag is True, but we got output tensor's dtype {o} and out_int32 flag is {flag}";

const REFUSALS: readonly Refusal[] = [
  refusal(
    "uncastable",
    "torch.cat(): input types can't be cast to the desired output type {o}",
    "_chunk_cat.out cat.out column_stack.out concat.out concatenate.out dstack.out hstack.out row_stack.out stack.out vstack.out",
  ),
  refusal(
    "other",
    "expected scalar type {r} but found {o}",
    `_native_batch_norm_legit.no_stats_out _native_batch_norm_legit.out linalg_solve_triangular.out log_sigmoid.out
     native_batch_norm.out`,
  ),
  refusal("other", "expected scalar_type {r} but found {o}", "cummax.out cummin.out logcumsumexp.out"),
  refusal(
    "other",
    "quantile() out tensor must be same dtype as the input tensor",
    "nanquantile.out nanquantile.scalar_out quantile.out quantile.scalar_out",
  ),
  refusal("other", SEARCHED, "bucketize.Tensor_out searchsorted.Scalar_out searchsorted.Tensor_out"),
  refusal("other", "result dtype {o} does not match input dtype {r}", "dot.out vdot.out"),
  refusal("other", "addmv input tensors must have the same dtype, but got {o}, {r}, and {r}", "mv.out"),
  refusal(
    "other",
    "torch.histogram: input tensor and hist tensor should have the same dtype, but got input {cr} and hist {co}",
    "histc.out histogram.bin_ct_out histogram.bins_tensor_out",
  ),
  ...["fft", "ifft", "rfft", "ihfft"].map((f) =>
    refusal("real", `${f} expects a complex output tensor, but got {o}`, `fft_${f}.out`),
  ),
  refusal(
    "real",
    "fftn expects a complex output tensor, but got {o}",
    "fft_fft2.out fft_fftn.out fft_ifft2.out fft_ifftn.out",
  ),
  refusal("real", "rfftn expects a complex output tensor, but got {o}", "fft_rfft2.out fft_rfftn.out"),
  refusal("real", "ihfftn expects a complex output tensor, but got {o}", "fft_ihfft2.out fft_ihfftn.out"),
  ...["hfft", "irfft"].flatMap((f) => [
    refusal("inexact", `${f} expects a floating point output tensor, but got {o}`, `fft_${f}.out`),
    refusal("inexact", `${f}n expects a floating point output tensor, but got {o}`, `fft_${f}2.out fft_${f}n.out`),
  ]),
  refusal("whole", "logsumexp(): Expected floating point type for result tensor, but got: {o}", "logsumexp.out"),
  refusal(
    "other",
    "linalg.matrix_norm expected out tensor dtype {r} but got: {o}",
    "linalg_matrix_norm.out linalg_matrix_norm.str_ord_out",
  ),
  refusal("other", "linalg.norm expected out tensor dtype {r} but got: {o}", "linalg_norm.ord_str_out linalg_norm.out"),
  refusal("other", "linalg.vecdot: Expected out of dtype{r} but found {o}", "linalg_vecdot.out"),
  refusal("other", "multi_dot(): expected out tensor to have dtype {cr} but got {co}", "linalg_multi_dot.out"),
  refusal("other", "self and mat2 must have the same dtype, but got {o} and {r}", "addbmm.out"),
  castably("matrix_power", "result", "linalg_matrix_power.out"),
  castably("tensorinv", "result", "linalg_tensorinv.out"),
  castably("tensorsolve", "result", "linalg_tensorsolve.out"),
  castably("cholesky", "result", "cholesky.out"),
  castably("cholesky_inverse", "result", "cholesky_inverse.out"),
  castably("cholesky_solve", "result", "cholesky_solve.out"),
  castably("linalg.pinv", "result", "linalg_pinv.atol_rtol_float_out linalg_pinv.out linalg_pinv.atol_rtol_tensor_out"),
  castably("linalg.cond", "result", "linalg_cond.out linalg_cond.p_str_out"),
  castably("torch.linalg.householder_product", "result", "linalg_householder_product.out orgqr.out"),
  castably("torch.linalg.eig", "eigenvalues", "linalg_eig.out"),
  castably("torch.linalg.eigvals", "eigenvalues", "linalg_eigvals.out"),
  castably("torch.linalg.lstsq", "solution", "linalg_lstsq.out"),
  castably("torch.geqrf", "a", "geqrf.a"),
  refusal(
    "other",
    "torch.ormqr: Expected input and result to have the same dtype, but input has dtype{r} and result has dtype {o}",
    "ormqr.out",
  ),
  ...["all", "any"].map((f) =>
    refusal("other", `${f} only supports bool tensor for result, got: {o}`, `${f}.all_out ${f}.dims_out`),
  ),
  refusal(
    "uncastable",
    "Expected canCast( typeMetaToScalarType(self.dtype()), typeMetaToScalarType(out.dtype())) to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    "max.unary_out min.unary_out",
  ),
  ...["signbit", "isneginf", "isposinf"].map((f) =>
    refusal("other", `${f} does not support non-boolean outputs.`, `${f}.out`),
  ),
  refusal("uncastable", "ldexp can't be cast to the desired output type {o}", "ldexp.out"),
  refusal(
    "other",
    "Expected self.dtype() == output.dtype() to be true, but got false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    "narrow_copy.out",
  ),
  refusal("other", "heaviside is not yet implemented for tensors with different dtypes.", "heaviside.out"),
  refusal("other", "index_select(): self and result must have the same scalar type", "index_select.out"),
  refusal(
    "other",
    "take(): self and out expected to have the same dtype, but got self.dtype = {r} and out.dtype = {o}",
    "take.out",
  ),
  refusal(
    "other",
    "the output given to float_power has dtype {o} but the operation's result requires dtype {r}",
    "float_power.Scalar_out float_power.Tensor_Scalar_out float_power.Tensor_Tensor_out",
  ),
  refusal("other", "output values must be of same type as input", "kthvalue.values"),
  refusal("other", "expected scalar type '{r}' but got '{o}' for values output", "mode.values"),
  refusal("other", "nan_to_num: dtype of out: {o} should be same as input: {r}", "nan_to_num.out"),
  refusal("uncastable", "mvlgamma: result type {s} can't be cast to the desired output type {r}", "mvlgamma.out"),
  refusal("other", "torch.frexp() expects mantissa to have dtype {cr} but got {co}", "frexp.Tensor_out"),
  refusal("other", "Found dtype {o} but expected {r}", "round.decimals_out"),
  refusal("uncastable", "mean.dtype_out(): input types can't be cast to the desired output type {o}", "mean.dtype_out"),
  refusal(
    "uncastable",
    "tensordot: Expected the output tensor to have dtype {r}, but got an output tensor with dtype {o}",
    "inner.out",
  ),
];

let refusals: Map<string, Refusal> | undefined;

function isRefused(refuses: Refusal["refuses"], out: Tensor, result: Tensor): boolean {
  if (refuses === "uncastable") return !canCast(result.dtype, out.dtype);
  if (refuses === "real") return out.dtype.category !== "complex";
  if (refuses === "whole") return out.dtype.category !== "float" && out.dtype.category !== "complex";
  return refuses === "other" || out.dtype.category !== "float";
}

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
  refusals ??= new Map(REFUSALS.flatMap((one) => Array.from(one.names, (n) => [n, one] as const)));
  const known = refusals.get(name);
  if (!known || !isRefused(known.refuses, out, result)) return;
  const words: Readonly<Record<string, string>> = {
    o: out.dtype.cppName,
    r: result.dtype.cppName,
    s: input instanceof Tensor ? input.dtype.cppName : "",
    co: cppScalarName(out.dtype),
    cr: cppScalarName(result.dtype),
    flag: result.dtype.name === "int32" ? "True" : "False",
  };
  throw new OperatorError(known.text.replace(/\{(\w+)\}/g, (_, word: string) => words[word]!));
}
