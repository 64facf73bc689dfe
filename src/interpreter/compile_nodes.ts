/** @file How each kind of node becomes instructions: one entry per kind, operators by schema for the rest. Upstream: torch/csrc/jit/runtime/interpreter/code_impl.h. Spec: none. */
import { OperatorError, UnsupportedError, internalAssert } from "../base/errors.ts";
import { valueType } from "../core/ivalue_text.ts";
import { callOperator, findOperatorByKey, type Kernel } from "../core/operator_registry.ts";
import { operatorName } from "../core/schema.ts";
import { typedBuiltinMaker } from "../core/typed_builtin.ts";
import {
  AnyT,
  BoolT,
  IntT,
  NumberT,
  isSubtypeOf,
  typeStr,
  type ClassType,
  type FunctionLike,
  type Type,
} from "../core/type.ts";
import { toIValue } from "../ir/constants.ts";
import type { ScriptFunction } from "../ir/function.ts";
import type { Block, Node, Value } from "../ir/graph.ts";
import { Tensor } from "../tensor/tensor.ts";
import { calleeOf, codeRefOf, compileGraph, type Compiler } from "./compile.ts";
import { converterFor, saturatorFor } from "./forms.ts";
import type { CodeRef, NativeCall } from "./instructions.ts";
import { BlockOrder } from "./liveness.ts";
import { resolveOperator } from "./resolve.ts";
import { RaisedException } from "./runtime.ts";

export type NodeCompiler = (c: Compiler, node: Node) => void;

/** A call of an operator of the table. */
export function compileOperator(c: Compiler, node: Node): void {
  const { entry, schema, argTypes, returnTypes } = resolveOperator(node);
  const key = operatorName(schema);
  const at = c.origin;
  const missing = node.inputs.findIndex((v) => v.node.kind === "prim::Uninitialized");
  if (missing >= 0) {
    // torch's own words for reading such a value
    const message = `0 INTERNAL ASSERT FAILED at "/__w/pytorch/pytorch/aten/src/ATen/core/ivalue.h":663, please report a bug to PyTorch. expected ${typeStr(argTypes[missing]!)}`;
    inline(c, node, () => {
      throw new OperatorError(message);
    });
    return;
  }
  const maker = typedBuiltinMaker(key);
  if (maker) {
    const types = node.inputs.map((v) => v.type);
    const result = node.outputs[0]?.type ?? AnyT;
    c.emit({
      op: "kernel",
      key,
      kernel: maker(types, result),
      entry: undefined,
      args: node.inputs.map((v) => c.use(v)),
      outs: node.outputs.map((v) => c.define(v)),
      at,
    });
    return;
  }
  const args = node.inputs.map((v, i) =>
    c.use(v, argTypes[i], entry.exactInts ? undefined : saturatorFor(argTypes[i]!)),
  );
  // only operators with tensors are traced or differentiated
  const touchesTensors = !entry.exactInts || node.inputs.some((v) => v.type.kind === "Tensor");
  const outs: number[] = [];
  const converts: [number, Value, ReturnType<typeof converterFor>][] = [];
  node.outputs.forEach((output, i) => {
    const convert = returnTypes[i] && converterFor(returnTypes[i], output.type);
    const register = convert ? c.newRegister() : c.define(output);
    if (convert) converts.push([register, output, convert]);
    outs.push(register);
  });
  c.emit({
    op: "kernel",
    key,
    kernel: entry.kernel,
    entry: touchesTensors ? entry : undefined,
    args,
    outs,
    at,
  });
  for (const [arg, output, convert] of converts)
    c.emit({ op: "convert", convert: convert!, arg, out: c.define(output), at });
}

/**
 * `x * c` where c is a constant tensor without dimensions: torch's executor makes c a number before it runs, which promotes
 * differently. Mirrors torch/csrc/jit/passes/canonicalize_ops.cpp.
 */
function compileArithmetic(c: Compiler, node: Node): void {
  const [self, other, alpha] = node.inputs;
  const constant =
    other?.type.kind === "Tensor" && other.node.kind === "prim::Constant" ? toIValue(other)?.value : undefined;
  const entry = findOperatorByKey(`${node.kind}.Scalar`);
  const isPlain =
    self?.type.kind === "Tensor" &&
    node.inputs.length === (node.kind === "aten::add" || node.kind === "aten::sub" ? 3 : 2);
  if (
    !isPlain ||
    !entry ||
    !(constant instanceof Tensor) ||
    constant.ndim !== 0 ||
    constant.requiresGrad ||
    constant.dtype.category === "bool"
  ) {
    compileOperator(c, node);
    return;
  }
  const args = [
    c.use(self),
    c.newConstant(callOperator("aten::item", [constant])),
    ...(alpha ? [c.use(alpha, NumberT)] : []),
  ];
  c.emit({
    op: "kernel",
    key: entry.key,
    kernel: entry.kernel,
    entry,
    args,
    outs: node.outputs.map((v) => c.define(v)),
    at: c.origin,
  });
}

