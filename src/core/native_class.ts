/** @file NATIVE_CLASSES: classes that archives use and PyTorch implements in C++, one entry each. Upstream: aten/src/ATen/native/quantized/cpu/fbgemm_utils.cpp, conv_serialization.h. Spec: spec/pickle.md. */
import { OperatorError } from "../base/errors.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { emptyStrided } from "../tensor/clone.ts";
import { copyInto } from "../tensor/copy.ts";
import { contiguousData, fromData, fromFloat64Array, toFloat64Array } from "../tensor/data.ts";
import { channelsLastStrides } from "../tensor/memory_format.ts";
import { contiguousStrides } from "../tensor/strides.ts";
import { Tensor, type Quantizer } from "../tensor/tensor.ts";
import { ScriptObject } from "./ivalue.ts";
import { QualifiedName } from "./qualified_name.ts";
import { parseSchema, type FunctionSchema } from "./schema.ts";
import { CapsuleT, ClassType, type FunctionLike, type Type } from "./type.ts";

/** Prefix of native classes. */
const PREFIX = "__torch__.torch.classes.";

/** A method of a native class: a function on IValues. */
export class NativeMethod implements FunctionLike {
  readonly qualname: QualifiedName;
  readonly schema: FunctionSchema;
  readonly call: (args: unknown[]) => unknown;
  constructor(qualname: QualifiedName, schema: FunctionSchema, call: (args: unknown[]) => unknown) {
    this.qualname = qualname;
    this.schema = schema;
    this.call = call;
  }
  get name(): string {
    return this.qualname.name;
  }
}

/** Weights of a quantized linear layer. */
export interface LinearParams {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
}

/** Weights and geometry of a quantized convolution. */
export interface ConvParams extends LinearParams {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly transpose: boolean;
}

/** Weights of a quantized embedding. */
export interface EmbeddingParams {
  readonly version: number;
  readonly weight: Tensor;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
}

/**
 * Note [Slots of native objects]: slot 0 is the state; behind it stand the values that PyTorch's C++ object holds itself (a bias, but
 * not a weight, which it keeps packed): saving counts owners.
 */
function setNativeState<S>(object: unknown, state: S, held: readonly unknown[] = []): null {
  (object as ScriptObject).slots = [state, ...held];
  return null;
}

/** What a native object holds. */
export function nativeState<S>(object: unknown): S {
  if (!(object instanceof ScriptObject)) throw new OperatorError("expected packed parameters, found another value");
  return object.slots[0] as S;
}

/** A native object with its state, and what else it holds; see Note [Slots of native objects]. */
export function makeNative<S>(className: string, state: S, held: readonly unknown[] = []): ScriptObject {
  const type = findNativeClass(PREFIX + className);
  if (!type) throw new OperatorError(`no native class ${className}`);
  return new ScriptObject(type, [state, ...held]);
}

type Methods = Readonly<Record<string, (args: unknown[]) => unknown>>;

const LINEAR: Methods = {
  "__getstate__({C} _0) -> ((Tensor, Tensor?) _0)": ([self]) => linearState(self),
  "__setstate__({C} _0, (Tensor, Tensor?) _1) -> NoneType _0": ([self, state]) => {
    const [weight, bias] = state as [Tensor, Tensor | null];
    return setNativeState<LinearParams>(self, { weight, bias }, [bias]);
  },
  "bias({C} _0) -> Tensor? _0": ([self]) => nativeState<LinearParams>(self).bias,
  "unpack({C} _0) -> ((Tensor, Tensor?) _0)": ([self]) => linearState(self),
};

function linearState(self: unknown): [Tensor, Tensor | null] {
  const { weight, bias } = nativeState<LinearParams>(self);
  return [unpackedWeight(weight, contiguousStrides(weight.sizes)), bias];
}

/**
 * Note [Unpacked weights]: PyTorch packs weights for an engine and unpacks a new tensor on each call. Its x86 engine takes oneDNN for
 * symmetric weights, which keeps a contiguous copy, and fbgemm for others, which keeps scales as float32 and convolutions channels last.
 * Upstream: fbgemm_utils.h, OnednnUtils.h (should_use_onednn_quant), qlinear_unpack.cpp, qconv_unpack.cpp.
 */
function isForOneDnn({ quantizer }: Tensor): boolean {
  if (quantizer?.scheme === "per_tensor_affine") return quantizer.zeroPoint === 0;
  return quantizer?.scheme === "per_channel_affine" && toFloat64Array(quantizer.zeroPoints).every((z) => z === 0);
}

