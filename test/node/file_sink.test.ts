/** @file Files: positional reads, atomic writes. Upstream: none. Spec: none. */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ArchiveReader, ArchiveWriter, withSink } from "../../src/archive/index.ts";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import { ArchiveError } from "../../src/base/errors.ts";
import { FileSink } from "../../src/node/file_sink.ts";
import { FileSource } from "../../src/node/file_source.ts";
import { inTemporaryFolder, makeArchive, torchArchive } from "../support/archive.ts";

describe("FileSink", () => {
  test("writes a file and leaves nothing beside it", () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, "a.pt");
      const big = Uint8Array.from({ length: 3_000_000 }, (_, i) => i >> 3);
      withSink(new FileSink(path), (sink) => {
        sink.write(encodeUtf8("head"));
        sink.write(big);
        sink.write(encodeUtf8("tail"));
      });
      const found = readFileSync(path);
      expect(found.length).toBe(3_000_008);
      expect(Buffer.compare(found.subarray(4, -4), big)).toBe(0);
      expect(readdirSync(folder)).toEqual(["a.pt"]);
    });
  });

  test("an error while writing leaves the old file as it was, and nothing beside it", () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, "a.pt");
      writeFileSync(path, "old");
      const save = (): void =>
        withSink(new FileSink(path), (sink) => {
          const writer = new ArchiveWriter(sink);
          writer.writeRecord("data/0", new Uint8Array(5_000_000));
          throw new Error("broken model");
        });
      expect(save).toThrow("broken model");
      expect(readFileSync(path, "utf8")).toBe("old");
      expect(readdirSync(folder)).toEqual(["a.pt"]);
    });
  });

  test("the old file stays until close", () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, "a.pt");
      writeFileSync(path, "old", { mode: 0o640 });
      const sink = new FileSink(path);
      sink.write(new Uint8Array(2_000_000));
      expect(readFileSync(path, "utf8")).toBe("old");
      sink.close();
      expect(statSync(path).size).toBe(2_000_000);
      expect(statSync(path).mode & 0o777).toBe(0o640);
      sink.close();
      sink.abort();
      expect(readdirSync(folder)).toEqual(["a.pt"]);
    });
  });

  test("a symbolic link stays one", () => {
    inTemporaryFolder((folder) => {
      mkdirSync(join(folder, "real"));
      writeFileSync(join(folder, "real", "a.pt"), "old");
      symlinkSync(join(folder, "real", "a.pt"), join(folder, "link.pt"));
      withSink(new FileSink(join(folder, "link.pt")), (sink) => sink.write(encodeUtf8("new")));
      expect(lstatSync(join(folder, "link.pt")).isSymbolicLink()).toBe(true);
      expect(readFileSync(join(folder, "real", "a.pt"), "utf8")).toBe("new");
    });
  });

  test("a path that cannot be written is an ArchiveError", () => {
    inTemporaryFolder((folder) => {
      expect(() => new FileSink(folder)).toThrow(`Cannot write archive "${folder}": it is a directory`);
      expect(() => new FileSink(join(folder, "none", "a.pt"))).toThrow(ArchiveError);
    });
  });

  test("a device is written to as it is", () => {
    const sink = new FileSink("/dev/null");
    sink.write(new Uint8Array(10));
    sink.close();
    expect(statSync("/dev/null").isFile()).toBe(false);
  });
});

describe("FileSource", () => {
  test("opens an archive lazily and closes it", () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, "a.pt");
      writeFileSync(path, torchArchive());
      const reader = ArchiveReader.open(new FileSource(path));
      expect(reader.read("data/0").length).toBe(16);
      reader.close();
      expect(() => reader.read("data/0")).toThrow("the file was closed");
    });
  });

  test("missing files, directories and files that shrink are ArchiveErrors", () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, "a.pt");
      expect(() => new FileSource(path)).toThrow(new RegExp(`The provided filename ${path} does not exist`));
      expect(() => new FileSource(folder)).toThrow(`The provided filename ${folder} is a directory`);
      writeFileSync(path, torchArchive());
      const source = new FileSource(path);
      truncateSync(path, 100);
      expect(() => source.read(50, 100)).toThrow(/the file ends at byte 100, it had 7825 bytes/);
      source.close();
    });
  });

  test("an archive whose records lie beyond 5 GiB of a sparse file is read", () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, "a.pt");
      const hole = 5 * 2 ** 30;
      const archive = makeArchive({ "data/0": "weights" });
      const descriptor = openSync(path, "w");
      writeSync(descriptor, archive, 0, archive.length, hole);
      closeSync(descriptor);
      const file = new FileSource(path);
      expect(file.size).toBe(hole + archive.length);
      const shifted = { size: archive.length, read: (at: number, n: number) => file.read(hole + at, n) };
      expect(ArchiveReader.open(shifted).readText("data/0")).toBe("weights");
      file.close();
    });
  });
});
