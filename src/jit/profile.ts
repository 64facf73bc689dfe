/** @file profile: time, calls, shapes and floating-point operations of a call, per operator and per module. Upstream: torch/autograd/profiler.py, torch/utils/flop_counter.py. Spec: docs/cli.md.
 *
 * Note [What a profile measures]: the code that runs is that of ordinary calls, with a clock around every kernel. Operators of numbers have
 * none, those that run as one sequence otherwise run one by one. What follows a convolution and is done where it stores its results counts to
 * the convolution (Note [Deferred convolutions]): it takes next to nothing by itself. Calls of modules vanish in that code; they are counted in a run of its
 * own before, in which nothing is inlined. */
import { withInterceptor } from "../core/dispatcher.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { Kernel } from "../core/operator_registry.ts";
import { forgetCode, setExecutionGraph, setKernelWatch } from "../interpreter/compile.ts";
import { withFrameObserver } from "../interpreter/runtime.ts";
import type { Node } from "../ir/graph.ts";
import { SETTLE } from "../passes/defer_convolutions.ts";
import { Tensor } from "../tensor/tensor.ts";
import { executionGraph, plain } from "./execution.ts";
import type { ScriptModule } from "./script_module.ts";

/** What one operator, with one set of shapes, cost in all calls. */
export interface OperatorProfile {
  /** `aten::conv2d`. */
  readonly operator: string;
  /** Shapes of the tensors among the arguments, e.g. `1x3x224x224, 64x3x7x7`. */
  readonly shapes: string;
  readonly calls: number;
  readonly ms: number;
  /** Floating-point operations, a multiplication and an addition being two; 0 where they are not counted (only products, convolutions, attention are). */
  readonly flops: number;
}

/** What one module cost. */
export interface ModuleProfile {
  /** Dotted path; empty for the root. */
  readonly path: string;
  readonly className: string;
  /** Times that a method of it ran. */
  readonly calls: number;
  /** Of operators, with all that it called. */
  readonly ms: number;
  /** Of operators that its own code called. */
  readonly ownMs: number;
  /** With all that it called. */
  readonly flops: number;
}

/** The profile of some calls, each list with the dearest first. */
export interface Profile {
  readonly runs: number;
  /** Of all runs. */
  readonly ms: number;
  readonly operators: readonly OperatorProfile[];
  readonly modules: readonly ModuleProfile[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

function numelOf(value: unknown): number {
  if (value instanceof Tensor) return product(value.sizes);
  return Array.isArray(value) ? numelOf(value[0]) : 0;
}

/** Length of the dimension that a matrix product sums over. */
const inner = (matrix: unknown): number => (matrix as Tensor).sizes.at(-1) ?? 1;

/** Multiplications and additions of an operator, by name without overload. */
const FLOPS: Readonly<Record<string, (args: readonly unknown[], result: unknown) => number>> = {
  ...Object.fromEntries(
    ["mm", "bmm", "matmul", "mv", "dot", "linear"].map((name) => [
      `aten::${name}`,
      (args: readonly unknown[], result: unknown) => 2 * numelOf(result) * inner(args[0]),
    ]),
  ),
  ...Object.fromEntries(
    ["addmm", "baddbmm", "addmv"].map((name) => [
      `aten::${name}`,
      (args: readonly unknown[], result: unknown) => 2 * numelOf(result) * inner(args[1]),
    ]),
  ),
  ...Object.fromEntries(
    ["conv1d", "conv2d", "conv3d", "_convolution", "convolution"].map((name) => [
      `aten::${name}`,
      (args: readonly unknown[], result: unknown) => {
        const filter = product((args[1] as Tensor).sizes.slice(1));
        const isTransposed = name.endsWith("convolution") && args[6] === true;
        return 2 * filter * numelOf(isTransposed ? args[0] : result);
      },
    ]),
  ),
  ...Object.fromEntries(
    ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"].map((name) => [
      `aten::${name}`,
      (args: readonly unknown[]) => 2 * product((args[1] as Tensor).sizes.slice(1)) * numelOf(args[0]),
    ]),
  ),
  "aten::scaled_dot_product_attention": ([query, key, value]) => {
    const [q, k, v] = [query, key, value] as [Tensor, Tensor, Tensor];
    const scores = product(q.sizes.slice(0, -1)) * (k.sizes.at(-2) ?? 1);
    return 2 * scores * (inner(q) + inner(v));
  },
};

function shapesOf(args: readonly unknown[]): string {
  const shapes: string[] = [];
  const add = (value: unknown): void => {
    if (value instanceof Tensor) shapes.push(value.sizes.length === 0 ? "scalar" : value.sizes.join("x"));
    else if (Array.isArray(value) && value[0] instanceof Tensor) value.forEach(add);
  };
  args.forEach(add);
  return shapes.join(", ");
}

/** A kernel call of an operator, and who called it. */
interface Entry {
  readonly operator: Mutable<OperatorProfile>;
  readonly owners: readonly Mutable<ModuleProfile>[];
}

const DEFERRED = "tsarchive::deferred_";

