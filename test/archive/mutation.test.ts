/** @file Damaged archives: every one opens or throws TorchScriptError, soon. Upstream: none. Spec: none. */
import { describe, expect, test } from "vitest";
import { ArchiveReader, disassemble, unpickle, verifyContainer } from "../../src/archive/index.ts";
import { TorchScriptError } from "../../src/base/errors.ts";
import { seededRandom, torchArchive } from "../support/archive.ts";

/** Reads everything; returns the error, which must be ours. */
function readAll(bytes: Uint8Array, verifyCrc: boolean): TorchScriptError | undefined {
  try {
    const reader = ArchiveReader.open(bytes, { verifyCrc });
    for (const name of reader.recordNames()) {
      reader.stat(name);
      const data = reader.read(name);
      if (!name.endsWith("pkl")) continue;
      unpickle(data, { record: name });
      for (const instruction of disassemble(data, name)) if (instruction.nbytes < 1) throw new Error("no progress");
    }
    reader.checkTorchScript();
  } catch (error) {
    if (!(error instanceof TorchScriptError)) throw error;
    return error;
  }
  return undefined;
}

describe("damaged archives", () => {
  const archive = torchArchive();

  test("every truncation is an ArchiveError", () => {
    for (let length = 0; length < archive.length; length += 13) {
      expect(readAll(archive.subarray(0, length), true)?.name).toBe("ArchiveError");
    }
  });

  test("every flipped bit of a record's data is found by its CRC", () => {
    const random = seededRandom(3);
    const reader = ArchiveReader.open(archive);
    for (const name of reader.recordNames()) {
      const { dataOffset, compressedSize } = reader.stat(name);
      if (compressedSize === 0) continue; // traced_inputs/0: torch writes no data for it
      const damaged = archive.slice();
      damaged[dataOffset + random(compressedSize)]! ^= 1 << random(8);
      expect(readAll(damaged, true)?.name, name).toBe("ArchiveError");
    }
  });

  test("random damage anywhere opens or throws our errors, with and without CRC", () => {
    const random = seededRandom(4);
    for (let i = 0; i < 800; i++) {
      const damaged = archive.slice();
      const count = 1 + random(4);
      for (let k = 0; k < count; k++) damaged[random(damaged.length)] = random(3) === 0 ? 0xff : random(256);
      readAll(damaged, i % 2 === 0);
    }
  });

  test("damage in the directory and end records opens or throws our errors", () => {
    const random = seededRandom(5);
    const from = ArchiveReader.open(archive).zip.directory.byteOffset;
    for (let i = 0; i < 1000; i++) {
      const damaged = archive.slice();
      const at = from + random(archive.length - from);
      damaged[at] = random(4) === 0 ? 0xff : damaged[at]! ^ (1 << random(8));
      readAll(damaged, false);
    }
  });

  test("random bytes as a pickle give a value or our errors", () => {
    const random = seededRandom(6);
    const codes = Array.from("(.0123NIKJMGXUVTSRQPcb]}e)dutlasqrhjgp")
      .map((c) => c.charCodeAt(0))
      .concat([0x80, 0x81, 0x85, 0x86, 0x87, 0x88, 0x8a, 0x8b, 0x93, 0x94]);
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from({ length: 3 + random(40) }, () =>
        random(4) === 0 ? random(256) : codes[random(codes.length)]!,
      );
      bytes.set([0x80, 2]);
      try {
        unpickle(bytes);
      } catch (error) {
        if (!(error instanceof TorchScriptError)) throw error;
      }
    }
  });

  test("verifyContainer() names the damaged record and reads on", () => {
    const reader = ArchiveReader.open(archive);
    const damaged = archive.slice();
    damaged[reader.stat("data/1").dataOffset]! ^= 1;
    const findings = [...verifyContainer(ArchiveReader.open(damaged))];
    expect(findings.map((finding) => [finding.severity, finding.record])).toEqual([["error", "model/data/1"]]);
  });
});
