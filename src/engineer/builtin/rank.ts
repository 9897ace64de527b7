/**
 * Which tiles are worth judging first: the time of a product under a choice, from sizes alone. Nothing is compiled or run for it.
 *
 * For each resource the time at the target's rates, as the vgpu room's model has it: multiply-adds on the pipe or the tensor cores, instructions
 * issued, passes through shared memory, what blocks read from the L2, compulsory traffic with the memory, steps that wait; the busiest multiprocessor's,
 * as blocks are dealt whole. The estimate is the 4-norm of them. It orders choices; it is not a time for people.
 */
import { defaultConstants, type GpuTarget, occupancy } from '../../vgpu/index.ts';
import { type GroupFacts, illegal, knobs } from './knobs.ts';
import { type MmaKnobs, mmaDepth, mmaSharedBytes, mmaThreads } from './lower/emit/mma-kernel.ts';
import type { TileShape } from './lower/emit/operand-tile.ts';
import {
  inTwoParts,
  type PipelineKnobs,
  pipelineDepth,
  pipelineElementBytes,
  pipelineSharedBytes,
  pipelineThreads,
  planTiles,
} from './lower/emit/pipeline-plan.ts';
import { type TileKnobs, tileSharedBytes, tileThreads } from './lower/emit/tile-kernel.ts';
import type { KernelChoice } from './lower/index.ts';

/** Registers a thread needs beside its values: addresses, indices, predicates. */
const BOOKKEEPING = 36;
/** Integer instructions that place one read of a window: its coordinates, the test, the address. */
const WINDOW_INSTRUCTIONS = 24;
/** Cycles of a step of the main loop that nothing hides where one block is alone on its multiprocessor: two barriers, the first reads of a tile. */
const STEP_CYCLES = 120;

/** What one block of a choice demands and does; counts are per step of the main loop and warp unless they say otherwise. */
interface BlockWork {
  threads: number;
  registers: number;
  sharedBytes: number;
  blockM: number;
  blockN: number;
  blockK: number;
  /** Cycles of an SM for the multiply-adds of a step of a block. */
  mathCycles: number;
  /** Warp instructions of a step of a block. */
  instructions: number;
  /** Passes through shared memory of a step of a block. */
  passes: number;
  /** Cycles of an SM for conversions of a step of a block, where they count. */
  conversionCycles?: number;
}

/** The choice of a form of kernel for a product. */
export type ProductChoice = Extract<KernelChoice, { family: 'tile' | 'mma' | 'pipeline' }>;

/** Seconds, roughly; Infinity for what does not fit an SM. */
export function estimateProduct(facts: GroupFacts, choice: ProductChoice, target: GpuTarget): number {
  const { m, n, k, batch, elementBytes, windows } = facts.tile!;
  const work = workOf(facts, choice, target);
  const fit = occupancy({ threads: work.threads, registers: work.registers, sharedBytes: work.sharedBytes }, target);
  if (fit.blocksPerSm === 0) return Infinity;
  const blocks = Math.ceil(m / work.blockM) * Math.ceil(n / work.blockN) * batch;
  const steps = Math.ceil(k / work.blockK);
  const { sms, clockHz } = target;
  const share = Math.ceil(blocks / sms);
  const onSm = (cycles: number) => (cycles * steps * share) / clockHz;
  const bytes = choice.family !== 'tile' && choice.arithmetic === 'half' ? 2 : elementBytes;
  const fromL2 = blocks * (work.blockM + work.blockN * (windows ? 1.25 : 1)) * k * bytes;
  // Windows overlap: how much of the tensor under them is new, sizes do not say.
  const unique = batch * (m * k + (windows ? 0 : k * n) + m * n) * bytes;
  const waves = Math.ceil(blocks / (sms * fit.blocksPerSm));
  const resources = [
    onSm(work.mathCycles),
    onSm(work.instructions / 4 / defaultConstants.issue),
    onSm(work.passes / defaultConstants.issue),
    onSm((work.conversionCycles ?? 0) / defaultConstants.issue),
    (fromL2 + batch * m * n * bytes) / (target.l2Bandwidth * defaultConstants.l2),
    unique / (target.memoryBandwidth * defaultConstants.memory),
    (waves * steps * (STEP_CYCLES + target.latency.memory / defaultConstants.memoryParallelism)) / clockHz,
  ];
  return resources.reduce((sum, seconds) => sum + seconds ** 4, 0) ** 0.25 + target.launchSeconds;
}

