/** @file The one function that every eager and every traced tensor operator passes. Upstream: aten/src/ATen/core/dispatch/Dispatcher.h. Spec: none. */
import { AbsentElements } from "../tensor/absent_elements.ts";
import type { OperatorEntry } from "./operator_registry.ts";

/** Sees operator calls before the kernel: the tracer, autograd. Calls `next` to go on. */
export type Interceptor = (entry: OperatorEntry, args: unknown[], next: (args: unknown[]) => unknown) => unknown;

const interceptors: Interceptor[] = [];

/** Whether operator calls are watched at the moment: otherwise compiled code calls kernels directly. */
export function isIntercepted(): boolean {
  return interceptors.length !== 0;
}

/** Runs `body` with `interceptor` in front of every operator call. */
export function withInterceptor<R>(interceptor: Interceptor, body: () => R): R {
  interceptors.push(interceptor);
  try {
    return body();
  } finally {
    interceptors.pop();
  }
}

/** Calls an operator: interceptors from the last installed to the first, then the kernel. */
export function dispatch(entry: OperatorEntry, args: unknown[]): unknown {
  try {
    return interceptors.length === 0
      ? entry.kernel(...(args as never[]))
      : through(entry, args, interceptors.length - 1);
  } catch (error) {
    throw error instanceof AbsentElements ? error.of(entry.key) : error;
  }
}

function through(entry: OperatorEntry, args: unknown[], level: number): unknown {
  if (level < 0) return entry.kernel(...(saturated(entry, args) as never[]));
  return interceptors[level]!(entry, args, (next) => through(entry, next, level - 1));
}

/** Ints beyond 2^53 as numbers, for kernels that know no bigints; `x[1:]` ends at 2^63 - 1. */
export function saturated(entry: OperatorEntry, args: unknown[]): unknown[] {
  if (entry.exactInts) return args;
  let copy: unknown[] | undefined;
  for (let i = 0; i < args.length; i++) {
    if (typeof args[i] !== "bigint" || entry.schema.args[i]?.type.kind === "Number") continue;
    copy ??= args.slice();
    copy[i] = Number(args[i]);
  }
  return copy ?? args;
}
