/** @file The one compilation unit of everything that is traced or scripted here, and its names. Upstream: torch/jit/_state.py, torch/csrc/jit/python/python_ivalue.h (get_python_cu). Spec: spec/printing.md. */
import { QualifiedName } from "../core/qualified_name.ts";
import { CompilationUnit } from "../ir/compilation_unit.ts";
import { NameMangler } from "../saver/type_name_uniquer.ts";

interface ProgramState {
  readonly cu: CompilationUnit;
  readonly mangler: NameMangler;
  /** What else belongs to the unit's lifetime: stores of types by their owner. */
  readonly stores: Map<symbol, unknown>;
}

const freshState = (): ProgramState => ({ cu: new CompilationUnit(), mangler: new NameMangler(), stores: new Map() });
let state = freshState();

/** The unit of traced and scripted code: PyTorch's `_python_cu`. */
export function pythonCu(): CompilationUnit {
  return state.cu;
}

/** A name that no type or function of the unit has: the name itself, or `pkg.___torch_mangle_0.Net`. */
export function uniqueName(name: QualifiedName): QualifiedName {
  const { cu, mangler } = state;
  let unique = name;
  while (cu.findType(unique) !== undefined || cu.findFunction(unique) !== undefined) unique = mangler.mangle(unique);
  return unique;
}

/** The qualified name of what Python names `dotted`: user code, which has no package, counts as Python's `__main__`. */
export function qualifiedNameOf(dotted: string): QualifiedName {
  return new QualifiedName(`__torch__.${dotted}`);
}

/** What a part of the compiler keeps for as long as the unit lives; made when first asked for. */
export function unitStore<S>(key: symbol, make: () => S): S {
  if (!state.stores.has(key)) state.stores.set(key, make());
  return state.stores.get(key) as S;
}

/** Forgets everything that was traced or scripted; names start anew. For tests: modules made before keep working. */
export function resetPythonCu(): void {
  state = freshState();
}
