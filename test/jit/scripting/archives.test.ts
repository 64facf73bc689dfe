/** @file Archives of scripted library modules: records, data.pkl and code are PyTorch's (make_archives.py). */
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { ArchiveReader, MemorySource, jit, nn } from "../../../src/index.ts";
import { resetPythonCu } from "../../../src/jit/python_cu.ts";

interface Recorded {
  readonly records: readonly string[];
  /** data.pkl in hexadecimal digits. */
  readonly data: string;
  readonly code: Readonly<Record<string, string>>;
}
const { archives } = JSON.parse(readFileSync(new URL("./archives.json", import.meta.url), "utf8")) as {
  archives: Record<string, Recorded>;
};

const MODULES: Record<string, () => nn.Module> = {
  mlp: () => new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Dropout(0.5), new nn.Linear(8, 2)),
  cnn: () =>
    new nn.Sequential(
      new nn.Conv2d(3, 8, 3, { padding: 1 }),
      new nn.BatchNorm2d(8),
      new nn.ReLU({ inplace: true }),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
    ),
  nested: () =>
    new nn.Sequential(
      new nn.Sequential(new nn.Linear(4, 4), new nn.Tanh()),
      new nn.Sequential(new nn.Linear(4, 4), new nn.Sigmoid()),
      new nn.Linear(4, 4),
    ),
  gru: () => new nn.GRU(4, 5, { numLayers: 2, batchFirst: true }),
  attention: () => new nn.MultiheadAttention(8, 2),
  encoder: () => new nn.TransformerEncoderLayer(8, 2, { dimFeedforward: 16 }).eval(),
  embedding: () => new nn.Sequential(new nn.Embedding(10, 4), new nn.LayerNorm(4), new nn.GELU()),
  upsampling: () =>
    new nn.Sequential(new nn.ConvTranspose2d(3, 4, 3, { stride: 2 }), new nn.Upsample({ scaleFactor: 2 })),
  named: () => new nn.Sequential({ fc: new nn.Linear(2, 2), act: new nn.ReLU() }),
  list: () => new nn.ModuleList([new nn.Linear(2, 2)]),
  dict: () => new nn.ModuleDict<nn.Module>({ b: new nn.Linear(2, 2), a: new nn.ReLU() }),
};

/** Constants come in the order of a Python set, which differs from process to process. */
function sortedConstants(text: string): string {
  const out: string[] = [];
  let block: string[] = [];
  for (const line of text.split("\n")) {
    if (line.includes(" : Final[")) {
      block.push(line);
      continue;
    }
    out.push(...block.toSorted(), line);
    block = [];
  }
  return out.join("\n");
}

beforeEach(() => resetPythonCu());

test.each(Object.entries(archives))("%s", (name, recorded) => {
  const reader = ArchiveReader.open(new MemorySource(jit.script(MODULES[name]!()).saveToBuffer()));
  expect(reader.recordNames()).toEqual(recorded.records);
  const code = Object.keys(recorded.code).map((record) => [
    record,
    sortedConstants(new TextDecoder().decode(reader.read(record))),
  ]);
  expect(Object.fromEntries(code)).toEqual(recorded.code);
  expect(Buffer.from(reader.read("data.pkl")).toString("hex")).toBe(recorded.data);
});
