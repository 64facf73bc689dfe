/** @file Names in Python's habit and in JavaScript's. Upstream: none. Spec: none. */

/** `batchFirst` as `batch_first`; what is written so stays. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `batch_first` as `batchFirst`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
