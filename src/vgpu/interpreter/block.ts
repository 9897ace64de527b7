/** One resident thread block: its warps, its memory areas, its barriers, its asynchronous copies. */
import type { Dim3 } from '../types.ts';
import type { AsyncCopies } from './async-copy.ts';
import type { BulkGroups } from './bulk-groups.ts';
import type { Cluster } from './cluster.ts';
import type { Arrival } from './happens-before.ts';
import type { Warp } from './warp.ts';
import { popcount } from './warp.ts';

/** Lanes of one warp that wait at a barrier, and how to give them the reduction's result. */
export interface BarrierWait {
  readonly warp: Warp;
  readonly mask: number;
  /** Index of the barrier instruction. */
  readonly site: number;
  readonly deliver: ((warp: Warp, mask: number, result: BarrierResult) => void) | undefined;
}

export interface BarrierResult {
  readonly count: number;
  readonly all: boolean;
  readonly any: boolean;
}

interface BarrierState {
  arrived: number;
  /** Threads that complete it; 0: all that live. */
  expected: number;
  trueCount: number;
  predicates: number;
  arrivals: Arrival[];
  waits: BarrierWait[];
}

/** A barrier that has let its threads go. */
export interface Completed {
  readonly arrivals: readonly Arrival[];
  readonly waits: readonly BarrierWait[];
}

export class Block {
  /** Linear index in the grid. */
  readonly index: number;
  readonly position: Dim3;
  readonly sharedBase: number;
  readonly localBase: number;
  readonly warps: Warp[] = [];
  readonly barriers = new Map<number, BarrierState>();
  /** Threads that have not exited. */
  live: number;
  /** By warpgroup: the instruction at which its warps gather, and the lanes of each that have come. */
  readonly gathering = new Map<number, { readonly pc: number; readonly lanes: number[] }>();
  copies: AsyncCopies | undefined;
  bulk: BulkGroups | undefined;
  readonly cluster: Cluster;
  /** Place among the cluster's blocks. */
  readonly rank: number;
  /** Slot among the resident blocks, whose memory areas it uses. */
  readonly slot: number;

  constructor(
    place: Pick<Block, 'index' | 'position' | 'cluster' | 'rank'>,
    threads: number,
    areas: Pick<Block, 'slot' | 'sharedBase' | 'localBase'>,
  ) {
    this.index = place.index;
    this.position = place.position;
    this.cluster = place.cluster;
    this.rank = place.rank;
    this.live = threads;
    this.slot = areas.slot;
    this.sharedBase = areas.sharedBase;
    this.localBase = areas.localBase;
  }

  get finished(): boolean {
    return this.live === 0;
  }

  hasPendingCopyTo(physical: number, bytes: number): boolean {
    return (this.copies?.touches(physical, bytes) ?? false) || this.cluster.hasWriteTo(physical, bytes);
  }

  barrier(id: number): BarrierState {
    let state = this.barriers.get(id);
    if (state === undefined) {
      state = { arrived: 0, expected: 0, trueCount: 0, predicates: 0, arrivals: [], waits: [] };
      this.barriers.set(id, state);
    }
    return state;
  }

  /** Counts an arrival; the barrier, when that completes it. */
  arrive(
    id: number,
    arrival: Arrival,
    expected: number,
    wait: BarrierWait | undefined,
    trueMask: number | undefined,
  ): Completed | undefined {
    const state = this.barrier(id);
    const { mask } = arrival;
    state.arrivals.push(arrival);
    state.arrived += popcount(mask);
    if (expected !== 0) state.expected = expected;
    if (trueMask !== undefined) {
      state.trueCount += popcount(trueMask & mask);
      state.predicates += popcount(mask);
    }
    if (wait !== undefined) state.waits.push(wait);
    return this.#complete(id, state);
  }

  /** Called when threads exit: barriers that wait for all live threads may be complete now. */
  afterExit(): readonly Completed[] {
    const released: Completed[] = [];
    for (const [id, state] of this.barriers) {
      const completed = state.waits.length > 0 ? this.#complete(id, state) : undefined;
      if (completed !== undefined) released.push(completed);
    }
    return released;
  }

  #complete(id: number, state: BarrierState): Completed | undefined {
    const needed = state.expected === 0 ? this.live : state.expected;
    if (state.arrived < needed || state.arrived === 0) return undefined;
    this.barriers.delete(id);
    const result: BarrierResult = {
      count: state.trueCount,
      all: state.trueCount === state.predicates,
      any: state.trueCount > 0,
    };
    for (const { warp, mask, deliver } of state.waits) {
      warp.waiting &= ~mask;
      deliver?.(warp, mask, result);
    }
    return state;
  }
}
