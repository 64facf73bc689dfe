/** @file Generator: PyTorch's CPU random numbers, mt19937 with PyTorch's ways to make values of its bits. Upstream: aten/src/ATen/core/MT19937RNGEngine.h, DistributionsHelper.h, CPUGeneratorImpl.cpp. Spec: none. */
import { nearestCos, nearestLog, nearestSin } from "./math/nearest.ts";

const N = 624;
const M = 397;
const DEFAULT_SEED = 67280421310721n; // c10::detail::default_rng_seed_val

/** A word of the next state, from the one that was there, its neighbour, and one far away. */
function twisted(word: number, neighbour: number, far: number): number {
  const y = (word & 0x80000000) | (neighbour & 0x7fffffff);
  return far ^ (y >>> 1) ^ (-(y & 1) & 0x9908b0df);
}

/** A stream of random bits. Mirrors `torch.Generator` for the CPU. */
export class Generator {
  private readonly state = new Int32Array(N);
  /** The numbers that the state gives, made together; those from `next` on were not drawn yet. */
  private readonly numbers = new Uint32Array(N);
  private next = N;
  private seed = DEFAULT_SEED;
  /** The second value of a Box-Muller pair, kept for the next call; cleared by a seed. */
  private cachedNormal: number | undefined;

  constructor(seed: bigint = DEFAULT_SEED) {
    this.manualSeed(seed);
  }

  /** Starts the stream of a seed (its low 32 bits, as mt19937 has it) anew. */
  manualSeed(seed: bigint): void {
    this.seed = BigInt.asUintN(64, seed);
    const { state } = this;
    state[0] = Number(BigInt.asIntN(32, this.seed));
    for (let i = 1; i < N; i++) {
      const previous = state[i - 1]! ^ (state[i - 1]! >>> 30);
      state[i] = Math.imul(1812433253, previous) + i;
    }
    this.next = N;
    this.cachedNormal = undefined;
  }

  /** The seed of the stream. */
  initialSeed(): bigint {
    return this.seed;
  }

  /** Gives a function that puts the stream back to where it is now. */
  bookmark(): () => void {
    const { next, seed, cachedNormal } = this;
    const state = this.state.slice();
    const numbers = this.numbers.slice();
    return () => {
      this.state.set(state);
      this.numbers.set(numbers);
      this.next = next;
      this.seed = seed;
      this.cachedNormal = cachedNormal;
    };
  }

  private twist(): void {
    const { state, numbers } = this;
    for (let k = 0; k < N - M; k++) state[k] = twisted(state[k]!, state[k + 1]!, state[k + M]!);
    for (let k = N - M; k < N - 1; k++) state[k] = twisted(state[k]!, state[k + 1]!, state[k + M - N]!);
    state[N - 1] = twisted(state[N - 1]!, state[0]!, state[M - 1]!);
    for (let k = 0; k < N; k++) {
      let y = state[k]!;
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      numbers[k] = y ^ (y >>> 18);
    }
    this.next = 0;
  }

  /** 32 random bits, 0 to 2^32 - 1. */
  random(): number {
    if (this.next >= N) this.twist();
    return this.numbers[this.next++]!;
  }

  /** Fills the first `count` elements with what `random` would give one after the other. */
  fill(bits: Uint32Array, count: number): void {
    for (let done = 0; done < count;) {
      if (this.next >= N) this.twist();
      const some = Math.min(count - done, N - this.next);
      bits.set(this.numbers.subarray(this.next, this.next + some), done);
      this.next += some;
      done += some;
    }
  }

  /** 64 random bits; the first 32 drawn are the high ones. */
  random64(): bigint {
    const high = this.random();
    return (BigInt(high) << 32n) | BigInt(this.random());
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniformDouble(): number {
    const high = this.random() & 0x1fffff;
    return (high * 4294967296 + this.random()) / 9007199254740992;
  }

  /** Uniform in [0, 1) with the digits, at most 30, of a narrower float. */
  uniformBits(digits: number): number {
    const scale = 1 << digits;
    return (this.random() & (scale - 1)) / scale;
  }

  /** Standard normal by Box-Muller in doubles; every second value comes from the cache. */
  normal(): number {
    const cached = this.cachedNormal;
    if (cached !== undefined) {
      this.cachedNormal = undefined;
      return cached;
    }
    const u1 = this.uniformDouble();
    const u2 = this.uniformDouble();
    // a uniform double is a multiple of 2^-53: its distance to 1 is exact
    const radius = Math.sqrt(-2 * nearestLog(1 - u2));
    const theta = 2 * Math.PI * u1;
    this.cachedNormal = radius * nearestSin(theta);
    return radius * nearestCos(theta);
  }
}

/** The generator of operators that are given none. */
export const defaultGenerator = new Generator();
