// What of the bundle for Node a start loads, and how the rest is loaded when it is first used.
//
// Note [Late chunks]: reading, deserialising and touching memory for code that most programs never run is most of what an import
// costs. So modules that importing, opening and running some models use are a few chunks, and the others are in chunks by folder that
// are loaded at the first use of a name of theirs. Nobody writes down which is which: `findStart` bundles every module to a file of
// its own, loads these lazily, runs the models and looks what was loaded. Two kinds of modules do something when they are loaded:
// families of operators, which the registry loads by a table of their keys, and those that hand a function to another module, which
// always belong to the start. What a module may not do is count on having been loaded because somebody imports it.
import { readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, posix, relative, resolve } from "node:path";
import * as vm from "node:vm";
import { parse } from "@babel/parser";
import { RolldownMagicString, rolldown } from "rolldown";

const REQUIRE = /^(?:const|let) (require_[\w$]+) = require\("(\.[^"]+)"\);$/gm;

const REGISTRY = "core/operator_registry";

/** Whether a file of the bundle is loaded when it is first used. */
export const isLate = (name) => /^(late\/\w+|nn\/library)\.cjs$/.test(name);

/** Late chunks are required where they are used. */
export const lateChunks = {
  name: "late-chunks",
  renderChunk(code, { fileName }) {
    const text = requireLate(code, (path) => isLate(posix.join(posix.dirname(fileName), path)));
    exportValues(code, text);
    return { code: text };
  },
};

