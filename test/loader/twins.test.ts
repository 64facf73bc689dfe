/** @file Methods of classes that are alike are copies of one: each must be what compiling it gives. See Note [Twins]. */
import { expect, test } from "vitest";
import { jit, nn, torch, type Tensor } from "../../src/index.ts";
import type { ScriptFunction } from "../../src/ir/function.ts";
import { allNodes, type Graph, type Value } from "../../src/ir/graph.ts";
import type { ScriptObject } from "../../src/core/ivalue.ts";
import type { ClassType } from "../../src/core/type.ts";
import type { ScriptModule } from "../../src/jit/script_module.ts";
import { makeArchive, recordsOf } from "../support/archive.ts";

const block = (channels: number): nn.Module =>
  new nn.Sequential(new nn.Conv2d(channels, channels + 2, 3), new nn.BatchNorm2d(channels + 2), new nn.ReLU6());
const archive = jit
  .script(new nn.Sequential(block(3), block(5), block(7)))
  .eval()
  .saveToBuffer();

/** All methods of all classes, compiled in the given order. */
function methods(bytes: Uint8Array, isReversed: boolean): Map<string, ScriptFunction> {
  const model = jit.load(bytes, { lazy: true });
  String(model);
  const { cu } = (model as unknown as { owner: { cu: { types: Map<string, ClassType> } } }).owner;
  const found = [...cu.types.values()].flatMap((cls) =>
    cls.kind === "Class" ? [...cls.methods.values()].map((fn) => fn as ScriptFunction) : [],
  );
  if (isReversed) found.reverse();
  for (const fn of found) fn.ensureDefined();
  return new Map(found.map((fn) => [fn.qualname.qualifiedName, fn]));
}

/** Everything of a graph that somebody can see, with numbers, names, types and places. */
function picture({ graph, schema }: ScriptFunction): unknown {
  const value = (v: Value): unknown => [v.debugName(), v.unique, v.type.kind === "Class" ? v.type.name : v.type.kind];
  const nodes = (g: Graph): unknown =>
    [...allNodes(g.block)].map((n) => [
      n.kind,
      n.inputs.map(value),
      n.outputs.map(value),
      n.sourceRange?.highlight(),
      [...n.attributes].map(([name, a]) => [name, a.kind, String(a.value)]),
      n.schema && [n.schema.name, n.schema.overloadName],
    ]);
  return [
    nodes(graph),
    graph.nextUnique,
    [...graph.nameBaseSuffix],
    schema.args.map((a) => [a.name, a.type.kind === "Class" ? a.type.name : a.type.kind]),
  ];
}

test("copied methods are those that are compiled, whichever of the classes comes first", () => {
  const [forwards, backwards] = [methods(archive, false), methods(archive, true)];
  expect([...forwards.keys()].toSorted()).toEqual([...backwards.keys()].toSorted());
  expect(forwards.size).toBeGreaterThan(10);
  for (const [name, fn] of forwards) expect(picture(backwards.get(name)!), name).toEqual(picture(fn));
});

test("a class with another text is no twin, and errors stand where they are", () => {
  const records = new Map(recordsOf(archive));
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const changed: Record<string, Uint8Array> = {};
  let count = 0;
  for (const [name, bytes] of records) {
    if (["version", "byteorder", ".data/serialization_id"].includes(name)) continue;
    changed[name] = /modules\/conv.*\.py$/.test(name)
      ? new TextEncoder().encode(
          text(bytes).replace(/return _0\n/, (line) => (++count === 2 ? "return torch.mul(_0, 3)\n" : line)),
        )
      : bytes;
  }
  const model = jit.load(makeArchive(changed), { lazy: true });
  const plain = jit.load(archive, { lazy: true });
  const convolutions = (m: ScriptModule): ScriptModule[] =>
    ["0", "1", "2"].map((i) => (m.getattr(i) as ScriptModule).getattr("0") as ScriptModule);
  const factors = convolutions(model).map((conv, i) => {
    const x = torch.ones([1, 3 + 2 * i, 3, 3]);
    const wanted = convolutions(plain)[i]!(x) as Tensor;
    const { name } = (conv.object as ScriptObject).type;
    const record = name.prefix.replace("__torch__.", "").replaceAll(".", "/");
    expect(() => conv(torch.ones([1, 2, 3, 3]))).toThrow(`${record}.py", line`);
    return Math.round((conv(x) as Tensor).div(wanted).mean().item() as number);
  });
  expect(factors.toSorted((a, b) => a - b)).toEqual([1, 1, 3]);
});
