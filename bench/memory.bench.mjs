// Memory: the peak of a process that loads resnet18 and runs it, and whether 2,000 calls of a model leave it where it was.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { summary } from "./measure.mjs";
import { models, python } from "./peers.mjs";

export const title = "Memory";
export const unit = "MB";
export const notes =
  "Peak resident size of whole processes, as the system reports it. `lazy` reads weights from the file when they are packed for the kernels and does not keep them beside.";

const REPORT = "console.log(JSON.stringify({ peak: process.resourceUsage().maxRSS / 1024, ...figures }));";
const PY_REPORT = "import resource, json\nprint(json.dumps({'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))\n";

export async function run(bench) {
  const { resnet18 } = await models(bench, ["resnet18"]);
  const file = resnet18?.scripted;
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-memory-"));
  const own = JSON.stringify(pathToFileURL(join(bench.dist, "bundle/node/index.js")).href);
  const execute = (command, name, text) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    const args = command === process.execPath ? ["--expose-gc", path] : [path];
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, OMP_NUM_THREADS: "1" } });
    if (status !== 0) throw new Error(`${name}: ${stderr.slice(-400)}`);
    return JSON.parse(stdout.trim().split("\n").at(-1));
  };
  const repetitions = bench.quick ? 1 : 3;
  const peaks = (command, name, text) =>
    summary(Array.from({ length: repetitions }, () => execute(command, name, text).peak));
  try {
    if (file) {
      const runs = bench.quick ? 2 : 5;
      const code = (options) => `import { jit, torch } from ${own};
        const m = jit.load(${JSON.stringify(file)}, ${options}); m.eval();
        const x = torch.ones([1, 3, 224, 224]);
        for (let i = 0; i < ${runs}; i++) m(x);
        const figures = {}; ${REPORT}`;
      const row = {
        tsarchive: peaks(process.execPath, "own.mjs", code("{}")),
        "tsarchive, lazy": peaks(process.execPath, "lazy.mjs", code("{ lazy: true }")),
      };
      if (python()) {
        row.PyTorch = peaks(python(), "with_torch.py", `import torch\ntorch.set_num_threads(1)\ntorch.set_grad_enabled(False)
m = torch.jit.load(${JSON.stringify(file)}).eval()\nx = torch.ones(1, 3, 224, 224)\nfor i in range(${runs}): m(x)\n${PY_REPORT}`);
      } else bench.skip("PyTorch", "pip has no torch here");
      row["node -e 0"] = peaks(process.execPath, "empty.mjs", `const figures = {}; ${REPORT}`);
      bench.record("resnet18: load and run", row);
    }
    const model = join(bench.root, "test/fixtures/models/intro_wrapped_rnn/model.pt");
    const { before, after } = execute(process.execPath, "calls.mjs", `import { jit, torch } from ${own};
      const m = jit.load(${JSON.stringify(model)});
      const x = torch.ones([10, 1, 2]);
      const figures = {};
      const settle = async () => { for (let i = 0; i < 4; i++) { gc(); await new Promise((r) => setTimeout(r, 20)); } const { heapUsed, arrayBuffers, external } = process.memoryUsage(); return (heapUsed + arrayBuffers + external) / 2 ** 20; };
      for (let i = 0; i < 500; i++) m(x);
      figures.before = await settle();
      for (let i = 0; i < 2000; i++) m(x);
      figures.after = await settle();
      ${REPORT}`);
    bench.fact("2,000 calls of an RNN", "MB before", before);
    bench.fact("2,000 calls of an RNN", "MB after", after);
    bench.fact("2,000 calls of an RNN", "growth in MB", after - before);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
