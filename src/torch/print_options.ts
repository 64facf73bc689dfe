/** @file `torch.set_printoptions`. Upstream: torch/_tensor_str.py. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { PRINT_OPTIONS, type PrintOptions } from "../tensor/print.ts";

const PROFILES = {
  default: { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80 },
  short: { precision: 2, threshold: 1000, edgeitems: 2, linewidth: 80 },
  full: { precision: 4, threshold: Infinity, edgeitems: 3, linewidth: 80 },
} as const;

/** What `setPrintoptions` takes. */
export interface PrintOptionsChange {
  /** Digits after the point. */
  readonly precision?: number;
  /** Elements beyond which a tensor is summarized. */
  readonly threshold?: number;
  /** Elements shown at each end of a summarized dimension. */
  readonly edgeitems?: number;
  /** Columns of a line. */
  readonly linewidth?: number;
  /** Sets all of the above first. */
  readonly profile?: keyof typeof PROFILES;
  /** Scientific notation always, never, or (null) as the values need. */
  readonly sci_mode?: boolean | null;
}

/** Sets how tensors print. Mirrors `torch.set_printoptions`: scientific notation goes back to null where it is not named. */
export function setPrintoptions(options?: PrintOptionsChange): void {
  const { profile, sci_mode: sciMode = null, ...rest } = options ?? {};
  if (profile !== undefined) {
    if (!Object.hasOwn(PROFILES, profile))
      throw new OperatorError(`Unknown print profile "${String(profile)}": expected default, short or full`);
    Object.assign(PRINT_OPTIONS, PROFILES[profile]);
  }
  for (const [name, value] of Object.entries(rest)) {
    if (!(name in PROFILES.default)) throw new OperatorError(`Unknown print option "${name}"`);
    if (value !== undefined) (PRINT_OPTIONS as unknown as Record<string, number>)[name] = value;
  }
  PRINT_OPTIONS.sciMode = sciMode;
}

/** How tensors print now. */
export function printOptions(): Readonly<PrintOptions> {
  return { ...PRINT_OPTIONS };
}
