/** @file What workers run. Upstream: none. Spec: none.
 *
 * Note [Worker program]: both functions become text that a worker evaluates (`workerProgram`), so they use nothing from outside
 * but each other. A worker knows the shared memory, the control words in it, and finds everything else there: the bytes of the
 * kernels' modules, which it compiles when a command first names one of their functions, and the commands. No text of an archive
 * comes near it. */

/** Control words, as indices of 32-bit words from the control area on. */
export const CONTROL = {
  /** Tasks of the region: number of the region (12 bits), tasks published (10 bits), tasks taken (10 bits). Waited on by workers. */
  word: 0,
  /** Tasks of the region that have ended. Waited on by the main thread. */
  ended: 1,
  /** Workers that sleep, and whether the main thread does. */
  sleeping: 2,
  mainSleeps: 3,
  /** Workers that have started. */
  started: 4,
  /** Not zero where a kernel failed in a worker. */
  failed: 5,
  /** Modules in the table. */
  modules: 6,
  /** Bytes of what each thread has of its own in this region. */
  own: 7,
  /** Beginning of each task's commands, in words; the next one's is its end. */
  tasks: 16,
} as const;

/** Bits of the counters in the control word. */
export const COUNT_BITS = 10;
/** Words of the table of tasks. */
const TASK_WORDS = (1 << COUNT_BITS) + 1;
/** Most modules, each an address and a length. */
export const MAX_MODULES = 64;
/** Words of the control area. */
export const CONTROL_WORDS: number = CONTROL.tasks + TASK_WORDS + 2 * MAX_MODULES;
/** First word of the table of modules. */
export const MODULE_TABLE: number = CONTROL.tasks + TASK_WORDS;
/** Words of a command before its arguments: function and number of arguments, masks of the thread's own addresses and of floats. */
export const COMMAND_WORDS = 3;

/** A kernel. */
export type KernelFunction = (...args: number[]) => void;

/** Runs the commands between two words. `shift` is added to the addresses that are the thread's own. */
export function runCommands(
  i32: Int32Array,
  f32: Float32Array,
  functions: readonly KernelFunction[],
  at: number,
  end: number,
  shift: number,
): void {
  const args: number[] = [];
  while (at < end) {
    const head = i32[at]!;
    const own = i32[at + 1]!;
    const floats = i32[at + 2]!;
    const count = head >>> 16;
    at += 3;
    args.length = count;
    for (let i = 0; i < count; i++) {
      const bit = 1 << i;
      args[i] = (floats & bit) !== 0 ? f32[at + i]! : (own & bit) !== 0 ? i32[at + i]! + shift : i32[at + i]!;
    }
    at += count;
    functions[head & 0xffff]!(...args);
  }
}

/** What a worker is told. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** First word of the control area. */
  readonly control: number;
  /** Number of the thread, from 1. */
  readonly thread: number;
  /** Microseconds for which a worker looks for work before it sleeps. */
  readonly spin: number;
  readonly imports: readonly [string, string];
  readonly words: typeof CONTROL;
  readonly moduleTable: number;
}

/** The life of a worker; it ends with the worker. */
export function work(start: WorkerStart, run: typeof runCommands): void {
  const { memory, control, thread, spin, words } = start;
  let i32 = new Int32Array(memory.buffer);
  let f32 = new Float32Array(memory.buffer);
  const functions: KernelFunction[] = [];
  let modules = 0;
  const [word, ended] = [control + words.word, control + words.ended];
  const learn = (): void => {
    for (const known = Atomics.load(i32, control + words.modules); modules < known; modules++) {
      const [address, length] = [0, 1].map((i) => i32[control + start.moduleTable + 2 * modules + i]!) as [
        number,
        number,
      ];
      const bytes = new Uint8Array(length); // compiling takes no shared memory
      bytes.set(new Uint8Array(memory.buffer, address, length));
      const imports = { [start.imports[0]]: { [start.imports[1]]: memory } };
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
      functions.push(...(Object.values(exports) as KernelFunction[]));
    }
  };
  const grown = (): void => {
    if (i32.buffer.byteLength === memory.buffer.byteLength) return;
    i32 = new Int32Array(memory.buffer);
    f32 = new Float32Array(memory.buffer);
  };
  const sleep = (seen: number): void => {
    for (const until = performance.now() + spin / 1000; performance.now() < until;) {
      for (let i = 0; i < 64; i++) if (Atomics.load(i32, word) !== seen) return;
    }
    Atomics.add(i32, control + words.sleeping, 1);
    Atomics.wait(i32, word, seen);
    Atomics.sub(i32, control + words.sleeping, 1);
  };
  Atomics.add(i32, control + words.started, 1);
  for (;;) {
    const seen = Atomics.load(i32, word);
    const task = seen & 0x3ff;
    if (task >= ((seen >>> 10) & 0x3ff)) {
      sleep(seen);
      continue;
    }
    if (Atomics.compareExchange(i32, word, seen, seen + 1) !== seen) continue;
    try {
      grown();
      learn();
      const table = control + words.tasks;
      const shift = i32[control + words.own]! * thread;
      run(i32, f32, functions, i32[table + task]!, i32[table + task + 1]!, shift);
    } catch {
      Atomics.store(i32, control + words.failed, 1);
    }
    Atomics.add(i32, ended, 1);
    if (Atomics.load(i32, control + words.mainSleeps) !== 0) Atomics.notify(i32, ended);
  }
}

/** The text of the workers' program; it takes `start` from the expression `source`. */
export function workerProgram(source: string): string {
  return `(${String(work)})(${source}, ${String(runCommands)});`;
}