/** Kinds of value that torch keeps behind a pointer of their own: two constants are never one object. */
const BOXED: ReadonlySet<string> = new Set(["Enum", "String", "Complex"]);

/** `is` and `is not`: a constant that nothing else uses is another object than anything. */
function compileIs(c: Compiler, node: Node): void {
  const isAlone = (v: Value): boolean =>
    v.node.kind === "prim::Constant" && BOXED.has(v.type.kind) && v.uses.length === 1;
  if (!node.inputs.some(isAlone)) compileOperator(c, node);
  else inline(c, node, () => node.kind === "aten::__isnot__");
}

/** A kernel made on the spot. */
function inline(
  c: Compiler,
  node: Node,
  kernel: (...args: never[]) => unknown,
  types?: readonly (Type | undefined)[],
): void {
  const args = node.inputs.map((v, i) => c.use(v, types?.[i]));
  c.emit({
    op: "kernel",
    key: node.kind,
    kernel: kernel as Kernel,
    entry: undefined,
    args,
    outs: node.outputs.map((v) => c.define(v)),
    at: c.origin,
  });
}

/** The same value under another type. */
function pass(c: Compiler, node: Node): void {
  const convert = converterFor(node.input.type, node.output.type);
  const arg = c.use(node.input);
  const out = c.define(node.output);
  if (convert) c.emit({ op: "convert", convert, arg, out, at: c.origin });
  else c.emit({ op: "move", arg, out, at: c.origin });
}

/** Lets branch values be computed straight into `out`, where they are made in the branch and meant for one place only. */
function placeResults(
  c: Compiler,
  block: Block,
  results: readonly (readonly [Value, Type, number])[],
  mayPlace: (value: Value, index: number) => boolean,
): void {
  results.forEach(([value, type, out], index) => {
    const { node } = value;
    if (node.owningBlock !== block || node === block.paramNode || node.kind === "prim::Constant") return;
    if (results.filter(([v]) => v === value).length !== 1 || converterFor(value.type, type) || !mayPlace(value, index))
      return;
    c.place(value, out, true);
  });
}

function compileIf(c: Compiler, node: Node): void {
  const condition = c.use(node.input);
  const outs = node.outputs.map((v) => c.define(v));
  const branch = (block: Block): ReturnType<Compiler["subBlock"]> => {
    const results = block.outputs.map((v, i) => [v, node.outputs[i]!.type, outs[i]!] as const);
    placeResults(c, block, results, () => true);
    return c.subBlock(block, () => c.store(results));
  };
  const yes = branch(node.blocks[0]!);
  const no = branch(node.blocks[1]!);
  c.emit({ op: "if", condition, yes, no, at: c.origin });
}

function compileLoop(c: Compiler, node: Node): void {
  const body = node.blocks[0]!;
  const [counter, ...params] = body.inputs as [Value, ...Value[]];
  const at = c.origin;
  const max = c.use(node.inputs[0]!);
  const counterRegister = c.define(counter);
  const condition = c.newRegister(BoolT);
  c.store([[node.inputs[1]!, BoolT, condition]]);
  params.forEach((param, i) => {
    const register = c.newRegister(param.type);
    c.place(param, register, true);
    // a loop's results are its parameters after the last round
    c.place(node.outputs[i]!, register, false);
  });
  c.store(params.map((param, i) => [node.inputs[i + 2]!, param.type, c.define(param)] as const));
  const results = body.outputs.map((v, i) =>
    i === 0 ? ([v, BoolT, condition] as const) : ([v, params[i - 1]!.type, c.define(params[i - 1]!)] as const),
  );
  const order = new BlockOrder(body);
  placeResults(c, body, results, (value, index) => {
    if (index === 0) return true;
    // the parameter's old value must be dead when the new one is written
    const last = order.lastUse(params[index - 1]!);
    const made = order.positionOf(value.node);
    return value.node.blocks.length === 0 ? last <= made : last < made;
  });
  const instructions = c.subBlock(body, () => c.store(results));
  c.emit({ op: "loop", max, condition, counter: counterRegister, body: instructions, at });
}

function emitCall(
  c: Compiler,
  node: Node,
  callee: CodeRef | NativeCall,
  fn: FunctionLike,
  inputs: readonly Value[],
): void {
  const { args: formals, returns } = fn.schema;
  const args = inputs.map((v, i) => c.use(v, formals[i]?.type));
  const at = c.origin;
  const returned = returns[0]?.type;
  const convert = returned && converterFor(returned, node.output.type);
  const out = convert ? c.newRegister() : c.define(node.output);
  if (typeof callee === "function") c.emit({ op: "call_native", call: callee, args, out, at });
  else c.emit({ op: "call", callee, args, out, at });
  if (convert) c.emit({ op: "convert", convert, arg: out, out: c.define(node.output), at });
}

