/** @file Functions and nested functions: parameters, body, result. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (emitDef). Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import { argument, type Argument, type FunctionSchema } from "../../core/schema.ts";
import * as T from "../../core/type.ts";
import type { ClassType, Type } from "../../core/type.ts";
import { createUninitialized } from "../../ir/build_nodes.ts";
import type { Block, Value } from "../../ir/graph.ts";
import type { Def } from "../ast.ts";
import { isMeaningfulName } from "./environment.ts";
import type { EmitContext } from "./emit_context.ts";
import { SimpleValue, type SugaredValue } from "./sugared_value.ts";

/** What `self` means in the methods of a class. */
export interface Self {
  /** The meaning of the first input; sets the input's type. */
  makeSugared(value: Value): SugaredValue;
  readonly classType: ClassType;
}

/** `self` of archives: an object of the class. */
export class SimpleSelf implements Self {
  readonly classType: ClassType;
  constructor(classType: ClassType) {
    this.classType = classType;
  }
  makeSugared(value: Value): SugaredValue {
    return new SimpleValue(value.setType(this.classType));
  }
}

/** `__setstate__` without annotations takes what `__getstate__` gives. */
function inferredStateType(def: Def, self: Self | undefined): Type | undefined {
  if (def.name.name !== "__setstate__" || !self || def.params.slice(1).some((p) => p.type)) return undefined;
  if (def.params.length !== 2)
    throw new ScriptError(`Expected 2 arguments for \`__setstate__\`, got: ${def.params.length}`, def.range);
  const getstate = self.classType.findMethod("__getstate__");
  if (!getstate) {
    throw new ScriptError(
      "`__setstate__` defined but not `__getstate__`. You must have both defined on a ScriptModule to customize serialization.\nDid you forget to use `@torch.jit.export`?",
      def.range,
    );
  }
  return getstate.schema.returns[0]?.type;
}

function emitParameters(
  e: EmitContext,
  def: Def,
  self: Self | undefined,
  schema: FunctionSchema,
  block: Block,
): Argument[] {
  const args: Argument[] = [];
  let params = def.params;
  if (schema.args.length !== params.length - (self ? 1 : 0)) {
    throw new ScriptError(
      `Number of type annotations for function parameters (${schema.args.length}) does not match the number of parameters on the function (${params.length - (self ? 1 : 0)})!`,
      def.declRange,
    );
  }
  if (self) {
    const [param, ...rest] = params;
    const { name, range } = param!.name;
    const input = block.addInput().setDebugName(name);
    e.env.setSugaredVar(range, name, self.makeSugared(input));
    args.push(argument(name, input.type));
    params = rest;
  }
  const stateType = inferredStateType(def, self);
  params.forEach((param, i) => {
    const { name, range } = param.name;
    const input = block.addInput();
    if (isMeaningfulName(name)) input.setDebugName(name);
    let arg = schema.args[i]!;
    if (stateType) arg = { ...arg, type: stateType };
    args.push(arg);
    input.setType(arg.type);
    e.env.setVar(range, name, input);
  });
  return args;
}

/** Emits a function into a block; gives its schema. */
export function emitDef(e: EmitContext, def: Def, self: Self | undefined, block: Block): FunctionSchema {
  const schema = e.types.parseSchemaFromDef(def, self !== undefined);
  const context = e.def;
  if (schema.returns.length === 1) context.declaredReturn = schema.returns[0]!.type;
  const args = emitParameters(e, def, self, schema, block);
  e.parts.statements(e, def.body);
  const declared = context.declaredReturn;
  if (!e.exitBlocks.has(block)) {
    if (declared && declared.kind !== "None") {
      throw new ScriptError(
        "Function was not annotated as having type None, but does not return along all paths",
        def.range,
      );
    }
    e.graph.withInsertPoint(block, () => e.parts.returnNone(e, def.range));
  } else {
    // a function that always raises has the type that it says, or None
    context.mergedReturn ??= declared ?? T.NoneT;
  }
  const returned = context.mergedReturn!;
  // stands for the result until exits are transformed, so that the block has its type
  block.registerOutput(e.graph.insertNode(createUninitialized(e.graph, returned)).output);
  return {
    name: def.name.name,
    overloadName: "",
    args,
    returns: [argument("", returned)],
    isVararg: false,
    isVarret: false,
  };
}