function workOf(facts: GroupFacts, choice: ProductChoice, target: GpuTarget): BlockWork {
  switch (choice.family) {
    case 'tile':
      return tileWork(facts, choice, target);
    case 'mma':
      return mmaWork(facts, choice, target);
    case 'pipeline':
      return pipelineWork(facts, choice, target);
  }
}

/** Reads of a tile's share, conversions and writes to shared memory, warp instructions of a block's step. */
function fillInstructions({ tile }: GroupFacts, { blockM, blockN, blockK, vector }: TileShape): number {
  const { packs, windows } = tile!;
  const readsOf = (block: number, widest: number) => (block * blockK) / 32 / Math.min(vector, widest);
  const [ofA, ofB] = [readsOf(blockM, packs.a), readsOf(blockN, packs.b)];
  return 8 * ofA + (windows ? WINDOW_INSTRUCTIONS : 8) * ofB;
}

function tileWork(facts: GroupFacts, choice: TileKnobs, target: GpuTarget): BlockWork {
  const { blockM, blockN, blockK, threadM, threadN, fragment, stages } = choice;
  const { elementBytes } = facts.tile!;
  const threads = tileThreads(choice);
  const warps = threads / 32;
  const words = elementBytes / 4;
  const elements = (blockM + blockN) * blockK;
  const reads = (threadM + threadN) / fragment;
  const fused = threadM * threadN * blockK * warps;
  return {
    ...{ threads, blockM, blockN, blockK },
    registers: BOOKKEEPING + words * (threadM * threadN + threadM + threadN + (stages === 2 ? elements / threads : 0)),
    sharedBytes: tileSharedBytes(choice, elementBytes),
    mathCycles: (fused * 32) / (target.lanesPerClock.fp32 / (words === 1 ? 1 : 2)) / defaultConstants.issue,
    instructions: fused + warps * blockK * reads + fillInstructions(facts, choice),
    // A wide read takes a pass for each 128 bytes that its lanes do not share; the writes of a tile are scattered where it lies along k.
    passes: warps * blockK * reads * fragment * 0.5 * words + (elements / 32) * words * 2,
  };
}

function mmaWork(facts: GroupFacts, choice: MmaKnobs, target: GpuTarget): BlockWork {
  const { blockM, blockN, blockK, warpM, warpN, arithmetic } = choice;
  const threads = mmaThreads(choice);
  const warps = threads / 32;
  const exact = arithmetic === 'tf32x3';
  const parts = exact ? 2 : 1;
  const bytes = arithmetic === 'half' ? 2 : 4;
  const elements = (blockM + blockN) * blockK;
  const depth = mmaDepth(choice);
  const products = (exact ? 3 : 1) * (warpM / 16) * (warpN / 16) * (blockK / depth) * warps;
  const fragments = parts * ((warpM + warpN) / 16) * (blockK / depth) * warps;
  const rate = (arithmetic === 'half' ? target.flops.fp16 : target.flops.tf32) / (target.sms * target.clockHz);
  const converted = arithmetic === 'half' ? 0 : (parts * elements) / 32;
  const values =
    (warpM * warpN) / 32 + (parts * (warpM + warpN) * depth * bytes) / 128 + (elements * bytes) / 4 / threads;
  return {
    ...{ threads, blockM, blockN, blockK },
    registers: Math.min(255, BOOKKEEPING + values),
    sharedBytes: mmaSharedBytes(facts.mma!.layout, choice),
    mathCycles: (products * 2 * 16 * 16 * depth) / rate / defaultConstants.tensor,
    instructions: products + fragments + 2 * converted + fillInstructions(facts, choice),
    passes: fragments * ((16 * depth * bytes) / 128) + 1.5 * ((parts * elements * bytes) / 128),
  };
}

/** Instructions of a thread for a piece of 16 bytes that goes through its registers: where it comes from and goes to, and what cuts it out of two packs. */
const CARRY_INSTRUCTIONS = 12;
const CUT_INSTRUCTIONS = 24;

