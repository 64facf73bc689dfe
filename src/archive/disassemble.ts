/** @file Lists the opcodes of a pickle with byte offsets, without running them. Upstream: Python's pickletools.dis. Spec: spec/pickle.md. */
import { ByteReader } from "../base/bytes.ts";
import { PickleError } from "../base/errors.ts";
import { OPCODES_BY_CODE, OPCODE_NAMES, type OpcodeName } from "./opcodes.ts";

/** One opcode of a pickle. */
export interface PickleInstruction {
  /** Where in the pickle. */
  readonly byteOffset: number;
  /** The opcode and its argument. */
  readonly nbytes: number;
  /** The opcode's byte. */
  readonly code: number;
  readonly name: OpcodeName;
  /** The argument as text; empty without one. */
  readonly argument: string;
  /** Open marks before the opcode: how far a listing indents it. */
  readonly depth: number;
}

const CLOSING: ReadonlySet<OpcodeName> = new Set([
  "TUPLE",
  "LIST",
  "DICT",
  "APPENDS",
  "SETITEMS",
  "ADDITEMS",
  "FROZENSET",
  "POP_MARK",
] as const);

/** Yields the opcodes up to STOP. Throws `PickleError` at a byte that is no opcode or an argument that is cut off. */
export function* disassemble(bytes: Uint8Array, record?: string): Generator<PickleInstruction> {
  const reader = new ByteReader(bytes, (message, byteOffset) => {
    throw failure(message, byteOffset);
  });
  const failure = (message: string, byteOffset: number, opcode?: number): PickleError =>
    new PickleError(
      `Cannot disassemble ${record === undefined ? "pickle" : `"${record}"`}: ${message} (byte ${byteOffset})`,
      { record, byteOffset, opcode },
    );
  let depth = 0;
  for (;;) {
    const byteOffset = reader.position;
    const code = reader.u1();
    const spec = OPCODES_BY_CODE[code];
    const name = OPCODE_NAMES[code];
    if (!spec || name === undefined)
      throw failure(`unknown opcode 0x${code.toString(16).padStart(2, "0")}`, byteOffset, code);
    const argument = spec.argument.text(spec.argument.read(reader));
    if (CLOSING.has(name)) depth = Math.max(0, depth - 1);
    yield { byteOffset, nbytes: reader.position - byteOffset, code, name, argument, depth };
    if (name === "MARK") depth++;
    if (name === "STOP") return;
  }
}
