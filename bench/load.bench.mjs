// Open-and-print and open-with-all-weights against raw reading of the same bytes, in the same run. Every storage is read by `load`.
import { closeSync, existsSync, openSync, readSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { measure, ms } from "./measure.mjs";

export async function run(root, dist = join(root, "dist")) {
  const { FileSource, inspect, jit } = await import(join(dist, "node/index.js"));
  const folders = [join(root, "../shared/models"), join(root, "test/fixtures/models")].filter(existsSync);
  const files = readdirSync(folders[0]).map((name) => [name, join(folders[0], name, "model.pt")]).filter(([, f]) => existsSync(f));
  const results = {};
  console.log("file                      bytes   raw read ms          inspect ms           open + print ms      open + weights ms    ratio to raw");
  for (const [name, file] of files) {
    const size = statSync(file).size;
    const target = new Uint8Array(size);
    const result = measure({
      raw: () => {
        const fd = openSync(file, "r");
        readSync(fd, target, 0, size, 0);
        closeSync(fd);
      },
      inspect: () => {
        const source = new FileSource(file);
        inspect(source);
        source.close();
      },
      print: () => String(jit.load(file)),
      weights: () => {
        for (const tensor of jit.load(file).stateDict().values()) tensor.storage.bytes();
      },
    });
    results[name] = { bytes: size, ...result };
    const ratio = result.weights.median / result.raw.median;
    console.log(`${name.padEnd(24)} ${String(size).padStart(7)}  ${ms(result.raw).padEnd(20)} ${ms(result.inspect).padEnd(20)} ${ms(result.print).padEnd(20)} ${ms(result.weights).padEnd(20)} ${ratio.toFixed(1)}`);
  }
  return results;
}
