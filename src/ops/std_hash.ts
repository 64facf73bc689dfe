/** @file The hash functions of libstdc++ and c10, so that `hash` gives PyTorch's numbers. Upstream: c10/util/hash.h. Spec: none. */

const MASK = (1n << 64n) - 1n;
const MULTIPLIER = 0xc6a4a7935bd1e995n; // MurmurHash64A, as libstdc++ uses it for bytes
const SEED = 0xc70f6907n; // libstdc++: std::hash of strings and floats
const GOLDEN = 0x9e3779b9n; // c10: hash_combine

const mix = (v: bigint): bigint => v ^ (v >> 47n);

/** std::hash of a byte string (each character one byte). */
export function hashBytes(bytes: string): bigint {
  const { length } = bytes;
  let hash = (SEED ^ (BigInt(length) * MULTIPLIER)) & MASK;
  const word = (from: number, count: number): bigint => {
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes.charCodeAt(from + i));
    return value;
  };
  const aligned = length & ~7;
  for (let i = 0; i < aligned; i += 8) {
    const data = (mix((word(i, 8) * MULTIPLIER) & MASK) * MULTIPLIER) & MASK;
    hash = ((hash ^ data) * MULTIPLIER) & MASK;
  }
  if (aligned < length) hash = ((hash ^ word(aligned, length - aligned)) * MULTIPLIER) & MASK;
  hash = (mix(hash) * MULTIPLIER) & MASK;
  return mix(hash);
}

const scratch = new DataView(new ArrayBuffer(8));

/** std::hash of a double; both zeros hash to 0. */
export function hashFloat(value: number): bigint {
  if (value === 0) return 0n;
  scratch.setFloat64(0, value, true);
  let bytes = "";
  for (let i = 0; i < 8; i++) bytes += String.fromCharCode(scratch.getUint8(i));
  return hashBytes(bytes);
}

/** c10::hash_combine. */
export function hashCombine(seed: bigint, value: bigint): bigint {
  return seed ^ ((value + GOLDEN + (seed << 6n) + (seed >> 2n)) & MASK);
}
