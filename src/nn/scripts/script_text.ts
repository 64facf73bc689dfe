/** @file The shape of library scripts: TorchScript texts of what PyTorch writes in Python. Upstream: torch/_jit_internal.py (boolean_dispatch, _overload). Spec: none.
 *
 * Note [Library scripts]: scripting a library function must give the very graph that PyTorch gets from its own Python source,
 * numbers of dead values included. So these texts, in our own words, do the same steps in the same order: a text that starts
 * with a description has one there too (it is a dead constant), a check for overriding tensor types stands where PyTorch has
 * one (it is decided while compiling), and messages are those that a user sees. */

/** A function whose meaning depends on a constant argument. */
export interface BooleanDispatch {
  readonly argName: string;
  readonly argIndex: number;
  /** Names in the same module. */
  readonly ifTrue: string;
  readonly ifFalse: string;
}

/** The functions of one Python module. */
export interface FunctionScripts {
  /** Dotted name of the Python module: part of every function's qualified name. */
  readonly module: string;
  /** `def`s, one after the other. */
  readonly source: string;
  /** Functions that stand for one of two others, by name. */
  readonly dispatch?: Readonly<Record<string, BooleanDispatch>>;
  /** Signatures, `(input: Tensor, ...) -> Tensor`, of functions that are compiled once for each. */
  readonly overloads?: Readonly<Record<string, readonly string[]>>;
  /** Other names of functions here. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** The check whether a tensor overrides the function: decided while compiling, and gone afterwards. */
export function overridable(...inputs: readonly string[]): string {
  const name = inputs.length === 1 ? "has_torch_function_unary" : "has_torch_function_variadic";
  return `if ${name}(${inputs.join(", ")}):\n        pass`;
}
