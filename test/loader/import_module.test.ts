/** @file Objects, containers and tensors of archives made by hand. Upstream: none. Spec: spec/records.md. */
import { describe, expect, test } from "vitest";
import { ArchiveReader, MemorySource } from "../../src/archive/index.ts";
import { TorchScriptError } from "../../src/base/errors.ts";
import { EnumValue, ScriptObject, dynamicTypeTag } from "../../src/core/ivalue.ts";
import { annotationStr } from "../../src/core/type.ts";
import { loadModuleArchive, loadProgram, type LoadOptions } from "../../src/loader/import_module.ts";
import type { RunMethod } from "../../src/loader/value_import.ts";
import { Complex, Float } from "../../src/tensor/scalar.ts";
import { Device, Tensor } from "../../src/tensor/tensor.ts";
import { makeArchive, torchArchive } from "../support/archive.ts";
import { float, object, pickleOf, storage, tagged, tensor, tuple, type Pickled } from "../support/pickle.ts";

const noRun: RunMethod = () => {
  throw new Error("nothing runs here");
};

interface Parts {
  code: string;
  root: Pickled;
  data?: Record<string, Uint8Array>;
  constants?: Pickled;
  version?: number;
}

function load(
  { code, root, data = {}, constants = tuple(), version = 3 }: Parts,
  options: Partial<LoadOptions> = {},
): ScriptObject {
  const records = Object.fromEntries(Object.entries(data).map(([key, bytes]) => [`data/${key}`, bytes]));
  const archive = makeArchive(
    { ...records, "data.pkl": pickleOf(root), "code/__torch__.py": code, "constants.pkl": pickleOf(constants) },
    { version },
  );
  return loadModuleArchive(ArchiveReader.open(archive), { runMethod: noRun, ...options }).root;
}

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
/** A module with the attributes. */
const moduleOf = (attributes: Record<string, string>): string =>
  `class M(Module):\n  __parameters__ = []\n${Object.entries(attributes)
    .map(([name, type]) => `  ${name} : ${type}\n`)
    .join("")}`;
/** The slots of a module with one attribute `x` for each value. */
const values = (type: string, value: Pickled, more: Partial<Parts> = {}): unknown =>
  load({
    code: moduleOf({ x: type }) + (more.code ?? ""),
    root: object("__torch__ M", { x: value }),
    ...(more.data ? { data: more.data } : {}),
    ...(more.version ? { version: more.version } : {}),
  }).getAttr("x");

