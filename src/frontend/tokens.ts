/** @file The tokens of TorchScript text: their spelling, their names in messages, operator precedence. Upstream: torch/csrc/jit/frontend/lexer.h, lexer.cpp. Spec: spec/grammar.md. */

/** Words that are no identifiers, with the name that messages give them. */
const KEYWORDS = {
  def: "def",
  if: "if",
  else: "else",
  elif: "elif",
  while: "while",
  return: "return",
  is: "is",
  "is not": "is not",
  True: "True",
  False: "False",
  None: "None",
  NoneType: "NoneType",
  Ellipsis: "Ellipsis",
  and: "and",
  or: "or",
  not: "not",
  "not in": "not in",
  in: "in",
  for: "for",
  global: "global",
  raise: "raise",
  assert: "assert",
  break: "break",
  continue: "continue",
  del: "del",
  pass: "pass",
  class: "class",
  import: "import",
  with: "with",
  as: "as",
} as const;

/** Operators and delimiters; the lexer takes the longest that fits. */
const SYMBOLS = {
  "+": "+", "-": "-", "*": "*", "/": "/", "%": "%", "@": "@", "(": "(", ")": ")", "[": "[", "]": "]", "{": "{", "}": "}",
  ":": ":", ",": ",", "=": "=", ".": ".", ">": ">", "<": "<", "?": "?", "!": "!", "&": "&", "^": "^", "|": "|", "~": "~",
  "!=": "ne", "==": "eq", "<=": "le", ">=": "ge", "//": "floordiv", "<<": "<<", ">>": ">>", "+=": "+=", "-=": "-=", "*=": "*=", "/=": "/=",
  "%=": "%=", "|=": "|=", "&=": "&=", "^=": "^=", "<<=": "<<=", ">>=": ">>=", "**=": "**=", "**": "pow operator", "->": "arrow",
  "...": "dots", "<=>": "equivalent", "# type:": "type comment",
} as const; // prettier-ignore

/** Tokens without a fixed spelling, and those that white space makes. */
const CLASSES = {
  eof: "eof",
  number: "number",
  ident: "ident",
  string_literal: "string_literal",
  newline: "newline",
  indent: "indent",
  dedent: "dedent",
  whitespace: "whitespace",
  whitespace_eof: "whitespace_eof",
} as const;

/** Kind of a token: its spelling, or its class. */
export type TokenKind = keyof typeof KEYWORDS | keyof typeof SYMBOLS | keyof typeof CLASSES;

const NAMES: Readonly<Record<string, string>> = { ...KEYWORDS, ...SYMBOLS, ...CLASSES };

/** What messages call a token. Mirrors `kindToString`. */
export function tokenName(kind: TokenKind): string {
  return NAMES[kind] ?? kind;
}

const KEYWORD_SET = new Set<string>(Object.keys(KEYWORDS));
const MAX_KEYWORD = Math.max(...Object.keys(KEYWORDS).map((word) => word.length));

/** The kind of a word: itself if it is a keyword. */
export function wordKind(word: string): TokenKind {
  return word.length <= MAX_KEYWORD && KEYWORD_SET.has(word) ? (word as TokenKind) : "ident";
}

/** Operators and delimiters by the code of their first character, the longest first. */
const SYMBOLS_BY_FIRST: (readonly TokenKind[])[] = [];
for (const symbol of (Object.keys(SYMBOLS) as (keyof typeof SYMBOLS)[]).toSorted((a, b) => b.length - a.length)) {
  // a type comment is a comment that the lexer knows
  if (symbol !== "# type:")
    SYMBOLS_BY_FIRST[symbol.charCodeAt(0)] = [...(SYMBOLS_BY_FIRST[symbol.charCodeAt(0)] ?? []), symbol];
}

/** The longest operator or delimiter that starts at `at`, or undefined. */
export function symbolAt(text: string, at: number): TokenKind | undefined {
  const candidates = SYMBOLS_BY_FIRST[text.charCodeAt(at)];
  if (!candidates) return undefined;
  for (const symbol of candidates) if (symbol.length === 1 || text.startsWith(symbol, at)) return symbol;
  return undefined;
}

/** Binding strength of binary operators. `and` and `or` are equally strong in TorchScript. */
const BINARY_PRECEDENCE = new Map<TokenKind, number>([
  ["if", 1],
  ["for", 1],
  ["and", 2],
  ["or", 2],
  ["in", 4],
  ["not in", 4],
  ["<", 4],
  [">", 4],
  ["is", 4],
  ["is not", 4],
  ["==", 4],
  ["<=", 4],
  [">=", 4],
  ["!=", 4],
  ["|", 5],
  ["^", 6],
  ["&", 7],
  ["<<", 8],
  [">>", 8],
  ["+", 9],
  ["-", 9],
  ["*", 10],
  ["/", 10],
  ["//", 10],
  ["%", 10],
  ["@", 10],
  ["**", 11],
]);
const UNARY_PRECEDENCE = new Map<TokenKind, number>([
  ["not", 3],
  ["~", 3],
  ["-", 10],
  ["*", 10],
]);

/** Precedence of a token as a binary operator; 0 if it is none. */
export function binaryPrecedence(kind: TokenKind): number {
  return BINARY_PRECEDENCE.get(kind) ?? 0;
}
/** Precedence of a token as a prefix operator, or undefined. */
export function unaryPrecedence(kind: TokenKind): number | undefined {
  return UNARY_PRECEDENCE.get(kind);
}
export function isRightAssociative(kind: TokenKind): boolean {
  return kind === "**" || kind === "if" || kind === "?";
}

/** Targets of comprehensions and `for` bind stronger than comparisons. */
export const LHS_PRECEDENCE = 4;
