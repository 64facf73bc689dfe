/** @file Random operators with PyTorch's CPU sequences. Upstream: aten/src/ATen/native/Distributions.cpp, DistributionTemplates.h. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { builtin, callOperator, op } from "../core/operator_registry.ts";
import { emptyLike } from "../tensor/clone.ts";
import { copyInto, writeOutResult } from "../tensor/copy.ts";
import { fromData, toFloat64Array } from "../tensor/data.ts";
import { fromDoubles, fromIndices } from "../tensor/kernels/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { roundToBfloat16, roundToHalf } from "../tensor/half.ts";
import { Generator, defaultGenerator } from "../tensor/generator.ts";
import {
  digitsOf,
  excludeEnd,
  fillBernoulli,
  fillFloats,
  fillIntegers,
  fillNormal,
  fillSerially,
  fillUniform,
  permuted,
  sampleBinomial,
  sampleGamma,
  samplePoisson,
} from "../tensor/kernels/random.ts";
import { cppScalarName } from "../tensor/kernels/matmul.ts";
import { getDefaultDtype } from "../tensor/promotion.ts";
import { normalizeInt, type Int } from "../tensor/scalar.ts";
import { broadcastShapes } from "../tensor/strides.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { add, div, mul } from "./arithmetic.ts";
import { fusedMultiplyAdd } from "../tensor/math/fused.ts";
import { dtypeOr, newTensor } from "./creation.ts";
import { topk } from "./ordering.ts";
import { argmax } from "./reduction.ts";
import { expand, view_as_real } from "./views.ts";

const generatorOr = (generator: Generator | null | undefined): Generator => generator ?? defaultGenerator;

builtin("aten::manual_seed(int seed) -> ()", (seed: Int) => defaultGenerator.manualSeed(BigInt(seed)));
builtin("aten::manual_seed.generator(Generator(a!) self, int seed) -> Generator(a!)", (self: Generator, seed: Int) => {
  self.manualSeed(BigInt(seed));
  return self;
});
builtin("aten::Generator(*, Device? device=None, int? seed=None) -> Generator", (_device: unknown, seed: Int | null) =>
  seed === null ? new Generator() : new Generator(BigInt(seed)),
);
builtin("aten::initial_seed(Generator self) -> int", (self: Generator) => normalizeInt(self.initialSeed()));
builtin("aten::seed(Generator(a!) self) -> int", (self: Generator) => {
  const seed = BigInt(Math.floor(Math.random() * 2 ** 52));
  self.manualSeed(seed);
  return normalizeInt(seed);
});

function checkFloating(self: Tensor, name: string): void {
  const { category } = self.dtype;
  if (category !== "float" && category !== "complex")
    throw new OperatorError(`"${name}" not implemented for '${self.dtype.cppName}'`);
}

function uniformInto(self: Tensor, from: number, to: number, generator: Generator | null): Tensor {
  if (self.dtype.category === "complex") {
    uniformInto(view_as_real(self), from, to, generator);
    return self;
  }
  checkFloating(self, "check_uniform_bounds");
  if (from > to)
    throw new OperatorError(`uniform_ expects to return a [from, to) range, but found from=${from} > to=${to}`);
  const round = self.dtype === DTYPES.float64 ? (x: number) => x : Math.fround;
  // bounds and their distance are of the dtype; multiplying and adding is one rounding (fused), as in PyTorch's build
  const low = round(from);
  const width = round(round(to) - low);
  const narrow =
    self.dtype === DTYPES.float16 ? roundToHalf : self.dtype === DTYPES.bfloat16 ? roundToBfloat16 : undefined;
  fillFloats(self, (values) => {
    fillUniform(values, 0, low, width, generatorOr(generator));
    // float32 and float64 have no value between the last of [0, 1) and 1
    if (narrow || low !== 0 || width !== 1) excludeEnd(values, low, to, narrow ?? round);
  });
  return self;
}

function normalInto(self: Tensor, mean: number, std: number, generator: Generator | null): Tensor {
  if (!(std >= 0)) throw new OperatorError(`normal expects std >= 0.0, but found std ${std}`);
  if (self.numel === 0) return self;
  if (self.dtype.category === "complex") {
    // the variance is that of the complex value: half of it for each part
    normalInto(view_as_real(self), mean, std / Math.SQRT2, generator);
    return self;
  }
  if (self.dtype.category !== "float")
    throw new OperatorError(`"normal_kernel_cpu" not implemented for '${self.dtype.cppName}'`);
  fillNormal(self, mean, std, generatorOr(generator));
  return self;
}

op(
  "aten::uniform_(Tensor(a!) self, float from=0., float to=1., *, Generator? generator=None) -> Tensor(a!)",
  uniformInto,
);
op(
  "aten::uniform(Tensor self, float from=0., float to=1., *, Generator? generator=None) -> Tensor",
  (self, from, to, g) => uniformInto(emptyLike(self), from, to, g),
);
op(
  "aten::normal_(Tensor(a!) self, float mean=0., float std=1., *, Generator? generator=None) -> Tensor(a!)",
  normalInto,
);
op(
  "aten::normal_functional(Tensor self, float mean=0., float std=1., *, Generator? generator=None) -> Tensor",
  (self, mean, std, g) => normalInto(emptyLike(self), mean, std, g),
);
op(
  "aten::_no_grad_normal_(Tensor(a!) tensor, float mean, float std, Generator? generator=None) -> Tensor(a!)",
  normalInto,
);
op(
  "aten::_no_grad_uniform_(Tensor(a!) tensor, float a, float b, Generator? generator=None) -> Tensor(a!)",
  uniformInto,
);

const defaultDtype = (dtype: number | null): DType => dtypeOr(dtype, getDefaultDtype());

op(
  "aten::rand(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, dtype, _l, device) => uniformInto(newTensor(size, defaultDtype(dtype), device), 0, 1, null),
);
op(
  "aten::rand.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, g, dtype, _l, device) => uniformInto(newTensor(size, defaultDtype(dtype), device), 0, 1, g),
);
op(
  "aten::randn(SymInt[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, dtype, _l, device) => normalInto(newTensor(size, defaultDtype(dtype), device), 0, 1, null),
);
op(
  "aten::randn.generator(SymInt[] size, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (size, g, dtype, _l, device) => normalInto(newTensor(size, defaultDtype(dtype), device), 0, 1, g),
);

const like = (self: Tensor, dtype: number | null): Tensor => emptyLike(self, dtypeOr(dtype, self.dtype));

op(
  "aten::rand_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, dtype) => uniformInto(like(self, dtype), 0, 1, null),
);
op(
  "aten::rand_like.generator(Tensor self, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, g, dtype) => uniformInto(like(self, dtype), 0, 1, g),
);
op(
  "aten::randn_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, dtype) => normalInto(like(self, dtype), 0, 1, null),
);
op(
  "aten::randn_like.generator(Tensor self, *, Generator? generator, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, g, dtype) => normalInto(like(self, dtype), 0, 1, g),
);

const RANGE_OF_64_BITS = 2 ** 28; // from here on 32 bits would favour some values too much

/** Integers in [low, high). */
function integersInto(self: Tensor, low: number, high: number, generator: Generator | null): Tensor {
  if (low >= high)
    throw new OperatorError(`random_ expects 'from' to be less than 'to', but got from=${low} >= to=${high}`);
  const g = generatorOr(generator);
  const range = high - low;
  if (range >= RANGE_OF_64_BITS) {
    const big = BigInt(range);
    const base = BigInt(low);
    fillSerially(self, () => normalizeInt((g.random64() % big) + base));
  } else fillIntegers(self, low, range, g);
  return self;
}