function pipelineWork(facts: GroupFacts, choice: PipelineKnobs, target: GpuTarget): BlockWork {
  const { blockM, blockN, blockK, warpM, warpN, arithmetic } = choice;
  const { packs } = facts.tile!;
  const threads = pipelineThreads(choice);
  const together = choice.unit === 'warpgroup';
  const units = threads / (together ? 128 : 32);
  const bytes = pipelineElementBytes(choice);
  const parts = blockK / pipelineDepth(choice);
  // Of float in two parts three products are made, and both parts are put into shared memory.
  const [times, copies] = inTwoParts(choice) ? [3, 2] : [1, 1];
  const products = times * (warpM / 16) * (warpN / 8) * parts * units;
  const { layout } = facts.mma!;
  const { warpgroup, tensor } = defaultConstants;
  // Four registers of fragments are one ldmatrix, or four reads where a tile of tf32 lies across k.
  const readsOf = (along: boolean, outer: number) =>
    (outer / 16) * parts * units * (along || arithmetic === 'half' ? 1 : 4);
  const reads = readsOf(layout.a, warpM) + readsOf(layout.b, warpN);
  const fragments = ((warpM + warpN) / 16) * parts * units;
  const tiles = planTiles(layout, packs, choice);
  const fills = (own: 'a' | 'b', block: number): number => {
    if (typeof tiles === 'string' || tiles[own].way === 'copies') return 4 * (block / packs[own]) * (blockK / 32);
    const each =
      CARRY_INSTRUCTIONS + (arithmetic === 'half' ? 0 : 4) + (packs[own] * bytes < 16 ? CUT_INSTRUCTIONS : 0);
    return (copies * each * block * blockK * bytes) / 16 / 32;
  };
  const rate = (arithmetic === 'half' ? target.flops.fp16 : target.flops.tf32) / (target.sms * target.clockHz);
  // Each register of a fragment is rounded by itself, for every warp that reads it; what wgmma reads is rounded once.
  const conversions = arithmetic === 'half' ? 0 : together ? (copies * (blockM + blockN) * blockK) / 32 : 4 * fragments;
  return {
    ...{ threads, blockM, blockN, blockK },
    registers: Math.min(
      255,
      BOOKKEEPING + (warpM * warpN) / (together ? 128 : 32) + (together ? 0 : (warpM + warpN) / 4),
    ),
    sharedBytes: typeof tiles === 'string' ? Infinity : pipelineSharedBytes(tiles.a, tiles.b, choice),
    mathCycles: (products * 2 * 16 * 8 * pipelineDepth(choice)) / rate / (together ? warpgroup : tensor),
    // A product of a warpgroup is one instruction of each of its warps, and reads both operands itself.
    instructions:
      (together ? times * (warpM / 64) * parts * units * 4 : products + reads) +
      fills('a', blockM) +
      fills('b', blockN),
    passes:
      4 * (together ? (times * (warpM / 64) * (64 + warpN) * parts * units) / 16 : fragments) +
      (copies * (blockM + blockN) * blockK * bytes) / 128,
    conversionCycles: (conversions * 32) / target.lanesPerClock.special,
  };
}

/** The legal tiles of a group, best estimate first: at most `most`, the best for each shape of block. */
export function rankedProducts(facts: GroupFacts, target: GpuTarget, most: number): KernelChoice[] {
  const found: { choice: ProductChoice; seconds: number }[] = [];
  for (const family of ['pipeline', 'mma', 'tile'] as const) {
    if (!facts.families.includes(family)) continue;
    for (const choice of combinations(family, facts)) {
      if (illegal(facts, choice) !== undefined) continue;
      found.push({ choice, seconds: estimateProduct(facts, choice, target) });
    }
  }
  const best = new Map<string, KernelChoice>();
  for (const { choice, seconds } of found.sort((x, y) => x.seconds - y.seconds)) {
    const { blockM, blockN } = choice;
    const shape = `${choice.family} ${blockM} ${blockN}`;
    if (seconds < Infinity && best.size < most && !best.has(shape)) best.set(shape, choice);
  }
  return [...best.values()];
}

function* combinations(family: ProductChoice['family'], { tile, mma }: GroupFacts): Generator<ProductChoice> {
  const names = knobs[family].filter(({ name }) => name !== 'fragment');
  // As wide as can be is best for these, or nearly: they need no search.
  const { a, b } = tile!.packs;
  const few: Readonly<Record<string, readonly (number | string)[]>> = {
    vector: [...new Set([Math.max(a, b), 1])],
    arithmetic: mma?.arithmetics ?? [],
    // The order of blocks is what the model knows least of: it is left to evolution.
    group: [1],
  };
  function* from(index: number, chosen: Record<string, number | string>): Generator<ProductChoice> {
    const knob = names[index];
    if (!knob) {
      const { threadM, threadN } = chosen as { threadM?: number; threadN?: number };
      const fragment = threadM && threadN ? Math.min(4, threadM, threadN) : undefined;
      yield { family, ...chosen, ...(fragment && { fragment }) } as unknown as ProductChoice;
      return;
    }
    for (const value of few[knob.name]?.filter((own) => knob.choices.includes(own)) ?? knob.choices) {
      chosen[knob.name] = value;
      yield* from(index + 1, chosen);
    }
  }
  yield* from(0, {});
}
