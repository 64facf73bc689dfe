/** @file The generated declarations are what the schema table gives, and every declared name exists at run time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Tensor, torch } from "../../src/index.ts";
import * as registry from "../../src/core/operator_registry.ts";
import * as schema from "../../src/core/schema.ts";
import { isEagerSchema } from "../../src/torch/eager_call.ts";
import * as handWritten from "../../src/torch/hand_written.ts";
import { FUNCTION_NAMES, METHOD_NAMES, NAMESPACE_NAMES } from "../../src/torch/generated/names.ts";

const ROOT = join(import.meta.dirname, "../..");
const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

test("the committed files are what scripts/make_eager_types.mjs gives", async () => {
  const script = join(ROOT, "scripts/make_eager_types.mjs");
  const { generate } = (await import(script)) as { generate(tools: object): { [path: string]: string } };
  const files = generate({ ...registry, ...schema, isEagerSchema, ...handWritten });
  for (const [path, text] of Object.entries(files)) {
    expect(readFileSync(join(ROOT, path), "utf8") === text, `${path} is stale: run npm run types:eager`).toBe(true);
  }
});

test("every operator about tensors is a function of torch, and a method where it has a tensor self", () => {
  const api = torch as unknown as Record<string, unknown>;
  const prototype = Tensor.prototype as unknown as Record<string, unknown>;
  let count = 0;
  for (const name of registry.operatorNames().filter((n) => n.startsWith("aten::"))) {
    const short = name.slice("aten::".length);
    const schemas = registry
      .schemasFor(name)
      .filter(isEagerSchema)
      .filter((s) => !s.args.some(schema.isOutArgument));
    if (schemas.length === 0) continue;
    count++;
    // Python's torch.chalf is the dtype
    if (short !== "chalf") expect(typeof api[short], `torch.${short}`).toBe("function");
    if (!schemas.some((s) => s.args[0]?.name === "self" && s.args[0].type.kind === "Tensor")) continue;
    if (handWritten.PROPERTIES.has(short)) expect(short in prototype || short in torch.ones(1), short).toBe(true);
    else expect(typeof prototype[short], `Tensor.${short}`).toBe("function");
  }
  expect(count).toBeGreaterThan(1400);
});

test("every declared name exists at run time", () => {
  for (const name of wordsOf(METHOD_NAMES)) expect(typeof Tensor.prototype[name as "add"], name).toBe("function");
  for (const name of wordsOf(FUNCTION_NAMES)) expect(typeof torch[name as "add"], name).toBe("function");
  for (const [namespace, names] of Object.entries(NAMESPACE_NAMES))
    for (const name of wordsOf(names))
      expect(typeof (torch[namespace as "fft"] as unknown as Record<string, unknown>)[name], name).toBe("function");
});

test("the functions that people type in Python exist", () => {
  const names = JSON.parse(readFileSync(join(ROOT, "scripts/python_names.json"), "utf8")) as Record<string, string[]>;
  const elsewhere =
    /^_|autocast|deterministic|anomaly|^sym_|thread|import_ir_module|parse_|^set_(default|rng|float32|flush|warn)|^get_(default|rng|float32|device|file)|^is_(storage|vulkan|warn|inference)|profiler|prepare_multi|unify_type|merge_type|compile|dlpack|^(asarray|classproperty|cond|dsmm|hsmm|saddmm|spmm|vmap|while_loop|fork|wait|frombuffer|from_numpy|typename|load|save|lobpcg|pca_lowrank|svd_lowrank|unravel_index|eig|lstsq|lu|matrix_rank|solve|symeig)$/;
  const missing = names["torch"]!.filter((name) => !elsewhere.test(name) && !(name in torch));
  expect(missing).toEqual([]);
});
