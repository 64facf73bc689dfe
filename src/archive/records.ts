/** @file Names and small records of an archive: root folder, version, byteorder, serialization id, compression rule. Upstream: caffe2/serialize/inline_container.cc. Spec: spec/records.md. */
import { FIRST_DATA_VERSION } from "./versions.ts";

/** Record names with a fixed meaning, relative to the root folder. */
export const RECORD = {
  version: "version",
  dataVersion: ".data/version",
  byteorder: "byteorder",
  serializationId: ".data/serialization_id",
  data: "data.pkl",
  constants: "constants.pkl",
  bytecode: "bytecode.pkl",
  tracedInputs: "traced_inputs.pkl",
} as const;

/** Folders of an archive. */
export const FOLDER = {
  extra: "extra/",
  code: "code/",
  data: "data/",
  constants: "constants/",
  tracedInputs: "traced_inputs/",
} as const;

/** Root folder of a file saved under `path`: the base name without its last extension. */
export function rootNameOf(path: string): string {
  const base = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  const dot = base.lastIndexOf(".");
  const root = dot < 0 ? base : base.slice(0, dot);
  // torch refuses such a name as well: the records would have no folder
  if (root === "")
    throw new RangeError(`Cannot save archive as "${path}": the file name has no part before its extension`);
  return root;
}

/** Root folder of an archive that is written to memory or to a stream. */
export const BUFFER_ROOT_NAME = "archive";

const MIN_BYTES_TO_COMPRESS = 200;
const COMPRESSED_NAMES = /\.(py|debug_pkl)$|(^|\/)callstack_debug_map\.pkl$/;

/** Whether PyTorch deflates a record: sources and debug records above 200 bytes. */
export function isRecordCompressed(name: string, nbytes: number): boolean {
  return nbytes > MIN_BYTES_TO_COMPRESS && COMPRESSED_NAMES.test(name);
}

/** Where the version record of this version lies. */
export function versionRecordName(version: number): string {
  return version >= FIRST_DATA_VERSION ? RECORD.dataVersion : RECORD.version;
}

/** A version record's number, or undefined when the text is anything but decimal digits and white space around them. */
export function parseVersion(text: string): number | undefined {
  const digits = /^\s*(\d{1,15})\s*$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * The 40 digits of `.data/serialization_id`: 20 from a hash of the record names, 20 from one of their CRCs. torch's own
 * differ from machine to machine (std::hash), so readers treat them as opaque; ours depend on the records alone.
 */
export class SerializationId {
  private readonly names = new Hash64();
  private readonly crcs = new Hash64();

  add(name: string, crc: number): void {
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i);
      this.names.byte(unit & 255);
      this.names.byte(unit >>> 8);
    }
    this.names.byte(0);
    for (let shift = 0; shift < 32; shift += 8) this.crcs.byte((crc >>> shift) & 255);
  }

  digits(): string {
    return this.names.digits() + this.crcs.digits();
  }
}

/** FNV-1a with 64 bits in two 32-bit halves: bigint arithmetic would cost seconds on 100,000 names. */
class Hash64 {
  private high = 0xcbf29ce4;
  private low = 0x84222325;

  byte(value: number): void {
    const low = (this.low ^ value) >>> 0;
    // Times the prime 0x100000001b3 modulo 2^64.
    const product = (low & 0xffff) * 0x1b3;
    const upper = (low >>> 16) * 0x1b3 + (product >>> 16);
    this.low = ((upper << 16) | (product & 0xffff)) >>> 0;
    this.high = (Math.imul(this.high, 0x1b3) + (upper >>> 16) + (low << 8)) >>> 0;
  }

  digits(): string {
    return ((BigInt(this.high) << 32n) | BigInt(this.low)).toString().padStart(20, "0");
  }
}
