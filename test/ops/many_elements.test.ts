/** @file Operators on some ten thousand elements, which take other paths than few do: halves in pieces, complex numbers and losses in own loops, vectors. Expected values are PyTorch 2.13's. */
import { expect, test } from "vitest";
import { nn, torch, type Tensor } from "../../src/index.ts";
import { contiguousAs } from "../../src/tensor/clone.ts";

const F = nn.functional;
const N = 20011;
/** ((7919 i) mod 2003) / 1001.5 - 1 from i = `first` on, as float32. */
const values = (first = 0, count = N): Tensor =>
  torch.tensor(Float32Array.from({ length: count }, (_, k) => (((k + first) * 7919) % 2003) / 1001.5 - 1));
const [x, y] = [values(), values(1)];

/** The sum of the elements' bits, each times its index modulo 251 plus 1: `words` are signed integers of so many bits. */
function digest(t: Tensor, bits: 8 | 16 | 32): bigint {
  const { storage, base0, numel, dtype } = contiguousAs(t, t.dtype);
  const { i8, i16, i32 } = storage.segment;
  const words = { 8: i8, 16: i16, 32: i32 }[bits];
  const each = (8 * dtype.itemsize) / bits;
  let sum = 0n;
  for (let i = 0; i < numel * each; i++) sum += BigInt(words[base0 * each + i]! * ((i % 251) + 1));
  return sum;
}

test.each([
  [
    torch.float16,
    [37312233225n, -4667012397n, -3423410774n, -2063957889n, 30807452231n, 1128893n, 0n],
    [-2693301883n, -6345449207n, -21940016128n],
  ],
  [
    torch.bfloat16,
    [40662361469n, -669437671n, -507847557n, -337977133n, 33194425137n, 1128893n, 0n],
    [2939528795n, -713258516n, -20793210368n],
  ],
])("%o has PyTorch's bits", (dtype, first, second) => {
  const [a, b] = [x.to(dtype), y.to(dtype)];
  const bits = (t: Tensor): bigint => digest(t, t.dtype === torch.bool ? 8 : 16);
  // a number rounds to the dtype before it is added or compared, not before it multiplies or divides
  expect([a.add(1), a.add(b), a.mul(2.3), a.div(0.3), a.div(b), a.gt(0.1), a.eq(b)].map(bits)).toEqual(first);
  expect([a.maximum(b), a.neg(), a.floor()].map(bits)).toEqual(second);
});

test("complex64", () => {
  const [c, d] = [torch.complex(x, y), torch.complex(y, x)];
  const results = [c.add(d), c.add(2), c.sub(d, { alpha: 2 }), c.mul(0.5), c.neg(), c.conj().add(d)];
  expect(results.map((t) => digest(t, 32))).toEqual([
    -81239434723495n,
    2646655735054763n,
    -99182499305928n,
    -149821643927150n,
    -103657464770158n,
    2320483563984822n,
  ]);
  expect(c.abs().to(torch.float64).sum().item()).toBeCloseTo(14249.8435352, 3);
  expect(c.angle().to(torch.float64).sum().item()).toBeCloseTo(-12805.7617114, 3);
  expect(c.eq(d).sum().item()).toBe(0);
});

test("losses of two tensors", () => {
  const close = (losses: readonly Tensor[], expected: readonly number[]): void =>
    losses.forEach((loss, i) =>
      expect(Math.abs((loss.item() as number) - expected[i]!)).toBeLessThan(2e-7 * Math.max(1, Math.abs(expected[i]!))),
    );
  close(
    [
      F.l1_loss(x, y),
      F.mse_loss(x, y),
      F.smooth_l1_loss(x, y),
      F.huber_loss(x, y, { delta: 0.3 }),
      F.kl_div(x, y.abs()),
      F.soft_margin_loss(x, y.sign()),
      F.binary_cross_entropy(x.abs(), y.abs()),
      F.binary_cross_entropy_with_logits(x, y.abs()),
      F.mse_loss(x, y, { reduction: "sum" }),
      F.mse_loss(x, y, { reduction: "none" }).at(12345),
      F.mse_loss(x.slice(0, 0, 1000).reshape([10, 100]), y.slice(0, 0, 100)),
    ],
    [
      0.1771783, 0.1772583, 0.0695072, 0.0286098, -0.2074745, 0.5302967, 0.537356, 0.7761242, 3547.1154785, 0.0086231,
      0.6556616,
    ],
  );
  expect(() => F.binary_cross_entropy(x, y.abs())).toThrow("all elements of input should be between 0 and 1");
});

