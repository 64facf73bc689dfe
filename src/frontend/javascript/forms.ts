/** @file The names that lowered JavaScript uses: forms of operators and calls, Math, Number, errors. See Note [Lowering and forms]. Upstream: none. Spec: docs/scripting.md. */
import { schemasFor } from "../../core/operator_registry.ts";
import * as T from "../../core/type.ts";
import { insertConstant } from "../../ir/constants.ts";
import type { SourceRange } from "../../base/source_range.ts";
import type { ScriptFunction } from "../../ir/function.ts";
import type { FormEmitter } from "../emit/form_value.ts";
import { FormValue } from "../emit/form_value.ts";
import { globalValue } from "../emit/globals.ts";
import type { NamedValue } from "../emit/named_value.ts";
import { ExceptionMessageValue } from "../emit/sugared_callable.ts";
import { BuiltinFunction, SimpleValue, SpecialFormValue, SugaredValue } from "../emit/sugared_value.ts";
import { callForms } from "./call_forms.ts";
import { FORM } from "./lowering.ts";
import { isNumber, isTensor, operatorForms, refuseAt, shown } from "./operators.ts";

/** A JavaScript error: what `throw` takes. PyTorch sees the Python class of the same meaning. */
class ErrorValue extends SugaredValue {
  private readonly pythonClass: string;
  constructor(pythonClass: string) {
    super();
    this.pythonClass = pythonClass;
  }
  kind(): string {
    return "exception";
  }
  override call(range: SourceRange, fn: ScriptFunction, args: readonly NamedValue[]): SugaredValue {
    const [first] = args;
    if (first && first.type.kind !== "String")
      refuseAt(range, "The message of an error is a text; write a template string");
    const message = first ? first.value(fn.graph) : insertConstant(fn.graph, "", T.StringT, range);
    const name = insertConstant(fn.graph, `builtins.${this.pythonClass}`, T.StringT, range);
    return new ExceptionMessageValue(message, name);
  }
}

/** Functions of Math that are the C library's in both languages. */
const MATH_FUNCTIONS = new Map(
  "sqrt exp log log1p expm1 log10 sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh floor ceil pow"
    .split(" ")
    .map((name) => [name, name]),
);
const MATH_REFUSALS: Readonly<Record<string, string>> = {
  round: "Math.round rounds halves up, TorchScript's round to even; write Math.floor(x + 0.5)",
  random: "Math.random is not compiled; write torch.rand([1]).item()",
  sign: "Math.sign is not compiled; write x > 0 ? 1 : x < 0 ? -1 : 0",
  cbrt: "Math.cbrt is not compiled; write x ** (1 / 3) for x >= 0",
  log2: "Math.log2 is not compiled; write Math.log(x) / Math.LN2",
  hypot: "Math.hypot is not compiled; write Math.sqrt(x * x + y * y)",
  fround: "Math.fround is not compiled; TorchScript's floats are doubles",
};

function mathFunction(name: string): FormEmitter {
  const operator = `aten::${name}`;
  return (e, tree) => {
    const args = tree.args.map((x) => e.named(x));
    args.forEach((arg, i) => {
      const x = shown(tree.args[i]!, "x");
      if (isTensor(arg.type)) refuseAt(tree.range, `Math.${name} takes numbers; for tensors write ${x}.${name}()`);
      if (!isNumber(arg.type)) refuseAt(tree.range, `Math.${name} takes numbers, found ${T.typeReprStr(arg.type)}`);
    });
    return new BuiltinFunction(operator).call(tree.callee.range, e.fn, args, [], 1);
  };
}

/** `Math.trunc`, `Math.abs`, `jit.int`, `jit.float`: Python's builtin of another name. */
function numberFunction(what: string, builtin: string): FormEmitter {
  return (e, tree) => {
    const args = tree.args.map((x) => e.named(x));
    const [first] = args;
    if (!first || args.length !== 1) return refuseAt(tree.range, `${what} takes one argument`);
    if (isTensor(first.type))
      refuseAt(tree.range, `${what} takes a number; write ${what}(${shown(tree.args[0]!, "x")}.item())`);
    if (!isNumber(first.type) && !(first.type.kind === "Bool" && what.startsWith("jit.")))
      refuseAt(tree.range, `${what} takes a number, found ${T.typeReprStr(first.type)}`);
    return globalValue(builtin)!.call(tree.callee.range, e.fn, args, [], 1);
  };
}

