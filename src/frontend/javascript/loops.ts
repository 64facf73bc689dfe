/** @file JavaScript loops: counted ones become `range`, the others `while`. Upstream: none (torch/jit/frontend.py build_For). Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import type { Expr, Stmt } from "../ast.ts";
import { lowerCondition, lowerExpr } from "./expressions.ts";
import { bare, someNode, type Lowering } from "./lowering.ts";

/** Methods that change the length of a list. */
const RESIZING = new Set(["push", "pop", "shift", "unshift", "splice", "clear", "delete", "set"]);

/** Whether code assigns a variable. */
function assigns(node: B.Node, name: string): boolean {
  return someNode(node, (n) => {
    if (n.type === "UpdateExpression") return n.argument.type === "Identifier" && n.argument.name === name;
    if (n.type !== "AssignmentExpression") return false;
    return someNode(
      n.left,
      (x) => x.type === "Identifier" && x.name === name,
      (x) => x.type !== "MemberExpression",
    );
  });
}

/** In-place methods of tensors that change their sizes. */
const RESHAPING = /^(?:resize|resize_as|squeeze|unsqueeze|t|transpose|swapaxes|swapdims|set|unflatten)_$/;

/** Whether code changes the sizes of some tensor. */
function reshapes(node: B.Node): boolean {
  return someNode(
    node,
    (n) =>
      n.type === "CallExpression" &&
      n.callee.type === "MemberExpression" &&
      n.callee.property.type === "Identifier" &&
      RESHAPING.test(n.callee.property.name),
  );
}

/** Whether code may change the length of the list that a name means. */
function resizes(c: Lowering, node: B.Node, list: string | undefined): boolean {
  const own = list === undefined ? undefined : c.scope.find(list);
  /** Another list than that: an array literal's own name, where the list is not made from a name. */
  const isOther = (receiver: B.Node): boolean => {
    if (receiver.type !== "Identifier" || list === undefined || receiver.name === list) return false;
    const other = c.scope.find(receiver.name);
    return other?.isFresh === true && own !== undefined && (own.isFresh || own.isParameter) && !c.assigned.has(list);
  };
  return someNode(node, (n) => {
    if (n.type === "AssignmentExpression") return n.left.type === "MemberExpression" && !n.left.computed;
    if (n.type === "UpdateExpression") return n.argument.type === "MemberExpression" && !n.argument.computed;
    if (n.type !== "CallExpression" || n.callee.type !== "MemberExpression") return false;
    const { property, object } = n.callee;
    if (property.type !== "Identifier" || !RESIZING.has(property.name)) return false;
    return !isOther(bare(object));
  });
}

/** Whether code calls something that could change a list it is given, or a field. */
function callsOut(node: B.Node): boolean {
  return someNode(
    node,
    (n) =>
      n.type === "CallExpression" && n.callee.type === "MemberExpression" && n.callee.object.type === "ThisExpression",
  );
}

/** Properties and methods that only the sizes of a tensor decide. */
const SIZES = new Set(["shape", "sizes", "ndim", "numel", "size", "dim"]);
const PURE_MATH = new Set(["floor", "ceil", "trunc", "min", "max", "abs"]);

/** Whether an expression has the same value in every iteration: `range` looks at it once, JavaScript each time. */
function isInvariant(c: Lowering, node: B.Node, body: B.Node): boolean {
  const inner = bare(node);
  /** What a property or method is asked of, which must mean the same all the time. */
  const objectStays = (object: B.Node): boolean => {
    const value = bare(object);
    if (value.type === "ThisExpression") return true;
    return value.type === "Identifier" ? !assigns(body, value.name) : isInvariant(c, value, body);
  };
  switch (inner.type) {
    case "NumericLiteral":
      return true;
    case "Identifier":
      return !assigns(body, inner.name);
    case "TSNonNullExpression":
      return isInvariant(c, inner.expression, body);
    case "BinaryExpression":
      return isInvariant(c, inner.left, body) && isInvariant(c, inner.right, body);
    case "UnaryExpression":
      return isInvariant(c, inner.argument, body);
    case "MemberExpression": {
      const object = bare(inner.object);
      if (inner.computed) {
        const ofSizes =
          object.type === "MemberExpression" &&
          object.property.type === "Identifier" &&
          SIZES.has(object.property.name);
        if (!isInvariant(c, object, body) || !isInvariant(c, inner.property, body)) return false;
        return ofSizes || !resizes(c, body, undefined);
      }
      if (inner.property.type !== "Identifier" || !objectStays(object)) return false;
      if (object.type === "ThisExpression") return !resizes(c, body, undefined) && !callsOut(body);
      if (SIZES.has(inner.property.name)) return !reshapes(body);
      return (
        !resizes(c, body, object.type === "Identifier" ? object.name : undefined) &&
        (object.type === "Identifier" || !callsOut(body))
      );
    }
    case "CallExpression": {
      const { callee } = inner;
      if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
      if (!inner.arguments.every((a) => isInvariant(c, a, body))) return false;
      const { name } = callee.property;
      if (callee.object.type === "Identifier" && callee.object.name === "Math") return PURE_MATH.has(name);
      return SIZES.has(name) && objectStays(callee.object) && !reshapes(body);
    }
    default:
      return false;
  }
}

