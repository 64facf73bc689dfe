/** @file NumPy's .npy and .npz files: tensors in and out. Upstream: numpy/lib/format.py. Spec: none. */
import {
  ArchiveError,
  DTYPES,
  MemorySink,
  MemorySource,
  Tensor,
  ZipReader,
  ZipWriter,
  torch,
  type DType,
} from "../node/index.ts";

const MAGIC = "\x93NUMPY";
// prettier-ignore
const DESCR: Readonly<Record<string, DType>> = {
  "|u1": DTYPES.uint8, "|i1": DTYPES.int8, "|b1": DTYPES.bool, "<i2": DTYPES.int16, "<i4": DTYPES.int32, "<i8": DTYPES.int64,
  "<f2": DTYPES.float16, "<f4": DTYPES.float32, "<f8": DTYPES.float64, "<c8": DTYPES.complex64, "<c16": DTYPES.complex128,
  "<u2": DTYPES.uint16, "<u4": DTYPES.uint32, "<u8": DTYPES.uint64,
};

/** Reads one array. Throws ArchiveError for other formats, byte orders and dtypes. */
export function readNpy(bytes: Uint8Array, name: string): Tensor {
  const latin = (from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));
  const fail = (what: string): never => {
    throw new ArchiveError(`Cannot read array "${name}": ${what}`, { file: name });
  };
  if (bytes.length < 10 || latin(0, 6) !== MAGIC)
    return fail(`found ${JSON.stringify(latin(0, Math.min(6, bytes.length)))}, expected the magic of .npy`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6]!;
  const headerStart = major === 1 ? 10 : 12;
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerStart + headerLength > bytes.length)
    return fail(`header of ${headerLength} bytes does not fit in ${bytes.length} bytes`);
  const header = latin(headerStart, headerStart + headerLength);
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1] ?? fail("header has no descr");
  const fortran = /'fortran_order':\s*True/.test(header);
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .map((s) => s.trim())
    .filter(Boolean)
    .map(Number);
  const dtype =
    DESCR[descr] ?? fail(`dtype ${descr} is not supported, expected one of ${Object.keys(DESCR).join(" ")}`);
  if (shape.some((s) => !Number.isSafeInteger(s) || s < 0))
    return fail(`shape is (${shape.join(", ")}), expected sizes`);
  const nbytes = shape.reduce((n, s) => n * s, 1) * dtype.itemsize;
  const data = bytes.subarray(headerStart + headerLength, headerStart + headerLength + nbytes);
  if (data.length !== nbytes)
    return fail(`found ${data.length} bytes of data, shape [${shape.join(", ")}] of ${descr} needs ${nbytes}`);
  if (!fortran) return torch.fromBytes(data, shape, dtype);
  const reversed = torch.fromBytes(data, [...shape].reverse(), dtype);
  return new Tensor(reversed.storage, dtype, shape, [...reversed.strides].reverse(), 0);
}

/** Reads the arrays of a .npz by name, in order. */
export function readNpz(bytes: Uint8Array, name: string): Map<string, Tensor> {
  const zip = new ZipReader(new MemorySource(bytes, name));
  return new Map(
    zip.entries.map((entry) => [entry.name.replace(/\.npy$/, ""), readNpy(zip.read(entry), `${name}/${entry.name}`)]),
  );
}

/** Bytes of a .npy file (version 1.0). bfloat16 is written as float32: NumPy has no such dtype. */
export function writeNpy(tensor: Tensor): Uint8Array {
  const plain = tensor.dtype === DTYPES.bfloat16 ? (torch.call("to", tensor, DTYPES.float32) as Tensor) : tensor;
  const contiguous = torch.call("contiguous", torch.call("resolve_conj", plain)) as Tensor;
  const descr = Object.keys(DESCR).find((k) => DESCR[k] === contiguous.dtype);
  if (descr === undefined)
    throw new ArchiveError(`Cannot write an array of dtype ${tensor.dtype.name}: NumPy has no such dtype`);
  const shape = contiguous.sizes.length === 1 ? `(${contiguous.sizes[0]!},)` : `(${contiguous.sizes.join(", ")})`;
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const padded = dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11) + "\n";
  const start = contiguous.storageOffset * contiguous.dtype.itemsize;
  const data = contiguous.storage.bytes().subarray(start, start + contiguous.numel * contiguous.dtype.itemsize);
  const out = new Uint8Array(10 + padded.length + data.length);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  for (let i = 0; i < padded.length; i++) out[10 + i] = padded.charCodeAt(i);
  out.set(data, 10 + padded.length);
  return out;
}

/** Bytes of a .npz file: the arrays by name, stored as numpy.savez does. */
export function writeNpz(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const sink = new MemorySink();
  const zip = new ZipWriter(sink);
  for (const [name, tensor] of tensors) {
    const bytes = writeNpy(tensor);
    zip.writeEntry(`${name}.npy`, bytes, bytes.length);
  }
  zip.finish();
  sink.close();
  return sink.bytes();
}
