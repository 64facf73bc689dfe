/** @file The names that every function knows. Upstream: torch/csrc/jit/frontend/ir_emitter.cpp (Environment::getSugaredVar). Spec: none. */
import * as T from "../../core/type.ts";
import type { Type } from "../../core/type.ts";
import { CastValue, ExceptionValue, MagicMethod, PrintValue } from "./sugared_callable.ts";
import { BuiltinFunction, SpecialFormValue, type SugaredValue } from "./sugared_value.ts";

const op = (name: string): SugaredValue => new BuiltinFunction(name);
const form = (name: string): SugaredValue => new SpecialFormValue(name);
const cast = (method: string, type: Type, operator: string): SugaredValue =>
  new MagicMethod(method, new CastValue(type, operator));
const magic = (method: string, operator: string): SugaredValue => new MagicMethod(method, op(operator));

// prettier-ignore
const GLOBALS: ReadonlyMap<string, SugaredValue> = new Map<string, SugaredValue>([
  ["print",      new PrintValue()],
  ["tuple",      form("prim::TupleConstruct")],
  ["float",      cast("__float__", T.FloatT, "aten::Float")],
  ["complex",    cast("__complex__", T.ComplexT, "aten::Complex")],
  ["int",        cast("__int__", T.IntT, "aten::Int")],
  ["bool",       cast("__bool__", T.BoolT, "aten::Bool")],
  ["str",        cast("__str__", T.StringT, "aten::str")],
  ["getattr",    form("prim::GetAttr")],
  ["hasattr",    form("prim::HasAttr")],
  ["isinstance", form("prim::isinstance")],
  ["_to_tensor", new CastValue(T.TensorT, "prim::NumToTensor")],
  ["len",        magic("__len__", "aten::len")],
  ["hex",        magic("__hex__", "aten::hex")],
  ["oct",        magic("__oct__", "aten::oct")],
  ["round",      magic("__round__", "aten::round")],
  ["hash",       op("aten::hash")],
  ["id",         op("prim::id")],
  ["min",        op("prim::min")],
  ["max",        op("prim::max")],
  ["abs",        op("prim::abs")],
  ["all",        op("aten::all")],
  ["any",        op("aten::any")],
  ["divmod",     op("aten::divmod")],
  ["sum",        op("aten::sum")],
  ["list",       form("prim::list")],
  ["dict",       form("prim::dict")],
  ["ord",        op("aten::ord")],
  ["chr",        op("aten::chr")],
  ["bin",        op("aten::bin")],
  ["pow",        op("aten::pow")],
  ["range",      form("prim::range")],
  ["zip",        form("prim::zip")],
  ["enumerate",  form("prim::enumerate")],
  ["rangelist",  op("prim::rangelist")],
  ["sorted",     op("aten::sorted")],
  // the exception of assert; others belong to the language around
  ["AssertionError", new ExceptionValue("AssertionError")],
]);

/** The meaning of a builtin name, or undefined. */
export function globalValue(name: string): SugaredValue | undefined {
  return GLOBALS.get(name);
}
