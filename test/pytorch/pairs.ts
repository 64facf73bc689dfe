/** @file Modules, each also written in pairs.py under the same name: what tsarchive and PyTorch must make alike. Upstream: none. Spec: none. */
import { jit, nn, torch, type Tensor, type float, type int } from "tsarchive";

const F = nn.functional;

/** A module class (made without arguments) and the inputs of one call, drawn after a seed. */
export interface Pair {
  readonly name: string;
  readonly make: () => nn.Module;
  readonly inputs: () => readonly unknown[];
  readonly trace: boolean;
  readonly script: boolean;
  readonly train: boolean;
  readonly strict: boolean;
}

/** Every pair, in the order of pairs.py. */
export const PAIRS: Pair[] = [];

function pair(
  name: string,
  make: new () => nn.Module,
  inputs: () => readonly unknown[],
  options: Partial<Omit<Pair, "name" | "make" | "inputs">> = {},
): void {
  const { trace = true, script = true, train = false, strict = true } = options;
  PAIRS.push({ name, make: () => new make(), inputs, trace, script, train, strict });
}

// containers ------------------------------------------------------------------------------------------------------

class Mlp extends nn.Module {
  fc1 = new nn.Linear(4, 8);
  fc2 = new nn.Linear(8, 3);
  forward(x: Tensor) {
    return this.fc2(F.relu(this.fc1(x)));
  }
}
pair("mlp", Mlp, () => [torch.randn([2, 4])]);

class SequentialMlp extends nn.Module {
  layers = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.ReLU(),
    new nn.Dropout(0.5),
    new nn.Linear(8, 2),
    new nn.Tanh(),
  );
  forward(x: Tensor) {
    return this.layers(x);
  }
}
pair("sequential", SequentialMlp, () => [torch.randn([2, 4])]);

class NamedSequential extends nn.Module {
  body = new nn.Sequential({ fc: new nn.Linear(4, 6), act: new nn.GELU(), norm: new nn.LayerNorm(6) });
  forward(x: Tensor) {
    return this.body(x);
  }
}
pair("named_sequential", NamedSequential, () => [torch.randn([3, 4])]);

class ModuleListLoop extends nn.Module {
  layers = new nn.ModuleList([new nn.Linear(5, 5), new nn.Linear(5, 5), new nn.Linear(5, 5)]);
  forward(x: Tensor) {
    for (const layer of this.layers) {
      x = torch.tanh(layer.callWith(x) as Tensor);
    }
    return x;
  }
}
pair("module_list", ModuleListLoop, () => [torch.randn([2, 5])]);

class ModuleDictPick extends nn.Module {
  heads = new nn.ModuleDict({ left: new nn.Linear(4, 2), right: new nn.Linear(4, 3) });
  forward(x: Tensor) {
    const a = this.heads.get("left").callWith(x) as Tensor;
    const b = this.heads.get("right").callWith(x) as Tensor;
    return torch.cat([a, b], 1);
  }
}
pair("module_dict", ModuleDictPick, () => [torch.randn([2, 4])]);

class Nested extends nn.Module {
  first = new Mlp();
  second = new nn.Sequential(new nn.Linear(3, 4), new Mlp());
  forward(x: Tensor) {
    return this.second(this.first(x));
  }
}
pair("nested", Nested, () => [torch.randn([2, 4])]);

class SharedLayer extends nn.Module {
  fc = new nn.Linear(4, 4);
  forward(x: Tensor) {
    x = this.fc(x);
    x = F.relu(x);
    return this.fc(x);
  }
}
pair("shared_layer", SharedLayer, () => [torch.randn([2, 4])]);

class OwnParameter extends nn.Module {
  weight = new nn.Parameter(torch.randn([3, 4]));
  scale = new nn.Parameter(torch.ones([4]));
  forward(x: Tensor) {
    return torch.mm(x, this.weight).mul(this.scale);
  }
}
pair("own_parameter", OwnParameter, () => [torch.randn([2, 3])]);

class OwnBuffer extends nn.Module {
  declare mean: Tensor;
  declare std: Tensor;
  constructor() {
    super();
    this.registerBuffer("mean", torch.tensor([0.5, 1.5, 2.5]));
    this.registerBuffer("std", torch.tensor([1.0, 2.0, 4.0], { dtype: torch.float32 }));
  }
  forward(x: Tensor) {
    return x.sub(this.mean).div(this.std);
  }
}
pair("own_buffer", OwnBuffer, () => [torch.randn([2, 3])]);

class Residual extends nn.Module {
  norm = new nn.LayerNorm(6);
  fc = new nn.Linear(6, 6);
  skip = new nn.Identity();
  forward(x: Tensor) {
    return this.skip(x).add(this.fc(this.norm(x)));
  }
}
pair("residual", Residual, () => [torch.randn([2, 6])]);

// convolution -----------------------------------------------------------------------------------------------------

class LeNet extends nn.Module {
  conv1 = new nn.Conv2d(1, 4, 5);
  conv2 = new nn.Conv2d(4, 8, 5);
  fc1 = new nn.Linear(128, 20);
  fc2 = new nn.Linear(20, 10);
  forward(x: Tensor) {
    x = F.max_pool2d(F.relu(this.conv1(x)), 2);
    x = F.max_pool2d(F.relu(this.conv2(x)), 2);
    x = torch.flatten(x, 1);
    x = F.relu(this.fc1(x));
    x = this.fc2(x);
    return F.log_softmax(x, 1);
  }
}
pair("lenet", LeNet, () => [torch.randn([1, 1, 28, 28])]);

