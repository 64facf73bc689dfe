/** @file What the cases of traces are made of, and what a trace of one says. */
import { jit, nn, torch, type TraceOptions } from "../../../src/node/index.ts";

/** What to trace, its example inputs, and options. */
export type TraceCase = readonly [
  target: nn.Module | ((...args: never[]) => unknown),
  inputs: unknown,
  options?: TraceOptions & { readonly train?: boolean },
];

/** The texts of a trace, as make_traces.py records PyTorch's. */
export interface TraceTexts {
  readonly error?: string;
  readonly code?: string;
  readonly graph?: string;
  readonly text?: string;
  readonly graphs?: Readonly<Record<string, string>>;
}

function clean(text: unknown): string {
  return String(text)
    .replace(/ # .*/g, "")
    .replace(/___torch_mangle_[0-9]+\./g, "");
}

/** Traces a case. */
export function traceTexts(make: () => TraceCase): TraceTexts {
  torch.manualSeed(0);
  const [target, inputs, { train = false, ...options } = {}] = make();
  try {
    if (!(target instanceof nn.Module)) {
      const traced = jit.trace(target, inputs, { checkTrace: false, ...options });
      return { code: clean(traced.code), graph: clean(traced.graph) };
    }
    if (!train) target.eval();
    const traced = jit.trace(target, inputs, { checkTrace: false, ...options });
    const graphs: Record<string, string> = {};
    for (const [path, module] of traced.namedModules())
      for (const method of module.methodNames()) graphs[`${path}:${method}`] = clean(module.method(method).graph);
    return { code: clean(traced.code), text: String(traced), graphs };
  } catch (error) {
    if (process.env["TRACE_STACK"]) console.error(error);
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
