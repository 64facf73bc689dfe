// Well-known vision models, one image, one thread: against PyTorch and onnxruntime-web in the same run.
import { readFileSync } from "node:fs";
import { models, npmPeer, pytorch, VISION_MODELS } from "./peers.mjs";
import { selfTimed } from "./measure.mjs";

export const title = "Models";
export const notes =
  "One 224 by 224 image, one thread, weights packed by the first call (left out, as the peers' first calls are). The simd build runs on Node 20, relaxed (fused multiply-add) from Node 22.";

/** One run of an ONNX model, or undefined. */
async function onnxCompetitor(ort, file, image) {
  if (!ort || !file) return undefined;
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(file)), { executionProviders: ["wasm"] });
  const feeds = { [session.inputNames[0]]: new ort.Tensor("float32", image, [1, 3, 224, 224]) };
  return selfTimed(async () => {
    const start = performance.now();
    await session.run(feeds);
    return performance.now() - start;
  });
}

export async function run(bench) {
  const { jit, torch } = await bench.load();
  const names = bench.quick ? ["resnet18"] : ["resnet18", "mobilenet_v2", "vit_b_16"];
  const made = await models(bench, names, ["scripted", "onnx"]);
  const files = Object.fromEntries(Object.entries(made).flatMap(([name, { scripted }]) => (scripted ? [[name, scripted]] : [])));
  const python = await pytorch(bench, VISION_MODELS, { args: { files } });
  const ort = await npmPeer(bench, "onnxruntime-web");
  const image = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => ((i * 7919) % 2003) / 2003);
  for (const [name, file] of Object.entries(files)) {
    const model = jit.load(file);
    const input = torch.from(image, [1, 3, 224, 224]);
    const start = performance.now();
    model(input);
    bench.fact(name, "first call ms", performance.now() - start);
    await bench.compare(name, {
      tsarchive: () => model(input),
      PyTorch: python?.competitor(name),
      "onnxruntime-web": await onnxCompetitor(ort, made[name].onnx, image),
    }, { repetitions: name === "vit_b_16" ? 7 : 15, warmup: 4 });
  }
  python?.close();
}
