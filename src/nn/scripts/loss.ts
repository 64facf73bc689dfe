/** @file Scripts of functional losses. Upstream: torch/nn/functional.py, torch/nn/_reduction.py. Spec: none. See Note [Library scripts]. */
import { overridable, type FunctionScripts } from "./script_text.ts";

const LEGACY = "size_average: Optional[bool] = None, reduce: Optional[bool] = None";
const REDUCTION = 'reduction: str = "mean"';
const WEIGHT = "weight: Optional[Tensor] = None";

/** The reduction as a number, also from the two flags that came before it. */
const ENUM = `if size_average is not None or reduce is not None:
        reduction_enum = _Reduction.legacy_get_enum(size_average, reduce)
    else:
        reduction_enum = _Reduction.get_enum(reduction)`;
/** The same as a name. */
const NAME = `if size_average is not None or reduce is not None:
        reduction = _Reduction.legacy_get_string(size_average, reduce)`;
const SIZES = `if target.size() != input.size():
        warnings.warn("Using a target size ({}) that is different to the input size ({}). This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.".format(target.size(), input.size()), stacklevel=2)`;
const EXPANDED = "expanded_input, expanded_target = torch.broadcast_tensors(input, target)";
const BAD_MODE =
  "raise ValueError(\"Invalid reduction mode: {}. Expected one of 'none', 'mean', 'sum'.\".format(reduction))";

/** Losses of one operator behind the reduction. */
function plain(name: string, params: string, args: string, inputs: readonly string[], operator: string): string {
  return `
def ${name}(${params}, ${LEGACY}, ${REDUCTION}) -> Tensor:
    """The loss, reduced."""
    ${overridable(...inputs)}
    ${ENUM}
    return ${operator}(${args}, reduction_enum)
`;
}

/** Differences of each pair of elements, weighted where weights are given. */
function differences(name: string, compared: readonly string[], variable: string, each: string): string {
  return `
def ${name}(input: Tensor, target: Tensor, ${LEGACY}, ${REDUCTION}, ${WEIGHT}) -> Tensor:
    """The loss of each pair, weighted and reduced."""
    ${overridable(...compared)}
    ${SIZES}
    ${NAME}
    ${EXPANDED}
    if weight is not None:
        if weight.size() != input.size():
            raise ValueError("Weights and input must have the same size.")
        ${variable} = ${each}
        weighted_${variable} = ${variable} * weight
        if reduction == "none":
            return weighted_${variable}
        elif reduction == "sum":
            return torch.sum(weighted_${variable})
        elif reduction == "mean":
            return torch.sum(weighted_${variable}) / torch.sum(weight)
        else:
            ${BAD_MODE}
    else:
        return torch._C._nn.${name}(expanded_input, expanded_target, _Reduction.get_enum(reduction))
`;
}

