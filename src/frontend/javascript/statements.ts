/** @file JavaScript statements to TorchScript's. Upstream: none (torch/jit/frontend.py StmtBuilder). Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import type { Expr, Stmt } from "../ast.ts";
import { lowerSubscript } from "./calls.ts";
import { isNull, isPackagePath, lowerCondition, lowerExpr, propertyKey } from "./expressions.ts";
import { lowerDoWhile, lowerFor, lowerForOf, lowerWhile } from "./loops.ts";
import { bare, dottedPath, someNode, type Lowering } from "./lowering.ts";
import { containerOfType, lowerType } from "./types.ts";

/** Names that a pattern binds. */
function* boundNames(node: B.Node): Generator<B.Identifier> {
  switch (node.type) {
    case "Identifier":
      yield node;
      return;
    case "ArrayPattern":
      for (const element of node.elements) if (element) yield* boundNames(element);
      return;
    case "ObjectPattern":
      for (const property of node.properties)
        yield* boundNames(property.type === "RestElement" ? property.argument : property.value);
      return;
    case "RestElement":
      yield* boundNames(node.argument);
      return;
    case "AssignmentPattern":
      yield* boundNames(node.left);
      return;
    default:
      return;
  }
}

/** Declares what a statement list declares: names are those of the block from its start. */
function declareBlock(c: Lowering, nodes: readonly B.Statement[]): void {
  for (const node of nodes) {
    if (node.type !== "VariableDeclaration") continue;
    for (const declarator of node.declarations) {
      for (const name of boundNames(declarator.id)) {
        const binding = c.declare(name.name, {
          constant: node.kind === "const",
          initialized: declarator.init !== null && declarator.init !== undefined,
        });
        binding.container = containerOfDeclarator(declarator);
        binding.isFresh =
          node.kind === "const" && declarator.id.type === "Identifier" && isArrayLiteral(declarator.init ?? undefined);
      }
    }
  }
}

function isArrayLiteral(node: B.Node | undefined): boolean {
  return node !== undefined && bare(node).type === "ArrayExpression";
}

function containerOfDeclarator(node: B.VariableDeclarator): "record" | "map" | undefined {
  if (node.id.type !== "Identifier") return undefined;
  if (node.id.typeAnnotation) {
    const annotated = containerOfType(node.id.typeAnnotation);
    if (annotated) return annotated;
  }
  const init = node.init ? bare(node.init) : undefined;
  if (init?.type === "ObjectExpression") return "record";
  return init?.type === "NewExpression" && init.callee.type === "Identifier" && init.callee.name === "Map"
    ? "map"
    : undefined;
}

/** Statements in a scope of their own. */
export function lowerBlock(c: Lowering, nodes: readonly B.Statement[]): Stmt[] {
  return c.inScope(() => lowerStatements(c, nodes));
}

/** Statements in the current scope. */
export function lowerStatements(c: Lowering, nodes: readonly B.Statement[]): Stmt[] {
  declareBlock(c, nodes);
  return nodes.flatMap((node) => lowerStatement(c, node));
}

/** A body: a block or one statement. */
function lowerBody(c: Lowering, node: B.Statement): Stmt[] {
  return node.type === "BlockStatement" ? lowerBlock(c, node.body) : lowerBlock(c, [node]);
}

