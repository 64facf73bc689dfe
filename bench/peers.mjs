// What the package is compared with: PyTorch in a process of its own, npm packages, and models made with PyTorch.
// Everything is installed on demand into the cache of this project (outside the repository), never as a dependency of the package.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { addPackages, cacheFolder, pythonWithTorch } from "../scripts/python_env.mjs";
import { selfTimed } from "./measure.mjs";

const here = dirname(fileURLToPath(import.meta.url));
export const npmFolder = join(cacheFolder, "bench");
const modelFolder = join(cacheFolder, "models");

let knownPython;
/** Python with torch, or null. */
export function python() {
  return (knownPython ??= { path: pythonWithTorch() }).path;
}

/** An npm package from the benchmark's own folder, installed when first asked for; undefined (said) where it cannot be had. */
export async function npmPeer(bench, name, entry = name) {
  const require = createRequire(join(npmFolder, "index.js"));
  if (!existsSync(join(npmFolder, "node_modules", name))) {
    console.log(`Installing ${name} in ${npmFolder} (once) ...`);
    mkdirSync(npmFolder, { recursive: true });
    if (!existsSync(join(npmFolder, "package.json"))) writeFileSync(join(npmFolder, "package.json"), '{"private":true}\n');
    try {
      const npm = process.platform === "win32" ? "npm.cmd" : "npm";
      const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
      execFileSync(npm, ["install", ...flags, name], { cwd: npmFolder, stdio: ["ignore", "ignore", "pipe"] });
    } catch (error) {
      bench.skip(name, `npm could not install it: ${String(error.stderr ?? error.message).trim().split("\n")[0]}`);
      return undefined;
    }
  }
  try {
    const loaded = await import(pathToFileURL(require.resolve(entry)).href);
    return loaded.default ?? loaded;
  } catch (error) {
    bench.skip(name, error.message.split("\n")[0]);
    return undefined;
  }
}

const DRIVER = `
import json, sys, time
import torch
torch.set_num_threads(int(sys.argv[2]))
torch.set_grad_enabled(False)
competitors = {}
exec(compile(open(sys.argv[1]).read(), sys.argv[1], "exec"), {"torch": torch, "competitors": competitors, "time": time, "args": json.loads(sys.argv[3])})
print(json.dumps({"ready": torch.__version__}), flush=True)
for line in sys.stdin:
    name, repeat = json.loads(line)
    body = competitors[name]
    if repeat > 1: body() # what another process had in the caches while this one waited
    start = time.perf_counter()
    for _ in range(repeat):
        result = body()
    ms = (time.perf_counter() - start) * 1e3 / repeat
    print(json.dumps({"ms": ms, "result": result if isinstance(result, (int, float, str)) else None}), flush=True)
`;

/**
 * PyTorch in its own process. `code` is Python that fills `competitors["name"] = function`; it sees `torch`, `time` and `args`.
 * Returns undefined (said) where there is no PyTorch.
 */
export async function pytorch(bench, code, { threads = 1, args = {} } = {}) {
  const path = python();
  if (!path) {
    bench.skip("PyTorch", "pip has no torch here");
    return undefined;
  }
  mkdirSync(npmFolder, { recursive: true });
  const stamp = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  const [driver, body] = [`driver-${stamp}.py`, `code-${stamp}.py`].map((name) => join(npmFolder, name));
  writeFileSync(driver, DRIVER);
  writeFileSync(body, code);
  const child = spawn(path, [driver, body, String(threads), JSON.stringify(args)], { stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, TORCH_CPP_LOG_LEVEL: "ERROR" }, // NNPACK says at every call that the hardware is not its own
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error("the process of PyTorch ended");
      if (value.startsWith("{")) return JSON.parse(value);
    }
  };
  let version;
  try {
    version = (await read()).ready;
  } catch (error) {
    bench.skip("PyTorch", error.message);
    return undefined;
  } finally {
    for (const file of [driver, body]) rmSync(file, { force: true });
  }
  const call = async (name, repeat) => {
    child.stdin.write(`${JSON.stringify([name, repeat])}\n`);
    return read();
  };
  return {
    version,
    pid: child.pid,
    /** For `bench.compare`: one repetition is `repeat` calls, timed in Python; before several, one that is not timed. */
    competitor: (name, repeat = 1) => selfTimed(async () => (await call(name, repeat)).ms),
    /** What a function of the Python code returns (a number or text). */
    result: async (name) => (await call(name, 1)).result,
    close: () => child.stdin.end(),
  };
}

