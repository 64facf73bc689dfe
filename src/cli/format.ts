/** @file Numbers and tables for people. Upstream: none. Spec: none. */

/** Bytes with a unit, e.g. `46.8 MB` (powers of 1000). */
export function formatBytes(nbytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = nbytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]!}`;
}

/** A count with thousands separated, e.g. `11,689,512`. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

/** Columns padded to the widest cell; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join("  ").trimEnd()).join("\n");
}
