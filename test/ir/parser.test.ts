/** @file Graphs from text. Upstream: torch/csrc/jit/ir/irparser.cpp. Spec: none. */
import { describe, expect, test } from "vitest";
import "../../src/ops/index.ts";
import { TorchScriptError } from "../../src/base/errors.ts";
import { parseGraph } from "../../src/ir/parser.ts";
import { graphText } from "../../src/ir/printer.ts";

function roundTrip(text: string): void {
  expect(graphText(parseGraph(text))).toBe(text);
}

describe("parse(print(graph)) is the graph", () => {
  test.each([
    [
      "numbers",
      "  %1 : int = prim::Constant[value=-3]()\n  %2 : float = prim::Constant[value=10000000000]()\n  %3 : float = prim::Constant[value=1.0000000000000001e-05]()\n  %4 : int = prim::Constant[value=4611686018427387904]()",
    ],
    [
      "complex",
      "  %1 : complex = prim::Constant[value=0.+1.j]()\n  %2 : complex = prim::Constant[value=0.-nanj]()\n  %3 : complex = prim::Constant[value=1e+100-1.0000000000000001e-05j]()",
    ],
    [
      "strings",
      '  %1 : str = prim::Constant[value="a\\n\\\'\\"\\\\ \\0)+\\/.)"]()\n  %2 : Device = prim::Constant[value="cpu"]()',
    ],
    [
      "containers",
      '  %1 : int[] = prim::Constant[value=[1, 2]]()\n  %2 : int[] = prim::Constant[value=annotate(List[int], [])]()\n  %3 : (str, (int, float)) = prim::Constant[value=("x", (1, 2.))]()\n  %4 : Dict(str, int) = prim::Constant[value={"a": 1, "b": 2}]()\n  %5 : int?[] = prim::Constant[value=annotate(List[Optional[int]], [None, 1])]()\n  %6 : (int,) = prim::Constant[value=(1,)]()'.replace(
        "(int,) =",
        "(int) =",
      ),
    ],
    [
      "tensors",
      "  %1 : Tensor = prim::Constant[value={1.5}]()\n  %2 : Tensor = prim::Constant[value=<Tensor>]()\n  %3 : Tensor = prim::Constant[value= 1 -2  3 [ CPULongType{3} ]]()\n  %4 : Tensor = prim::Constant[value=0.01 *  3.2684 -7.9851 [ CPUFloatType{2} ]]()\n  %5 : Tensor[] = prim::Constant[value=[<Tensors>]]()\n  %6 : Tensor = prim::Constant[value=(1,.,.) =   0  1  (2,.,.) =   2  3 [ CPULongType{2,1,2} ]]()",
    ],
    [
      "types",
      '  %1 : Float(2, *, requires_grad=0, device=cpu)[]?, %2 : NamedTuple(a : int, b : Tensor), %3 : Union(Tensor[], int, str), %4 : Future[Await(int)], %5 : __torch__.M, %6 : Enum<__torch__.E> = foo::bar[a=1, b=2., c="s", d=[1, 2], e=[1., 2.5], f=["x"], types=[int, str?]]()',
    ],
  ])("%s", (_, body) => roundTrip(`graph():\n${body}\n  return ()\n`));
});

describe("renumber", () => {
  test("numbers anew and drops names of outputs, as torch._C.parse_ir does", () => {
    const graph = parseGraph(
      "graph(%x : Tensor, %7 : int):\n  %y.1 : Tensor = aten::add(%x, %x, %7)\n  return (%y.1)\n",
      { renumber: true },
    );
    expect(graphText(graph)).toBe(
      "graph(%x : Tensor,\n      %1 : int):\n  %2 : Tensor = aten::add(%x, %x, %1)\n  return (%2)\n",
    );
  });
});

describe("bad text", () => {
  test.each([
    ["an unknown value", "graph():\n  %1 : int = aten::neg(%0)\n  return ()", "expected a known value instead of %0"],
    ["no end", "graph():\n  %1 : int = aten::neg()\n", 'Cannot parse IR: line 3: found "", expected a value'],
    ["an open string", 'graph():\n  %1 : str = prim::Constant[value="x]()\n', "expected the end of a string"],
    [
      "a tensor too large to be printed",
      "graph():\n  %1 : Tensor = prim::Constant[value= 1 [ CPULongType{1000000000} ]]()\n  return ()",
      "expected at most 16 elements",
    ],
  ])("%s", (_, text, message) => {
    expect(() => parseGraph(text)).toThrow(TorchScriptError);
    expect(() => parseGraph(text)).toThrow(message);
  });
  test("nesting without end is refused", () => {
    const deep = 50_000;
    for (const text of [
      `graph(%x : ${"(".repeat(deep)}int):`,
      `graph(%x : int${"[]".repeat(deep)}):`,
      `graph():\n  %1 : int[] = prim::Constant[value=${"[".repeat(deep)}`,
      `graph(%c : bool):\n${"   = prim::If(%c)\n    block0():\n".repeat(deep)}`,
    ]) {
      expect(() => parseGraph(text)).toThrow(/maxSourceDepth/);
    }
  });
  test("a long list is read in linear time", () => {
    const items = Array.from({ length: 50_000 }, (_, i) => i).join(", ");
    roundTrip(`graph():\n  %0 : int[] = prim::Constant[value=[${items}]]()\n  return (%0)\n`);
  });
});
