// Round trips with real PyTorch: what tsarchive saves opens there, prints the same hierarchy and gives the same answers.
// Makes its own virtual environment outside the repository. Where pip has no torch it says so, and fails only if CI is set.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const home = process.env.TSARCHIVE_VENV ?? join(homedir(), ".cache", "tsarchive", "pytorch");
const python = join(home, "bin", "python");

function hasTorch(path) {
  return existsSync(path) && spawnSync(path, ["-c", "import torch, numpy"], { stdio: "ignore" }).status === 0;
}

if (!hasTorch(python)) {
  console.log(`Making a PyTorch environment in ${home} (once) ...`);
  mkdirSync(dirname(home), { recursive: true });
  try {
    execFileSync("python3", ["-m", "venv", home], { stdio: "inherit" });
    execFileSync(python, ["-m", "pip", "install", "--quiet", "torch", "numpy"], { stdio: "inherit" });
  } catch (error) {
    console.log(`pip could not install torch: ${error.message}`);
    console.log("0 passed, 0 failed, 1 skipped");
    process.exit(process.env.CI ? 1 : 0);
  }
}

const { jit } = await import(join(root, "dist/node/index.js"));
const out = mkdtempSync(join(tmpdir(), "tsarchive-pytorch-"));
const folders = [join(root, "test/fixtures/models"), join(root, "../shared/models")].filter((f) => existsSync(f));
const pairs = [];
for (const folder of folders) {
  for (const name of readdirSync(folder).sort()) {
    const model = join(folder, name, "model.pt");
    if (!existsSync(model)) continue;
    const copy = join(out, `${pairs.length}-${name}.zip`);
    jit.load(model).save(copy, { extraFiles: { "note.txt": "saved by tsarchive" } });
    pairs.push({ name, model, copy, case: join(folder, name, "case.json") });
  }
}
writeFileSync(join(out, "pairs.json"), JSON.stringify(pairs));
const run = spawnSync(python, [join(root, "scripts/check_round_trip.py"), join(out, "pairs.json")], { stdio: "inherit" });
process.exitCode = run.status ?? 1;
