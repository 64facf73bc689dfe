/** @file Prints the right-hand side of a node: operator calls and the forms that have syntax of their own. Upstream: torch/csrc/jit/serialization/python_print.cpp (printRHS). Spec: spec/printing.md. */
import { internalAssert } from "../base/errors.ts";
import { quotedString } from "../base/float_text.ts";
import { isSubtypeOf, NoneT, optionalOf, type Type } from "../core/type.ts";
import { toIValue } from "../ir/constants.ts";
import type { Node, Value } from "../ir/graph.ts";
import { nodeSchema } from "../ir/node_schema.ts";
import type { Dependencies } from "./dependencies.ts";
import { isIdentifier } from "./names.ts";
import { necessaryArgs } from "./necessary_args.ts";
import type { TaggedText } from "./tagged_text.ts";

/** What an expression needs of the printer around it. */
export interface ExpressionScope {
  readonly dependencies: Dependencies;
  /** How a value is written where it is used: a name, or an expression with the ranges that it was printed for. */
  useOf(value: Value): TaggedText | string;
  typeText(type: Type): string;
  constantText(value: unknown, type: Type): string;
}

type ExpressionPrinter = (out: TaggedText, node: Node, scope: ExpressionScope) => void;

/** Appends values separated by commas. */
export function addValues(
  out: TaggedText,
  values: readonly Value[],
  scope: ExpressionScope,
  begin = "",
  end = "",
): void {
  out.add(begin);
  let delimiter = "";
  for (const value of values) {
    out.add(delimiter).append(scope.useOf(value));
    delimiter = ", ";
  }
  out.add(end);
}

/** `name(a, b)`. */
function call(name: string): ExpressionPrinter {
  return (out, node, scope) => addValues(out, node.inputs, scope, `${name}(`, ")");
}

/** `annotate(T, x)` and its like, T being the type of the result. */
function typed(name: string, suffix = ""): ExpressionPrinter {
  return (out, node, scope) => {
    out
      .add(`${name}(`)
      .add(scope.typeText(node.output.type))
      .add(", ")
      .append(scope.useOf(node.inputs[0]!))
      .add(`${suffix})`);
  };
}

/** `(x).member`. */
function member(name: string): ExpressionPrinter {
  return (out, node, scope) => out.add("(").append(scope.useOf(node.input)).add(`).${name}`);
}

/** Types whose containers need an annotation: their elements do not show them. */
function isShownByElements(type: Type): boolean {
  return !["Union", "Optional", "Number", "Interface", "Any"].includes(type.kind);
}

function addDict(out: TaggedText, pairs: readonly Value[], scope: ExpressionScope): void {
  out.add("{");
  let delimiter = "";
  for (let i = 0; i < pairs.length; i += 2) {
    out
      .add(delimiter)
      .append(scope.useOf(pairs[i]!))
      .add(": ")
      .append(scope.useOf(pairs[i + 1]!));
    delimiter = ", ";
  }
  out.add("}");
}

