/** @file Archives made to hurt: each gives one error of ours, soon, or is harmless. One test a class of attack. Upstream: none. Spec: spec/limits.md. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ArchiveReader, MemorySource, inspect, jit, torch, verify } from "../../src/index.ts";
import { LimitError, ScriptError, TorchScriptError } from "../../src/base/errors.ts";
import type { LoadOptions } from "../../src/jit/load.ts";
import type { ScriptModule } from "../../src/jit/script_module.ts";
import { makeArchive } from "../support/archive.ts";
import { float, object, pickleOf, storage, tagged, tensor, tuple, type Pickled } from "../support/pickle.ts";

interface Parts {
  readonly code?: string;
  readonly root?: Pickled;
  readonly data?: Uint8Array;
  readonly constants?: Pickled;
  readonly storages?: Record<string, Uint8Array>;
}
function archive({
  code = "class M(Module):\n  pass\n",
  root = object("__torch__ M", {}),
  data,
  constants = tuple(),
  storages = {},
}: Parts): Uint8Array {
  return makeArchive({
    ...storages,
    "data.pkl": data ?? pickleOf(root),
    "code/__torch__.py": code,
    "constants.pkl": pickleOf(constants),
  });
}
const open = (parts: Parts, options: LoadOptions = {}): ScriptModule => jit.load(archive(parts), options);
/** Everything that looks at an archive; each must succeed or throw our errors, within the time of the test. */
function lookAtAll(bytes: Uint8Array): void {
  const tries: (() => unknown)[] = [
    () => inspect(new MemorySource(bytes)),
    () => [...verify(new MemorySource(bytes))],
    () => {
      const model = jit.load(bytes, { maxSteps: 10_000 });
      for (const name of model.methodNames()) {
        try {
          void model.method(name).code;
          void String(model.method(name).inlinedGraph);
          model.invoke(name, []);
        } catch (error) {
          expect(error).toBeInstanceOf(TorchScriptError);
        }
      }
      return model.saveToBuffer();
    },
  ];
  for (const attempt of tries) {
    try {
      attempt();
    } catch (error) {
      expect(error).toBeInstanceOf(TorchScriptError);
      expect((error as Error).message).not.toMatch(/(^|\W)internal: /);
    }
  }
}
const method = (body: string, name = "forward", parameters = ""): string =>
  `  def ${name}(self: __torch__.M${parameters}) -> Tensor:\n${body.replaceAll(/^/gm, "    ")}\n`;
const module = (...methods: string[]): string => `class M(Module):\n${methods.join("")}`;

describe("storages and tensors", () => {
  const weights = { "data/0": new Uint8Array(16) };
  const code = "class M(Module):\n  w : Tensor\n";
  const load = (w: Pickled): ScriptModule => open({ code, root: object("__torch__ M", { w }), storages: weights });

  test("shapes, strides and offsets outside the storage", () => {
    expect(() => load(tensor(storage("0", 4), [5], [1]))).toThrow("need 20 bytes, its storage has 16");
    expect(() => load(tensor(storage("0", 4), [2], [4]))).toThrow("need 20 bytes");
    expect(() => load(tensor(storage("0", 4), [1], [1], 4))).toThrow("need 20 bytes");
    expect(() => load(tensor(storage("0", 4), [2147483647, 2147483647, 2147483647], [0, 0, 0]))).toThrow(LimitError);
    expect(() => load(tensor(storage("0", 4), [2147483647], [2147483647]))).toThrow(TorchScriptError);
  });
  test("negative sizes, strides, offsets; as many strides as sizes", () => {
    for (const bad of [
      tensor(storage("0", 4), [-1], [1]),
      tensor(storage("0", 4), [2], [-1]),
      tensor(storage("0", 4), [1], [1], -1),
      tensor(storage("0", 4), [1, 1], [1]),
    ]) {
      expect(() => load(bad)).toThrow(TorchScriptError);
    }
  });
  test("a record shorter than the pickle says", () => {
    expect(() => load(tensor(storage("0", 2147483647), [2147483647], [1]))).toThrow(
      "record has 16 bytes, 2147483647 float32 elements need 8589934588",
    );
  });
  test("one storage under two dtypes stays inside its bytes", () => {
    const two = "class M(Module):\n  w : Tensor\n  v : Tensor\n";
    const root = object("__torch__ M", {
      w: tensor(storage("0", 4), [4], [1]),
      v: tensor(storage("0", 4, "DoubleStorage"), [4], [1]),
    });
    expect(() => open({ code: two, root, storages: weights })).toThrow("4 float64 elements need 32");
  });
  test("a tensor where a number is declared, a number where a tensor is", () => {
    expect(() => load(3)).toThrow('attribute "w" of __torch__.M is int, expected Tensor');
    expect(() =>
      open({
        code: "class M(Module):\n  w : int\n",
        root: object("__torch__ M", { w: tensor(storage("0", 4), [4], [1]) }),
        storages: weights,
      }),
    ).toThrow("expected int");
  });
  test("a type tag that is not the declared type decides nothing", () => {
    const lying = tagged([tuple(float(1), float(2))], "List[Tuple[float, float]]");
    expect(() =>
      open({ code: "class M(Module):\n  x : List[Tuple[float, Tensor]]\n", root: object("__torch__ M", { x: lying }) }),
    ).toThrow(TorchScriptError);
  });
});

