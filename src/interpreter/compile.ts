/** @file Graph -> Code: registers, conversions between forms, operators resolved, last uses. Upstream: torch/csrc/jit/runtime/interpreter/code_impl.h. Spec: none. See docs/adr/0004-compiled-form.md. */
import { internalAssert } from "../base/errors.ts";
import { allHold, type Assumption } from "../core/assumptions.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import { NativeMethod } from "../core/native_class.ts";
import type { Kernel } from "../core/operator_registry.ts";
import type { FunctionLike, Type } from "../core/type.ts";
import { ScriptFunction } from "../ir/function.ts";
import { toIValue } from "../ir/constants.ts";
import type { Block, Graph, Node, Value } from "../ir/graph.ts";
import { releaseTemporary, runForTemporary } from "../tensor/temporaries.ts";
import { blockClosure } from "./closures.ts";
import { NODE_COMPILERS, compileOperator } from "./compile_nodes.ts";
import { converterFor, type Converter } from "./forms.ts";
import { Code, type CodeRef, type Instruction, type NativeCall } from "./instructions.ts";
import { compileInternal, hasInternalKernel } from "./internal_kernels.ts";
import { BlockOrder, isReleased } from "./liveness.ts";
import { MAY_COPY, planMemory, type MemoryPlan } from "./memory_plan.ts";
import { findSequences } from "./sequences.ts";
import { withShortWay } from "./short_ways.ts";

/** A graph that runs for a function, and what must hold when it does. */
export interface ExecutionGraph {
  readonly graph: Graph;
  readonly assumptions: readonly Assumption[];
}

/** The graph that runs for a function, on `self` where it is given; a layer above may put another in its place (what passes make of it). */
let executionGraph: (fn: ScriptFunction, self?: ScriptObject) => ExecutionGraph = ({ graph }) => ({
  graph,
  assumptions: [],
});

/** Installs what makes the graph that runs. Functions that are compiled already keep theirs. */
export function setExecutionGraph(make: typeof executionGraph): void {
  executionGraph = make;
}

/** Counts how often everything was forgotten. */
let generation = 0;

/** Forgets all compiled forms: functions are compiled again when they are called next. None of them may be running. */
export function forgetCode(): void {
  generation++;
}

/** What sees the kernels of the code that is compiled: gives the one that runs for a node. */
export type KernelWatch = (node: Node, key: string, kernel: Kernel) => Kernel;

let kernelWatch: KernelWatch | undefined;

/** Lets `watch` see the kernels of everything that is compiled from now on, which has no short ways and no sequences of operators then. */
export function setKernelWatch(watch: KernelWatch | undefined): void {
  kernelWatch = watch;
}

/** The form of a function for every object. */
interface SharedCode extends CodeRef {
  readonly generation: number;
}

function knownShared(fn: ScriptFunction): CodeRef | undefined {
  const known = fn.compiled as SharedCode | undefined;
  return known?.generation === generation ? known : undefined;
}

/** The compiled form of a function; compiles it, and all that it calls by name, where that has not happened. */
export function codeRefOf(fn: ScriptFunction): CodeRef {
  return knownShared(fn) ?? compileShared(fn, () => executionGraph(fn).graph);
}

function compileShared(fn: ScriptFunction, graph: () => Graph): CodeRef {
  fn.ensureDefined();
  const ref: SharedCode = { code: undefined, generation };
  // set first: a function that calls itself finds it
  fn.compiled = ref;
  try {
    ref.code = compileExecution(fn, graph());
  } catch (error) {
    fn.compiled = undefined;
    throw error;
  }
  return ref;
}

function compileExecution(fn: ScriptFunction, graph: Graph): Code {
  return compileGraph(
    graph,
    fn.name,
    fn.schema.returns.map((r) => r.type),
  );
}

/** Compiled forms of a method for one object, by what they assume. */
interface OwnCode {
  readonly generation: number;
  readonly code: Code;
  readonly assumptions: readonly Assumption[];
}

/** Objects for which a method is compiled on its own, and forms for each: others run what assumes nothing. */
const MAX_OBJECTS = 4;
const MAX_FORMS = 3;
const ownObjects = new WeakMap<ScriptFunction, number>();

/** The compiled form of a method for the object that it is to run on. See Note [Assumptions]. */
export function codeFor(fn: ScriptFunction, self: ScriptObject): Code {
  const known = (self.compiled as Map<ScriptFunction, OwnCode[]> | undefined)?.get(fn);
  if (known) {
    for (let i = 0; i < known.length; i++) {
      const form = known[i]!;
      if (form.generation === generation && allHold(form.assumptions)) return form.code;
    }
  }
  return addForm(fn, self, known);
}

