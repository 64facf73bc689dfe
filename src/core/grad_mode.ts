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
