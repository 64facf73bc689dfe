// Small eager calls on tensors of four elements, ns per call: what a call costs besides its arithmetic.
import { join } from "node:path";
import { measure } from "./measure.mjs";

const CALLS = 20_000;

export async function run(root, dist = join(root, "dist")) {
  const { torch } = await import(join(dist, "node/index.js"));
  const x = torch.tensor([[1.5, 2.5], [3.5, 4.5]]);
  const y = torch.ones([2, 2]);
  const cases = {
    "x.add(y)": () => x.add(y),
    "x.add(1)": () => x.add(1),
    "x.mul_(1)": () => y.mul_(1),
    "x.neg()": () => x.neg(),
    "x.view(4)": () => x.view(4),
    "x.sum(1, { keepdim: true })": () => x.sum(1, { keepdim: true }),
    "x.softmax(-1)": () => x.softmax(-1),
    "x.transpose(0, 1)": () => x.transpose(0, 1),
    "x.size(0)": () => x.size(0),
    "torch.zeros([2, 2])": () => torch.zeros([2, 2]),
    'torch.call("matmul", x, y)': () => torch.call("matmul", x, y),
    'torch.call("cat", [x, y], 0)': () => torch.call("cat", [x, y], 0),
  };
  const timed = Object.fromEntries(
    Object.entries(cases).map(([name, body]) => [name, () => { for (let i = 0; i < CALLS; i++) body(); }]),
  );
  const results = {};
  for (const [name, { median, min, max }] of Object.entries(measure(timed, { repetitions: 9 }))) {
    const ns = (ms) => Math.round((ms * 1e6) / CALLS);
    results[name] = { nsPerCall: ns(median) };
    console.log(`${name.padEnd(30)}${String(ns(median)).padStart(6)} ns (${ns(min)}-${ns(max)})`);
  }
  return results;
}
