/** @file Statements: blocks of them, return, raise, assert, with. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp. Spec: none. */
import { ScriptError, assertNever } from "../../base/errors.ts";
import type { SourceRange } from "../../base/source_range.ts";
import * as T from "../../core/type.ts";
import { insertUncheckedCast } from "../../ir/build_nodes.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { Value } from "../../ir/graph.ts";
import type { Expr, Stmt } from "../ast.ts";
import { emitAssign, emitAugAssign, emitDelete } from "./assignments.ts";
import { emitClosure } from "./calls.ts";
import { updatePendingRange } from "./call_stack.ts";
import { emitCondition, emitIfElse } from "./conditions.ts";
import { emitDef } from "./definitions.ts";
import { emitBuiltinCall, insertOp } from "./emit_builtin.ts";
import type { EmitContext } from "./emit_context.ts";
import { emitFor, emitLoopExit, emitWhile } from "./loops.ts";
import { NamedValue } from "./named_value.ts";
import { tryConvertToType } from "./schema_matching.ts";
import { ExceptionMessageValue, ExceptionValue } from "./sugared_callable.ts";

/** Statements of a block, up to the first that leaves it. */
export function emitStatements(e: EmitContext, list: readonly Stmt[]): void {
  for (const stmt of list) {
    updatePendingRange(stmt.range);
    emitStatement(e, stmt);
    if (e.exitBlocks.has(e.env.block)) return;
  }
}

function emitStatement(e: EmitContext, stmt: Stmt): void {
  switch (stmt.kind) {
    case "If":
      emitIfElse(e, stmt.range, emitCondition(e, stmt.condition), stmt.then, stmt.otherwise);
      return;
    case "While":
      emitWhile(e, stmt);
      return;
    case "For":
      emitFor(e, stmt);
      return;
    case "Assign":
      emitAssign(e, stmt);
      return;
    case "AugAssign":
      emitAugAssign(e, stmt);
      return;
    case "ExprStmt":
      e.parts.sugared(e, stmt.expr, 0);
      return;
    case "Raise":
      emitRaise(e, stmt.value, stmt.range);
      return;
    case "Assert":
      emitAssert(e, stmt);
      return;
    case "Return":
      emitReturn(e, stmt.value, stmt.range);
      return;
    case "Break":
    case "Continue":
      emitLoopExit(e, stmt);
      return;
    case "Pass":
      return;
    case "Def": {
      const { def } = stmt;
      const closure = emitClosure(e, (block) => {
        emitDef(e, def, undefined, block);
      });
      e.env.setSugaredVar(def.name.range, def.name.name, closure);
      return;
    }
    case "Delete":
      emitDelete(e, stmt);
      return;
    case "With":
      emitWith(e, stmt);
      return;
    default:
      assertNever(stmt);
  }
}

/** `return value`. */
export function emitReturn(e: EmitContext, tree: Expr, range: SourceRange): void {
  const { def } = e;
  let declared = def.declaredReturn;
  let value = e.parts.expr(e, tree, declared);
  if (declared) {
    // a forgotten return must not become a tensor
    if (!(T.isSubtypeOf(value.type, T.TensorT) && T.isSubtypeOf(value.type, T.NoneT)))
      value = tryConvertToType(range, e.graph, declared, value, true);
    if (!T.isSubtypeOf(value.type, declared)) {
      throw new ScriptError(
        `Return value was annotated as having type ${T.typeReprStr(declared)} but is actually of type ${T.typeReprStr(value.type)}`,
        range,
      );
    }
  } else {
    const sofar = def.mergedReturn ?? value.type;
    declared = T.unifyTypes(sofar, value.type);
    if (!declared) {
      throw new ScriptError(
        `Previous return statement returned a value of type ${T.typeReprStr(sofar)} but this return statement returns a value of type ${T.typeReprStr(value.type)}`,
        range,
      );
    }
  }
  def.mergedReturn = declared;
  if (declared.kind === "Any" && value.type.kind !== "Any") value = insertUncheckedCast(e.graph, value, declared);
  e.graph.insertNode(e.graph.create("prim::ReturnStmt", [value], 0));
  e.exitBlocks.add(e.env.block);
}

/** `raise value`. */
function emitRaise(e: EmitContext, tree: Expr, range: SourceRange): void {
  const meaning = e.parts.sugared(e, tree, 1);
  let message: Value;
  let className: Value | undefined;
  if (meaning instanceof ExceptionMessageValue) {
    message = meaning.value;
    className = meaning.className;
  } else if (meaning instanceof ExceptionValue) message = insertConstant(e.graph, "", T.StringT, range);
  else throw new ScriptError("exceptions must derive from BaseException", range);
  if (!T.isSubtypeOf(message.type, T.StringT)) message = insertOp(e.graph, "aten::str", [message]);
  const cls = className ? NamedValue.of(className) : NamedValue.constant(null, T.NoneT);
  emitBuiltinCall(range, e.graph, "prim::RaiseException", [NamedValue.of(message), cls]);
  e.exitBlocks.add(e.env.block);
}

/** `assert test, message`: an if that raises. */
function emitAssert(e: EmitContext, stmt: Stmt & { kind: "Assert" }): void {
  const { range } = stmt;
  const condition = emitCondition(e, stmt.test);
  const message: Expr = stmt.message ?? { kind: "String", value: "", range };
  const callee: Expr = { kind: "Var", name: { name: "AssertionError", range }, range };
  const raise: Stmt = { kind: "Raise", value: { kind: "Apply", callee, args: [message], kwargs: [], range }, range };
  emitIfElse(e, range, condition, [], [raise]);
}

/** `with a as b:`. */
function emitWith(e: EmitContext, stmt: Stmt & { kind: "With" }): void {
  const { graph } = e;
  const entered: Value[] = [];
  for (const item of stmt.items) {
    const { range } = item.value;
    const object = e.parts.expr(e, item.value);
    const node = graph.insertNode(graph.create("prim::Enter", [object]));
    entered.push(object);
    const cls = object.type;
    if (cls.kind !== "Class") throw new ScriptError("With item expression must return an object", range);
    const enter = cls.findMethod("__enter__");
    const exit = cls.findMethod("__exit__");
    if (!enter || !exit)
      throw new ScriptError(
        "Object returned by with item expression does not define __enter__ and __exit__ methods",
        range,
      );
    if (enter.schema.args.length !== 1)
      throw new ScriptError("__enter__ must have only one argument and one return value", range);
    if (exit.schema.args.length !== 4) throw new ScriptError("__exit__ must have four arguments", range);
    exit.schema.args.forEach((arg, i) => {
      if (i > 0 && arg.type.kind !== "Any") {
        throw new ScriptError(
          `argument ${i} of __exit__ must have Any type; TorchScript does not currently support passing exception type, value, or traceback to the __exit__ function.`,
          range,
        );
      }
    });
    node.output.setType(enter.schema.returns[0]!.type);
    const { target } = item;
    if (target?.kind === "Var") e.env.setVar(target.range, target.name.name, node.output);
    else if (target) throw new ScriptError("expected an identifier behind as", target.range);
  }
  e.parts.statements(e, stmt.body);
  for (const object of entered.reverse()) {
    const node = graph.insertNode(graph.create("prim::Exit"));
    node.addInput(object);
  }
}
