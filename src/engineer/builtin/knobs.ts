/**
 * The knobs of the built-in templates: what each one means, what values it may take, and when a combination is legal.
 *
 * Legality is about correctness and hardware limits only; what is fast is for the judge's measurements to say.
 */

import type { DType, PrecisionPolicy } from '../../task/index.ts';
import type { GpuTarget } from '../../vgpu/index.ts';
import { Preamble, STATIC_SHARED } from './lower/emit/kernel-context.ts';
import { type MapKnobs, mapRepeats, mapVectorWidths } from './lower/emit/map-kernel.ts';
import { type MmaKnobs, type MmaLayout, mmaDepth, mmaSharedBytes, mmaThreads } from './lower/emit/mma-kernel.ts';
import { isTileable, liesAlongDepth, packWidth, tileableContraction } from './lower/emit/operand-tile.ts';
import {
  GROUP_ROWS,
  inTwoParts,
  PANEL,
  type PipelineKnobs,
  pipelineDepth,
  pipelineElementBytes,
  pipelineSharedBytes,
  pipelineThreads,
  planTiles,
} from './lower/emit/pipeline-plan.ts';
import {
  hasOnlineForm,
  planRows,
  type RowKnobs,
  type RowPlan,
  rowSharedBytes,
  rowVectorWidths,
} from './lower/emit/row-plan.ts';
import { planScan, type ScanKnobs, scanItems, scanSharedBytes } from './lower/emit/scan-kernel.ts';
import { slotsOf, type TeamParts, teamBlocksPerSm, teamParts } from './lower/emit/team.ts';
import { type TileKnobs, tileSharedBytes, tileThreads } from './lower/emit/tile-kernel.ts';
import { type Across, isWindow, type WindowKnobs, windowFacts } from './lower/emit/window-kernel.ts';
import { folds as foldForms } from './lower/folds.ts';
import type { Group } from './lower/groups.ts';
import type { Program } from './lower/program.ts';
import { storage } from './lower/scalar.ts';
import type { KernelChoice } from './lower/schedule.ts';
import { product } from './lower/strides.ts';

export type Family = KernelChoice['family'];

/** One knob: its values and what it does. */
export interface Knob {
  name: string;
  choices: readonly (number | string)[];
  doc: string;
}

