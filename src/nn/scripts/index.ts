/** @file All library scripts of functions. Upstream: torch/nn/functional.py and others, named in each file. Spec: none. See Note [Library scripts]. */
import { ACTIVATION_SCRIPTS } from "./activation.ts";
import { ATTENTION_SCRIPTS } from "./attention.ts";
import { DROPOUT_SCRIPTS } from "./dropout.ts";
import { INIT_SCRIPTS, STATE_SCRIPTS, TORCH_SCRIPTS } from "./functional.ts";
import { LOSS_SCRIPTS, REDUCTION_SCRIPTS } from "./loss.ts";
import { NORMALIZATION_SCRIPTS } from "./normalization.ts";
import { POOLING_SCRIPTS } from "./pooling.ts";
import type { FunctionScripts } from "./script_text.ts";
import { TRANSFORMER_FUNCTIONS } from "./transformer_modules.ts";
import { VISION_SCRIPTS } from "./vision.ts";

/** Texts of the functions that PyTorch writes in Python. */
export const FUNCTION_SCRIPTS: readonly FunctionScripts[] = [
  ACTIVATION_SCRIPTS,
  ATTENTION_SCRIPTS,
  DROPOUT_SCRIPTS,
  LOSS_SCRIPTS,
  NORMALIZATION_SCRIPTS,
  POOLING_SCRIPTS,
  VISION_SCRIPTS,
  REDUCTION_SCRIPTS,
  TORCH_SCRIPTS,
  INIT_SCRIPTS,
  ...STATE_SCRIPTS,
  ...TRANSFORMER_FUNCTIONS,
];