/** The whole range of a dtype: every integer that it holds exactly, from 0. */
function fullRangeInto(self: Tensor, generator: Generator | null): Tensor {
  const g = generatorOr(generator);
  const { dtype } = self;
  if (dtype.category === "bool") fillIntegers(self, 0, 2, g);
  else if (dtype === DTYPES.int64) fillSerially(self, () => normalizeInt(g.random64() & 0x7fffffffffffffffn));
  else if (dtype === DTYPES.float64) fillSerially(self, () => Number(g.random64() % 9007199254740993n));
  else if (dtype.category === "float") {
    const count = 2 ** digitsOf(dtype) + 1;
    if (count < 2 ** 32) fillIntegers(self, 0, count, g);
    else fillSerially(self, () => g.random() % count);
  } else if (dtype.category === "int") {
    const count = dtype.isSigned ? 2 ** (8 * dtype.itemsize - 1) : 2 ** (8 * dtype.itemsize);
    if (count < 2 ** 32) fillIntegers(self, 0, count, g);
    else fillSerially(self, () => g.random() % count);
  } else throw new OperatorError(`"random_" not implemented for '${dtype.cppName}'`);
  return self;
}

/** The end of a range that has none: one past the largest value that the dtype holds exactly. */
function openEnd(dtype: DType): number {
  if (dtype.category === "float") return 2 ** digitsOf(dtype) + 1;
  if (dtype.category === "bool") return 2;
  return dtype.isSigned ? 2 ** (8 * dtype.itemsize - 1) : 2 ** (8 * dtype.itemsize);
}

