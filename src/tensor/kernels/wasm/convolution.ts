/** @file float32 convolution on the WebAssembly kernels. Upstream: none. Spec: none.
 *
 * 3 by 3 convolutions with stride 1 take Winograd's way (winograd.ts), others are products over phase planes (planes.ts). */
import type { ConvGeometry, Triple } from "../convolution.ts";
import { convolutionKernels, wasmKernels, type ConvolutionKernels, type Kernels } from "./build.ts";
import { depthwise, depthwiseWindows } from "./depthwise.ts";
import {
  addressIn,
  MAX_STAGED,
  NO_AREAS,
  PLAIN_FINISH,
  Results,
  stagedElements,
  type Finish,
  type ResultPlace,
} from "./finish.ts";
import { KeptTables, Prepared } from "./kept_tables.ts";
import { packedFrom, PASSING_ELEMENTS, type Weights } from "./packed_weights.ts";
import { Panels } from "./panels.ts";
import { runTasks, threadAreas, type ThreadAreas } from "./parallel.ts";
import { fillPlanes, isWhole, phasePlan, type PhasePlan } from "./planes.ts";
import { innerStep, packedElements, packLeft, PASS_PANELS, stagingElements } from "./product.ts";
import { COLUMNS } from "./programs.ts";
import { winogradConvolve } from "./winograd.ts";

/** Multiplications of a whole convolution from which the copies pay. */
const MIN_WORK = 1 << 13;
/** Elements of one area: larger groups run on the reference kernel, whose products come back here in parts. */
const MAX_AREA = 1 << 24;
/** Most tasks of a product, and multiplications from which one pays: at the end threads wait for each other's last ones. */
const MAX_TASKS = 64;
const TASK_WORK = 1 << 19;
/** The same for one thread. */
const MAX_LONE_TASKS = 16;
const LONE_WORK = 1 << 21;
/** Calls after which a product of one thread is no longer divided: the engine has compiled its kernel well by then. */
const COLD_CALLS = 8;
/** Elements of the tiles that are gathered at a time: a quarter of the first-level cache, as panels and results want room in it as well. */
const GATHERED_ELEMENTS = 1 << 11;
/** Fewest rows of a weight that passes from its file at a time: every piece gathers all tiles. */
const PASSING_ROWS = 64;
/** Most computed positions for one that is kept. */
const MAX_WASTE = 3;

/**
 * out (N, O, ...) = x (N, C, ...) convolved with w (O, C / groups, ...), then `finish`. Arrays of the kernels' memory are used in
 * place, and what is made of w is kept with its storage. Returns false where the reference kernel is to run.
 */
