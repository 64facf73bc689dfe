/** @file Kernels of nodes that only passes for running make: no schema, no name that an archive could use. Upstream: none. Spec: none. */
import type { Kernel } from "../core/operator_registry.ts";
import { NumberT, type Type } from "../core/type.ts";
import type { Node } from "../ir/graph.ts";
import type { Compiler } from "./compile.ts";

interface InternalKernel {
  readonly kernel: Kernel;
  /** Arguments that are numbers of any type, in the form that operators take. */
  readonly numbers: readonly number[];
}

const kernels = new Map<string, InternalKernel>();

/** Gives a kind of node a kernel; `numbers`: offsets of its arguments that are numbers of any type. */
export function installInternalKernel(kind: string, kernel: Kernel, numbers: readonly number[] = []): void {
  kernels.set(kind, { kernel, numbers });
}

/** Whether the kind of node has such a kernel. */
export function hasInternalKernel(kind: string): boolean {
  return kernels.has(kind);
}

/** Compiles a node whose kind has such a kernel. */
export function compileInternal(c: Compiler, node: Node): void {
  const { kernel, numbers } = kernels.get(node.kind)!;
  const type = (i: number): Type | undefined => (numbers.includes(i) ? NumberT : undefined);
  c.emit({
    op: "kernel",
    key: node.kind,
    kernel,
    entry: undefined,
    args: node.inputs.map((v, i) => c.use(v, type(i))),
    outs: node.outputs.map((v) => c.define(v)),
    at: c.origin,
  });
}
