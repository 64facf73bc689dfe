/** @file The operator registry: schemas in overload order, kernels by operator name, in-place and out= forms derived. Upstream: torch/csrc/jit/runtime/operator.cpp. Spec: none.
 *
 * Note [Derived variants]: an operator is written once, in its functional form. `aten::foo_` computes `aten::foo` and copies the
 * result into `self`, or has it written there (Note [Maps in place]); a schema with `out` arguments computes the functional form and
 * copies into `out`. Entries that can write in place more cheaply register the variant itself. */
import { OperatorError, internalAssert } from "../base/errors.ts";
import { writeInplaceResult, writeOutResult } from "../tensor/copy.ts";
import { isMap, mapInPlace } from "../tensor/pointwise.ts";
import { Tensor } from "../tensor/tensor.ts";
import { findNativeClass } from "./native_class.ts";
import { dispatch } from "./dispatcher.ts";
import { checkOutDtype, isCopiedToOut } from "./out_dtypes.ts";
import { isOutArgument, operatorName, parseSchema, sameArguments, type FunctionSchema } from "./schema.ts";
import { schemaLines, schemaNames } from "./schema_lines.ts";
import type { ArgsOf, CallArgsOf, ReturnOf } from "./schema_types.ts";

/** A kernel takes its arguments by position in schema order. */
export type Kernel = (...args: never[]) => unknown;

/** Gradients of an operator by argument name; filled in with the tape. */
export type Derivative = Readonly<Record<string, (...args: never[]) => unknown>>;

/** One operator: everything there is to know of it. */
export interface OperatorEntry {
  /** `aten::add.Tensor`. */
  readonly key: string;
  readonly schema: FunctionSchema;
  readonly kernel: Kernel;
  readonly derivative: Derivative | undefined;
  /** The kernel takes ints beyond 2^53 as bigints; other kernels get them as saturated numbers. */
  readonly exactInts: boolean;
  /** The kernel was a map when it was registered: see Note [Maps in place]. */
  readonly isMap?: boolean;
}

const entries = new Map<string, OperatorEntry>();
const families: OperatorFamily[] = [];
let familyOf: Map<string, OperatorFamily> | undefined;
const derived = new Map<string, OperatorEntry | null>();
const parsed = new Map<string, FunctionSchema[]>();
const late = new Map<string, readonly LateSchema[]>();
const aliases = new Map<string, string>();

/** Every schema of an operator name such as `aten::add`, in the order in which overloads are tried. */
export function schemasFor(name: string): readonly FunctionSchema[] {
  let schemas = parsed.get(name);
  if (!schemas) {
    schemas = lateSchemasFor(name).map((known) => known.schema);
    parsed.set(name, schemas);
  }
  return schemas;
}

/** A schema that is parsed when it is looked at. */
export interface LateSchema {
  /** `aten::add.Tensor`. */
  readonly key: string;
  readonly schema: FunctionSchema;
}

class TableSchema implements LateSchema {
  readonly key: string;
  private readonly line: string;
  private known: FunctionSchema | undefined;
  constructor(line: string) {
    this.line = line;
    this.key = line.slice(0, line.indexOf("("));
  }
  get schema(): FunctionSchema {
    return (this.known ??= parseSchema(this.line, findNativeClass));
  }
}

/** `schemasFor` for who looks at few of them. A new list after an operator was added. */
export function lateSchemasFor(name: string): readonly LateSchema[] {
  let schemas = late.get(name);
  if (!schemas) {
    schemas = schemaLines(name).map((line) => new TableSchema(line));
    late.set(name, schemas);
  }
  return schemas;
}

/** Every operator name of the table and of registered custom operators. */
export function operatorNames(): string[] {
  return [...new Set([...schemaNames(), ...parsed.keys()])].filter((name) => schemasFor(name).length > 0);
}

