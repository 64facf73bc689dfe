/** @file Text of graphs, byte for byte as `str(graph)` in PyTorch. Upstream: torch/csrc/jit/ir/ir.cpp. Spec: none. */
import { complexText, floatLiteral, formatG, quotedString } from "../base/float_text.ts";
import { valueLiteral } from "../core/ivalue_text.ts";
import type { Type } from "../core/type.ts";
import { cppTensorText, firstElement } from "../tensor/cpp_text.ts";
import { DTYPES } from "../tensor/dtype.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Attribute, Graph, Node, Value } from "./graph.ts";
import { attributeType } from "./constants.ts";
import { graphTypeText } from "./type_text.ts";

/** What to print. */
export interface GraphTextOptions {
  /** `# file:line:col` behind each node. */
  readonly printSourceLocations?: boolean;
}

const MAX_SHOWN_ELEMENTS = 10; // torch: max_tensor_display_size
const STREAM_PRECISION = 6;

/** Text of a graph; ends in a newline. */
export function graphText(graph: Graph, options: GraphTextOptions = {}): string {
  const out: string[] = [`graph(${graph.inputs.map(valueWithType).join(",\n      ")}):\n`];
  const groups: Node[] = [];
  for (const node of graph.block.nodes()) printNode(out, node, 1, groups, options.printSourceLocations ?? true);
  out.push(`  return (${refs(graph.outputs)})\n`);
  groups.forEach((node, i) => out.push(`with ${node.kind}_${i} = ${graphText(node.attr("Subgraph", "g"))}`));
  return out.join("");
}

/** Text of one node with its blocks, as messages show it. */
export function nodeText(node: Node): string {
  const out: string[] = [];
  printNode(out, node, 0, undefined, true);
  return out.join("");
}

function printNode(out: string[], node: Node, level: number, groups: Node[] | undefined, locations: boolean): void {
  const indent = "  ".repeat(level);
  let line = `${indent}${node.outputs.map(valueWithType).join(", ")} = ${node.kind}`;
  const names = [...node.attributes.keys()];
  if (groups && node.hasAttr("Subgraph")) {
    line += `_${groups.length}`;
    if (names.length > 1 && node.kind !== "prim::DifferentiableGraph")
      line += attributesText(
        node,
        names.filter((n) => n !== "Subgraph"),
      );
    groups.push(node);
  } else if (names.length > 0) line += attributesText(node, names);
  line += `(${refs(node.inputs)})`;
  const scope = node.scope?.path() ?? "";
  if (scope) line += `, scope: ${scope}`;
  if (locations && node.sourceRange) {
    const range = node.sourceRange.findSourceRangeThatGenerated() ?? node.sourceRange;
    const at = range.fileLineCol();
    if (at) line += ` # ${at[0]}:${at[1]}:${at[2]}`;
  }
  out.push(line, "\n");
  node.blocks.forEach((block, i) => {
    out.push(`${indent}  block${i}(${block.inputs.map(valueWithType).join(", ")}):\n`);
    // upstream's recursion falls back to its defaults: inner nodes always show their locations
    for (const inner of block.nodes()) printNode(out, inner, level + 2, groups, true);
    out.push(`${indent}    -> (${refs(block.outputs)})\n`);
  });
}

function valueWithType(value: Value): string {
  return `%${value.debugName()} : ${graphTypeText(value.type)}`;
}

function refs(values: readonly Value[]): string {
  return values.map((v) => `%${v.debugName()}`).join(", ");
}

function attributesText(node: Node, names: readonly string[]): string {
  return `[${names.map((name) => `${name}=${attributeText(node, node.attributes.get(name)!)}`).join(", ")}]`;
}

function attributeText(node: Node, attribute: Attribute): string {
  switch (attribute.kind) {
    case "i":
      return String(attribute.value);
    case "f":
      return floatLiteral(attribute.value);
    case "c":
      return complexText(attribute.value.re, attribute.value.im);
    case "s":
      return quotedString(attribute.value);
    case "t":
      return tensorAttributeText(attribute.value);
    case "is":
      return attribute.value.length === 0 ? "annotate(List[int], [])" : `[${attribute.value.join(", ")}]`;
    case "fs":
      return attribute.value.length === 0
        ? "annotate(List[float], [])"
        : `[${attribute.value.map(floatLiteral).join(", ")}]`;
    case "ss":
      return attribute.value.length === 0
        ? "annotate(List[str], [])"
        : `[${attribute.value.map(quotedString).join(", ")}]`;
    case "ts":
      return "[<Tensors>]";
    case "g":
      return "<Graph>";
    case "gs":
      return "[<Graphs>]";
    case "ty":
      return graphTypeText(attribute.value);
    case "tys":
      return `[${attribute.value.map(graphTypeText).join(", ")}]`;
    case "ival":
      return valueLiteral(attribute.value, attributeType(node, attribute.value), formatOpaque);
  }
}

/** What literals cannot say: tensors, lists of them, and instances of script classes. */
function formatOpaque(value: unknown, type: Type): string | undefined {
  if (value instanceof Tensor) return tensorAttributeText(value);
  if (type.kind === "List" && type.element.kind === "Tensor") return "[<Tensors>]";
  // torch prints the address of the object
  if (type.kind === "Class" && !type.isModule) return "object(0)";
  return undefined;
}

function tensorAttributeText(tensor: Tensor): string {
  if (tensor.numel === 1) return `{${scalarText(tensor)}}`;
  if (tensor.numel > MAX_SHOWN_ELEMENTS) return "<Tensor>";
  return cppTensorText(tensor).replaceAll("\n", " ");
}

function scalarText(tensor: Tensor): string {
  const { category } = tensor.dtype;
  if (category === "int" || category === "bool")
    return tensor.dtype.itemsize === 8 ? String(wideInt(tensor)) : String(firstElement(tensor));
  if (category === "complex") {
    // the parts are printed as `(re,im)`; both are read through a real view
    const real =
      tensor.dtype === DTYPES.complex64
        ? DTYPES.float32
        : tensor.dtype === DTYPES.complex128
          ? DTYPES.float64
          : DTYPES.float16;
    const part = (i: number): number =>
      firstElement(new Tensor(tensor.storage, real, [], [], tensor.storageOffset * 2 + i));
    return `(${formatG(part(0), STREAM_PRECISION)},${formatG(tensor.isConj ? -part(1) : part(1), STREAM_PRECISION)})`;
  }
  return formatG(firstElement(tensor), STREAM_PRECISION);
}

function wideInt(tensor: Tensor): bigint {
  return tensor.storage.segment.i64[tensor.base0]!;
}