describe("values by static type", () => {
  test("numbers, strings, None, complex, devices", () => {
    expect(values("int", 3)).toBe(3);
    expect(values("float", float(2))).toBe(2);
    expect(values("str", "\u00fc")).toBe("\u00fc");
    expect(values("Optional[float]", null)).toBe(null);
    expect(values("complex", { call: "builtins complex", args: tuple(float(1), float(-2)) })).toEqual(
      new Complex(1, -2),
    );
    expect(values("Device", { call: "torch device", args: tuple("cuda:1") })).toEqual(new Device("cuda", 1));
    expect(() => values("int", "a")).toThrow('attribute "x" of __torch__.M is str, expected int');
  });

  test("containers with tags", () => {
    expect(values("List[float]", tagged([float(1), float(2)], "List[float]"))).toEqual([1, 2]);
    expect(values("List[int]", { call: "torch.jit._pickle build_intlist", args: tuple([1, 2]) })).toEqual([1, 2]);
    expect(
      values("Dict[str, List[int]]", tagged(new Map([["a", tagged([1], "List[int]")]]), "Dict[str, List[int]]")),
    ).toEqual(new Map([["a", [1]]]));
    expect(values("Tuple[int, Optional[float]]", tuple(1, float(2)))).toEqual([1, 2]);
    expect(() => values("List[int]", tagged(3, "List[int]"))).toThrow(TorchScriptError);
    expect(() => values("List[int]", tagged([1], "int"))).toThrow("Unknown type for tag restoration: int");
  });

  test("containers of old archives have no tags", () => {
    expect(
      values("Dict[int, Tuple[float, List[float]]]", new Map<Pickled, Pickled>([[1, tuple(float(2), [float(3)])]]), {
        version: 2,
      }),
    ).toEqual(new Map([[1, [2, [3]]]]));
  });

  test("dynamic values say their type", () => {
    const list = values("Any", tagged([float(1)], "List[float]")) as object;
    expect([list, annotationStr(dynamicTypeTag(list)!)]).toEqual([[1], "List[float]"]);
    expect(values("Any", float(1))).toEqual(new Float(1));
    expect(values("Any", 1)).toBe(1);
    const nested = values("Any", tuple(float(1), tagged(["a"], "List[str]"))) as object;
    expect([nested, annotationStr(dynamicTypeTag(nested)!)]).toEqual([[1, ["a"]], "Tuple[float, List[str]]"]);
    expect(values("Union[int, float]", float(3))).toEqual(new Float(3));
  });

  test("shared values stay shared", () => {
    const list = tagged([1], "List[int]");
    const pair = tuple(1, 2);
    const root = load({
      code: moduleOf({ a: "List[int]", b: "List[int]", c: "Tuple[int, int]", d: "Any" }),
      root: object("__torch__ M", { a: list, b: list, c: pair, d: list }),
    });
    expect(root.getAttr("a")).toBe(root.getAttr("b"));
    expect(root.getAttr("a")).toBe(root.getAttr("d"));
  });

  test("enums and objects", () => {
    const code = `${moduleOf({ e: "__torch__.E", o: "__torch__.O" })}class E(Enum):\n  A = 1\n  B = 2\nclass O:\n  v : int\n`;
    const root = load({
      code,
      root: object("__torch__ M", { e: { call: "__torch__ E", args: 2 }, o: object("__torch__ O", { v: 7 }) }),
    });
    expect((root.getAttr("e") as EnumValue).name).toBe("B");
    expect((root.getAttr("o") as ScriptObject).getAttr("v")).toBe(7);
    expect(() => load({ code, root: object("__torch__ M", { e: { call: "__torch__ E", args: 3 }, o: null }) })).toThrow(
      "3 is no value of the enum __torch__.E",
    );
    expect(() => load({ code, root: object("__torch__ M", { e: null }) })).toThrow(
      'object of __torch__.M has no attribute "o"',
    );
  });
});

describe("__setstate__", () => {
  const code = `${moduleOf({ a: "__torch__.S", b: "__torch__.S" })}class S:
  v : int
  def __getstate__(self: __torch__.S) -> Tuple[int, float]:
    return (1, 2.)
  def __setstate__(self: __torch__.S,
    state: Tuple[int, float]) -> NoneType:
    self.v = (state)[0]
    return None
`;
  const root = object("__torch__ M", {
    b: object("__torch__ S", tuple(5, float(1))),
    a: object("__torch__ S", tuple(6, float(1))),
  });

  test("runs in the order of the file, with the state in its static form", () => {
    const states: unknown[] = [];
    const runMethod: RunMethod = (fn, [self, state]) => {
      expect(fn.name).toBe("__setstate__");
      states.push(state);
      (self as ScriptObject).setAttr("v", (state as number[])[0]);
    };
    load({ code, root }, { runMethod });
    expect(states).toEqual([
      [5, 1],
      [6, 1],
    ]);
  });

  test("with a plain dict as state runs, with `lazy`, when somebody looks into the object", () => {
    const takesDict = code
      .replaceAll("Tuple[int, float]", "Dict[str, int]")
      .replace("(state)[0]", "1")
      .replace("(1, 2.)", '{"k": 1}');
    const states: unknown[] = [];
    const runMethod: RunMethod = (_, [self, state]) => {
      states.push(state);
      (self as ScriptObject).setAttr("v", 7);
    };
    const both = object("__torch__ M", {
      a: object("__torch__ S", { k: 1 }),
      b: object("__torch__ S", tuple(6, float(1))),
    });
    const one = object("__torch__ M", { a: object("__torch__ S", { k: 1 }), b: object("__torch__ S", { k: 2 }) });
    const module = load({ code: takesDict, root: one }, { runMethod, lazy: true });
    expect(states).toEqual([]);
    expect((module.getAttr("b") as ScriptObject).getAttr("v")).toBe(7);
    expect(states).toEqual([new Map([["k", 2]])]);
    expect(() => load({ code: takesDict, root: both }, { runMethod, lazy: true })).toThrow(/expected Dict/);
  });

  test("must set all attributes", () => {
    expect(() => load({ code, root }, { runMethod: () => null })).toThrow(
      "The field 'v' was left uninitialized after '__setstate__', but expected a value of type 'int'",
    );
  });

  test("must fit __getstate__", () => {
    const wrong = code.replace("-> Tuple[int, float]", "-> int").replace("(1, 2.)", "1");
    expect(() => load({ code: wrong, root })).toThrow(
      "'__getstate__'s return type (int) does not match '__setstate__'s argument type (Tuple[int, float])",
    );
  });
});