/** A statement; several where TorchScript says it in several. */
function lowerStatement(c: Lowering, node: B.Statement): Stmt[] {
  const range = c.range(node);
  switch (node.type) {
    case "EmptyStatement":
      return [];
    case "ExpressionStatement":
      return lowerExpressionStatement(c, node.expression);
    case "VariableDeclaration":
      return lowerDeclaration(c, node);
    case "ReturnStatement": {
      if (!node.argument) return [{ kind: "Return", value: { kind: "None", range }, range }];
      const value = c.parts.expr(c, node.argument, c.returnsList ? "list" : "tuple");
      return [{ kind: "Return", value, range }];
    }
    case "IfStatement":
      return [
        {
          kind: "If",
          condition: lowerCondition(c, node.test),
          then: lowerBody(c, node.consequent),
          otherwise: node.alternate ? lowerBody(c, node.alternate) : [],
          range,
        },
      ];
    case "BlockStatement":
      return lowerBlock(c, node.body);
    case "ForStatement":
      return lowerFor(c, node);
    case "ForOfStatement":
      return lowerForOf(c, node);
    case "WhileStatement":
      return lowerWhile(c, node);
    case "DoWhileStatement":
      return lowerDoWhile(c, node);
    case "BreakStatement":
      if (node.label) c.refuse(node, "Labels are not compiled; use a variable that says to stop");
      return [{ kind: "Break", range }];
    case "ContinueStatement":
      if (node.label) c.refuse(node, "Labels are not compiled; use a variable that says to go on");
      return [...(c.loops.at(-1)?.beforeContinue() ?? []), { kind: "Continue", range }];
    case "ThrowStatement": {
      const value = bare(node.argument);
      if (value.type !== "NewExpression") c.refuse(node, 'Throw a new error: throw new Error("what is wrong")');
      return [{ kind: "Raise", value: lowerExpr(c, value), range }];
    }
    case "SwitchStatement":
      return lowerSwitch(c, node);
    case "ForInStatement":
      return c.refuse(
        node,
        "`for..in` runs over property names; write for (const [key, value] of map) or for (const x of list)",
      );
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return c.refuse(node, "Functions and classes inside a function are not compiled; declare them beside it");
    case "TryStatement":
      return c.refuse(node, "TorchScript catches no exceptions; check before instead");
    case "LabeledStatement":
      return c.refuse(node, "Labels are not compiled; use a variable that says to stop");
    case "TSTypeAliasDeclaration":
    case "TSInterfaceDeclaration":
      return [];
    default:
      return c.refuse(node, `${node.type} is not compiled; see docs/scripting.md for what is`);
  }
}

const COMPOUND = new Set(["+=", "-=", "*=", "/=", "**=", "%="]);

function lowerExpressionStatement(c: Lowering, node: B.Expression): Stmt[] {
  const range = c.range(node);
  switch (node.type) {
    case "AssignmentExpression":
      return lowerAssignment(c, node);
    case "UpdateExpression": {
      const value = c.int(1, node);
      return compound(c, node, node.argument, node.operator === "++" ? "+" : "-", value);
    }
    case "CallExpression": {
      c.statementCall = node;
      const path = dottedPath(node.callee);
      if (path && isPackagePath(c, path, "jit", ["assert"])) {
        const [test, message] = node.arguments;
        if (!test || node.arguments.length > 2) c.refuse(node, "jit.assert takes a condition and a message");
        const told = message ? c.form("text", [lowerExpr(c, message)], message) : undefined;
        return [{ kind: "Assert", test: lowerCondition(c, test!), message: told, range }];
      }
      const pushed = lowerPushes(c, node);
      if (pushed) return pushed;
      const deleted = lowerDelete(c, node);
      if (deleted) return deleted;
      break;
    }
    default:
  }
  return [{ kind: "ExprStmt", expr: lowerExpr(c, node), range }];
}

/** The object and arguments of `object.name(...)`. */
function methodCall(node: B.CallExpression, name: string): B.Expression | undefined {
  const { callee } = node;
  if (callee.type !== "MemberExpression" || callee.computed || callee.property.type !== "Identifier") return undefined;
  return callee.property.name === name && callee.object.type !== "Super" ? callee.object : undefined;
}

/** `xs.push(a, b)`: two appends. */
function lowerPushes(c: Lowering, node: B.CallExpression): Stmt[] | undefined {
  if (!methodCall(node, "push") || node.arguments.length < 2) return undefined;
  return node.arguments.map((argument) => {
    const one = { ...node, arguments: [argument] };
    c.statementCall = one;
    const expr = c.parts.call(c, one, false);
    return { kind: "ExprStmt", expr, range: c.range(node) };
  });
}

/** `map.set(k, v)`, `map.delete(k)`: statements in TorchScript. */
function lowerDelete(c: Lowering, node: B.CallExpression): Stmt[] | undefined {
  const range = c.range(node);
  const [first, second] = node.arguments;
  const set = methodCall(node, "set");
  if (set && first && second && node.arguments.length === 2) {
    const indices = first.type === "ArrayExpression" ? first.elements.map((x) => x ?? first) : [first];
    const target = lowerSubscript(c, node, set, "set", indices);
    return [{ kind: "Assign", targets: [target], value: c.parts.expr(c, second), annotation: undefined, range }];
  }
  const deleted = methodCall(node, "delete");
  if (deleted && first && node.arguments.length === 1) {
    const target = lowerSubscript(c, node, deleted, "delete", [first]);
    return [{ kind: "Delete", targets: [target], range }];
  }
  return undefined;
}