export const knobs: Readonly<Record<Family, readonly Knob[]>> = {
  map: [
    { name: 'block', choices: [64, 128, 256, 512, 1024], doc: 'threads a block' },
    { name: 'vector', choices: [1, 2, 4, 8], doc: 'neighbours in one read or write; needs aligned, divisible rows' },
    { name: 'items', choices: [1, 2, 4, 8, 16, 32], doc: 'packs a thread works through' },
  ],
  row: [
    { name: 'lanes', choices: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], doc: 'threads that share a row' },
    { name: 'rows', choices: [1, 2, 4, 8, 16, 32, 64, 128, 256], doc: 'rows a block works on at once' },
    {
      name: 'order',
      choices: ['lanes', 'rows'],
      doc: 'whether neighbouring threads take neighbouring elements or neighbouring rows',
    },
    { name: 'vector', choices: [1, 2, 4, 8], doc: 'neighbours in one read or write; needs aligned, divisible rows' },
    { name: 'keep', choices: ['reload', 'registers', 'shared'], doc: 'where a row stays between loops over it' },
    { name: 'combine', choices: ['shuffle', 'shared'], doc: 'how lanes exchange partial folds' },
    { name: 'softmax', choices: ['two-pass', 'online'], doc: 'maximum and sum of exponentials in two loops or one' },
    { name: 'unroll', choices: [1, 2, 4, 8], doc: 'iterations of the loop over a row written out' },
    { name: 'patch', choices: [1, 4, 8, 16], doc: 'one lane a row: rows of the patch of outputs that a block takes' },
    { name: 'cluster', choices: [1, 2, 4, 8], doc: 'blocks that share a row, as a cluster (sm_90 and later)' },
    {
      name: 'team',
      choices: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
      doc: 'blocks that share a row through global memory, and wait for each other there',
    },
    {
      name: 'room',
      choices: [0, 16, 32, 64, 72, 104, 216],
      doc: 'KiB of shared memory in which a block of a team keeps its part of a row, beside registers',
    },
  ],
  tile: [
    { name: 'blockM', choices: [16, 32, 64, 128, 256], doc: 'output rows a block' },
    { name: 'blockN', choices: [16, 32, 64, 128, 256], doc: 'output columns a block' },
    { name: 'blockK', choices: [8, 16, 32], doc: 'depth of the tiles in shared memory' },
    { name: 'threadM', choices: [1, 2, 4, 8], doc: 'output rows a thread' },
    { name: 'threadN', choices: [1, 2, 4, 8], doc: 'output columns a thread' },
    { name: 'vector', choices: [1, 2, 4, 8], doc: 'neighbours in one read of global memory' },
    { name: 'fragment', choices: [1, 2, 4], doc: 'neighbours in one read of shared memory and one store' },
    { name: 'stages', choices: [1, 2], doc: '2: the next tiles are read while these are computed with' },
  ],
  mma: [
    { name: 'arithmetic', choices: ['half', 'tf32', 'tf32x3'], doc: 'what tensor cores multiply' },
    { name: 'blockM', choices: [32, 64, 128, 256], doc: 'output rows a block' },
    { name: 'blockN', choices: [32, 64, 128, 256], doc: 'output columns a block' },
    { name: 'blockK', choices: [8, 16, 32, 64], doc: 'depth of the tiles in shared memory' },
    { name: 'warpM', choices: [16, 32, 64], doc: 'output rows a warp' },
    { name: 'warpN', choices: [16, 32, 64, 128], doc: 'output columns a warp' },
    { name: 'vector', choices: [1, 2, 4, 8], doc: 'neighbours in one read of global memory' },
    { name: 'stages', choices: [1, 2], doc: '2: one pair of tiles is filled while the other is used' },
  ],
  pipeline: [
    { name: 'arithmetic', choices: ['half', 'tf32', 'tf32x3'], doc: 'what tensor cores multiply' },
    { name: 'blockM', choices: [64, 128, 192, 256], doc: 'output rows a block' },
    { name: 'blockN', choices: [64, 96, 128, 192, 256], doc: 'output columns a block' },
    { name: 'blockK', choices: [16, 32, 64], doc: 'depth of the tiles in shared memory' },
    { name: 'unit', choices: ['warp', 'warpgroup'], doc: 'mma.sync of a warp, or wgmma of four (sm_90 alone)' },
    { name: 'warpM', choices: [32, 64, 96, 128], doc: 'output rows a warp or warpgroup' },
    { name: 'warpN', choices: [32, 48, 64, 96, 128, 192, 256], doc: 'output columns a warp or warpgroup' },
    { name: 'stages', choices: [2, 3, 4, 5], doc: 'pairs of tiles in shared memory, all but one on their way' },
    {
      name: 'group',
      choices: [1, 2, 4, 8, 11, 16],
      doc: 'tiles one below the other that are begun before the next column',
    },
  ],
  scan: [
    { name: 'lanes', choices: [1, 32, 64, 128, 256, 512, 1024], doc: 'threads that share a line' },
    { name: 'rows', choices: [1, 2, 4, 8, 16, 32, 64, 128, 256], doc: 'lines a block works on at once' },
    { name: 'items', choices: [1, 2, 4, 8], doc: 'neighbouring elements that a thread folds before lanes exchange' },
  ],
  window: [
    { name: 'block', choices: [64, 128, 256, 512, 1024], doc: 'threads a block' },
    {
      name: 'strip',
      choices: [1, 2, 4, 8, 16, 32, 64, 128],
      doc: 'outputs of a thread along the first windowed dimension',
    },
  ],
  sort: [{ name: 'block', choices: [32, 64, 128, 256, 512, 1024], doc: 'threads a line' }],
  recurrent: [
    { name: 'block', choices: [32, 64, 128, 256, 512, 1024], doc: 'threads a sequence' },
    { name: 'lanes', choices: [1, 2, 4, 8, 16, 32], doc: 'threads that share the products of a hidden unit' },
  ],
};

/** Limits that every CUDA GPU since compute capability 7.0 shares. */
const maxThreads = 1024;
const maxGridY = 65535;
/** Registers of a multiprocessor, the part of a thread's share of them that what it keeps between loops may take, and the most that is worth it. */
const registerFile = 65536;
const keptShare = 0.75;
const maxKept = 128;
const warp = 32;