class BasicBlock extends nn.Module {
  conv1 = new nn.Conv2d(4, 4, 3, { padding: 1, bias: false });
  bn1 = new nn.BatchNorm2d(4);
  relu = new nn.ReLU({ inplace: true });
  conv2 = new nn.Conv2d(4, 4, 3, { padding: 1, bias: false });
  bn2 = new nn.BatchNorm2d(4);
  forward(x: Tensor) {
    const identity = x;
    let out = this.conv1(x);
    out = this.bn1(out);
    out = this.relu(out);
    out = this.conv2(out);
    out = this.bn2(out);
    out = out.add(identity);
    return this.relu(out);
  }
}
pair("basic_block", BasicBlock, () => [torch.randn([1, 4, 8, 8])]);

class BatchNormTrain extends nn.Module {
  conv = new nn.Conv2d(3, 6, 3);
  bn = new nn.BatchNorm2d(6);
  forward(x: Tensor) {
    return F.relu(this.bn(this.conv(x)));
  }
}
pair("batch_norm_train", BatchNormTrain, () => [torch.randn([4, 3, 5, 5])], { train: true });

class DepthwiseSeparable extends nn.Module {
  depthwise = new nn.Conv2d(6, 6, 3, { stride: 2, padding: 1, groups: 6, bias: false });
  pointwise = new nn.Conv2d(6, 10, 1);
  act = new nn.ReLU6();
  forward(x: Tensor) {
    return this.act(this.pointwise(this.depthwise(x)));
  }
}
pair("depthwise", DepthwiseSeparable, () => [torch.randn([1, 6, 9, 9])]);

class SqueezeExcite extends nn.Module {
  pool = new nn.AdaptiveAvgPool2d(1);
  fc1 = new nn.Conv2d(8, 2, 1);
  fc2 = new nn.Conv2d(2, 8, 1);
  gate = new nn.Sigmoid();
  forward(x: Tensor) {
    let s = this.pool(x);
    s = F.silu(this.fc1(s));
    s = this.gate(this.fc2(s));
    return x.mul(s);
  }
}
pair("squeeze_excite", SqueezeExcite, () => [torch.randn([2, 8, 6, 6])]);

class Conv1dStack extends nn.Module {
  conv1 = new nn.Conv1d(3, 6, 3, { dilation: 2 });
  pool = new nn.MaxPool1d(2);
  conv2 = new nn.Conv1d(6, 4, 3, { padding: "same" });
  forward(x: Tensor) {
    x = this.pool(F.leaky_relu(this.conv1(x), 0.1));
    return this.conv2(x).mean(2);
  }
}
pair("conv1d", Conv1dStack, () => [torch.randn([2, 3, 20])]);

class Conv3dBlock extends nn.Module {
  conv = new nn.Conv3d(2, 3, [3, 3, 3], { padding: [1, 1, 1] });
  norm = new nn.BatchNorm3d(3);
  pool = new nn.AvgPool3d(2);
  forward(x: Tensor) {
    return this.pool(F.elu(this.norm(this.conv(x))));
  }
}
pair("conv3d", Conv3dBlock, () => [torch.randn([1, 2, 5, 6, 7])]);

class Decoder extends nn.Module {
  up1 = new nn.ConvTranspose2d(4, 3, 4, { stride: 2, padding: 1 });
  up2 = new nn.ConvTranspose2d(3, 1, 2, { stride: 2 });
  forward(x: Tensor) {
    x = F.relu(this.up1(x));
    return torch.sigmoid(this.up2(x));
  }
}
pair("conv_transpose", Decoder, () => [torch.randn([1, 4, 5, 5])]);

class GroupNormBlock extends nn.Module {
  conv = new nn.Conv2d(8, 8, 1);
  norm = new nn.GroupNorm(2, 8);
  act = new nn.Hardswish();
  forward(x: Tensor) {
    return this.act(this.norm(this.conv(x)));
  }
}
pair("group_norm", GroupNormBlock, () => [torch.randn([2, 8, 4, 4])]);

class InstanceNormBlock extends nn.Module {
  pad = new nn.ReflectionPad2d(1);
  conv = new nn.Conv2d(3, 4, 3);
  norm = new nn.InstanceNorm2d(4, { affine: true });
  forward(x: Tensor) {
    return F.prelu(this.norm(this.conv(this.pad(x))), torch.full([1], 0.25));
  }
}
pair("instance_norm", InstanceNormBlock, () => [torch.randn([2, 3, 6, 6])]);

class TinyUnet extends nn.Module {
  down = new nn.Conv2d(2, 4, 3, { padding: 1 });
  mid = new nn.Conv2d(4, 4, 3, { padding: 1 });
  up = new nn.Upsample({ scaleFactor: 2, mode: "nearest" });
  out = new nn.Conv2d(8, 1, 1);
  forward(x: Tensor) {
    const d = F.relu(this.down(x));
    const m = F.relu(this.mid(F.avg_pool2d(d, 2)));
    const u = this.up(m);
    return this.out(torch.cat([u, d], 1));
  }
}
pair("unet", TinyUnet, () => [torch.randn([1, 2, 8, 8])]);

