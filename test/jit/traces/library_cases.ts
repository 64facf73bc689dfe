/** @file The library's modules to trace, made as library_cases.json says; trace_library.py makes PyTorch's. */
import { readFileSync } from "node:fs";
import { nn, torch, type Tensor } from "../../../src/node/index.ts";
import type { TraceCase } from "./trace_case.ts";

type InputSpec = readonly [maker: string, shape: readonly number[]] | readonly InputSpec[];
interface LibraryCase {
  readonly cls: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly inputs: readonly InputSpec[];
  readonly train: boolean;
}

const MAKERS: Readonly<Record<string, (shape: readonly number[]) => Tensor>> = {
  randn: (shape) => torch.randn(shape),
  rand: (shape) => torch.rand(shape),
  ints: (shape) => torch.ones(shape, { dtype: torch.int64 }),
  offsets: ([count]) => torch.from(BigInt64Array.from({ length: count! }, (_, i) => BigInt(3 * i))),
  lengths: (values) => torch.from(BigInt64Array.from(values, () => BigInt(values[0]!))),
};

function input(spec: InputSpec): unknown {
  const [first, second] = spec;
  if (typeof first === "string") return MAKERS[first]!(second as readonly number[]);
  return (spec as readonly InputSpec[]).map(input);
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function make(spec: LibraryCase): TraceCase {
  const options = Object.fromEntries(Object.entries(spec.kwargs).map(([name, value]) => [camelCase(name), value]));
  const Class = (nn as unknown as Record<string, new (...args: unknown[]) => nn.Module>)[spec.cls]!;
  const module = new Class(...spec.args, ...(Object.keys(options).length > 0 ? [options] : []));
  return [module, spec.inputs.map(input), { train: spec.train }];
}

const specs = JSON.parse(readFileSync(new URL("library_cases.json", import.meta.url), "utf8")) as Record<
  string,
  LibraryCase
>;

/** By name. */
export const LIBRARY_CASES: Readonly<Record<string, () => TraceCase>> = Object.fromEntries(
  Object.entries(specs).map(([name, spec]) => [name, () => make(spec)]),
);
