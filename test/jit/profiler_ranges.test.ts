/** @file Regions of `torch.autograd.profiler.record_function`, whose class is native, enums that are printed, and devices with an index. The archive: test/fixtures/make_ranges.py. */
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ArchiveReader,
  Device,
  MemorySource,
  jit,
  setPrintSink,
  torch,
  type ScriptModule,
  type Tensor,
} from "../../src/node/index.ts";

const load = (): ScriptModule => jit.load(join(import.meta.dirname, "../fixtures/ranges.pt"));

test("the region runs, and enums print as in PyTorch", () => {
  let printed = "";
  const before = setPrintSink((text) => (printed += text));
  try {
    const [y, device] = load()(torch.ones([2])) as [Tensor, Device];
    expect(y.tolist()).toEqual([1, 1]);
    expect(String(device)).toBe("cpu:0");
    expect((load()(torch.ones([2]).neg()) as [Tensor, Device])[0].tolist()).toEqual([-2, -2]);
  } finally {
    setPrintSink(before);
  }
  // torch 2.13
  expect(printed).toBe("Enum<Color.RED> [RED]\nEnum<Color.GREEN> [GREEN]\n");
});

test("code and records are PyTorch's", () => {
  const model = load();
  // torch 2.13: a device with an index is no constant
  expect(model.method("forward").code).toContain('  return (y, torch.device("cpu", 0))\n');
  const saved = ArchiveReader.open(new MemorySource(model.saveToBuffer()));
  const text = (name: string): string => new TextDecoder().decode(saved.read(name));
  expect(text("code/__torch__/torch/classes/profiler.py")).toBe("class _RecordFunction:\n  capsule : Capsule\n");
});