class SuperResolution extends nn.Module {
  conv = new nn.Conv2d(2, 12, 3, { padding: 1 });
  shuffle = new nn.PixelShuffle(2);
  forward(x: Tensor) {
    return this.shuffle(torch.tanh(this.conv(x)));
  }
}
pair("pixel_shuffle", SuperResolution, () => [torch.randn([1, 2, 4, 4])]);

class Autoencoder extends nn.Module {
  encoder = new nn.Sequential(new nn.Linear(12, 6), new nn.ReLU(), new nn.Linear(6, 2));
  decoder = new nn.Sequential(new nn.Linear(2, 6), new nn.ReLU(), new nn.Linear(6, 12), new nn.Sigmoid());
  encode(x: Tensor) {
    return this.encoder(x) as Tensor;
  }
  forward(x: Tensor) {
    const z = this.encode(x);
    return this.decoder(z);
  }
}
pair("autoencoder", Autoencoder, () => [torch.randn([2, 12])]);

class ViewSize extends nn.Module {
  fc = new nn.Linear(12, 5);
  forward(x: Tensor) {
    x = x.view(x.size(0), -1);
    return this.fc(x);
  }
}
pair("view_size", ViewSize, () => [torch.randn([2, 3, 4])]);

// recurrent -------------------------------------------------------------------------------------------------------

class RnnClassifier extends nn.Module {
  rnn = new nn.RNN(3, 4);
  fc = new nn.Linear(4, 2);
  forward(x: Tensor) {
    const [out, _h] = this.rnn(x);
    return this.fc(out.get(-1));
  }
}
pair("rnn", RnnClassifier, () => [torch.randn([5, 2, 3])]);

class LstmTagger extends nn.Module {
  lstm = new nn.LSTM(3, 4, { batchFirst: true });
  fc = new nn.Linear(4, 2);
  forward(x: Tensor) {
    const [out, _state] = this.lstm(x);
    return this.fc(out);
  }
}
pair("lstm", LstmTagger, () => [torch.randn([2, 5, 3])]);

class GruBidirectional extends nn.Module {
  gru = new nn.GRU(3, 4, { numLayers: 2, bidirectional: true });
  forward(x: Tensor) {
    const [out, h] = this.gru(x);
    return [out, h];
  }
}
pair("gru_bidirectional", GruBidirectional, () => [torch.randn([6, 2, 3])]);

class RnnCellLoop extends nn.Module {
  cell = new nn.RNNCell(3, 5);
  forward(xs: Tensor, h: Tensor) {
    for (let i = 0; i < xs.size(0); i++) {
      h = this.cell(xs.get(i), h);
    }
    return h;
  }
}
pair("rnn_cell_loop", RnnCellLoop, () => [torch.randn([4, 2, 3]), torch.zeros([2, 5])]);

class GruStep extends nn.Module {
  cell = new nn.GRUCell(3, 4);
  forward(x: Tensor, h: Tensor) {
    return this.cell(x, h);
  }
}
pair("gru_cell", GruStep, () => [torch.randn([2, 3]), torch.randn([2, 4])]);

class LstmStep extends nn.Module {
  cell = new nn.LSTMCell(3, 4);
  forward(x: Tensor, h: Tensor, c: Tensor) {
    [h, c] = this.cell(x, [h, c]);
    return [h, c];
  }
}
pair("lstm_cell", LstmStep, () => [torch.randn([2, 3]), torch.randn([2, 4]), torch.randn([2, 4])]);

class OwnLstm extends nn.Module {
  gates = new nn.Linear(7, 16);
  forward(x: Tensor, h: Tensor, c: Tensor) {
    const gates = this.gates(torch.cat([x, h], 1));
    const [i, f, g, o] = gates.chunk(4, 1);
    c = torch
      .sigmoid(f!)
      .mul(c)
      .add(torch.sigmoid(i!).mul(torch.tanh(g!)));
    h = torch.sigmoid(o!).mul(torch.tanh(c));
    return [h, c];
  }
}
pair("own_lstm", OwnLstm, () => [torch.randn([2, 3]), torch.randn([2, 4]), torch.randn([2, 4])]);

class EmbeddingClassifier extends nn.Module {
  embed = new nn.Embedding(10, 6, { paddingIdx: 0 });
  fc = new nn.Linear(6, 2);
  forward(tokens: Tensor) {
    const x = this.embed(tokens);
    return F.softmax(this.fc(x.mean(1)), -1);
  }
}
pair("embedding_classifier", EmbeddingClassifier, () => [
  torch.tensor([
    [1, 2, 3],
    [4, 5, 0],
  ]),
]);

// attention -------------------------------------------------------------------------------------------------------

class OwnAttention extends nn.Module {
  qkv = new nn.Linear(8, 24);
  proj = new nn.Linear(8, 8);
  forward(x: Tensor) {
    const [q, k, v] = this.qkv(x).chunk(3, -1);
    const scores = torch.matmul(q!, k!.transpose(-2, -1)).mul(0.3535533905932738);
    const weights = scores.softmax(-1);
    return this.proj(torch.matmul(weights, v!));
  }
}
pair("own_attention", OwnAttention, () => [torch.randn([2, 5, 8])]);

class HeadAttention extends nn.Module {
  query = new nn.Linear(8, 8);
  key = new nn.Linear(8, 8);
  value = new nn.Linear(8, 8);
  split(x: Tensor) {
    return x.reshape(x.size(0), x.size(1), 2, 4).transpose(1, 2);
  }
  forward(x: Tensor) {
    const q = this.split(this.query(x));
    const k = this.split(this.key(x));
    const v = this.split(this.value(x));
    const y = F.scaled_dot_product_attention(q, k, v);
    return y.transpose(1, 2).flatten(2);
  }
}
pair("head_attention", HeadAttention, () => [torch.randn([2, 5, 8])]);

