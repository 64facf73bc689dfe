/** @file Folds of reductions: sums, products, extrema, moments, norms. Upstream: aten/src/ATen/native/cpu/ReduceOpsKernel.cpp, SharedReduceOps.h. Spec: none. */
import { C, cexp, clog } from "../math/complex.ts";
import type { BigFold, ComplexFold, RealFold } from "../reduce.ts";

/** Elements from which four sums pay, which do not wait for each other. */
const MIN_APART = 32;

function sumOf(x: Float64Array, from: number, to: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = from;
  if (to - from >= MIN_APART) {
    for (const end = to - 3; i < end; i += 4) {
      s0 += x[i]!;
      s1 += x[i + 1]!;
      s2 += x[i + 2]!;
      s3 += x[i + 3]!;
    }
  }
  for (; i < to; i++) s0 += x[i]!;
  return s0 + s1 + (s2 + s3);
}

/** Sum in double precision: as accurate as PyTorch's cascade of float32 sums. */
export function sumFold(scale = 1): RealFold {
  let total = 0;
  return {
    start: () => {
      total = 0;
    },
    fold: (x, from, to) => {
      total += sumOf(x, from, to);
    },
    finish: () => total * scale,
    vector: scale === 1 ? { kind: "sum" } : { kind: "sum", finish: (sum) => sum * scale },
  };
}

/** Sum divided by the count. */
export function meanFold(count: number): RealFold {
  const sum = sumFold();
  return {
    start: sum.start,
    fold: sum.fold,
    finish: () => sum.finish() / count,
    vector: { kind: "sum", finish: (total) => total / count },
  };
}

/** Sum of what is not NaN. */
export function nansumFold(): RealFold {
  let total = 0;
  return {
    start: () => {
      total = 0;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) {
        const v = x[i]!;
        if (v === v) total += v;
      }
    },
    finish: () => total,
  };
}

/** Exact integer sum, wrapped by the store. */
export function bigSum(): BigFold {
  let total = 0n;
  return {
    start: () => {
      total = 0n;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) total += x[i]!;
    },
    finish: () => total,
  };
}

/** Product. Folds work on a number of their own: the engine allocates one for every value of a variable that closures share. */
export function prodFold(): RealFold {
  let total = 1;
  return {
    start: () => {
      total = 1;
    },
    fold: (x, from, to) => {
      let product = total;
      for (let i = from; i < to; i++) product *= x[i]!;
      total = product;
    },
    finish: () => total,
    vector: { kind: "prod" },
  };
}

/** A product of integers that reports loss of precision by becoming infinite at the end. */
export function intProdFold(): RealFold {
  let total = 1;
  let lost = false;
  return {
    start: () => {
      total = 1;
      lost = false;
    },
    fold: (x, from, to) => {
      let product = total;
      for (let i = from; i < to; i++) {
        product *= x[i]!;
        if (!(Math.abs(product) <= Number.MAX_SAFE_INTEGER)) lost = true;
      }
      total = product;
    },
    finish: () => (lost ? Infinity : total),
  };
}

/** A sum of integers that reports loss of precision likewise. */
export function intSumFold(): RealFold {
  let total = 0;
  let lost = false;
  return {
    start: () => {
      total = 0;
      lost = false;
    },
    fold: (x, from, to) => {
      let sum = total;
      for (let i = from; i < to; i++) {
        sum += x[i]!;
        if (sum > Number.MAX_SAFE_INTEGER || sum < -Number.MAX_SAFE_INTEGER) lost = true;
      }
      total = sum;
    },
    integers: "sum",
    finish: () => (lost ? Infinity : total),
  };
}

/** Exact integer product modulo 2^64. */
export function bigProd(): BigFold {
  let total = 1n;
  return {
    start: () => {
      total = 1n;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) total = BigInt.asIntN(64, total * x[i]!);
    },
    finish: () => total,
  };
}

