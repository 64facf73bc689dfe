"""The tour of introduction.ts in PyTorch: both print the same text. Run: python introduction.py [FILE to save]."""
import sys
import tempfile

import torch
from torch import nn

torch.set_grad_enabled(False)
torch.manual_seed(191009)


def heading(text):
    print(f"\n== {text}")


heading("A module, eagerly")


class FirstCell(nn.Module):
    def forward(self, x, h):
        new_h = torch.tanh(x + h)
        return new_h, new_h


first_cell = FirstCell()
x = torch.rand(3, 4)
h = torch.rand(3, 4)
print(first_cell)
print(first_cell(x, h)[0])

heading("With a layer")


class LinearCell(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x, h):
        new_h = torch.tanh(self.linear(x) + h)
        return new_h, new_h


linear_cell = LinearCell()
print(linear_cell)
print(linear_cell(x, h)[0])

heading("With control flow")


class DecisionGate(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        else:
            return -x


class Cell(nn.Module):
    def __init__(self, dg):
        super().__init__()
        self.dg = dg
        self.linear = nn.Linear(4, 4)

    def forward(self, x, h):
        new_h = torch.tanh(self.dg(self.linear(x)) + h)
        return new_h, new_h


cell = Cell(DecisionGate())
print(cell)
print(cell(x, h)[0])

heading("Tracing")
traced_cell = torch.jit.trace(linear_cell, (x, h))
print(traced_cell)
print(traced_cell(x, h)[0])

heading("The traced graph")
print(traced_cell.graph)

heading("The traced code")
print(traced_cell.code)

heading("Traced and eager answers are the same")
print(torch.equal(linear_cell(x, h)[0], traced_cell(x, h)[0]))

heading("A trace keeps only the branch that was taken")
baked = torch.jit.trace(cell, (x, h))
print(baked.dg.code)
print(baked.code)

heading("Scripting keeps both")
scripted_gate = torch.jit.script(DecisionGate())
scripted_cell = torch.jit.script(Cell(scripted_gate))
print(scripted_gate.code)
print(scripted_cell.code)
print(scripted_gate.graph)

heading("New inputs")
x = torch.rand(3, 4)
h = torch.rand(3, 4)
print(scripted_cell(x, h)[0])
print(scripted_cell(x.neg(), h)[0])

heading("A loop over a traced cell, scripted")


class RNNLoop(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.jit.trace(Cell(scripted_gate), (x, h))

    def forward(self, xs):
        h, y = torch.zeros(3, 4), torch.zeros(3, 4)
        for i in range(xs.size(0)):
            y, h = self.cell(xs[i], h)
        return y, h


rnn_loop = torch.jit.script(RNNLoop())
print(rnn_loop.code)
xs = torch.rand(10, 3, 4)
print(rnn_loop(xs)[0])

heading("The scripted loop inside a trace")


class WrapRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.loop = torch.jit.script(RNNLoop())

    def forward(self, xs):
        y, h = self.loop(xs)
        return torch.relu(y)


traced = torch.jit.trace(WrapRNN(), (torch.rand(10, 3, 4),))
print(traced.code)

heading("Saved and loaded")
file = sys.argv[1] if len(sys.argv) > 1 else tempfile.mktemp(suffix=".pt")
traced.save(file)
loaded = torch.jit.load(file)
print(loaded)
print(loaded.code)
print(torch.equal(loaded(xs), traced(xs)))
