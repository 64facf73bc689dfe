/** @file Sparse COO tensors. Upstream: none. Spec: none. */
