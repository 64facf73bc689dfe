/** @file Arrays as defaults: JavaScript makes one at every call, compiled code keeps one. Upstream: torch/jit/frontend.py (its refusal of mutable defaults). Spec: docs/scripting.md. */
import type * as B from "@babel/types";
import { Tensor } from "../../tensor/tensor.ts";
import { bare, childNodes, dottedPath, type FreeNames } from "./lowering.ts";

/** Methods of arrays that neither change the array nor give it away. */
const READS = new Set(["at", "slice", "concat", "includes", "map", "keys", "values", "entries"]);

/** Packages whose functions read the arrays that they are given. */
const PACKAGES = new Set(["torch", "nn.functional", "torch.nn.functional"]);

/** Whether an operator is called, `torch.sum(x, dims)` or `x.permute(dims)`: operators only read arrays. */
function isOperatorCall(callee: B.Node, names: FreeNames): boolean {
  const path = dottedPath(callee);
  const method = path?.pop();
  const root = path?.shift();
  if (root !== undefined && PACKAGES.has([names.packageOf(root), ...path!].join("."))) return true;
  // modules may have methods of any name
  if (root === "this" || callee.type !== "MemberExpression") return false;
  return method !== undefined && method in Tensor.prototype && !(method in Array.prototype || method in Map.prototype);
}

/** Whether the last node of a path, which stands for the array, is only read there. */
function isRead(path: readonly B.Node[], names: FreeNames): boolean {
  let depth = path.length - 1;
  // `dims as int[]` is `dims`
  while (depth > 0 && bare(path[depth - 1]!) === path.at(-1)) depth--;
  const node = path[depth]!;
  const [parent, grandparent] = [path[depth - 1], path[depth - 2]];
  switch (parent?.type) {
    case "MemberExpression": {
      if (parent.object !== node) return !parent.computed;
      if (!parent.computed && parent.property.type === "Identifier" && READS.has(parent.property.name))
        return grandparent?.type === "CallExpression" && grandparent.callee === parent;
      if (!parent.computed) return parent.property.type === "Identifier" && parent.property.name === "length";
      return !isWritten(parent, grandparent);
    }
    case "ObjectProperty":
      return parent.key === node && !parent.computed && !parent.shorthand;
    case "ForOfStatement":
      return parent.right === node;
    case "SpreadElement":
      return grandparent?.type === "ArrayExpression";
    case "AssignmentExpression":
      // the name gets another array
      return parent.left === node && parent.operator === "=" && grandparent?.type === "ExpressionStatement";
    case "VariableDeclarator":
      return parent.init === node && parent.id.type === "ArrayPattern";
    case "CallExpression":
      return parent.callee !== node && isOperatorCall(parent.callee, names);
    default:
      return false;
  }
}

/** Whether an element is assigned to or deleted. */
function isWritten(element: B.Node, parent: B.Node | undefined): boolean {
  if (parent?.type === "AssignmentExpression" || parent?.type === "ForOfStatement") return parent.left === element;
  if (parent?.type === "UnaryExpression") return parent.operator === "delete";
  return parent !== undefined && /^(?:UpdateExpression|\w+Pattern|RestElement)$/.test(parent.type);
}

/** The first place where a function may change the array of this name or give it to others; undefined where it only reads it. */
export function escapeOf(body: B.Node, name: string, names: FreeNames): B.Node | undefined {
  let found: B.Node | undefined;
  const visit = (path: readonly B.Node[]): void => {
    const node = path.at(-1)!;
    if (found) return;
    if (node.type === "Identifier" && node.name === name && !isRead(path, names)) found = node;
    for (const child of childNodes(node)) visit([...path, child]);
  };
  visit([body]);
  return found;
}
