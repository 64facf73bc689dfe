// `npm run fuzz -- [--seed N] [--minutes M] [--count N] [PATH...]`: mutates archives and demands that each opens or throws
// TorchScriptError, soon. Failing inputs are saved to test/invalid/found/; the seed in their name makes them again.
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "1" },
    count: { type: "string" },
    dist: { type: "string", default: join(root, "dist") },
    out: { type: "string", default: join(root, "test/invalid/found") },
  },
});
const HANG_MS = 5000;
const MAX_FILE_NBYTES = 200_000;

/** Archives below the paths; small ones only: a mutation of a big one is mostly one of its weights. */
function archivesBelow(path) {
  if (statSync(path).isDirectory()) return readdirSync(path).flatMap((name) => archivesBelow(join(path, name)));
  return /\.(pt|ptl|zip)$/.test(path) && statSync(path).size <= MAX_FILE_NBYTES ? [path] : [];
}

const files = (positionals.length > 0 ? positionals : [join(root, "test/fixtures")])
  .flatMap(archivesBelow)
  .map((path) => ({ path, bytes: readFileSync(path) }));
if (files.length === 0) {
  console.error("no archive of at most 200 kB under the paths");
  process.exit(2);
}
const end = performance.now() + Number(options.minutes) * 60_000;
const last = options.count === undefined ? Infinity : Number(options.seed) + Number(options.count);
const kinds = {};
const signatures = new Map();
let seed = Number(options.seed);
let runs = 0;

function fail(seedOfCase, what, bytes) {
  // one file a kind of defect is enough
  const signature = what.replaceAll(/\d+/g, "N").slice(0, 200);
  signatures.set(signature, (signatures.get(signature) ?? 0) + 1);
  if (signatures.get(signature) > 1) return;
  console.log(`FAIL seed ${seedOfCase}: ${what}`);
  if (!bytes) return;
  mkdirSync(options.out, { recursive: true });
  const name = join(options.out, `seed_${seedOfCase}.pt`);
  writeFileSync(name, bytes);
  console.log(`     saved as ${name}`);
}

/** Runs cases in a worker until one hangs or kills it; then the caller starts another. */
function session() {
  return new Promise((resolve) => {
    const worker = new Worker(join(root, "scripts/fuzz_worker.mjs"), {
      workerData: { dist: options.dist, files: files.map(({ path, bytes }) => ({ name: basename(path), bytes })) },
      resourceLimits: { maxOldGenerationSizeMb: 1024 },
    });
    let timer;
    let stage = "start";
    let current;
    const next = () => {
      clearTimeout(timer);
      if (performance.now() > end || seed >= last) {
        void worker.terminate();
        resolve(true);
        return;
      }
      stage = "make";
      current = undefined;
      worker.postMessage(seed);
      timer = setTimeout(() => {
        fail(seed++, `hang of more than ${HANG_MS} ms in ${stage}`, current);
        void worker.terminate();
        resolve(false);
      }, HANG_MS);
    };
    worker.on("message", (message) => {
      if (message.ready) next();
      else if (message.stage) {
        stage = message.stage;
        current = message.bytes ?? current;
      } else {
        runs++;
        kinds[message.outcome] = (kinds[message.outcome] ?? 0) + 1;
        if (message.defect) fail(seed, message.defect, current);
        seed++;
        next();
      }
    });
    worker.on("error", (error) => {
      clearTimeout(timer);
      fail(seed++, `worker died in ${stage}: ${error.message}`, current);
      resolve(false);
    });
  });
}

console.log(`${files.length} archives, seeds from ${seed}, ${options.minutes} minutes`);
for (;;) if (await session()) break;
console.log(
  `${runs} archives: ${Object.entries(kinds)
    .map(([k, v]) => `${v} ${k}`)
    .join(", ")}`,
);
for (const [signature, count] of signatures) console.log(`${count} x ${signature.split("\n")[0]}`);
process.exit(signatures.size > 0 ? 1 : 0);
