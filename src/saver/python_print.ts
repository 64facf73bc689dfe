/** @file PythonPrint: IR to TorchScript source, statement by statement. Upstream: torch/csrc/jit/serialization/python_print.cpp. Spec: spec/printing.md. */
import { ScriptError, internalAssert } from "../base/errors.ts";
import { valueLiteral, type ValueFormatter } from "../core/ivalue_text.ts";
import type { FunctionSchema, Argument } from "../core/schema.ts";
import { annotationStr, typesEqual, type Type, type TypePrinter } from "../core/type.ts";
import { ScriptFunction } from "../ir/function.ts";
import type { Block, Node, Value } from "../ir/graph.ts";
import { maybeSchema } from "../ir/node_schema.ts";
import { Dependencies } from "./dependencies.ts";
import { addExpression, addValues, type ExpressionScope } from "./expressions.ts";
import { Inlining } from "./inlining.ts";
import { ConstantTable, constantFormatter } from "./literals.ts";
import { loopKind } from "./loop_view.ts";
import { NameTable, toIdentifier } from "./names.ts";
import { minVersionOf } from "./op_versions.ts";
import { RangeStack, TaggedText } from "./tagged_text.ts";

/** Settings of a printer. */
export interface PythonPrintOptions {
  readonly constants?: ConstantTable;
  readonly dependencies?: Dependencies;
  /** Names of types where they differ from their own. */
  readonly typePrinter?: TypePrinter;
  /** Refuse what cannot be read back; write literals that can (see Note [Literals that read back]). Files are printed so. */
  readonly importable?: boolean;
}

const LONG_LINE = 40; // an inlined expression of this length (indent included) gets a name

/** Prints functions and types into one text. */
export class PythonPrint implements ExpressionScope {
  readonly constants: ConstantTable;
  readonly dependencies: Dependencies;
  readonly body: TaggedText;
  /** The least archive version that supports every printed operator; 0 where all are old. */
  minVersion = 0;
  private readonly ranges = new RangeStack();
  private readonly typePrinter: TypePrinter | undefined;
  private readonly importable: boolean;
  private readonly formatConstant: ValueFormatter;
  private readonly names = new NameTable();
  private level = 0;
  // state of the function that is being printed
  private inlining = new Inlining();
  private references: Map<Value, string> = new Map();
  private expressions: Map<Value, TaggedText> = new Map();
  private splitUses = new Map<Node, number>();
  private seenConstants = new Set<Node>();
  private annotated = new Set<Value>();

  constructor(options: PythonPrintOptions = {}) {
    this.constants = options.constants ?? new ConstantTable();
    this.dependencies = options.dependencies ?? new Dependencies();
    this.typePrinter = options.typePrinter;
    this.importable = options.importable ?? false;
    this.formatConstant = constantFormatter({
      constants: this.constants,
      typePrinter: this.typePrinter,
      readable: this.importable,
    });
    this.body = new TaggedText(this.ranges);
  }

  typeText(type: Type): string {
    if (type.kind === "Function") return this.typePrinter?.(type) ?? type.fn.qualname.qualifiedName;
    return annotationStr(type, this.typePrinter);
  }

  constantText(value: unknown, type: Type): string {
    return valueLiteral(value, type, this.formatConstant);
  }

  useOf(value: Value): TaggedText | string {
    const name = this.references.get(value);
    if (name !== undefined) return name;
    const expression = this.expressions.get(value);
    if (!expression)
      internalAssert(false, `value %${value.debugName()} of ${value.node.kind} is used before it is printed`);
    return expression;
  }

  /** A use for later: a name keeps the range of now. */
  private textOf(value: Value): TaggedText {
    const use = this.useOf(value);
    return typeof use === "string" ? new TaggedText(this.ranges).add(use) : use;
  }

  /** Starts a line. */
  indent(): TaggedText {
    return this.level > 0 ? this.body.add("  ".repeat(this.level)) : this.body;
  }

  /** Prints one level deeper. */
  indented(print: () => void): void {
    this.level++;
    print();
    this.level--;
  }

