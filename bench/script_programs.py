"""The programs of the `scripts` suite in PyTorch: saved as archives, and as functions to time."""

from typing import Dict, List, Tuple

import torch

torch.manual_seed(0)


class DecisionGate(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        else:
            return -x


class Cell(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dg = torch.jit.script(DecisionGate())
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x, h):
        new_h = torch.tanh(self.dg(self.linear(x)) + h)
        return new_h, new_h


class RNNLoop(torch.nn.Module):
    """The loop of PyTorch's introduction to TorchScript."""

    def __init__(self):
        super().__init__()
        self.cell = torch.jit.trace(Cell(), (torch.rand(3, 4), torch.rand(3, 4)))

    def forward(self, xs):
        h, y = torch.zeros(3, 4), torch.zeros(3, 4)
        for i in range(xs.size(0)):
            y, h = self.cell(xs[i], h)
        return y, h


class LSTMLoop(torch.nn.Module):
    """An LSTM written out: what scripts do that cannot use nn.LSTM."""

    def __init__(self, size: int):
        super().__init__()
        self.ih = torch.nn.Linear(size, 4 * size)
        self.hh = torch.nn.Linear(size, 4 * size)

    def forward(self, xs, h, c) -> Tuple[torch.Tensor, torch.Tensor]:
        for i in range(xs.size(0)):
            gates = self.ih(xs[i]) + self.hh(h)
            i_gate, f_gate, g_gate, o_gate = gates.chunk(4, 1)
            c = torch.sigmoid(f_gate) * c + torch.sigmoid(i_gate) * torch.tanh(g_gate)
            h = torch.sigmoid(o_gate) * torch.tanh(c)
        return h, c


class GRULoop(torch.nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.cell = torch.nn.GRUCell(size, size)
        self.size = size

    def forward(self, xs) -> List[torch.Tensor]:
        h = torch.zeros(xs.size(1), self.size)
        outs: List[torch.Tensor] = []
        for x in xs:
            h = self.cell(x, h)
            outs.append(h)
        return outs


class ListCode(torch.nn.Module):
    def forward(self, n: int) -> int:
        values: List[int] = []
        for i in range(n):
            values.append((i * 7) % 11)
        total = 0
        for v in values:
            total += v
        for i in range(1, len(values)):
            values[i] = values[i] + values[i - 1]
        return total + values[-1]


class DictCode(torch.nn.Module):
    def forward(self, n: int) -> int:
        counts: Dict[int, int] = {}
        for i in range(n):
            key = (i * 7) % 101
            if key in counts:
                counts[key] += 1
            else:
                counts[key] = 1
        total = 0
        for key in counts.keys():
            total += key * counts[key]
        return total


class FloatLoop(torch.nn.Module):
    def forward(self, n: int) -> float:
        total = 0.0
        for i in range(n):
            x = float(i) * 0.5
            if x > 1000.0:
                total += x * 0.25
            else:
                total -= x
        return total


class IntLoop(torch.nn.Module):
    def forward(self, n: int) -> int:
        total = 0
        for i in range(n):
            total += i * i
        return total


def rand(*sizes):
    return torch.rand(*sizes) * 2 - 1


# name -> (module, arguments, calls of one measurement)
PROGRAMS = {
    "rnn_introduction": (RNNLoop(), [rand(10, 3, 4)], 200),
    "lstm_loop": (LSTMLoop(64), [rand(100, 1, 64), torch.zeros(1, 64), torch.zeros(1, 64)], 20),
    "gru_loop": (GRULoop(64), [rand(100, 1, 64)], 20),
    "list": (ListCode(), [100000], 1),
    "dict": (DictCode(), [100000], 1),
    "float_loop": (FloatLoop(), [1000000], 1),
    "int_loop": (IntLoop(), [1000000], 1),
}


def describe(value):
    if isinstance(value, torch.Tensor):
        return {"sizes": list(value.shape), "values": value.flatten().tolist()}
    return value


def flat(value):
    if isinstance(value, (tuple, list)):
        return [x for v in value for x in flat(v)]
    return value.flatten().tolist() if isinstance(value, torch.Tensor) else [value]


def make(folder):
    """Saves FOLDER/NAME.pt for every program. Returns name -> function to time, and what another runtime needs to run the same."""
    functions = {}
    listed = {}
    for name, (module, args, calls) in PROGRAMS.items():
        file = f"{folder}/{name}.pt"
        torch.jit.script(module.eval()).save(file)
        loaded = torch.jit.load(file)
        for _ in range(3):  # the profiling executor specializes in its first calls
            result = loaded(*args)

        functions[name] = lambda loaded=loaded, args=args: None if loaded(*args) is None else None
        # 64-bit integers as text: JSON readers round them
        expected = [str(x) if isinstance(x, int) else x for x in flat(result)]
        listed[name] = {"file": file, "args": [describe(a) for a in args], "calls": calls, "expected": expected}
    return functions, listed
