/** @file The tour of TorchScript's introduction: modules, tracing, scripting, mixing, saving. introduction.py prints the same in PyTorch. Upstream: none. Spec: none. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jit, nn, torch, type Scripted, type Tensor } from "tsarchive";

torch.manualSeed(191009);

function heading(text: string): void {
  console.log(`\n== ${text}`);
}

heading("A module, eagerly");

class FirstCell extends nn.Module {
  forward(x: Tensor, h: Tensor) {
    const new_h = torch.tanh(x.add(h));
    return [new_h, new_h] as const;
  }
}

const first_cell = new FirstCell();
let x = torch.rand([3, 4]);
let h = torch.rand([3, 4]);
console.log(String(first_cell));
console.log(String(first_cell(x, h)[0]));

heading("With a layer");

class LinearCell extends nn.Module {
  linear = new nn.Linear(4, 4);

  forward(x: Tensor, h: Tensor) {
    const new_h = torch.tanh(this.linear(x).add(h));
    return [new_h, new_h] as const;
  }
}

const linear_cell = new LinearCell();
console.log(String(linear_cell));
console.log(String(linear_cell(x, h)[0]));

heading("With control flow");

class DecisionGate extends nn.Module {
  forward(x: Tensor): Tensor {
    if (x.sum().item() > 0) {
      return x;
    } else {
      return x.neg();
    }
  }
}

type Gate = DecisionGate | Scripted<DecisionGate>;

class Cell extends nn.Module {
  dg: Gate;
  linear = new nn.Linear(4, 4);

  constructor(dg: Gate) {
    super();
    this.dg = dg;
  }

  forward(x: Tensor, h: Tensor) {
    const new_h = torch.tanh(this.dg(this.linear(x)).add(h));
    return [new_h, new_h] as const;
  }
}

const cell = new Cell(new DecisionGate());
console.log(String(cell));
console.log(String(cell(x, h)[0]));

heading("Tracing");
const traced_cell = jit.trace(linear_cell, [x, h]);
console.log(String(traced_cell));
console.log(String(traced_cell(x, h)[0]));

heading("The traced graph");
console.log(String(traced_cell.graph));

heading("The traced code");
console.log(traced_cell.code);

heading("Traced and eager answers are the same");
console.log(torch.equal(linear_cell(x, h)[0], traced_cell(x, h)[0]) ? "True" : "False");

heading("A trace keeps only the branch that was taken");
const baked = jit.trace(cell, [x, h]);
console.log(baked.dg.code);
console.log(baked.code);

heading("Scripting keeps both");
const scripted_gate = jit.script(new DecisionGate());
const scripted_cell = jit.script(new Cell(scripted_gate));
console.log(scripted_gate.code);
console.log(scripted_cell.code);
console.log(String(scripted_gate.graph));

heading("New inputs");
x = torch.rand([3, 4]);
h = torch.rand([3, 4]);
console.log(String(scripted_cell(x, h)[0]));
console.log(String(scripted_cell(x.neg(), h)[0]));

heading("A loop over a traced cell, scripted");

class RNNLoop extends nn.Module {
  cell = jit.trace(new Cell(scripted_gate), [x, h]);

  forward(xs: Tensor) {
    let [h, y] = [torch.zeros([3, 4]), torch.zeros([3, 4])];
    for (let i = 0; i < xs.size(0); i++) {
      [y, h] = this.cell(xs.get(i), h);
    }
    return [y, h] as const;
  }
}

const rnn_loop = jit.script(new RNNLoop());
console.log(rnn_loop.code);
const xs = torch.rand([10, 3, 4]);
console.log(String(rnn_loop(xs)[0]));

heading("The scripted loop inside a trace");

class WrapRNN extends nn.Module {
  loop = jit.script(new RNNLoop());

  forward(xs: Tensor) {
    const [y, h] = this.loop(xs);
    return torch.relu(y);
  }
}

const traced = jit.trace(new WrapRNN(), [torch.rand([10, 3, 4])]);
console.log(traced.code);

heading("Saved and loaded");
const file = process.argv[2] ?? join(tmpdir(), "introduction.pt");
traced.save(file);
const loaded = jit.load(file);
console.log(String(loaded));
console.log(loaded.code);
console.log(torch.equal(loaded(xs) as Tensor, traced(xs)) ? "True" : "False");
