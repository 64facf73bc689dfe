/** @file Values of torch.save's pickles as JavaScript data: a fixed list of names is known, everything else is refused. Upstream: torch/_weights_only_unpickler.py, torch/_utils.py. Spec: spec/pickle.md. */
import {
  PersistentId,
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleReduce,
  PickleSet,
  PickleTuple,
  pickleTypeName,
  type PickleValue,
} from "../archive/pickle_value.ts";
import { PickleError, UnsupportedError } from "../base/errors.ts";
import { parseDevice } from "../core/device_text.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { LAYOUTS, MEMORY_FORMATS, QSCHEMES } from "../tensor/format_names.ts";
import { Complex } from "../tensor/scalar.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { TensorImporter } from "./tensor_import.ts";

/** How the caller's classes are made. */
export interface ImportedKinds {
  /** An OrderedDict; `state` is what Python keeps beside its items, such as `_metadata`. */
  orderedDict(entries: readonly (readonly [unknown, unknown])[], state: unknown): unknown;
  parameter(data: Tensor, requiresGrad: boolean): unknown;
}

/** Names that are values by themselves. */
const NAMED_VALUES = new Map<string, unknown>([
  ...Object.entries({ ...DTYPES, ...LAYOUTS, ...MEMORY_FORMATS, ...QSCHEMES }).map(
    ([name, value]) => [`torch.${name}`, value] as const,
  ),
]);

/** Makes the values of one pickle. What the pickle refers to twice is one object. */
export class CheckpointImporter {
  private readonly tensors: TensorImporter;
  private readonly kinds: ImportedKinds;
  private readonly pickle: string;
  private readonly made = new Map<object, unknown>();

  constructor(tensors: TensorImporter, kinds: ImportedKinds, pickle: string) {
    this.tensors = tensors;
    this.kinds = kinds;
    this.pickle = pickle;
  }

  /** The JavaScript value. Throws UnsupportedError where the pickle names something that is not known. */
  value(given: PickleValue): unknown {
    if (typeof given !== "object" || given === null || given instanceof Uint8Array) return given;
    if (given instanceof PickleFloat) return given.value;
    if (this.made.has(given)) return this.made.get(given);
    const value = this.make(given);
    this.made.set(given, value);
    return value;
  }

  private make(
    given: Exclude<PickleValue, null | boolean | number | bigint | string | Uint8Array | PickleFloat>,
  ): unknown {
    if (given instanceof PickleTuple) return Object.freeze(given.items.map((item) => this.value(item)));
    if (given instanceof PickleList) return given.items.map((item) => this.value(item));
    if (given instanceof PickleDict) return this.dict(given);
    if (given instanceof PickleSet) return new Set(given.items.map((item) => this.value(item)));
    if (given instanceof PickleGlobal) {
      const value = NAMED_VALUES.get(given.qualifiedName);
      return value ?? this.refuse(given);
    }
    if (given instanceof PickleReduce) return this.call(given);
    if (given instanceof PersistentId)
      return this.fail("storage stands alone, expected it in a tensor", given.byteOffset);
    return this.refuse(given.cls);
  }

  private fail(message: string, byteOffset: number): never {
    throw new PickleError(`Cannot load "${this.pickle}": ${message}`, { record: this.pickle, byteOffset });
  }

  private refuse(global: PickleGlobal): never {
    throw new UnsupportedError(
      global.qualifiedName,
      `Cannot load "${this.pickle}": it names ${global.qualifiedName} (byte ${global.byteOffset}), which is not among the classes and functions of checkpoints that are known; nothing that a file names is ever run. Save the state dict and plain values instead`,
    );
  }

  /** A dict with string keys is a plain object, unless JavaScript would reorder the keys; any other is a Map. */
  private dict(dict: PickleDict): unknown {
    const entries = dict.entries.map(([key, value]) => [this.value(key), this.value(value)] as const);
    const isRecord = entries.every(([key]) => typeof key === "string" && !/^\d+$/.test(key));
    if (!isRecord) return new Map(entries);
    const record: Record<string, unknown> = {};
    for (const [key, value] of entries) {
      // a definition, as an assignment of "__proto__" would set the prototype
      Object.defineProperty(record, key as string, { value, writable: true, enumerable: true, configurable: true });
    }
    return record;
  }

