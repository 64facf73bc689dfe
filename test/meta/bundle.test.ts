/** @file The bundles that package.json points at: complete, in working order, with names that people see. Made by `npm run build`. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { crc32 } from "../../src/archive/crc32.ts";
import * as source from "../../src/node/index.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Whether the bundles are there and no source is newer: tests may run without a build before them. */
function isBuilt(): boolean {
  const made = statSync(join(ROOT, "dist/bundle/node/index.js"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return readdirSync(join(ROOT, "src"), { recursive: true, withFileTypes: true }).every(
    (entry) => !entry.isFile() || statSync(join(entry.parentPath, entry.name)).mtimeMs <= made,
  );
}
const built = isBuilt();

/** Runs a module in a process of its own and parses what it prints. */
function run(code: string): unknown {
  return JSON.parse(
    execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: ROOT, encoding: "utf8" }),
  );
}

test.runIf(built)('import "tsarchive" gives the names of the source, and they work', () => {
  const model = join(ROOT, "test/fixtures/models/gru_loop/model.pt");
  const found = run(`
    import * as api from "tsarchive";
    const { jit, nn, torch, Tensor } = api;
    const model = jit.load(${JSON.stringify(model)});
    let message = "";
    try { jit.load("absent.pt"); } catch (error) { message = error.constructor.name; }
    console.log(JSON.stringify({
      names: Object.keys(api).sort(),
      hierarchy: String(model),
      layer: String(new nn.Linear(2, 3)),
      sum: torch.ones([2, 3]).sum().item(),
      message,
      tensor: Tensor.name,
    }));
  `);
  expect(found).toEqual({
    names: Object.keys(source).toSorted(),
    hierarchy: String(source.jit.load(model)),
    layer: "Linear(in_features=2, out_features=3, bias=True)",
    sum: 6,
    message: "ArchiveError",
    tensor: "Tensor",
  });
});

const TRACE = `
  const attention = new nn.MultiheadAttention(4, 2, { batchFirst: true });
  const traced = jit.trace(attention, [torch.ones([1, 3, 4]), torch.ones([1, 3, 4]), torch.ones([1, 3, 4])]);
  const text = [String(traced.graph), traced.code, jit.script(new nn.Sequential(new nn.Linear(2, 2), new nn.Tanh())).code];
`;