function addForm(fn: ScriptFunction, self: ScriptObject, known: OwnCode[] | undefined): Code {
  let forms = known;
  if (!forms) {
    forms = [];
    const methods = (self.compiled ??= new Map()) as Map<ScriptFunction, OwnCode[]>;
    methods.set(fn, forms);
    ownObjects.set(fn, (ownObjects.get(fn) ?? 0) + 1);
  }
  if (forms.length > 0 && forms[0]!.generation !== generation) forms.length = 0;
  const isOwn = forms.length < MAX_FORMS && ownObjects.get(fn)! <= MAX_OBJECTS;
  const own = isOwn ? executionGraph(fn, self) : undefined;
  const assumptions = own?.assumptions ?? [];
  let code: Code | undefined;
  if (own && assumptions.length > 0) code = compileExecution(fn, own.graph);
  else {
    // what assumes nothing is the same for all objects
    const shared = knownShared(fn) ?? (own ? compileShared(fn, () => own.graph) : codeRefOf(fn));
    code = shared.code;
  }
  internalAssert(code, "a method runs while it is compiled");
  forms.push({ generation, code, assumptions });
  return code;
}

/** What a call of a method or function runs. */
export function calleeOf(fn: FunctionLike): CodeRef | NativeCall {
  if (fn instanceof ScriptFunction) return codeRefOf(fn);
  internalAssert(fn instanceof NativeMethod, `${fn.qualname.qualifiedName} cannot be called`);
  return fn.call;
}

/** Compiles a graph. `returnTypes` are the declared ones, whose form the results get. */
export function compileGraph(graph: Graph, name: string, returnTypes?: readonly Type[]): Code {
  return new Compiler(graph, name).compile(returnTypes);
}

/** Key of the instruction that gives back a temporary's storage. */
const RELEASE = "tsarchive::release";

/** Compiles one graph; node compilers use its public methods. */
export class Compiler {
  readonly name: string;
  private readonly graph: Graph;
  private readonly registers = new Map<Value, number>();
  private readonly template: unknown[] = [];
  private readonly types: (Type | undefined)[] = [];
  private readonly constants = new Set<number>();
  private target: Instruction[] = [];
  /** Parameters of loops and values that live in another value's register: not theirs to release. */
  private readonly pinned = new Set<Value>();
  private at: Node;
  private readonly plan: MemoryPlan;
  /** Where the storage of a temporary ends. */
  private readonly ends = new Map<Value, Node>();

  constructor(graph: Graph, name: string) {
    this.graph = graph;
    this.plan = planMemory(graph);
    for (const [node, values] of this.plan.ends) for (const value of values) this.ends.set(value, node);
    this.name = name;
    this.at = graph.returnNode;
  }

  compile(returnTypes: readonly Type[] | undefined): Code {
    for (const input of this.graph.inputs) this.define(input);
    const instructions: Instruction[] = [];
    let outputs: number[] = [];
    this.block(
      this.graph.block,
      instructions,
      () => {
        outputs = this.graph.outputs.map((v, i) =>
          this.use(v, returnTypes?.length === this.graph.outputs.length ? returnTypes[i] : undefined),
        );
      },
      true,
    );
    return new Code(
      this.name,
      this.graph.inputs.length,
      this.template,
      this.types,
      this.constants,
      kernelWatch ? instructions : findSequences(instructions, outputs, this.template, this.constants),
      outputs,
      blockClosure,
    );
  }

  /** A register of its own, for values of a type in static form; without a type it may hold anything. */
  newRegister(type?: Type): number {
    this.types.push(type);
    this.template.push(undefined);
    return this.template.length - 1;
  }

  /** A register that holds a constant and is never written. */
  newConstant(value: unknown): number {
    const register = this.newRegister();
    this.template[register] = value;
    this.constants.add(register);
    return register;
  }

  /** The register that a value is written to. */
  define(value: Value): number {
    let register = this.registers.get(value);
    if (register === undefined) {
      register = this.newRegister(value.type);
      this.registers.set(value, register);
    }
    return register;
  }

  /** Makes a value live in a known register; `isGuest`: the register belongs to another value, which outlives this one. */
  place(value: Value, register: number, isGuest: boolean): void {
    this.registers.set(value, register);
    if (isGuest) this.pinned.add(value);
  }

  /** The register to read a value from, in the form of `type`; converts where needed, constants at once. */
  use(value: Value, type?: Type, then?: Converter): number {
    const form = type && converterFor(value.type, type);
    const convert: Converter | undefined = form && then ? (v) => then(form(v)) : (form ?? then);
    const constant = value.node.kind === "prim::Constant" ? toIValue(value) : undefined;
    if (constant) {
      if (convert) return this.newConstant(convert(constant.value));
      const known = this.registers.get(value);
      if (known !== undefined) return known;
      const register = this.newConstant(constant.value);
      this.registers.set(value, register);
      return register;
    }
    const register = this.registers.get(value);
    internalAssert(register !== undefined, `%${value.debugName()} is used before it is defined`);
    if (!convert) return register;
    const out = this.newRegister();
    this.emit({ op: "convert", convert, arg: register, out, at: this.at });
    return out;
  }

