/** @file A small WebAssembly assembler: functions are written as calls, modules come out as bytes. Upstream: none. Spec: WebAssembly core 2.0 §5 (binary format), relaxed SIMD.
 *
 * Instructions have the names of the WebAssembly text format. See docs/adr/0006-wasm-assembler.md. */
import { internalAssert } from "./errors.ts";

/** Value types: i32, i64, f32 or a vector of 16 bytes. */
export type ValueType = "i32" | "i64" | "f32" | "v128";

const VALUE_TYPES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, v128: 0x7b };
const BLOCK_WITHOUT_RESULT = 0x40;

/** Instructions without immediates. */
const PLAIN = {
  end: [0x0b],
  return: [0x0f],
  "i32.eqz": [0x45],
  "i32.eq": [0x46],
  "i32.ne": [0x47],
  "i32.lt_s": [0x48],
  "i32.lt_u": [0x49],
  "i32.gt_s": [0x4a],
  "i32.ge_s": [0x4e],
  "i32.ge_u": [0x4f],
  "i32.add": [0x6a],
  "i32.sub": [0x6b],
  "i32.mul": [0x6c],
  "i32.div_s": [0x6d],
  "i32.div_u": [0x6e],
  "i32.rem_s": [0x6f],
  "i32.and": [0x71],
  "i32.xor": [0x73],
  "i32.shl": [0x74],
  "i32.shr_s": [0x75],
  "i32.shr_u": [0x76],
  "i64.eqz": [0x50],
  "i64.eq": [0x51],
  "i64.lt_s": [0x53],
  "i64.lt_u": [0x54],
  "i64.gt_s": [0x55],
  "i64.add": [0x7c],
  "i64.sub": [0x7d],
  "i64.mul": [0x7e],
  "i64.div_s": [0x7f],
  "i64.rem_s": [0x81],
  "i64.and": [0x83],
  "i64.xor": [0x85],
  "i64.shl": [0x86],
  "i64.shr_s": [0x87],
  "i64.extend_i32_s": [0xac],
  "i64.trunc_sat_f32_s": [0xfc, 0x04],
  "f32.lt": [0x5d],
  "f32.ge": [0x60],
  "f32.convert_i64_s": [0xb4],
  "f32.eq": [0x5b],
  "f32.ne": [0x5c],
  "f32.add": [0x92],
  "f32.convert_i32_u": [0xb3],
  "f32.div": [0x95],
  "f32.sub": [0x93],
  "f32.sqrt": [0x91],
  "f32.mul": [0x94],
  drop: [0x1a],
  select: [0x1b],
  "f32x4.splat": [0xfd, 0x13],
  "f32x4.add": [0xfd, 0xe4, 0x01],
  "f32x4.sub": [0xfd, 0xe5, 0x01],
  "f32x4.mul": [0xfd, 0xe6, 0x01],
  "f32x4.abs": [0xfd, 0xe0, 0x01],
  "f32x4.neg": [0xfd, 0xe1, 0x01],
  "f32x4.sqrt": [0xfd, 0xe3, 0x01],
  "f32x4.nearest": [0xfd, 0x6a],
  "f32x4.div": [0xfd, 0xe7, 0x01],
  "f32x4.eq": [0xfd, 0x41],
  "f32x4.lt": [0xfd, 0x43],
  "f32x4.gt": [0xfd, 0x44],
  "f32x4.le": [0xfd, 0x45],
  "f32x4.ge": [0xfd, 0x46],
  "f32x4.ceil": [0xfd, 0x67],
  "f32x4.floor": [0xfd, 0x68],
  "f32x4.trunc": [0xfd, 0x69],
  "i8x16.narrow_i16x8_s": [0xfd, 0x65],
  "i8x16.narrow_i16x8_u": [0xfd, 0x66],
  "i16x8.narrow_i32x4_s": [0xfd, 0x85, 0x01],
  "i16x8.extend_low_i8x16_u": [0xfd, 0x89, 0x01],
  "i16x8.splat": [0xfd, 0x10],
  "i16x8.sub": [0xfd, 0x91, 0x01],
  "i32x4.trunc_sat_f32x4_s": [0xfd, 0xf8, 0x01],
  "i32x4.shl": [0xfd, 0xab, 0x01],
  "i32x4.shr_s": [0xfd, 0xac, 0x01],
  "i32x4.add": [0xfd, 0xae, 0x01],
  "i32x4.sub": [0xfd, 0xb1, 0x01],
  "f32x4.convert_i32x4_s": [0xfd, 0xfa, 0x01],
  "i32x4.splat": [0xfd, 0x11],
  "i32x4.shr_u": [0xfd, 0xad, 0x01],
  "i32x4.gt_s": [0xfd, 0x3b],
  "i32x4.gt_u": [0xfd, 0x3c],
  "i32x4.max_u": [0xfd, 0xb9, 0x01],
  "i32x4.extend_low_i16x8_u": [0xfd, 0xa9, 0x01],
  "i32x4.extend_high_i16x8_u": [0xfd, 0xaa, 0x01],
  "i16x8.narrow_i32x4_u": [0xfd, 0x86, 0x01],
  "f32x4.ne": [0xfd, 0x42],
  "v128.and": [0xfd, 0x4e],
  "v128.or": [0xfd, 0x50],
  "v128.xor": [0xfd, 0x51],
  "v128.any_true": [0xfd, 0x53],
  "i8x16.splat": [0xfd, 0x0f],
  "i8x16.eq": [0xfd, 0x23],
  "i8x16.ne": [0xfd, 0x24],
  "i8x16.lt_u": [0xfd, 0x26],
  "i8x16.gt_u": [0xfd, 0x28],
  "i8x16.le_u": [0xfd, 0x2a],
  "i8x16.add": [0xfd, 0x6e],
  "i8x16.sub": [0xfd, 0x71],
  "i8x16.min_u": [0xfd, 0x77],
  "i8x16.max_u": [0xfd, 0x79],
  "i16x8.extmul_low_i8x16_u": [0xfd, 0x9e, 0x01],
  "i16x8.extmul_high_i8x16_u": [0xfd, 0x9f, 0x01],
  "i32x4.all_true": [0xfd, 0xa3, 0x01],
  "i16x8.extadd_pairwise_i8x16_u": [0xfd, 0x7d],
  "i32x4.extadd_pairwise_i16x8_u": [0xfd, 0x7f],
  "i32x4.eq": [0xfd, 0x37],
  "i32x4.ne": [0xfd, 0x38],
  "i32x4.lt_s": [0xfd, 0x39],
  "i32x4.le_s": [0xfd, 0x3d],
  "i32x4.mul": [0xfd, 0xb5, 0x01],
  "i32x4.min_s": [0xfd, 0xb6, 0x01],
  "i32x4.max_s": [0xfd, 0xb8, 0x01],
  "i64x2.eq": [0xfd, 0xd6, 0x01],
  "i64x2.ne": [0xfd, 0xd7, 0x01],
  "i64x2.lt_s": [0xfd, 0xd8, 0x01],
  "i64x2.gt_s": [0xfd, 0xd9, 0x01],
  "i64x2.le_s": [0xfd, 0xda, 0x01],
  "i64x2.add": [0xfd, 0xce, 0x01],
  "i64x2.sub": [0xfd, 0xd1, 0x01],
  "i64x2.mul": [0xfd, 0xd5, 0x01],
  "i64x2.extend_low_i32x4_s": [0xfd, 0xc7, 0x01],
  "i64x2.extend_high_i32x4_s": [0xfd, 0xc8, 0x01],
  "i32x4.dot_i16x8_s": [0xfd, 0xba, 0x01],
  "v128.bitselect": [0xfd, 0x52],
  "f32x4.min": [0xfd, 0xe8, 0x01],
  "f32x4.max": [0xfd, 0xe9, 0x01],
  "f32x4.pmin": [0xfd, 0xea, 0x01],
  "f32x4.pmax": [0xfd, 0xeb, 0x01],
  "f64x2.abs": [0xfd, 0xec, 0x01],
  "f64x2.neg": [0xfd, 0xed, 0x01],
  "f64x2.sqrt": [0xfd, 0xef, 0x01],
  "f64x2.add": [0xfd, 0xf0, 0x01],
  "f64x2.sub": [0xfd, 0xf1, 0x01],
  "f64x2.mul": [0xfd, 0xf2, 0x01],
  "f64x2.div": [0xfd, 0xf3, 0x01],
  "f64x2.pmin": [0xfd, 0xf6, 0x01],
  "f64x2.pmax": [0xfd, 0xf7, 0x01],
  "f64x2.floor": [0xfd, 0x75],
  "f64x2.trunc": [0xfd, 0x7a],
  "f64x2.eq": [0xfd, 0x47],
  "f64x2.ne": [0xfd, 0x48],
  "f64x2.lt": [0xfd, 0x49],
  "f64x2.gt": [0xfd, 0x4a],
  "f64x2.ge": [0xfd, 0x4c],
  "i64x2.shl": [0xfd, 0xcb, 0x01],
  "i64x2.shr_u": [0xfd, 0xcd, 0x01],
  "v128.not": [0xfd, 0x4d],
  "f64x2.promote_low_f32x4": [0xfd, 0x5f],
  "f32x4.demote_f64x2_zero": [0xfd, 0x5e],
  "f32x4.relaxed_madd": [0xfd, 0x85, 0x02],
  "f32x4.relaxed_nmadd": [0xfd, 0x86, 0x02],
  "i32x4.relaxed_dot_i8x16_i7x16_add_s": [0xfd, 0x93, 0x02],
  "f64x2.relaxed_madd": [0xfd, 0x87, 0x02],
} as const;

