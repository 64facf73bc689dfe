/** @file What the source says of the operator call that is running: names of variables, expressions of numbers, the stack as a range. Upstream: torch/jit/_trace.py (_create_interpreter_name_lookup_fn), torch/csrc/jit/python/python_tracer.cpp. Spec: none.
 *
 * Note [Names of values]: PyTorch names a value after the local variable that holds its tensor in the Python frame that calls the
 * operator where it is used. Here it is the variable that stands as the argument of the call. The frames of `nn` stand for those of
 * PyTorch's Python code: their variables are PyTorch's in camelCase, and functions that are built in there have no frame. */
import { Source, SourceRange } from "../../base/source_range.ts";
import type { EagerCall, IndexNumber, WrittenIndex } from "../../torch/eager_call.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { callStack, type CallSite } from "../call_site.ts";
import { BUILT_IN_FUNCTIONS, FRAMELESS_OPERATORS } from "./library_frames.ts";
import {
  argumentExpressions,
  bare,
  callAt,
  child,
  childList,
  field,
  isMember,
  type SyntaxFile,
  type SyntaxNode,
} from "./syntax.ts";

/** An argument as it arrived and as it was written. */
export interface WrittenArgument {
  readonly value: unknown;
  readonly expression: SyntaxNode;
  /** Name where it was given by name. */
  readonly keyword: string | undefined;
  /** Place among the arguments, the object of a method call first. */
  readonly position: number;
}

/** The arguments of `torch.slice` in their order. */
const SLICE_PARTS: readonly IndexNumber["part"][] = ["start", "stop", "step"];

/** What variables were last seen to hold, by function. */
export type SeenVariables = WeakMap<SyntaxNode, Map<string, Tensor>>;

function baseName(functionName: string | undefined): string {
  // bundlers number names that clash: linear$1
  return (functionName ?? "")
    .replace(/ \[as .*\]$/, "")
    .replace(/^.*[. ]/, "")
    .replace(/\$\d+$/, "");
}

