/** @file Scripts of convolution classes. Upstream: torch/nn/modules/conv.py. Spec: none. See Note [Library scripts]. */
import type { ModuleScript } from "../module_script.ts";
import { moduleScript } from "./module_text.ts";

const FACTS = {
  constants: [
    "stride",
    "padding",
    "dilation",
    "groups",
    "padding_mode",
    "output_padding",
    "in_channels",
    "out_channels",
    "kernel_size",
  ],
  attributes: {
    bias: "Optional[Tensor]",
    in_channels: "int",
    _reversed_padding_repeated_twice: "List[int]",
    out_channels: "int",
    transposed: "bool",
    groups: "int",
    padding_mode: "str",
    weight: "Tensor",
  },
};

const COUNTS = { 1: "_single", 2: "_pair", 3: "_triple" } as const;
type Dims = 1 | 2 | 3;

/** The script of Conv1d, Conv2d or Conv3d. */
export function convScript(dims: Dims): ModuleScript {
  return moduleScript(
    `conv.Conv${dims}d`,
    `def _conv_forward(self, input: Tensor, weight: Tensor, bias: Optional[Tensor]):
    if self.padding_mode != "zeros":
        return F.conv${dims}d(F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), weight, bias, self.stride, ${COUNTS[dims]}(0), self.dilation, self.groups)
    return F.conv${dims}d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)

def forward(self, input: Tensor) -> Tensor:
    return self._conv_forward(input, self.weight, self.bias)
`,
    FACTS,
  );
}

const OUTPUT_PADDING = `def _output_padding(self, input: Tensor, output_size: Optional[List[int]], stride: List[int], padding: List[int], kernel_size: List[int], num_spatial_dims: int, dilation: Optional[List[int]] = None) -> List[int]:
    if output_size is None:
        ret = _single(self.output_padding)
    else:
        has_batch_dim = input.dim() == num_spatial_dims + 2
        num_non_spatial_dims = 2 if has_batch_dim else 1
        if len(output_size) == num_non_spatial_dims + num_spatial_dims:
            output_size = output_size[num_non_spatial_dims:]
        if len(output_size) != num_spatial_dims:
            raise ValueError("ConvTranspose{}D: for {}D input, output_size must have {} or {} elements (got {})".format(num_spatial_dims, input.dim(), num_spatial_dims, num_non_spatial_dims + num_spatial_dims, len(output_size)))
        min_sizes = torch.jit.annotate(List[int], [])
        max_sizes = torch.jit.annotate(List[int], [])
        for d in range(num_spatial_dims):
            dim_size = (input.size(d + num_non_spatial_dims) - 1) * stride[d] - 2 * padding[d] + (dilation[d] if dilation is not None else 1) * (kernel_size[d] - 1) + 1
            min_sizes.append(dim_size)
            max_sizes.append(min_sizes[d] + stride[d] - 1)
        for i in range(len(output_size)):
            size = output_size[i]
            min_size = min_sizes[i]
            max_size = max_sizes[i]
            if size < min_size or size > max_size:
                raise ValueError("requested an output size of {}, but valid sizes range from {} to {} (for an input of {})".format(output_size, min_sizes, max_sizes, input.size()[2:]))
        res = torch.jit.annotate(List[int], [])
        for d in range(num_spatial_dims):
            res.append(output_size[d] - min_sizes[d])
        ret = res
    return ret
`;

/** The script of ConvTranspose1d, ConvTranspose2d or ConvTranspose3d. */
export function convTransposeScript(dims: Dims): ModuleScript {
  // the one of the middle is described in PyTorch
  const description = dims === 2 ? `\n    """To the size asked for."""` : "";
  return moduleScript(
    `conv.ConvTranspose${dims}d`,
    `${OUTPUT_PADDING}
def forward(self, input: Tensor, output_size: Optional[List[int]] = None) -> Tensor:${description}
    if self.padding_mode != "zeros":
        raise ValueError("Only \`zeros\` padding mode is supported for ConvTranspose${dims}d")
    if not isinstance(self.padding, tuple):
        raise AssertionError("self.padding must be a tuple")
    num_spatial_dims = ${dims}
    output_padding = self._output_padding(input, output_size, self.stride, self.padding, self.kernel_size, num_spatial_dims, self.dilation)
    return F.conv_transpose${dims}d(input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation)
`,
    FACTS,
  );
}