test.runIf(built)("traces of the bundle are those of the modules: frames of nn are told by their files", () => {
  const names = (from: string): unknown =>
    run(`const { jit, nn, torch } = await import(${JSON.stringify(`file://${join(ROOT, "dist", from)}`)});
      ${TRACE}
      console.log(JSON.stringify(text.join("\\n").replaceAll(/ #.*/g, "")));`);
  expect(names("bundle/node/index.js")).toBe(names("node/index.js"));
});

test.runIf(built)("the bundle for browsers imports nothing of Node", () => {
  expect(
    run(`
    import { readdirSync, readFileSync } from "node:fs";
    const files = readdirSync("dist/browser", { recursive: true }).filter((name) => name.endsWith(".js"));
    const text = files.map((name) => readFileSync("dist/browser/" + name, "utf8")).join("");
    const { torch } = await import(process.cwd() + "/dist/browser/index.js");
    console.log(JSON.stringify([/from\\s*"(node:|[a-z@])/.test(text), torch.ones([4]).sum().item()]));
  `),
  ).toEqual([false, 4]);
});

test.runIf(built)("the command line starts from its bundle", () => {
  const out = execFileSync(process.execPath, [join(ROOT, "dist/bundle/cli/main.js"), "ops", "--help"], {
    encoding: "utf8",
  });
  expect(out).toContain("Usage: tsarchive ops");
});

test.runIf(built)(
  "the Node that built the bundle has a code cache, and another text is never taken for what was compiled",
  () => {
    const cache = join(ROOT, "dist/bundle/cache");
    const [version] = readdirSync(cache);
    const names = readdirSync(join(cache, version!));
    for (const file of ["archive.cjs", "engine.cjs", "jit.cjs"]) {
      const text = readFileSync(join(ROOT, "dist/bundle", file));
      expect(names).toContain(`${file}-${crc32(text).toString(16)}.bin`);
    }
  },
);

test.runIf(built)("with --enable-source-maps stack traces name the sources", () => {
  const code =
    'import { jit } from "tsarchive"; try { jit.load("absent.pt"); } catch (error) { console.log(error.stack); }';
  const out = execFileSync(process.execPath, ["--enable-source-maps", "--input-type=module", "-e", code], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(out).toContain("file_source.ts");
});

test.runIf(built).each(["four", "six"])("an engine that likes %s rows runs kernels with as many", (rows) => {
  // Note [Packed product]: engines with Float16Array like six, and the one that built the package need not be the one that runs it
  const code = `
    if (${rows === "six"}) globalThis.Float16Array ??= class {};
    else delete globalThis.Float16Array;
    const { nn, setKernelBuild, supportedKernelBuilds, torch } = await import("tsarchive");
    torch.manual_seed(0);
    const layers = [new nn.Linear(40, 50), new nn.Conv2d(16, 20, 3, { padding: 1 }), new nn.Conv2d(16, 20, 5),
      new nn.Conv2d(16, 16, 5, { padding: 2, groups: 16 })];
    const inputs = [torch.randn([30, 40]), torch.randn([1, 16, 12, 12]), torch.randn([1, 16, 12, 12]),
      torch.randn([1, 16, 12, 12])];
    const builds = supportedKernelBuilds();
    const [wanted, found] = [builds[0], builds.at(-1)].map((build) => {
      setKernelBuild(build);
      return layers.map((layer, i) => layer.forward(inputs[i]));
    });
    const isClose = wanted.map((x, i) => torch.allclose(x, found[i], 1e-4, 1e-5));
    console.log(JSON.stringify({ best: builds.at(-1), isClose }));
  `;
  const out = execFileSync(process.execPath, [...relaxedFlag(), "--input-type=module", "-e", code], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(JSON.parse(out)).toEqual({ best: "relaxed", isClose: [true, true, true, true] });
});

/** Node 20 has the instructions behind a flag, later ones have them without. */
function relaxedFlag(): string[] {
  return Number(process.versions.node.split(".")[0]) < 22 ? ["--experimental-wasm-relaxed-simd"] : [];
}

/** Runs a module that gets `opened`, the files of the bundle that are opened, in a process of its own. */
function runWatched(code: string): unknown {
  return run(`
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    let opened = [];
    const { openSync } = fs;
    fs.openSync = (file, ...rest) => {
      const name = String(file).split("dist/bundle/")[1];
      if (name?.endsWith(".cjs")) opened.push(name);
      return openSync(file, ...rest);
    };
    syncBuiltinESMExports();
    const { jit, nn, torch } = await import("tsarchive");
    ${code}`);
}

test.runIf(built)("an import and a first run load no late chunk, and each is loaded when it is used", () => {
  const { jit, nn, torch } = source;
  const network = new nn.Sequential(new nn.Conv2d(3, 8, 3), new nn.BatchNorm2d(8), new nn.ReLU(), new nn.MaxPool2d(2));
  network
    .append(new nn.AdaptiveAvgPool2d([1, 1]))
    .append(new nn.Flatten())
    .append(new nn.Linear(8, 4));
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-"));
  const model = join(folder, "network.pt");
  jit.save(jit.trace(network.eval(), [torch.ones([1, 3, 16, 16])]), model);
  const found = runWatched(`
    const take = () => { const list = opened; opened = []; return list; };
    const start = take();
    jit.load(${JSON.stringify(model)}, { lazy: true }).eval()(torch.ones([1, 3, 16, 16]));
    const run = take();
    const names = Object.keys(nn).sort();
    const namespaces = take();
    const layer = nn.Linear.name;
    const library = take();
    torch.linalg.det(torch.ones([1, 1]));
    console.log(JSON.stringify({ start, run, names, namespaces, layer, library, linalg: take() }));
  `) as Record<string, string[]>;
  rmSync(folder, { recursive: true });
  expect(found["start"]!.filter((name) => /^late|library/.test(name))).toEqual([]);
  expect(found["start"]!.length).toBeLessThan(12);
  expect(found).toMatchObject({ run: [], names: Object.keys(nn).toSorted(), namespaces: [], layer: "Linear" });
  expect(found["library"]).toContain("nn/library.cjs");
  expect(found["linalg"]).toContain("late/ops_linalg.cjs");
});

test.runIf(built)("every late chunk can be the first that is used", () => {
  const failed = run(`
    import { createRequire } from "node:module";
    import { readdirSync } from "node:fs";
    const require = createRequire(process.cwd() + "/dist/bundle/x.cjs");
    const files = ["./nn/library.cjs", ...readdirSync("dist/bundle/late").filter((name) => name.endsWith(".cjs")).map((name) => "./late/" + name)];
    const failed = [];
    for (const file of files) {
      for (const path of Object.keys(require.cache)) delete require.cache[path];
      require("./node/index.cjs");
      try {
        require(file);
      } catch (error) {
        failed.push(file + ": " + error.message);
      }
    }
    console.log(JSON.stringify(failed));`);
  expect(failed).toEqual([]);
});

test.runIf(built)("the bundle has the operators of the modules", () => {
  const list = (from: string): unknown =>
    run(`const { listOperators } = await import(process.cwd() + "/dist/${from}");
      console.log(JSON.stringify(listOperators().filter((o) => o.supported).map((o) => o.schema)));`);
  expect(list("bundle/node/index.js")).toEqual(list("node/index.js"));
});

test.runIf(built)(
  "late families: quantized and sparse tensors reach the kernels of operators that are loaded after them",
  () => {
    expect(
      run(`
    const { torch } = await import("tsarchive");
    const q = torch.quantize_per_tensor(torch.tensor([[1, 2.5], [3, 4]]), 0.5, 0, torch.quint8);
    const s = torch.tensor([[0, -2.5], [3, 0]]).to_sparse();
    console.log(JSON.stringify([torch.flip(q, [0]).dequantize().tolist(), torch.sort(q, 1, true)[0].is_quantized, torch.abs(s).to_dense().tolist(), torch.max_pool2d(q.reshape([1, 1, 2, 2]), [2, 2]).is_quantized, torch.cat([q, q]).is_quantized]));`),
    ).toEqual([
      [
        [3, 4],
        [1, 2.5],
      ],
      true,
      [
        [0, 2.5],
        [3, 0],
      ],
      true,
      true,
    ]);
  },
);

test.runIf(built)("code that was compiled in another folder knows its own frames", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-"));
  const [before, after] = [join(folder, "before/dist"), join(folder, "after")];
  cpSync(join(ROOT, "dist/bundle"), join(before, "bundle"), { recursive: true });
  rmSync(join(before, "bundle/cache"), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(before, "package.json"), JSON.stringify({ type: "module" }));
  const program = (place: string, rest: string): string => `
    import { jit, nn, torch } from ${JSON.stringify(pathToFileURL(join(place, "bundle/node/index.js")).href)};
    import { writeCodeCache } from ${JSON.stringify(pathToFileURL(join(place, "bundle/code_cache.js")).href)};
    const traced = jit.trace(new nn.Sequential(new nn.Linear(4, 4)), [torch.ones([1, 4])]);
    ${rest}`;
  const make = join(folder, "make.mjs");
  writeFileSync(make, program(before, "writeCodeCache();"));
  execFileSync(process.execPath, [make], { env: { ...process.env, TSARCHIVE_MAKE_CODE_CACHE: "1" } });
  renameSync(join(folder, "before"), after);
  const use = join(folder, "use.mjs");
  writeFileSync(use, program(join(after, "dist"), "console.log(String(traced.inlinedGraph));"));
  const graph = execFileSync(process.execPath, [use], { encoding: "utf8" });
  rmSync(folder, { recursive: true });
  expect(graph).toMatch(/aten::linear.* # .*use\.mjs:4:0/);
});
