// Bundles what `import "tsarchive"` and the command line load: hundreds of small modules cost more to find and read than to run.
// Names stay as they are (class names are part of what users see; tracing reads parameter names of `nn`); comments go.
// The modules of `nn` stay in a folder `nn/`: stack traces tell library modules from the rest by it (src/jit/call_site.ts).
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const source = (name) => join(root, "src", `${name}.ts`);

/** Text in one byte a character is read and scanned faster: what is not ASCII becomes escapes. Columns of such lines shift a little in the map. */
const ascii = {
  name: "ascii",
  generateBundle(_options, bundle) {
    const escape = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
    for (const chunk of Object.values(bundle)) {
      // eslint-disable-next-line no-control-regex
      if (chunk.type === "chunk") chunk.code = chunk.code.replace(/[^\x00-\x7f]/g, escape);
    }
  },
};

const LAZY_PARSER = `
import { createRequire } from "node:module";
let parser;
const load = () => (parser ??= createRequire(import.meta.url)("@babel/parser"));
export const parse = (text, options) => load().parse(text, options);
export const parseExpression = (text, options) => load().parseExpression(text, options);
`;

/** The parser of JavaScript is a third as large as everything else and needed by few programs: Node loads it when it is called. */
const lazyParser = {
  name: "lazy-parser",
  resolveId: (id) => (id === "@babel/parser" ? "\0lazy-parser" : undefined),
  load: (id) => (id === "\0lazy-parser" ? LAZY_PARSER : undefined),
};

/** See `HELPERS` in src/jit/call_site.ts. */
const HELPERS = ["aten", "sizes", "module"];

async function bundle(folder, input, options) {
  // package.json speaks of the side effects of dist, not of src
  const build = await rolldown({
    input,
    plugins: [ascii],
    tsconfig: false,
    treeshake: { moduleSideEffects: () => true },
    ...options,
  });
  await build.write({
    dir: join(root, "dist", folder),
    format: "esm",
    sourcemap: true,
    comments: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js",
    // from the bottom up: a group takes along what it needs and no group before it has
    codeSplitting: {
      groups: [
        { name: "archive", priority: 3, test: /[\\/]src[\\/](base|archive)[\\/]/ },
        {
          name: "engine",
          priority: 2,
          test: /[\\/]src[\\/](core|ops|tensor|torch|ir|frontend|passes|interpreter|loader|saver)[\\/]/,
        },
        ...HELPERS.map((name) => ({
          name: `nn/${name}`,
          priority: 1,
          test: new RegExp(`[\\\\/]src[\\\\/]nn[\\\\/]${name}\\.ts$`),
        })),
        { name: "nn/library", priority: 0, test: /[\\/]src[\\/]nn[\\/]/ },
      ],
    },
  });
  await build.close();
}

const commands = readdirSync(join(root, "src/cli/commands")).map((file) => `cli/commands/${file.replace(/\.ts$/, "")}`);
const entries = ["node/index", "cli/main", ...commands];
for (const folder of ["bundle", "browser"]) rmSync(join(root, "dist", folder), { recursive: true, force: true });
await bundle("bundle", Object.fromEntries(entries.map((name) => [name, source(name)])), {
  platform: "node",
  plugins: [ascii, lazyParser],
  external: [/^node:/],
});
await bundle("browser", { index: source("index") }, { platform: "browser" });
