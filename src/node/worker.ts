/** @file Workers of Node for the kernels' threads. Upstream: none. Spec: none. */
import { Worker } from "node:worker_threads";
import type { StartWorker } from "../tensor/kernels/wasm/thread_pool.ts";

/** A thread that evaluates the program. It has no standard input, and does not keep the process alive. */
export const startNodeWorker: StartWorker = (program, data) => {
  const text = program('require("node:worker_threads").workerData');
  const worker = new Worker(text, { eval: true, workerData: data, execArgv: [], name: "tsarchive kernels" });
  worker.unref();
  return { stop: () => void worker.terminate() };
};
