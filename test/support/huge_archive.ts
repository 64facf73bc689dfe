/** @file A sparse archive of many gigabytes on the disk: weights are holes, so it costs kilobytes. Upstream: none. Spec: none. */
import { closeSync, openSync, writeSync } from "node:fs";
import { crc32Portable } from "../../src/archive/crc32.ts";
import { concatBytes, encodeUtf8 } from "../../src/base/bytes.ts";
import { le } from "./archive.ts";

const u8 = (value: number): [number, number] => [8, value];

/** A pickled module `__torch__.m.Huge` with `count` parameters of `numel` float32 elements each. */
function dataPickle(count: number, numel: number): Uint8Array {
  const str = (text: string): Uint8Array => le("X", [4, text.length], text);
  const int = (value: number): Uint8Array => le([1, 0x8a], [1, 8], u8(value));
  const parts: Uint8Array[] = [le([1, 0x80], [1, 2], "c__torch__.m\nHuge\n)", [1, 0x81], "}(")];
  for (let i = 0; i < count; i++) {
    parts.push(
      str(`w${i}`),
      le(
        "ctorch._utils\n_rebuild_tensor_v2\n((",
        str("storage"),
        "ctorch\nFloatStorage\n",
        str(String(i)),
        str("cpu"),
        int(numel),
        "tQ",
        int(0),
      ),
      le(int(numel), [1, 0x85], int(1), [1, 0x85], [1, 0x88], "ccollections\nOrderedDict\n)RtR"),
    );
  }
  return concatBytes([...parts, le("ub.")]);
}

/** Writes `count` weights of `nbytes` bytes each as holes, with zip64 where it is needed. Checksums of the weights are not right. */
export function writeHugeArchive(path: string, count: number, nbytes: number): void {
  const names = Array.from({ length: count }, (_, i) => `w${i}`);
  const code = `class Huge(Module):\n  __parameters__ = [${names.map((n) => `"${n}", `).join("")}]\n  __buffers__ = []\n${names.map((n) => `  ${n} : Tensor\n`).join("")}`;
  const records: [string, Uint8Array | number][] = [
    ...names.map((_, i): [string, number] => [`data/${i}`, nbytes]),
    ["data.pkl", dataPickle(count, nbytes / 4)],
    ["code/__torch__/m.py", encodeUtf8(code)],
    ["constants.pkl", le([1, 0x80], [1, 2], ").")],
    ["version", encodeUtf8("3\n")],
  ];
  const file = openSync(path, "w");
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    writeSync(file, bytes, 0, bytes.length, at);
    at += bytes.length;
  };
  const directory: Uint8Array[] = [];
  for (const [record, data] of records) {
    const name = encodeUtf8(`huge/${record}`);
    const size = typeof data === "number" ? data : data.length;
    const crc = typeof data === "number" ? 0 : crc32Portable(data);
    const zip64 = le([2, 1], [2, 24], u8(size), u8(size), u8(at));
    directory.push(
      le(
        "PK\x01\x02",
        [2, 45],
        [2, 45],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, crc],
        [4, 0xffffffff],
        [4, 0xffffffff],
        [2, name.length],
        [2, zip64.length],
      ),
      le([2, 0], [2, 0], [2, 0], [4, 0], [4, 0xffffffff], name, zip64),
    );
    put(
      le(
        "PK\x03\x04",
        [2, 45],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, crc],
        [4, 0xffffffff],
        [4, 0xffffffff],
        [2, name.length],
        [2, 20],
        name,
        [2, 1],
        [2, 16],
        u8(size),
        u8(size),
      ),
    );
    if (typeof data === "number") at += data;
    else put(data);
  }
  const start = at;
  const bytes = concatBytes(directory);
  put(bytes);
  const end = at;
  const counts = [u8(records.length), u8(records.length)];
  put(le("PK\x06\x06", u8(44), [2, 45], [2, 45], [4, 0], [4, 0], ...counts, u8(bytes.length), u8(start)));
  put(le("PK\x06\x07", [4, 0], u8(end), [4, 1]));
  put(le("PK\x05\x06", [4, 0], [2, 0xffff], [2, 0xffff], [4, 0xffffffff], [4, 0xffffffff], [2, 0]));
  closeSync(file);
}