/** Code for `pytorch`: a competitor for each of `args.files`, one image through the model. */
export const VISION_MODELS = `
def competitor(file):
    model = torch.jit.load(file)
    image = torch.rand(1, 3, 224, 224)
    for _ in range(3): model(image)
    return lambda: float(model(image)[0, 0])
for name, file in args["files"].items():
    competitors[name] = competitor(file)
`;

const NODE_DRIVER = (module) => `
const REPEAT = 3;
const { competitors } = await import(${JSON.stringify(module)});
console.log("{}");
const { createInterface } = await import("node:readline");
for await (const name of createInterface({ input: process.stdin })) {
  await competitors[name](); // what another process had in the caches while this one waited
  const start = performance.now();
  for (let i = 0; i < REPEAT; i++) await competitors[name]();
  console.log(JSON.stringify({ ms: (performance.now() - start) / REPEAT }));
}
`;

/** A process of Node that runs a module's text, which exports `competitors`: name -> function; one turn is a call that is not timed, then the mean of three. */
export async function nodeProcess(text) {
  mkdirSync(npmFolder, { recursive: true });
  const stamp = `${process.pid}-${Math.random().toString(36).slice(2)}`;
  const [driver, module] = [`driver-${stamp}.mjs`, `module-${stamp}.mjs`].map((name) => join(npmFolder, name));
  writeFileSync(module, text);
  writeFileSync(driver, NODE_DRIVER(pathToFileURL(module).href));
  const child = spawn(process.execPath, [driver], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the process ended");
    return JSON.parse(value);
  };
  await read();
  for (const file of [driver, module]) rmSync(file, { force: true });
  return {
    competitor: (name) => selfTimed(async () => (child.stdin.write(`${name}\n`), (await read()).ms)),
    close: () => child.stdin.end(),
  };
}

/**
 * Files of well-known models with random weights: { scripted, traced, onnx } paths by name, made once with torchvision.
 * Names: resnet18, resnet50, mobilenet_v2, vit_b_16. A form that cannot be made is undefined (said).
 */
export async function models(bench, names, forms = ["scripted"]) {
  const file = (name, form) => join(modelFolder, form === "onnx" ? `${name}.onnx` : `${name}_${form}.pt`);
  const missing = names.flatMap((name) => forms.filter((form) => !existsSync(file(name, form))).map((form) => `${name}:${form}`));
  if (missing.length > 0 && python()) {
    const lacking = addPackages(["torchvision"]);
    for (const [name, reason] of Object.entries(lacking)) bench.skip(name, reason);
    console.log(`Making ${missing.join(", ")} in ${modelFolder} (once) ...`);
    mkdirSync(modelFolder, { recursive: true });
    try {
      execFileSync(python(), [join(here, "make_bench_models.py"), modelFolder, ...missing], { stdio: ["ignore", "inherit", "pipe"] });
    } catch (error) {
      bench.skip("making models", String(error.stderr ?? error.message).trim().split("\n").at(-1));
    }
  }
  return Object.fromEntries(
    names.map((name) => {
      const found = {};
      for (const form of forms) {
        if (existsSync(file(name, form))) found[form] = file(name, form);
        else bench.skip(`${name} (${form})`, "it could not be made: that takes PyTorch and torchvision");
      }
      return [name, found];
    }),
  );
}
