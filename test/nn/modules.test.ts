/** @file Text, initial values and outputs of modules, compared with PyTorch's (make_modules.py). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Tensor, nn, torch } from "../../src/index.ts";

interface Summary {
  readonly shape: number[];
  readonly first: number[];
  readonly sum: number;
}
interface Spec {
  readonly randn?: number[];
  readonly rand?: number[];
  readonly ints?: number[];
  readonly mod?: number;
}
interface Case {
  readonly text: string;
  readonly state: Record<string, Summary>;
  readonly inputs?: Spec[];
  readonly train?: Summary[];
  readonly eval?: Summary[];
}
const FILE = JSON.parse(readFileSync(join(import.meta.dirname, "modules.json"), "utf8")) as {
  modules: Record<string, Case>;
  init: Record<string, Summary>;
};

const seq = () => new nn.Sequential(new nn.Linear(4, 3), new nn.ReLU(), new nn.Linear(3, 2, { bias: false }));

const MODULES: Record<string, () => nn.Module> = {
  sequential: seq,
  sequential_named: () => new nn.Sequential({ fc: new nn.Linear(2, 2), act: new nn.Tanh() }),
  module_list: () => new nn.ModuleList<nn.Module>([new nn.Linear(2, 2), new nn.Linear(2, 2), seq()]),
  module_dict: () => new nn.ModuleDict<nn.Module>({ b: new nn.Linear(2, 1), a: new nn.ReLU() }),
  parameter_list: () => new nn.ParameterList([torch.ones([2, 3]), torch.zeros([1])]),
  parameter_dict: () => new nn.ParameterDict({ b: torch.ones([2]), a: torch.zeros([1, 2]) }),
  identity: () => new nn.Identity(),
  bilinear: () => new nn.Bilinear(3, 4, 2),
  conv1d_same: () => new nn.Conv1d(2, 4, 4, { padding: "same", dilation: 2 }),
  conv2d: () => new nn.Conv2d(3, 6, [3, 5], { stride: 2, padding: [1, 2], groups: 3, bias: false }),
  conv2d_reflect: () => new nn.Conv2d(2, 2, 3, { padding: 1, paddingMode: "reflect" }),
  conv3d: () => new nn.Conv3d(2, 3, 2, { dilation: 2 }),
  conv_transpose1d: () => new nn.ConvTranspose1d(2, 3, 3, { stride: 2 }),
  conv_transpose2d: () => new nn.ConvTranspose2d(4, 2, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
  conv_transpose3d: () => new nn.ConvTranspose3d(2, 1, 2, { bias: false }),
  batch_norm1d: () => new nn.BatchNorm1d(3),
  batch_norm2d: () => new nn.BatchNorm2d(3, { eps: 1e-3, momentum: null }),
  batch_norm_plain: () => new nn.BatchNorm3d(2, { affine: false, trackRunningStats: false }),
  instance_norm2d: () => new nn.InstanceNorm2d(2, { affine: true, trackRunningStats: true }),
  layer_norm: () => new nn.LayerNorm([2, 3]),
  group_norm: () => new nn.GroupNorm(2, 4),
  rms_norm: () => new nn.RMSNorm(5),
  local_response_norm: () => new nn.LocalResponseNorm(3),
  activations: () =>
    new nn.Sequential(
      new nn.Threshold(0.1, -0.5),
      new nn.Hardtanh(-2, 2),
      new nn.ELU(),
      new nn.CELU(0.5),
      new nn.SELU(),
      new nn.LeakyReLU(0.2),
      new nn.SiLU(),
      new nn.Mish(),
      new nn.Hardswish(),
      new nn.Hardsigmoid(),
      new nn.Softplus(),
      new nn.Sigmoid(),
      new nn.Tanh(),
    ),
  more_activations: () =>
    new nn.Sequential(
      new nn.Softshrink(0.1),
      new nn.Hardshrink(0.2),
      new nn.Softsign(),
      new nn.Tanhshrink(),
      new nn.LogSigmoid(),
      new nn.GELU(),
      new nn.GELU({ approximate: "tanh" }),
      new nn.ReLU6(),
      new nn.GLU(1),
      new nn.Softmax(1),
      new nn.LogSoftmax(1),
      new nn.Softmin(0),
    ),
  relu_inplace: () => new nn.ReLU({ inplace: true }),
  rrelu: () => new nn.RReLU(),
  prelu: () => new nn.PReLU({ numParameters: 3, init: 0.1 }),
  softmax2d: () => new nn.Softmax2d(),
  max_pool: () => new nn.MaxPool2d(3, { stride: 2, padding: 1, returnIndices: true }),
  max_pool1d: () => new nn.MaxPool1d(2, { ceilMode: true }),
  max_pool3d: () => new nn.MaxPool3d([1, 2, 2]),
  avg_pool1d: () => new nn.AvgPool1d(3, { stride: 2, padding: 1 }),
  avg_pool2d: () => new nn.AvgPool2d(2, { countIncludePad: false, padding: 1 }),
  avg_pool3d: () => new nn.AvgPool3d(2),
  lp_pool2d: () => new nn.LPPool2d(2, 3, { stride: 2 }),
  adaptive_avg_pool2d: () => new nn.AdaptiveAvgPool2d([2, null]),
  adaptive_max_pool1d: () => new nn.AdaptiveMaxPool1d(3),
  padding: () =>
    new nn.Sequential(
      new nn.ReflectionPad2d(1),
      new nn.ReplicationPad2d([1, 0, 2, 0]),
      new nn.ZeroPad2d(1),
      new nn.ConstantPad2d(1, 2.5),
      new nn.CircularPad2d(1),
    ),
  dropout: () => new nn.Sequential(new nn.Dropout(0.3), new nn.AlphaDropout(), new nn.Dropout1d(0.2)),
  dropout2d: () => new nn.Dropout2d(),
  embedding: () => new nn.Embedding(7, 3, { paddingIdx: -2, maxNorm: 1 }),
  embedding_bag: () => new nn.EmbeddingBag(6, 3, { mode: "sum" }),
  rnn: () => new nn.RNN(3, 4, { numLayers: 2, nonlinearity: "relu", batchFirst: true }),
  lstm: () => new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true }),
  lstm_projected: () => new nn.LSTM(3, 4, { projSize: 2, bias: false }),
  gru: () => new nn.GRU(3, 2, { dropout: 0 }),
  rnn_cell: () => new nn.RNNCell(3, 2, { nonlinearity: "relu" }),
  lstm_cell: () => new nn.LSTMCell(3, 2),
  gru_cell: () => new nn.GRUCell(3, 2, { bias: false }),
  attention: () => new nn.MultiheadAttention(4, 2, { batchFirst: true }),
  attention_separate: () => new nn.MultiheadAttention(4, 2, { kdim: 3, vdim: 2, addBiasKv: true, addZeroAttn: true }),
  encoder_layer: () => new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 6, dropout: 0, activation: "gelu" }),
  transformer: () =>
    new nn.Transformer({
      dModel: 4,
      nhead: 2,
      numEncoderLayers: 2,
      numDecoderLayers: 1,
      dimFeedforward: 5,
      dropout: 0,
      normFirst: true,
      batchFirst: true,
    }),
  cross_entropy: () => new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }),
  losses: () => new nn.SmoothL1Loss({ beta: 0.5 }),
  huber: () => new nn.HuberLoss({ reduction: "sum" }),
  bce_logits: () => new nn.BCEWithLogitsLoss({ weight: torch.tensor([1, 2], { dtype: torch.float32 }) }),
  bce: () => new nn.BCELoss(),
  kl_div: () => new nn.KLDivLoss({ reduction: "batchmean" }),
  nll: () => new nn.NLLLoss({ ignoreIndex: 1 }),
  gaussian_nll: () => new nn.GaussianNLLLoss({ full: true }),
  poisson_nll: () => new nn.PoissonNLLLoss(),
  triplet: () => new nn.TripletMarginLoss({ swap: true }),
  multi_margin: () => new nn.MultiMarginLoss(),
  multilabel_soft: () => new nn.MultiLabelSoftMarginLoss(),
  cosine_embedding: () => new nn.CosineEmbeddingLoss(),
  upsample: () =>
    new nn.Sequential(
      new nn.Upsample({ scaleFactor: 2 }),
      new nn.Upsample({ size: [5, 6], mode: "bilinear", alignCorners: false }),
      new nn.UpsamplingBilinear2d({ scaleFactor: 2 }),
      new nn.Upsample({ scaleFactor: [0.5, 1.5], mode: "bicubic" }),
    ),
  shuffles: () => new nn.Sequential(new nn.PixelShuffle(2), new nn.PixelUnshuffle(2), new nn.ChannelShuffle(2)),
  folds: () => new nn.Sequential(new nn.Unfold(2, { padding: 1 }), new nn.Fold([3, 4], 2, { padding: 1 })),
  flatten: () => new nn.Sequential(new nn.Flatten(), new nn.Unflatten(1, [3, 2])),
  distance: () => new nn.PairwiseDistance({ p: 1, keepdim: true }),
  cosine: () => new nn.CosineSimilarity({ dim: 0 }),
};

const INIT: Record<string, (t: Tensor) => Tensor> = {
  xavier_uniform_: (t) => nn.init.xavier_uniform_(t, 2),
  xavier_normal_: nn.init.xavier_normal_,
  kaiming_uniform_: (t) => nn.init.kaiming_uniform_(t, { a: 0.3, mode: "fan_out" }),
  kaiming_normal_: (t) => nn.init.kaiming_normal_(t, { nonlinearity: "relu" }),
  trunc_normal_: (t) => nn.init.trunc_normal_(t, 0.1, 0.5, -0.4, 0.6),
  trunc_normal_tail_: (t) => nn.init.trunc_normal_(t, 0, 1, 1, 2),
  orthogonal_: (t) => nn.init.orthogonal_(t),
  sparse_: (t) => nn.init.sparse_(t, 0.4),
  eye_: nn.init.eye_,
  uniform_: (t) => nn.init.uniform_(t, -1, 2),
  normal_: (t) => nn.init.normal_(t, 1, 2),
};

function make(spec: Spec): Tensor {
  if (spec.randn) return torch.randn(spec.randn);
  if (spec.rand) return torch.rand(spec.rand);
  const count = spec.ints!.reduce((a, b) => a * b, 1);
  return torch.call(
    "reshape",
    torch.tensor(Array.from({ length: count }, (_, i) => (i * 7) % spec.mod!)),
    spec.ints,
  ) as Tensor;
}

function tensors(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  return Array.isArray(value) ? value.flatMap(tensors) : [];
}

function check(actual: Tensor, expected: Summary, what: string): void {
  const values = Array.from(torch.flatValues(actual), Number);
  expect([...actual.sizes], what).toEqual(expected.shape);
  const near = (a: number, b: number, scale: number): void =>
    expect(Math.abs(a - b) <= 2e-5 * Math.max(1, Math.abs(b), scale), `${what}: ${a}, expected ${b}`).toBe(true);
  expected.first.forEach((v, i) => near(values[i]!, v, 0));
  near(
    values.reduce((a, b) => a + b, 0),
    expected.sum,
    values.length / 10,
  );
}

test("every module of PyTorch's list is written here", () => {
  expect(Object.keys(MODULES).sort()).toEqual(Object.keys(FILE.modules).sort());
});

describe.each(Object.entries(FILE.modules))("%s", (name, wanted) => {
  test("is as in PyTorch", () => {
    torch.manualSeed(5);
    const module = MODULES[name]!();
    expect(String(module)).toBe(wanted.text);
    const state = module.stateDict();
    expect([...state.keys()]).toEqual(Object.keys(wanted.state));
    for (const [key, tensor] of state) check(tensor, wanted.state[key]!, key);
    if (!wanted.inputs) return;
    torch.manualSeed(9);
    const args = wanted.inputs.map(make);
    const run = (): Tensor[] => tensors(module.callWith(...args.map((a) => torch.call("clone", a))));
    for (const mode of ["train", "eval"] as const) {
      if (mode === "eval") module.eval();
      const outputs = run();
      expect(outputs.length).toBe(wanted[mode]!.length);
      outputs.forEach((t, i) => check(t, wanted[mode]![i]!, `${mode} output ${i}`));
    }
  });
});

// PyTorch 2.13's answers and texts
describe("what does not fit or is empty", () => {
  test.each([
    [0, 3],
    [2, 3, 0],
  ])("a batch without elements leaves running statistics as they are: %i, %i", (...sizes) => {
    const norm = new nn.BatchNorm1d(3);
    norm.running_mean!.fill_(2);
    norm.running_var!.fill_(3);
    const x = torch.zeros(sizes);
    expect(norm(x).shape).toEqual(sizes);
    expect([norm.running_mean, norm.running_var, norm.num_batches_tracked].map((t) => t!.tolist())).toEqual([
      [2, 2, 2],
      [3, 3, 3],
      1,
    ]);
    expect(() => torch.native_batch_norm(x, null, null, null, null, true, 0.1, 1e-5)).toThrow(
      `input tensor must have at least one element, but got input_sizes = [${sizes.join(", ")}]`,
    );
  });
  test("cells", () => {
    const ones = (...sizes: number[]): Tensor => torch.ones(sizes);
    const gru = new nn.GRUCell(2, 3);
    expect(() => gru(ones(1, 4))).toThrow("input has inconsistent input_size: got 4 expected 2");
    expect(() => gru(ones(1, 2), ones(2, 3))).toThrow("Input batch size 1 doesn't match hidden0 batch size 2");
    expect(() => new nn.RNNCell(2, 3)(ones(1, 2), ones(1, 4))).toThrow(
      "hidden0 has inconsistent hidden_size: got 4, expected 3",
    );
    expect(() => new nn.LSTMCell(2, 3)(ones(1, 2), [ones(1, 3), ones(2, 3)])).toThrow(
      "Input batch size 1 doesn't match hidden1 batch size 2",
    );
    expect(() => torch.gru_cell(ones(1, 2), ones(1, 3), ones(9, 2), ones(8, 3))).toThrow(
      "weight_hh first dim must be 3 * hidden_size = 9, but got 8",
    );
  });
  test("sizes and numbers", () => {
    expect(() => new nn.CircularPad2d(1)(torch.zeros([3, 3]))).toThrow("expected 3D or 4D input (got 2D input)");
    expect(() => new nn.Embedding(-1, 3)).toThrow("Trying to create tensor with negative dimension -1: [-1, 3]");
    expect(() => new nn.BatchNorm1d(2, { eps: -1 })(torch.zeros([2, 2]))).toThrow(
      "batch_norm eps must be positive during training, but got -1.0",
    );
  });
});

describe("init", () => {
  test.each(Object.entries(INIT))("%s draws PyTorch's numbers", (name, fill) => {
    torch.manualSeed(3);
    check(fill(torch.zeros([7, 4])), FILE.init[name]!, name);
  });
  test("dirac_ is as in PyTorch", () => {
    check(nn.init.dirac_(torch.zeros([4, 3, 3, 5]), 2), FILE.init["dirac_"]!, "dirac_");
  });
});
