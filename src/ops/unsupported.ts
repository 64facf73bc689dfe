/** @file Why an operator of PyTorch's table has no kernel here: one place for the reasons. Upstream: none. Spec: none. */

/** Patterns on `namespace::name.overload(schema)`, first match counts. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /^(c10d|_c10d_functional|_c10d_functional_autograd|symm_mem|_dtensor)::/,
    "distributed collectives: one process, one machine",
  ],
  [
    /^(prims|rngprims|inductor|inductor_prims|debugprims|export|debug_mode_ops|_native|_test|profiler)::/,
    "internal to torch.compile and PyTorch's own tests: archives cannot call it",
  ],
  [/^(mkldnn|mkldnn_prepacked|mkl|onednn|onnx|static_runtime|quantization)::/, "operators of a native backend"],
  [/cudnn|miopen|_cuda|cuda_|cusparselt|_cslt|mps_|_mps|xpu|hpu|triton|cutlass/i, "a GPU library's operator"],
  [/mkldnn|onednn|_mkl_|xnnpack|nnpack|fbgemm/i, "operators of a native backend"],
  [/_foreach_|_fused_(adam|adamw|sgd|adagrad|moving_avg)|_amp_/, "fused training loops over parameter lists"],
  [/nested|jagged/i, "nested tensors"],
  [/Dimname|names\b.*Dimname|align_|rename|refine_names/, "named tensors"],
  [
    /sparse_(csr|csc|bsr|bsc|semi)|_sparse_semi|to_sparse_(csr|csc|bsr|bsc)|(ccol|crow|row)_indices|_compressed/,
    "compressed sparse layouts: loaded and saved, not computed with",
  ],
  [/rpc_|rref|dist_/, "remote procedure calls"],
  [
    /_functional_sym|sym_constrain|_assert_async|_assert_tensor_metadata|_print\b|functional_assert/,
    "guards of torch.compile and torch.export",
  ],
  [/_backward|_jvp|_vjp|_double_back/, "derivatives: they come with the gradient tape"],
  [/_out\(|\.out\(|_copy\.out/, "an out= form whose functional form is missing"],
];

/** The reason for an operator without a kernel; a general one where no pattern matches. */
export function reasonForMissing(schema: string): string {
  for (const [pattern, reason] of REASONS) if (pattern.test(schema)) return reason;
  return "not written yet";
}
