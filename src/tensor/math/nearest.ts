/** @file Logarithm, exponential, powers, sine and cosine of doubles, all but the nearest double in one of some thousand cases. Upstream: none (glibc's, which PyTorch's scalar code calls, are as close). Spec: none.
 *
 * Note [Two doubles]: a table gives the function near the argument as the sum of two doubles, made of whole numbers when it is first
 * asked. What the rest of the argument adds is small beside it, so that its own rounding hardly ever matters; the sum is rounded last. */

/** Binary digits after the point of the whole numbers that the tables are made of. */
const DIGITS = 160n;
const ONE = 1n << DIGITS;

/** The two doubles of a number of `DIGITS` digits. */
function parts(x: bigint): [number, number] {
  const scale = 2 ** -Number(DIGITS);
  const high = Number(x) * scale;
  return [high, Number(x - BigInt(high / scale)) * scale];
}

/** 2 artanh(p / q), the logarithm of (q + p) / (q - p), for p / q at most a third. */
function logOfRatio(p: bigint, q: bigint): bigint {
  let power = (2n * ONE * p) / q;
  let sum = 0n;
  for (let k = 1n; power !== 0n; k += 2n) {
    sum += power / k;
    power = (power * p * p) / (q * q);
  }
  return sum;
}

/** pi by Machin's formula. */
function piDigits(): bigint {
  const arctanOfInverse = (n: bigint): bigint => {
    let sum = 0n;
    for (let power = ONE / n, k = 1n; power !== 0n; power /= -n * n, k += 2n) sum += power / k;
    return sum;
  };
  return 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));
}

/** Points of the table of logarithms between 1 and 2. */
const STEPS = 128;

/** Logarithms of the points around 1, as two doubles, and the inverses that belong to them. */
interface LogTable {
  readonly inverse: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly ln2High: number;
  readonly ln2Low: number;
}
/** The first point: the table goes from below the root of 1/2 to above that of 2. */
const FIRST = -40;
const POINTS = 95;

let logs: LogTable | undefined;