describe("tensors", () => {
  const one = (value: Pickled, data: Record<string, Uint8Array> = { "0": floats(1, 2, 3, 4) }): Tensor =>
    values("Tensor", value, { data }) as Tensor;

  test("view their storage", () => {
    const t = one(tensor(storage("0", 4), [2], [2], 1, true));
    expect([t.dtype.name, t.sizes, t.strides, t.storageOffset, t.requiresGrad]).toEqual(["float32", [2], [2], 1, true]);
    expect([...new Float32Array(t.storage.bytes().slice().buffer)]).toEqual([1, 2, 3, 4]);
  });

  test("share storages", () => {
    const s = storage("0", 4);
    const root = load({
      code: moduleOf({ a: "Tensor", b: "Tensor" }),
      root: object("__torch__ M", { a: tensor(s, [4], [1]), b: tensor(s, [2, 2], [1, 2]) }),
      data: { "0": floats(1, 2, 3, 4) },
    });
    expect((root.getAttr("a") as Tensor).storage).toBe((root.getAttr("b") as Tensor).storage);
  });

  test("storages are read on demand with `lazy`", () => {
    const reads: string[] = [];
    const source = new MemorySource(
      makeArchive({
        "data/0": floats(1, 2, 3, 4),
        "data.pkl": pickleOf(object("__torch__ M", { x: tensor(storage("0", 4), [4], [1]) })),
        "code/__torch__.py": moduleOf({ x: "Tensor" }),
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    const reader = ArchiveReader.open(source);
    const readInto = reader.readInto.bind(reader);
    reader.readInto = (name, target) => (reads.push(name), readInto(name, target));
    const { root } = loadModuleArchive(reader, { runMethod: noRun, lazy: true });
    expect(reads).toEqual([]);
    const t = root.getAttr("x") as Tensor;
    expect(t.storage.segment.f32[t.base0 + 2]).toBe(3);
    expect([...t.storage.bytes()]).toEqual([...floats(1, 2, 3, 4)]);
    expect(reads).toEqual(["data/0"]);
  });

  test("big-endian storages are swapped on request only", () => {
    const bytes = floats(1, 2).slice();
    for (let i = 0; i < 8; i += 4) bytes.subarray(i, i + 4).reverse();
    const parts = {
      code: moduleOf({ x: "Tensor" }),
      root: object("__torch__ M", { x: tensor(storage("0", 2), [2], [1]) }),
      data: { "0": bytes },
    };
    const first = (options: Partial<LoadOptions>): number => {
      const t = load(parts, options).getAttr("x") as Tensor;
      return t.storage.segment.f32[t.base0]!;
    };
    expect(first({})).not.toBe(1);
    expect(first({ byteorder: "big" })).toBe(1);
  });

  test("empty storages need no record", () => {
    expect(one(tensor(storage("9", 0), [0], [1])).numel).toBe(0);
  });

  test("quantized, conjugated, sparse, with Python attributes", () => {
    const q = values(
      "Tensor",
      {
        call: "torch._utils _rebuild_qtensor",
        args: tuple(
          storage("0", 4, "QUInt8Storage"),
          0,
          tuple(4),
          tuple(1),
          tuple({ global: "torch per_tensor_affine" }, float(0.5), 3),
          false,
          null,
        ),
      },
      { data: { "0": new Uint8Array(4) } },
    ) as Tensor;
    expect([q.dtype.name, q.quantizer]).toEqual(["quint8", { scheme: "per_tensor_affine", scale: 0.5, zeroPoint: 3 }]);
    const rebuild = tuple(
      storage("0", 2, "ComplexFloatStorage"),
      0,
      tuple(2),
      tuple(1),
      false,
      null,
      new Map([["conj", true]]),
    );
    const conj = one({
      call: "torch._tensor _rebuild_from_type_v2",
      args: tuple({ global: "torch._utils _rebuild_tensor_v2" }, { global: "torch Tensor" }, rebuild, new Map()),
    });
    expect([conj.dtype.name, conj.isConj, conj.isNeg]).toEqual(["complex64", true, false]);
    const indices = tensor(storage("1", 2, "LongStorage"), [1, 2], [2, 1]);
    const sparse = one(
      {
        call: "torch._utils _rebuild_sparse_tensor",
        args: tuple(1, tuple(5), false, indices, tensor(storage("0", 4), [2], [1])),
      },
      { "0": floats(1, 2, 3, 4), "1": new Uint8Array(16) },
    );
    expect([sparse.sizes, sparse.sparse!.layout, sparse.sparse!.values.sizes]).toEqual([[5], "sparse_coo", [2]]);
  });

  test.each<[string, Pickled, RegExp]>([
    [
      "a storage record that is too short",
      tensor(storage("0", 5), [4], [1]),
      /record has 16 bytes, 5 float32 elements need 20/,
    ],
    ["an offset behind the storage", tensor(storage("0", 4), [1], [1], 4), /need 20 bytes, its storage has 16/],
    ["strides that leave the storage", tensor(storage("0", 4), [2, 2], [3, 1]), /need 20 bytes, its storage has 16/],
    ["negative strides", tensor(storage("0", 4), [2], [-1]), /expected none below 0/],
    ["negative sizes", tensor(storage("0", 4), [-1], [1]), /tensor has size -1/],
    ["as many strides as sizes", tensor(storage("0", 4), [2], []), /1 sizes and 0 strides/],
    ["huge sizes", tensor(storage("0", 4), [2 ** 30, 2 ** 30], [0, 0]), /maxNumel/],
    ["an absent record", tensor(storage("7", 4), [4], [1]), /failed locating file data\/7/],
    [
      "an unknown storage type",
      tensor(storage("0", 4, "FooStorage"), [4], [1]),
      /storage type FooStorage is not known/,
    ],
    ["no storage at all", tensor(3, [4], [1]), /tensor is made of int, expected a storage/],
    [
      "a call of anything else",
      { call: "os system", args: tuple("true") },
      /Unknown type name|not known|expected Tensor/,
    ],
    ["an object without state", { call: "torch._utils _rebuild_tensor_v2", args: 3 }, /rebuilt from int/],
  ])("refuses %s", (_, value, message) => {
    expect(() => one(value)).toThrow(TorchScriptError);
    expect(() => one(value)).toThrow(message);
  });
});

describe("loadModuleArchive", () => {
  test("refuses a root that is no module, and nested values beyond the limit", () => {
    expect(() => load({ code: "", root: 3 })).toThrow("root is int, expected a module");
    let deep: Pickled = tuple();
    for (let i = 0; i < 1500; i++) deep = tuple(deep);
    expect(() => values("Any", deep)).toThrow(TorchScriptError);
  });

  test("fills the constants table", () => {
    const archive = makeArchive({
      "data.pkl": pickleOf(object("__torch__ M", {})),
      "code/__torch__.py": "class M(Module):\n  __parameters__ = []\n",
      "constants.pkl": pickleOf(tuple("\u00fc", float(1), 3, tagged([float(1)], "List[float]"))),
      "extra/a/b": "text",
    });
    const loaded = loadModuleArchive(ArchiveReader.open(archive), { runMethod: noRun });
    expect(loaded.constants.map((c) => [annotationStr(c.type), c.value])).toEqual([
      ["str", "\u00fc"],
      ["float", 1],
      ["int", 3],
      ["List[float]", [1]],
    ]);
    expect([...loaded.extraFiles().keys()]).toEqual(["a/b"]);
  });

  test("opens an archive of PyTorch, also after its source is closed", () => {
    const bytes = torchArchive();
    let closed = false;
    const memory = new MemorySource(bytes);
    const source = {
      name: "m.pt",
      size: memory.size,
      read: (at: number, n: number) => {
        if (closed) throw new Error("closed");
        return memory.read(at, n);
      },
      close: () => {
        closed = true;
      },
    };
    const reader = ArchiveReader.open(source);
    const { root, cu, importer } = loadModuleArchive(reader, { runMethod: noRun });
    reader.close();
    expect(root.type.isModule).toBe(true);
    importer.loadAll("__torch__");
    for (const fn of cu.functions.values()) fn.ensureDefined();
    expect(loadProgram(ArchiveReader.open(bytes), {}).rootClass.name.qualifiedName).toBe(root.type.name.qualifiedName);
  });
});

describe("runs of storages", () => {
  const names = ["0", "1", "2", "3", "4"];
  const parts = (sizes: readonly number[]): { code: string; root: Pickled; data: Record<string, Uint8Array> } => ({
    code: moduleOf(Object.fromEntries(names.map((name) => [`x${name}`, "Tensor"]))),
    root: object(
      "__torch__ M",
      Object.fromEntries(names.map((name, i) => [`x${name}`, tensor(storage(name, sizes[i]!), [sizes[i]!], [1])])),
    ),
    data: Object.fromEntries(
      names.map((name, i) => [name, floats(...Array.from({ length: sizes[i]! }, (_, at) => at * 7 + i))]),
    ),
  });
  const tensors = (root: ScriptObject): Tensor[] => names.map((name) => root.getAttr(`x${name}`) as Tensor);

  test("share a buffer, hold their own bytes and are aligned", () => {
    const sizes = [3000, 1, 5000, 17, 2000];
    const given = parts(sizes);
    const all = tensors(load(given));
    expect(new Set(all.map((t) => t.storage.segment)).size).toBe(1);
    for (const [i, t] of all.entries()) {
      expect(t.storage.byteOffset % 16).toBe(0);
      expect([...t.storage.bytes()]).toEqual([...given.data[names[i]!]!]);
    }
    all[2]!.storage.bytes().fill(0);
    for (const i of [0, 1, 3, 4]) expect([...all[i]!.storage.bytes()]).toEqual([...given.data[names[i]!]!]);
  });

  test("a record that nobody refers to may be damaged, one that is referred to may not", () => {
    const given = parts([3000, 1, 5000, 17, 2000]);
    const records = Object.fromEntries(Object.entries(given.data).map(([key, bytes]) => [`data/${key}`, bytes]));
    const archive = (extra: Record<string, Uint8Array>): Uint8Array =>
      makeArchive(
        {
          ...records,
          ...extra,
          "data.pkl": pickleOf(given.root),
          "code/__torch__.py": given.code,
          "constants.pkl": pickleOf(tuple()),
        },
        { version: 3 },
      );
    const damage = (bytes: Uint8Array, name: string): Uint8Array => {
      const at = ArchiveReader.open(bytes).stat(name).dataOffset;
      bytes[at] = bytes[at]! ^ 1;
      return bytes;
    };
    const open = (bytes: Uint8Array): ScriptObject =>
      loadModuleArchive(ArchiveReader.open(bytes), { runMethod: noRun }).root;
    const spare = damage(archive({ "data/9": floats(1, 2, 3) }), "data/9");
    expect(tensors(open(spare)).length).toBe(5);
    expect(() => open(damage(archive({}), "data/3"))).toThrow(/record "m\/data\/3".*crc-32 check failed/);
  });

  test("two storages of one record do not share bytes, and big-endian ones are swapped once", () => {
    const swapped = floats(1, 2, 3, 4).slice();
    for (let i = 0; i < 16; i += 4) swapped.subarray(i, i + 4).reverse();
    const root = load(
      {
        code: moduleOf({ a: "Tensor", b: "Tensor", c: "Tensor" }),
        root: object("__torch__ M", {
          a: tensor(storage("0", 4), [4], [1]),
          b: tensor(storage("0", 2), [2], [1]),
          c: tensor(storage("1", 4), [4], [1]),
        }),
        data: { "0": swapped, "1": swapped },
      },
      { byteorder: "big" },
    );
    const values = (name: string): number[] => {
      const t = root.getAttr(name) as Tensor;
      return [...new Float32Array(t.storage.bytes().slice().buffer)];
    };
    expect([values("a"), values("b"), values("c")]).toEqual([
      [1, 2, 3, 4],
      [1, 2],
      [1, 2, 3, 4],
    ]);
    expect((root.getAttr("a") as Tensor).storage).not.toBe((root.getAttr("b") as Tensor).storage);
  });
});