/** What a target has beyond what every GPU since compute capability 7.0 has. */
export interface Hardware {
  /** Clusters of blocks (9.0). */
  clusters: boolean;
  /** Asynchronous copies to shared memory, and mma of 16 bits and tf32 (8.0). */
  asyncCopies: boolean;
  /** Products of four warps together, wgmma (9.0 and no other). */
  warpgroups: boolean;
  /** Shared memory that a block may have when it asks, bytes. */
  sharedBytes: number;
  /** Multiprocessors, and shared memory of each; none where the target is not known, and with it how many blocks may wait for each other. */
  sms: number;
  sharedBytesPerSm: number;
}

/** What every GPU since compute capability 7.0 has. */
const anyHardware: Hardware = {
  ...{ clusters: false, asyncCopies: false, warpgroups: false, sharedBytes: STATIC_SHARED },
  ...{ sms: 0, sharedBytesPerSm: 0 },
};

export function hardwareOf(target: GpuTarget): Hardware {
  const capability = Number(target.arch.replace(/\D/g, ''));
  return {
    clusters: capability >= 90,
    asyncCopies: capability >= 80,
    warpgroups: capability === 90,
    sharedBytes: target.sharedBytesPerBlock,
    sms: target.sms,
    sharedBytesPerSm: target.sharedBytesPerSm,
  };
}

/** What legality and defaults need to know of a group. Computed once an outline. */
export interface GroupFacts {
  families: readonly Family[];
  /** Elements of a map group, or products of a row group. */
  elements: number;
  map?: {
    vectors: readonly number[];
    /** Times that a large operand is walked over again. */
    repeats: number;
  };
  row?: {
    rows: number;
    length: number;
    vectors: readonly number[];
    /** Values kept between loops under registers or shared, and the most at once. */
    kept: number;
    keptAtOnce: number;
    online: boolean;
    /** Whether rows lie in two outer dimensions or more, of which blocks can take patches. */
    patches: boolean;
    /** Whether some read walks neighbouring elements along the row (else rows lie across memory). */
    alongMemory: boolean;
    /** Whether the target has clusters of blocks. */
    clusters: boolean;
    sharedBytes: (choice: RowKnobs) => number;
    /** How much of a row a team keeps, and how many blocks the target holds at once; absent where rows cannot be a team's. */
    team?: (choice: RowKnobs) => { parts: TeamParts; resident: number };
  };
  scan?: { rows: number; length: number; items: readonly number[]; alongMemory: boolean };
  window?: {
    /** Outputs along the dimension that strips follow (1: there is none), and lines of them. */
    length: number;
    columns: number;
    /** Slices under a window that the next one has, too. */
    overlap: number;
    across?: Across;
  };
  sort?: { length: number };
  recurrent?: { hidden: number };
  tile?: {
    m: number;
    n: number;
    k: number;
    batch: number;
    /** Of what is computed with. */
    elementBytes: number;
    /** Widest pack in which each operand can be read. */
    packs: { a: number; b: number };
    /** The second operand is a convolution's windows. */
    windows: boolean;
  };
  /** What tensor cores may multiply of it. */
  mma?: { arithmetics: readonly MmaKnobs['arithmetic'][]; layout: MmaLayout; hardware: Hardware };
}

