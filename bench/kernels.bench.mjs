// Matrix products and convolutions: every kernel build in the same run. Operators: the best build against PyTorch.
import { join } from "node:path";
import { pytorch } from "./peers.mjs";

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
  "depthwise 5x5 672ch 14x14": convolution(672, 672, 14, 5, 1, 672),
  "depthwise 7x7 384ch 14x14": convolution(384, 384, 14, 7, 1, 384),
  "1x1 24->144 56x56": convolution(24, 144, 56, 1),
  "1x1 256->64 56x56": convolution(256, 64, 56, 1),
  "7x7 stride 2 3->64 224": convolution(3, 64, 224, 7, 2),
};

/** Operators: sizes of the tensor arguments, and how to call them here and in PyTorch. */
const OPERATORS = {
  "add 1e6": { sizes: [[1e6], [1e6]], here: ["aten::add.Tensor", (x, y) => [x, y, 1]], torch: "torch.add(x, y)" },
  "relu 1e6": { sizes: [[1e6]], here: ["aten::relu", (x) => [x]], torch: "torch.relu(x)" },
  "exp 1e6": { sizes: [[1e6]], here: ["aten::exp", (x) => [x]], torch: "torch.exp(x)" },
  "tanh 1e6": { sizes: [[1e6]], here: ["aten::tanh", (x) => [x]], torch: "torch.tanh(x)" },
  "gelu 1e6": { sizes: [[1e6]], here: ["aten::gelu", (x) => [x, "none"]], torch: "torch.nn.functional.gelu(x)" },
  "sum 1e6": { sizes: [[1e6]], here: ["aten::sum", (x) => [x, null]], torch: "x.sum()" },
  "softmax 512x512": { sizes: [[512, 512]], here: ["aten::softmax.int", (x) => [x, 1, null]], torch: "torch.softmax(x, 1)" },
  "layer norm 1000x1000": {
    sizes: [[1000, 1000], [1000], [1000]],
    here: ["aten::layer_norm", (x, y, z) => [x, [1000], y, z, 1e-5, true]],
    torch: "torch.nn.functional.layer_norm(x, [1000], y, z)",
  },
  "attention 12x197x64": {
    sizes: [[1, 12, 197, 64], [1, 12, 197, 64], [1, 12, 197, 64]],
    here: ["aten::scaled_dot_product_attention", (x, y, z) => [x, y, z, null, 0, false, null, false]],
    torch: "torch.nn.functional.scaled_dot_product_attention(x, y, z)",
  },
  "linear 197x768->3072": {
    sizes: [[197, 768], [3072, 768], [3072]],
    here: ["aten::linear", (x, y, z) => [x, y, z]],
    torch: "torch.nn.functional.linear(x, y, z)",
  },
};

const TORCH = `
def competitor(text, sizes):
    values = dict(zip("xyz", (torch.rand(s) for s in sizes)))
    run = eval("lambda x=None, y=None, z=None: " + text, {"torch": torch})
    def body():
        run(**values)
    return body
for name, (text, sizes) in args["operators"].items():
    competitors[name] = competitor(text, sizes)
`;

export const title = "Kernels";
export const notes =
  "The kernel builds of this package against each other; GFLOP/s are those of the fastest at its best. Operators on tensors in ordinary memory against PyTorch, one thread.";

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
  await operators(bench, fromData);
}

async function operators(bench, fromData) {
  await bench.load();
  const { callOperator } = await import(join(bench.dist, "core/operator_registry.js"));
  await import(join(bench.dist, "ops/index.js"));
  const entries = Object.entries(OPERATORS);
  const python = await pytorch(bench, TORCH, {
    args: { operators: Object.fromEntries(entries.map(([name, { torch, sizes }]) => [name, [torch, sizes.map((s) => s.map(Number))]])) },
  });
  for (const [name, { sizes, here }] of entries) {
    const [operator, make] = here;
    const values = make(...sizes.map((s) => fromData(random(product(s)), s)));
    await bench.compare(name, { tsarchive: () => callOperator(operator, values), PyTorch: python?.competitor(name) }, { repetitions: 15, warmup: 4 });
  }
  python?.close();
}
