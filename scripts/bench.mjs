// `npm run bench [-- NAME...] [--json FILE]`: runs bench/NAME.bench.mjs and prints medians with minimum and maximum.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const at = args.indexOf("--json");
const json = at >= 0 ? args.splice(at, 2)[1] : undefined;
const markdownAt = args.indexOf("--markdown");
const markdown = markdownAt >= 0 ? args.splice(markdownAt, 2)[1] : undefined;
const distAt = args.indexOf("--dist");
const dist = distAt >= 0 ? args.splice(distAt, 2)[1] : join(root, "dist");
const available = readdirSync(join(root, "bench"))
  .filter((f) => f.endsWith(".bench.mjs"))
  .map((f) => f.replace(".bench.mjs", ""));
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
  results[name] = await (await import(file)).run(root, dist);
}
if (json) writeFileSync(json, JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, results }, null, 1));
if (markdown) {
  const machine = `Node ${process.version}, ${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, ${process.platform} ${process.arch}`;
  const cell = (value) =>
    typeof value === "object" && value !== null
      ? `${value.median.toFixed(2)} (${value.min.toFixed(2)})`
      : String(value);
  const lines = [
    "# Benchmarks",
    "",
    `Made by \`npm run bench -- ${names.join(" ")} --markdown docs/benchmarks.md\` on ${machine}.`,
    "Milliseconds: median (minimum) of 15 runs, the competitors in turns; `raw` reads the same bytes of the file in one call in the same run.",
  ];
  for (const [name, table] of Object.entries(results)) {
    const rows = Object.entries(table);
    const columns = [...new Set(rows.flatMap(([, row]) => Object.keys(row)))];
    const hasRaw = columns.includes("raw");
    const ratios = hasRaw ? columns.filter((c) => c !== "raw" && typeof rows[0][1][c] === "object") : [];
    lines.push(
      "",
      `## ${name}`,
      "",
      `| | ${[...columns, ...ratios.map((c) => `${c} / raw`)].join(" | ")} |`,
      `|---|${"---|".repeat(columns.length + ratios.length)}`,
    );
    for (const [file, row] of rows)
      lines.push(
        `| ${file} | ${[...columns.map((c) => cell(row[c])), ...ratios.map((c) => (row[c].median / row.raw.median).toFixed(1))].join(" | ")} |`,
      );
  }
  writeFileSync(markdown, `${lines.join("\n")}\n`);
}
