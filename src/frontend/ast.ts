/** @file The syntax tree that every source language of tsarchive is parsed to: TorchScript text and JavaScript. Upstream: torch/csrc/jit/frontend/tree_views.h. Spec: spec/grammar.md. */
import type { SourceRange } from "../base/source_range.ts";

/** A name where it stands. */
export interface Ident {
  readonly name: string;
  readonly range: SourceRange;
}

interface Base {
  /** PyTorch's range of the node: its extent feeds `graph` locations (start) and debug records (start and end). */
  readonly range: SourceRange;
}

export type BinaryOperator =
  | "and"
  | "or"
  | "<"
  | ">"
  | "=="
  | "<="
  | ">="
  | "!="
  | "is"
  | "is not"
  | "in"
  | "not in"
  | "+"
  | "-"
  | "*"
  | "/"
  | "//"
  | "%"
  | "@"
  | "**"
  | "<<"
  | ">>"
  | "&"
  | "|"
  | "^";
export type UnaryOperator = "-" | "not" | "~";

export type Expr =
  | ({ readonly kind: "Var"; readonly name: Ident } & Base)
  /** Number literal as written: ints without dot or exponent, `j` suffix for complex. */
  | ({ readonly kind: "Number"; readonly text: string } & Base)
  /** Value of a string literal, escapes decoded, adjacent literals joined. */
  | ({ readonly kind: "String"; readonly value: string } & Base)
  | ({ readonly kind: "True" | "False" | "None" | "Dots" } & Base)
  | ({ readonly kind: "Binary"; readonly op: BinaryOperator; readonly left: Expr; readonly right: Expr } & Base)
  | ({ readonly kind: "Unary"; readonly op: UnaryOperator; readonly operand: Expr } & Base)
  /** `yes if condition else no`. */
  | ({ readonly kind: "Ternary"; readonly condition: Expr; readonly yes: Expr; readonly no: Expr } & Base)
  | ({ readonly kind: "Select"; readonly value: Expr; readonly selector: Ident } & Base)
  | ({
      readonly kind: "Apply";
      readonly callee: Expr;
      readonly args: readonly Expr[];
      readonly kwargs: readonly KeywordArgument[];
    } & Base)
  /** `*value` among arguments, elements or targets. */
  | ({ readonly kind: "Starred"; readonly value: Expr } & Base)
  | ({ readonly kind: "Subscript"; readonly value: Expr; readonly indices: readonly Expr[] } & Base)
  | ({
      readonly kind: "Slice";
      readonly start: Expr | undefined;
      readonly end: Expr | undefined;
      readonly step: Expr | undefined;
    } & Base)
  | ({ readonly kind: "List"; readonly elements: readonly Expr[] } & Base)
  /** `takesFirst`: a target that leaves values over, as JavaScript's patterns may. */
  | ({ readonly kind: "Tuple"; readonly elements: readonly Expr[]; readonly takesFirst?: boolean } & Base)
  | ({ readonly kind: "Dict"; readonly keys: readonly Expr[]; readonly values: readonly Expr[] } & Base)
  | ({ readonly kind: "ListComp"; readonly element: Expr; readonly target: Expr; readonly iter: Expr } & Base)
  | ({
      readonly kind: "DictComp";
      readonly key: Expr;
      readonly value: Expr;
      readonly target: Expr;
      readonly iter: Expr;
    } & Base);

export interface KeywordArgument extends Base {
  readonly name: Ident;
  readonly value: Expr;
}

export type Stmt =
  | ({ readonly kind: "ExprStmt"; readonly expr: Expr } & Base)
  /** `a = b = value`; `value` is absent in `x: int`. */
  | ({
      readonly kind: "Assign";
      readonly targets: readonly Expr[];
      readonly value: Expr | undefined;
      readonly annotation: Expr | undefined;
    } & Base)
  /** `target op= value`, op without `=`. */
  | ({ readonly kind: "AugAssign"; readonly target: Expr; readonly op: BinaryOperator; readonly value: Expr } & Base)
  | ({ readonly kind: "Return"; readonly value: Expr } & Base)
  | ({
      readonly kind: "If";
      readonly condition: Expr;
      readonly then: readonly Stmt[];
      readonly otherwise: readonly Stmt[];
    } & Base)
  | ({
      readonly kind: "For";
      readonly targets: readonly Expr[];
      readonly iters: readonly Expr[];
      readonly body: readonly Stmt[];
    } & Base)
  | ({ readonly kind: "While"; readonly condition: Expr; readonly body: readonly Stmt[] } & Base)
  | ({ readonly kind: "Raise"; readonly value: Expr } & Base)
  | ({ readonly kind: "Assert"; readonly test: Expr; readonly message: Expr | undefined } & Base)
  | ({ readonly kind: "With"; readonly items: readonly WithItem[]; readonly body: readonly Stmt[] } & Base)
  | ({ readonly kind: "Delete"; readonly targets: readonly Expr[] } & Base)
  | ({ readonly kind: "Pass" | "Break" | "Continue" } & Base)
  /** A nested function: the closure of `fork` in archived code. */
  | ({ readonly kind: "Def"; readonly def: Def } & Base);

export interface WithItem extends Base {
  readonly value: Expr;
  readonly target: Expr | undefined;
}

export interface Param extends Base {
  readonly name: Ident;
  /** Type expression; undefined: Tensor. */
  readonly type: Expr | undefined;
  readonly defaultValue: Expr | undefined;
  readonly kwargOnly: boolean;
}

export interface Def extends Base {
  readonly name: Ident;
  readonly params: readonly Param[];
  readonly returnType: Expr | undefined;
  readonly body: readonly Stmt[];
  /** The declaration's range: `def` to `:`. */
  readonly declRange: SourceRange;
}

export interface ClassDef extends Base {
  readonly name: Ident;
  /** The one base class expression, if any: `Module`, `NamedTuple`, `Interface`, `ModuleInterface`, `Enum`. */
  readonly superclass: Expr | undefined;
  readonly body: readonly (Stmt | { readonly kind: "Def"; readonly def: Def; readonly range: SourceRange })[];
}
