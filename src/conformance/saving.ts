/** @file Checks of saving: the records that PyTorch writes, debug records apart, and no jitter. Upstream: none. Spec: none. */
import { createHash } from "node:crypto";
import { ArchiveReader, MemorySource, jit, type ScriptModule } from "../node/index.ts";
import type { Checks } from "./checks.ts";

/** Name, size and first 16 hex digits of SHA-256 (null: PyTorch's own bytes vary). */
export type SavedRecord = readonly [string, number, string | null];

const isDebug = (name: string): boolean => name.endsWith(".debug_pkl");

/** Records of an archive in file order, without the serialization id. */
function recordsOf(bytes: Uint8Array): SavedRecord[] {
  const reader = ArchiveReader.open(new MemorySource(bytes));
  return reader
    .recordNames()
    .filter((name) => name !== ".data/serialization_id")
    .map((name) => {
      const content = reader.read(name);
      return [name, content.length, createHash("sha256").update(content).digest("hex").slice(0, 16)] as const;
    });
}

function compare(actual: readonly SavedRecord[], expected: readonly SavedRecord[]): string | undefined {
  const names = (list: readonly SavedRecord[]): string => list.map(([name]) => name).join(", ");
  for (const [i, [name, size, hash]] of expected.entries()) {
    const own = actual[i];
    if (own?.[0] !== name)
      return `record ${i} is ${own?.[0] ?? "missing"}, expected ${name} (have ${names(actual).slice(0, 300)})`;
    if (hash === null) continue;
    if (own[1] !== size) return `record ${name} has ${own[1]} bytes, expected ${size}`;
    if (own[2] !== hash) return `record ${name} differs (same size ${size})`;
  }
  return actual.length > expected.length ? `extra record ${actual[expected.length]![0]}` : undefined;
}

/** Runs `resave`, `debug` and `jitter`. */
export function checkSaving(
  path: string,
  module: ScriptModule,
  expected: readonly SavedRecord[],
  checks: Checks,
): void {
  let bytes: Uint8Array | undefined;
  let saved: SavedRecord[] = [];
  checks.run("resave", () => {
    bytes = module.saveToBuffer();
    saved = recordsOf(bytes);
    return compare(
      saved.filter(([n]) => !isDebug(n)),
      expected.filter(([n]) => !isDebug(n)),
    );
  });
  if (expected.some(([n]) => isDebug(n))) {
    checks.run("debug", () =>
      compare(
        saved.filter(([n]) => isDebug(n)),
        expected.filter(([n]) => isDebug(n)),
      ),
    );
  }
  checks.run("jitter", () => {
    if (!bytes) return "the module could not be saved";
    // the same module writes what it printed before (Note [Printed once]), the loaded one prints
    for (const again of [module.saveToBuffer(), jit.load(bytes).saveToBuffer()])
      if (Buffer.compare(bytes, again) !== 0) return `second save differs (${bytes.length} and ${again.length} bytes)`;
    return undefined;
  });
}
