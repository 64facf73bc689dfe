/** @file Sequences of small operators on float32 tensors: where their values lie, and the records that one call runs. Upstream: none. Spec: none. See Note [Sequences]. */
import { DTYPES } from "../../dtype.ts";
import { allocateStorage, type Storage } from "../../storage.ts";
import { contiguousStrides, numelOf } from "../../strides.ts";
import { Tensor } from "../../tensor.ts";
import { kernelChoice, sequenceKernels, wasmKernels, type SequenceKernels } from "./build.ts";
import type { KernelMemory } from "./memory.ts";
import { packedFrom, packedWeights, Weights } from "./packed_weights.ts";
import {
  RECORD_WORDS,
  SEQUENCE_NUMBERS,
  TILE_ROWS,
  type SequenceBinary,
  type SequenceFunction,
  type SequenceUnary,
} from "./sequence_names.ts";
import { vectorTable } from "./vectors.ts";

/** A step. Values are numbered: the inputs, then the results of the steps in their order. */
export type SequenceStep =
  | { readonly op: "unary"; readonly name: SequenceUnary; readonly a: number }
  | { readonly op: "binary"; readonly name: SequenceBinary; readonly a: number; readonly b: number }
  /** With a float32 number on one side. */
  | {
      readonly op: "number";
      readonly name: SequenceBinary;
      readonly a: number;
      readonly number: number;
      readonly isLeft: boolean;
    }
  /** x @ weight.T + bias; weight and bias are inputs, or the bias is missing. */
  | { readonly op: "linear"; readonly x: number; readonly weight: number; readonly bias: number | undefined }
  /** Parts along a dimension, as many results: equal ones, or of `size` with a last one that may be shorter. */
  | {
      readonly op: "parts";
      readonly x: number;
      readonly count: number;
      readonly size: number | undefined;
      readonly dim: number;
    }
  /** From `start` to before `end` along a dimension; negative ones count from its end. */
  | { readonly op: "slice"; readonly x: number; readonly dim: number; readonly start: number; readonly end: number }
  /** Joins values along a dimension. */
  | { readonly op: "cat"; readonly parts: readonly number[]; readonly dim: number };

/** Elements up to which a tensor from or for outside is small. */
const MAX_ELEMENTS = 1024;
/** Elements up to which a value inside is. */
const MAX_INNER_ELEMENTS = 8192;
/** Rows that a weight is multiplied by one by one. */
const MAX_ROWS = 8;
/** Nanoseconds, about, that steps one by one must cost for a sequence to pay, and what they cost for an element. */
const MIN_COST = 300;
const COSTS = { exponential: 7, plain: 1, product: 0.3 };
/** Elements up to which a loop copies faster than `set`. */
const MAX_LOOP = 128;
/** Most calls that are passed over after an attempt that failed. */
const MAX_WAIT = 4096;
/** Calls with the same shapes after which linking has paid, and after which it pays to have done it. */
const FEW_RUNS = 4;
const MANY_RUNS = 16;

const FLOAT32 = DTYPES.float32;
const PLAIN: ReadonlySet<string> = new Set(["relu", "neg", "sqrt"]);
/** Added to addresses that count from the start of a sequence's block. */
const RELATIVE = 2 ** 32;

/** Where a value lies. */
interface Place {
  readonly sizes: readonly number[];
  readonly numel: number;
  readonly address: number;
}

/** An input that is copied in at every call. */
interface Moving {
  readonly input: number;
  readonly sizes: readonly number[];
  readonly numel: number;
  readonly at: number;
}

/** An input that stays in the memory: the tensor that it was when the sequence was linked, or none. */
interface Fixed {
  readonly input: number;
  readonly tensor: Tensor | null;
  readonly storage: Storage | undefined;
  readonly version: number;
  readonly storageOffset: number;
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
}

interface Result {
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly numel: number;
  readonly at: number;
}

