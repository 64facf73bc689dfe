/** @file Numbers and tables for people. Upstream: none. Spec: none. */

/** Bytes with a unit, e.g. `46.8 MB` (powers of 1000). */
export function formatBytes(nbytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = nbytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[unit]!}`;
}

/** A count with thousands separated, e.g. `11,689,512`. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 file`, `2 files`. */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A list as people write shapes: `[3, 4]`. */
export function list(values: readonly number[]): string {
  return `[${values.join(", ")}]`;
}

/** Columns a cell may push apart at most; longer ones stand out. */
const MAX_COLUMN = 60;

/** Widths of columns, two blanks between them not included. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, Math.min(MAX_COLUMN, cell.length))));
  return widths;
}

/** Columns padded to the widest cell, numbers to the right; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = columnWidths(rows);
  const isNumeric = widths.map(
    (_, i) => rows.length > 1 && rows.slice(1).every((row) => /^-?[\d,.]*(e[+-]?\d+)?$|^-$/.test(row[i] ?? "")),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (isNumeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}
