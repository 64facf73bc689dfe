/** @file Variables of a function while it is compiled: one frame per block, loads and stores in the graph. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (Environment). Spec: none.
 *
 * Note [Loads and stores]: each assignment of a first-class value inserts `prim::Store`, each use `prim::Load`; conversion to SSA
 * removes both. Every load takes a number and, where the name means something, the name itself, so lookups must happen exactly
 * as often and in the same order as upstream's. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createLoad, createStore } from "../../ir/build_nodes.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { Block, Value } from "../../ir/graph.ts";
import type { Ident } from "../ast.ts";
import type { Resolver } from "../resolver.ts";
import { globalValue } from "./globals.ts";
import { ClassValue, NamedTupleConstructor } from "./sugared_callable.ts";
import { SimpleValue, asSimple, type SugaredValue } from "./sugared_value.ts";
import { tryConvertToType } from "./schema_matching.ts";

/** Whether a name is worth keeping in the graph: `_1` and temporaries are not, so that saved code does not change when loaded. */
export function isMeaningfulName(name: string): boolean {
  return name.length > 0 && !name.startsWith("$") && !/^_[0-9]*$/.test(name);
}

const FIRST_CLASS_ONLY = "is not a first-class value.  Only reassignments to first-class values are allowed";

/** The variables of one block. */
export class Environment {
  readonly block: Block;
  readonly next: Environment | undefined;
  private readonly fn: ScriptFunction;
  private readonly resolver: Resolver;
  private readonly types = new Map<string, Type>();
  private readonly values = new Map<string, SugaredValue>();
  /** Why a variable is not there; kept in the outermost frame. */
  private readonly errors = new Map<string, () => string>();

  constructor(fn: ScriptFunction, resolver: Resolver, block: Block, next?: Environment) {
    this.fn = fn;
    this.resolver = resolver;
    this.block = block;
    this.next = next;
  }

  private outermost(): Environment {
    let frame: Environment = this;
    while (frame.next) frame = frame.next;
    return frame;
  }
  /** Remembers what to say should the variable be used. */
  setVariableTypeError(name: string, message: () => string): void {
    this.outermost().errors.set(name, message);
  }

  findInThisFrame(name: string): SugaredValue | undefined {
    const value = this.values.get(name);
    if (value) return value;
    const type = this.types.get(name);
    if (!type) return undefined;
    const { graph } = this.fn;
    const load = graph.insertNode(createLoad(graph, name, type)).output;
    if (isMeaningfulName(name)) load.setDebugName(name);
    return new SimpleValue(load);
  }
  findInAnyFrame(name: string): SugaredValue | undefined {
    for (let frame: Environment | undefined = this; frame; frame = frame.next) {
      const found = frame.findInThisFrame(name);
      if (found) return found;
    }
    return undefined;
  }
  findInParentFrame(name: string): SugaredValue | undefined {
    return this.next?.findInAnyFrame(name);
  }

  setType(name: string, type: Type): void {
    this.types.set(name, type);
  }
  /** First-class variables of this frame. */
  definedVariables(): string[] {
    return [...this.types.keys()];
  }

  setVar(range: SourceRange, name: string, value: Value): void {
    this.setSugaredVar(range, name, new SimpleValue(value));
  }
  setSugaredVar(range: SourceRange, name: string, value: SugaredValue, annotated?: Type): void {
    let simple = asSimple(value);
    // a value of an outer block keeps its namelessness: the name would only hold in here
    if (simple && !simple.hasDebugName() && isMeaningfulName(name) && simple.node.owningBlock === this.block)
      simple.setDebugName(name);
    const parent = this.findInParentFrame(name);
    if (parent) {
      if (annotated) {
        throw new ScriptError(
          `Attempting to declare and annotate the type of variable '${name}' but it is already defined in an outer block`,
          range,
        );
      }
      if (!simple)
        throw new ScriptError(
          `Cannot re-assign '${name}' to a value of type ${value.kind()} because ${name} ${FIRST_CLASS_ONLY}`,
          range,
        );
      const simpleParent = asSimple(parent);
      if (!simpleParent)
        throw new ScriptError(
          `Cannot re-assign '${name}' because it has type ${value.kind()} and ${name} ${FIRST_CLASS_ONLY}`,
          range,
        );
      simple = this.convertForParent(range, name, simple, simpleParent.type);
    }
    if (!simple) {
      this.values.set(name, value);
      return;
    }
    if (annotated && !T.isSubtypeOf(simple.type, annotated)) {
      throw new ScriptError(
        `Variable '${name}' is annotated with type ${T.typeReprStr(annotated)} but is being assigned to a value of type ${T.typeReprStr(simple.type)}`,
        range,
      );
    }
    const { graph } = this.fn;
    graph.insertNode(createStore(graph, name, simple)).setSourceRange(range);
    // the declared type stays where the value's is narrower
    this.types.set(name, annotated ?? simple.type);
  }

  /** Converts a value to the type that the variable has outside. */
  private convertForParent(range: SourceRange, name: string, given: Value, outer: Type): Value {
    const wanted = T.unshapedType(outer);
    const value = tryConvertToType(range, this.fn.graph, wanted, given, true);
    const whyNot: T.WhyNot = { text: "" };
    if (T.isSubtypeOf(value.type, wanted, whyNot)) return value;
    let text = `Variable '${name}' previously had type ${T.typeReprStr(outer)} but is now being assigned to a value of type ${T.typeReprStr(value.type)}`;
    if (outer.kind === "List" && value.type.kind === "List") {
      text +=
        "\nEmpty lists default to List[Tensor]. Add a variable annotation to the assignment to create an empty list of another type (torch.jit.annotate(List[T, []]) where T is the type of elements in the list for Python 2)";
    }
    throw new ScriptError(`${text}\n${whyNot.text}`, range);
  }

  getVar(name: string, range: SourceRange): Value {
    return this.getSugaredVar(name, range).asValue(range, this.fn);
  }

  /** The meaning of a name: variable, builtin, NamedTuple, the resolver's value, class; throws ScriptError where it has none. */
  getSugaredVar(name: string, range: SourceRange): SugaredValue {
    const found = this.findInAnyFrame(name) ?? globalValue(name);
    if (found) return found;
    const type = this.resolver.resolveType(name, range);
    if (type?.kind === "Tuple") return new NamedTupleConstructor(type);
    const value = this.resolver.resolveValue(name, this.fn, range);
    if (value) return value;
    if (type?.kind === "Class") return new ClassValue(type);
    this.throwNotFound(name, range);
  }

  private throwNotFound(name: string, range: SourceRange): never {
    const message = this.outermost().errors.get(name)?.();
    throw new ScriptError(message === undefined ? `undefined value ${name}` : `${message}and was used here`, range);
  }

  /** `del name`. */
  removeVar(ident: Ident): void {
    let removed = false;
    for (let frame: Environment | undefined = this; frame; frame = frame.next) {
      const value = frame.values.delete(ident.name);
      const type = frame.types.delete(ident.name);
      // upstream: only the outermost frame decides
      removed = value || type;
    }
    if (!removed) this.throwNotFound(ident.name, ident.range);
  }
}
