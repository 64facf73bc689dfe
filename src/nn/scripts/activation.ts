/** @file Scripts of functional activations. Upstream: torch/nn/functional.py. Spec: none. See Note [Library scripts]. */
import { overridable, type FunctionScripts } from "./script_text.ts";

/** A function that calls `operator`, or its in-place form where asked to, through a common result. */
function chosen(name: string, params: string, args: string, operator: string): string {
  return `
def ${name}(input: Tensor, ${params}inplace: bool = False) -> Tensor:
    """The activation, over its input where inplace."""
    ${overridable("input")}
    if inplace:
        result = ${operator}_(input${args})
    else:
        result = ${operator}(input${args})
    return result
`;
}

/** The same with a return in each branch. */
function returned(name: string): string {
  return `
def ${name}(input: Tensor, inplace: bool = False) -> Tensor:
    """The activation, over its input where inplace."""
    ${overridable("input")}
    if inplace:
        return torch._C._nn.${name}_(input)
    return torch._C._nn.${name}(input)
`;
}

/** A member of the softmax family; `operand` is what its operator is called on. */
function softmax(name: string, operand: string, operator: string): string {
  return `
def ${name}(input: Tensor, dim: Optional[int] = None, _stacklevel: int = 3, dtype: Optional[int] = None) -> Tensor:
    """Over a dimension, in another dtype where one is given."""
    ${overridable("input")}
    if dim is None:
        dim = _get_softmax_dim("${name}", input.dim(), _stacklevel)
    if dtype is None:
        ret = ${operand}.${operator}(dim)
    else:
        ret = ${operand}.${operator}(dim, dtype=dtype)
    return ret
`;
}

/** Activations of `torch.nn.functional`. */
export const ACTIVATION_SCRIPTS: FunctionScripts = {
  module: "torch.nn.functional",
  aliases: { threshold: "_threshold" },
  source: `
def _threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """The elements above the threshold, value for others."""
    ${overridable("input")}
    if inplace:
        result = _VF.threshold_(input, threshold, value)
    else:
        result = _VF.threshold(input, threshold, value)
    return result
${chosen("relu", "", "", "torch.relu")}
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half, gated by the other."""
    ${overridable("input")}
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    return torch._C._nn.glu(input, dim)

def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Limited to a range."""
    ${overridable("input")}
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if inplace:
        result = torch._C._nn.hardtanh_(input, min_val, max_val)
    else:
        result = torch._C._nn.hardtanh(input, min_val, max_val)
    return result
${chosen("relu6", "", "", "torch._C._nn.relu6")}
${chosen("elu", "alpha: float = 1.0, ", ", alpha", "torch._C._nn.elu")}
${chosen("selu", "", "", "torch.selu")}
${chosen("celu", "alpha: float = 1.0, ", ", alpha", "torch.celu")}
${chosen("leaky_relu", "negative_slope: float = 0.01, ", ", negative_slope", "torch._C._nn.leaky_relu")}
${chosen(
  "rrelu",
  "lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False, ",
  ", lower, upper, training",
  "torch.rrelu",
)}
def tanhshrink(input):
    """What tanh takes off."""
    ${overridable("input")}
    return input - input.tanh()

def softsign(input):
    """Towards 1 and -1."""
    ${overridable("input")}
    return input / (input.abs() + 1)

def _get_softmax_dim(name: str, ndim: int, stacklevel: int) -> int:
    warnings.warn("Implicit dimension choice for {} has been deprecated. Change the call to include dim=X as an argument.".format(name), stacklevel=stacklevel)
    if ndim == 0 or ndim == 1 or ndim == 3:
        ret = 0
    else:
        ret = 1
    return ret
${softmax("softmin", "(-input)", "softmax")}
${softmax("softmax", "input", "softmax")}
def gumbel_softmax(logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Draws from the distribution of the logits."""
    ${overridable("logits")}
    if eps != 1e-10:
        warnings.warn("\`eps\` parameter is deprecated and has no effect.", stacklevel=2)
    gumbels = -torch.empty_like(logits, memory_format=torch.legacy_contiguous_format).exponential_().log()
    gumbels = (logits + gumbels) / tau
    y_soft = gumbels.softmax(dim)
    if hard:
        index = y_soft.max(dim, keepdim=True)[1]
        y_hard = torch.zeros_like(logits, memory_format=torch.legacy_contiguous_format).scatter_(dim, index, 1.0)
        ret = y_hard - y_soft.detach() + y_soft
    else:
        ret = y_soft
    return ret
${softmax("log_softmax", "input", "log_softmax")}
def tanh(input):
    """The operator."""
    return input.tanh()

def sigmoid(input):
    """The operator."""
    return input.sigmoid()
${returned("hardsigmoid")}
${returned("silu")}
${returned("mish")}
${returned("hardswish")}`,
};
