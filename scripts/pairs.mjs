// Compares modules written once in TypeScript and once in Python (test/pytorch/pairs.*): weights, answers, texts, archives.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
/** Checks of texts, held to `TEXT_RATE`; all others must pass. */
const TEXTS = new Set(["trace graph", "trace code", "script graph", "script code"]);
const TEXT_RATE = 0.95;

/** Compiles test/pytorch and examples to build/programs. */
export function compilePrograms() {
  execFileSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "tsconfig.programs.json")],
    {
      stdio: "inherit",
    },
  );
  return join(root, "build/programs");
}

/** Runs every pair, or those named; prints what differs and returns the number of failures. */
export async function comparePairs(python, only = []) {
  const programs = compilePrograms();
  const { PAIRS } = await import(join(programs, "test/pytorch/pairs.js"));
  const names = PAIRS.map((p) => p.name).filter((n) => only.length === 0 || only.includes(n));
  const out = mkdtempSync(join(tmpdir(), "tsarchive-pairs-"));
  const recorder = join(programs, "test/pytorch/record_pairs.js");
  for (const name of names) execFileSync(process.execPath, [recorder, out, name], { stdio: "inherit" });
  const run = spawnSync(python, [join(root, "scripts/compare_pairs.py"), out, ...names], { stdio: "inherit" });
  if (run.status !== 0) throw new Error(`compare_pairs.py ended with status ${run.status}`);
  const compared = JSON.parse(readFileSync(join(out, "compared.json"), "utf8"));
  for (const name of names) compared[name].push(...(await openTheirs(out, name)));
  return report(compared);
}

/** Opens the archives that PyTorch saved and compares the answers with PyTorch's. */
async function openTheirs(out, name) {
  const { jit, torch, DTYPES } = await import(join(root, "dist/node/index.js"));
  const decode = (v) => {
    if (v.t === "tensor") return torch.fromBytes(Buffer.from(v.data, "base64"), v.shape, DTYPES[v.dtype]);
    if (v.t === "tuple") return v.v.map(decode);
    if (v.t === "dict") return new Map(v.v.map(([key, item]) => [decode(key), decode(item)]));
    return v.t === "none" ? null : v.v;
  };
  const close = (a, b) => {
    if (b === null || typeof b !== "object") return a === b;
    if (Array.isArray(b)) return Array.isArray(a) && a.length === b.length && b.every((item, i) => close(a[i], item));
    if (b instanceof Map) return a instanceof Map && [...b].every(([key, item]) => close(a.get(key), item));
    return a.dtype === b.dtype && torch.call("allclose", a, b, 1e-5, 1e-6) === true;
  };
  const results = [];
  for (const kind of ["trace", "script"]) {
    const expected = join(out, `${name}.${kind}.py.json`);
    if (!existsSync(expected)) continue;
    try {
      const { inputs, output } = JSON.parse(readFileSync(expected, "utf8"));
      const module = jit.load(join(out, `${name}.${kind}.py.pt`));
      torch.manualSeed(2);
      const good = close(module(...inputs.map(decode)), decode(output));
      results.push([`${kind} of PyTorch opened`, good, "answers differ"]);
    } catch (error) {
      results.push([`${kind} of PyTorch opened`, false, String(error.stack ?? error)]);
    }
  }
  return results;
}

function report(compared) {
  const counts = new Map();
  let failed = 0;
  for (const [name, results] of Object.entries(compared)) {
    const bad = results.filter(([, good]) => !good);
    console.log(bad.length === 0 ? `ok   ${name}: ${results.length} checks` : `DIFF ${name}`);
    for (const [what, , detail] of bad) console.log(`    ${what}: ${detail}`);
    for (const [what, good] of results) {
      const count = counts.get(what) ?? { passed: 0, of: 0 };
      counts.set(what, { passed: count.passed + (good ? 1 : 0), of: count.of + 1 });
      if (!good && !TEXTS.has(what)) failed++;
    }
  }
  let texts = { passed: 0, of: 0 };
  for (const [what, { passed, of }] of counts) {
    console.log(`${what}: ${passed} of ${of}`);
    if (TEXTS.has(what)) texts = { passed: texts.passed + passed, of: texts.of + of };
  }
  console.log(`texts: ${texts.passed} of ${texts.of} (${((100 * texts.passed) / texts.of).toFixed(1)} %)`);
  if (texts.passed < TEXT_RATE * texts.of) failed += texts.of - texts.passed;
  return failed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { exitSkipped, pythonWithTorch } = await import("./python_env.mjs");
  const failed = await comparePairs(pythonWithTorch() ?? exitSkipped(), process.argv.slice(2));
  process.exitCode = failed === 0 ? 0 : 1;
}
