/** @file Scripts of torch.functional, torch.nn.init and small helpers of torch. Upstream: torch/functional.py, torch/nn/init.py, torch/jit/_trace.py, torch/backends/mha. Spec: none. See Note [Library scripts]. */
import { overridable, type BooleanDispatch, type FunctionScripts } from "./script_text.ts";

/** Questions that compiled code asks about its surroundings. */
export const STATE_SCRIPTS: readonly FunctionScripts[] = [
  {
    module: "torch.jit._trace",
    source: `
def is_tracing():
    """Never, in a script."""
    if torch.jit.is_scripting():
        return False
    return torch._C._is_tracing()
`,
  },
  {
    module: "torch.compiler",
    source: `
def is_compiling() -> bool:
    """Never, in a script."""
    if torch.jit.is_scripting():
        return False
    else:
        pass
`,
  },
  {
    module: "torch.backends.mha",
    source: `
def get_fastpath_enabled() -> bool:
    """Always, in a script."""
    if not torch.jit.is_scripting():
        pass
    return True
`,
  },
];

/** The functions that unique and unique_consecutive stand for, by what they return besides the values. */
function uniques(prefix: string, impl: string, params: string, args: string): string {
  const variant = (name: string, returns: string, pattern: string, value: string): string => `
def ${prefix}return_${name}(input, ${params}return_inverse: bool = False, return_counts: bool = False, dim: Optional[int] = None) -> ${returns}:
    ${overridable("input")}
    ${pattern && `${pattern} = `}${pattern ? "" : "return "}${impl}(input, ${args}return_inverse, return_counts, dim)
${pattern && `    return ${value}\n`}`;
  return [
    variant("inverse_and_counts", "Tuple[Tensor, Tensor, Tensor]", "", ""),
    variant("counts", "Tuple[Tensor, Tensor]", "output, _, counts", "output, counts"),
    variant("output", "Tensor", "output, _, _", "output"),
    variant("inverse", "Tuple[Tensor, Tensor]", "output, inverse_indices, _", "output, inverse_indices"),
  ].join("");
}

const uniqueDispatch = (name: string, prefix: string, countsIndex: number): Record<string, BooleanDispatch> => ({
  [name]: {
    argName: "return_inverse",
    argIndex: 2,
    ifTrue: `${prefix}return_inverse_true`,
    ifFalse: `${prefix}return_inverse_false`,
  },
  [`${prefix}return_inverse_true`]: {
    argName: "return_counts",
    argIndex: countsIndex,
    ifTrue: `${prefix}return_inverse_and_counts`,
    ifFalse: `${prefix}return_inverse`,
  },
  [`${prefix}return_inverse_false`]: {
    argName: "return_counts",
    argIndex: countsIndex,
    ifTrue: `${prefix}return_counts`,
    ifFalse: `${prefix}return_output`,
  },
});

/** A call with the result given or not. */
const into = (indent: string, call: string): string => `${indent}if out is None:
${indent}    return ${call})
${indent}else:
${indent}    return ${call}, out=out)`;
const DIMS = (indent: string): string => `${indent}if dim is not None:
${indent}    if isinstance(dim, (int, torch.SymInt)):
${indent}        _dim = [dim]
${indent}    else:
${indent}        _dim = dim
${indent}else:
${indent}    _dim = None`;
const NO_DTYPE = (kind: string): string => `            if dtype is not None:
                raise ValueError("dtype argument is not supported in ${kind} norm")`;

