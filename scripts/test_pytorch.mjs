// Cross-checks with real PyTorch: what tsarchive saves opens there, prints the same hierarchy and gives the same answers;
// modules authored here and there are alike (pairs.mjs); the introduction prints the same text.
// Makes its own virtual environment outside the repository. Where pip has no torch it says so, and fails only if CI is set.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runIntroduction } from "./introduction.mjs";
import { comparePairs } from "./pairs.mjs";
import { exitSkipped, pythonWithTorch } from "./python_env.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const python = pythonWithTorch() ?? exitSkipped();

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
const run = spawnSync(python, [join(root, "scripts/check_round_trip.py"), join(out, "pairs.json")], {
  stdio: "inherit",
});
let failed = run.status === 0 ? 0 : 1;
failed += await comparePairs(python);
failed += runIntroduction(python) ? 0 : 1;
process.exitCode = failed === 0 ? 0 : 1;
