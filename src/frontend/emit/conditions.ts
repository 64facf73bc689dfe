/** @file Conditions: short circuit, None checks, isinstance, hasattr; if statements and expressions with what they say of types. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { ScriptError } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { createIsInstance, createStore, createUninitialized, insertUncheckedCast } from "../../ir/build_nodes.ts";
import { insertConstant, toIValue } from "../../ir/constants.ts";
import type { Block, Value } from "../../ir/graph.ts";
import type { Expr, Stmt } from "../ast.ts";
import { insertOp } from "./emit_builtin.ts";
import { rangeOf, type EmitContext } from "./emit_context.ts";
import { NamedValue } from "./named_value.ts";
import { RefinementSet, type CondValue } from "./refinements.ts";
import { SpecialFormValue, asSimple } from "./sugared_value.ts";

const NOTHING = new RefinementSet();

function constantCondition(
  e: EmitContext,
  range: SourceRange,
  outcome: boolean,
  refinements: RefinementSet,
): CondValue {
  return { value: insertConstant(e.graph, outcome, T.BoolT, range), refinements, staticIf: outcome };
}

/** A condition of an if, a while or a logical operator. */
export function emitCondition(e: EmitContext, tree: Expr): CondValue {
  if (tree.kind === "Binary") {
    if (tree.op === "and" || tree.op === "or")
      return emitShortCircuit(e, tree.range, tree.left, tree.right, tree.op === "or");
    if (tree.op === "is" || tree.op === "is not") return emitIs(e, tree);
  }
  if (tree.kind === "Unary" && tree.op === "not") {
    const inner = emitCondition(e, tree.operand);
    const value = insertOp(e.graph, "aten::__not__", [inner.value], tree.range);
    return {
      value,
      refinements: inner.refinements.not(),
      staticIf: inner.staticIf === undefined ? undefined : !inner.staticIf,
    };
  }
  if (tree.kind === "Apply") {
    const { callee, args } = tree;
    const name = callee.kind === "Var" ? callee.name.name : "";
    if (name === "isinstance" || name === "hasattr") {
      checkTwoArguments(tree, name);
      return name === "isinstance" ? emitIsInstance(e, args[0]!, args[1]!) : emitHasAttr(e, args[0]!, args[1]!);
    }
    // the callee is looked at here and again when it is called, as upstream does
    const meaning = e.parts.sugared(e, callee, 1);
    if (meaning instanceof SpecialFormValue && meaning.form === "prim::isinstance") {
      checkTwoArguments(tree, "isinstance");
      return emitIsInstance(e, args[0]!, args[1]!);
    }
  }
  const value = emitToBool(e, tree.range, e.parts.expr(e, tree));
  const { kind } = value.node;
  let staticIf: boolean | undefined;
  if (kind === "aten::is_scripting") staticIf = true;
  else if (kind === "aten::has_torch_function") staticIf = false;
  const constant = toIValue(value);
  if (constant) staticIf = Boolean(constant.value);
  return { value, refinements: NOTHING, staticIf };
}

function checkTwoArguments(tree: Expr & { kind: "Apply" }, name: string): void {
  if (tree.args.length !== 2)
    throw new ScriptError(`${name} expected exactly 2 arguments but found ${tree.args.length}`, tree.range);
  if (tree.kwargs.length > 0) throw new ScriptError(`${name} takes no keyword arguments`, tree.range);
}

function canBeNone(value: Value): "always" | "maybe" | "never" {
  if (value.node.mustBeNone()) return "always";
  return value.type.kind === "Optional" ||
    (value.type.kind === "Union" && value.type.members.some((m) => m.kind === "None"))
    ? "maybe"
    : "never";
}

function emitIs(e: EmitContext, tree: Expr & { kind: "Binary" }): CondValue {
  const left = e.parts.expr(e, tree.left);
  const right = e.parts.expr(e, tree.right);
  const leftNone = canBeNone(left);
  const rightNone = canBeNone(right);
  const its = tree.op === "is";
  if (leftNone === "always" && rightNone === "always") return constantCondition(e, tree.range, its, NOTHING);
  if ((leftNone === "always" && rightNone === "never") || (leftNone === "never" && rightNone === "always")) {
    return constantCondition(e, tree.range, !its, NOTHING);
  }
  const value = insertOp(e.graph, its ? "aten::__is__" : "aten::__isnot__", [left, right], tree.range);
  return { value, refinements: noneRefinements(tree.left, left, tree.right, right, its), staticIf: undefined };
}

function noneRefinements(left: Expr, leftValue: Value, right: Expr, rightValue: Value, its: boolean): RefinementSet {
  if (right.kind !== "None" && left.kind === "None") return noneRefinements(right, rightValue, left, leftValue, its);
  if (right.kind !== "None" || left.kind !== "Var") return NOTHING;
  const name = left.name.name;
  const { type } = leftValue;
  let present: Type | undefined;
  if (type.kind === "Optional") present = type.element;
  else if (type.kind === "Union") {
    const rest = type.members.filter((m) => m.kind !== "None");
    if (rest.length > 0) present = T.unionOf(rest);
  }
  if (!present) return NOTHING;
  const refinements = [{ name, type: present }];
  return its ? new RefinementSet([], refinements) : new RefinementSet(refinements, []);
}

