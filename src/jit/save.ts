/** @file save: a module to a file, a sink or bytes. Upstream: torch/csrc/jit/serialization/export_module.cpp. Spec: spec/container.md. */
import { ArchiveWriter, BUFFER_ROOT_NAME, MemorySink, rootNameOf, type ByteSink } from "../archive/index.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { CompilationUnit } from "../ir/compilation_unit.ts";
import { runFunction } from "../interpreter/run.ts";
import { exportModule } from "../saver/export_module.ts";
import { platform } from "./platform.ts";

/** How to save. */
export interface SaveOptions {
  /** Records `extra/NAME` to write beside the model; text is written as UTF-8. */
  readonly extraFiles?: Readonly<Record<string, string | Uint8Array>>;
  /** Wait until a file is on the disk (default false, as in PyTorch): without it a power cut may lose what was saved last. */
  readonly durable?: boolean;
  /**
   * Copy the code of a loaded module from its archive as long as no method was compiled: faster, and the code stays what it was to the
   * byte. Default false: all code is printed, as PyTorch does, which may give another text where another version wrote the archive. (What the
   * last save printed is not printed again where nothing of it changed.)
   */
  readonly copyCode?: boolean;
}

/** What a module calls to save itself. */
export interface Saver {
  /** @param cu the program that the module belongs to. */
  saveToFile(root: ScriptObject, path: string, options: SaveOptions, cu?: CompilationUnit): void;
  saveToBuffer(root: ScriptObject, options: SaveOptions, cu?: CompilationUnit): Uint8Array;
}

/** A scripted, traced or loaded module, or a compiled function. */
export interface Savable {
  /** Writes the archive. */
  save(path: string, options?: SaveOptions): void;
}

/**
 * Writes a module or function to a file, as `module.save(path)` does. Mirrors `torch.jit.save`.
 * @throws ArchiveError where the file cannot be written.
 */
export function save(module: Savable, path: string, options: SaveOptions = {}): void {
  module.save(path, options);
}

function writeTo(
  sink: ByteSink,
  rootName: string,
  root: ScriptObject,
  options: SaveOptions,
  cu: CompilationUnit | undefined,
): void {
  try {
    const writer = new ArchiveWriter(sink, { rootName });
    const version = exportModule(root, writer, {
      extraFiles: new Map(
        Object.entries(options.extraFiles ?? {}).map(([k, v]) => [
          k,
          typeof v === "string" ? new TextEncoder().encode(v) : v,
        ]),
      ),
      runMethod: runFunction,
      cu: options.copyCode === true ? cu : undefined,
    });
    writer.finish({ version });
    sink.close();
  } catch (error) {
    sink.abort();
    throw error;
  }
}

/** Saves modules on the current platform. */
export const saver: Saver = {
  saveToFile(root, path, options, cu) {
    writeTo(platform().createFile(path, { durable: options.durable ?? false }), rootNameOf(path), root, options, cu);
  },
  saveToBuffer(root, options, cu) {
    const sink = new MemorySink();
    writeTo(sink, BUFFER_ROOT_NAME, root, options, cu);
    return sink.bytes();
  },
};