  /** Prints a function; the first argument's type is left out for methods in `.code`. */
  printFunction(fn: ScriptFunction, withFirstType = true): void {
    fn.ensureDefined();
    const { schema, graph } = fn;
    this.startFunction();
    this.ranges.enter(graph.paramNode.sourceRange);
    this.printHeader(fn.name, schema, graph.inputs, withFirstType);
    this.printBody(graph.block);
    this.ranges.leave();
  }

  private startFunction(): void {
    this.names.startFunction();
    this.inlining = new Inlining();
    this.references = new Map();
    this.expressions = new Map();
    this.splitUses = new Map();
    this.seenConstants = new Set();
    this.annotated = new Set();
  }

  private printHeader(name: string, schema: FunctionSchema, params: readonly Value[], withFirstType: boolean): void {
    const { body } = this;
    this.indent().add("def ").add(name).add("(");
    schema.args.forEach((arg, i) => {
      this.dependencies.register(arg.type);
      const param = params[i]!;
      const argName = this.names.unique(arg.name);
      if (i > 0) body.add(",\n    ");
      body.add(argName);
      if (i > 0 || withFirstType) {
        body.add(": ").add(this.typeText(arg.type));
        this.annotated.add(param);
      }
      if (arg.hasDefault) body.add("=").add(this.defaultText(arg));
      this.references.set(param, argName);
    });
    const returned = schema.returns[0]!.type;
    body.add(") -> ").add(this.typeText(returned)).add(":\n");
    this.dependencies.register(returned);
  }

  private defaultText({ defaultValue, type, fixedLength }: Argument): string {
    // one number stands for a list of fixed length
    const isBroadcast = type.kind === "List" && !Array.isArray(defaultValue) && defaultValue !== null;
    return this.constantText(
      isBroadcast ? Array.from({ length: fixedLength ?? 1 }, () => defaultValue) : defaultValue,
      type,
    );
  }

  /** Constants first (most only to be used inline later), then the nodes, then the return. */
  private printBody(block: Block): void {
    const constants: Node[] = [];
    this.collectConstants(block, constants);
    this.inlining.scan(block);
    this.indented(() => {
      for (const node of constants) this.printNode(node, true);
      this.printBlock(block, block.outputs.length > 0);
      this.printNode(block.returnNode, false);
    });
  }

  private collectConstants(block: Block, constants: Node[]): void {
    for (let node = block.first; ; node = node.next!) {
      const { inputs, blocks } = node;
      for (let i = 0; i < inputs.length; i++) {
        const source = inputs[i]!.node;
        if (source.kind !== "prim::Constant" || this.seenConstants.has(source)) continue;
        this.seenConstants.add(source);
        constants.push(source);
      }
      if (blocks.length > 0) for (const inner of blocks) this.collectConstants(inner, constants);
      if (node === block.returnNode) return;
    }
  }

  private printBlock(block: Block, hasOtherStatements: boolean): void {
    if (!hasOtherStatements && block.first === block.returnNode) this.indent().add("pass\n");
    for (let node = block.first; node !== block.returnNode; node = node.next!) this.printNode(node, false);
  }

  private nameValues(values: readonly Value[]): void {
    for (const value of values)
      this.references.set(value, this.names.unique(value.hasDebugName() ? toIdentifier(value.debugNameBase()) : "_"));
  }

  private printNode(node: Node, printConstant: boolean): void {
    this.ranges.enter(node.sourceRange);
    this.registerTypes(node);
    this.checkVersion(node);
    if (printConstant || node.kind !== "prim::Constant") this.printStatement(node);
    this.ranges.leave();
  }

  private registerTypes(node: Node): void {
    const { inputs, outputs, attributes } = node;
    for (let i = 0; i < inputs.length; i++) this.dependencies.register(inputs[i]!.type);
    for (let i = 0; i < outputs.length; i++) this.dependencies.register(outputs[i]!.type);
    if (attributes.size === 0) return;
    for (const attribute of attributes.values()) {
      if (attribute.kind === "ty") this.dependencies.register(attribute.value);
      else if (attribute.kind === "tys") for (const type of attribute.value) this.dependencies.register(type);
    }
  }

  private checkVersion(node: Node): void {
    if (!node.kind.startsWith("aten::")) return;
    const schema = maybeSchema(node);
    if (schema) this.minVersion = Math.max(this.minVersion, minVersionOf(schema));
  }

