/** @file PrintedCode: the code that an export printed, kept for the next one as long as printing would give the same. Upstream: none (PyTorch prints at every save). Spec: spec/printing.md.
 *
 * Note [Printed once]: one module is saved over and over, and only its weights differ. What an export printed is kept until the
 * module is garbage, and written again if nothing that printing reads has changed. Graphs and classes are open to everybody, so nobody
 * reports changes: all that printing reads is listed in its order, and the next export lists it again and compares. Lists hold what may
 * change (nodes, types, names of values, uses, elements of containers) by identity; what is readonly stands for all that is in it.
 * - The classes of the objects, which give the order of definitions and the names, are compared first.
 * - Constants get their numbers anew from their tensors, which share one where they are equal: a write to one of two shows here.
 * - Only then are the names given that printing gave, in its order, as the pickles behind the code use them.
 * Where something has changed, all is printed, and the records that came out as before are not deflated again: most changes are of one file.
 * A module keeps its deflated records, what they were made from, and the list: some ten words a node. Only its last export is kept; functions are saved as a
 * new module each time and printed each time. */
import { packRecord, type PackedRecord } from "../archive/archive_writer.ts";
import { ScriptObject, dynamicTypeTag } from "../core/ivalue.ts";
import type { FunctionSchema } from "../core/schema.ts";
import type { ClassType } from "../core/type.ts";
import { ScriptFunction } from "../ir/function.ts";
import { Graph, type Block, type Node } from "../ir/graph.ts";
import type { PrintedType } from "./dependencies.ts";
import type { ConstantTable } from "./literals.ts";
import type { NumberedRange } from "./source_range_serialization.ts";
import { isSameRange } from "./tagged_text.ts";
import type { TypeNameUniquer } from "./type_name_uniquer.ts";

/** What a record is made from: a source's text, a debug record's ranges. */
export type RecordContent = string | readonly NumberedRange[];

/** A record of the code. */
export interface CodeRecord {
  readonly name: string;
  readonly content: RecordContent;
  readonly packed: PackedRecord;
}

/** The code of an archive. */
export interface PrintedCode {
  /** Sources and debug records, in order. */
  readonly records: readonly CodeRecord[];
  readonly constants: ConstantTable;
  /** The archive version that the code needs. */
  readonly version: number;
}

/** What the last export of a module printed. See Note [Printed once]. */
export class CodeMemory {
  private static readonly memories = new WeakMap<ScriptObject, CodeMemory>();

  /** The memory of a module. */
  static of(root: ScriptObject): CodeMemory {
    let memory = CodeMemory.memories.get(root);
    if (!memory) CodeMemory.memories.set(root, (memory = new CodeMemory()));
    return memory;
  }

  private code: PrintedCode | undefined;
  /** The types that have names in the archive, printed ones among them. The first are the classes of the objects. */
  private named: readonly PrintedType[] = [];
  private objectClasses = 0;
  private readonly state = new StateList();
  private readonly records = new Map<string, CodeRecord>();

  /** The code that printing would give, if it was printed before; `names`, which knows the classes of the objects, then gives all names. */
  recall(names: TypeNameUniquer): PrintedCode | undefined {
    const { code, named } = this;
    if (!code || !isSame(names.types, named.slice(0, this.objectClasses)) || !this.state.isCurrent(named))
      return undefined;
    const constants = code.constants.replay();
    if (!constants) return undefined;
    for (const type of named) names.nameOf(type);
    return { ...code, constants };
  }

  /** Remembers what was printed. `names` has given all names; the first `objectClasses` of them before printing. */
  remember(code: PrintedCode, names: TypeNameUniquer, objectClasses: number): void {
    this.named = [...names.types];
    this.objectClasses = objectClasses;
    this.state.update(this.named);
    this.records.clear();
    for (const record of code.records) this.records.set(record.name, record);
    this.code = code;
  }

  /** The record that `encode` makes of a content: that of the last export, where the content is the same. */
  pack<C extends RecordContent>(name: string, content: C, encode: (content: C) => Uint8Array): CodeRecord {
    const known = this.records.get(name);
    if (known && isSameContent(known.content, content)) return known;
    return { name, content, packed: packRecord(name, encode(content)) };
  }
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => Object.is(item, b[i]));
}

