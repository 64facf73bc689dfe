// `npm run bench [-- NAME...] [--json FILE] [--quick]`: runs bench/NAME.bench.mjs, each in a process of its own; medians with minimum and maximum.
// What a suite looks like: bench/measure.mjs. docs/benchmarks.md and its chart: `node scripts/bench_docs.mjs FILE`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Bench } from "../bench/measure.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const option = (name) => {
  const at = args.indexOf(name);
  return at >= 0 ? args.splice(at, 2)[1] : undefined;
};
const flag = (name) => {
  const at = args.indexOf(name);
  return at >= 0 && args.splice(at, 1).length > 0;
};
const json = option("--json");
const dist = resolve(option("--dist") ?? join(root, "dist"));
const one = option("--suite"); // internal: run one suite here and write its results
const quick = flag("--quick");

/** Runs one suite in this process. */
async function runSuite(name, file) {
  let loaded;
  const load = () => (loaded ??= import(pathToFileURL(join(dist, "node/index.js")).href));
  const ownModule = pathToFileURL(join(dist, "bundle/node/index.js")).href;
  const bench = new Bench({ root, dist, quick, load, ownModule });
  const suite = await import(pathToFileURL(join(root, "bench", `${name}.bench.mjs`)).href);
  await suite.run(bench);
  const { title = name, unit = "ms", notes, goals } = suite;
  const { rows, facts, skipped } = bench;
  writeFileSync(file, JSON.stringify({ title, unit, notes, goals, rows, facts, skipped }));
}

if (one) {
  await runSuite(one, json);
  process.exit(0); // peers in other processes may still be open
}

const available = readdirSync(join(root, "bench"))
  .filter((f) => f.endsWith(".bench.mjs"))
  .map((f) => f.replace(".bench.mjs", ""));
const names = args.length > 0 ? args : available;
const unknown = names.filter((name) => !available.includes(name));
if (unknown.length > 0) {
  console.error(`no suite "${unknown[0]}"; there is: ${available.join(", ")}`);
  process.exit(2);
}
const machine = `Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, ${process.platform} ${process.arch}`;
console.log(machine);
const folder = mkdtempSync(join(tmpdir(), "tsarchive-bench-"));
const suites = {};
let failed = 0;
for (const name of names) {
  console.log(`\n${name}`);
  const file = join(folder, `${name}.json`);
  const flags = [...(quick ? ["--quick"] : []), "--dist", dist, "--json", file, "--suite", name];
  const { status } = spawnSync(
    process.execPath,
    [...process.execArgv, "--expose-gc", fileURLToPath(import.meta.url), ...flags],
    { stdio: "inherit" },
  );
  if (status === 0 && existsSync(file)) suites[name] = JSON.parse(readFileSync(file, "utf8"));
  else {
    failed++;
    console.log(`  ${name} failed (status ${status})`);
  }
}
rmSync(folder, { recursive: true });
if (json)
  writeFileSync(json, `${JSON.stringify({ machine, date: new Date().toISOString().slice(0, 10), suites }, null, 1)}\n`);
process.exitCode = failed > 0 ? 1 : 0;