/** The schema of `aten::add.Tensor`, or undefined. */
export function schemaOf(key: string): FunctionSchema | undefined {
  const dot = key.indexOf(".", key.indexOf("::"));
  const name = dot < 0 ? key : key.slice(0, dot);
  const overload = dot < 0 ? "" : key.slice(dot + 1);
  return schemasFor(name).find((s) => s.overloadName === overload);
}

/** Makes `alias` another name of every overload of `name`, as PyTorch does for `aten::true_divide` and the like. */
export function aliasOperator(alias: string, name: string): void {
  aliases.set(alias, name);
}

/** A registered entry. Schemas are parsed when first asked for: registering thousands of operators must not cost start-up time. */
class RegisteredOperator implements OperatorEntry {
  readonly key: string;
  readonly kernel: Kernel;
  readonly derivative: Derivative | undefined;
  readonly exactInts: boolean;
  readonly isMap: boolean;
  private readonly text: string;
  private known: FunctionSchema | undefined;

  constructor(text: string, kernel: Kernel, derivative: Derivative | undefined, exactInts: boolean) {
    this.key = text.slice(0, text.indexOf("("));
    this.kernel = kernel;
    this.derivative = derivative;
    this.exactInts = exactInts;
    this.isMap = isMap(kernel);
    this.text = text;
    this.known = undefined;
  }

  get schema(): FunctionSchema {
    return (this.known ??= schemaOf(this.key) ?? addSchema(this.key, this.text));
  }
}

/** The schema of a custom operator that PyTorch's table does not have. */
function addSchema(key: string, text: string): FunctionSchema {
  const schema = parseSchema(text, findNativeClass);
  parsed.set(schema.name, [...schemasFor(schema.name), schema]);
  late.set(schema.name, [...lateSchemasFor(schema.name), { key, schema }]);
  return schema;
}

/** Operators that are not registered before one of them is asked for: the bundle for Node has such (scripts/late_chunks.mjs). */
interface OperatorFamily {
  /** `aten::add.Tensor` and so on, with spaces between them. */
  readonly keys: string;
  readonly load: () => unknown;
}

/** Tells of operators that `load` registers, and of those for which it has special kernels (`specializeKernel`). */
export function addOperatorFamily(keys: string, load: () => unknown, specialized = ""): void {
  families.push({ keys, load });
  familyOf = undefined;
  if (specialized === "") return;
  specialFamilies.push(load);
  for (const key of specialized.split(" ")) {
    guarded.add(key);
    const entry = entries.get(key);
    if (entry) specialsOf(entry);
  }
}

/** What is registered under a key, after its family was loaded. */
function entryOf(key: string): OperatorEntry | undefined {
  const entry = entries.get(key);
  if (entry ?? families.length === 0) return entry;
  familyOf ??= new Map(families.flatMap((family) => family.keys.split(" ").map((name) => [name, family])));
  familyOf.get(key)?.load();
  return entries.get(key);
}

function register(text: string, kernel: Kernel, derivative: Derivative | undefined, exactInts: boolean): OperatorEntry {
  const entry = new RegisteredOperator(text, kernel, derivative, exactInts);
  internalAssert(!entries.has(entry.key), `operator ${entry.key} is registered twice`);
  entries.set(entry.key, entry);
  if (guarded.has(entry.key)) specialsOf(entry);
  for (const special of awaited.get(entry.key) ?? []) specialize(entry, special);
  return entry;
}

/** A kernel for arguments that the plain kernel knows nothing of. */
interface SpecialKernel {
  readonly applies: (first: unknown, second: unknown) => boolean;
  readonly kernel: (...args: unknown[]) => unknown;
}

/** What a kernel is that looks for special ones. */
interface Specials {
  readonly plain: (...args: unknown[]) => unknown;
  readonly list: SpecialKernel[];
}

const specials = new WeakMap<object, Specials>();

/** Operators of which some family that is not loaded has special kernels, and what loads these families. */
const guarded = new Set<string>();
const specialFamilies: (() => unknown)[] = [];

/** Whether an argument is no quantized, sparse or nested tensor and no list (which may hold one). */
function isOrdinary(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return value instanceof Tensor ? value.isOrdinary : !Array.isArray(value);
}

