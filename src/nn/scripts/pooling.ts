/** @file Scripts of functional pooling. Upstream: torch/nn/functional.py. Spec: none. See Note [Library scripts]. */
import { overridable, type BooleanDispatch, type FunctionScripts } from "./script_text.ts";

const COUNTS = { 1: "single", 2: "pair", 3: "triple" } as const;
type Rank = 1 | 2 | 3;

function maxPool(rank: Rank, withIndices: boolean): string {
  const name = withIndices ? `max_pool${rank}d_with_indices` : `_max_pool${rank}d`;
  const list = `BroadcastingList${rank}[int]`;
  const operator = withIndices
    ? `${rank === 1 ? "torch" : "torch._C._nn"}.max_pool${rank}d_with_indices`
    : `torch.max_pool${rank}d`;
  // where the two differ: descriptions, and a look at determinism on other devices
  const description = withIndices ? '"""The largest of each window and where it is."""\n    ' : "";
  const deterministic = withIndices && rank === 3 ? "if not torch.jit.is_scripting():\n        pass\n    " : "";
  return `
def ${name}(input: Tensor, kernel_size: ${list}, stride: Optional[${list}] = None, padding: ${list} = 0, dilation: ${list} = 1, ceil_mode: bool = False, return_indices: bool = False) -> ${withIndices ? "Tuple[Tensor, Tensor]" : "Tensor"}:
    ${description}${overridable("input")}
    if stride is None:
        stride = torch.jit.annotate(List[int], [])
    ${deterministic}return ${operator}(input, kernel_size, stride, padding, dilation, ceil_mode)
`;
}

function adaptiveMaxPool(rank: Rank): string {
  const params = `input: Tensor, output_size: BroadcastingList${rank}[int], return_indices: bool = False`;
  const named = `adaptive_max_pool${rank}d`;
  const sizes = rank === 1 ? "" : "output_size = _list_with_default(output_size, input.size())\n    ";
  return `
def ${named}_with_indices(${params}) -> Tuple[Tensor, Tensor]:
    """As many windows as asked for: the largest of each and where it is."""
    ${overridable("input")}
    ${sizes}return ${rank === 1 ? "torch" : "torch._C._nn"}.${named}(input, output_size)

def _${named}(${params}) -> Tensor:
    ${overridable("input")}
    return ${named}_with_indices(input, output_size)[0]
`;
}

function adaptiveAveragePool(rank: 2 | 3): string {
  return `
def adaptive_avg_pool${rank}d(input: Tensor, output_size: BroadcastingList${rank}[int]) -> Tensor:
    """As many windows as asked for: the mean of each."""
    ${overridable("input")}
    _output_size = _list_with_default(output_size, input.size())
    return torch._C._nn.adaptive_avg_pool${rank}d(input, _output_size)
`;
}

function fractionalMaxPool(rank: 2 | 3): string {
  const name = `fractional_max_pool${rank}d`;
  const list = (element: string): string => `Optional[BroadcastingList${rank}[${element}]]`;
  const params = `input: Tensor, kernel_size: BroadcastingList${rank}[int], output_size: ${list("int")} = None, output_ratio: ${list("float")} = None, return_indices: bool = False, _random_samples: Optional[Tensor] = None`;
  const sizes = Array.from({ length: rank }, (_, i) => `int(input.size(-${rank - i}) * _output_ratio[${i}])`).join(
    ", ",
  );
  const tooLong =
    rank === 2
      ? `
        if len(output_ratio) > 2:
            raise ValueError("${name} requires output_ratio to either be a single Int or tuple of Ints.")`
      : "";
  return `
def ${name}_with_indices(${params}) -> Tuple[Tensor, Tensor]:
    """Windows at random places: the largest of each and where it is."""
    ${overridable("input", "_random_samples")}
    if output_size is None and output_ratio is None:
        raise ValueError("${name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        if output_ratio is None:
            raise AssertionError("output_ratio is unexpectedly None")${tooLong}
        _output_ratio = _${COUNTS[rank]}(output_ratio)
        output_size = [${sizes}]
    if _random_samples is None:
        n_batch = 1 if input.dim() == ${rank + 1} else input.size(0)
        _random_samples = torch.rand(n_batch, input.size(-${rank + 1}), ${rank}, dtype=input.dtype, device=input.device)
    return torch._C._nn.${name}(input, kernel_size, output_size, _random_samples)

def _${name}(${params}) -> Tensor:
    ${overridable("input", "_random_samples")}
    return ${name}_with_indices(input, kernel_size, output_size, output_ratio, return_indices, _random_samples)[0]
`;
}

