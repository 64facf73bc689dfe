/** @file Padding. Upstream: torch/nn/modules/padding.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { repeatSize, tupleText, valueText, type Size } from "./aten.ts";
import { pad, type PadMode } from "./functional_vision.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { moduleScript } from "./scripts/module_text.ts";

/** The script of a class that pads around and first looks at the rank. */
function circularScript(dims: number, [one, other]: readonly [number, number]): ModuleScript {
  return moduleScript(
    `padding.CircularPad${dims}d`,
    `def _check_input_dim(self, input) -> None:
    if input.dim() != ${one} and input.dim() != ${other}:
        raise ValueError("expected ${one}D or ${other}D input (got {}D input)".format(input.dim()))

def forward(self, input: Tensor) -> Tensor:
    self._check_input_dim(input)
    return F.pad(input, self.padding, "circular")
`,
    { constants: ["padding"], attributes: {} },
  );
}

/** What all paddings share: one number for every side, or `[left, right, top, bottom, front, back]` up to the dimensions. */
abstract class PadNd extends Module {
  /** What is added around the input. */
  readonly padding: readonly number[];
  constructor(padding: readonly number[]) {
    super();
    this.padding = padding;
  }
  protected abstract mode(): PadMode;
  forward(input: Tensor): Tensor {
    return pad(input, this.padding, this.mode());
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}

/** Padding with the other end of the input, (C, ...) or (N, C, ...). */
abstract class CircularPadNd extends PadNd {
  protected mode(): PadMode {
    return "circular";
  }
  override forward(input: Tensor): Tensor {
    const unbatched = this.padding.length / 2 + 1;
    if (input.ndim !== unbatched && input.ndim !== unbatched + 1)
      throw new OperatorError(`expected ${unbatched}D or ${unbatched + 1}D input (got ${input.ndim}D input)`);
    return super.forward(input);
  }
}

/** Padding with one value. */
abstract class ConstantPadNd extends PadNd {
  /** What is filled in. */
  readonly value: number;
  constructor(padding: readonly number[], value: number) {
    super(padding);
    this.value = value;
  }
  protected mode(): PadMode {
    return "constant";
  }
  override forward(input: Tensor): Tensor {
    return pad(input, this.padding, "constant", this.value);
  }
  override extraRepr(): string {
    return `padding=${tupleText(this.padding)}, value=${valueText(this.value)}`;
  }
}

/** Pads (N, C, L) with the reflection of the input. */
export class ReflectionPad1d extends PadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ReflectionPad1d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'reflect')\n",
    { constants: ["padding"], attributes: {} },
  );
  constructor(padding: Size) {
    super(repeatSize(padding, 2));
  }
  protected mode(): PadMode {
    return "reflect";
  }
}

/** Pads (N, C, H, W) with the reflection of the input. */
export class ReflectionPad2d extends PadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ReflectionPad2d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'reflect')\n",
    { constants: ["padding"], attributes: {} },
  );
  constructor(padding: Size) {
    super(repeatSize(padding, 4));
  }
  protected mode(): PadMode {
    return "reflect";
  }
}

/** Pads (N, C, D, H, W) with the reflection of the input. */
export class ReflectionPad3d extends PadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ReflectionPad3d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'reflect')\n",
    { constants: ["padding"], attributes: {} },
  );
  constructor(padding: Size) {
    super(repeatSize(padding, 6));
  }
  protected mode(): PadMode {
    return "reflect";
  }
}

/** Pads (N, C, L) with the nearest elements. */
export class ReplicationPad1d extends PadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ReplicationPad1d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'replicate')\n",
    { constants: ["padding"], attributes: {} },
  );
  constructor(padding: Size) {
    super(repeatSize(padding, 2));
  }
  protected mode(): PadMode {
    return "replicate";
  }
}

/** Pads (N, C, H, W) with the nearest elements. */
export class ReplicationPad2d extends PadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ReplicationPad2d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'replicate')\n",
    { constants: ["padding"], attributes: {} },
  );
  constructor(padding: Size) {
    super(repeatSize(padding, 4));
  }
  protected mode(): PadMode {
    return "replicate";
  }
}

/** Pads (N, C, D, H, W) with the nearest elements. */
export class ReplicationPad3d extends PadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ReplicationPad3d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'replicate')\n",
    { constants: ["padding"], attributes: {} },
  );
  constructor(padding: Size) {
    super(repeatSize(padding, 6));
  }
  protected mode(): PadMode {
    return "replicate";
  }
}

/** Pads (N, C, L) with the other end of the input. */
export class CircularPad1d extends CircularPadNd {
  static readonly torchscript: ModuleScript = circularScript(1, [2, 3]);
  constructor(padding: Size) {
    super(repeatSize(padding, 2));
  }
}

/** Pads (N, C, H, W) with the other end of the input. */
export class CircularPad2d extends CircularPadNd {
  static readonly torchscript: ModuleScript = circularScript(2, [3, 4]);
  constructor(padding: Size) {
    super(repeatSize(padding, 4));
  }
}

/** Pads (N, C, D, H, W) with the other end of the input. */
export class CircularPad3d extends CircularPadNd {
  static readonly torchscript: ModuleScript = circularScript(3, [4, 5]);
  constructor(padding: Size) {
    super(repeatSize(padding, 6));
  }
}

/** Pads (N, C, L) with a value. */
export class ConstantPad1d extends ConstantPadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ConstantPad1d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'constant', self.value)\n",
    { constants: ["padding", "value"], attributes: { value: "float" } },
  );
  constructor(padding: Size, value: number) {
    super(repeatSize(padding, 2), value);
  }
}

/** Pads (N, C, L) with zeros. */
export class ZeroPad1d extends ConstantPad1d {
  static override readonly torchscript: ModuleScript = moduleScript(
    "padding.ZeroPad1d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'constant', self.value)\n",
    { constants: ["padding", "value"], attributes: { value: "float" } },
  );
  constructor(padding: Size) {
    super(padding, 0);
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}

/** Pads (N, C, H, W) with a value. */
export class ConstantPad2d extends ConstantPadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ConstantPad2d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'constant', self.value)\n",
    { constants: ["padding", "value"], attributes: { value: "float" } },
  );
  constructor(padding: Size, value: number) {
    super(repeatSize(padding, 4), value);
  }
}

/** Pads (N, C, H, W) with zeros. */
export class ZeroPad2d extends ConstantPad2d {
  static override readonly torchscript: ModuleScript = moduleScript(
    "padding.ZeroPad2d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'constant', self.value)\n",
    { constants: ["padding", "value"], attributes: { value: "float" } },
  );
  constructor(padding: Size) {
    super(padding, 0);
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}

/** Pads (N, C, D, H, W) with a value. */
export class ConstantPad3d extends ConstantPadNd {
  static readonly torchscript: ModuleScript = moduleScript(
    "padding.ConstantPad3d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'constant', self.value)\n",
    { constants: ["padding", "value"], attributes: { value: "float" } },
  );
  constructor(padding: Size, value: number) {
    super(repeatSize(padding, 6), value);
  }
}

/** Pads (N, C, D, H, W) with zeros. */
export class ZeroPad3d extends ConstantPad3d {
  static override readonly torchscript: ModuleScript = moduleScript(
    "padding.ZeroPad3d",
    "def forward(self, input: Tensor) -> Tensor:\n    return F.pad(input, self.padding, 'constant', self.value)\n",
    { constants: ["padding", "value"], attributes: { value: "float" } },
  );
  constructor(padding: Size) {
    super(padding, 0);
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}
