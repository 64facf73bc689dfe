/** @file Types of TorchScript: the one import for their construction, text and relations. Upstream: aten/src/ATen/core/jit_type.h. Spec: spec/types.md. */
export * from "./type_kinds.ts";
export * from "./type_text.ts";
export * from "./subtyping.ts";