/** Loads special kernels before the first argument that may need one. */
function loadSpecials(value: unknown): void {
  if (Array.isArray(value)) value.forEach(loadSpecials);
  else if (!isOrdinary(value)) for (const load of specialFamilies.splice(0)) load();
}

/** A special kernel that is made from the plain one. */
interface Specialization {
  readonly applies: SpecialKernel["applies"];
  readonly make: (plain: (...args: unknown[]) => unknown) => SpecialKernel["kernel"];
}

/** For operators that are registered later. */
const awaited = new Map<string, Specialization[]>();

/**
 * Gives an operator another kernel for some arguments (`applies` sees the first two): quantized, sparse and nested tensors. `make` gets the
 * plain kernel. Nothing happens where the operator is never registered.
 */
export function specializeKernel(key: string, applies: Specialization["applies"], make: Specialization["make"]): void {
  const entry = entries.get(key);
  if (entry) return specialize(entry, { applies, make });
  const waiting = awaited.get(key);
  if (waiting) waiting.push({ applies, make });
  else awaited.set(key, [{ applies, make }]);
}

function specialize(entry: { kernel: Kernel }, { applies, make }: Specialization): void {
  const { plain, list } = specialsOf(entry);
  list.push({ applies, kernel: make(list.length === 0 ? plain : (entry.kernel as Specials["plain"])) });
}

/** The special kernels of an operator, which from now on asks them. */
function specialsOf(entry: { kernel: Kernel }): Specials {
  const known = specials.get(entry);
  if (known) return known;
  const plain = entry.kernel as (...args: unknown[]) => unknown;
  const list: SpecialKernel[] = [];
  const made = { plain, list };
  specials.set(entry, made);
  // fixed arity: spreading arguments costs on the hot path
  const kernel = (
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    e: unknown,
    f: unknown,
    g: unknown,
    h: unknown,
    i: unknown,
  ): unknown => {
    if (isOrdinary(a) && isOrdinary(b)) return plain(a, b, c, d, e, f, g, h, i);
    if (specialFamilies.length > 0) {
      loadSpecials(a);
      loadSpecials(b);
    }
    for (const special of list) if (special.applies(a, b)) return special.kernel(a, b, c, d, e, f, g, h, i);
    return plain(a, b, c, d, e, f, g, h, i);
  };
  entry.kernel = kernel as Kernel;
  return made;
}

/** An operator as a function: goes through the dispatcher; arguments with defaults may be left out. */
export type OpFunction<S extends string> = (...args: CallArgsOf<S>) => ReturnOf<S>;

/**
 * Registers a tensor operator. `schema` is PyTorch's text, which types the kernel's arguments and result.
 * @throws never at registration, except when the operator is registered twice.
 */
export function op<S extends string>(
  schema: S,
  entry:
    | ((...args: ArgsOf<S>) => ReturnOf<S>)
    | { kernel: (...args: ArgsOf<S>) => ReturnOf<S>; derivative?: Derivative },
): OpFunction<S> {
  const kernel = (typeof entry === "function" ? entry : entry.kernel) as unknown as Kernel;
  const registered = register(schema, kernel, typeof entry === "function" ? undefined : entry.derivative, false);
  return (...args) => {
    const given = args as unknown[];
    const want = registered.schema.args;
    for (let i = given.length; i < want.length; i++) given.push(want[i]!.defaultValue);
    for (let i = 0; i < given.length; i++) if (given[i] === undefined) given[i] = want[i]!.defaultValue;
    return dispatch(registered, given) as ReturnOf<S>;
  };
}

/** Registers a builtin on scalars, strings, lists and dicts: ints reach the kernel exactly, as number or bigint. */
export function builtin(schema: string, kernel: Kernel): void {
  register(schema, kernel, undefined, true);
}

