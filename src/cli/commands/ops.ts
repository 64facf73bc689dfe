/** @file `tsarchive ops`: which operators there are, and which are missing. Upstream: none. Spec: docs/cli.md. */
import type { Command } from "commander";
import { listOperators } from "../../node/index.ts";
import type { CliCommand } from "../command.ts";
import { formatCount } from "../format.ts";
import { paint, write } from "../terminal.ts";

interface OpsOptions {
  readonly missing?: boolean;
  readonly grep?: string;
  readonly json?: boolean;
}

function ops({ missing = false, grep, json }: OpsOptions): void {
  const all = listOperators().filter((o) => grep === undefined || o.schema.includes(grep));
  const shown = all.filter((o) => o.supported !== missing);
  if (json) write(JSON.stringify(shown, null, 1));
  else {
    for (const { schema, reason } of shown) write(`${schema}${reason === undefined ? "" : paint.dim(`  # ${reason}`)}`);
    write(
      paint.bold(
        `${formatCount(shown.length)} of ${formatCount(all.length)} schemas ${missing ? "missing" : "supported"}`,
      ),
    );
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