function logTable(): LogTable {
  if (logs) return logs;
  const [inverse, high, low] = [0, 1, 2].map(() => new Float64Array(POINTS)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const unit = 2 ** 20;
  for (let i = 0; i < POINTS; i++) {
    // few digits: the product with the argument is one minus little
    const c = Math.round((unit * STEPS) / (STEPS + FIRST + i));
    inverse[i] = c / unit;
    [high[i], low[i]] = parts(-logOfRatio(BigInt(c) - BigInt(unit), BigInt(c) + BigInt(unit)));
  }
  // with zeros at its end, so that multiples of it are exact
  const ln2 = logOfRatio(1n, 3n);
  const cut = DIGITS - 40n;
  const ln2High = (ln2 >> cut) << cut;
  logs = { inverse, high, low, ln2High: parts(ln2High)[0], ln2Low: parts(ln2 - ln2High)[0] };
  return logs;
}

const bits = new Float64Array(1);
const words = new Uint32Array(bits.buffer);

/** Splits a double into two of 26 digits. */
const SPLITTER = 134217729;

/** What rounding took off `product`, which is a * b. */
function productError(a: number, b: number, product: number): number {
  const scaledA = SPLITTER * a;
  const scaledB = SPLITTER * b;
  const highA = scaledA - (scaledA - a);
  const highB = scaledB - (scaledB - b);
  const lowA = a - highA;
  const lowB = b - highB;
  return lowA * lowB - (product - highA * highB - lowA * highB - highA * lowB);
}

/** What rounding took off `sum`, which is a + b. */
function sumError(a: number, b: number, sum: number): number {
  const part = sum - a;
  return a - (sum - part) + (b - part);
}

/** What the last logarithm has beside its first double. */
let logTail = 0;

/** The first double of the logarithm of a normal number, whose second is `logTail`. */
function logHead(x: number): number {
  const { inverse, high, low, ln2High, ln2Low } = logs ?? logTable();
  bits[0] = x;
  let exponent = (words[1]! >>> 20) - 1023;
  words[1] = (words[1]! & 0xfffff) | 0x3ff00000;
  let m = bits[0]!;
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  const i = Math.round((m - 1) * STEPS) - FIRST;
  const c = inverse[i]!;
  const product = m * c;
  const r = product - 1;
  const whole = exponent * ln2High;
  const base = whole + high[i]!;
  const first = base + r;
  const square = r * r;
  const half = -0.5 * square;
  const sum = first + half;
  const series =
    r * square * (1 / 3 + r * (-0.25 + r * (0.2 + r * (-1 / 6 + r * (1 / 7 + r * (-0.125 + r * (1 / 9)))))));
  const rest =
    sumError(whole, high[i]!, base) +
    sumError(base, r, first) +
    sumError(first, half, sum) -
    0.5 * productError(r, r, square) +
    (1 - r) * productError(m, c, product);
  logTail = series + (rest + exponent * ln2Low + low[i]!);
  return sum;
}

const isNormal = (x: number): boolean => x > 2.3e-308 && x < Infinity;

/** The natural logarithm. */
export function nearestLog(x: number): number {
  return isNormal(x) ? logHead(x) + logTail : Math.log(x);
}

const [LOG10_2_HIGH, LOG10_2_LOW] = [3.01029995663611771306e-1, 3.69423907715893078616e-13];

/** The decimal logarithm, in the steps of glibc's. */
export function log10(x: number): number {
  if (!isNormal(x)) return Math.log10(x);
  bits[0] = x;
  const exponent = (words[1]! >>> 20) - 1023;
  const below = exponent < 0 ? 1 : 0;
  words[1] = (words[1]! & 0xfffff) | ((1023 - below) << 20);
  const whole = exponent + below;
  const z = whole * LOG10_2_LOW + 4.34294481903251816668e-1 * nearestLog(bits[0]!);
  return z + whole * LOG10_2_HIGH;
}

/** Points of the table of powers of two between 1 and 2. */
const OCTAVE = 128;

interface PowerTable {
  readonly high: Float64Array;
  readonly low: Float64Array;
  /** Logarithms of two between two points, in two parts, of which multiples of the first are exact. */
  readonly step: number;
  readonly stepLow: number;
}
let powers: PowerTable | undefined;

function powerTable(): PowerTable {
  if (powers) return powers;
  const [high, low] = [new Float64Array(OCTAVE), new Float64Array(OCTAVE)];
  const step = logOfRatio(1n, 3n) / BigInt(OCTAVE);
  for (let i = 0; i < OCTAVE; i++) {
    const exponent = step * BigInt(i);
    let sum = 0n;
    for (let term = ONE, k = 1n; term !== 0n; k++) {
      sum += term;
      term = (term * exponent) / (k * ONE);
    }
    [high[i], low[i]] = parts(sum);
  }
  const cut = DIGITS - 40n;
  const first = (step >> cut) << cut;
  powers = { high, low, step: parts(first)[0], stepLow: parts(step - first)[0] };
  return powers;
}

/** e to the power x + tail, where the result is a normal number. */
function expOf(x: number, tail: number): number {
  const { high, low, step, stepLow } = powers ?? powerTable();
  const k = Math.round(x * (OCTAVE / Math.LN2));
  const near = x - k * step;
  const second = k * stepLow;
  const r = near - second;
  const rLow = sumError(near, -second, r) + tail;
  const series = r * r * (0.5 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r / 720))));
  const i = k & (OCTAVE - 1);
  const h = high[i]!;
  const product = h * r;
  const sum = h + product;
  const rest =
    sumError(h, product, sum) + productError(h, r, product) + low[i]! * (1 + r) + h * (series + rLow * (1 + r));
  const octave = (k - i) / OCTAVE;
  // 2 ** 1024 is beyond the range
  return octave > 1000 ? (sum + rest) * 2 ** 1000 * 2 ** (octave - 1000) : (sum + rest) * 2 ** octave;
}

/** Exponents whose powers of e are normal numbers. */
const MAX_EXPONENT = 708;

/** The exponential function. */
export function nearestExp(x: number): number {
  return Math.abs(x) < MAX_EXPONENT ? expOf(x, 0) : Math.exp(x);
}

