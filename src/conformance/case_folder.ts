/** @file Runs one case folder: model.pt and what PyTorch said of it in case.json. Upstream: none. Spec: none (shared/conformance/README.md). */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  ScriptRuntimeError,
  TorchScriptError,
  jit,
  setPrintSink,
  setWarningSink,
  torch,
  type ScriptModule,
} from "../node/index.ts";
import { decode, difference, type CaseValue, type Tolerance } from "./values.ts";
import { Checks } from "./checks.ts";
import { checkSaving, type SavedRecord } from "./saving.ts";

interface Call {
  readonly method?: string;
  readonly direct?: boolean;
  readonly inputs: readonly CaseValue[];
  readonly kwargs?: Readonly<Record<string, CaseValue>>;
  readonly expected?: CaseValue;
  readonly mutated_inputs?: readonly CaseValue[];
  readonly mutated_kwargs?: Readonly<Record<string, CaseValue>>;
  readonly raises?: string;
  readonly raises_type?: string;
  readonly raises_full?: string;
  readonly stdout?: string;
  readonly warnings?: readonly string[];
  readonly seed?: number;
  readonly nondeterministic?: unknown;
}

interface CaseDocument {
  readonly method?: string;
  readonly str?: string | null;
  readonly hierarchy?: string | null;
  readonly code?: string | null;
  readonly codes?: Readonly<Record<string, string>>;
  readonly methods?: Readonly<Record<string, { readonly code?: string | null }>>;
  readonly graph?: string | null;
  readonly inlined_graph?: string | null;
  readonly state_dict?: Readonly<Record<string, readonly [string, readonly number[], readonly number[]]>>;
  readonly extra_files?: Readonly<Record<string, string>>;
  readonly calls?: readonly Call[];
  readonly calls_by_method?: Readonly<Record<string, readonly Call[]>>;
  readonly rtol?: number;
  readonly atol?: number;
  readonly resaved?: readonly SavedRecord[] | null;
  readonly opens?: boolean;
  readonly container?: string;
  readonly error?: unknown;
}

const WARN_ID = /warn_id=\d+/g;

/** The first line at which two texts part. */
export function textDifference(actual: string, expected: string): string | undefined {
  if (actual === expected) return undefined;
  const a = actual.replaceAll(WARN_ID, "warn_id=N").split("\n");
  const b = expected.replaceAll(WARN_ID, "warn_id=N").split("\n");
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] !== b[i])
      return `line ${i + 1} is ${JSON.stringify(a[i] ?? "(end)")}, expected ${JSON.stringify(b[i] ?? "(end)")}`;
  }
  return undefined;
}

/** Whether a folder holds a case. */
export function isCaseFolder(folder: string): boolean {
  return existsSync(join(folder, "case.json")) && existsSync(join(folder, "model.pt"));
}

/** Runs every check of a case folder. */
export function runCaseFolder(folder: string, checks: Checks): void {
  const document = JSON.parse(readFileSync(join(folder, "case.json"), "utf8")) as CaseDocument;
  const path = join(folder, "model.pt");
  if (document.container !== undefined && document.container !== "zip") return; // flatbuffers and packages: later issues
  if (document.opens === false) {
    checks.run("load", () => {
      try {
        jit.load(path);
      } catch (error) {
        if (error instanceof TorchScriptError) return undefined;
        throw error;
      }
      return undefined; // opening more than PyTorch does is no failure
    });
    return;
  }
  let module: ScriptModule | undefined;
  checks.run("load", () => {
    const extraFiles = new Map<string, Uint8Array | null>(
      Object.keys(document.extra_files ?? {}).map((k) => [k, null]),
    );
    module = jit.load(path, { extraFiles });
    for (const [name, base64] of Object.entries(document.extra_files ?? {})) {
      if (Buffer.compare(extraFiles.get(name) ?? new Uint8Array(), Buffer.from(base64, "base64")) !== 0)
        return `extra file "${name}" differs`;
    }
    return stateDifference(module, document);
  });
  if (!module) return;
  const loaded = module;
  const str = document.str ?? document.hierarchy;
  if (typeof str === "string") checks.run("str", () => textDifference(String(loaded), str));
  checkCode(loaded, document, checks);
  checkGraphs(loaded, document, checks);
  if (document.resaved) {
    const resaved = document.resaved;
    checkSaving(path, loaded, resaved, checks);
  }
  const tolerance: Tolerance = { rtol: document.rtol ?? 1e-5, atol: document.atol ?? 1e-8 };
  const groups: (readonly [string, readonly Call[]])[] = [
    [document.method ?? "forward", document.calls ?? []],
    ...Object.entries(document.calls_by_method ?? {}),
  ];
  // saving may not change the module, but the calls start from the archive's state all the same
  const running = (document.calls?.length ?? 0) > 0 || document.calls_by_method ? jit.load(path) : loaded;
  for (const [method, calls] of groups) {
    calls.forEach((call, i) =>
      checks.run(
        "run",
        () => runCall(running, call.method ?? method, call, tolerance),
        `${call.method ?? method} #${i}`,
      ),
    );
  }
}

