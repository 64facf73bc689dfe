/** @file The views that `dump` shows on request: each as text for a person and as data for `--json`. Upstream: torch/utils/model_dump. Spec: docs/cli.md. */
import { ArchiveReader, FOLDER, disassemble } from "../archive/index.ts";
import { inspect, inspectConstants, type ModuleSummary, type TensorSummary } from "../jit/inspect.ts";
import type { Program } from "../jit/program.ts";
import { UsageError } from "./command.ts";
import { formatBytes, list, table } from "./format.ts";
import { tensorStatistics, type TensorStatistics } from "./statistics.ts";
import { clean, cleanDeep, isTerminal, paint, write, writeBytes } from "./terminal.ts";

/** Options of the command line. */
export interface DumpOptions {
  readonly code?: string | boolean;
  readonly graph?: string | boolean;
  readonly tensors?: boolean;
  readonly stats?: boolean;
  readonly records?: boolean;
  readonly pickle?: string;
  readonly extra?: string | boolean;
  readonly constants?: boolean;
  readonly debug?: string;
  readonly json?: boolean;
}

/** One view: what it shows, made when it is asked for. */
export interface View {
  readonly name: string;
  readonly isAsked: (options: DumpOptions) => boolean;
  readonly show: (reader: ArchiveReader, options: DumpOptions) => void | Promise<void>;
  readonly data: (reader: ArchiveReader, options: DumpOptions) => unknown;
}

const given = (option: string | boolean | undefined): string | undefined =>
  typeof option === "string" ? option : undefined;

/** The compiler is loaded for the views that need it only. */
async function programOf(reader: ArchiveReader): Promise<Program> {
  await import("../node/index.ts");
  const { openProgram } = await import("../jit/program.ts");
  return openProgram(reader);
}

function recordOrFail(reader: ArchiveReader, name: string, folder = ""): string {
  for (const candidate of [name, `${folder}${name}`]) if (reader.has(candidate)) return candidate;
  const all = reader.recordNames(folder);
  const matches = all.filter((r) => r.endsWith(`/${name}`));
  const [match] = matches;
  // a path is as good as its end when that is clear
  if (match !== undefined && matches.length === 1) return match;
  const near = matches.length > 0 ? matches : all.filter((r) => r.toLowerCase() === name.toLowerCase());
  const hint =
    near.length > 0
      ? `; did you mean "${near[0]!}"?`
      : `; it has: ${all.slice(0, 20).join(", ")}${all.length > 20 ? ", ..." : ""}`;
  throw new UsageError(`no record "${name}" in the archive${hint}`);
}

function codeFiles(reader: ArchiveReader): string[] {
  return reader.recordNames(FOLDER.code).filter((name) => name.endsWith(".py"));
}

/** Code by record name; with a qualified name, the text of that file, class, function or method alone. */
function codeOf(reader: ArchiveReader, qualname: string | undefined): Record<string, string> {
  const files = codeFiles(reader);
  if (qualname === undefined) return Object.fromEntries(files.map((file) => [file, reader.readText(file)]));
  const atoms = qualname.split(".");
  if (files.includes(qualname)) return { [qualname]: reader.readText(qualname) };
  for (const parts of [atoms, ["__torch__", ...atoms]]) {
    // the file may stand for all atoms, all but a class, or all but a class and its method
    for (let inside = 0; inside <= 2; inside++) {
      const file = `${FOLDER.code}${parts.slice(0, parts.length - inside).join("/")}.py`;
      if (parts.length === inside || !files.includes(file)) continue;
      const text = definition(reader.readText(file), parts.slice(parts.length - inside));
      if (text !== undefined) return { [parts.join(".")]: text };
    }
  }
  // a class or method by its last names, wherever it is
  const found: Record<string, string> = {};
  for (const file of files) {
    const text = definition(reader.readText(file), atoms);
    if (text !== undefined) found[`${file}: ${qualname}`] = text;
  }
  if (Object.keys(found).length > 0) return found;
  throw new UsageError(`no code for "${qualname}"; the code files are: ${files.join(", ")}`);
}

