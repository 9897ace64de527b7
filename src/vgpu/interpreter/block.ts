/** One resident thread block: its warps, its memory areas, its barriers, its asynchronous copies. */
import type { Dim3 } from '../types.ts';
import type { AsyncCopies } from './async-copy.ts';
import type { BulkCopies } from './bulk-copy.ts';
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
  copies: AsyncCopies | undefined;
  bulk: BulkCopies | undefined;
  /** barrier.cluster, which has its own phases: a cluster is one block here. */
  readonly clusterBarrier = {
    arrived: 0,
    phase: 0,
    arrivals: [] as Arrival[],
    last: [] as readonly Arrival[],
    waits: [] as BarrierWait[],
  };
  /** Slot among the resident blocks, whose memory areas it uses. */
  readonly slot: number;

  constructor(index: number, position: Dim3, threads: number, slot: number, sharedBase: number, localBase: number) {
    this.index = index;
    this.position = position;
    this.live = threads;
    this.slot = slot;
    this.sharedBase = sharedBase;
    this.localBase = localBase;
  }

  get finished(): boolean {
    return this.live === 0;
  }

  hasPendingCopyTo(physical: number, bytes: number): boolean {
    return (this.copies?.touches(physical, bytes) ?? false) || (this.bulk?.touches(physical, bytes) ?? false);
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
    const cluster = this.completeCluster();
    if (cluster !== undefined) released.push(cluster);
    return released;
  }

  /** barrier.cluster.arrive. */
  arriveCluster(arrival: Arrival): Completed | undefined {
    this.clusterBarrier.arrived += popcount(arrival.mask);
    this.clusterBarrier.arrivals.push(arrival);
    return this.completeCluster();
  }

  /** Ends the phase when all live threads have arrived, and lets go those that wait for it. */
  completeCluster(): Completed | undefined {
    const { clusterBarrier: barrier } = this;
    if (barrier.arrived === 0 || barrier.arrived < this.live) return undefined;
    barrier.arrived = 0;
    barrier.phase++;
    barrier.last = barrier.arrivals.splice(0);
    const completed = { arrivals: barrier.last, waits: barrier.waits.splice(0) };
    for (const { warp, mask } of completed.waits) warp.waiting &= ~mask;
    return completed;
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
