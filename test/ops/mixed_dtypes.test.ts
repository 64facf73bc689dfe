/** @file Operands of different dtypes: what is computed in which dtype, and the texts of what is refused. Expected values are PyTorch 2.13's. */
import { expect, test } from "vitest";
import { Tensor, nn, torch } from "../../src/index.ts";

const F = nn.functional;
const f = (...sizes: number[]): Tensor => torch.ones(sizes);
const d = (...sizes: number[]): Tensor => torch.ones(sizes, { dtype: torch.float64 });
const h = (...sizes: number[]): Tensor => torch.ones(sizes, { dtype: torch.float16 });

test.each<[string, () => unknown, string]>([
  [
    "linear",
    () => F.linear(d(2, 3), f(4, 3), f(4)),
    "mat1 and mat2 must have the same dtype, but got Double and Float",
  ],
  ["linear, before sizes", () => F.linear(d(2, 2), f(3, 5), f(3)), "mat1 and mat2 must have the same dtype"],
  [
    "linear, bias",
    () => F.linear(d(2, 3), d(4, 3), f(4)),
    "self and mat2 must have the same dtype, but got Float and Double",
  ],
  [
    "linear without bias",
    () => F.linear(d(2, 3), f(4, 3)),
    "expected m1 and m2 to have the same dtype, but got: double != float",
  ],
  [
    "addbmm",
    () => torch.addbmm(f(2, 4), d(2, 2, 3), f(2, 3, 4)),
    "mat1 and mat2 must have the same dtype, but got Double and Float",
  ],
  [
    "baddbmm",
    () => torch.baddbmm(f(2, 2, 4), d(2, 2, 3), f(2, 3, 4)),
    "Input dtypes must be the same, got: input float, batch1: double, batch2: float",
  ],
  ["inner", () => torch.inner(d(2, 3), f(2, 3)), "both inputs should have same dtype"],
  [
    "bilinear",
    () => F.bilinear(d(2, 2), d(2, 3), f(4, 2, 3), f(4)),
    "All tensors must have the same dtype, got input1: double, input2: double, weight: float, bias: float",
  ],
  ["layer_norm", () => F.layer_norm(d(2, 3), [3], f(3)), "mixed dtype (CPU): all inputs must share same datatype."],
  [
    "layer_norm in double",
    () => F.layer_norm(f(2, 3), [3], d(3)),
    "mixed dtype (CPU): expect parameter to have scalar type of Float",
  ],
  ["layer_norm, bias alone", () => F.layer_norm(h(2, 3), [3], h(3), f(3)), "expected scalar type Half but found Float"],
  ["group_norm", () => F.group_norm(d(2, 4), 2, f(4)), "mixed dtype (CPU): all inputs must share same datatype."],
  ["batch_norm", () => F.batch_norm(d(2, 3), f(3), f(3)), "mixed dtype (CPU): all inputs must share same datatype."],
  ["batch_norm, variance", () => F.batch_norm(d(2, 3), d(3), f(3)), "expected scalar type Double but found Float"],
  [
    "instance_norm",
    () => F.instance_norm(f(2, 3, 4), { weight: d(3) }),
    "mixed dtype (CPU): expect parameter to have scalar type of Float",
  ],
  [
    "gru_cell",
    () => torch.gru_cell(d(2, 2), d(2, 3), f(9, 2), f(9, 3)),
    "expected m1 and m2 to have the same dtype, but got: double != float",
  ],
  [
    "gru_cell, biases",
    () => torch.gru_cell(d(2, 2), d(2, 3), d(9, 2), d(9, 3), f(9), f(9)),
    "self and mat2 must have the same dtype, but got Float and Double",
  ],
  [
    "gru, state",
    () => torch.gru(d(2, 2, 2), f(1, 2, 3), [d(9, 2), d(9, 3)], false, 1, 0, false, false, false),
    "expected m1 and m2 to have the same dtype, but got: float != double",
  ],
  [
    "grid_sampler",
    () => torch.grid_sampler(d(1, 1, 3, 3), f(1, 2, 2, 2), 0, 0, false),
    "expected scalar type Double but found Float",
  ],
  [
    "multi_margin_loss",
    () => F.multi_margin_loss(d(1, 3), torch.tensor([0]), { weight: f(3) }),
    "expected scalar type Double but found Float",
  ],
  ["kl_div", () => F.kl_div(f(3), torch.tensor([0, 1, 1])), "kl_div: Integral inputs not supported."],
  [
    "huber_loss",
    () => F.huber_loss(torch.tensor([0, 1]), f(2)),
    "result type Float can't be cast to the desired output type Long",
  ],
  [
    "binary_cross_entropy_with_logits",
    () => F.binary_cross_entropy_with_logits(f(2), torch.tensor([0, 1])),
    "result type Float can't be cast to the desired output type Long",
  ],
])("%s is refused", (_name, run, text) => {
  expect(run).toThrow(text);
});

