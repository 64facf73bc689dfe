/** @file exportModule: a module to the records of an archive, in PyTorch's order. Upstream: torch/csrc/jit/serialization/export_module.cpp. Spec: spec/records.md. */
import type { ArchiveWriter, PackedRecord } from "../archive/archive_writer.ts";
import { FOLDER, RECORD } from "../archive/records.ts";
import { PRODUCED_ARCHIVE_VERSION } from "../archive/versions.ts";
import { concatBytes, encodeUtf8 } from "../base/bytes.ts";
import { internalAssert } from "../base/errors.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { CompilationUnit } from "../ir/compilation_unit.ts";
import { Dependencies, NamedTypeMap, definitionName, type PrintedType } from "./dependencies.ts";
import { ConstantTable } from "./literals.ts";
import { printNamedType } from "./print_types.ts";
import { CodeMemory, type CodeRecord, type PrintedCode } from "./printed_code.ts";
import { PythonPrint } from "./python_print.ts";
import { SourceRangeTags, numberRanges, pickleSourceRanges } from "./source_range_serialization.ts";
import type { PickledStorage } from "./tensor_pickler.ts";
import { TRACED_INPUTS_TYPE, tracedInputsOf } from "./traced_inputs.ts";
import { TypeNameUniquer } from "./type_name_uniquer.ts";
import { ValuePickler, type MethodRunner, type PickledValue } from "./value_pickler.ts";

/*
 * Note [Copied code], on request (`copyCode`): of a loaded module whose weights and other values were changed the code is still what the archive holds. As long as no
 * function of the program was compiled (only then can anybody have seen or changed a graph), nothing was defined, and every class of the
 * objects is one of the archive's, the records of the code are copied as they lie there: checked, but neither compiled nor printed. Archives
 * with constants or of old versions, and parts of modules, are printed. By default all code is printed, as PyTorch does it (see Note [Printed once]): its text and debug
 * records differ from what they were where another PyTorch wrote them, and PyTorch's own debug records grow with every save.
 */

/** How to export. */
export interface ExportOptions {
  /** Records `extra/NAME`, in order. */
  readonly extraFiles?: ReadonlyMap<string, Uint8Array>;
  /** Runs `__getstate__`. */
  readonly runMethod: MethodRunner;
  /** The program of the module, if code that nobody has looked at may be copied from its archive. See Note [Copied code]. */
  readonly cu?: CompilationUnit | undefined;
}

const ROOT_OWNERS = 2; // the module and the value that is pickled
const CONSTANT_OWNERS = 2; // the table and its copy

/** Writes every record up to the constants and returns the archive version that the trailer must state. */
export function exportModule(root: ScriptObject, writer: ArchiveWriter, options: ExportOptions): number {
  return new ModuleSerializer(writer, options).serialize(root);
}

class ModuleSerializer {
  private readonly writer: ArchiveWriter;
  private readonly options: ExportOptions;
  private readonly names = new TypeNameUniquer();
  private constants = new ConstantTable();
  private readonly dependencies = new Dependencies();
  private readonly converted = new NamedTypeMap<true>();
  /** Printers by qualifier: types with one qualifier share a file. */
  private readonly files = new Map<string, PythonPrint>();

  constructor(writer: ArchiveWriter, options: ExportOptions) {
    this.writer = writer;
    this.options = options;
  }

  serialize(root: ScriptObject): number {
    for (const [name, data] of this.options.extraFiles ?? []) this.writer.writeRecord(FOLDER.extra + name, data);
    this.writePickle(RECORD.data, FOLDER.data, this.pickler().pickle(root, root.type, ROOT_OWNERS));
    const version = this.copyCode(root) ?? this.writeCode(root);
    this.writePickle(
      RECORD.constants,
      FOLDER.constants,
      this.pickler().pickleTuple(this.constants.entries, CONSTANT_OWNERS),
    );
    this.writeTracedInputs(root);
    return version;
  }

  /** Writes code that is printed now or was printed before; gives the archive version that it needs. See Note [Printed once]. */
  private writeCode(root: ScriptObject): number {
    const memory = CodeMemory.of(root);
    const code = memory.recall(this.names) ?? this.printCode(root, memory);
    for (const { name, packed } of code.records) this.writer.copyRecord(packed, name, true);
    this.constants = code.constants;
    return code.version;
  }