export function groupFacts(
  program: Program,
  group: Group,
  stored: readonly number[],
  precision: PrecisionPolicy = 'fp32',
  hardware: Hardware = anyHardware,
): GroupFacts {
  const { dimensions } = group.structure;
  const elements = product(dimensions.map((dimension) => dimension.size));
  const [only] = group.steps;
  if (only?.kind === 'sort') return { families: ['sort'], elements, sort: { length: only.domain[only.axis]! } };
  if (only?.kind === 'recurrent') return { families: ['recurrent'], elements, recurrent: { hidden: only.hidden } };
  if (group.steps.some((step) => step.kind === 'scan')) {
    const plan = planScan(program, group, stored, new Preamble());
    const { rows, length } = plan;
    const scan = { rows, length, items: scanItems(plan), alongMemory: readsAlong(plan) };
    return { families: ['scan'], elements, scan };
  }
  if (!group.steps.some((step) => step.kind === 'reduce')) {
    const vectors = mapVectorWidths(program, group, stored, new Preamble());
    const repeats = mapRepeats(program, group, stored, new Preamble());
    return { families: ['map'], elements, map: { vectors, repeats } };
  }
  const plan = planRows(program, group, stored, { keep: 'registers', softmax: 'two-pass' }, new Preamble());
  const row: GroupFacts['row'] = {
    rows: plan.rows,
    length: plan.length,
    vectors: rowVectorWidths(plan, stored),
    kept: plan.kept,
    keptAtOnce: plan.keptAtOnce,
    online: hasOnlineForm(group),
    patches: takesPatches(plan.walk.outerSizes),
    alongMemory: readsAlong(plan),
    clusters: hardware.clusters,
    sharedBytes: (choice) => rowSharedBytes(plan, choice),
    team: canTeam(plan) && hardware.sms > 0 ? teamFacts(plan, hardware) : undefined,
  };
  if (isWindow(group)) return { families: ['row', 'window'], elements, row, window: windowFacts(group) };
  if (!isTileable(program, group)) return { families: ['row'], elements, row };
  const step = tileableContraction(program, group);
  const { m, n, k, batch } = step.contraction;
  const elementBytes = storage[program.values[step.outs[0]!]!.dtype].compute === 'double' ? 8 : 4;
  const { a, b } = step.contraction;
  const widestPack = (name: 'a' | 'b') =>
    [8, 4, 2].find((width) => packWidth(plan.context, step.contraction, name, width) === width) ?? 1;
  const packs = { a: widestPack('a'), b: widestPack('b') };
  const tile = { m, n, k, batch: product(batch), elementBytes, packs, windows: b.gather !== undefined };
  const arithmetics = tensorArithmetics(program.values[a.value]!.dtype, program.values[b.value]!.dtype, precision);
  if (arithmetics.length === 0) return { families: ['row', 'tile'], elements, row, tile };
  const layout = { a: liesAlongDepth(step.contraction, 'a'), b: liesAlongDepth(step.contraction, 'b') };
  const mma = { arithmetics, layout, hardware };
  // Windows are computed element by element, which copies of 16 bytes cannot serve; and of float in two parts of tf32 wgmma alone reads both in shared memory.
  const pipelined =
    hardware.asyncCopies && !tile.windows && (hardware.warpgroups || arithmetics.some((own) => own !== 'tf32x3'));
  return { families: ['row', 'tile', 'mma', ...(pipelined ? (['pipeline'] as const) : [])], elements, row, tile, mma };
}

/** Whether blocks can exchange a row's folds through global memory: plain floats, and what is kept too. */
function canTeam({ context, loops }: RowPlan): boolean {
  return loops.every(
    ({ folds, keeps }) =>
      folds.every(
        ({ fold, input }) => foldForms[fold].fields.length === 1 && context.computeType(input.value) === 'float',
      ) && keeps.every(({ type }) => type === 'float'),
  );
}

/** Shared memory that the system takes of each block. */
const reservedShared = 1024;

function teamFacts(
  plan: RowPlan,
  { sms, sharedBytes, sharedBytesPerSm }: Hardware,
): NonNullable<GroupFacts['row']>['team'] {
  const slots = slotsOf(plan).count;
  return (choice) => {
    const parts = teamParts(plan.length, slots, choice);
    const bytes = parts.sharedBytes + rowSharedBytes(plan, choice);
    const perSm = Math.min(teamBlocksPerSm(choice), Math.floor(sharedBytesPerSm / (bytes + reservedShared)));
    return { parts, resident: bytes > sharedBytes ? 0 : sms * perSm };
  };
}

/** What tensor cores may multiply of operands of these types under a policy, the fastest first. */
function tensorArithmetics(a: DType, b: DType, precision: PrecisionPolicy): MmaKnobs['arithmetic'][] {
  if (a !== b) return [];
  if (a === 'float16' || a === 'bfloat16') return ['half'];
  if (a !== 'float32') return [];
  return precision === 'fp32' ? ['tf32x3'] : ['tf32', 'tf32x3'];
}

/** Whether a grid can have a dimension for each of the last two outer ones, and one for the rest. */
function takesPatches(outer: readonly number[]): boolean {
  return outer.length >= 2 && outer.at(-2)! <= maxGridY && product(outer.slice(0, -2)) <= maxGridY;
}

