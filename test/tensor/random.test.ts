/** @file Random tensors are PyTorch's to the last bit, whatever the sizes, layouts and builds: random.json has checksums of them, made by make_random.py. */
import { afterAll, describe, expect, test } from "vitest";
import { crc32 } from "../../src/archive/crc32.ts";
import { nn, torch } from "../../src/index.ts";
import { Generator } from "../../src/tensor/generator.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { wasmBoxMuller } from "../../src/tensor/kernels/wasm/random.ts";
import { logFloat, sinCosFloat } from "../../src/tensor/math/cephes_float.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import recorded from "./random.json" with { type: "json" };

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));

type DTypeName = "float32" | "float64" | "float16" | "bfloat16" | "int64" | "uint8" | "bool";
const MAKERS: Readonly<Record<string, (n: number, dtype: DTypeName) => Tensor>> = {
  rand: (n, d) => torch.rand([n], { dtype: torch[d] }),
  uniform: (n, d) => torch.empty([n], { dtype: torch[d] }).uniform_(-3.5, 7.5),
  "uniform.near": (n, d) => torch.empty([n], { dtype: torch[d] }).uniform_(1e6, 1e6 + 0.125),
  "uniform.odd": (n, d) => torch.empty([n], { dtype: torch[d] }).uniform_(-3.3, 7.7),
  "uniform.T": (n, d) => torch.empty([n, 3], { dtype: torch[d] }).t().uniform_(),
  randn: (n, d) => torch.randn([n], { dtype: torch[d] }),
  normal: (n, d) => torch.empty([n], { dtype: torch[d] }).normal_(1.5, 0.3),
  "normal.T": (n, d) => torch.empty([n, 3], { dtype: torch[d] }).t().normal_(),
  bernoulli: (n, d) => torch.empty([n], { dtype: torch[d] }).bernoulli_(0.37),
  "bernoulli.p": (n, d) => torch.bernoulli(torch.linspace(0, 1, n, { dtype: torch[d] })),
  dropout: (n, d) => nn.functional.dropout(torch.ones([n], { dtype: torch[d] }), 0.3, true),
  randint: (n, d) => torch.randint(-3, 10, [n], { dtype: torch[d] }),
  "randint.far": (n, d) => torch.randint(2 ** 40, 2 ** 40 + 9, [n], { dtype: torch[d] }),
  "randint.wide": (n, d) => torch.randint(0, 2 ** 40, [n], { dtype: torch[d] }),
  random: (n, d) => torch.empty([n], { dtype: torch[d] }).random_(),
  randperm: (n, d) => torch.randperm(n, { dtype: torch[d] }),
};

/** The checksum of the elements in logical order. */
function checksum(t: Tensor): number {
  const { storage, dtype, storageOffset, numel } = t.contiguous();
  const start = storageOffset * dtype.itemsize;
  return crc32(storage.bytes().subarray(start, start + numel * dtype.itemsize));
}

describe.each(supportedKernelBuilds())("%s", (build) => {
  test.each(recorded.cases)("$name of $dtype", ({ seed, name, dtype, sums }) => {
    setKernelBuild(build);
    torch.manual_seed(seed);
    const make = MAKERS[name]!;
    expect(recorded.sizes.map((n) => checksum(make(n, dtype as DTypeName)))).toEqual(sums);
  });

  test("writes count", () => {
    setKernelBuild(build);
    for (const dtype of [torch.float32, torch.int64]) {
      const t = torch.empty([40], { dtype });
      const before = t.storage.version;
      t.random_(0, 5);
      expect(t.storage.version).toBe(before + 1);
    }
  });
});

describe.each(supportedKernelBuilds().filter((b) => b !== "reference"))("Box-Muller on %s", (build) => {
  const f = Math.fround;
  const check = (uniform: Float32Array, at: number, blocks: number, mean: number, std: number): void => {
    setKernelBuild(build);
    const expected = uniform.slice();
    for (let block = at; block < at + 16 * blocks; block += 16)
      for (let i = block; i < block + 8; i++) {
        const radius = f(Math.sqrt(f(-2 * logFloat(f(1 - uniform[i]!)))));
        const { sin, cos } = sinCosFloat(f(f(2 * Math.PI) * uniform[i + 8]!));
        expected[i] = f(f(radius * cos) * f(std) + f(mean));
        expected[i + 8] = f(f(radius * sin) * f(std) + f(mean));
      }
    expect(wasmBoxMuller(uniform, at, blocks, mean, std)).toBe(true);
    expect(uniform).toEqual(expected);
  };
  const generator = new Generator(5n);
  const uniform = (count: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) =>
      i % 5 < 4 ? generator.uniformBits(24) : [0, 2 ** -24, 0.25, 0.5, 0.75, 1 - 2 ** -24][((i / 5) % 6) | 0]!,
    );

  test("is that of plain arithmetic, at the ends of the range and at turns, too", () => {
    for (const blocks of [1, 2, 3, 255, 256, 257, 600]) check(uniform(16 * blocks), 0, blocks, 0, 1);
    check(uniform(16 * 20 + 5), 5, 20, -3.3, 0.7);
  });
  test("takes any mean and deviation", () => {
    // no denormal means: next to a product halfway between two floats they decide a rounding that doubles do not see
    for (const mean of [0, -0, Infinity, NaN, 3e38])
      for (const std of [0, 1, 1e-40, Infinity, 2.5]) check(uniform(64), 0, 4, mean, std);
  });
});

test("numbers are drawn in the order of single ones, and a bookmark puts them back", () => {
  const [one, other] = [new Generator(9n), new Generator(9n)];
  const bits = new Uint32Array(2000);
  for (const count of [1, 3, 623, 0, 1300, 624, 17]) {
    const putBack = one.bookmark();
    one.fill(bits, count);
    putBack();
    const [first, second] = [Array.from({ length: count }, () => one.random()), [] as number[]];
    other.fill(bits, count);
    second.push(...bits.subarray(0, count));
    expect(first).toEqual(second);
  }
});
