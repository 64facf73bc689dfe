/** @file `tsarchive run FILE`: calls a method on arrays of .npy, .npz or a case.json. Upstream: none. Spec: docs/cli.md. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { Tensor, jit } from "../../node/index.ts";
import { decode, type CaseValue } from "../../conformance/values.ts";
import { UsageError, type CliCommand } from "../command.ts";
import { readNpy, readNpz, writeNpy } from "../npy.ts";

interface RunOptions {
  readonly method: string;
  readonly input?: readonly string[];
  readonly output?: string;
}

/** Positional inputs of a file: one array of .npy, all of .npz in order, the inputs of the first call of a case. */
function inputsOf(path: string): unknown[] {
  if (path.endsWith(".json")) {
    const document = JSON.parse(readFileSync(path, "utf8")) as { calls?: { inputs: CaseValue[] }[]; inputs?: CaseValue[] };
    const inputs = document.inputs ?? document.calls?.[0]?.inputs;
    if (!inputs) throw new UsageError(`"${path}" has neither "inputs" nor "calls"`);
    return inputs.map(decode);
  }
  const bytes = new Uint8Array(readFileSync(path));
  if (path.endsWith(".npz")) return [...readNpz(bytes, path).values()];
  return [readNpy(bytes, path)];
}

function show(value: unknown, name = "output"): string {
  if (Array.isArray(value)) return value.map((v, i) => show(v, `${name}[${i}]`)).join("\n");
  if (value instanceof Map) return [...value].map(([k, v]) => show(v, `${name}[${JSON.stringify(k)}]`)).join("\n");
  return `${name}: ${String(value)}`;
}

function tensorsOf(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsOf);
  if (value instanceof Map) return [...value.values()].flatMap(tensorsOf);
  return [];
}

function run(path: string, options: RunOptions): void {
  const inputs = (options.input ?? []).flatMap(inputsOf);
  const model = jit.load(path);
  const result = options.method === "forward" ? model(...inputs) : model.invoke(options.method, inputs);
  if (options.output === undefined) {
    process.stdout.write(`${show(result)}\n`);
    return;
  }
  const tensors = tensorsOf(result);
  if (tensors.length === 0) throw new UsageError(`the result holds no tensor to write to "${options.output}"`);
  tensors.forEach((tensor, i) => {
    const target = i === 0 ? options.output! : options.output!.replace(/(\.npy)?$/, `.${i}.npy`);
    writeFileSync(target, writeNpy(tensor));
    process.stdout.write(`${target}: ${tensor.dtype.name} [${tensor.sizes.join(", ")}]\n`);
  });
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
      .option("--input <file...>", "positional inputs: .npy (one), .npz (all arrays in order), case.json (its first call)")
      .option("--output <file>", "write the result to a .npy (further tensors to FILE.1.npy, ...) instead of printing it")
      .action(run);
  },
};