/** Largest element; NaN wins. */
export function maxFold(): RealFold {
  let best = -Infinity;
  return {
    start: () => {
      best = -Infinity;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) {
        const v = x[i]!;
        if (v > best || v !== v) best = v;
        if (best !== best) return;
      }
    },
    finish: () => best,
    vector: { kind: "max" },
    integers: "max",
  };
}

/** Smallest element; NaN wins. */
export function minFold(): RealFold {
  let best = Infinity;
  return {
    start: () => {
      best = Infinity;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) {
        const v = x[i]!;
        if (v < best || v !== v) best = v;
        if (best !== best) return;
      }
    },
    finish: () => best,
    vector: { kind: "min" },
    integers: "min",
  };
}

/** Largest or smallest exact integer. */
export function bigExtremum(max: boolean): BigFold {
  let best: bigint | undefined;
  return {
    start: () => {
      best = undefined;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) {
        const v = x[i]!;
        if (best === undefined || (max ? v > best : v < best)) best = v;
      }
    },
    finish: () => best ?? 0n,
  };
}

/** Whether any element is not zero (or, inverted, whether none is zero). */
export function truthFold(all: boolean): RealFold {
  let found = false;
  return {
    start: () => {
      found = false;
    },
    fold: (x, from, to) => {
      if (found) return;
      for (let i = from; i < to; i++) {
        if ((x[i]! === 0) === all) {
          found = true;
          return;
        }
      }
    },
    finish: () => (found !== all ? 1 : 0),
    bytes: (x, from, to) => {
      if (all) found ||= x.subarray(from, to).includes(0);
      else for (let i = from; i < to && !found; i++) found = x[i] !== 0;
    },
  };
}

/** Number of elements that are not zero. */
export function countFold(): RealFold {
  let n = 0;
  return {
    start: () => {
      n = 0;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) if (x[i]! !== 0) n++;
    },
    finish: () => n,
  };
}

/** Mean and sum of squared deviations by Welford's update, per result. */
export function varianceFold(correction: number, takeRoot: boolean): RealFold & { means: number[] } {
  let n = 0;
  let mean = 0;
  let m2 = 0;
  const means: number[] = [];
  return {
    means,
    start: () => {
      n = 0;
      mean = 0;
      m2 = 0;
    },
    fold: (x, from, to) => {
      // the moments of a piece, by two passes, are merged into the whole (Chan's formula)
      const count = to - from;
      if (count === 0) return;
      let s = 0;
      for (let i = from; i < to; i++) s += x[i]!;
      const pieceMean = s / count;
      let q = 0;
      for (let i = from; i < to; i++) {
        const d = x[i]! - pieceMean;
        q += d * d;
      }
      const delta = pieceMean - mean;
      const total = n + count;
      m2 += q + (delta * delta * n * count) / total;
      mean += (delta * count) / total;
      n = total;
    },
    finish: () => {
      const degrees = n - correction;
      const variance = n === 0 ? NaN : m2 / (degrees > 0 ? degrees : 0);
      means.push(n === 0 ? NaN : mean);
      return takeRoot ? Math.sqrt(variance) : variance;
    },
  };
}

/** The p-norm of absolute values. */
export function normFold(p: number): RealFold {
  let total = 0;
  const identity = p === -Infinity ? Infinity : 0;
  const start = (): void => {
    total = identity;
  };
  if (p === Infinity || p === -Infinity) {
    return {
      start,
      fold: (x, from, to) => {
        for (let i = from; i < to; i++) {
          const v = Math.abs(x[i]!);
          if (v !== v || (p > 0 ? v > total : v < total)) total = v;
          if (total !== total) return;
        }
      },
      finish: () => total,
    };
  }
  if (p === 0) {
    return {
      start,
      fold: (x, from, to) => {
        for (let i = from; i < to; i++) if (x[i]! !== 0) total++;
      },
      finish: () => total,
    };
  }
  if (p === 1) {
    return {
      start,
      fold: (x, from, to) => {
        for (let i = from; i < to; i++) total += Math.abs(x[i]!);
      },
      finish: () => total,
    };
  }
  if (p === 2) {
    return {
      start,
      fold: (x, from, to) => {
        for (let i = from; i < to; i++) total += x[i]! * x[i]!;
      },
      finish: () => Math.sqrt(total),
      vector: { kind: "squares", finish: Math.sqrt },
    };
  }
  return {
    start,
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) total += Math.abs(x[i]!) ** p;
    },
    finish: () => total ** (1 / p),
  };
}

