/** @file Numbers of the zip format: signatures, sizes, flags. Upstream: none (PKWARE APPNOTE 6.3). Spec: spec/container.md. */

/** Signatures, as little-endian 32-bit numbers. */
export const SIGNATURE = {
  localHeader: 0x04034b50, // APPNOTE 4.3.7
  dataDescriptor: 0x08074b50, // 4.3.9.3
  centralHeader: 0x02014b50, // 4.3.12
  zip64End: 0x06064b50, // 4.3.14
  zip64Locator: 0x07064b50, // 4.3.15
  end: 0x06054b50, // 4.3.16
} as const;

/** Sizes of the fixed parts, in bytes. */
export const NBYTES = {
  localHeader: 30,
  centralHeader: 46,
  zip64End: 56,
  zip64Locator: 20,
  end: 22,
  /** The end record and the longest comment after it. */
  endSearch: 22 + 0xffff,
} as const;

/** General purpose flags (APPNOTE 4.4.4). */
export const FLAG = {
  encrypted: 0x0001,
  dataDescriptor: 0x0008,
  strongEncryption: 0x0040,
  utf8: 0x0800,
  maskedHeader: 0x2000,
} as const;

/** Compression methods. Readers know these two and no other. */
export const METHOD = { stored: 0, deflated: 8 } as const;

/** Extra field that holds 64-bit sizes and offset (APPNOTE 4.5.3). */
export const EXTRA_ZIP64 = 0x0001;

/** Extra field of PyTorch that pads a local header: the letters FB. */
export const EXTRA_PADDING = 0x4246;

/** 32-bit and 16-bit fields with all bits set say: see the zip64 record. */
export const U32_MAX = 0xffffffff;
export const U16_MAX = 0xffff;

/** PyTorch's writer lets record data start at multiples of this. */
export const DEFAULT_ALIGNMENT = 64;

/** Name of a compression method for people. */
export function methodName(method: number): string {
  if (method === METHOD.stored) return "stored";
  if (method === METHOD.deflated) return "deflated";
  return `method ${method}`;
}