/** A new tensor with the strides; see Note [Unpacked weights]. */
function unpackedWeight(weight: Tensor, strides: readonly number[]): Tensor {
  const out = emptyStrided(weight.sizes, strides, weight.dtype);
  // the integers are copied, not the numbers that they stand for
  const raw = (t: Tensor): Tensor =>
    t.dtype === DTYPES.qint8 ? new Tensor(t.storage, DTYPES.int8, t.sizes, t.strides, t.storageOffset) : t;
  copyInto(raw(out), raw(weight));
  out.quantizer = isForOneDnn(weight) ? weight.quantizer : roundedScales(weight.quantizer);
  return out;
}

function roundedScales(quantizer: Quantizer | undefined): Quantizer | undefined {
  if (quantizer?.scheme === "per_tensor_affine") return { ...quantizer, scale: Math.fround(quantizer.scale) };
  if (quantizer?.scheme !== "per_channel_affine") return quantizer;
  const scales = toFloat64Array(quantizer.scales).map(Math.fround);
  return { ...quantizer, scales: fromFloat64Array(scales, quantizer.scales.sizes, DTYPES.float64) };
}

const MAX_ONEDNN_GROUPS = 100;

/** Whether PyTorch's x86 engine gives the convolution to oneDNN. */
export function isConvForOneDnn({ weight, groups, outputPadding }: ConvParams): boolean {
  return isForOneDnn(weight) && groups <= MAX_ONEDNN_GROUPS && outputPadding.every((p) => p === 0);
}

/** Channels last; a transposed convolution's weight has its first two dimensions exchanged afterwards. */
function unpackedConvWeight(params: ConvParams): Tensor {
  const { weight, transpose } = params;
  if (isConvForOneDnn(params)) return unpackedWeight(weight, contiguousStrides(weight.sizes));
  if (!transpose) return unpackedWeight(weight, channelsLastStrides(weight.sizes));
  const [inputs = 0, outputs = 0, ...window] = weight.sizes;
  const [first = 0, second = 0, ...rest] = channelsLastStrides([outputs, inputs, ...window]);
  return unpackedWeight(weight, [second, first, ...rest]);
}

const CONV: Methods = {
  "__getstate__({C} _0) -> ((str, Tensor[], Tensor?[]) _0)": ([self]) => convState(nativeState<ConvParams>(self)),
  "__setstate__({C} _0, Any _1) -> NoneType _0": ([self, state]) => {
    const params = parseConvState(state as unknown[]);
    return setNativeState(self, params, [params.bias]);
  },
  "weight({C} _0) -> Tensor _0": ([self]) => nativeState<ConvParams>(self).weight,
  "bias({C} _0) -> Tensor? _0": ([self]) => nativeState<ConvParams>(self).bias,
  "unpack({C} _0) -> ((Tensor, Tensor?) _0)": ([self]) => [
    unpackedConvWeight(nativeState(self)),
    nativeState<ConvParams>(self).bias,
  ],
  "stride({C} _0) -> int[] _0": ([self]) => [...nativeState<ConvParams>(self).stride],
  "padding({C} _0) -> int[] _0": ([self]) => [...nativeState<ConvParams>(self).padding],
  "output_padding({C} _0) -> int[] _0": ([self]) => [...nativeState<ConvParams>(self).outputPadding],
  "dilation({C} _0) -> int[] _0": ([self]) => [...nativeState<ConvParams>(self).dilation],
  "groups({C} _0) -> int _0": ([self]) => nativeState<ConvParams>(self).groups,
  "transpose({C} _0) -> bool _0": ([self]) => nativeState<ConvParams>(self).transpose,
};

/** Version 2: the geometry as an int16 tensor [dims, stride, padding, dilation, output padding, groups, transpose]. */
function convState(p: ConvParams): [string, Tensor[], (Tensor | null)[]] {
  const config = [
    p.stride.length,
    ...p.stride,
    ...p.padding,
    ...p.dilation,
    ...p.outputPadding,
    p.groups,
    p.transpose ? 1 : 0,
  ];
  return ["2", [fromData(config, [config.length], DTYPES.int16), unpackedConvWeight(p)], [p.bias]];
}

