/** @file The library as the compiler sees it: what `torch.*`, `F.*`, `math.*` and the like mean, and library functions compiled from their scripts on demand. Upstream: torch/jit/_builtins.py, torch/jit/_recursive.py (try_compile_fn), torch/csrc/jit/python/python_sugared_value.cpp (toSugaredValue). Spec: none. */
import { internalAssert } from "../../base/errors.ts";
import { Source } from "../../base/source_range.ts";
import { schemasFor } from "../../core/operator_registry.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import type { Def } from "../../frontend/ast.ts";
import { builtinFunctionsFor } from "../../frontend/emit/builtin_functions.ts";
import { defineFunction } from "../../frontend/emit/compile.ts";
import { FunctionValue } from "../../frontend/emit/sugared_callable.ts";
import { BuiltinFunction, SpecialFormValue, type SugaredValue } from "../../frontend/emit/sugared_value.ts";
import { parsePythonDefinitions } from "../../frontend/python_syntax.ts";
import type { Resolver } from "../../frontend/resolver.ts";
import { ScriptFunction } from "../../ir/function.ts";
import * as functional from "../../nn/functional.ts";
import * as init from "../../nn/init.ts";
import { FUNCTION_SCRIPTS } from "../../nn/scripts/index.ts";
import type { BooleanDispatch, FunctionScripts } from "../../nn/scripts/script_text.ts";
import { finishEmission } from "../../passes/pipeline.ts";
import { DTYPES } from "../../tensor/dtype.ts";
import { torch } from "../../torch/torch.ts";
import { pythonCu, qualifiedNameOf, uniqueName, unitStore } from "../python_cu.ts";
import {
  ConstantName,
  DispatchedFunction,
  OverloadedFunction,
  PythonException,
  PythonModule,
  UncompilableFunction,
} from "./library_values.ts";

/** A script and where it is written. */
interface Entry {
  readonly scripts: FunctionScripts;
  readonly name: string;
}

let entries: Map<string, Entry> | undefined;
/** Library functions that have a script, by dotted name. */
function entryOf(path: string): Entry | undefined {
  if (!entries) {
    entries = new Map();
    for (const scripts of FUNCTION_SCRIPTS) {
      const { module, source, dispatch = {}, aliases = {} } = scripts;
      const defined = Array.from(source.matchAll(/^def (\w+)/gm), (m) => m[1]!);
      for (const name of [...defined, ...Object.keys(dispatch)]) entries.set(`${module}.${name}`, { scripts, name });
      for (const [alias, name] of Object.entries(aliases)) entries.set(`${module}.${alias}`, { scripts, name });
    }
  }
  return entries.get(path);
}

const parsed = new WeakMap<FunctionScripts, ReadonlyMap<string, Def>>();
/** The definition of a function of some scripts. */
function definitionOf({ scripts, name }: Entry): Def {
  let defs = parsed.get(scripts);
  if (!defs) {
    const source = new Source(scripts.source, `<${scripts.module}>`, 1);
    defs = new Map(parsePythonDefinitions(source).map((def) => [def.name.name, def]));
    parsed.set(scripts, defs);
  }
  const def = defs.get(name);
  internalAssert(def, `no script defines ${scripts.module}.${name}`);
  return def;
}

/** The definition with the parameters of one of its overloads. */
function withSignature(def: Def, signature: string): Def {
  const [declared] = parsePythonDefinitions(new Source(`def ${def.name.name}${signature}:\n    pass\n`));
  internalAssert(declared, `no signature in ${signature}`);
  return { ...def, params: declared.params, returnType: declared.returnType };
}

const COMPILED = Symbol("library functions");
/** Compiled functions of the unit by dotted name. */
const compiled = (): Map<string, ScriptFunction[]> => unitStore(COMPILED, () => new Map<string, ScriptFunction[]>());