  private call(call: PickleReduce): unknown {
    const { callable } = call;
    if (!(callable instanceof PickleGlobal))
      return this.fail(`${pickleTypeName(callable)} is called, expected a global`, call.byteOffset);
    const args = call.args instanceof PickleTuple ? call.args.items : [];
    switch (callable.qualifiedName) {
      case "collections.OrderedDict":
        return this.kinds.orderedDict(
          this.orderedEntries(call, args),
          call.state === undefined ? null : this.value(call.state),
        );
      case "torch._utils._rebuild_parameter":
      case "torch._utils._rebuild_parameter_with_state": {
        const data = args[0] === undefined ? undefined : this.value(args[0]);
        return this.kinds.parameter(data as Tensor, args[1] === true);
      }
      case "torch.Size":
        return args[0] === undefined ? Object.freeze([]) : this.value(args[0]);
      case "torch.device": {
        const [type, index] = args;
        if (typeof type !== "string")
          return this.fail(`device is ${pickleTypeName(type)}, expected str`, call.byteOffset);
        return parseDevice(typeof index === "number" ? `${type}:${index}` : type);
      }
      case "torch.serialization._get_layout":
        return (
          NAMED_VALUES.get(String(args[0])) ?? this.fail(`layout ${String(args[0])} is not known`, call.byteOffset)
        );
      case "_codecs.encode":
        return this.latin1(args[0], call.byteOffset);
      case "__builtin__.bytes":
      case "builtins.bytes":
        return new Uint8Array(0);
      case "__builtin__.bytearray":
      case "builtins.bytearray": {
        const inner = args[0] === undefined ? new Uint8Array(0) : this.value(args[0]);
        return inner instanceof Uint8Array ? inner : this.latin1(args[0], call.byteOffset);
      }
      case "__builtin__.complex":
      case "builtins.complex":
        return new Complex(Number(this.value(args[0] ?? 0)), Number(this.value(args[1] ?? 0)));
      case "__builtin__.set":
      case "builtins.set":
      case "__builtin__.frozenset":
      case "builtins.frozenset":
        return new Set(args[0] === undefined ? [] : (this.value(args[0]) as unknown[]));
      default:
        return this.tensors.rebuild(call) ?? this.refuse(callable);
    }
  }

  /** Protocol 2 sets the items after the call; older pickles give a list of pairs. */
  private orderedEntries(call: PickleReduce, args: readonly PickleValue[]): (readonly [unknown, unknown])[] {
    const entries: (readonly [unknown, unknown])[] = [];
    const [pairs] = args;
    if (pairs instanceof PickleList) {
      for (const pair of pairs.items) {
        if (!(pair instanceof PickleTuple || pair instanceof PickleList) || pair.items.length !== 2)
          return this.fail(`item of an OrderedDict is ${pickleTypeName(pair)}, expected a pair`, call.byteOffset);
        entries.push([this.value(pair.items[0]!), this.value(pair.items[1]!)]);
      }
    }
    for (const [key, value] of call.items?.entries ?? []) entries.push([this.value(key), this.value(value)]);
    return entries;
  }

  private latin1(text: PickleValue | undefined, at: number): Uint8Array {
    if (typeof text !== "string") return this.fail(`bytes are encoded from ${pickleTypeName(text)}, expected str`, at);
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
  }
}

/** What a state of Python's `_metadata` says of the versions of modules. */
export function versionsOf(state: unknown): Map<string, { version: number }> {
  const versions = new Map<string, { version: number }>();
  const metadata: unknown =
    typeof state === "object" && state !== null ? (state as Record<string, unknown>)["_metadata"] : undefined;
  const entries: Iterable<[unknown, unknown]> =
    metadata instanceof Map
      ? (metadata as Map<unknown, unknown>)
      : typeof metadata === "object" && metadata !== null
        ? Object.entries(metadata)
        : [];
  for (const [path, local] of entries) {
    const version: unknown =
      typeof local === "object" && local !== null ? (local as { version?: unknown }).version : undefined;
    if (typeof path === "string" && typeof version === "number") versions.set(path, { version });
  }
  return versions;
}
