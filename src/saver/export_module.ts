/** @file exportModule: a module to the records of an archive, in PyTorch's order. Upstream: torch/csrc/jit/serialization/export_module.cpp. Spec: spec/records.md. */
import type { ArchiveWriter } from "../archive/archive_writer.ts";
import { FOLDER, RECORD } from "../archive/records.ts";
import { PRODUCED_ARCHIVE_VERSION } from "../archive/versions.ts";
import { encodeUtf8 } from "../base/bytes.ts";
import { internalAssert } from "../base/errors.ts";
import type { ScriptObject } from "../core/ivalue.ts";
import type { ClassType } from "../core/type.ts";
import { Dependencies, NamedTypeMap, definitionName, type PrintedType } from "./dependencies.ts";
import { ConstantTable } from "./literals.ts";
import { printNamedType } from "./print_types.ts";
import { PythonPrint } from "./python_print.ts";
import { SourceRangeTags, pickleSourceRanges } from "./source_range_serialization.ts";
import type { PickledStorage } from "./tensor_pickler.ts";
import { TRACED_INPUTS_TYPE, tracedInputsOf } from "./traced_inputs.ts";
import { TypeNameUniquer } from "./type_name_uniquer.ts";
import { ValuePickler, type MethodRunner, type PickledValue } from "./value_pickler.ts";

/** How to export. */
export interface ExportOptions {
  /** Records `extra/NAME`, in order. */
  readonly extraFiles?: ReadonlyMap<string, Uint8Array>;
  /** Runs `__getstate__`. */
  readonly runMethod: MethodRunner;
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
  private readonly constants = new ConstantTable();
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
    const classes: ClassType[] = [];
    this.writePickle(RECORD.data, FOLDER.data, this.pickler(classes).pickle(root, root.type, ROOT_OWNERS));
    // the classes of the objects come first: an attribute's type may be only an interface
    for (const type of classes) this.convert(type);
    this.dependencies.add(root.type);
    for (let i = 0; i < this.dependencies.types.length; i++) this.convert(this.dependencies.types[i]!);
    this.writeFiles();
    this.writePickle(
      RECORD.constants,
      FOLDER.constants,
      this.pickler([]).pickleTuple(this.constants.entries, CONSTANT_OWNERS),
    );
    this.writeTracedInputs(root);
    let version = PRODUCED_ARCHIVE_VERSION;
    for (const file of this.files.values()) version = Math.max(version, file.minVersion);
    return version;
  }

  /** The example inputs of a trace: their shapes only, the records of their storages stay empty. */
  private writeTracedInputs(root: ScriptObject): void {
    const inputs = tracedInputsOf(root);
    if (!inputs) return;
    const { bytes, storages } = this.pickler([]).pickle(inputs, TRACED_INPUTS_TYPE, ROOT_OWNERS);
    storages.forEach((_, i) => this.writer.writeRecord(`${FOLDER.tracedInputs}${i}`, new Uint8Array(0)));
    this.writer.writeRecord(RECORD.tracedInputs, bytes);
  }

  private pickler(classes: ClassType[]): ValuePickler {
    return new ValuePickler({
      nameOf: (type) => this.names.nameOf(type),
      runMethod: this.options.runMethod,
      onClass: (type) => classes.push(type),
    });
  }

  private writePickle(name: string, folder: string, { bytes, storages }: PickledValue): void {
    storages.forEach((storage, i) => this.writeStorage(`${folder}${i}`, storage));
    this.writer.writeRecord(name, bytes);
  }

  private writeStorage(name: string, { storage, isMeta }: PickledStorage): void {
    const untouched = isMeta ? undefined : storage.untouchedPieces();
    if (untouched) this.writer.writeStream(name, untouched, storage.nbytes);
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

  private writeFiles(): void {
    const tags = new SourceRangeTags();
    for (const [qualifier, { body }] of this.files) {
      const name = `${FOLDER.code}${qualifier.replaceAll(".", "/")}.py`;
      this.writer.writeRecord(name, encodeUtf8(body.text));
      this.writer.writeRecord(`${name}.debug_pkl`, pickleSourceRanges(body.ranges, tags));
    }
  }
}
