/** @file Numbers as Python formats them: repr, fixed and scientific notation with round-half-even. Upstream: none (CPython float formatting). Spec: none. */

/** Digits that settle a tie: a double cannot differ from a tie further out. */
const GUARD = 40;

function special(x: number): string | undefined {
  if (x !== x) return "nan";
  if (x === Infinity) return "inf";
  return x === -Infinity ? "-inf" : undefined;
}

/** Rounds the decimal digits of `integer.fraction` to `digits` decimals; ties go to even. */
function roundDecimal(text: string, digits: number): string {
  const dot = text.indexOf(".");
  const kept = text.slice(0, dot + 1 + digits);
  const rest = text.slice(dot + 1 + digits);
  const whole = BigInt(kept.replace(".", ""));
  const half = "5".padEnd(rest.length, "0");
  const up = rest > half || (rest === half && whole % 2n === 1n);
  const scaled = (up ? whole + 1n : whole).toString().padStart(digits + 1, "0");
  return digits === 0 ? scaled : `${scaled.slice(0, -digits)}.${scaled.slice(-digits)}`;
}

/** Python's `f"{x:.{digits}f}"`. */
export function formatFixed(x: number, digits: number): string {
  const text = special(x);
  if (text !== undefined) return text;
  const sign = x < 0 || Object.is(x, -0) ? "-" : "";
  const a = Math.abs(x);
  if (a >= 1e21) return `${sign}${BigInt(a).toString()}${digits > 0 ? `.${"0".repeat(digits)}` : ""}`;
  return sign + roundDecimal(a.toFixed(digits + GUARD), digits);
}

/** Python's `f"{x:.{digits}e}"`. */
export function formatScientific(x: number, digits: number): string {
  const text = special(x);
  if (text !== undefined) return text;
  const sign = x < 0 || Object.is(x, -0) ? "-" : "";
  const [mantissa, power] = Math.abs(x)
    .toExponential(digits + GUARD)
    .split("e") as [string, string];
  let exponent = Number(power);
  let rounded = roundDecimal(mantissa, digits);
  if (rounded.startsWith("10")) {
    exponent++;
    rounded = digits === 0 ? "1" : `1.${"0".repeat(digits)}`;
  }
  const size = Math.abs(exponent);
  return `${sign}${rounded}e${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
}

/** Python's `repr(float)`: the shortest digits that give the value back. */
export function pythonFloat(x: number): string {
  const text = special(x);
  if (text !== undefined) return text;
  if (x === 0) return Object.is(x, -0) ? "-0.0" : "0.0";
  const sign = x < 0 ? "-" : "";
  const [mantissa, power] = Math.abs(x).toExponential().split("e") as [string, string];
  const exponent = Number(power);
  const digits = mantissa.replace(".", "");
  if (exponent < -4 || exponent >= 16) {
    const size = Math.abs(exponent);
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${tail}e${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const padded = digits.padEnd(exponent + 1, "0");
  return `${sign}${padded.slice(0, exponent + 1)}.${padded.slice(exponent + 1) || "0"}`;
}
