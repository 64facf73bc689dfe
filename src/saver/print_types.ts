/** @file Definitions of named types: classes, modules, interfaces, NamedTuples, enums, functions. Upstream: torch/csrc/jit/serialization/python_print.cpp (printNamedType). Spec: spec/printing.md. */
import { internalAssert } from "../base/errors.ts";
import { complexText, floatText } from "../base/float_text.ts";
import { valueType } from "../core/ivalue_text.ts";
import type { ClassType, EnumType, InterfaceType, TupleType } from "../core/type.ts";
import { ScriptFunction } from "../ir/function.ts";
import { Complex, Float } from "../tensor/scalar.ts";
import type { PrintedType } from "./dependencies.ts";
import { isIdentifier } from "./names.ts";
import type { PythonPrint } from "./python_print.ts";

/** Prints the definition of a type. Classes that are native (custom C++ classes) print nothing: readers have their own. */
export function printNamedType(type: PrintedType, printer: PythonPrint): void {
  switch (type.kind) {
    case "Function":
      internalAssert(type.fn instanceof ScriptFunction, "function constant without a graph");
      return printer.printFunction(type.fn);
    case "Class":
      return printClass(type, printer);
    case "Tuple":
      return printNamedTuple(type, printer);
    case "Interface":
      return printInterface(type, printer);
    case "Enum":
      return printEnum(type, printer);
  }
}

/** Whether a class has methods that are implemented outside of TorchScript. */
function isNativeClass(type: ClassType): boolean {
  for (const method of type.methods.values()) if (!(method instanceof ScriptFunction)) return true;
  return false;
}

function printClass(type: ClassType, printer: PythonPrint): void {
  if (isNativeClass(type)) return;
  printer.body.add("class ").add(type.name.name);
  if (type.isModule) printer.body.add("(Module)");
  printer.body.add(":\n");
  printer.indented(() => {
    if (type.isModule) printModuleLists(type, printer);
    printAttributes(type, printer);
    for (const [name, { type: constantType, value }] of type.constants) {
      printer
        .indent()
        .add(name)
        .add(" : ")
        .add(`Final[${printer.typeText(valueType(value, constantType))}] = `);
      printer.body.add(printer.constantText(value, constantType)).add("\n");
    }
    const printed = new Set<string>();
    for (const method of type.methods.values()) printer.printFunction(method as ScriptFunction);
    for (const hook of [...type.forwardHooks, ...type.forwardPreHooks]) {
      if (printed.has(hook.name)) continue;
      printed.add(hook.name);
      printer.printFunction(hook as ScriptFunction);
    }
  });
}

function printModuleLists(type: ClassType, printer: PythonPrint): void {
  const list = (name: string, names: readonly string[]): void => {
    printer.indent().add(`${name} = [`);
    for (const item of names) printer.body.add(`"`).add(item).add(`", `);
    printer.body.add("]\n");
  };
  list(
    "__parameters__",
    type.attributes.filter((a) => a.isParameter).map((a) => a.name),
  );
  list(
    "__buffers__",
    type.attributes.filter((a) => a.isBuffer).map((a) => a.name),
  );
  if (type.forwardPreHooks.length > 0)
    list(
      "__forward_pre_hooks__",
      type.forwardPreHooks.map((h) => h.name),
    );
  if (type.forwardHooks.length > 0)
    list(
      "__forward_hooks__",
      type.forwardHooks.map((h) => h.name),
    );
}

function printAttributes(type: ClassType, printer: PythonPrint): void {
  type.attributes.forEach((attribute, i) => {
    printer.dependencies.register(attribute.type);
    const text = printer.typeText(attribute.type);
    printer.indent();
    if (isIdentifier(attribute.name)) printer.body.add(attribute.name).add(" : ").add(text).add("\n");
    else {
      // upstream makes the dict only where the first attribute needs it; readers do not mind
      if (i === 0) {
        printer.body.add("__annotations__ = []\n");
        printer.indent();
      }
      printer.body.add("__annotations__[").add(`"`).add(attribute.name).add(`"] = `).add(text).add("\n");
    }
  });
}

function printNamedTuple(type: TupleType, printer: PythonPrint): void {
  printer.body.add("class ").add(type.name!.name).add("(NamedTuple):\n");
  printer.indented(() => {
    type.elements.forEach((element, i) => {
      printer
        .indent()
        .add(type.fieldNames?.[i] ?? "")
        .add(" : ")
        .add(printer.typeText(element))
        .add("\n");
    });
  });
}

function printInterface(type: InterfaceType, printer: PythonPrint): void {
  printer.body
    .add("class ")
    .add(type.name.name)
    .add(type.isModule ? "(ModuleInterface):\n" : "(Interface):\n");
  printer.indented(() => {
    for (const method of type.methods) {
      printer.indent().add("def ").add(method.name).add("(self");
      for (const arg of method.args.slice(1)) {
        printer.dependencies.register(arg.type);
        printer.body.add(", ").add(arg.name).add(": ").add(printer.typeText(arg.type));
      }
      const returned = method.returns[0]!.type;
      printer.dependencies.register(returned);
      printer.body.add(") -> ").add(printer.typeText(returned)).add(":\n");
      printer.indent().add("  pass\n");
    }
  });
}

function printEnum(type: EnumType, printer: PythonPrint): void {
  printer.body.add("class ").add(type.name.name).add("(Enum):\n");
  const quote = type.valueType.kind === "String" ? `"` : "";
  printer.indented(() => {
    for (const [name, value] of type.members)
      printer.indent().add(name).add(" = ").add(quote).add(enumText(value, type)).add(quote).add("\n");
  });
}

/** A member's value as a C++ stream prints it: strings without escapes. */
function enumText(value: unknown, type: EnumType): string {
  if (value instanceof Complex) return complexText(value.re, value.im);
  if (type.valueType.kind === "Float") return floatText(value instanceof Float ? value.value : (value as number));
  if (typeof value === "boolean") return value ? "True" : "False";
  return String(value);
}
