// Fails when a check of the conformance corpus passes less often than docs/conformance_rates.json records.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const rates = JSON.parse(readFileSync(join(root, "docs/conformance_rates.json"), "utf8"));
const { passed, failed } = JSON.parse(readFileSync(process.argv[2], "utf8"));
let bad = false;
for (const [name, atLeast] of Object.entries(rates)) {
  const all = passed[name] + failed[name];
  const rate = all === 0 ? 0 : passed[name] / all;
  const fell = rate < atLeast;
  console.log(
    `${fell ? "FELL" : "ok  "} ${name.padEnd(7)} ${(100 * rate).toFixed(2)} % of ${all} (on record ${(100 * atLeast).toFixed(2)} %)`,
  );
  bad ||= fell;
}
process.exitCode = bad ? 1 : 0;
