// Saving: a model to a file; against torch.jit.save and the stored zip files of JSZip and fflate with the same records.
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { models, npmPeer, pytorch } from "./peers.mjs";

export const title = "Saving archives";
export const notes =
  "Every turn makes a new file. `tsarchive` saves one model again, as checkpoints do: its code was printed by the first save and is compared and written again. For `printed anew` a variable of one method gets another name before each turn, so that all code is printed, as PyTorch does at every save; records that come out as before are not deflated again. Copied code comes from the archive (`copyCode: true`). `bare write` writes as many bytes in one call; fflate and JSZip store the same records without compression and write the result. Nobody waits for the disk.";

const TORCH = `
for name, file in args["files"].items():
    module = torch.jit.load(file)
    competitors[name] = lambda module=module, out=args["out"]: torch.jit.save(module, out)
`;

export async function run(bench) {
  const { jit, ArchiveReader } = await bench.load();
  const names = bench.quick ? ["resnet18"] : ["resnet18", "resnet50", "mobilenet_v2"];
  const files = Object.fromEntries(
    Object.entries(await models(bench, names)).flatMap(([name, { scripted }]) => (scripted ? [[name, scripted]] : [])),
  );
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-save-"));
  const out = (name) => join(folder, name);
  const torch = await pytorch(bench, TORCH, { args: { files, out: out("torch.pt") } });
  const fflate = await npmPeer(bench, "fflate");
  const JSZip = await npmPeer(bench, "jszip");
  try {
    for (const [name, file] of Object.entries(files)) {
      bench.fact(name, "MB", statSync(file).size / 1e6);
      const [model, changing, copied, lazy] = [jit.load(file), jit.load(file), jit.load(file), jit.load(file, { lazy: true })];
      const nodes = changing.method("_forward_impl").graph.block.nodes();
      const variable = [...nodes].map((node) => node.outputs[0]).find((value) => value?.hasDebugName());
      let turn = 0;
      const before = () => {
        for (const file of readdirSync(folder)) rmSync(out(file));
        variable.setDebugName(`turn${turn++}`);
      };
      const bytes = new Uint8Array(readFileSync(file));
      const reader = ArchiveReader.open(bytes);
      const records = Object.fromEntries(reader.recordNames().map((record) => [record, reader.read(record)]));
      await bench.compare(`${name}: save`, {
        tsarchive: () => model.save(out("own.pt")),
        "tsarchive, printed anew": () => changing.save(out("changing.pt")),
        "tsarchive, copied code": () => copied.save(out("copied.pt"), { copyCode: true }),
        "tsarchive, untouched lazy model, copied code": () => lazy.save(out("lazy.pt"), { copyCode: true }),
        "torch.jit.save": torch?.competitor(name),
        "fflate.zipSync level 0": fflate && (() => writeFileSync(out("fflate.zip"), fflate.zipSync(records, { level: 0 }))),
        "JSZip STORE": JSZip && (async () => {
          const zip = new JSZip();
          for (const [record, data] of Object.entries(records)) zip.file(record, data);
          writeFileSync(out("jszip.zip"), await zip.generateAsync({ type: "uint8array", compression: "STORE" }));
        }),
        "bare write": () => {
          const descriptor = openSync(out("bare"), "w");
          writeSync(descriptor, bytes);
          closeSync(descriptor);
        },
      }, { repetitions: 11, before });
    }
  } finally {
    torch?.close();
    rmSync(folder, { recursive: true });
  }
}