/** The step of `i++`, `i += 2`, `i -= k`. */
function stepOf(
  c: Lowering,
  update: B.Node | null | undefined,
  name: string,
): { step: Expr; sign: 1 | -1; node: B.Node } | undefined {
  if (update?.type === "UpdateExpression" && update.argument.type === "Identifier" && update.argument.name === name) {
    const one = c.int(1, update);
    if (update.operator === "++") return { step: one, sign: 1, node: update };
    return { step: { kind: "Unary", op: "-", operand: one, range: c.range(update) }, sign: -1, node: update };
  }
  if (
    update?.type === "AssignmentExpression" &&
    update.left.type === "Identifier" &&
    update.left.name === name &&
    (update.operator === "+=" || update.operator === "-=")
  ) {
    // the sign must be known, which only a literal tells
    if (update.right.type !== "NumericLiteral" || !/^\d+$/.test(String(update.right.extra?.["raw"]))) return undefined;
    const step = lowerExpr(c, update.right);
    if (update.operator === "+=") return { step, sign: 1, node: update };
    return { step: { kind: "Unary", op: "-", operand: step, range: c.range(update) }, sign: -1, node: update };
  }
  return undefined;
}

/** A bound one further, as `range` leaves its end out. */
function next(c: Lowering, bound: Expr, sign: 1 | -1, node: B.Node): Expr {
  const range = c.range(node);
  if (bound.kind === "Number" && /^\d+$/.test(bound.text)) {
    const value = Number(bound.text) + sign;
    if (value >= 0) return c.int(value, node);
    return { kind: "Unary", op: "-", operand: c.int(-value, node), range };
  }
  // bound - 1 + 1
  return c.form(sign > 0 ? "+" : "-", [bound, c.int(1, node)], node);
}

/** `for (let i = a; i < b; i += s)` as `for i in range(a, b, s)`, or undefined where it is none. */
function countedLoop(c: Lowering, node: B.ForStatement): { target: B.Identifier; iter: Expr } | undefined {
  const { init, test, update, body } = node;
  if (init?.type !== "VariableDeclaration" || init.declarations.length !== 1) return undefined;
  const { id, init: start } = init.declarations[0]!;
  if (id.type !== "Identifier" || !start || test?.type !== "BinaryExpression") return undefined;
  const { name } = id;
  if (test.left.type !== "Identifier" || test.left.name !== name || assigns(body, name)) return undefined;
  const end = test.right;
  if (end.type === "Identifier" && end.name === name) return undefined;
  if (!isInvariant(c, end, body)) return undefined;
  if (bare(start).type === "NumericLiteral" && !/^\d+$/.test(String(bare(start).extra?.["raw"]))) return undefined;
  const found = stepOf(c, update, name);
  if (!found) return undefined;
  const { sign } = found;
  const rising = test.operator === "<" || test.operator === "<=";
  if (!rising && test.operator !== ">" && test.operator !== ">=") return undefined;
  if (rising !== sign > 0) return undefined;
  const bound = lowerExpr(c, end);
  const stop = test.operator.endsWith("=") ? next(c, bound, sign, end) : bound;
  const first = lowerExpr(c, start);
  const isOne = found.step.kind === "Number" && found.step.text === "1";
  const startsAtZero = first.kind === "Number" && first.text === "0";
  const args = isOne ? (startsAtZero ? [stop] : [first, stop]) : [first, stop, found.step];
  return { target: id, iter: c.form("range", args, test) };
}

/** The body of a loop; `before` stands before each `continue` of it. */
function loopBody(c: Lowering, node: B.Statement, before: () => Stmt[] = () => []): Stmt[] {
  c.loops.push({ beforeContinue: before });
  try {
    return c.parts.block(c, node.type === "BlockStatement" ? node.body : [node]);
  } finally {
    c.loops.pop();
  }
}

