/** @file Pickles for tests from values written as JavaScript: see `Pickled`. Upstream: none. Spec: none. */
import { concatBytes, encodeUtf8 } from "../../src/base/bytes.ts";

/** What can be pickled. Numbers are ints; a value that occurs twice is written once and recalled from the memo. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | readonly Pickled[]
  | ReadonlyMap<Pickled, Pickled>
  | { readonly tuple: readonly Pickled[] }
  | { readonly float: number }
  /** `module name`. */
  | { readonly global: string }
  | { readonly call: string; readonly args: Pickled }
  | { readonly object: string; readonly state: Pickled }
  | { readonly persistent: Pickled };

/** A tuple. */
export const tuple = (...items: readonly Pickled[]): { tuple: readonly Pickled[] } => ({ tuple: items });
/** A float. */
export const float = (value: number): { float: number } => ({ float: value });
/** An instance of a class `module name` with its attributes or state. */
export const object = (cls: string, state: Pickled | Record<string, Pickled>): Pickled => ({
  object: cls,
  state:
    typeof state === "object" &&
    state !== null &&
    Object.getPrototypeOf(state) === Object.prototype &&
    !("tuple" in state || "float" in state || "call" in state || "object" in state)
      ? new Map(Object.entries(state))
      : (state as Pickled),
});
/** A list or dict with the tag of its type. */
export const tagged = (value: Pickled, type: string): Pickled => ({
  call: "torch.jit._pickle restore_type_tag",
  args: tuple(value, type),
});
/** A storage. */
export const storage = (key: string, numel: number, type = "FloatStorage", device = "cpu"): Pickled => ({
  persistent: tuple("storage", { global: `torch ${type}` }, key, device, numel),
});
/** A strided tensor. */
export const tensor = (
  of: Pickled,
  sizes: readonly number[],
  strides: readonly number[],
  offset = 0,
  requiresGrad = false,
): Pickled => ({
  call: "torch._utils _rebuild_tensor_v2",
  args: tuple(of, offset, tuple(...sizes), tuple(...strides), requiresGrad, {
    call: "collections OrderedDict",
    args: tuple(),
  }),
});

const byte = (...values: number[]): Uint8Array => Uint8Array.from(values);
const u4 = (value: number): Uint8Array =>
  byte(value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >>> 24) & 255);

class Writer {
  readonly out: Uint8Array[] = [byte(0x80, 2)];
  private readonly memo = new Map<object, number>();

  private global(name: string): void {
    const [module, cls] = name.split(" ");
    this.out.push(encodeUtf8(`c${module!}\n${cls!}\n`));
  }

  write(value: Pickled): void {
    if (value === null) this.out.push(byte(0x4e));
    else if (typeof value === "boolean") this.out.push(byte(value ? 0x88 : 0x89));
    else if (typeof value === "number") this.out.push(byte(0x4a), u4(value));
    else if (typeof value === "string") {
      const text = encodeUtf8(value);
      this.out.push(byte(0x58), u4(text.length), text);
    } else {
      const known = this.memo.get(value);
      if (known !== undefined) {
        this.out.push(byte(0x6a), u4(known)); // LONG_BINGET
        return;
      }
      this.compound(value);
      this.memo.set(value, this.memo.size);
      this.out.push(byte(0x72), u4(this.memo.size - 1)); // LONG_BINPUT
    }
  }

  private compound(value: Exclude<Pickled, null | boolean | number | string>): void {
    if (Array.isArray(value)) {
      this.out.push(byte(0x5d, 0x28));
      for (const item of value as readonly Pickled[]) this.write(item);
      this.out.push(byte(0x65));
    } else if (value instanceof Map) {
      this.out.push(byte(0x7d, 0x28));
      for (const [key, item] of value as ReadonlyMap<Pickled, Pickled>) {
        this.write(key);
        this.write(item);
      }
      this.out.push(byte(0x75));
    } else if ("tuple" in value) {
      this.out.push(byte(0x28));
      for (const item of value.tuple) this.write(item);
      this.out.push(byte(0x74));
    } else if ("float" in value) {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, value.float);
      this.out.push(byte(0x47), bytes);
    } else if ("global" in value) this.global(value.global);
    else if ("call" in value) {
      this.global(value.call);
      this.write(value.args);
      this.out.push(byte(0x52));
    } else if ("object" in value) {
      this.global(value.object);
      this.out.push(byte(0x29, 0x81));
      this.write(value.state);
      this.out.push(byte(0x62));
    } else if ("persistent" in value) {
      this.write(value.persistent);
      this.out.push(byte(0x51));
    }
  }
}

/** The pickle of a value. */
export function pickleOf(value: Pickled): Uint8Array {
  const writer = new Writer();
  writer.write(value);
  writer.out.push(byte(0x2e));
  return concatBytes(writer.out);
}