/** Compiles the function, once for each of its signatures. */
function compileEntry(entry: Entry): readonly ScriptFunction[] {
  const { module, overloads = {} } = entry.scripts;
  const path = `${module}.${entry.name}`;
  const known = compiled().get(path);
  if (known) return known;
  const def = definitionOf(entry);
  const variants = overloads[entry.name]?.map((signature) => withSignature(def, signature)) ?? [def];
  const functions: ScriptFunction[] = [];
  for (const variant of variants) {
    const cu = pythonCu();
    const resolver = resolverOf(module);
    const fn = new ScriptFunction(uniqueName(qualifiedNameOf(path)), undefined, (own) =>
      defineFunction(own, variant, resolver, undefined, { cu, cleanup: finishEmission }),
    );
    functions.push(cu.addFunction(fn));
    fn.ensureDefined();
  }
  compiled().set(path, functions);
  return functions;
}

function entryValue(entry: Entry): SugaredValue {
  const { scripts, name } = entry;
  const dispatch = scripts.dispatch?.[name];
  if (dispatch) return new DispatchedFunction(dispatch, (chosen) => entryValue({ scripts, name: chosen }));
  const functions = compileEntry(entry);
  return functions.length === 1 ? new FunctionValue(functions[0]!) : new OverloadedFunction(functions);
}

/** The compiled library function of a dotted name; undefined where it has no script, or is not one function. */
export function libraryFunction(path: string): ScriptFunction | undefined {
  const entry = entryOf(canonical(path));
  if (!entry || entry.scripts.dispatch?.[entry.name] || entry.scripts.overloads?.[entry.name]) return undefined;
  return compileEntry(entry)[0];
}

/** Names of parameters of a library function: what its arguments are called inside it. */
export function libraryParameters(path: string): readonly string[] | undefined {
  const entry = entryOf(canonical(path));
  if (!entry) return undefined;
  const dispatch = entry.scripts.dispatch?.[entry.name];
  const def = definitionOf(dispatch ? { scripts: entry.scripts, name: dispatch.ifFalse } : entry);
  return def.params.map((param) => param.name.name);
}

const NN = "torch.nn.functional";
/** Functions of torch that are the same object under another name. */
const SAME: ReadonlyMap<string, string> = new Map([
  ["F", NN],
  ["init", "torch.nn.init"],
  ["nn", "torch.nn"],
  ["_VF", "torch._VF"],
  ["_Reduction", "torch.nn._reduction"],
  ["torch.jit.is_tracing", "torch.jit._trace.is_tracing"],
  ["torch.jit._script.is_scripting", "torch.jit.is_scripting"],
  ...["cdist", "norm", "stft", "tensordot", "unique", "unique_consecutive"].map((name): [string, string] => [
    `torch.${name}`,
    `torch.functional.${name}`,
  ]),
]);

function canonical(path: string): string {
  const same = SAME.get(path);
  if (same !== undefined) return same;
  const dot = path.indexOf(".");
  const head = dot < 0 ? undefined : SAME.get(path.slice(0, dot));
  return head === undefined ? path : head + path.slice(dot);
}

const op = (name: string): SugaredValue => new BuiltinFunction(name);
const form = (name: string): SugaredValue => new SpecialFormValue(name);
const int = (value: number): SugaredValue => new ConstantName({ value, type: T.IntT });
const float = (value: number): SugaredValue => new ConstantName({ value, type: T.FloatT });
const bool = (value: boolean): SugaredValue => new ConstantName({ value, type: T.BoolT });

const DTYPE_ALIASES: Readonly<Record<string, keyof typeof DTYPES>> = {
  half: "float16",
  float: "float32",
  double: "float64",
  short: "int16",
  int: "int32",
  long: "int64",
  chalf: "complex32",
  cfloat: "complex64",
  cdouble: "complex128",
};
/** c10::Layout. */
const LAYOUTS = ["strided", "sparse_coo", "sparse_csr", "_mkldnn", "sparse_csc", "sparse_bsr", "sparse_bsc", "jagged"];
/** c10::MemoryFormat. */
const MEMORY_FORMATS = {
  contiguous_format: 0,
  legacy_contiguous_format: 0,
  preserve_format: 1,
  channels_last: 2,
  channels_last_3d: 3,
};
/** at::QScheme. */
const QSCHEMES = ["per_tensor_affine", "per_channel_affine", "per_tensor_symmetric", "per_channel_symmetric"];

