/** @file Short-time Fourier transform and its inverse. Upstream: aten/src/ATen/native/SpectralOps.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { op } from "../core/operator_registry.ts";
import { contiguousAs } from "../tensor/clone.ts";
import { fromComplexArrays, toComplexArrays } from "../tensor/data.ts";
import { DTYPES, type DType } from "../tensor/dtype.ts";
import { floatsAs, floatsOf, fromDoubles } from "../tensor/kernels/data.ts";
import { transform } from "../tensor/kernels/fft.ts";
import { isFourierLength, wasmFourierToReal, wasmRealFourier } from "../tensor/kernels/wasm/fourier.ts";
import { uninitializedTensor, type Tensor } from "../tensor/tensor.ts";
import { formatList, transposeView } from "../tensor/view_geometry.ts";
import { pad } from "./padding.ts";
import { complexDtype, realDtype, reshape, reshapeTensor, view_as_real } from "./views.ts";

interface Parts {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** A window of `length` samples in the middle of `size` (ones where none is given). */
function centeredWindow(window: Tensor | null, length: number, size: number): Parts {
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  const left = Math.floor((size - length) / 2);
  const given = window && toComplexArrays(window);
  for (let i = 0; i < length; i++) {
    re[left + i] = given ? given.re[i]! : 1;
    im[left + i] = given ? given.im[i]! : 0;
  }
  return { re, im };
}

function describe(
  name: string,
  self: Tensor,
  nFft: number,
  hop: number | null,
  win: number | null,
  window: Tensor | null,
  rest: string,
): string {
  const text = `${name}(torch.${self.dtype.cppName}Tensor${formatList(self.sizes)}, n_fft=${nFft}, hop_length=${hop ?? "None"}, win_length=${win ?? "None"}, window=`;
  return `${text}${window ? `torch.${window.dtype.cppName}Tensor{${formatList(window.sizes)}}` : "None"}${rest})`;
}

function forward(
  selfIn: Tensor,
  nFft: number,
  hopIn: number | null,
  winIn: number | null,
  window: Tensor | null,
  center: boolean,
  padMode: string,
  normalized: boolean,
  onesidedIn: boolean | null,
  returnComplexIn: boolean | null,
): Tensor {
  const hop = hopIn ?? Math.floor(nFft / 4);
  const win = winIn ?? nFft;
  const isComplexInput = selfIn.dtype.category === "complex";
  const isComplex = isComplexInput || window?.dtype.category === "complex";
  const returnComplex = returnComplexIn ?? isComplex;
  if (returnComplexIn === null && !isComplex) {
    throw new OperatorError(
      "stft requires the return_complex parameter be given for real inputs, and will further require that return_complex=True in a future PyTorch release.",
    );
  }
  const fail = (what: string): never => {
    throw new OperatorError(
      `${describe("stft", selfIn, nFft, hop, win, window, `, normalized=${Number(normalized)}, onesided=${onesidedIn ?? "None"}, return_complex=${Number(returnComplex)}`)}: ${what}`,
    );
  };
  if (selfIn.dtype.category !== "float" && !isComplexInput)
    fail("expected a tensor of floating point or complex values");
  if (selfIn.ndim > 2 || selfIn.ndim < 1) fail("expected a 1D or 2D tensor");
  let self = selfIn.ndim === 1 ? reshapeTensor(selfIn, [1, -1]) : selfIn;
  if (center) self = padSignal(self, Math.floor(nFft / 2), padMode);
  const length = self.sizes[1]!;
  if (nFft <= 0 || nFft > length) fail(`expected 0 < n_fft < ${length}, but got n_fft=${win}`);
  if (hop <= 0) fail(`expected hop_length > 0, but got hop_length=${hop}`);
  if (win <= 0 || win > nFft) fail(`expected 0 < win_length <= n_fft, but got win_length=${win}`);
  if (window && (window.ndim !== 1 || window.sizes[0] !== win)) {
    fail(
      `expected a 1D window tensor of size equal to win_length=${win}, but got window with size ${formatList(window.sizes)}`,
    );
  }
  const onesided = onesidedIn ?? !isComplex;
  if (onesided && isComplex) fail("Cannot have onesided output if window or input is complex");
  const batch = self.sizes[0]!;
  const frames = 1 + Math.floor((length - nFft) / hop);
  if (onesided && isFast(nFft, self.dtype, window)) {
    const fast = fastForward(self, nFft, hop, realWindow(window, win, nFft), frames, normalized);
    if (fast) {
      const turned = transposeView(
        selfIn.ndim === 1 ? reshapeTensor(fast, fast.sizes.slice(1)) : fast,
        selfIn.ndim - 1,
        selfIn.ndim,
      );
      return returnComplex ? turned : view_as_real(turned);
    }
  }
  const freqs = onesided ? Math.floor(nFft / 2) + 1 : nFft;
  const w = centeredWindow(window, win, nFft);
  const x = toComplexArrays(self);
  const outRe = new Float64Array(batch * frames * freqs);
  const outIm = new Float64Array(outRe.length);
  const scale = normalized ? 1 / Math.sqrt(nFft) : 1;
  const re = new Float64Array(nFft);
  const im = new Float64Array(nFft);
  for (let b = 0; b < batch; b++) {
    for (let f = 0; f < frames; f++) {
      const from = b * length + f * hop;
      for (let i = 0; i < nFft; i++) {
        const [a, c] = [x.re[from + i]!, x.im[from + i]!];
        re[i] = a * w.re[i]! - c * w.im[i]!;
        im[i] = a * w.im[i]! + c * w.re[i]!;
      }
      transform(re, im, -1);
      const at = (b * frames + f) * freqs;
      for (let k = 0; k < freqs; k++) {
        outRe[at + k] = re[k]! * scale;
        outIm[at + k] = im[k]! * scale;
      }
    }
  }
  // frames are computed one after another; the result has frequencies first
  const sizes = selfIn.ndim === 1 ? [frames, freqs] : [batch, frames, freqs];
  const out = fromComplexArrays(
    outRe,
    outIm,
    sizes,
    complexDtype(isComplexInput ? selfIn.dtype : realDtype(selfIn.dtype)),
  );
  const turned = transposeView(out, sizes.length - 2, sizes.length - 1);
  return returnComplex ? turned : view_as_real(turned);
}

