/**
 * Which accesses are ordered before what a thread does now: the causality order of PTX ISA 8.9, kept as times of the one
 * interleaving that is run.
 *
 * Ordered are: program order; a block barrier (those who take part know all that any of them knew); a warp-wide
 * synchronising operation, among the lanes that it names; and release-acquire through memory: what a thread knew when it
 * executed a fence travels with its later strong writes, and with those of threads that it met at a barrier after its
 * fence (fences are cumulative), and a strong read of that place takes it over.
 *
 * Coarser than the ISA, so that a race can be missed and none is invented: an exchange (shuffle, vote) counts as a warp
 * sync; a strong read acquires without a fence of its own, as most published code wants; a named barrier covers the whole
 * of each warp that takes part; threads that exited count as having arrived.
 */
import type { Instruction, Scope } from '../ptx/ir.ts';
import type { Block } from './block.ts';
import { blockKey, blockOfKey, type Clock, holds, join, threadKey, warpKey } from './clock.ts';
import { LANES } from './registers.ts';
import { popcount, type Warp } from './warp.ts';

/** Clocks that each thread of a block has for itself, and those that all of them share since the last full barrier. */
interface Shared {
  shared: Clock | undefined;
  own: (Clock | undefined)[];
}

interface BlockState {
  /** All accesses of the block up to here are ordered before anything its threads do now. */
  time: number;
  /** The same within one warp. */
  readonly warpTime: Float64Array;
  /** For each warp whose lanes synchronised in part: a 32 x 32 table of what lane l knows of lane k. */
  readonly lanes: (Float64Array | undefined)[];
  /** What warp w knows of warp v, through barriers that not all took part in. */
  warps: Float64Array | undefined;
  /** What was acquired through memory. */
  readonly acquired: Shared;
  /** What fences made ready to be published, to all and to the own block. */
  readonly fenced: Shared;
  readonly fencedInBlock: Shared;
  /** The publication that a thread acquired last: polling reads it again and again. */
  readonly seen: (Clock | undefined)[];
  readonly lastAccess: Float64Array;
}

/** What strong writes to one place publish. */
interface Publication {
  readonly block: number;
  readonly toAll: Clock | undefined;
  readonly toBlock: Clock | undefined;
}

/** Lanes of a warp at a block barrier, and when they came. */
export interface Arrival {
  readonly warp: Warp;
  readonly mask: number;
  readonly time: number;
}

function clocks(threads: number): Shared {
  return { shared: undefined, own: new Array<Clock | undefined>(threads).fill(undefined) };
}

export class HappensBefore {
  /** Accesses so far. */
  time = 0;
  readonly #blocks = new Map<number, BlockState>();
  readonly #published = new Map<number, Publication>();