class Multihead extends nn.Module {
  attn = new nn.MultiheadAttention(8, 2);
  forward(x: Tensor) {
    const [out, weights] = this.attn(x, x, x);
    return [out, weights];
  }
}
pair("multihead", Multihead, () => [torch.randn([5, 2, 8])]);

class EncoderLayer extends nn.Module {
  layer = new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0.0 });
  forward(x: Tensor) {
    return this.layer(x);
  }
}
pair("encoder_layer", EncoderLayer, () => [torch.randn([5, 2, 8])], { train: true });

class DecoderLayer extends nn.Module {
  layer = new nn.TransformerDecoderLayer(8, 2, { dimFeedforward: 16 });
  forward(x: Tensor, memory: Tensor) {
    return this.layer(x, memory);
  }
}
pair("decoder_layer", DecoderLayer, () => [torch.randn([4, 2, 8]), torch.randn([5, 2, 8])]);

class Encoder extends nn.Module {
  encoder = new nn.TransformerEncoder(new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16, dropout: 0.0 }), 2);
  forward(x: Tensor) {
    return this.encoder(x);
  }
}
pair("encoder", Encoder, () => [torch.randn([5, 2, 8])], { train: true });

class Positions extends nn.Module {
  position = new nn.Parameter(torch.randn([1, 16, 8]));
  norm = new nn.LayerNorm(8);
  forward(x: Tensor) {
    return this.norm(x.add(this.position.at(torch.slice(null), torch.slice(5))));
  }
}
pair("positions", Positions, () => [torch.randn([2, 5, 8])]);

class Patches extends nn.Module {
  proj = new nn.Conv2d(3, 6, 4, { stride: 4 });
  token = new nn.Parameter(torch.zeros([1, 1, 6]));
  forward(x: Tensor) {
    x = this.proj(x).flatten(2).transpose(1, 2);
    const t = this.token.expand(x.shape[0]!, -1, -1);
    return torch.cat([t, x], 1);
  }
}
pair("patches", Patches, () => [torch.randn([1, 3, 8, 8])]);

// control flow ----------------------------------------------------------------------------------------------------

class Gate extends nn.Module {
  forward(x: Tensor) {
    if (x.sum().item() > 0) {
      return x;
    } else {
      return x.neg();
    }
  }
}
class Cell extends nn.Module {
  dg = new Gate();
  linear = new nn.Linear(4, 4);
  forward(x: Tensor, h: Tensor) {
    const new_h = torch.tanh(this.dg(this.linear(x)).add(h));
    return [new_h, new_h];
  }
}
pair("decision_gate", Cell, () => [torch.randn([3, 4]), torch.randn([3, 4])]);

class EarlyReturn extends nn.Module {
  forward(x: Tensor) {
    if (x.size(0) > 8) return x.mean(0);
    if (x.dim() === 2) return x.sum(0);
    return x;
  }
}
pair("early_return", EarlyReturn, () => [torch.randn([3, 4])], { trace: false });

class CountedLoop extends nn.Module {
  forward(x: Tensor, n = 3) {
    for (let i = 0; i < n; i++) {
      x = x.mul(2).add(i);
    }
    return x;
  }
}
pair("counted_loop", CountedLoop, () => [torch.randn([3, 4]), 3], { trace: false });

class WhileLoop extends nn.Module {
  static signatures = { forward: "(Tensor x) -> (Tensor, int)" };
  forward(x: Tensor) {
    let n = 0;
    while (n < 10) {
      x = x.add(x);
      n += 2;
    }
    return [x, n];
  }
}
pair("while_loop", WhileLoop, () => [torch.ones([2])], { trace: false });

class BreakContinue extends nn.Module {
  forward(x: Tensor) {
    let total = torch.zeros([2]);
    for (let i = 0; i < x.size(0); i++) {
      if (i === 1) continue;
      if (i > 4) break;
      total = total.add(x.get(i));
    }
    return total;
  }
}
pair("break_continue", BreakContinue, () => [torch.randn([6, 2])], { trace: false });

class NestedIf extends nn.Module {
  static signatures = { forward: "(Tensor x, int k) -> Tensor" };
  forward(x: Tensor, k: number) {
    let y: Tensor;
    if (k > 3) {
      if (k === 5) y = x.add(1);
      else y = x.sub(1);
    } else if (k < 0) {
      y = x.mul(2);
    } else {
      y = x;
    }
    return y;
  }
}
pair("nested_if", NestedIf, () => [torch.randn([2, 2]), 5], { trace: false });

class Ternary extends nn.Module {
  static signatures = { forward: "(Tensor x, bool flip) -> Tensor" };
  forward(x: Tensor, flip: boolean) {
    const y = flip ? x.neg() : x;
    return y.relu();
  }
}
pair("ternary", Ternary, () => [torch.randn([2, 2]), true], { trace: false });

class Logic extends nn.Module {
  static signatures = { forward: "(Tensor x, int n, float p) -> Tensor" };
  forward(x: Tensor, n: number, p: number) {
    if (n > 3 && p < 1.0) {
      x = x.mul(p);
    }
    if (n === 0 || !(p > 0.25)) {
      x = x.add(n);
    }
    return x;
  }
}
pair("logic", Logic, () => [torch.randn([2, 2]), 4, 0.5], { trace: false });

