/** @file User modules to trace; trace_modules.py has the same under the same names. */
import { nn, torch } from "../../../src/node/index.ts";
import type { TraceCase } from "./trace_case.ts";

const F = nn.functional;
// methods of tensors are not typed here: the tests are about what they record
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any;

class Gate extends nn.Module {
  forward(x: Any): Any {
    return x.sum().item() > 1e9 ? x : x.neg();
  }
}

class Cell extends nn.Module {
  dg = new Gate();
  linear = new nn.Linear(4, 4);
  forward(x: Any, h: Any): unknown {
    const new_h = torch.call("tanh", this.dg(this.linear(x)).add(h));
    return [new_h, new_h];
  }
}

class Net extends nn.Module {
  conv = new nn.Conv2d(1, 2, 3, { padding: 1 });
  bn = new nn.BatchNorm2d(2);
  fc = new nn.Linear(32, 10);
  drop = new nn.Dropout();
  seq = new nn.Sequential(new nn.ReLU(), new nn.MaxPool2d(2));
  scale = new nn.Parameter(torch.ones([1]));
  constructor() {
    super();
    this.registerBuffer("off", torch.zeros([2]));
  }
  forward(x: Any): Any {
    x = this.bn(this.conv(x));
    x = F.relu(x);
    x = this.seq(x);
    x = this.seq(x);
    x = (this.bn(x) as Any).mul(this.scale);
    x = torch.call("flatten", x, 1);
    x = x.repeat(1, 4);
    return (F.log_softmax(this.fc(this.drop(x)), 1) as Any).add((this.conv.weight as Any).sum());
  }
}

class Shared extends nn.Module {
  a = new nn.Linear(4, 4);
  b = this.a;
  l = new nn.ModuleList([new nn.Linear(4, 4), this.a]);
  forward(x: Any): Any {
    const y = this.a(x);
    let z: Any = this.b(y);
    for (const m of this.l) z = m.callWith(z);
    return z;
  }
}

class Inner extends nn.Module {
  outer: Outer[];
  constructor(outer: Outer) {
    super();
    this.outer = [outer];
  }
  forward(x: Any): Any {
    return [x.mul(this.outer[0]!.off), x.add(1)];
  }
}

class Outer extends nn.Module {
  off = new nn.Parameter(torch.ones([4]));
  inner = new Inner(this);
  forward(x: Any): Any {
    const [a, b] = this.inner(x);
    return a.add(b).add(this.off);
  }
}

class ReturnsParameter extends nn.Module {
  w = new nn.Parameter(torch.ones([4]));
  lin = new nn.Linear(4, 4);
  forward(x: Any): Any {
    return [this.lin(x), this.w, this.lin.weight];
  }
}

class Block extends nn.Module {
  conv1: nn.Conv2d;
  bn1: nn.BatchNorm2d;
  relu: nn.ReLU;
  conv2: nn.Conv2d;
  bn2: nn.BatchNorm2d;
  constructor(c: number) {
    super();
    this.conv1 = new nn.Conv2d(c, c, 3, { padding: 1, bias: false });
    this.bn1 = new nn.BatchNorm2d(c);
    this.relu = new nn.ReLU({ inplace: true });
    this.conv2 = new nn.Conv2d(c, c, 3, { padding: 1, bias: false });
    this.bn2 = new nn.BatchNorm2d(c);
  }
  forward(x: Any): Any {
    const identity = x;
    let out: Any = this.conv1(x);
    out = this.bn1(out);
    out = this.relu(out);
    out = this.conv2(out);
    out = this.bn2(out);
    out = out.add_(identity);
    return this.relu(out);
  }
}

class ResNet extends nn.Module {
  stem = new nn.Conv2d(3, 4, 3);
  layers = new nn.Sequential(new Block(4), new Block(4));
  pool = new nn.AdaptiveAvgPool2d([1, 1]);
  fc = new nn.Linear(4, 2);
  forward(x: Any): Any {
    x = this.layers(this.stem(x));
    x = this.pool(x);
    x = x.view(x.size(0), -1);
    return this.fc(x);
  }
}

class Attention extends nn.Module {
  q = new nn.Linear(8, 8);
  k = new nn.Linear(8, 8);
  v = new nn.Linear(8, 8);
  forward(x: Any): Any {
    const [b, t, c] = x.shape;
    const q = (this.q(x) as Any).view(b, t, 2, Math.floor(c / 2)).transpose(1, 2);
    const k = (this.k(x) as Any).view(b, t, 2, Math.floor(c / 2)).transpose(1, 2);
    const v = (this.v(x) as Any).view(b, t, 2, Math.floor(c / 2)).transpose(1, 2);
    let att: Any = (torch.call("matmul", q, k.transpose(-2, -1)) as Any).mul(0.5);
    att = F.softmax(att, -1);
    const y: Any = torch.call("matmul", att, v);
    return y.transpose(1, 2).contiguous().view(b, t, c);
  }
}