  private printCode(root: ScriptObject, memory: CodeMemory): PrintedCode {
    // the classes of the objects, which have names already, come first: an attribute's type may be only an interface
    const objectClasses = [...this.names.types];
    for (const type of objectClasses) this.convert(type);
    this.dependencies.add(root.type);
    for (let i = 0; i < this.dependencies.types.length; i++) this.convert(this.dependencies.types[i]!);
    let version = PRODUCED_ARCHIVE_VERSION;
    for (const file of this.files.values()) version = Math.max(version, file.minVersion);
    const code = { records: this.packFiles(memory), constants: this.constants, version };
    memory.remember(code, this.names, objectClasses.length);
    return code;
  }

  /** Copies the code where that is the same as printing it; gives the archive's version then. See Note [Copied code]. */
  private copyCode(root: ScriptObject): number | undefined {
    const { cu } = this.options;
    const origin = cu?.codeOrigin;
    if (!cu || !origin || origin.root !== root || origin.version < PRODUCED_ARCHIVE_VERSION) return undefined;
    for (const fn of cu.functions.values()) if (!fn.isUntouched()) return undefined;
    if (this.names.types.some((type) => cu.findType(definitionName(type)) !== type)) return undefined;
    const records = origin.records();
    if (!records) return undefined;
    const isOwn = origin.isOwn();
    for (const { name, stored } of records) this.writer.copyRecord(stored as PackedRecord, name, isOwn);
    return origin.version;
  }

  /** The example inputs of a trace: their shapes only, the records of their storages stay empty. */
  private writeTracedInputs(root: ScriptObject): void {
    const inputs = tracedInputsOf(root);
    if (!inputs) return;
    const { bytes, storages } = this.pickler().pickle(inputs, TRACED_INPUTS_TYPE, ROOT_OWNERS);
    storages.forEach((_, i) => this.writer.writeRecord(`${FOLDER.tracedInputs}${i}`, new Uint8Array(0)));
    this.writer.writeRecord(RECORD.tracedInputs, bytes);
  }

  private pickler(): ValuePickler {
    return new ValuePickler({
      nameOf: (type) => this.names.nameOf(type),
      runMethod: this.options.runMethod,
    });
  }

  private writePickle(name: string, folder: string, { bytes, storages }: PickledValue): void {
    storages.forEach((storage, i) => this.writeStorage(`${folder}${i}`, storage));
    this.writer.writeRecord(name, bytes);
  }

  private writeStorage(name: string, { storage, isMeta }: PickledStorage): void {
    const untouched = isMeta ? undefined : storage.untouched();
    const pieces = untouched?.pieces();
    if (pieces) this.writer.writeStream(name, pieces, storage.nbytes, untouched!.crc32);
    else this.writer.writeRecord(name, isMeta ? new Uint8Array(0) : storage.bytes());
  }

  private convert(type: PrintedType): void {
    if (this.converted.get(type)) return;
    this.converted.set(type, true);
    const qualifier = this.names.nameOf(type).prefix;
    let printer = this.files.get(qualifier);
    if (!printer) {
      printer = new PythonPrint({
        constants: this.constants,
        dependencies: this.dependencies,
        typePrinter: this.names.printType,
        importable: true,
      });
      this.files.set(qualifier, printer);
    }
    internalAssert(definitionName(type).qualifiedName !== "", "type without a name");
    printNamedType(type, printer);
  }

  private packFiles(memory: CodeMemory): CodeRecord[] {
    const tags = new SourceRangeTags();
    return Array.from(this.files, ([qualifier, { body }]) => {
      const name = `${FOLDER.code}${qualifier.replaceAll(".", "/")}.py`;
      const ranges = numberRanges(body.ranges(), tags);
      return [
        memory.pack(name, body.text, encodeUtf8),
        memory.pack(`${name}.debug_pkl`, ranges, () => concatBytes(pickleSourceRanges(ranges, tags))),
      ];
    }).flat();
  }
}
