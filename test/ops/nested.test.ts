/** @file Nested tensors: what padding masks make of sequences, and encoders that leave padding out. Expected values are from torch 2.13. */
import { expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import { jit, nn, torch, type Tensor } from "../../src/index.ts";
import { toNumbers } from "../../src/tensor/data.ts";

const call = (name: string, ...args: unknown[]): Tensor => callOperator(`aten::${name}`, args) as Tensor;
const mask = (rows: number[][]): Tensor => torch.tensor(rows).to(torch.bool);
const sequences = (): Tensor => torch.arange(24).to(torch.float32).reshape([2, 3, 4]);
const nested = (): Tensor =>
  call(
    "_nested_tensor_from_mask",
    sequences(),
    mask([
      [1, 1, 0],
      [1, 1, 1],
    ]),
    true,
  );

test("a nested tensor prints, has its own sizes and is padded again", () => {
  const n = nested();
  expect(String(n)).toBe(`nested_tensor([
  tensor([[0., 1., 2., 3.],
          [4., 5., 6., 7.]]),
  tensor([[12., 13., 14., 15.],
          [16., 17., 18., 19.],
          [20., 21., 22., 23.]])
])`);
  expect([
    call("numel", n),
    call("size.int", n, 0),
    call("size.int", n, -1),
    callOperator("prim::is_nested", [n]),
  ]).toEqual([20, 2, 4, true]);
  expect(() => call("size.int", n, 1)).toThrow("Given dimension 1 is irregular and does not have a size.");
  expect(() => call("size", n)).toThrow("Internal error: NestedTensorImpl doesn't support sizes.");
  const padded = call("to_padded_tensor", call("mul.Scalar", n, 2), -1, [2, 3, 5]);
  expect(toNumbers(padded)).toEqual([
    ...[0, 2, 4, 6, -1, 8, 10, 12, 14, -1, -1, -1, -1, -1, -1],
    ...[24, 26, 28, 30, -1, 32, 34, 36, 38, -1, 40, 42, 44, 46, -1],
  ]);
  const sums = call("linear", call("add.Tensor", n, n, 1), torch.ones([5, 4]), null);
  expect(toNumbers(call("to_padded_tensor", sums, 0, null).narrow(2, 0, 1))).toEqual([12, 44, 0, 108, 140, 172]);
});

test("what is refused", () => {
  const t = sequences();
  const m = mask([
    [1, 1, 0],
    [1, 1, 1],
  ]);
  const from =
    (...args: unknown[]) =>
    () =>
      call("_nested_tensor_from_mask", ...args, true);
  expect(
    from(
      t,
      mask([
        [1, 0, 1],
        [1, 1, 1],
      ]),
    ),
  ).toThrow("Mask must be left-aligned without gaps");
  expect(from(t, m.to(torch.float32))).toThrow("Expected mask to be of ScalarType Bool, but got Float instead.");
  expect(from(t, m.narrow(1, 0, 2))).toThrow("Mask size should match input size");
  expect(() => call("to_padded_tensor", nested(), 0, [2, 2, 4])).toThrow(
    "Value in output_size is less than NestedTensor padded size. Truncation is not supported.",
  );
  expect(() => call("to_padded_tensor", t, 0, null)).toThrow(
    "Could not run 'aten::to_padded_tensor' with arguments from the 'CPU' backend.",
  );
  for (const name of ["sum", "sort"]) {
    expect(() => call(name, nested(), ...(name === "sort" ? [-1, false] : [null]))).toThrow(
      `Could not run 'aten::${name}' with arguments from the 'NestedTensorCPU' backend.`,
    );
  }
});

test("encoders leave padding out where no gradient is asked for, scripted and not", () => {
  const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, batchFirst: true });
  const encoder = new nn.TransformerEncoder(layer, 2, new nn.LayerNorm(4)).eval();
  [...encoder.parameters()].forEach((p, k) => {
    const values = Array.from({ length: p.numel }, (_, i) => Math.fround(Math.sin(i * 0.7 + k)) * 0.5);
    torch.no_grad(() => p.copy_(torch.tensor(values).reshape(p.shape)));
  });
  const x = torch.tensor(Array.from({ length: 24 }, (_, i) => Math.cos(i * 0.37))).reshape([2, 3, 4]);
  const second = [0.1155, 0.263, 0.3206, 1.1033, -0.0372, 0.2931, 0.3031, 1.0781, -0.0457, 0.3054, 0.3063, 1.0846];
  const ofZeros = [-0.0662, 0.2687, 0.4771, 0.4612];
  const cases: [number[], number[]][] = [
    [
      [0, 1, 1],
      [-0.0101, 0.2662, 0.2983, 1.0649, ...ofZeros, ...ofZeros],
    ],
    [
      [1, 1, 1],
      [...ofZeros, ...ofZeros, ...ofZeros],
    ],
    // a gap: as if nothing could be left out
    [
      [0, 1, 0],
      [-0.0674, 0.3746, 0.3327, 1.1184, -0.0526, 0.3155, 0.3091, 1.0895, -0.0529, 0.3103, 0.307, 1.0855],
    ],
  ];
  const scripted = jit.script(encoder) as unknown as (...args: unknown[]) => Tensor;
  for (const [padding, first] of cases) {
    for (const run of [encoder as unknown as typeof scripted, scripted]) {
      const y = torch.no_grad(() => run(x, null, mask([padding, [0, 0, 0]])));
      toNumbers(y).forEach((value, i) => expect(value).toBeCloseTo([...first, ...second][i]!, 4));
    }
  }
  const recorded = scripted(
    x,
    null,
    mask([
      [0, 1, 1],
      [0, 0, 0],
    ]),
  ) as Tensor;
  expect(toNumbers(recorded)[4]).toBeCloseTo(-0.0387, 4);
});

test("sparse and nested results of scripts and of tidy keep their parts", () => {
  const cu = new jit.CompilationUnit(`def sparse(x: Tensor, a: Tensor) -> Tensor:
  return torch.add(torch.add(x, a), torch.mul(a, 2.))

def nested(x: Tensor, mask: Tensor) -> Tensor:
  return torch.relu(torch.mul(torch._nested_tensor_from_mask(x, mask), 2.)).to_padded_tensor(0.)
`);
  const x = torch.ones([300, 40]);
  const batch = torch.ones([4, 300, 40]);
  const mask = torch.ones([4, 300]).to(torch.bool);
  const run = (name: string, ...args: Tensor[]): Tensor =>
    (cu as unknown as { [key: string]: (...given: Tensor[]) => Tensor })[name]!(...args);
  for (let i = 0; i < 3; i++) {
    const sum = run("sparse", x.to_sparse(), x.to_sparse()).to_dense();
    expect([sum.amin().item(), sum.amax().item()]).toEqual([4, 4]);
    expect(run("nested", batch, mask).sum().item()).toBe(96000);
  }
  const made = torch.tidy(() => torch.call("_nested_tensor_from_mask", batch, mask) as Tensor);
  expect((torch.call("to_padded_tensor", made, 0) as Tensor).sum().item()).toBe(48000);
  torch.tidy(() => {
    x.to_sparse();
  });
  // its own storage has no bytes to give back; those of its parts may be somebody else's
  const s = x.to_sparse();
  s.dispose();
  expect(s.to_dense().sum().item()).toBe(12000);
});
