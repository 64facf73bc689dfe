/** @file Cases whose trace differs from PyTorch's, and why. A case that comes to agree must be taken out. */

/** Reasons by name. */
export const KNOWN_DIFFERENCES: Readonly<Record<string, string>> = {};