class Counter extends nn.Module {
  declare count: Any;
  constructor() {
    super();
    this.registerBuffer("count", torch.zeros([1]));
  }
  forward(x: Any): Any {
    this.count.add_(1);
    return x.add(this.count);
  }
}

class Dicts extends nn.Module {
  lin = new nn.Linear(4, 2);
  forward(d: Any): Any {
    return { out: this.lin(d.x), sum: d.x.add(d.y) };
  }
}

class Tuples extends nn.Module {
  lin = new nn.Linear(4, 4);
  forward(x: Any, state: Any): Any {
    let [h, c] = state;
    h = (this.lin(x) as Any).add(h);
    return [h, [h, c.mul(2)]];
  }
}

class Dictionary extends nn.Module {
  m = new nn.ModuleDict({ a: new nn.Linear(4, 4), b: new nn.ReLU() });
  forward(x: Any): Any {
    return this.m.get("b")!.callWith(this.m.get("a")!.callWith(x));
  }
}

class NoForwardChild extends nn.Module {
  ps = new nn.ParameterList([new nn.Parameter(torch.ones([4])), new nn.Parameter(torch.ones([4]))]);
  unused = new nn.Linear(2, 2);
  forward(x: Any): Any {
    return x.mul(this.ps.at(0)).add(this.ps.at(1));
  }
}

class Encoder extends nn.Module {
  embed = new nn.Embedding(10, 4);
  rnn = new nn.LSTM(4, 5, { batchFirst: true });
  out = new nn.Linear(5, 3);
  forward(ids: Any): Any {
    const x = this.embed(ids);
    const [y] = this.rnn(x) as Any;
    return this.out(y.select(1, -1));
  }
}

class ByName extends nn.Module {
  attention = new nn.MultiheadAttention(4, 2, { batchFirst: true });
  forward(x: Any, mask: Any = null, scale: Any = null): Any {
    const [y] = this.attention(x, x, x, mask) as Any;
    return scale === null ? y : y.mul(scale);
  }
}

class Packed extends nn.Module {
  rnn = new nn.LSTM(3, 4, { bidirectional: true });
  forward(x: Any, lengths: Any): Any {
    const packed = nn.utils.rnn.packPaddedSequence(x, lengths, { batchFirst: true });
    const [output, state] = this.rnn.forwardPacked(packed);
    const [y] = nn.utils.rnn.padPackedSequence(output, { batchFirst: true });
    return [y, state];
  }
}

class PackedState extends nn.Module {
  rnn = new nn.LSTM(3, 4);
  forward(x: Any, lengths: Any, h: Any): Any {
    const packed = nn.utils.rnn.packPaddedSequence(x, lengths);
    const [output, state] = this.rnn.forwardPacked(packed, [h, h]);
    return [output.data, state];
  }
}

const x34 = (): Any => torch.randn([3, 4]);

/** By name. */
export const MODULE_CASES: Readonly<Record<string, () => TraceCase>> = {
  Cell: () => [new Cell(), [x34(), x34()]],
  Net: () => [new Net(), torch.randn([2, 1, 8, 8])],
  Net_train: () => [new Net(), torch.randn([2, 1, 8, 8]), { train: true }],
  Shared: () => [new Shared(), x34()],
  Outer: () => [new Outer(), x34()],
  ReturnsParameter: () => [new ReturnsParameter(), x34()],
  ResNet: () => [new ResNet(), torch.randn([1, 3, 8, 8])],
  ResNet_train: () => [new ResNet(), torch.randn([2, 3, 8, 8]), { train: true }],
  Attention: () => [new Attention(), torch.randn([2, 3, 8])],
  Counter: () => [new Counter(), torch.randn([3])],
  Dicts: () => [new Dicts(), { x: torch.randn([2, 4]), y: torch.randn([2, 4]) }, { strict: false }],
  Tuples: () => [new Tuples(), [torch.randn([2, 4]), [torch.randn([2, 4]), torch.randn([2, 4])]]],
  Dictionary: () => [new Dictionary(), torch.randn([2, 4])],
  NoForwardChild: () => [new NoForwardChild(), torch.randn([2, 4])],
  Encoder: () => [new Encoder(), torch.ones([2, 3], { dtype: torch.int64 })],
  ByName: () => [new ByName(), null, { exampleKwargInputs: { scale: torch.randn([4]), x: torch.randn([2, 3, 4]) } }],
  LibraryByName: () => [
    new nn.MultiheadAttention(4, 2, { batchFirst: true }),
    null,
    {
      exampleKwargInputs: {
        attnMask: torch.zeros([3, 3]),
        query: torch.randn([2, 3, 4]),
        value: torch.randn([2, 3, 4]),
        key: torch.randn([2, 3, 4]),
      },
    },
  ],
  Packed: () => [new Packed(), [torch.randn([2, 5, 3]), torch.tensor([5, 3])]],
  PackedState: () => [new PackedState(), [torch.randn([5, 2, 3]), torch.tensor([5, 3]), torch.randn([1, 2, 4])]],
};