const NORM = `
def norm(input, p: Union[float, str, None] = "fro", dim=None, keepdim=False, out=None, dtype=None):
    """The norm of a name or number."""
    ${overridable("input")}
    if input.layout == torch.strided and input.device.type in ("cpu", "cuda", "xpu", "meta", torch.utils.backend_registration._privateuse1_backend_name):
${DIMS("        ")}
        if isinstance(p, str):
            if p == "fro" and (dim is None or isinstance(dim, (int, torch.SymInt)) or len(dim) <= 2):
${into("                ", "torch.linalg.vector_norm(input, 2, _dim, keepdim, dtype=dtype")}
            if _dim is None:
                _dim = list(range(input.ndim))
${into("            ", "torch.linalg.matrix_norm(input, p, _dim, keepdim, dtype=dtype")}
        else:
            _p = 2.0 if p is None else p
${into("            ", "torch.linalg.vector_norm(input, _p, _dim, keepdim, dtype=dtype")}
    ndim = input.dim()
    if dim is None and out is None and dtype is None and p is not None:
        if isinstance(p, str):
            if p == "fro":
                return _VF.frobenius_norm(input, dim=(), keepdim=keepdim)
        if not isinstance(p, str):
            _dim = list(range(ndim))
            return _VF.norm(input, p, dim=_dim, keepdim=keepdim)
${DIMS("    ")}
    if isinstance(p, str):
        if p == "fro":
${NO_DTYPE("frobenius")}
            if _dim is None:
                _dim = list(range(ndim))
${into("            ", "_VF.frobenius_norm(input, _dim, keepdim=keepdim")}
        elif p == "nuc":
${NO_DTYPE("nuclear")}
            if _dim is None:
${into("                ", "_VF.nuclear_norm(input, keepdim=keepdim")}
            else:
${into("                ", "_VF.nuclear_norm(input, _dim, keepdim=keepdim")}
        raise RuntimeError("only valid string values are 'fro' and 'nuc', found {}".format(p))
    else:
        if _dim is None:
            _dim = list(range(ndim))
        if out is None:
            if dtype is None:
                return _VF.norm(input, p, _dim, keepdim=keepdim)
            else:
                return _VF.norm(input, p, _dim, keepdim=keepdim, dtype=dtype)
        else:
            if dtype is None:
                return _VF.norm(input, p, _dim, keepdim=keepdim, out=out)
            else:
                return _VF.norm(input, p, _dim, keepdim=keepdim, dtype=dtype, out=out)
`;

const NEGATIVE = (indent: string, test: string): string => `${indent}if ${test}:
${indent}    raise RuntimeError("tensordot expects dims >= 0, but got dims={}".format(dims))`;
const TENSORDOT = `
def tensordot(a, b, dims=2, out: Optional[Tensor] = None):
    """Sums of products over pairs of dimensions."""
    ${overridable("a", "b")}
    if not isinstance(dims, (tuple, list, torch.Tensor, int, torch.SymInt)):
        raise RuntimeError("tensordot expects dims to be int or " + "tuple[list[int], list[int]] or " + "list[list[int]] containing two lists, but got " + "dims={}".format(dims))
    dims_a: List[int] = []
    dims_b: List[int] = []
    if isinstance(dims, (tuple, list)):
        dims_a, dims_b = dims
    if isinstance(dims, torch.Tensor):
        num_elements = dims.numel()
        if num_elements > 1:
            if dims.size()[0] != 2:
                raise AssertionError("dims tensor must have size 2 in first dimension, got {}".format(dims.size()[0]))
            dims_a = torch.jit.annotate(List[int], dims[0].tolist())
            dims_b = torch.jit.annotate(List[int], dims[1].tolist())
        else:
            dims_val = int(dims.item())
${NEGATIVE("            ", "dims_val < 0")}
            dims_a = list(range(-dims_val, 0))
            dims_b = list(range(dims_val))
    if isinstance(dims, (int, torch.SymInt)):
${NEGATIVE("        ", "dims < 0")}
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError("tensordot expects dims < ndim_a or ndim_b, but got dims={}".format(dims))
        dims_a = list(range(-dims, 0))
        dims_b = list(range(dims))
${into("    ", "_VF.tensordot(a, b, dims_a, dims_b")}
`;

const normSignature = (p: string, dim: string): string =>
  `(input: Tensor, p: ${p}, dim: ${dim} = None, keepdim: bool = False, out: Optional[Tensor] = None, dtype: Optional[int] = None) -> Tensor`;

