/** @file Memory that is given back by hand: dispose, using, tidy; and that nothing leaks without them. */
import { expect, test } from "vitest";
import { torch, type Tensor } from "../../src/index.ts";

const LARGE = 100_000; // elements: far above what shares a segment

test("dispose gives the memory back at once, of views too, and later use says so", () => {
  const tensor = torch.ones(LARGE);
  const view = tensor.get(0);
  const before = torch.memory();
  tensor.dispose();
  tensor.dispose();
  expect(torch.memory().disposedBytes - before.disposedBytes).toBe(4 * LARGE);
  expect(tensor.storage.segment.constructor.name).toBe("Segment");
  expect([tensor.isDisposed, view.isDisposed]).toEqual([true, true]);
  for (const use of [
    () => tensor.add(1),
    () => view.item(),
    () => String(tensor),
    () => tensor.data(),
    () => tensor.fill_(1),
    () => torch.ones(LARGE).copy_(tensor),
    () => torch.save([tensor], { write() {}, close() {}, abort() {} }),
  ])
    expect(use).toThrow("its memory was given back");
  expect(tensor.shape).toEqual([LARGE]);
});

test("using disposes at the end of the block", () => {
  let outside: Tensor;
  {
    using inside = torch.ones(LARGE);
    outside = inside;
    expect(inside.sum().item()).toBe(LARGE);
  }
  expect(outside.isDisposed).toBe(true);
});

test("tidy keeps what is returned or kept, and what was there before", () => {
  const input = torch.ones(LARGE);
  const inside: Tensor[] = [];
  let kept: Tensor | undefined;
  const { result, view } = torch.tidy(() => {
    const double = input.mul(2);
    const half = double.div(4);
    inside.push(double, half);
    kept = torch.keep(half.neg());
    return { result: double.add(half), view: input.view(10, -1) };
  });
  expect(inside.map((t) => t.isDisposed)).toEqual([true, true]);
  expect(result.get(0).item()).toBe(2.5);
  expect(view.shape).toEqual([10, LARGE / 10]);
  expect(kept!.get(0).item()).toBe(-0.5);
  expect(input.isDisposed).toBe(false);
});

test("tidy in tidy leaves its result to the outer one; an error gives everything back", () => {
  let inner: Tensor | undefined;
  torch.tidy(() => {
    inner = torch.tidy(() => torch.ones(LARGE).add(1));
    expect(inner.isDisposed).toBe(false);
  });
  expect(inner!.isDisposed).toBe(true);
  let lost: Tensor | undefined;
  expect(() =>
    torch.tidy(() => {
      lost = torch.ones(LARGE);
      throw new Error("stop");
    }),
  ).toThrow("stop");
  expect(lost!.isDisposed).toBe(true);
  expect(() => torch.tidy(() => Promise.resolve(1))).toThrow("asynchronous");
});

test("without any of it, a loop stays within bounded memory", () => {
  let x = torch.ones(LARGE);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1000; i++) x = x.add(1);
  // 400 MB were allocated; the collector frees them as they come
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(250e6);
  expect(x.get(0).item()).toBe(1001);
});
