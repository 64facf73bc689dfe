/** @file The public API. Upstream: torch, torch.jit. Spec: none. */
import "./ops/index.ts";
import { compilationUnit } from "./jit/compilation_unit.ts";
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
import { warmUp } from "./jit/warm_up.ts";
import { installTensorMethods } from "./torch/tensor_methods.ts";
import { torch as eager, type Torch } from "./torch/torch.ts";

installTensorMethods();
installExecutionGraph();

/** Compiling, loading and saving of TorchScript. Mirrors `torch.jit`. */
export const jit = {
  /** Opens a TorchScript archive. Mirrors `torch.jit.load`. */
  load,
  /** As `jit.load`, from a URL, Blob or stream as well. */
  loadAsync,
  /** Writes a ScriptModule to a file. Mirrors `torch.jit.save`. */
  save,
  /** Functions of TorchScript's own language from text. Mirrors `torch.jit.CompilationUnit`. */
  CompilationUnit: compilationUnit,
  /** Compiles a module or function from its source. Mirrors `torch.jit.script`. */
  script,
  /** Records what a function or module computes. Mirrors `torch.jit.trace`. */
  trace,
  /** Records several methods of a module. Mirrors `torch.jit.trace_module`. */
  traceModule,
  /** Whether a trace is being recorded. Mirrors `torch.jit.is_tracing`. */
  isTracing,
  /** Says the type of a value; gives the value back. Mirrors `torch.jit.annotate`. */
  annotate,
  /** Throws unless the condition holds: an assertion in scripts. */
  assert,
  /** Marks a method to be compiled. Mirrors `torch.jit.export`. */
  export: exportMethod,
  /** A float of a number, as Python's `float(x)`. */
  float: toFloat,
  /** Marks a method to be left to JavaScript. Mirrors `torch.jit.ignore`. */
  ignore,
  /** An int of a number, as Python's `int(x)`. */
  int: toInt,
  /** Whether the code runs as a script. Mirrors `torch.jit.is_scripting`. */
  isScripting,
  /** Whether a value is of a type. Mirrors `torch.jit.isinstance`. */
  isinstance,
  /** The remainder with the sign of the divisor, as Python's `%`. */
  mod,
  /** Marks a method that throws where a script calls it. Mirrors `torch.jit.unused`. */
  unused,
  /** Does what a first call does, before anybody waits for it. */
  warmUp,
};

/** Tensors: every operator, creation, dtypes, settings, saving and loading. Mirrors `torch`. */
export const torch: Torch & Serialization = Object.assign(eager, serialization);

export { type KernelBuild, setKernelBuild, supportedKernelBuilds } from "./tensor/kernels/wasm/build.ts";
export { setExactConvolution } from "./tensor/kernels/wasm/winograd.ts";
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
export { type WarmUpOptions } from "./jit/warm_up.ts";
export { CompilationUnit, type CompiledFunction } from "./jit/compilation_unit.ts";
export { type CheckpointOptions, type Serialization } from "./jit/serialization.ts";
export { type TraceModuleOptions, type TraceOptions, type TraceableFunction } from "./jit/trace.ts";
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
