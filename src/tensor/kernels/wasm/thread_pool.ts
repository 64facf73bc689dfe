/** @file Threads that share the kernels' memory and take tasks from it. Upstream: aten/src/ATen/ParallelOpenMP.cpp (the aim). Spec: none. See docs/adr/0011-threads.md.
 *
 * Note [Thread pool]: the kernels' calls of a task are noted as commands in the shared memory (Note [Tasks]). One control word
 * holds the number of the region, how many tasks are published and how many are taken; a compare-and-exchange takes the next.
 * The main thread notes tasks ahead for the workers and runs others itself, so a worker that the system has put aside costs at
 * most the task that it holds. Workers look for work for a while and then sleep; so does the main thread where the platform lets it. */
import { OperatorError, UnsupportedError } from "../../../base/errors.ts";
import { MEMORY_MODULE, MEMORY_NAME, type FunctionBuilder } from "../../../base/wasm_assembler.ts";
import type { KernelMemory } from "./memory.ts";
import {
  COMMAND_WORDS,
  CONTROL,
  CONTROL_WORDS,
  COUNT_BITS,
  MAX_MODULES,
  MODULE_TABLE,
  runCommands,
  workerProgram,
  type KernelFunction,
  type WorkerStart,
} from "./thread_program.ts";

/** A worker of the platform. */
export interface PlatformWorker {
  stop(): void;
}

/** Starts a worker that evaluates `program(source)`, where `source` is an expression for a copy of `data`. It must not keep a process alive. */
export type StartWorker = (program: (source: string) => string, data: unknown) => PlatformWorker;

