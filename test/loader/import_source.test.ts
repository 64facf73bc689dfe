/** @file Import of classes and functions from code files. Upstream: none. Spec: spec/grammar.md. */
import { describe, expect, test } from "vitest";
import { ScriptError } from "../../src/base/errors.ts";
import { Source } from "../../src/base/source_range.ts";
import { ClassType, InterfaceType, EnumType, annotationStr, typeStr, IntT, StringT } from "../../src/core/type.ts";
import { QualifiedName } from "../../src/core/qualified_name.ts";
import { CompilationUnit } from "../../src/ir/compilation_unit.ts";
import { graphText } from "../../src/ir/printer.ts";
import { SourceImporter } from "../../src/loader/import_source.ts";
import type { TypedConstant } from "../../src/frontend/default_value.ts";

function importer(
  files: Record<string, string>,
  constants: TypedConstant[] = [],
  asked: string[] = [],
): SourceImporter {
  const load = (qualifier: string): Source | undefined => {
    asked.push(qualifier);
    const text = files[qualifier];
    return text === undefined ? undefined : new Source(text, `code/${qualifier}.py`, 1);
  };
  const packed = new ClassType(new QualifiedName("__torch__.torch.classes.quantized.LinearPackedParamsBase"), false);
  return new SourceImporter(new CompilationUnit(), constants, load, 3, {
    findNativeClass: (name) => (name === packed.name.qualifiedName ? packed : undefined),
  });
}

const MODULE = `op_version_set = 1
import __torch__.other
class M(Module):
  __parameters__ = ["weight", ]
  __buffers__ = ["mean", "none", ]
  __forward_pre_hooks__ = ["pre", ]
  __forward_hooks__ = ["post", "post", ]
  __annotations__ = []
  weight : Tensor
  mean : Tensor
  none : NoneType
  __annotations__["0"] = __torch__.sub.S
  names : Dict[str, List[int]]
  k : Final[int] = 3
  sizes : Final[Tuple[int, float]] = (1, -2.)
  eps : Final[float] = 1.0000000000000001e-05
  word : Final[str] = CONSTANTS.c0
  def forward(self: __torch__.M,
    x: Tensor,
    n: int=3) -> Tensor:
    return torch.add(x, self.weight, alpha=n)
  def pre(self: __torch__.M,
    input: Tuple[Tensor]) -> NoneType:
    return None
  def post(self: __torch__.M,
    input: Tuple[Tensor],
    output: Tensor) -> NoneType:
    return None
`;

