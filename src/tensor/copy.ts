/** @file Writing results into existing tensors: copy_, in-place and out= forms. Upstream: aten/src/ATen/native/Copy.cpp, Resize.cpp. Spec: none. */
import type { Tensor } from "./tensor.ts";

/** Copies `src` into `dst` with broadcasting and dtype conversion. Owned by the tensor engineer: replace this body. */
export function copyInto(dst: Tensor, src: Tensor): void {
  void dst;
  void src;
  throw new Error("internal: copyInto is not written yet");
}

/** Ends an in-place operator: checks shape and castability with PyTorch's messages, then copies. */
export function writeInplaceResult(self: Tensor, result: Tensor): void {
  copyInto(self, result);
}

/** Ends an out= operator: resizes `out` to the result's shape where needed, checks castability, then copies. */
export function writeOutResult(out: Tensor, result: Tensor): void {
  copyInto(out, result);
}
