/** @file ScriptFunction: name + schema + graph, compiled when first asked for. Upstream: torch/csrc/jit/api/function_impl.h. Spec: none. */
import type { FunctionSchema, Argument } from "../core/schema.ts";
import type { QualifiedName } from "../core/qualified_name.ts";
import { unshapedType, type FunctionLike } from "../core/type.ts";
import { ScriptError, internalAssert } from "../base/errors.ts";
import { Graph } from "./graph.ts";

/** A function or method. `creator` fills the graph the first time somebody needs it. */
export class ScriptFunction implements FunctionLike {
  readonly qualname: QualifiedName;
  private knownGraph: Graph | undefined;
  private creator: ((fn: ScriptFunction) => void) | undefined;
  private running = false;
  private failure: Error | undefined;
  private knownSchema: FunctionSchema | undefined;
  /** The interpreter's compiled form; owned by `src/interpreter`. */
  compiled: unknown;
  docString = "";

  constructor(qualname: QualifiedName, graph?: Graph, creator?: (fn: ScriptFunction) => void) {
    this.qualname = qualname;
    this.knownGraph = graph;
    this.creator = creator;
  }

  get graph(): Graph {
    return (this.knownGraph ??= new Graph());
  }

  get name(): string {
    return this.qualname.name;
  }

  isDefined(): boolean {
    return this.creator === undefined;
  }

  /** Whether nobody has asked for the body yet, in vain or not. */
  isUntouched(): boolean {
    return this.creator !== undefined && this.failure === undefined && !this.running;
  }

  /** Compiles the body where that has not happened. Throws ScriptError for code that cannot be compiled, and for recursion. */
  ensureDefined(): void {
    const creator = this.creator;
    if (!creator) return;
    // the graph of a failed attempt is half made: a second one must not build on it
    if (this.failure !== undefined) throw this.failure;
    if (this.running) {
      throw new ScriptError(`function '${this.name}' is called recursively. Recursive calls are not supported`);
    }
    this.running = true;
    try {
      creator(this);
      this.creator = undefined;
    } catch (error) {
      if (error instanceof Error) this.failure = error;
      throw error;
    } finally {
      this.running = false;
    }
  }

  /** Arguments and returns; the body is compiled for it where no schema was set. */
  get schema(): FunctionSchema {
    if (!this.knownSchema) {
      this.ensureDefined();
      this.knownSchema ??= defaultSchemaFor(this);
    }
    return this.knownSchema;
  }
  setSchema(schema: FunctionSchema): void {
    this.knownSchema = schema;
  }
  get numInputs(): number {
    return this.graph.inputs.length;
  }
}

/** The schema that a graph implies: names and types of its inputs and outputs. */
export function defaultSchemaFor(fn: ScriptFunction): FunctionSchema {
  internalAssert(fn.isDefined(), "schema of an undefined function");
  const args: Argument[] = fn.graph.inputs.map((v, i) => ({
    name: v.hasDebugName() ? v.debugNameBase() : `argument_${i}`,
    type: unshapedType(v.type),
    hasDefault: false,
    kwargOnly: false,
  }));
  const returns: Argument[] = fn.graph.outputs.map((v) => ({
    name: "",
    type: unshapedType(v.type),
    hasDefault: false,
    kwargOnly: false,
  }));
  return { name: fn.name, overloadName: "", args, returns, isVararg: false, isVarret: false };
}