/** A sequence in its place, for one set of shapes. */
interface Linked {
  readonly choice: number;
  readonly kernels: SequenceKernels;
  readonly memory: KernelMemory;
  readonly block: number;
  readonly start: number;
  readonly end: number;
  readonly table: number;
  readonly moving: readonly Moving[];
  readonly fixed: readonly Fixed[];
  readonly results: readonly Result[];
  runs: number;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return false;
  return true;
}

/** A dimension counted from the front, and its size; one that there is not has none. */
function dimensionOf(sizes: readonly number[], dim: number): [dim: number, size: number] {
  const d = dim < 0 ? dim + sizes.length : dim;
  return d < 0 ? [sizes.length, 0] : [d, sizes[d] ?? 0];
}

const finalizer = new FinalizationRegistry<{ memory: KernelMemory; block: number }>(({ memory, block }) =>
  memory.free(block),
);

/** Rows of a weight's tiles, and of its bias. */
const tiledRows = (n: number): number => Math.ceil(n / (TILE_ROWS / 2)) * (TILE_ROWS / 2);

/** Address of a weight (n, k) in tiles, see rowProduct; 0 where it has no place. */
export function tiledWeight(memory: KernelMemory, weight: Tensor): number {
  const [n, k] = weight.sizes as [number, number];
  return packedFrom(memory, Weights.of(weight), `tiles ${n} ${k}`, tiledRows(n) * k, (address, values) => {
    const { f32 } = memory;
    let at = address / 4;
    for (let first = 0; first < n; first += TILE_ROWS) {
      const width = n - first > TILE_ROWS / 2 ? TILE_ROWS : TILE_ROWS / 2;
      for (let p = 0; p < k; p++)
        for (let r = first; r < first + width; r++) f32[at++] = r < n ? values[r * k + p]! : 0;
    }
    return true;
  });
}

/** Address of a bias of n elements with zeros behind it. */
export function paddedBias(memory: KernelMemory, bias: Tensor): number {
  const n = bias.numel;
  const from = bias.base0;
  return packedWeights(memory, bias.storage, `bias ${from} ${n}`, tiledRows(n), (address) => {
    const { f32 } = memory;
    const source = bias.storage.segment.f32;
    for (let i = 0; i < tiledRows(n); i++) f32[address / 4 + i] = i < n ? source[from + i]! : 0;
    return true;
  });
}

/** Puts a sequence in its place for the shapes of some inputs. */
class Linker {
  private readonly memory: KernelMemory;
  private readonly values: readonly unknown[];
  private readonly records: number[] = [];
  private readonly places: (Place | undefined)[];
  private readonly moving: Moving[] = [];
  private readonly fixed: Fixed[] = [];
  /** Constants to write: address and value of each element. */
  private readonly constants: { address: number; numel: number; value: number }[] = [];
  private bytes = 0;
  private cost = 0;

  constructor(memory: KernelMemory, values: readonly unknown[]) {
    this.memory = memory;
    this.values = values;
    this.places = new Array<undefined>(values.length).fill(undefined);
  }

  /** A new place; undefined where it would be too large. */
  private place(sizes: readonly number[], spare = 0): Place | undefined {
    const numel = numelOf(sizes);
    if (!(numel > 0) || numel > MAX_INNER_ELEMENTS) return undefined;
    const address = RELATIVE + this.bytes;
    this.bytes += 16 * Math.ceil((numel + spare) / 4);
    return { sizes, numel, address };
  }

  /** Where a value lies; an input gets a place at its first use. */
  private read(value: number): Place | undefined {
    const known = this.places[value];
    if (known || value >= this.values.length) return known;
    const t = this.values[value];
    if (!(t instanceof Tensor) || !t.isPlainFloat32 || t.numel > MAX_ELEMENTS) return undefined;
    const place = this.place(t.sizes);
    if (place) this.moving.push({ input: value, sizes: place.sizes, numel: place.numel, at: place.address });
    this.places[value] = place;
    return place;
  }

  private record(name: SequenceFunction, ...args: number[]): void {
    this.records.push(SEQUENCE_NUMBERS[name], ...args);
    while (this.records.length % RECORD_WORDS !== 0) this.records.push(0);
  }

