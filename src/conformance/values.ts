/** @file VALUEs of case.json: decoding to IValues and comparing. Upstream: none. Spec: none (shared/conformance/README.md). */
import {
  Complex,
  DTYPES,
  Device,
  EnumValue,
  Float,
  ScriptObject,
  Tensor,
  dynamicTypeOf,
  tagDynamicType,
  torch,
  tupleOf,
  type DType,
} from "../index.ts";

/** A VALUE as it stands in a case. */
export interface CaseValue {
  readonly t: string;
  readonly v?: unknown;
  readonly dtype?: string;
  readonly shape?: readonly number[];
  readonly data?: string;
  readonly requires_grad?: boolean;
  readonly qscheme?: string;
  readonly scale?: number;
  readonly zero_point?: number;
  readonly scales?: CaseValue;
  readonly zero_points?: CaseValue;
  readonly axis?: number;
  readonly indices?: CaseValue;
  readonly values?: CaseValue;
  readonly coalesced?: boolean;
  readonly name?: string;
  readonly class?: string;
  readonly fields?: readonly string[];
}

function numberOf(v: unknown): number {
  if (v === "nan") return NaN;
  if (v === "inf") return Infinity;
  if (v === "-inf") return -Infinity;
  return Number(v);
}

function intOf(v: unknown): number | bigint {
  const big = BigInt(v as string);
  return Number.isSafeInteger(Number(big)) ? Number(big) : big;
}

function dtypeOf(name: string): DType {
  const dtype = (DTYPES as Readonly<Record<string, DType>>)[name];
  if (!dtype) throw new Error(`unknown dtype "${name}" in a case`);
  return dtype;
}

function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}

/** Decodes an input. Each call makes new tensors. */
export function decode(value: CaseValue): unknown {
  switch (value.t) {
    case "tensor": {
      const tensor = torch.fromBytes(bytesOf(value.data!), value.shape!, dtypeOf(value.dtype!));
      tensor.requiresGrad = value.requires_grad === true;
      if (value.qscheme === "per_tensor_affine") {
        tensor.quantizer = { scheme: "per_tensor_affine", scale: value.scale!, zeroPoint: value.zero_point! };
      } else if (value.qscheme !== undefined) {
        tensor.quantizer = {
          scheme: value.qscheme as "per_channel_affine",
          scales: decode(value.scales!) as Tensor,
          zeroPoints: decode(value.zero_points!) as Tensor,
          axis: value.axis!,
        };
      }
      return tensor;
    }
    case "int":
      return intOf(value.v);
    case "float": {
      const n = numberOf(value.v);
      return Number.isInteger(n) ? new Float(n) : n;
    }
    case "complex":
      return new Complex(numberOf((value.v as unknown[])[0]), numberOf((value.v as unknown[])[1]));
    case "bool":
    case "str":
      return value.v;
    case "none":
      return null;
    case "list":
      return (value.v as CaseValue[]).map(decode);
    case "tuple": {
      // a tuple is an array that says so where the method takes anything
      const items = (value.v as CaseValue[]).map(decode);
      tagDynamicType(items, tupleOf(items.map(dynamicTypeOf)));
      return items;
    }
    case "dict":
      return new Map((value.v as [CaseValue, CaseValue][]).map(([k, v]) => [plainKey(decode(k)), decode(v)]));
    case "device": {
      const [type, index] = String(value.v).split(":");
      return new Device(type!, index === undefined ? undefined : Number(index));
    }
    case "dtype":
      return dtypeOf(String(value.v).replace("torch.", "")).id;
    case "sparse_coo": {
      const values = decode(value.values!) as Tensor;
      const tensor = new Tensor(
        torch.fromBytes(new Uint8Array(0), [0], values.dtype).storage,
        values.dtype,
        value.shape!,
        value.shape!.map(() => 0),
        0,
      );
      tensor.sparse = {
        layout: "sparse_coo",
        indices: decode(value.indices!) as Tensor,
        values,
        coalesced: value.coalesced === true,
      };
      return tensor;
    }
    default:
      throw new Error(`cannot decode a value of kind "${value.t}"`);
  }
}

function plainKey(key: unknown): unknown {
  return key instanceof Float ? key.value : key;
}

/** How close floating results must be. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

function close(a: number, b: number, { rtol, atol }: Tolerance): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= atol + rtol * Math.abs(b);
}

/** Why two tensors differ, or undefined. `expected` may stand on the right only. */
export function tensorDifference(actual: unknown, expected: Tensor, tolerance: Tolerance): string | undefined {
  if (!(actual instanceof Tensor)) return `found ${describe(actual)}, expected a tensor`;
  if (actual.dtype !== expected.dtype) return `dtype ${actual.dtype.name}, expected ${expected.dtype.name}`;
  if (actual.sizes.length !== expected.sizes.length || actual.sizes.some((s, i) => s !== expected.sizes[i])) {
    return `shape [${actual.sizes.join(", ")}], expected [${expected.sizes.join(", ")}]`;
  }
  if (expected.quantizer?.scheme === "per_tensor_affine") {
    const q = actual.quantizer;
    if (
      q?.scheme !== "per_tensor_affine" ||
      !close(q.scale, expected.quantizer.scale, tolerance) ||
      q.zeroPoint !== expected.quantizer.zeroPoint
    ) {
      return "quantizer differs";
    }
  }
  const a = torch.flatValues(actual);
  const b = torch.flatValues(expected);
  const exact = expected.dtype.category === "int" || expected.dtype.category === "bool";
  let worst = "";
  let count = 0;
  let worstBy = -1;
  for (let i = 0; i < b.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    const ok =
      typeof x === "bigint" || typeof y === "bigint"
        ? BigInt(x) === BigInt(y)
        : exact
          ? x === y
          : close(x, y, tolerance);
    if (ok) continue;
    count++;
    const by = Math.abs(Number(x) - Number(y));
    if (by > worstBy || worst === "") {
      worstBy = by;
      worst = `element ${i} is ${x}, expected ${y}`;
    }
  }
  return count === 0 ? undefined : `${count} of ${b.length} elements differ; ${worst}`;
}