test("losses against classes", () => {
  const m = x.slice(0, 0, 20000).reshape([40, 500]).mul(3);
  const t = torch.arange(40).mul(11).remainder(500);
  const w = x.slice(0, 0, 500).abs();
  const spatial = m.reshape([4, 5, 1000]).slice(2, 0, 10).contiguous();
  const losses = [
    F.cross_entropy(m, t),
    F.cross_entropy(m, t, { weight: w, labelSmoothing: 0.1 }),
    F.cross_entropy(spatial, torch.arange(40).reshape([4, 10]).remainder(5), { reduction: "sum" }),
    F.cross_entropy(m, m.softmax(1)),
    F.nll_loss(m, t),
    F.nll_loss(m.to(torch.float16), t),
  ];
  const expected = [7.6008234, 7.6638241, 108.6079102, 5.4057655, 0.1816026, 0.1816406];
  losses.forEach((loss, i) =>
    expect(Math.abs((loss.item() as number) - expected[i]!)).toBeLessThan(5e-7 * Math.max(1, expected[i]!)),
  );
});

test("counts, comparisons, signs, unit matrices", () => {
  const round = x.round();
  const none = round.mul(0).add(NaN);
  const counted = [round, none, x.gt(0), round.to(torch.float16), x.mul(3).to(torch.int64)];
  expect(counted.map((t) => t.count_nonzero().item())).toEqual([10002, 20011, 10001, 10002, 13338]);
  const rows = round.slice(0, 0, 20000).reshape([100, 200]);
  expect(rows.count_nonzero(1).slice(0, 0, 4).tolist()).toEqual([103, 96, 99, 104]);
  const [a, b] = [x.to(torch.float64), y.to(torch.float64)];
  const truths = [a.gt(0), a.le(0.25), a.eq(b), a.ne(0.5), x.isinf(), x.isfinite(), x.div(0).isinf()];
  expect(truths.map((t) => t.sum().item())).toEqual([10001, 12507, 0, 20011, 0, 20011, 20011]);
  expect(x.sign().sum().item()).toBe(-9);
  expect(none.sign().abs().sum().item()).toBe(0);
  expect(torch.eye(200).sum().item()).toBe(200);
  expect(torch.eye(4, 2).tolist()).toEqual([
    [1, 0],
    [0, 1],
    [0, 0],
    [0, 0],
  ]);
});

test("replaced ranges and numbers that are none", () => {
  const plain = x.tolist() as number[];
  const odd = torch.tensor(Float32Array.from(plain, (v, i) => [NaN, Infinity, -Infinity, -0][i % 7] ?? v));
  const some = odd.nan_to_num({ nan: 0.2 });
  const results = [
    F.hardshrink(x, 0.3),
    F.threshold(x, 0.1, 2.5),
    F.prelu(x, torch.tensor([0.2])),
    odd.nan_to_num(),
    odd.nan_to_num(1.5, 7, -9),
    F.hardshrink(some, 0.3),
    F.threshold(some, -0.5, 3),
  ];
  expect(results.map((t) => digest(t, 32))).toEqual([
    -27807618705440n,
    2683302979667272n,
    -83296766782480n,
    -27435383440269n,
    -397201896229993n,
    754222216832770n,
    1320965565479026n,
  ]);
  const halves = [odd.to(torch.float16).nan_to_num(), F.hardshrink(x.to(torch.float16), 0.3)];
  expect(halves.map((t) => digest(t, 16))).toEqual([-3470756702n, -3192008746n]);
});

test("sums at indexes, distances of rows", () => {
  const [m, other] = [x, y].map((t) => t.slice(0, 0, 20000).reshape([100, 200])) as [Tensor, Tensor];
  const index = torch.arange(20000).mul(37).remainder(200).reshape([100, 200]);
  const part = index.slice(0, 0, 50).slice(1, 0, 30);
  const rows = index.remainder(100);
  const sums = [m.scatter_add(1, index, other), m.scatter_add(0, rows, other), m.scatter_add(1, part, other)];
  expect(sums.map((t) => digest(t, 32))).toEqual([-48048384717137n, -55834385530705n, -60380813128262n]);
  const wide = m.to(torch.float64).scatter_add(0, rows, other.to(torch.float64));
  expect(wide.at(7, 9).item()).toBe(0.15926110744476318);
  expect(() => m.scatter_add(1, index.add(1), other)).toThrow(
    "index 200 is out of bounds for dimension 1 with size 200",
  );
  const distances = [
    F.pairwise_distance(m, other).sum(),
    F.pairwise_distance(m, other, 1).at(3),
    F.pairwise_distance(m, other, 3).at(3),
    F.pairwise_distance(m, other.at(0)).at(5),
    F.cosine_similarity(m, other).sum(),
    F.cosine_similarity(m, other, 0).at(11),
  ];
  // PyTorch rounds the differences to float32
  [595.106628, 36.715069, 4.111808, 13.69539, 73.43119, 0.553286].forEach((wanted, i) =>
    expect(Math.abs((distances[i]!.item() as number) - wanted)).toBeLessThan(2e-6 * Math.max(1, wanted)),
  );
});
