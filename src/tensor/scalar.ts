/** @file Scalars: how int, float, bool and complex values look where their static type is not known. Upstream: c10/core/Scalar.h. Spec: none.
 *
 * Note [Numbers that say their type]: where the IR knows a type, an int is a `number` (a `bigint` beyond 2^53) and a
 * float is a `number`. Where it does not (Scalar, Any, Union), a number speaks for itself: a safe integer (not -0) is an int,
 * any other number is a float, and only a float with an integral value needs the box `Float`. `boxFloat` makes it,
 * `unboxFloat` takes it off. See docs/adr/0002-int-and-float.md. */

/** A float with an integral value (or -0) among dynamically typed values. */
export class Float {
  /** The number. */
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  valueOf(): number {
    return this.value;
  }
}

/** A complex number. */
export class Complex {
  /** Real part. */
  readonly re: number;
  /** Imaginary part. */
  readonly im: number;
  constructor(re: number, im: number) {
    this.re = re;
    this.im = im;
  }
}

/** A dynamically typed number; see Note [Numbers that say their type]. */
export type Scalar = number | bigint | boolean | Float | Complex;

/** A TorchScript int: a number while it is a safe integer, a bigint (wrapped to 64 bits) beyond. */
export type Int = number | bigint;

/** Gives a statically typed float its dynamic form. */
export function boxFloat(value: number): number | Float {
  return Number.isInteger(value) ? new Float(value) : value;
}

/** Whether a dynamic scalar is an int. */
export function isIntScalar(value: unknown): value is Int {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value) && !Object.is(value, -0));
}

/** Whether a dynamic scalar is a float. */
export function isFloatScalar(value: unknown): value is number | Float {
  return value instanceof Float || (typeof value === "number" && !isIntScalar(value));
}

/** The float value of a real dynamic scalar (int, float or bool). */
export function scalarToNumber(value: Scalar): number {
  if (typeof value === "number") return value;
  if (value instanceof Float) return value.value;
  if (value instanceof Complex) return value.re;
  return Number(value);
}

/** Wraps a bigint to 64 bits and gives back a number where that is exact. */
export function normalizeInt(value: bigint): Int {
  const wrapped = BigInt.asIntN(64, value);
  return wrapped >= -9007199254740991n && wrapped <= 9007199254740991n ? Number(wrapped) : wrapped;
}
