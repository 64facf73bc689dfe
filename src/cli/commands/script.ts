/** @file `tsarchive script FILE`: compiles the module or function that a TypeScript or JavaScript file exports. Upstream: none. Spec: docs/cli.md. */
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "commander";
import { jit, nn } from "../../node/index.ts";
import { UsageError, type CliCommand } from "../command.ts";
import { write } from "../terminal.ts";

interface ScriptOptions {
  readonly export?: string;
  readonly output: string;
  readonly code?: boolean;
}

function readSource(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read "${path}": ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Loads the file with types taken off, and with this very library where it imports tsarchive. */
async function importFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  register(new URL("./script_loader.js", import.meta.url), {
    data: { library: new URL("../../node/index.js", import.meta.url).href },
  });
  return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
}

/** What the file exports under the name, or the one thing that can be compiled. */
function chosenExport(exports: Readonly<Record<string, unknown>>, name: string | undefined, path: string): unknown {
  const names = Object.keys(exports).filter((key) => typeof exports[key] === "function");
  if (name !== undefined) {
    if (Object.hasOwn(exports, name)) return exports[name];
    throw new UsageError(`"${path}" exports no ${name}; it exports: ${Object.keys(exports).join(", ") || "nothing"}`);
  }
  if (Object.hasOwn(exports, "default")) return exports["default"];
  if (names.length === 1) return exports[names[0]!];
  throw new UsageError(
    `"${path}" exports ${names.length === 0 ? "neither module nor function" : `${names.join(", ")}: say which with --export`}`,
  );
}

/** A module is compiled as it is; of a class one is made. */
function target(value: unknown, path: string): nn.Module | ((...args: never[]) => unknown) {
  if (value instanceof nn.Module) return value;
  if (typeof value !== "function")
    throw new UsageError(`the export of "${path}" is neither module, class nor function`);
  if (value.prototype instanceof nn.Module) return new (value as unknown as new () => nn.Module)();
  return value as (...args: never[]) => unknown;
}

async function script(file: string, options: ScriptOptions): Promise<void> {
  const path = resolve(file);
  const source = readSource(path);
  const what = target(chosenExport(await importFile(path), options.export, file), file);
  const given = { source, file: path };
  if (what instanceof nn.Module) {
    const scripted = jit.script(what, given);
    scripted.save(options.output);
    write(options.code ? scripted.code : String(scripted));
    return;
  }
  const scripted = jit.script(what, given);
  scripted.save(options.output);
  write(options.code ? scripted.code : scripted.schema);
}

/** The command. */
export const command: CliCommand = {
  name: "script",
  register(program: Command) {
    program
      .command("script")
      .description("compile the module, class or function that a TypeScript or JavaScript file exports to an archive")
      .argument("<file>", "model.ts, model.js or model.mjs")
      .requiredOption("-o, --output <file>", "the archive to write")
      .option("--export <name>", "the export to compile; needed where there are several")
      .option("--code", "print the code of forward instead of the hierarchy")
      .action(script);
  },
};
