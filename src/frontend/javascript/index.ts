/** @file What the JavaScript front end offers the compiler of scripts. Upstream: none. Spec: docs/scripting.md. */
export { formOf } from "./forms.ts";
export { lowerFunction, evaluateConstant, type LowerOptions } from "./functions.ts";
export { FREE, childNodes, dottedPath, type FreeNames } from "./lowering.ts";
export {
  SourceFile,
  fieldTypeOfClass,
  isImportVariable,
  methodOfClass,
  parseClassText,
  parseFunctionText,
  sameFunction,
  type ClassNode,
  type Declaration,
  type FunctionNode,
  type FunctionSource,
} from "./parse.ts";
export { typeFromText } from "./types.ts";
