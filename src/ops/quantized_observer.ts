/** @file Moving-average observers fused with fake quantization. Upstream: aten/src/ATen/native/quantized/cpu/fused_obs_fake_quant.cpp. Spec: none. */
import { op } from "../core/operator_registry.ts";
import { cloneTensor } from "../tensor/clone.ts";
import { resizeTensorTo } from "../tensor/copy.ts";
import { setElement } from "../tensor/elements.ts";
import { toFloat64Array } from "../tensor/data.ts";
import { doublesOf, fromMask } from "../tensor/kernels/data.ts";
import { chooseParameters } from "../tensor/kernels/quantized.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fakeQuantize } from "./quantized.ts";

const f = Math.fround;

interface Observed {
  readonly min: number[];
  readonly max: number[];
}

/** Extremes of the tensor, or of each slice along `axis`. */
function observe(self: Tensor, axis: number | null): Observed {
  const x = doublesOf(self);
  const count = axis === null ? 1 : self.sizes[axis]!;
  const inner = axis === null ? x.length : self.sizes.slice(axis + 1).reduce((a, b) => a * b, 1);
  const min = new Array<number>(count).fill(Infinity);
  const max = new Array<number>(count).fill(-Infinity);
  for (let i = 0; i < x.length; i++) {
    const c = axis === null ? 0 : Math.floor(i / inner) % count;
    min[c] = Math.min(min[c]!, x[i]!);
    max[c] = Math.max(max[c]!, x[i]!);
  }
  return { min, max };
}

function write(t: Tensor, values: readonly number[]): void {
  if (t.numel !== values.length) resizeTensorTo(t, [values.length]);
  values.forEach((v, i) => setElement(t, i, v));
  t.storage.version++;
}

interface Settings {
  readonly constant: number;
  readonly qmin: number;
  readonly qmax: number;
  readonly axis: number | null;
  readonly symmetric: boolean;
}

/** Updates the running extremes. */
function observeInto(self: Tensor, low: Tensor, high: Tensor, s: Settings): void {
  const now = observe(self, s.axis);
  const old = { min: toFloat64Array(low), max: toFloat64Array(high) };
  const moved = (before: number | undefined, value: number): number =>
    before === undefined || !Number.isFinite(before) ? value : f(before + s.constant * (value - before));
  write(
    low,
    now.min.map((v, i) => moved(old.min[i], v)),
  );
  write(
    high,
    now.max.map((v, i) => moved(old.max[i], v)),
  );
}

/** Chooses the parameters that follow from the running extremes. */
function choose(low: Tensor, high: Tensor, scale: Tensor, zeroPoint: Tensor, s: Settings): void {
  const max = toFloat64Array(high);
  const chosen = Array.from(toFloat64Array(low), (m, i) => chooseParameters(m, max[i]!, s.qmin, s.qmax, s.symmetric));
  write(
    scale,
    chosen.map((c) => c.scale),
  );
  write(
    zeroPoint,
    chosen.map((c) => c.zeroPoint),
  );
}

function observeAndFake(
  self: Tensor,
  observerOn: Tensor,
  fakeOn: Tensor,
  low: Tensor,
  high: Tensor,
  scale: Tensor,
  zeroPoint: Tensor,
  constant: number,
  qmin: number,
  qmax: number,
  chAxis: number,
  perRow: boolean,
  symmetric: boolean,
): [Tensor, Tensor] {
  const axis = perRow ? (chAxis < 0 ? chAxis + self.ndim : chAxis) : null;
  const settings = { constant, qmin, qmax, axis, symmetric };
  if (toFloat64Array(observerOn)[0] !== 0) observeInto(self, low, high, settings);
  if (toFloat64Array(fakeOn)[0] === 0)
    return [cloneTensor(self), fromMask(new Uint8Array(self.numel).fill(1), self.sizes)];
  choose(low, high, scale, zeroPoint, settings);
  const inner = axis === null ? 1 : self.sizes.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channel = axis === null ? (): number => 0 : (i: number): number => Math.floor(i / inner) % self.sizes[axis]!;
  return fakeQuantize(self, toFloat64Array(scale), toFloat64Array(zeroPoint), channel, { min: qmin, max: qmax });
}

op(
  "aten::_fused_moving_avg_obs_fq_helper(Tensor self, Tensor observer_on, Tensor fake_quant_on, Tensor(a!) running_min, Tensor(b!) running_max, Tensor(c!) scale, Tensor(d!) zero_point, float averaging_const, int quant_min, int quant_max, int ch_axis, bool per_row_fake_quant=False, bool symmetric_quant=False) -> (Tensor output, Tensor mask)",
  observeAndFake,
);
op(
  "aten::fused_moving_avg_obs_fake_quant(Tensor self, Tensor observer_on, Tensor fake_quant_on, Tensor(a!) running_min, Tensor(b!) running_max, Tensor(c!) scale, Tensor(d!) zero_point, float averaging_const, int quant_min, int quant_max, int ch_axis, bool per_row_fake_quant=False, bool symmetric_quant=False) -> Tensor",
  (...args) => observeAndFake(...args)[0],
);
op(
  "aten::_fused_moving_avg_obs_fq_helper_functional(Tensor self, Tensor observer_on, Tensor fake_quant_on, Tensor running_min, Tensor running_max, Tensor scale, Tensor zero_point, float averaging_const, int quant_min, int quant_max, int ch_axis, bool per_row_fake_quant=False, bool symmetric_quant=False) -> (Tensor output, Tensor mask, Tensor running_min_out, Tensor running_max_out, Tensor scale_out, Tensor zero_point_out)",
  (
    self,
    observerOn,
    fakeOn,
    low,
    high,
    scale,
    zeroPoint,
    constant,
    qmin,
    qmax,
    axis,
    perRow,
    symmetric,
  ): [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor] => {
    const copies = [low, high, scale, zeroPoint].map((t) => cloneTensor(t)) as [Tensor, Tensor, Tensor, Tensor];
    const [output, mask] = observeAndFake(
      self,
      observerOn,
      fakeOn,
      ...copies,
      constant,
      qmin,
      qmax,
      axis,
      perRow,
      symmetric,
    );
    return [output, mask, ...copies];
  },
);
