/** @file Every public name has a documentation comment that an editor shows: walks the declarations that the build writes. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const DIST = resolve(import.meta.dirname, "../../dist");
const ENTRY = join(DIST, "node/index.d.ts");

interface Declaration {
  readonly kind: string;
  readonly name: string;
  readonly hasDoc: boolean;
  /** What a class or interface extends and implements: an editor shows their comments where it has none of its own. */
  readonly bases: readonly string[];
  /** Members of classes, interfaces and object types with their documentation. */
  readonly members: readonly { name: string; hasDoc: boolean }[];
}

/** What every JavaScript programmer knows; and how library classes compile, which is no part of the API. */
const WELL_KNOWN = new Set(["toString", "toJSON", "valueOf", "[Symbol.iterator]", "name", "torchscript"]);
/** Tables of a format, whose names are the format's, and the IR, whose names are PyTorch's. */
const EXEMPT = new Set(["archive/opcodes.d.ts", "ir/graph.d.ts"]);

const textOf = (file: string): string => readFileSync(file, "utf8");
const pathOf = (from: string, target: string): string => resolve(dirname(from), target.replace(/\.ts$/, ".d.ts"));

/** What the name of a member is: up to its parameters or type. */
function memberName(line: string): string | undefined {
  if (/^\s*(private|protected)\b/.test(line)) return undefined;
  const match =
    /^\s*(?:(?:static|readonly|abstract|declare|override|get|set|accessor)\s+)*(#?[\w$]+|"[^"]+"|\[[\w.]+\])\??\s*[<(:;]/.exec(
      line,
    );
  return match && match[1] !== "constructor" && !match[1]!.startsWith("#") ? match[1] : undefined;
}

/** The top-level declarations of a file as tsc prints them: one statement begins at the start of a line, members four spaces in. */
function declarationsOf(file: string): Declaration[] {
  const declarations: { -readonly [K in keyof Declaration]: Declaration[K] }[] = [];
  const lines = textOf(file).split("\n");
  let members: { name: string; hasDoc: boolean }[] = [];
  let isOpen = false;
  lines.forEach((line, i) => {
    const hasDoc = (lines[i - 1] ?? "").trimEnd().endsWith("*/");
    const top = /^(?:export )?(?:declare )?(?:abstract )?(class|interface|function|const|type) ([\w$]+)/.exec(line);
    if (top) {
      members = [];
      isOpen = /^(class|interface)$/.test(top[1]!) || /^export declare const \w+: \{$/.test(line);
      const bases = /\b(?:extends|implements) (.*?)\s*\{?\}?$/.exec(line)?.[1]?.match(/\b[A-Z][\w$]*/g) ?? [];
      declarations.push({ kind: top[1]!, name: top[2]!, hasDoc, bases, members });
      return;
    }
    if (line.startsWith("}")) isOpen = false;
    if (!isOpen || !/^ {4}\S/.test(line)) return;
    // a constant text or number says what it is
    if (/: (?:"[^"]*"|-?\d+);$/.test(line)) return;
    const name = memberName(line);
    if (name !== undefined) members.push({ name, hasDoc });
  });
  return declarations;
}

/** Public names and where they are declared, through `export { a } from` and `export * from`. */
function publicNames(file: string, found = new Map<string, Set<string>>()): Map<string, Set<string>> {
  const add = (target: string, name: string): void => {
    const names = found.get(target) ?? new Set<string>();
    names.add(name);
    found.set(target, names);
  };
  const text = textOf(file);
  for (const [, names, target] of text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)";/gm)) {
    for (const name of names!.split(",")) {
      const own = name
        .trim()
        .replace(/^type /, "")
        .split(" as ")[0]!;
      if (own !== "") add(pathOf(file, target!), own);
    }
  }
  for (const [, target] of text.matchAll(/^export \* (?:as \w+ )?from "([^"]+)";/gm))
    publicNames(pathOf(file, target!), found);
  for (const { name } of declarationsOf(file)) add(file, name);
  return found;
}

/** Every declaration of the package by name. */
function declarationsByName(): Map<string, Declaration[]> {
  const all = new Map<string, Declaration[]>();
  for (const file of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".d.ts")) continue;
    for (const declaration of declarationsOf(join(DIST, file)))
      all.set(declaration.name, [...(all.get(declaration.name) ?? []), declaration]);
  }
  return all;
}

function inheritedDocs(
  declaration: Declaration,
  all: ReadonlyMap<string, Declaration[]>,
  seen = new Set<string>(),
): Set<string> {
  const names = new Set<string>();
  for (const base of declaration.bases) {
    if (seen.has(base)) continue;
    seen.add(base);
    for (const parent of all.get(base) ?? []) {
      for (const member of parent.members) if (member.hasDoc) names.add(member.name);
      for (const name of inheritedDocs(parent, all, seen)) names.add(name);
    }
  }
  return names;
}

/** Overloads and accessors share one comment; members have those of what their class extends. */
function undocumented(declaration: Declaration, all: ReadonlyMap<string, Declaration[]>): string[] {
  const { name, hasDoc, members } = declaration;
  const documented = inheritedDocs(declaration, all);
  for (const member of members) if (member.hasDoc || WELL_KNOWN.has(member.name)) documented.add(member.name);
  const missing = [...new Set(members.map((m) => m.name))].filter((n) => !documented.has(n));
  return [...(hasDoc ? [] : [name]), ...missing.map((n) => `${name}.${n}`)];
}

describe.skipIf(!existsSync(ENTRY))("public declarations", () => {
  test("every exported symbol and member has a documentation comment", () => {
    const missing: string[] = [];
    const all = declarationsByName();
    let count = 0;
    for (const [file, names] of publicNames(ENTRY)) {
      if (EXEMPT.has(relative(DIST, file))) continue;
      const declarations = declarationsOf(file).filter((d) => names.has(d.name));
      const documented = new Set(declarations.filter((d) => d.hasDoc).map((d) => d.name));
      for (const declaration of declarations) {
        count += 1 + declaration.members.length;
        for (const name of undocumented(declaration, all))
          if (name.includes(".") || !documented.has(name)) missing.push(`${relative(DIST, file)}: ${name}`);
      }
    }
    for (const file of [
      "tensor/tensor_api.d.ts",
      "tensor/generated/tensor_methods.d.ts",
      "torch/generated/torch_functions.d.ts",
      "torch/torch.d.ts",
      "jit/serialization.d.ts",
    ])
      for (const declaration of declarationsOf(join(DIST, file)))
        missing.push(...undocumented(declaration, all).map((name) => `${file}: ${name}`));
    expect(missing).toEqual([]);
    expect(count).toBeGreaterThan(500);
  });
});