  private fix(input: number): Tensor | undefined {
    const tensor = this.values[input];
    if (!(tensor instanceof Tensor) || !tensor.isPlainFloat32) return undefined;
    const { storage, storageOffset, sizes, strides } = tensor;
    this.fixed.push({ input, tensor, storage, version: storage.version, storageOffset, sizes, strides });
    return tensor;
  }

  /** A missing bias must stay missing. */
  private fixMissing(input: number): void {
    const nothing = { storage: undefined, version: 0, storageOffset: 0, sizes: [], strides: [] };
    this.fixed.push({ input, tensor: null, ...nothing });
  }

  /** Results of a step, or undefined where it does not fit. */
  private step(step: SequenceStep): readonly Place[] | undefined {
    switch (step.op) {
      case "unary": {
        const a = this.read(step.a);
        const out = a && this.place(a.sizes);
        if (!out) return undefined;
        const isPlain = PLAIN.has(step.name);
        this.cost += out.numel * (isPlain ? COSTS.plain : COSTS.exponential);
        this.record(step.name, out.address, a.address, (out.numel + 3) & -4);
        return [out];
      }
      case "binary": {
        const [a, b] = [this.read(step.a), this.read(step.b)];
        const out = a && b && isSame(a.sizes, b.sizes) ? this.place(a.sizes) : undefined;
        if (!out) return undefined;
        this.cost += out.numel * COSTS.plain;
        this.record(step.name, out.address, a!.address, b!.address, out.numel);
        return [out];
      }
      case "number": {
        const a = this.read(step.a);
        const number = a && this.place(a.sizes);
        const out = a && this.place(a.sizes);
        if (!number || !out) return undefined;
        this.constants.push({ address: number.address, numel: number.numel, value: step.number });
        this.cost += out.numel * COSTS.plain;
        const [left, right] = step.isLeft ? [number, a] : [a, number];
        this.record(step.name, out.address, left.address, right.address, out.numel);
        return [out];
      }
      case "linear":
        return this.linear(step.x, step.weight, step.bias);
      case "parts":
        return this.parts(step.x, step.count, step.size, step.dim);
      case "slice": {
        const x = this.read(step.x);
        const [d, size] = x ? dimensionOf(x.sizes, step.dim) : [0, 0];
        const at = (index: number): number => Math.min(Math.max(index < 0 ? index + size : index, 0), size);
        const part = x && this.slice(x, d, at(step.start), at(step.end));
        return part && [part];
      }
      case "cat":
        return this.cat(step.parts, step.dim);
    }
  }

  private linear(input: number, weightInput: number, biasInput: number | undefined): Place[] | undefined {
    const x = this.read(input);
    const weight = this.fix(weightInput);
    if (!x || weight?.sizes.length !== 2) return undefined;
    const [n, k] = weight.sizes as [number, number];
    const rows = x.numel / k;
    if (x.sizes.length === 0 || x.sizes.at(-1) !== k || k === 0 || n === 0 || rows > MAX_ROWS) return undefined;
    const out = this.place([...x.sizes.slice(0, -1), n], TILE_ROWS);
    const hasBias = biasInput !== undefined && this.values[biasInput] !== null;
    const bias = hasBias ? this.fix(biasInput) : undefined;
    if (!out || (hasBias && (bias?.sizes.length !== 1 || bias.numel !== n))) return undefined;
    const w = tiledWeight(this.memory, weight);
    let b = bias ? paddedBias(this.memory, bias) : 0;
    if (!bias) {
      if (biasInput !== undefined) this.fixMissing(biasInput);
      const zeros = this.place([tiledRows(n)]);
      if (!zeros) return undefined;
      this.constants.push({ address: zeros.address, numel: zeros.numel, value: 0 });
      b = zeros.address;
    }
    if (w === 0 || b === 0) return undefined;
    // what a row writes behind its end the next one overwrites
    for (let r = 0; r < rows; r++)
      this.record("rowProduct", x.address + 4 * r * k, w, k, n, b, out.address + 4 * r * n);
    this.cost += rows * n * k * COSTS.product;
    return [out];
  }

