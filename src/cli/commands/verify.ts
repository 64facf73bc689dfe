/** @file `tsarchive verify FILE`: container, CRCs, pickles, storage bounds, code; one line per finding. Upstream: none. Spec: docs/cli.md. */
import type { Command } from "commander";
import { FileSource, verify, type Finding } from "../../node/index.ts";
import { EXIT, type CliCommand } from "../command.ts";
import { plural } from "../format.ts";
import { cleanDeep, flush, paint, write } from "../terminal.ts";

function place({ record, line, byteOffset }: Finding): string {
  const parts = [
    line === undefined ? record : `${record ?? ""}:${line}`,
    byteOffset === undefined ? undefined : `byte ${byteOffset}`,
  ];
  const text = parts.filter((part) => part !== undefined && part !== "").join(", ");
  return text === "" ? "" : `${paint.bold(cleanDeep(text))}: `;
}

function run(path: string, options: { readonly json?: boolean }): void {
  const source = new FileSource(path);
  const findings: Finding[] = [];
  for (const finding of verify(source)) {
    findings.push(finding);
    if (options.json) continue;
    const label = finding.severity === "error" ? paint.red("error  ") : paint.yellow("warning");
    write(`${label}  ${place(finding)}${cleanDeep(finding.message)}`);
    flush(); // a big file takes a while: findings are news at once
  }
  source.close();
  const errors = findings.filter((f) => f.severity === "error").length;
  if (options.json)
    write(JSON.stringify({ file: path, errors, warnings: findings.length - errors, findings }, null, 2));
  else
    write(
      `${cleanDeep(path)}: ${errors === 0 ? paint.green("sound") : paint.red(plural(errors, "error"))}${findings.length > errors ? `, ${plural(findings.length - errors, "warning")}` : ""}`,
    );
  if (errors > 0) process.exitCode = EXIT.findings;
}

/** The command. */
export const command: CliCommand = {
  name: "verify",
  register(program: Command) {
    program
      .command("verify")
      .description(
        "check container, CRCs, pickles, storage bounds and code; runs nothing; exit code 3 where something is wrong",
      )
      .argument("<file>", "archive of torch.jit.save")
      .option("--json", "findings as JSON (schema: docs/cli.md)")
      .action(run);
  },
};