test("complex recurrent layers are refused, not computed as real ones", () => {
  const c = (...sizes: number[]): Tensor => torch.ones(sizes, { dtype: torch.complex64 });
  expect(() => torch.rnn_tanh_cell(c(2, 2), c(2, 3), c(3, 2), c(3, 3))).toThrow(
    "Cannot run rnn_tanh: inputs of torch.complex64 are not supported",
  );
});

test("half inputs beside float32 parameters, statistics of any dtype beside instances", () => {
  expect(F.layer_norm(h(2, 3), [3], f(3), f(3)).dtype).toBe(torch.float16);
  const mean = f(3);
  expect(F.instance_norm(d(2, 3, 4), { runningMean: mean, runningVar: f(3) }).dtype).toBe(torch.float64);
  expect(mean.tolist()).toEqual([1, 1, 1]);
});

const x = torch.tensor([0.3, -1.7, 2.2]);
const y = torch.tensor([0.2, 0.9, 0.4], { dtype: torch.float64 });
const none = { reduction: "none" } as const;
const p = torch.tensor([[0.2, 0.3, 0.5]], { dtype: torch.float64 });
const logits = torch.tensor([[0.3, -1.2, 0.7]]);
test.each<[string, () => Tensor, string, number[]]>([
  [
    "logits",
    () => F.binary_cross_entropy_with_logits(x.double(), y.float(), none),
    "float32",
    [0.7943552732467651, 1.6977859735488892, 1.4250833988189697],
  ],
  [
    "logits of float32",
    () => F.binary_cross_entropy_with_logits(x, y, none),
    "float64",
    [0.7943552136421204, 1.6977860450744628, 1.4250833451747893],
  ],
  [
    "weights",
    () => F.binary_cross_entropy_with_logits(x, y.float(), { weight: y, ...none }),
    "float32",
    [0.15887103974819183, 1.5280073881149292, 0.5700333714485168],
  ],
  [
    "huber_loss",
    () => F.huber_loss(x, y, none),
    "float32",
    [0.005000001285225153, 2.1000001430511475, 1.3000000715255737],
  ],
  [
    "kl_div",
    () => F.kl_div(x.double(), y.float(), none),
    "float64",
    [-0.3818875858187676, 1.4351755169033993, -1.2465163242816928],
  ],
  ["cross_entropy of probabilities", () => F.cross_entropy(logits, p), "float64", [1.2487753272056579]],
  ["cross_entropy of half logits", () => F.cross_entropy(logits.half(), p.float()), "float32", [1.249121069908142]],
])("losses: %s", (_name, run, dtype, wanted) => {
  const found = run();
  expect(found.dtype.name).toBe(dtype);
  // a step of the last place of float32, in which the logarithms are rounded
  const numbers = found.double().reshape([-1]).tolist() as number[];
  numbers.forEach((value, i) =>
    expect(Math.abs(value - wanted[i]!)).toBeLessThanOrEqual(2 ** -23 * Math.abs(wanted[i]!)),
  );
});
