/** @file Checks: names, outcomes and failures of one run. Upstream: none. Spec: none. */

/** The checks of the corpus, in the order of the report. */
export const CHECK_NAMES = ["load", "str", "code", "graph", "run", "resave", "debug", "jitter"] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

/** One failed check. */
export interface Failure {
  readonly subject: string;
  readonly check: CheckName;
  readonly detail: string;
  readonly why: string;
}

/** Collects outcomes for one subject after the other. */
export class Checks {
  readonly passed: Record<CheckName, number> = {
    load: 0,
    str: 0,
    code: 0,
    graph: 0,
    run: 0,
    resave: 0,
    debug: 0,
    jitter: 0,
  };
  readonly failed: Record<CheckName, number> = {
    load: 0,
    str: 0,
    code: 0,
    graph: 0,
    run: 0,
    resave: 0,
    debug: 0,
    jitter: 0,
  };
  readonly failures: Failure[] = [];
  subject = "";

  /** Runs a check: undefined is success, a text says what differs, an exception is a failure. */
  run(check: CheckName, body: () => string | undefined, detail = ""): void {
    let why: string | undefined;
    try {
      why = body();
    } catch (error) {
      why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      if (process.env["TSARCHIVE_STACKS"] && error instanceof Error) why += `\n${error.stack}`;
    }
    if (why === undefined) this.passed[check]++;
    else {
      this.failed[check]++;
      this.failures.push({ subject: this.subject, check, detail, why });
    }
  }

  /** Adds another collection. */
  merge(other: Pick<Checks, "passed" | "failed" | "failures">): void {
    for (const name of CHECK_NAMES) {
      this.passed[name] += other.passed[name];
      this.failed[name] += other.failed[name];
    }
    this.failures.push(...other.failures);
  }

  get totalPassed(): number {
    return CHECK_NAMES.reduce((n, name) => n + this.passed[name], 0);
  }
  get totalFailed(): number {
    return CHECK_NAMES.reduce((n, name) => n + this.failed[name], 0);
  }
}