export function wasmConvolve(
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish = PLAIN_FINISH,
): boolean {
  const inPer = g.inChannels / g.groups;
  const taps = g.kernel[0] * g.kernel[1] * g.kernel[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const outPer = g.outChannels / g.groups;
  if (g.groups * outPer * outPlane * inPer * taps < MIN_WORK) return false;
  const kernels = wasmKernels();
  if (kernels === undefined) return false;
  if (winogradConvolve(kernels, x, w, out, g, finish)) return true;
  const convolution = convolutionKernels();
  if (!convolution) return false;
  if (inPer === 1 && outPer === 1 && depthwiseWindows(kernels, convolution, x, w, out, g, finish)) return true;
  if (inPer === 1 && outPer <= 2) {
    const plan = phasePlan(g);
    const [, ay, ax] = plan.axes;
    const computed = ((g.output[0] - 1) * ay.length + g.output[1]) * ax.length;
    if (computed <= MAX_WASTE * outPlane + 64)
      return depthwise(kernels, convolution, plan, x, w.values, out, g, finish);
  }
  return product(kernels, convolution, x, w, out, g, finish);
}

/** What a convolution as a product makes of its geometry. */
interface ProductPlan {
  readonly plan: PhasePlan;
  /** Whether the planes are the input as it is, and elements of one. */
  readonly isInPlace: boolean;
  readonly channel: number;
  /** Inner dimension, and what of it is done at a time. */
  readonly k: number;
  readonly step: number;
  readonly tiles: number;
  /** Tiles that are gathered at a time. */
  readonly group: number;
  /** Elements of the packed weights of a group of channels. */
  readonly packed: number;
  /** Whether a plane is covered by its outputs in order: then positions need no table. */
  readonly isDense: boolean;
  /** Those of the first calls, and those of others. */
  readonly coldParts: readonly Part[];
  readonly parts: readonly Part[];
  /** Names and describes the form of the packed weights. */
  readonly key: string;
  readonly panels: Panels;
  /** Offsets and positions, see Note [Kept tables]. */
  tables?: KeptTables | undefined;
}

const productPlans = new Prepared<ProductPlan>();

function productPlan(kernels: Kernels, g: ConvGeometry): ProductPlan {
  const isShared = kernels.pool !== undefined;
  const plan = phasePlan(g);
  const [, ay, ax] = plan.axes;
  const k = (g.inChannels / g.groups) * plan.taps.length;
  const outPer = g.outChannels / g.groups;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const isInPlace = isWhole(plan, inPlane);
  const tiles = Math.ceil(outPlane / COLUMNS);
  const step = innerStep(k);
  const group = Math.max(1, Math.min(tiles, Math.floor(GATHERED_ELEMENTS / (COLUMNS * step))));
  const coldParts = partsOf(kernels, outPer, outPlane, k, tiles, group);
  return {
    plan,
    isInPlace,
    channel: isInPlace ? inPlane : plan.channel,
    k,
    step,
    tiles,
    group,
    packed: packedElements(kernels, outPer, k),
    isDense: ax.length === g.output[2] && (g.output[0] === 1 || ay.length === g.output[1]),
    coldParts,
    parts: isShared ? coldParts : divide(outPer, tiles, kernels.rows, group, 1, false),
    key: `conv:${kernels.rows}:${g.groups}:${outPer}:${k}`,
    panels: new Panels(outPer, k, kernels.rows, { step, groups: g.groups }),
  };
}

/** The parts that so many rows are multiplied in, where the code is not known to be compiled. */
function partsOf(
  kernels: Kernels,
  rows: number,
  outPlane: number,
  k: number,
  tiles: number,
  group: number,
): readonly Part[] {
  const isShared = kernels.pool !== undefined;
  const most = (rows * outPlane * k) / (isShared ? TASK_WORK : LONE_WORK);
  return divide(rows, tiles, kernels.rows, group, most, isShared);
}

/** Where the operands of a group and a call's areas lie. */
interface Call {
  readonly kernels: Kernels;
  readonly convolution: ConvolutionKernels;
  readonly made: ProductPlan;
  readonly outPlane: number;
  readonly results: Results;
  readonly place: ResultPlace;
  /** The planes, and the tables of their elements. */
  readonly b: number;
  readonly offsets: number;
  readonly positions: number;
  readonly own: ThreadAreas;
}

/** Products of the weights and the planes of every group. */
function product(
  kernels: Kernels,
  convolution: ConvolutionKernels,
  x: Float32Array,
  w: Weights,
  out: Float32Array,
  g: ConvGeometry,
  finish: Finish,
): boolean {
  const inPer = g.inChannels / g.groups;
  const outPer = g.outChannels / g.groups;
  const inPlane = g.input[0] * g.input[1] * g.input[2];
  const outPlane = g.output[0] * g.output[1] * g.output[2];
  const { memory } = kernels;
  const { plan: made, calls } = productPlans.get(g, () => productPlan(kernels, g));
  const { isInPlace, channel, k, step, tiles, group, packed, isDense } = made;
  const parts = calls < COLD_CALLS ? made.coldParts : made.parts;
  const inStaged = stagedElements(kernels, x, g.inChannels * inPlane);
  const outStaged = stagedElements(kernels, out, g.outChannels * outPlane);
  if (Math.max(inStaged, outStaged) > MAX_STAGED || Math.max(packed, inPer * channel) > MAX_AREA) return false;
  const pack = (address: number, values: Float32Array): boolean =>
    packGroups(kernels, address, values, g.groups, outPer, k);
  const some = Math.ceil(Math.max(PASSING_ROWS, PASSING_ELEMENTS / k) / kernels.rows) * kernels.rows;
  // each weight is asked for once
  const passes = g.batch === 1 && g.groups === 1 && some < outPer && w.mayPassInPieces;
  const kept = passes ? 0 : packedFrom(memory, w, made.key, g.groups * packed, pack, made.panels, true);
  const positionElements = isDense ? 0 : tiles * COLUMNS;
  if (calls === 1) {
    made.tables = KeptTables.of(kernels, [k, positionElements], g.outChannels);
    if (made.tables) fillTables(memory.i32, made, g, made.tables.at);
  }
  const { tables } = made;
  const results = Results.of(kernels, out, finish, g.outChannels, g.outChannels * outPlane, { tables });
  const needsNone = kept !== 0 && isInPlace && inStaged === 0 && tables !== undefined;
  const areas =
    results &&
    (needsNone
      ? NO_AREAS
      : memory.arena(
          kept === 0 ? (passes ? packedElements(kernels, some, k) : g.groups * packed) : 0,
          isInPlace ? 0 : inPer * channel,
          inStaged,
          passes ? some * k : 0,
          passes ? stagingElements(k) : 0,
          tables ? 0 : k,
          tables ? 0 : positionElements,
        ));
  const own = areas && threadAreas(kernels, group * COLUMNS * step);
  try {
    const weights = kept || areas?.[0];
    if (!own || !weights || (kept === 0 && !passes && !pack(weights, w.values))) return false;
    const [, planes, staging, raw, packing] = areas as readonly [number, number, number, number, number];
    const [offsets, table] = (tables?.at ?? areas.slice(5)) as [number, number];
    const positions = isDense ? 0 : table;
    if (!tables) fillTables(memory.i32, made, g, [offsets, table]);
    for (let n = 0; n < g.batch; n++) {
      const image = addressIn(kernels, x, n * g.inChannels * inPlane, g.inChannels * inPlane, staging);
      const place = results.begin(n);
      for (let index = 0; index < g.groups; index++) {
        const source = image + 4 * index * inPer * inPlane;
        if (!isInPlace) fillPlanes(kernels, convolution.padPlanes, made.plan, planes, source, inPer, g.input);
        const b = isInPlace ? source : planes;
        const call: Call = { kernels, convolution, made, outPlane, results, place, b, offsets, positions, own };
        if (!passes) multiplyRows(call, weights + 4 * index * packed, outPer, parts, index * outPer);
        else
          w.passInPieces(memory, raw, some * k, (values, first) => {
            const rows = values.length / k;
            packLeft(kernels, weights, packing, values, 0, k, rows, k);
            multiplyRows(call, weights, rows, partsOf(kernels, rows, outPlane, k, tiles, group), first / k);
          });
      }
      results.end(n);
    }
    return true;
  } finally {
    if (own) memory.free(own.start);
    if (areas) memory.free(areas[0]!);
    results?.free();
  }
}

/** Multiplies `count` packed rows at `a`, part by part, which give the outputs from channel `out0` on. */
function multiplyRows(
  { kernels, convolution, made, outPlane, results, place, b, offsets, positions, own }: Call,
  a: number,
  count: number,
  parts: readonly Part[],
  out0: number,
): void {
  const { k, step, group } = made;
  const { to, delta } = place;
  runTasks(
    kernels,
    parts.length,
    (_, task) => {
      const { row, rows, tile, tiles } = parts[task]!;
      const column = tile * COLUMNS;
      const columns = Math.min(tiles * COLUMNS, outPlane - column);
      for (let k0 = 0; k0 < k; k0 += step) {
        const depth = Math.min(step, k - k0);
        const isLast = k0 + depth === k;
        convolution.convolve(
          a + 4 * (packedElements(kernels, count, k0) + row * depth),
          positions === 0 ? b + 4 * column : b,
          positions === 0 ? 0 : positions + 4 * column,
          offsets + 4 * k0,
          depth,
          rows,
          columns,
          to + 4 * ((out0 + row) * outPlane + column),
          4 * outPlane,
          k0,
          own.at[0]!,
          group,
          isLast && results.table !== 0 ? results.table + 8 * (out0 + row) : 0,
          delta,
          results.low,
          results.high,
        );
      }
    },
    own,
  );
}

/** Offsets of the rows of the right operand, and positions of its columns where they need a table. */
function fillTables(
  i32: Int32Array,
  { plan, channel, isDense }: ProductPlan,
  g: ConvGeometry,
  [offsets, positions]: readonly number[],
): void {
  for (let c = 0, at = offsets! / 4; c < g.inChannels / g.groups; c++)
    for (const tap of plan.taps) i32[at++] = 4 * c * channel + tap;
  if (!isDense) fillPositions(i32, positions! / 4, plan, g.output);
}

/** Byte offsets of the outputs' positions in a plane, up to whole tiles. */
function fillPositions(i32: Int32Array, at: number, plan: PhasePlan, [od, oh, ow]: Triple): void {
  const [, ay, ax] = plan.axes;
  let last = 0;
  let to = at;
  for (let z = 0; z < od; z++) {
    for (let y = 0; y < oh; y++) {
      last = 4 * (z * ay.length + y) * ax.length;
      for (let c = 0; c < ow; c++, last += 4) i32[to++] = last;
    }
  }
  for (; (to - at) % COLUMNS !== 0; last += 4) i32[to++] = last;
}

interface Part {
  readonly row: number;
  readonly rows: number;
  readonly tile: number;
  readonly tiles: number;
}

/**
 * Divides a product into about `most` parts of similar work: of columns, and for several threads, where there are far too few, of rows, for which
 * tiles are gathered again. One thread has parts as well: the first calls of a kernel run in the engine's quick compilation, which it
 * leaves for the better one between two calls only.
 */
function divide(
  rows: number,
  tiles: number,
  panelRows: number,
  group: number,
  most: number,
  isShared: boolean,
): Part[] {
  const wanted = Math.max(1, Math.min(isShared ? MAX_TASKS : MAX_LONE_TASKS, Math.floor(most)));
  const groups = Math.ceil(tiles / group);
  const someTiles = Math.ceil(groups / Math.min(wanted, groups)) * group;
  const across = Math.ceil(tiles / someTiles);
  const panels = Math.ceil(rows / panelRows);
  const somePanels = Math.min(
    PASS_PANELS,
    isShared ? Math.ceil(panels / Math.min(panels, Math.max(1, Math.round(wanted / across)))) : panels,
  );
  const someRows = somePanels * panelRows;
  const parts: Part[] = [];
  for (let row = 0; row < rows; row += someRows) {
    for (let tile = 0; tile < tiles; tile += someTiles) {
      parts.push({ row, rows: Math.min(someRows, rows - row), tile, tiles: Math.min(someTiles, tiles - tile) });
    }
  }
  return parts;
}

/** Packs the weights of every group; false where there is no room. */
function packGroups(
  kernels: Kernels,
  address: number,
  w: Float32Array,
  groups: number,
  outPer: number,
  k: number,
): boolean {
  const areas = kernels.memory.arena(stagingElements(k));
  if (!areas) return false;
  const packed = packedElements(kernels, outPer, k);
  for (let group = 0; group < groups; group++) {
    packLeft(kernels, address + 4 * group * packed, areas[0]!, w, group * outPer * k, k, outPer, k);
  }
  kernels.memory.free(areas[0]!);
  return true;
}
