// `npm start`: the product in one screen. Opens a real archive written by PyTorch, runs it, saves it, opens the copy, compares, dumps.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import pc from "picocolors";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { jit, torch } = await import(join(root, "dist/node/index.js"));
const archive = join(root, "test/fixtures/models/intro_wrapped_rnn/model.pt");

const title = (text) => console.log(`\n${pc.bold(pc.cyan(text))}`);
const aside = (text) => console.log(pc.dim(text));
const indent = (text) => console.log(text.trimEnd().replace(/^/gm, "    "));
const timed = (body) => {
  const start = performance.now();
  const value = body();
  return [value, performance.now() - start];
};

console.log(pc.bold("tsarchive: TorchScript archives in JavaScript, without Python"));

title("1. Open the RNN of the TorchScript introduction, saved by PyTorch 2.13");
const [model, openMs] = timed(() => jit.load(archive));
aside(`    jit.load("model.pt")   ${statSync(archive).size} bytes, ${openMs.toFixed(1)} ms`);
indent(String(model));

title("2. Read its code");
indent(model.code);
indent(model.getattr("loop").code);

title("3. Run it");
torch.manualSeed(0);
const x = torch.ones([10, 1, 2]);
const [y, runMs] = timed(() => model(x));
aside(`    model(torch.ones([10, 1, 2]))   ${runMs.toFixed(1)} ms`);
indent(String(y));

title("4. Save it, open the copy, compare");
const folder = mkdtempSync(join(tmpdir(), "tsarchive-demo-"));
const copy = join(folder, "copy.zip");
model.save(copy);
const again = jit.load(copy)(x);
const same = JSON.stringify(y.tolist()) === JSON.stringify(again.tolist());
indent(`saved ${statSync(copy).size} bytes; the copy answers ${String(again)}`);
indent(same ? pc.green("the same answer") : pc.red("A DIFFERENT ANSWER"));

title("5. Look inside: npx tsarchive dump copy.zip");
const dump = spawnSync(process.execPath, [join(root, "dist/cli/main.js"), "dump", copy], {
  encoding: "utf8",
  env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}) },
});
indent(dump.stdout || dump.stderr);
rmSync(folder, { recursive: true });

title("Next");
indent(
  "npm test                        the test suite\nnpx tsarchive dump FILE         any .pt or .zip that torch.jit.save wrote",
);
process.exitCode = same && dump.status === 0 ? 0 : 1;