function parseConvState(state: unknown[]): ConvParams {
  const [version] = state;
  if (version === "2") {
    const [, [config, weight], optional] = state as [string, [Tensor, Tensor], (Tensor | null)[]];
    return fromConfig(Array.from(contiguousData(config), Number), weight, optional[0] ?? null);
  }
  if (typeof version === "number") {
    // version 3: the geometry as a list; tensors are [none, weight, bias]
    const [, config, tensors] = state as [number, number[], (Tensor | null)[]];
    return fromConfig(config.map(Number), tensors[1]!, tensors[2] ?? null);
  }
  // version 1: weight, bias, then one-element tensors, (stride..., padding..., dilation...), groups
  const numbers = (list: unknown): number[] => (list as Tensor[]).map((t) => Number(contiguousData(t)[0]));
  if (state.length >= 6) {
    const [weight, bias, stride, padding, dilation, groups] = state as [
      Tensor,
      Tensor | null,
      unknown,
      unknown,
      unknown,
      Tensor,
    ];
    const dims = numbers(stride).length;
    return {
      weight,
      bias,
      stride: numbers(stride),
      padding: numbers(padding),
      outputPadding: new Array<number>(dims).fill(0),
      dilation: numbers(dilation),
      groups: Number(contiguousData(groups)[0]),
      transpose: false,
    };
  }
  throw new OperatorError(`Unexpected serialized qconv version: ${String(version)}`);
}

function fromConfig(config: readonly number[], weight: Tensor, bias: Tensor | null): ConvParams {
  const dims = config[0] ?? 0;
  const part = (i: number): number[] => config.slice(1 + i * dims, 1 + (i + 1) * dims);
  return {
    weight,
    bias,
    stride: part(0),
    padding: part(1),
    dilation: part(2),
    outputPadding: part(3),
    groups: config[1 + 4 * dims] ?? 1,
    transpose: config[2 + 4 * dims] === 1,
  };
}

const EMBEDDING: Methods = {
  "__getstate__({C} _0) -> ((int, Tensor[], float[], int[]) _0)": ([self]) => {
    const { version, weight, floats, ints } = nativeState<EmbeddingParams>(self);
    return [version, [weight], [...floats], [...ints]];
  },
  "__setstate__({C} _0, (int, Tensor[], float[], int[]) _1) -> NoneType _0": ([self, state]) => {
    const [version, [weight], floats, ints] = state as [number, [Tensor], number[], number[]];
    return setNativeState<EmbeddingParams>(self, { version, weight, floats, ints });
  },
  "bit_rate({C} _0) -> int _0": ([self]) => nativeState<EmbeddingParams>(self).ints[0] ?? 8,
  "unpack({C} _0) -> Tensor _0": ([self]) => nativeState<EmbeddingParams>(self).weight,
  "version({C} _0) -> int _0": ([self]) => nativeState<EmbeddingParams>(self).version,
};

/** State that is only carried: written back as it was read. */
function carried(state: string): Methods {
  return {
    [`__getstate__({C} _0) -> (${state} _0)`]: ([self]) => nativeState(self),
    [`__setstate__({C} _0, ${state} _1) -> NoneType _0`]: ([self, value]) => setNativeState(self, value),
  };
}

/** One entry a class: method schemas (`{C}` is the class) and what they do. */
const NATIVE_CLASSES: Readonly<Record<string, Methods>> = {
  "quantized.LinearPackedParamsBase": LINEAR,
  "quantized.Conv2dPackedParamsBase": CONV,
  "quantized.Conv3dPackedParamsBase": CONV,
  "quantized.EmbeddingPackedParamsBase": EMBEDDING,
  "profiler._RecordFunction": {},
  "rnn.CellParamsBase": carried(
    "(str, Tensor[], float[], int[], __torch__.torch.classes.quantized.LinearPackedParamsBase[])",
  ),
  "sparse.LinearPackedParamsBase": carried(
    "(int, Tensor?, int, int, Tensor, Tensor, bool, Tensor, Tensor, Tensor, int, int)",
  ),
};

const classes = new Map<string, ClassType>();

/** The native class of a qualified name, or undefined. */
export function findNativeClass(qualifiedName: string): ClassType | undefined {
  const known = classes.get(qualifiedName);
  if (known) return known;
  const methods = qualifiedName.startsWith(PREFIX) ? NATIVE_CLASSES[qualifiedName.slice(PREFIX.length)] : undefined;
  if (!methods) return undefined;
  const type = new ClassType(new QualifiedName(qualifiedName), false);
  type.addAttribute("capsule", CapsuleT);
  classes.set(qualifiedName, type);
  const resolve = (name: string): Type | undefined => findNativeClass(name);
  for (const [text, call] of Object.entries(methods)) {
    const schema = parseSchema(text.replaceAll("{C}", qualifiedName), resolve);
    type.methods.set(schema.name, new NativeMethod(type.name.child(schema.name), schema, call));
  }
  return type;
}

/** Calls a method of a native object. */
export function callNative(object: unknown, method: string): unknown {
  const found = object instanceof ScriptObject ? object.type.methods.get(method) : undefined;
  if (!(found instanceof NativeMethod)) throw new OperatorError(`expected packed parameters with a method ${method}`);
  return found.call([object]);
}
