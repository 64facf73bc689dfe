/** @file Recurrent layers on the kernels against the reference: shapes, directions, projections, packed sequences, weights that change. */
import { afterEach, describe, expect, test } from "vitest";
import { nn, setKernelBuild, supportedKernelBuilds, torch, type Tensor } from "../../src/node/index.ts";

const best = supportedKernelBuilds().at(-1)!;
afterEach(() => setKernelBuild(best));

/** Runs on the reference kernels and on each of the others, and compares. */
function compare(run: () => readonly Tensor[]): void {
  setKernelBuild("reference");
  const expected = run();
  for (const build of supportedKernelBuilds().filter((name) => name !== "reference")) {
    setKernelBuild(build);
    run().forEach((result, i) => {
      expect(result.sizes).toEqual(expected[i]!.sizes);
      expect(torch.allclose(result, expected[i]!, 1e-5, 2e-6, true), `${build}, result ${i}`).toBe(true);
    });
  }
}

const flat = (output: unknown): Tensor[] => (Array.isArray(output) ? output.flatMap(flat) : [output as Tensor]);

describe.each([
  // batch, steps, features, hidden
  [1, 5, 20, 24],
  [2, 4, 33, 48],
  [3, 4, 64, 65],
  [4, 3, 16, 80],
  [7, 3, 40, 37],
  [1, 2, 3, 4],
])("batch %i, %i steps, %i features, hidden size %i", (batch, steps, features, hidden) => {
  const options = { numLayers: 2, bidirectional: true };
  test.each([
    ["LSTM", () => new nn.LSTM(features, hidden, options)],
    ["LSTM with projection", () => new nn.LSTM(features, hidden, { ...options, projSize: hidden - 1 })],
    ["GRU", () => new nn.GRU(features, hidden, options)],
    ["RNN with tanh", () => new nn.RNN(features, hidden, options)],
    ["RNN with relu", () => new nn.RNN(features, hidden, { ...options, nonlinearity: "relu" })],
  ] as const)("%s", (_, make) => {
    torch.manual_seed(7);
    const layer = make();
    const x = torch.randn([steps, batch, features]);
    torch.no_grad(() => compare(() => flat(layer(x))));
  });

  test("what is no number, and infinities, stay in their sequence", () => {
    torch.manual_seed(8);
    const layer = new nn.LSTM(features, hidden);
    const x = torch.randn([steps, batch, features]);
    torch.no_grad(() => {
      x.at(0, 0, 0).fill_(Number.NaN);
      if (batch > 1) x.at(1, 1, 0).fill_(Number.POSITIVE_INFINITY);
      compare(() => flat(layer(x)));
    });
  });
});

test("packed sequences of several lengths", () => {
  torch.manual_seed(9);
  const layer = new nn.GRU(24, 40, { bidirectional: true });
  const packed = nn.utils.rnn.packPaddedSequence(torch.randn([6, 4, 24]), [6, 4, 4, 1]);
  torch.no_grad(() => compare(() => [layer.forwardPacked(packed)[0].data]));
});

test("a weight that is written to between two calls is packed anew", () => {
  torch.manual_seed(10);
  const layer = new nn.LSTM(32, 32);
  const x = torch.randn([3, 4, 32]);
  torch.no_grad(() => {
    const before = flat(layer(x))[0]!;
    for (const [name, weight] of layer.namedParameters()) if (name.startsWith("weight")) weight.mul_(0.5);
    const after = flat(layer(x))[0]!;
    expect(torch.allclose(before, after)).toBe(false);
    setKernelBuild("reference");
    expect(torch.allclose(flat(layer(x))[0]!, after, 1e-5, 2e-6)).toBe(true);
  });
});
