/** @file load: an archive to a ScriptModule. Upstream: torch/jit/_serialization.py, torch/csrc/jit/serialization/import.cpp. Spec: spec/container.md. */
import {
  ArchiveReader,
  MemorySource,
  openAsyncSource,
  prefetch,
  type AsyncInput,
  type ByteSource,
} from "../archive/index.ts";
import type { LimitOverrides } from "../base/limits.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import { findNativeClass } from "../core/native_class.ts";
import { compileMethod, runFunction } from "../interpreter/run.ts";
import { ScriptFunction } from "../ir/function.ts";
import { loadModuleArchive } from "../loader/import_module.ts";
import { KERNEL_HOLDER } from "../tensor/kernels/wasm/held_bytes.ts";
import { platform, urlNamedBy } from "./platform.ts";
import { saver } from "./save.ts";
import { defineMethods } from "./scripting/compile_methods.ts";
import { moduleOf, type ScriptModule } from "./script_module.ts";

/** How to load. */
export interface LoadOptions {
  /** Names of extra files to read: filled in by `load`, as `_extra_files` of PyTorch; null or absent ones stay null. */
  readonly extraFiles?: Map<string, Uint8Array | null>;
  /** Check the CRC of each record that is read (default true). */
  readonly verifyCrc?: boolean;
  /**
   * Read weights, code and attributes when they are first touched (default false): the fastest way to one answer, with the least memory. Weights
   * of layers are read again at their second use, and stay in memory from then on. The file stays open until the module is garbage; it must not change. Sizes and bounds are checked while loading all the same, other defects show when they are touched.
   */
  readonly lazy?: boolean;
  /** Overrides of the limits that untrusted files are held to. */
  readonly limits?: LimitOverrides;
  /** Instructions that one call of a method may run (default: no limit); beyond it the call throws LimitError. For untrusted files. */
  readonly maxSteps?: number;
}

/** What an archive is loaded from, at once: a path, bytes or a source of bytes. */
export type LoadInput = string | ArrayBuffer | Uint8Array | ByteSource;

/** Opens bytes, a path or a source. */
export function openSource(input: LoadInput): ByteSource {
  if (typeof input === "string") return platform().openFile(input);
  if (input instanceof ArrayBuffer || input instanceof Uint8Array) return new MemorySource(input);
  return input;
}

/**
 * Opens a TorchScript archive. Synchronous, as in PyTorch; methods are parsed and compiled when they are first needed, and what is wrong
 * inside one shows then.
 * @throws ArchiveError, PickleError, ScriptError naming file, record and position of what is wrong.
 */
export function load(input: LoadInput, options: LoadOptions = {}): ScriptModule {
  const source = openSource(input);
  const isOurs = typeof input === "string";
  let isLoaded = false;
  try {
    const { module } = loadFrom(source, options);
    isLoaded = true;
    return module;
  } finally {
    if (isOurs && !(options.lazy && isLoaded)) source.close?.();
  }
}

/** @param later storages are left to `fetch`, where the source can be read beside the main thread. */
function loadFrom(source: ByteSource, options: LoadOptions, later = false) {
  const lazy = options.lazy ?? false;
  const limits = options.limits === undefined ? {} : { limits: options.limits };
  const reader = ArchiveReader.open(source, { verifyCrc: options.verifyCrc ?? true, ...limits });
  const budget = options.maxSteps === undefined ? {} : { maxSteps: options.maxSteps };
  const loaded = loadModuleArchive(reader, {
    runMethod: (fn, args) => runFunction(fn, args, budget),
    findNativeClass,
    lazy,
    later,
    staysOpen: lazy,
    defersBodies: true,
    holder: KERNEL_HOLDER,
    ...limits,
  });
  for (const name of options.extraFiles?.keys() ?? []) {
    if (reader.extraFileNames().includes(name)) options.extraFiles!.set(name, reader.readExtraFile(name));
  }
  const { root, cu } = loaded;
  const define = (object: ScriptObject, text: string): void => {
    cu.codeOrigin = undefined;
    defineMethods(object, text, cu);
  };
  return { ...loaded, module: moduleOf(root, { cu, saver, budget, define }) };
}

/** Bytes of weights on their way that leave the time to compile what the first call will run. */
const MIN_COMPILE_BYTES = 1 << 22;

/** Opens a file and reads its weights beside the main thread, which compiles `forward` meanwhile. */
async function loadFile(path: string, options: LoadOptions): Promise<ScriptModule> {
  if (options.lazy) return load(path, options);
  const source = openSource(path);
  try {
    const { module, root, laterBytes, fetch } = loadFrom(source, options, true);
    const fetched = fetch();
    if (laterBytes >= MIN_COMPILE_BYTES) compileForward(root);
    await fetched;
    return module;
  } finally {
    source.close?.();
  }
}

function compileForward(root: ScriptObject): void {
  const forward = root.type.findMethod("forward");
  if (!(forward instanceof ScriptFunction)) return;
  try {
    compileMethod(forward, root);
  } catch {
    // the call will say so, or nobody calls it
  }
}

/** Extra files, recorded trace inputs and mobile bytecode are not read to load a module. */
function neededToLoad(record: string): boolean {
  return !/^(extra|traced_inputs)\/|^(traced_inputs|bytecode|mobile_debug_handles)\.pkl$/.test(record);
}

/**
 * Opens an archive from a URL (by HTTP ranges where the server has them), Blob, stream, bytes or a custom source; reads only what
 * it needs. A string is a URL, where the platform has files also a path, and elsewhere also a URL relative to the page. Weights of a file are
 * read beside the main thread, which compiles `forward` meanwhile.
 */
export async function loadAsync(input: string | AsyncInput, options: LoadOptions = {}): Promise<ScriptModule> {
  const named = typeof input === "string" ? urlNamedBy(input) : input;
  if (named === undefined) return loadFile(input as string, options);
  const asynchronous = await openAsyncSource(named);
  const records = (name: string): boolean =>
    neededToLoad(name) || (options.extraFiles?.has(name.replace(/^extra\//, "")) ?? false);
  return load(await prefetch(asynchronous, { records, limits: options.limits }), options);
}
