/** Library modules trace to PyTorch's own graphs and code; recorded by make_library_scripts.py. */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test, vi } from "vitest";
import { jit, nn, torch, type Tensor } from "../../src/index.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";
import { makeLibraryModule } from "./library/make_module.ts";

type Input = readonly number[] | readonly ["int", number, ...number[]];
interface Case {
  readonly inputs: readonly Input[];
  readonly graph: string;
  readonly inlined: string;
  readonly code: string;
}
const { cases } = JSON.parse(readFileSync(new URL("./library/traces.json", import.meta.url), "utf8")) as {
  cases: Readonly<Record<string, Partial<Case>>>;
};

const numelOf = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** The same values as `input_of` in modules.py. */
function inputOf(spec: Input): Tensor {
  if (spec[0] === "int") {
    const [, below, ...sizes] = spec as ["int", number, ...number[]];
    const values = BigInt64Array.from({ length: numelOf(sizes) }, (_, i) => BigInt(i % below));
    return torch.from(values, sizes);
  }
  const sizes = spec as readonly number[];
  return torch.from(
    Float32Array.from({ length: numelOf(sizes) }, (_, i) => (i % 11) * 0.0625 + 0.125),
    sizes,
  );
}

// source positions differ, and so do numbers of warnings
const plain = (graph: string): string => graph.replace(/ # \S+:\d+:\d+$/gm, "").replace(/warn_id=\d+/g, "warn_id");

beforeEach(() => {
  resetPythonCu();
  torch.manualSeed(0);
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

test.each(Object.entries(cases).filter(([, found]) => found.graph !== undefined))("%s", (name, recorded) => {
  const module: nn.Module = makeLibraryModule(name).eval();
  const traced = jit.trace(module, recorded.inputs!.map(inputOf), { checkTrace: false });
  expect(traced.code).toBe(recorded.code);
  expect(plain(String(traced.graph))).toBe(plain(recorded.graph!));
  expect(plain(String(traced.inlinedGraph))).toBe(plain(recorded.inlined!));
});