/** The entry of an operator, written or derived (see Note [Derived variants]); undefined where nothing implements it. */
export function findOperator(schema: FunctionSchema): OperatorEntry | undefined {
  const key = operatorName(schema);
  const own = entryOf(key);
  if (own) return own;
  let entry = derived.get(key);
  if (entry === undefined) {
    entry = derive(schema) ?? null;
    derived.set(key, entry);
  }
  return entry ?? undefined;
}

/** `findOperator` by key, e.g. `aten::add.Tensor`. */
export function findOperatorByKey(key: string): OperatorEntry | undefined {
  const schema = schemaOf(key);
  return schema ? findOperator(schema) : entryOf(key);
}

/** Calls an operator by key, with all arguments; through the dispatcher. */
export function callOperator(key: string, args: unknown[]): unknown {
  const entry = findOperatorByKey(key);
  if (!entry) throw new OperatorError(`Operator ${key} is not supported`);
  return dispatch(entry, args);
}

function derive(schema: FunctionSchema): OperatorEntry | undefined {
  const key = operatorName(schema);
  const alias =
    aliases.get(schema.name) ??
    (schema.name.endsWith("_") ? withUnderscore(aliases.get(schema.name.slice(0, -1))) : undefined);
  if (alias !== undefined) {
    const target =
      schemasFor(alias).find((s) => sameArguments(s.args, schema.args)) ??
      schemasFor(alias).find((s) => s.overloadName === schema.overloadName);
    const entry = target && findOperator(target);
    if (entry) return { ...plain(entry), key, schema };
  }
  const outs = schema.args.filter(isOutArgument);
  if (outs.length > 0) {
    const inputs = schema.args.filter((a) => !isOutArgument(a));
    const functional = schemasFor(schema.name).find(
      (s) => !s.args.some(isOutArgument) && sameArguments(s.args, inputs),
    );
    const entry = functional && findOperator(functional);
    if (!entry) return undefined;
    const count = inputs.length;
    const positions = schema.args.flatMap((a, i) => (isOutArgument(a) ? [i] : []));
    const kernel = (...args: unknown[]): unknown => {
      const given = args.filter((_, i) => !positions.includes(i)).slice(0, count);
      const result = entry.kernel(...(given as never[]));
      const targets = positions.map((i) => args[i] as Tensor);
      const results = targets.length === 1 ? [result as Tensor] : (result as Tensor[]);
      targets.forEach((target, i) => {
        checkOutDtype(key, target, results[i]!, given[0]);
        writeOutResult(target, results[i]!, isCopiedToOut(key));
      });
      return targets.length === 1 ? targets[0] : targets;
    };
    return { key, schema, kernel, derivative: undefined, exactInts: entry.exactInts };
  }
  if (schema.name.endsWith("_") && !schema.name.endsWith("__") && schema.args[0]?.aliasInfo?.isWrite) {
    const base = schema.name.slice(0, -1);
    // overload names of the two forms may differ: pow_.Scalar is pow.Tensor_Scalar in place, not pow.Scalar
    const alike = schemasFor(base).filter((s) => sameArguments(s.args, schema.args));
    const functional =
      alike.find((s) => s.overloadName === schema.overloadName) ??
      alike[0] ??
      schemasFor(base).find((s) => s.overloadName === schema.overloadName && s.args.length === schema.args.length);
    const entry = functional && findOperator(functional);
    if (!entry) return undefined;
    const kernel = (...args: unknown[]): unknown => {
      const self = args[0] as Tensor;
      const result = entry.isMap ? mapInPlace(self, entry.kernel, args) : entry.kernel(...(args as never[]));
      writeInplaceResult(self, result as Tensor);
      return self;
    };
    return { key, schema, kernel, derivative: undefined, exactInts: entry.exactInts };
  }
  return undefined;
}

function withUnderscore(name: string | undefined): string | undefined {
  return name === undefined ? undefined : `${name}_`;
}

function plain(entry: OperatorEntry): Omit<OperatorEntry, "key" | "schema"> {
  return { kernel: entry.kernel, derivative: entry.derivative, exactInts: entry.exactInts };
}
