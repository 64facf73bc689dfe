/** @file FormValue: a special form that brings its own way to evaluate its arguments. Upstream: none. Spec: docs/scripting.md. */
import type { Type } from "../../core/type.ts";
import type { Expr } from "../ast.ts";
import type { EmitContext } from "./emit_context.ts";
import { SpecialFormValue, type SugaredValue } from "./sugared_value.ts";

/** A call as a form sees it. */
export type FormCall = Expr & { kind: "Apply" };
/** Evaluates a call: from trees, with the type that is expected of the result. */
export type FormEmitter = (e: EmitContext, tree: FormCall, hint: Type | undefined) => SugaredValue;

/** What a front end adds to the special forms of TorchScript. */
export class FormValue extends SpecialFormValue {
  readonly emit: FormEmitter;
  constructor(name: string, emit: FormEmitter) {
    super(name);
    this.emit = emit;
  }
}
