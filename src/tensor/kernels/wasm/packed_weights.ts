/** @file Packed and transformed weights, made once and kept with the storage they come from. Upstream: none. Spec: none.
 *
 * Note [Lent weights]: a storage that was loaded and is only packed is never touched: its bytes are read where the kernels' memory holds
 * them, or pass from the file through a block of it. Who asks for them later has them unpacked or read again, see Note [Held bytes].
 *
 * Note [Passing weights]: a program that opens a model lazily may call it once, and memory that is written to for the first time is what
 * such a call takes longest for. So the first time a weight comes from its file it is packed into a block that the next one takes, a large
 * filter that is asked for once piece by piece, and it stays in the kernels' memory from its second use on.
 *
 * A packed weight lives in the kernels' memory as long as its storage. It is made again, in place, when the storage was written to since
 * (`Storage.version`). */
import { whenDisposed } from "../../release.ts";
import type { Storage, UntouchedBytes } from "../../storage.ts";
import type { Tensor } from "../../tensor.ts";
import { HeldBytes } from "./held_bytes.ts";
import { KeptBlock } from "./kept_block.ts";
import type { KernelMemory } from "./memory.ts";
import type { Panels } from "./panels.ts";

/** Bytes that all weights in the kernels' memory may take; beyond, kernels pack at every call. */
const MAX_BYTES = 1.5 * 2 ** 30;

/** Elements that pass from a file at a time: they stay in the second-level cache until they are multiplied. */
export const PASSING_ELEMENTS: number = 1 << 16;

/** What packing needs besides the weights. */
const SCRATCH_BYTES = 1 << 22;

interface Packed {
  readonly key: string;
  version: number;
  readonly block: KeptBlock;
}

/** What was made of a storage. */
const forms = new WeakMap<Storage, Packed[]>();

whenDisposed((storage) => {
  for (const { block } of forms.get(storage) ?? []) block.free();
  forms.delete(storage);
});

function findForm(memory: KernelMemory, owner: Storage, key: string): Packed | undefined {
  return forms.get(owner)?.find((form) => form.key === key && form.block.memory === memory);
}

/** Keeps a form with the others of its memory; what is in a memory that was replaced is of no use any more. */
function keepForm(owner: Storage, form: Packed): void {
  const others = forms.get(owner)?.filter(({ block }) => block.memory === form.block.memory) ?? [];
  forms.set(owner, [...others, form]);
}

/** Storages whose weights have passed once. See Note [Passing weights]. */
const passed = new WeakSet<Storage>();
let areKept = false;
let passing: { readonly memory: KernelMemory; readonly address: number } | undefined;

/** `body`, which keeps what it packs at once: more calls will follow. */
export function keepingWeights<R>(body: () => R): R {
  const before = areKept;
  areKept = true;
  try {
    return body();
  } finally {
    areKept = before;
  }
}

function endPassing(): void {
  passing?.memory.free(passing.address);
  passing = undefined;
}

/** Address of what `fill` makes, until the next weights are asked for; 0 where there is no room. */
function pass(memory: KernelMemory, elements: number, fill: (address: number) => boolean): number {
  const address = memory.allocate(4 * elements);
  if (address === 0) return 0;
  passing = { memory, address };
  let isDone = false;
  try {
    isDone = fill(address);
  } finally {
    if (!isDone) endPassing();
  }
  return isDone ? address : 0;
}

/** float32 weights of a kernel, which need not be in memory. */
export class Weights {
  readonly length: number;
  /** The storage that they view, where something may be kept for it. */
  readonly owner: Storage | undefined;
  /** Where they begin in it, in bytes. */
  readonly at: number;
  private readonly read: () => Float32Array;
  private array: Float32Array | undefined;

  private constructor(length: number, owner: Storage | undefined, at: number, read: () => Float32Array) {
    this.length = length;
    this.owner = owner;
    this.at = at;
    this.read = read;
  }

  /** Those of a contiguous float32 tensor without a neg bit. */
  static of({ storage, storageOffset, numel }: Tensor): Weights {
    return new Weights(numel, storage, 4 * storageOffset, () => {
      const at = storage.byteOffset / 4 + storageOffset;
      return storage.segment.f32.subarray(at, at + numel);
    });
  }

  static ofArray(array: Float32Array, owner?: Storage): Weights {
    return new Weights(array.length, owner, owner ? array.byteOffset - owner.byteOffset : 0, () => array);
  }

  /** The values. Touches the storage. */
  get values(): Float32Array {
    return (this.array ??= this.read());
  }

  /** What the kernels' memory or a file holds of them, where they are all that their storage has and nobody has touched it. */
  get untouched(): UntouchedBytes | undefined {
    return this.at === 0 && this.owner?.nbytes === 4 * this.length ? this.owner.untouched() : undefined;
  }

  /** Where the values lie in the kernels' memory, 0 where they do not. Does not touch the storage where it need not. */
  addressIn(memory: KernelMemory): number {
    const all = this.owner?.untouched();
    const raw = all instanceof HeldBytes ? all.rawIn(memory) : undefined;
    return raw ? raw.address + this.at : memory.addressOf(this.values);
  }