/** Whether some access walks neighbouring elements along a row. */
function readsAlong({ accesses, walk }: Pick<RowPlan, 'accesses' | 'walk'>): boolean {
  return accesses.all().some((access) => Math.abs(walk.innermostStride(access)) === 1);
}

/** Why a choice is not legal for a group, or undefined when it is. */
export function illegal(facts: GroupFacts, choice: KernelChoice): string | undefined {
  if (!facts.families.includes(choice.family)) return `the group has no ${choice.family} form`;
  switch (choice.family) {
    case 'map':
      return illegalMap(facts.map!, choice);
    case 'row':
      return illegalRow(facts.row!, choice);
    case 'tile':
      return illegalTile(facts.tile!, choice);
    case 'mma':
      return illegalMma(facts, choice);
    case 'pipeline':
      return illegalPipeline(facts, choice);
    case 'scan':
      return illegalScan(facts.scan!, choice);
    case 'window':
      return illegalWindow(facts.window!, choice);
    case 'sort':
      return choice.block > facts.sort!.length && choice.block > warp
        ? 'more threads than a line has elements'
        : undefined;
    case 'recurrent': {
      const units = choice.block / choice.lanes;
      if (units < 1) return 'more threads a unit than a block has';
      return units >= 2 * Math.max(warp, facts.recurrent!.hidden) ? 'more threads than hidden units need' : undefined;
    }
  }
}

function illegalScan(facts: NonNullable<GroupFacts['scan']>, choice: ScanKnobs): string | undefined {
  const { lanes, rows, items } = choice;
  if (lanes * rows > maxThreads) return `${lanes * rows} threads a block`;
  if (rows > 1 && rows > 2 * facts.rows) return 'more lines a block than there are';
  if (lanes === 1 && items > 1) return 'one lane a line reads element by element';
  if (!facts.items.includes(items)) return `${items} neighbours do not divide a line, or are too wide for one read`;
  if (lanes > 1 && lanes * items >= 2 * Math.max(warp * items, facts.length))
    return 'more lanes than a line has elements';
  if (scanSharedBytes(choice) > STATIC_SHARED) return 'more than 48 KiB of shared memory';
  return undefined;
}

function illegalWindow(facts: NonNullable<GroupFacts['window']>, choice: WindowKnobs): string | undefined {
  const { length, across } = facts;
  const { block, strip } = choice;
  if (strip > 1 && strip >= 2 * length) return 'a strip longer than the outputs are';
  if (Math.ceil(length / strip) > maxGridY) return 'a grid of more than 65535 blocks';
  if (choice.across === 'shared') {
    if (!across) return 'columns are folded along one dimension';
    if (across.reach >= block) return 'a window wider than a block';
  }
  return undefined;
}

function illegalMap(facts: NonNullable<GroupFacts['map']>, choice: MapKnobs): string | undefined {
  if (!facts.vectors.includes(choice.vector))
    return `packs of ${choice.vector} are not aligned or do not divide the rows`;
  return undefined;
}

function illegalRow(facts: NonNullable<GroupFacts['row']>, choice: RowKnobs): string | undefined {
  const { lanes, rows, order, vector, keep, combine, softmax, patch, cluster, team, room } = choice;
  const threads = lanes * rows;
  if (threads > maxThreads) return `${threads} threads a block`;
  if (!facts.vectors.includes(vector)) return `packs of ${vector} are not aligned or do not divide the rows`;
  if (rows > 1 && rows > 2 * facts.rows) return 'more rows a block than there are';
  if (lanes > 1 && lanes * cluster * team >= 2 * Math.ceil(facts.length / vector))
    return 'more lanes than a row has packs';
  if (cluster > 1) {
    if (!facts.clusters) return 'the target has no clusters of blocks';
    if (lanes < warp || rows > 1 || order !== 'lanes' || combine !== 'shuffle' || keep === 'shared')
      return 'a cluster shares one row, in whole warps, kept in registers or nowhere';
  }
  if (team > 1) {
    const why = illegalTeam(facts, choice);
    if (why) return why;
  } else if (room > 0) return 'room is for teams';
  if (lanes === 1 && (vector > 1 || keep !== 'reload')) return 'one lane a row reads element by element';
  if (lanes > 1 && combine === 'shuffle') {
    if (order === 'rows') return 'shuffles need the lanes of a row next to each other';
    if (threads % warp !== 0) return 'shuffles need whole warps';
  }
  if (order === 'rows' && (vector > 1 || rows === 1 || lanes === 1))
    return 'rows across memory: several rows, lanes and no packs';
  if (lanes === 1 && order === 'rows') return 'one lane a row has one order';
  if (patch > 1 && (lanes > 1 || rows % patch !== 0 || !facts.patches)) return 'no patches of rows';
  if (keep !== 'reload' && facts.kept === 0) return 'nothing is used in two loops';
  if (keep === 'registers' && team === 1) {
    const kept = Math.ceil(facts.length / (lanes * cluster * vector)) * vector * facts.keptAtOnce;
    if (kept > Math.min(maxKept, (keptShare * registerFile) / threads)) return 'the row does not fit registers';
  }
  if (keep === 'shared' && order === 'rows') return 'shared rows are laid out for lanes along memory';
  if (facts.sharedBytes(choice) > STATIC_SHARED) return 'more than 48 KiB of shared memory';
  if (softmax === 'online' && !facts.online) return 'no maximum with a sum of exponentials';
  return undefined;
}