function subscript(c: Lowering, value: Expr, index: Expr, node: B.Node): Expr {
  return { kind: "Subscript", value, indices: [index], range: c.range(node) };
}

/** `target op= value`. */
function compound(c: Lowering, node: B.Node, target: B.Node, op: string, value: Expr): Stmt[] {
  const range = c.range(node);
  checkAssignable(c, target);
  const place = lowerExpr(c, target);
  if (place.kind === "Subscript") {
    if (op === "%") c.refuse(node, "Write the assignment out: a[i] = jit.mod(a[i], n)");
    const checked: Expr = { ...place, value: c.form(`numbers${op}`, [place.value], target) };
    return [{ kind: "AugAssign", target: checked, op: op as "+", value: c.form("operand", [value], node), range }];
  }
  if (place.kind === "Apply") return assignMember(c, node, target, c.form(op, [place, value], node));
  return [{ kind: "Assign", targets: [place], value: c.form(op, [place, value], node), annotation: undefined, range }];
}

function checkAssignable(c: Lowering, target: B.Node): void {
  const inner = bare(target);
  if (inner.type === "Identifier") {
    const binding = c.scope.find(inner.name);
    if (!binding)
      c.refuse(
        inner,
        `${inner.name} is declared outside of the function, which compiled code cannot assign; keep it in a field of the module`,
      );
    if (binding!.constant) c.refuse(inner, `${inner.name} is a constant; declare it with let`);
  }
}

function lowerAssignment(c: Lowering, node: B.AssignmentExpression): Stmt[] {
  const range = c.range(node);
  const { operator, left, right } = node;
  if (operator === "??=") {
    checkAssignable(c, left);
    const place = lowerExpr(c, left);
    const condition: Expr = { kind: "Binary", op: "is", left: place, right: { kind: "None", range }, range };
    const assign: Stmt = { kind: "Assign", targets: [place], value: lowerExpr(c, right), annotation: undefined, range };
    return [{ kind: "If", condition, then: [assign], otherwise: [], range }];
  }
  if (operator !== "=") {
    if (!COMPOUND.has(operator)) c.refuse(node, `\`${operator}\` is not compiled; write the assignment out`);
    return compound(c, node, left, operator.slice(0, -1), lowerExpr(c, right));
  }
  // a = b = value
  const targets: B.Node[] = [left];
  let value: B.Expression = right;
  while (value.type === "AssignmentExpression" && value.operator === "=") {
    targets.push(value.left);
    value = value.right;
  }
  if (targets.length > 1) {
    for (const target of targets)
      if (bare(target).type !== "Identifier") c.refuse(target, "Assign to several places one by one");
    for (const target of targets) checkAssignable(c, target);
    return [
      {
        kind: "Assign",
        // JavaScript assigns the last first; of plain variables the order does not show
        targets: targets.map((t) => lowerExpr(c, t)),
        value: lowerExpr(c, value),
        annotation: undefined,
        range,
      },
    ];
  }
  if (left.type === "ObjectPattern" || left.type === "ArrayPattern") {
    for (const name of boundNames(left)) checkAssignable(c, name);
    return destructure(c, left, value, node, undefined);
  }
  checkAssignable(c, left);
  const assigned = lowerExpr(c, value);
  if (left.type === "MemberExpression" && !left.computed && left.object.type !== "ThisExpression")
    return assignMember(c, node, left, assigned);
  return [{ kind: "Assign", targets: [lowerExpr(c, left)], value: assigned, annotation: undefined, range }];
}

