/** @file The command line from outside: every command and option on real archives, exit codes, pipes, colours, hostile names. Upstream: none. Spec: docs/cli.md. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ArchiveReader } from "../../src/archive/index.ts";
import type { ArchiveSummary } from "../../src/jit/inspect.ts";
import { makeArchive, recordsOf } from "../support/archive.ts";
import { writeHugeArchive } from "../support/huge_archive.ts";
import { object, pickleOf, storage, tensor, tuple } from "../support/pickle.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** `npm test` builds first; TSARCHIVE_DIST names another build. */
const MAIN = join(process.env["TSARCHIVE_DIST"] ?? join(ROOT, "dist"), "cli/main.js");
const MODELS = join(ROOT, "test/fixtures/models");
const model = (name: string): string => join(MODELS, name, "model.pt");
const ATTRIBUTES = model("attributes");
const RNN = model("intro_wrapped_rnn");

const folder = mkdtempSync(join(tmpdir(), "tsarchive-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const temporary = (name: string, bytes?: Uint8Array): string => {
  const path = join(folder, name);
  if (bytes) writeFileSync(path, bytes);
  return path;
};

interface Options {
  readonly env?: Record<string, string>;
}
function cli(args: readonly string[], { env = {} }: Options = {}): SpawnSyncReturns<string> {
  const { CI: _, FORCE_COLOR: __, NO_COLOR: ___, ...rest } = process.env;
  return spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...rest, ...env },
    maxBuffer: 1 << 28,
  });
}
/** Output of a call that must succeed. */
function out(...args: string[]): string {
  const { status, stdout, stderr } = cli(args);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}
const json = (...args: string[]): any => JSON.parse(out(...args)) as unknown; // oxlint-disable-line no-explicit-any -- looked into at will

test("the build is there", () => {
  expect(existsSync(MAIN), `${MAIN}: run npm run build`).toBe(true);
});

