/** @file Cases whose trace differs from PyTorch's, and why. A case that comes to agree must be taken out. */

const DIFFERENT_CALLS = "our function calls other operators than PyTorch's";

/** Reasons by name. */
export const KNOWN_DIFFERENCES: Readonly<Record<string, string>> = {
  EmbeddingBag: DIFFERENT_CALLS,
  MultiheadAttention: DIFFERENT_CALLS,
  MultiheadAttention_train: DIFFERENT_CALLS,
  MultiheadAttention_batch_first: DIFFERENT_CALLS,
  MultiheadAttention_unbatched: DIFFERENT_CALLS,
  MultiheadAttention_kv: DIFFERENT_CALLS,
  TransformerEncoderLayer: DIFFERENT_CALLS,
  TransformerEncoderLayer_train: DIFFERENT_CALLS,
  TransformerEncoderLayer_first: DIFFERENT_CALLS,
  TransformerDecoderLayer: DIFFERENT_CALLS,
  TransformerDecoderLayer_first: DIFFERENT_CALLS,
  Transformer: DIFFERENT_CALLS,
};
