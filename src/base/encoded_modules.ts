/** @file Modules of WebAssembly that were encoded when the package was built. Upstream: none. Spec: none. */

/**
 * The bytes of a module by its name (`encodedName` for kernels). Nothing here: the bundles get what `scripts/bundle.mjs` puts in its place, as encoding five
 * modules costs a new process 30 ms; who loads the sources encodes them when they are first used.
 */
export function encodedModule(_name: string): Uint8Array<ArrayBuffer> | undefined {
  return undefined;
}
