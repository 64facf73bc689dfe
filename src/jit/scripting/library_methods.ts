/** @file Methods of library classes, from the TorchScript text that the classes carry. See Note [Library sources]. Upstream: torch/nn/modules. Spec: none. */
import { Source } from "../../base/source_range.ts";
import type { Def } from "../../frontend/ast.ts";
import { parsePythonDefinitions } from "../../frontend/python_syntax.ts";
import type { ModuleScript } from "../../nn/module_script.ts";
import { libraryFunctionValue, libraryResolverOf } from "./library.ts";
import type { MethodSource } from "./method_source.ts";
import { baseClasses, ownScript } from "./module_class.ts";

const definitions = new WeakMap<ModuleScript, ReadonlyMap<string, Def>>();

/** The definitions in a class's text by name. */
function definitionsOf(script: ModuleScript): ReadonlyMap<string, Def> {
  let defs = definitions.get(script);
  if (!defs) {
    const source = new Source(script.source ?? "", `<${script.name}>`, 1);
    defs = new Map(parsePythonDefinitions(source, true).map((def) => [def.name.name, def]));
    definitions.set(script, defs);
  }
  return defs;
}

/** Answers for methods of library classes that no other class overrides. */
export const libraryMethods: MethodSource = {
  exportedNames: (cls) => [...baseClasses(cls)].flatMap((base) => ownScript(base)?.exported ?? []),
  findMethod(cls, name) {
    for (const base of baseClasses(cls)) {
      const script = ownScript(base);
      if (!script) {
        if (Object.hasOwn(base.prototype, name)) return undefined;
        continue;
      }
      if (script.ignored?.includes(name)) return "ignored";
      const def = definitionsOf(script).get(name);
      if (def) return { def, resolver: libraryResolverOf(script.name) };
    }
    return undefined;
  },
  functionValue: (value) => libraryFunctionValue(value),
  overloads(cls) {
    for (const base of baseClasses(cls)) {
      const overloads = ownScript(base)?.overloads;
      if (overloads) return new Map(Object.entries(overloads));
      // its own forward takes the place of the library's overloads
      if (!ownScript(base) && Object.hasOwn(base.prototype, "forward")) break;
    }
    return new Map();
  },
};
