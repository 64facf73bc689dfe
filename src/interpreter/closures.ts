/** @file First tier: every instruction becomes a closure over its register numbers, every block a loop over closures. Upstream: none. Spec: none. See docs/adr/0004-compiled-form.md. */
import { dispatch, isIntercepted } from "../core/dispatcher.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { OperatorEntry } from "../core/operator_registry.ts";
import { callInterface, checkUnpacked, createObject, enterWith, exitWith, fork, makeDict, warn } from "./actions.ts";
import type { CodeRef, Frame, Instruction } from "./instructions.ts";
import { budget, budgetExceeded, callFrame, calleeCode, locate } from "./runtime.ts";
import { scalarClosure, type Closure } from "./scalar_closures.ts";

type AnyKernel = (...args: unknown[]) => unknown;

/** One closure for a sequence of instructions. Errors that pass learn which instruction they came from. */
export function blockClosure(instructions: readonly Instruction[], functionName: string): Closure {
  const closures = instructions.map((i) => instructionClosure(i, functionName));
  const origins = instructions.map((i) => i.at);
  const count = closures.length;
  if (count === 0) return () => {};
  return (frame) => {
    let at = 0;
    try {
      if ((budget[0]! -= count) < 0) budgetExceeded();
      for (; at < count; at++) closures[at]!(frame);
    } catch (error) {
      throw locate(error, origins[at], functionName);
    }
  };
}

function instructionClosure(i: Instruction, functionName: string): Closure {
  switch (i.op) {
    case "kernel":
      return (
        scalarClosure(i.key, i.kernel, i.args, i.outs) ??
        kernelClosure(i.kernel as unknown as AnyKernel, i.entry, i.args, i.outs)
      );
    case "convert": {
      const { convert, arg, out } = i;
      return (f) => {
        f[out] = convert(f[arg]);
      };
    }
    case "move": {
      const { arg, out } = i;
      return (f) => {
        f[out] = f[arg];
      };
    }
    case "release":
      return releaseClosure(i.registers);
    case "if": {
      const { condition } = i;
      const yes = blockClosure(i.yes, functionName);
      const no = blockClosure(i.no, functionName);
      if (i.no.length === 0) {
        return (f) => {
          if (f[condition]) yes(f);
        };
      }
      return (f) => {
        if (f[condition]) yes(f);
        else no(f);
      };
    }
    case "loop": {
      const { max, condition, counter } = i;
      const body = blockClosure(i.body, functionName);
      return (f) => {
        const rounds = Number(f[max]);
        for (let round = 0; round < rounds && f[condition]; round++) {
          f[counter] = round;
          // an empty body counts, or a hostile loop would not end
          if ((budget[0]! -= 1) < 0) budgetExceeded();
          body(f);
        }
      };
    }
    case "call":
      return callClosure(i.callee, i.args, i.out);
    case "call_native": {
      const { call, args, out } = i;
      return (f) => {
        f[out] = call(args.map((r) => f[r]));
      };
    }
    case "call_interface": {
      const { args, out } = i;
      return (f) => {
        f[out] = callInterface(
          i,
          args.map((r) => f[r]),
        );
      };
    }
    case "get_attr": {
      const { object, slot, out } = i;
      return (f) => {
        f[out] = (f[object] as ScriptObject).slots[slot];
      };
    }
    case "set_attr": {
      const { object, slot, value } = i;
      return (f) => {
        (f[object] as ScriptObject).slots[slot] = f[value];
      };
    }
    case "create_object": {
      const { out } = i;
      return (f) => {
        f[out] = createObject(i);
      };
    }
    case "array":
      return arrayClosure(i.args, i.out);
    case "dict": {
      const { keys, values, out } = i;
      return (f) => {
        f[out] = makeDict(
          keys.map((r) => f[r]),
          values.map((r) => f[r]),
        );
      };
    }
    case "unpack": {
      const { arg, outs, isList } = i;
      return (f) => {
        const values = f[arg] as unknown[];
        if (isList) checkUnpacked(values, outs.length);
        for (let k = 0; k < outs.length; k++) f[outs[k]!] = values[k];
      };
    }
    case "fork": {
      const { args, out } = i;
      return (f) => {
        f[out] = fork(
          i,
          args.map((r) => f[r]),
        );
      };
    }
    case "enter": {
      const { object, out } = i;
      return (f) => {
        f[out] = enterWith(i, f[object]);
      };
    }
    case "exit": {
      const { out } = i;
      return (f) => {
        f[out] = exitWith();
      };
    }
    case "sequence":
      return sequenceClosure(i, blockClosure(i.steps, functionName));
    case "warn": {
      const { message } = i;
      return (f) => {
        warn(i, f[message]);
      };
    }
  }
}

