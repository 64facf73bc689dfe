/** @file The public API. Upstream: torch, torch.jit. Spec: none. */
import "./ops/index.ts";
import { CompilationUnit } from "./jit/compilation_unit.ts";
import { load, loadAsync } from "./jit/load.ts";
import {
  annotate,
  assert,
  exportMethod,
  ignore,
  isScripting,
  isinstance,
  mod,
  script,
  toFloat,
  toInt,
  unused,
} from "./jit/script.ts";
import { save } from "./jit/save.ts";
import { installExecutionGraph } from "./jit/execution.ts";
import { serialization, type Serialization } from "./jit/serialization.ts";
import { trace, traceModule } from "./jit/trace.ts";
import { isTracing } from "./jit/tracing/tracer.ts";
import { installTensorMethods } from "./torch/tensor_methods.ts";
import { torch as eager, type Torch } from "./torch/torch.ts";

installTensorMethods();
installExecutionGraph();

/** Compiling, loading and saving of TorchScript. Mirrors `torch.jit`. */
export const jit = {
  load,
  loadAsync,
  save,
  CompilationUnit,
  script,
  trace,
  traceModule,
  isTracing,
  annotate,
  assert,
  export: exportMethod,
  float: toFloat,
  ignore,
  int: toInt,
  isScripting,
  isinstance,
  mod,
  unused,
};

/** Tensors: every operator, creation, dtypes, settings, saving and loading. Mirrors `torch`. */
export const torch: Torch & Serialization = Object.assign(eager, serialization);

export { type ExecutionTier, setExecutionTier } from "./interpreter/tier.ts";
export * as nn from "./nn/index.ts";
export {
  type MemoryFigures,
  type OutOptions,
  type PrintOptionsChange,
  type RandomOptions,
  type TensorOptions,
  type Torch,
} from "./torch/torch.ts";
export {
  type ConversionOptions,
  type Index,
  type NestedData,
  type NormOptions,
  type Slice,
  type TypedData,
  type UniqueOptions,
} from "./tensor/tensor_api.ts";
export { Layout, MemoryFormat, QScheme } from "./tensor/format_names.ts";
export { Generator } from "./tensor/generator.ts";
export { ScriptModule, type ScriptMethod, type Scripted } from "./jit/script_module.ts";
export { type LoadInput, type LoadOptions } from "./jit/load.ts";
export { CompilationUnit, type CompiledFunction } from "./jit/compilation_unit.ts";
export { type CheckpointOptions, type Serialization } from "./jit/serialization.ts";
export { type TraceOptions, type TraceableFunction } from "./jit/trace.ts";
export { TracingCheckError } from "./jit/tracing/check_trace.ts";
export { type ScriptOptions, type ScriptedFunction, type float, type int } from "./jit/script.ts";
export { type Savable, type SaveOptions } from "./jit/save.ts";
export { type Platform, type SourcePosition, type SourceText, setPlatform } from "./jit/platform.ts";
export * from "./archive/index.ts";
export {
  ArchiveError,
  LimitError,
  OperatorError,
  PickleError,
  ScriptError,
  ScriptRuntimeError,
  TorchScriptError,
  UnsupportedError,
} from "./base/errors.ts";
export { LIMITS, type LimitOverrides } from "./base/limits.ts";
export { DTYPES, type DType, type DTypeName } from "./tensor/dtype.ts";
export { Complex, Float, type Scalar } from "./tensor/scalar.ts";
export { Device, Tensor } from "./tensor/tensor.ts";
export { EnumValue, Future, ScriptObject, dynamicTypeOf, tagDynamicType } from "./core/ivalue.ts";
export { ClassType, annotationStr, tupleOf, typeStr, type Type } from "./core/type.ts";
export { Graph, Node, Value, Block } from "./ir/graph.ts";
export { setPrintSink, setWarningSink, type PrintSink, type ScriptWarning, type WarningSink } from "./base/sinks.ts";
export {
  inspect,
  inspectConstants,
  type ArchiveSummary,
  type ConstantSummary,
  type ModuleSummary,
  type RecordSummary,
  type StorageSummary,
  type TensorSummary,
} from "./jit/inspect.ts";
export { listOperators, type OperatorSupport } from "./jit/operators.ts";
export { openProgram, type Program } from "./jit/program.ts";
export { verify, type Finding } from "./jit/verify.ts";