function illegalTeam({ team: of, kept }: NonNullable<GroupFacts['row']>, choice: RowKnobs): string | undefined {
  const { lanes, rows, order, keep, combine, softmax, cluster, team, room } = choice;
  if (!of) return 'blocks that wait for each other exchange plain floats, on a target that is known';
  if (lanes < warp || rows > 1 || cluster > 1 || order !== 'lanes' || combine !== 'shuffle' || softmax !== 'two-pass')
    return 'a team shares one row, in whole warps, that are no cluster';
  if (keep === 'reload' || kept === 0) return 'a team keeps a part of its row';
  if (keep === 'shared' && room === 0) return 'no room to keep a row in';
  const { parts, resident } = of(choice);
  if (parts.kept === 0) return 'not a pack of the row is kept';
  if (room > 0 && parts.sharedBytes === 0) return 'room that is not used';
  return team > resident ? `${team} blocks wait for each other, and the target holds ${resident} at once` : undefined;
}

function illegalTile(facts: NonNullable<GroupFacts['tile']>, choice: TileKnobs): string | undefined {
  const { blockM, blockN, blockK, threadM, threadN, vector, fragment } = choice;
  const threads = tileThreads(choice);
  if (threads > maxThreads || threads < warp || threads % warp !== 0) return `${threads} threads a block`;
  if (threadM % fragment !== 0 || threadN % fragment !== 0) return 'fragments do not divide the thread tile';
  if ((blockM * blockK) % (threads * vector) !== 0 || (blockN * blockK) % (threads * vector) !== 0)
    return 'threads do not divide the tiles evenly';
  if (blockK % vector !== 0) return 'packs do not divide the tile depth';
  if (vector > Math.max(facts.packs.a, facts.packs.b)) return 'no operand can be read in such packs';
  if (fragment * facts.elementBytes > 16) return 'fragments wider than 16 bytes';
  if (tileSharedBytes(choice, facts.elementBytes) > STATIC_SHARED) return 'more than 48 KiB of shared memory';
  if (Math.ceil(facts.m / blockM) > maxGridY || facts.batch > maxGridY) return 'a grid of more than 65535 blocks';
  // Sums, fragments and prefetched reads live in registers; beyond this they spill.
  const registers =
    threadM * threadN + threadM + threadN + (choice.stages === 2 ? ((blockM + blockN) * blockK) / threads : 0);
  if (registers * (facts.elementBytes / 4) > 160) return 'more values a thread than registers';
  return undefined;
}