/** `record.key = value`, `this.sub.field = value`. */
function assignMember(c: Lowering, node: B.Node, target: B.Node, value: Expr): Stmt[] {
  const range = c.range(node);
  if (target.type !== "MemberExpression" || target.property.type !== "Identifier") {
    return c.refuse(target, "Only variables, fields, elements and records' entries can be assigned");
  }
  const { object, property } = target;
  const inner = bare(object);
  const binding = inner.type === "Identifier" ? c.scope.find(inner.name) : undefined;
  if (binding) {
    if (binding.container !== "record")
      c.refuse(
        target,
        `Only records that are made here have properties to assign; write map.set("${property.name}", value) for a Map`,
      );
    const place = subscript(
      c,
      c.form("indexable", [lowerExpr(c, object)], object),
      c.string(property.name, property),
      target,
    );
    return [{ kind: "Assign", targets: [place], value, annotation: undefined, range }];
  }
  const place = c.select(lowerExpr(c, object), property.name, target);
  return [{ kind: "Assign", targets: [place], value, annotation: undefined, range }];
}

function lowerDeclaration(c: Lowering, node: B.VariableDeclaration): Stmt[] {
  if (node.kind === "var") c.refuse(node, "`var` is hoisted out of its block; write let or const");
  if (node.kind !== "let" && node.kind !== "const") c.refuse(node, `\`${node.kind}\` is not compiled; write const`);
  return node.declarations.flatMap((declarator) => {
    const { id, init } = declarator;
    // the first assignment declares
    if (!init) return [];
    const type = "typeAnnotation" in id && id.typeAnnotation ? id.typeAnnotation : undefined;
    return destructure(c, id, init, declarator, type ?? undefined);
  });
}

/** Whether a value says nothing of its type. */
function isEmpty(node: B.Node): boolean {
  const inner = bare(node);
  if (inner.type === "ArrayExpression") return inner.elements.length === 0;
  if (inner.type === "ObjectExpression") return inner.properties.length === 0;
  return isNull(inner) || (inner.type === "NewExpression" && inner.arguments.length === 0);
}

/** Whether a value has no type of its own, so that an annotation is needed and used. */
function isOpen(node: B.Node): boolean {
  const inner = bare(node);
  if (isNull(inner)) return true;
  if (inner.type === "ArrayExpression") return true;
  if (inner.type === "ObjectExpression") return true;
  if (inner.type === "NewExpression") return true;
  if (inner.type === "LogicalExpression" && inner.operator === "??") return isOpen(inner.right);
  if (inner.type === "ConditionalExpression" && (isOpen(inner.consequent) || isOpen(inner.alternate))) return true;
  return someNode(inner, (n) => n.type === "NullLiteral");
}

/** `const PATTERN = value`, or an assignment of one. */
function destructure(c: Lowering, id: B.Node, value: B.Expression, node: B.Node, type: B.Node | undefined): Stmt[] {
  const range = c.range(node);
  if (id.type === "ObjectPattern") return destructureObject(c, id, value, node);
  const toPattern = id.type === "ArrayPattern";
  const target = c.parts.pattern(c, id);
  if (type && isNumberType(type) && isEmpty(value))
    c.refuse(
      type,
      '`number` says neither int nor float; write int[] or float[] (types of tsarchive), or jit.annotate("List[int]", [])',
    );
  // a value with a type of its own keeps it; what is null, empty or a pair takes the annotation's
  const annotation = type && !isNumberType(type) && annotates(c, type, value) ? lowerType(c, type) : undefined;
  const lowered = c.parts.expr(c, value, toPattern ? "tuple" : "list");
  return [{ kind: "Assign", targets: [target], value: lowered, annotation, range }];
}

/** Whether an annotation adds something: unions with null, and values that are open. */
function annotates(c: Lowering, type: B.Node, value: B.Node): boolean {
  const inner = type.type === "TSTypeAnnotation" ? type.typeAnnotation : type;
  return isOpen(value) || (inner.type === "TSUnionType" && inner.types.some((t) => t.type === "TSNullKeyword"));
}

function isNumberType(type: B.Node): boolean {
  return someNode(type, (n) => n.type === "TSNumberKeyword");
}

