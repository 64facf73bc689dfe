/** @file `tsarchive script`: a TypeScript file to an archive. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { jit, torch } from "../../src/node/index.ts";

const MAIN = join(process.env["TSARCHIVE_DIST"] ?? resolve(import.meta.dirname, "../../dist"), "cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "tsarchive-script-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const cli = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
  spawnSync(process.execPath, [MAIN, "script", ...args], { encoding: "utf8" });

file(
  "helper.ts",
  `import type { Tensor, float } from "tsarchive";
export const FACTOR = 0.5;
export function scaled(x: Tensor, by: float = 2.0): Tensor {
  return x.mul(by).mul(FACTOR);
}
`,
);
const model = file(
  "model.ts",
  `import { nn, torch, type Tensor, type int } from "tsarchive";
import { scaled } from "./helper.js";

export class Model extends nn.Module {
  static readonly exports: readonly string[] = ["encode"];
  private linear = new nn.Linear(2, 2);
  public forward(x: Tensor, n: int, y: Tensor | null = null): [Tensor, Tensor] {
    for (let i: int = 0; i < n; i++) x = this.linear(x as Tensor)!;
    if (y !== null) x = x.add(y);
    return [scaled(x), this.encode(x)];
  }
  encode(x: Tensor): Tensor {
    return torch.relu(x);
  }
}
export const half = (x: Tensor): Tensor => x.div(2);
export const wrong = (x: Tensor, y: Tensor): unknown => (x as unknown as number) + (y as unknown as number);
`,
);

describe("tsarchive script", () => {
  test("compiles a class with types, helpers of another file and exports", () => {
    const out = join(folder, "model.pt");
    const { status, stdout, stderr } = cli(model, "--export", "Model", "-o", out);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toBe(
      "RecursiveScriptModule(\n  original_name=Model\n  (linear): RecursiveScriptModule(original_name=Linear)\n)\n",
    );
    const loaded = jit.load(new Uint8Array(readFileSync(out)));
    expect(loaded.method("forward").code).toContain("y: Optional[Tensor]=None) -> Tuple[Tensor, Tensor]:");
    expect(String(loaded.invoke("encode", [torch.tensor([-1.5, 2])]))).toBe("tensor([0., 2.])");
    // the debug records show the TypeScript
    expect(() => loaded(torch.ones([1, 3]), 1)).toThrow(`File "${model}", line 8, in forward`);
  });
  test("compiles a function", () => {
    const out = join(folder, "half.pt");
    const { status, stdout } = cli(model, "--export", "half", "-o", out, "--code");
    expect(status).toBe(0);
    expect(stdout).toBe("def half(x: Tensor) -> Tensor:\n  return torch.div(x, 2)\n");
  });
  test("shows the line of what cannot be compiled", () => {
    const { status, stderr } = cli(model, "--export", "wrong", "-o", join(folder, "wrong.pt"));
    expect(status).toBe(1);
    expect(stderr).toContain("`+` on tensors gives no tensor in JavaScript; write");
    expect(stderr).toContain('model.ts", line 17');
    expect(stderr).toContain("<--- HERE");
  });
  test("asks which export is meant, and says what there is", () => {
    expect(cli(model, "-o", join(folder, "x.pt")).stderr).toContain("Model, half, wrong: say which with --export");
    const { status, stderr } = cli(model, "--export", "nothing", "-o", join(folder, "x.pt"));
    expect(status).toBe(2);
    expect(stderr).toContain("exports no nothing; it exports: Model, half, wrong");
  });
});
