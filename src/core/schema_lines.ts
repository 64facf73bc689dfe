/** @file Look-ups in the schema table. Upstream: none. Spec: none. */
import { schemaTable } from "./schema_text.ts";

/** The name in the line of the table that starts at `at`: what stands before the overload or the arguments. */
function nameAt(table: string, at: number): string {
  const paren = table.indexOf("(", at);
  const dot = table.indexOf(".", at);
  return table.slice(at, dot >= 0 && dot < paren ? dot : paren);
}

/** The lines of an operator name. The table is searched as it is: putting its lines in a map would cost a start more than all of its look-ups. */
export function schemaLines(name: string): string[] {
  const table = schemaTable();
  let low = 0;
  let high = table.length;
  // the first line whose name is not less
  while (low < high) {
    const middle = table.lastIndexOf("\n", ((low + high) >> 1) - 1) + 1;
    if (nameAt(table, middle) < name) low = table.indexOf("\n", middle) + 1;
    else high = middle;
  }
  const lines: string[] = [];
  for (let at = low; at < table.length && nameAt(table, at) === name;) {
    const end = table.indexOf("\n", at);
    lines.push(table.slice(at, end));
    at = end + 1;
  }
  return lines;
}

/** The operator name of every line. */
export function* schemaNames(): Iterable<string> {
  const table = schemaTable();
  for (let at = 0; at < table.length; at = table.indexOf("\n", at) + 1) yield nameAt(table, at);
}