/** `const { a, b: c } = value`: one assignment each. */
function destructureObject(c: Lowering, id: B.ObjectPattern, value: B.Expression, node: B.Node): Stmt[] {
  const out: Stmt[] = [];
  const range = c.range(node);
  const simple = bare(value);
  let from: Expr;
  let container: Expr[] = [];
  if (simple.type === "ThisExpression" || (simple.type === "Identifier" && c.scope.find(simple.name))) {
    from = lowerExpr(c, simple);
    const made = simple.type === "Identifier" ? c.scope.find(simple.name)!.container : undefined;
    if (made) container = [c.string(made, value)];
  } else {
    from = c.temp(value);
    out.push({ kind: "Assign", targets: [from], value: lowerExpr(c, value), annotation: undefined, range });
  }
  for (const property of id.properties) {
    if (property.type === "RestElement")
      c.refuse(property, "`...rest` of an object is not compiled; name the properties");
    const { value: target } = property as B.ObjectProperty;
    if (target.type === "AssignmentPattern") c.refuse(target, "Defaults in a pattern are not compiled; use `??`");
    const key = propertyKey(c, property as B.ObjectProperty);
    const read =
      simple.type === "ThisExpression"
        ? c.select(from, key, property)
        : c.form("member", [from, c.string(key, property), ...container], property);
    out.push({
      kind: "Assign",
      targets: [c.parts.pattern(c, target)],
      value: read,
      annotation: undefined,
      range: c.range(property),
    });
  }
  return out;
}

/** A pattern as the target of an assignment; declares the names that are not yet. */
export function lowerPattern(c: Lowering, node: B.Node): Expr {
  switch (node.type) {
    case "Identifier": {
      if (!c.scope.find(node.name)) c.declare(node.name, { constant: true, initialized: true });
      return c.variable(c.scope.find(node.name)!.emitted, node);
    }
    case "ArrayPattern": {
      const elements = node.elements.map((element, i): Expr => {
        if (element === null) return c.variable("_", node);
        if (element.type === "RestElement") {
          if (i !== node.elements.length - 1) c.refuse(element, "`...rest` comes last");
          return { kind: "Starred", value: lowerPattern(c, element.argument), range: c.range(element) };
        }
        if (element.type === "AssignmentPattern")
          c.refuse(element, "Defaults in a pattern are not compiled; use `??` in a statement of its own");
        return lowerPattern(c, element);
      });
      return { kind: "Tuple", elements, takesFirst: true, range: c.range(node) };
    }
    case "MemberExpression":
      return lowerExpr(c, node);
    default:
      return c.refuse(node, "This pattern is not compiled here; assign the parts in statements of their own");
  }
}

/** `switch`: a chain of ifs, as long as every case ends by itself. */
function lowerSwitch(c: Lowering, node: B.SwitchStatement): Stmt[] {
  const range = c.range(node);
  const out: Stmt[] = [];
  let on = lowerExpr(c, node.discriminant);
  if (on.kind !== "Var") {
    const temp = c.temp(node.discriminant);
    out.push({ kind: "Assign", targets: [temp], value: on, annotation: undefined, range });
    on = temp;
  }
  const chain = (index: number, tests: Expr[]): Stmt[] => {
    const branch = node.cases[index];
    if (!branch) return [];
    const isLast = index === node.cases.length - 1;
    if (!branch.test && !isLast) c.refuse(branch, "`default` comes last");
    const own = branch.test ? [...tests, c.form("===", [on, lowerExpr(c, branch.test)], branch.test)] : tests;
    if (branch.test && branch.consequent.length === 0 && !isLast) return chain(index + 1, own);
    const body = branch.consequent.flatMap((s) => (s.type === "BlockStatement" ? s.body : [s]));
    const last = body.at(-1);
    const ends =
      last && ["BreakStatement", "ReturnStatement", "ThrowStatement", "ContinueStatement"].includes(last.type);
    if (!ends && !isLast)
      c.refuse(branch, "A case that runs into the next is not compiled; end it with break or return");
    const statements = last?.type === "BreakStatement" ? body.slice(0, -1) : body;
    for (const s of statements)
      if (
        someNode(
          s,
          (n) => n.type === "BreakStatement",
          (n) => !/^(For|While|DoWhile|Switch)/.test(n.type),
        )
      )
        c.refuse(s, "`break` in the middle of a case is not compiled; use if");
    const then = lowerBlock(c, statements);
    if (!branch.test) return then;
    const condition = own.reduce((left, right): Expr => ({
      kind: "Binary",
      op: "or",
      left,
      right,
      range: c.range(branch),
    }));
    return [{ kind: "If", condition, then, otherwise: chain(index + 1, []), range: c.range(branch) }];
  };
  return [...out, ...chain(0, [])];
}
