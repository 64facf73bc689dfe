/** @file The modules of modules.py, made here. Upstream: none. Spec: none. */
import { nn, torch } from "../../../src/index.ts";

type Make = () => nn.Module;
type AnyClass = new (...args: never[]) => nn.Module;
const library = nn as unknown as Readonly<Record<string, AnyClass>>;
const build = (name: string, ...args: unknown[]): nn.Module => new library[name]!(...(args as never[]));

/** The modules of test/jit/library/modules.py; names that are not here are classes without arguments. */
const MODULES: Readonly<Record<string, Make>> = {
  Linear: () => new nn.Linear(3, 4),
  "Linear no bias": () => new nn.Linear(3, 4, { bias: false }),
  Bilinear: () => new nn.Bilinear(2, 3, 4),
  "ReLU inplace": () => new nn.ReLU({ inplace: true }),
  Threshold: () => new nn.Threshold(0.5, 2.5),
  "Softmax dim": () => new nn.Softmax(-1),
  "LogSoftmax dim": () => new nn.LogSoftmax(1),
  "GELU tanh": () => new nn.GELU({ approximate: "tanh" }),
  "PReLU many": () => new nn.PReLU({ numParameters: 4 }),
  "Dropout p": () => new nn.Dropout(0.25),
  "Dropout eval": () => new nn.Dropout(0.25).eval(),
  "NLLLoss weight": () => new nn.NLLLoss({ weight: torch.ones([3]), ignoreIndex: 1, reduction: "sum" }),
  "BCEWithLogitsLoss weight": () => new nn.BCEWithLogitsLoss({ posWeight: torch.ones([3]) }),
  "CrossEntropyLoss options": () => new nn.CrossEntropyLoss({ labelSmoothing: 0.1, reduction: "none" }),
  Unflatten: () => new nn.Unflatten(1, [2, 3]),
  Unfold: () => new nn.Unfold(2),
  "Unfold sizes": () => new nn.Unfold([2, 3], { stride: [1, 2] }),
  Fold: () => new nn.Fold([4, 4], 2),
  Upsample: () => new nn.Upsample({ scaleFactor: 2 }),
  "Upsample size": () => new nn.Upsample({ size: [4, 5], mode: "bilinear", alignCorners: true }),
  UpsamplingNearest2d: () => new nn.UpsamplingNearest2d({ scaleFactor: 2 }),
  UpsamplingBilinear2d: () => new nn.UpsamplingBilinear2d({ size: [3, 3] }),
  PixelShuffle: () => new nn.PixelShuffle(2),
  PixelUnshuffle: () => new nn.PixelUnshuffle(2),
  ChannelShuffle: () => new nn.ChannelShuffle(2),
  Embedding: () => new nn.Embedding(5, 3),
  "Embedding padding": () => new nn.Embedding(5, 3, { paddingIdx: 1, maxNorm: 1.5 }),
  EmbeddingBag: () => new nn.EmbeddingBag(5, 3),
  "EmbeddingBag sum": () => new nn.EmbeddingBag(5, 3, { mode: "sum", includeLastOffset: true }),
  LayerNorm: () => new nn.LayerNorm(4),
  "LayerNorm sizes": () => new nn.LayerNorm([3, 4], { elementwiseAffine: false }),
  "LayerNorm no bias": () => new nn.LayerNorm(4, { bias: false }),
  RMSNorm: () => new nn.RMSNorm(4),
  GroupNorm: () => new nn.GroupNorm(2, 4),
  "GroupNorm plain": () => new nn.GroupNorm(2, 4, { affine: false }),
  LocalResponseNorm: () => new nn.LocalResponseNorm(2),
  "BatchNorm2d momentum": () => new nn.BatchNorm2d(3, { momentum: null }),
  "BatchNorm2d plain": () => new nn.BatchNorm2d(3, { affine: false, trackRunningStats: false }),
  "BatchNorm2d eval": () => new nn.BatchNorm2d(3).eval(),
  "InstanceNorm2d affine": () => new nn.InstanceNorm2d(3, { affine: true, trackRunningStats: true }),
  "Conv2d options": () =>
    new nn.Conv2d(4, 6, [3, 5], { stride: 2, padding: [1, 2], dilation: 2, groups: 2, bias: false }),
  "Conv2d same": () => new nn.Conv2d(2, 3, 3, { padding: "same" }),
  "Conv1d circular": () => new nn.Conv1d(2, 3, 3, { padding: 1, paddingMode: "circular" }),
  "Conv2d reflect": () => new nn.Conv2d(2, 3, 3, { padding: 1, paddingMode: "reflect" }),
  "ConvTranspose2d options": () => new nn.ConvTranspose2d(2, 3, 3, { stride: 2, outputPadding: 1 }),
  "AdaptiveAvgPool2d none": () => new nn.AdaptiveAvgPool2d([null, 3]),
  "MaxPool2d indices": () => new nn.MaxPool2d(2, { returnIndices: true }),
  "MaxPool2d options": () => new nn.MaxPool2d([2, 3], { stride: 2, padding: 1, ceilMode: true }),
  "AdaptiveMaxPool2d indices": () => new nn.AdaptiveMaxPool2d(2, { returnIndices: true }),
  "AvgPool2d divisor": () => new nn.AvgPool2d(2, { divisorOverride: 3 }),
  FractionalMaxPool2d: () => new nn.FractionalMaxPool2d(2, { outputSize: 3 }),
  FractionalMaxPool3d: () => new nn.FractionalMaxPool3d(2, { outputRatio: 0.5 }),
  ZeroPad1d: () => new nn.ZeroPad1d(1),
  ZeroPad2d: () => new nn.ZeroPad2d([1, 2, 3, 4]),
  ZeroPad3d: () => new nn.ZeroPad3d(1),
  RNN: () => new nn.RNN(3, 4),
  "RNN relu": () => new nn.RNN(3, 4, { nonlinearity: "relu", numLayers: 2 }),
  LSTM: () => new nn.LSTM(3, 4),
  "LSTM options": () => new nn.LSTM(3, 4, { numLayers: 2, batchFirst: true, bidirectional: true, dropout: 0.5 }),
  "LSTM projected": () => new nn.LSTM(3, 4, { projSize: 2, bias: false }),
  GRU: () => new nn.GRU(3, 4),
  "GRU batch first": () => new nn.GRU(3, 4, { batchFirst: true }),
  RNNCell: () => new nn.RNNCell(3, 4),
  "RNNCell relu": () => new nn.RNNCell(3, 4, { nonlinearity: "relu", bias: false }),
  LSTMCell: () => new nn.LSTMCell(3, 4),
  GRUCell: () => new nn.GRUCell(3, 4),
  MultiheadAttention: () => new nn.MultiheadAttention(4, 2),
  "MultiheadAttention batch first": () => new nn.MultiheadAttention(4, 2, { batchFirst: true, dropout: 0.1 }),
  "MultiheadAttention separate": () => new nn.MultiheadAttention(4, 2, { kdim: 3, vdim: 5, bias: false }),
  "MultiheadAttention extra": () => new nn.MultiheadAttention(4, 2, { addBiasKv: true, addZeroAttn: true }),
  TransformerEncoderLayer: () => new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8 }),
  "TransformerEncoderLayer gelu": () =>
    new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, activation: "gelu", batchFirst: true, normFirst: true }),
  TransformerDecoderLayer: () => new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 8 }),
  TransformerEncoder: () =>
    new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, batchFirst: true }), 2),
  TransformerDecoder: () =>
    new nn.TransformerDecoder(new nn.TransformerDecoderLayer(4, 2, { dimFeedforward: 8 }), 2, new nn.LayerNorm(4)),
  Transformer: () =>
    new nn.Transformer({ dModel: 4, nhead: 2, numEncoderLayers: 1, numDecoderLayers: 1, dimFeedforward: 8 }),
  "Sequential layers": () =>
    new nn.Sequential(
      new nn.Conv2d(1, 2, 3),
      new nn.BatchNorm2d(2),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Linear(8, 2),
    ),
  "Sequential twice": () => new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 2), new nn.Linear(2, 3)),
  "ModuleList layers": () => new nn.ModuleList<nn.Module>([new nn.Linear(2, 2), new nn.ReLU()]),
};
const DIMENSIONS: Readonly<Record<string, readonly unknown[]>> = {
  BatchNorm: [3],
  InstanceNorm: [3],
  Conv: [2, 3, 3],
  ConvTranspose: [2, 3, 3],
  MaxPool: [2],
  AvgPool: [2],
  LPPool: [2, 3],
  MaxUnpool: [2],
  AdaptiveAvgPool: [2],
  AdaptiveMaxPool: [2],
  ReflectionPad: [1],
  ReplicationPad: [1],
  CircularPad: [1],
  ConstantPad: [1, 0.5],
};

/** The module that modules.py calls by this name. */
export function makeLibraryModule(name: string): nn.Module {
  const own = MODULES[name];
  if (own) return own();
  const stem = /^(.*)[123]d$/.exec(name)?.[1];
  return build(name, ...(stem === undefined ? [] : (DIMENSIONS[stem] ?? [])));
}
