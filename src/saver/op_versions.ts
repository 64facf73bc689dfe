/** @file The archive version that an operator needs: what decides a file's version record. Upstream: torch/csrc/jit/operator_upgraders/version_map.cpp, frontend/versioned_symbols.cpp. Spec: spec/versions.md. */
import { operatorName, type FunctionSchema } from "../core/schema.ts";

const DIV_VERSION = 4; // integer division became true division
const FULL_VERSION = 5; // full infers its dtype
const LINSPACE_VERSION = 8;
const LOGSPACE_VERSION = 9;
const GELU_VERSION = 10;

// prettier-ignore
const MIN_VERSIONS = new Map<string, number>([
  ...["div.Tensor", "div.Tensor_mode", "div.Scalar", "div.Scalar_mode", "div.out", "div.out_mode",
      "div_.Tensor", "div_.Tensor_mode", "div_.Scalar", "div_.Scalar_mode"].map((op) => [`aten::${op}`, DIV_VERSION] as const),
  ["aten::full", FULL_VERSION], ["aten::full.out", FULL_VERSION],
  ["aten::linspace", LINSPACE_VERSION], ["aten::linspace.out", LINSPACE_VERSION],
  ["aten::logspace", LOGSPACE_VERSION], ["aten::logspace.out", LOGSPACE_VERSION],
  ["aten::gelu", GELU_VERSION], ["aten::gelu.out", GELU_VERSION],
]);

const CHANGED = new Set([...MIN_VERSIONS.keys()].map((name) => name.split(".", 1)[0]!));

/** The first archive version in which the operator means what it means today; 0 for operators that never changed. */
export function minVersionOf(schema: FunctionSchema): number {
  return CHANGED.has(schema.name) ? (MIN_VERSIONS.get(operatorName(schema)) ?? 0) : 0;
}
