/** @file Contiguous copies of weights that lie otherwise, kept beside them. Upstream: none (PyTorch's kernels read channels_last weights). Spec: none. */
import { contiguousAs } from "../tensor/clone.ts";
import { kernelMemory } from "../tensor/kernels/wasm/build.ts";
import type { Storage } from "../tensor/storage.ts";
import { withLastingStorages } from "../tensor/temporaries.ts";
import type { Tensor } from "../tensor/tensor.ts";

interface KeptCopy {
  readonly version: number;
  readonly layout: string;
  readonly copy: Tensor;
}

/** The last copy of a storage. */
const copies = new WeakMap<Storage, KeptCopy>();

const layoutOf = (t: Tensor): string => [t.dtype.name, t.storageOffset, ...t.sizes, ...t.strides].join();

/**
 * A weight as kernels read it: itself, or a copy that is kept until the weight is written to, as kernels keep what they pack of it. Values
 * in the kernels' memory are the interpreter's, and written to without notice.
 */
export function plainWeight(weight: Tensor): Tensor {
  if (weight.isContiguous() || weight.isNeg || weight.isConj) return contiguousAs(weight, weight.dtype);
  const { storage } = weight;
  const known = copies.get(storage);
  const layout = layoutOf(weight);
  if (known?.version === storage.version && known.layout === layout) return known.copy;
  const copy = withLastingStorages(() => contiguousAs(weight, weight.dtype));
  if (!kernelMemory()?.holds(storage)) copies.set(storage, { version: storage.version, layout, copy });
  return copy;
}
