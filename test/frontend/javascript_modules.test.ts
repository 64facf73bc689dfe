/** @file Modules written in TypeScript compile to the graphs and the code that PyTorch makes of their Python twins, and run to what they give eagerly. */
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { Tensor, jit, nn, torch } from "../../src/node/index.ts";
import { resetPythonCu } from "../../src/jit/python_cu.ts";
import { MODULES } from "./javascript_modules.ts";

interface Twin {
  readonly str: string;
  readonly methods: Readonly<Record<string, { readonly code: string; readonly graph: string }>>;
}
const recorded = JSON.parse(readFileSync(new URL("javascript_modules.json", import.meta.url), "utf8")) as Record<
  string,
  Twin
>;

function plain(text: unknown): string {
  return String(text)
    .replace(/ # .*$/gm, "")
    .replace(/___torch_mangle_\d+\./g, "");
}

function shown(value: unknown): string {
  if (value instanceof Tensor) return `${value.dtype.name} ${String(value)}`;
  return Array.isArray(value) ? `[${value.map(shown).join(", ")}]` : String(value);
}

beforeEach(() => resetPythonCu());

describe.each(Object.entries(MODULES))("%s", (name, { make, calls }) => {
  test("compiles to the graphs and code of its Python twin", () => {
    const scripted = jit.script(make());
    const twin = recorded[name]!;
    expect(String(scripted)).toBe(twin.str);
    for (const [method, { code, graph }] of Object.entries(twin.methods)) {
      expect(plain(scripted.method(method).code)).toBe(code);
      expect(plain(scripted.method(method).graph)).toBe(graph);
    }
  });
  test("runs as it does eagerly", () => {
    const module = make();
    const scripted = jit.script(module) as (...args: readonly unknown[]) => unknown;
    for (const args of calls) {
      const given = args();
      const result = shown(scripted(...given));
      expect(result).toBe(shown(module.callWith(...args())));
    }
  });
  test("is the same after it was saved and loaded", () => {
    const scripted = jit.script(make());
    const loaded = jit.load(scripted.saveToBuffer());
    expect(loaded.code).toBe(scripted.code);
  });
});

test("a pattern may take fewer values than there are", () => {
  class First extends nn.Module {
    lstm = new nn.LSTM(2, 3);
    forward(x: Tensor): Tensor {
      const [out] = this.lstm(x);
      return out;
    }
  }
  const first = new First();
  const x = torch.ones([4, 1, 2]);
  expect(String(jit.script(first)(x))).toBe(String(first(x)));
});
