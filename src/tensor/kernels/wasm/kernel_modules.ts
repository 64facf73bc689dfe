/** @file The modules of kernels: which programs are in each, and their bytes. Upstream: none. Spec: none. */
import { encodeModule, type FunctionBuilder } from "../../../base/wasm_assembler.ts";
import { castPrograms } from "./cast_programs.ts";
import { AVERAGE_STRIDES, averageProgram } from "./average_programs.ts";
import {
  CENTERED_SUMS,
  centeredColumnsProgram,
  centeredRowsProgram,
  findRowsProgram,
  whereColumnsProgram,
} from "./centered_programs.ts";
import { conversionProgram, CONVERSIONS } from "./conversion_programs.ts";
import { convolveProgram } from "./convolution_programs.ts";
import { addRowsProgram, denseProgram } from "./dense_programs.ts";
import { tallProgram, unpaddedProgram } from "./depthwise_programs.ts";
import { DOUBLE_MAPS, doubleMapProgram, product64Program } from "./double_programs.ts";
import {
  BINARY_NAMES,
  binaryProgram,
  binaryRowsProgram,
  layerNormProgram,
  SHORT_BINARY,
  shortBinaryProgram,
  TERNARY_VECTORS,
  ternaryProgram,
} from "./element_programs.ts";
import { encodedModule } from "../../../base/encoded_modules.ts";
import { finishProgram } from "./finish_programs.ts";
import { gatherRowsProgram } from "./gather_programs.ts";
import { integerFoldPrograms } from "./integer_fold_programs.ts";
import { integerMapPrograms, selectBitsProgram } from "./integer_map_programs.ts";
import {
  enterLinesProgram,
  enterRowsProgram,
  leaveLinesProgram,
  leaveRowsProgram,
  passPrograms,
  realProgram,
} from "./fourier_programs.ts";
import {
  bytes16Program,
  extremesProgram,
  integersProgram,
  quantize16Program,
  quantize8Program,
} from "./integer_programs.ts";
import {
  depthwiseProgram,
  dotsInTurnProgram,
  dotsProgram,
  gemmProgram,
  interleaveProgram,
  windowMaxProgram,
  type PanelRows,
  type ProductStyle,
} from "./programs.ts";
import { boxMullerProgram } from "./random_programs.ts";
import { affinePlanesProgram, normGroupProgram } from "./norm_programs.ts";
import { REDUCTIONS, reduceColumnsProgram, reduceRowsProgram } from "./reduction_programs.ts";
import { packTransposedProgram, SPREADS, spreadProgram } from "./spread_programs.ts";
import { sumColumnsProgram, sumRowsProgram, TAPS } from "./resample_programs.ts";
import { sequencePrograms } from "./sequence_programs.ts";
import { softmaxColumnsProgram, softmaxProgram } from "./softmax_programs.ts";
import { transposeProgram } from "./transpose_programs.ts";
import {
  ACTIVATION_VECTORS,
  clampProgram,
  eluProgram,
  FUNCTION_VECTORS,
  leakyReluProgram,
  nanToNumProgram,
  replaceProgram,
  SHORT_VECTORS,
  unaryProgram,
} from "./vector_programs.ts";
import {
  ANGLE_PAIRS,
  ANGLE_VECTORS,
  LOGARITHM_VECTORS,
  MODULUS_PAIRS,
  POWER_PAIRS,
  POWER_VECTORS,
  TRIGONOMETRIC_VECTORS,
  widePairProgram,
  wideProgram,
  type WidePair,
  type WideVector,
} from "./wide_programs.ts";
import { depthwise3Program, padPlanesProgram, windowMax3Program } from "./window_programs.ts";
import {
  winogradFiltersProgram,
  winogradInputProgram,
  winogradMultiplyProgram,
  winogradOutputProgram,
} from "./winograd_programs.ts";

/** A build that is made of WebAssembly. */
export type FastBuild = "simd" | "relaxed";

