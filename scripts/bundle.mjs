// Bundles what `import "tsarchive"` and the command line load: hundreds of small modules cost more to find and read than to run.
// Names stay as they are (class names are part of what users see; tracing reads parameter names of `nn`); comments go.
// For Node they are CommonJS behind small ES modules, so that they can come with V8's code cache (src/node/code_cache.ts).
// The modules of `nn` stay in a folder `nn/`: stack traces tell library modules from the rest by it (src/jit/call_site.ts).
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { chunkGroups, findStart, isLate, lateChunks, lateFamilies } from "./late_chunks.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = (name) => join(root, "src", `${name}.ts`);

/** Text in one byte a character is read and scanned faster: what is not ASCII becomes escapes. A first line for the shell becomes a comment. Columns of such lines shift a little in the map. */
const ascii = {
  name: "ascii",
  generateBundle(_options, bundle) {
    const escape = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
    for (const chunk of Object.values(bundle)) {
      // eslint-disable-next-line no-control-regex
      if (chunk.type === "chunk") chunk.code = chunk.code.replace(/[^\x00-\x7f]/g, escape).replace(/^#!/, "//");
    }
  },
};

const LAZY = {
  // a third as large as everything else, and needed by few programs
  "@babel/parser": `
    export const parse = (text, options) => load().parse(text, options);
    export const parseExpression = (text, options) => load().parseExpression(text, options);`,
  // makes tables when it is loaded; Node's own zlib stands in front of it
  fflate: `
    export const inflateSync = (bytes, options) => load().inflateSync(bytes, options);
    export const deflateSync = (bytes, options) => load().deflateSync(bytes, options);
    export function Inflate(ondata) { return new (load().Inflate)(ondata); }`,
};

/** Libraries that Node loads when they are first called. */
const lazyLibraries = {
  name: "lazy-libraries",
  resolveId: (id) => (Object.hasOwn(LAZY, id) ? `\0lazy:${id}` : undefined),
  load(id) {
    const name = id.startsWith("\0lazy:") ? id.slice("\0lazy:".length) : undefined;
    return (
      name &&
      `
      import { createRequire } from "node:module";
      let library;
      const load = () => (library ??= createRequire(import.meta.url)(${JSON.stringify(name)}));
      ${LAZY[name]}`
    );
  },
};

/** The modules of kernels without threads, encoded by what was just compiled: name -> bytes in base 64, with four and with six rows where that makes a difference. */
const { encodedName, KERNEL_FAMILIES, kernelModuleBytes } =
  await import("../dist/tensor/kernels/wasm/kernel_modules.js");
const encodedModules = [
  ["simd", 4],
  ["relaxed", 4],
  ["relaxed", 6],
].flatMap(([build, rows]) =>
  KERNEL_FAMILIES.map((family) => [
    encodedName(build, family, rows),
    Buffer.from(kernelModuleBytes(build, family, false, rows)).toString("base64"),
  ]),
);

/** See src/tensor/kernels/wasm/encoded_modules.ts. What is the same for several names stands there once. */
function encodedModulesText() {
  const texts = [...new Set(encodedModules.map(([, text]) => text))];
  const entries = encodedModules.map(([name, text]) => `${JSON.stringify(name)}: texts[${texts.indexOf(text)}]`);
  return `const texts = ${JSON.stringify(texts)};\nexport const ENCODED_MODULES = { ${entries.join(", ")} };`;
}
const kernelModules = {
  name: "kernel-modules",
  load: (id) => (/[\\/]wasm[\\/]encoded_modules\.ts$/.test(id) ? encodedModulesText() : undefined),
};

/** Module hooks run in a thread of their own and are an ES module. */
const HOOKS = "cli/commands/script_loader";

/** The modules that do something when they are loaded: package.json speaks of dist, not of src. */
const { sideEffects } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const effects = sideEffects.map((glob) => glob.replace(/^\.\/dist/, join(root, "src")).replace(/\.js$/, ".ts"));
const hasSideEffects = (id) =>
  id.startsWith("\0") || effects.some((glob) => (glob.endsWith("*.ts") ? dirname(id) === dirname(glob) : id === glob));

const treeshake = { moduleSideEffects: hasSideEffects };

async function bundle(folder, input, { format = "esm", chunks = [], ...options }) {
  const build = await rolldown({
    input,
    plugins: [ascii, kernelModules],
    tsconfig: false,
    treeshake,
    ...options,
  });
  const extension = format === "cjs" ? "cjs" : "js";
  const { output } = await build.write({
    dir: join(root, "dist", folder),
    format,
    sourcemap: true,
    comments: false,
    entryFileNames: `[name].${extension}`,
    chunkFileNames: `[name].${extension}`,
    codeSplitting: { groups: chunks },
  });
  await build.close();
  return output;
}

/** An ES module that gives what a CommonJS file of the bundle exports. */
function writeFacade(name, exports, { load = "loadBundled", head = "" } = {}) {
  const loader = `${"../".repeat(name.split("/").length - 1)}code_cache.js`;
  const call = `${load}(${JSON.stringify(`${name}.cjs`)})`;
  const text = exports.length > 0 ? `export const { ${exports.join(", ")} } = ${call};\n` : `${call};\n`;
  writeFileSync(
    join(root, "dist/bundle", `${name}.js`),
    `${head}import { ${load} } from ${JSON.stringify(loader)};\n${text}`,
  );
}

const MODELS = ["gru_loop", "control_flow", "stateful_train"].map((name) =>
  join(root, "test/fixtures/models", name, "model.pt"),
);

/** A network for images as most of them are: archives of it, traced and scripted. */
function makeNetwork({ jit, nn, torch }) {
  const layers = (channels, inside, groups) => [
    new nn.Conv2d(channels, inside, 1, { bias: false }),
    new nn.BatchNorm2d(inside),
    new nn.ReLU(),
    new nn.Conv2d(inside, channels, 3, { padding: 1, bias: false, groups }),
    new nn.BatchNorm2d(channels),
  ];
  class Block extends nn.Module {
    constructor(...sizes) {
      super();
      this.layers = new nn.Sequential(...layers(...sizes));
      this.relu = new nn.ReLU({ inplace: true });
    }
    forward(x) {
      return this.relu(torch.add(this.layers(x), x));
    }
  }
  const network = new nn.Sequential(
    new nn.Conv2d(3, 32, 7, { stride: 2, padding: 3 }),
    new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
    new Block(32, 16, 1),
    new Block(32, 32, 32),
    new nn.AdaptiveAvgPool2d([1, 1]),
    new nn.Flatten(1),
    new nn.Dropout(),
    new nn.Linear(32, 100),
  );
  const image = torch.ones([1, 3, 64, 64]);
  return [jit.trace(network.eval(), [image]), jit.script(network)].map((made) => made.saveToBuffer());
}

/** What a start does: opens and runs models. */
function runModels({ jit, torch }, networks) {
  for (const lazy of [false, true]) {
    for (const file of MODELS) jit.load(file, { lazy }).eval();
    for (const network of networks) jit.load(network, { lazy }).eval()(torch.ones([1, 3, 64, 64]));
  }
}

/** Makes, loads and runs models in a process of its own, and keeps what that has compiled. */
function makeCodeCache(late) {
  const at = (name) => JSON.stringify(pathToFileURL(join(root, name)).href);
  const program = `
    import { loadBundled, writeCodeCache } from ${at("dist/bundle/code_cache.js")};
    import { jit, nn, torch } from ${at("dist/bundle/node/index.js")};
    for (const file of ${JSON.stringify(MODELS)})
      for (const lazy of [false, true]) [String(jit.load(file, { lazy }).eval()), jit.load(file, { lazy }).code];
    const layers = [new nn.Conv2d(3, 8, 3, { padding: 1 }), new nn.BatchNorm2d(8), new nn.ReLU(), new nn.Flatten(), new nn.Linear(8192, 4)];
    const image = torch.ones([1, 3, 32, 32]);
    jit.load(jit.trace(new nn.Sequential(...layers).eval(), [image]).saveToBuffer())(image);
    for (const name of ${JSON.stringify(late)}) loadBundled(name);
    writeCodeCache();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    env: { ...process.env, TSARCHIVE_MAKE_CODE_CACHE: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

const commands = readdirSync(join(root, "src/cli/commands"))
  .map((file) => `cli/commands/${file.replace(/\.ts$/, "")}`)
  .filter((name) => name !== HOOKS);
for (const folder of ["bundle", "browser"]) rmSync(join(root, "dist", folder), { recursive: true, force: true });
const forNode = { platform: "node", plugins: [ascii, kernelModules, lazyLibraries], external: [/^node:/] };
const start = await findStart(root, {
  input: source("node/index"),
  ...forNode,
  treeshake,
  make: makeNetwork,
  run: runModels,
});
const output = await bundle(
  "bundle",
  Object.fromEntries(["node/index", "cli/main", ...commands].map((name) => [name, source(name)])),
  {
    ...forNode,
    format: "cjs",
    preserveEntrySignatures: "allow-extension",
    plugins: [...forNode.plugins, lateFamilies(root, start), lateChunks],
    chunks: chunkGroups(root, start),
  },
);
await bundle("bundle", { [HOOKS]: source(HOOKS) }, forNode);
copyFileSync(join(root, "dist/node/code_cache.js"), join(root, "dist/bundle/code_cache.js"));
writeFacade("node/index", output.find((chunk) => chunk.name === "node/index").exports);
writeFacade("cli/main", [], { load: "loadNatively", head: "#!/usr/bin/env node\n" });
chmodSync(join(root, "dist/bundle/cli/main.js"), 0o755);
await bundle("browser", { index: source("index") }, { platform: "browser" });
makeCodeCache(output.map((chunk) => chunk.fileName).filter(isLate));