/** Names with a meaning of their own. */
const NAMES: ReadonlyMap<string, SugaredValue> = new Map<string, SugaredValue>([
  ...Object.values(DTYPES).map((d): [string, SugaredValue] => [`torch.${d.name}`, int(d.id)]),
  ...Object.entries(DTYPE_ALIASES).map(([alias, name]): [string, SugaredValue] => [
    `torch.${alias}`,
    int(DTYPES[name].id),
  ]),
  ...LAYOUTS.map((name, i): [string, SugaredValue] => [`torch.${name}`, int(i)]),
  ...Object.entries(MEMORY_FORMATS).map(([name, i]): [string, SugaredValue] => [`torch.${name}`, int(i)]),
  ...QSCHEMES.map((name, i): [string, SugaredValue] => [`torch.${name}`, int(i)]),
  ...["torch", "math"].flatMap((module): [string, SugaredValue][] => [
    [`${module}.pi`, float(Math.PI)],
    [`${module}.e`, float(Math.E)],
    [`${module}.inf`, float(Infinity)],
    [`${module}.nan`, float(NaN)],
  ]),
  ["math.tau", float(2 * Math.PI)],
  ["math.remainder", op("aten::mathremainder")],
  ["torch.jit.annotate", form("prim::annotate")],
  ["torch.jit.isinstance", form("prim::isinstance")],
  ["torch.jit.fork", form("prim::fork")],
  ["torch.jit._fork", form("prim::fork")],
  ["torch.jit._awaitable", form("prim::awaitable")],
  ["torch.jit._awaitable_wait", op("prim::awaitable_wait")],
  ["torch.jit._awaitable_nowait", op("prim::awaitable_nowait")],
  ["torch.jit.wait", op("aten::wait")],
  ["torch.jit._wait", op("aten::wait")],
  ["torch.jit.is_scripting", op("aten::is_scripting")],
  ["torch.autograd.grad", op("aten::grad")],
  ["torch.autograd.backward", op("aten::backward")],
  ["torch.backends.cudnn.enabled", bool(true)],
  ["torch.backends.cudnn.is_acceptable", op("aten::cudnn_is_acceptable")],
  ["torch._segment_reduce", op("aten::segment_reduce")],
  ["torch.sparse.addmm", op("aten::_sparse_addmm")],
  ["torch.sparse.log_softmax", op("aten::_sparse_log_softmax")],
  ["torch.sparse.mm", op("aten::_sparse_mm")],
  ["torch.sparse.softmax", op("aten::_sparse_softmax")],
  ["torch.sparse.sampled_addmm", op("aten::sparse_sampled_addmm")],
  ["torch.sparse.spdiags", op("aten::_spdiags")],
  ["torch.nested.to_padded_tensor", op("aten::nested_to_padded_tensor")],
  [
    "torch.utils.backend_registration._privateuse1_backend_name",
    new ConstantName({ value: "privateuseone", type: T.StringT }),
  ],
  ["warnings.warn", op("aten::warn")],
  [`${NN}.logsigmoid`, op("aten::log_sigmoid")],
  [`${NN}._list_with_default`, op("aten::list_with_default")],
  [`${NN}.assert_int_or_pair`, op("aten::_assert_int_or_pair")],
]);