/** Functions of `torch` that are written in Python. */
export const TORCH_SCRIPTS: FunctionScripts = {
  module: "torch.functional",
  overloads: {
    norm: [
      normSignature('str = "fro"', "Optional[List[int]]"),
      normSignature("Optional[number]", "Optional[List[int]]"),
      normSignature("Optional[number]", "Optional[int]"),
      normSignature('str = "fro"', "Optional[int]"),
    ],
    tensordot: ["int = 2", "Tuple[List[int], List[int]]", "List[List[int]]", "Tensor"].map(
      (dims) => `(a, b, dims: ${dims}, out: Optional[Tensor] = None)`,
    ),
  },
  dispatch: {
    ...uniqueDispatch("unique", "_", 3),
    ...uniqueDispatch("unique_consecutive", "_consecutive_", 1),
  },
  source: `
def stft(input: Tensor, n_fft: int, hop_length: Optional[int] = None, win_length: Optional[int] = None, window: Optional[Tensor] = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False, onesided: Optional[bool] = None, return_complex: Optional[bool] = None, align_to_window: Optional[bool] = None) -> Tensor:
    """Spectra of overlapping windows."""
    ${overridable("input")}
    if center and align_to_window is not None:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    if center:
        signal_dim = input.dim()
        extended_shape = [1] * (3 - signal_dim) + list(input.size())
        pad = int(n_fft // 2)
        input = F.pad(input.view(extended_shape), [pad, pad], pad_mode)
        input = input.view(input.shape[-signal_dim:])
    return _VF.stft(input, n_fft, hop_length, win_length, window, normalized, onesided, return_complex, align_to_window)

def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Distances of all pairs."""
    ${overridable("x1", "x2")}
    if compute_mode == "use_mm_for_euclid_dist_if_necessary":
        return _VF.cdist(x1, x2, p, None)
    elif compute_mode == "use_mm_for_euclid_dist":
        return _VF.cdist(x1, x2, p, 1)
    elif compute_mode == "donot_use_mm_for_euclid_dist":
        return _VF.cdist(x1, x2, p, 2)
    else:
        raise ValueError("{} is not a valid value for compute_mode".format(compute_mode))
${NORM}${TENSORDOT}
def _unique_impl(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Optional[int] = None) -> Tuple[Tensor, Tensor, Tensor]:
    """Each value once."""
    if dim is not None:
        output, inverse_indices, counts = _VF.unique_dim(input, dim, sorted=sorted, return_inverse=return_inverse, return_counts=return_counts)
    else:
        output, inverse_indices, counts = torch._unique2(input, sorted=sorted, return_inverse=return_inverse, return_counts=return_counts)
    return output, inverse_indices, counts

def _unique_consecutive_impl(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Optional[int] = None) -> Tuple[Tensor, Tensor, Tensor]:
    """Each run of equal values once."""
    output, inverse_indices, counts = _VF.unique_consecutive(input, return_inverse=return_inverse, return_counts=return_counts, dim=dim)
    return output, inverse_indices, counts
${uniques("_", "_unique_impl", "sorted: bool = True, ", "sorted, ")}
${uniques("_consecutive_", "_unique_consecutive_impl", "", "")}`,
};

const checked = "if torch.overrides.has_torch_function_variadic(tensor):\n        pass";
const FAN_STD = `fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))`;

/** Those functions of `torch.nn.init` that PyTorch can compile. */
export const INIT_SCRIPTS: FunctionScripts = {
  module: "torch.nn.init",
  source: `
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Optional[torch.Generator] = None) -> Tensor:
    """From a range."""
    ${checked}
    return _no_grad_uniform_(tensor, a, b, generator)

def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Optional[torch.Generator] = None) -> Tensor:
    """From a normal distribution."""
    ${checked}
    return _no_grad_normal_(tensor, mean, std, generator)

def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value."""
    ${checked}
    return _no_grad_fill_(tensor, val)

def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return _no_grad_fill_(tensor, 1.0)

def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return _no_grad_zero_(tensor)

def _calculate_fan_in_and_fan_out(tensor: Tensor) -> Tuple[int, int]:
    dimensions = tensor.dim()
    if dimensions < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    num_input_fmaps = tensor.size(1)
    num_output_fmaps = tensor.size(0)
    receptive_field_size = 1
    if tensor.dim() > 2:
        for s in tensor.shape[2:]:
            receptive_field_size *= s
    fan_in = num_input_fmaps * receptive_field_size
    fan_out = num_output_fmaps * receptive_field_size
    return fan_in, fan_out

def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Optional[torch.Generator] = None) -> Tensor:
    """From a range that keeps the variance."""
    ${FAN_STD}
    a = math.sqrt(3.0) * std
    return _no_grad_uniform_(tensor, -a, a, generator)

def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Optional[torch.Generator] = None) -> Tensor:
    """From a normal distribution that keeps the variance."""
    ${FAN_STD}
    return _no_grad_normal_(tensor, 0.0, std, generator)
`,
};
