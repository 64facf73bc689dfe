#!/usr/bin/env node
/** @file `tsarchive COMMAND`: the command line. Upstream: none. Spec: docs/cli.md. */
import { Command, CommanderError } from "commander";
import { TorchScriptError } from "../node/index.ts";
import { EXIT, UsageError, type CliCommand } from "./command.ts";
import { command as dump } from "./commands/dump.ts";
import { command as ops } from "./commands/ops.ts";
import { command as run } from "./commands/run.ts";
import { command as verify } from "./commands/verify.ts";

const COMMANDS: readonly CliCommand[] = [dump, run, verify, ops];

/** A reader that closes the pipe has seen enough: that is no error. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

const program = new Command("tsarchive")
  .description("Open, run, inspect and check TorchScript archives, without Python")
  .exitOverride()
  .showHelpAfterError();
for (const command of COMMANDS) command.register(program);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else if (error instanceof UsageError) {
    process.stderr.write(`tsarchive: ${error.message}\n`);
    process.exitCode = EXIT.usage;
  } else if (error instanceof TorchScriptError) {
    process.stderr.write(`tsarchive: ${error.message}\n`);
    process.exitCode = EXIT.badFile;
  } else throw error;
}
