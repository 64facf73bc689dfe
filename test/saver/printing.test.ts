import { describe, expect, it } from "vitest";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import { argument } from "../../src/core/schema.ts";
import * as T from "../../src/core/type.ts";
import { ScriptFunction } from "../../src/ir/function.ts";
import { valueLiteral } from "../../src/core/ivalue_text.ts";
import { ConstantTable, constantFormatter } from "../../src/saver/literals.ts";
import { NameTable, isIdentifier, toIdentifier } from "../../src/saver/names.ts";
import { classCode, functionCode } from "../../src/saver/function_code.ts";
import { TypeNameUniquer } from "../../src/saver/type_name_uniquer.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { Complex, Float } from "../../src/tensor/scalar.ts";
import { emptyTensor } from "../../src/tensor/tensor.ts";

const literal = (value: unknown, type: T.Type, readable = false): string =>
  valueLiteral(value, type, constantFormatter({ constants: new ConstantTable(), typePrinter: undefined, readable }));

describe("names", () => {
  it("PRN-5: the counter belongs to the name that collided", () => {
    const names = new NameTable();
    expect(["x", "x", "x0", "x"].map((n) => names.unique(n))).toEqual(["x", "x0", "x00", "x1"]);
    names.startFunction();
    expect(["x", "x", "_", "_", "for"].map((n) => names.unique(n))).toEqual(["x", "x2", "_0", "_1", "for0"]);
  });

  it("PRN-5: toIdentifier() replaces what no identifier has", () => {
    expect(["a.b", "1", "", "é"].map(toIdentifier)).toEqual(["a_b", "_1", "_", "_"]);
    expect([isIdentifier("_a1"), isIdentifier("0"), isIdentifier("")]).toEqual([true, false, false]);
  });
});

describe("constantFormatter", () => {
  it("PRN-40: prints floats as PyTorch, and in files so that they read back", () => {
    expect([3, -0, 0.1, 1e20, 1e-5, 2 ** -25].map((v) => literal(v, T.FloatT))).toEqual([
      "3.",
      "-0.",
      "0.10000000000000001",
      "1e+20",
      "1.0000000000000001e-05",
      "2.9802322387695312e-08",
    ]);
    expect([literal(1e10, T.FloatT), literal(1e16, T.FloatT), literal(1e17, T.FloatT)]).toEqual([
      "10000000000",
      "10000000000000000",
      "1e+17",
    ]);
    expect([literal(1e10, T.FloatT, true), literal([1e16], T.listOf(T.FloatT), true)]).toEqual([
      "10000000000.",
      "[10000000000000000.]",
    ]);
  });

  it("PRN-41: prints complex numbers", () => {
    expect(
      [new Complex(0, 3), new Complex(1e11, -0), new Complex(-1.5, -2)].map((v) => literal(v, T.ComplexT)),
    ).toEqual(["0.+3.j", "100000000000.+0.j", "-1.5-2.j"]);
  });

  it("PRN-42: prints carriage returns as octal in files", () => {
    expect(literal("a\r\\r\n\x01", T.StringT)).toBe('"a\\r\\\\r\\n\\001"');
    expect(literal("a\r\\r\n\x01", T.StringT, true)).toBe('"a\\015\\\\r\\n\\001"');
  });

  it("PRN-9: annotates empty and ambiguous containers", () => {
    expect(literal([], T.listOf(T.IntT))).toBe("annotate(List[int], [])");
    expect(literal(new Map(), T.dictOf(T.StringT, T.IntT))).toBe("annotate(Dict[str, int],{})");
    expect(literal([1, null], T.listOf(T.optionalOf(T.IntT)))).toBe("annotate(List[Optional[int]], [1, None])");
    expect(literal([1], T.tupleOf([T.IntT]))).toBe("(1,)");
  });

  it("PRN-45: gives tensors and non-ASCII strings an entry, equal tensors the same one", () => {
    const constants = new ConstantTable();
    const text = (value: unknown, type: T.Type): string =>
      valueLiteral(value, type, constantFormatter({ constants, typePrinter: undefined, readable: false }));
    expect(text(emptyTensor([2]), T.TensorT)).toBe("CONSTANTS.c0");
    expect(text(emptyTensor([2], DTYPES.int32), T.TensorT)).toBe("CONSTANTS.c1");
    expect(text(emptyTensor([2]), T.TensorT)).toBe("CONSTANTS.c0");
    expect(text(["é"], T.listOf(T.StringT))).toBe("CONSTANTS.c2");
    expect(text(new Float(2), T.NumberT)).toBe("2.");
  });
});

describe("TypeNameUniquer", () => {
  it("PRN-63: the first type keeps the name, later ones are mangled", () => {
    const names = new TypeNameUniquer();
    const make = (name: string): T.ClassType => new T.ClassType(new QualifiedName(name), false);
    const first = make("__torch__.a.B");
    expect(
      [first, make("__torch__.a.B"), make("__torch__.a.B"), first].map((t) => names.nameOf(t).qualifiedName),
    ).toEqual(["__torch__.a.B", "__torch__.a.___torch_mangle_0.B", "__torch__.a.___torch_mangle_1.B", "__torch__.a.B"]);
    const mangled = "__torch__.a.___torch_mangle_7.B";
    names.nameOf(make(mangled));
    expect(names.nameOf(make(mangled)).qualifiedName).toBe("__torch__.a.___torch_mangle_8.B");
  });
});

describe("definitions", () => {
  it("PRN-60: prints lists, attributes and constants of modules", () => {
    const type = new T.ClassType(new QualifiedName("__torch__.M"), true);
    type.addAttribute("0", T.listOf(T.IntT));
    type.addAttribute("w", T.TensorT, true);
    type.addAttribute("b", T.TensorT, false, true);
    type.addAttribute("training", T.BoolT);
    type.constants.set("k", { type: T.optionalOf(T.IntT), value: 3 });
    expect(classCode(type).code).toBe(
      [
        "class M(Module):",
        '  __parameters__ = ["w", ]',
        '  __buffers__ = ["b", ]',
        "  __annotations__ = []",
        '  __annotations__["0"] = List[int]',
        "  w : Tensor",
        "  b : Tensor",
        "  training : bool",
        "  k : Final[int] = 3",
        "",
      ].join("\n"),
    );
  });

  it("PRN-13: prints attributes that are no identifiers by getattr", () => {
    const type = new T.ClassType(new QualifiedName("__torch__.M"), true);
    type.addAttribute("0", T.TensorT);
    const fn = new ScriptFunction(type.name.child("forward"));
    const self = fn.graph.addInput("self").setType(type);
    const get = fn.graph.create("prim::GetAttr", [self]).setAttr("name", "s", "0");
    fn.graph.insertNode(get);
    fn.graph.registerOutput(get.output);
    fn.setSchema({
      name: "forward",
      overloadName: "",
      args: [argument("self", type)],
      returns: [argument("", T.TensorT)],
      isVararg: false,
      isVarret: false,
    });
    expect(functionCode(fn).code).toBe('def forward(self) -> Tensor:\n  return getattr(self, "0")\n');
  });
});