function isSameContent(a: RecordContent, b: RecordContent): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  const isSameEntry = (x: NumberedRange, y: NumberedRange): boolean =>
    x.byteOffset === y.byteOffset && x.tag === y.tag && isSameRange(x.range, y.range);
  return a.length === b.length && a.every((entry, i) => isSameEntry(entry, b[i]!));
}

/** All that the definitions of some types are printed from. */
class StateList {
  private readonly items: unknown[] = [];
  private length = 0;
  private isChanged = false;
  private isWritten = false;

  /** Whether what is there now is what was listed. */
  isCurrent(types: readonly PrintedType[]): boolean {
    this.start(false);
    return types.every((type) => (addType(this, type), !this.isChanged)) && this.length === this.items.length;
  }

  /** Lists what is there now. */
  update(types: readonly PrintedType[]): void {
    this.start(true);
    for (const type of types) addType(this, type);
    this.items.length = this.length;
  }

  private start(isWritten: boolean): void {
    this.length = 0;
    this.isChanged = false;
    this.isWritten = isWritten;
  }

  add(item: unknown): this {
    const { items } = this;
    const at = this.length++;
    if (at < items.length && Object.is(items[at], item)) return this; // not written again: the collector looks at every write
    this.isChanged = true;
    if (this.isWritten) items[at] = item;
    return this;
  }
}

function addType(state: StateList, type: PrintedType): void {
  switch (type.kind) {
    case "Function":
      return addFunction(state, type.fn);
    case "Class":
      return addClass(state, type);
    case "Interface":
      state.add(type.methods.length);
      return type.methods.forEach((method) => addSchema(state, method));
    case "Tuple":
      addValue(state, type.fieldNames);
      return addValue(state, type.elements);
    case "Enum":
      return addValue(state, type.members);
  }
}

function addClass(state: StateList, type: ClassType): void {
  addValue(state, type.attributes);
  state.add(type.constants.size);
  for (const [name, constant] of type.constants) {
    state.add(name).add(constant);
    addValue(state, constant.value);
  }
  for (const functions of [[...type.methods.values()], type.forwardPreHooks, type.forwardHooks]) {
    state.add(functions.length);
    for (const fn of functions) addFunction(state, fn);
  }
}

function addFunction(state: StateList, fn: unknown): void {
  state.add(fn);
  // one that is not compiled was not printed either
  if (!(fn instanceof ScriptFunction) || !fn.isDefined()) return;
  addSchema(state, fn.schema);
  addBlock(state, fn.graph.block);
}

function addSchema(state: StateList, schema: FunctionSchema): void {
  state.add(schema).add(schema.args.length).add(schema.returns.length);
  for (const argument of schema.args) {
    state.add(argument);
    addValue(state, argument.defaultValue);
  }
  for (const returned of schema.returns) state.add(returned);
}

function addBlock(state: StateList, block: Block): void {
  addNode(state, block.paramNode);
  for (let node = block.first; node !== block.returnNode; node = node.next!) addNode(state, node);
  addNode(state, block.returnNode);
}

/** Loops by index: the first export of a process runs here in V8's interpreter, where an iterator makes an object for every step. */
function addNode(state: StateList, node: Node): void {
  const { inputs, outputs, blocks, attributes } = node;
  state
    .add(node)
    .add(node.sourceRange)
    .add(node.schema)
    .add(attributes)
    .add(inputs.length)
    .add(outputs.length)
    .add(blocks.length);
  for (let i = 0; i < inputs.length; i++) state.add(inputs[i]);
  for (let i = 0; i < outputs.length; i++) {
    const value = outputs[i]!;
    state
      .add(value)
      .add(value.type)
      .add(value.hasDebugName() ? value.debugName() : "")
      .add(value.uses.length);
  }
  if (attributes.size > 0) for (const { value } of attributes.values()) addValue(state, value);
  if (blocks.length > 0) for (const block of blocks) addBlock(state, block);
}

/** Adds a value and what may change in it: containers are open, graphs too, an object may get another class. */
function addValue(state: StateList, value: unknown): void {
  state.add(value);
  if (Array.isArray(value)) {
    state.add(dynamicTypeTag(value)).add(value.length);
    for (const item of value) addValue(state, item);
  } else if (value instanceof Map) {
    state.add(dynamicTypeTag(value)).add(value.size);
    for (const [key, item] of value) {
      addValue(state, key);
      addValue(state, item);
    }
  } else if (value instanceof ScriptObject) state.add(value.type);
  else if (value instanceof Graph) addBlock(state, value.block);
}
