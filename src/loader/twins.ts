/** @file Classes of an archive that are alike: a method that was compiled for one is copied for the others. Upstream: none. Spec: none.
 *
 * Note [Twins]: an archive has a class for every set of constants and of submodules' classes: mobilenet_v2 has 35 that are `Conv2d`.
 * Classes are alike where their attributes and the headers of their methods are, but for their own names, the names of classes that
 * are alike in turn, and constants that no method names. What a method compiles to depends on nothing else but its own text: for
 * equal texts of classes that are alike the graphs differ in class types and source ranges only. Then the graph is copied, to the number
 * and name of every value. A graph that holds anything whose copy could be told from a compiled one is not. */
import { SourceRange } from "../base/source_range.ts";
import type { FunctionSchema } from "../core/schema.ts";
import type { ClassType, Type } from "../core/type.ts";
import type { ScriptFunction } from "../ir/function.ts";
import { allNodes, type Attribute, type Block, type Graph, type Node, type Value } from "../ir/graph.ts";

const QUALIFIED = /__torch__(?:\.\w+)+/g;
const CONSTANT = /^ +\w+ : Final\[.*$/gm;
const CONSTANT_NAME = /^ +(\w+) : Final\[/;
/** Stands for the name of a class. */
const MARK = "\0";
/** What a line may begin or end inside of, and the mark. */
const OTHER_LINES = /\0|\\\n|"""|'''/;
/** What may name a member: after a dot, or in quotes. */
const MENTION = /[."'](\w+)/g;

/** Which classes are alike. */
export class Twins {
  private readonly texts = new Map<string, SourceRange>();
  /** Number of a class's text; undefined while it is made, for a class that needs itself. */
  private readonly numbers = new Map<string, number | undefined>();
  private readonly known = new Map<string, number>();
  private readonly load: (name: string) => void;

  /** @param load calls `add` for the class of a name, where there is one. */
  constructor(load: (name: string) => void) {
    this.load = load;
  }

  /** Tells of a module's class; `range` begins with its name. */
  add(qualifiedName: string, range: SourceRange): void {
    this.texts.set(qualifiedName, range);
  }

  /** The same for methods that compile to the same but for names and places; undefined where that is not known. `range` is that of the method. */
  keyOf(qualifiedName: string, range: SourceRange): string | undefined {
    const number = this.numberOf(qualifiedName);
    return number === undefined ? undefined : `${number} ${this.withNumbers(qualifiedName, textOf(range))}`;
  }

  /** The same number for classes that are alike; undefined for what is no module's class. */
  private numberOf(qualifiedName: string): number | undefined {
    if (this.numbers.has(qualifiedName)) return this.numbers.get(qualifiedName);
    if (!this.texts.has(qualifiedName)) this.load(qualifiedName);
    const range = this.texts.get(qualifiedName);
    if (!range) return undefined;
    this.numbers.set(qualifiedName, undefined);
    const text = textOf(range);
    if (OTHER_LINES.test(text)) return undefined;
    const members = signature(text);
    if (members === undefined) return undefined;
    const key = this.withNumbers(qualifiedName, members);
    let number = this.known.get(key);
    if (number === undefined) this.known.set(key, (number = this.known.size));
    this.numbers.set(qualifiedName, number);
    return number;
  }

  private withNumbers(own: string, text: string): string {
    return text.replaceAll(QUALIFIED, (name) => {
      if (name === own) return MARK;
      const number = this.numberOf(name);
      return number === undefined ? name : `${MARK}${number}`;
    });
  }
}

const textOf = ({ source, start, end }: SourceRange): string => source.text.slice(start, end).trimEnd();

/** The attributes, the headers of methods, and constants that something names, of a class as PyTorch prints it; undefined where a method does not say what it returns. */
function signature(text: string): string | undefined {
  const mentioned = new Set(Array.from(text.replaceAll(CONSTANT, "").matchAll(MENTION), ([, name]) => name));
  const lines: string[] = [];
  let place: "class" | "header" | "body" = "class";
  for (const line of text.split("\n")) {
    if (place === "body" && !line.startsWith("    ")) place = "class";
    if (line.startsWith("  def ")) place = "header";
    const constant = place === "class" ? CONSTANT_NAME.exec(line)?.[1] : undefined;
    if (place !== "body" && (constant === undefined || mentioned.has(constant))) lines.push(line);
    if (place !== "header" || !line.endsWith(":")) continue;
    if (!line.includes("->")) return undefined;
    place = "body";
  }
  return lines.join("\n");
}

/** A method that was compiled, for its copies. */
export interface Pattern {
  readonly fn: ScriptFunction;
  /** Where its text is, from its name on. */
  readonly range: SourceRange;
  readonly cls: ClassType;
}

/** The pattern that a compiled method is; undefined where it cannot be copied. */
export function patternOf(fn: ScriptFunction, range: SourceRange, cls: ClassType): Pattern | undefined {
  const { schema, graph } = fn;
  const types = [...schema.args.slice(1), ...schema.returns].map((arg) => arg.type);
  if (schema.args[0]?.type !== cls || !types.every(isShared)) return undefined;
  const modules = new Set<Value>([graph.inputs[0]!]);
  for (const input of graph.inputs.slice(1)) if (!isShared(input.type)) return undefined;
  for (const node of allNodes(graph.block)) {
    if (node.callstack || node.scope || node.kind === "aten::warn") return undefined;
    for (const attribute of node.attributes.values()) if (!isPlainAttribute(attribute)) return undefined;
    const found = node.sourceRange;
    if (found?.source === range.source && !(found.start >= range.start && found.end <= range.end)) return undefined;
    const isMember = node.kind === "prim::GetAttr" && modules.has(node.input);
    for (const output of node.outputs) {
      if (isShared(output.type) || (node.kind === "prim::Constant" && output.type.kind === "Function")) continue;
      if (!isMember || output.type.kind !== "Class" || !output.type.isModule) return undefined;
      modules.add(output);
    }
    for (const block of node.blocks) for (const input of block.inputs) if (!isShared(input.type)) return undefined;
  }
  const text = range.source.text.slice(range.start, range.end);
  return text.split(cls.name.qualifiedName).length === 2 ? { fn, range, cls } : undefined;
}

/** Whether twins have the same attribute, and nobody changes its value. */
function isPlainAttribute({ kind, value }: Attribute): boolean {
  return COPIED.has(kind) && !((kind === "s" || kind === "ss") && String(value).includes("__torch__"));
}

/** Kinds of attributes whose values nobody changes. */
const COPIED: ReadonlySet<Attribute["kind"]> = new Set(["i", "f", "c", "s", "t", "is", "fs", "ss"]);

/** Types that name no class. */
function isShared(type: Type): boolean {
  switch (type.kind) {
    case "Tensor":
    case "Int":
    case "Float":
    case "Bool":
    case "None":
    case "String":
    case "Number":
    case "Complex":
    case "Device":
      return true;
    case "List":
    case "Optional":
      return isShared(type.element);
    case "Tuple":
      return type.name === undefined && type.elements.every(isShared);
    case "Dict":
      return isShared(type.key) && isShared(type.value);
    default:
      return false;
  }
}

/** Makes `fn`, the method of a twin whose text is at `range`, a copy of the pattern. False where a member is not what it is there; then nothing was done. */
export function copyPattern(pattern: Pattern, fn: ScriptFunction, range: SourceRange, cls: ClassType): boolean {
  const { graph } = pattern.fn;
  if (!membersFit(graph, cls)) return false;
  new Copy(pattern, fn.graph, range, cls).run();
  const { schema } = pattern.fn;
  const args = schema.args.map((arg, i) => (i === 0 ? { ...arg, type: cls } : arg));
  fn.setSchema({ ...schema, args } satisfies FunctionSchema);
  return true;
}

/** The class of a module that a node reads from another, whose class is given. */
function memberOf(node: Node, owner: Type): ClassType | undefined {
  const type = owner.kind === "Class" ? owner.findAttribute(node.attr("name", "s")) : undefined;
  return type?.kind === "Class" ? type : undefined;
}

/** Whether the modules that the graph reads, and the types of what it reads of them, are there. */
function membersFit(graph: Graph, cls: ClassType): boolean {
  const classes = new Map<Value, Type>([[graph.inputs[0]!, cls]]);
  for (const node of allNodes(graph.block)) {
    if (node.kind !== "prim::GetAttr" || node.output.type.kind !== "Class") continue;
    const owner = classes.get(node.input);
    const member = owner && memberOf(node, owner);
    if (!member?.isModule) return false;
    classes.set(node.output, member);
  }
  return true;
}

class Copy {
  private readonly from: Graph;
  private readonly to: Graph;
  private readonly cls: ClassType;
  private readonly values = new Map<Value, Value>();
  private readonly ranges = new Map<SourceRange, SourceRange>();
  private readonly old: SourceRange;
  private readonly moved: SourceRange;
  /** Where the name of the class stands in the old text, and what it is longer now. */
  private readonly nameAt: number;
  private readonly growth: number;

  constructor(pattern: Pattern, to: Graph, range: SourceRange, cls: ClassType) {
    this.from = pattern.fn.graph;
    this.to = to;
    this.cls = cls;
    this.old = pattern.range;
    this.moved = range;
    const name = pattern.cls.name.qualifiedName;
    this.nameAt = pattern.range.source.text.indexOf(name, pattern.range.start);
    this.growth = cls.name.qualifiedName.length - name.length;
  }

  run(): void {
    const { from, to } = this;
    this.block(from.block, to.block);
    to.nextUnique = from.nextUnique;
    for (const [base, suffix] of from.nameBaseSuffix) to.nameBaseSuffix.set(base, suffix);
  }

  private block(from: Block, to: Block): void {
    from.inputs.forEach((input, i) => {
      const copy = this.value(input, () => to.addInput());
      if (i === 0 && from === this.from.block) copy.setType(this.cls);
    });
    for (let node = from.first; node !== from.returnNode; node = node.next!) this.node(node, to);
    for (const output of from.outputs) to.registerOutput(this.values.get(output)!);
  }

  private node(node: Node, to: Block): void {
    const copy = this.to.create(
      node.kind,
      node.inputs.map((input) => this.values.get(input)!),
      0,
    );
    copy.copyAttributes(node).setSourceRange(node.sourceRange && this.range(node.sourceRange));
    to.appendNode(copy);
    for (const output of node.outputs) {
      const made = this.value(output, () => copy.addOutput());
      if (node.kind === "prim::GetAttr" && output.type.kind === "Class") {
        made.setType(memberOf(node, copy.input.type)!);
      }
    }
    for (const block of node.blocks) this.block(block, copy.addBlock());
    copy.schema = node.schema;
    copy.historicSchemaName = node.historicSchemaName;
  }

  /** A copy with the number and the name of the value. */
  private value(value: Value, make: () => Value): Value {
    this.to.nextUnique = value.unique;
    const copy = make().copyMetadata(value);
    this.values.set(value, copy);
    return copy;
  }

  private range(range: SourceRange): SourceRange {
    if (range.source !== this.old.source) return range;
    let moved = this.ranges.get(range);
    if (!moved) {
      moved = new SourceRange(this.moved.source, this.place(range.start), this.place(range.end));
      this.ranges.set(range, moved);
    }
    return moved;
  }

  private place(offset: number): number {
    return offset - this.old.start + this.moved.start + (offset > this.nameAt ? this.growth : 0);
  }
}
