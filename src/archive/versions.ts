/** @file Archive format versions: what each changed, who wrote it. Upstream: caffe2/serialize/versions.h. Spec: spec/versions.md. */

/** One archive version. */
export interface ArchiveVersion {
  /** The number. */
  readonly version: number;
  /** The first PyTorch release that wrote it. */
  readonly since: string;
  /** What changed with it. */
  readonly meaning: string;
}

/** Every version that is read, in order. */
export const ARCHIVE_VERSIONS: readonly ArchiveVersion[] = [
  { version: 1, since: "1.3", meaning: "initial zip format; each code file states its own op_version_set" },
  { version: 2, since: "1.5", meaning: "op_version_set left the code files: one version for the archive" },
  { version: 3, since: "1.6", meaning: "pickles carry the types of lists and dicts (restore_type_tag)" },
  { version: 4, since: "1.6", meaning: "aten::div of integers is true division (before: truncated)" },
  {
    version: 5,
    since: "1.7",
    meaning: "aten::full infers an integer or boolean dtype from its value (before: float)",
  },
  { version: 6, since: "1.9", meaning: "the version record moved to .data/version (torch.package layout)" },
  { version: 7, since: "1.10", meaning: "operator upgraders; no operator changed" },
  { version: 8, since: "1.11", meaning: "aten::linspace requires steps (before: 100 by default)" },
  { version: 9, since: "1.11", meaning: "aten::logspace requires steps (before: 100 by default)" },
  { version: 10, since: "1.12", meaning: "aten::gelu takes approximate" },
];

/** The oldest archive version that is read. */
export const MIN_ARCHIVE_VERSION = 1;
/** The newest archive version that is read. */
export const MAX_ARCHIVE_VERSION = 10;
/** Version of an archive whose operators need no higher one. */
export const PRODUCED_ARCHIVE_VERSION = 3;
/** From this version on the record is `.data/version` instead of `version`. */
export const FIRST_DATA_VERSION = 6;
/** Up to this version container types come from the static types of the root object. */
export const LAST_UNTAGGED_VERSION = 2;

/** What is known of a version; undefined outside 1 to 10. */
export function describeVersion(version: number): ArchiveVersion | undefined {
  return ARCHIVE_VERSIONS.find((entry) => entry.version === version);
}
