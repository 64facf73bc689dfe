/** @file The text of a module hierarchy: what Python's `str(module)` prints. Upstream: torch/nn/modules/module.py `__repr__`. Spec: spec/printing.md. */

/** Indents every line but the first by two spaces, as children stand in their parent's text. */
export function indentRest(text: string): string {
  return text.replaceAll("\n", "\n  ");
}

/**
 * Prints one module. `extra` is what stands before the children, e.g. `original_name=Net`; `children` are names with
 * their own text.
 */
export function moduleText(className: string, extra: string, children: Iterable<readonly [string, string]>): string {
  let lines = extra === "" ? "" : `\n  ${indentRest(extra)}`;
  let hasChildren = false;
  for (const [name, text] of children) {
    hasChildren = true;
    lines += `\n  (${name}): ${indentRest(text)}`;
  }
  if (lines === "") return `${className}()`;
  return hasChildren || extra.includes("\n") ? `${className}(${lines}\n)` : `${className}(${extra})`;
}