  private parts(input: number, count: number, wanted: number | undefined, dim: number): Place[] | undefined {
    const x = this.read(input);
    if (!x) return undefined;
    const [d, size] = dimensionOf(x.sizes, dim);
    const each = wanted ?? size / count;
    if (!Number.isInteger(each) || each <= 0 || Math.ceil(size / each) !== count) return undefined;
    const parts: Place[] = [];
    for (let start = 0; start < size; start += each) {
      const part = this.slice(x, d, start, Math.min(start + each, size));
      if (!part) return undefined;
      parts.push(part);
    }
    return parts;
  }

  /** Part of a value: where it lies, or a copy without the gaps. */
  private slice(x: Place, d: number, start: number, end: number): Place | undefined {
    const size = x.sizes[d];
    if (size === undefined || end <= start) return undefined;
    const sizes = x.sizes.slice();
    sizes[d] = end - start;
    const outer = numelOf(sizes.slice(0, d));
    const inner = numelOf(sizes.slice(d + 1));
    const from = x.address + 4 * start * inner;
    if (outer === 1) return { sizes, numel: numelOf(sizes), address: from };
    const part = this.place(sizes);
    if (part) this.record("gather", part.address, from, 4 * size * inner, outer, 4 * (end - start) * inner);
    return part;
  }

  private cat(inputs: readonly number[], dim: number): Place[] | undefined {
    const parts: Place[] = [];
    for (const input of inputs) {
      const part = this.read(input);
      if (!part) return undefined;
      parts.push(part);
    }
    const first = parts[0]!.sizes;
    const [d] = dimensionOf(first, dim);
    const others = (sizes: readonly number[]): number[] => sizes.map((s, e) => (e === d ? 0 : s));
    if (d >= first.length || !parts.every(({ sizes }) => isSame(others(sizes), others(first)))) return undefined;
    const sizes = first.slice();
    sizes[d] = parts.reduce((sum, part) => sum + part.sizes[d]!, 0);
    const outer = numelOf(sizes.slice(0, d));
    const out = outer <= MAX_ROWS ? this.place(sizes) : undefined;
    if (!out) return undefined;
    let to = out.address;
    for (let row = 0; row < outer; row++) {
      for (const { numel, address } of parts) {
        const bytes = (4 * numel) / outer;
        this.record("gather", to, address + row * bytes, bytes, 1, bytes);
        to += bytes;
      }
    }
    this.cost += out.numel * COSTS.plain;
    return [out];
  }

  link(kernels: SequenceKernels, { steps, outs, minCost }: Sequence): Linked | undefined {
    const { memory } = this;
    for (const step of steps) {
      const results = this.step(step);
      if (!results) return undefined;
      this.places.push(...results);
    }
    const last = outs.map((value) => this.places[value]!);
    if (this.cost < minCost || last.some(({ numel }) => numel > MAX_ELEMENTS)) return undefined;
    const table = vectorTable(memory);
    const recordsAt = 16 * Math.ceil(this.bytes / 16);
    const block = table === 0 ? 0 : memory.allocate(recordsAt + 4 * this.records.length);
    if (block === 0) return undefined;
    const absolute = (address: number): number => (address >= RELATIVE ? address - RELATIVE + block : address);
    const start = block + recordsAt;
    memory.i32.set(this.records.map(absolute), start / 4);
    for (const { address, numel, value } of this.constants) {
      const at = absolute(address) / 4;
      memory.f32.fill(value, at, at + numel);
    }
    return {
      choice: kernelChoice(),
      kernels,
      memory,
      block,
      start,
      end: start + 4 * this.records.length,
      table,
      moving: this.moving.map((m) => ({ ...m, at: absolute(m.at) / 4 })),
      fixed: this.fixed,
      results: last.map(({ sizes, numel, address }) => ({
        sizes,
        strides: contiguousStrides(sizes),
        numel,
        at: absolute(address) / 4,
      })),
      runs: 0,
    };
  }
}

