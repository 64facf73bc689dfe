/** @file PrintedCode: the code that an export printed, kept for the next one as long as printing would give the same. Upstream: none (PyTorch prints at every save). Spec: spec/printing.md.
 *
 * Note [Printed once]: one module is saved over and over, and only its weights differ. What an export printed is kept until the
 * module is garbage, and written again if nothing that printing reads has changed. Graphs and classes are open to everybody, so nobody
 * reports changes: all that printing reads is listed in its order, and the next export lists it again and compares. Lists hold what may
 * change (nodes, types, names of values, uses, elements of containers) by identity; what is readonly stands for all that is in it.
 * - The classes of the objects, which give the order of definitions and the names, are compared first.
 * - Constants get their numbers anew from their tensors, which share one where they are equal: a write to one of two shows here.
 * - Only then are the names given that printing gave, in its order, as the pickles behind the code use them.
 * A module keeps its deflated records and the list: some ten words a node. Only its last export is kept; functions are saved as a new module
 * each time and printed each time. */
import type { PackedRecord } from "../archive/archive_writer.ts";
import { ScriptObject, dynamicTypeTag } from "../core/ivalue.ts";
import type { FunctionSchema } from "../core/schema.ts";
import type { ClassType } from "../core/type.ts";
import { ScriptFunction } from "../ir/function.ts";
import { Graph, type Block, type Node } from "../ir/graph.ts";
import type { PrintedType } from "./dependencies.ts";
import type { ConstantTable } from "./literals.ts";
import type { TypeNameUniquer } from "./type_name_uniquer.ts";

/** The code of an archive. */
export interface PrintedCode {
  /** Sources and debug records, in order. */
  readonly records: readonly { readonly name: string; readonly packed: PackedRecord }[];
  readonly constants: ConstantTable;
  /** The archive version that the code needs. */
  readonly version: number;
}

interface RememberedCode {
  readonly code: PrintedCode;
  /** The types that have names in the archive, printed ones among them. The first are the classes of the objects. */
  readonly named: readonly PrintedType[];
  readonly objectClasses: number;
  readonly state: readonly unknown[];
}

const remembered = new WeakMap<ScriptObject, RememberedCode>();

/** Remembers what was printed for a module. `names` has given all names; the first `objectClasses` of them before printing. */
export function rememberCode(
  root: ScriptObject,
  code: PrintedCode,
  names: TypeNameUniquer,
  objectClasses: number,
): void {
  const named = [...names.types];
  remembered.set(root, { code, named, objectClasses, state: stateOf(named) });
}

/** The code that printing would give, if it was printed before; `names`, which knows the classes of the objects, then gives all names. See Note [Printed once]. */
export function recallCode(root: ScriptObject, names: TypeNameUniquer): PrintedCode | undefined {
  const known = remembered.get(root);
  if (!known || !isSame(names.types, known.named.slice(0, known.objectClasses))) return undefined;
  if (!isSame(stateOf(known.named), known.state)) return undefined;
  const constants = known.code.constants.replay();
  if (!constants) return undefined;
  for (const type of known.named) names.nameOf(type);
  return { ...known.code, constants };
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => Object.is(item, b[i]));
}

/** All that the definitions of the types are printed from. */
function stateOf(types: readonly PrintedType[]): unknown[] {
  const state: unknown[] = [];
  for (const type of types) addType(state, type);
  return state;
}

function addType(state: unknown[], type: PrintedType): void {
  switch (type.kind) {
    case "Function":
      return addFunction(state, type.fn);
    case "Class":
      return addClass(state, type);
    case "Interface":
      state.push(type.methods.length);
      return type.methods.forEach((method) => addSchema(state, method));
    case "Tuple":
      addValue(state, type.fieldNames);
      return addValue(state, type.elements);
    case "Enum":
      return addValue(state, type.members);
  }
}

function addClass(state: unknown[], type: ClassType): void {
  addValue(state, type.attributes);
  state.push(type.constants.size);
  for (const [name, constant] of type.constants) {
    state.push(name, constant);
    addValue(state, constant.value);
  }
  for (const functions of [[...type.methods.values()], type.forwardPreHooks, type.forwardHooks]) {
    state.push(functions.length);
    for (const fn of functions) addFunction(state, fn);
  }
}

function addFunction(state: unknown[], fn: unknown): void {
  state.push(fn);
  // one that is not compiled was not printed either
  if (!(fn instanceof ScriptFunction) || !fn.isDefined()) return;
  addSchema(state, fn.schema);
  addBlock(state, fn.graph.block);
}

function addSchema(state: unknown[], schema: FunctionSchema): void {
  state.push(schema, schema.args.length, schema.returns.length);
  for (const argument of schema.args) {
    state.push(argument);
    addValue(state, argument.defaultValue);
  }
  for (const returned of schema.returns) state.push(returned);
}

function addBlock(state: unknown[], block: Block): void {
  addNode(state, block.paramNode);
  for (let node = block.first; node !== block.returnNode; node = node.next!) addNode(state, node);
  addNode(state, block.returnNode);
}

function addNode(state: unknown[], node: Node): void {
  const { inputs, outputs, blocks, attributes } = node;
  state.push(node, node.sourceRange, node.schema, attributes, inputs.length, outputs.length, blocks.length);
  for (const input of inputs) state.push(input);
  for (const value of outputs)
    state.push(value, value.type, value.hasDebugName() ? value.debugName() : "", value.uses.length);
  for (const { value } of attributes.values()) addValue(state, value);
  for (const block of blocks) addBlock(state, block);
}

/** Adds a value and what may change in it: containers are open, graphs too, an object may get another class. */
function addValue(state: unknown[], value: unknown): void {
  state.push(value);
  if (Array.isArray(value)) {
    state.push(dynamicTypeTag(value), value.length);
    for (const item of value) addValue(state, item);
  } else if (value instanceof Map) {
    state.push(dynamicTypeTag(value), value.size);
    for (const [key, item] of value) {
      addValue(state, key);
      addValue(state, item);
    }
  } else if (value instanceof ScriptObject) state.push(value.type);
  else if (value instanceof Graph) addBlock(state, value.block);
}
