/** @file Keeps the hidden classes of short-lived objects. Upstream: none. Spec: none.
 *
 * Note [Shapes]: V8 frees the hidden class of a class when a full garbage collection finds no instance of it, and throws away the code that
 * it had compiled for it. Readers, tokens and pickled values only live while an archive is opened: without more, every second archive would
 * be opened by the interpreter of V8. One instance that stays keeps the code. */

const examples: object[] = [];

/** Keeps an instance of a class whose instances come and go. It must look as they do: fields of the same kinds, set in the same order. */
export function keepShape(example: object): void {
  examples.push(example);
}