/** Modules that hold operators under a prefix. */
const OPERATOR_MODULES: Readonly<Record<string, string>> = {
  torch: "aten::",
  "torch._C": "aten::",
  "torch._C._nn": "aten::",
  "torch._VF": "aten::",
  "torch.functional": "aten::",
  "torch.linalg": "aten::linalg_",
  "torch.fft": "aten::fft_",
  "torch.special": "aten::special_",
  "torch.nn.init": "aten::",
  "torch.ops.aten": "aten::",
  "torch.overrides": "aten::",
  math: "aten::",
};
/** Operators in `torch.nn.functional`: all other functions there are written in Python. */
const FUNCTIONAL_OPERATORS = new Set(
  (
    "_no_grad_embedding_renorm_ _pair _single _triple _quadruple adaptive_avg_pool1d avg_pool1d avg_pool2d avg_pool3d bilinear celu_ " +
    "channel_shuffle conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity " +
    "elu_ gelu hardshrink hardtanh_ leaky_relu_ linear native_channel_shuffle one_hot pairwise_distance pdist " +
    "pixel_shuffle pixel_unshuffle prelu relu_ rrelu_ scaled_dot_product_attention selu_ softplus softshrink threshold_"
  ).split(" "),
);
/** Modules that only hold other modules and names. */
const MODULES = new Set([
  ...Object.keys(OPERATOR_MODULES),
  ...["torch.nn", NN, "torch.nn._reduction", "torch.nn.utils", "torch.nn.utils.rnn", "torch.jit", "torch.jit._trace"],
  ...["torch.backends", "torch.backends.cudnn", "torch.backends.mha", "torch.autograd", "torch.sparse"],
  ...["torch.nested", "torch.compiler", "torch.ops", "torch.utils", "torch.utils.backend_registration", "warnings"],
]);

/** Functions that PyTorch cannot compile either, with its reasons. */
const UNCOMPILABLE: ReadonlyMap<string, string> = new Map([
  [`${NN}.gaussian_nll_loss`, "Comprehension ifs are not supported yet"],
  ...["grouped_mm", "linear_cross_entropy", "triplet_margin_with_distance_loss"].map((name): [string, string] => [
    `${NN}.${name}`,
    "Compiled functions can't take variable number of arguments or use keyword-only arguments with defaults",
  ]),
  ...["scaled_mm", "scaled_grouped_mm"].map((name): [string, string] => [
    `${NN}.${name}`,
    "Unknown type name 'ScalingType'",
  ]),
]);

const HAS_TORCH_FUNCTION = new Set(["has_torch_function", "has_torch_function_unary", "has_torch_function_variadic"]);
const EXCEPTIONS = new Set(
  "ArithmeticError AttributeError BaseException Exception IndexError KeyError LookupError NotImplementedError OverflowError RuntimeError StopIteration TypeError ValueError ZeroDivisionError".split(
    " ",
  ),
);

/** Whether a name is that of a namespace of operators, `torch.ops.quantized`; `torch.ops.aten` is one that PyTorch resolves by itself. */
const isNamespace = (path: string): boolean => /^torch\.ops\.\w+$/.test(path);

function isOperator(name: string): boolean {
  return schemasFor(name).length > 0 || builtinFunctionsFor(name).length > 0;
}

/**
 * The meaning of a dotted Python name such as `torch.nn.functional.relu`, `F.relu`, `torch.float32`, `math.sqrt`; undefined
 * where the library has no such name. A function that PyTorch writes in Python is compiled by this, as in PyTorch.
 */
export function libraryValue(given: string): SugaredValue | undefined {
  const path = canonical(given);
  const own = NAMES.get(path);
  if (own) return own;
  if (MODULES.has(path) || isNamespace(path)) return new PythonModule((name) => libraryValue(`${path}.${name}`));
  const entry = entryOf(path);
  if (entry) return entryValue(entry);
  const reason = UNCOMPILABLE.get(path);
  if (reason !== undefined) return new UncompilableFunction(reason);
  const dot = path.lastIndexOf(".");
  const module = path.slice(0, Math.max(dot, 0));
  const name = path.slice(dot + 1);
  if (module === "" && EXCEPTIONS.has(name)) return new PythonException(`builtins.${name}`);
  if (module === NN || module === "torch.functional" || module === "torch.overrides") {
    if (HAS_TORCH_FUNCTION.has(name)) return op("aten::has_torch_function");
    if (module === NN) return FUNCTIONAL_OPERATORS.has(name) ? op(`aten::${name}`) : undefined;
  }
  const prefix =
    OPERATOR_MODULES[module] ?? (isNamespace(module) ? `${module.slice("torch.ops.".length)}::` : undefined);
  return prefix !== undefined && isOperator(prefix + name) ? op(prefix + name) : undefined;
}

