/**
 * Teams: blocks that share a row and exchange its folds through global memory, waiting for each other there.
 *
 * What no block or cluster can keep, a GPU's multiprocessors together may: each block of a team keeps its part of the row, first in registers, then in
 * shared memory, and reads only what is left over once more. Blocks take their places by counting themselves as they begin. So those with lower numbers have
 * begun whatever the order in which the GPU deals blocks out: of all resident blocks only the last team's wait for blocks that have not begun, and
 * these find room as long as the GPU can hold one whole team. (That is how scans in one pass order their blocks: Merrill and Garland, "Single-pass
 * Parallel Prefix Scan with Decoupled Look-back", NVIDIA NVR-2016-002, 2016.) It needs no cooperative launch, and teams overlap.
 */

import type { FoldText } from './fold-text.ts';
import type { Preamble, Scratch } from './kernel-context.ts';
import type { RowKnobs, RowPlan } from './row-plan.ts';
import type { CodeWriter } from './writer.ts';

/** Values that a thread keeps in registers, at most. */
const KEPT_IN_REGISTERS = 32;
/** Threads that a multiprocessor is to hold, which bounds their registers: 64 each where these keep a part of the row, else 40. */
const THREADS_WITH_REGISTERS = 1024;
const THREADS_WITHOUT = 1536;

/** Blocks that registers and threads let a multiprocessor hold, which the kernel promises to the compiler. */
export function teamBlocksPerSm({ keep, lanes }: RowKnobs): number {
  return Math.floor((keep === 'registers' ? THREADS_WITH_REGISTERS : THREADS_WITHOUT) / lanes);
}

/** Where a lane's packs of a row are between loops: the first so many in registers, up to the next in shared memory, the rest nowhere. */
export interface TeamParts {
  items: number;
  inRegisters: number;
  /** Registers' and shared memory's. */
  kept: number;
  /** Shared memory for them, bytes. */
  sharedBytes: number;
}

/** A value kept between loops lies where an earlier one lay that is not needed any more. */
export interface Slots {
  of: ReadonlyMap<string, number>;
  count: number;
}

export function slotsOf({ loops }: Pick<RowPlan, 'loops'>): Slots {
  const of = new Map<string, number>();
  const lastUse = (key: string) => loops.findLastIndex(({ uses }) => uses.some((use) => use.key === key));
  const freeFrom: number[] = [];
  loops.forEach(({ keeps }, made) => {
    for (const { key } of keeps) {
      const free = freeFrom.findIndex((loop) => loop <= made);
      const slot = free < 0 ? freeFrom.length : free;
      freeFrom[slot] = lastUse(key);
      of.set(key, slot);
    }
  });
  return { of, count: freeFrom.length };
}

/** How much of rows of this length a team keeps, and where. */
export function teamParts(length: number, slots: number, knobs: RowKnobs): TeamParts {
  const { lanes, team, vector, keep, room } = knobs;
  const items = Math.ceil(length / (lanes * team * vector));
  const registers = keep === 'registers' ? Math.floor(KEPT_IN_REGISTERS / (vector * slots)) : 0;
  const inRegisters = Math.min(items, registers);
  const bytesOfItem = lanes * vector * slots * 4;
  const inShared = Math.min(items - inRegisters, Math.floor((room * 1024) / bytesOfItem));
  return { items, inRegisters, kept: inRegisters + inShared, sharedBytes: inShared * bytesOfItem };
}

/** What a team's kernel needs beside its tensors: the count of blocks that have begun, those that have come to each meeting, and blocks' folds. */
export function teamScratch({ rows, loops, context }: RowPlan, team: number): Scratch[] {
  const folds = loops.flatMap((loop) => loop.folds);
  return [
    { name: 'arrived', type: 'int', elements: 1 + rows * folds.length, zero: true },
    ...folds.map((step) => ({
      ...{ name: partsOf(context.value(step.outs[0]!).name), type: 'float' as const, elements: rows * team },
      zero: false,
    })),
  ];
}

const partsOf = (fold: string): string => `${fold}_of_blocks`;

/** Declares a block's rank in its team, its row, and its lanes' numbers among all that share the row. */
export function writeTeamPlaces(body: CodeWriter, indexType: string, { lanes, team }: RowKnobs): void {
  body.line(
    '// Blocks count themselves as they begin: those that one waits for have begun before it, or find room beside it.',
  );
  body.line('__shared__ int ticket;');
  body.line('if (threadIdx.x == 0) ticket = atomicAdd(arrived, 1);');
  body.line('__syncthreads();');
  body.line(`const int lane = ticket % ${team} * ${lanes} + threadIdx.x;  // of all that share the row`);
  body.line(`const ${indexType} row = ticket / ${team};`);
}

/** The blocks of a team exchange a fold, which all threads of each have of their block; all end with that of the whole row. `fold` of `folds`: which of the row's. */
export function writeTeamExchange(
  body: CodeWriter,
  preamble: Preamble,
  names: { value: string; state: string; fold: number; folds: number },
  text: FoldText,
  team: number,
): void {
  const { value, state, fold, folds } = names;
  const parts = partsOf(value);
  preamble.require('meet', MEET);
  body.line(`__shared__ ${text.state} ${value}_of_row;`);
  body.line(`if (threadIdx.x == 0) ${parts}[ticket] = ${state};`);
  body.line(`meet(arrived + 1 + row * ${folds}${fold === 0 ? '' : ` + ${fold}`}, ${team});`);
  body.open('if (threadIdx.x < 32) {  // one warp folds what the blocks have, in their order');
  body.line(`${state} = ${text.neutral};`);
  body.line(
    `for (int part = threadIdx.x; part < ${team}; part += 32) ${state} = ${text.merge}(${state}, __ldcg(&${parts}[row * ${team} + part]));`,
  );
  body.line(`${state} = ${text.acrossLanes}<32>(${state});`);
  body.line(`if (threadIdx.x == 0) ${value}_of_row = ${state};`);
  body.close();
  body.line('__syncthreads();');
  body.line(`${state} = ${value}_of_row;`);
}

const MEET = `// Waits until so many blocks have come here. What the first thread of each has written before, all threads of all of them see afterwards.
__device__ __forceinline__ void meet(int* arrived, int blocks) {
  if (threadIdx.x == 0) {
    __threadfence();
    atomicAdd(arrived, 1);
    while (*static_cast<volatile int*>(arrived) < blocks) {
    }
    __threadfence();
  }
  __syncthreads();
}`;
