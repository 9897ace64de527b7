/**
 * Data races in shared and global memory: two accesses to the same bytes by different threads, at least one a write, not
 * both strong (atomic, volatile, relaxed or stronger), with nothing that orders one before the other.
 *
 * What orders accesses: program order; a block barrier between them; a warp-wide synchronising operation between them
 * (same warp); and release-acquire through memory, kept as times of the one interleaving that is run: a fence followed by
 * a strong write (or a releasing write) publishes all that happened before it, and a strong read of that location takes it
 * over. Partial barriers and masks count for the whole block or warp, and publication covers all threads: where this is
 * coarser than PTX ISA 8.10 (causality order) it can miss a race, it does not invent one. A store that leaves the bytes
 * as they were (all threads set the same flag) is not reported.
 */
import { LOCAL_TAG, PARAM_TAG, SHARED_TAG } from '../memory-layout.ts';
import type { Instruction, Scope, Space } from '../ptx/ir.ts';
import { type Environment, whereOf } from './environment.ts';
import { LANES } from './registers.ts';
import type { Warp } from './warp.ts';

type AccessKind = 'read' | 'write' | 'atomic';

/** One access as it is remembered. */
interface Mark {
  readonly warp: Warp;
  readonly lane: number;
  readonly blockEpoch: number;
  readonly warpEpoch: number;
  readonly time: number;
  readonly kind: AccessKind;
  readonly strong: boolean;
  readonly scope: Scope;
  readonly at: Instruction;
}

/** What is known about one word (or one byte, for narrower accesses). */
interface Cell {
  write: Mark | undefined;
  /** The last read of each of up to two different warps. */
  read: Mark | undefined;
  otherRead: Mark | undefined;
}

/** What a strong write to a location publishes. */
interface Publication {
  readonly block: number;
  /** All up to this time is ordered before a reader anywhere; up to `blockTime` before one of the same block. */
  time: number;
  blockTime: number;
}

/** Ordering state of one block's threads. */
interface BlockState {
  readonly acquired: Float64Array;
  readonly fenced: Float64Array;
  readonly fencedInBlock: Float64Array;
  epoch: number;
}

interface Suspect {
  readonly earlier: Mark;
  readonly later: Mark;
  readonly physical: number;
  readonly before: Uint8Array;
  readonly space: 'global' | 'shared';
}

/** Keys of single bytes lie above those of words. */
const BYTE_KEYS = 2 ** 33;

export class RaceDetector {
  readonly #env: Environment;
  readonly #cells = new Map<number, Cell>();
  readonly #published = new Map<number, Publication>();
  readonly #blocks = new Map<number, BlockState>();
  readonly #suspects: Suspect[] = [];
  #time = 0;

  constructor(env: Environment) {
    this.#env = env;
  }

