/** @file Values of Python as library texts see them while a trace runs them: tuples, sizes that are tensors, operators of the language. Upstream: torch/_tensor.py, torch/csrc/Size.cpp. Spec: none.
 *
 * Note [Python values]: None is null, an int is a number, a float is boxed where it is whole, a list is an array, a tuple is an array
 * that `tuple` made; sizes are tensors without dimensions, as Python's are while a trace runs. */
import { ScriptError } from "../../base/errors.ts";
import { contiguousData } from "../../tensor/data.ts";
import { Float, boxFloat } from "../../tensor/scalar.ts";
import { traceListener } from "../../tensor/trace_listener.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { callByName } from "../../torch/eager_call.ts";

const tuples = new WeakSet<readonly unknown[]>();

/** A tuple of items. */
export function tuple(items: readonly unknown[]): readonly unknown[] {
  const copy = [...items];
  tuples.add(copy);
  return copy;
}

/** Whether an array is a tuple. */
export function isTuple(value: unknown): boolean {
  return Array.isArray(value) && tuples.has(value);
}

/** `tensor.size()`: all sizes, each a tensor of the trace. */
export function sizesOf(tensor: Tensor): readonly unknown[] {
  return tuple(tensor.sizes.map((size, dim) => traceListener()?.sizeTensor(tensor, dim) ?? size));
}

/** `tensor.size(dim)`. */
export function sizeOf(tensor: Tensor, dim: number): unknown {
  return traceListener()?.sizeTensor(tensor, dim) ?? tensor.sizes[dim < 0 ? dim + tensor.ndim : dim];
}

/** The number of a Python number or a tensor with one element. */
export function numberOf(value: unknown): number {
  if (value instanceof Tensor) return Number(contiguousData(value)[0]);
  if (value instanceof Float) return value.value;
  return Number(value);
}

/** Whether a value counts as true. */
export function truth(value: unknown): boolean {
  if (value instanceof Tensor) return numberOf(value) !== 0;
  if (value instanceof Float) return value.value !== 0;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return true;
  return Boolean(value);
}

function isFloat(value: unknown): boolean {
  return value instanceof Float || (typeof value === "number" && !Number.isInteger(value));
}

const aten = (name: string, ...args: unknown[]): Tensor => callByName(name, args) as Tensor;

const OPERATORS: Readonly<Record<string, readonly [operator: string, reflected: string]>> = {
  "+": ["add", "add"],
  "-": ["sub", "rsub"],
  "*": ["mul", "mul"],
  "/": ["div", "rdiv"],
  "//": ["floor_divide", "rfloordiv"],
  "%": ["remainder", "rmod"],
  "**": ["pow", "rpow"],
  "@": ["matmul", "rmatmul"],
  "<": ["lt", "gt"],
  "<=": ["le", "ge"],
  ">": ["gt", "lt"],
  ">=": ["ge", "le"],
  "==": ["eq", "eq"],
  "!=": ["ne", "ne"],
};

/** A binary operator of the language. */
export function binary(op: string, left: unknown, right: unknown): unknown {
  if (left instanceof Tensor || right instanceof Tensor) {
    const names = OPERATORS[op];
    if (names && comparable(left, right)) return tensorBinary(op, names, left, right);
  }
  if (op === "==" || op === "!=") return equals(left, right) === (op === "==");
  if (typeof left === "string" && typeof right === "string" && op === "+") return left + right;
  if (Array.isArray(left) && Array.isArray(right) && op === "+") {
    const joined = [...(left as unknown[]), ...(right as unknown[])];
    return isTuple(left) ? tuple(joined) : joined;
  }
  if (Array.isArray(left) && op === "*") {
    const count = numberOf(right);
    return Array.from({ length: Math.max(count, 0) }, () => left as unknown[]).flat();
  }
  return arithmetic(op, left, right);
}

// a tensor is compared with numbers and tensors; with anything else it is just not equal
function comparable(left: unknown, right: unknown): boolean {
  const isNumber = (value: unknown): boolean =>
    value instanceof Tensor || value instanceof Float || typeof value === "number" || typeof value === "boolean";
  return isNumber(left) && isNumber(right);
}

function tensorBinary(op: string, [name, reflected]: readonly [string, string], left: unknown, right: unknown): Tensor {
  if (left instanceof Tensor) return aten(name, left, right);
  if (op === "/") return aten("mul", aten("reciprocal", right), left);
  if (reflected.startsWith("r") && reflected !== "rsub")
    throw new ScriptError(`Cannot trace a number ${op} a tensor in a library text`);
  return aten(reflected, right, left);
}

function arithmetic(op: string, left: unknown, right: unknown): unknown {
  const a = numberOf(left);
  const b = numberOf(right);
  const float = isFloat(left) || isFloat(right);
  const result = (value: number): unknown => (float ? boxFloat(value) : value);
  switch (op) {
    case "+":
      return result(a + b);
    case "-":
      return result(a - b);
    case "*":
      return result(a * b);
    case "/":
      return boxFloat(a / b);
    case "//":
      return result(Math.floor(a / b));
    case "%":
      return result(a - Math.floor(a / b) * b);
    case "**":
      return result(a ** b);
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      throw new ScriptError(`Cannot trace the operator ${op} in a library text`);
  }
}

/** `left == right`; what is compared of tensors is recorded, item by item up to the first that differs. */
export function equals(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    for (let i = 0; i < left.length && i < right.length; i++) if (!equals(left[i], right[i])) return false;
    return left.length === right.length;
  }
  if ((left instanceof Tensor || right instanceof Tensor) && comparable(left, right))
    return truth(tensorBinary("==", ["eq", "eq"], left, right));
  if (left instanceof Float || right instanceof Float) return numberOf(left) === numberOf(right);
  return false;
}

/** `target op= value`: in place where the target is a tensor. */
export function augmented(op: string, left: unknown, right: unknown): unknown {
  const names = OPERATORS[op];
  if (left instanceof Tensor && names) return aten(`${names[0]}_`, left, right);
  return binary(op, left, right);
}

/** `-value`, `not value`. */
export function unary(op: string, value: unknown): unknown {
  if (op === "not") return !truth(value);
  if (value instanceof Tensor) return aten(op === "-" ? "neg" : "bitwise_not", value);
  return isFloat(value) ? boxFloat(-numberOf(value)) : -numberOf(value);
}

/** The integers of `range(...)`; bounds that are tensors give their numbers. */
export function range(...bounds: readonly unknown[]): number[] {
  const [first, second, step = 1] = bounds.map(numberOf);
  const [start, end] = second === undefined ? [0, first!] : [first!, second];
  const found: number[] = [];
  for (let i = start; step > 0 ? i < end : i > end; i += step) found.push(i);
  return found;
}

/** The text of a value in a message. */
export function textOf(value: unknown): string {
  if (value === null) return "None";
  if (value instanceof Tensor && value.ndim === 0) return String(numberOf(value));
  if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`;
  if (value instanceof Float) return value.value.toFixed(1);
  return String(value);
}