function maxUnpool(rank: Rank): string {
  const list = `BroadcastingList${rank}[int]`;
  const count = COUNTS[rank];
  const last =
    rank === 1
      ? `if isinstance(output_size, list):
        output_size = output_size + [1]
    else:
        output_size = output_size + (1,)
    return torch._C._nn.max_unpool2d(input.unsqueeze(-1), indices.unsqueeze(-1), output_size).squeeze(-1)`
      : rank === 2
        ? "return torch._C._nn.max_unpool2d(input, indices, output_size)"
        : "return torch._C._nn.max_unpool3d(input, indices, output_size, _stride, padding)";
  return `
def max_unpool${rank}d(input: Tensor, indices: Tensor, kernel_size: ${list}, stride: Optional[${list}] = None, padding: ${list} = 0, output_size: Optional[${list}] = None) -> Tensor:
    """Puts maxima back to where they were, among zeros."""
    ${overridable("input")}
    kernel_size = _${count}(kernel_size)
    if stride is not None:
        _stride = _${count}(stride)
    else:
        _stride = kernel_size
    padding = _${count}(padding)
    output_size = _unpool_output_size(input, kernel_size, _stride, padding, output_size)
    ${last}
`;
}

function powerPool(rank: Rank): string {
  const names = { 1: "", 2: "kw, kh", 3: "kd, kw, kh" }[rank];
  const volume = { 1: "kernel_size", 2: "kw * kh", 3: "kd * kw * kh" }[rank];
  const kernel = rank === 1 ? "int" : `BroadcastingList${rank}[int]`;
  return `
def lp_pool${rank}d(input: Tensor, norm_type: Union[int, float], kernel_size: ${kernel}, stride: Optional[BroadcastingList${rank}[int]] = None, ceil_mode: bool = False) -> Tensor:
    """The norm of each window."""
    ${overridable("input")}
    ${rank === 1 ? "" : `${names} = _${COUNTS[rank]}(kernel_size)\n    `}if isinstance(norm_type, (int, float)):
        if norm_type == float("inf"):
            return max_pool${rank}d(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
        if norm_type == -float("inf"):
            return -max_pool${rank}d(-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
    if stride is not None:
        out = avg_pool${rank}d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    else:
        out = avg_pool${rank}d(input.pow(norm_type), kernel_size, padding=0, ceil_mode=ceil_mode)
    return (torch.sign(out) * relu(torch.abs(out))).mul(${volume}).pow(1.0 / norm_type)
`;
}

const RANKS = [1, 2, 3] as const;
const dispatch: Record<string, BooleanDispatch> = {};
for (const [stem, argIndex, ranks] of [
  ["max_pool", 6, RANKS],
  ["adaptive_max_pool", 2, RANKS],
  ["fractional_max_pool", 4, [2, 3]],
] as const) {
  for (const rank of ranks) {
    const name = `${stem}${rank}d`;
    dispatch[name] = { argName: "return_indices", argIndex, ifTrue: `${name}_with_indices`, ifFalse: `_${name}` };
  }
}

/** Pooling of `torch.nn.functional`. */
export const POOLING_SCRIPTS: FunctionScripts = {
  module: "torch.nn.functional",
  dispatch,
  source: `${RANKS.map((rank) => maxPool(rank, true) + maxPool(rank, false)).join("")}
def _unpool_output_size(input: Tensor, kernel_size: List[int], stride: List[int], padding: List[int], output_size: Optional[List[int]]) -> List[int]:
    input_size = input.size()
    default_size = torch.jit.annotate(List[int], [])
    for d in range(len(kernel_size)):
        default_size.append((input_size[-len(kernel_size) + d] - 1) * stride[d] + kernel_size[d] - 2 * padding[d])
    if output_size is None:
        ret = default_size
    else:
        if len(output_size) == (len(kernel_size) + 2):
            output_size = output_size[2:]
        if len(output_size) != len(kernel_size):
            raise ValueError("output_size should be a sequence containing {} or {} elements, but it has a length of '{}'".format(len(kernel_size), len(kernel_size) + 2, len(output_size)))
        for d in range(len(kernel_size)):
            min_size = default_size[d] - stride[d]
            max_size = default_size[d] + stride[d]
            if not (min_size < output_size[d] and output_size[d] < max_size):
                raise ValueError("invalid output_size \\"{}\\" (dim {} must be between {} and {})".format(output_size, d, min_size, max_size))
        ret = output_size
    if torch.jit.is_scripting():
        for d in range(len(kernel_size)):
            if ret[d] < 0:
                raise ValueError("max_unpooling: output_size must contain non-negative spatial dimensions, but got output_size[{}]={}".format(d, ret[d]))
    return ret
${RANKS.map(maxUnpool).join("")}${RANKS.map(powerPool).join("")}${RANKS.map(adaptiveMaxPool).join("")}
${adaptiveAveragePool(2)}${adaptiveAveragePool(3)}${fractionalMaxPool(2)}${fractionalMaxPool(3)}`,
};