/** What the library texts of a Python module see: its own names, those of Python, and helpers that many modules import. */
function resolverOf(module: string): Resolver {
  return {
    resolveValue: (name) => libraryValue(`${module}.${name}`) ?? libraryValue(name) ?? libraryValue(`${NN}.${name}`),
    resolveType: libraryType,
  };
}

/** The type that a library name means in an annotation. */
export function libraryType(name: string): Type | undefined {
  // sizes are plain numbers here
  if (name === "torch.SymInt") return T.IntT;
  return name === "PackedSequence" || name === "torch.nn.utils.rnn.PackedSequence" ? packedSequence() : undefined;
}

const PACKED = Symbol("PackedSequence");
/** The type of packed sequences: a named tuple of the unit. */
function packedSequence(): Type {
  return unitStore(PACKED, () => {
    const optional = T.optionalOf(T.TensorT);
    const type: T.TupleType = {
      kind: "Tuple",
      name: qualifiedNameOf("torch.nn.utils.rnn.PackedSequence"),
      elements: [T.TensorT, T.TensorT, optional, optional],
      fieldNames: ["data", "batch_sizes", "sorted_indices", "unsorted_indices"],
    };
    pythonCu().registerType(type);
    return type;
  });
}

/** What the texts of a library class see, by the class's dotted name. */
export function libraryResolverOf(className: string): Resolver {
  return resolverOf(className.slice(0, className.lastIndexOf(".")));
}

/** What a user's text sees of the library: `torch`, `nn`, `F`, `math`, `warnings`. */
export const libraryResolver: Resolver = { resolveValue: libraryValue, resolveType: libraryType };

/** A definition and the Python module whose names it sees. */
export interface LibraryDefinition {
  readonly def: Def;
  readonly module: string;
}

/** The definition of a library function that has a text. */
export function libraryDefinition(path: string): LibraryDefinition | undefined {
  const entry = entryOf(canonical(path));
  if (!entry || entry.scripts.dispatch?.[entry.name]) return undefined;
  return { def: definitionOf(entry), module: entry.scripts.module };
}

/** What a dotted name is to somebody who runs library texts: nothing is compiled. */
export function libraryName(
  path: string,
):
  | { readonly definition: LibraryDefinition }
  | { readonly dispatch: BooleanDispatch }
  | { readonly constant: unknown }
  | { readonly value: SugaredValue }
  | undefined {
  const full = canonical(path);
  const entry = entryOf(full) ?? (full.includes(".") ? undefined : entryOf(`${NN}.${full}`));
  if (entry) {
    const { module, dispatch = {} } = entry.scripts;
    const choice = dispatch[entry.name];
    if (!choice) return { definition: { def: definitionOf(entry), module } };
    const { ifTrue, ifFalse } = choice;
    return { dispatch: { ...choice, ifTrue: `${module}.${ifTrue}`, ifFalse: `${module}.${ifFalse}` } };
  }
  const value = libraryValue(full) ?? libraryValue(`${NN}.${full}`);
  if (value instanceof ConstantName) return { constant: value.constant.value };
  return value && { value };
}

/** The dotted name of a function of `nn.functional` or `nn.init`. */
export function libraryFunctionPath(fn: unknown): string | undefined {
  return namesOfFunctions().get(fn);
}

let functionNames: ReadonlyMap<unknown, string> | undefined;
/** What a function of `torch`, `nn.functional` or `nn.init` means in a script; undefined for any other. */
export function libraryFunctionValue(fn: unknown): SugaredValue | undefined {
  const name = libraryFunctionPath(fn);
  return name === undefined ? undefined : libraryValue(name);
}

function namesOfFunctions(): ReadonlyMap<unknown, string> {
  functionNames ??= new Map<unknown, string>([
    ...Object.entries(torch)
      .filter(([, value]) => typeof value === "function")
      .map(([name, value]): [unknown, string] => [value, `torch.${name}`]),
    ...Object.entries(functional).map(([name, value]): [unknown, string] => [value, `${NN}.${name}`]),
    ...Object.entries(init).map(([name, value]): [unknown, string] => [value, `torch.nn.init.${name}`]),
  ]);
  return functionNames;
}
