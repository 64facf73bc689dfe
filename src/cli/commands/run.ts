/** @file `tsarchive run FILE`: calls a method on arrays of .npy, .npz or a case.json. Upstream: none. Spec: docs/cli.md. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { Tensor, jit, type ScriptModule } from "../../node/index.ts";
import { decode, type CaseValue } from "../../conformance/values.ts";
import { UsageError, type CliCommand } from "../command.ts";
import { list, table } from "../format.ts";
import { profile, type Profile } from "../../jit/profile.ts";
import { readNpy, readNpz, writeNpy, writeNpz } from "../npy.ts";
import { clean, paint, write } from "../terminal.ts";

interface RunOptions {
  readonly method: string;
  readonly input?: readonly string[];
  readonly output?: string;
  readonly maxSteps?: string;
  readonly profile?: string | true;
}

function readInput(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new UsageError(`cannot read input "${path}": ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface CaseDocument {
  readonly inputs?: CaseValue[];
  readonly calls?: readonly { readonly inputs?: CaseValue[]; readonly method?: string }[];
}

/** Positional inputs of a file: one array of .npy, all of .npz in order, the inputs of a case (of its first call of the method). */
function inputsOf(path: string, method: string): unknown[] {
  const bytes = readInput(path);
  if (path.endsWith(".npz")) return [...readNpz(bytes, path).values()];
  if (!path.endsWith(".json")) return [readNpy(bytes, path)];
  let document: CaseDocument;
  try {
    document = JSON.parse(new TextDecoder().decode(bytes)) as CaseDocument;
  } catch (error) {
    throw new UsageError(`input "${path}" is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const call = document.calls?.find((c) => (c.method ?? "forward") === method) ?? document.calls?.[0];
  const inputs = document.inputs ?? call?.inputs;
  if (!Array.isArray(inputs)) throw new UsageError(`input "${path}" has neither "inputs" nor "calls" with inputs`);
  return inputs.map(decode);
}

/** The result as a person reads it: nested values with their paths. */
function show(value: unknown, name = ""): void {
  if (Array.isArray(value) && value.length > 0) value.forEach((v, i) => show(v, `${name}[${i}]`));
  else if (value instanceof Map && value.size > 0) for (const [k, v] of value) show(v, `${name}[${JSON.stringify(k)}]`);
  else if (value instanceof Tensor)
    write(
      `${name === "" ? "" : `${paint.bold(name)}  `}${paint.dim(`${value.dtype.name} ${list(value.sizes)}`)}\n${String(value)}`,
    );
  else
    write(
      `${name === "" ? "" : `${paint.bold(name)}  `}${clean(typeof value === "string" ? JSON.stringify(value) : value === null || value === undefined ? "None" : Array.isArray(value) ? "[]" : value instanceof Map ? "{}" : String(value))}`,
    );
}

/** The tensors of a result, by path. */
function tensorsOf(value: unknown, name = "output"): [string, Tensor][] {
  if (value instanceof Tensor) return [[name, value]];
  if (Array.isArray(value)) return value.flatMap((v, i) => tensorsOf(v, `${name}_${i}`));
  if (value instanceof Map) return [...value].flatMap(([k, v]) => tensorsOf(v, `${name}_${String(k)}`));
  return [];
}

function writeOutput(path: string, result: unknown): void {
  const tensors = tensorsOf(result);
  if (tensors.length === 0) throw new UsageError(`the result holds no tensor to write to "${path}"`);
  const files: [string, Uint8Array][] = path.endsWith(".npz")
    ? [[path, writeNpz(new Map(tensors))]]
    : tensors.map(([, tensor], i) => [i === 0 ? path : path.replace(/(\.npy)?$/, `.${i}.npy`), writeNpy(tensor)]);
  for (const [file, bytes] of files) writeFileSync(file, bytes);
  tensors.forEach(([name, tensor], i) =>
    write(
      `${files[path.endsWith(".npz") ? 0 : i]![0]}: ${path.endsWith(".npz") ? `${name} ` : ""}${tensor.dtype.name} ${list(tensor.sizes)}`,
    ),
  );
}

function maxStepsOf(text: string | undefined): { maxSteps?: number } {
  if (text === undefined) return {};
  const maxSteps = Number(text);
  if (!(maxSteps > 0)) throw new UsageError(`--max-steps is "${text}", expected a positive number`);
  return { maxSteps };
}

function call(model: ScriptModule, method: string, inputs: readonly unknown[]): unknown {
  if (!model.methodNames().includes(method)) {
    throw new UsageError(
      `${model.originalName} has no method "${method}"; it has: ${model.methodNames().join(", ") || "none"}`,
    );
  }
  try {
    return method === "forward" ? model.callWithKeywords(inputs) : model.invoke(method, inputs);
  } catch (error) {
    // arguments that do not fit the schema
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

const DEFAULT_RUNS = 5;
const MAX_ROWS = 30;

/** Operators and modules with their share of the time, per run. */
function showProfile({ runs, ms, operators, modules }: Profile): void {
  const perRun = (value: number): string => (value / runs).toFixed(3);
  const share = (value: number): string => ((100 * value) / ms).toFixed(1);
  const mega = (value: number): string => (value === 0 ? "-" : (value / runs / 1e6).toFixed(1));
  const rate = (flops: number, time: number): string => (flops === 0 ? "-" : (flops / time / 1e6).toFixed(1));
  const rest = (count: number): void => {
    if (count > MAX_ROWS) write(paint.dim(`... and ${count - MAX_ROWS} more`));
  };
  write(`${paint.bold(`${perRun(ms)} ms`)} a run, ${runs} ${runs === 1 ? "run" : "runs"}\n`);
  write(
    table([
      ["operator", "calls", "ms", "%", "MFLOP", "GFLOP/s", "shapes"],
      ...operators
        .slice(0, MAX_ROWS)
        .map((o) => [
          clean(o.operator),
          String(o.calls / runs),
          perRun(o.ms),
          share(o.ms),
          mega(o.flops),
          rate(o.flops, o.ms),
          o.shapes,
        ]),
    ]),
  );
  rest(operators.length);
  write(
    `\n${table([
      ["module", "class", "calls", "ms", "%", "own ms", "MFLOP"],
      ...modules
        .slice(0, MAX_ROWS)
        .map((m) => [
          clean(m.path === "" ? "(root)" : m.path),
          clean(m.className),
          String(m.calls / runs),
          perRun(m.ms),
          share(m.ms),
          perRun(m.ownMs),
          mega(m.flops),
        ]),
    ])}`,
  );
  rest(modules.length);
}

function run(path: string, options: RunOptions): void {
  const inputs = (options.input ?? []).flatMap((file) => inputsOf(file, options.method));
  const model = jit.load(path, maxStepsOf(options.maxSteps));
  if (options.profile !== undefined) {
    const runs = options.profile === true ? DEFAULT_RUNS : Number(options.profile);
    if (!(Number.isInteger(runs) && runs > 0))
      throw new UsageError(`--profile is "${String(options.profile)}", expected a positive number of runs`);
    showProfile(profile(model, () => call(model, options.method, inputs), runs));
    return;
  }
  const result = call(model, options.method, inputs);
  if (options.output === undefined) show(result);
  else writeOutput(options.output, result);
}

/** The command. */
export const command: CliCommand = {
  name: "run",
  register(program: Command) {
    program
      .command("run")
      .description("call a method of an archive on arrays from files")
      .argument("<file>", "archive of torch.jit.save")
      .option("--method <name>", "the method", "forward")
      .option(
        "--input <file...>",
        "positional inputs: .npy (one), .npz (all arrays in order), case.json (its first call)",
      )
      .option(
        "--output <file>",
        "write the result to a .npy (further tensors to FILE.1.npy, ...) or a .npz instead of printing it",
      )
      .option(
        "--profile [runs]",
        "instead of the result: time, calls, shapes and FLOP per operator and per module, of 5 runs after a first one",
      )
      .option("--max-steps <n>", "stop after so many instructions: for files that you do not trust")
      .action(run);
  },
};