  private printStatement(node: Node): void {
    switch (node.kind) {
      case "prim::Return":
        return this.printReturn(node);
      case "prim::If":
        return this.printIf(node);
      case "prim::Loop":
        return this.printLoop(node);
      case "prim::TupleUnpack":
      case "prim::ListUnpack":
        return this.printUnpack(node);
      case "prim::SetAttr":
        return this.printSetAttr(node);
      case "prim::fork":
        return this.printTask(node, "fork", "__forked_function");
      case "prim::awaitable":
        return this.printTask(node, "awaitable", "__awaitable_function");
      case "prim::Enter":
        return this.printEnter(node);
      case "prim::Exit":
        if (node.prev?.kind === "prim::Enter") this.indent().add("pass\n");
        this.level--;
        return;
      case "prim::Closure":
        return this.printClosure(node);
      case "prim::ModuleContainerIndex":
        return this.printContainerIndex(node);
      default:
        return this.printDefinition(node);
    }
  }

  private printReturn(node: Node): void {
    if (this.importable && node.inputs.length !== 1) {
      throw new ScriptError(
        "Exportable methods must have a single return value. Normal use of ScriptMethods should enforce this",
        node.sourceRange,
      );
    }
    if (node.inputs.length === 0) return;
    this.indent().add("return ");
    addValues(this.body, node.inputs, this);
    this.body.add("\n");
  }

  private printSetAttr(node: Node): void {
    const [object, value] = node.inputs;
    this.indent()
      .append(this.useOf(object!))
      .add(".")
      .add(node.attr("name", "s"))
      .add(" = ")
      .append(this.useOf(value!))
      .add("\n");
  }

  private printEnter(node: Node): void {
    const entered = node.outputs[0]!;
    this.indent().add("with ").append(this.useOf(node.inputs[0]!));
    if (entered.uses.length > 0) {
      this.nameValues([entered]);
      this.body.add(" as ").append(this.useOf(entered));
    }
    this.body.add(":\n");
    this.level++;
  }

  private printContainerIndex(node: Node): void {
    const [container, key] = node.inputs;
    const out = node.outputs[0]!;
    this.nameValues([out]);
    this.indent().append(this.useOf(out)).add(" : ").add(annotationStr(out.type)).add(" = ");
    this.body.append(this.useOf(container!)).add("[").append(this.useOf(key!)).add("]\n");
  }

  /** `outputs = expression`, or the expression for its only use. */
  private printDefinition(node: Node): void {
    const expression = new TaggedText(this.ranges);
    addExpression(expression, node, this);
    const isLong = this.isLong(expression.text);
    if (!this.inlining.has(node) || (node.kind === "prim::Constant" && isLong)) return this.assign(node, expression);
    this.expressions.set(node.output, expression);
    if (isLong) this.splitLong(node.output);
  }

  /** `a, b = expression`. */
  private assign(node: Node, expression: TaggedText | string): void {
    this.nameValues(node.outputs);
    this.indent();
    if (node.outputs.length > 0) {
      addValues(this.body, node.outputs, this);
      this.body.add(" = ");
    }
    this.body.append(expression).add("\n");
  }

  private isLong(text: string): boolean {
    return text.length + this.level * 2 >= LONG_LINE;
  }

  /**
   * Gives names to a long inlined value and to every inlined operand before it: an operand that stayed inside its user would
   * run after the value that was taken out, although it stood before it.
   */
  private splitLong(value: Value): void {
    const reversed: Value[] = [];
    let { user, offset } = value.uses[0]!;
    for (;;) {
      const seen = this.splitUses.get(user);
      for (let i = offset; i >= (seen === undefined ? 0 : seen + 1); i--) {
        const operand = user.inputs[i]!;
        if (operand.node.kind !== "prim::Constant" && this.inlining.has(operand.node)) reversed.push(operand);
      }
      this.splitUses.set(user, offset);
      if (seen !== undefined || !this.inlining.has(user)) break;
      const use = user.output.uses[0]!;
      user = use.user;
      offset = use.offset - 1; // the use itself is still being printed
    }
    for (const operand of reversed.reverse()) this.assign(operand.node, this.useOf(operand));
  }

