/** @file Tensors whose elements are kept another way, or nowhere: their storages have no bytes and say so. Upstream: c10/core/TensorImpl.h (storage_access_should_throw). Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { DType } from "./dtype.ts";
import { Storage } from "./storage.ts";
import { contiguousStrides } from "./strides.ts";
import { META, Tensor, type SparseParts } from "./tensor.ts";

const refusal = (operator: string, backend: string): string =>
  `Could not run ${operator} with arguments from the '${backend}' backend. This could be because the operator doesn't exist for this backend, or was omitted during the selective/custom build process (if using custom build).`;

/** A kernel asked for elements that a tensor does not have. Who knows the operator gives it its name (`of`). */
export class AbsentElements extends OperatorError {
  private readonly backend: string;
  constructor(backend: string) {
    super(refusal("an operator", backend));
    this.backend = backend;
  }

  /** The error of an operator, e.g. `aten::cumsum`. */
  of(operator: string): OperatorError {
    return new OperatorError(refusal(`'${operator}'`, this.backend));
  }
}

type AbsentStorage = Storage & { backend: string };

/** A storage of no bytes that throws AbsentElements where somebody asks where they are. `backend` is PyTorch's name, e.g. `SparseCPU`. */
function absentStorage(backend: string): Storage {
  const storage = Object.create(ABSENT) as AbsentStorage;
  storage.nbytes = 0;
  storage.version = 0;
  storage.backend = backend;
  return storage;
}

function refuse(this: AbsentStorage): never {
  throw new AbsentElements(this.backend);
}

/** What stands before `Storage.prototype`. */
const ABSENT: object = Object.create(Storage.prototype, {
  segment: { get: refuse, set: refuse },
  byteOffset: { get: refuse, set: refuse },
  hasBytes: { value: false },
});

/** A tensor that is its indices and values. */
export function tensorOfParts(parts: SparseParts, sizes: readonly number[]): Tensor {
  const backend = parts.layout === "sparse_coo" ? "SparseCPU" : "SparseCsrCPU";
  const tensor = new Tensor(absentStorage(backend), parts.values.dtype, sizes, contiguousStrides(sizes), 0);
  tensor.sparse = parts;
  return tensor;
}

/** A tensor of the meta device: a geometry without elements. */
export function metaTensor(dtype: DType, sizes: readonly number[], strides: readonly number[]): Tensor {
  const tensor = new Tensor(absentStorage("Meta"), dtype, sizes, strides, 0);
  tensor.device = META;
  return tensor;
}

/** A nested tensor of its components, which have the same number of dimensions; `like` has the dtype. */
export function tensorOfComponents(components: readonly Tensor[], like: Tensor): Tensor {
  const dtype = components[0]?.dtype ?? like.dtype;
  const inner = components[0]?.sizes ?? like.sizes.slice(1);
  const sizes = [components.length, ...inner.map((_, d) => Math.max(0, ...components.map((c) => c.sizes[d]!)))];
  const tensor = new Tensor(absentStorage("NestedTensorCPU"), dtype, sizes, contiguousStrides(sizes), 0);
  tensor.nested = components;
  return tensor;
}
