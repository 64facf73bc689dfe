/** @file Padding. Upstream: torch/nn/modules/padding.py. Spec: none. */
import type { Tensor } from "../tensor/tensor.ts";
import { repeatSize, tupleText, valueText, type Size } from "./aten.ts";
import { pad, type PadMode } from "./functional_vision.ts";
import { Module } from "./module.ts";

/** What all paddings share: one number for every side, or `[left, right, top, bottom, front, back]` up to the dimensions. */
abstract class PadNd extends Module {
  static readonly constants: readonly string[] = ["padding"];
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

/** Padding with one value. */
abstract class ConstantPadNd extends PadNd {
  static override readonly constants: readonly string[] = ["padding", "value"];
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
  constructor(padding: Size) {
    super(repeatSize(padding, 2));
  }
  protected mode(): PadMode {
    return "reflect";
  }
}

/** Pads (N, C, H, W) with the reflection of the input. */
export class ReflectionPad2d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 4));
  }
  protected mode(): PadMode {
    return "reflect";
  }
}

/** Pads (N, C, D, H, W) with the reflection of the input. */
export class ReflectionPad3d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 6));
  }
  protected mode(): PadMode {
    return "reflect";
  }
}

/** Pads (N, C, L) with the nearest elements. */
export class ReplicationPad1d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 2));
  }
  protected mode(): PadMode {
    return "replicate";
  }
}

/** Pads (N, C, H, W) with the nearest elements. */
export class ReplicationPad2d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 4));
  }
  protected mode(): PadMode {
    return "replicate";
  }
}

/** Pads (N, C, D, H, W) with the nearest elements. */
export class ReplicationPad3d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 6));
  }
  protected mode(): PadMode {
    return "replicate";
  }
}

/** Pads (N, C, L) with the other end of the input. */
export class CircularPad1d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 2));
  }
  protected mode(): PadMode {
    return "circular";
  }
}

/** Pads (N, C, H, W) with the other end of the input. */
export class CircularPad2d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 4));
  }
  protected mode(): PadMode {
    return "circular";
  }
}

/** Pads (N, C, D, H, W) with the other end of the input. */
export class CircularPad3d extends PadNd {
  constructor(padding: Size) {
    super(repeatSize(padding, 6));
  }
  protected mode(): PadMode {
    return "circular";
  }
}

/** Pads (N, C, L) with a value. */
export class ConstantPad1d extends ConstantPadNd {
  constructor(padding: Size, value: number) {
    super(repeatSize(padding, 2), value);
  }
}

/** Pads (N, C, L) with zeros. */
export class ZeroPad1d extends ConstantPad1d {
  constructor(padding: Size) {
    super(padding, 0);
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}

/** Pads (N, C, H, W) with a value. */
export class ConstantPad2d extends ConstantPadNd {
  constructor(padding: Size, value: number) {
    super(repeatSize(padding, 4), value);
  }
}

/** Pads (N, C, H, W) with zeros. */
export class ZeroPad2d extends ConstantPad2d {
  constructor(padding: Size) {
    super(padding, 0);
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}

/** Pads (N, C, D, H, W) with a value. */
export class ConstantPad3d extends ConstantPadNd {
  constructor(padding: Size, value: number) {
    super(repeatSize(padding, 6), value);
  }
}

/** Pads (N, C, D, H, W) with zeros. */
export class ZeroPad3d extends ConstantPad3d {
  constructor(padding: Size) {
    super(padding, 0);
  }
  override extraRepr(): string {
    return tupleText(this.padding);
  }
}
