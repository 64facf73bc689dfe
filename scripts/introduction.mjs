// Runs examples/introduction.ts and, where there is PyTorch, introduction.py, and compares what they print.
//   node scripts/introduction.mjs [--record]   with --record writes examples/introduction.expected.txt from PyTorch
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compilePrograms } from "./pairs.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** A text without the file locations behind `#`. */
export function withoutLocations(text) {
  return text.replace(/ # [^\n]*/g, "");
}

function output(command, args) {
  const run = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`${command} ${args.join(" ")} ended with status ${run.status}\n${run.stderr}`);
  return withoutLocations(run.stdout);
}

/** Whether both programs print the same; says the first line that differs. */
export function runIntroduction(python) {
  const ours = output(process.execPath, [join(compilePrograms(), "examples/introduction.js")]).split("\n");
  const theirs = output(python, [join(root, "examples/introduction.py")]).split("\n");
  const at = ours.findIndex((line, i) => line !== theirs[i]);
  if (at < 0 && ours.length === theirs.length) {
    console.log(`ok   introduction: ${ours.length} lines as PyTorch prints them`);
    return true;
  }
  console.log(`FAIL introduction, line ${at + 1}\n  tsarchive: ${ours[at]}\n  PyTorch:   ${theirs[at]}`);
  return false;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { exitSkipped, pythonWithTorch } = await import("./python_env.mjs");
  const python = pythonWithTorch() ?? exitSkipped();
  if (process.argv.includes("--record")) {
    writeFileSync(
      join(root, "examples/introduction.expected.txt"),
      output(python, [join(root, "examples/introduction.py")]),
    );
  } else process.exitCode = runIntroduction(python) ? 0 : 1;
}