/** A float32 window of real numbers in the middle of `size`; undefined where all are one. */
function realWindow(window: Tensor | null, length: number, size: number): Float32Array | undefined {
  if (!window && length === size) return undefined;
  const out = new Float32Array(size);
  const left = Math.floor((size - length) / 2);
  if (window) out.set(floatsAs(window, DTYPES.float32), left);
  else out.fill(1, left, left + length);
  return out;
}

/** The frames of real float32 signals (batch, length), transformed, as (batch, frames, frequencies). Undefined where the reference is to run. */
function fastForward(
  self: Tensor,
  nFft: number,
  hop: number,
  window: Float32Array | undefined,
  frames: number,
  normalized: boolean,
): Tensor | undefined {
  const [batch, length] = self.sizes as [number, number];
  const freqs = nFft / 2 + 1;
  const x = contiguousAs(self, DTYPES.float32);
  const out = uninitializedTensor([batch, frames, freqs], DTYPES.complex64);
  const [array, to] = [floatsOf(x), floatsOf(out)] as [Float32Array, Float32Array];
  const scale = normalized ? 1 / Math.sqrt(nFft) : 1;
  for (let b = 0; b < batch; b++) {
    const rows = { array, start: b * length, step: hop, window };
    if (!wasmRealFourier(rows, to, 2 * b * frames * freqs, frames, nFft, -1, scale)) return undefined;
  }
  return out;
}

/** Whether transforms of so many real numbers may run on the kernels. */
function isFast(nFft: number, dtype: DType, window: Tensor | null): boolean {
  return dtype === DTYPES.float32 && (!window || window.dtype === dtype) && nFft % 2 === 0 && isFourierLength(nFft);
}

/** Frames of real numbers from the spectra of float32 ones, as (batch, frames, nFft). Undefined where the reference is to run. */
function fastBackward(self: Tensor, nFft: number, scale: number): Float32Array | undefined {
  const x = contiguousAs(transposeView(self, self.ndim - 2, self.ndim - 1), DTYPES.complex64);
  const rows = x.numel / (nFft / 2 + 1);
  const out = new Float32Array(rows * nFft);
  return wasmFourierToReal(floatsOf(x) as Float32Array, out, rows, nFft, scale) ? out : undefined;
}

