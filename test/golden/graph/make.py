"""Makes constants.txt, and on standard output tensors.txt, with real PyTorch:
/opt/ptenv/bin/python test/golden/graph/make.py > test/golden/graph/tensors.txt

One constant a line, in the order of test/ir/printer.test.ts.
"""
import os
import torch

TENSORS = [
    torch.ones(2, 3), torch.tensor(1.0), torch.ones(2, 3).t(), torch.ones(0, 3), torch.ones(1, 3).expand(4, 3), torch.tensor([1 + 2j]),
    torch.tensor([True]), torch.tensor(1.5, dtype=torch.half), torch.tensor(100000.5), torch.tensor(float("nan")), torch.arange(6).view(2, 1, 3),
    torch.tensor([1.5, float("inf")]), torch.tensor([1e10, 1.0]), torch.tensor([1e-5, 1.0]), torch.tensor([123456.0, 1.0]),
    torch.tensor([True, False]), torch.tensor([1.0, float("nan")]), torch.tensor([float("nan")] * 2), torch.tensor([], dtype=torch.int64),
    torch.tensor([0.001, 0.0025]), torch.tensor([-0.5, 0.25, -12.125]), torch.tensor([2**53 + 1]), torch.tensor([[1, -20], [300, 4]], dtype=torch.int16),
]
VALUES = [
    (1, None, torch.ones(3)), [1, 2], [1.0, 2.0], {"a": 1}, (1, (2, "x")), [(1, 2)], ["a"], [torch.ones(3)], [None, 1], torch.device("cuda:1"), None,
    1.5, 2, True, "s", (), 3j, [3j], 0.1, -0.0, 1e10, 12345678901.5, 1e300, 2.5e-8, float("inf"), "a\n'\"\t\\\x01é", 2**62,
]




@torch.jit.script
def show(x: torch.Tensor):
    print(x)


def made(sizes, value, dtype=torch.float32):
    count = torch.Size(sizes).numel()
    return torch.tensor([value(i) for i in range(count)], dtype=dtype).view(sizes)


PRINTED = [
    made([2, 15], lambda i: i * 1.5), made([2, 30], lambda i: i * 1000.5), made([2, 2, 25], lambda i: (i + 1) * 1e-5), torch.tensor(1234567.5),
    torch.tensor(1 / 3), torch.tensor(1e20), torch.tensor(2**60), torch.arange(8).view(2, 2, 2), made([2, 3, 1, 2], lambda i: i * 0.5),
    torch.tensor([1e200, 1.5], dtype=torch.double), torch.tensor([1234567, 1]), torch.tensor(-0.0),
]


def main():
    for tensor in PRINTED:
        show(tensor)
        print("--")
    graph = torch._C.Graph()
    for value in TENSORS + VALUES:
        graph.registerOutput(graph.insertConstant(value))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "constants.txt"), "w") as out:
        out.write(str(graph))


main()
