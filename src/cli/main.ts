#!/usr/bin/env node
/** @file `tsarchive COMMAND`: the command line. Upstream: none. Spec: docs/cli.md. */
import * as nodeModule from "node:module";
import { Command, CommanderError } from "commander";
import { TorchScriptError } from "../base/errors.ts";
import { EXIT, UsageError, type CliCommand } from "./command.ts";
import { clean, flush } from "./terminal.ts";

/** A command's code is loaded when it is the one that is called: `dump` starts without the operator table. */
const COMMANDS: Readonly<Record<string, () => Promise<{ command: CliCommand }>>> = {
  dump: () => import("./commands/dump.ts"),
  run: () => import("./commands/run.ts"),
  verify: () => import("./commands/verify.ts"),
  ops: () => import("./commands/ops.ts"),
  script: () => import("./commands/script.ts"),
};

function report(message: string): void {
  process.stderr.write(`tsarchive: ${clean(message)}\n`);
}

/** The exit code for what went wrong; errors that are no news to the caller are thrown on. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) {
    report(error.message);
    return EXIT.usage;
  }
  if (error instanceof TorchScriptError) {
    report(error.message);
    return EXIT.badFile;
  }
  throw error;
}

async function main(): Promise<void> {
  const program = new Command("tsarchive")
    .description("Open, run, inspect and check TorchScript archives, without Python")
    .exitOverride()
    .showHelpAfterError();
  const asked = process.argv.find((argument) => Object.hasOwn(COMMANDS, argument));
  try {
    for (const [name, load] of Object.entries(COMMANDS)) {
      // help lists them all
      if (asked === undefined || asked === name) (await load()).command.register(program);
    }
    await program.parseAsync(process.argv);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  } finally {
    flush();
  }
}

// Node 22 keeps what it has compiled for the next start
(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.();
// not awaited at the top: the bundle is CommonJS
void main();
