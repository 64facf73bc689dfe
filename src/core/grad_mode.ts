/** @file The gradient mode: whether operations are recorded. Upstream: c10/core/GradMode.h. Spec: none. */

let enabled = true;

/** Whether gradients are recorded. */
export function isGradEnabled(): boolean {
  return enabled;
}

/** Sets the mode; gives back the old one. */
export function setGradEnabled(value: boolean): boolean {
  const old = enabled;
  enabled = value;
  return old;
}

/** Runs `body` (at once) with the gradient mode `mode`. */
export function withGradMode<R>(mode: boolean, body: () => R): R {
  const before = setGradEnabled(mode);
  try {
    return body();
  } finally {
    setGradEnabled(before);
  }
}
