/** @file MethodSource: where the methods of a module's class come from: library texts, JavaScript. Upstream: torch/jit/_recursive.py (make_stub). Spec: none. */
import type { Def } from "../../frontend/ast.ts";
import type { SugaredValue } from "../../frontend/emit/sugared_value.ts";
import type { Resolver } from "../../frontend/resolver.ts";
import type { Module } from "../../nn/module.ts";
import type { ModuleClass } from "./module_class.ts";

/** A method yet to be compiled; its name is the definition's. */
export interface MethodStub {
  readonly def: Def;
  /** What the names in the method mean. */
  readonly resolver: Resolver;
}

/** A property yet to be compiled: the definitions are methods of their own, named `__NAME_getter` and `__NAME_setter`. */
export interface PropertyStub {
  readonly name: string;
  readonly getter: MethodStub;
  readonly setter?: MethodStub | undefined;
}

/** Knows the methods of some classes. A source answers for the methods that are its own and leaves the others to the next. */
export interface MethodSource {
  /** Methods besides `forward` that are compiled although nothing calls them. */
  exportedNames(cls: ModuleClass): readonly string[];
  /** A method of a class; "ignored" where it is never compiled; undefined where it is not this source's. */
  findMethod(cls: ModuleClass, name: string): MethodStub | "ignored" | undefined;
  /** Methods with several signatures: name -> the methods that stand for it, which `findMethod` knows. */
  overloads?(cls: ModuleClass): ReadonlyMap<string, readonly string[]>;
  /** Properties (getters and setters) of a class; all of them are compiled. */
  properties?(cls: ModuleClass): readonly PropertyStub[];
  /** The type of an attribute as TorchScript text, where the source of the class says it; annotations of the class go before. */
  attributeType?(cls: ModuleClass, name: string): string | undefined;
  /** What a function that stands in an attribute or a static means in a script. */
  functionValue?(value: unknown, name: string): SugaredValue | undefined;
  /** A hook that was registered on a module, as `def name(self, input)` or `def name(self, input, output)`. */
  hookStub?(module: Module, hook: unknown): MethodStub | undefined;
}

const added: (() => MethodSource)[] = [];
let known: MethodSource[] = [];

/** Adds a source, which is asked for when it is needed; those added before are asked first. */
export function addMethodSource(source: () => MethodSource): void {
  added.push(source);
}

function sources(): readonly MethodSource[] {
  if (known.length < added.length) known = added.map((source) => source());
  return known;
}

/** The methods of all sources. */
export const methodSources: Required<Omit<MethodSource, "exportedNames">> & MethodSource = {
  exportedNames: (cls) => [...new Set(sources().flatMap((source) => source.exportedNames(cls)))].sort(),
  findMethod: (cls, name) => first((source) => source.findMethod(cls, name)),
  overloads: (cls) => new Map(sources().flatMap((source) => [...(source.overloads?.(cls) ?? [])])),
  properties: (cls) => sources().flatMap((source) => [...(source.properties?.(cls) ?? [])]),
  attributeType: (cls, name) => first((source) => source.attributeType?.(cls, name)),
  functionValue: (value, name) => first((source) => source.functionValue?.(value, name)),
  hookStub: (module, hook) => first((source) => source.hookStub?.(module, hook)),
};

function first<R>(ask: (source: MethodSource) => R | undefined): R | undefined {
  for (const source of sources()) {
    const found = ask(source);
    if (found !== undefined) return found;
  }
  return undefined;
}
