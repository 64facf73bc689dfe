/** @file Attention block by block on the WebAssembly kernels gives what the reference gives. */
import { afterAll, describe, expect, test } from "vitest";
import { callOperator } from "../../src/core/operator_registry.ts";
import "../../src/ops/attention.ts";
import { fromData } from "../../src/tensor/data.ts";
import { DTYPES } from "../../src/tensor/dtype.ts";
import { doublesOf } from "../../src/tensor/kernels/data.ts";
import { kernelBuild, setKernelBuild, supportedKernelBuilds } from "../../src/tensor/kernels/wasm/build.ts";
import { releaseTemporary, runForTemporary } from "../../src/tensor/temporaries.ts";
import { Tensor, viewOf } from "../../src/tensor/tensor.ts";
import { transposeView } from "../../src/tensor/view_geometry.ts";

const initial = kernelBuild();
afterAll(() => setKernelBuild(initial));
const fast = supportedKernelBuilds().filter((b) => b !== "reference");

let seed = 1;
const random = (): number => ((seed = (seed * 48271) % 2147483647) / 2147483647) * 2 - 1;
const tensor = (sizes: readonly number[]): Tensor =>
  fromData(Float32Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, random), [...sizes]);

const attention = (q: Tensor, k: Tensor, v: Tensor, scale: number | null = null): Tensor =>
  masked(q, k, v, null, scale);
/** With a mask, or the causal one. */
const masked = (
  q: Tensor,
  k: Tensor,
  v: Tensor,
  mask: Tensor | null | "causal",
  scale: number | null = null,
  isShared = false,
): Tensor => {
  const isCausal = mask === "causal";
  return callOperator("aten::scaled_dot_product_attention", [
    q,
    k,
    v,
    isCausal ? null : mask,
    0,
    isCausal,
    scale,
    isShared,
  ]) as Tensor;
};

/** A copy with the same sizes and strides in the kernels' memory. */
function inHeap(t: Tensor): Tensor {
  const bytes = t.storage.bytes().slice();
  const copy = runForTemporary(() => fromData(new Float32Array(bytes.buffer), [bytes.length / 4])) as () => Tensor;
  return viewOf(copy(), t.sizes, t.strides, t.storageOffset);
}

function close(actual: Tensor, wanted: Tensor): void {
  expect(actual.sizes).toEqual(wanted.sizes);
  expect(actual.strides).toEqual(wanted.strides);
  const [a, b] = [doublesOf(actual), doublesOf(wanted)];
  a.forEach((value, i) => {
    if (Object.is(value, b[i])) return;
    if (Number.isNaN(b[i]!)) expect(value).toBeNaN();
    else expect(Math.abs(value - b[i]!)).toBeLessThan(2e-6 * (1 + Math.abs(b[i]!)));
  });
}

const SHAPES = [
  [1, 12, 197, 197, 64, 64],
  [2, 3, 49, 50, 32, 32],
  [1, 2, 5, 7, 128, 130],
  [3, 1, 13, 33, 40, 24],
  [1, 1, 193, 300, 8, 5],
  [1, 1, 6, 1001, 16, 16],
] as const;