  private printAssignment(left: readonly Value[], right: readonly Value[]): void {
    if (left.length === 0) return;
    this.indent();
    addValues(this.body, left, this);
    const only = left.length === 1 ? left[0]! : undefined;
    if (only && !this.annotated.has(only) && !this.expressions.has(only) && isUnion(only.type)) {
      // upstream does not rename classes here
      this.body.add(" : ").add(annotationStr(only.type));
      this.annotated.add(only);
    }
    this.body.add(" = ");
    addValues(this.body, right, this);
    this.body.add("\n");
  }

  private printIf(node: Node): void {
    this.nameValues(node.outputs);
    const branch = (block: Block): void => {
      this.indented(() => {
        this.printBlock(block, node.outputs.length > 0);
        this.printAssignment(node.outputs, block.outputs);
      });
    };
    this.indent().add("if ").append(this.useOf(node.input)).add(":\n");
    branch(node.blocks[0]!);
    this.indent().add("else:\n");
    branch(node.blocks[1]!);
  }

  private printLoop(node: Node): void {
    const kind = loopKind(node);
    if (kind === "modified") {
      throw new ScriptError(
        "loop cannot be printed as python because it has gone through an optimization that combined while and for loops. File a bug",
        node.sourceRange,
      );
    }
    const body = node.blocks[0]!;
    const [maxTripCount, condition, ...carried] = node.inputs;
    const counter = body.inputs[0]!;
    // loop-carried values are the node's outputs: set before the loop and at the end of each round
    this.nameValues(node.outputs);
    body.inputs.slice(1).forEach((input, i) => this.expressions.set(input, this.textOf(node.outputs[i]!)));
    node.outputs.forEach((output, i) => {
      this.indent().append(this.useOf(output));
      if (this.needsAnnotation(output, carried[i]!)) this.body.add(": ").add(this.typeText(output.type));
      this.body.add(" = ").append(this.useOf(carried[i]!)).add("\n");
    });
    this.nameValues([counter]);
    if (kind === "for") {
      this.indent();
      this.body.add("for ").append(this.useOf(counter)).add(" in range(").append(this.useOf(maxTripCount!)).add("):\n");
    } else {
      // a while loop has no use for the counter: it stands for the condition
      this.printAssignment([counter], [condition!]);
      this.indent();
      this.body.add("while ").append(this.useOf(counter)).add(":\n");
    }
    this.indented(() => {
      const skipped = kind === "for" ? 1 : 0;
      const updated = body.inputs.slice(skipped);
      this.printBlock(body, updated.length > 0);
      this.printAssignment(updated, body.outputs.slice(skipped));
    });
  }

  private needsAnnotation(left: Value, right: Value): boolean {
    if (!isUnion(left.type)) return !typesEqual(left.type, right.type);
    if (this.annotated.has(left)) return false;
    this.annotated.add(left);
    return true;
  }

  private printUnpack(node: Node): void {
    this.nameValues(node.outputs);
    this.indent();
    // the comma at the end makes it an unpacking when it is read back
    if (node.outputs.length > 0) addValues(this.body, node.outputs, this, "", ", = ");
    this.body.append(this.useOf(node.input)).add("\n");
  }

  /** A subgraph that runs later: a local function, then the call that starts it. */
  private printTask(node: Node, starter: string, functionName: string): void {
    const name = this.names.unique(functionName);
    const graph = node.attr("Subgraph", "g");
    this.indent().add("def ").add(name).add("():\n");
    node.inputs.forEach((input, i) => this.expressions.set(graph.inputs[i]!, this.textOf(input)));
    this.printBody(graph.block);
    this.assign(node, `${starter}(${name})`);
  }

  private printClosure(node: Node): void {
    if (this.importable) throw new ScriptError("closures are not exportable", node.sourceRange);
    this.nameValues(node.outputs);
    const graph = node.attr("Subgraph", "g");
    this.indent().add("def ").append(this.useOf(node.output)).add("(");
    this.nameValues(graph.inputs);
    graph.inputs.forEach((input, i) => {
      if (i > 0) this.body.add(", ");
      this.body.append(this.useOf(input)).add(": ").add(this.typeText(input.type));
    });
    this.body.add("):\n");
    this.printBody(graph.block);
  }
}

function isUnion(type: Type): boolean {
  return type.kind === "Union" || type.kind === "Optional";
}
