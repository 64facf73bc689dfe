/** @file Loads the files of the bundle with V8's code cache: nothing is parsed, and functions that every start needs are compiled. Upstream: none. Spec: none.
 *
 * Note [Code cache]: `npm run build` runs a small model and keeps what V8 has compiled in `cache/`, for the Node that built it. Another
 * Node, and a file that is not the one that was compiled, are told by their names there; V8 itself refuses data of other flags. Where
 * there is no cache, Node's own `require` loads the same files, with its compile cache if that is on. Stands alone: it is what loads the
 * rest. */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as vm from "node:vm";
import * as zlib from "node:zlib";

/** Node has it since 20.15. */
const crc32 = (zlib as { crc32?: (text: Uint8Array) => number }).crc32;

/** What Node wraps CommonJS files in. */
const HEAD = "(function (exports, require, module, __filename, __dirname) { ";
const TAIL = "\n})";

interface LoadedFile {
  readonly module: { exports: unknown };
  readonly script: vm.Script;
  readonly cachePath: string;
}

const FOLDER = dirname(fileURLToPath(import.meta.url));
const CACHE = join(FOLDER, "cache", `${process.version}-${process.arch}`);
const nodeRequire = createRequire(import.meta.url);
const files = new Map<string, LoadedFile>();

/** Whether files are to be loaded here: there is a cache, or one is being made. Node maps positions back to the source only in files that it loads. */
let isUsed =
  crc32 !== undefined &&
  !(process as { sourceMapsEnabled?: boolean }).sourceMapsEnabled &&
  (existsSync(CACHE) || process.env["TSARCHIVE_MAKE_CODE_CACHE"] === "1");

/** The exports of a file of the bundle, by its path in the bundle's folder. */
export function loadBundled(name: string): unknown {
  const path = join(FOLDER, name);
  return isUsed ? loadFile(path) : (nodeRequire(path) as unknown);
}

/** The same by Node's own `require`, also for all that is loaded later: for programs that `import()`, which is beyond what is loaded here. */
export function loadNatively(name: string): unknown {
  isUsed = false;
  return loadBundled(name);
}

function loadFile(path: string): unknown {
  const known = files.get(path);
  if (known) return known.module.exports;
  const bytes = readFile(path, HEAD, TAIL);
  const crc = crc32!(bytes.subarray(HEAD.length, -TAIL.length)).toString(16);
  const text = bytes.toString("latin1");
  const cachePath = join(CACHE, `${relative(FOLDER, path).replaceAll(/[\\/]/g, "-")}-${crc}.bin`);
  const cachedData = existsSync(cachePath) ? readFile(cachePath) : undefined; // without one it is compiled as always
  const script = new vm.Script(text, {
    filename: path,
    columnOffset: -HEAD.length,
    ...(cachedData ? { cachedData } : {}),
  });
  const module = { exports: {} as unknown };
  files.set(path, { module, script, cachePath });
  const folder = dirname(path);
  const require = (id: string): unknown =>
    id.startsWith(".") ? loadFile(resolve(folder, id)) : (nodeRequire(id) as unknown);
  const body = script.runInThisContext() as (...args: readonly unknown[]) => void;
  body(module.exports, require, module, path, folder);
  return module.exports;
}

/** What files are read into, again and again: memory that was never touched is dearer than reading. Kept as long as nobody collects it. */
let room: WeakRef<Buffer> | undefined;
const ROOM_BYTES = 1 << 21;

/** A file between two texts, as one piece: put together as strings V8 would copy megabytes. Good until the next file is read. */
function readFile(path: string, head = "", tail = ""): Buffer {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const length = head.length + size + tail.length;
    let buffer = room?.deref();
    if (!buffer || buffer.length < length) {
      buffer = Buffer.allocUnsafeSlow(Math.max(length, ROOM_BYTES));
      room = new WeakRef(buffer);
    }
    const bytes = buffer.subarray(0, length);
    bytes.write(head, 0, "latin1");
    for (let at = 0; at < size;) {
      const count = readSync(file, bytes, head.length + at, size - at, at);
      if (count === 0) throw new Error(`Cannot read "${path}": it has ${at} bytes, expected ${size}`);
      at += count;
    }
    bytes.write(tail, head.length + size, "latin1");
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Writes what V8 has compiled of the files that were loaded so far and have no cache yet. For the build. */
export function writeCodeCache(): void {
  mkdirSync(CACHE, { recursive: true });
  for (const { script, cachePath } of files.values())
    if (!existsSync(cachePath)) writeFileSync(cachePath, script.createCachedData());
}