function sequenceClosure(i: Extract<Instruction, { op: "sequence" }>, steps: Closure): Closure {
  const { sequence, args, outs } = i;
  return (f) => {
    if (!isIntercepted()) {
      const values: unknown[] = [];
      for (let k = 0; k < args.length; k++) values.push(f[args[k]!]);
      const results = sequence.run(values);
      if (results !== undefined) {
        for (let k = 0; k < outs.length; k++) f[outs[k]!] = results[k];
        return;
      }
    }
    steps(f);
  };
}

function releaseClosure(registers: readonly number[]): Closure {
  const [a, b] = registers as [number, number | undefined];
  if (registers.length === 1) {
    return (f) => {
      f[a] = undefined;
    };
  }
  if (registers.length === 2) {
    return (f) => {
      f[a] = undefined;
      f[b!] = undefined;
    };
  }
  return (f) => {
    for (let k = 0; k < registers.length; k++) f[registers[k]!] = undefined;
  };
}

function callClosure(callee: CodeRef, args: readonly number[], out: number): Closure {
  return (f) => {
    f[out] = callFrame(calleeCode(callee), f, args);
  };
}

function arrayClosure(args: readonly number[], out: number): Closure {
  const [a, b] = args as [number, number];
  switch (args.length) {
    case 0:
      return (f) => {
        f[out] = [];
      };
    case 1:
      return (f) => {
        f[out] = [f[a]];
      };
    case 2:
      return (f) => {
        f[out] = [f[a], f[b]];
      };
    default:
      return (f) => {
        const values: unknown[] = [];
        for (let k = 0; k < args.length; k++) values.push(f[args[k]!]);
        f[out] = values;
      };
  }
}

/** A call of a kernel; where `entry` is given, through the dispatcher while somebody watches. */
function kernelClosure(
  k: AnyKernel,
  entry: OperatorEntry | undefined,
  args: readonly number[],
  outs: readonly number[],
): Closure {
  const plain = outs.length === 1 ? oneResult(k, args, outs[0]!) : manyResults(k, args, outs);
  if (!entry) return plain;
  const store = (f: Frame, result: unknown): void => {
    if (outs.length === 1) f[outs[0]!] = result;
    else for (let n = 0; n < outs.length; n++) f[outs[n]!] = (result as unknown[])[n];
  };
  return (f) => {
    if (isIntercepted())
      store(
        f,
        dispatch(
          entry,
          args.map((r) => f[r]),
        ),
      );
    else plain(f);
  };
}

function oneResult(k: AnyKernel, args: readonly number[], o: number): Closure {
  const [a, b, c, d, e] = args as [number, number, number, number, number];
  switch (args.length) {
    case 0:
      return (f) => {
        f[o] = k();
      };
    case 1:
      return (f) => {
        f[o] = k(f[a]);
      };
    case 2:
      return (f) => {
        f[o] = k(f[a], f[b]);
      };
    case 3:
      return (f) => {
        f[o] = k(f[a], f[b], f[c]);
      };
    case 4:
      return (f) => {
        f[o] = k(f[a], f[b], f[c], f[d]);
      };
    case 5:
      return (f) => {
        f[o] = k(f[a], f[b], f[c], f[d], f[e]);
      };
    default:
      return (f) => {
        const values: unknown[] = [];
        for (let n = 0; n < args.length; n++) values.push(f[args[n]!]);
        f[o] = k(...values);
      };
  }
}

function manyResults(k: AnyKernel, args: readonly number[], outs: readonly number[]): Closure {
  if (outs.length === 0) {
    return (f) => {
      k(...args.map((r) => f[r]));
    };
  }
  return (f) => {
    const results = k(...args.map((r) => f[r])) as unknown[];
    for (let n = 0; n < outs.length; n++) f[outs[n]!] = results[n];
  };
}