class Arithmetic extends nn.Module {
  static signatures = { forward: "(Tensor x, int a, int b) -> (Tensor, int, float)" };
  forward(x: Tensor, a: number, b: number) {
    const c = a * b - 3;
    const d = a / b;
    return [x.mul(c).add(d), c, d];
  }
}
pair("arithmetic", Arithmetic, () => [torch.randn([2, 2]), 7, 2], { trace: false });

class Raises extends nn.Module {
  forward(x: Tensor) {
    if (x.dim() !== 2) throw new Error("expected two dimensions");
    return x.t();
  }
}
pair("raises", Raises, () => [torch.randn([2, 2])], { trace: false });

class ConstantBranch extends nn.Module {
  fc = new nn.Linear(3, 3);
  act = new nn.ReLU();
  use_act = true;
  forward(x: Tensor) {
    x = this.fc(x);
    if (this.use_act) {
      x = this.act(x);
    }
    return x;
  }
}
pair("constant_branch", ConstantBranch, () => [torch.randn([2, 3])]);

class TrainingBranch extends nn.Module {
  fc = new nn.Linear(3, 3);
  forward(x: Tensor) {
    let y = this.fc(x);
    if (this.training) {
      y = y.mul(2);
    }
    return y;
  }
}
pair("training_branch", TrainingBranch, () => [torch.randn([2, 3])]);

// data structures -------------------------------------------------------------------------------------------------

class ListOut extends nn.Module {
  forward(x: Tensor) {
    const outs: Tensor[] = [];
    for (let i = 0; i < x.size(0); i++) {
      outs.push(x.get(i).mul(i));
    }
    return torch.stack(outs);
  }
}
pair("list_out", ListOut, () => [torch.randn([4, 3])], { trace: false });

class ListIn extends nn.Module {
  static signatures = { forward: "(Tensor[] xs) -> Tensor" };
  forward(xs: Tensor[]) {
    let total = xs[0]!;
    for (const x of xs) {
      total = total.add(x);
    }
    return total;
  }
}
pair("list_in", ListIn, () => [[torch.randn([2]), torch.randn([2])]], { trace: false });

class DictIn extends nn.Module {
  static signatures = { forward: "(Dict(str, Tensor) batch) -> Tensor" };
  forward(batch: Map<string, Tensor>) {
    return batch.get("a")!.add(batch.get("b")!);
  }
}
pair(
  "dict_in",
  DictIn,
  () => [
    new Map([
      ["a", torch.randn([2])],
      ["b", torch.randn([2])],
    ]),
  ],
  { trace: false },
);

class DictOut extends nn.Module {
  fc = new nn.Linear(3, 2);
  forward(x: Tensor) {
    const y = this.fc(x);
    return { logits: y, probs: y.softmax(1) };
  }
}
pair("dict_out", DictOut, () => [torch.randn([2, 3])], { strict: false });

class TupleIn extends nn.Module {
  static signatures = { forward: "(Tensor x, (Tensor, Tensor) state) -> (Tensor, (Tensor, Tensor))" };
  forward(x: Tensor, state: [Tensor, Tensor]) {
    const [h, c] = state;
    return [x.add(h), [h, c]];
  }
}
pair("tuple_in", TupleIn, () => [torch.randn([2]), [torch.randn([2]), torch.randn([2])]]);

class OptionalArg extends nn.Module {
  static signatures = { forward: "(Tensor x, Tensor? mask=None) -> Tensor" };
  forward(x: Tensor, mask: Tensor | null = null) {
    if (mask !== null) {
      x = x.mul(mask);
    }
    return x;
  }
}
pair("optional_arg", OptionalArg, () => [torch.randn([2, 2]), null], { trace: false });

class OptionalAttribute extends nn.Module {
  fc = new nn.Linear(3, 3, { bias: false });
  norm = null;
  forward(x: Tensor) {
    x = this.fc(x);
    if (this.norm !== null) {
      x = x.add(1);
    }
    return x;
  }
}
pair("optional_attribute", OptionalAttribute, () => [torch.randn([2, 3])]);

class Strings extends nn.Module {
  static signatures = { forward: "(Tensor x, str mode) -> Tensor" };
  forward(x: Tensor, mode: string) {
    if (mode === "relu") {
      return F.relu(x);
    } else if (mode === "tanh") {
      return torch.tanh(x);
    } else {
      return x;
    }
  }
}
pair("strings", Strings, () => [torch.randn([2, 2]), "relu"], { trace: false });

class ListAttribute extends nn.Module {
  sizes = [2, 3];
  scale = 0.5;
  forward(x: Tensor) {
    return x.view(2, this.sizes[0]!, this.sizes[1]!).mul(this.scale);
  }
}
pair("list_attribute", ListAttribute, () => [torch.randn([2, 6])]);

// authored as users do: masks, arguments by name, sizes in indexes, optional and nested values -------------------------

