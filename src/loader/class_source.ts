/** @file The parts of a class body in archived code: metadata, attributes, constants, methods, hooks. Upstream: torch/csrc/jit/serialization/import_source.cpp (importClass). Spec: spec/records.md. */
import { ScriptError } from "../base/errors.ts";
import { Source } from "../base/source_range.ts";
import type { ClassDef, Def, Expr, Stmt } from "../frontend/ast.ts";
import { DeferredConstant } from "../frontend/class_line.ts";
import { parseExpression } from "../frontend/parser.ts";

type Assign = Stmt & { kind: "Assign" };

/** An attribute: its name and the expression of its type. */
export interface AttributeSource {
  readonly name: string;
  readonly type: Expr;
}

/** What the body of a class says. */
export interface ClassSource {
  readonly parameters: ReadonlySet<string>;
  readonly buffers: ReadonlySet<string>;
  readonly attributes: readonly AttributeSource[];
  /** `name : Final[T] = value`. */
  readonly constants: readonly Assign[];
  readonly methods: readonly Def[];
  /** In the order of calls; a hook may occur more than once. */
  readonly forwardHooks: readonly Def[];
  readonly forwardPreHooks: readonly Def[];
}

const LISTS = ["__parameters__", "__buffers__", "__forward_pre_hooks__", "__forward_hooks__"] as const;
type ListName = (typeof LISTS)[number];

/** Splits the body of a class. `qualifiedName` decides about old quantized classes. */
export function splitClass(def: ClassDef, qualifiedName: string, isModule: boolean): ClassSource {
  const lists = new Map<ListName, string[]>(LISTS.map((name) => [name, []]));
  const attributes: AttributeSource[] = [];
  const constants: Assign[] = [];
  const defs: Def[] = [];
  for (const stmt of def.body) {
    if (stmt.kind === "Def") defs.push(stmt.def);
    else if (stmt.kind === "Assign") splitAssign(stmt, isModule, qualifiedName, lists, attributes, constants);
    // torch: an internal assertion; an empty class prints no "pass", but people may
    else if (stmt.kind !== "Pass")
      throw new ScriptError(`Unexpected statement kind in class body: ${stmt.kind}`, stmt.range);
  }
  const preHooks = lists.get("__forward_pre_hooks__")!;
  const hooks = lists.get("__forward_hooks__")!;
  const hookNames = new Set([...preHooks, ...hooks]);
  const byName = new Map(defs.map((d) => [d.name.name, d]));
  const find = (name: string): Def => {
    const hook = byName.get(name);
    if (!hook)
      throw new ScriptError(
        `Cannot import class ${qualifiedName}: it lists the hook "${name}" and does not define it`,
        def.range,
      );
    return hook;
  };
  return {
    parameters: new Set(lists.get("__parameters__")),
    buffers: new Set(lists.get("__buffers__")),
    attributes,
    constants,
    methods: defs.filter((d) => !hookNames.has(d.name.name)),
    forwardHooks: hooks.map(find),
    forwardPreHooks: preHooks.map(find),
  };
}

function splitAssign(
  stmt: Assign,
  isModule: boolean,
  qualifiedName: string,
  lists: ReadonlyMap<ListName, string[]>,
  attributes: AttributeSource[],
  constants: Assign[],
): void {
  const target = stmt.targets[0]!;
  if (target.kind === "Subscript") {
    // `__annotations__["0"] = Tensor`: the name is no identifier
    const [index] = target.indices;
    const isAnnotations = target.value.kind === "Var" && target.value.name.name === "__annotations__";
    const type = stmt.annotation ?? stmt.value;
    if (!isAnnotations || target.indices.length !== 1 || index?.kind !== "String" || !type) {
      throw new ScriptError('Unexpected statement in class body: expected __annotations__["name"] = Type', stmt.range);
    }
    attributes.push({ name: index.value, type });
    return;
  }
  if (target.kind !== "Var" || stmt.targets.length !== 1)
    throw new ScriptError(`Unexpected statement kind in module metadata: ${target.kind}`, stmt.range);
  const name = target.name.name;
  if (stmt instanceof DeferredConstant) {
    constants.push(stmt);
    return;
  }
  const list = lists.get(name as ListName);
  if (list) {
    if (!isModule)
      throw new ScriptError(`Assignments in class body only supported on modules right now: ${name}`, stmt.range);
    list.push(...stringList(stmt, name));
  } else if (name === "__annotations__") {
    // only makes room for the subscripts above
  } else {
    const { annotation } = stmt;
    const packed = annotation && packedParamsType(qualifiedName, name, annotation);
    if (packed) attributes.push({ name, type: packed });
    else if (stmt.value) constants.push(stmt);
    else if (annotation) attributes.push({ name, type: annotation });
  }
}

/** `["a", "b", ]`. */
function stringList(stmt: Assign, name: string): string[] {
  if (!stmt.value)
    throw new ScriptError(`Malformed assignment statement: missing values to assign in ${name}`, stmt.range);
  if (stmt.value.kind !== "List")
    throw new ScriptError(`Malformed assignment statement: expected a list of names in ${name}`, stmt.range);
  return stmt.value.elements.map((e) => {
    if (e.kind !== "String")
      throw new ScriptError(`Malformed assignment statement: expected a list of names in ${name}`, e.range);
    return e.value;
  });
}

const QUANTIZED = "__torch__.torch.classes.quantized.";
/** Before 1.6 packed weights were declared as tensors: class (without mangling) -> class of the packed weights. */
const PACKED_PARAMS: ReadonlyMap<string, string> = new Map(
  [
    ["torch.ao.nn.quantized.modules.linear.LinearPackedParams", "Linear"],
    ["torch.ao.nn.quantized.modules.linear.Linear", "Linear"],
    ["torch.ao.nn.quantized.dynamic.modules.linear.Linear", "Linear"],
    ["torch.ao.nn.quantized.modules.conv.Conv2d", "Conv2d"],
    ["torch.nn.intrinsic.quantized.modules.conv_relu.ConvReLU2d", "Conv2d"],
    ["torch.ao.nn.quantized.modules.conv.Conv3d", "Conv3d"],
    ["torch.nn.intrinsic.quantized.modules.conv_relu.ConvReLU3d", "Conv3d"],
    ["torch.nn.quantized.modules.linear.LinearPackedParams", "Linear"],
    ["torch.nn.quantized.modules.linear.Linear", "Linear"],
    ["torch.nn.quantized.modules.conv.Conv2d", "Conv2d"],
    ["torch.nn.quantized.modules.conv.Conv3d", "Conv3d"],
    ["torch.nn.quantized.dynamic.modules.linear.Linear", "Linear"],
  ].map(([cls, params]) => [`__torch__.${cls!}`, `${QUANTIZED}${params!}PackedParamsBase`]),
);

/** The native class that `_packed_params : Tensor` of an old quantized class means, or undefined. */
function packedParamsType(qualifiedName: string, name: string, annotation: Expr): Expr | undefined {
  if (name !== "_packed_params" || annotation.kind !== "Var" || annotation.name.name !== "Tensor") return undefined;
  const replacement = PACKED_PARAMS.get(qualifiedName.replace(/\.___torch_mangle_\d+/g, ""));
  return replacement === undefined ? undefined : parseExpression(new Source(replacement));
}
