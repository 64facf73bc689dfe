/** @file ModuleScript: what TorchScript knows of a library class: its name, constants, annotations and the source of its methods. Upstream: torch/nn/modules. Spec: none.
 *
 * Note [Library sources]: our `forward`s compute PyTorch's results but are not PyTorch's code, and scripts and archives show
 * code. So a library class carries the TorchScript text of its methods, which compiles to the IR that PyTorch makes of its own.
 * A text counts for a module only where the JavaScript method of the same name is the library's: a subclass that overrides
 * `forward` is compiled from its own source. */

/** The TorchScript side of a library class; `static readonly torchscript` of the class. */
export interface ModuleScript {
  /** PyTorch's dotted name, e.g. `torch.nn.modules.linear.Linear`. Holds for the class itself, not for subclasses. */
  readonly name: string;
  /** Attributes that compile to constants: PyTorch's `__constants__` and `Final` attributes. */
  readonly constants?: readonly string[];
  /**
   * Types of attributes by name, where the class of PyTorch has annotations; they decide between int and float too. An empty
   * record says that PyTorch's class has annotations, none of which matters; left out: it has none of its own.
   */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Numbers that have no default: they are ints or floats as they were written, where a trace shows them. */
  readonly asWritten?: readonly string[];
  /** `def`s of the methods, without indentation: `forward` and what it calls. */
  readonly source?: string;
  /** Methods (besides `forward`) that are compiled although nothing calls them: PyTorch's `@torch.jit.export`. */
  readonly exported?: readonly string[];
  /** Methods with several signatures: the `def`s that stand for one, which is not compiled itself. */
  readonly overloads?: Readonly<Record<string, readonly string[]>>;
  /** Methods that are not compiled: PyTorch's `@torch.jit.ignore` and `@torch.jit.unused`. */
  readonly ignored?: readonly string[];
}
