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
  const extraLines = extra ? extra.split("\n") : [];
  const childLines = Array.from(children, ([name, text]) => `(${name}): ${indentRest(text)}`);
  const lines = [...extraLines, ...childLines];
  if (lines.length === 0) return `${className}()`;
  if (extraLines.length === 1 && childLines.length === 0) return `${className}(${extraLines[0]!})`;
  return `${className}(\n  ${lines.join("\n  ")}\n)`;
}
