/** @file The modules of kernels: which programs are in each, and their bytes. Upstream: none. Spec: none. */
import { encodeModule, type FunctionBuilder } from "./assembler.ts";
import { conversionProgram, CONVERSIONS } from "./conversion_programs.ts";
import { convolveProgram } from "./convolution_programs.ts";
import { addRowsProgram, denseProgram } from "./dense_programs.ts";
import { tallProgram, unpaddedProgram } from "./depthwise_programs.ts";
import { product64Program } from "./double_programs.ts";
import {
  BINARY_NAMES,
  binaryProgram,
  binaryRowsProgram,
  layerNormProgram,
  selectProgram,
  SHORT_BINARY,
  shortBinaryProgram,
} from "./element_programs.ts";
import { encodedModule } from "./encoded_modules.ts";
import { finishProgram } from "./finish_programs.ts";
import { dots16Program } from "./integer_programs.ts";
import {
  depthwiseProgram,
  dotsInTurnProgram,
  dotsProgram,
  gemmProgram,
  interleaveProgram,
  panelRows,
  windowMaxProgram,
  type PanelRows,
} from "./programs.ts";
import { REDUCTIONS, reduceColumnsProgram, reduceRowsProgram } from "./reduction_programs.ts";
import { packTransposedProgram, SPREADS, spreadProgram } from "./spread_programs.ts";
import { sumColumnsProgram, sumRowsProgram, TAPS } from "./resample_programs.ts";
import { sequencePrograms } from "./sequence_programs.ts";
import { softmaxColumnsProgram, softmaxProgram } from "./softmax_programs.ts";
import {
  ACTIVATION_VECTORS,
  clampProgram,
  eluProgram,
  FUNCTION_VECTORS,
  leakyReluProgram,
  SHORT_VECTORS,
  unaryProgram,
} from "./vector_programs.ts";
import { depthwise3Program, padPlanesProgram, windowMax3Program } from "./window_programs.ts";
import {
  winogradFiltersProgram,
  winogradInputProgram,
  winogradMultiplyProgram,
  winogradOutputProgram,
} from "./winograd_programs.ts";

/** A build that is made of WebAssembly. */
export type FastBuild = "simd" | "relaxed";

/** Modules by name. */
const FAMILIES = {
  product: (fused: boolean, rows: PanelRows) => [
    gemmProgram(fused, rows),
    dotsProgram(fused),
    dotsInTurnProgram(fused),
    depthwiseProgram(fused),
    interleaveProgram(),
    finishProgram(),
    windowMaxProgram(),
  ],
  convolution: (fused: boolean, rows: PanelRows) => [convolveProgram(fused, rows)],
  planes: () => [padPlanesProgram()],
  dense: (fused: boolean, rows: PanelRows) => [denseProgram(fused, rows), addRowsProgram(fused)],
  elements: (fused: boolean) => [...BINARY_NAMES.map(binaryProgram), layerNormProgram(), softmaxProgram(fused, false)],
  short: (fused: boolean) => [
    ...SHORT_VECTORS.map((name) => unaryProgram(name, fused)),
    ...SHORT_BINARY.map(shortBinaryProgram),
    selectProgram(),
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
  unpadded: (fused: boolean) => [unpaddedProgram(fused, 1), unpaddedProgram(fused, 2)],
  tall3: (fused: boolean) => [tallProgram(fused, 3, 1, true)],
  tall5: (fused: boolean) => [tallProgram(fused, 5, 1, false), tallProgram(fused, 5, 2, false)],
  tall7: (fused: boolean) => [tallProgram(fused, 7, 1, true)],
  vectors: (fused: boolean) => [...FUNCTION_VECTORS.map((name) => unaryProgram(name, fused)), clampProgram()],
  activations: (fused: boolean) => [
    ...ACTIVATION_VECTORS.map((name) => unaryProgram(name, fused)),
    leakyReluProgram(),
    eluProgram(fused),
  ],
  integers: () => [dots16Program()],
  doubles: () => [product64Program()],
  reductions: () => [...REDUCTIONS.map(reduceRowsProgram), ...REDUCTIONS.map(reduceColumnsProgram)],
  conversions: () => CONVERSIONS.map(conversionProgram),
  resample: (fused: boolean) => TAPS.flatMap((taps) => [sumRowsProgram(fused, taps), sumColumnsProgram(fused, taps)]),
  spread: () => [packTransposedProgram(), ...SPREADS.map(spreadProgram)],
  sequences: (fused) => sequencePrograms(fused),
  winogradIn: (fused: boolean) => [winogradInputProgram(fused), winogradFiltersProgram(fused)],
  winogradOut: (fused: boolean, rows: PanelRows) => [
    winogradMultiplyProgram(fused, rows),
    winogradOutputProgram(fused),
  ],
} satisfies Record<string, (fused: boolean, rows: PanelRows) => FunctionBuilder[]>;

/** Name of a module of kernels. */
export type KernelFamily = keyof typeof FAMILIES;

/** Names of all modules. */
export const KERNEL_FAMILIES = Object.keys(FAMILIES) as KernelFamily[];

/** The rows of panels here. */
export const rowsOf = (build: FastBuild): PanelRows => panelRows(build === "relaxed");

/** The programs of a module. */
export function programsOf(build: FastBuild, family: KernelFamily, rows: PanelRows): FunctionBuilder[] {
  return FAMILIES[family](build === "relaxed", rows);
}

/** What a module is called for `encodedModule`: engines differ in the rows that they like, and the one that built the package is not the one that runs it. */
export const encodedName = (build: FastBuild, family: KernelFamily, rows: PanelRows): string =>
  `${build}:${rows}:${family}`;

/** The bytes of a module of kernels; one with a shared memory imports a memory of another type. */
export function kernelModuleBytes(
  build: FastBuild,
  family: KernelFamily,
  isShared = false,
  rows: PanelRows = rowsOf(build),
): Uint8Array<ArrayBuffer> {
  const encoded = isShared ? undefined : encodedModule(encodedName(build, family, rows));
  return encoded ?? encodeModule(programsOf(build, family, rows), isShared);
}
