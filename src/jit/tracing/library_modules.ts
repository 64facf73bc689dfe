/** @file Library modules as their texts see them while a trace runs. Upstream: torch/nn/modules/module.py. Spec: none. See Note [Traced library code]. */
import { Module } from "../../nn/module.ts";
import { STATE } from "../../nn/module_state.ts";
import { PackedSequence } from "../../nn/utils_rnn.ts";
import { boxFloat } from "../../tensor/scalar.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { LibraryDefinition } from "../scripting/library.ts";
import { libraryMethods } from "../scripting/library_methods.ts";
import { annotationsOf, baseClasses, classOf, ownScript } from "../scripting/module_class.ts";
import { tuple } from "./python_values.ts";

function python(value: unknown, annotation: string | undefined): unknown {
  if (typeof value === "number") return annotation?.includes("float") ? boxFloat(value) : value;
  if (Array.isArray(value) && !value.every((item) => item instanceof Tensor))
    return tuple(value.map((item) => python(item, annotation)));
  return value;
}

/** An attribute as Python has it; undefined where there is none. */
export function moduleAttribute(module: Module, name: string): unknown {
  const items = module[STATE].items;
  const value: unknown = items.has(name) ? items.get(name) : (module as unknown as Record<string, unknown>)[name];
  if (typeof value === "function" && !(value instanceof Module) && !Object.hasOwn(module, name)) return undefined;
  const cls = classOf(module);
  if (typeof value === "number" && ownScript(cls)?.asWritten?.includes(name)) return value;
  return python(value, annotationsOf(cls)[name]);
}

/** The type that a text gives its first parameter. */
function inputType({ def }: LibraryDefinition): string | undefined {
  const type = def.params[1]?.type;
  return type?.kind === "Var" ? type.name.name : undefined;
}

/** The text of `forward` for these arguments. */
export function forwardFor(module: Module, [input]: readonly unknown[]): LibraryDefinition | undefined {
  const isPacked = input instanceof PackedSequence;
  for (const overload of libraryMethods.overloads?.(classOf(module)).get("forward") ?? []) {
    const found = moduleMethod(module, overload);
    if (found && (inputType(found) === "PackedSequence") === isPacked) return found;
  }
  return isPacked ? undefined : moduleMethod(module, "forward");
}

/** The text of a method, where the class's own is the library's: that of its first overload. */
export function moduleMethod(module: Module, name: string): LibraryDefinition | undefined {
  const cls = classOf(module);
  const [overload] = libraryMethods.overloads?.(cls).get(name) ?? [];
  const found = libraryMethods.findMethod(cls, overload ?? name);
  if (found === undefined || found === "ignored") return undefined;
  for (const base of baseClasses(cls)) {
    const script = ownScript(base);
    if (script) return { def: found.def, module: script.name.slice(0, script.name.lastIndexOf(".")) };
  }
  return undefined;
}