/** Loads and stores: opcode; every address is a multiple of 4. */
const MEMORY = {
  "i32.load": [0x28],
  "i64.load": [0x29],
  "i64.load8_u": [0x31],
  "i64.load32_s": [0x34],
  "f32.load": [0x2a],
  "i32.store": [0x36],
  "i64.store": [0x37],
  "f32.store": [0x38],
  "v128.load": [0xfd, 0x00],
  "v128.load32_splat": [0xfd, 0x09],
  "v128.load64_splat": [0xfd, 0x0a],
  "v128.load32_zero": [0xfd, 0x5c],
  "v128.load64_zero": [0xfd, 0x5d],
  "v128.store": [0xfd, 0x0b],
} as const;
const ALIGN_4_BYTES = 2;

function unsigned(value: number): number[] {
  const out: number[] = [];
  do {
    const rest = value >>> 7;
    out.push((value & 0x7f) | (rest ? 0x80 : 0));
    value = rest;
  } while (value !== 0);
  return out;
}

function signed(value: number): number[] {
  const out: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    const isLast = (value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0);
    out.push(isLast ? low : low | 0x80);
    if (isLast) return out;
  }
}

const named = (text: string): number[] => [...unsigned(text.length), ...Array.from(text, (c) => c.charCodeAt(0))];
const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, body: readonly number[]): number[] => [id, ...unsigned(body.length), ...body];