/** A sequence of steps at one place of a program. */
export class Sequence {
  readonly steps: readonly SequenceStep[];
  /** Values that are results. */
  readonly outs: readonly number[];
  readonly minCost: number;
  private linked: Linked | undefined;
  /** Calls to pass over, and how many it will be after the next failure. */
  private skip = 0;
  private wait = 1;

  /** @param minCost nanoseconds, about, that the operators one by one cost at least where the sequence runs. */
  constructor(steps: readonly SequenceStep[], outs: readonly number[], minCost = MIN_COST) {
    this.steps = steps;
    this.outs = outs;
    this.minCost = minCost;
  }

  /** Whether the last call ran the sequence, or would have if it was the first with these shapes. */
  get isLinked(): boolean {
    return this.linked !== undefined;
  }

  /** The results for the inputs, or undefined where the operators are to run one by one. */
  run(values: readonly unknown[]): Tensor[] | undefined {
    if (this.skip > 0) {
      this.skip--;
      return undefined;
    }
    let linked = this.linked;
    if (linked === undefined || !fits(linked, values)) {
      linked = this.link(values);
      if (linked === undefined) return undefined;
    }
    if (++linked.runs === MANY_RUNS) this.wait = 1;
    const { memory, moving, results } = linked;
    const { f32 } = memory;
    for (let m = 0; m < moving.length; m++) {
      const { input, numel, at } = moving[m]!;
      const t = values[input] as Tensor;
      const source = t.storage.segment.f32;
      const from = t.base32;
      if (numel <= MAX_LOOP) for (let i = 0; i < numel; i++) f32[at + i] = source[from + i]!;
      else f32.set(source.subarray(from, from + numel), at);
    }
    linked.kernels.runSequence(linked.start, linked.end, linked.table);
    const out: Tensor[] = [];
    for (let r = 0; r < results.length; r++) {
      const { sizes, strides, numel, at } = results[r]!;
      const t = new Tensor(allocateStorage(4 * numel), FLOAT32, sizes, strides, 0);
      const y = t.storage.segment.f32;
      const to = t.base32;
      if (numel <= MAX_LOOP) for (let i = 0; i < numel; i++) y[to + i] = f32[at + i]!;
      else y.set(f32.subarray(at, at + numel), to);
      out.push(t);
    }
    return out;
  }

  private link(values: readonly unknown[]): Linked | undefined {
    const before = this.linked;
    if (before) {
      before.memory.free(before.block);
      finalizer.unregister(this);
      this.linked = undefined;
    }
    const kernels = sequenceKernels();
    const memory = wasmKernels()?.memory;
    // shapes that change all the time cost more than they bring
    const isHasty = before !== undefined && before.runs < FEW_RUNS;
    const linked = kernels && memory && !isHasty ? new Linker(memory, values).link(kernels, this) : undefined;
    if (!linked) {
      this.skip = this.wait;
      this.wait = Math.min(2 * this.wait, MAX_WAIT);
      return undefined;
    }
    this.linked = linked;
    finalizer.register(this, { memory: linked.memory, block: linked.block }, this);
    return linked;
  }
}

function isUnchanged(tensor: Tensor, known: Fixed): boolean {
  const { storage } = tensor;
  return (
    storage === known.storage &&
    storage.version === known.version &&
    tensor.storageOffset === known.storageOffset &&
    tensor.sizes === known.sizes &&
    tensor.strides === known.strides
  );
}

/** Whether inputs are of the shapes, and weights the very tensors, that a sequence was linked for. */
function fits(linked: Linked, values: readonly unknown[]): boolean {
  const { moving, fixed } = linked;
  if (linked.choice !== kernelChoice()) return false;
  for (let k = 0; k < fixed.length; k++) {
    const known = fixed[k]!;
    const { tensor } = known;
    if (values[known.input] !== tensor) return false;
    if (tensor !== null && !isUnchanged(tensor, known)) return false;
  }
  for (let k = 0; k < moving.length; k++) {
    const { input, sizes } = moving[k]!;
    const t = values[input];
    if (!(t instanceof Tensor) || !isSame(t.sizes, sizes) || !t.isPlainFloat32) return false;
  }
  return true;
}
