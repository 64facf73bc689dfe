/** @file profile: time, calls, shapes and floating-point operations of a call, per operator and per module. Upstream: torch/autograd/profiler.py, torch/utils/flop_counter.py. Spec: docs/cli.md.
 *
 * Note [What a profile measures]: every operator goes through the dispatcher with a clock around it, one at a time, on closures and
 * without the fusion of operators: the sum is somewhat more than an ordinary call takes, and nothing of it when nobody profiles. */
import { withInterceptor } from "../core/dispatcher.ts";
import { ScriptObject } from "../core/ivalue.ts";
import { setExecutionGraph } from "../interpreter/compile.ts";
import { withFrameObserver } from "../interpreter/runtime.ts";
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
  /** With all that it called. */
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

interface Frame {
  readonly module: Mutable<ModuleProfile> | undefined;
  readonly start: number;
}

/** Collects what the operators and modules of runs cost. */
class Profiler {
  private readonly operators = new Map<string, Mutable<OperatorProfile>>();
  private readonly modules = new Map<ScriptObject, Mutable<ModuleProfile>>();
  private readonly frames: Frame[] = [];
  /** Operators that an operator calls belong to it. */
  private inOperator = false;
  private ms = 0;

  constructor(model: ScriptModule) {
    for (const [path, { object, originalName }] of model.namedModules())
      this.modules.set(object, { path, className: originalName, calls: 0, ms: 0, ownMs: 0, flops: 0 });
  }

  run(body: () => unknown): void {
    const start = performance.now();
    withFrameObserver(
      (self) => this.enter(self),
      () => this.leave(),
      () => withInterceptor((entry, args, next) => this.operator(entry.key, args, next), body),
    );
    this.ms += performance.now() - start;
  }

  private enter(self: unknown): void {
    const module = self instanceof ScriptObject ? this.modules.get(self) : undefined;
    if (module) module.calls++;
    this.frames.push({ module, start: performance.now() });
  }

  private leave(): void {
    const { module, start } = this.frames.pop()!;
    // a method that calls another of the same object is counted once
    if (module && !this.frames.some((frame) => frame.module === module)) module.ms += performance.now() - start;
  }

  private operator(key: string, args: unknown[], next: (args: unknown[]) => unknown): unknown {
    if (this.inOperator) return next(args);
    this.inOperator = true;
    const shapes = shapesOf(args);
    const start = performance.now();
    try {
      const result = next(args);
      const ms = performance.now() - start;
      this.count(key.replace(/\..*/, ""), shapes, ms, args, result);
      return result;
    } finally {
      this.inOperator = false;
    }
  }

  private count(operator: string, shapes: string, ms: number, args: readonly unknown[], result: unknown): void {
    const flops = Object.hasOwn(FLOPS, operator) ? FLOPS[operator]!(args, result) : 0;
    const id = `${operator}(${shapes})`;
    let entry = this.operators.get(id);
    if (!entry) this.operators.set(id, (entry = { operator, shapes, calls: 0, ms: 0, flops: 0 }));
    entry.calls++;
    entry.ms += ms;
    entry.flops += flops;
    const owners = new Set(this.frames.flatMap(({ module }) => (module ? [module] : [])));
    for (const owner of owners) owner.flops += flops;
    const own = this.frames.findLast(({ module }) => module)?.module;
    if (own) own.ownMs += ms;
  }

  profile(runs: number): Profile {
    const dearest = <T extends { readonly ms: number }>(list: Iterable<T>): T[] =>
      [...list].toSorted((a, b) => b.ms - a.ms);
    const modules = [...this.modules.values()].filter(({ calls }) => calls > 0);
    return { runs, ms: this.ms, operators: dearest(this.operators.values()), modules: dearest(modules) };
  }
}

/**
 * Runs `body`, which calls the model, `runs` times and tells where the time goes. The model must be loaded for this: code that ran
 * before is fused, and what is fused has no operators of its own. Before the measured runs `body` runs once unmeasured.
 */
export function profile(model: ScriptModule, body: () => unknown, runs = 1): Profile {
  setExecutionGraph((fn) => plain(fn.graph)); // modules keep their frames
  try {
    body(); // compiles the code and the kernels
    const profiler = new Profiler(model);
    for (let i = 0; i < runs; i++) profiler.run(body);
    return profiler.profile(runs);
  } finally {
    setExecutionGraph(executionGraph);
  }
}