function describe(value: unknown): string {
  if (value === null) return "None";
  if (value instanceof Tensor) return `a ${value.dtype.name} tensor`;
  if (Array.isArray(value)) return `[${value.map(describe).join(", ")}]`.slice(0, 80);
  if (value instanceof Map) return "a dict";
  if (value instanceof ScriptObject) return `an object of ${value.type.name.qualifiedName}`;
  return `${typeof value} ${String(value).slice(0, 60)}`;
}

/** Why a result differs from the expected VALUE, or undefined. */
export function difference(
  actual: unknown,
  expected: CaseValue,
  tolerance: Tolerance,
  path = "result",
): string | undefined {
  const fail = (what: string): string => `${path}: ${what}`;
  switch (expected.t) {
    case "tensor": {
      const why = tensorDifference(actual, decode(expected) as Tensor, tolerance);
      return why === undefined ? undefined : fail(why);
    }
    case "sparse_coo": {
      const parts = actual instanceof Tensor ? actual.sparse : undefined;
      if (parts?.layout !== "sparse_coo") return fail(`found ${describe(actual)}, expected a sparse tensor`);
      return (
        difference(parts.indices, expected.indices!, tolerance, `${path}.indices`) ??
        difference(parts.values, expected.values!, tolerance, `${path}.values`)
      );
    }
    case "int": {
      const ok =
        (typeof actual === "number" || typeof actual === "bigint") &&
        BigInt(Number.isInteger(actual) || typeof actual === "bigint" ? actual : 0) === BigInt(expected.v as string) &&
        (typeof actual === "bigint" || Number.isInteger(actual));
      return ok ? undefined : fail(`found ${describe(actual)}, expected int ${String(expected.v)}`);
    }
    case "float": {
      const n = actual instanceof Float ? actual.value : actual;
      return typeof n === "number" && close(n, numberOf(expected.v), tolerance)
        ? undefined
        : fail(`found ${describe(actual)}, expected float ${String(expected.v)}`);
    }
    case "complex": {
      const [re, im] = (expected.v as unknown[]).map(numberOf);
      const ok = actual instanceof Complex && close(actual.re, re!, tolerance) && close(actual.im, im!, tolerance);
      return ok ? undefined : fail(`found ${describe(actual)}, expected complex ${re}, ${im}`);
    }
    case "bool":
    case "str":
      return actual === expected.v
        ? undefined
        : fail(`found ${describe(actual)}, expected ${JSON.stringify(expected.v)}`);
    case "none":
      return actual === null || actual === undefined ? undefined : fail(`found ${describe(actual)}, expected None`);
    case "list":
    case "tuple": {
      const items = expected.v as CaseValue[];
      if (!Array.isArray(actual) || actual.length !== items.length)
        return fail(`found ${describe(actual)}, expected ${items.length} elements`);
      for (let i = 0; i < items.length; i++) {
        const why = difference(actual[i], items[i]!, tolerance, `${path}[${i}]`);
        if (why !== undefined) return why;
      }
      return undefined;
    }
    case "dict": {
      const items = expected.v as [CaseValue, CaseValue][];
      if (!(actual instanceof Map) || actual.size !== items.length)
        return fail(`found ${describe(actual)}, expected a dict of ${items.length}`);
      const have = [...(actual as Map<unknown, unknown>)];
      for (let i = 0; i < items.length; i++) {
        const [key, value] = items[i]!;
        const at = have.findIndex(([k]) => difference(k, key, tolerance) === undefined);
        if (at < 0) return fail(`key ${JSON.stringify(key.v)} is missing`);
        const why = difference(have[at]![1], value, tolerance, `${path}[${JSON.stringify(key.v)}]`);
        if (why !== undefined) return why;
      }
      return undefined;
    }
    case "device":
      return String(actual) === String(expected.v)
        ? undefined
        : fail(`found ${describe(actual)}, expected device ${String(expected.v)}`);
    case "dtype":
      return actual === decode(expected)
        ? undefined
        : fail(`found ${describe(actual)}, expected ${String(expected.v)}`);
    case "layout":
    case "memory_format":
      return undefined;
    case "enum":
      return actual instanceof EnumValue && actual.name === expected.name
        ? undefined
        : fail(`found ${describe(actual)}, expected enum ${expected.name}`);
    default:
      return fail(`cannot compare a value of kind "${expected.t}"`);
  }
}