// prettier-ignore
const EXPORT =
  /^Object\.defineProperty\(exports, ["']([\w$]+)["'], \{\s+enumerable: true,\s+get: function\s*\(\) \{\s+return ([\w$]+);?\s+\}\s+\}\);$/gm;

/** Exports what never changes as a value: hundreds of getters cost a start, and calls from other chunks before they are optimised. */
function exportValues(code, text) {
  const constants = new Set(
    [...code.matchAll(/^(?:const|function\*?|async function|var(?= [\w$]+ = class\b)) ([\w$]+)/gm)].map((m) => m[1]),
  );
  for (const { 0: statement, 1: name, 2: value, index } of code.matchAll(EXPORT))
    if (constants.has(value)) text.overwrite(index, index + statement.length, `exports.${name} = ${value};`);
}

/** Makes requires of some files happen at the first use of what they export. */
function requireLate(code, isLate) {
  const text = new RolldownMagicString(code);
  for (const [head, name, path] of code.matchAll(REQUIRE)) {
    if (!isLate(path)) continue;
    const at = code.indexOf(head);
    text.overwrite(at, at + head.length, `let ${name};`);
    const word = name.replaceAll("$", "\\$");
    for (const use of code.matchAll(new RegExp(`(?<![\\w$]|(?<!\\.\\.)\\.)${word}(?![\\w$])`, "g"))) {
      if (use.index >= at && use.index < at + head.length) continue;
      if (code[use.index + name.length] !== ".")
        throw new Error(`${name} is used as a whole: it cannot be loaded late`);
      text.overwrite(use.index, use.index + name.length, `(${name} ??= require(${JSON.stringify(path)}))`);
    }
  }
  return text;
}

/** What a file only passes on is asked for when somebody asks it. */
function passOn(code) {
  return code.replaceAll(
    /^exports\.([\w$]+) = (require_[\w$]+\.[\w$]+);$/gm,
    'Object.defineProperty(exports, "$1", { enumerable: true, get: () => $2 });',
  );
}

/** Loads files of `folder` one by one when they are first used. `onLoad` is told of each, before and after. */
function lazyLoader(folder, { onLoad, onLoaded, replaced = new Map() } = {}) {
  const files = new Map();
  const native = createRequire(import.meta.url);
  const load = (path) => {
    const known = files.get(path);
    if (known) return known.exports;
    const module = { exports: {} };
    files.set(path, module);
    const name = relative(folder, path)
      .replaceAll("\\", "/")
      .replace(/\.cjs$/, "");
    onLoad?.(name);
    const text = replaced.get(name) ?? requireLate(passOn(readFileSync(path, "utf8")), () => true).toString();
    const require = (id) => (id.startsWith(".") ? load(resolve(dirname(path), id)) : native(id));
    vm.compileFunction(text, ["exports", "require", "module", "__filename"], { filename: path })(
      module.exports,
      require,
      module,
      path,
    );
    onLoaded?.(name, module.exports);
    return module.exports;
  };
  return (name) => load(join(folder, `${name}.cjs`));
}

/** Whether a module does something to others when it is loaded: a statement at the top that uses what is imported. */
function hasEffects(text) {
  const { program } = parse(text, { sourceType: "module", plugins: ["typescript"] });
  const imported = new Set(
    program.body.flatMap((node) => (node.type === "ImportDeclaration" ? node.specifiers.map((s) => s.local.name) : [])),
  );
  const uses = (node) =>
    node !== null &&
    typeof node === "object" &&
    ((node.type === "Identifier" && imported.has(node.name)) || Object.values(node).some(uses));
  return program.body.some((node) => /^(Expression|For|If)/.test(node.type) && uses(node));
}

/**
 * The families of operators that `ops/index` lists, with what they register: keys of operators, other names of them, and keys of those
 * for which they have special kernels.
 */
function findFamilies(folder, make) {
  const index = readFileSync(join(folder, "ops/index.cjs"), "utf8");
  const families = [...index.matchAll(/^require\("\.\/([^"]+)\.cjs"\);$/gm)].map(([, name]) => `ops/${name}`);
  const known = new Map(families.map((name) => [name, { name, keys: [], aliases: [], specialized: new Set() }]));
  const running = [];
  const current = () => {
    const family = known.get(running.at(-1));
    if (!family) throw new Error(`${running.at(-1)} registers operators and is not in src/ops/index.ts`);
    return family;
  };
  const load = lazyLoader(folder, {
    onLoad: (name) => running.push(name),
    onLoaded(name, exports) {
      running.pop();
      if (name !== REGISTRY) return;
      const { op, builtin, aliasOperator, specializeKernel } = exports;
      const registers = (register) => (schema, kernel) => {
        current().keys.push(schema.slice(0, schema.indexOf("(")));
        return register(schema, kernel);
      };
      exports.op = registers(op);
      exports.builtin = registers(builtin);
      exports.aliasOperator = (...names) => {
        current().aliases.push(names);
        aliasOperator(...names);
      };
      exports.specializeKernel = (key, ...args) => {
        current().specialized.add(key);
        specializeKernel(key, ...args);
      };
    },
  });
  for (const name of families) load(name);
  return { families: families.map((name) => known.get(name)), made: make(load) };
}

/** Statements that tell the registry of a family. */
function addFamily({ keys, aliases, specialized }, load, registry = "") {
  const names = aliases.map(([alias, name]) => `${registry}aliasOperator("${alias}", "${name}");`);
  const more = specialized.size > 0 ? `, "${[...specialized].join(" ")}"` : "";
  return [`${registry}addOperatorFamily("${keys.join(" ")}", ${load}${more});`, ...names].join("\n");
}

/** Puts the table of the families that no start needs in the place of `ops/index`. */
export function lateFamilies(root, { used, families }) {
  const path = (name) => join(root, "src", `${name}.ts`);
  const late = new Map(families.filter(({ name }) => !used.has(name)).map((family) => [path(family.name), family]));
  const index = [
    'import { addOperatorFamily, aliasOperator } from "../core/operator_registry.ts";',
    ...families.map((family, i) => {
      const from = JSON.stringify(`./${basename(family.name)}.ts`);
      if (used.has(family.name)) return `import ${from};`;
      return `import { isRegistered as family${i} } from ${from};\n${addFamily(family, `() => family${i}`)}`;
    }),
  ].join("\n");
  return {
    name: "late-families",
    load: (id) => (id === path("ops/index") ? index : undefined),
    // something to ask for
    transform: (code, id) =>
      late.has(id) ? { code: `${code}\nexport function isRegistered() {}`, map: null } : undefined,
  };
}

/** How modules go to chunks: for rolldown. */
export function chunkGroups(root, { used, all }) {
  const nameOf = (id) => relative(join(root, "src"), id).replaceAll("\\", "/").replace(/\.ts$/, "");
  const chunkOf = (id) => {
    const name = nameOf(id);
    const folder = name.split("/")[0];
    // what stands for libraries imports nothing
    if (id.startsWith("\0lazy:") || folder === "base" || folder === "archive") return "archive";
    if (!all.has(name) || !name.includes("/") || name === "node/index") return undefined;
    if (HELPERS.includes(name) || name === "nn/index") return name;
    if (used.has(name)) return { nn: "nn/base", jit: "jit", node: "platform" }[folder] ?? "engine";
    if (folder === "nn") return "nn/library";
    // families of one matter are one chunk
    if (folder === "ops") return `late/ops_${basename(name).split("_")[0]}`;
    return `late/${dirname(name).split("/").slice(0, 2).join("_")}`;
  };
  return [{ name: chunkOf, debugName: "start and late", includeDependenciesRecursively: false }];
}

/** See `HELPERS` in src/jit/call_site.ts. */
const HELPERS = ["nn/aten", "nn/sizes", "nn/module"];

/** Modules and operators by what a start has to do with them; names are paths below `src`. */
export async function findStart(root, { input, make, run, ...options }) {
  const folder = join(root, "dist/start");
  const entry = relative(join(root, "src"), input).replace(/\.ts$/, "");
  const build = await rolldown({
    ...options,
    // as an entry it exports all that it has
    input: { [entry]: input, [REGISTRY]: join(root, "src", `${REGISTRY}.ts`) },
    tsconfig: false,
  });
  const { output } = await build.write({
    dir: folder,
    format: "cjs",
    preserveModules: true,
    preserveModulesRoot: join(root, "src"),
    entryFileNames: "[name].cjs",
  });
  await build.close();
  const nameOf = (chunk) => chunk.fileName.replace(/\.cjs$/, "");
  const sources = output.filter((chunk) => chunk.facadeModuleId?.startsWith(join(root, "src")));
  const effects = sources.filter((chunk) => hasEffects(readFileSync(chunk.facadeModuleId, "utf8"))).map(nameOf);
  const { families, made } = findFamilies(folder, (load) => make(load(entry)));
  const index = families.map((family) =>
    addFamily(family, `() => require("../${family.name}.cjs")`, `require("../${REGISTRY}.cjs").`),
  );
  const used = new Set();
  const load = lazyLoader(folder, {
    onLoad: (name) => used.add(name),
    replaced: new Map([["ops/index", index.join("\n")]]),
  });
  const api = load(entry);
  for (const name of Object.keys(api)) void api[name];
  for (const name of effects) if (!families.some((family) => family.name === name)) load(name);
  run(api, made);
  rmSync(folder, { recursive: true, force: true });
  return { used, all: new Set(sources.map(nameOf)), families, made };
}