describe("pickles", () => {
  test("nesting beyond the limits", () => {
    const deep = (levels: number): Pickled =>
      Array.from({ length: levels }).reduce<Pickled>((inner) => tuple(inner), 1);
    lookAtAll(archive({ code: "class M(Module):\n  x : Any\n", root: object("__torch__ M", { x: deep(1200) }) }));
    expect(() =>
      open({ code: "class M(Module):\n  x : Any\n", root: object("__torch__ M", { x: deep(1200) }) }),
    ).toThrow(LimitError);
  });
  test("sharing that multiplies is looked at once", () => {
    let value: Pickled = tagged([1], "List[int]");
    let type = "List[int]";
    for (let i = 0; i < 40; i++) {
      value = tuple(value, value);
      type = `Tuple[${type}, ${type}]`;
      if (type.length > 2000) type = "Any";
    }
    const start = performance.now();
    lookAtAll(archive({ code: "class M(Module):\n  pass\n", root: object("__torch__ M", { x: value }) }));
    inspect(
      new MemorySource(archive({ code: "class M(Module):\n  x : Any\n", root: object("__torch__ M", { x: value }) })),
    );
    expect(performance.now() - start).toBeLessThan(5000);
  });
  test("names of functions are data", () => {
    const data = Uint8Array.from(Buffer.from("\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.", "latin1"));
    expect(() => open({ data })).toThrow(TorchScriptError);
    lookAtAll(archive({ data }));
  });
  test("a debug record that is a program, or nonsense, stops nothing", () => {
    const bytes = makeArchive({
      "data.pkl": pickleOf(object("__torch__ M", {})),
      "code/__torch__.py": module(method("return torch.zeros([1])")),
      "constants.pkl": pickleOf(tuple()),
      "code/__torch__.py.debug_pkl": Uint8Array.from(
        Buffer.from("\x80\x02cos\nsystem\n(X\x02\x00\x00\x00idtR.", "latin1"),
      ),
    });
    expect(String(jit.load(bytes).graph)).toContain("aten::zeros");
    lookAtAll(bytes);
  });
});

