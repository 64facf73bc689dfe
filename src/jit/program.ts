/** @file Program: the code of an archive without its objects, for tools that look and do not run. Upstream: none. Spec: none. */
import type { ArchiveReader } from "../archive/index.ts";
import { ScriptError } from "../base/errors.ts";
import { SourceRange } from "../base/source_range.ts";
import { guardStack } from "../base/stack_guard.ts";
import { findNativeClass } from "../core/native_class.ts";
import type { ClassType } from "../core/type.ts";
import { compileFunction } from "../interpreter/run.ts";
import { ScriptFunction } from "../ir/function.ts";
import { graphText } from "../ir/printer.ts";
import { loadProgram, sourceOfQualifier } from "../loader/import_module.ts";

/** The code of an archive. Nothing in it runs. */
export interface Program {
  /** The class of the root module. */
  readonly rootClass: ClassType;
  /** PyTorch's text of a graph: `forward`, or PATH.METHOD of a submodule's class. Throws ScriptError where there is none. */
  graphText(method: string): string;
  /** Declares all that a code record defines. Throws ScriptError where it cannot be parsed or typed. */
  loadRecord(record: string): void;
  /** Every function and method of what is declared; `compile` throws ScriptError or UnsupportedError where it cannot run here. */
  functions(): Generator<{ readonly qualname: string; readonly compile: () => void }>;
  /** The original source of a 1-based line of a code record, as PyTorch excerpts it; undefined without a debug record. */
  originOfLine(record: string, line: number): string | undefined;
}

function methodOf(type: ClassType, path: string): ScriptFunction {
  const names = path.split(".");
  const method = names.pop()!;
  let owner = type;
  for (const name of names) {
    const attribute = owner.findAttribute(name);
    if (attribute?.kind !== "Class") throw new ScriptError(`${owner.name.qualifiedName} has no submodule "${name}"`);
    owner = attribute;
  }
  const fn = owner.findMethod(method);
  if (!(fn instanceof ScriptFunction)) {
    throw new ScriptError(
      `${owner.name.qualifiedName} has no method "${method}"; it has: ${[...owner.methods.keys()].join(", ") || "none"}`,
    );
  }
  return fn;
}

const CODE = /^code\/(.*)\.py$/;

/** Opens the code of an archive. Constants are read where code names them; `data.pkl` only as far as the root's class name. */
export function openProgram(reader: ArchiveReader): Program {
  const { importer, cu, rootClass } = loadProgram(reader, { findNativeClass });
  return {
    rootClass,
    graphText(method) {
      const fn = methodOf(rootClass, method);
      return guardStack("graph", () => {
        fn.ensureDefined();
        return graphText(fn.graph);
      });
    },
    loadRecord(record) {
      const qualifier = CODE.exec(record)?.[1];
      if (qualifier !== undefined) importer.loadAll(qualifier.replaceAll("/", "."));
    },
    *functions() {
      const entry = (fn: ScriptFunction): { qualname: string; compile: () => void } => ({
        qualname: fn.qualname.qualifiedName,
        compile: () => {
          fn.ensureDefined();
          compileFunction(fn);
        },
      });
      for (const fn of cu.functions.values()) yield entry(fn);
      for (const type of cu.types.values()) {
        if (type.kind !== "Class") continue;
        for (const method of type.methods.values()) if (method instanceof ScriptFunction) yield entry(method);
      }
    },
    originOfLine(record, line) {
      const qualifier = CODE.exec(record)?.[1];
      const source = qualifier === undefined ? undefined : sourceOfQualifier(reader, qualifier.replaceAll("/", "."));
      if (!source) return undefined;
      const start = source.offsetOfLine(line - 1);
      const end = line < source.numLines() ? source.offsetOfLine(line) - 1 : source.text.length;
      // a line holds several recorded places; the first with a text tells most (a trace records none for some nodes)
      for (const { index } of source.text.slice(start, end).matchAll(/\w+|\S/g)) {
        const origin = new SourceRange(source, start + index, end).findSourceRangeThatGenerated();
        const text = origin?.highlight().trimEnd();
        if (text) return text;
      }
      return undefined;
    },
  };
}
