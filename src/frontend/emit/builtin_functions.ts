/** @file Operators that are defined in TorchScript themselves, compiled when first needed and inlined at each call. Upstream: torch/csrc/jit/frontend/builtin_functions.cpp. Spec: none. */
import type { FunctionSchema } from "../../core/schema.ts";
import type { Graph } from "../../ir/graph.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import { internalAssert } from "../../base/errors.ts";
import type { Upgrader } from "./upgraders.ts";

// Lines and columns of these sources are what graphs show as `<string>:5:9`: keep them.
/** Arithmetic and comparisons with the number on the left. */
const SCALAR_OPERATORS = (scalar: string): string => `
def mul(a : ${scalar}, b : Tensor) -> Tensor:
  return b * a
def add(a : ${scalar}, b : Tensor) -> Tensor:
  return b + a
def ne(a : ${scalar}, b : Tensor) -> Tensor:
  return b != a
def eq(a : ${scalar}, b : Tensor) -> Tensor:
  return b == a
def sub(a : ${scalar}, b : Tensor) -> Tensor:
  return torch.neg(b) + a
def div(a : ${scalar}, b : Tensor) -> Tensor:
  return torch.reciprocal(b) * a
`;
/** Complex numbers have no order. */
const ORDER_OPERATORS = (scalar: string): string => `
def lt(a : ${scalar}, b : Tensor) -> Tensor:
  return b > a
def le(a : ${scalar}, b : Tensor) -> Tensor:
  return b >= a
def gt(a : ${scalar}, b : Tensor) -> Tensor:
  return b < a
def ge(a : ${scalar}, b : Tensor) -> Tensor:
  return b <= a
`;
const TUPLE_LENGTHS = [
  ["single", 1],
  ["pair", 2],
  ["triple", 3],
  ["quadruple", 4],
] as const;

function sources(): [namespace: string, source: string][] {
  const list: [string, string][] = [];
  for (const scalar of ["float", "int", "complex"]) list.push(["aten", SCALAR_OPERATORS(scalar)]);
  for (const scalar of ["float", "int"]) list.push(["aten", ORDER_OPERATORS(scalar)]);
  for (const scalar of ["float", "int"]) {
    for (const [name, length] of TUPLE_LENGTHS) {
      list.push(["aten", `\ndef _${name}(x: BroadcastingList${length}[${scalar}]) -> List[${scalar}]:\n  return x\n`]);
    }
  }
  for (const rhs of ["number", "Tensor"]) {
    list.push([
      "aten",
      `\ndef floordiv(self : Tensor, other : ${rhs}) -> Tensor:\n  return torch.floor_divide(self, other)\n`,
    ]);
  }
  list.push([
    "aten",
    `
def _assert_int_or_pair(vals: List[int], name: str, message: str):
  pass
def list_with_default(out_size: List[int], defaults: List[int]):
  assert len(defaults) > len(out_size)
  return out_size
def _assert(condition : bool, message : str):
  assert condition, message
# the operator of the name calls its argument "a",
# which torch.device(type="cpu") does not
def device(type: str):
  return torch.device(type)
def type(self: Tensor, dtype: int, non_blocking: bool=False, copy: bool=False) -> Tensor:
  return self.to(dtype, non_blocking, copy)
`,
  ]);
  list.push([
    "aten",
    `
def _assert(condition : Tensor, message : str):
  assert bool(condition), message
def __contains__(self: str, key: str):
    return self.find(key, 0, len(self)) != -1
`,
  ]);
  list.push([
    "prim",
    `
def ndim(a : Tensor) -> int:
  return a.dim()
def T(a : Tensor) -> Tensor:
  return a.numpy_T()
def H(a : Tensor) -> Tensor:
  return a.matrix_H()
def mT(a : Tensor) -> Tensor:
  return a.mT
def mH(a : Tensor) -> Tensor:
  return a.mH
def shape(a : Tensor) -> List[int]:
  return a.size()
`,
  ]);
  return list;
}

/** Compiles source text of functions; installed by `compile.ts`, which needs the emitter, which needs this file. */
let compileSource: (source: string) => readonly ScriptFunction[] = () => {
  throw new Error("internal: the compiler of builtin functions is not installed");
};
/** Installs the compiler of builtin functions. */
export function setSourceCompiler(fn: typeof compileSource): void {
  compileSource = fn;
}

/** While one is compiled itself, it sees no others. */
let isCompiling = false;

/** A function behind an operator, compiled when something of it is asked for. */
export class BuiltinFunction {
  private readonly source: BuiltinSource;
  private readonly name: string;
  private compiled: ScriptFunction | undefined;
  constructor(source: BuiltinSource, name: string) {
    this.source = source;
    this.name = name;
  }
  private get fn(): ScriptFunction {
    if (this.compiled) return this.compiled;
    const outer = isCompiling;
    isCompiling = true;
    try {
      this.source.functions ??= compileSource(this.source.text);
      const fn = this.source.functions.find((f) => f.name === this.name);
      internalAssert(fn, `no builtin function ${this.name}`);
      fn.ensureDefined();
      return (this.compiled = fn);
    } finally {
      isCompiling = outer;
    }
  }
  get schema(): FunctionSchema {
    return this.fn.schema;
  }
  get graph(): Graph {
    return this.fn.graph;
  }
}

/** A text of definitions, and its functions once one of them was asked for. */
interface BuiltinSource {
  readonly text: string;
  functions?: readonly ScriptFunction[];
}

/** By names such as `aten::add`, in the order in which they are tried. */
let table: Map<string, BuiltinFunction[]> | undefined;
const NONE: readonly BuiltinFunction[] = [];

function definitions(): Map<string, BuiltinFunction[]> {
  if (table) return table;
  table = new Map();
  for (const [namespace, text] of sources()) {
    const source: BuiltinSource = { text };
    for (const [, name] of text.matchAll(/^def (\w+)/gm)) {
      const key = `${namespace}::${name}`;
      const known = table.get(key);
      const fn = new BuiltinFunction(source, name!);
      if (known) known.push(fn);
      else table.set(key, [fn]);
    }
  }
  return table;
}

/** The functions that stand behind the operators of a name such as `aten::add`. */
export function builtinFunctionsFor(name: string): readonly BuiltinFunction[] {
  return isCompiling ? NONE : (definitions().get(name) ?? NONE);
}

const upgraderGraphs = new Map<Upgrader, Graph>();
/** The graph of an upgrader, compiled once. */
export function upgraderGraph(upgrader: Upgrader): Graph {
  let graph = upgraderGraphs.get(upgrader);
  if (!graph) {
    const [fn] = compileSource(upgrader.source);
    internalAssert(fn, "upgrader defines no function");
    fn.ensureDefined();
    graph = fn.graph;
    upgraderGraphs.set(upgrader, graph);
  }
  return graph;
}
