/** @file Text of floats and strings as C++ streams and PyTorch print them. Upstream: c10/util/StringUtil.cpp. Spec: none. */
import { encodeUtf8 } from "./bytes.ts";

const EXACT_DIGITS = 60; // digits asked for to see whether a decimal expansion ends in an exact half

/** `%.{precision}g` as a C++ stream prints it: round to even, no trailing zeros, exponent of at least two digits. */
export function formatG(value: number, precision: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const sign = value < 0 ? "-" : "";
  const { digits, exponent } = roundDigits(Math.abs(value), precision);
  if (exponent < -4 || exponent >= precision) {
    const mantissa = digits.replace(/0+$/, "");
    const body = mantissa.length > 1 ? `${mantissa[0]}.${mantissa.slice(1)}` : mantissa;
    return `${sign}${body}e${exponentText(exponent)}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits.replace(/0+$/, "")}`;
  const fraction = digits.slice(exponent + 1).replace(/0+$/, "");
  return `${sign}${digits.slice(0, exponent + 1)}${fraction && `.${fraction}`}`;
}

/** `%.{decimals}f`. */
export function formatFixed(value: number, decimals: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (size === 0) return `${sign}${decimals > 0 ? `0.${"0".repeat(decimals)}` : "0"}`;
  if (size >= 1e21) return `${sign}${BigInt(size).toString()}${decimals > 0 ? `.${"0".repeat(decimals)}` : ""}`;
  const exponent = Number(size.toExponential().split("e")[1]);
  if (exponent + decimals + 1 < 0) return `${sign}${decimals > 0 ? `0.${"0".repeat(decimals)}` : "0"}`;
  const exact = size.toFixed(Math.min(100, decimals + 30));
  const point = exact.indexOf(".");
  const rest = exact.slice(point + 1 + decimals);
  // toFixed rounds an exact half up, C rounds it to even
  if (/^50*$/.test(rest)) {
    const kept = exact.slice(0, point) + exact.slice(point + 1, point + 1 + decimals);
    const even = BigInt(kept) % 2n === 0n ? BigInt(kept) : BigInt(kept) + 1n;
    const text = even.toString().padStart(decimals + 1, "0");
    return `${sign}${text.slice(0, text.length - decimals)}${decimals > 0 ? `.${text.slice(-decimals)}` : ""}`;
  }
  return `${sign}${size.toFixed(decimals)}`;
}

/** `%.{decimals}e`, with an exponent of at least two digits. */
export function formatScientific(value: number, decimals: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  if (value === 0) return `${sign}0${decimals > 0 ? `.${"0".repeat(decimals)}` : ""}e+00`;
  const { digits, exponent } = roundDigits(Math.abs(value), decimals + 1);
  return `${sign}${digits[0]}${decimals > 0 ? `.${digits.slice(1)}` : ""}e${exponentText(exponent)}`;
}

function exponentText(exponent: number): string {
  return `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** `precision` significant digits of a positive number and its decimal exponent, halves rounded to even. */
function roundDigits(value: number, precision: number): { digits: string; exponent: number } {
  // one digit more that is no 5 says that this is no half
  if (precision > 1 && precision < EXACT_DIGITS && /[0-46-9]e/.test(value.toExponential(precision))) {
    const [mantissa, power] = value.toExponential(precision - 1).split("e") as [string, string];
    return { digits: mantissa.replace(".", ""), exponent: Number(power) };
  }
  const [mantissa, power] = value.toExponential(EXACT_DIGITS).split("e") as [string, string];
  const all = mantissa.replace(".", "");
  const tail = all.slice(precision);
  const kept = BigInt(all.slice(0, precision));
  const up = /^50*$/.test(tail) ? kept % 2n === 1n : tail >= "5";
  let digits = (up ? kept + 1n : kept).toString();
  let exponent = Number(power);
  if (digits.length > precision) {
    digits = digits.slice(0, precision);
    exponent++;
  }
  return { digits, exponent };
}

const MAX_DIGITS = 17; // digits that give any double back
const INTEGRAL_LIMIT = 1e10; // torch prints integral floats below it as `3.`

/** A float as a literal of TorchScript code and graphs: `1.`, `0.10000000000000001`, `-0.`, `inf`. */
export function floatLiteral(value: number): string {
  if (Math.abs(value) < INTEGRAL_LIMIT && Number.isInteger(value))
    return `${Object.is(value, -0) ? "-" : ""}${Math.abs(value) === 0 ? 0 : value}.`;
  return formatG(value, MAX_DIGITS);
}

/** A float as `print` and messages show it: `1.`, `10000000000.`. */
export function floatText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 9223372036854775808) return `${BigInt(value)}.`;
  return formatG(value, MAX_DIGITS);
}

/** A complex number: `0.+1.j`. */
export function complexText(re: number, im: number): string {
  return `${floatText(re)}${im >= 0 ? "+" : "-"}${floatText(Math.abs(im))}j`;
}

const PLAIN = /^[ !#-&(-[\]-~]*$/; // printable ASCII without quotes and backslashes

const ESCAPES: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  39: "\\'",
  92: "\\\\",
};

/**
 * A string in double quotes. Bytes that ASCII cannot print become three characters that torch computes as if the byte were
 * signed: real octal below 128, other characters above. That is upstream's text, and it is compared byte for byte.
 */
export function quotedString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  let out = '"';
  for (const byte of encodeUtf8(text)) {
    const escape = ESCAPES[byte];
    if (escape !== undefined) out += escape;
    else if (byte >= 32 && byte < 127) out += String.fromCharCode(byte);
    else {
      let rest = byte > 127 ? byte - 256 : byte;
      const low = rest % 8;
      rest = Math.trunc(rest / 8);
      const middle = rest % 8;
      rest = Math.trunc(rest / 8);
      out += `\\${String.fromCharCode(48 + rest, 48 + middle, 48 + low)}`;
    }
  }
  return `${out}"`;
}

/** Python's `repr(float)`: the shortest digits that give the value back. */
export function pythonFloat(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
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
