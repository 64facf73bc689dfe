/** @file Types of kernel arguments and results, read from the schema string by the type system. Upstream: none. Spec: none. */
import type { Complex, Scalar } from "../tensor/scalar.ts";
import type { Device, Tensor } from "../tensor/tensor.ts";
import type { Generator } from "../tensor/generator.ts";

/** TypeScript type of one schema type. Tensor operators get ints as numbers (sizes and indices; saturated beyond 2^53). */
// prettier-ignore
export type TypeOf<T extends string> =
  T extends `${infer E}?` ? TypeOf<E> | null :
  T extends `Tensor(${string})[]` | "Tensor[]" ? Tensor[] :
  T extends "Tensor?[]" ? (Tensor | null)[] :
  T extends "Tensor" | `Tensor(${string})` ? Tensor :
  T extends `${infer E}[${string}]` ? TypeOf<E>[] :
  T extends "int" | "SymInt" | "ScalarType" | "Layout" | "MemoryFormat" | "float" | "QScheme" | "DeviceIndex" ? number :
  T extends "bool" | "SymBool" ? boolean :
  T extends "str" | "Dimname" ? string :
  T extends "Scalar" ? Scalar :
  T extends "complex" ? Complex :
  T extends "Device" ? Device :
  T extends "Generator" ? Generator :
  T extends "NoneType" ? null :
  unknown;

type Split<S extends string, D extends string> = S extends `${infer H}${D}${infer R}` ? [H, ...Split<R, D>] : [S];

/** Drops `*` and the later elements of list defaults (`1]` of `int[2] stride=[1, 1]`). */
type ArgTypes<P extends readonly string[]> = P extends [infer H extends string, ...infer R extends string[]]
  ? H extends `Tensor(a -> *) ${string}`
    ? [Tensor, ...ArgTypes<R>]
    : H extends `${infer Ty} ${infer N}`
      ? N extends `${string} ${string}`
        ? [unknown, ...ArgTypes<R>]
        : [TypeOf<Ty>, ...ArgTypes<R>]
      : ArgTypes<R>
  : [];

type ReturnedTypes<P extends readonly string[]> = P extends [infer H extends string, ...infer R extends string[]]
  ? [TypeOf<H extends `${infer Ty} ${string}` ? Ty : H>, ...ReturnedTypes<R>]
  : [];

type Returned<R extends string> = R extends `(${infer Inner})`
  ? Inner extends ""
    ? void
    : ReturnedTypes<Split<Inner, ", ">>
  : TypeOf<R>;

/** Like `ArgTypes`, with arguments that have a default optional. */
type CallTypes<P extends readonly string[]> = P extends [infer H extends string, ...infer R extends string[]]
  ? H extends `Tensor(a -> *) ${string}`
    ? [Tensor, ...CallTypes<R>]
    : H extends `${infer Ty} ${infer N}`
      ? N extends `${string}=${string}`
        ? [_?: TypeOf<Ty>, ...rest: Partial<ArgTypes<R>>]
        : [TypeOf<Ty>, ...CallTypes<R>]
      : CallTypes<R>
  : [];

/** Positional arguments of a schema. */
export type ArgsOf<S extends string> = S extends `${string}(${infer A}) -> ${string}`
  ? A extends ""
    ? []
    : ArgTypes<Split<A, ", ">>
  : never;

/** Result of a schema: a value, a tuple as an array, or nothing. */
export type ReturnOf<S extends string> = S extends `${string}) -> ${infer R}` ? Returned<R> : never;

/** Positional arguments of a call: those behind the first default may be left out. */
export type CallArgsOf<S extends string> = S extends `${string}(${infer A}) -> ${string}`
  ? A extends ""
    ? []
    : CallTypes<Split<A, ", ">>
  : never;