  #state(block: Block): BlockState {
    let state = this.#blocks.get(block.index);
    if (state === undefined) {
      const warps = block.warps.length;
      const threads = warps * LANES;
      state = {
        time: 0,
        warpTime: new Float64Array(warps),
        lanes: new Array<Float64Array | undefined>(warps).fill(undefined),
        warps: undefined,
        acquired: clocks(threads),
        fenced: clocks(threads),
        fencedInBlock: clocks(threads),
        seen: new Array<Clock | undefined>(threads).fill(undefined),
        lastAccess: new Float64Array(threads),
      };
      this.#blocks.set(block.index, state);
    }
    return state;
  }

  /** The time of a new access of a thread. */
  tick(warp: Warp, lane: number): number {
    this.time++;
    this.#state(warp.block).lastAccess[warp.index * LANES + lane] = this.time;
    return this.time;
  }

  /** Is an access of another thread at `time` ordered before what this lane does now? */
  knows(warp: Warp, lane: number, of: Warp, ofLane: number, time: number): boolean {
    const state = this.#state(warp.block);
    if (of.block === warp.block) {
      if (time <= state.time) return true;
      if (of === warp) {
        if (time <= state.warpTime[warp.index]!) return true;
        const lanes = state.lanes[warp.index];
        if (lanes !== undefined && time <= lanes[lane * LANES + ofLane]!) return true;
      }
      const { warps } = state;
      if (warps !== undefined && time <= warps[warp.index * state.lanes.length + of.index]!) return true;
    }
    const { acquired } = state;
    return (
      holds(acquired.shared, of.block.index, of.index, ofLane, time) ||
      holds(acquired.own[warp.index * LANES + lane], of.block.index, of.index, ofLane, time)
    );
  }

  /** All that a lane knows now, its own past included. */
  #knowledge(state: BlockState, warp: Warp, lane: number): Clock {
    const { index } = warp.block;
    const thread = warp.index * LANES + lane;
    const clock = new Map(join(state.acquired.shared, state.acquired.own[thread]));
    const raise = (key: number, time: number): void => {
      if (time > (clock.get(key) ?? 0)) clock.set(key, time);
    };
    raise(blockKey(index), state.time);
    if (state.warpTime[warp.index]! > state.time) raise(warpKey(index, warp.index), state.warpTime[warp.index]!);
    const { warps } = state;
    if (warps !== undefined) {
      const count = state.lanes.length;
      for (let v = 0; v < count; v++) raise(warpKey(index, v), warps[warp.index * count + v]!);
    }
    const lanes = state.lanes[warp.index];
    if (lanes !== undefined) {
      for (let k = 0; k < LANES; k++) raise(threadKey(index, warp.index * LANES + k), lanes[lane * LANES + k]!);
    }
    raise(threadKey(index, thread), this.time);
    return clock;
  }

  fence(warp: Warp, mask: number, scope: Scope): void {
    const state = this.#state(warp.block);
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const thread = warp.index * LANES + l;
      // A thread knows all that it has fenced before, and more.
      const known = this.#knowledge(state, warp, l);
      state.fencedInBlock.own[thread] = known;
      if (scope !== 'cta') state.fenced.own[thread] = known;
    }
  }

  /** A strong read of a place takes over what strong writes to it published. */
  acquire(warp: Warp, lane: number, physical: number, scope: Scope): void {
    const published = this.#published.get(physical);
    if (published === undefined) return;
    const toAll = scope === 'cta' ? undefined : published.toAll;
    const clock = published.block === warp.block.index ? join(published.toBlock, toAll) : toAll;
    const state = this.#state(warp.block);
    const thread = warp.index * LANES + lane;
    if (clock === undefined || state.seen[thread] === clock) return;
    state.seen[thread] = clock;
    state.acquired.own[thread] = join(state.acquired.own[thread], clock);
  }

  /** A strong write publishes what fences have made ready, and, when it releases itself, all that its thread knows. */
  publish(warp: Warp, lane: number, physical: number, scope: Scope, at: Instruction): void {
    const state = this.#state(warp.block);
    const thread = warp.index * LANES + lane;
    let toBlock = join(state.fencedInBlock.shared, state.fencedInBlock.own[thread]);
    let toAll = scope === 'cta' ? undefined : join(state.fenced.shared, state.fenced.own[thread]);
    const releases =
      at.kind === 'bulk' ||
      at.kind === 'tensor-copy' ||
      at.kind === 'async-store' ||
      ((at.kind === 'atomic' || at.kind === 'memory' || at.kind === 'mbarrier') &&
        (at.semantics === 'release' || at.semantics === 'acq_rel'));
    if (releases) {
      const known = this.#knowledge(state, warp, lane);
      toBlock = join(toBlock, known);
      if (scope !== 'cta') toAll = join(toAll, known);
    }
    const before = this.#published.get(physical);
    // A read-modify-write continues the release sequence that it found; a plain store starts anew.
    const continues = at.kind !== 'memory';
    if (toBlock === undefined && (continues || before === undefined)) return;
    const block = warp.block.index;
    if (!continues || before === undefined) {
      this.#published.set(physical, { block, toAll, toBlock });
      return;
    }
    this.#published.set(physical, {
      block,
      toAll: join(before.toAll, toAll),
      toBlock: before.block === block ? join(before.toBlock, toBlock) : toBlock,
    });
  }

  /** The named lanes of a warp synchronised: what one knew, all know. */
  warpSync(warp: Warp, mask: number): void {
    const state = this.#state(warp.block);
    const threads: number[] = [];
    for (let l = 0; l < LANES; l++) if (((mask >>> l) & 1) !== 0) threads.push(warp.index * LANES + l);
    for (const kind of [state.acquired, state.fenced, state.fencedInBlock]) meet(kind, threads);
    if ((warp.alive & ~mask) === 0) {
      state.warpTime[warp.index] = this.time;
      return;
    }
    let lanes = state.lanes[warp.index];
    if (lanes === undefined) {
      lanes = new Float64Array(LANES * LANES);
      state.lanes[warp.index] = lanes;
    }
    for (let k = 0; k < LANES; k++) {
      let most = ((mask >>> k) & 1) !== 0 ? this.time : 0;
      for (const thread of threads) most = Math.max(most, lanes[(thread % LANES) * LANES + k]!);
      for (const thread of threads) lanes[(thread % LANES) * LANES + k] = most;
    }
  }

  /** A block barrier completed. `waiting`: who goes on after it; the others only arrived. */
  barrier(block: Block, arrivals: readonly Arrival[], waiting: readonly { warp: Warp; mask: number }[]): void {
    const state = this.#state(block);
    const threadsOf = (warp: Warp, mask: number): number[] =>
      Array.from({ length: LANES }, (_, l) => l)
        .filter((l) => ((mask >>> l) & 1) !== 0)
        .map((l) => warp.index * LANES + l);
    const waiters = waiting.flatMap(({ warp, mask }) => threadsOf(warp, mask));
    if (waiters.length === block.live) {
      state.time = this.time;
      for (const kind of [state.acquired, state.fenced, state.fencedInBlock]) {
        for (const clock of kind.own) kind.shared = join(kind.shared, clock);
        kind.own.fill(undefined);
      }
      state.fenced.shared = this.#condensed(state, block, state.fenced.shared);
      state.fencedInBlock.shared = this.#condensed(state, block, state.fencedInBlock.shared);
      return;
    }
    const arrived = arrivals.flatMap(({ warp, mask }) => threadsOf(warp, mask));
    for (const kind of [state.acquired, state.fenced, state.fencedInBlock]) {
      let all: Clock | undefined;
      for (const thread of arrived) all = join(all, kind.own[thread]);
      for (const thread of waiters) kind.own[thread] = join(kind.own[thread], all);
    }
    const count = state.lanes.length;
    state.warps ??= new Float64Array(count * count);
    const { warps } = state;
    const merged = new Float64Array(count);
    for (const { warp, time } of arrivals) {
      merged[warp.index] = Math.max(merged[warp.index]!, time);
      for (let v = 0; v < count; v++) merged[v] = Math.max(merged[v]!, warps[warp.index * count + v]!);
    }
    for (const { warp } of waiting) {
      for (let v = 0; v < count; v++)
        warps[warp.index * count + v] = Math.max(warps[warp.index * count + v]!, merged[v]!);
    }
  }

  /** What lanes that arrive at a cluster's barrier make known, on top of what others did. `relaxed`: only what they fenced. */
  publishArrival(before: Clock | undefined, warp: Warp, mask: number, relaxed: boolean): Clock | undefined {
    const state = this.#state(warp.block);
    const { index } = warp.block;
    const of = relaxed ? state.fenced : state.acquired;
    let clock = join(before, of.shared);
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) !== 0) clock = join(clock, of.own[warp.index * LANES + l]);
    }
    if (relaxed) return clock;
    const own = new Map<number, number>([[blockKey(index), state.time]]);
    const count = state.lanes.length;
    for (let v = 0; state.warps !== undefined && v < count; v++) {
      own.set(warpKey(index, v), state.warps[warp.index * count + v]!);
    }
    if ((warp.alive & ~mask) === 0) own.set(warpKey(index, warp.index), this.time);
    else {
      for (let l = 0; l < LANES; l++) {
        if (((mask >>> l) & 1) !== 0) own.set(threadKey(index, warp.index * LANES + l), this.time);
      }
    }
    return join(clock, own);
  }

  /** Lanes go on after a cluster's barrier and know what the arrivals made known. */
  acquireArrivals(waiting: readonly { warp: Warp; mask: number }[], known: Clock | undefined): void {
    const waitsOf = new Map<Block, { warp: Warp; mask: number }[]>();
    for (const wait of waiting) {
      const { block } = wait.warp;
      waitsOf.set(block, [...(waitsOf.get(block) ?? []), wait]);
    }
    for (const [block, waits] of waitsOf) {
      const { acquired } = this.#state(block);
      if (waits.reduce((sum, { mask }) => sum + popcount(mask), 0) === block.live) {
        acquired.shared = join(acquired.shared, known);
        continue;
      }
      for (const { warp, mask } of waits) {
        for (let l = 0; l < LANES; l++) {
          const thread = warp.index * LANES + l;
          if (((mask >>> l) & 1) !== 0) acquired.own[thread] = join(acquired.own[thread], known);
        }
      }
    }
  }

  /** When every thread fenced after its last access, one entry says it for the block. */
  #condensed(state: BlockState, block: Block, clock: Clock | undefined): Clock | undefined {
    if (clock === undefined) return undefined;
    const whole = clock.get(blockKey(block.index)) ?? 0;
    for (const [thread, last] of state.lastAccess.entries()) {
      if (last > whole && last > (clock.get(threadKey(block.index, thread)) ?? 0)) return clock;
    }
    const condensed = new Map<number, number>();
    for (const [key, time] of clock) if (blockOfKey(key) !== block.index) condensed.set(key, time);
    return condensed.set(blockKey(block.index), this.time);
  }
}

function meet(kind: Shared, threads: readonly number[]): void {
  let all: Clock | undefined;
  for (const thread of threads) all = join(all, kind.own[thread]);
  if (all !== undefined) for (const thread of threads) kind.own[thread] = all;
}