class EncMasks extends nn.Module {
  layer = new nn.TransformerEncoderLayer(8, 2, {
    dimFeedforward: 16,
    dropout: 0.1,
    activation: "gelu",
    batchFirst: true,
    normFirst: true,
  });
  enc = new nn.TransformerEncoder(this.layer, 2, { norm: new nn.LayerNorm(8), enableNestedTensor: false });
  forward(x: Tensor, mask: Tensor, padding: Tensor): Tensor {
    return this.enc(x, mask, padding);
  }
}
pair("enc_masks", EncMasks, () => [
  torch.randn([2, 4, 8]),
  torch.triu(torch.full([4, 4], -Infinity), 1),
  torch
    .tensor([
      [0, 0, 0, 0],
      [0, 0, 0, -1e9],
    ])
    .float(),
]);

class FullTransformer extends nn.Module {
  model = new nn.Transformer({
    dModel: 8,
    nhead: 2,
    numEncoderLayers: 1,
    numDecoderLayers: 1,
    dimFeedforward: 16,
    dropout: 0.0,
    batchFirst: true,
  });
  forward(src: Tensor, tgt: Tensor, tgtMask: Tensor): Tensor {
    return this.model(src, tgt, { tgtMask });
  }
}
pair(
  "full_transformer",
  FullTransformer,
  () => [torch.randn([2, 5, 8]), torch.randn([2, 4, 8]), torch.triu(torch.ones([4, 4]), 1).bool()],
  { train: true },
);

class MhaNoWeights extends nn.Module {
  attn = new nn.MultiheadAttention(8, 2, {
    batchFirst: true,
    kdim: 6,
    vdim: 5,
    bias: false,
    addBiasKv: true,
    addZeroAttn: true,
  });
  forward(q: Tensor, k: Tensor, v: Tensor, padding: Tensor) {
    const [out, _w] = this.attn(q, k, v, { keyPaddingMask: padding, needWeights: false });
    return out;
  }
}
pair(
  "mha_no_weights",
  MhaNoWeights,
  () => [
    torch.randn([2, 3, 8]),
    torch.randn([2, 4, 6]),
    torch.randn([2, 4, 5]),
    torch.tensor([
      [false, false, false, true],
      [false, false, true, true],
    ]),
  ],
  { train: true, script: false },
);

class MhaHeads extends nn.Module {
  attn = new nn.MultiheadAttention(8, 2, { batchFirst: true });
  forward(x: Tensor, mask: Tensor) {
    const [out, w] = this.attn(x, x, x, { attnMask: mask, averageAttnWeights: false });
    return [out, w];
  }
}
pair("mha_heads", MhaHeads, () => [torch.randn([2, 3, 8]), torch.triu(torch.ones([3, 3]), 1).bool()]);

class LstmProj extends nn.Module {
  lstm = new nn.LSTM(4, 6, { numLayers: 2, bidirectional: true, projSize: 3, dropout: 0.25, batchFirst: true });
  forward(x: Tensor) {
    const [out, [h, c]] = this.lstm(x);
    return [out, h, c];
  }
}
pair("lstm_proj", LstmProj, () => [torch.randn([2, 5, 4])], { train: true });

class Bag extends nn.Module {
  bag = new nn.EmbeddingBag(10, 4, { mode: "sum", includeLastOffset: false, paddingIdx: 1 });
  mean = new nn.EmbeddingBag(10, 4);
  forward(x: Tensor, offsets: Tensor, w: Tensor) {
    return this.bag(x, offsets, w).add(this.mean(x, offsets));
  }
}
pair("bag", Bag, () => [torch.tensor([1, 2, 3, 4, 1]), torch.tensor([0, 2]), torch.rand([5])]);

class Tied extends nn.Module {
  embed = new nn.Embedding(7, 4);
  out = new nn.Linear(4, 7, { bias: false });
  declare pos: Tensor;
  constructor() {
    super();
    this.out.weight = this.embed.weight;
    this.registerBuffer("pos", torch.arange(8).view(1, 8), { persistent: false });
    this.registerBuffer("steps", torch.zeros([1], { dtype: torch.int64 }));
  }
  forward(ids: Tensor) {
    const [_b, t] = ids.shape as [number, number];
    const h = this.embed(ids).add(this.embed(this.pos.at(torch.slice(null), torch.slice(t)).clamp(0, 6)));
    return this.out(h);
  }
}
pair("tied", Tied, () => [
  torch.tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]),
]);

class Losses extends nn.Module {
  ce = new nn.CrossEntropyLoss({ labelSmoothing: 0.1, ignoreIndex: -1 });
  mse = new nn.MSELoss({ reduction: "sum" });
  bce = new nn.BCEWithLogitsLoss({ posWeight: torch.tensor([2.0, 3.0, 1.5]) });
  kl = new nn.KLDivLoss({ reduction: "batchmean" });
  sl = new nn.SmoothL1Loss({ beta: 0.5 });
  triplet = new nn.TripletMarginLoss();
  forward(x: Tensor, t: Tensor, y: Tensor) {
    const a = this.ce(x, t).add(this.mse(x, y));
    const b = this.bce(x, y.sigmoid()).add(this.kl(F.log_softmax(x, 1), F.softmax(y, 1)));
    return { a, b, c: this.sl(x, y).add(this.triplet(x, y, x.neg())) };
  }
}
pair("losses", Losses, () => [torch.randn([2, 3]), torch.tensor([1, -1]), torch.randn([2, 3])], { strict: false });

