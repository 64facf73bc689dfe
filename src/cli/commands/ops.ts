/** @file `tsarchive ops`: which operators there are, and which are missing. Upstream: none. Spec: docs/cli.md. */
import type { Command } from "commander";
import { listOperators } from "../../node/index.ts";
import type { CliCommand } from "../command.ts";

interface OpsOptions {
  readonly missing?: boolean;
  readonly grep?: string;
  readonly json?: boolean;
}

function ops(options: OpsOptions): void {
  const all = listOperators().filter((o) => options.grep === undefined || o.schema.includes(options.grep));
  const shown = all.filter((o) => o.supported !== (options.missing === true));
  if (options.json) process.stdout.write(`${JSON.stringify(shown, null, 1)}\n`);
  else {
    for (const { schema, reason } of shown) process.stdout.write(`${schema}${reason ? `  # ${reason}` : ""}\n`);
    process.stdout.write(`${shown.length} of ${all.length} schemas ${options.missing ? "missing" : "supported"}\n`);
  }
}

/** The command. */
export const command: CliCommand = {
  name: "ops",
  register(program: Command) {
    program
      .command("ops")
      .description("list the operators that run, or with --missing those that do not, with the reason")
      .option("--missing", "the ones that do not run")
      .option("--grep <text>", "only schemas that contain the text")
      .option("--json", "as JSON")
      .action(ops);
  },
};
