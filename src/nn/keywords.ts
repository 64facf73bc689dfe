/** @file Arguments of library modules by name: `attention(q, k, v, { needWeights: false })`. Upstream: none. Spec: docs/script_modules.md. */
import { camelCase, snakeCase } from "../base/names.ts";
import type { ModuleScript } from "./module_script.ts";

/** Names the arguments of a call that gives some by name, in the types of the modules that take them so. @internal */
export declare const NAMED_CALL: unique symbol;

/** The form of a call with names, of a class that has one. */
export type NamedCall<M> = M extends { readonly [NAMED_CALL]: infer N extends readonly unknown[] } ? N : never;

const parametersByScript = new WeakMap<ModuleScript, readonly string[]>();

/** The parameters of `forward` in PyTorch's words: those of the library's text. */
function parametersOf(script: ModuleScript): readonly string[] {
  let names = parametersByScript.get(script);
  if (!names) {
    const [, list = ""] = /^def forward\w*\(self,? ?(.*)\)(?: ->.*)?:$/m.exec(script.source ?? "") ?? [];
    names = [...list.matchAll(/(?:^|, )(\w+)(?=:|,|$| =)/g)].map(([, name]) => name!);
    parametersByScript.set(script, names);
  }
  return names;
}

/** The text of the library class whose `forward` a module runs; undefined where a class of the user's has its own. */
function scriptOf(module: object): ModuleScript | undefined {
  for (let p = Object.getPrototypeOf(module) as object | null; p; p = Object.getPrototypeOf(p) as object | null) {
    const { constructor } = p;
    if (Object.hasOwn(constructor, "torchscript"))
      return (constructor as unknown as { readonly torchscript: ModuleScript }).torchscript;
    if (Object.hasOwn(p, "forward")) return undefined;
  }
  return undefined;
}

/** Whether a value is an object that was written as `{ ... }`. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * The arguments of a call by position, where the last is an object of arguments by name. An object in the first place is the
 * input itself. Throws TypeError for a name that `forward` does not have, or that was given by position too.
 */
export function positionalArguments(module: object, args: readonly unknown[]): readonly unknown[] {
  const last = args.at(-1);
  if (args.length < 2 || !isPlainObject(last)) return args;
  const script = scriptOf(module);
  const names = script ? parametersOf(script) : [];
  if (names.length < 2) return args;
  const given = args.slice(0, -1);
  const positional = [...given];
  const called = script!.name.replace(/^.*\./, "");
  for (const [key, value] of Object.entries(last)) {
    // `keyPaddingMask` and `key_padding_mask` are the same name
    const place = names.indexOf(snakeCase(key));
    if (place < 0) {
      const optional = names.slice(given.length).map((name) => camelCase(name));
      throw new TypeError(
        `${called}: forward() got an unexpected keyword argument "${key}"; the names here are ${optional.join(", ")}`,
      );
    }
    if (place < given.length) throw new TypeError(`${called}: forward() got multiple values for argument "${key}"`);
    positional[place] = value;
  }
  // what is left out has its default
  return Array.from(positional);
}
