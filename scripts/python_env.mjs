// The virtual environment with real PyTorch that the cross-checks share; outside the repository, made once.
// TSARCHIVE_VENV names another one. Where pip has no torch, callers say so and skip; they fail only if CI is set.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Where caches of this project live: environments, models made by PyTorch. */
export const cacheFolder = join(homedir(), ".cache", "tsarchive");

const home = process.env.TSARCHIVE_VENV ?? join(cacheFolder, "pytorch");
const python = join(home, "bin", "python");

// torchvision's own import may fail without its compiled operators, so packages are looked up, not imported
const PROBE = "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))";

function has(modules) {
  return existsSync(python) && spawnSync(python, ["-c", PROBE, ...modules], { stdio: "ignore" }).status === 0;
}

/** Installs what is missing with one pip call per group; returns the reason where it cannot be had. */
function install(requirements) {
  try {
    execFileSync(python, ["-m", "pip", "install", "--quiet", "--retries", "1", ...requirements], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    return undefined;
  } catch (error) {
    const lines = String(error.stderr ?? error.message)
      .trim()
      .split("\n");
    return lines.findLast((line) => line.startsWith("ERROR")) ?? lines.at(-1);
  }
}

/** The python of an environment with torch and numpy, or null (said on the console) where pip has no torch. */
export function pythonWithTorch() {
  if (has(["torch", "numpy"])) return python;
  console.log(`Making a PyTorch environment in ${home} (once) ...`);
  mkdirSync(dirname(home), { recursive: true });
  let reason;
  try {
    execFileSync("python3", ["-m", "venv", home], { stdio: "inherit" });
    reason = install(["torch", "numpy"]);
  } catch (error) {
    reason = error.message;
  }
  if (reason === undefined && has(["torch", "numpy"])) return python;
  console.log(`pip could not install torch: ${reason}`);
  return null;
}

/** Adds packages to the environment; returns name -> reason of those that cannot be had. torch itself is never moved. */
export function addPackages(names) {
  const missing = {};
  const torch = execFileSync(python, ["-c", "import torch; print(torch.__version__)"], { encoding: "utf8" }).trim();
  for (const name of names) {
    if (has([name])) continue;
    console.log(`Installing ${name} in ${home} (once) ...`);
    const reason = install([name, `torch==${torch}`]);
    if (reason !== undefined) missing[name] = reason;
  }
  return missing;
}

/** Ends a script that cannot run here: skipped, and a failure only in CI. */
export function exitSkipped() {
  console.log("0 passed, 0 failed, 1 skipped");
  process.exit(process.env.CI ? 1 : 0);
}
