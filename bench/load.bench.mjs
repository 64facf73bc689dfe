// Opening: to know everything but the weights, and with all weights; against torch.jit.load and the raw read of the same bytes.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { models, npmPeer, pytorch } from "./peers.mjs";

export const title = "Opening archives";
export const notes =
  "`raw read` reads all bytes of the file in one call into fresh memory; PyTorch never verifies a CRC. `open and print` is `String(jit.load(file, { lazy: true }))` in a process that has opened 80 archives, as V8 compiles the opener in the course of some 70, on threads that take the main one's core at times (the first archive is a row of the cold starts): every weight can be asked for, none is read; a turn, of either, is a call that is not timed and the mean of three. In the rows with weights they are all read, into the memory that kernels use them in, as PyTorch's are; garbage is collected between the turns, outside the clock.";

const TORCH = `
for name, file in args["files"].items():
    competitors[name] = lambda file=file: None if torch.jit.load(file) else None
`;

export async function run(bench) {
  const { jit } = await bench.load();
  const names = bench.quick ? ["resnet18"] : ["resnet18", "resnet50", "mobilenet_v2", "vit_b_16"];
  const files = Object.fromEntries(
    Object.entries(await models(bench, names)).flatMap(([name, { scripted }]) => (scripted ? [[name, scripted]] : [])),
  );
  const torch = await pytorch(bench, TORCH, { args: { files } });
  const fflate = await npmPeer(bench, "fflate");
  const { readFileSync } = await import("node:fs");
  for (const [name, file] of Object.entries(files)) {
    const size = statSync(file).size;
    const raw = () => {
      const target = new Uint8Array(size);
      const descriptor = openSync(file, "r");
      readSync(descriptor, target, 0, size, 0);
      closeSync(descriptor);
    };
    const repetitions = size > 2e8 ? 7 : 15;
    const weights = (options) => () => void jit.load(file, options);
    bench.fact(name, "MB", size / 1e6);
    await bench.compare(`${name}: open and print`, {
      tsarchive: () => String(jit.load(file, { lazy: true })),
      "torch.jit.load": torch?.competitor(name, 3),
    }, { repetitions: repetitions * 2, warmup: 20, inner: 3 });
    await bench.compare(`${name}: all weights, CRC verified`, {
      tsarchive: weights({ verifyCrc: true }),
      "torch.jit.load": torch?.competitor(name),
      "fflate.unzipSync": fflate && (() => fflate.unzipSync(readFileSync(file))),
    }, { repetitions, collect: true });
    await bench.compare(`${name}: all weights, no CRC`, {
      tsarchive: weights({ verifyCrc: false }),
      "raw read": raw,
    }, { repetitions, collect: true });
  }
  torch?.close();
}
