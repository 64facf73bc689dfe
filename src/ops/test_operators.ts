/** @file The operators that PyTorch keeps to test its own schemas; archives of its tests call them. Upstream: aten/src/ATen/native/TestOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import type { Tensor } from "../tensor/tensor.ts";

function added(values: Tensor, addends: readonly number[] | null): Tensor {
  if (!addends) return values;
  if (values.ndim !== 1) throw new OperatorError("Expected values.dim() == 1 to be true, but got false.");
  return fromDoubles(
    doublesOf(values).map((v, i) => v + (addends[i] ?? 0)),
    values.sizes,
    values.dtype,
  );
}

op("aten::_test_optional_intlist(Tensor values, int[]? addends) -> Tensor", added);
op("aten::_test_optional_filled_intlist(Tensor values, int[2]? addends) -> Tensor", added);
op("aten::_test_optional_floatlist(Tensor values, float[]? addends) -> Tensor", added);
op(
  "aten::_test_serialization_subcmul(Tensor self, Tensor other, Scalar alpha=1) -> Tensor",
  (self, other, alpha) =>
    callOperator("aten::sub.Tensor", [self, callOperator("aten::mul.Scalar", [other, alpha]), 1]) as Tensor,
);
