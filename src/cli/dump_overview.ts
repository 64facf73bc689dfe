/** @file The default view of `dump`: facts, the hierarchy with its tensors, totals. Upstream: none. Spec: docs/cli.md. */
import type { ArchiveSummary, ModuleSummary, StorageSummary, TensorSummary } from "../jit/inspect.ts";
import { columnWidths, formatBytes, formatCount, list, plural } from "./format.ts";
import { paint, write } from "./terminal.ts";

const LABEL = 12;
/** Attributes that every module has. */
const HIDDEN = new Set(["training", "_is_full_backward_hook"]);
const MAX_SHARED_NAMES = 8;
const MAX_NAMES = 12;

type Storages = ReadonlyMap<string, StorageSummary>;

const row = (label: string, value: string): void => write(`${paint.dim(label.padEnd(LABEL))}${value}`);

/** Writes the view. */
export function writeOverview(summary: ArchiveSummary): void {
  const storages: Storages = new Map(summary.storages.map((s) => [s.record, s]));
  writeFacts(summary);
  write("");
  writeHierarchy(summary.root, storages);
  writeConstants(summary, storages);
  write("");
  writeTotals(summary);
}

function names(all: readonly string[], most: number): string {
  return `${all.slice(0, most).join(", ")}${all.length > most ? `, and ${formatCount(all.length - most)} more` : ""}`;
}

function writeFacts(summary: ArchiveSummary): void {
  const {
    records,
    deflated,
    aligned: [aligned, looked],
  } = summary;
  const alignment =
    looked === 0
      ? ""
      : aligned === looked
        ? ", storages aligned to 64 bytes"
        : `, ${looked - aligned} of ${looked} storages not aligned`;
  row("file", `${paint.bold(summary.file ?? "(bytes)")}  ${formatBytes(summary.nbytes)}`);
  row("format", `version ${summary.version}: ${summary.versionMeaning}`);
  row("written by", `${summary.producer}${summary.byteorder === undefined ? "" : `, ${summary.byteorder} endian`}`);
  row(
    "container",
    `${plural(records.length, "record")} in "${summary.rootName}/": ${records.length - deflated} stored, ${deflated} deflated${alignment}`,
  );
  row(
    "code",
    `${plural(summary.codeFiles.length, "file")}, ${summary.hasDebugRecords ? "with debug records" : "without debug records"}${summary.hasBytecode ? ", with mobile bytecode" : ""}`,
  );
  if (summary.extraFiles.length > 0) row("extra files", names(summary.extraFiles, MAX_NAMES));
}

/** A line of the tree: branch and name, then the columns of a tensor, or one text. */
interface Line {
  readonly branch: string;
  readonly name: string;
  readonly kind: "module" | "tensor" | "attribute";
  readonly cells: readonly string[];
  readonly notes: string;
}

function writeHierarchy(root: ModuleSummary, storages: Storages): void {
  const lines: Line[] = [];
  collect(root, "", "", storages, lines);
  writeLines(lines);
}

function writeLines(lines: readonly Line[]): void {
  const widths = columnWidths(lines.filter((l) => l.kind === "tensor").map((l) => [l.branch + l.name, ...l.cells]));
  for (const { branch, name, kind, cells, notes } of lines) {
    const head = paint.dim(branch);
    if (kind !== "tensor") {
      write(`${head}${kind === "module" ? name : paint.green(name)}${notes}`);
      continue;
    }
    const pad = " ".repeat(Math.max(0, widths[0]! - branch.length - name.length));
    const columns = cells.map((cell, i) => (i === 2 ? cell.padStart(widths[i + 1]!) : cell.padEnd(widths[i + 1]!)));
    write(
      `${head}${paint.green(name)}${pad}  ${columns[0]!}  ${columns[1]!}  ${paint.dim(`${columns[2]!}  ${columns[3]!}`)}${notes}`.trimEnd(),
    );
  }
}

