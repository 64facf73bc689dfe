/** @file Makes, runs, traces, scripts and saves the modules of pairs.ts and writes down what came of it, for compare_pairs.py. Upstream: none. Spec: none.
 *
 * Run by scripts/pairs.mjs: `node record_pairs.js OUT NAME`, a process for each pair, as the comparer does: names of
 * classes are numbered by process. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ScriptModule, Tensor, jit, nn, setWarningSink, torch } from "tsarchive";
import { PAIRS } from "./pairs.ts";

/** A value in the form of the conformance cases. */
type Encoded = { readonly t: string; readonly [field: string]: unknown };

function encode(value: unknown): Encoded {
  if (value instanceof Tensor) {
    const contiguous = value.contiguous();
    const start = contiguous.storageOffset * contiguous.dtype.itemsize;
    const bytes = contiguous.storage.bytes().slice(start, start + contiguous.numel * contiguous.dtype.itemsize);
    return {
      t: "tensor",
      dtype: value.dtype.name,
      shape: value.sizes,
      data: Buffer.from(bytes).toString("base64"),
    };
  }
  if (value === null || value === undefined) return { t: "none" };
  if (typeof value === "boolean") return { t: "bool", v: value };
  if (typeof value === "string") return { t: "str", v: value };
  if (typeof value === "number" || typeof value === "bigint") return { t: "number", v: Number(value) };
  if (Array.isArray(value)) return { t: "tuple", v: value.map(encode) };
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return { t: "dict", v: entries.map(([key, item]) => [encode(key), encode(item)]) };
}

const [out, wanted] = process.argv.slice(2) as [string, string];
const pair = PAIRS.find((p) => p.name === wanted);
if (!pair) throw new Error(`No pair is called "${wanted}"; they are: ${PAIRS.map((p) => p.name).join(", ")}`);

const warnings: string[] = [];
setWarningSink((warning) => warnings.push(String(warning.message)));

interface Attempt {
  readonly error?: string;
  readonly graph?: string;
  readonly code?: string;
  readonly str?: string;
  readonly output?: Encoded;
  readonly file?: string;
}

/** Makes a script module and records its texts, its answer and the archive that it saves. */
function attempt(kind: "trace" | "script", make: () => ScriptModule, inputs: readonly unknown[]): Attempt {
  try {
    const module = make();
    const file = join(out, `${wanted}.${kind}.ts.pt`);
    module.save(file);
    torch.manualSeed(2);
    return {
      graph: String(module.graph),
      code: module.code,
      str: String(module),
      output: encode(module(...inputs)),
      file,
    };
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function record(): Record<string, unknown> {
  torch.manualSeed(0);
  const module = pair!.make();
  module.train(pair!.train);
  const state = [...module.stateDict()].map(([name, value]) => [name, encode(value)]);
  torch.manualSeed(1);
  const inputs = pair!.inputs();
  const given = inputs.map(encode);
  torch.manualSeed(2);
  const eager = encode(module.callWith(...inputs));
  return {
    str: String(module),
    state,
    inputs: given,
    eager,
    // each from fresh weights: a module in training changes its buffers by running
    trace: pair!.trace
      ? attempt("trace", () => jit.trace(fresh(), [...pair!.inputs()], { strict: pair!.strict }), inputs)
      : null,
    script: pair!.script ? attempt("script", () => jit.script(fresh()), inputs) : null,
    warnings,
  };
}

function fresh(): nn.Module {
  torch.manualSeed(0);
  const module = pair!.make();
  module.train(pair!.train);
  torch.manualSeed(1);
  return module;
}

let result: Record<string, unknown>;
try {
  result = record();
} catch (error) {
  result = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
writeFileSync(join(out, `${wanted}.ts.json`), JSON.stringify(result));
