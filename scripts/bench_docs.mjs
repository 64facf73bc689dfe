// `node scripts/bench_docs.mjs FILE`: docs/benchmarks.md and docs/benchmarks.svg from what `npm run bench -- --json FILE` wrote.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cell } from "../bench/measure.mjs";

const docs = join(dirname(fileURLToPath(import.meta.url)), "..", "docs");
const { machine, date, suites } = JSON.parse(readFileSync(process.argv[2], "utf8"));

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const columnsOf = (rows) => [...new Set(Object.values(rows).flatMap((row) => Object.keys(row)))];

/** One table per set of competitors: rows that have the same ones stand together. */
function tables(rows) {
  const groups = new Map();
  for (const [name, row] of Object.entries(rows)) {
    const key = Object.keys(row).join("|");
    groups.set(key, { ...groups.get(key), [name]: row });
  }
  return [...groups.values()];
}

function table(rows, facts, unit) {
  const columns = columnsOf(rows);
  const [own, ...peers] = columns;
  const head = [unit, ...columns, ...peers.map((p) => `${p} / ${own}`)];
  const lines = [`| ${head.join(" | ")} |`, `|---|${"---|".repeat(head.length - 1)}`];
  for (const [name, row] of Object.entries(rows)) {
    const ratios = peers.map((p) => (row[p] ? (row[p].median / row[own].median).toFixed(2) : ""));
    const told = Object.entries(facts[name] ?? {}).map(
      ([key, value]) => `${key} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`,
    );
    const label = told.length > 0 ? `${name} (${told.join(", ")})` : name;
    lines.push(`| ${[label, ...columns.map((c) => (row[c] ? cell(row[c]) : "")), ...ratios].join(" | ")} |`);
  }
  return lines;
}

const lines = [
  "# Benchmarks",
  "",
  `Made by \`npm run bench -- --json FILE\` and \`node scripts/bench_docs.mjs FILE\` on ${date}: ${machine}.`,
  "Median (minimum-maximum); the competitors of a row take turns in one run, so the ratios say more than the times. Lower is better.",
  "",
  "![Ratios of the peers' times to those of tsarchive](benchmarks.svg)",
];
for (const [name, { title, unit, notes, rows, facts, skipped }] of Object.entries(suites)) {
  lines.push("", `## ${title} (\`${name}\`)`);
  if (notes) lines.push("", notes);
  for (const group of tables(rows)) lines.push("", ...table(group, facts, unit));
  const alone = Object.entries(facts).filter(([row]) => !(row in rows));
  if (alone.length > 0) lines.push("");
  for (const [row, told] of alone)
    lines.push(
      `- ${row}: ${Object.entries(told)
        .map(([k, v]) => `${k} ${typeof v === "number" ? Number(v.toPrecision(4)) : v}`)
        .join(", ")}`,
    );
  for (const [what, reason] of Object.entries(skipped)) lines.push("", `Not run: ${what}: ${reason}.`);
}
writeFileSync(join(docs, "benchmarks.md"), `${lines.join("\n")}\n`);

// The chart: how many times as long a peer takes, on a logarithmic scale; the line is tsarchive.
const bars = [];
for (const [name, { rows }] of Object.entries(suites)) {
  if (name === "kernels") continue;
  for (const [label, row] of Object.entries(rows)) {
    const [own, ...peers] = Object.entries(row);
    if (own)
      for (const [peer, t] of peers) bars.push({ label: `${name}: ${label}`, peer, ratio: t.median / own[1].median });
  }
}
const ROW = 16;
const LEFT = 430;
const WIDTH = 420;
const [low, high] = [-1, 2]; // 0.1 to 100 times
const x = (ratio) => LEFT + ((Math.min(high, Math.max(low, Math.log10(ratio))) - low) / (high - low)) * WIDTH;
const svg = [
  `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 70}" height="${bars.length * ROW + 40}" font-family="sans-serif" font-size="11">`,
  `<rect width="100%" height="100%" fill="white"/>`,
  `<text x="8" y="16">time of the peer / time of tsarchive (right of the line: tsarchive is faster)</text>`,
  ...[0.1, 1, 10, 100].map(
    (r) =>
      `<line x1="${x(r)}" x2="${x(r)}" y1="24" y2="${bars.length * ROW + 28}" stroke="${r === 1 ? "black" : "#ccc"}"/><text x="${x(r) - 6}" y="${bars.length * ROW + 38}">${r}</text>`,
  ),
  ...bars.flatMap(({ label, peer, ratio }, i) => {
    const y = 28 + i * ROW;
    const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
    return [
      `<text x="${LEFT - 8}" y="${y + 11}" text-anchor="end">${escape(`${label} vs ${peer}`)}</text>`,
      `<rect x="${from}" y="${y + 2}" width="${Math.max(1, to - from)}" height="${ROW - 5}" fill="${ratio >= 1 ? "#2a7" : "#c63"}"/>`,
      `<text x="${to + 4}" y="${y + 11}">${ratio.toPrecision(3)}</text>`,
    ];
  }),
  "</svg>",
];
writeFileSync(join(docs, "benchmarks.svg"), `${svg.join("\n")}\n`);
console.log(`docs/benchmarks.md, docs/benchmarks.svg: ${Object.keys(suites).join(", ")}`);
