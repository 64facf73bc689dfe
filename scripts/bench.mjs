// `npm run bench [-- NAME...] [--json FILE]`: runs bench/NAME.bench.mjs and prints medians with minimum and maximum.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const at = args.indexOf("--json");
const json = at >= 0 ? args.splice(at, 2)[1] : undefined;
const available = readdirSync(join(root, "bench")).filter((f) => f.endsWith(".bench.mjs")).map((f) => f.replace(".bench.mjs", ""));
const names = args.length > 0 ? args : available;
console.log(`Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores`);
const results = {};
for (const name of names) {
  const file = join(root, "bench", `${name}.bench.mjs`);
  if (!existsSync(file)) {
    console.error(`no suite "${name}"; there is: ${available.join(", ")}`);
    process.exit(2);
  }
  console.log(`\n${name}`);
  results[name] = await (await import(file)).run(root);
}
if (json) writeFileSync(json, JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, results }, null, 1));
