// `npm run conformance:builds -- PATH... [--only NAME]`: the conformance run on every build of the kernels, with threads, and on both tiers
// of the interpreter, forced one after the other. Ends with 1 where two of them differ in what they pass, or one cannot run here.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// Node 20 has the instructions behind a flag; later versions do not know the flag
const relaxed = Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];
// V8 13 and later make vectors of 256 bits of what suits them; before, the flag is unknown or does next to nothing
const wide = "--experimental-wasm-revectorize";
const hasWide = Number(process.versions.node.split(".")[0]) >= 24;
const CONFIGURATIONS = {
  reference: { env: { TSARCHIVE_KERNELS: "reference" } },
  simd: { env: { TSARCHIVE_KERNELS: "simd" } },
  relaxed: { env: { TSARCHIVE_KERNELS: "relaxed" }, flags: relaxed },
  ...(hasWide && { wide: { env: { TSARCHIVE_KERNELS: "relaxed" }, flags: [wide] } }),
  threads: { env: { TSARCHIVE_THREADS: "2" } },
  closures: { env: { TSARCHIVE_INTERPRETER: "closures" } },
  generated: { env: { TSARCHIVE_INTERPRETER: "generated" } },
};

const paths = process.argv.slice(2);
const only = paths.indexOf("--only");
const names = only >= 0 ? paths.splice(only, 2)[1].split(",") : Object.keys(CONFIGURATIONS);
if (paths.length === 0) {
  console.error(`usage: npm run conformance:builds -- PATH... [--only ${Object.keys(CONFIGURATIONS).join(",")}]`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "tsarchive-builds-"));
const failures = {};
for (const name of names) {
  const { env, flags = [] } = CONFIGURATIONS[name];
  const file = join(folder, `${name}.json`);
  const args = [...flags, join(root, "dist/conformance/main.js"), ...paths, "--json", file];
  const started = Date.now();
  const { stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  try {
    const result = JSON.parse(readFileSync(file, "utf8"));
    const count = (figures) => Object.values(figures).reduce((sum, n) => sum + n, 0);
    failures[name] = new Set(result.failures.map((f) => `${f.subject} ${f.check} ${f.detail ?? ""}`));
    console.log(`${name.padEnd(10)} ${count(result.passed)} passed, ${count(result.failed)} failed, ${seconds} s`);
  } catch {
    console.log(`${name.padEnd(10)} did not run: ${stderr.trim().split("\n").at(-1)}`);
    process.exitCode = 1;
  }
}
rmSync(folder, { recursive: true });
const everywhere = Object.values(failures).reduce((common, set) => new Set([...common].filter((f) => set.has(f))));
for (const [name, set] of Object.entries(failures)) {
  for (const failure of set) {
    if (everywhere.has(failure)) continue;
    console.log(`only on some, ${name}: ${failure}`);
    process.exitCode = 1;
  }
}
if (everywhere.size > 0) console.log(`${everywhere.size} fail everywhere: see docs/conformance.md`);
