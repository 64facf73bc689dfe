/** @file Scripts of classes in short form. Upstream: torch/nn/modules. Spec: none. See Note [Library scripts]. */
import type { ModuleScript } from "../module_script.ts";

/** What a class says besides its methods. */
export type ClassFacts = Pick<ModuleScript, "constants" | "attributes" | "asWritten">;

/** The script of a class of `torch.nn.modules` with the given methods. */
export function moduleScript(name: string, source: string, facts: ClassFacts = {}): ModuleScript {
  return { name: `torch.nn.modules.${name}`, source, ...facts };
}

/** A `forward` of one expression. */
export function forwardText(params: string, expression: string, returns = " -> Tensor"): string {
  return `def forward(self, ${params})${returns}:\n    """One call."""\n    return ${expression}\n`;
}

/** The script of a class whose `forward` is one expression. */
export function callScript(name: string, params: string, expression: string, facts: ClassFacts = {}): ModuleScript {
  return moduleScript(name, forwardText(params, expression), facts);
}
