/** @file Multiplication and addition of doubles with one rounding. Upstream: none. Spec: none. */

/** Splits a double into two of 26 digits. */
const SPLITTER = 134217729;

/** a * b + c, rounded as if once, but for a few cases in 2^53: by the errors of product and sum. */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const [scaledA, scaledB] = [SPLITTER * a, SPLITTER * b];
  const highA = scaledA - (scaledA - a);
  const highB = scaledB - (scaledB - b);
  const [lowA, lowB] = [a - highA, b - highB];
  const productError = lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
  const sum = product + c;
  const part = sum - product;
  const sumError = product - (sum - part) + (c - part);
  const exact = sum + (sumError + productError);
  // splitting overflows where numbers are huge
  return Number.isFinite(exact) ? exact : sum;
}