op("aten::random_(Tensor(a!) self, *, Generator? generator=None) -> Tensor(a!)", fullRangeInto);
op("aten::random_.to(Tensor(a!) self, int to, *, Generator? generator=None) -> Tensor(a!)", (self, to, g) =>
  integersInto(self, 0, to, g),
);
op(
  "aten::random_.from(Tensor(a!) self, int from, int? to, *, Generator? generator=None) -> Tensor(a!)",
  (self, from, to, g) => integersInto(self, from, to ?? openEnd(self.dtype), g),
);
op("aten::random(Tensor self, *, Generator? generator=None) -> Tensor", (self, g) => fullRangeInto(emptyLike(self), g));
op("aten::random.to(Tensor self, int to, *, Generator? generator=None) -> Tensor", (self, to, g) =>
  integersInto(emptyLike(self), 0, to, g),
);
op("aten::random.from(Tensor self, int from, int? to, *, Generator? generator=None) -> Tensor", (self, from, to, g) =>
  integersInto(emptyLike(self), from, to ?? openEnd(self.dtype), g),
);

op(
  "aten::randint(SymInt high, SymInt[] size, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (high, size, dtype, _l, device) => integersInto(newTensor(size, dtypeOr(dtype, DTYPES.int64), device), 0, high, null),
);
op(
  "aten::randint.generator(SymInt high, SymInt[] size, *, Generator? generator, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (high, size, g, dtype, _l, device) => integersInto(newTensor(size, dtypeOr(dtype, DTYPES.int64), device), 0, high, g),
);
op(
  "aten::randint.low(SymInt low, SymInt high, SymInt[] size, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (low, high, size, dtype, _l, device) =>
    integersInto(newTensor(size, dtypeOr(dtype, DTYPES.int64), device), low, high, null),
);
op(
  "aten::randint.low_generator(SymInt low, SymInt high, SymInt[] size, *, Generator? generator, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (low, high, size, g, dtype, _l, device) =>
    integersInto(newTensor(size, dtypeOr(dtype, DTYPES.int64), device), low, high, g),
);
op(
  "aten::randint_like(Tensor self, SymInt high, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, high, dtype) => integersInto(like(self, dtype), 0, high, null),
);
op(
  "aten::randint_like.low_dtype(Tensor self, SymInt low, SymInt high, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor",
  (self, low, high, dtype) => integersInto(like(self, dtype), low, high, null),
);

function permutation(n: number, dtype: DType, generator: Generator | null): Tensor {
  if (n < 0) throw new OperatorError(`n must be non-negative, got${n}`);
  const g = generatorOr(generator);
  const values = permuted(n, g);
  return dtype === DTYPES.int64 ? fromIndices(values, [n]) : fromData(values, [n], dtype);
}

op(
  "aten::randperm(SymInt n, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype) => permutation(n, dtypeOr(dtype, DTYPES.int64), null),
);
op(
  "aten::randperm.generator(SymInt n, *, Generator? generator, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, g, dtype) => permutation(n, dtypeOr(dtype, DTYPES.int64), g),
);

