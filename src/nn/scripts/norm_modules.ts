/** @file Scripts of batch and instance normalization. Upstream: torch/nn/modules/batchnorm.py, instancenorm.py. Spec: none. See Note [Library scripts]. */
import type { ModuleScript } from "../module_script.ts";
import { moduleScript } from "./module_text.ts";

const FACTS = {
  constants: ["track_running_stats", "momentum", "eps", "num_features", "affine"],
  attributes: {
    num_features: "int",
    eps: "float",
    momentum: "Optional[float]",
    affine: "bool",
    track_running_stats: "bool",
  },
};

const RANKS = { 1: [2, 3], 2: [3, 4], 3: [4, 5] } as const;
type Dims = 1 | 2 | 3;

/** The script of BatchNorm1d, BatchNorm2d or BatchNorm3d. */
export function batchNormScript(dims: Dims): ModuleScript {
  const test = dims === 1 ? "input.dim() != 2 and input.dim() != 3" : `input.dim() != ${dims + 2}`;
  const expected = dims === 1 ? "2D or 3D" : `${dims + 2}D`;
  const tracked = (buffer: string): string =>
    `self.${buffer} if not self.training or self.track_running_stats else None`;
  return moduleScript(
    `batchnorm.BatchNorm${dims}d`,
    `def _check_input_dim(self, input) -> None:
    if ${test}:
        raise ValueError("expected ${expected} input (got {}D input)".format(input.dim()))

def forward(self, input: Tensor) -> Tensor:
    self._check_input_dim(input)
    if self.momentum is None:
        exponential_average_factor = 0.0
    else:
        exponential_average_factor = self.momentum
    if self.training and self.track_running_stats:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                exponential_average_factor = 1.0 / float(self.num_batches_tracked)
            else:
                exponential_average_factor = self.momentum
    """The batch's own statistics count in training, and where none are kept."""
    if self.training:
        bn_training = True
    else:
        bn_training = (self.running_mean is None) and (self.running_var is None)
    """Kept statistics are given where they are read or written."""
    return F.batch_norm(input, ${tracked("running_mean")}, ${tracked("running_var")}, self.weight, self.bias, bn_training, exponential_average_factor, self.eps)
`,
    FACTS,
  );
}

/** The script of InstanceNorm1d, InstanceNorm2d or InstanceNorm3d. */
export function instanceNormScript(dims: Dims): ModuleScript {
  const [unbatched, batched] = RANKS[dims];
  return moduleScript(
    `instancenorm.InstanceNorm${dims}d`,
    `def _check_input_dim(self, input) -> None:
    if input.dim() not in (${unbatched}, ${batched}):
        raise ValueError("expected ${unbatched}D or ${batched}D input (got {}D input)".format(input.dim()))

def _get_no_batch_dim(self) -> int:
    return ${unbatched}

def _handle_no_batch_input(self, input):
    return self._apply_instance_norm(input.unsqueeze(0)).squeeze(0)

def _apply_instance_norm(self, input):
    return F.instance_norm(input, self.running_mean, self.running_var, self.weight, self.bias, self.training or not self.track_running_stats, self.momentum if self.momentum is not None else 0.0, self.eps)

def forward(self, input: Tensor) -> Tensor:
    self._check_input_dim(input)
    feature_dim = input.dim() - self._get_no_batch_dim()
    if input.size(feature_dim) != self.num_features:
        if self.affine:
            raise ValueError("expected input's size at dim={} to match num_features ({}), but got: {}.".format(feature_dim, self.num_features, input.size(feature_dim)))
        else:
            warnings.warn("input's size at dim={} does not match num_features. You can silence this warning by not passing in num_features, which is not used because affine=False".format(feature_dim), stacklevel=2)
    if input.dim() == self._get_no_batch_dim():
        return self._handle_no_batch_input(input)
    return self._apply_instance_norm(input)
`,
    FACTS,
  );
}