/** The lines of a definition, nested ones by their path; undefined if there is none. */
function definition(text: string, path: readonly string[]): string | undefined {
  let lines = text.split("\n");
  for (const [depth, name] of path.entries()) {
    const indent = "  ".repeat(depth);
    const start = lines.findIndex(
      (l) =>
        l.startsWith(`${indent}class ${name}(`) ||
        l.startsWith(`${indent}class ${name}:`) ||
        l.startsWith(`${indent}def ${name}(`),
    );
    if (start < 0) return undefined;
    const end = lines.findIndex(
      (l, i) => i > start && l.trim() !== "" && l.startsWith(indent) && !l.startsWith(`${indent} `),
    );
    lines = lines.slice(start, end < 0 ? undefined : end);
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

function allTensors(reader: ArchiveReader): readonly TensorSummary[] {
  const summary = inspect(reader);
  const walk = (module: ModuleSummary): TensorSummary[] => [...module.tensors, ...module.children.flatMap(walk)];
  return [...walk(summary.root), ...summary.constants.flatMap((c) => c.tensors)];
}

function statisticsText(s: TensorStatistics | null): string[] {
  if (!s) return ["-", "-", "-", "-", "-"];
  const text = (v: number | null): string => (v === null ? "-" : String(Number(v.toPrecision(6))));
  return [text(s.min), text(s.max), text(s.mean), String(s.zeros), String(s.nonFinite)];
}

function showTensors(reader: ArchiveReader, { stats }: DumpOptions): void {
  const head = [
    "tensor",
    "kind",
    "dtype",
    "shape",
    "strides",
    "offset",
    "record",
    "bytes",
    ...(stats ? ["min", "max", "mean", "zeros", "non-finite"] : []),
  ];
  const rows = allTensors(reader).map((t) => [
    ...cleanDeep([
      t.path,
      t.kind,
      t.dtype,
      list(t.shape),
      list(t.strides),
      String(t.storageOffset),
      t.record,
      String(t.nbytes),
    ]),
    ...(stats ? statisticsText(tensorStatistics(reader, t)) : []),
  ]);
  writeTable([head, ...rows]);
}

function writeTable(rows: readonly (readonly string[])[]): void {
  const [head, ...lines] = table(rows).split("\n");
  write(paint.bold(head!));
  for (const line of lines) write(line);
}

interface RecordRow {
  readonly name: string;
  readonly nbytes: number;
  readonly compressedNbytes: number;
  readonly compression: string;
  readonly crc32: number;
  readonly headerOffset: number;
  readonly dataOffset: number;
  readonly aligned: boolean;
}

function recordRows(reader: ArchiveReader): RecordRow[] {
  return reader.recordNames().map((record) => {
    const { name, size, compressedSize, method, crc32, headerOffset, dataOffset, aligned } = reader.stat(record);
    return {
      name,
      nbytes: size,
      compressedNbytes: compressedSize,
      compression: method === 0 ? "stored" : "deflated",
      crc32,
      headerOffset,
      dataOffset,
      aligned,
    };
  });
}

function showRecords(reader: ArchiveReader): void {
  const rows = recordRows(reader).map((r) => [
    cleanDeep(r.name),
    String(r.nbytes),
    String(r.compressedNbytes),
    r.compression,
    r.crc32.toString(16).padStart(8, "0"),
    String(r.dataOffset),
    r.aligned ? "64" : "-",
  ]);
  writeTable([["record", "bytes", "in file", "compression", "crc32", "data at", "aligned"], ...rows]);
}

/** `--debug FILE[:LINE]`: the original source of lines of archived code. */
async function debugLines(
  reader: ArchiveReader,
  at: string,
): Promise<{ record: string; line: number; text: string; origin: string | null }[]> {
  const [, file = "", number] = /^(.*?)(?::(\d+))?$/s.exec(at)!;
  const record = recordOrFail(reader, file, FOLDER.code);
  const lines = reader.readText(record).split("\n");
  const wanted = number === undefined ? lines.map((_, i) => i + 1) : [Number(number)];
  if (wanted[0]! < 1 || wanted[0]! > lines.length)
    throw new UsageError(`"${record}" has ${lines.length} lines, line ${wanted[0]!} is asked for`);
  const program = await programOf(reader);
  return wanted
    .filter((line) => number !== undefined || lines[line - 1]!.trim() !== "")
    .map((line) => ({ record, line, text: lines[line - 1]!, origin: program.originOfLine(record, line) ?? null }));
}

async function showDebug(reader: ArchiveReader, { debug }: DumpOptions): Promise<void> {
  let previous: string | null | undefined;
  for (const { record, line, text, origin } of await debugLines(reader, debug!)) {
    write(`${paint.dim(`${record}:${line}`)}  ${clean(text)}`);
    if (origin === null) write(paint.dim("    (no debug record)"));
    else write(origin === previous ? paint.dim("    (as above)") : clean(origin).replaceAll(/^/gm, "    "));
    previous = origin;
  }
}

async function graphOf(reader: ArchiveReader, method: string): Promise<string> {
  return (await programOf(reader)).graphText(method);
}

function pickleRecord(reader: ArchiveReader, name: string): string {
  return recordOrFail(reader, name);
}

function showExtra(reader: ArchiveReader, { extra }: DumpOptions): void {
  const names = reader.extraFileNames();
  const name = given(extra);
  if (name === undefined) {
    if (names.length === 0) write("no extra files");
    else
      writeTable([
        ["extra file", "bytes"],
        ...names.map((n) => [cleanDeep(n), String(reader.sizeOf(`${FOLDER.extra}${n}`))]),
      ]);
    return;
  }
  const bytes = reader.read(recordOrFail(reader, name, FOLDER.extra));
  if (isTerminal) write(clean(new TextDecoder().decode(bytes)));
  else writeBytes(bytes);
}

function extraData(reader: ArchiveReader, { extra }: DumpOptions): unknown {
  const name = given(extra);
  if (name === undefined)
    return reader.extraFileNames().map((n) => ({ name: n, nbytes: reader.sizeOf(`${FOLDER.extra}${n}`) }));
  const bytes = reader.read(recordOrFail(reader, name, FOLDER.extra));
  return { name, nbytes: bytes.length, base64: Buffer.from(bytes).toString("base64") };
}

function showConstants(reader: ArchiveReader): void {
  const constants = inspectConstants(reader);
  if (constants.length === 0) write("no constants");
  const rows = constants.map(({ name, text, tensors }) => {
    const [tensor] = tensors;
    const isTensor = tensors.length === 1 && tensor?.path === name;
    return isTensor
      ? [
          name,
          tensor.dtype,
          list(tensor.shape),
          formatBytes(tensor.nbytes),
          cleanDeep(`${tensor.record}${tensor.note === undefined ? "" : `  ${tensor.note}`}`),
        ]
      : [name, cleanDeep(text)];
  });
  if (rows.length > 0) for (const line of table(rows).split("\n")) write(line);
}

/** Every view, in the order in which they are shown. */
export const VIEWS: readonly View[] = [
  {
    name: "tensors",
    isAsked: (o) => o.tensors === true || o.stats === true,
    show: showTensors,
    data: (reader, { stats }) =>
      allTensors(reader).map((t) => (stats ? { ...t, stats: tensorStatistics(reader, t) } : t)),
  },
  { name: "records", isAsked: (o) => o.records === true, show: showRecords, data: recordRows },
  {
    name: "pickle",
    isAsked: (o) => o.pickle !== undefined,
    show: (reader, { pickle }) => {
      const record = pickleRecord(reader, pickle!);
      for (const { byteOffset, name, argument, depth } of disassemble(reader.read(record), record)) {
        write(
          `${paint.dim(String(byteOffset).padStart(7))}: ${"  ".repeat(Math.min(depth, 40))}${paint.cyan(name)}${argument ? ` ${cleanDeep(argument)}` : ""}`,
        );
      }
    },
    data: (reader, { pickle }) => {
      const record = pickleRecord(reader, pickle!);
      return [...disassemble(reader.read(record), record)].map(({ byteOffset, name, argument, depth }) => ({
        byteOffset,
        opcode: name,
        argument,
        depth,
      }));
    },
  },
  {
    name: "code",
    isAsked: (o) => o.code !== undefined,
    show: (reader, { code }) => {
      const texts = Object.entries(codeOf(reader, given(code)));
      for (const [name, text] of texts)
        write(`${texts.length > 1 ? `${paint.bold(paint.dim(`# ${cleanDeep(name)}`))}\n` : ""}${clean(text)}`);
    },
    data: (reader, { code }) => codeOf(reader, given(code)),
  },
  {
    name: "graph",
    isAsked: (o) => o.graph !== undefined,
    show: async (reader, { graph }) => write(clean(await graphOf(reader, given(graph) ?? "forward"))),
    data: (reader, { graph }) => graphOf(reader, given(graph) ?? "forward"),
  },
  {
    name: "constants",
    isAsked: (o) => o.constants === true,
    show: showConstants,
    data: (reader) => inspectConstants(reader),
  },
  {
    name: "debug",
    isAsked: (o) => o.debug !== undefined,
    show: showDebug,
    data: (reader, { debug }) => debugLines(reader, debug!),
  },
  { name: "extra", isAsked: (o) => o.extra !== undefined, show: showExtra, data: extraData },
];