const startInBrowser: StartWorker = (program, data) => {
  const text = `onmessage = (event) => { ${program("event.data")} };`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.postMessage(data);
  return {
    stop: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
};

let startWorker: StartWorker = startInBrowser;

/** Installs the platform's way to start a worker. */
export function setStartWorker(start: StartWorker): void {
  startWorker = start;
}

/** Most threads. */
export const MAX_THREADS = 64;
/** Words for commands: more are run in several regions. */
const COMMAND_AREA_WORDS = 1 << 17;
/** Microseconds of looking for work before sleeping. */
const SPIN_MICROSECONDS = 60;
/** Milliseconds after which a sleeping main thread looks again. */
const WAIT_MILLISECONDS = 5;
/** Tasks that are noted ahead for each worker. */
const AHEAD = 2;
const COUNT_MASK = (1 << COUNT_BITS) - 1;
/** Marks an address as the thread's own. WebAssembly takes the low 32 bits. */
export const OWN_ADDRESS: number = 2 ** 32;

/** Whether threads can share memory here. */
function canShareMemory(): boolean {
  return typeof SharedArrayBuffer !== "undefined" && typeof WebAssembly !== "undefined";
}

/** Throws UnsupportedError where threads cannot share memory. */
export function requireSharedMemory(threads: number): void {
  if (canShareMemory()) return;
  throw new UnsupportedError(
    "threads",
    `Cannot use ${threads} threads: there is no shared memory here. A page must be isolated (headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)`,
  );
}

/** Whether the thread may sleep: a page's main thread may not. */
function maySleep(i32: Int32Array, at: number): boolean {
  try {
    Atomics.wait(i32, at, i32[at]! + 1, 0);
    return true;
  } catch {
    return false;
  }
}

/** The workers, and the tasks that they take. */
export class ThreadPool {
  readonly threads: number;
  private readonly memory: KernelMemory;
  private readonly workers: PlatformWorker[];
  /** First words of the control area and of the commands. */
  private readonly control: number;
  private readonly commands: number;
  private readonly functions: KernelFunction[] = [];
  private readonly sleeps: boolean;
  private region = 0;
  private published = 0;
  /** Next word for a command; 0 while nothing is noted. */
  private at = 0;
  private isNoting = false;
  private isRunning = false;

  /** @param memory a shared one. */
  constructor(memory: KernelMemory, threads: number) {
    this.memory = memory;
    this.threads = threads;
    const address = memory.allocate(4 * (CONTROL_WORDS + COMMAND_AREA_WORDS), true);
    if (address === 0) throw new OperatorError("Cannot start threads: no memory is left for the kernels");
    this.control = address / 4;
    this.commands = this.control + CONTROL_WORDS;
    memory.i32.fill(0, this.control, this.commands);
    this.sleeps = maySleep(memory.i32, this.control);
    const start: Omit<WorkerStart, "thread"> = {
      memory: memory.memory,
      control: this.control,
      spin: SPIN_MICROSECONDS,
      imports: [MEMORY_MODULE, MEMORY_NAME],
      words: CONTROL,
      moduleTable: MODULE_TABLE,
    };
    this.workers = Array.from({ length: threads - 1 }, (_, i) =>
      startWorker(workerProgram, { ...start, thread: i + 1 }),
    );
  }

  /** Ends the workers. No task may be running. */
  stop(): void {
    for (const worker of this.workers) worker.stop();
    this.memory.free(4 * this.control);
  }

  /** Workers that have started. */
  get ready(): number {
    return Atomics.load(this.memory.i32, this.control + CONTROL.started);
  }

  /** The kernels of a module as functions that note their calls while a task is noted. */
  share(
    bytes: Uint8Array,
    programs: readonly FunctionBuilder[],
    exports: Record<string, KernelFunction>,
  ): Record<string, KernelFunction> {
    const { i32, segment } = this.memory;
    const index = i32[this.control + CONTROL.modules]!;
    const address = index < MAX_MODULES ? this.memory.allocate(bytes.length, true) : 0;
    if (address === 0) throw new OperatorError("Cannot share kernels with threads: no memory is left for them");
    segment.u8.set(bytes, address);
    const entry = this.control + MODULE_TABLE + 2 * index;
    this.memory.i32[entry] = address;
    this.memory.i32[entry + 1] = bytes.length;
    Atomics.store(this.memory.i32, this.control + CONTROL.modules, index + 1);
    const shared: Record<string, KernelFunction> = {};
    for (const program of programs) {
      const run = exports[program.name]!;
      const number = this.functions.push(run) - 1;
      const floats = program.params.reduce((mask, type, i) => (type === "f32" ? mask | (1 << i) : mask), 0);
      shared[program.name] = (...args) => {
        if (this.isNoting) this.note(number, floats, args);
        else run(...args);
      };
    }
    return shared;
  }

  private note(number: number, floats: number, args: readonly number[]): void {
    if (this.at + COMMAND_WORDS + args.length > this.commands + COMMAND_AREA_WORDS) this.makeRoom();
    const { i32, f32 } = this.memory;
    const head = this.at;
    let own = 0;
    let at = head + COMMAND_WORDS;
    for (let i = 0; i < args.length; i++, at++) {
      const value = args[i]!;
      if ((floats & (1 << i)) !== 0) f32[at] = value;
      else {
        i32[at] = value;
        if (value >= OWN_ADDRESS) own |= 1 << i;
      }
    }
    i32[head] = number | (args.length << 16);
    i32[head + 1] = own;
    i32[head + 2] = floats;
    this.at = at;
  }

  /** The area is full: what is published is done first, and what is noted of the current task moves to the front or is done at once. */
  private makeRoom(): void {
    const { i32, f32 } = this.memory;
    const from = i32[this.control + CONTROL.tasks + this.published]!;
    this.finish();
    if (from > this.commands) {
      i32.copyWithin(this.commands, from, this.at);
      this.at -= from - this.commands;
    } else {
      runCommands(i32, f32, this.functions, from, this.at, 0);
      this.at = this.commands;
    }
    this.open();
  }

  /** Begins a region; commands go to wherever `at` is, the next task's begin at the front. */
  private open(): void {
    const { i32 } = this.memory;
    this.region = (this.region + 1) & 0xfff;
    this.published = 0;
    i32[this.control + CONTROL.tasks] = this.commands;
    Atomics.store(i32, this.control + CONTROL.ended, 0);
    Atomics.store(i32, this.control + CONTROL.word, this.region << (2 * COUNT_BITS));
  }

  private publish(): void {
    const { i32 } = this.memory;
    i32[this.control + CONTROL.tasks + ++this.published] = this.at;
    Atomics.add(i32, this.control + CONTROL.word, 1 << COUNT_BITS);
    if (Atomics.load(i32, this.control + CONTROL.sleeping) > 0) Atomics.notify(i32, this.control + CONTROL.word);
  }

  /** Tasks that are published and not taken. */
  private pending(): number {
    const word = Atomics.load(this.memory.i32, this.control + CONTROL.word);
    return ((word >>> COUNT_BITS) & COUNT_MASK) - (word & COUNT_MASK);
  }

  /** Runs the tasks 0 to count - 1, `ownBytes` of the threads' own areas apart. */
  run(count: number, ownBytes: number, body: (task: number) => void): void {
    if (this.isRunning) {
      for (let task = 0; task < count; task++) body(task);
      return;
    }
    this.isRunning = true;
    const { i32 } = this.memory;
    const ahead = AHEAD * Math.min(this.ready, this.threads - 1);
    i32[this.control + CONTROL.own] = ownBytes;
    this.at = this.commands;
    this.open();
    try {
      for (let task = 0; task < count; task++) {
        // the last one is for this thread, whatever happens
        if (task === count - 1 || this.pending() >= ahead) {
          body(task);
          continue;
        }
        if (this.published === COUNT_MASK) {
          this.finish();
          this.at = this.commands;
          this.open();
        }
        this.isNoting = true;
        body(task);
        this.isNoting = false;
        this.publish();
      }
    } finally {
      this.isNoting = false;
      this.finish();
      this.isRunning = false;
    }
  }

  /** Takes what is left, and waits for what others hold. */
  private finish(): void {
    const { i32, f32 } = this.memory;
    const [word, ended] = [this.control + CONTROL.word, this.control + CONTROL.ended];
    for (;;) {
      const seen = Atomics.load(i32, word);
      const task = seen & COUNT_MASK;
      if (task >= ((seen >>> COUNT_BITS) & COUNT_MASK)) break;
      if (Atomics.compareExchange(i32, word, seen, seen + 1) !== seen) continue;
      const table = this.control + CONTROL.tasks;
      runCommands(i32, f32, this.functions, i32[table + task]!, i32[table + task + 1]!, 0);
      Atomics.add(i32, ended, 1);
    }
    let until = 0;
    for (let turn = 0; ; turn++) {
      const done = Atomics.load(i32, ended);
      if (done === this.published) break;
      if (!this.sleeps || (turn & 63) !== 0) continue;
      const now = performance.now();
      if (until === 0) until = now + SPIN_MICROSECONDS / 1000;
      else if (now > until) {
        Atomics.store(i32, this.control + CONTROL.mainSleeps, 1);
        Atomics.wait(i32, ended, done, WAIT_MILLISECONDS);
        Atomics.store(i32, this.control + CONTROL.mainSleeps, 0);
      }
    }
    if (Atomics.exchange(i32, this.control + CONTROL.failed, 0) !== 0) {
      throw new OperatorError("A kernel failed in a worker");
    }
  }
}
