/** @file jit.warmUp leaves nothing for the first call to do but compute, and nothing else changed. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { jit, nn, type Tensor, torch } from "../../src/node/index.ts";
import { kernelMemory } from "../../src/tensor/kernels/wasm/build.ts";

const file = (name: string): string => fileURLToPath(new URL(`../fixtures/models/${name}/model.pt`, import.meta.url));

test("weights are packed and methods compiled, random numbers and answers are as without", async () => {
  const layers = [new nn.Conv2d(3, 16, 3, { padding: 1 }), new nn.BatchNorm2d(16), new nn.ReLU()];
  const traced = jit.trace(new nn.Sequential(...layers).eval(), [torch.ones([1, 3, 24, 24])]);
  const image = torch.rand([1, 3, 24, 24]);
  const archive = traced.saveToBuffer();
  const wanted = (jit.load(archive)(image) as Tensor).tolist();
  const model = jit.load(archive);
  torch.manualSeed(5);
  const first = torch.rand([4]).tolist();
  torch.manualSeed(5);
  const before = kernelMemory()!.used;
  await jit.warmUp(model, [image]);
  expect(torch.rand([4]).tolist()).toEqual(first);
  const packed = kernelMemory()!.used;
  expect(packed).toBeGreaterThan(before);
  expect((model(image) as Tensor).tolist()).toEqual(wanted);
  expect(kernelMemory()!.used).toBe(packed);
});

test("any function can be warmed up, without gradients, and its errors come through", async () => {
  const weight = torch.ones([2], { requires_grad: true });
  const seen: boolean[] = [];
  await jit.warmUp((x: Tensor) => seen.push(x.mul(weight).requires_grad), [torch.ones([2])], {
    calls: 2,
  });
  expect(seen).toEqual([false, false]);
  const model = jit.load(file("intro_wrapped_rnn"));
  await expect(jit.warmUp(model, [torch.ones([1])])).rejects.toThrow();
});