/** `Math.max`, `Math.min`: of ints, since NaN counts in JavaScript only. */
function extremum(name: "max" | "min", ofList: boolean): FormEmitter {
  return (e, tree) => {
    const args = tree.args.map((x) => e.named(x));
    const kinds = args.map(({ type }) => (ofList && type.kind === "List" ? type.element : type).kind);
    if (args.some((a) => isTensor(a.type)))
      refuseAt(
        tree.range,
        `Math.${name} takes numbers; for tensors write torch.${name === "max" ? "maximum" : "minimum"}(a, b)`,
      );
    if (kinds.some((k) => k !== "Int")) {
      const [a, b] = tree.args.map((x, i) => shown(x, i === 0 ? "a" : "b"));
      refuseAt(
        tree.range,
        `Math.${name} gives NaN where an argument is NaN, TorchScript does not; for floats write ${a} ${name === "max" ? ">" : "<"} ${b ?? "b"} ? ${a} : ${b ?? "b"}`,
      );
    }
    if (!ofList && args.length !== 2)
      refuseAt(tree.range, `Math.${name} is compiled with two arguments, or with a list: Math.${name}(...xs)`);
    return globalValue(name)!.call(tree.callee.range, e.fn, args, [], 1);
  };
}

function constant(value: number, type: T.Type): FormEmitter {
  return (e, tree) => new SimpleValue(insertConstant(e.graph, value, type, tree.range));
}

function floatTest(operator: string): FormEmitter {
  return (e, tree) => {
    const args = tree.args.map((x) => e.named(x));
    if (args.length !== 1 || !isNumber(args[0]!.type)) refuseAt(tree.range, "It takes one number");
    return new BuiltinFunction(operator).call(tree.callee.range, e.fn, args, [], 1);
  };
}

function makeForms(): Map<string, SugaredValue> {
  const forms = new Map<string, SugaredValue>([...operatorForms(), ...callForms()]);
  const add = (name: string, emit: FormEmitter): void => {
    forms.set(name, new FormValue(`js::${name}`, emit));
  };
  for (const name of Object.getOwnPropertyNames(Math)) {
    const value = (Math as unknown as Record<string, unknown>)[name];
    if (typeof value === "number") add(`Math.${name}`, constant(value, T.FloatT));
    else if (MATH_FUNCTIONS.has(name) && schemasFor(`aten::${name}`).length > 0)
      add(`Math.${name}`, mathFunction(name));
  }
  for (const [name, message] of Object.entries(MATH_REFUSALS))
    add(`Math.${name}`, (_e, tree) => refuseAt(tree.range, message));
  add("Math.trunc", numberFunction("Math.trunc", "int"));
  add("Math.abs", numberFunction("Math.abs", "abs"));
  add("int", numberFunction("jit.int", "int"));
  add("float", numberFunction("jit.float", "float"));
  for (const name of ["max", "min"] as const) {
    add(`Math.${name}`, extremum(name, false));
    add(`Math.${name}...`, extremum(name, true));
  }
  add("Number.NaN", constant(NaN, T.FloatT));
  add("Number.Infinity", constant(Infinity, T.FloatT));
  add("Number.POSITIVE_INFINITY", constant(Infinity, T.FloatT));
  add("Number.NEGATIVE_INFINITY", constant(-Infinity, T.FloatT));
  add("Number.EPSILON", constant(Number.EPSILON, T.FloatT));
  add("Number.MAX_VALUE", constant(Number.MAX_VALUE, T.FloatT));
  add("Number.MAX_SAFE_INTEGER", constant(Number.MAX_SAFE_INTEGER, T.IntT));
  add("Number.isNaN", floatTest("aten::isnan"));
  add("Number.isFinite", floatTest("aten::isfinite"));
  forms.set("annotate", new SpecialFormValue("prim::annotate"));
  forms.set("isinstance", new SpecialFormValue("prim::isinstance"));
  forms.set("range", new SpecialFormValue("prim::range"));
  forms.set("isScripting", new BuiltinFunction("aten::is_scripting"));
  forms.set("print", globalValue("print")!);
  for (const name of ["Error", "EvalError", "SyntaxError", "ReferenceError"])
    forms.set(name, new ErrorValue("RuntimeError"));
  forms.set("TypeError", new ErrorValue("TypeError"));
  forms.set("RangeError", new ErrorValue("ValueError"));
  return forms;
}

let table: Map<string, SugaredValue> | undefined;

/** The meaning of a form's name, `$js:...`; undefined for other names. */
export function formOf(name: string, range: SourceRange): SugaredValue | undefined {
  if (!name.startsWith(FORM)) return undefined;
  table ??= makeForms();
  return (
    table.get(name.slice(FORM.length)) ??
    refuseAt(range, `${name.slice(FORM.length)} is not compiled; see docs/scripting.md for what is`)
  );
}
