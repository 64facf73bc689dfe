/** @file Names of a function's parameters, read from its source. Upstream: torch/_jit_internal.py (get_callable_argument_names). Spec: none. */
import { parseExpression } from "@babel/parser";
import { snakeCase } from "./call_context.ts";
import { child, childList, field, type SyntaxNode } from "./syntax.ts";

/** A function as an expression: methods are written without `function`. */
function parseFunction(text: string): SyntaxNode | undefined {
  for (const source of [`(${text})`, `({${text}})`, `(class {${text}})`]) {
    try {
      const expression = parseExpression(source) as unknown as SyntaxNode;
      if (expression.type === "ObjectExpression") return childList(expression, "properties")[0];
      if (expression.type === "ClassExpression") return childList(child(expression, "body")!, "body")[0];
      return expression;
    } catch {
      // another of the forms
    }
  }
  return undefined;
}

function nameOf(parameter: SyntaxNode | undefined): string | undefined {
  if (parameter?.type === "Identifier") return String(field(parameter, "name"));
  return parameter?.type === "AssignmentPattern" ? nameOf(child(parameter, "left")) : undefined;
}

/**
 * The names of positional parameters; rest parameters and patterns have none. `isLibrary` says that the function is one of `nn`,
 * whose names are PyTorch's in camelCase.
 */
export function parameterNames(fn: (...args: never[]) => unknown, isLibrary = false): readonly string[] {
  const parsed = parseFunction(Function.prototype.toString.call(fn));
  if (!parsed) return [];
  const names = childList(parsed, "params").map(nameOf);
  const known = names.filter((name) => name !== undefined);
  return isLibrary ? known.map(snakeCase) : known;
}
