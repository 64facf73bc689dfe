/** @file Window functions of signal processing. Upstream: aten/src/ATen/native/TensorFactories.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { fromDoubles } from "../tensor/kernels/data.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { dtypeOr } from "./creation.ts";

/** Samples of a window: `value` of the position and the last position. A periodic one is a longer one without its end. */
function windowTensor(
  name: string,
  length: number,
  isPeriodic: boolean,
  dtypeId: number | null,
  layout: number | null,
  value: (n: number, last: number) => number,
): Tensor {
  const dtype = dtypeOr(dtypeId, DTYPES.float32);
  if (layout === 1) throw new OperatorError(`${name} is not implemented for sparse types`);
  if (dtype.category !== "float" && dtype.category !== "complex") {
    throw new OperatorError(
      `${name} expects floating point dtypes, got: ${dtype.cppName === "Long" ? "CPULongType" : dtype.cppName}`,
    );
  }
  if (length < 0) throw new OperatorError(`${name} requires non-negative window_length, got window_length=${length}`);
  if (length === 1) return fromDoubles([1], [1], dtype);
  const last = isPeriodic ? length : length - 1;
  return fromDoubles(
    Float64Array.from({ length }, (_, n) => value(n, last)),
    [length],
    dtype,
  );
}

function hamming(alpha: number, beta: number): (n: number, last: number) => number {
  return (n, last) => alpha - beta * Math.cos((2 * Math.PI * n) / last);
}

function bartlett(n: number, last: number): number {
  return n <= Math.floor(last / 2) ? (2 * n) / last : 2 - (2 * n) / last;
}

function blackman(n: number, last: number): number {
  return 0.42 - 0.5 * Math.cos((2 * Math.PI * n) / last) + 0.08 * Math.cos((4 * Math.PI * n) / last);
}

/** Modified Bessel function of the first kind, order 0, by its power series (all terms positive). */
function besselI0(x: number): number {
  const q = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= q / (k * k);
    sum += term;
  }
  return sum;
}

function kaiser(beta: number): (n: number, last: number) => number {
  return (n, last) => {
    const x = (2 * n) / last - 1;
    return besselI0(beta * Math.sqrt(Math.max(1 - x * x, 0))) / besselI0(beta);
  };
}

op(
  "aten::hann_window(int window_length, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype, layout) => windowTensor("hann_window", n, true, dtype, layout, hamming(0.5, 0.5)),
);
op(
  "aten::hann_window.periodic(int window_length, bool periodic, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, dtype, layout) => windowTensor("hann_window", n, periodic, dtype, layout, hamming(0.5, 0.5)),
);
op(
  "aten::hamming_window(int window_length, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype, layout) => windowTensor("hamming_window", n, true, dtype, layout, hamming(0.54, 0.46)),
);
op(
  "aten::hamming_window.periodic(int window_length, bool periodic, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, dtype, layout) => windowTensor("hamming_window", n, periodic, dtype, layout, hamming(0.54, 0.46)),
);
op(
  "aten::hamming_window.periodic_alpha(int window_length, bool periodic, float alpha, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, alpha, dtype, layout) =>
    windowTensor("hamming_window", n, periodic, dtype, layout, hamming(alpha, 0.46)),
);
op(
  "aten::hamming_window.periodic_alpha_beta(int window_length, bool periodic, float alpha, float beta, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, alpha, beta, dtype, layout) =>
    windowTensor("hamming_window", n, periodic, dtype, layout, hamming(alpha, beta)),
);
op(
  "aten::bartlett_window(int window_length, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype, layout) => windowTensor("bartlett_window", n, true, dtype, layout, bartlett),
);
op(
  "aten::bartlett_window.periodic(int window_length, bool periodic, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, dtype, layout) => windowTensor("bartlett_window", n, periodic, dtype, layout, bartlett),
);
op(
  "aten::blackman_window(int window_length, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype, layout) => windowTensor("blackman_window", n, true, dtype, layout, blackman),
);
op(
  "aten::blackman_window.periodic(int window_length, bool periodic, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, dtype, layout) => windowTensor("blackman_window", n, periodic, dtype, layout, blackman),
);
op(
  "aten::kaiser_window(int window_length, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, dtype, layout) => windowTensor("kaiser_window", n, true, dtype, layout, kaiser(12)),
);
op(
  "aten::kaiser_window.periodic(int window_length, bool periodic, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, dtype, layout) => windowTensor("kaiser_window", n, periodic, dtype, layout, kaiser(12)),
);
op(
  "aten::kaiser_window.beta(int window_length, bool periodic, float beta, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor",
  (n, periodic, beta, dtype, layout) => windowTensor("kaiser_window", n, periodic, dtype, layout, kaiser(beta)),
);