function methodOf(type: ClassType, name: string): FunctionLike {
  const method = type.findMethod(name);
  if (!method)
    throw new UnsupportedError(
      `method:${name}`,
      `Cannot call "${name}": class ${type.name.qualifiedName} has no such method`,
    );
  return method;
}

function compileCallMethod(c: Compiler, node: Node): void {
  const name = node.attr("name", "s");
  const type = node.inputs[0]!.type;
  if (type.kind === "Class") {
    const method = methodOf(type, name);
    emitCall(c, node, calleeOf(method), method, node.inputs);
    return;
  }
  internalAssert(type.kind === "Interface", `method call on a ${type.kind}`);
  const formals = type.findMethod(name)?.args ?? [];
  const args = node.inputs.map((v, i) => c.use(v, formals[i]?.type));
  const found = new Map<ClassType, CodeRef | NativeCall>();
  const lookup = (own: ClassType): CodeRef | NativeCall => {
    let callee = found.get(own);
    if (!callee) {
      callee = calleeOf(methodOf(own, name));
      found.set(own, callee);
    }
    return callee;
  };
  c.emit({ op: "call_interface", lookup, args, out: c.define(node.output), at: c.origin });
}

function compileFork(c: Compiler, node: Node, lazy: boolean): void {
  const graph = node.attr("Subgraph", "g");
  const { type } = node.output;
  const element = type.kind === "Future" || type.kind === "Await" ? type.element : AnyT;
  const name = lazy ? "<awaitable function>" : "<forked function>";
  const callee: CodeRef = {
    code: compileGraph(graph, name, graph.outputs.length === 1 ? [element] : undefined),
  };
  const args = node.inputs.map((v, i) => c.use(v, graph.inputs[i]?.type));
  c.emit({ op: "fork", callee, args, out: c.define(node.output), type: element, lazy, at: c.origin });
}

function compileWait(c: Compiler, node: Node): void {
  inline(c, node, (future: { wait(): unknown }) => future.wait());
}

function elementsOf(c: Compiler, node: Node, types: readonly Type[]): void {
  const args = node.inputs.map((v, i) => c.use(v, types[i] ?? types[types.length - 1]));
  c.emit({ op: "array", args, out: c.define(node.output), at: c.origin });
}

function slotOf(object: Value, name: string): { slot: number; type: Type } {
  internalAssert(object.type.kind === "Class", `attribute of a ${object.type.kind}`);
  const slot = object.type.findSlot(name);
  internalAssert(slot !== undefined, `${object.type.name.qualifiedName} has no attribute "${name}"`);
  return { slot, type: object.type.attributes[slot]!.type };
}