function emitShortCircuit(e: EmitContext, range: SourceRange, first: Expr, second: Expr, isOr: boolean): CondValue {
  const left = emitCondition(e, first);
  let right: CondValue | undefined;
  const constant = (): Value => insertConstant(e.graph, isOr, T.BoolT, range);
  const rest = (): Value => {
    right = emitCondition(e, second);
    return right.value;
  };
  const value = isOr ? emitIfExpr(e, range, left, constant, rest) : emitIfExpr(e, range, left, rest, constant);
  const { refinements, staticIf } = right!;
  let outcome: boolean | undefined;
  if (left.staticIf === isOr || staticIf === isOr) outcome = isOr;
  else if (left.staticIf !== undefined && staticIf !== undefined) outcome = !isOr;
  return {
    value,
    refinements: isOr ? left.refinements.or(refinements) : left.refinements.and(refinements),
    staticIf: outcome,
  };
}

/** Gives variables their narrower types. */
export function insertRefinements(e: EmitContext, range: SourceRange, set: RefinementSet): void {
  for (const { name, type } of set.whenTrue) {
    const value = e.env.getVar(name, range);
    e.env.setVar(range, name, insertUncheckedCast(e.graph, value, type));
  }
}

/** `prim::If` whose branches give one value each. */
export function emitIfExpr(
  e: EmitContext,
  range: SourceRange,
  condition: CondValue,
  yes: () => Value,
  no: () => Value,
): Value {
  const node = e.graph.insertNode(e.graph.create("prim::If", [], 0).setSourceRange(range));
  node.addInput(condition.value);
  const blocks = [node.addBlock(), node.addBlock()] as const;
  const branch = (block: Block, refinements: RefinementSet, body: () => Value): void => {
    e.inFrame(block, () => {
      insertRefinements(e, range, refinements);
      block.registerOutput(body());
    });
  };
  branch(blocks[0], condition.refinements, yes);
  branch(blocks[1], condition.refinements.not(), no);
  const yesType = blocks[0].outputs[0]!.type;
  const noType = blocks[1].outputs[0]!.type;
  const unified = T.unifyTypes(yesType, noType);
  if (!unified) {
    throw new ScriptError(
      `if-expression's true branch has type ${T.typeReprStr(yesType)} but false branch has type ${T.typeReprStr(noType)}`,
      range,
    );
  }
  return node.addOutput().setType(unified);
}

/** `yes if condition else no`. */
export function emitTernary(e: EmitContext, tree: Expr & { kind: "Ternary" }, hint: Type | undefined): Value {
  const condition = emitCondition(e, tree.condition);
  if (condition.staticIf !== undefined) return e.parts.expr(e, condition.staticIf ? tree.yes : tree.no, hint);
  return emitIfExpr(
    e,
    tree.range,
    condition,
    () => e.parts.expr(e, tree.yes, hint),
    () => e.parts.expr(e, tree.no, hint),
  );
}

/** `bool(value)`. */
export function emitToBool(e: EmitContext, range: SourceRange, value: Value): Value {
  let out: Value | undefined;
  try {
    out = asSimple(e.env.getSugaredVar("bool", range).call(range, e.fn, [NamedValue.of(value)], [], 0));
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    throw new ScriptError(`Could not cast value of type ${T.typeReprStr(value.type)} to bool`, range);
  }
  if (!out || !T.isSubtypeOf(out.type, T.BoolT)) {
    throw new ScriptError(
      `expected a bool expression for condition but found ${out ? T.typeReprStr(out.type) : "nothing"}`,
      range,
    );
  }
  return out;
}

/** `hasattr(object, "name")`. */
export function emitHasAttr(e: EmitContext, object: Expr, name: Expr): CondValue {
  const meaning = e.parts.sugared(e, object, 1);
  if (name.kind !== "String") throw new ScriptError("hasattr's second argument must be a string literal", name.range);
  return constantCondition(e, object.range, meaning.hasAttr(object.range, e.fn, name.value), NOTHING);
}