/** log(sum(exp(x))), streaming: the largest so far is factored out. */
export function logsumexpFold(exp: (x: number) => number = Math.exp): RealFold {
  let max = -Infinity;
  let sum = 0;
  return {
    start: () => {
      max = -Infinity;
      sum = 0;
    },
    fold: (x, from, to) => {
      for (let i = from; i < to; i++) {
        const v = x[i]!;
        if (v !== v || sum !== sum) {
          sum = NaN;
        } else if (v <= max) {
          if (v !== -Infinity) sum += max === Infinity ? (v === Infinity ? 1 : 0) : exp(v - max);
        } else {
          sum = max === -Infinity ? 1 : v === Infinity ? 1 : sum * exp(max - v) + 1;
          max = v;
        }
      }
    },
    finish: () => (sum !== sum ? NaN : max === Infinity || max === -Infinity ? max : max + Math.log(sum)),
  };
}

/** Complex sum, optionally divided. */
export function complexSum(divisor = 1): ComplexFold {
  let re = 0;
  let im = 0;
  return {
    start: () => {
      re = 0;
      im = 0;
    },
    fold: (r, i, from, to) => {
      for (let k = from; k < to; k++) {
        re += r[k]!;
        im += i[k]!;
      }
    },
    finish: () => [re / divisor, im / divisor],
  };
}

/** Complex product. */
export function complexProd(): ComplexFold {
  let re = 1;
  let im = 0;
  return {
    start: () => {
      re = 1;
      im = 0;
    },
    fold: (r, i, from, to) => {
      for (let k = from; k < to; k++) {
        const t = re * r[k]! - im * i[k]!;
        im = re * i[k]! + im * r[k]!;
        re = t;
      }
    },
    finish: () => [re, im],
  };
}

/** A real fold of absolute values of complex numbers. */
export function ofMagnitudes(fold: RealFold): ComplexFold {
  const one = new Float64Array(1);
  return {
    start: () => fold.start(),
    fold: (r, i, from, to) => {
      for (let k = from; k < to; k++) {
        one[0] = Math.hypot(r[k]!, i[k]!);
        fold.fold(one, 0, 1);
      }
    },
    finish: () => [fold.finish(), 0],
  };
}

/** Variance of complex numbers: that of the real parts plus that of the imaginary parts. */
export function complexVariance(
  correction: number,
  takeRoot: boolean,
): ComplexFold & { meansRe: number[]; meansIm: number[] } {
  const a = varianceFold(correction, false);
  const b = varianceFold(correction, false);
  return {
    meansRe: a.means,
    meansIm: b.means,
    start: () => {
      a.start();
      b.start();
    },
    fold: (r, i, from, to) => {
      a.fold(r, from, to);
      b.fold(i, from, to);
    },
    finish: () => {
      const v = a.finish() + b.finish();
      return [takeRoot ? Math.sqrt(v) : v, 0];
    },
  };
}

/** log(sum(exp(z))) with the largest real part factored out. */
export function complexLogsumexp(): ComplexFold {
  const parts: [number, number][] = [];
  return {
    start: () => {
      parts.length = 0;
    },
    fold: (r, i, from, to) => {
      for (let k = from; k < to; k++) parts.push([r[k]!, i[k]!]);
    },
    finish: () => {
      let max = -Infinity;
      for (const [r] of parts) if (r > max) max = r;
      if (!Number.isFinite(max)) max = 0;
      let re = 0;
      let im = 0;
      for (const [r, i] of parts) {
        cexp(r - max, i);
        re += C.re;
        im += C.im;
      }
      clog(re, im);
      return [C.re + max, C.im];
    },
  };
}
