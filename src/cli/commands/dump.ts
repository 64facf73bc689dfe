/** @file `tsarchive dump FILE`: what is in an archive, for a person; reads only what it shows and never runs model code. Upstream: torch/utils/model_dump. Spec: docs/cli.md. */
import type { Command } from "commander";
import { ArchiveReader } from "../../archive/index.ts";
import { inspect } from "../../jit/inspect.ts";
import { FileSource } from "../../node/file_source.ts";
import { installNodePlatform } from "../../node/platform.ts";
import type { CliCommand } from "../command.ts";
import { writeOverview } from "../dump_overview.ts";
import { VIEWS, type DumpOptions } from "../dump_views.ts";
import { cleanDeep, flush, write } from "../terminal.ts";

async function dump(path: string, options: DumpOptions): Promise<void> {
  installNodePlatform();
  const source = new FileSource(path);
  try {
    const reader = ArchiveReader.open(source);
    const asked = VIEWS.filter((view) => view.isAsked(options));
    if (options.json === true) {
      const data: Record<string, unknown> = {};
      for (const view of asked) data[view.name] = await view.data(reader, options);
      write(JSON.stringify(asked.length > 0 ? data : inspect(reader), null, 2));
    } else if (asked.length === 0) writeOverview(cleanDeep(inspect(reader)));
    else for (const view of asked) await view.show(reader, options);
  } finally {
    flush();
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
      .option("--code [qualname]", "the archived code, or that of one file, class, method or function")
      .option(
        "--graph [method]",
        "the graph of a method of the root module (default forward; PATH.METHOD for a submodule)",
      )
      .option("--tensors", "a table of all tensors")
      .option("--stats", "with --tensors: read the values and show minimum, maximum, mean, zeros, non-finite")
      .option("--records", "the records of the container")
      .option("--pickle <record>", "disassemble a pickle record with byte offsets, e.g. data.pkl")
      .option("--extra [name]", "list the extra files, or print one")
      .option("--constants", "the constants table")
      .option(
        "--debug <file:line>",
        "the original source of archived code, e.g. __torch__/net.py:12, or of a whole file",
      )
      .option("--json", "as JSON: the default view, or the views that are asked for (schema: docs/cli.md)")
      .action(dump);
  },
};