describe("dump", () => {
  test("shows facts, hierarchy, tensors, totals, shared storages", () => {
    const lines = out("dump", ATTRIBUTES).split("\n");
    expect(lines[0]).toMatch(/^file {8}.*model\.pt {2}6\.71 kB$/);
    expect(lines.slice(1, 12).map((l) => l.trimEnd())).toEqual([
      "format      version 3: pickles carry the types of lists and dicts (restore_type_tag)",
      "written by  PyTorch 2.1 or later, little endian",
      'container   18 records in "model/": 16 stored, 2 deflated, storages aligned to 64 bytes',
      "code        1 file, with debug records",
      "",
      "Attributes  __torch__.zoo.Attributes",
      "├─ base          float32    [3, 4]  48 B  data/0   shared",
      "├─ view_t        float32    [4, 3]  48 B  data/0   buffer, strides [1, 4], shared",
      "├─ view_row      float32    [4]     16 B  data/0   buffer, offset 4, shared",
      "├─ scratch       float32    [2]      8 B  data/1   buffer",
      '├─ weights["w"]  float32    [3, 2]  24 B  data/0   attribute, strides [4, 1], offset 1, shared',
    ]);
    expect(lines.slice(-6)).toEqual([
      "",
      "parameters  12  48 B",
      "buffers     18  72 B",
      "storages    11  103 B",
      'shared      data/0: base, view_t, view_row, weights["w"]',
      "",
    ]);
  });

  test("shows modules as a tree with their class names", () => {
    const text = out("dump", RNN);
    expect(text).toMatch(/^WrapRNN {2}__torch__\.introduction\.WrapRNN$/m);
    expect(text).toMatch(/^ {3}└─ cell: MyCellDGP {2}__torch__\.introduction\./m);
    expect(text).toMatch(/linear: Linear {2}__torch__\.torch\.nn\.modules\.linear\./);
  });

  test("--code: all, a class, a method, by qualified or short name", () => {
    const reader = ArchiveReader.open(new Uint8Array(readFileSync(RNN)));
    const code = out("dump", RNN, "--code");
    for (const name of reader.recordNames("code/"))
      if (name.endsWith(".py")) expect(code).toContain(reader.readText(name).trimEnd());
    const method = out("dump", RNN, "--code", "__torch__.introduction.WrapRNN.forward");
    expect(method).toMatch(/^ {2}def forward\(self: __torch__\.introduction\.WrapRNN,/);
    expect(out("dump", RNN, "--code", "WrapRNN.forward")).toBe(method);
    expect(out("dump", RNN, "--code", "introduction.WrapRNN")).toMatch(/^class WrapRNN\(Module\):\n/);
    expect(out("dump", RNN, "--code", "code/__torch__/introduction.py")).toContain("class WrapRNN(Module):");
  });

  test("--graph prints PyTorch's graph of a method", () => {
    const { graph } = JSON.parse(readFileSync(join(MODELS, "control_flow/case.json"), "utf8")) as { graph: string };
    expect(out("dump", model("control_flow"), "--graph").trimEnd()).toBe(graph.trimEnd());
    expect(out("dump", RNN, "--graph", "loop.cell.forward")).toMatch(/^graph\(%self/);
  });

  test("--tensors, with --stats the values", () => {
    const rows = out("dump", ATTRIBUTES, "--tensors", "--stats").trimEnd().split("\n");
    expect(rows[0]).toMatch(
      /^tensor +kind +dtype +shape +strides +offset +record +bytes +min +max +mean +zeros +non-finite$/,
    );
    expect(rows.find((r) => r.startsWith("view_t"))).toMatch(
      /^view_t +buffer +float32 +\[4, 3\] +\[1, 4\] +0 +data\/0 +48 /,
    );
    const [base] = json("dump", ATTRIBUTES, "--tensors", "--stats", "--json").tensors;
    expect(base).toMatchObject({
      path: "base",
      kind: "parameter",
      dtype: "float32",
      shape: [3, 4],
      strides: [4, 1],
      stats: { zeros: expect.any(Number), nonFinite: 0 },
    });
  });

  test("--records, --pickle, --constants, --extra, --debug", () => {
    expect(out("dump", ATTRIBUTES, "--records")).toMatch(/^data\/0 +48 +48 +stored +[0-9a-f]{8} +\d+ +64$/m);
    expect(out("dump", ATTRIBUTES, "--pickle", "data.pkl")).toMatch(
      /^ {6}0: PROTO 2\n {6}2: GLOBAL "__torch__\.zoo Attributes"\n/,
    );
    expect(out("dump", RNN, "--constants")).toBe("no constants\n");
    expect(out("dump", RNN, "--extra")).toBe("no extra files\n");
    expect(out("dump", RNN, "--debug", "code/__torch__/introduction.py:11")).toMatch(
      /^code\/__torch__\/introduction\.py:11 {2}.*\n {4}.*introduction\.py/,
    );
  });

  test("--extra prints a file byte for byte", () => {
    const records = recordsOf(new Uint8Array(readFileSync(RNN)));
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const path = temporary(
      "extra.pt",
      makeArchive({
        "extra/all/bytes.bin": bytes,
        ...Object.fromEntries([...records].filter(([n]) => !/version|byteorder|serialization/.test(n))),
      }),
    );
    const { stdout, status } = spawnSync(process.execPath, [MAIN, "dump", path, "--extra", "all/bytes.bin"]);
    expect(status).toBe(0);
    expect(new Uint8Array(stdout)).toEqual(bytes);
    expect(out("dump", path, "--extra")).toMatch(/all\/bytes\.bin +256/);
  });

  test("--json has the documented fields and nothing undocumented", () => {
    const documented = readFileSync(join(ROOT, "docs/cli.md"), "utf8");
    const summary = json("dump", ATTRIBUTES, "--json") as ArchiveSummary;
    const fields = [
      ...Object.keys(summary),
      ...Object.keys(summary.root),
      ...Object.keys(summary.root.tensors[0]!),
      ...Object.keys(summary.storages[0]!),
      ...Object.keys(summary.records[0]!),
      ...Object.keys(summary.totals),
    ];
    expect(
      fields.filter((field) => !documented.includes(`\`${field}\``) && !documented.includes(`\`${field}[]\``)),
    ).toEqual([]);
    expect(summary).toMatchObject({
      version: 3,
      rootName: "model",
      byteorder: "little",
      producer: "PyTorch 2.1 or later",
      totals: { parameters: 12, storageBytes: 103 },
    });
    expect(summary.storages[0]!).toMatchObject({
      record: "data/0",
      numel: 12,
      recordNbytes: 48,
      usedBy: ["base", "view_t", "view_row", 'weights["w"]'],
    });
  });

  test("does not read storages: a file of 10 GB takes well under a second and tens of megabytes", () => {
    const path = temporary("huge.pt");
    writeHugeArchive(path, 2, 5 * 2 ** 30);
    const start = performance.now();
    const text = out("dump", path);
    expect(performance.now() - start).toBeLessThan(3000); // measured 0.4 s; the machine of the tests is shared
    expect(text).toContain("2,684,354,560  10.7 GB");
    const probe = `process.argv = [process.execPath, "tsarchive", "dump", ${JSON.stringify(path)}]; await import(${JSON.stringify(MAIN)}); process.stderr.write(String(process.resourceUsage().maxRSS))`;
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", probe], { encoding: "utf8" });
    expect(Number(stderr)).toBeLessThan(99_000); // kilobytes; bare Node has 40,000
    rmSync(path);
  });

  test("marks missing records and objects that are the same", () => {
    const shared = object("__torch__ C", { w: tensor(storage("9", 4), [4], [1]) });
    const path = temporary(
      "odd.pt",
      makeArchive({
        "data.pkl": pickleOf(object("__torch__ M", { a: shared, b: shared })),
        "code/__torch__.py": "class M(Module):\n  a : __torch__.C\n  b : __torch__.C\nclass C(Module):\n  w : Tensor\n",
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    const text = out("dump", path);
    expect(text).toContain("record missing");
    expect(text).toContain("b: C  __torch__.C  the same object as a");
  });
});

describe("terminal", () => {
  test("colours only where they are asked for", () => {
    const escape = "\u001b[";
    expect(out("dump", RNN)).not.toContain(escape);
    expect(cli(["dump", RNN], { env: { CI: "1" } }).stdout).not.toContain(escape);
    expect(cli(["dump", RNN], { env: { FORCE_COLOR: "1" } }).stdout).toContain(escape);
    expect(cli(["dump", RNN], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } }).stdout).not.toContain(escape);
  });

  test("a closed pipe ends quietly", () => {
    const { status, stdout, stderr } = spawnSync(
      "sh",
      [
        "-c",
        `"${process.execPath}" "${MAIN}" dump "${RNN}" --pickle data.pkl; "${process.execPath}" "${MAIN}" ops | head -n 1`,
      ],
      { encoding: "utf8" },
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("STOP");
  });

  test("control characters of an archive are shown, not sent", () => {
    const path = temporary(
      "escape.pt",
      makeArchive({
        "data.pkl": pickleOf(object("__torch__ M", { "a\u001b[2Jb": "\u001b]0;title\u0007" })),
        "code/__torch__.py": "class M(Module):\n  x : int\n# \u001b[31m\n",
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    for (const args of [[], ["--code"], ["--pickle", "data.pkl"], ["--tensors"]])
      expect(out("dump", path, ...args)).not.toContain("\u001b");
    expect(out("dump", path)).toContain("a\\u001b[2Jb");
  });
});

describe("exit codes", () => {
  const call = (...args: string[]): [number | null, string] => {
    const { status, stderr } = cli(args);
    return [status, stderr];
  };
  test("1: the file is at fault", () => {
    expect(call("dump", "/nowhere/x.pt")).toEqual([
      1,
      "tsarchive: The provided filename /nowhere/x.pt does not exist\n",
    ]);
    expect(call("dump", temporary("short.pt", Uint8Array.of(1, 2, 3)))[0]).toBe(1);
    expect(call("dump", folder)[0]).toBe(1);
  });
  test("2: the call is wrong", () => {
    expect(call("dump", RNN, "--pickle", "nothing.pkl")).toEqual([
      2,
      expect.stringContaining('no record "nothing.pkl" in the archive; it has: data/0'),
    ]);
    expect(call("dump", RNN, "--code", "Nothing")[1]).toContain('no code for "Nothing"; the code files are: code/');
    expect(call("dump", RNN, "--debug", "introduction.py:100000")[0]).toBe(2);
    expect(call("dump", RNN, "--unknown")[0]).toBe(2);
    expect(call("dump")[0]).toBe(2);
    expect(call("run", RNN, "--method", "nothing")).toEqual([
      2,
      'tsarchive: WrapRNN has no method "nothing"; it has: forward\n',
    ]);
    expect(call("run", RNN, "--input", "/nowhere.npy")[0]).toBe(2);
  });
  test("0: help", () => {
    expect(cli(["--help"]).stdout).toMatch(/dump[\s\S]*run[\s\S]*verify[\s\S]*ops/);
    expect(cli(["--help"]).status).toBe(0);
    expect(cli(["dump", "--help"]).stdout).toContain("--pickle <record>");
  });
});

describe("run", () => {
  const npy = (descr: string, shape: string, data: Uint8Array): Uint8Array => {
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`.padEnd(117) + "\n";
    return Uint8Array.from([
      ...Buffer.from("\x93NUMPY\x01\x00", "latin1"),
      header.length,
      0,
      ...Buffer.from(header, "latin1"),
      ...data,
    ]);
  };

  test("a case.json to .npy and .npz, and back in", () => {
    const path = temporary("y.npy");
    expect(out("run", RNN, "--input", join(MODELS, "intro_wrapped_rnn/case.json"), "--output", path)).toMatch(
      /^.*y\.npy: float32 \[[\d, ]+\]\n/,
    );
    expect(readFileSync(path).subarray(1, 6).toString()).toBe("NUMPY");
    const npz = temporary("y.npz");
    expect(out("run", RNN, "--input", join(MODELS, "intro_wrapped_rnn/case.json"), "--output", npz)).toContain(
      "output",
    );
    expect(readFileSync(npz).subarray(0, 2).toString()).toBe("PK");
  });

  test(".npy input of the right dtype and shape", () => {
    const ones = new Uint8Array(new Float32Array(20).fill(1).buffer);
    const path = temporary("x.npy", npy("<f4", "(10, 1, 2)", ones));
    const text = out("run", RNN, "--input", path);
    expect(text).toMatch(/^float32 \[1, 2\]|^\[0\]/);
  });

  test("errors of the code are one message with the traceback, exit code 1", () => {
    const { status, stderr, stdout } = cli([
      "run",
      RNN,
      "--input",
      temporary("bad.npy", npy("<f4", "(3,)", new Uint8Array(12))),
    ]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("Traceback of TorchScript");
  });

  test("a damaged .npy names what is wrong", () => {
    expect(cli(["run", RNN, "--input", temporary("no.npy", Uint8Array.of(1, 2))]).stderr).toContain(
      "expected the magic of .npy",
    );
    expect(cli(["run", RNN, "--input", temporary("cut.npy", npy("<f4", "(3,)", new Uint8Array(4)))]).stderr).toContain(
      "needs 12",
    );
    expect(
      cli(["run", RNN, "--input", temporary("big.npy", npy("<f4", "(9999999999999999999,)", new Uint8Array(4)))])
        .status,
    ).toBe(1);
  });

  test("--max-steps stops code that does not end", () => {
    const code =
      "class M(Module):\n  def forward(self: __torch__.M) -> int:\n    i = 0\n    _0 = True\n    while _0:\n      i = torch.add(i, 1)\n    return i\n";
    const path = temporary(
      "loop.pt",
      makeArchive({
        "data.pkl": pickleOf(object("__torch__ M", {})),
        "code/__torch__.py": code,
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    const { status, stderr } = cli(["run", path, "--max-steps", "1000"]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("maxSteps")]);
  });
});

describe("verify", () => {
  const check = (path: string): { status: number | null; lines: string[] } => {
    const { status, stdout, stderr } = cli(["verify", path]);
    expect(stderr).toBe("");
    return { status, lines: stdout.trimEnd().split("\n") };
  };
  const whole = new Uint8Array(readFileSync(ATTRIBUTES));
  /** The archive with records replaced, zipped anew with right checksums. */
  const replaced = (name: string, records: Record<string, string | Uint8Array | undefined>): string => {
    const old = [...recordsOf(whole)].filter(
      ([n]) => !/^version|byteorder|\.data/.test(n) && !(n in records && records[n] === undefined),
    );
    const bytes = makeArchive({
      ...Object.fromEntries(old),
      ...Object.fromEntries(Object.entries(records).filter(([, v]) => v !== undefined)),
    } as Record<string, Uint8Array>);
    return temporary(name, bytes);
  };

  test.each([
    "attributes",
    "control_flow",
    "gru_loop",
    "intro_rnn_loop",
    "intro_wrapped_rnn",
    "spectral",
    "stateful_train",
  ])("%s is sound", (name) => {
    expect(check(model(name))).toEqual({ status: 0, lines: [`${model(name)}: sound`] });
  });

  test("a flipped bit: the record and the byte", () => {
    const { dataOffset } = ArchiveReader.open(whole).stat("data/0");
    const damaged = whole.slice();
    damaged[dataOffset + 5]! ^= 4;
    const { status, lines } = check(temporary("flipped.pt", damaged));
    expect(status).toBe(3);
    expect(lines[0]).toMatch(
      /^error {4}data\/0, byte 64: crc-32 check failed: the data has 0x[0-9a-f]{8}, the directory states 0x3e667d78$/,
    );
    expect(lines).toHaveLength(2);
  });

  test("a file that is cut off, and one that is none", () => {
    expect(check(temporary("cut.pt", whole.subarray(0, 3000)))).toEqual({
      status: 3,
      lines: [
        expect.stringMatching(
          /^error {4}byte 0: failed finding central directory: no end record in the last 3000 bytes/,
        ),
        expect.stringMatching(/1 error$/),
      ],
    });
    expect(check(temporary("ff.pt", Uint8Array.from(Buffer.from("\0\0\0\0PTMF\0\0\0\0\0\0\0\0"))))).toMatchObject({
      status: 3,
    });
  });

  test("a damaged pickle: the record and the byte of the opcode", () => {
    const data = recordsOf(whole).get("data.pkl")!.slice();
    data[2] = 0x99;
    expect(check(replaced("pickle.pt", { "data.pkl": data }))).toMatchObject({
      status: 3,
      lines: [expect.stringMatching(/^error {4}data\.pkl, byte 2: .*Unknown opcode/), expect.anything()],
    });
  });

  test("storages: too short, missing, unused", () => {
    expect(check(replaced("short.pt", { "data/0": new Uint8Array(44) }))).toMatchObject({
      status: 3,
      lines: [
        expect.stringMatching(/^error {4}data\/0: record has 44 bytes, 12 float32 elements of "base" need 48/),
        expect.anything(),
      ],
    });
    expect(check(replaced("missing.pt", { "data/1": undefined }))).toMatchObject({
      status: 3,
      lines: [
        expect.stringMatching(/^error {4}data\/1: record is missing, "scratch" needs 8 bytes/),
        expect.anything(),
      ],
    });
    expect(check(replaced("unused.pt", { "data/77": new Uint8Array(4) }))).toMatchObject({
      status: 0,
      lines: [
        expect.stringMatching(/^warning {2}data\/77: no tensor uses/),
        expect.stringMatching(/sound, 1 warning$/),
      ],
    });
  });

  test("a tensor outside its storage: the byte of the call in the pickle", () => {
    const root = object("__torch__ M", { w: tensor(storage("0", 4), [2, 3], [3, 1]) });
    const path = temporary(
      "bounds.pt",
      makeArchive({
        "data/0": new Uint8Array(16),
        "data.pkl": pickleOf(root),
        "code/__torch__.py": "class M(Module):\n  w : Tensor\n",
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    const { status, lines } = check(path);
    expect(status).toBe(3);
    expect(lines[0]).toMatch(/^error {4}data\.pkl, byte \d+: .*need 24 bytes, its storage has 16/);
  });

  test("code: the record, the line, the byte; every fault has its own", () => {
    const code = new TextDecoder().decode(recordsOf(whole).get("code/__torch__/zoo.py"));
    const syntax = check(
      replaced("syntax.pt", { "code/__torch__/zoo.py": code.replace("def forward(", "def forward((") }),
    );
    expect(syntax).toMatchObject({
      status: 3,
      lines: [expect.stringMatching(/^error {4}code\/__torch__\/zoo\.py:\d+, byte \d+: /), expect.anything()],
    });
    const body = (name: string, line: string): string =>
      `  def ${name}(self: __torch__.M, x: Tensor) -> Tensor:\n    ${line}\n`;
    const path = temporary(
      "two.pt",
      makeArchive({
        "data.pkl": pickleOf(object("__torch__ M", {})),
        "code/__torch__.py": `class M(Module):\n${body("a", "return torch.nothing(x)")}${body("b", "return x")}${body("c", "return y")}`,
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    const { status, lines } = check(path);
    expect(status).toBe(3);
    expect(lines).toEqual([
      expect.stringMatching(/^error {4}code\/__torch__\.py:3, byte \d+: .*nothing/),
      expect.stringMatching(/^error {4}code\/__torch__\.py:7, byte \d+: .*undefined value y/),
      `${path}: 2 errors`,
    ]);
  });

  test("never runs code: __setstate__ that loops", () => {
    const code =
      "class M(Module):\n  n : int\n  def __getstate__(self: __torch__.M) -> int:\n    return self.n\n  def __setstate__(self: __torch__.M, s: int) -> NoneType:\n    while True:\n      self.n = s\n    return None\n  def forward(self: __torch__.M) -> int:\n    return self.n\n";
    const path = temporary(
      "setstate.pt",
      makeArchive({
        "data.pkl": pickleOf(object("__torch__ M", 1)),
        "code/__torch__.py": code,
        "constants.pkl": pickleOf(tuple()),
      }),
    );
    for (const args of [
      ["verify", path],
      ["dump", path],
      ["dump", path, "--graph"],
      ["dump", path, "--code"],
    ])
      expect(cli(args).status).toBe(0);
  });

  test("--json", () => {
    const { status, stdout } = cli(["verify", replaced("json.pt", { "data/0": new Uint8Array(44) }), "--json"]);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      errors: 1,
      warnings: 0,
      findings: [{ severity: "error", record: "data/0" }],
    });
  });
});

describe("ops", () => {
  test("lists what runs and what does not", () => {
    expect(out("ops", "--grep", "aten::relu(")).toMatch(
      /^aten::relu\(Tensor self\) -> Tensor\n1 of 1 schemas supported\n/,
    );
    const missing = json("ops", "--missing", "--json") as { supported: boolean; reason?: string }[];
    for (const { supported, reason } of missing) expect([supported, typeof reason]).toEqual([false, "string"]);
  });
});
