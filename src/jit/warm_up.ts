/** @file warmUp: what a first call does, before anybody waits for it. Upstream: none. Spec: none. */
import { withGradMode } from "../core/grad_mode.ts";
import { compileKernels } from "../tensor/kernels/wasm/build.ts";
import { keepingWeights } from "../tensor/kernels/wasm/packed_weights.ts";
import { defaultGenerator } from "../tensor/generator.ts";

/** In a pause the engine puts the better code in place that it has made in the background. */
const PAUSE_MS = 10;

/** How to warm up. */
export interface WarmUpOptions {
  /** Calls of the model (default 3): the first compiles it and packs its weights, those behind it make the engine optimise. */
  readonly calls?: number;
}

/**
 * Readies a model for inputs of these sizes: compiles the kernels, beside the main thread where the platform can, then what the model runs, packs and
 * transforms its weights and calls it a few times with pauses. Gradients are not recorded and the default random numbers stay where they are; what
 * else a call changes (statistics of a model that trains, its own state) stays changed.
 * @param model a module, a compiled function, or a function that calls another method.
 * @param inputs what the model is called with, as in `model(...inputs)`.
 * @throws what the model throws.
 */
export async function warmUp<Inputs extends readonly unknown[]>(
  model: (...inputs: Inputs) => unknown,
  inputs: Inputs,
  { calls = 3 }: WarmUpOptions = {},
): Promise<void> {
  await compileKernels();
  for (let call = 0; call < calls; call++) {
    const putBack = defaultGenerator.bookmark();
    try {
      withGradMode(false, () => keepingWeights(() => model(...inputs)));
    } finally {
      putBack();
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