/** The operator that a kernel runs, without overload: deferred forms have the names of the operators that they are. */
function operatorOf(key: string): string {
  return (key.startsWith(DEFERRED) ? `aten::${key.slice(DEFERRED.length).replace(/_to$/, "")}` : key).replace(
    /\..*/,
    "",
  );
}

/** Collects what the operators and modules of runs cost. */
class Profiler {
  private readonly operators = new Map<string, Mutable<OperatorProfile>>();
  private readonly modules = new Map<object, Mutable<ModuleProfile>>();
  private readonly root: Mutable<ModuleProfile>;
  /** Convolutions whose results are still to be computed. */
  private readonly waiting = new Map<unknown, Entry>();
  /** Kernels that a kernel calls belong to it. */
  private isInside = false;
  private ms = 0;

  constructor(model: ScriptModule) {
    for (const [path, { object, originalName }] of model.namedModules())
      this.modules.set(object, { path, className: originalName, calls: 0, ms: 0, ownMs: 0, flops: 0 });
    this.root = this.modules.get(model.object)!;
  }

  /** Counts calls of modules while `body` runs, as those of each of `runs` runs. */
  countCalls(body: () => unknown, runs: number): void {
    const enter = (self: unknown): void => {
      const module = this.modules.get(self as ScriptObject);
      if (module) module.calls += runs;
    };
    // frames are those of closures, which run while somebody watches operators
    withFrameObserver(enter, () => withInterceptor((_, args, next) => next(args), body));
  }

  /** A kernel with a clock around it. */
  watch(node: Node, key: string, kernel: Kernel): Kernel {
    const owners = this.ownersOf(node);
    const run = kernel as (...args: readonly unknown[]) => unknown;
    return (...args: readonly unknown[]): unknown => {
      if (this.isInside) return run(...args);
      this.isInside = true;
      const shapes = shapesOf(args); // an operator may change them
      const start = performance.now();
      try {
        const result = run(...args);
        this.count(key, owners, performance.now() - start, shapes, args, result);
        return result;
      } finally {
        this.isInside = false;
      }
    };
  }

  /** The modules that a node's time counts to, the innermost first. */
  private ownersOf(node: Node): Mutable<ModuleProfile>[] {
    const owners = new Set<Mutable<ModuleProfile>>();
    for (let call = node.callstack; call; call = call.caller) {
      const module = call.self && this.modules.get(call.self);
      if (module) owners.add(module);
    }
    return [...owners.add(this.root)];
  }

  run(body: () => unknown): void {
    const start = performance.now();
    body();
    this.ms += performance.now() - start;
  }

  private count(
    key: string,
    owners: readonly Mutable<ModuleProfile>[],
    ms: number,
    shapes: string,
    args: readonly unknown[],
    result: unknown,
  ): void {
    if (key === SETTLE) {
      const entry = this.waiting.get(args[0]);
      if (entry) addTime(entry, ms);
      this.waiting.delete(args[0]);
      return;
    }
    const name = operatorOf(key);
    const id = `${name}(${shapes})`;
    let operator = this.operators.get(id);
    if (!operator) this.operators.set(id, (operator = { operator: name, shapes, calls: 0, ms: 0, flops: 0 }));
    const flops = Object.hasOwn(FLOPS, name) ? FLOPS[name]!(args, result) : 0;
    operator.calls++;
    operator.flops += flops;
    for (const owner of owners) owner.flops += flops;
    const entry = { operator, owners };
    addTime(entry, ms);
    if (key.startsWith(DEFERRED) && name.includes("::conv")) this.waiting.set(result, entry);
  }

  /** Forgets what was measured so far; calls of modules stay. */
  restart(): void {
    this.operators.clear();
    this.waiting.clear();
    for (const module of this.modules.values()) module.ms = module.ownMs = module.flops = 0;
    this.ms = 0;
  }

  profile(runs: number): Profile {
    const dearest = <T extends { readonly ms: number }>(list: Iterable<T>): T[] =>
      [...list].toSorted((a, b) => b.ms - a.ms);
    const modules = [...this.modules.values()].filter(({ calls }) => calls > 0);
    return { runs, ms: this.ms, operators: dearest(this.operators.values()), modules: dearest(modules) };
  }
}

function addTime({ operator, owners }: Entry, ms: number): void {
  operator.ms += ms;
  for (const owner of owners) owner.ms += ms;
  owners[0]!.ownMs += ms;
}

/**
 * Runs `body`, which calls the model, `runs` times and tells where the time goes, after two runs that are not measured: one counts the calls of
 * modules, one compiles. All code is compiled again when it is called next.
 */
export function profile(model: ScriptModule, body: () => unknown, runs = 1): Profile {
  const profiler = new Profiler(model);
  try {
    forgetCode();
    setExecutionGraph((fn) => plain(fn.graph));
    profiler.countCalls(body, runs);
    forgetCode();
    setExecutionGraph((fn, self) => executionGraph(fn, self, true));
    setKernelWatch((node, key, kernel) => profiler.watch(node, key, kernel));
    body();
    profiler.restart();
    for (let i = 0; i < runs; i++) profiler.run(body);
    return profiler.profile(runs);
  } finally {
    setKernelWatch(undefined);
    setExecutionGraph(executionGraph);
    forgetCode();
  }
}
