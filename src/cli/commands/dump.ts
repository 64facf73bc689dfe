/** @file `tsarchive dump FILE`: what is in an archive, for a person; reads only what it shows and never runs model code. Upstream: torch/utils/model_dump. Spec: docs/cli.md. */
import type { Command } from "commander";
import pc from "picocolors";
import { ArchiveReader, FileSource, disassemble, inspect, openProgram, toConstantText, type ArchiveSummary, type ModuleSummary, type TensorSummary } from "../../node/index.ts";
import { UsageError, type CliCommand } from "../command.ts";
import { formatBytes, formatCount, table } from "../format.ts";
import { tensorStatistics } from "../statistics.ts";

interface DumpOptions {
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

const write = (text: string): void => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);

function facts(summary: ArchiveSummary): string {
  const debug = summary.hasDebugRecords ? "with debug records" : "without debug records";
  const [aligned, looked] = summary.aligned;
  const rows: [string, string][] = [
    ["file", `${summary.file ?? "(bytes)"}  ${formatBytes(summary.nbytes)}`],
    ["format", `version ${summary.version}: ${summary.versionMeaning}`],
    ["written by", `PyTorch ${summary.versionSince} or later${summary.byteorder === undefined ? ", before 2.1 (no byteorder record)" : `, ${summary.byteorder} endian`}`],
    ["container", `${summary.records.length} records in "${summary.rootName}/", ${summary.deflated} deflated${looked > 0 ? `, ${aligned === looked ? "storages aligned to 64 bytes" : `${looked - aligned} of ${looked} storages not aligned`}` : ""}`],
    ["code", `${summary.codeFiles.length} files, ${debug}${summary.hasBytecode ? ", with mobile bytecode" : ""}`],
  ];
  if (summary.extraFiles.length > 0) rows.push(["extra files", summary.extraFiles.join(", ")]);
  return rows.map(([k, v]) => `${pc.dim(k.padEnd(12))}${v}`).join("\n");
}

function tensorLine(tensor: TensorSummary, name: string, shared: ReadonlyMap<string, number>): string {
  const strides = isContiguous(tensor) ? "" : ` strides=[${tensor.strides.join(", ")}]`;
  const offset = tensor.storageOffset > 0 ? ` offset=${tensor.storageOffset}` : "";
  const sharing = (shared.get(tensor.record) ?? 1) > 1 ? pc.yellow(" shared") : "";
  const note = tensor.note ? ` ${tensor.note}` : "";
  const grad = tensor.kind === "parameter" && !tensor.requiresGrad ? " frozen" : "";
  return `${pc.green(name)} ${tensor.dtype} [${tensor.shape.join(", ")}]${strides}${offset}${note}${grad} ${pc.dim(`${formatBytes(tensor.nbytes)} ${tensor.record}`)}${sharing}${tensor.kind === "parameter" ? "" : pc.dim(` ${tensor.kind}`)}`;
}

function isContiguous(tensor: TensorSummary): boolean {
  let expected = 1;
  for (let d = tensor.shape.length - 1; d >= 0; d--) {
    if (tensor.shape[d] !== 1 && tensor.strides[d] !== expected) return tensor.shape.includes(0);
    expected *= tensor.shape[d]!;
  }
  return true;
}

function* hierarchy(module: ModuleSummary, shared: ReadonlyMap<string, number>, indent = ""): Generator<string> {
  const name = module.name ? `${pc.bold(module.name)}: ` : "";
  const same = module.sameAs === undefined ? "" : pc.yellow(` = ${module.sameAs || "(root)"}`);
  yield `${indent}${name}${pc.cyan(module.className.slice(module.className.lastIndexOf(".") + 1))} ${pc.dim(module.className)}${same}`;
  const inner = `${indent}  `;
  for (const tensor of module.tensors) yield inner + tensorLine(tensor, tensor.path.slice(module.path ? module.path.length + 1 : 0), shared);
  const plain = module.attributes.filter(([k]) => k !== "training" && k !== "_is_full_backward_hook");
  for (const [key, value] of plain) yield `${inner}${key} = ${pc.dim(value)}`;
  for (const child of module.children) yield* hierarchy(child, shared, inner);
}

function overview(summary: ArchiveSummary): void {
  const shared = new Map(summary.storages.map((s) => [s.record, s.usedBy.length]));
  write(`${facts(summary)}\n`);
  for (const line of hierarchy(summary.root, shared)) write(line);
  const { parameters, parameterBytes, buffers, bufferBytes, storageBytes } = summary.totals;
  write("");
  write(`${pc.dim("parameters".padEnd(12))}${formatCount(parameters)}  ${formatBytes(parameterBytes)}`);
  write(`${pc.dim("buffers".padEnd(12))}${formatCount(buffers)}  ${formatBytes(bufferBytes)}`);
  write(`${pc.dim("storages".padEnd(12))}${summary.storages.length}  ${formatBytes(storageBytes)}`);
  for (const storage of summary.storages) {
    if (storage.usedBy.length > 1) write(`${pc.yellow("shared".padEnd(12))}${storage.record}: ${storage.usedBy.join(", ")}`);
  }
}

function dumpTensors(reader: ArchiveReader, summary: ArchiveSummary, stats: boolean): void {
  const rows: string[][] = [["tensor", "kind", "dtype", "shape", "strides", "offset", "record", "bytes", ...(stats ? ["min", "max", "mean", "zeros", "non-finite"] : [])]];
  const walk = (module: ModuleSummary): void => {
    for (const t of module.tensors) {
      rows.push([t.path, t.kind, t.dtype, `[${t.shape.join(", ")}]`, `[${t.strides.join(", ")}]`, String(t.storageOffset), t.record, String(t.nbytes), ...(stats ? tensorStatistics(reader, t) : [])]);
    }
    module.children.forEach(walk);
  };
  walk(summary.root);
  write(table(rows));
}