// normal with tensors of means or deviations: standard values first, then scale and shift
function normalAround(mean: Tensor | number, std: Tensor | number, generator: Generator | null): Tensor {
  if (typeof std !== "number") {
    if (std.dtype.category === "complex")
      throw new OperatorError("normal expects standard deviation to be non-complex");
    if (std.numel > 0 && toFloat64Array(std).some((v) => !(v >= 0)))
      throw new OperatorError("normal expects all elements of std >= 0.0");
  }
  const sizes =
    typeof mean === "number"
      ? (std as Tensor).sizes
      : typeof std === "number"
        ? mean.sizes
        : broadcastShapes(mean.sizes, std.sizes);
  const dtype = typeof mean === "number" ? (std as Tensor).dtype : mean.dtype;
  const out = emptyTensor([...sizes], dtype);
  if (typeof std === "number") {
    normalInto(out, 0, std, generator);
    return add(out, mean as Tensor);
  }
  normalInto(out, 0, 1, generator);
  const scaled = mul(out, std);
  const shift = typeof mean === "number" ? fromData([mean], [], dtype) : mean;
  const result = add(scaled, shift);
  copyInto(out, result);
  return out;
}

op("aten::normal.Tensor_float(Tensor mean, float std=1., *, Generator? generator=None) -> Tensor", normalAround);
op("aten::normal.float_Tensor(float mean, Tensor std, *, Generator? generator=None) -> Tensor", normalAround);
op("aten::normal.Tensor_Tensor(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor", normalAround);
op(
  "aten::normal.float_float(float mean, float std, SymInt[] size, *, Generator? generator=None, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (mean, std, size, g, dtype, _l, device) => normalInto(newTensor(size, defaultDtype(dtype), device), mean, std, g),
);

/** Ones with a probability, or what `one` says. */
export function bernoulliInto(self: Tensor, p: number, generator: Generator | null, one = 1): Tensor {
  if (!(p >= 0 && p <= 1)) throw new OperatorError(`bernoulli_ expects p to be in [0, 1], but got p=${p}`);
  fillFloats(self, (values) => fillBernoulli(values, p, one, generatorOr(generator)));
  return self;
}

function bernoulliFrom(self: Tensor, p: Tensor, generator: Generator | null): Tensor {
  if (p.dtype.category !== "float")
    throw new OperatorError(`expected probabilities tensor to have floating type, got ${p.dtype.cppName}`);
  const g = generatorOr(generator);
  const probabilities = toFloat64Array(expand(p, [...self.sizes], false));
  for (const q of probabilities)
    if (!(q >= 0 && q <= 1)) throw new OperatorError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
  const length = probabilities.length;
  const values = p.dtype === DTYPES.float64 ? new Float64Array(length) : new Float32Array(length);
  fillUniform(values, 0, 0, 1, g);
  for (let i = 0; i < length; i++) values[i] = values[i]! < probabilities[i]! ? 1 : 0;
  copyInto(self, fromDoubles(values, self.sizes, self.dtype));
  return self;
}

export const bernoulli_ = op(
  "aten::bernoulli_.float(Tensor(a!) self, float p=0.5, *, Generator? generator=None) -> Tensor(a!)",
  (self, p, g) => bernoulliInto(self, p, g),
);
op("aten::bernoulli_.Tensor(Tensor(a!) self, Tensor p, *, Generator? generator=None) -> Tensor(a!)", bernoulliFrom);
op("aten::bernoulli(Tensor self, *, Generator? generator=None) -> Tensor", (self, g) =>
  bernoulliFrom(emptyLike(self), self, g),
);
op("aten::bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor", (self, p, g) =>
  bernoulliInto(emptyLike(self), p, g),
);
op("aten::bernoulli.Tensor(Tensor self, Tensor p, *, Generator? generator=None) -> Tensor", (self, p, g) =>
  bernoulliFrom(emptyLike(self), p, g),
);

/** Distributions that are one function of a uniform or normal double. */
function drawn(name: string, self: Tensor, generator: Generator | null, transform: (g: Generator) => number): Tensor {
  if (self.dtype.category === "complex" || self.dtype.category === "bool")
    throw new OperatorError(`"${name}" not implemented for '${self.dtype.cppName}'`);
  const g = generatorOr(generator);
  fillSerially(self, () => transform(g));
  return self;
}

