/** @file The bundles that package.json points at: complete, in working order, with names that people see. Made by `npm run build`. */
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
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
    for (const file of ["archive.cjs", "engine.cjs", "node.cjs"]) {
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