function collect(module: ModuleSummary, first: string, rest: string, storages: Storages, lines: Line[]): void {
  const short = module.className.slice(module.className.lastIndexOf(".") + 1);
  const label = module.name ? `${paint.bold(module.name)}: ${paint.cyan(short)}` : paint.bold(paint.cyan(short));
  const same = module.sameAs === undefined ? "" : paint.yellow(`  the same object as ${module.sameAs || "the root"}`);
  lines.push({
    branch: first,
    name: label,
    kind: "module",
    cells: [],
    notes: `  ${paint.dim(module.className)}${same}`,
  });
  const attributes = module.attributes.filter(([key]) => !HIDDEN.has(key));
  const count = module.tensors.length + attributes.length + module.children.length;
  let at = 0;
  const branches = (): [string, string] =>
    ++at === count ? [`${rest}└─ `, `${rest}   `] : [`${rest}├─ `, `${rest}│  `];
  for (const tensor of module.tensors)
    lines.push(
      tensorLine(tensor, tensor.path.slice(module.path ? module.path.length + 1 : 0), branches()[0], storages),
    );
  for (const [key, text] of attributes)
    lines.push({ branch: branches()[0], name: key, kind: "attribute", cells: [], notes: ` = ${text}` });
  for (const child of module.children) {
    const [own, below] = branches();
    collect(child, own, below, storages, lines);
  }
}

function tensorLine(tensor: TensorSummary, name: string, branch: string, storages: Storages): Line {
  const storage = storages.get(tensor.record);
  const notes: string[] = [];
  if (tensor.kind !== "parameter" && tensor.kind !== "constant") notes.push(paint.dim(tensor.kind));
  if (tensor.kind === "parameter" && !tensor.requiresGrad) notes.push(paint.dim("no grad"));
  if (!isContiguous(tensor)) notes.push(`strides ${list(tensor.strides)}`);
  if (tensor.storageOffset > 0) notes.push(`offset ${tensor.storageOffset}`);
  if (tensor.note !== undefined) notes.push(tensor.note);
  if (tensor.device !== "cpu") notes.push(`on ${tensor.device}`);
  if (storage && storage.usedBy.length > 1) notes.push(paint.yellow("shared"));
  if (storage && storage.recordNbytes === null && storage.numel > 0 && storage.device !== "meta")
    notes.push(paint.red("record missing"));
  else if (storage && storage.recordNbytes !== null && storage.recordNbytes < storage.nbytes)
    notes.push(paint.red(`record has only ${formatBytes(storage.recordNbytes)}`));
  return {
    branch,
    name,
    kind: "tensor",
    cells: [tensor.dtype, list(tensor.shape), formatBytes(tensor.nbytes), tensor.record],
    notes: notes.length > 0 ? `  ${notes.join(", ")}` : "",
  };
}

/** Whether strides need no mention: row-major, whatever stands in dimensions of size 1. */
function isContiguous({ shape, strides }: TensorSummary): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if (shape[d] !== 1 && strides[d] !== expected) return false;
    expected *= shape[d]!;
  }
  return true;
}

function writeConstants({ constants }: ArchiveSummary, storages: Storages): void {
  if (constants.length === 0) return;
  write(`\n${paint.bold("constants of the code")}`);
  const lines: Line[] = constants
    .slice(0, MAX_NAMES)
    .flatMap(({ name, text, tensors }): Line[] =>
      tensors.length > 0
        ? tensors.map((t) => tensorLine(t, t.path, "", storages))
        : [{ branch: "", name, kind: "attribute", cells: [], notes: ` = ${text}` }],
    );
  writeLines(lines);
  if (constants.length > MAX_NAMES)
    write(paint.dim(`and ${formatCount(constants.length - MAX_NAMES)} more: --constants`));
}

function writeTotals({ totals, storages }: ArchiveSummary): void {
  row("parameters", `${formatCount(totals.parameters)}  ${paint.dim(formatBytes(totals.parameterBytes))}`);
  row("buffers", `${formatCount(totals.buffers)}  ${paint.dim(formatBytes(totals.bufferBytes))}`);
  if (totals.constants > 0)
    row("constants", `${formatCount(totals.constants)}  ${paint.dim(formatBytes(totals.constantBytes))}`);
  row("storages", `${formatCount(storages.length)}  ${paint.dim(formatBytes(totals.storageBytes))}`);
  for (const { record, usedBy } of storages)
    if (usedBy.length > 1) row("shared", `${paint.yellow(record)}: ${names(usedBy, MAX_SHARED_NAMES)}`);
}
