/** Packed sequences, affine grids, parameter vectors and small methods of Module; recorded by make_utils.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { nn, torch, type Tensor } from "../../src/index.ts";

interface Values {
  readonly sizes: readonly number[];
  readonly values: readonly number[];
}
type Packed = Readonly<Record<"data" | "batch_sizes" | "sorted_indices" | "unsorted_indices", Values | null>>;
const recorded = JSON.parse(readFileSync(new URL("./utils.json", import.meta.url), "utf8")) as {
  readonly [name: string]: unknown;
};
const { rnn } = nn.utils;

function expectValues(tensor: Tensor | null, wanted: unknown): void {
  const expected = wanted as Values | null;
  if (expected === null) {
    expect(tensor).toBeNull();
    return;
  }
  expect(tensor!.sizes).toEqual(expected.sizes);
  const found = (torch.flatten(tensor!).tolist() as (number | bigint)[]).map(Number);
  found.forEach((value, i) => expect(value).toBeCloseTo(expected.values[i]!, 5));
}

function expectPacked(packed: InstanceType<typeof rnn.PackedSequence>, wanted: unknown): void {
  const expected = wanted as Packed;
  expectValues(packed.data, expected.data);
  expectValues(packed.batchSizes, expected.batch_sizes);
  expectValues(packed.sortedIndices, expected.sorted_indices);
  expectValues(packed.unsortedIndices, expected.unsorted_indices);
}

const x = torch.from(
  Float32Array.from({ length: 24 }, (_, i) => i / 8),
  [4, 3, 2],
);
const packed = rnn.packPaddedSequence(x, [2, 4, 3], { enforceSorted: false });

describe("nn.utils.rnn", () => {
  test("packPaddedSequence() orders by length and remembers the order", () => {
    expectPacked(packed, recorded["packed"]);
    expectPacked(rnn.packPaddedSequence(x, [4, 3, 1]), recorded["sorted"]);
  });
  test("padPackedSequence() gives the batch back in its order", () => {
    const [padded, lengths] = rnn.padPackedSequence(packed, { batchFirst: true, paddingValue: -1 });
    expectValues(padded, recorded["padded"]);
    expectValues(lengths, recorded["lengths"]);
    expect(() => rnn.padPackedSequence(packed, { totalLength: 2 })).toThrow(/total_length=2/);
  });
  test("sequences are padded, packed and unpacked", () => {
    const parts = [torch.ones([3]), torch.zeros([1]), torch.full([2], 2)];
    expectValues(rnn.padSequence(parts, { batchFirst: true, paddingValue: 5 }), recorded["pad_sequence"]);
    expectPacked(rnn.packSequence(parts, { enforceSorted: false }), recorded["pack_sequence"]);
    const unpacked = rnn.unpackSequence(packed);
    unpacked.forEach((part, i) => expectValues(part, (recorded["unpack"] as Values[])[i]));
  });
});

describe("recurrent networks on a packed batch", () => {
  const networks = {
    RNN: () => new nn.RNN(2, 3).forwardPacked(packed),
    GRU: () => new nn.GRU(2, 3, { bidirectional: true }).forwardPacked(packed),
    LSTM: () => new nn.LSTM(2, 4, { projSize: 2 }).forwardPacked(packed),
  };
  test.each(Object.entries(networks))("%s", (name, run) => {
    torch.manualSeed(1);
    const [output, state] = run();
    const wanted = recorded[name] as { readonly output: Packed; readonly state: readonly Values[] };
    expectPacked(output, wanted.output);
    (Array.isArray(state) ? state : [state]).forEach((s, i) => expectValues(s, wanted.state[i]));
  });
});

test("affine_grid() is PyTorch's", () => {
  const theta = torch.tensor([
    [
      [1, 0.5, 0],
      [0, 2, -1],
    ],
  ]);
  expectValues(nn.functional.affine_grid(theta, [1, 1, 2, 3]), recorded["affine_grid"]);
  expect(() => nn.functional.affine_grid(theta, [1, 2])).toThrow(/only supports 4D and 5D sizes/);
});

test("parametersToVector() and vectorToParameters() are each other's inverse", () => {
  torch.manualSeed(2);
  const layer = new nn.Linear(2, 3);
  const vector = nn.utils.parametersToVector(layer.parameters());
  expectValues(vector, recorded["vector"]);
  const other = new nn.Linear(2, 3);
  nn.utils.vectorToParameters(vector, other.parameters());
  expect(other.weight.tolist()).toEqual(layer.weight.tolist());
  expect(other.bias!.tolist()).toEqual(layer.bias!.tolist());
});

test("Module: addModule, setSubmodule, cpu, type, zeroGrad", () => {
  const net = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU());
  net.addModule("last", new nn.Identity());
  net.setSubmodule("1", new nn.Tanh());
  expect(String(net)).toBe(
    "Sequential(\n  (0): Linear(in_features=2, out_features=2, bias=True)\n  (1): Tanh()\n  (last): Identity()\n)",
  );
  expect(() => net.setSubmodule("7", new nn.Tanh())).toThrow(/has no attribute `7`/);
  expect(net.cpu()).toBe(net);
  expect(net.to("cpu")).toBe(net);
  expect([...net.type(torch.float64).parameters()].map((p) => p.dtype.name)).toEqual(["float64", "float64"]);
  net.zeroGrad();
});