function dumpRecords(reader: ArchiveReader): void {
  const rows = [["record", "bytes", "in file", "compression", "crc32", "data at", "aligned"]];
  for (const name of reader.recordNames()) {
    const stat = reader.stat(name);
    rows.push([name, String(stat.size), String(stat.compressedSize), stat.method === 0 ? "stored" : "deflated", stat.crc32.toString(16).padStart(8, "0"), String(stat.dataOffset), stat.aligned ? "64" : "-"]);
  }
  write(table(rows));
}

function dumpPickle(reader: ArchiveReader, record: string): void {
  for (const { byteOffset, name, argument, depth } of disassemble(reader.read(record), record)) {
    write(`${pc.dim(String(byteOffset).padStart(7))}: ${"  ".repeat(depth)}${name}${argument ? ` ${argument}` : ""}`);
  }
}

function dumpCode(reader: ArchiveReader, qualname: string | undefined): void {
  const files = reader.recordNames("code/").filter((n) => n.endsWith(".py"));
  if (qualname === undefined) {
    for (const file of files) write(`${pc.bold(`# ${file}`)}\n${reader.readText(file)}`);
    return;
  }
  const file = files.find((f) => f === `code/${qualname.slice(0, Math.max(0, qualname.lastIndexOf("."))).replaceAll(".", "/")}.py` || f === `code/${qualname.replaceAll(".", "/")}.py` || f === qualname);
  if (!file) throw new UsageError(`no code for "${qualname}"; the code files are: ${files.join(", ")}`);
  const text = reader.readText(file);
  const name = qualname.slice(qualname.lastIndexOf(".") + 1);
  const start = text.search(new RegExp(`^(?:class|def) ${name}\\b`, "m"));
  if (start < 0) write(text);
  else {
    const end = text.slice(start + 1).search(/^\S/m);
    write(end < 0 ? text.slice(start) : text.slice(start, start + 1 + end));
  }
}

/** `--debug FILE:LINE` or `RECORD:LINE`: the original source of a line of archived code. */
function dumpDebug(reader: ArchiveReader, at: string): void {
  const match = /^(.*?)(?::(\d+))?$/.exec(at)!;
  const record = match[1]!.startsWith("code/") ? match[1]! : `code/${match[1]!}`;
  if (!reader.has(record)) throw new UsageError(`no record "${record}"; the code files are: ${reader.recordNames("code/").filter((n) => n.endsWith(".py")).join(", ")}`);
  const lines = reader.readText(record).split("\n");
  const program = openProgram(reader);
  const wanted = match[2] === undefined ? lines.map((_, i) => i + 1) : [Number(match[2])];
  for (const line of wanted) {
    if (line < 1 || line > lines.length) throw new UsageError(`${record} has ${lines.length} lines`);
    const text = lines[line - 1]!;
    if (!text.trim()) continue;
    const origin = program.originOfLine(record, line);
    write(`${pc.dim(`${record}:${line}`)}  ${text}`);
    write(origin === undefined ? pc.dim("    (no debug record)") : origin.replace(/^/gm, "    "));
  }
}

function dump(path: string, options: DumpOptions): void {
  const source = new FileSource(path);
  try {
    if (options.json) return write(JSON.stringify(inspect(source), null, 2));
    if (options.records || options.pickle !== undefined || options.extra !== undefined || options.code !== undefined || options.graph !== undefined || options.constants || options.debug !== undefined) {
      const reader = ArchiveReader.open(source);
      if (options.records) dumpRecords(reader);
      if (options.pickle !== undefined) dumpPickle(reader, options.pickle);
      if (options.code !== undefined) dumpCode(reader, typeof options.code === "string" ? options.code : undefined);
      if (options.graph !== undefined) write(openProgram(reader).graphText(typeof options.graph === "string" ? options.graph : "forward"));
      if (options.constants) write(toConstantText(reader));
      if (options.debug !== undefined) dumpDebug(reader, options.debug);
      if (options.extra === true) for (const name of reader.extraFileNames()) write(`${name}  ${formatBytes(reader.readExtraFile(name).length)}`);
      else if (typeof options.extra === "string") process.stdout.write(reader.readExtraFile(options.extra));
      return;
    }
    const summary = inspect(source);
    if (options.tensors) dumpTensors(ArchiveReader.open(source), summary, options.stats === true);
    else overview(summary);
  } finally {
    source.close();
  }
}

/** The command. */
export const command: CliCommand = {
  name: "dump",
  register(program: Command) {
    program
      .command("dump")
      .description("show what an archive holds: facts, hierarchy, parameters, totals; runs no model code")
      .argument("<file>", "archive of torch.jit.save")
      .option("--code [qualname]", "the archived code, or the code of one class or function")
      .option("--graph [method]", "the graph of a method of the root module (default forward; PATH.METHOD for a submodule)")
      .option("--tensors", "a table of all tensors")
      .option("--stats", "with --tensors: read the values and show minimum, maximum, mean, zeros, non-finite")
      .option("--records", "the records of the container")
      .option("--pickle <record>", "disassemble a pickle record with byte offsets, e.g. data.pkl")
      .option("--extra [name]", "list the extra files, or print one")
      .option("--constants", "the constants table")
      .option("--debug <file:line>", "the original source of a line of archived code, e.g. __torch__/net.py:12")
      .option("--json", "the default view as JSON (schema: docs/cli.md)")
      .action(dump);
  },
};
