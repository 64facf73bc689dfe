/** @file Statistics of a stored tensor, read from its storage record alone. Upstream: none. Spec: none. */
import { DTYPES, Tensor, torch, type ArchiveReader, type DType, type TensorSummary } from "../node/index.ts";

/** Minimum, maximum, mean, number of zeros and of non-finite elements, as text. */
export function tensorStatistics(reader: ArchiveReader, summary: TensorSummary): string[] {
  const dtype = (DTYPES as Readonly<Record<string, DType>>)[summary.dtype];
  if (!dtype || dtype.category === "quantized" || dtype.category === "complex" || dtype.category === "bits") return ["-", "-", "-", "-", "-"];
  const bytes = reader.read(summary.record);
  const whole = torch.fromBytes(bytes, [Math.floor(bytes.length / dtype.itemsize)], dtype);
  const view = new Tensor(whole.storage, dtype, summary.shape, summary.strides, summary.storageOffset);
  const values = torch.flatValues(view);
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let zeros = 0;
  let nonFinite = 0;
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!Number.isFinite(value)) {
      nonFinite++;
      continue;
    }
    if (value < min) min = value;
    if (value > max) max = value;
    if (value === 0) zeros++;
    sum += value;
  }
  const text = (v: number): string => (Number.isFinite(v) ? String(Number(v.toPrecision(6))) : "-");
  return [text(min), text(max), text(values.length - nonFinite > 0 ? sum / (values.length - nonFinite) : NaN), String(zeros), String(nonFinite)];
}
