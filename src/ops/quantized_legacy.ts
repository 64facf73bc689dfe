/** @file Quantized operators of old archives: fbgemm's packed matrices and their cells, refusals of removed forms, the `_quantized` namespace. Upstream: aten/src/ATen/native/QuantizedLinear.cpp, RNN.cpp (QuantizedCellParams), quantized/cpu/qlinear_prepack.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { callOperator, op } from "../core/operator_registry.ts";
import { contiguousTensor, convertTensor } from "../tensor/clone.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { roundToHalf } from "../tensor/half.ts";
import { doublesOf, fromDoubles } from "../tensor/kernels/data.ts";
import { rowProductFor } from "../tensor/kernels/gemm.ts";
import { chooseParameters, extremes, quantizeDynamic, quantizeFused } from "../tensor/kernels/quantized.ts";
import { scalarToNumber, type Scalar } from "../tensor/scalar.ts";
import { emptyTensor, type Tensor } from "../tensor/tensor.ts";

const f = Math.fround;

/** What packed tensors stand for: PyTorch hides a pointer in their bytes, which no archive can carry. */
const packedMatrices = new WeakMap<Tensor, Tensor>();

function pack(matrix: Tensor): Tensor {
  const out = emptyTensor([8], DTYPES.uint8);
  packedMatrices.set(out, matrix);
  return out;
}

function unpacked(packed: Tensor, name: string): Tensor {
  const matrix = packedMatrices.get(packed);
  if (!matrix)
    throw new OperatorError(
      `Cannot run ${name}: the tensor holds no packed matrix, expected one that was packed in this process`,
    );
  return matrix;
}

/** x (..., K) times the transpose of weight (N, K), plus a bias; all in double precision, rounded once. */
function affine(
  x: Float64Array,
  sizes: readonly number[],
  weight: Float64Array,
  n: number,
  scale: number,
  bias: Tensor | null,
): Tensor {
  const k = sizes[sizes.length - 1]!;
  const rows = k === 0 ? 0 : x.length / k;
  const out = new Float64Array(rows * n);
  rowProductFor(out)(x, 0, k, weight, 0, k, out, 0, n, rows, n, k);
  const b = bias ? doublesOf(bias) : undefined;
  for (let i = 0; i < out.length; i++) out[i] = f(f(out[i]! * scale) + (b ? b[i % n]! : 0));
  return fromDoubles(out, [...sizes.slice(0, -1), n], DTYPES.float32);
}

/** A linear layer on activations that are quantized on the fly. */
function int8Linear(x: Tensor, weight: Tensor, scale: Scalar, zeroPoint: Scalar, bias: Tensor): Tensor {
  const q = quantizeDynamic(doublesOf(x), false);
  const zero = scalarToNumber(zeroPoint);
  const values = q.integers.map((v) => v - q.zeroPoint);
  const centered = doublesOf(weight).map((w) => w - zero);
  return affine(values, x.sizes, centered, weight.sizes[0]!, f(f(q.scale) * f(scalarToNumber(scale))), bias);
}

op(
  "aten::fbgemm_linear_quantize_weight(Tensor input) -> (Tensor, Tensor, float, int)",
  (input): [Tensor, Tensor, number, number] => {
    const x = doublesOf(input);
    const { min, max } = extremes(x);
    const { scale, zeroPoint } = chooseParameters(min, max, -128, 127);
    const integers = x.map((v) => quantizeFused(v, scale, zeroPoint, DTYPES.qint8));
    const [n = 0, k = 0] = input.sizes;
    const offsets = Float64Array.from(
      { length: n },
      (_, row) => integers.subarray(row * k, (row + 1) * k).reduce((a, b) => a + b, 0) - zeroPoint * k,
    );
    return [fromDoubles(integers, input.sizes, DTYPES.int8), fromDoubles(offsets, [n], DTYPES.int32), scale, zeroPoint];
  },
);
op("aten::fbgemm_pack_quantized_matrix(Tensor input) -> Tensor", (input) => pack(contiguousTensor(input)));
op("aten::fbgemm_pack_quantized_matrix.KN(Tensor input, int K, int N) -> Tensor", (input) =>
  pack(contiguousTensor(input)),
);
op(
  "aten::fbgemm_linear_int8_weight_fp32_activation(Tensor input, Tensor weight, Tensor packed, Tensor col_offsets, Scalar weight_scale, Scalar weight_zero_point, Tensor bias) -> Tensor",
  (x, weight, _packed, _offsets, scale, zeroPoint, bias) => int8Linear(x, weight, scale, zeroPoint, bias),
);
op(
  "aten::fbgemm_linear_int8_weight(Tensor input, Tensor weight, Tensor packed, Tensor col_offsets, Scalar weight_scale, Scalar weight_zero_point, Tensor bias) -> Tensor",
  (x, weight, _packed, _offsets, scale, zeroPoint, bias) => int8Linear(x, weight, scale, zeroPoint, bias),
);
op("aten::fbgemm_pack_gemm_matrix_fp16(Tensor input) -> Tensor", (input) =>
  pack(
    fromDoubles(
      doublesOf(input).map((w) => roundToHalf(Math.max(-65504, Math.min(65504, w)))),
      input.sizes,
      DTYPES.float32,
    ),
  ),
);
const halfLinear = (x: Tensor, packed: Tensor, bias: Tensor | null): Tensor => {
  const weight = unpacked(packed, "fbgemm_linear_fp16_weight");
  return affine(doublesOf(x), x.sizes, doublesOf(weight), weight.sizes[0]!, 1, bias);
};
op(
  "aten::fbgemm_linear_fp16_weight_fp32_activation(Tensor input, Tensor packed_weight, Tensor? bias) -> Tensor",
  halfLinear,
);
op("aten::fbgemm_linear_fp16_weight(Tensor input, Tensor packed_weight, Tensor bias) -> Tensor", (x, packed, bias) =>
  convertTensor(halfLinear(x, packed, bias), DTYPES.float32),
);

