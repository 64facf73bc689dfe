/** @file Orthogonal polynomials by three-term recurrences. Upstream: aten/src/ATen/native/Math.h. Spec: none. */

/** Rounds every step to the dtype, fused where PyTorch's build fuses: loss then happens where PyTorch has it. */
export type Rounding = (x: number) => number;

/** Order of a polynomial from a float argument: what C++ makes of it as an int64. */
function order(n: number): number {
  return Math.abs(n) < 2 ** 63 ? Math.trunc(n) : -1;
}

/** Steps of a recurrence beyond which the result counts as lost: no input may hang a kernel. */
const MAX_STEPS = 10_000_000;

function odd(n: number): boolean {
  return n % 2 !== 0;
}

/** The Chebyshev recurrence from degrees 0 and 1. */
function chebyshevFrom(p0: number, q0: number, twoX: number, n: number, round: Rounding): number {
  if (n === 0) return p0;
  let p = p0;
  let q = q0;
  if (n > MAX_STEPS) return NaN;
  for (let k = 2; k <= n && q === q; k++) {
    const r = round(twoX * q - p);
    p = q;
    q = r;
  }
  return q;
}

/** Chebyshev polynomials of the four kinds, on [-1, 1]; `shortcut` is the degree beyond which the cosine form is used. */
function chebyshevKind(kind: "t" | "u" | "v" | "w", x: number, n: number, shortcut: number, round: Rounding): number {
  if (n < 0) return 0;
  if (Math.abs(x) === 1) {
    const positive = x > 0;
    const even = odd(n) ? -1 : 1;
    if (kind === "t") return positive ? 1 : even;
    if (kind === "u") return positive ? n + 1 : even * (n + 1);
    if (kind === "v") return positive ? 1 : even * (2 * n + 1);
    return positive ? 2 * n + 1 : even;
  }
  if (n > shortcut && Math.abs(x) < 1) {
    const a = round(Math.acos(x));
    if (kind === "t") return Math.cos(round(n * a));
    if (kind === "u") return round(Math.sin(round((n + 1) * a))) / round(Math.sin(a));
    const angle = round((n + 0.5) * a);
    return kind === "v"
      ? round(Math.cos(angle)) / round(Math.cos(a / 2))
      : round(Math.sin(angle)) / round(Math.sin(a / 2));
  }
  const first = kind === "t" ? x : kind === "u" ? 2 * x : kind === "v" ? 2 * x - 1 : 2 * x + 1;
  return chebyshevFrom(1, round(first), 2 * x, n, round);
}

/** A polynomial of degree `n` at `x`. */
export type Polynomial = (x: number, n: number, round: Rounding, hermiteLimit: number) => number;

/** Every family, by the operator's name. */
export const POLYNOMIALS: Readonly<Record<string, Polynomial>> = {
  chebyshev_polynomial_t: (x, n, round) => chebyshevKind("t", x, order(n), 6, round),
  chebyshev_polynomial_u: (x, n, round) => chebyshevKind("u", x, order(n), 8, round),
  chebyshev_polynomial_v: (x, n, round) => chebyshevKind("v", x, order(n), 8, round),
  chebyshev_polynomial_w: (x, n, round) => chebyshevKind("w", x, order(n), 8, round),
  shifted_chebyshev_polynomial_t: (x, n, round) => chebyshevKind("t", round(2 * x - 1), order(n), 6, round),
  shifted_chebyshev_polynomial_u: (x, n, round) => chebyshevKind("u", round(2 * x - 1), order(n), 6, round),
  shifted_chebyshev_polynomial_v: (x, n, round) => chebyshevKind("v", round(2 * x - 1), order(n), 6, round),
  shifted_chebyshev_polynomial_w: (x, n, round) => chebyshevKind("w", round(2 * x - 1), order(n), 4, round),
  hermite_polynomial_h: (x, degree, round, limit) => {
    const n = order(degree);
    if (n < 0) return 0;
    if (n === 0) return 1;
    if (n > limit) return NaN;
    let p = 1;
    let q = round(2 * x);
    for (let k = 2; k < 2 * n; k += 2) {
      const r = round(2 * x * q - round(k * p));
      p = q;
      q = r;
    }
    return q;
  },
  hermite_polynomial_he: (x, degree, round, limit) => {
    const n = order(degree);
    if (n < 0) return 0;
    if (n === 0) return 1;
    if (n > limit) return NaN;
    let p = 1;
    let q = x;
    for (let k = 1; k < n; k++) {
      const r = round(x * q - round(k * p));
      p = q;
      q = r;
    }
    return q;
  },
  laguerre_polynomial_l: (x, degree, round) => {
    const n = order(degree);
    if (n < 0) return 0;
    if (x === 0 || n === 0) return 1;
    let p = 1;
    let q = round(1 - x);
    if (n > MAX_STEPS) return NaN;
    const first = q;
    for (let k = 1; k < n && q === q; k++) {
      const r = round(round(round(2 * k + first) * q - round(k * p)) / (k + 1));
      p = q;
      q = r;
    }
    return q;
  },
  legendre_polynomial_p: (x, degree, round) => {
    const n = order(degree);
    if (n < 0) return 0;
    if (Math.abs(x) === 1) return x > 0 || !odd(n) ? 1 : -1;
    if (n === 0) return 1;
    let p = 1;
    let q = x;
    if (n > MAX_STEPS) return NaN;
    for (let k = 1; k < n && q === q; k++) {
      const r = round(round(round((2 * k + 1) * x) * q - round(k * p)) / (k + 1));
      p = q;
      q = r;
    }
    return q;
  },
};
