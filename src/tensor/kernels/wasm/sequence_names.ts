/** @file What sequences are made of, for who writes records: names and numbers of functions, sizes. Apart from the programs, which a start does not need. Upstream: none. Spec: none. See Note [Sequences]. */
import type { UnaryVector } from "./vector_programs.ts";

/** Functions of two vectors. */
export const BINARY = ["add", "sub", "mul", "div"] as const;

/** Functions of one vector that need the table of vector_programs.ts. */
export const EXPONENTIALS = ["exp", "sigmoid", "tanh"] as const satisfies readonly UnaryVector[];

/** Functions of one vector that need no table. */
export const PLAIN_UNARY = ["relu", "neg", "sqrt"] as const;

/** Rows of a weight matrix that lie side by side, and of which a shorter last tile may have half. */
export const TILE_ROWS = 32;

/** 4-byte words of a record: the number of the function, its arguments. */
export const RECORD_WORDS = 8;

/** Names of functions of one tensor. */
export type SequenceUnary = (typeof EXPONENTIALS)[number] | (typeof PLAIN_UNARY)[number];
/** Names of functions of two. */
export type SequenceBinary = (typeof BINARY)[number];
/** Names of all. */
export type SequenceFunction = SequenceUnary | SequenceBinary | "rowProduct" | "gather";

/** Numbers of the functions. */
export const SEQUENCE_NUMBERS = Object.fromEntries(
  [...BINARY, ...EXPONENTIALS, "rowProduct", ...PLAIN_UNARY, "gather"].map((name, i) => [name, i]),
) as Readonly<Record<SequenceFunction, number>>;
