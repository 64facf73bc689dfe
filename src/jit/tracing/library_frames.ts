/** @file Which functions of `nn` have no Python frame in PyTorch. Upstream: torch/nn/functional.py, torch/functional.py, torch/_tensor.py. Spec: none. */

/** Functions of `nn` that are built into PyTorch, or are helpers of ours: the frame that calls them is the one that counts. */
export const BUILT_IN_FUNCTIONS: ReadonlySet<string> = new Set([
  // helpers
  "avgPoolNd",
  "convolve",
  "convolveTransposed",
  // torch.nn.functional
  "linear",
  "bilinear",
  "conv1d",
  "conv2d",
  "conv3d",
  "conv_transpose1d",
  "conv_transpose2d",
  "conv_transpose3d",
  "conv_tbc",
  "avg_pool1d",
  "avg_pool2d",
  "avg_pool3d",
  "adaptive_avg_pool1d",
  "gelu",
  "logsigmoid",
  "softplus",
  "hardshrink",
  "softshrink",
  "prelu",
  "pixel_shuffle",
  "pixel_unshuffle",
  "channel_shuffle",
  "native_channel_shuffle",
  "pdist",
  "pairwise_distance",
  "cosine_similarity",
  "one_hot",
  "scaled_dot_product_attention",
]);

/** Functions and methods that are written in Python there, whose own variables (`self`, tuples) name nothing. */
export const FRAMELESS_OPERATORS: ReadonlySet<string> = new Set([
  "einsum",
  "norm",
  "split",
  "unique",
  "stft",
  "istft",
  "meshgrid",
  "broadcast_tensors",
  "block_diag",
  "cartesian_prod",
  "atleast_1d",
  "atleast_2d",
  "atleast_3d",
  "chain_matmul",
  "unravel_index",
  "unflatten",
]);