/** `for (init; test; update) body`. */
export function lowerFor(c: Lowering, node: B.ForStatement): Stmt[] {
  return c.inScope(() => {
    const range = c.range(node);
    const counted = countedLoop(c, node);
    if (counted) {
      const target = declaredPattern(c, counted.target, true);
      return [{ kind: "For", targets: [target], iters: [counted.iter], body: loopBody(c, node.body), range }];
    }
    const { init, test, update } = node;
    const wrap = (x: B.Expression): B.Statement =>
      ({ type: "ExpressionStatement", expression: x, start: x.start, end: x.end }) as B.ExpressionStatement;
    const statement = (x: B.Node): Stmt[] =>
      c.parts.block(c, [x.type === "VariableDeclaration" ? x : wrap(x as B.Expression)]);
    let before: Stmt[] = [];
    if (init?.type === "VariableDeclaration") {
      // in this scope: the body sees it
      before = declared(c, init);
    } else if (init) before = statement(init);
    const step = (): Stmt[] => (update ? statement(update) : []);
    const condition: Expr = test ? lowerCondition(c, test) : { kind: "True", range };
    const body = loopBody(c, node.body, step);
    return [...before, { kind: "While", condition, body: [...body, ...step()], range }];
  });
}

/** The variables of `for (let a = 0, b = 1; ...)`. */
function declared(c: Lowering, init: B.VariableDeclaration): Stmt[] {
  if (init.kind === "var") c.refuse(init, "`var` is hoisted out of its block; write let or const");
  return init.declarations.map((declarator): Stmt => {
    if (declarator.id.type !== "Identifier" || !declarator.init)
      return c.refuse(declarator, "The variables of a loop are declared with a value each");
    const value = lowerExpr(c, declarator.init);
    c.declare(declarator.id.name, { constant: false, initialized: true });
    return {
      kind: "Assign",
      targets: [c.parts.pattern(c, declarator.id)],
      value,
      annotation: undefined,
      range: c.range(declarator),
    };
  });
}

/** `for (const x of xs)`. */
export function lowerForOf(c: Lowering, node: B.ForOfStatement): Stmt[] {
  if (node.await) c.refuse(node, "`for await` is not compiled; await outside, in jit.ignore'd methods");
  const over = bare(node.right);
  const list = over.type === "Identifier" ? over.name : undefined;
  if (list !== undefined && changesList(node.body, list))
    c.refuse(
      node,
      `The loop changes ${list} while it runs over it: JavaScript sees that, TorchScript does not; loop over [...${list}]`,
    );
  const iter = c.form("elements", [lowerExpr(c, node.right)], node.right);
  return c.inScope(() => {
    const { left } = node;
    if (left.type === "VariableDeclaration" && left.kind === "var")
      c.refuse(left, "`var` is hoisted out of its block; write let or const");
    const pattern = left.type === "VariableDeclaration" ? left.declarations[0]!.id : left;
    if (left.type !== "VariableDeclaration" && left.type === "Identifier" && !c.scope.find(left.name))
      c.refuse(left, "Declare the variable of the loop: for (const x of xs)");
    const target =
      left.type === "VariableDeclaration"
        ? declaredPattern(c, pattern, left.kind === "const")
        : c.parts.pattern(c, pattern);
    return [{ kind: "For", targets: [target], iters: [iter], body: loopBody(c, node.body), range: c.range(node) }];
  });
}

/** A pattern whose names are new in this scope. */
function declaredPattern(c: Lowering, node: B.Node, constant: boolean): Expr {
  c.declarePattern(node, constant);
  return c.parts.pattern(c, node);
}

function changesList(body: B.Node, list: string): boolean {
  return someNode(
    body,
    (n) =>
      n.type === "CallExpression" &&
      n.callee.type === "MemberExpression" &&
      n.callee.property.type === "Identifier" &&
      RESIZING.has(n.callee.property.name) &&
      bare(n.callee.object).type === "Identifier" &&
      (bare(n.callee.object) as B.Identifier).name === list,
  );
}

/** `while (condition) body`. */
export function lowerWhile(c: Lowering, node: B.WhileStatement): Stmt[] {
  const condition = lowerCondition(c, node.test);
  return [{ kind: "While", condition, body: loopBody(c, node.body), range: c.range(node) }];
}

/** `do body while (condition)`: a loop that ends itself. */
export function lowerDoWhile(c: Lowering, node: B.DoWhileStatement): Stmt[] {
  const range = c.range(node);
  const stop = (): Stmt => ({
    kind: "If",
    condition: { kind: "Unary", op: "not", operand: lowerCondition(c, node.test), range: c.range(node.test) },
    then: [{ kind: "Break", range }],
    otherwise: [],
    range: c.range(node.test),
  });
  const body = loopBody(c, node.body, () => c.refuse(node, "`continue` in do..while is not compiled; use while"));
  return [{ kind: "While", condition: { kind: "True", range }, body: [...body, stop()], range }];
}
