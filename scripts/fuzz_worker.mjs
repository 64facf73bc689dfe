// One mutated archive per message: load, print, code, graph, run, save; see fuzz.mjs.
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { mutateArchive, seededRandom } from "./fuzz_mutate.mjs";

const api = await import(join(workerData.dist, "node/index.js"));
const { jit, torch, inspect, verify, MemorySource, TorchScriptError, setPrintSink, setWarningSink } = api;
setPrintSink(() => {});
setWarningSink(() => {});
const MAX_STEPS = 20_000;
const MAX_GROWTH = 1.5e9;
const LIMITS = { maxNumel: 1e7, maxRecordBytes: 1e8, maxPickleItems: 1e6 };
const inputs = [
  () => [],
  () => [torch.ones([10, 1, 2])],
  () => [torch.ones([3, 4])],
  () => [torch.ones([2, 3]), torch.ones([2, 3])],
  () => [3],
];

/** Runs a step; errors of ours end it, others are defects. */
function step(stage, body) {
  parentPort.postMessage({ stage });
  try {
    body();
    return "ok";
  } catch (error) {
    // the interpreter wraps what an operator throws: a TypeError below it is still a hole
    const wrapped =
      error.cause instanceof TypeError ||
      error.cause instanceof ReferenceError ||
      /(^|\W)internal: /.test(error.message ?? "");
    if (error instanceof TorchScriptError && !wrapped) return error.name;
    if (wrapped)
      throw Object.assign(new Error(`${stage}: wrapped ${error.cause?.stack ?? error.stack}`), { defect: true });
    throw Object.assign(new Error(`${stage}: ${error?.stack ?? error}`), { defect: true });
  }
}

function runCase(bytes, random) {
  let model;
  step("inspect", () => inspect(new MemorySource(bytes)));
  if (random(4) === 0)
    step("verify", () => {
      for (const finding of verify(new MemorySource(bytes))) if (!finding.message) throw new Error("empty finding");
    });
  const outcome = step("load", () => {
    model = jit.load(bytes, { verifyCrc: false, limits: LIMITS, maxSteps: MAX_STEPS, lazy: random(2) === 0 });
  });
  if (!model) return outcome;
  step("str", () => String(model));
  for (const name of model.methodNames().slice(0, 4)) {
    step(`code ${name}`, () => model.method(name).code);
    step(`graph ${name}`, () => String(model.method(name).graph));
    step(`inlined ${name}`, () => String(model.method(name).inlinedGraph));
    const make = inputs[random(inputs.length)];
    step(`run ${name}`, () => model.invoke(name, make()));
  }
  step("save", () => model.saveToBuffer());
  return "opened";
}

parentPort.on("message", (seed) => {
  const random = seededRandom(seed);
  const { bytes } = workerData.files[random(workerData.files.length)];
  let mutated;
  try {
    mutated = mutateArchive(api, bytes, random);
  } catch (error) {
    parentPort.postMessage({
      outcome: "not made",
      defect: error instanceof TorchScriptError ? undefined : `mutator: ${error.stack}`,
    });
    return;
  }
  parentPort.postMessage({ stage: "mutated", bytes: mutated });
  const before = process.memoryUsage.rss();
  try {
    const outcome = runCase(mutated, random);
    const growth = process.memoryUsage.rss() - before;
    parentPort.postMessage({ outcome, defect: growth > MAX_GROWTH ? `memory grew by ${growth} bytes` : undefined });
  } catch (error) {
    parentPort.postMessage({ outcome: "defect", defect: error.message });
  }
});
parentPort.postMessage({ ready: true });
