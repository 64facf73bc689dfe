/** @file Scripts of functional resampling, padding and windows. Upstream: torch/nn/functional.py. Spec: none. See Note [Library scripts]. */
import { overridable, type FunctionScripts } from "./script_text.ts";

const NOT_NONE = (name: string): string => `if ${name} is None:
            raise AssertionError("${name} is unexpectedly None")`;
const SIZE = ["Optional[int]", "Optional[List[int]]"];
const WARN_ALIGNED = `if align_corners is None:
        warnings.warn("Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.", stacklevel=2)
        align_corners = False`;

const WORDS = { 3: "1d", 4: "2d", 5: "3d" } as const;
type Rank = 3 | 4 | 5;
const RANKS = [3, 4, 5] as const;

const nearest = (mode: string, operator: string): string =>
  RANKS.map(
    (rank) => `    if input.dim() == ${rank} and mode == "${mode}":
        return torch._C._nn.${operator}${WORDS[rank]}(input, output_size, scale_factors)
`,
  ).join("");
const area = RANKS.map(
  (rank) => `    if input.dim() == ${rank} and mode == "area":
        ${NOT_NONE("output_size")}
        return adaptive_avg_pool${WORDS[rank]}(input, output_size)
`,
).join("");
const ALIGNED = "(input, output_size, align_corners, scale_factors)";
function aligned(rank: Rank, mode: string, operator: string, before = ""): string {
  return `    if input.dim() == ${rank} and mode == "${mode}":
        ${NOT_NONE("align_corners")}
${before}        return torch._C._nn.${operator}${ALIGNED}
`;
}
const antialiased = (operator: string): string => `        if antialias:
            return torch._C._nn.${operator}${ALIGNED}
`;
// a look at determinism on other devices
const DEVICES = `        if not torch.jit.is_scripting():
            pass
`;
const wrongRank = (got: Rank, mode: string, needs: Rank): string => `    if input.dim() == ${got} and mode == "${mode}":
        raise NotImplementedError("Got ${got}D input, but ${mode} mode needs ${needs}D input")
`;

const INTERPOLATE = `
def interpolate(input: Tensor, size: Optional[int] = None, scale_factor: Optional[List[float]] = None, mode: str = "nearest", align_corners: Optional[bool] = None, recompute_scale_factor: Optional[bool] = None, antialias: bool = False) -> Tensor:
    """To another size, by one of many modes."""
    ${overridable("input")}
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError("align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear")
    else:
        if align_corners is None:
            align_corners = False
    dim = input.dim() - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    elif size is not None:
        if scale_factor is not None:
            raise AssertionError("scale_factor must be None when size is specified")
        scale_factors = None
        if isinstance(size, (list, tuple)):
            if len(size) != dim:
                raise ValueError("Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of {} and output size of {}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format.".format(list(input.shape[2:]), size))
            if not torch.jit.is_scripting():
                pass
            output_size = size
        else:
            output_size = [size for _ in range(dim)]
    elif scale_factor is not None:
        if size is not None:
            raise AssertionError("size must be None when scale_factor is specified")
        output_size = None
        if isinstance(scale_factor, (list, tuple)):
            if len(scale_factor) != dim:
                raise ValueError("Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions of {} and scale_factor of shape {}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.".format(list(input.shape[2:]), scale_factor))
            scale_factors = scale_factor
        else:
            scale_factors = [scale_factor for _ in range(dim)]
    else:
        raise ValueError("either size or scale_factor should be defined")
    if recompute_scale_factor is not None and recompute_scale_factor and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    if mode == "area" and output_size is None:
        recompute_scale_factor = True
    if recompute_scale_factor is not None and recompute_scale_factor:
        if scale_factors is None:
            raise AssertionError("scale_factors is unexpectedly None")
        if not torch.jit.is_scripting() and torch._C._get_tracing_state():
            pass
        elif torch.jit.is_scripting():
            output_size = [math.floor(float(input.size(i + 2)) * scale_factors[i]) for i in range(dim)]
        else:
            pass
        scale_factors = None
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and input.ndim == 4):
        raise ValueError("Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input")
${nearest("nearest", "upsample_nearest")}${nearest("nearest-exact", "_upsample_nearest_exact")}${area}${aligned(
  3,
  "linear",
  "upsample_linear1d",
)}${aligned(4, "bilinear", "upsample_bilinear2d", antialiased("_upsample_bilinear2d_aa") + DEVICES)}${aligned(
  5,
  "trilinear",
  "upsample_trilinear3d",
  DEVICES,
)}${aligned(4, "bicubic", "upsample_bicubic2d", antialiased("_upsample_bicubic2d_aa"))}${aligned(
  4,
  "lanczos",
  "_upsample_lanczos2d_aa",
  `        if align_corners:
            raise ValueError("Lanczos mode does not support align_corners=True")
        if not antialias:
            raise ValueError("Lanczos mode requires antialias=True")
`,
)}${wrongRank(3, "bilinear", 4)}${wrongRank(3, "trilinear", 5)}${wrongRank(4, "linear", 3)}${wrongRank(4, "trilinear", 5)}${wrongRank(5, "linear", 3)}${wrongRank(5, "bilinear", 4)}
    raise NotImplementedError("Input Error: Only 3D, 4D and 5D input Tensors supported (got {}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {})".format(input.dim(), mode))
`;

