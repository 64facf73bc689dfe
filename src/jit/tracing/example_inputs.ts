/** @file Example inputs of a trace: given by position or by name. Upstream: torch/jit/_trace.py (make_tuple, example_kwarg_inputs), torch/csrc/jit/python/python_tracer.cpp (createGraphByTracingWithDict). Spec: docs/tracing.md. */
import { ScriptError } from "../../base/errors.ts";
import { snakeCase } from "./call_context.ts";
import { dictEntries } from "./tracing_state.ts";

/** The parameters of what is traced. */
export interface Parameters {
  readonly names: readonly string[];
  /** Whether they are PyTorch's, which may be given in camelCase too. */
  readonly isLibrary: boolean;
  /** What has them, for messages. */
  readonly owner: string;
}

/** The inputs of one run. */
export interface Example {
  /** What the trace has as inputs, in the order of the parameters. */
  readonly inputs: readonly unknown[];
  /** The names of their parameters; by position there may be more. */
  readonly names: readonly string[];
  /** Whether they were given by name. */
  readonly isByName: boolean;
  /** The arguments of the function where these are its inputs: what was left out is undefined. */
  readonly argumentsOf: (inputs: readonly unknown[]) => readonly unknown[];
}

/** Inputs by position: a tensor or a dict is one argument, an array holds all of them. */
export function positionalExample(inputs: unknown, { names }: Parameters): Example {
  const all = Array.isArray(inputs) ? (inputs as readonly unknown[]) : [inputs];
  return { inputs: all, names, isByName: false, argumentsOf: (given) => given };
}

/** Inputs by name. Throws ScriptError for what is no dict and for names that are no parameters. */
export function keywordExample(inputs: unknown, parameters: Parameters): Example {
  const entries = dictEntries(inputs);
  if (!entries) throw new ScriptError("exampleKwargInputs should be an object of inputs by name");
  const given = new Map<number, unknown>();
  for (const [key, value] of entries) {
    const name = String(key);
    const place = parameters.names.indexOf(parameters.isLibrary ? snakeCase(name) : name);
    if (place < 0)
      throw new ScriptError(
        `'${name}' is not in ${parameters.owner}'s arguments, valid arguments name are [${parameters.names.join(",")}]`,
      );
    given.set(place, value);
  }
  const places = [...given.keys()].sort((a, b) => a - b);
  return {
    inputs: places.map((place) => given.get(place)),
    names: places.map((place) => parameters.names[place]!),
    isByName: true,
    argumentsOf: (values) => {
      const args = Array.from<unknown>({ length: (places.at(-1) ?? -1) + 1 });
      places.forEach((place, i) => (args[place] = values[i]));
      return args;
    },
  };
}

/** The inputs as an object by name, to call what was traced with. */
export function keywordsOf({ names }: Example, inputs: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(inputs.map((value, i) => [names[i]!, value]));
}