function exponentialInto(self: Tensor, lambda: number, generator: Generator | null): Tensor {
  if (!(lambda > 0)) throw new OperatorError(`exponential_ expects lambda > 0.0, but found lambda=${lambda}`);
  if (self.dtype.category !== "float")
    throw new OperatorError(
      "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you specified " +
        self.dtype.cppName,
    );
  return drawn("exponential_", self, generator, (g) => (-1 / lambda) * Math.log1p(-g.uniformDouble()));
}

function cauchyInto(self: Tensor, median: number, sigma: number, generator: Generator | null): Tensor {
  if (!(sigma > 0)) throw new OperatorError(`cauchy_ expects sigma > 0.0, but found sigma=${sigma}`);
  if (self.dtype.category !== "float")
    throw new OperatorError(
      `Cauchy distribution is a continuous probability distribution. dtype must be a floating point but you specified ${cppScalarName(self.dtype)}`,
    );
  return drawn("cauchy_", self, generator, (g) =>
    fusedMultiplyAdd(sigma, Math.tan(Math.PI * (g.uniformDouble() - 0.5)), median),
  );
}

function logNormalInto(self: Tensor, mean: number, std: number, generator: Generator | null): Tensor {
  if (!(std > 0)) throw new OperatorError(`log_normal_ expects std > 0.0, but found std=${std}`);
  if (self.dtype.category !== "float")
    throw new OperatorError(`"log_normal_cpu" not implemented for '${self.dtype.cppName}'`);
  return drawn("log_normal_cpu", self, generator, (g) => Math.exp(fusedMultiplyAdd(g.normal(), std, mean)));
}

function geometricInto(self: Tensor, p: number, generator: Generator | null): Tensor {
  if (!(p > 0 && p < 1)) throw new OperatorError(`geometric_ expects p to be in (0, 1), but got p=${p}`);
  return drawn("geometric_cpu", self, generator, (g) => Math.ceil(Math.log(g.uniformDouble()) / Math.log1p(-p)));
}

const exponential_ = op(
  "aten::exponential_(Tensor(a!) self, float lambd=1., *, Generator? generator=None) -> Tensor(a!)",
  exponentialInto,
);
op("aten::exponential(Tensor self, float lambd=1., *, Generator? generator=None) -> Tensor", (self, lambda, g) =>
  exponentialInto(emptyLike(self), lambda, g),
);
op(
  "aten::cauchy_(Tensor(a!) self, float median=0., float sigma=1., *, Generator? generator=None) -> Tensor(a!)",
  cauchyInto,
);
op(
  "aten::cauchy(Tensor self, float median=0., float sigma=1., *, Generator? generator=None) -> Tensor",
  (self, median, sigma, g) => cauchyInto(emptyLike(self), median, sigma, g),
);
op(
  "aten::log_normal_(Tensor(a!) self, float mean=1., float std=2., *, Generator? generator=None) -> Tensor(a!)",
  logNormalInto,
);
op(
  "aten::log_normal(Tensor self, float mean=1., float std=2., *, Generator? generator=None) -> Tensor",
  (self, mean, std, g) => logNormalInto(emptyLike(self), mean, std, g),
);
op("aten::geometric_(Tensor(a!) self, float p, *, Generator? generator=None) -> Tensor(a!)", geometricInto);
op("aten::geometric(Tensor self, float p, *, Generator? generator=None) -> Tensor", (self, p, g) =>
  geometricInto(emptyLike(self), p, g),
);

function sampled(self: Tensor, sample: (value: number) => number): Tensor {
  return fromData(Array.from(toFloat64Array(self), sample), self.sizes, self.dtype);
}