function illegalMma({ tile, mma }: GroupFacts, choice: MmaKnobs): string | undefined {
  const { blockM, blockN, blockK, warpM, warpN, vector } = choice;
  if (!mma!.arithmetics.includes(choice.arithmetic)) return `${choice.arithmetic} is not for these operands`;
  const threads = mmaThreads(choice);
  if (blockM % warpM !== 0 || blockN % warpN !== 0) return 'warps do not divide the block';
  if (threads > maxThreads) return `${threads} threads a block`;
  if (blockK % mmaDepth(choice) !== 0) return 'the tiles are no whole fragments deep';
  if ((blockM * blockK) % (threads * vector) !== 0 || (blockN * blockK) % (threads * vector) !== 0)
    return 'threads do not divide the tiles evenly';
  if (blockK % vector !== 0) return 'packs do not divide the tile depth';
  if (vector > Math.max(tile!.packs.a, tile!.packs.b)) return 'no operand can be read in such packs';
  const shared = illegalShared(mmaSharedBytes(mma!.layout, choice), mma!.hardware.sharedBytes);
  if (shared) return shared;
  if (Math.ceil(tile!.m / blockM) > maxGridY || tile!.batch > maxGridY) return 'a grid of more than 65535 blocks';
  // Fragments of sums and operands, and what is read ahead.
  const parts = choice.arithmetic === 'tf32x3' ? 2 : 1;
  const perWord = choice.arithmetic === 'half' ? 2 : 1;
  const registers =
    (warpM * warpN) / warp +
    (parts * (warpM + warpN) * mmaDepth(choice)) / warp / perWord +
    ((blockM + blockN) * blockK) / threads / perWord;
  return registers > 208 ? 'more values a thread than registers' : undefined;
}

/** Registers of a thread that hold neither sums nor fragments: addresses, places of copies, predicates. */
const pipelineBookkeeping = 24;

function illegalPipeline({ tile, mma }: GroupFacts, choice: PipelineKnobs): string | undefined {
  const { blockM, blockN, blockK, warpM, warpN, group } = choice;
  if (!mma!.arithmetics.includes(choice.arithmetic)) return `${choice.arithmetic} is not for these operands`;
  if (blockM % warpM !== 0 || blockN % warpN !== 0) return 'warps do not divide the block';
  const threads = pipelineThreads(choice);
  if (threads > maxThreads) return `${threads} threads a block`;
  if (blockK % pipelineDepth(choice) !== 0) return 'the tiles are no whole fragments deep';
  if (choice.unit === 'warp' && inTwoParts(choice)) return 'two parts of tf32 are for wgmma';
  if (choice.unit === 'warpgroup') {
    const why = illegalWarpgroups(mma!, choice);
    if (why) return why;
  }
  const tiles = planTiles(mma!.layout, tile!.packs, choice);
  if (typeof tiles === 'string') return tiles;
  const shared = illegalShared(pipelineSharedBytes(tiles.a, tiles.b, choice), mma!.hardware.sharedBytes);
  if (shared) return shared;
  const tilesM = Math.ceil(tile!.m / blockM);
  if (tilesM % group !== 0) return 'groups do not divide the rows of tiles';
  const rows = group === 1 ? tilesM : Math.ceil(tile!.n / blockN) * (tilesM / group);
  if (rows > maxGridY || tile!.batch > maxGridY) return 'a grid of more than 65535 blocks';
  const together = choice.unit === 'warpgroup';
  const registers = (warpM * warpN) / (together ? 4 * warp : warp) + (together ? 0 : warpM / 4) + pipelineBookkeeping;
  return registers > Math.min(255, registerFile / threads) ? 'more values a thread than registers' : undefined;
}

/** What wgmma asks for: rows of 128 bytes in shared memory, and 64 rows of the output at a time. */
function illegalWarpgroups(
  { hardware, layout }: NonNullable<GroupFacts['mma']>,
  choice: PipelineKnobs,
): string | undefined {
  const { arithmetic, blockK, warpM, warpN, stages } = choice;
  if (!hardware.warpgroups) return 'the target has no wgmma';
  if (blockK * pipelineElementBytes(choice) !== PANEL) return 'wgmma reads tiles 128 bytes deep here';
  if (warpM % GROUP_ROWS !== 0) return 'a warpgroup makes 64 rows at a time';
  if (arithmetic === 'half' && !layout.b && warpN % 64 !== 0) return 'wgmma reads columns across k in panels of 64';
  // Tiles in two parts fill the shared memory twice as fast: larger ones pay for waiting at the end of a step.
  return stages < 3 && !inTwoParts(choice) ? 'wgmma needs three pairs of tiles, as two are in use' : undefined;
}

/** `most`: what a block of the target may have. */
function illegalShared(bytes: number, most: number): string | undefined {
  return bytes > most ? `more than ${most / 1024} KiB of shared memory` : undefined;
}
