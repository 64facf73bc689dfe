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

/** Options of Upsample: one of `size` and `scaleFactor`. */
export interface UpsampleOptions {
  readonly size?: Size | null;
  readonly scaleFactor?: Size | null;
  readonly mode?: InterpolateMode;
  readonly alignCorners?: boolean | null;
  readonly recomputeScaleFactor?: boolean | null;
}

/** Resizes the spatial dimensions. */
export class Upsample extends Module {
  static readonly constants: readonly string[] = [
    "size",
    "scale_factor",
    "mode",
    "align_corners",
    "name",
    "recompute_scale_factor",
  ];
  override readonly name: string;
  readonly size: Size | null;
  readonly scale_factor: Size | null;
  readonly mode: InterpolateMode;
  readonly align_corners: boolean | null;
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
  constructor(options: Pick<UpsampleOptions, "size" | "scaleFactor"> = {}) {
    super({ ...options, mode: "nearest" });
  }
}

/** `Upsample` with mode `bilinear` and aligned corners. */
export class UpsamplingBilinear2d extends Upsample {
  constructor(options: Pick<UpsampleOptions, "size" | "scaleFactor"> = {}) {
    super({ ...options, mode: "bilinear", alignCorners: true });
  }
}

/** (N, C*r*r, H, W) to (N, C, H*r, W*r). */
export class PixelShuffle extends Module {
  static readonly constants: readonly string[] = ["upscale_factor"];
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
  static readonly constants: readonly string[] = ["downscale_factor"];
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
  static readonly constants: readonly string[] = ["groups"];
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
