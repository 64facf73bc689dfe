/** @file DTYPES: one entry per dtype, with its size, storage class and numeric category. Upstream: c10/core/ScalarType.h. Spec: spec/records.md. */

/** Numeric category, lowest to highest in type promotion. Quantized and opaque types take no part in it. */
export type Category = "bool" | "int" | "float" | "complex" | "quantized" | "bits";

/** Everything that is known of one dtype. Compare dtypes by identity. */
export interface DType {
  /** Name as in `torch.float32`. */
  readonly name: string;
  /** c10::ScalarType number: how archived code writes a dtype. */
  readonly id: number;
  /** Bytes of one element. */
  readonly itemsize: number;
  /** Numeric category. */
  readonly category: Category;
  /** Class name of the storage in pickles, e.g. `FloatStorage`. */
  readonly storageName: string;
  /** c10's name, e.g. `Float`: error messages and graph types use it. */
  readonly cppName: string;
  /** Whether there are values below 0. */
  readonly isSigned: boolean;
  /** Which typed array of a `Segment` reads an element (complex: pairs; int64: pairs of 32-bit words). */
  readonly array: "u8" | "i8" | "i16" | "u16" | "i32" | "u32" | "f32" | "f64";
}

function dtype(
  id: number,
  name: string,
  cppName: string,
  itemsize: number,
  category: Category,
  array: DType["array"],
  isSigned = true,
): DType {
  return Object.freeze({ id, name, cppName, itemsize, category, array, isSigned, storageName: `${cppName}Storage` });
}

/** Every dtype by name: `torch.float32` and the like. */
// prettier-ignore
export const DTYPES = {
  /** 8-bit integers from 0. */
  uint8:         dtype(0,  "uint8",         "Byte",          1, "int",       "u8", false),
  /** 8-bit integers. */
  int8:          dtype(1,  "int8",          "Char",          1, "int",       "i8"),
  /** 16-bit integers. */
  int16:         dtype(2,  "int16",         "Short",         2, "int",       "i16"),
  /** 32-bit integers. */
  int32:         dtype(3,  "int32",         "Int",           4, "int",       "i32"),
  /** 64-bit integers: the dtype of whole numbers and indices. */
  int64:         dtype(4,  "int64",         "Long",          8, "int",       "i32"),
  /** 16-bit floating point (IEEE half). */
  float16:       dtype(5,  "float16",       "Half",          2, "float",     "u16"),
  /** 32-bit floating point: the default dtype. */
  float32:       dtype(6,  "float32",       "Float",         4, "float",     "f32"),
  /** 64-bit floating point. */
  float64:       dtype(7,  "float64",       "Double",        8, "float",     "f64"),
  /** Complex, two halves. */
  complex32:     dtype(8,  "complex32",     "ComplexHalf",   4, "complex",   "u16"),
  /** Complex, two float32. */
  complex64:     dtype(9,  "complex64",     "ComplexFloat",  8, "complex",   "f32"),
  /** Complex, two float64. */
  complex128:    dtype(10, "complex128",    "ComplexDouble", 16,"complex",   "f64"),
  /** True and false. */
  bool:          dtype(11, "bool",          "Bool",          1, "bool",      "u8", false),
  /** Quantized, 8 bits with sign. */
  qint8:         dtype(12, "qint8",         "QInt8",         1, "quantized", "i8"),
  /** Quantized, 8 bits. */
  quint8:        dtype(13, "quint8",        "QUInt8",        1, "quantized", "u8", false),
  /** Quantized, 32 bits with sign. */
  qint32:        dtype(14, "qint32",        "QInt32",        4, "quantized", "i32"),
  /** 16-bit floating point with the range of float32. */
  bfloat16:      dtype(15, "bfloat16",      "BFloat16",      2, "float",     "u16"),
  /** Quantized, two in a byte. */
  quint4x2:      dtype(16, "quint4x2",      "QUInt4x2",      1, "quantized", "u8", false),
  /** Quantized, four in a byte. */
  quint2x4:      dtype(17, "quint2x4",      "QUInt2x4",      1, "quantized", "u8", false),
  /** Bits, eight elements in a byte. */
  bits1x8:       dtype(18, "bits1x8",       "Bits1x8",       1, "bits",      "u8", false),
  /** Bits, four elements in a byte. */
  bits2x4:       dtype(19, "bits2x4",       "Bits2x4",       1, "bits",      "u8", false),
  /** Bits, two elements in a byte. */
  bits4x2:       dtype(20, "bits4x2",       "Bits4x2",       1, "bits",      "u8", false),
  /** Bits, a byte. */
  bits8:         dtype(21, "bits8",         "Bits8",         1, "bits",      "u8", false),
  /** Bits, two bytes. */
  bits16:        dtype(22, "bits16",        "Bits16",        2, "bits",      "u16", false),
  /** 8-bit floating point: 5 bits of exponent. */
  float8_e5m2:   dtype(23, "float8_e5m2",   "Float8_e5m2",   1, "float",     "u8"),
  /** 8-bit floating point: 4 bits of exponent, no infinities. */
  float8_e4m3fn: dtype(24, "float8_e4m3fn", "Float8_e4m3fn", 1, "float",     "u8"),
  /** 8-bit floating point: 5 bits of exponent, one zero, no infinities. */
  float8_e5m2fnuz: dtype(25, "float8_e5m2fnuz", "Float8_e5m2fnuz", 1, "float", "u8"),
  /** 8-bit floating point: 4 bits of exponent, one zero, no infinities. */
  float8_e4m3fnuz: dtype(26, "float8_e4m3fnuz", "Float8_e4m3fnuz", 1, "float", "u8"),
  /** 16-bit integers from 0. */
  uint16:        dtype(27, "uint16",        "UInt16",        2, "int",       "u16", false),
  /** 32-bit integers from 0. */
  uint32:        dtype(28, "uint32",        "UInt32",        4, "int",       "u32", false),
  /** 64-bit integers from 0. */
  uint64:        dtype(29, "uint64",        "UInt64",        8, "int",       "u32", false),
} as const satisfies Record<string, DType>;

/** A dtype's name. */
export type DTypeName = keyof typeof DTYPES;

const BY_ID = new Map<number, DType>(Object.values(DTYPES).map((d) => [d.id, d]));
const BY_STORAGE = new Map<string, DType>(Object.values(DTYPES).map((d) => [d.storageName, d]));

/** Whether tensors of a dtype can ask for gradients. */
export function isDifferentiable(dtype: DType): boolean {
  return dtype.category === "float" || dtype.category === "complex";
}

/** The dtype of a c10::ScalarType number, or undefined. */
export function dtypeFromId(id: number): DType | undefined {
  return BY_ID.get(id);
}

/** The dtype of a pickled storage class such as `FloatStorage`, or undefined. */
export function dtypeFromStorageName(name: string): DType | undefined {
  return BY_STORAGE.get(name);
}
