/** @file Sequences of different lengths in one batch. Upstream: torch/nn/utils/rnn.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { fromData, toNumbers } from "../tensor/data.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { boxFloat } from "../tensor/scalar.ts";
import { Tensor } from "../tensor/tensor.ts";
import { aten, atenMany } from "./aten.ts";
import { dimNumber, numelOf, sizeOf } from "./sizes.ts";

/** A batch of sequences, step by step: of each step only the sequences that last so long. Made by `packPaddedSequence`. */
export class PackedSequence {
  /** The elements of all sequences, step by step. */
  readonly data: Tensor;
  /** How many sequences each step has. */
  readonly batchSizes: Tensor;
  /** Where the sequences were in the batch, the longest first; null where they came in this order. */
  readonly sortedIndices: Tensor | null;
  /** The way back. */
  readonly unsortedIndices: Tensor | null;
  constructor(
    data: Tensor,
    batchSizes: Tensor,
    sortedIndices: Tensor | null = null,
    unsortedIndices: Tensor | null = null,
  ) {
    this.data = data;
    this.batchSizes = batchSizes;
    this.sortedIndices = sortedIndices;
    this.unsortedIndices = unsortedIndices ?? invertPermutation(sortedIndices);
  }
}

/** The permutation that takes another one back. */
export function invertPermutation(permutation: Tensor | null): Tensor | null {
  if (!permutation) return null;
  // by operators, so that a trace inverts the permutation that it meets
  const output = aten("empty_like", permutation, { memory_format: 0 });
  return aten("scatter_", output, 0, permutation, aten("arange", 0, numelOf(permutation)));
}

/** What packing needs to know. */
export interface PackOptions {
  /** Whether the batch is (N, L, ...) instead of (L, N, ...). */
  readonly batchFirst?: boolean;
  /** Whether the lengths must fall already; true where left out. */
  readonly enforceSorted?: boolean;
}

/** Lengths as a tensor of int64. */
function asLengths(lengths: readonly number[] | Tensor): Tensor {
  return lengths instanceof Tensor
    ? aten("to", lengths, DTYPES.int64)
    : fromData([...lengths], [lengths.length], DTYPES.int64);
}

/** Packs a padded batch. `given`: how long each sequence is. */
export function packPaddedSequence(
  input: Tensor,
  given: readonly number[] | Tensor,
  options: PackOptions = {},
): PackedSequence {
  const { batchFirst = false, enforceSorted = true } = options;
  let lengths = asLengths(given);
  let sortedIndices: Tensor | null = null;
  if (!enforceSorted) {
    [lengths, sortedIndices] = atenMany("sort", lengths, { descending: true }) as [Tensor, Tensor];
    input = aten("index_select", input, batchFirst ? 0 : 1, sortedIndices);
  }
  const [data, batchSizes] = atenMany("_pack_padded_sequence", input, lengths, batchFirst) as [Tensor, Tensor];
  return new PackedSequence(data, batchSizes, sortedIndices);
}

/** How a packed batch is padded. */
export interface PadPackedOptions {
  /** The batch is dimension 0 instead of 1. */
  readonly batchFirst?: boolean;
  /** What fills the places behind the end of a sequence. */
  readonly paddingValue?: number;
  /** The length that the result is padded to; that of the longest sequence where left out. */
  readonly totalLength?: number;
}

/** The padded batch of a packed one, and the lengths. */
export function padPackedSequence(
  sequence: PackedSequence,
  options: PadPackedOptions = {},
): [padded: Tensor, lengths: Tensor] {
  const { batchFirst = false, paddingValue = 0 } = options;
  let maxSeqLength = sizeOf(sequence.batchSizes, 0);
  const { totalLength: total = maxSeqLength } = options;
  if (typeof total === "number" && total < dimNumber(maxSeqLength)) {
    throw new OperatorError(
      `Expected total_length to be at least the length of the longest sequence in input, but got total_length=${total} and max sequence length being ${dimNumber(maxSeqLength)}`,
    );
  }
  maxSeqLength = total;
  const [paddedOutput, lengths] = atenMany(
    "_pad_packed_sequence",
    sequence.data,
    sequence.batchSizes,
    batchFirst,
    boxFloat(paddingValue),
    maxSeqLength,
  ) as [Tensor, Tensor];
  const order = sequence.unsortedIndices;
  if (!order) return [paddedOutput, lengths];
  return [aten("index_select", paddedOutput, batchFirst ? 0 : 1, order), aten("index_select", lengths, 0, order)];
}

/** How sequences are padded. */
export interface PadSequenceOptions {
  /** The batch is dimension 0 instead of 1. */
  readonly batchFirst?: boolean;
  /** What fills the places behind the end of a sequence. */
  readonly paddingValue?: number;
  /** Where short sequences are filled: `"right"` or `"left"`. */
  readonly paddingSide?: "left" | "right";
}

/** One batch of sequences, padded to the longest. */
export function padSequence(sequences: readonly Tensor[], options: PadSequenceOptions = {}): Tensor {
  const { batchFirst = false, paddingValue = 0, paddingSide = "right" } = options;
  return aten("pad_sequence", sequences, batchFirst, paddingValue, paddingSide);
}

/** The sequences of a padded batch. */
export function unpadSequence(
  padded: Tensor,
  lengths: readonly number[] | Tensor,
  options: Pick<PadSequenceOptions, "batchFirst"> = {},
): Tensor[] {
  const sizes = lengths instanceof Tensor ? toNumbers(lengths) : lengths;
  const batch = options.batchFirst ? padded : aten("transpose", padded, 0, 1);
  return sizes.map((length, i) => aten("narrow", aten("select", batch, 0, i), 0, 0, length));
}

/** Packs sequences. */
export function packSequence(
  sequences: readonly Tensor[],
  options: Pick<PackOptions, "enforceSorted"> = {},
): PackedSequence {
  const lengths = sequences.map((sequence) => sequence.sizes[0]!);
  return packPaddedSequence(padSequence(sequences), lengths, options);
}

/** The sequences of a packed batch. */
export function unpackSequence(packed: PackedSequence): Tensor[] {
  const [padded, lengths] = padPackedSequence(packed, { batchFirst: true });
  return unpadSequence(padded, lengths, { batchFirst: true });
}
