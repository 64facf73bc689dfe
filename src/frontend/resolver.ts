/** @file Resolver: where the emitter looks up names that a function does not define itself. Upstream: torch/csrc/jit/frontend/resolver.h. Spec: none. */
import type { SourceRange } from "../base/source_range.ts";
import type { Type } from "../core/type.ts";
import type { ScriptFunction } from "../ir/function.ts";
import type { SugaredValue } from "./emit/sugared_value.ts";

/** The environment around a function: the importer's for archives, the caller's for scripts. */
export interface Resolver {
  /** The meaning of a free name in the function that is being compiled; may insert nodes into `fn.graph`. */
  resolveValue(name: string, fn: ScriptFunction, range: SourceRange): SugaredValue | undefined;
  /** The type of a name or dotted name in a type expression. */
  resolveType(name: string, range: SourceRange): Type | undefined;
}
