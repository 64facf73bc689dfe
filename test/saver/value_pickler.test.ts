import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { disassemble } from "../../src/archive/index.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { EnumValue, ScriptObject, enumValue } from "../../src/core/ivalue.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import { argument } from "../../src/core/schema.ts";
import * as T from "../../src/core/type.ts";
import { ValuePickler } from "../../src/saver/value_pickler.ts";
import { DTYPES, type DType } from "../../src/tensor/dtype.ts";
import { Complex } from "../../src/tensor/scalar.ts";
import { CPU, Device, META, Tensor, emptyTensor } from "../../src/tensor/tensor.ts";
import { allocateStorage } from "../../src/tensor/storage.ts";

// made by make_pickles.py
const recorded = JSON.parse(readFileSync(new URL("pickles.json", import.meta.url), "utf8")) as Record<string, string>;

type Attribute = readonly [name: string, type: T.Type, value: unknown, kind?: "parameter" | "buffer"];

function object(name: string, attributes: readonly Attribute[], isModule = false): ScriptObject {
  const type = new T.ClassType(new QualifiedName(`__torch__.${name}`), isModule);
  for (const [attribute, t, , kind] of attributes)
    type.addAttribute(attribute, t, kind === "parameter", kind === "buffer");
  return new ScriptObject(
    type,
    attributes.map(([, , value]) => value),
  );
}

const MODULE: readonly Attribute[] = [
  ["training", T.BoolT, true],
  ["_is_full_backward_hook", T.optionalOf(T.BoolT), null],
];

function tensor(sizes: number[], dtype: DType = DTYPES.float32, requiresGrad = false): Tensor {
  const made = emptyTensor(sizes, dtype);
  made.requiresGrad = requiresGrad;
  return made;
}

function pickled(root: ScriptObject): string {
  const pickler = new ValuePickler({
    nameOf: (type) => type.name,
    runMethod: (_, [self]) => (self as ScriptObject).getAttr("items"),
  });
  return Buffer.from(concatBytes(pickler.pickle(root, root.type, 2).bytes)).toString("base64");
}

/** Opcodes one a line: differences are then readable. */
function lines(base64: string): string[] {
  return [...disassemble(new Uint8Array(Buffer.from(base64, "base64")))].map((i) => JSON.stringify(i));
}

describe("ValuePickler", () => {
  it("writes containers, enums, objects and modules as PyTorch does", () => {
    const color = new T.EnumType(new QualifiedName("__torch__.Color"), T.IntT, [
      ["RED", 1],
      ["GREEN", 2],
    ]);
    const red: EnumValue = enumValue(color, "RED");
    const shared = tensor([1]);
    const strings = T.listOf(T.StringT);
    const stateful = object("Stateful", [
      ["a", T.IntT, 2],
      ["items", strings, ["x"]],
    ]);
    const method = (name: string, args: T.Type[], returned: T.Type): T.FunctionLike => ({
      name,
      qualname: stateful.type.name.child(name),
      schema: {
        name,
        overloadName: "",
        args: args.map((t, i) => argument(`a${i}`, t)),
        returns: [argument("", returned)],
        isVararg: false,
        isVarret: false,
      },
    });
    stateful.type.methods.set("__getstate__", method("__getstate__", [stateful.type], strings));
    stateful.type.methods.set("__setstate__", method("__setstate__", [stateful.type, strings], T.NoneT));
    const pair = T.tupleOf([T.IntT, T.TensorT]);
    const leaf = (): ScriptObject =>
      object("Leaf", [["w", T.TensorT, tensor([2], DTYPES.float32, true), "parameter"], ...MODULE], true);
    const left = leaf();
    const right = leaf();
    const root = object(
      "Containers",
      [
        ...MODULE,
        ["ints", T.listOf(T.IntT), [1, 300, 70000, -1, 2 ** 40]],
        ["floats", T.listOf(T.FloatT), [1.5]],
        ["bools", T.listOf(T.BoolT), [true]],
        ["strings", strings, ["a", "b"]],
        ["tensors", T.listOf(T.TensorT), [tensor([1]), tensor([1])]],
        ["dict", T.dictOf(T.StringT, T.IntT), new Map([["a", 1]])],
        ["pair", pair, [1, shared]],
        ["again", pair, [1, shared]],
        ["complex", T.ComplexT, new Complex(1, 2)],
        ["nested", T.listOf(T.listOf(T.IntT)), [[1], [2]]],
        ["color", color, red],
        ["other", color, red],
        [
          "plain",
          object("Plain", []).type,
          object("Plain", [
            ["a", T.IntT, 3],
            ["items", strings, ["x"]],
          ]),
        ],
        ["stateful", stateful.type, stateful],
        ["none", T.NoneT, null],
        ["optional", T.listOf(T.optionalOf(T.TensorT)), [tensor([1]), null]],
        ["device", T.DeviceT, new Device("cpu")],
        ["four", T.tupleOf([T.IntT, T.IntT, T.IntT, T.IntT]), [1, 2, 3, 4]],
        ["left", left.type, left],
        ["right", right.type, right],
      ],
      true,
    );
    expect(lines(pickled(root))).toEqual(lines(recorded["containers"]!));
  });

  it("writes views, conjugate, negative, sparse and meta tensors as PyTorch does", () => {
    const conj = tensor([2], DTYPES.complex64);
    conj.isConj = true;
    const neg = new Tensor(allocateStorage(16), DTYPES.float32, [2], [2], 1);
    neg.isNeg = true;
    const empty = (sizes: number[]): Tensor =>
      new Tensor(
        allocateStorage(0),
        DTYPES.float32,
        sizes,
        sizes.map(() => 0),
      );
    const indices = tensor([2, 2], DTYPES.int64);
    const coo = empty([2, 2]);
    coo.sparse = { layout: "sparse_coo", indices, values: tensor([2]), coalesced: true };
    const csr = empty([2, 2]);
    csr.sparse = {
      layout: "sparse_csr",
      compressedIndices: tensor([3], DTYPES.int64),
      plainIndices: new Tensor(allocateStorage(32), DTYPES.int64, [2], [1], 2),
      values: tensor([2]),
    };
    const view = new Tensor(allocateStorage(24), DTYPES.float32, [3], [2], 1);
    const meta = new Tensor(allocateStorage(8), DTYPES.float32, [2], [1]);
    meta.device = META;
    expect(CPU.type).toBe("cpu");
    const buffer = (name: string, value: Tensor): Attribute => [name, T.TensorT, value, "buffer"];
    const root = object(
      "Tensors",
      [
        buffer("conj", conj),
        buffer("neg", neg),
        buffer("coo", coo),
        buffer("csr", csr),
        buffer("view", view),
        buffer("meta", meta),
        ...MODULE,
      ],
      true,
    );
    expect(lines(pickled(root))).toEqual(lines(recorded["tensors"]!));
  });
});
