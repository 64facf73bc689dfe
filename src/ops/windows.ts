/** @file Window functions of signal processing. Upstream: aten/src/ATen/native/TensorFactories.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { copyInto } from "../tensor/copy.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { fromDoubles } from "../tensor/kernels/data.ts";
import { i0Double, i0Float } from "../tensor/math/bessel.ts";
import { fusedMultiplyAdd } from "../tensor/math/fused.ts";
import { map1 } from "../tensor/pointwise.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";
import { narrowView } from "../tensor/view_geometry.ts";
import { addScalar, mulScalar, sub } from "./arithmetic.ts";
import { dtypeOr } from "./creation.ts";
import { arangeTensor } from "./ranges.ts";
import { cos, roundingOf } from "./unary.ts";

/** Makes a window of the whole numbers below its length, in the dtype. */
type Shape = (positions: Tensor) => Tensor;

/** Samples of a window. A periodic one is a longer one without its end. */
function windowTensor(
  name: string,
  length: number,
  isPeriodic: boolean,
  dtypeId: number | null,
  layout: number | null,
  shape: Shape,
): Tensor {
  const dtype = dtypeOr(dtypeId, DTYPES.float32);
  if (layout === 1) throw new OperatorError(`${name} is not implemented for sparse types`);
  if (dtype.category !== "float" && dtype.category !== "complex") {
    throw new OperatorError(
      `${name} expects floating point dtypes, got: ${dtype.cppName === "Long" ? "CPULongType" : dtype.cppName}`,
    );
  }
  if (length < 0) throw new OperatorError(`${name} requires non-negative window_length, got window_length=${length}`);
  if (length === 0) return emptyTensor([0], dtype);
  if (length === 1) return fromDoubles([1], [1], dtype);
  const window = shape(arangeTensor(0, isPeriodic ? length + 1 : length, 1, dtype.id, null));
  return isPeriodic ? narrowView(window, 0, 0, length) : window;
}

/** Products with a number that is rounded to the dtype first, as `mul_` does. */
function scaled(t: Tensor, factor: number): Tensor {
  return mulScalar(t, roundingOf(t.dtype)(factor));
}

// the shapes take PyTorch's steps, each of which rounds to the dtype

function hamming(alpha: number, beta: number): Shape {
  return (n) => addScalar(scaled(cos(scaled(n, (Math.PI * 2) / (n.numel - 1))), -beta), roundingOf(n.dtype)(alpha), 1);
}

function bartlett(n: Tensor): Tensor {
  const window = scaled(n, 2 / (n.numel - 1));
  const first = Math.floor((n.numel - 1) / 2) + 1;
  const falling = narrowView(window, 0, first, n.numel - first);
  copyInto(falling, addScalar(scaled(falling, -1), 2, 1));
  return window;
}

function blackman(n: Tensor): Tensor {
  const angle = scaled(n, Math.PI / (n.numel - 1));
  const fine = scaled(cos(scaled(angle, 4)), 0.08);
  return addScalar(sub(fine, scaled(cos(scaled(angle, 2)), 0.5), 1), roundingOf(n.dtype)(0.42), 1);
}

/** In float64, or in float32 for the others, with a subtraction that is fused with a product; rounded positions may lie beyond the end. */
function kaiser(beta: number): Shape {
  return (n) => {
    const isDouble = n.dtype === DTYPES.float64;
    const round = isDouble ? (x: number): number => x : Math.fround;
    const i0 = isDouble ? i0Double : i0Float;
    const [half, sharpness] = [round((n.numel - 1) / 2), round(beta)];
    const scale = i0(sharpness);
    const real = (a: number): number => {
      const x = round(round(a - half) / half);
      return round(i0(round(sharpness * round(Math.sqrt(Math.abs(round(fusedMultiplyAdd(-x, x, 1))))))) / scale);
    };
    return map1(n, { name: "kaiser_window_cpu", real });
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