/** Losses of `torch.nn.functional`. */
export const LOSS_SCRIPTS: FunctionScripts = {
  module: "torch.nn.functional",
  source: `
def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int = 0, ${REDUCTION}, zero_infinity: bool = False) -> Tensor:
    """Connectionist temporal classification."""
    ${overridable("log_probs", "targets", "input_lengths", "target_lengths")}
    return torch.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _Reduction.get_enum(reduction), zero_infinity)

def nll_loss(input: Tensor, target: Tensor, ${WEIGHT}, size_average: Optional[bool] = None, ignore_index: int = -100, reduce: Optional[bool] = None, ${REDUCTION}) -> Tensor:
    """Negative log likelihood of classes."""
    ${overridable("input", "target", "weight")}
    ${NAME}
    return torch._C._nn.nll_loss_nd(input, target, weight, _Reduction.get_enum(reduction), ignore_index)

def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: Optional[bool] = None, eps: float = 1e-08, reduce: Optional[bool] = None, ${REDUCTION}) -> Tensor:
    """Negative log likelihood of a Poisson distribution."""
    ${overridable("input", "target")}
    ${NAME}
    if reduction != "none" and reduction != "mean" and reduction != "sum":
        ret = input
        raise ValueError(reduction + " is not a valid value for reduction")
    ret = torch.poisson_nll_loss(input, target, log_input, full, eps, _Reduction.get_enum(reduction))
    return ret

def kl_div(input: Tensor, target: Tensor, ${LEGACY}, ${REDUCTION}, log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence."""
    ${overridable("input", "target")}
    if size_average is not None or reduce is not None:
        reduction_enum = _Reduction.legacy_get_enum(size_average, reduce)
    else:
        if reduction == "mean":
            warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the next major release.", stacklevel=2)
        if reduction == "batchmean":
            reduction_enum = _Reduction.get_enum("sum")
        else:
            reduction_enum = _Reduction.get_enum(reduction)
    reduced = torch.kl_div(input, target, reduction_enum, log_target=log_target)
    if reduction == "batchmean" and input.dim() != 0:
        reduced = reduced / input.size()[0]
    return reduced

def cross_entropy(input: Tensor, target: Tensor, ${WEIGHT}, size_average: Optional[bool] = None, ignore_index: int = -100, reduce: Optional[bool] = None, ${REDUCTION}, label_smoothing: float = 0.0) -> Tensor:
    """Cross entropy of logits and classes."""
    ${overridable("input", "target", "weight")}
    ${NAME}
    return torch._C._nn.cross_entropy_loss(input, target, weight, _Reduction.get_enum(reduction), ignore_index, label_smoothing)

def binary_cross_entropy(input: Tensor, target: Tensor, ${WEIGHT}, ${LEGACY}, ${REDUCTION}) -> Tensor:
    """Cross entropy of probabilities."""
    ${overridable("input", "target", "weight")}
    ${ENUM}
    if target.size() != input.size():
        raise ValueError("Using a target size ({}) that is different to the input size ({}) is deprecated. Please ensure they have the same size.".format(target.size(), input.size()))
    if weight is not None:
        new_size = torch.broadcast_shapes(target.size(), weight.size())
        weight = weight.expand(new_size)
    return torch._C._nn.binary_cross_entropy(input, target, weight, reduction_enum)

def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, ${WEIGHT}, ${LEGACY}, ${REDUCTION}, pos_weight: Optional[Tensor] = None) -> Tensor:
    """Cross entropy of logits."""
    ${overridable("input", "target", "weight", "pos_weight")}
    ${ENUM}
    if not (target.size() == input.size()):
        raise ValueError("Target size ({}) must be the same as input size ({})".format(target.size(), input.size()))
    return torch.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction_enum)

def smooth_l1_loss(input: Tensor, target: Tensor, ${LEGACY}, ${REDUCTION}, beta: float = 1.0) -> Tensor:
    """Squares near zero, absolute values further out."""
    ${overridable("input", "target")}
    ${SIZES}
    ${NAME}
    ${EXPANDED}
    if beta == 0.0:
        return torch._C._nn.l1_loss(expanded_input, expanded_target, _Reduction.get_enum(reduction))
    else:
        return torch._C._nn.smooth_l1_loss(expanded_input, expanded_target, _Reduction.get_enum(reduction), beta)

def huber_loss(input: Tensor, target: Tensor, ${REDUCTION}, delta: float = 1.0, ${WEIGHT}) -> Tensor:
    """Squares near zero, absolute values further out."""
    ${overridable("input", "target", "weight")}
    ${SIZES}
    ${EXPANDED}
    if weight is None:
        return torch._C._nn.huber_loss(expanded_input, expanded_target, _Reduction.get_enum(reduction), delta)
    else:
        if weight.size() != input.size():
            raise ValueError("Weights and input must have the same size.")
        unweighted_loss = torch._C._nn.huber_loss(expanded_input, expanded_target, _Reduction.get_enum("none"), delta)
        weighted_loss = unweighted_loss * weight
        if reduction == "none":
            return weighted_loss
        elif reduction == "sum":
            return torch.sum(weighted_loss)
        elif reduction == "mean":
            return weighted_loss.mean()
        else:
            ${BAD_MODE}
${differences("l1_loss", ["input", "target"], "absolute_errors", "torch.abs(expanded_input - expanded_target)")}
${differences("mse_loss", ["input", "target", "weight"], "squared_errors", "torch.pow(expanded_input - expanded_target, 2)")}
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, ${LEGACY}, ${REDUCTION}) -> Tensor:
    """Whether the right one of two is larger."""
    ${overridable("input1", "input2", "target")}
    ${ENUM}
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError("margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: {}, input2: {}, target: {} ".format(input1.size(), input2.size(), target.size()))
    return torch.margin_ranking_loss(input1, input2, target, margin, reduction_enum)
${plain("hinge_embedding_loss", "input: Tensor, target: Tensor, margin: float = 1.0", "input, target, margin", ["input", "target"], "torch.hinge_embedding_loss")}
${plain("multilabel_margin_loss", "input: Tensor, target: Tensor", "input, target", ["input", "target"], "torch._C._nn.multilabel_margin_loss")}
${plain("soft_margin_loss", "input: Tensor, target: Tensor", "input, target", ["input", "target"], "torch._C._nn.soft_margin_loss")}
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, ${WEIGHT}, ${LEGACY}, ${REDUCTION}) -> Tensor:
    """Cross entropy of each label."""
    ${overridable("input", "target", "weight")}
    ${NAME}
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    class_dim = input.dim() - 1
    C = input.size(class_dim)
    loss = loss.sum(dim=class_dim) / C
    if reduction == "none":
        ret = loss
    elif reduction == "mean":
        ret = loss.mean()
    elif reduction == "sum":
        ret = loss.sum()
    else:
        ret = input
        raise ValueError(reduction + " is not valid")
    return ret
${plain("cosine_embedding_loss", "input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0", "input1, input2, target, margin", ["input1", "input2", "target"], "torch.cosine_embedding_loss")}
def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, ${WEIGHT}, ${LEGACY}, ${REDUCTION}) -> Tensor:
    """Hinge loss of classes."""
    ${overridable("input", "target", "weight")}
    ${ENUM}
    if p != 1 and p != 2:
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None:
        if weight.dim() != 1:
            raise ValueError("weight must be one-dimensional")
    return torch._C._nn.multi_margin_loss(input, target, p, margin, weight, reduction_enum)

def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0, eps: float = 1e-06, swap: bool = False, ${LEGACY}, ${REDUCTION}) -> Tensor:
    """Near to the one, far from the other."""
    ${overridable("anchor", "positive", "negative")}
    ${ENUM}
    if margin <= 0:
        raise ValueError("margin must be greater than 0, got {}".format(margin))
    return torch.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction_enum)
`,
};

/** Names and numbers of reductions. */
export const REDUCTION_SCRIPTS: FunctionScripts = {
  module: "torch.nn._reduction",
  source: `
def get_enum(reduction: str) -> int:
    if reduction == "none":
        ret = 0
    elif reduction == "mean":
        ret = 1
    elif reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=2)
        ret = 1
    elif reduction == "sum":
        ret = 2
    else:
        ret = -1
        raise ValueError("{} is not a valid value for reduction".format(reduction))
    return ret

def legacy_get_string(size_average: Optional[bool], reduce: Optional[bool], emit_warning: bool = True) -> str:
    warning = "size_average and reduce args will be deprecated, please use reduction='{}' instead."
    if size_average is None:
        size_average = True
    if reduce is None:
        reduce = True
    if size_average and reduce:
        ret = "mean"
    elif reduce:
        ret = "sum"
    else:
        ret = "none"
    if emit_warning:
        warnings.warn(warning.format(ret), stacklevel=2)
    return ret

def legacy_get_enum(size_average: Optional[bool], reduce: Optional[bool], emit_warning: bool = True) -> int:
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
`,
};
