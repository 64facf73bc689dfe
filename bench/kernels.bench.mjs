// Matrix products and convolutions: every kernel build in the same run.
import { join } from "node:path";

const random = (count) => Float32Array.from({ length: count }, (_, i) => Math.fround(((i * 7919) % 2003) / 1001.5 - 1));
const product = (list) => list.reduce((a, b) => a * b, 1);

function convolution(inChannels, outChannels, size, kernel, stride = 1, groups = 1) {
  const padding = kernel >> 1;
  const output = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const three = (v, first) => [first, v, v];
  return {
    batch: 1, inChannels, outChannels, groups,
    input: three(size, 1), kernel: three(kernel, 1), output: three(output, 1), stride: three(stride, 1), padding: three(padding, 0), dilation: [1, 1, 1],
  };
}

const PRODUCTS = [[512, 512, 512], [256, 256, 256], [64, 64, 64], [32, 32, 32], [1, 256, 64], [197, 768, 768]];
const CONVOLUTIONS = {
  "3x3 64ch 56x56": convolution(64, 64, 56, 3),
  "3x3 256ch 14x14": convolution(256, 256, 14, 3),
  "depthwise 144ch 56x56": convolution(144, 144, 56, 3, 1, 144),
  "depthwise 576ch 14x14": convolution(576, 576, 14, 3, 1, 576),
  "1x1 24->144 56x56": convolution(24, 144, 56, 1),
  "1x1 256->64 56x56": convolution(256, 64, 56, 1),
  "7x7 stride 2 3->64 224": convolution(3, 64, 224, 7, 2),
};


export const title = "Kernels";
export const notes = "The kernel builds of this package against each other; GFLOP/s are those of the fastest at its best.";

export async function run(bench) {
  const kernels = join(bench.dist, "tensor/kernels");
  const { setKernelBuild, supportedKernelBuilds } = await import(join(kernels, "wasm/build.js"));
  const { rowProductFor } = await import(join(kernels, "gemm.js"));
  const { convolve } = await import(join(kernels, "convolution.js"));
  const { fromData } = await import(join(bench.dist, "tensor/data.js"));
  const builds = supportedKernelBuilds().toReversed();
  const report = async (name, flops, body) => {
    const inner = Math.max(1, Math.floor(2e6 / flops)); // small kernels: many calls for one measurement
    const timed = (build) => () => {
      setKernelBuild(build);
      body();
    };
    const times = await bench.compare(name, Object.fromEntries(builds.map((b) => [b, timed(b)])), { repetitions: 9, warmup: 2, inner });
    bench.fact(name, "GFLOP/s", flops / times[builds[0]].min / 1e6);
  };
  for (const [m, n, k] of PRODUCTS) {
    const [a, b, c] = [random(m * k), random(n * k), new Float32Array(m * n)];
    await report(`product ${m}x${n}x${k}`, 2 * m * n * k, () => rowProductFor(c)(a, 0, k, b, 0, k, c, 0, n, m, n, k));
  }
  for (const [name, g] of Object.entries(CONVOLUTIONS)) {
    const k = (g.inChannels / g.groups) * product(g.kernel);
    const [x, w, out] = [random(g.inChannels * product(g.input)), random(g.outChannels * k), new Float32Array(g.outChannels * product(g.output))];
    const { storage } = fromData(w, [w.length]); // weights are packed once for their storage
    await report(name, 2 * out.length * k, () => convolve(x, w, out, g, storage));
  }
  setKernelBuild(builds[0]);
}