/** `isinstance(object, classes)`: decided at compile time where the types say enough. */
export function emitIsInstance(e: EmitContext, object: Expr, classes: Expr): CondValue {
  const value = e.parts.expr(e, object);
  const given: Type[] = [];
  const gather = (tree: Expr): void => {
    if (tree.kind === "Tuple") tree.elements.forEach(gather);
    else given.push(e.types.parseTypeFromExpr(tree));
  };
  const leftTypes = T.standardizeUnion([value.type]);
  gather(classes);
  const rightTypes = T.standardizeUnion(given);

  const matching: Type[] = [];
  const other: Type[] = [];
  let alwaysTrue = true;
  for (const left of leftTypes) {
    if (left.kind === "Any") {
      matching.push(...rightTypes);
      other.push(T.AnyT);
      if (matching.length !== 1 || matching[0]!.kind !== "Any") alwaysTrue = false;
      break;
    }
    let found: Type | undefined;
    for (const right of rightTypes) {
      const smaller = T.isSubtypeOf(left, right) ? left : T.isSubtypeOf(right, left) ? right : undefined;
      if (!smaller) continue;
      // List[str] is a list: the value's own type says more
      if (T.typesEqual(smaller, left)) found = left;
      else if (T.typesEqual(smaller, right)) found = found ? T.unifyTypes(found, right) : right;
    }
    if (found) matching.push(found);
    else {
      other.push(left);
      alwaysTrue = false;
    }
  }
  const refine = (types: readonly Type[]): { name: string; type: Type }[] => {
    const type = T.unifyTypeList(types, true);
    return object.kind === "Var" && type ? [{ name: object.name.name, type }] : [];
  };
  const refinements = new RefinementSet(refine(matching), refine(other));
  if (alwaysTrue) return constantCondition(e, object.range, true, refinements);
  if (matching.length === 0) return constantCondition(e, object.range, false, refinements);
  const node = e.graph.insertNode(createIsInstance(e.graph, value, rightTypes));
  return { value: node.output, refinements, staticIf: undefined };
}

/** An if statement: only the chosen branch where the condition is static. */
export function emitIfElse(
  e: EmitContext,
  range: SourceRange,
  condition: CondValue,
  yes: readonly Stmt[],
  no: readonly Stmt[],
): void {
  const { graph } = e;
  if (condition.staticIf !== undefined) {
    insertRefinements(e, range, condition.staticIf ? condition.refinements : condition.refinements.not());
    e.parts.statements(e, condition.staticIf ? yes : no);
    return;
  }
  const node = graph.insertNode(graph.create("prim::If", [], 0).setSourceRange(range));
  node.addInput(condition.value);
  const yesBlock = node.addBlock();
  const noBlock = node.addBlock();
  const branch = (block: Block, body: readonly Stmt[], refinements: RefinementSet): EmitContext["env"] =>
    e.inFrame(block, () => {
      insertRefinements(e, body.length > 0 ? rangeOf(body) : range, refinements);
      e.parts.statements(e, body);
    });
  const yesEnv = branch(yesBlock, yes, condition.refinements);
  const noEnv = branch(noBlock, no, condition.refinements.not());
  const yesExits = e.exitBlocks.has(yesBlock);
  const noExits = e.exitBlocks.has(noBlock);
  if (yesExits && noExits) e.exitBlocks.add(node.owningBlock!);

  // variables are those of the function, as long as both branches define them
  const mutated = new Set<string>();
  const collect = (
    own: EmitContext["env"],
    others: EmitContext["env"],
    otherBlock: Block,
    otherExits: boolean,
    which: string,
  ): void => {
    for (const name of own.definedVariables()) {
      const defined = graph.withInsertPoint(otherBlock, () => others.findInAnyFrame(name));
      if (defined || otherExits) mutated.add(name);
      else e.env.setVariableTypeError(name, () => errorText(`${name} is not defined in the ${which} branch`, range));
    }
  };
  collect(yesEnv, noEnv, noBlock, noExits, "false");
  collect(noEnv, yesEnv, yesBlock, yesExits, "true");

  for (const name of [...mutated].sort()) {
    let yesValue = yesExits ? undefined : graph.withInsertPoint(yesBlock, () => yesEnv.getVar(name, range));
    let noValue = noExits ? undefined : graph.withInsertPoint(noBlock, () => noEnv.getVar(name, range));
    if (!yesValue && !noValue) continue;
    // the branch that exits never gets to the end: any value will do
    const placeholder = (block: Block, type: Type): Value => {
      const value = createUninitialized(graph, type).insertBefore(block.returnNode).output;
      createStore(graph, name, value).insertBefore(block.returnNode);
      return value;
    };
    yesValue ??= placeholder(yesBlock, noValue!.type);
    noValue ??= placeholder(noBlock, yesValue.type);
    const outer = asSimple(e.env.findInAnyFrame(name))?.type;
    const defaultToUnion =
      outer !== undefined && (outer.kind === "Union" || outer.kind === "Optional" || outer.kind === "Number");
    const unified = T.unifyTypes(yesValue.type, noValue.type, defaultToUnion);
    if (unified) {
      e.env.setType(name, unified);
      continue;
    }
    const text = `Type mismatch: ${name} is set to type ${T.typeReprStr(yesValue.type)} in the true branch and type ${T.typeReprStr(noValue.type)} in the false branch`;
    if (yesEnv.findInParentFrame(name) || noEnv.findInParentFrame(name)) throw new ScriptError(text, range);
    e.env.setVariableTypeError(name, () => errorText(text, range));
  }
}

/** `what()` of upstream's error: what a later message starts with. */
function errorText(text: string, range: SourceRange): string {
  return `\n${new ScriptError(text, range).message}`;
}