const PRINTERS: Readonly<Record<string, ExpressionPrinter>> = {
  "prim::Uninitialized": (out, node, scope) => out.add("uninitialized(").add(scope.typeText(node.output.type)).add(")"),
  "prim::Constant"(out, node, scope) {
    const { type } = node.outputs[0]!;
    if (type.kind === "Function") {
      scope.dependencies.add(type);
      out.add(scope.typeText(type));
      return;
    }
    const constant = node.mustBeNone() ? undefined : toIValue(node.output);
    out.add(constant ? scope.constantText(constant.value, type) : "None");
  },
  "aten::ScalarImplicit": typed("annotate"),
  "aten::FloatImplicit": typed("annotate"),
  "aten::IntImplicit": typed("annotate"),
  "aten::Int": call("int"),
  "aten::Float": call("float"),
  "aten::Bool": call("bool"),
  "aten::str": call("str"),
  "prim::Print": call("print"),
  "aten::sorted": call("sorted"),
  "aten::__getitem__"(out, node, scope) {
    const use = scope.useOf(node.inputs[0]!);
    const name = typeof use === "string" ? use : use.text; // upstream adds the text without its ranges here
    if (isIdentifier(name)) out.add(name);
    else out.add("(").add(name).add(")");
    out.add("[").append(scope.useOf(node.inputs[1]!)).add("]");
  },
  "prim::TupleConstruct"(out, node, scope) {
    const { type } = node.output;
    if (type.kind === "Tuple" && type.name) out.add(scope.typeText(type));
    addValues(out, node.inputs, scope, "(", node.inputs.length === 1 ? ",)" : ")");
  },
  "prim::TupleIndex"(out, node, scope) {
    out.add("(").append(scope.useOf(node.inputs[0]!)).add(")[").append(scope.useOf(node.inputs[1]!)).add("]");
  },
  "prim::TupleSlice"(out, node, scope) {
    out
      .add("(")
      .append(scope.useOf(node.input))
      .add(`)[${node.attr("beg", "i")}:${node.attr("end", "i")}]`);
  },
  "prim::ListConstruct"(out, node, scope) {
    const { type } = node.output;
    internalAssert(type.kind === "List", "prim::ListConstruct makes no list");
    if (node.inputs.length === 0) out.add("annotate(").add(scope.typeText(type)).add(", [])");
    else if (isShownByElements(type.element)) addValues(out, node.inputs, scope, "[", "]");
    else {
      out.add("annotate(").add(scope.typeText(type)).add(", ");
      addValues(out, node.inputs, scope, "[", "]");
      out.add(")");
    }
  },
  "prim::DictConstruct"(out, node, scope) {
    const { type } = node.output;
    internalAssert(type.kind === "Dict", "prim::DictConstruct makes no dict");
    if (node.inputs.length > 0 && isShownByElements(type.key) && isShownByElements(type.value))
      return addDict(out, node.inputs, scope);
    out.add("annotate(").add(scope.typeText(type)).add(", ");
    addDict(out, node.inputs, scope);
    out.add(")");
  },
  "prim::CreateObject"(out, node, scope) {
    const name = scope.typeText(node.output.type);
    out.add(name).add(".__new__(").add(name).add(")");
  },
  "prim::GetAttr"(out, node, scope) {
    const field = node.attr("name", "s");
    if (isIdentifier(field)) out.append(scope.useOf(node.inputs[0]!)).add(".").add(field);
    else out.add("getattr(").append(scope.useOf(node.inputs[0]!)).add(", ").add(quotedString(field)).add(")");
  },
  "prim::CallFunction"(out, node, scope) {
    out.append(scope.useOf(node.inputs[0]!)).add("(");
    for (const input of node.inputs.slice(1)) out.append(scope.useOf(input)).add(", ");
    out.add(")");
  },
  "prim::CallMethod"(out, node, scope) {
    const self = node.inputs[0]!;
    out.add("(").append(scope.useOf(self)).add(")").add(".").add(node.attr("name", "s")).add("(");
    for (const input of node.inputs.slice(1)) out.append(scope.useOf(input)).add(", ");
    out.add(")");
    internalAssert(
      self.type.kind === "Class" || self.type.kind === "Interface",
      "method call to unhandled type in serialization",
    );
    scope.dependencies.add(self.type);
  },
  "aten::_unwrap_optional"(out, node, scope) {
    addOpName(out, node.kind);
    out.add("(");
    if (isSubtypeOf(node.input.type, NoneT) || node.input.mustBeNone()) {
      // None alone does not say which Optional it is
      out
        .add("annotate(")
        .add(scope.typeText(optionalOf(node.output.type)))
        .add(", ")
        .append(scope.useOf(node.input))
        .add(")");
    } else out.append(scope.useOf(node.input));
    out.add(")");
  },
  "prim::unchecked_unwrap_optional": typed("unchecked_cast"),
  "prim::unchecked_cast": typed("unchecked_cast"),
  "prim::isinstance"(out, node, scope) {
    const types = node.attr("types", "tys");
    out.add("isinstance(").append(scope.useOf(node.input)).add(", ");
    if (types.length === 1) out.add(scope.typeText(types[0]!));
    else
      out
        .add("(")
        .add(types.map((t) => scope.typeText(t)).join(", "))
        .add(")");
    out.add(")");
  },
  "prim::tolist": typed("annotate", ".tolist()"),
  // not as operators: their result type depends on the enum
  "prim::EnumValue": member("value"),
  "prim::EnumName": member("name"),
};

const RENAMED_OPERATORS: Readonly<Record<string, string>> = {
  "aten::backward": "torch.autograd.backward",
  "aten::grad": "torch.autograd.grad",
};

const ATEN = "aten::";

function addOpName(out: TaggedText, kind: string): void {
  const renamed = RENAMED_OPERATORS[kind];
  if (renamed !== undefined) out.add(renamed);
  else if (kind.startsWith(ATEN)) out.add("torch.").add(kind.slice(ATEN.length));
  else {
    const [namespace, name] = kind.split("::") as [string, string];
    out.add("ops.").add(namespace).add(".").add(name);
  }
}

/** `torch.op(a, b, kwarg=c, out=d)`. */
function addOperatorCall(out: TaggedText, node: Node, scope: ExpressionScope): void {
  addOpName(out, node.kind);
  out.add("(");
  const { args } = nodeSchema(node);
  if (args.length > 0) {
    const necessary = necessaryArgs(args, node.inputs);
    for (let i = 0; i < necessary.inputs; i++) {
      if (i > 0) out.add(", ");
      const arg = args[i];
      if (arg?.kwargOnly) out.add(arg.name).add("=");
      out.append(scope.useOf(node.inputs[i]!));
    }
    for (let i = args.length - necessary.outs; i < args.length; i++) {
      out.add(", ");
      const input = node.inputs[node.inputs.length - (args.length - i)];
      if (input) out.add(args[i]!.name).add("=").append(scope.useOf(input));
    }
  }
  out.add(")");
}

/** Appends the right-hand side of a node. */
export function addExpression(out: TaggedText, node: Node, scope: ExpressionScope): void {
  (PRINTERS[node.kind] ?? addOperatorCall)(out, node, scope);
}
