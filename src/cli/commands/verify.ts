/** @file `tsarchive verify FILE`: container, CRCs, pickles, code, storage bounds; one line per finding. Upstream: none. Spec: docs/cli.md. */
import type { Command } from "commander";
import pc from "picocolors";
import { FileSource, verify } from "../../node/index.ts";
import { EXIT, type CliCommand } from "../command.ts";

function run(path: string, options: { readonly json?: boolean }): void {
  const source = new FileSource(path);
  const findings = [...verify(source)];
  if (options.json) process.stdout.write(`${JSON.stringify(findings, null, 1)}\n`);
  else {
    for (const { severity, message, record, byteOffset } of findings) {
      const where = [record, byteOffset === undefined ? undefined : `byte ${byteOffset}`].filter(Boolean).join(", ");
      process.stdout.write(`${severity === "error" ? pc.red("error  ") : pc.yellow("warning")} ${where ? `${where}: ` : ""}${message.split("\n")[0]!}\n`);
    }
    const errors = findings.filter((f) => f.severity === "error").length;
    process.stdout.write(`${path}: ${errors === 0 ? pc.green("sound") : pc.red(`${errors} errors`)}, ${findings.length - errors} warnings\n`);
  }
  if (findings.some((f) => f.severity === "error")) process.exitCode = EXIT.findings;
}

/** The command. */
export const command: CliCommand = {
  name: "verify",
  register(program: Command) {
    program
      .command("verify")
      .description("check container, CRCs, pickles, code and storage bounds; exit code 3 where something is wrong")
      .argument("<file>", "archive of torch.jit.save")
      .option("--json", "findings as JSON")
      .action(run);
  },
};
