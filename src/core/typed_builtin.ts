/** @file Builtins whose kernel depends on the static types of their arguments: text, hashes, generic lists. Upstream: none. Spec: none.
 *
 * Note [Typed builtins]: a register does not say whether a number is an int or a float, or an array a list or a tuple; the IR does.
 * A typed builtin is a function from the argument types to a kernel; the interpreter makes the kernel when it compiles the node and
 * passes values in the static form of those types. Everybody else gets the kernel for values in dynamic form. */
import { builtin, type Kernel } from "./operator_registry.ts";
import { AnyT, type FunctionLike, type Type } from "./type.ts";

/** Makes the kernel for given argument types; `result` is the type of the output (Any where it is not known). */
export type KernelMaker = (args: readonly Type[], result: Type) => Kernel;

const makers = new Map<string, KernelMaker>();

/** Registers a builtin that wants the types of its arguments. */
export function typedBuiltin(schema: string, maker: KernelMaker): void {
  const paren = schema.indexOf("(");
  makers.set(schema.slice(0, paren), maker);
  // as many Any's as any schema has arguments
  const types: readonly Type[] = Array.from({ length: 8 }, () => AnyT);
  let kernel: Kernel | undefined;
  builtin(schema, (...args: never[]) => (kernel ??= maker(types, AnyT))(...args));
}

/** The maker of a typed builtin, or undefined. */
export function typedBuiltinMaker(key: string): KernelMaker | undefined {
  return makers.get(key);
}

type FunctionCaller = (fn: FunctionLike, args: readonly unknown[]) => unknown;
let caller: FunctionCaller = () => {
  throw new Error("internal: the interpreter is not loaded");
};
/** Installed by the interpreter: how operators call script methods (`__lt__` when sorting). */
export function setFunctionCaller(run: FunctionCaller): void {
  caller = run;
}
/** Calls a script function within the current run. */
export function callFunction(fn: FunctionLike, args: readonly unknown[]): unknown {
  return caller(fn, args);
}
