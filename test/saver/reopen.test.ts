import { describe, expect, it } from "vitest";
import "../../src/ops/index.ts";
import { ArchiveReader, ArchiveWriter, MemorySink, PickleEmitter } from "../../src/archive/index.ts";
import type { ScriptObject } from "../../src/core/ivalue.ts";
import { runFunction } from "../../src/interpreter/run.ts";
import type { ScriptFunction } from "../../src/ir/function.ts";
import { loadModuleArchive } from "../../src/loader/import_module.ts";
import { exportModule } from "../../src/saver/export_module.ts";
import { functionCode } from "../../src/saver/function_code.ts";
import { makeArchive } from "../support/archive.ts";

/** An archive with one module whose `forward` has this body. */
function archiveOf(returns: string, body: string): Uint8Array {
  const data = new PickleEmitter();
  data.pushGlobal("__torch__", "M");
  data.newObject();
  data.startDict();
  data.pushString("training");
  data.pushBool(true);
  data.endDict();
  data.build();
  const constants = new PickleEmitter();
  constants.pushEmptyTuple();
  const code = `class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n  def forward(self: __torch__.M) -> ${returns}:\n    return ${body}\n`;
  return makeArchive({
    "data.pkl": data.finishBytes(),
    "code/__torch__.py": code,
    "constants.pkl": constants.finishBytes(),
  });
}

function load(bytes: Uint8Array): ScriptObject {
  return loadModuleArchive(ArchiveReader.open(bytes), { runMethod: runFunction }).root;
}

function save(root: ScriptObject): Uint8Array {
  const sink = new MemorySink();
  const writer = new ArchiveWriter(sink);
  writer.finish({ version: exportModule(root, writer, { runMethod: runFunction }) });
  sink.close();
  return sink.bytes();
}

const forward = (root: ScriptObject): ScriptFunction => root.type.findMethod("forward") as ScriptFunction;
const codeFile = (bytes: Uint8Array): string => ArchiveReader.open(bytes).readText("code/__torch__.py");

describe("archives that PyTorch writes and cannot open", () => {
  it("PRN-40: floats without a dot are opened, and saved so that they read back", () => {
    const root = load(archiveOf("Tuple[float, List[float]]", "(12345678901, [1.5, 10000000000000000])"));
    expect(runFunction(forward(root), [root])).toEqual([12345678901, [1.5, 1e16]]);
    expect(functionCode(forward(root)).code).toContain("(12345678901, [1.5, 10000000000000000])");
    const saved = save(root);
    expect(codeFile(saved)).toContain("(12345678901., [1.5, 10000000000000000.])");
    const again = load(saved);
    expect(runFunction(forward(again), [again])).toEqual([12345678901, [1.5, 1e16]]);
  });

  it("PRN-42: carriage returns are opened, and saved in octal", () => {
    const root = load(archiveOf("str", '"a\\rb"'));
    expect(runFunction(forward(root), [root])).toBe("a\rb");
    expect(functionCode(forward(root)).code).toContain('"a\\rb"');
    expect(codeFile(save(root))).toContain('"a\\015b"');
  });

  it("long integers stay integers where the types fit", () => {
    const root = load(archiveOf("int", "12345678901"));
    expect(codeFile(save(root))).toContain("return 12345678901\n");
  });
});

/** Code of several files as records, with a root of class M without attributes beside `training`. */
function archiveWith(files: Record<string, string>): Uint8Array {
  const reader = ArchiveReader.open(archiveOf("int", "1"));
  const records: Record<string, string | Uint8Array> = {
    "data.pkl": reader.read("data.pkl"),
    "constants.pkl": reader.read("constants.pkl"),
  };
  return makeArchive({ ...records, ...files });
}

describe("exportModule", () => {
  it("PRN-1, PRN-26, PRN-29, PRN-61, PRN-62: gives code of every kind back as it was", () => {
    const files = {
      "code/__torch__.py": `class M(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.M,
    x: Tensor,
    c: __torch__.zoo.Ctx) -> __torch__.zoo.Pair:
    def __forked_function():
      return __torch__.zoo.double(x, )
    _0 = fork(__forked_function)
    with c as n:
      _1 = __torch__.zoo.Pair(torch.wait(_0), n)
    print(__torch__.zoo.Color.RED)
    return _1
`,
      "code/__torch__/zoo.py": `class Ctx:
  a : int
  def __enter__(self: __torch__.zoo.Ctx) -> int:
    return self.a
  def __exit__(self: __torch__.zoo.Ctx,
    type: Any,
    value: Any,
    tb: Any) -> NoneType:
    return None
class Pair(NamedTuple):
  t : Tensor
  n : int
class Color(Enum):
  RED = "red"
  BLUE = "blue"
def double(x: Tensor) -> Tensor:
  return torch.mul(x, 2)
`,
    };
    const saved = ArchiveReader.open(save(load(archiveWith(files))));
    for (const [name, text] of Object.entries(files)) expect(saved.readText(name)).toBe(text);
  });

  it("DBG-6: writes the records in PyTorch's order, and the same bytes after loading them", () => {
    const first = save(load(archiveOf("int", "3")));
    expect(ArchiveReader.open(first).recordNames()).toEqual([
      "data.pkl",
      "code/__torch__.py",
      "code/__torch__.py.debug_pkl",
      "constants.pkl",
      "version",
      "byteorder",
      ".data/serialization_id",
    ]);
    const second = save(load(first));
    expect(Buffer.compare(first, second)).toBe(0);
    expect(ArchiveReader.open(first).isOwn()).toBe(true);
  });
});
