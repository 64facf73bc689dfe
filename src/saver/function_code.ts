/** @file The `.code` of functions and methods. Upstream: torch/csrc/jit/python/script_init.cpp (code, code_with_constants). Spec: spec/printing.md. */
import type { ScriptFunction } from "../ir/function.ts";
import { PythonPrint } from "./python_print.ts";
import { printNamedType } from "./print_types.ts";
import type { ClassType } from "../core/type.ts";

/** Source text and the values that it names `CONSTANTS.c0`, `CONSTANTS.c1`, ... */
export interface FunctionCode {
  readonly code: string;
  readonly constants: readonly unknown[];
}

function codeOf(printer: PythonPrint): FunctionCode {
  return { code: printer.body.text, constants: printer.constants.entries.map((entry) => entry.value) };
}

/** PyTorch's `.code`. A method's `self` is printed without its type; pass `isMethod: false` for free functions. */
export function functionCode(fn: ScriptFunction, options: { readonly isMethod?: boolean } = {}): FunctionCode {
  const printer = new PythonPrint();
  printer.printFunction(fn, !(options.isMethod ?? true));
  return codeOf(printer);
}

/** The definition of a whole class, as an archive holds it. */
export function classCode(type: ClassType): FunctionCode {
  const printer = new PythonPrint();
  printNamedType(type, printer);
  return codeOf(printer);
}
