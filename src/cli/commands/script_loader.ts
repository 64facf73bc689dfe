/** @file Node's module hooks for `tsarchive script`: TypeScript files without their types, `tsarchive` as the library that runs. Upstream: none. Spec: docs/cli.md. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripTypes } from "../../jit/strip_types.ts";

interface Resolved {
  readonly url: string;
  readonly format?: string | null;
  readonly shortCircuit?: boolean;
}
interface Loaded {
  readonly format: string;
  readonly source?: string;
  readonly shortCircuit?: boolean;
}

let library = "";

/** Takes the address of the library from who registers the hooks. */
export function initialize(data: { readonly library: string }): void {
  library = data.library;
}

/** `tsarchive` is the library that compiles; `./x.js` is `./x.ts` where only that is there. */
export async function resolve(
  specifier: string,
  context: { readonly parentURL?: string },
  next: (specifier: string, context: object) => Promise<Resolved>,
): Promise<Resolved> {
  if (specifier === "tsarchive") return { url: library, shortCircuit: true };
  if (specifier.startsWith(".") && context.parentURL?.startsWith("file:")) {
    const wanted = new URL(specifier, context.parentURL);
    if (!existsSync(fileURLToPath(wanted))) {
      const path = wanted.href.replace(/\.(m?)js$/, ".$1ts");
      for (const candidate of [path, `${wanted.href}.ts`])
        if (candidate !== wanted.href && existsSync(fileURLToPath(candidate)))
          return { url: candidate, shortCircuit: true };
    }
  }
  return next(specifier, context);
}

/** TypeScript files run as what they are without types. */
export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  if (!/\.m?ts$/.test(url) || !url.startsWith("file:")) return next(url, context);
  const path = fileURLToPath(url);
  return { format: "module", source: stripTypes(readFileSync(path, "utf8"), path), shortCircuit: true };
}
