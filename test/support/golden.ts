/** @file Cases of golden files: `# name`, input, `==>`, output. Upstream: none. Spec: none. */
import { readFileSync } from "node:fs";

/** One case of a golden file. */
export interface GoldenCase {
  readonly name: string;
  readonly input: string;
  readonly output: string;
}

/** The cases of `test/golden/<path>`. */
export function goldenCases(path: string): GoldenCase[] {
  const text = readFileSync(new URL(`../golden/${path}`, import.meta.url), "utf8");
  return text
    .split(/^# /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      const [input = "", output = ""] = part.slice(end + 1).split(/^==>\n/m);
      return { name: part.slice(0, end), input, output: output.trimEnd() };
    });
}
