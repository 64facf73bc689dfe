/** @file The support table: every schema of PyTorch's and whether it runs here. Upstream: none. Spec: none. */
import { findOperator, operatorNames, schemasFor } from "../core/operator_registry.ts";
import { schemaText } from "../core/schema.ts";
import { reasonForMissing } from "../ops/unsupported.ts";

/** One line of the table. */
export interface OperatorSupport {
  /** The schema's text. */
  readonly schema: string;
  /** Whether it runs here. */
  readonly supported: boolean;
  /** Why not; absent where supported. */
  readonly reason?: string;
}

/** Every operator schema in alphabetical order of names. */
export function listOperators(): OperatorSupport[] {
  return operatorNames()
    .sort()
    .flatMap((name) => schemasFor(name))
    .map((schema) => {
      const text = schemaText(schema);
      return findOperator(schema)
        ? { schema: text, supported: true }
        : { schema: text, supported: false, reason: reasonForMissing(text) };
    });
}
