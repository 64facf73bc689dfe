/** @file Instructions: the compiled form of a graph, from which closures (and later generated code) are made. Upstream: torch/csrc/jit/runtime/instruction.h. Spec: none.
 *
 * Note [Registers]: a frame is an array. Registers 0..n-1 hold the arguments, constants are preloaded by copying `Code.template`,
 * every other value has its own register. A branch writes its results straight to the registers of the `prim::If`, a loop body to
 * those of the loop's parameters, where nothing forbids it; else `move` does. `release` clears registers after their last use. */
import type { Kernel, OperatorEntry } from "../core/operator_registry.ts";
import type { ClassType, Type } from "../core/type.ts";
import type { InlinedCall } from "../ir/graph.ts";
import type { SourceRange } from "../base/source_range.ts";

/** Registers of one activation. */
export type Frame = unknown[];

/** Where an instruction comes from: all that a traceback needs of its node. */
export interface Origin {
  readonly kind: string;
  readonly sourceRange: SourceRange | undefined;
  readonly callstack: InlinedCall | undefined;
  readonly outputs: readonly unknown[];
}

/** Compiled code of another function; filled in when that function has been compiled. */
export interface CodeRef {
  code: Code | undefined;
}

/** A class method that is not script code. */
export type NativeCall = (args: unknown[]) => unknown;

/** What several instructions do, for some arguments: undefined for the others. */
export interface Shortcut {
  run(values: readonly unknown[]): readonly unknown[] | undefined;
}

export type Instruction =
  /** `outs = kernel(args)`. `entry` is there when tensor interceptors must see the call; `key` names the operator. */
  | {
      readonly op: "kernel";
      readonly key: string;
      readonly kernel: Kernel;
      readonly entry: OperatorEntry | undefined;
      readonly args: readonly number[];
      readonly outs: readonly number[];
      readonly at: Origin;
    }
  /** `out = convert(arg)`: another form of the same value. */
  | {
      readonly op: "convert";
      readonly convert: (value: unknown) => unknown;
      readonly arg: number;
      readonly out: number;
      readonly at: Origin;
    }
  | { readonly op: "move"; readonly arg: number; readonly out: number; readonly at: Origin }
  | { readonly op: "release"; readonly registers: readonly number[]; readonly at: Origin }
  | {
      readonly op: "if";
      readonly condition: number;
      readonly yes: readonly Instruction[];
      readonly no: readonly Instruction[];
      readonly at: Origin;
    }
  /** Runs `body` while `condition` holds and less than `max` rounds are done; `counter` is the round. */
  | {
      readonly op: "loop";
      readonly max: number;
      readonly condition: number;
      readonly counter: number;
      readonly body: readonly Instruction[];
      readonly at: Origin;
    }
  | {
      readonly op: "call";
      readonly callee: CodeRef;
      readonly args: readonly number[];
      readonly out: number;
      readonly at: Origin;
    }
  | {
      readonly op: "call_native";
      readonly call: NativeCall;
      readonly args: readonly number[];
      readonly out: number;
      readonly at: Origin;
    }
  /** A method found by the class of the first argument. */
  | {
      readonly op: "call_interface";
      readonly lookup: (type: ClassType) => CodeRef | NativeCall;
      readonly args: readonly number[];
      readonly out: number;
      readonly at: Origin;
    }
  | {
      readonly op: "get_attr";
      readonly object: number;
      readonly slot: number;
      readonly out: number;
      readonly at: Origin;
    }
  | {
      readonly op: "set_attr";
      readonly object: number;
      readonly slot: number;
      readonly value: number;
      readonly at: Origin;
    }
  | { readonly op: "create_object"; readonly type: ClassType; readonly out: number; readonly at: Origin }
  /** An array of the arguments: a list or tuple. */
  | { readonly op: "array"; readonly args: readonly number[]; readonly out: number; readonly at: Origin }
  | {
      readonly op: "dict";
      readonly keys: readonly number[];
      readonly values: readonly number[];
      readonly out: number;
      readonly at: Origin;
    }
  /** Elements of an array; a list is checked for its length. */
  | {
      readonly op: "unpack";
      readonly arg: number;
      readonly outs: readonly number[];
      readonly isList: boolean;
      readonly at: Origin;
    }
  /** Runs `callee` now (fork) or when waited for (awaitable). */
  | {
      readonly op: "fork";
      readonly callee: CodeRef;
      readonly args: readonly number[];
      readonly out: number;
      readonly type: Type;
      readonly lazy: boolean;
      readonly at: Origin;
    }
  | {
      readonly op: "enter";
      readonly object: number;
      readonly enter: CodeRef;
      readonly exit: CodeRef;
      readonly out: number;
      readonly at: Origin;
    }
  | { readonly op: "exit"; readonly out: number; readonly at: Origin }
  /** `outs = sequence(args)`, or where that gives undefined, `steps`. See Note [Sequences]. */
  | {
      readonly op: "sequence";
      readonly sequence: Shortcut;
      readonly args: readonly number[];
      readonly outs: readonly number[];
      readonly steps: readonly Instruction[];
      readonly at: Origin;
    }
  /** Warns once per run of the outermost function where `id` is known. */
  | { readonly op: "warn"; readonly message: number; readonly id: number | undefined; readonly at: Origin };

/** Code of the second tier: takes the arguments by position and gives the result as `runFrame` does. */
export type DirectCode = (...args: unknown[]) => unknown;

/** Makes the closure of a block. */
export type BlockMaker = (instructions: readonly Instruction[], functionName: string) => (frame: Frame) => void;

/** A compiled function. */
export class Code {
  /** Name in tracebacks. */
  readonly name: string;
  readonly numInputs: number;
  /** Initial registers: constants in their places. */
  readonly template: Frame;
  /** Static types of registers whose values are in that type's static form. */
  readonly types: readonly (Type | undefined)[];
  /** Registers that hold constants. */
  readonly constants: ReadonlySet<number>;
  readonly instructions: readonly Instruction[];
  /** Registers of the results. */
  readonly outputs: readonly number[];
  readonly hasLoop: boolean;
  /** Code of the second tier; null where there is none and none will be made. */
  direct: DirectCode | null | undefined = undefined;
  /** Calls while no tier has been chosen. */
  calls = 0;
  private readonly makeBlock: BlockMaker;
  private closure: ((frame: Frame) => void) | undefined;

  constructor(
    name: string,
    numInputs: number,
    template: Frame,
    types: readonly (Type | undefined)[],
    constants: ReadonlySet<number>,
    instructions: readonly Instruction[],
    outputs: readonly number[],
    makeBlock: BlockMaker,
  ) {
    this.name = name;
    this.numInputs = numInputs;
    this.template = template;
    this.types = types;
    this.constants = constants;
    this.instructions = instructions;
    this.outputs = outputs;
    this.hasLoop = containsLoop(instructions);
    this.makeBlock = makeBlock;
  }

  /** Runs the instructions on a frame: the first tier, made when it is first needed. */
  run(frame: Frame): void {
    (this.closure ??= this.makeBlock(this.instructions, this.name))(frame);
  }
}

function containsLoop(instructions: readonly Instruction[]): boolean {
  // sequences contain none
  return instructions.some((i) => i.op === "loop" || (i.op === "if" && (containsLoop(i.yes) || containsLoop(i.no))));
}