  emit(instruction: Instruction): void {
    if (instruction.op === "kernel") {
      const { key, entry } = instruction;
      let { kernel } = instruction;
      if (key !== RELEASE && this.plan.temporaries.has(this.at))
        kernel = runForTemporary(kernel, MAY_COPY.has(this.at.kind));
      // in front of the plan: small results are cheaper where they are
      if (kernelWatch && key !== RELEASE) kernel = kernelWatch(this.at, key, kernel);
      else if (entry) kernel = withShortWay(key, kernel);
      instruction = { ...instruction, kernel };
    }
    this.target.push(instruction);
  }

  /** The node that is being compiled: the origin of its instructions. */
  get origin(): Node {
    return this.at;
  }

  /** Instructions of a sub-block; `finish` writes its results. */
  subBlock(block: Block, finish: () => void): Instruction[] {
    const instructions: Instruction[] = [];
    this.block(block, instructions, finish, false);
    return instructions;
  }

  /**
   * Writes results of a block to registers. `results` are [value, type wanted, register]; where a value was placed in its
   * register already nothing is to do. Reads all before writing where one write would spoil a later read.
   */
  store(results: readonly (readonly [Value, Type, number])[]): void {
    const moves: { arg: number; out: number }[] = [];
    for (const [value, type, out] of results) {
      const arg = this.use(value, type);
      if (arg !== out) moves.push({ arg, out });
    }
    const written = new Set<number>();
    for (const move of moves) {
      if (written.has(move.arg)) {
        // a swap: save everything that is read after being written
        const saved = new Map<number, number>();
        const outs = new Set(moves.map((m) => m.out));
        for (const m of moves) {
          if (!outs.has(m.arg) || saved.has(m.arg)) continue;
          const temp = this.newRegister(this.types[m.arg]);
          saved.set(m.arg, temp);
          this.emit({ op: "move", arg: m.arg, out: temp, at: this.at });
        }
        for (const m of moves) m.arg = saved.get(m.arg) ?? m.arg;
        break;
      }
      written.add(move.out);
    }
    for (const { arg, out } of moves) this.emit({ op: "move", arg, out, at: this.at });
  }

  private block(block: Block, instructions: Instruction[], finish: () => void, isRoot: boolean): void {
    const outerTarget = this.target;
    const outerAt = this.at;
    this.target = instructions;
    const order = new BlockOrder(block);
    // values by the position behind which they are dead
    const dying = new Map<number, Value[]>();
    const watch = (value: Value, from: number): void => {
      if (!isReleased(value.type)) return;
      const end = this.ends.get(value);
      const last = Math.max(order.lastUse(value), from, end ? order.positionOf(end) : -1);
      // results of the function are read after the last instruction
      if (isRoot && last >= order.end) return;
      const list = dying.get(last);
      if (list) list.push(value);
      else dying.set(last, [value]);
    };
    if (isRoot) for (const input of block.inputs) watch(input, -1);
    let position = 0;
    for (const node of block.nodes()) {
      this.at = node;
      if (hasInternalKernel(node.kind)) compileInternal(this, node);
      else (NODE_COMPILERS[node.kind] ?? compileOperator)(this, node);
      if (node.kind !== "prim::Constant") for (const output of node.outputs) watch(output, position);
      this.endTemporaries(node);
      this.release(dying.get(position));
      position++;
    }
    this.at = block.owningNode ?? block.returnNode;
    finish();
    this.release(dying.get(order.end));
    this.target = outerTarget;
    this.at = outerAt;
  }

  /** Gives back the storages that end behind a node. */
  private endTemporaries(node: Node): void {
    for (const value of this.plan.ends.get(node) ?? []) {
      const register = this.registers.get(value);
      if (register === undefined) continue;
      this.emit({
        op: "kernel",
        key: RELEASE,
        kernel: releaseTemporary,
        entry: undefined,
        args: [register],
        outs: [],
        at: this.at,
      });
    }
  }

  private release(values: readonly Value[] | undefined): void {
    if (!values) return;
    const registers: number[] = [];
    for (const value of values) {
      const register = this.registers.get(value);
      if (register !== undefined && !this.pinned.has(value)) registers.push(register);
    }
    if (registers.length > 0) this.emit({ op: "release", registers, at: this.at });
  }
}
