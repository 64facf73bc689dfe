// How suites measure, and what a suite looks like.
//
// A suite is one file, bench/NAME.bench.mjs, that exports
//
//   export const title = "Opening archives";          // heading in docs/benchmarks.md
//   export const unit = "ms";                          // of every cell; lower is better
//   export const notes = "One paragraph for readers";  // optional
//   export const goals = { "vs PyTorch": {...} };      // optional, see `goalRatio` below
//   export async function run(bench) {
//     await bench.compare("resnet18", {                // one row; the first competitor is what the others are compared with
//       tsarchive: () => model.forward(x),             // a function: one repetition, timed here; a promise is awaited
//       PyTorch: torch && torch.competitor("forward"), // undefined: left out of this row
//     }, { repetitions: 15, warmup: 3 });
//     bench.fact("resnet18", "bytes", 46_890_796);     // a number or text beside the row
//     bench.skip("onnxruntime-web", "npm: no such package"); // said on the console and in the results
//   }
//
// `bench` also has `root` (the repository), `dist` (the built package to measure: import(join(bench.dist, "node/index.js"))),
// `quick` (--quick: fewer repetitions, small models only) and `load()` (imports the package once).
// Peers (PyTorch in its own process, npm packages, models made with PyTorch) come from bench/peers.mjs.

/** A competitor that measures itself, such as one in another process: `body` resolves to the milliseconds of one repetition. */
export function selfTimed(body) {
  return Object.assign(body, { selfTimed: true });
}

/** Median, minimum and maximum of numbers. */
export function summary(values) {
  const list = [...values].sort((a, b) => a - b);
  return { median: list[list.length >> 1], min: list[0], max: list.at(-1) };
}

/** Milliseconds of one repetition. */
async function once(body) {
  if (body.selfTimed) return body();
  const start = performance.now();
  const result = body();
  if (result instanceof Promise) await result;
  return performance.now() - start;
}

/**
 * Medians with minimum and maximum; the competitors take turns, so that drift of the machine hits all alike.
 * `inner` repeats fast bodies inside one measurement, after one call that is not timed: what another process had in the caches meanwhile; `collect` collects garbage and `before` runs before each turn, outside the clock; `pause` waits so many milliseconds between turns. Between turns the event loop runs: V8 finishes its background compilation.
 * @param {Record<string, (() => unknown) | undefined>} competitors name -> one repetition
 */
export async function measure(competitors, { repetitions = 15, warmup = 3, inner = 1, collect = false, before, pause = 0 } = {}) {
  const present = Object.entries(competitors).filter(([, body]) => body);
  const times = Object.fromEntries(present.map(([name]) => [name, []]));
  for (let i = -warmup; i < repetitions; i++) {
    for (const [name, body] of present) {
      const repeat = () => {
        for (let j = 0; j < inner; j++) body();
      };
      before?.();
      if (collect && !body.selfTimed) globalThis.gc?.();
      if (inner > 1 && !body.selfTimed) body();
      const ms = await once(body.selfTimed || inner === 1 ? body : repeat);
      if (i >= 0) times[name].push(body.selfTimed || inner === 1 ? ms : ms / inner);
      await new Promise((resolve) => (pause > 0 ? setTimeout(resolve, pause) : setImmediate(resolve)));
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, summary(list)]));
}

/** A number with three significant digits. */
export const short = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** `median (min-max)`. */
export const cell = ({ median, min, max }) => `${short(median)} (${short(min)}-${short(max)})`;

/** What a suite gets: rows go into `results`, prints as it goes. */
export class Bench {
  rows = {};
  facts = {};
  skipped = {};
  constructor(options) {
    Object.assign(this, options); // root, dist, quick, load, ownModule (the built bundle, for other processes)
  }

  /** Measures one row and prints it. Returns name -> { median, min, max }. */
  async compare(row, competitors, options = {}) {
    const quick = this.quick ? { repetitions: Math.min(5, options.repetitions ?? 5) } : {};
    return this.record(row, await measure(competitors, { ...options, ...quick }));
  }

  /** Takes in measurements that a suite made itself: name -> { median, min, max }. */
  record(row, times) {
    this.rows[row] = { ...this.rows[row], ...times };
    const [first, ...others] = Object.entries(times);
    const ratios = others.map(([name, t]) => `${name} ${cell(t)} = ${(t.median / first[1].median).toFixed(2)}x`);
    console.log(`  ${row.padEnd(28)} ${first[0]} ${cell(first[1])}${ratios.length > 0 ? `; ${ratios.join("; ")}` : ""}`);
    return times;
  }

  /** A number or text beside a row. */
  fact(row, name, value) {
    (this.facts[row] ??= {})[name] = value;
    console.log(`  ${row.padEnd(28)} ${name}: ${typeof value === "number" ? short(value) : value}`);
  }

  /** Says once what could not run. */
  skip(what, reason) {
    if (this.skipped[what] === reason) return;
    this.skipped[what] = reason;
    console.log(`  not run: ${what}: ${reason}`);
  }
}
