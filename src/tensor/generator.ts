/** @file Generator: PyTorch's CPU random number generator state (mt19937). Upstream: aten/src/ATen/core/MT19937RNGEngine.h, CPUGeneratorImpl.cpp. Spec: none. */

/** Placeholder of the interface until the engine below is filled in by the random family. */
export interface Generator {
  /** Sets the seed and clears cached normal samples. */
  manualSeed(seed: bigint): void;
  /** 32 random bits. */
  random(): number;
}