  /**
   * `body` of the values, or of a copy that is gone afterwards: see Note [Lent weights]. False where there is no room for one.
   * @param place a block that a copy may be made in; `body` may write over it.
   */
  lend(memory: KernelMemory, body: (values: Float32Array) => boolean, place = 0): boolean {
    const { length, untouched } = this;
    const all = this.owner?.untouched();
    const raw = all instanceof HeldBytes ? all.rawIn(memory) : undefined;
    if (!raw && !untouched) return body(this.values);
    const isCopied = !raw && place === 0;
    memory.makeRoom((isCopied ? 4 * length : 0) + SCRATCH_BYTES);
    const address = raw ? raw.address + this.at : place || memory.allocate(4 * length);
    if (address === 0) return false;
    memory.pins++;
    try {
      if (!raw) untouched!.read(memory.segment.u8.subarray(address, address + 4 * length));
      return body(memory.f32.subarray(address / 4, address / 4 + length));
    } finally {
      memory.pins--;
      if (isCopied) memory.free(address);
    }
  }

  /** Whether they come from their file, for the first time. */
  get isFirstUse(): boolean {
    const { owner, untouched } = this;
    return owner !== undefined && untouched !== undefined && !(untouched instanceof HeldBytes) && !passed.has(owner);
  }

  /** Whether they may pass piece by piece: see Note [Passing weights]. */
  get mayPassInPieces(): boolean {
    return !areKept && this.isFirstUse && this.untouched!.pieces() !== undefined;
  }

  /**
   * As `lend`, for those that may pass in pieces: `some` at a time, in their order, in a block of the kernels' memory at `place`.
   * @param body gets those from `first` on; it does not allocate.
   */
  passInPieces(
    memory: KernelMemory,
    place: number,
    some: number,
    body: (values: Float32Array, first: number) => void,
  ): void {
    endPassing();
    passed.add(this.owner!);
    memory.pins++;
    try {
      let first = 0;
      for (const { length } of this.untouched!.pieces(memory.segment.u8.subarray(place, place + 4 * some))!) {
        body(memory.f32.subarray(place / 4, (place + length) / 4), first);
        first += length / 4;
      }
    } finally {
      memory.pins--;
    }
  }
}

/**
 * `packedWeights` of weights that are lent to `fill`.
 * @param key says the sizes, too.
 * @param panels where `fill` does nothing but move elements there: then the weights need not be kept beside, and `fill` may be asked to
 * write over the values that it gets.
 * @param mayPass nobody uses the result any more when other weights are asked for.
 */
export function packedFrom(
  memory: KernelMemory,
  weights: Weights,
  key: string,
  elements: number,
  fill: (address: number, values: Float32Array) => boolean,
  panels?: Panels,
  mayPass = false,
): number {
  endPassing();
  const { owner, untouched } = weights;
  // text that is made anew at every call is slow to compare
  const isWhole = weights.at === 0 && owner?.nbytes === 4 * weights.length;
  const whole = isWhole ? key : `${key}:${weights.at}:${weights.length}`;
  const held = panels && untouched instanceof HeldBytes && !untouched.isPackedIn(memory) ? untouched : undefined;
  const inPlace = untouched && panels?.isInPlace(elements) ? panels : undefined;
  if (held && inPlace) {
    const raw = held.rawIn(memory);
    if (raw && (inPlace.isPlain || weights.lend(memory, (values) => fill(raw.address, values))))
      keepForm(owner!, { key: whole, version: owner!.version, block: raw });
  }
  // read from a file they come to where they will be packed: memory is slow the first time that somebody writes to it
  const fillAt = (address: number): boolean =>
    weights.lend(memory, (values) => fill(address, values), inPlace && !inPlace.isPlain ? address : 0);
  if (mayPass && weights.isFirstUse) {
    passed.add(owner!);
    const address = areKept ? 0 : pass(memory, elements, fillAt);
    if (address !== 0) return address;
  }
  const packed = packedWeights(memory, owner, whole, elements, fillAt);
  if (held && packed !== 0) held.become({ block: findForm(memory, owner!, whole)!.block, panels: panels! });
  return packed;
}

/**
 * Address of what `fill` makes of the weights in `owner`, `elements` floats; 0 where it cannot be kept. `key` says which part of
 * the storage and which form. `fill` may use arenas.
 */
export function packedWeights(
  memory: KernelMemory,
  owner: Storage | undefined,
  key: string,
  elements: number,
  fill: (address: number) => boolean,
): number {
  if (owner === undefined || memory.holds(owner)) return 0;
  const known = findForm(memory, owner, key);
  if (known) {
    const { address } = known.block;
    if (known.version !== owner.version && !fill(address)) return 0;
    known.version = owner.version;
    return address;
  }
  const nbytes = 4 * elements;
  const address = memory.kept + nbytes > MAX_BYTES ? 0 : memory.allocate(nbytes);
  if (address === 0) return 0;
  let isDone = false;
  try {
    isDone = fill(address);
  } finally {
    if (!isDone) memory.free(address);
  }
  if (!isDone) return 0;
  keepForm(owner, { key, version: owner.version, block: new KeptBlock(memory, address, nbytes) });
  return address;
}
