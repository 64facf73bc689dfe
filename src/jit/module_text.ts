/** @file The text of a module hierarchy: what Python's `str(module)` prints. Upstream: torch/nn/modules/module.py `__repr__`. Spec: spec/printing.md. */

/** A node of the hierarchy. */
export interface ModuleText {
  /** `RecursiveScriptModule`, `Linear`, ... */
  readonly className: string;
  /** What stands before the children, e.g. `original_name=Net`. */
  readonly extra: string;
  readonly children: Iterable<readonly [string, ModuleText]>;
}

function indentRest(text: string): string {
  return text.replaceAll("\n", "\n  ");
}

/** Prints the hierarchy with children indented by two spaces. */
export function moduleText(module: ModuleText): string {
  const extraLines = module.extra ? module.extra.split("\n") : [];
  const childLines: string[] = [];
  for (const [name, child] of module.children) childLines.push(`(${name}): ${indentRest(moduleText(child))}`);
  const lines = [...extraLines, ...childLines];
  if (lines.length === 0) return `${module.className}()`;
  if (extraLines.length === 1 && childLines.length === 0) return `${module.className}(${extraLines[0]!})`;
  return `${module.className}(\n  ${lines.join("\n  ")}\n)`;
}
