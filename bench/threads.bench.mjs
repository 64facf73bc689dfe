// Two threads against one, each in a process of its own, in turns; PyTorch with one and two threads beside them: what this machine's second core is worth.
import { cpus } from "node:os";
import { models, nodeProcess, pytorch, VISION_MODELS } from "./peers.mjs";

export const title = "Threads";
export const notes =
  "One 224 by 224 image. The processes take turns of a few calls with pauses, as the threads of PyTorch look for work for a while when they have none. A model has run for some seconds before: until V8 has compiled what is hot, its own threads share the second core with the worker. The goal is a ratio of 1.7 between one thread and two on two cores; the ratio of PyTorch's two rows says what the second core gives it in the same turns.";

/** Milliseconds of calls before a model is measured. */
const WARM_UP = 4000;

const OWN = (dist, threads, files) => `
import { jit, torch } from ${JSON.stringify(dist)};
torch.setNumThreads(${threads});
const image = torch.from(Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => ((i * 7919) % 2003) / 2003), [1, 3, 224, 224]);
const models = Object.fromEntries(Object.entries(${JSON.stringify(files)}).map(([name, file]) => [name, jit.load(file)]));
await new Promise((done) => setTimeout(done, 300)); // workers start meanwhile
for (const model of Object.values(models)) {
  const end = performance.now() + ${WARM_UP};
  do { model(image); await new Promise((done) => setImmediate(done)); } while (performance.now() < end);
}
export const competitors = Object.fromEntries(Object.entries(models).map(([name, model]) => [name, () => model(image)]));
`;

export async function run(bench) {
  if (cpus().length < 2) bench.skip("two threads", "this machine has one core");
  const names = bench.quick ? ["resnet18"] : ["resnet18", "mobilenet_v2", "vit_b_16"];
  const made = await models(bench, names);
  const files = Object.fromEntries(Object.entries(made).flatMap(([name, { scripted }]) => (scripted ? [[name, scripted]] : [])));
  const processes = [];
  for (const threads of [1, 2]) processes.push(await nodeProcess(OWN(bench.ownModule, threads, files)));
  const [one, two] = [await pytorch(bench, VISION_MODELS, { args: { files } }), await pytorch(bench, VISION_MODELS, { threads: 2, args: { files } })];
  for (const name of Object.keys(files)) {
    await bench.compare(name, {
      "two threads": processes[1].competitor(name),
      "one thread": processes[0].competitor(name),
      "PyTorch, two threads": two?.competitor(name, 3),
      "PyTorch, one thread": one?.competitor(name, 3),
    }, { repetitions: name === "vit_b_16" ? 9 : 21, warmup: 2, pause: 20 });
  }
  for (const process of [...processes, one, two]) process?.close();
}
