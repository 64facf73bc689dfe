/** @file Compilation of a function: syntax tree -> graph. The entry of `src/frontend/emit`. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (to_ir, CompilationUnit::define). Spec: none. */
import { ScriptError, TorchScriptError } from "../../base/errors.ts";
import { Source } from "../../base/source_range.ts";
import { QualifiedName } from "../../core/qualified_name.ts";
import { CompilationUnit } from "../../ir/compilation_unit.ts";
import { ScriptFunction } from "../../ir/function.ts";
import type { Graph } from "../../ir/graph.ts";
import type { Def } from "../ast.ts";
import { parseDefinitions } from "../parser.ts";
import type { Resolver } from "../resolver.ts";
import { ScriptTypeParser } from "../script_type_parser.ts";
import { setSourceCompiler } from "./builtin_functions.ts";
import { whileCompiling } from "./call_stack.ts";
import { canonicalizeModifiedLoops } from "./canonicalize_modified_loop.ts";
import { convertToSSA } from "./convert_to_ssa.ts";
import type { Self } from "./definitions.ts";
import { setOperatorVersion } from "./emit_builtin.ts";
import { emitFunction } from "./emitter.ts";
import { replaceOldOperators } from "./replace_old_operators.ts";
import { BuiltinModule, FunctionValue } from "./sugared_callable.ts";

export { SimpleSelf, type Self } from "./definitions.ts";

/** What a compilation needs besides the function. */
export interface CompileOptions {
  /** The unit that the function belongs to. */
  readonly cu: CompilationUnit;
  /** Version of the archive whose operators the source means; undefined: today's. */
  readonly version?: number | undefined;
  /** `finishEmission` of `src/passes/pipeline.ts`, which lies beside this layer. */
  readonly cleanup: (graph: Graph) => void;
  /** Parses annotations; made from the resolver where absent. */
  readonly types?: ScriptTypeParser;
}

// Builtin functions and upgraders are compiled with the passes of the first function that needs one.
let builtinCleanup: ((graph: Graph) => void) | undefined;
const cleanBuiltin = (graph: Graph): void => builtinCleanup?.(graph);

/** What cleans up the functions that stand behind operators, where nothing was compiled before them. */
export function setBuiltinCleanup(cleanup: (graph: Graph) => void): void {
  builtinCleanup = cleanup;
}

/** Compiles `def` into `fn.graph` and sets the schema. Throws ScriptError with the range at fault. */
export function defineFunction(
  fn: ScriptFunction,
  def: Def,
  resolver: Resolver,
  self: Self | undefined,
  options: CompileOptions,
): void {
  if (options.cleanup !== cleanBuiltin) builtinCleanup ??= options.cleanup;
  const atoms = fn.qualname.atoms;
  const name = self ? atoms.slice(-2).join(".") : fn.name;
  whileCompiling(name, def.range, () => {
    try {
      compile(fn, def, resolver, self, options);
    } catch (error) {
      if (error instanceof TorchScriptError) throw error;
      // source that torch stops at with an internal assertion of its own, or that nests too deeply for the stack
      throw new ScriptError(
        `Cannot compile ${name}: ${error instanceof Error ? error.message : String(error)}`,
        def.range,
        { cause: error },
      );
    }
  });
}

function compile(
  fn: ScriptFunction,
  def: Def,
  resolver: Resolver,
  self: Self | undefined,
  options: CompileOptions,
): void {
  const { graph } = fn;
  setOperatorVersion(graph, options.version);
  fn.setSchema(emitFunction(fn, def, resolver, options.types ?? new ScriptTypeParser(resolver), self));
  replaceOldOperators(graph);
  convertToSSA(graph);
  canonicalizeModifiedLoops(graph);
  options.cleanup(graph);
}

/** A resolver that knows `torch`, and the functions of a unit where one is given. */
export function nativeResolver(cu?: CompilationUnit): Resolver {
  return {
    resolveValue(name) {
      const fn = cu?.findFunction(name);
      if (fn) return new FunctionValue(fn);
      return name === "torch" ? new BuiltinModule("aten") : undefined;
    },
    resolveType: () => undefined,
  };
}

/** A resolver that knows the functions of a unit, and then what another one knows. */
function within(cu: CompilationUnit, around: Resolver): Resolver {
  return {
    resolveValue(name, fn, range) {
      const own = cu.findFunction(name);
      return own ? new FunctionValue(own) : around.resolveValue(name, fn, range);
    },
    resolveType: (name, range) => around.resolveType(name, range),
  };
}

/** Functions of a text, which may call each other; compiled when first asked for. `around`: what other names mean. */
export function defineSource(
  text: string,
  cleanup: (graph: Graph) => void,
  cu = new CompilationUnit(),
  filename = "<string>",
  around?: Resolver,
): ScriptFunction[] {
  const resolver = around ? within(cu, around) : nativeResolver(cu);
  const options: CompileOptions = { cu, cleanup };
  return parseDefinitions(new Source(text, filename, 1), false).map((def) =>
    cu.addFunction(
      new ScriptFunction(new QualifiedName(def.name.name), undefined, (fn) =>
        defineFunction(fn, def, resolver, undefined, options),
      ),
    ),
  );
}
setSourceCompiler((source) => defineSource(source, cleanBuiltin));