/** x to the power y, as JavaScript's `**` for what is not finite, zero or beyond the range. */
export function nearestPow(x: number, y: number): number {
  const size = Math.abs(x);
  if (!isNormal(size) || (x < 0 && !Number.isInteger(y))) return x ** y;
  if (y === 2) return x * x;
  const head = logHead(size);
  const log = head + logTail;
  const tail = head - log + logTail;
  const exponent = y * log;
  // what is nearer to 0 leaves 1
  if (!(Math.abs(exponent) < MAX_EXPONENT && Math.abs(exponent) > 1e-30)) return x ** y;
  const power = expOf(exponent, productError(y, log, exponent) + y * tail);
  return x < 0 && y % 2 !== 0 ? -power : power;
}

const SMALL_COSH = 0.5 * Math.LN2;

/** The hyperbolic cosine, in the steps of glibc's. */
export function cosh(x: number): number {
  const size = Math.abs(x);
  if (!(size < MAX_EXPONENT)) return Math.cosh(x);
  if (size < SMALL_COSH) {
    const t = Math.expm1(size);
    const w = 1 + t;
    return size < 2 ** -55 ? w : 1 + (t * t) / (w + w);
  }
  const t = nearestExp(size);
  return size < 22 ? 0.5 * t + 0.5 / t : 0.5 * t;
}

/** Points of the table of sines in a whole turn. */
const TURN = 256;

interface SineTable {
  readonly high: Float64Array;
  readonly low: Float64Array;
  /** The distance of two points in three parts, of which multiples of the first two are exact. */
  readonly step0: number;
  readonly step1: number;
  readonly step2: number;
}
let sines: SineTable | undefined;

function sineTable(): SineTable {
  if (sines) return sines;
  const pi = piDigits();
  const [high, low] = [new Float64Array(TURN), new Float64Array(TURN)];
  const quarter = TURN / 4;
  for (let i = 0; i <= quarter; i++) {
    const angle = (pi * BigInt(i)) / BigInt(TURN / 2);
    let sine = 0n;
    for (let term = angle, k = 1n; term !== 0n; k += 2n) {
      sine += term;
      term = (-term * angle * angle) / ((k + 1n) * (k + 2n)) / (ONE * ONE);
    }
    const [h, l] = i === quarter ? [1, 0] : parts(sine);
    for (const [at, sign] of [
      [i, 1],
      [TURN / 2 - i, 1],
      [TURN / 2 + i, -1],
      [(TURN - i) % TURN, -1],
    ] as const) {
      if (at % (TURN / 2) === 0) continue;
      high[at] = sign * h;
      low[at] = sign * l;
    }
  }
  const step = pi / BigInt(TURN / 2);
  const [cut1, cut2] = [DIGITS - 37n, DIGITS - 70n];
  const first = (step >> cut1) << cut1;
  const second = ((step - first) >> cut2) << cut2;
  sines = {
    high,
    low,
    step0: parts(first)[0],
    step1: parts(second)[0],
    step2: parts(step - first - second)[0],
  };
  return sines;
}

/** Angles up to which the distance from a point of the table is exact enough. */
const MAX_ANGLE = 8192;

/** Of an angle: where the turn starts from which the sine is counted, 0 for it, a quarter for the cosine. */
function sineFrom(x: number, start: number): number {
  const { high, low, step0, step1, step2 } = sines ?? sineTable();
  const q = Math.round(x * (TURN / 2 / Math.PI));
  const near = x - q * step0;
  const second = q * step1;
  const b = near - second;
  const bLow = sumError(near, -second, b) - q * step2;
  const i = (q + start) & (TURN - 1);
  const j = (i + TURN / 4) & (TURN - 1);
  const sine = high[i]!;
  const cosine = high[j]!;
  const square = b * b;
  const sineRest = b * square * (-1 / 6 + square * (1 / 120 - square / 5040));
  const cosineRest = square * (-0.5 + square * (1 / 24 - square / 720));
  const product = cosine * b;
  const sum = sine + product;
  const rest = sumError(sine, product, sum) + productError(cosine, b, product) + low[i]! + low[j]! * b + cosine * bLow;
  return sum + (rest + (sine * (cosineRest - b * bLow) + cosine * sineRest));
}

/** The sine of an angle. */
export function nearestSin(x: number): number {
  return Math.abs(x) < MAX_ANGLE && x !== 0 ? sineFrom(x, 0) : Math.sin(x);
}

/** The cosine of an angle. */
export function nearestCos(x: number): number {
  return Math.abs(x) < MAX_ANGLE ? sineFrom(x, TURN / 4) : Math.cos(x);
}