/** Compilers by node kind; everything else is an operator. */
export const NODE_COMPILERS: Readonly<Record<string, NodeCompiler>> = {
  // loaded where it is used
  "prim::Constant": () => {},
  "aten::__is__": compileIs,
  "aten::__isnot__": compileIs,
  "aten::add": compileArithmetic,
  "aten::sub": compileArithmetic,
  "aten::mul": compileArithmetic,
  "aten::div": compileArithmetic,
  "prim::If": compileIf,
  "prim::Loop": compileLoop,
  "prim::CallMethod": compileCallMethod,
  "prim::CallFunction": (c, node) => {
    const callee = node.inputs[0]!.type;
    internalAssert(callee.kind === "Function", "call of no function");
    const fn = callee.fn as ScriptFunction;
    emitCall(c, node, codeRefOf(fn), fn, node.inputs.slice(1));
  },
  "prim::fork": (c, node) => compileFork(c, node, false),
  "prim::awaitable": (c, node) => compileFork(c, node, true),
  "aten::wait": compileWait,
  "prim::awaitable_wait": compileWait,
  "prim::GetAttr": (c, node) => {
    const { slot, type } = slotOf(node.input, node.attr("name", "s"));
    const object = c.use(node.input);
    const convert = converterFor(type, node.output.type);
    const out = convert ? c.newRegister() : c.define(node.output);
    c.emit({ op: "get_attr", object, slot, out, at: c.origin });
    if (convert) c.emit({ op: "convert", convert, arg: out, out: c.define(node.output), at: c.origin });
  },
  "prim::SetAttr": (c, node) => {
    const { slot, type } = slotOf(node.inputs[0]!, node.attr("name", "s"));
    const object = c.use(node.inputs[0]!);
    c.emit({ op: "set_attr", object, slot, value: c.use(node.inputs[1]!, type), at: c.origin });
  },
  "prim::CreateObject": (c, node) => {
    const { type } = node.output;
    internalAssert(type.kind === "Class", "object of no class");
    c.emit({ op: "create_object", type, out: c.define(node.output), at: c.origin });
  },
  "prim::ListConstruct": (c, node) => {
    const { type } = node.output;
    elementsOf(c, node, [type.kind === "List" ? type.element : AnyT]);
  },
  "prim::TupleConstruct": (c, node) => {
    const { type } = node.output;
    elementsOf(c, node, type.kind === "Tuple" ? type.elements : node.inputs.map((v) => v.type));
  },
  "prim::DictConstruct": (c, node) => {
    const { type } = node.output;
    const keys: number[] = [];
    const values: number[] = [];
    node.inputs.forEach((v, i) => {
      const wanted = type.kind === "Dict" ? (i % 2 === 0 ? type.key : type.value) : undefined;
      (i % 2 === 0 ? keys : values).push(c.use(v, wanted));
    });
    c.emit({ op: "dict", keys, values, out: c.define(node.output), at: c.origin });
  },
  "prim::ListUnpack": (c, node) => {
    c.emit({
      op: "unpack",
      arg: c.use(node.input),
      outs: node.outputs.map((v) => c.define(v)),
      isList: true,
      at: c.origin,
    });
  },
  "prim::TupleUnpack": (c, node) => {
    const { type } = node.input;
    const arg = c.use(node.input);
    const converts: (() => void)[] = [];
    const outs = node.outputs.map((v, i) => {
      const from = type.kind === "Tuple" ? type.elements[i] : undefined;
      const convert = from && converterFor(from, v.type);
      if (!convert) return c.define(v);
      const raw = c.newRegister();
      converts.push(() => c.emit({ op: "convert", convert, arg: raw, out: c.define(v), at: c.origin }));
      return raw;
    });
    c.emit({ op: "unpack", arg, outs, isList: false, at: c.origin });
    for (const convert of converts) convert();
  },
  "prim::TupleIndex": (c, node) => {
    // the static type of a computed index is that of any element
    inline(
      c,
      node,
      (tuple: readonly unknown[], index: number) => {
        const at = index < 0 ? tuple.length + index : index;
        if (at < 0 || at >= tuple.length) throw new OperatorError("Tuple list index out of range");
        return tuple[at];
      },
      [undefined, IntT],
    );
  },
  "prim::TupleSlice": (c, node) => {
    const begin = Number(node.attr("beg", "i"));
    const end = Number(node.attr("end", "i"));
    inline(c, node, (tuple: readonly unknown[]) => tuple.slice(begin, end));
  },
  "prim::unchecked_cast": pass,
  "prim::unchecked_unwrap_optional": pass,
  "prim::isinstance": (c, node) => {
    const wanted = node.attr("types", "tys");
    const { type } = node.input;
    const convert = converterFor(type, type);
    inline(c, node, (value: unknown) => {
      const own = valueType(convert ? convert(value) : value, type);
      return wanted.some((w) => isSubtypeOf(own, w));
    });
  },
  "prim::Uninitialized": (c, node) => {
    // never read; the register starts out undefined
    c.define(node.output);
  },
  "prim::Enter": (c, node) => {
    const { type } = node.input;
    internalAssert(type.kind === "Class", "with of no object");
    const enter = calleeOf(methodOf(type, "__enter__"));
    const exit = calleeOf(methodOf(type, "__exit__"));
    internalAssert(typeof enter !== "function" && typeof exit !== "function", "with of a native object");
    c.emit({ op: "enter", object: c.use(node.input), enter, exit, out: c.define(node.output), at: c.origin });
  },
  "prim::Exit": (c, node) =>
    c.emit({ op: "exit", out: node.outputs[0] ? c.define(node.outputs[0]) : c.newRegister(), at: c.origin }),
  "aten::warn": (c, node) => {
    const id = node.attributes.get("warn_id");
    c.emit({
      op: "warn",
      message: c.use(node.inputs[0]!),
      id: id?.kind === "i" ? Number(id.value) : undefined,
      at: c.origin,
    });
  },
  "prim::RaiseException": (c, node) => {
    inline(c, node, (message: string, className?: string | null) => {
      throw new RaisedException(message, className ?? undefined);
    });
  },
  "prim::IfThenElse": (c, node) => {
    const { type } = node.output;
    inline(c, node, (condition: boolean, yes: unknown, no: unknown) => (condition ? yes : no), [undefined, type, type]);
  },
  "prim::EnumValue": (c, node) => inline(c, node, (member: { value: unknown }) => member.value),
  "prim::ModuleContainerIndex": (c, node) => {
    inline(c, node, (object: { getAttr(name: string): unknown }, index: unknown) => object.getAttr(String(index)));
  },
};