const call = (name: string, ...args: unknown[]): Tensor => callOperator(`aten::${name}`, args) as Tensor;
const chunks = (t: Tensor, count: number): Tensor[] => callOperator("aten::chunk", [t, count, 1]) as Tensor[];

/** The arguments behind the state of the old cells: weights, biases, packed weights, offsets, scales, zero points. */
type CellArguments = [
  wIh: Tensor,
  wHh: Tensor,
  bIh: Tensor,
  bHh: Tensor,
  pIh: Tensor,
  pHh: Tensor,
  cIh: Tensor,
  cHh: Tensor,
  sIh: Scalar,
  sHh: Scalar,
  zIh: Scalar,
  zHh: Scalar,
];

function gatesOf(input: Tensor, hx: Tensor, a: CellArguments): [Tensor, Tensor] {
  return [int8Linear(input, a[0], a[8], a[10], a[2]), int8Linear(hx, a[1], a[9], a[11], a[3])];
}

const CELL =
  "Tensor w_ih, Tensor w_hh, Tensor b_ih, Tensor b_hh, Tensor packed_ih, Tensor packed_hh, Tensor col_offsets_ih, Tensor col_offsets_hh, Scalar scale_ih, Scalar scale_hh, Scalar zero_point_ih, Scalar zero_point_hh";
op(
  `aten::quantized_lstm_cell(Tensor input, Tensor[] hx, ${CELL}) -> (Tensor, Tensor)`,
  (input, hx, ...rest): [Tensor, Tensor] => {
    if (hx.length !== 2) throw new OperatorError("lstm_cell expects two hidden states");
    const [x, h] = gatesOf(input, hx[0]!, rest);
    const [i, forget, cell, out] = chunks(call("add.Tensor", x, h, 1), 4) as [Tensor, Tensor, Tensor, Tensor];
    const kept = call("mul.Tensor", call("sigmoid", forget), hx[1]!);
    const c = call("add.Tensor", kept, call("mul.Tensor", call("sigmoid", i), call("tanh", cell)), 1);
    return [call("mul.Tensor", call("sigmoid", out), call("tanh", c)), c];
  },
);
op(`aten::quantized_gru_cell(Tensor input, Tensor hx, ${CELL}) -> Tensor`, (input, hx, ...rest) => {
  const [x, h] = gatesOf(input, hx, rest);
  const [xr, xz, xn] = chunks(x, 3) as [Tensor, Tensor, Tensor];
  const [hr, hz, hn] = chunks(h, 3) as [Tensor, Tensor, Tensor];
  const reset = call("sigmoid", call("add.Tensor", xr, hr, 1));
  const update = call("sigmoid", call("add.Tensor", xz, hz, 1));
  const fresh = call("tanh", call("add.Tensor", xn, call("mul.Tensor", reset, hn), 1));
  return call("add.Tensor", call("mul.Tensor", call("sub.Tensor", hx, fresh, 1), update), fresh, 1);
});
type PlainCell = `aten::quantized_rnn_tanh_cell(Tensor input, Tensor hx, ${typeof CELL}) -> Tensor`;
for (const name of ["tanh", "relu"]) {
  op(
    `aten::quantized_rnn_${name}_cell(Tensor input, Tensor hx, ${CELL}) -> Tensor` as PlainCell,
    (input, hx, ...rest) => {
      const [x, h] = gatesOf(input, hx, rest);
      return call(name, call("add.Tensor", x, h, 1));
    },
  );
}

/** Forms that PyTorch still parses but no longer runs. */
const REMOVED: readonly (readonly [key: string, message: string])[] = [
  ...["linear_prepack", "linear_prepack_fp16"].map(
    (name) =>
      [
        `quantized::${name}_legacy`,
        `This model uses an outdated version of quantized.${name}. Please re-export your model using the newer definitions in torch.jit.quantized`,
      ] as const,
  ),
  ...["linear_unpack", "linear_unpack_fp16"].map(
    (name) =>
      [
        `quantized::${name}.legacy`,
        "quantized.linear_unpack(Tensor) is unsupported! Please upgrade your model to use the newer quantized.linear_unpack(LinearPackedParamsBase) overload",
      ] as const,
  ),
  ...["lstm", "gru"].flatMap((kind) =>
    ["input_legacy", "data_legacy"].map(
      (form) =>
        [
          `aten::quantized_${kind}.${form}`,
          `torch.quantized_${kind} with List[Tensor] for parameters is no longer supported. Please re-export your model using the newer definitions in torch.jit.quantized`,
        ] as const,
    ),
  ),
];

for (const [key, message] of REMOVED) {
  op(`${key}() -> Tensor`, (() => {
    throw new OperatorError(message);
  }) as never);
}

// `_quantized` holds the same operators for archives that were made for the reference flow
const MIRRORED = [
  "add",
  "linear",
  "linear_dynamic",
  "linear_prepack",
  "linear_prepack_fp16",
  "conv2d",
  "conv2d_relu",
  "conv2d_prepack",
  "conv3d",
  "conv3d_relu",
  "conv3d_prepack",
  "conv_transpose1d",
  "conv_transpose1d_prepack",
  "conv_transpose2d",
  "conv_transpose2d_prepack",
  "conv_transpose3d_prepack",
];
for (const name of MIRRORED) {
  const isRun = name.startsWith("conv") && !name.endsWith("prepack") && !name.includes("transpose");
  op(`_quantized::${name}() -> Tensor`, ((...args: unknown[]) =>
    callOperator(`quantized::${name}${isRun ? ".new" : ""}`, args)) as never);
}
