// Real models against real PyTorch: npm run test:models -- [NAME...] [--only PACKAGE] [--keep] [--seconds N]
//
// Makes scripted and traced archives of torchvision's classification, segmentation and video models, timm architectures and
// tiny transformers with PyTorch (scripts/model_zoo.py), runs every check of the conformance runner on them, prints the table.
// Models are kept in ~/.cache/tsarchive/models up to 64 MB each (--keep: all; TSARCHIVE_MODELS: elsewhere).
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { addPackages, cacheFolder, exitSkipped, pythonWithTorch } from "./python_env.mjs";

const PACKAGES = ["torchvision", "timm", "transformers"];
const KEPT_BYTES = 64 << 20;
const BATCH = 16;

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = process.env.TSARCHIVE_DIST ?? join(root, "dist");
const models = process.env.TSARCHIVE_MODELS ?? join(cacheFolder, "models");

const options = { names: [], only: undefined, keep: false, seconds: 600 };
for (let i = 2; i < process.argv.length; i++) {
  const word = process.argv[i];
  if (word === "--only") options.only = process.argv[++i];
  else if (word === "--keep") options.keep = true;
  else if (word === "--seconds") options.seconds = Number(process.argv[++i]);
  else options.names.push(word);
}

const python = pythonWithTorch() ?? exitSkipped();
const packages = options.only ? [options.only.split("-")[0]] : PACKAGES;
const missing = addPackages(packages);
mkdirSync(models, { recursive: true });

/** Lines of JSON from make_models.py, as they come. */
async function* make(args) {
  const child = spawn(python, [join(root, "scripts/make_models.py"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) if (line.startsWith("{")) yield JSON.parse(line);
  const code = await ended;
  if (code !== 0) throw new Error(`make_models.py ended with ${code}`);
}

/** Outcome of the conformance runner on one case folder, in a process of its own: a hang or a crash is one model's. */
function check(folder) {
  const json = join(tmpdir(), `tsarchive-models-${process.pid}.json`);
  rmSync(json, { force: true });
  const started = Date.now();
  return new Promise((resolve) => {
    const args = ["--max-old-space-size=8192", join(dist, "conformance/main.js"), folder, "--json", json];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk) => (stderr += chunk));
    const timer = setTimeout(() => child.kill("SIGKILL"), options.seconds * 1000);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const seconds = (Date.now() - started) / 1000;
      if (existsSync(json)) resolve({ ...JSON.parse(readFileSync(json, "utf8")), seconds });
      else {
        const why = signal
          ? `no answer within ${options.seconds} s`
          : `the runner ended with ${code}: ${stderr.slice(-300)}`;
        resolve({ passed: {}, failed: { load: 1 }, failures: [{ check: "load", detail: "", why }], seconds });
      }
      rmSync(json, { force: true });
    });
  });
}

const CHECKS = ["load", "str", "code", "graph", "run", "resave", "debug", "jitter"];

function cell(result, name) {
  const passed = result.passed[name] ?? 0;
  const failed = result.failed[name] ?? 0;
  return failed > 0 ? `${passed}/${passed + failed}!` : passed > 0 ? String(passed) : "-";
}

const wanted = [];
for await (const line of make(["--list", ...packages])) {
  if (line.missing) missing[line.missing] ??= line.why;
  else if (options.only && line.package !== options.only) continue;
  else if (options.names.length === 0 || options.names.some((n) => line.name === n || line.family === n))
    wanted.push(line);
}
for (const [name, why] of Object.entries(missing)) console.log(`SKIPPED PACKAGE ${name}: ${why}`);
console.log(`${wanted.length} models\n`);
console.log(`${"model".padEnd(52)} ${CHECKS.map((c) => c.padStart(7)).join("")}  seconds`);

const tally = { passed: 0, failed: 0 };
const groups = {};
const notMade = [];
const failing = [];
// in groups, so that PyTorch's imports are paid once, and what is too large to keep does not pile up
for (let at = 0; at < wanted.length; at += BATCH) {
  const batch = wanted.slice(at, at + BATCH).map((m) => `${m.package}/${m.name}`);
  for await (const line of make(["--out", models, ...batch])) {
    if (line.missing) continue;
    const label = `${line.package}/${line.name} ${line.kind}`;
    const group = (groups[`${line.package} ${line.kind}`] ??= { models: 0, run: 0, all: 0, impossible: 0 });
    if (line.failed) {
      group.impossible++;
      notMade.push(`${label}: ${line.failed}`);
      continue;
    }
    const result = await check(line.folder);
    const failed = Object.values(result.failed).reduce((a, b) => a + b, 0);
    group.models++;
    if (!result.failed.load && !result.failed.run) group.run++;
    if (failed === 0) group.all++;
    tally[failed === 0 ? "passed" : "failed"]++;
    console.log(
      `${label.padEnd(52)} ${CHECKS.map((c) => cell(result, c).padStart(7)).join("")}  ${result.seconds.toFixed(1).padStart(7)}`,
    );
    for (const f of result.failures.slice(0, 4)) {
      console.log(
        `    FAIL ${f.check}${f.detail ? ` [${f.detail}]` : ""}: ${f.why.replaceAll("\n", " ⏎ ").slice(0, 400)}`,
      );
    }
    if (failed > 0) failing.push(label);
    if (!options.keep && statSync(join(line.folder, "model.pt")).size > KEPT_BYTES)
      rmSync(line.folder, { recursive: true });
  }
}

if (notMade.length > 0) console.log(`\nPyTorch itself cannot make or run ${notMade.length}:`);
for (const line of notMade) console.log(`  ${line}`);
console.log(`\n${"".padEnd(28)} archives  outputs equal  every check  not to be had from PyTorch`);
for (const [name, g] of Object.entries(groups)) {
  console.log(
    `${name.padEnd(28)} ${String(g.models).padStart(8)} ${String(g.run).padStart(14)} ${String(g.all).padStart(12)} ${String(g.impossible).padStart(28)}`,
  );
}
for (const [name, why] of Object.entries(missing)) console.log(`SKIPPED PACKAGE ${name}: ${why}`);
if (failing.length > 0) console.log(`failing: ${failing.join(", ")}`);
console.log(`${tally.passed} passed, ${tally.failed} failed, ${notMade.length + Object.keys(missing).length} skipped`);
if (tally.failed > 0 || tally.passed === 0) process.exitCode = 1;