/** sum[at + i] += values[from + i] * window[i]. */
function addFrame(sum: Float64Array, at: number, values: Float32Array, from: number, window: Float64Array): void {
  for (let i = 0; i < window.length; i++) sum[at + i] = sum[at + i]! + values[from + i]! * window[i]!;
}

/** sum[at + i] += values[i]. */
function addNumbers(sum: Float64Array, at: number, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) sum[at + i] = sum[at + i]! + values[i]!;
}

interface FrameGeometry {
  readonly nFft: number;
  readonly hop: number;
  readonly batch: number;
  readonly freqs: number;
  readonly frames: number;
  /** Samples of a signal. */
  readonly total: number;
  readonly scale: number;
  /** Signals are real: of a spectrum the lower half says everything. */
  readonly isReal: boolean;
}

/** Adds the frames whose spectra are (batch, frequencies, frames), each times the window, where they belong. */
function addFrames(self: Tensor, sumRe: Float64Array, sumIm: Float64Array, g: FrameGeometry, w: Parts): void {
  const { nFft, hop, batch, freqs, frames, total, scale, isReal } = g;
  const x = toComplexArrays(self);
  const re = new Float64Array(nFft);
  const im = new Float64Array(nFft);
  for (let b = 0; b < batch; b++) {
    for (let f = 0; f < frames; f++) {
      for (let k = 0; k < nFft; k++) {
        const isMirror = isReal && 2 * k > nFft;
        const at = (b * freqs + (isMirror ? nFft - k : k)) * frames + f;
        re[k] = x.re[at]!;
        im[k] = isMirror ? -x.im[at]! : isReal && (k === 0 || 2 * k === nFft) ? 0 : x.im[at]!;
      }
      transform(re, im, 1);
      for (let i = 0; i < nFft; i++) {
        const to = b * total + f * hop + i;
        sumRe[to] = sumRe[to]! + (re[i]! * w.re[i]! - im[i]! * w.im[i]!) * scale;
        sumIm[to] = sumIm[to]! + (re[i]! * w.im[i]! + im[i]! * w.re[i]!) * scale;
      }
    }
  }
}

function padSignal(self: Tensor, amount: number, mode: string): Tensor {
  const [batch, length] = self.sizes as [number, number];
  return reshape(pad(reshape(self, [1, batch, length]), [amount, amount], mode, null), [batch, length + 2 * amount]);
}

op(
  "aten::stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? align_to_window=None) -> Tensor",
  (self, nFft, hop, win, window, normalized, onesided, returnComplex) =>
    forward(self, nFft, hop, win, window, false, "constant", normalized, onesided, returnComplex),
);
op(
  'aten::stft.center(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, str pad_mode="reflect", bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? align_to_window=None) -> Tensor',
  (self, nFft, hop, win, window, center, padMode, normalized, onesided, returnComplex) =>
    forward(self, nFft, hop, win, window, center, padMode, normalized, onesided, returnComplex),
);

