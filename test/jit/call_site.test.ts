/** @file Call sites: positions in the source as written, library frames left out, source maps followed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { nn, torch, type Tensor } from "../../src/node/index.ts";
import { callStack, originalPosition, sourceFile, userCallSite, type CallSite } from "../../src/jit/call_site.ts";

const folder = mkdtempSync(join(tmpdir(), "tsarchive-call-site-"));
afterAll(() => rmSync(folder, { recursive: true }));

class Probe extends nn.Module {
  stack: CallSite[] = [];
  forward(x: Tensor): Tensor {
    this.stack = callStack();
    return x;
  }
}

test("userCallSite() names this file, the line and the column of the call", () => {
  const site = userCallSite()!;
  expect(site.file).toMatch(/call_site\.test\.ts$/);
  const source = sourceFile(site.file)!;
  const start = source.offsetOfLine(site.line - 1) + site.column - 1;
  expect(source.text.slice(start)).toMatch(/^userCallSite\(\)!/);
});

test("callStack() keeps nn's frames and drops the rest of the library", () => {
  const probe = new Probe();
  const model = new nn.Sequential(probe, new nn.ReLU());
  model.callWith(torch.ones([1]));
  const names = probe.stack.map((frame) => frame.file.replace(/^.*\/(src|test)\//, "$1/"));
  expect(names[0]).toBe("test/jit/call_site.test.ts");
  expect(names).toContain("src/nn/containers.ts");
  expect(names.filter((n) => n.startsWith("src/") && !n.startsWith("src/nn/"))).toEqual([]);
});

test("originalPosition() follows a source map file and an inline one", () => {
  // one segment: column 4 of line 1 comes from source 0, line 3, column 2
  const map = { version: 3, sources: ["model.ts"], names: [], mappings: "IAEE", sourcesContent: ["a\nb\n  call();\n"] };
  const external = join(folder, "external.js");
  writeFileSync(external, "    call();\n//# sourceMappingURL=external.js.map\n");
  writeFileSync(`${external}.map`, JSON.stringify(map));
  const inline = join(folder, "inline.js");
  const data = Buffer.from(JSON.stringify(map)).toString("base64");
  writeFileSync(inline, `    call();\n//# sourceMappingURL=data:application/json;base64,${data}\n`);
  for (const file of [external, inline]) {
    expect(originalPosition(file, 1, 5)).toEqual({ file: join(folder, "model.ts"), line: 3, column: 3 });
  }
  expect(sourceFile(join(folder, "model.ts"))!.text).toContain("call()");
});

test("sourceFile() gives nothing for a file that is not there", () => {
  expect(sourceFile(pathToFileURL(join(folder, "absent.js")).href)).toBeUndefined();
  expect(originalPosition("/absent.js", 3, 4)).toEqual({ file: "/absent.js", line: 3, column: 4 });
});
