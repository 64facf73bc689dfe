// Scripts: loops, lists, dicts and small recurrent networks, on both execution tiers, against PyTorch's TorchScript interpreter.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pytorch } from "./peers.mjs";

export const title = "Scripts";
export const notes =
  "The programs of bench/script_programs.py, one call each, with one thread. `closures` is the tier for platforms that forbid evaluation.";

const TORCH = `
import importlib.util, json
spec = importlib.util.spec_from_file_location("script_programs", args["programs"])
programs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(programs)
functions, listed = programs.make(args["folder"])
competitors.update(functions)
competitors["programs"] = lambda: json.dumps(listed)
`;

const flat = (value) => (Array.isArray(value) ? value.flatMap(flat) : value?.sizes ? flat(value.tolist()) : [value]);

/** Results are compared before anything is timed. */
function check(name, actual, expected) {
  const values = flat(actual);
  const close = (v, e) => (typeof e === "string" ? String(v) === e : Math.abs(Number(v) - e) <= 1e-5 + 1e-4 * Math.abs(e));
  if (values.length !== expected.length || !values.every((v, i) => close(v, expected[i])))
    throw new Error(`${name}: results differ: ${values.slice(0, 4)} for ${expected.slice(0, 4)}`);
}

export async function run(bench) {
  const folder = mkdtempSync(join(tmpdir(), "tsarchive-scripts-"));
  try {
    const torch = await pytorch(bench, TORCH, { args: { folder, programs: join(bench.root, "bench/script_programs.py") } });
    if (!torch) return; // the programs themselves are made with PyTorch
    const { DTYPES, jit, setExecutionTier, torch: ours } = await bench.load();
    const programs = JSON.parse(await torch.result("programs"));
    for (const [name, { file, args, calls, expected }] of Object.entries(programs)) {
      const inputs = args.map((a) => (a?.sizes ? ours.tensor(a.values, { dtype: DTYPES.float32 }).reshape(a.sizes) : a));
      const on = (tier) => {
        setExecutionTier(tier);
        const module = jit.load(file);
        check(name, module(...inputs), expected);
        return () => {
          setExecutionTier(tier);
          module(...inputs);
        };
      };
      await bench.compare(
        name,
        { tsarchive: on("auto"), closures: on("closures"), PyTorch: torch.competitor(name, calls) },
        { repetitions: 15, warmup: 5, inner: calls },
      );
    }
    setExecutionTier("auto");
    torch.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