function stateDifference(module: ScriptModule, document: CaseDocument): string | undefined {
  if (!document.state_dict) return undefined;
  const state = module.stateDict();
  const describe = (t: { dtype: { name: string }; sizes: readonly number[]; strides: readonly number[] }): string =>
    JSON.stringify([t.dtype.name, t.sizes, t.strides]);
  for (const [name, expected] of Object.entries(document.state_dict)) {
    const tensor = state.get(name);
    if (!tensor) return `state "${name}" is missing`;
    if (describe(tensor) !== JSON.stringify(expected))
      return `state "${name}" is ${describe(tensor)}, expected ${JSON.stringify(expected)}`;
  }
  return undefined;
}

function checkCode(module: ScriptModule, document: CaseDocument, checks: Checks): void {
  const main = document.method ?? "forward";
  if (typeof document.code === "string")
    checks.run("code", () => textDifference(module.method(main).code, document.code!), main);
  for (const [name, { code }] of Object.entries(document.methods ?? {})) {
    if (typeof code === "string") checks.run("code", () => textDifference(module.method(name).code, code), name);
  }
  if (!document.codes) return;
  const modules = new Map(module.namedModules());
  for (const [path, expected] of Object.entries(document.codes)) {
    checks.run(
      "code",
      () => {
        const dot = path.lastIndexOf(".");
        const owner = modules.get(path.slice(0, Math.max(dot, 0)));
        if (!owner) return `no module "${path.slice(0, Math.max(dot, 0))}"`;
        return textDifference(owner.method(path.slice(dot + 1)).code, expected);
      },
      path,
    );
  }
}

function checkGraphs(module: ScriptModule, document: CaseDocument, checks: Checks): void {
  const method = document.method ?? "forward";
  const { graph, inlined_graph: inlined } = document;
  if (typeof graph === "string")
    checks.run("graph", () => textDifference(String(module.method(method).graph), graph), method);
  if (typeof inlined === "string")
    checks.run("graph", () => textDifference(String(module.method(method).inlinedGraph), inlined), `${method} inlined`);
}

function runCall(module: ScriptModule, method: string, call: Call, tolerance: Tolerance): string | undefined {
  const inputs = call.inputs.map(decode);
  const kwargs = Object.fromEntries(Object.entries(call.kwargs ?? {}).map(([k, v]) => [k, decode(v)]));
  if (call.seed !== undefined) torch.manualSeed(call.seed);
  let result: unknown;
  let printed = "";
  const warned: string[] = [];
  const printSink = setPrintSink((text) => (printed += text));
  const warningSink = setWarningSink((warning) => warned.push(warning.message));
  try {
    result =
      method === "forward" && !call.direct
        ? module.callWithKeywords(inputs, kwargs)
        : module.invoke(method, inputs, kwargs);
  } catch (error) {
    if (call.raises === undefined) throw error;
    if (!(error instanceof TorchScriptError)) throw error;
    const reason = error instanceof ScriptRuntimeError ? error.reason : error.message;
    const last = reason.trimEnd().split("\n").at(-1) ?? "";
    if (!reason.includes(call.raises) && !last.includes(call.raises))
      return `raised ${JSON.stringify(reason.slice(0, 200))}, expected ${JSON.stringify(call.raises)}`;
    return undefined;
  } finally {
    setPrintSink(printSink);
    setWarningSink(warningSink);
  }
  if (call.raises !== undefined) return `did not raise ${JSON.stringify(call.raises)}`;
  if (call.stdout !== undefined && printed !== call.stdout)
    return `printed ${JSON.stringify(printed)}, expected ${JSON.stringify(call.stdout)}`;
  for (const text of call.warnings ?? []) {
    // what PyTorch's C++ warns of on the way ("Triggered internally at FILE:LINE") is its own business
    if (!text.includes("(Triggered internally") && !warned.includes(text))
      return `did not warn ${JSON.stringify(text)}, warned ${JSON.stringify(warned)}`;
  }
  if (call.expected !== undefined && call.nondeterministic === undefined) {
    const why = difference(result, call.expected, tolerance);
    if (why !== undefined) return why;
  }
  for (const [i, expected] of (call.mutated_inputs ?? []).entries()) {
    const why = difference(inputs[i], expected, tolerance, `input ${i}`);
    if (why !== undefined) return why;
  }
  for (const [name, expected] of Object.entries(call.mutated_kwargs ?? {})) {
    const why = difference(kwargs[name], expected, tolerance, name);
    if (why !== undefined) return why;
  }
  return undefined;
}
