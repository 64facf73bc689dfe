/** @file Everything else that scripts call: exceptions, enums, optionals, grad mode, profiling, clocks, tracing state. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp, register_prim_ops_fulljit.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { emitSave } from "../base/sinks.ts";
import { isGradEnabled, setGradEnabled } from "../core/grad_mode.ts";
import { Future, type EnumValue } from "../core/ivalue.ts";
import { makeNative } from "../core/native_class.ts";
import { builtin } from "../core/operator_registry.ts";
import { typedBuiltin } from "../core/typed_builtin.ts";
import { AnyT } from "../core/type.ts";
import { normalizeInt, type Int } from "../tensor/scalar.ts";

builtin("aten::_unwrap_optional(t(a)? optional) -> t(a)", (value: unknown) => {
  if (value === null) throw new OperatorError("Unwrapping null optional");
  return value;
});
builtin("prim::EnumName(AnyEnumType enum) -> str", (member: EnumValue) => member.name);

builtin("aten::save(t item, str filename) -> ()", emitSave);
builtin("aten::is_scripting() -> bool", () => true);
builtin("aten::has_torch_function(...) -> bool", () => false);
builtin("aten::_get_tracing_state() -> bool", () => false);
builtin("aten::is_grad_enabled() -> bool", isGradEnabled);
builtin("aten::set_grad_enabled(bool val) -> ()", (value: boolean) => {
  setGradEnabled(value);
});

builtin("aten::is_autocast_enabled() -> bool", () => false);
builtin("aten::is_autocast_cpu_enabled() -> bool", () => false);
// bfloat16 on the CPU, half elsewhere
builtin("aten::get_autocast_dtype(str device_type) -> ScalarType", (device: string) => (device === "cpu" ? 15 : 5));
builtin("aten::_nnpack_available() -> bool", () => false);
builtin("aten::is_vulkan_available() -> bool", () => false);
builtin("aten::_use_cudnn_rnn_flatten_weight() -> bool", () => false);
builtin("aten::_get_cpu_capability() -> str", () => "DEFAULT");
builtin("aten::_assert_scalar(Scalar self, str assert_msg) -> ()", (value: unknown, message: string) => {
  if (value === 0 || value === false) throw new OperatorError(message);
});
builtin("aten::sym_constrain_range(Scalar size, *, int? min=None, int? max=None) -> ()", () => {});
builtin("aten::sym_constrain_range_for_size(Scalar size, *, int? min=None, int? max=None) -> ()", () => {});

declare const performance: { now(): number };
builtin("prim::TimePoint() -> int", () => normalizeInt(BigInt(Math.round(performance.now() * 1e6))));
builtin("prim::AddStatValue(str key, int val) -> ()", (_key: string, _value: Int) => {});

// profiler ranges do nothing
builtin(
  "profiler::_record_function_enter_new(str name, str? args=None) -> __torch__.torch.classes.profiler._RecordFunction",
  () => makeNative("profiler._RecordFunction", null),
);
builtin(
  "profiler::_record_function_exit._RecordFunction(__torch__.torch.classes.profiler._RecordFunction record) -> ()",
  () => {},
);
builtin(
  "profiler::_call_end_callbacks_on_jit_fut._RecordFunction(__torch__.torch.classes.profiler._RecordFunction x, Future(t) y) -> Future(t)",
  (_record: unknown, future: unknown) => future,
);

typedBuiltin(
  "prim::awaitable_nowait(t self) -> Await(t)",
  ([type]) =>
    (value: unknown) =>
      Future.completed(type ?? AnyT, value),
);