class Moe extends nn.Module {
  experts = new nn.ModuleList(Array.from({ length: 3 }, () => new nn.Linear(4, 4)));
  gate = new nn.Linear(4, 3, { bias: false });
  k = 2;
  forward(x: Tensor) {
    const scores = this.gate(x).softmax(-1);
    const [w, idx] = scores.topk(this.k, -1);
    let out = torch.zeros_like(x);
    for (const [i, expert] of [...this.experts].entries()) {
      const hit = idx.eq(i).to(x.dtype);
      const weight = w.mul(hit).sum(-1, true);
      out = out.add(expert(x).mul(weight));
    }
    return out;
  }
}
pair("moe", Moe, () => [torch.randn([5, 4])]);

class Vae extends nn.Module {
  enc = new nn.Linear(6, 4);
  dec = new nn.Linear(2, 6);
  reparameterize(mu: Tensor, logvar: Tensor): Tensor {
    if (this.training) {
      const std = torch.exp(logvar.mul(0.5));
      const eps = torch.randn_like(std);
      return mu.add(eps.mul(std));
    }
    return mu;
  }
  forward(x: Tensor): [Tensor, Tensor, Tensor] {
    const [mu, logvar] = this.enc(x).chunk(2, 1) as [Tensor, Tensor];
    const z = this.reparameterize(mu, logvar);
    return [torch.sigmoid(this.dec(z)), mu, logvar];
  }
}
pair("vae", Vae, () => [torch.randn([3, 6])], { train: true, trace: false });

class Halfs extends nn.Module {
  fc = new nn.Linear(4, 4).to(torch.bfloat16);
  ln = new nn.LayerNorm(4).half();
  dd = new nn.Linear(4, 2).double();
  forward(x: Tensor) {
    const a = this.fc(x.to(torch.bfloat16));
    const b = this.ln(a.half());
    return this.dd(b.double());
  }
}
pair("halfs", Halfs, () => [torch.randn([2, 4])]);

class Slices extends nn.Module {
  forward(x: Tensor) {
    const y = x.clone();
    y.set([torch.slice(null), 0], 1.0);
    y.set(
      [torch.slice(1, null), torch.slice(null, null, 2)],
      x.at(torch.slice(1, null), torch.slice(null, null, 2)).mul(2),
    );
    y.set(["...", -1], torch.zeros([3]));
    y.set([y.gt(1)], 0);
    y.at(0).add_(10);
    y.mul_(2).sub_(1);
    return y;
  }
}
pair("slices", Slices, () => [torch.randn([3, 4])]);

class IndexTrace extends nn.Module {
  forward(x: Tensor, i: Tensor): Tensor {
    const n = x.size(0);
    const m = x.size(1);
    const last = x.at(n - 1);
    const sub = x.at(torch.slice(1, n - 1), torch.slice(m - 2, null));
    const pick = x.at(i);
    const rows = x.at([0, 1]);
    const out = x.clone();
    out.set([0, torch.slice(n - 2)], 7);
    out.set([n - 1], x.at(0));
    return torch
      .cat([last.unsqueeze(0), rows, pick.unsqueeze(0), out], 0)
      .sum(1)
      .add(sub.sum());
  }
}
pair("index_trace", IndexTrace, () => [torch.randn([4, 5]), torch.tensor(2)]);

class Optionals extends nn.Module {
  fc = new nn.Linear(3, 3);
  scale: Tensor | null = null;
  forward(
    x: Tensor,
    state: [Tensor, Tensor] | null = null,
    names: string[] | null = null,
  ): [Tensor, [Tensor, Tensor] | null, string] {
    let y = this.fc(x);
    if (state !== null) {
      const [h, c] = state;
      y = y.add(h).mul(c);
      return [y, [y, c], `n=${names === null ? 0 : names.length}`];
    }
    return [y, null, "none"];
  }
}
pair("optionals", Optionals, () => [torch.randn([2, 3]), [torch.randn([2, 3]), torch.randn([2, 3])], ["a", "b"]], {
  trace: false,
});

class ListsOfLists extends nn.Module {
  forward(x: Tensor, groups: int[][]): [Tensor, int[][]] {
    const outs: Tensor[] = [];
    const sizes: int[][] = [];
    for (const group of groups) {
      const row: int[] = [];
      let acc = x.at(0).mul(0);
      for (const g of group) {
        acc = acc.add(x.at(g));
        row.push(g * 2);
      }
      outs.push(acc);
      sizes.push(row);
    }
    return [torch.stack(outs), sizes];
  }
}
pair(
  "lists_of_lists",
  ListsOfLists,
  () => [
    torch.randn([4, 2]),
    [
      [0, 1],
      [2, 3, 1],
    ],
  ],
  { trace: false },
);

class CacheDecoder extends nn.Module {
  static exports = ["prefill"];
  q = new nn.Linear(4, 4);
  kv = new nn.Linear(4, 8);
  prefill(x: Tensor): [Tensor, Tensor] {
    const [k, v] = this.kv(x).chunk(2, -1) as [Tensor, Tensor];
    return [k, v];
  }
  forward(x: Tensor, cache: Record<string, Tensor> | null = null): [Tensor, Record<string, Tensor>] {
    let [k, v] = this.prefill(x);
    if (cache !== null) {
      k = torch.cat([cache["k"]!, k], 1);
      v = torch.cat([cache["v"]!, v], 1);
    }
    const a = this.q(x).matmul(k.transpose(1, 2)).div(2.0).softmax(-1);
    return [a.matmul(v), { k, v }];
  }
}
pair("cache_decoder", CacheDecoder, () => [torch.randn([1, 2, 4]), null], { trace: false });

