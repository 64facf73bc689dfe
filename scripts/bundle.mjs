// Bundles what `import "tsarchive"` and the command line load: hundreds of small modules cost more to find and read than to run.
// Names stay as they are (class names are part of what users see; tracing reads parameter names of `nn`); comments go.
// For Node they are CommonJS behind small ES modules, so that they can come with V8's code cache (src/node/code_cache.ts).
// The modules of `nn` stay in a folder `nn/`: stack traces tell library modules from the rest by it (src/jit/call_site.ts).
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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

/** The modules of checksums and of kernels without threads, encoded by what was just compiled: with and without pinned rows where that makes a difference. */
const { encodedName, KERNEL_FAMILIES, kernelModuleBytes } =
  await import("../dist/tensor/kernels/wasm/kernel_modules.js");
const { CRC_MODULE, crcModuleBytes } = await import("../dist/archive/crc32_folding.js");
const encodedModules = [
  [CRC_MODULE, crcModuleBytes()],
  ...["simd", "relaxed"].flatMap((build) =>
    [true, false].flatMap((pinned) =>
      KERNEL_FAMILIES.map((family) => [
        encodedName(build, family, pinned),
        kernelModuleBytes(build, family, false, pinned),
      ]),
    ),
  ),
];

/** Puts other modules in the place of some of `src`. */
const instead = (texts) => {
  const byPath = new Map(Object.entries(texts).map(([name, text]) => [source(name), text]));
  return { name: "instead", load: (id) => byPath.get(id) };
};

/** See src/base/encoded_modules.ts. What is the same for several names stands there once, in base 64. */
function encodedModulesText() {
  const encoded = encodedModules.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]);
  const texts = [...new Set(encoded.map(([, text]) => text))];
  const entries = encoded.map(([name, text]) => `${JSON.stringify(name)}: texts[${texts.indexOf(text)}]`);
  return `
    const texts = ${JSON.stringify(texts)};
    const byName = { ${entries.join(", ")} };
    export function encodedModule(name) {
      const text = byName[name];
      return text && Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    }`;
}
const forBrowsers = instead({ "base/encoded_modules": encodedModulesText() });

/** In Node data are files beside the bundle: as texts in it they would be read, deserialised and kept in memory at every start. */
const DATA = join(root, "dist/bundle/data");
/** The file of a module: one for all names of the same bytes. */
const dataFile = (name, bytes) => {
  const [first] = encodedModules.find(([, others]) => Buffer.compare(others, bytes) === 0);
  return `${first.replaceAll(":", "-")}.wasm`;
};

function writeData() {
  mkdirSync(DATA, { recursive: true });
  for (const [name, bytes] of encodedModules) writeFileSync(join(DATA, dataFile(name, bytes)), bytes);
  writeFileSync(join(DATA, "schemas.txt"), schemaTable(), "latin1");
}

/** Modules that read the data; `at` makes an expression for the place of the file that an expression names. */
function dataModules(at) {
  const files = Object.fromEntries(encodedModules.map(([name, bytes]) => [name, dataFile(name, bytes)]));
  return instead({
    "core/schema_text": `
      import { readFileSync } from "node:fs";
      let text;
      export const schemaTable = () => (text ??= readFileSync(${at('"schemas.txt"')}, "latin1"));`,
    "base/encoded_modules": `
      import { readFileSync } from "node:fs";
      const files = ${JSON.stringify(files)};
      export const encodedModule = (name) => files[name] && new Uint8Array(readFileSync(${at("files[name]")}));`,
  });
}
const { schemaTable } = await import("../dist/core/schema_text.js");

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
    plugins: [ascii, forBrowsers],
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

/**
 * Keeps what V8 has compiled in processes of their own: of what a start loads the functions that it calls, then of late chunks what
 * making, tracing, scripting, printing and saving models calls.
 */
function makeCodeCache(late, networks) {
  const at = (name) => JSON.stringify(pathToFileURL(join(root, name)).href);
  const compiled = (program) => {
    const text = `
      import { setFlagsFromString } from "node:v8";
      import { loadBundled, writeCodeCache } from ${at("dist/bundle/code_cache.js")};
      import * as api from ${at("dist/bundle/node/index.js")};
      const MODELS = ${JSON.stringify(MODELS)};
      ${makeNetwork}
      ${runModels}
      setFlagsFromString("--no-flush-bytecode"); // V8 forgets what was not called for a while
      ${program}
      setFlagsFromString("--flush-bytecode"); // caches are good for the flags of the process that writes them
      writeCodeCache();`;
    execFileSync(process.execPath, ["--input-type=module"], {
      input: text,
      env: { ...process.env, TSARCHIVE_MAKE_CODE_CACHE: "1" },
      stdio: ["pipe", "inherit", "inherit"],
    });
  };
  const archives = networks.map((bytes) => Buffer.from(bytes).toString("base64"));
  compiled(`runModels(api, ${JSON.stringify(archives)}.map((text) => Buffer.from(text, "base64")));`);
  compiled(`
    for (const bytes of makeNetwork(api)) api.jit.load(bytes).code;
    for (const file of MODELS) [String(api.jit.load(file)), api.jit.load(file).code];
    for (const name of ${JSON.stringify(late)}) loadBundled(name);`);
}

const commands = readdirSync(join(root, "src/cli/commands"))
  .map((file) => `cli/commands/${file.replace(/\.ts$/, "")}`)
  .filter((name) => name !== HOOKS);
for (const folder of ["bundle", "browser"]) rmSync(join(root, "dist", folder), { recursive: true, force: true });
const forNode = { platform: "node", plugins: [ascii, lazyLibraries], external: [/^node:/] };
writeData();
const start = await findStart(root, {
  input: source("node/index"),
  ...forNode,
  plugins: [...forNode.plugins, dataModules((file) => `${JSON.stringify(`${DATA}/`)} + ${file}`)],
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
    plugins: [
      ...forNode.plugins,
      dataModules((file) => `new URL("data/" + ${file}, import.meta.url)`),
      lateFamilies(root, start),
      lateChunks,
    ],
    chunks: chunkGroups(root, start),
  },
);
await bundle("bundle", { [HOOKS]: source(HOOKS) }, forNode);
copyFileSync(join(root, "dist/node/code_cache.js"), join(root, "dist/bundle/code_cache.js"));
writeFacade("node/index", output.find((chunk) => chunk.name === "node/index").exports);
writeFacade("cli/main", [], { load: "loadNatively", head: "#!/usr/bin/env node\n" });
chmodSync(join(root, "dist/bundle/cli/main.js"), 0o755);
await bundle("browser", { index: source("index") }, { platform: "browser" });
makeCodeCache(output.map((chunk) => chunk.fileName).filter(isLate), start.made);
