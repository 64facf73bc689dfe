/** @file The text of the schema table. Upstream: none. Spec: none. */
import { SCHEMA_TABLE } from "./schema_table.ts";

/** The lines of the table. The bundle for Node reads them from a file when they are first asked for: see `scripts/bundle.mjs`. */
export function schemaTable(): string {
  return SCHEMA_TABLE;
}
