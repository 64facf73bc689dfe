/** @file Parameter: a tensor that a module counts among its parameters. Upstream: torch/nn/parameter.py. Spec: none. */
import { tensorText } from "../tensor/print.ts";
import { Tensor, setRequiresGrad } from "../tensor/tensor.ts";

/** Options of `new Parameter`. */
export interface ParameterOptions {
  /** Whether training changes it; true where left out. */
  readonly requiresGrad?: boolean;
}

/**
 * A tensor that becomes a parameter of the module it is assigned to. Shares the elements of the tensor it is made of.
 * @throws OperatorError where it asks for gradients and its dtype has none.
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, options: ParameterOptions = {}) {
    super(data.storage, data.dtype, data.sizes, data.strides, data.storageOffset);
    this.device = data.device;
    this.isConj = data.isConj;
    this.isNeg = data.isNeg;
    setRequiresGrad(this, options.requiresGrad ?? true);
    this.isParameter = true;
  }

  /** Python's `repr`: `Parameter containing:` and the tensor. */
  override toString(): string {
    return `Parameter containing:\n${tensorText(this)}`;
  }
}

/** Gives a tensor other elements, as `tensor.data = other` does in Python: who holds the tensor sees them. */
export function setData(tensor: Tensor, data: Tensor): void {
  tensor.storage = data.storage;
  tensor.dtype = data.dtype;
  tensor.setGeometry(data.sizes, data.strides);
  tensor.storageOffset = data.storageOffset;
  tensor.device = data.device;
  tensor.isConj = data.isConj;
  tensor.isNeg = data.isNeg;
}