describe("SourceImporter", () => {
  const files = {
    __torch__: MODULE,
    "__torch__.sub":
      "class S(Module):\n  __parameters__ = []\n  __buffers__ = []\n  def forward(self: __torch__.sub.S) -> int:\n    return __torch__.free(2, )\n",
  };

  test("imports a module class", () => {
    const asked: string[] = [];
    const cls = importer(files, [{ value: "\u00fc", type: StringT }], asked).loadType("__torch__.M") as ClassType;
    expect(cls).toBeInstanceOf(ClassType);
    expect(cls.attributes.map((a) => [a.name, annotationStr(a.type), a.isParameter, a.isBuffer])).toEqual([
      ["weight", "Tensor", true, false],
      ["mean", "Tensor", false, true],
      ["none", "NoneType", false, true],
      ["0", "__torch__.sub.S", false, false],
      ["names", "Dict[str, List[int]]", false, false],
    ]);
    expect([...cls.constants].map(([name, { type, value }]) => [name, typeStr(type), value])).toEqual([
      ["k", "int", 3],
      ["sizes", "(int, float)", [1, -2]],
      ["eps", "float", 1.0000000000000001e-5],
      ["word", "str", "\u00fc"],
    ]);
    expect([...cls.methods.keys()]).toEqual(["forward"]);
    expect(cls.forwardHooks.map((f) => f.name)).toEqual(["post", "post"]);
    expect(cls.forwardHooks[0]).toBe(cls.forwardHooks[1]);
    expect(cls.forwardPreHooks.map((f) => f.name)).toEqual(["pre"]);
    expect(asked).toEqual(["__torch__", "__torch__.sub"]);
    expect(cls.findMethod("forward")!.schema.args.map((a) => [a.name, a.defaultValue])).toEqual([
      ["self", undefined],
      ["x", undefined],
      ["n", 3],
    ]);
  });

  test("finds free functions and the constants of code", () => {
    const text = "def free(x: int) -> int:\n  return torch.add(x, CONSTANTS.c1)\n";
    const found = importer({ __torch__: text }, [
      { value: "a", type: StringT },
      { value: 7, type: IntT },
    ]).loadFunction("__torch__.free")!;
    found.ensureDefined();
    expect(graphText(found.graph)).toContain("prim::Constant[value=7]()");
    const missing = importer({ __torch__: text }).loadFunction("__torch__.free")!;
    expect(() => missing.ensureDefined()).toThrow("constant index 1 is out of bounds (constant table has 0 entries)");
  });

  test("imports interfaces, named tuples and enums", () => {
    const text = `class I(Interface):
  def one(self, x: Tensor, y: int) -> Tensor:
    pass
class MI(ModuleInterface):
  def forward(self, x: Tensor) -> Tensor:
    pass
class P(NamedTuple):
  x : Tensor
  y : Optional[int]
  z : int = 3
class Color(Enum):
  RED = "r"
  GREEN = "g"
class Level(Enum):
  LOW = -1
  HIGH = 2
`;
    const from = importer({ "__torch__.a": text });
    const i = from.loadType("__torch__.a.I");
    expect(i).toBeInstanceOf(InterfaceType);
    expect((i as InterfaceType).methods.map((m) => [m.name, m.args.map((a) => a.name), m.args[0]!.type === i])).toEqual(
      [["one", ["self", "x", "y"], true]],
    );
    expect(from.loadType("__torch__.a.MI")).toMatchObject({ isModule: true });
    expect(from.loadType("__torch__.a.P")).toMatchObject({
      kind: "Tuple",
      fieldNames: ["x", "y", "z"],
      fieldDefaults: [3],
    });
    expect((from.loadType("__torch__.a.Color") as EnumType).members).toEqual([
      ["RED", "r"],
      ["GREEN", "g"],
    ]);
    expect((from.loadType("__torch__.a.Level") as EnumType).members).toEqual([
      ["LOW", -1],
      ["HIGH", 2],
    ]);
  });

  test("old quantized classes get packed weights", () => {
    const text = "class Linear(Module):\n  __parameters__ = []\n  _packed_params : Tensor\n  scale : Tensor\n";
    const cls = importer({ "__torch__.torch.nn.quantized.modules.linear.___torch_mangle_3": text }).loadType(
      "__torch__.torch.nn.quantized.modules.linear.___torch_mangle_3.Linear",
    ) as ClassType;
    expect(cls.attributes.map((a) => annotationStr(a.type))).toEqual([
      "__torch__.torch.classes.quantized.LinearPackedParamsBase",
      "Tensor",
    ]);
  });

  test("code of native classes is not looked at", () => {
    const text = "class LinearPackedParamsBase:\n  x : Unknown\n";
    const cls = importer({ "__torch__.torch.classes.quantized": text }).loadType(
      "__torch__.torch.classes.quantized.LinearPackedParamsBase",
    );
    expect((cls as ClassType).attributes).toEqual([]);
    expect(() =>
      importer({ "__torch__.torch.classes.foo": text }).loadType("__torch__.torch.classes.foo.LinearPackedParamsBase"),
    ).toThrow("Unknown type name");
  });

  test.each([
    ["class C(Foo):\n  x : int\n", "Torchscript does not support class inheritance."],
    ["class C:\n  x : Foo\n", "Unknown type name 'Foo'"],
    ["class C:\n  x : int\n  x : int\n", "Attribute x is defined twice"],
    ["class C:\n  __parameters__ = []\n", "only supported on modules"],
    ["class C(Module):\n  __parameters__ = [1]\n", "expected a list of names"],
    [
      'class C(Module):\n  __parameters__ = ["x", ]\n  x : int\n',
      "Expecting parameter to have either None, Tensor or Optional[Tensor] type, but got: int",
    ],
    ['class C(Module):\n  __forward_hooks__ = ["h", ]\n', 'lists the hook "h"'],
    ["class C:\n  x = 3\n", "Expected a type to present for class constant"],
    ["class C:\n  x : int = 3\n", "Expected subscripted type for class constant"],
    [
      "class C:\n  x : Final[int] = 3.\n",
      "Return value was annotated as having type Tuple[int] but is actually of type Tuple[float]",
    ],
    ["class C:\n  def f(self): return 1\n  def f(self): return 1\n", "Can't redefine method: f on class: __torch__.C"],
    ["class C(Enum):\n  A = 1\n  B = 2.\n", "Enum class with varying value types are not supported."],
    ["class C(Enum):\n  pass\n", "only enum attribute definitions are currently supported"],
    ["class C(NamedTuple):\n  def f(self): return 1\n", "only attribute annotations are currently supported"],
    ["class C(Interface):\n  def f(self):\n    pass\n", "must have a return type annotated"],
    ["class C(Interface):\n  def f(self) -> int:\n    return 1\n", "should contain 'pass' statement"],
    ["x = 3\n", "Unexpected token in code import: ident"],
    ["import x", "expected newline but found 'eof'"],
  ])("refuses %j", (text, message) => {
    const load = (): unknown => importer({ __torch__: text }).loadType("__torch__.C");
    expect(load).toThrow(ScriptError);
    expect(load).toThrow(message);
  });

  test("classes that need each other without end are refused", () => {
    const load = (qualifier: string): Source => new Source(`class C:\n  x : ${qualifier}.x.C\n`);
    expect(() => new SourceImporter(new CompilationUnit(), [], load, 3).loadType("__torch__.C")).toThrow(
      /limit maxSourceDepth/,
    );
  });
});