op("aten::poisson(Tensor self, Generator? generator=None) -> Tensor", (self, g) =>
  sampled(self, (rate) => {
    if (!(rate >= 0)) throw new OperatorError("invalid Poisson rate, expected rate to be non-negative");
    return samplePoisson(rate, generatorOr(g));
  }),
);
op("aten::_standard_gamma(Tensor self, Generator? generator=None) -> Tensor", (self, g) => {
  const least = self.dtype === DTYPES.float64 ? 2.2250738585072014e-308 : 1.1754943508222875e-38;
  return sampled(self, (shape) => Math.max(least, sampleGamma(shape, generatorOr(g))));
});
op("aten::_sample_dirichlet(Tensor self, Generator? generator=None) -> Tensor", (self, g) => {
  const gamma = Array.from(toFloat64Array(self), (shape) => sampleGamma(shape, generatorOr(g)));
  const size = self.sizes.at(-1) ?? 1;
  const values = gamma.map((v, i) => {
    const row = Math.floor(i / size) * size;
    let sum = 0;
    for (let j = row; j < row + size; j++) sum += gamma[j]!;
    return v / sum;
  });
  return fromData(values, self.sizes, self.dtype);
});
op("aten::binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor", (count, prob, g) => {
  const sizes = broadcastShapes(count.sizes, prob.sizes);
  const counts = toFloat64Array(expand(count, sizes, false));
  const probs = toFloat64Array(expand(prob, sizes, false));
  return fromData(
    Array.from(counts, (n, i) => sampleBinomial(n, probs[i]!, generatorOr(g))),
    sizes,
    count.dtype,
  );
});

op(
  "aten::multinomial.out(Tensor self, SymInt num_samples, bool replacement=False, *, Generator? generator=None, Tensor(a!) out) -> Tensor(a!)",
  (self, count, replacement, generator, out) => {
    if (out.dtype !== DTYPES.int64)
      throw new OperatorError(`multinomial expects Long tensor out, got: ${out.dtype.cppName}`);
    writeOutResult(out, callOperator("aten::multinomial", [self, count, replacement, generator]) as Tensor);
    return out;
  },
);
op(
  "aten::multinomial(Tensor self, SymInt num_samples, bool replacement=False, *, Generator? generator=None) -> Tensor",
  (self, count, replacement, generator) => {
    const { ndim } = self;
    if (ndim < 1 || ndim > 2) throw new OperatorError("prob_dist must be 1 or 2 dim");
    if (self.dtype.category !== "float")
      throw new OperatorError(`multinomial only supports floating-point dtypes for input, got: ${self.dtype.cppName}`);
    if (count <= 0) throw new OperatorError("cannot sample n_sample <= 0 samples");
    const categories = self.sizes[ndim - 1]!;
    if (!replacement && count > categories)
      throw new OperatorError("cannot sample n_sample > prob_dist.size(-1) samples without replacement");
    // consecutive integers must be exact in float32
    if (categories > 2 ** 24) throw new OperatorError("number of categories cannot exceed 2^24");
    const values = toFloat64Array(self);
    const wrong = values.find((v) => !(v >= 0) || v === Infinity);
    if (wrong !== undefined) {
      if (!replacement || count === 1)
        throw new OperatorError("probability tensor contains either `inf`, `nan` or element < 0");
      throw new OperatorError(
        `invalid multinomial distribution (encountering probability entry ${wrong < 0 ? "< 0" : "= infinity or NaN"})`,
      );
    }
    const rows = ndim === 1 ? 1 : self.sizes[0]!;
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let c = 0; c < categories; c++) sum += values[r * categories + c]!;
      if (rows > 0 && categories > 0 && sum <= 0)
        throw new OperatorError("invalid multinomial distribution (sum of probabilities <= 0)");
    }
    if (!replacement || count === 1) {
      // the largest p / Exp(1) are a sample without replacement
      const q = exponential_(emptyLike(self), 1, generator);
      const ratio = div(self, q);
      return count === 1 ? argmax(ratio, -1, true) : topk(ratio, count, -1, true, true)[1];
    }
    const g = generatorOr(generator);
    const out: number[] = [];
    for (let r = 0; r < rows; r++) {
      const cumulative = new Float64Array(categories);
      let sum = 0;
      for (let c = 0; c < categories; c++) cumulative[c] = sum += values[r * categories + c]!;
      for (let c = 0; c < categories; c++) cumulative[c] = cumulative[c]! / sum;
      for (let s = 0; s < count; s++) {
        const u = g.uniformDouble();
        let low = 0;
        let high = categories;
        while (low < high) {
          const middle = low + ((high - low) >> 1);
          if (cumulative[middle]! < u) low = middle + 1;
          else high = middle;
        }
        out.push(Math.min(low, categories - 1));
      }
    }
    return fromData(out, ndim === 1 ? [count] : [rows, count], DTYPES.int64);
  },
);
