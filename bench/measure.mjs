// Medians with minimum and maximum; the competitors take turns, so that drift of the machine hits all alike.

/** @param {Record<string, () => void>} competitors name -> one repetition */
export function measure(competitors, { repetitions = 15, warmup = 3 } = {}) {
  const times = Object.fromEntries(Object.keys(competitors).map((k) => [k, []]));
  for (let i = -warmup; i < repetitions; i++) {
    for (const [name, body] of Object.entries(competitors)) {
      const start = performance.now();
      body();
      const ms = performance.now() - start;
      if (i >= 0) times[name].push(ms);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => {
    list.sort((a, b) => a - b);
    return [name, { median: list[list.length >> 1], min: list[0], max: list.at(-1) }];
  }));
}

export const ms = ({ median, min, max }) => `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
