/** @file Modules whose Python twins stand in make_javascript_modules.py; what PyTorch makes of those is in javascript_modules.json. */
import { jit, nn, torch, type Tensor, type float, type int } from "../../src/node/index.ts";

const F = nn.functional;

class MyDecisionGate extends nn.Module {
  forward(x: Tensor): Tensor {
    if (x.sum().item() > 0) return x;
    else return x.neg();
  }
}

class MyCell extends nn.Module {
  dg = new MyDecisionGate();
  linear = new nn.Linear(2, 2);
  forward(x: Tensor, h: Tensor) {
    const new_h = torch.tanh(this.dg(this.linear(x)).add(h));
    return [new_h, new_h] as const;
  }
}

class MyRNNLoop extends nn.Module {
  cell = new MyCell();
  forward(xs: Tensor) {
    let [h, y] = [torch.zeros([2, 2]), torch.zeros([2, 2])];
    for (let i = 0; i < xs.size(0); i++) {
      [y, h] = this.cell(xs.at(i), h);
    }
    return [y, h];
  }
}

class Stack extends nn.Module {
  layers = new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2)]);
  act = new nn.Sequential(new nn.ReLU(), new nn.Dropout(0.5));
  forward(x: Tensor): Tensor {
    for (const layer of this.layers) x = this.act(layer.callWith(x) as Tensor) as Tensor;
    for (const [i, layer] of [...this.layers].entries()) x = (layer.callWith(x) as Tensor).add(i);
    return x;
  }
}

class Attributes extends nn.Module {
  scale = 0.5;
  times = 3;
  override name = "attributes";
  declare running: Tensor;
  bias = new nn.Parameter(torch.ones([2]));
  constructor() {
    super();
    this.registerBuffer("running", torch.zeros([2]));
  }
  forward(x: Tensor) {
    for (let i = 0; i < this.times; i++) x = x.mul(this.scale).add(this.bias);
    if (this.training) this.running.add_(x.mean(0));
    this.times += 1;
    return [x, this.name];
  }
}

class Methods extends nn.Module {
  static exports = ["encode"];
  static unused = ["debug"];
  linear = new nn.Linear(2, 3);
  forward(x: Tensor) {
    return this.decode(this.encode(x), 2);
  }
  encode(x: Tensor) {
    return this.linear(x);
  }
  decode(x: Tensor, n: int) {
    return x.mul(n);
  }
  debug(x: Tensor) {
    console.log(String(x), new Date());
    return x;
  }
}

class Signature extends nn.Module {
  static signatures = { forward: "(Tensor[] xs, int n=3) -> (Tensor, Tensor)" };
  forward(xs: Tensor[], n = 3): [Tensor, Tensor] {
    let total = xs[0]!;
    for (const x of xs) total = total.add(x.mul(n));
    return [total, xs[n]!];
  }
}

class Options extends nn.Module {
  forward(x: Tensor, mask: Tensor | null = null) {
    let y = F.dropout(x, 0.5, this.training);
    if (mask !== null) y = y.masked_fill(mask.eq(0), -1e9);
    return F.softmax(y, -1);
  }
}

class Recurrent extends nn.Module {
  lstm = new nn.LSTM(2, 3, { batchFirst: true });
  forward(x: Tensor) {
    const start = torch.zeros([1, x.size(0), 3]);
    const [out, [h, c]] = this.lstm(x, [start, start]);
    return [out, h.add(c)];
  }
}

class Indexed extends nn.Module {
  forward(x: Tensor, i: int) {
    const a = x.at(0);
    const b = x.at(i, 1);
    const c = x.at(torch.slice(null), torch.slice(1, null));
    const d = x.at("...", 0);
    const y = x.clone();
    y.set(0, a.mul(2));
    return [a, b, c, d, y];
  }
}

class Branch extends nn.Module {
  paths = new nn.ModuleDict({ a: new nn.Linear(2, 2), b: new nn.Identity() });
  forward(x: Tensor): Tensor {
    x = this.paths.get("a").callWith(x) as Tensor;
    return this.paths.get("b").callWith(x) as Tensor;
  }
}

class Fields extends nn.Module {
  scale = 2.0; // prettier-ignore
  times = 2;
  rate: float = 3;
  bias: Tensor | null = null;
  forward(x: Tensor): Tensor {
    let y = x.mul(this.scale).mul(this.times).add(this.rate);
    const b = this.bias;
    if (b !== null) y = y.add(b);
    return y;
  }
}

const pair = (): Tensor => torch.tensor([[1.5, -2.5], [0.5, 4.5]]); // prettier-ignore

/** A module and arguments to run it with. */
export interface ModuleCase {
  readonly make: () => nn.Module;
  readonly calls: readonly (() => readonly unknown[])[];
}

/** All cases. */
export const MODULES: Readonly<Record<string, ModuleCase>> = {
  MyDecisionGate: { make: () => new MyDecisionGate(), calls: [() => [pair()], () => [pair().neg()]] },
  MyCell: { make: () => new MyCell(), calls: [() => [pair(), pair()]] },
  MyRNNLoop: { make: () => new MyRNNLoop(), calls: [() => [torch.stack([pair(), pair()])]] },
  Stack: { make: () => new Stack().eval(), calls: [() => [pair()]] },
  Attributes: { make: () => new Attributes(), calls: [() => [pair()]] },
  Methods: { make: () => new Methods(), calls: [() => [pair()]] },
  Signature: { make: () => new Signature(), calls: [() => [[pair(), pair()], 1]] },
  Options: { make: () => new Options().eval(), calls: [() => [pair()], () => [pair(), pair().relu()]] },
  Recurrent: { make: () => new Recurrent(), calls: [() => [torch.stack([pair(), pair()])]] },
  Indexed: { make: () => new Indexed(), calls: [() => [pair(), 1]] },
  Fields: { make: () => new Fields(), calls: [() => [pair()]] },
  Branch: { make: () => new Branch(), calls: [() => [pair()]] },
};
void jit;