op(
  "aten::istft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool center=True, bool normalized=False, bool? onesided=None, int? length=None, bool return_complex=False) -> Tensor",
  (self, nFft, hopIn, winIn, window, center, normalized, onesidedIn, length, returnComplex) => {
    const hop = hopIn ?? Math.floor(nFft / 4);
    const win = winIn ?? nFft;
    if (self.dtype.category !== "complex") {
      throw new OperatorError(
        "istft requires a complex-valued input tensor matching the output from stft with return_complex=True.",
      );
    }
    const fail = (what: string): never => {
      throw new OperatorError(
        `${describe("istft", self, nFft, hop, win, window, `, center=${Number(center)}, normalized=${Number(normalized)}, onesided=${onesidedIn ?? "None"}, length=${length ?? "None"}, return_complex=${Number(returnComplex)}`)} ${what}`,
      );
    };
    if (self.numel === 0) fail("input tensor cannot be empty.");
    if (self.ndim !== 2 && self.ndim !== 3) fail(`expected a tensor with 3 or 4 dimensions, but got ${self.ndim + 1}`);
    const frames = self.sizes[self.ndim - 1]!;
    const freqs = self.sizes[self.ndim - 2]!;
    const onesided = onesidedIn ?? freqs !== nFft;
    if (onesided ? Math.floor(nFft / 2) + 1 !== freqs : nFft !== freqs) {
      fail(
        onesided
          ? `expected the frequency dimension (3rd to the last) of the input tensor to match n_fft / 2 + 1 when onesided=True, but got ${freqs}`
          : `expected the frequency dimension (3rd to the last) of the input tensor to match n_fft when onesided=False, but got ${freqs}`,
      );
    }
    if (!(hop > 0 && hop <= win)) fail("expected 0 < hop_length <= win_length");
    if (!(win > 0 && win <= nFft)) fail("expected 0 < win_length <= n_fft");
    if (window && (window.ndim !== 1 || window.sizes[0] !== win))
      fail(`Invalid window shape. window has to be 1D and length of \`win_length\``);
    if (returnComplex && onesided) fail("cannot have onesided output if window or input is complex");
    const batch = self.ndim === 3 ? self.sizes[0]! : 1;
    const total = nFft + hop * (frames - 1);
    const w = centeredWindow(window, win, nFft);
    const hasPhase = w.im.some((v) => v !== 0);
    const scale = normalized ? 1 / Math.sqrt(nFft) : 1 / nFft;
    const isReal = onesided && isFast(nFft, realDtype(self.dtype), window);
    const rows = isReal ? fastBackward(self, nFft, scale) : undefined;
    const sumRe = new Float64Array(batch * total);
    const sumIm = new Float64Array(rows ? 0 : batch * total);
    const envelopeRe = new Float64Array(total);
    const envelopeIm = new Float64Array(hasPhase ? total : 0);
    const half = Math.floor(nFft / 2);
    // squares, not moduli, of a complex window
    const squareRe = w.re.map((v, i) => v * v - w.im[i]! * w.im[i]!);
    const squareIm = w.re.map((v, i) => 2 * v * w.im[i]!);
    for (let f = 0; f < frames; f++) {
      addNumbers(envelopeRe, f * hop, squareRe);
      if (hasPhase) addNumbers(envelopeIm, f * hop, squareIm);
    }
    if (rows) {
      for (let r = 0; r < batch * frames; r++)
        addFrame(sumRe, Math.floor(r / frames) * total + (r % frames) * hop, rows, r * nFft, w.re);
    } else addFrames(self, sumRe, sumIm, { nFft, hop, batch, freqs, frames, total, scale, isReal: !returnComplex }, w);
    const start = center ? half : 0;
    const end = length !== null ? start + length : center ? total - half : total;
    const stop = Math.min(end, total);
    const count = Math.max(stop - start, 0);
    let lowest = Infinity;
    for (let i = start; i < stop; i++)
      lowest = Math.min(lowest, Math.hypot(envelopeRe[i]!, hasPhase ? envelopeIm[i]! : 0));
    if (!(lowest > 1e-11)) fail(`window overlap add min: 1`);
    const outLength = Math.max(end - start, 0);
    /** The samples that are asked for, of what frames added up to. */
    const quotient = (part: (at: number, e: number) => number): Float64Array => {
      const out = new Float64Array(batch * outLength);
      for (let b = 0; b < batch; b++)
        for (let i = 0, at = b * outLength, from = b * total + start; i < count; i++)
          out[at + i] = part(from + i, start + i);
      return out;
    };
    const real = quotient(
      hasPhase
        ? (at, e) =>
            (sumRe[at]! * envelopeRe[e]! + sumIm[at]! * envelopeIm[e]!) / (envelopeRe[e]! ** 2 + envelopeIm[e]! ** 2)
        : (at, e) => sumRe[at]! / envelopeRe[e]!,
    );
    const sizes = self.ndim === 3 ? [batch, outLength] : [outLength];
    return returnComplex
      ? fromComplexArrays(
          real,
          quotient(
            hasPhase
              ? (at, e) =>
                  (sumIm[at]! * envelopeRe[e]! - sumRe[at]! * envelopeIm[e]!) /
                  (envelopeRe[e]! ** 2 + envelopeIm[e]! ** 2)
              : (at, e) => sumIm[at]! / envelopeRe[e]!,
          ),
          sizes,
          self.dtype,
        )
      : fromDoubles(real, sizes, realDtype(self.dtype));
  },
);
