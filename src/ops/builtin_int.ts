/** @file Integer operators: 64-bit arithmetic that wraps, floor division, bits, bases. Upstream: torch/csrc/jit/runtime/register_prim_ops.cpp, register_ops_utils.h. Spec: none. See docs/adr/0002-int-and-float.md. */
import { OperatorError } from "../base/errors.ts";
import { builtin } from "../core/operator_registry.ts";
import { normalizeInt, type Int } from "../tensor/scalar.ts";

/** A sum, wrapped to 64 bits. */
export function addInt(a: Int, b: Int): Int {
  if (typeof a === "number" && typeof b === "number") {
    const r = a + b;
    if (Number.isSafeInteger(r)) return r;
  }
  return normalizeInt(BigInt(a) + BigInt(b));
}

/** A difference, wrapped to 64 bits. */
export function subInt(a: Int, b: Int): Int {
  if (typeof a === "number" && typeof b === "number") {
    const r = a - b;
    if (Number.isSafeInteger(r)) return r;
  }
  return normalizeInt(BigInt(a) - BigInt(b));
}

/** A product, wrapped to 64 bits. */
export function mulInt(a: Int, b: Int): Int {
  if (typeof a === "number" && typeof b === "number") {
    const r = a * b;
    if (Number.isSafeInteger(r)) return r + 0;
  }
  return normalizeInt(BigInt(a) * BigInt(b));
}

export function negInt(a: Int): Int {
  return typeof a === "number" ? 0 - a : normalizeInt(-a);
}

export function absInt(a: Int): Int {
  return a < 0 ? negInt(a) : a;
}

/** Division that rounds down. */
export function floordivInt(a: Int, b: Int): Int {
  if (b == 0) throw new OperatorError("division by 0");
  if (typeof a === "number" && typeof b === "number") {
    // the quotient of an exact division is exact
    const r = a % b;
    const q = (a - r) / b;
    return (r !== 0 && r < 0 !== b < 0 ? q - 1 : q) + 0;
  }
  const x = BigInt(a);
  const y = BigInt(b);
  const r = x % y;
  return normalizeInt(r !== 0n && r < 0n !== y < 0n ? x / y - 1n : x / y);
}

/** The remainder with the divisor's sign. PyTorch's process dies of a zero divisor; this throws. */
export function remainderInt(a: Int, b: Int): Int {
  if (b == 0) throw new OperatorError("ZeroDivisionError: integer division or modulo by zero");
  if (typeof a === "number" && typeof b === "number") {
    const r = a % b;
    return (r !== 0 && r < 0 !== b < 0 ? r + b : r) + 0;
  }
  const y = BigInt(b);
  const r = BigInt(a) % y;
  return normalizeInt(r !== 0n && r < 0n !== y < 0n ? r + y : r);
}

/** The quotient towards zero. */
function truncdivInt(a: Int, b: Int): Int {
  if (b == 0) throw new OperatorError("ZeroDivisionError: integer division or modulo by zero");
  return normalizeInt(BigInt(a) / BigInt(b));
}

/** Shift counts beyond 63 wrap, as the processor does it. */
function shiftLeft(a: Int, b: Int): Int {
  return normalizeInt(BigInt(a) << (BigInt(b) & 63n));
}
function shiftRight(a: Int, b: Int): Int {
  return normalizeInt(BigInt(a) >> (BigInt(b) & 63n));
}

const fits32 = (a: Int, b: Int): boolean =>
  (a as number) === ((a as number) | 0) && (b as number) === ((b as number) | 0);
function bitwise(small: (a: number, b: number) => number, big: (a: bigint, b: bigint) => bigint) {
  return (a: Int, b: Int): Int =>
    typeof a === "number" && typeof b === "number" && fits32(a, b)
      ? small(a, b)
      : normalizeInt(big(BigInt(a), BigInt(b)));
}

/** The greatest common divisor, not negative. */
function gcdInt(a: Int, b: Int): Int {
  let x = BigInt(a);
  let y = BigInt(b);
  while (y !== 0n) [x, y] = [y, x % y];
  return normalizeInt(x < 0n ? -x : x);
}

builtin("aten::add.int(int a, int b) -> int", addInt);
builtin("aten::sub.int(int a, int b) -> int", subInt);
builtin("aten::mul.int(int a, int b) -> int", mulInt);
builtin("aten::neg.int(int a) -> int", negInt);
builtin("prim::abs.int(int a) -> int", absInt);
builtin("aten::floordiv.int(int a, int b) -> int", floordivInt);
builtin("aten::remainder.int(int a, int b) -> int", remainderInt);
builtin("aten::__round_to_zero_floordiv.int(int a, int b) -> int", truncdivInt);
builtin(
  "aten::__and__.int(int a, int b) -> int",
  bitwise(
    (a, b) => a & b,
    (a, b) => a & b,
  ),
);
builtin(
  "aten::__or__.int(int a, int b) -> int",
  bitwise(
    (a, b) => a | b,
    (a, b) => a | b,
  ),
);
builtin(
  "aten::__xor__.int(int a, int b) -> int",
  bitwise(
    (a, b) => a ^ b,
    (a, b) => a ^ b,
  ),
);
builtin("aten::__lshift__.int(int a, int b) -> int", shiftLeft);
builtin("aten::__rshift__.int(int a, int b) -> int", shiftRight);
builtin("aten::gcd.int(int a, int b) -> int", gcdInt);
builtin("aten::divmod.int(int x, int y) -> (int, int)", (a: Int, b: Int) => {
  if (b == 0) throw new OperatorError("ZeroDivisionError: integer division or modulo by zero");
  return [floordivInt(a, b), remainderInt(a, b)];
});
builtin("aten::factorial.int(int a) -> int", (a: Int) => {
  if (a < 0) throw new OperatorError("factorial() not defined for negative values");
  // 66! and above are multiples of 2^64
  let product = 1n;
  for (let i = 2n; i <= BigInt(a) && i <= 66n; i++) product = BigInt.asIntN(64, product * i);
  return normalizeInt(product);
});

function based(value: Int, radix: number, prefix: string): string {
  const v = BigInt(value);
  return `${v < 0n ? "-" : ""}0${prefix}${(v < 0n ? -v : v).toString(radix)}`;
}
builtin("aten::hex(int i) -> str", (i: Int) => based(i, 16, "x"));
builtin("aten::oct(int i) -> str", (i: Int) => based(i, 8, "o"));
builtin("aten::bin(int i) -> str", (i: Int) => based(i, 2, "b"));

builtin("aten::__range_length(int lo, int hi, int step) -> int", (lo: Int, hi: Int, step: Int) => {
  if (step == 0) throw new OperatorError("range() arg 3 must not be zero");
  if (typeof lo === "number" && typeof hi === "number" && typeof step === "number") {
    const span = step > 0 ? hi - lo : lo - hi;
    if (span <= 0) return 0;
    if (Number.isSafeInteger(span)) return (span - 1 - ((span - 1) % Math.abs(step))) / Math.abs(step) + 1;
  }
  const span = step > 0 ? BigInt(hi) - BigInt(lo) : BigInt(lo) - BigInt(hi);
  if (span <= 0n) return 0;
  const by = BigInt(step) < 0n ? -BigInt(step) : BigInt(step);
  return normalizeInt(1n + (span - 1n) / by);
});
builtin("aten::__derive_index(int index, int start, int step) -> int", (index: Int, start: Int, step: Int) =>
  addInt(start, mulInt(index, step)),
);
