/** @file What a command of the CLI is, and the exit codes. Upstream: none. Spec: docs/cli.md. */
import type { Command as Program } from "commander";

/** One command: its file adds itself to the program. */
export interface CliCommand {
  readonly name: string;
  register(program: Program): void;
}

/** Exit codes: 0 success, 1 the file is at fault, 2 the call is, 3 findings (verify) or differences. */
export const EXIT = { ok: 0, badFile: 1, usage: 2, findings: 3 } as const;

/** The caller gave something that cannot be. */
export class UsageError extends Error {
  override name = "UsageError";
}