/** Local indices for an array pattern, and nothing else: an iterable under a tuple's type, so that every name is a number. */
type Names = readonly [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

/** The body of one exported function. Parameters and locals are numbers (local indices). */
export class FunctionBuilder {
  readonly name: string;
  readonly params: readonly ValueType[];
  private readonly locals: ValueType[] = [];
  private readonly code: number[] = [];
  private depth = 0;

  constructor(name: string, params: readonly ValueType[]) {
    this.name = name;
    this.params = params;
  }

  /** The parameters, to be taken apart into names. */
  get parameters(): Names {
    return this.params.keys() as Iterable<number> as Names;
  }

  /** Fresh locals, to be taken apart into names: as many are made as there are names. */
  fresh(type: ValueType): Names {
    const make = (): number => this.local(type);
    function* locals(): Generator<number, void> {
      for (;;) yield make();
    }
    return locals() as Iterable<number> as Names;
  }

  /** A fresh local, zero at the start. */
  local(type: ValueType): number {
    this.locals.push(type);
    return this.params.length + this.locals.length - 1;
  }

  op(name: keyof typeof PLAIN): this {
    this.code.push(...PLAIN[name]);
    return this;
  }

  /** A load or store at the address on the stack plus `offset` bytes. */
  memory(name: keyof typeof MEMORY, offset = 0): this {
    this.code.push(...MEMORY[name], name === "i64.load8_u" ? 0 : ALIGN_4_BYTES, ...unsigned(offset));
    return this;
  }

  /** Stores the low two of four lanes of 32 bits. */
  storeLow(offset = 0): this {
    this.code.push(0xfd, 0x5b, ALIGN_4_BYTES, ...unsigned(offset), 0);
    return this;
  }

  get(index: number): this {
    this.code.push(0x20, ...unsigned(index));
    return this;
  }

  set(index: number): this {
    this.code.push(0x21, ...unsigned(index));
    return this;
  }

  i32(value: number): this {
    this.code.push(0x41, ...signed(value | 0));
    return this;
  }

  /** A 64-bit integer that 32 bits hold. */
  i64(value: number): this {
    this.code.push(0x42, ...signed(value | 0));
    return this;
  }

  f32(value: number): this {
    this.code.push(0x43, ...new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  /** A vector of four zeros. */
  zeros(): this {
    this.code.push(0xfd, 0x0c, ...new Array<number>(16).fill(0));
    return this;
  }

  /** Takes four lanes of 32 bits out of the two vectors on the stack (0 to 3 and 4 to 7). */
  shuffle(...lanes: readonly [number, number, number, number]): this {
    this.code.push(0xfd, 0x0d, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)));
    return this;
  }

  /** Takes the bytes with even numbers out of the two vectors on the stack. */
  evenBytes(): this {
    this.code.push(0xfd, 0x0d, ...Array.from({ length: 16 }, (_, i) => 2 * i));
    return this;
  }

  /** Leaves a lane of 32 bits as an i32. */
  extractWord(lane: number): this {
    this.code.push(0xfd, 0x1b, lane);
    return this;
  }

  /** Leaves a lane of 64 bits as an i64. */
  extractLane64(lane: number): this {
    this.code.push(0xfd, 0x1d, lane);
    return this;
  }

  extractLane(lane: number): this {
    this.code.push(0xfd, 0x1f, lane);
    return this;
  }

  /** Calls another function of the module, by its place in it. */
  call(index: number): this {
    this.code.push(0x10, ...unsigned(index));
    return this;
  }

  /** Puts the f32 on the stack into a lane of the vector below it. */
  replaceLane(lane: number): this {
    this.code.push(0xfd, 0x20, lane);
    return this;
  }

  /** index += amount, a constant or another local. */
  increase(index: number, amount: { readonly by: number } | { readonly byLocal: number }): this {
    this.get(index);
    if ("by" in amount) this.i32(amount.by);
    else this.get(amount.byLocal);
    return this.op("i32.add").set(index);
  }

  /** Runs `body`, then again while the i32 that it left on the stack is not zero. */
  loop(body: () => void): this {
    this.open(0x03);
    body();
    this.code.push(0x0d, 0); // br_if to the loop's start
    return this.close();
  }

  /** The same for a body that may leave the loop: `leave()` does where the i32 on the stack is not zero. */
  leavableLoop(body: (leave: () => void) => void): this {
    this.open(0x02);
    const outside = this.depth;
    this.loop(() => body(() => this.code.push(0x0d, ...unsigned(this.depth - outside))));
    return this.close();
  }

  /** Runs `body` where the i32 on the stack is not zero, and `otherwise` where it is. */
  when(body: () => void, otherwise?: () => void): this {
    this.open(0x04);
    body();
    if (otherwise) {
      this.code.push(0x05);
      otherwise();
    }
    return this.close();
  }

  private open(opcode: number): void {
    this.code.push(opcode, BLOCK_WITHOUT_RESULT);
    this.depth++;
  }

  private close(): this {
    this.depth--;
    return this.op("end");
  }

  /** The function's entry in the code section. */
  encoded(): number[] {
    internalAssert(this.depth === 0, `function ${this.name} has open blocks`);
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const locals = runs.map(({ type, count }) => [...unsigned(count), VALUE_TYPES[type]]);
    const body = [...vector(locals), ...this.code, ...PLAIN.end];
    return [...unsigned(body.length), ...body];
  }
}

/** Name of the imported memory: `{ [MEMORY_MODULE]: { [MEMORY_NAME]: memory } }`. */
export const MEMORY_MODULE = "e";
export const MEMORY_NAME = "m";

/** Limits of the imported memory: none, or for a shared one at most 65,536 pages. */
const ANY_MEMORY = [0x00, 0x00];
const SHARED_MEMORY = [0x03, 0x00, ...unsigned(65536)];

/** A module that imports one memory and exports every function by its name; functions return nothing. */
export function encodeModule(functions: readonly FunctionBuilder[], isShared = false): Uint8Array<ArrayBuffer> {
  const types = functions.map((f) => [0x60, ...vector(f.params.map((p) => [VALUE_TYPES[p]])), 0]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, vector(types)),
    ...section(
      2,
      vector([[...named(MEMORY_MODULE), ...named(MEMORY_NAME), 0x02, ...(isShared ? SHARED_MEMORY : ANY_MEMORY)]]),
    ),
    ...section(3, vector(functions.map((_, i) => unsigned(i)))),
    ...section(7, vector(functions.map((f, i) => [...named(f.name), 0x00, ...unsigned(i)]))),
    ...section(10, vector(functions.map((f) => f.encoded()))),
  ]);
}