/** `attnOutput` -> `attn_output`: how PyTorch's Python names what `nn` names in JavaScript's habit. */
export function snakeCase(name: string): string {
  // a name that is a keyword here has an underscore behind it: var_
  return name.replace(/_$/, "").replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a}_${b.toLowerCase()}`);
}

const ranges = new Map<string, SourceRange>();

/** The stack as PyTorch keeps it: the text of all frames, placed at the innermost. */
function rangeOf(stack: readonly CallSite[]): SourceRange | undefined {
  const [first] = stack;
  if (!first) return undefined;
  const text = stack.map((f) => `${f.file}(${f.line}): ${baseName(f.functionName) || "<module>"}\n`).join("");
  let range = ranges.get(text);
  if (!range) {
    range = new SourceRange(new Source(text, first.file, first.line), 0, text.length);
    ranges.set(text, range);
  }
  return range;
}

/** One operator call with its place in the source. */
export class CallContext {
  private readonly stack: readonly CallSite[];
  private readonly call: EagerCall | undefined;
  private knownArguments: readonly WrittenArgument[] | undefined;
  private knownNames: Map<Tensor, string> | undefined;
  private knownFile: SyntaxFile | undefined;
  private knownRange: SourceRange | undefined;
  private knownCall: SyntaxNode | undefined;
  private readonly variables: SeenVariables;

  constructor(call: EagerCall | undefined, variables: SeenVariables) {
    this.variables = variables;
    this.stack = callStack();
    this.call = call;
  }

  get range(): SourceRange | undefined {
    this.knownRange ??= rangeOf(this.stack);
    return this.knownRange;
  }

  /** The frame that stands for the Python frame which calls the operator. */
  private get frame(): CallSite | undefined {
    return this.stack.find((site) => !site.isLibrary || !BUILT_IN_FUNCTIONS.has(baseName(site.functionName)));
  }

  /** Whether the call is written in the user's own code. */
  get isUserCode(): boolean {
    return this.frame?.isLibrary === false;
  }

  get file(): SyntaxFile | undefined {
    void this.arguments;
    return this.knownFile;
  }

  /** The arguments with their expressions; empty where the source cannot be read. */
  get arguments(): readonly WrittenArgument[] {
    this.knownArguments ??= this.readArguments();
    return this.knownArguments;
  }

  private readArguments(): WrittenArgument[] {
    const { call, frame } = this;
    if (!call || !frame) return [];
    const found = callAt(frame);
    if (!found) return [];
    this.knownFile = found.file;
    this.knownCall = found.call;
    const expressions = argumentExpressions(found.call);
    const written: WrittenArgument[] = [];
    for (const [position, expression] of expressions.entries()) {
      if (!expression || expression.type === "SpreadElement") {
        this.spread(written, expression, call.args.slice(position), position);
        break;
      }
      const value = call.args[position];
      const node = bare(expression);
      if (node.type === "ObjectExpression") addKeywords(written, node, call.args.at(-1), position);
      else written.push({ value, expression: node, keyword: undefined, position });
    }
    return written;
  }

  /** The expression of a number of an index: a place, or a bound of the `torch.slice` that stands there. */
  indexExpression(index: WrittenIndex, { place, part }: IndexNumber): SyntaxNode | undefined {
    const at = (position: number): SyntaxNode | undefined =>
      this.arguments.find((a) => a.position === position && a.keyword === undefined)?.expression;
    let expression = index.isArray ? at(1) : at(place + 1);
    if (index.isArray && expression?.type === "ArrayExpression") expression = childList(expression, "elements")[place];
    expression &&= bare(expression);
    if (!expression || part === "index") return expression;
    const callee = expression.type === "CallExpression" ? bare(child(expression, "callee")!) : undefined;
    if (!callee || !isMember(callee) || field(child(callee, "property")!, "name") !== "slice") return undefined;
    const bounds = childList(expression, "arguments");
    // one argument is the stop, as in Python's `slice`
    return bounds[bounds.length === 1 ? SLICE_PARTS.indexOf(part) - 1 : SLICE_PARTS.indexOf(part)];
  }

  /** `x.view(...sizes)`: the rest of the arguments as one list. */
  private spread(
    written: WrittenArgument[],
    expression: SyntaxNode | undefined,
    rest: readonly unknown[],
    position: number,
  ): void {
    const inner = expression && child(expression, "argument");
    if (inner) written.push({ value: rest, expression: bare(inner), keyword: undefined, position });
  }

  /**
   * The variable that holds a tensor; empty where none does. Of several it is the first in Python's order: parameters, then the
   * others as they are first set.
   */
  nameOf(tensor: Tensor): string {
    this.observe();
    const enclosing = this.enclosing();
    const seen = enclosing && this.variables.get(enclosing);
    const holders = [...(seen ?? [])].filter(([, held]) => held === tensor).map(([name]) => name);
    const [only] = holders;
    if (only === undefined) return this.knownNames!.get(tensor) ?? "";
    if (holders.length === 1) return only;
    const parameters = childList(enclosing!, "params").map((p) => p && String(field(p, "name") ?? ""));
    const first = parameters.find(
      (name) => name !== undefined && holders.some((h) => h === name || h === snakeCase(name)),
    );
    return first === undefined ? only : this.frame?.isLibrary === true ? snakeCase(first) : first;
  }

  /** Adds the name of a tensor that stands for a number. */
  addName(tensor: Tensor, name: string): void {
    this.observe();
    if (name) this.knownNames!.set(tensor, name);
  }

  /** Remembers which variables hold the arguments, for later calls in the same function. */
  observe(): void {
    this.knownNames ??= this.readNames();
  }

  /** The function whose source holds the call. */
  private enclosing(): SyntaxNode | undefined {
    void this.arguments;
    const file = this.knownFile;
    let node = this.knownCall;
    while (file && node && !/Function|Method|Program/.test(node.type)) node = file.parents.get(node);
    return node;
  }

  private readNames(): Map<Tensor, string> {
    const names = new Map<Tensor, string>();
    const { call, frame } = this;
    if (!call || !frame || FRAMELESS_OPERATORS.has(call.name)) return names;
    const add = (value: unknown, expression: SyntaxNode): void => {
      if (value instanceof Tensor) {
        if (expression.type !== "Identifier" || names.has(value)) return;
        const name = String(field(expression, "name"));
        names.set(value, frame.isLibrary ? snakeCase(name) : name);
      } else if (Array.isArray(value) && expression.type === "ArrayExpression") {
        childList(expression, "elements").forEach((element, i) => element && add(value[i], bare(element)));
      }
    };
    for (const { value, expression } of this.arguments) add(value, expression);
    const enclosing = this.enclosing();
    if (enclosing && names.size > 0) {
      const seen = this.variables.get(enclosing) ?? new Map<string, Tensor>();
      for (const [tensor, name] of names) seen.set(name, tensor);
      this.variables.set(enclosing, seen);
    }
    return names;
  }
}

function addKeywords(written: WrittenArgument[], node: SyntaxNode, kwargs: unknown, position: number): void {
  if (typeof kwargs !== "object" || kwargs === null) return;
  for (const property of childList(node, "properties")) {
    const key = property && child(property, "key");
    const value = property && child(property, "value");
    if (!key || !value || field(property, "computed") === true) continue;
    const keyword = String(field(key, "name") ?? field(key, "value"));
    written.push({
      value: (kwargs as Record<string, unknown>)[keyword],
      expression: bare(value),
      keyword,
      position,
    });
  }
}