const wide = (fused: boolean, vectors: readonly WideVector[], pairs: readonly WidePair[] = []): FunctionBuilder[] => [
  ...vectors.map((name) => wideProgram(name, fused)),
  ...pairs.map((name) => widePairProgram(name, fused)),
];

/** Modules by name. */
const FAMILIES = {
  product: (fused: boolean, style: ProductStyle) => [
    gemmProgram(style),
    dotsProgram(fused),
    dotsInTurnProgram(fused),
    depthwiseProgram(fused),
    interleaveProgram(),
    finishProgram(),
    windowMaxProgram(),
  ],
  convolution: (_fused: boolean, style: ProductStyle) => [convolveProgram(style)],
  planes: () => [padPlanesProgram()],
  dense: (fused: boolean, style: ProductStyle) => [denseProgram(style), addRowsProgram(fused)],
  elements: (fused: boolean) => [...BINARY_NAMES.map(binaryProgram), layerNormProgram(), softmaxProgram(fused, false)],
  short: (fused: boolean) => [
    ...SHORT_VECTORS.map((name) => unaryProgram(name, fused)),
    ...SHORT_BINARY.map(shortBinaryProgram),
  ],
  broadcasts: () =>
    BINARY_NAMES.flatMap((name) => [binaryRowsProgram(name, "Rows"), binaryRowsProgram(name, "Numbers")]),
  softmax: (fused: boolean) => [
    softmaxProgram(fused, true),
    softmaxColumnsProgram(fused, false),
    softmaxColumnsProgram(fused, true),
  ],
  windows: (fused: boolean) => [
    depthwise3Program(fused, 1),
    depthwise3Program(fused, 2),
    windowMax3Program(1),
    windowMax3Program(2),
  ],
  transposes: () => [transposeProgram()],
  norms: () => [affinePlanesProgram(), normGroupProgram()],
  gathers: () => [gatherRowsProgram()],
  averages: () => AVERAGE_STRIDES.map(averageProgram),
  unpadded: (fused: boolean) => [unpaddedProgram(fused, 1), unpaddedProgram(fused, 2)],
  tall3: (fused: boolean) => [tallProgram(fused, 3, 1, true)],
  tall5: (fused: boolean) => [tallProgram(fused, 5, 1, false), tallProgram(fused, 5, 2, false)],
  tall7: (fused: boolean) => [tallProgram(fused, 7, 1, true)],
  vectors: (fused: boolean) => [...FUNCTION_VECTORS.map((name) => unaryProgram(name, fused)), clampProgram()],
  activations: (fused: boolean) => [
    ...ACTIVATION_VECTORS.map((name) => unaryProgram(name, fused)),
    leakyReluProgram(),
    eluProgram(fused),
    replaceProgram(),
    nanToNumProgram(),
  ],
  integers8: () => [...integerMapPrograms("u8"), ...integerMapPrograms("bool")],
  integers32: () => integerMapPrograms("i32"),
  integers64: () => integerMapPrograms("i64"),
  integerFolds: () => integerFoldPrograms(),
  selections: () => [selectBitsProgram(1), selectBitsProgram(4), selectBitsProgram(8)],
  integers: (fused: boolean) => [integersProgram("Floats", fused), extremesProgram()],
  integerBytes: (fused: boolean) => [integersProgram("Bytes", fused), quantize16Program(fused), bytes16Program()],
  sevenBits: (fused: boolean) => (fused ? [integersProgram("Floats", fused, true), quantize8Program(fused)] : []),
  sevenBitBytes: (fused: boolean) => (fused ? [integersProgram("Bytes", fused, true)] : []),
  trigonometry: (fused: boolean) => wide(fused, TRIGONOMETRIC_VECTORS),
  angles: (fused: boolean) => wide(fused, ANGLE_VECTORS, ANGLE_PAIRS),
  logarithms: (fused: boolean) => wide(fused, LOGARITHM_VECTORS),
  powers: (fused: boolean) => wide(fused, POWER_VECTORS, POWER_PAIRS),
  moduli: (fused: boolean) => [
    ...wide(fused, [], MODULUS_PAIRS),
    ...TERNARY_VECTORS.map((name) => ternaryProgram(name, fused)),
  ],
  doubles: () => [product64Program()],
  doubleMaps: (fused: boolean) => DOUBLE_MAPS.map((name) => doubleMapProgram(name, fused)),
  random: (fused: boolean) => [boxMullerProgram(fused)],
  reductions: () => [...REDUCTIONS.map(reduceRowsProgram), ...REDUCTIONS.map(reduceColumnsProgram)],
  castWords: () => castPrograms("words"),
  castBytes: () => castPrograms("bytes"),
  centered: (fused: boolean) => [
    ...CENTERED_SUMS.flatMap((kind) => [centeredRowsProgram(kind, fused), centeredColumnsProgram(kind, fused)]),
    findRowsProgram(),
    whereColumnsProgram("max"),
    whereColumnsProgram("min"),
  ],
  conversions: () => CONVERSIONS.map(conversionProgram),
  resample: (fused: boolean) => TAPS.flatMap((taps) => [sumRowsProgram(fused, taps), sumColumnsProgram(fused, taps)]),
  spread: () => [packTransposedProgram(), ...SPREADS.map(spreadProgram)],
  fourier: (fused: boolean) => [
    enterRowsProgram(false),
    enterRowsProgram(true),
    leaveRowsProgram(),
    enterLinesProgram(),
    leaveLinesProgram(),
    realProgram(false, fused),
    realProgram(true, fused),
  ],
  fourier2: (fused: boolean) => passPrograms([4, 2], fused),
  fourier35: (fused: boolean) => passPrograms([3, 5], fused),
  sequences: (fused) => sequencePrograms(fused),
  winogradIn: (fused: boolean) => [winogradInputProgram(fused), winogradFiltersProgram(fused)],
  winogradOut: (fused: boolean, style: ProductStyle) => [winogradMultiplyProgram(style), winogradOutputProgram(fused)],
} satisfies Record<string, (fused: boolean, style: ProductStyle) => FunctionBuilder[]>;