describe("code", () => {
  test("recursion is refused when it is compiled", () => {
    const model = open({ code: module(method("return (self).forward()")) });
    expect(() => model.code).toThrow("is called recursively. Recursive calls are not supported");
    const two = open({ code: module(method("return (self).b()", "a"), method("return (self).a()", "b")) });
    expect(() => two.invoke("a", [])).toThrow(ScriptError);
  });
  test("a method that failed to compile fails again in the same way", () => {
    const model = open({ code: module(method("return torch.nothing(x)", "forward", ", x: Tensor")) });
    const message = (): string => {
      try {
        return model.code;
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message()).toBe(message());
    expect(() => model.saveToBuffer()).toThrow(ScriptError);
  });
  test("endless loops end with the budget", () => {
    const loop = "i = 0\n_0 = True\nwhile _0:\n  i = torch.add(i, 1)\nreturn torch.zeros([i])";
    expect(() => open({ code: module(method(loop)) }, { maxSteps: 1000 }).invoke("forward", [])).toThrow(LimitError);
    const long = "x = torch.zeros([1])\nfor i in range(9223372036854775807):\n  x = torch.add(x, 1)\nreturn x";
    expect(() => open({ code: module(method(long)) }, { maxSteps: 1000 }).invoke("forward", [])).toThrow(LimitError);
  });
  test("LIM-8: a __setstate__ without end ends with the budget", () => {
    const code =
      "class M(Module):\n  n : int\n  def __getstate__(self: __torch__.M) -> int:\n    return self.n\n  def __setstate__(self: __torch__.M, s: int) -> NoneType:\n    while True:\n      self.n = s\n    return None\n";
    expect(() => open({ code, root: object("__torch__ M", 1) }, { maxSteps: 1000 })).toThrow(LimitError);
  });
  test.each([
    ["parentheses", `return ${"(".repeat(20_000)}x`],
    ["brackets", `return ${"[".repeat(20_000)}x`],
    ["prefixes", `return ${"-".repeat(20_000)}x`],
    ["words", `return ${"not ".repeat(20_000)}x`],
    ["operators", `return ${"x + ".repeat(20_000)}x`],
    ["selections", `return x${".a".repeat(20_000)}`],
    ["calls", `return x${"()".repeat(20_000)}`],
    ["blocks", Array.from({ length: 2000 }, (_, i) => `${"  ".repeat(i)}if True:`).join("\n")],
    ["types", `x = annotate(${"List[".repeat(20_000)}int${"]".repeat(20_000)}, [])`],
  ])("nesting of %s", (_, body) => {
    lookAtAll(archive({ code: module(method(body, "forward", ", x: Tensor")) }));
  });
  test("LIM-7: graphs that multiply by inlining", () => {
    const methods = Array.from({ length: 40 }, (_, i) =>
      method(i === 0 ? "return torch.zeros([1])" : `return torch.add((self).f${i - 1}(), (self).f${i - 1}())`, `f${i}`),
    );
    const model = open({ code: module(...methods) });
    expect(() => model.method("f39").inlinedGraph).toThrow(/exceeds the limit maxInlinedValues = 1000000/);
  });
  test("calls that multiply end with the budget", () => {
    const methods = Array.from({ length: 40 }, (_, i) =>
      method(i === 0 ? "return torch.zeros([1])" : `return torch.add((self).f${i - 1}(), (self).f${i - 1}())`, `f${i}`),
    );
    expect(() => open({ code: module(...methods) }, { maxSteps: 10_000 }).invoke("f39", [])).toThrow(LimitError);
  });
  test("results that no memory holds", () => {
    for (const body of [
      "return torch.zeros([1000000000, 1000000000])",
      "return torch.constant_pad_nd(torch.zeros([1, 1]), [9223372036854775807, 1], 0)",
      "return torch.replication_pad1d(torch.zeros([1, 1]), [70000000000, 1])",
      "return torch.repeat(torch.zeros([1]), [4611686018427387904])",
      "return torch.arange(1000000000000000)",
    ]) {
      expect(() => open({ code: module(method(body)) }).invoke("forward", []), body).toThrow(TorchScriptError);
    }
  });
  test("constants that are not there, names that are not there", () => {
    for (const body of [
      "return CONSTANTS.c0",
      "return CONSTANTS.c99999999999",
      "return __torch__.nothing.here(self)",
      "return ops.nothing.here(self)",
      "return self.nothing",
      "return torch.zeros(nothing)",
    ]) {
      expect(() => open({ code: module(method(body)) }).code, body).toThrow(ScriptError);
    }
  });
});

describe("containers", () => {
  test("a record that inflates to more than it may", () => {
    const bytes = readFileSync(new URL("../fixtures/wrapped_rnn.pt", import.meta.url));
    expect(() => jit.load(new Uint8Array(bytes), { limits: { maxRecordBytes: 100 } })).toThrow(LimitError);
    expect(ArchiveReader.open(new Uint8Array(bytes)).recordNames().length).toBeGreaterThan(5);
  });
  test("an archive of nothing", () => {
    for (const bytes of [
      new Uint8Array(0),
      new Uint8Array(22),
      Uint8Array.from(Buffer.from("PK\x05\x06".padEnd(22, "\0"), "latin1")),
    ]) {
      expect(() => jit.load(bytes)).toThrow(TorchScriptError);
    }
  });
  test("a sound archive still works", () => {
    expect(open({ code: module(method("return torch.ones([2])")) }, { maxSteps: 100 })()).toEqual(
      expect.objectContaining({ sizes: [2] }),
    );
    expect(String(torch.ones([1]))).toContain("1");
  });
});