class Errors extends nn.Module {
  names = ["a", "b"];
  limit: int = 4;
  forward(x: Tensor, mode: string = "a"): Tensor {
    jit.assert(x.dim() === 2, `expected 2 dims, got ${x.dim()}`);
    if (!this.names.includes(mode)) throw new RangeError(`unknown mode ${mode}`);
    for (let i = 0; i < x.size(0); i++) {
      if (x.at(i).sum().item() > 0) return x.at(i).mul(i);
      if (i >= this.limit) throw new Error("too long");
    }
    return x.sum(0);
  }
}
pair("errors", Errors, () => [torch.randn([3, 2]), "b"], { trace: false });

class EarlyLoop extends nn.Module {
  forward(xs: Tensor[], threshold: float): [int, Tensor] {
    let best: Tensor | null = null;
    for (const [i, x] of xs.entries()) {
      if (best === null || x.max().item() > best.max().item()) best = x;
      if (best.norm().item() > threshold) return [i, best];
    }
    if (best === null) return [-1, torch.zeros([1])];
    return [xs.length, best];
  }
}
pair("early_loop", EarlyLoop, () => [[torch.randn([2]), torch.randn([2])], 100.5], { trace: false });

class LayerScale extends nn.Module {
  norm = new nn.LayerNorm(4);
  mlp = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.GELU({ approximate: "tanh" }),
    new nn.Dropout(0.0),
    new nn.Linear(8, 4),
  );
  gamma = new nn.Parameter(torch.full([4], 1e-5));
  dropProb = 0.0;
  forward(x: Tensor): Tensor {
    const h = this.mlp(this.norm(x)).mul(this.gamma);
    return x.add(h);
  }
}

class Stack extends nn.Module {
  blocks = new nn.ModuleList([new LayerScale(), new LayerScale()]);
  head = new nn.ModuleDict({ cls: new nn.Linear(4, 2), reg: new nn.Linear(4, 1) });
  forward(x: Tensor): { cls: Tensor; reg: Tensor } {
    for (const block of this.blocks) x = block(x);
    x = x.mean(1);
    return { cls: this.head.get("cls").callWith(x) as Tensor, reg: this.head.get("reg").callWith(x) as Tensor };
  }
}
pair("layer_scale", Stack, () => [torch.randn([2, 3, 4])], { strict: false });

class MixAttr extends nn.Module {
  static annotations = { table: "Dict[str, int]", counts: "List[int]", rate: "float" };
  table = new Map([
    ["x", 1],
    ["y", 2],
  ]);
  counts: int[] = [];
  rate = 2;
  calls: int = 0;
  forward(x: Tensor, key: string): Tensor {
    this.calls += 1;
    this.counts.push(this.calls);
    const n = this.table.get(key)!;
    return x.mul(n).add(this.counts.length).div(this.rate);
  }
}
pair("mix_attr", MixAttr, () => [torch.randn([2]), "y"], { trace: false });

class WhileTensor extends nn.Module {
  forward(x: Tensor, tol: float = 0.01): [Tensor, int] {
    let n = 0;
    let prev = x.clone();
    while (true) {
      x = x.mul(0.5).add(x.cos().mul(0.5));
      n += 1;
      if (x.sub(prev).abs().max().item() < tol || n >= 50) break;
      prev = x;
    }
    return [x, n];
  }
}
pair("while_tensor", WhileTensor, () => [torch.randn([3])], { trace: false });

class Comprehend extends nn.Module {
  widths = [2, 3, 4];
  forward(x: Tensor): [Tensor, int[], string] {
    const parts = x.split(this.widths, 1);
    const sums = parts.map((p) => p.sum(1));
    const lens = parts.map((p) => p.size(1));
    const total = lens[0]! + lens.at(-1)!;
    const names = lens.map((n, i) => `${i}:${n}`);
    return [torch.stack(sums, 1), [...lens, total], names.join(",")];
  }
}
pair("comprehend", Comprehend, () => [torch.randn([2, 9])], { trace: false });

class Up extends nn.Module {
  a = new nn.ConvTranspose1d(2, 3, 3, { stride: 2, outputPadding: 1, padding: 1, groups: 1, dilation: 1 });
  b = new nn.ConvTranspose1d(3, 4, 3, { stride: 2 });
  forward(x: Tensor) {
    const y = this.a(x);
    return this.b(y, [y.size(2) * 2 + 2]);
  }
}
pair("conv_transpose_out", Up, () => [torch.randn([1, 2, 5])], { trace: false });

class HalfMlp extends nn.Module {
  net = new nn.Sequential(new nn.Linear(4, 8), new nn.LayerNorm(8), new nn.GELU(), new nn.Linear(8, 2)).half();
  forward(x: Tensor): Tensor {
    return torch.softmax(this.net(x), -1);
  }
}
pair("half_mlp", HalfMlp, () => [torch.randn([3, 4]).half()]);

class BfloatConv extends nn.Module {
  conv = new nn.Conv2d(2, 4, 3, { padding: 1 });
  bn = new nn.BatchNorm2d(4);
  pool = new nn.AdaptiveMaxPool2d([3, 4]);
  constructor() {
    super();
    this.bfloat16();
  }
  forward(x: Tensor): Tensor {
    return this.pool(torch.relu(this.bn(this.conv(x))));
  }
}
pair("bfloat16_conv", BfloatConv, () => [torch.randn([2, 2, 8, 8]).to(torch.bfloat16)]);
