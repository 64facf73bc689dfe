/** @file What the importer needs to know of classes that archives use and do not define: `__torch__.torch.classes.*`. Upstream: torch/custom_class.h. Spec: none. */
import type { ClassType } from "../core/type.ts";

/** Prefix of native classes; code that an archive carries for them is not looked at. */
export const NATIVE_CLASS_PREFIX = "__torch__.torch.classes.";

/** Finds native classes by qualified name. Their methods (`__setstate__` among them) are called through `RunMethod`. */
export type NativeClassFinder = (qualifiedName: string) => ClassType | undefined;
