/** @file The public API with files: what `import "tsarchive"` gives in Node. Upstream: none. Spec: none. */
import { setExecutionTier, setPlatform, type ExecutionTier } from "../index.ts";
import { FileSink } from "./file_sink.ts";
import { FileSource } from "./file_source.ts";
import { installNodePlatform } from "./platform.ts";
import { readSourceText } from "./source_text.ts";

installNodePlatform();
setPlatform({
  openFile: (path) => new FileSource(path),
  createFile: (path, options) => new FileSink(path, options),
  readSource: readSourceText,
});

const tier = process.env["TSARCHIVE_INTERPRETER"];
if (tier) setExecutionTier(tier as ExecutionTier); // which refuses other names

export * from "../index.ts";
export { FileSink, FileSource };
