/** @file The archive layer: bytes in, records and plain values out. Upstream: none. Spec: spec/container.md. */
export {
  type AsyncByteSource,
  type ByteSink,
  type ByteSource,
  MemorySink,
  MemorySource,
  checkRange,
  describeSource,
  withSink,
} from "./byte_source.ts";
export {
  type AsyncInput,
  BlobSource,
  type FetchFunction,
  HttpRangeSource,
  StreamSource,
  SyncAsAsyncSource,
  openAsyncSource,
} from "./async_source.ts";
export { type PrefetchOptions, SparseSource, prefetch } from "./prefetch.ts";
export { type Crc32, crc32, crc32Portable, installCrc32 } from "./crc32.ts";
export { type ZipDirectory, type ZipEntry, readZipDirectory } from "./zip_directory.ts";
export { METHOD, methodName } from "./zip_format.ts";
export { type LocalHeader, ZipReader, type ZipReaderOptions } from "./zip_reader.ts";
export { type WrittenEntry, ZipWriter, type ZipWriterOptions } from "./zip_writer.ts";
export {
  type ArchiveReaderOptions,
  ArchiveReader,
  type ContainerFinding,
  type RecordStat,
  verifyContainer,
} from "./archive_reader.ts";
export { type ArchiveTrailer, ArchiveWriter, type ArchiveWriterOptions } from "./archive_writer.ts";
export {
  BUFFER_ROOT_NAME,
  FOLDER,
  RECORD,
  isRecordCompressed,
  parseVersion,
  rootNameOf,
  versionRecordName,
} from "./records.ts";
export {
  ARCHIVE_VERSIONS,
  type ArchiveVersion,
  FIRST_DATA_VERSION,
  LAST_UNTAGGED_VERSION,
  MAX_ARCHIVE_VERSION,
  MIN_ARCHIVE_VERSION,
  PRODUCED_ARCHIVE_VERSION,
  describeVersion,
} from "./versions.ts";
export {
  PersistentId,
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleObject,
  PickleReduce,
  PickleSet,
  PickleTuple,
  type PickleValue,
  pickleChildren,
  pickleTypeName,
} from "./pickle_value.ts";
export { OPCODES, type OpcodeName } from "./opcodes.ts";
export { type UnpickleOptions, type Unpickled, unpickle, unpickleAll } from "./unpickler.ts";
export { type PickleInstruction, disassemble } from "./disassemble.ts";
export { PickleEmitter } from "./pickler.ts";