  #state(warp: Warp): BlockState {
    const { block } = warp;
    let state = this.#blocks.get(block.index);
    if (state === undefined) {
      const threads = block.warps.length * LANES;
      state = {
        acquired: new Float64Array(threads),
        fenced: new Float64Array(threads),
        fencedInBlock: new Float64Array(threads),
        epoch: block.epoch,
      };
      this.#blocks.set(block.index, state);
    }
    if (state.epoch !== block.epoch) {
      // After a barrier every thread knows what any of them knew.
      state.epoch = block.epoch;
      state.acquired.fill(state.acquired.reduce((a, b) => Math.max(a, b), 0));
    }
    return state;
  }

  /** One lane's access to `env.physical[lane]`, before its bytes change. */
  access(
    warp: Warp,
    lane: number,
    bytes: number,
    kind: AccessKind,
    strong: boolean,
    scope: Scope,
    space: Space,
    at: Instruction,
  ): void {
    const env = this.#env;
    const high = env.high[lane]!;
    if (space === 'local' || space === 'param' || space === 'const') return;
    if (space === 'generic' && (high === LOCAL_TAG || high === PARAM_TAG)) return;
    const inShared = space === 'shared' || (space === 'generic' && high === SHARED_TAG);
    const physical = env.physical[lane]!;
    const state = this.#state(warp);
    const thread = warp.index * LANES + lane;
    this.#time++;
    if (strong && kind !== 'write') this.#acquire(warp, state, thread, physical);
    const mark: Mark = {
      warp,
      lane,
      blockEpoch: warp.block.epoch,
      warpEpoch: warp.syncEpoch,
      time: this.#time,
      kind,
      strong,
      scope,
      at,
    };
    const acquired = state.acquired[thread]!;
    const narrow = bytes < 4;
    const step = narrow ? 1 : 4;
    for (let offset = 0; offset < bytes; offset += step) {
      const key = narrow ? BYTE_KEYS + physical + offset : (physical + offset) >>> 2;
      let cell = this.#cells.get(key);
      if (cell === undefined) {
        cell = { write: undefined, read: undefined, otherRead: undefined };
        this.#cells.set(key, cell);
      }
      this.#compare(cell.write, mark, acquired, inShared, physical + offset, step);
      if (kind !== 'read') {
        this.#compare(cell.read, mark, acquired, inShared, physical + offset, step);
        this.#compare(cell.otherRead, mark, acquired, inShared, physical + offset, step);
        cell.write = mark;
        cell.read = undefined;
        cell.otherRead = undefined;
      } else {
        if (cell.read !== undefined && cell.read.warp !== warp) cell.otherRead = cell.read;
        cell.read = mark;
      }
    }
    if (strong && kind !== 'read') this.#publish(warp, state, thread, physical, at);
  }

  #acquire(warp: Warp, state: BlockState, thread: number, physical: number): void {
    const published = this.#published.get(physical);
    if (published === undefined) return;
    const time = published.block === warp.block.index ? Math.max(published.time, published.blockTime) : published.time;
    if (time > state.acquired[thread]!) state.acquired[thread] = time;
  }

  #publish(warp: Warp, state: BlockState, thread: number, physical: number, at: Instruction): void {
    const releases =
      (at.kind === 'atomic' || at.kind === 'memory') && (at.semantics === 'release' || at.semantics === 'acq_rel');
    const time = releases ? this.#time : state.fenced[thread]!;
    const blockTime = releases ? this.#time : state.fencedInBlock[thread]!;
    const known = this.#published.get(physical);
    if (known === undefined || known.block !== warp.block.index) {
      // A read-modify-write of another block continues what was published before it.
      this.#published.set(physical, { block: warp.block.index, time: Math.max(time, known?.time ?? 0), blockTime });
      return;
    }
    known.time = Math.max(known.time, time);
    known.blockTime = Math.max(known.blockTime, blockTime);
  }

  fence(warp: Warp, mask: number, scope: Scope): void {
    const state = this.#state(warp);
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const thread = warp.index * LANES + l;
      state.fencedInBlock[thread] = this.#time;
      if (scope !== 'cta') state.fenced[thread] = this.#time;
    }
  }

  /** Lanes of a warp synchronised: what one knew, all know. */
  warpSync(warp: Warp, mask: number): void {
    warp.syncEpoch++;
    const state = this.#state(warp);
    let most = 0;
    for (let l = 0; l < LANES; l++)
      if (((mask >>> l) & 1) !== 0) most = Math.max(most, state.acquired[warp.index * LANES + l]!);
    for (let l = 0; l < LANES; l++) if (((mask >>> l) & 1) !== 0) state.acquired[warp.index * LANES + l] = most;
  }

  #compare(
    earlier: Mark | undefined,
    later: Mark,
    acquired: number,
    inShared: boolean,
    physical: number,
    bytes: number,
  ): void {
    if (earlier === undefined) return;
    const sameBlock = earlier.warp.block === later.warp.block;
    // A shared area is used by one block after another.
    if (inShared && !sameBlock) return;
    if (earlier.warp === later.warp && earlier.lane === later.lane) return;
    if (sameBlock && earlier.blockEpoch < later.blockEpoch) return;
    if (earlier.warp === later.warp && earlier.warpEpoch < later.warpEpoch) return;
    if (earlier.time <= acquired) return;
    if (earlier.strong && later.strong && (sameBlock || (earlier.scope !== 'cta' && later.scope !== 'cta'))) return;
    this.#suspects.push({
      earlier,
      later,
      physical,
      before: this.#env.memory.u8.slice(physical, physical + bytes),
      space: inShared ? 'shared' : 'global',
    });
  }

  /** After the transfer: reports the suspects, but for stores that changed nothing. */
  settle(): void {
    const env = this.#env;
    for (const { earlier, later, physical, before, space } of this.#suspects.splice(0)) {
      const stores = earlier.kind !== 'read' && later.kind === 'write';
      if (stores && before.every((byte, i) => env.memory.u8[physical + i] === byte)) continue;
      // Warp-synchronous code passes values through shared memory; elsewhere a warp sync would seldom be the cure.
      const sameWarp = space === 'shared' && earlier.warp === later.warp && earlier.at !== later.at;
      const first = `${env.who(earlier.warp, earlier.lane)} (${earlier.kind} at ${whereOf(earlier.at)})`;
      const second = `${env.who(later.warp, later.lane)} (${later.kind} at ${whereOf(later.at)})`;
      const allocation = space === 'global' ? env.memory.at(physical) : undefined;
      const missing = sameWarp
        ? 'lanes of a warp do not run in step; __syncwarp() is needed between them'
        : space === 'shared' || earlier.warp.block === later.warp.block
          ? 'no barrier orders them'
          : 'no fence and atomic order them';
      env.fault(later.warp, later.lane, {
        kind: sameWarp ? 'missing-syncwarp' : 'race',
        message: `Race on ${space} memory between ${first} and ${second}: ${missing}.`,
        instruction: later.at,
        space,
        access: later.kind,
        bytes: before.length,
        address: `0x${(space === 'shared' ? physical - later.warp.block.sharedBase : physical).toString(16)}`,
        allocation: allocation && {
          name: allocation.name,
          bytes: allocation.bytes,
          offset: physical - allocation.base,
        },
      });
    }
  }
}