/** Name of a module of kernels. */
export type KernelFamily = keyof typeof FAMILIES;

/** Names of all modules. */
export const KERNEL_FAMILIES = Object.keys(FAMILIES) as KernelFamily[];

/** The rows of a build's panels. */
export const rowsOf = (build: FastBuild): PanelRows => (build === "relaxed" ? 6 : 4);

/** Whether this engine wants rows pinned: see Note [Pinned rows]. */
const wantsPins = (): boolean => !("Float16Array" in globalThis);

/** The programs of a module, for an engine that wants rows pinned or not. */
export function programsOf(build: FastBuild, family: KernelFamily, pinned = wantsPins()): FunctionBuilder[] {
  const fused = build === "relaxed";
  // without fused multiply-add only the loop of convolutions, which has much else in registers, gains
  return FAMILIES[family](fused, {
    fused,
    rows: rowsOf(build),
    pinned: pinned && (fused || family === "convolution"),
  });
}

/** What a module is called for `encodedModule`: engines differ in what they want, and the one that built the package is not the one that runs it. */
export const encodedName = (build: FastBuild, family: KernelFamily, pinned: boolean): string =>
  `${build}:${pinned ? "pinned" : "plain"}:${family}`;

/** The bytes of a module of kernels; one with a shared memory imports a memory of another type. */
export function kernelModuleBytes(
  build: FastBuild,
  family: KernelFamily,
  isShared = false,
  pinned = wantsPins(),
): Uint8Array<ArrayBuffer> {
  const encoded = isShared ? undefined : encodedModule(encodedName(build, family, pinned));
  return encoded ?? encodeModule(programsOf(build, family, pinned), isShared);
}
