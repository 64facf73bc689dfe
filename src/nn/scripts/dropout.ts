/** @file Scripts of functional dropout. Upstream: torch/nn/functional.py. Spec: none. See Note [Library scripts]. */
import { overridable, type FunctionScripts } from "./script_text.ts";

const PROBABILITY = `if p < 0.0 or p > 1.0:
        raise ValueError("dropout probability has to be between 0 and 1, but got {}".format(p))`;

function head(name: string, training: string): string {
  return `
def ${name}(input: Tensor, p: float = 0.5, training: bool = ${training}, inplace: bool = False) -> Tensor:
    """Zeroes elements at random."""
    ${overridable("input")}
    ${PROBABILITY}`;
}

function simple(name: string, training: string): string {
  return `${head(name, training)}
    return _VF.${name}_(input, p, training) if inplace else _VF.${name}(input, p, training)
`;
}

const FEATURE =
  "result = _VF.feature_dropout_(input, p, training) if inplace else _VF.feature_dropout(input, p, training)";

/** One more dimension around the operator where the batch is missing. */
function batched(rank: number): string {
  return `    is_batched = inp_dim == ${rank}
    if not is_batched:
        input = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
    ${FEATURE}
    if not is_batched:
        result = result.squeeze_(0) if inplace else result.squeeze(0)
    return result
`;
}

const deprecated = (name: string, spatial: string, ranks: string): string =>
  `        warn_msg = "${name}: Received a {}-D input to ${name}, which is deprecated and will result in an error in a future release. To retain the behavior and silence this warning, please use dropout instead. Note that ${name} exists to provide channel-wise dropout on inputs with ${spatial} spatial dimensions, a channel dimension, and an optional batch dimension (i.e. ${ranks} inputs).".format(inp_dim)
        warnings.warn(warn_msg, stacklevel=2)`;

/** Dropout of `torch.nn.functional`. */
export const DROPOUT_SCRIPTS: FunctionScripts = {
  module: "torch.nn.functional",
  source: `${simple("dropout", "True")}
${simple("alpha_dropout", "False")}
${head("dropout1d", "True")}
    inp_dim = input.dim()
    if inp_dim not in (2, 3):
        raise RuntimeError("dropout1d: Expected 2D or 3D input, but received a {}D input. Note that dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs).".format(inp_dim))
${batched(3)}
${head("dropout2d", "True")}
    inp_dim = input.dim()
    if inp_dim not in (3, 4):
${deprecated("dropout2d", "2", "3D or 4D")}
    if inp_dim == 3:
        warnings.warn("dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input is interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future release to interpret the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise dropout behavior, please switch to using dropout1d instead.", stacklevel=2)
    ${FEATURE}
    return result

${head("dropout3d", "True")}
    inp_dim = input.dim()
    if inp_dim not in (4, 5):
${deprecated("dropout3d", "3", "4D or 5D")}
${batched(5)}
${simple("feature_alpha_dropout", "False")}`,
};