describe.each(fast)("%s attention", (build) => {
  const both = (run: () => Tensor): [Tensor, Tensor] => {
    setKernelBuild("reference");
    const wanted = run();
    setKernelBuild(build);
    return [run(), wanted];
  };

  test.each(SHAPES)("of %i x %i heads, %i queries, %i keys, widths %i and %i", (N, H, L, S, E, V) => {
    const [q, k, v] = [tensor([N, H, L, E]), tensor([N, H, S, E]), tensor([N, H, S, V])];
    close(...both(() => attention(q, k, v)));
    close(...both(() => attention(q, k, v, -0.7)));
    close(...both(() => attention(q, k, v, 0)));
    close(...both(() => masked(q, k, v, "causal")));
    const added = tensor([L, S]);
    added.storage.segment.f32.fill(-Infinity, added.base0 + S + 1, added.base0 + 2 * S);
    for (const sizes of [
      [L, S],
      [1, S],
      [1, 1, L, S],
    ])
      close(
        ...both(() => masked(q, k, v, viewOf(added, sizes, [...new Array<number>(sizes.length - 2).fill(0), S, 1]))),
      );
    // a query that sees nothing gives zeros
    added.storage.segment.f32.fill(-Infinity, added.base0, added.base0 + S);
    close(...both(() => masked(q, k, v, added)));
    // heads behind each other in a row, as linear layers give them
    const [tq, tk, tv] = [tensor([N, L, H, E]), tensor([N, S, H, E]), tensor([N, S, H, V])].map((t) =>
      transposeView(t, 1, 2),
    ) as [Tensor, Tensor, Tensor];
    close(...both(() => attention(tq, tk, tv)));
    close(...both(() => attention(q, tk, tv)));
  });

  test("with a mask for every head, batch, query or key", () => {
    const [N, H, L, S] = [2, 3, 25, 34];
    const [q, k, v] = [tensor([N, H, L, 16]), tensor([N, H, S, 16]), tensor([N, H, S, 24])];
    for (const sizes of [
      [N, 1, L, S],
      [N, H, L, S],
      [1, H, L, S],
      [H, 1, S],
      [N, 1, 1, S],
      [H, L, 1],
    ]) {
      const differing = tensor(sizes);
      close(...both(() => masked(q, k, v, differing)));
      const seen = fromData(
        Uint8Array.from({ length: differing.numel }, () => (random() > -0.6 ? 1 : 0)),
        sizes,
        DTYPES.bool,
      );
      close(...both(() => masked(q, k, v, seen)));
    }
  });

  test("of keys and values that several heads share", () => {
    for (const [own, times, L, S] of [
      [2, 3, 9, 20],
      [1, 4, 30, 30],
      [4, 1, 8, 8],
    ] as const) {
      const q = tensor([2, own * times, L, 16]);
      const [k, v] = [tensor([2, own, S, 16]), tensor([2, own, S, 24])];
      for (const mask of [null, tensor([L, S]), tensor([2, 1, L, S]), tensor([1, own * times, L, S])])
        close(...both(() => masked(q, k, v, mask, null, true)));
    }
  });

  test("of keys, values and masks that are repeated along batches", () => {
    const q = tensor([3, 2, 12, 16]);
    for (const [k, v, mask] of [
      [tensor([1, 2, 14, 16]), tensor([3, 1, 14, 8]), tensor([3, 1, 12, 14])],
      [tensor([14, 16]), tensor([2, 14, 16]), tensor([14])],
    ] as const)
      close(...both(() => masked(q, k, v, mask)));
  });

  test("of operands in the kernels' memory with any strides, into it", () => {
    const packed = tensor([2, 37, 3, 4, 48]);
    const part = (t: Tensor, i: number): Tensor =>
      viewOf(t, [2, 4, 37, 48], [37 * 576, 48, 576, 1], t.storageOffset + i * 192);
    setKernelBuild("reference");
    const wanted = attention(part(packed, 0), part(packed, 1), part(packed, 2));
    setKernelBuild(build);
    const here = inHeap(packed);
    const run = runForTemporary(attention as (...args: never[]) => unknown) as typeof attention;
    const actual = run(part(here, 0), part(here, 1), part(here, 2));
    close(actual, wanted);
    releaseTemporary(actual);
    releaseTemporary(here);
  });

  test("of values that are not finite", () => {
    for (const special of [NaN, Infinity, -Infinity]) {
      const [q, k, v] = [tensor([1, 1, 20, 16]), tensor([1, 1, 30, 16]), tensor([1, 1, 30, 16])];
      for (const t of [q, k, v]) {
        const at = t.base0 + 3 * 16 + 2;
        const before = t.storage.segment.f32[at]!;
        t.storage.segment.f32[at] = special;
        close(...both(() => attention(q, k, v)));
        t.storage.segment.f32[at] = before;
      }
    }
  });
});
