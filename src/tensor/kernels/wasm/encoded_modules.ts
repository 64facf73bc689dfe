/** @file Modules of kernels that were encoded when the package was built. Upstream: none. Spec: none. */

/**
 * Bytes of modules in base 64 by `encodedName`. Empty here: the bundle gets what `scripts/bundle.mjs` puts in its place, as encoding
 * five modules costs a new process 30 ms; who loads the sources encodes them when they are first used.
 */
export const ENCODED_MODULES: Readonly<Record<string, string>> = {};
