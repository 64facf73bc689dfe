/** @file Upsampling and shuffling of pixels and channels. Upstream: torch/nn/modules/upsampling.py, pixelshuffle.py, channelshuffle.py. Spec: none. */
import type { Tensor } from "../tensor/tensor.ts";
import { floatText, valueText, type Size } from "./aten.ts";
import {
  channel_shuffle,
  interpolate,
  pixel_shuffle,
  pixel_unshuffle,
  type InterpolateMode,
} from "./functional_vision.ts";
import { Module } from "./module.ts";
import type { ModuleScript } from "./module_script.ts";
import { callScript } from "./scripts/module_text.ts";

/** Options of Upsample: one of `size` and `scaleFactor`. */
export interface UpsampleOptions {
  /** Size of the output, or of the neighbourhood. */
  readonly size?: Size | null;
  /** By how much each dimension grows. */
  readonly scaleFactor?: Size | null;
  /** Which way of computing, by PyTorch's name. */
  readonly mode?: InterpolateMode;
  /** Let the corners of input and output be the same points. */
  readonly alignCorners?: boolean | null;
  /** Compute the scale anew from the sizes. */
  readonly recomputeScaleFactor?: boolean | null;
}

/** Resizes the spatial dimensions. */
export class Upsample extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "upsampling.Upsample",
    "input: Tensor",
    "F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, recompute_scale_factor=self.recompute_scale_factor)",
    {
      constants: ["size", "scale_factor", "mode", "align_corners", "name", "recompute_scale_factor"],
      attributes: {
        name: "str",
        scale_factor: "List[float]",
        mode: "str",
        align_corners: "Optional[bool]",
        recompute_scale_factor: "Optional[bool]",
      },
    },
  );
  override readonly name: string;
  /** Size of the output, or of the neighbourhood. */
  readonly size: Size | null;
  /** By how much each dimension grows; null where the size is given. */
  readonly scale_factor: Size | null;
  /** Which way of computing, by PyTorch's name. */
  readonly mode: InterpolateMode;
  /** Whether the corners of input and output are the same points. */
  readonly align_corners: boolean | null;
  /** Whether the scale is computed anew from the sizes. */
  readonly recompute_scale_factor: boolean | null;

  constructor(options: UpsampleOptions = {}) {
    super();
    this.name = this.getName();
    this.size = options.size ?? null;
    this.scale_factor = options.scaleFactor ?? null;
    this.mode = options.mode ?? "nearest";
    this.align_corners = options.alignCorners ?? null;
    this.recompute_scale_factor = options.recomputeScaleFactor ?? null;
  }

  forward(input: Tensor): Tensor {
    return interpolate(input, {
      size: this.size,
      scaleFactor: this.scale_factor,
      mode: this.mode,
      alignCorners: this.align_corners,
      recomputeScaleFactor: this.recompute_scale_factor,
    });
  }

  override extraRepr(): string {
    const { scale_factor: scale } = this;
    const factors =
      typeof scale === "number"
        ? floatText(scale)
        : scale && `(${scale.map(floatText).join(", ")}${scale.length === 1 ? "," : ""})`;
    return `${factors ? `scale_factor=${factors}` : `size=${valueText(this.size)}`}, mode='${this.mode}'`;
  }
}

/** `Upsample` with mode `nearest`. */
export class UpsamplingNearest2d extends Upsample {
  static override readonly torchscript: ModuleScript = callScript(
    "upsampling.UpsamplingNearest2d",
    "input: Tensor",
    "F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, recompute_scale_factor=self.recompute_scale_factor)",
    {
      constants: ["size", "scale_factor", "mode", "align_corners", "name", "recompute_scale_factor"],
      attributes: {
        name: "str",
        scale_factor: "List[float]",
        mode: "str",
        align_corners: "Optional[bool]",
        recompute_scale_factor: "Optional[bool]",
      },
    },
  );
  constructor(options: Pick<UpsampleOptions, "size" | "scaleFactor"> = {}) {
    super({ ...options, mode: "nearest" });
  }
}

/** `Upsample` with mode `bilinear` and aligned corners. */
export class UpsamplingBilinear2d extends Upsample {
  static override readonly torchscript: ModuleScript = callScript(
    "upsampling.UpsamplingBilinear2d",
    "input: Tensor",
    "F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, recompute_scale_factor=self.recompute_scale_factor)",
    {
      constants: ["size", "scale_factor", "mode", "align_corners", "name", "recompute_scale_factor"],
      attributes: {
        name: "str",
        scale_factor: "List[float]",
        mode: "str",
        align_corners: "Optional[bool]",
        recompute_scale_factor: "Optional[bool]",
      },
    },
  );
  constructor(options: Pick<UpsampleOptions, "size" | "scaleFactor"> = {}) {
    super({ ...options, mode: "bilinear", alignCorners: true });
  }
}

/** (N, C*r*r, H, W) to (N, C, H*r, W*r). */
export class PixelShuffle extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "pixelshuffle.PixelShuffle",
    "input: Tensor",
    "F.pixel_shuffle(input, self.upscale_factor)",
    { constants: ["upscale_factor"], attributes: { upscale_factor: "int" } },
  );
  /** By how much height and width grow. */
  readonly upscale_factor: number;
  constructor(upscaleFactor: number) {
    super();
    this.upscale_factor = upscaleFactor;
  }
  forward(input: Tensor): Tensor {
    return pixel_shuffle(input, this.upscale_factor);
  }
  override extraRepr(): string {
    return `upscale_factor=${this.upscale_factor}`;
  }
}

/** The inverse of PixelShuffle. */
export class PixelUnshuffle extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "pixelshuffle.PixelUnshuffle",
    "input: Tensor",
    "F.pixel_unshuffle(input, self.downscale_factor)",
    { constants: ["downscale_factor"], attributes: { downscale_factor: "int" } },
  );
  /** By how much height and width shrink. */
  readonly downscale_factor: number;
  constructor(downscaleFactor: number) {
    super();
    this.downscale_factor = downscaleFactor;
  }
  forward(input: Tensor): Tensor {
    return pixel_unshuffle(input, this.downscale_factor);
  }
  override extraRepr(): string {
    return `downscale_factor=${this.downscale_factor}`;
  }
}

/** Interleaves groups of channels. */
export class ChannelShuffle extends Module {
  static readonly torchscript: ModuleScript = callScript(
    "channelshuffle.ChannelShuffle",
    "input: Tensor",
    "F.channel_shuffle(input, self.groups)",
    { constants: ["groups"], attributes: { groups: "int" } },
  );
  /** Into how many parts the channels are divided that do not mix. */
  readonly groups: number;
  constructor(groups: number) {
    super();
    this.groups = groups;
  }
  forward(input: Tensor): Tensor {
    return channel_shuffle(input, this.groups);
  }
  override extraRepr(): string {
    return `groups=${this.groups}`;
  }
}
