// A fresh process: to have imported, to have opened an archive, to have the first output of resnet18; against Python and onnxruntime-node.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { selfTimed } from "./measure.mjs";
import { models, npmFolder, npmPeer, python } from "./peers.mjs";

export const title = "Cold start";
export const notes = "Milliseconds of whole processes, from their start to their end, one thread; the files are in the page cache. The first output is that of a model from `jit.load(file, { lazy: true })`, whose weights pass the first time and stay from the second call on, or from `await jit.loadAsync(file)`, which reads them beside the main thread.";

export async function run(bench) {
  const { resnet18 } = await models(bench, ["resnet18"], ["scripted", "onnx"]);
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-cold-"));
  const script = (name, text) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const process_ = (command, args) => {
    const start = performance.now();
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, OMP_NUM_THREADS: "1" } });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr.slice(-400)}`);
    return performance.now() - start;
  };
  const node = (file) => selfTimed(() => process_(process.execPath, [file]));
  const own = pathToFileURL(join(bench.dist, "bundle/node/index.js")).href;
  const py = (file) => python() && selfTimed(() => process_(python(), [file]));
  const pyHead = "import torch\ntorch.set_num_threads(1)\ntorch.set_grad_enabled(False)\n";
  try {
    await bench.compare("import", {
      tsarchive: node(script("import.mjs", `import ${JSON.stringify(own)};`)),
      "import torch": py(script("import.py", pyHead)),
      "node -e 0": selfTimed(() => process_(process.execPath, ["-e", "0"])),
    }, { repetitions: 11, warmup: 2 });
    const file = resnet18?.scripted;
    if (!file) return;
    const load = (options) => `import { jit, torch } from ${JSON.stringify(own)}; const m = jit.load(${JSON.stringify(file)}, ${options});`;
    await bench.compare("resnet18: open and print", {
      tsarchive: node(script("open.mjs", `${load("{ lazy: true }")} String(m);`)),
      "torch.jit.load": py(script("open.py", `${pyHead}m = torch.jit.load(${JSON.stringify(file)})\nstr(m)\n`)),
    }, { repetitions: 7, warmup: 1 });
    const ort = resnet18.onnx && (await npmPeer(bench, "onnxruntime-node"));
    const ortPath = ort && pathToFileURL(createRequire(join(npmFolder, "index.js")).resolve("onnxruntime-node")).href;
    const call = "m.eval(); m(torch.ones([1, 3, 224, 224]));";
    const loadAsync = (options) => `import { jit, torch } from ${JSON.stringify(own)}; const m = await jit.loadAsync(${JSON.stringify(file)}, ${options});`;
    // torch.jit.load checks no CRC
    await bench.compare("resnet18: first output", {
      tsarchive: node(script("run.mjs", `${load("{ lazy: true }")} ${call}`)),
      "tsarchive, no CRC": node(script("trusting.mjs", `${load("{ lazy: true, verifyCrc: false }")} ${call}`)),
      "tsarchive, loadAsync": node(script("async.mjs", `${loadAsync("{}")} ${call}`)),
      Python: py(script("run.py", `${pyHead}m = torch.jit.load(${JSON.stringify(file)}).eval()\nm(torch.ones(1, 3, 224, 224))\n`)),
      "onnxruntime-node": ortPath &&
        node(script("ort.mjs", `
          import ort from ${JSON.stringify(ortPath)};
          const s = await ort.InferenceSession.create(${JSON.stringify(resnet18.onnx)}, { intraOpNumThreads: 1 });
          await s.run({ input: new ort.Tensor("float32", new Float32Array(150528).fill(1), [1, 3, 224, 224]) });
        `)),
    }, { repetitions: 7, warmup: 1 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