const INTERPOLATE_REST =
  'mode: str = "nearest", align_corners: Optional[bool] = None, recompute_scale_factor: Optional[bool] = None, antialias: bool = False';
const SCALE = ["Optional[List[float]]", "Optional[float]"];
const sizes = (scale: string, rest: string): string[] =>
  SIZE.map(
    (size) => `(input: Tensor, size: ${size} = None, scale_factor: ${scale} = None${rest && `, ${rest}`}) -> Tensor`,
  );

/** Resampling, padding and windows of `torch.nn.functional`. */
export const VISION_SCRIPTS: FunctionScripts = {
  module: "torch.nn.functional",
  overloads: {
    interpolate: SCALE.flatMap((scale) => sizes(scale, INTERPOLATE_REST)),
    upsample: sizes("Optional[float]", 'mode: str = "nearest", align_corners: Optional[bool] = None'),
    upsample_nearest: sizes("Optional[float]", ""),
    upsample_bilinear: SCALE.toReversed().flatMap((scale) => sizes(scale, "")),
  },
  source: `${INTERPOLATE}
def upsample(input, size: Optional[int] = None, scale_factor: Optional[float] = None, mode: str = "nearest", align_corners: Optional[bool] = None):
    """By its old name."""
    warnings.warn("\`nn.functional.upsample\` is deprecated. Use \`nn.functional.interpolate\` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)

def upsample_nearest(input, size: Optional[int] = None, scale_factor: Optional[float] = None):
    """By its old name."""
    warnings.warn("\`nn.functional.upsample_nearest\` is deprecated. Use \`nn.functional.interpolate\` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode="nearest")

def upsample_bilinear(input, size: Optional[int] = None, scale_factor: Optional[float] = None):
    """By its old name."""
    warnings.warn("\`nn.functional.upsample_bilinear\` is deprecated. Use \`nn.functional.interpolate\` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)

def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: Optional[bool] = None) -> Tensor:
    """Values at the places of a grid."""
    ${overridable("input", "grid")}
    if mode != "bilinear" and mode != "nearest" and mode != "bicubic":
        raise ValueError("nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{}'".format(mode))
    if padding_mode != "zeros" and padding_mode != "border" and padding_mode != "reflection":
        raise ValueError("nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: '{}'".format(padding_mode))
    if mode == "bilinear":
        mode_enum = 0
    elif mode == "nearest":
        mode_enum = 1
    else:
        mode_enum = 2
    if padding_mode == "zeros":
        padding_mode_enum = 0
    elif padding_mode == "border":
        padding_mode_enum = 1
    else:
        padding_mode_enum = 2
    ${WARN_ALIGNED}
    return torch.grid_sampler(input, grid, mode_enum, padding_mode_enum, align_corners)

def affine_grid(theta: Tensor, size: List[int], align_corners: Optional[bool] = None) -> Tensor:
    """The grid of an affine map."""
    ${overridable("theta")}
    ${WARN_ALIGNED}
    if not theta.is_floating_point():
        raise ValueError("Expected theta to have floating point type, but got {}".format(theta.dtype))
    if len(size) == 4:
        if theta.dim() != 3 or theta.shape[-2] != 2 or theta.shape[-1] != 3:
            raise ValueError("Expected a batch of 2D affine matrices of shape Nx2x3 for size {}. Got {}.".format(size, theta.shape))
        spatial_size = size[-2:]
    elif len(size) == 5:
        if theta.dim() != 3 or theta.shape[-2] != 3 or theta.shape[-1] != 4:
            raise ValueError("Expected a batch of 3D affine matrices of shape Nx3x4 for size {}. Got {}.".format(size, theta.shape))
        spatial_size = size[-3:]
    else:
        raise NotImplementedError("affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {}.".format(size))
    if align_corners and min(spatial_size) == 1:
        warnings.warn("Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not an intended use case of affine_grid. See the documentation of affine_grid for details.", stacklevel=2)
    elif min(size) <= 0:
        raise ValueError("Expected non-zero, positive output size. Got {}".format(size))
    return torch.affine_grid_generator(theta, size, align_corners)

def pad(input: Tensor, pad: List[int], mode: str = "constant", value: Optional[float] = None) -> Tensor:
    """Larger at the ends of the last dimensions."""
    ${overridable("input")}
    if not torch.jit.is_scripting():
        pass
    return torch._C._nn.pad(input, pad, mode, value)

def unfold(input: Tensor, kernel_size: BroadcastingList2[int], dilation: BroadcastingList2[int] = 1, padding: BroadcastingList2[int] = 0, stride: BroadcastingList2[int] = 1) -> Tensor:
    """Windows as columns."""
    ${overridable("input")}
    return torch._C._nn.im2col(input, _pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride))

def fold(input: Tensor, output_size: BroadcastingList2[int], kernel_size: BroadcastingList2[int], dilation: BroadcastingList2[int] = 1, padding: BroadcastingList2[int] = 0, stride: BroadcastingList2[int] = 1) -> Tensor:
    """Columns back to windows, summed."""
    ${overridable("input")}
    return torch._C._nn.col2im(input, _pair(output_size), _pair(kernel_size), _pair(dilation), _pair(padding), _pair(stride))
`,
};
