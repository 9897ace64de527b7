/**
 * Runs a block whose threads have parted: the driver in WebAssembly (driver.ts) hands it over. Each thread has its own
 * state; runs of consecutive threads at one point are run by one call.
 */
import type { Barrier, Matrix } from '../ptx/ir.ts';
import type { Slot } from './arena.ts';
import { ARENA, WARP } from './arena.ts';
import { type Collective, exchange, Frames } from './collectives.ts';
import { type FaultReporter, LaunchStopped, whereOf } from './faults.ts';
import type { OperandSource, SyncPoint } from './syncpoints.ts';

/** A region: runs threads first .. end-1, returns the common point or -1. */
export type Region = (first: number, end: number) => number;

/** A sync point with everything located, ready for the scheduler. */
export interface Stop {
  readonly point: SyncPoint;
  readonly region: Region;
  readonly barrier: BarrierStop | undefined;
  readonly collective: Collective | undefined;
  /** A matrix instruction, which `exchange(first)` performs for the warp of a thread. */
  readonly matrix: Matrix | undefined;
  readonly exchange: ((first: number) => unknown) | undefined;
}

export interface BarrierStop {
  readonly instruction: Barrier;
  readonly id: OperandSource | undefined;
  readonly count: OperandSource | undefined;
  readonly predicate: OperandSource | undefined;
  readonly result: Slot | undefined;
  /** bar.sync of a constant barrier by all threads: the common case. */
  readonly plain: number | undefined;
  /** Threads may go past it and on (doubts.ts). */
  readonly mayBePassed: boolean;
}

interface BarrierState {
  arrived: number;
  expected: number;
  trueCount: number;
  predicates: number;
  waiting: number[];
}

/** Tells the race filter what synchronised. */
export interface RaceClock {
  nextEpoch(): void;
  nextPhase(firstThread: number): void;
}

/** What one launch gives the scheduler. */
export interface BlockMemory {
  readonly arena: number;
  readonly i32: Int32Array;
  readonly u16: Uint16Array;
}

const EXITED = 0;
const START = 1;
/** Rounds in which threads only wait, after which other blocks are let in. */
const PATIENCE = 64;

export class BlockScheduler {
  private readonly frames: Frames;
  /** By thread: the point where it stopped. */
  private readonly state: Uint16Array;
  /** By thread: it may go on from its point. */
  private readonly ready: Uint8Array;
  private readonly barriers = new Map<number, BarrierState>();
  private readonly warps: number;

  constructor(
    /** By point number; index 0 is unused. */
    private readonly stops: readonly Stop[],
    private readonly threads: number,
    /** Threads of one of the driver's groups. */
    private readonly group: number,
    private readonly memory: BlockMemory,
    private readonly reporter: FaultReporter,
    private readonly races: RaceClock | undefined,
  ) {
    this.frames = new Frames(memory.i32, memory.arena);
    this.state = new Uint16Array(threads);
    this.ready = new Uint8Array(threads);
    this.warps = Math.ceil(threads / WARP);
  }

  /**
   * Takes over a block in which the driver's `group` stopped where it cannot go on by itself. Groups before it wait at
   * barriers; those after it may not have run their phase.
   */
  takeOver(group: number): void {
    const { u16, i32, arena } = this.memory;
    const at = i32.subarray((arena + ARENA.groups) >>> 2);
    const point = at[group]!;
    const next = (arena + ARENA.next) >>> 1;
    for (let thread = 0; thread < this.threads; thread++) {
      const own = Math.floor(thread / this.group);
      if (own === group) {
        this.state[thread] = point === -1 ? u16[next + thread]! : point;
        this.ready[thread] = 0;
      } else {
        this.state[thread] = at[own]!;
        // Groups before this one wait at a barrier that they have reached; those after it have yet to run.
        this.ready[thread] = own > group ? 1 : 0;
      }
    }
    this.barriers.clear();
    for (let thread = 0; thread < this.threads; thread++) if (!this.ready[thread]) this.arrive(thread);
  }

  /** Begins a block whose threads have not run at all. */
  start(): void {
    this.state.fill(START);
    this.ready.fill(1);
    this.barriers.clear();
  }

  /**
   * Runs each thread by itself, until all have exited (true) or those that run only wait in loops, it seems for another
   * block (false).
   */
  run(): boolean {
    const { state, ready, threads } = this;
    const { u16, arena } = this.memory;
    const next = (arena + ARENA.next) >>> 1;
    for (let idle = 0; idle < PATIENCE; ) {
      let ran = false;
      let progress = false;
      for (let first = 0; first < threads; ) {
        if (!ready[first] || state[first] === EXITED) {
          first++;
          continue;
        }
        const from = state[first]!;
        let end = first + 1;
        // Each warp is in a phase of its own.
        const most = this.races ? Math.min(threads, (Math.floor(first / WARP) + 1) * WARP) : threads;
        while (end < most && ready[end] && state[end] === from) end++;
        const point = this.stops[from]!.region(first, end);
        for (let thread = first; thread < end; thread++) {
          state[thread] = point === -1 ? u16[next + thread]! : point;
          ready[thread] = 0;
          if (this.stops[state[thread]!]?.point.kind !== 'yield') progress = true;
          this.arrive(thread);
        }
        ran = true;
        first = end;
      }
      this.release();
      idle = progress ? 0 : idle + 1;
      if (ran) continue;
      let live = 0;
      for (let thread = 0; thread < threads; thread++) {
        if (state[thread] === EXITED) continue;
        live++;
        if (ready[thread]) ran = true;
      }
      if (live === 0) return true;
      if (!ran) this.deadlock();
    }
    return false;
  }

  /** Bookkeeping of a thread that has just stopped. */
  private arrive(thread: number): void {
    const stop = this.stops[this.state[thread]!];
    if (stop?.collective?.members) this.checkMember(stop.collective, thread);
    if (!stop?.barrier) return;
    const { barrier } = stop;
    const id = this.frames.value(barrier.id, thread);
    let state = this.barriers.get(id);
    if (!state) {
      state = { arrived: 0, expected: 0, trueCount: 0, predicates: 0, waiting: [] };
      this.barriers.set(id, state);
    }
    state.arrived++;
    const expected = barrier.count ? this.frames.value(barrier.count, thread) : 0;
    if (id >>> 0 > 15 || expected % 32 !== 0) {
      const message = `${this.reporter.who(thread)}: barrier ${id >>> 0} with a count of ${expected >>> 0}; ids go to 15, counts are multiples of 32.`;
      this.reporter.note(thread, { kind: 'barrier-divergence', message, instruction: barrier.instruction });
      throw new LaunchStopped(message);
    }
    if (expected !== 0) state.expected = expected;
    if (barrier.predicate) {
      state.predicates++;
      if (this.frames.value(barrier.predicate, thread) !== 0) state.trueCount++;
    }
    if (barrier.instruction.operation === 'arrive') this.ready[thread] = 1;
    else state.waiting.push(thread);
  }

  private checkMember(collective: Collective, thread: number): void {
    const lane = thread & 31;
    const members = this.frames.value(collective.members, thread);
    if ((members >>> lane) & 1) return;
    this.reporter.fault(thread, {
      kind: 'absent-lane',
      message: `${this.reporter.who(thread)} is lane ${lane}, which is not in the mask 0x${(members >>> 0).toString(16)} that it gives.`,
      instruction: collective.instruction,
    });
  }

  private release(): void {
    const { state, ready, threads } = this;
    let live = 0;
    for (let thread = 0; thread < threads; thread++) {
      if (state[thread] === EXITED) continue;
      live++;
      if (this.stops[state[thread]!]!.point.kind === 'yield') ready[thread] = 1;
    }
    for (const [id, barrier] of this.barriers) {
      if (barrier.arrived === 0 || barrier.arrived < (barrier.expected || live)) continue;
      this.barriers.delete(id);
      if (live < threads && barrier.waiting.some((thread) => this.stops[state[thread]!]!.barrier!.mayBePassed)) {
        this.reporter.doubt('Threads have ended while others wait at a barrier that they may have gone past.');
      }
      this.divergence(barrier);
      if (barrier.waiting.length === live) this.races?.nextEpoch();
      for (const thread of barrier.waiting) {
        const { barrier: stop } = this.stops[state[thread]!]!;
        if (stop?.result) {
          const { reduction } = stop.instruction;
          const value =
            reduction === 'popc'
              ? barrier.trueCount
              : reduction === 'and'
                ? Number(barrier.trueCount === barrier.predicates)
                : Number(barrier.trueCount > 0);
          this.frames.setWord(stop.result, thread, value);
        }
        ready[thread] = 1;
      }
    }
    for (let warp = 0; warp < this.warps; warp++) this.releaseWarp(warp);
  }

  /** All that waited must have been at the same barrier in the program, unless they gave counts. */
  private divergence(barrier: BarrierState): void {
    const first = barrier.waiting[0];
    if (first === undefined) return;
    const at = (thread: number): BarrierStop => this.stops[this.state[thread]!]!.barrier!;
    const other = barrier.waiting.find((thread) => this.state[thread] !== this.state[first]);
    if (other === undefined || at(first).count || at(other).count) return;
    const { reporter } = this;
    const [mine, theirs] = [at(other).instruction, at(first).instruction];
    reporter.fault(other, {
      kind: 'barrier-divergence',
      message: `${reporter.who(other)} waits at the barrier at ${whereOf(mine)} while ${reporter.who(first)} waits at another one, at ${whereOf(theirs)}: all threads of a block must reach the same barrier.`,
      instruction: mine,
    });
  }

  private releaseWarp(warp: number): void {
    const { state, ready } = this;
    const first = warp * WARP;
    const lanes = Math.min(WARP, this.threads - first);
    const present = lanes === WARP ? -1 : (1 << lanes) - 1;
    let alive = 0;
    for (let lane = 0; lane < lanes; lane++) if (state[first + lane] !== EXITED) alive |= 1 << lane;
    let looked = 0;
    for (let lane = 0; lane < lanes; lane++) {
      const thread = first + lane;
      if ((looked >>> lane) & 1 || ready[thread] || state[thread] === EXITED) continue;
      const stop = this.stops[state[thread]!]!;
      if (stop.matrix) {
        looked |= this.releaseMatrix(stop, first, lanes, alive);
        continue;
      }
      const { collective } = stop;
      if (!collective) continue;
      const members = this.members(collective, thread);
      // Lanes that wait here with this mask; bar.warp.sync matches itself anywhere in the program.
      const anywhere = collective.instruction.op === 'warpsync';
      let here = 0;
      for (let other = lane; other < lanes; other++) {
        if (ready[first + other] || state[first + other] === EXITED) continue;
        const theirs = this.stops[state[first + other]!]!.collective;
        if (!theirs || (theirs !== collective && !(anywhere && theirs.instruction.op === 'warpsync'))) continue;
        if (this.members(theirs, first + other) === members) here |= 1 << other;
      }
      looked |= here;
      const wanted = collective.members ? members & alive : here;
      if ((here & wanted) !== wanted) continue;
      exchange(collective, this.frames, first, here, present, this.reporter);
      if (collective.members && (alive & ~here) === 0) this.races?.nextPhase(first);
      for (let other = 0; other < lanes; other++) if ((here >>> other) & 1) ready[first + other] = 1;
    }
  }

  /** A matrix instruction begins when all live lanes of the warp are there, and needs 32. The lanes that wait for it. */
  private releaseMatrix(stop: Stop, first: number, lanes: number, alive: number): number {
    const { state, ready } = this;
    const { instruction } = stop.point;
    let here = 0;
    for (let lane = 0; lane < lanes; lane++)
      if (!ready[first + lane] && state[first + lane] === stop.point.number) here |= 1 << lane;
    if (here !== alive) return here;
    if (here !== -1)
      this.reporter.fault(first + 31 - Math.clz32(here & -here), {
        kind: 'absent-lane',
        message: `${instruction!.op} needs all 32 lanes of the warp; some have exited or never existed.`,
        instruction,
      });
    stop.exchange?.(first);
    for (let lane = 0; lane < lanes; lane++) if ((here >>> lane) & 1) ready[first + lane] = 1;
    return here;
  }

  /** The lanes a thread waits for; its own is always one of them. */
  private members(collective: Collective, thread: number): number {
    return collective.members ? this.frames.value(collective.members, thread) | (1 << (thread & 31)) : -1;
  }

  /** Where each thread stands. */
  get positions(): Uint16Array {
    return this.state;
  }

  /** All of `blocks` blocks, this one among them, wait in loops for ever: say so, and end the launch. */
  livelock(blocks: number): never {
    const thread = this.state.findIndex((state) => this.stops[state]?.point.kind === 'yield');
    const at = thread < 0 ? undefined : this.stops[this.state[thread]!]!.point.repeats;
    const others = blocks === 1 ? '' : ` So do the threads of ${blocks - 1} more ${blocks === 2 ? 'block' : 'blocks'}.`;
    const place = at === undefined ? '' : `: ${this.reporter.who(thread)} repeats ${at.op} at ${whereOf(at)}`;
    const message = `Every thread that is left waits in a loop for memory that nobody will write any more${place}.${others}`;
    this.reporter.note(Math.max(thread, 0), { kind: 'deadlock', message, instruction: at });
    throw new LaunchStopped(message);
  }

  /** Nothing can run: say who waits where, and end the launch. */
  private deadlock(): never {
    const places = new Map<number, number[]>();
    for (let thread = 0; thread < this.threads; thread++) {
      if (this.state[thread] === EXITED) continue;
      const list = places.get(this.state[thread]!) ?? [];
      list.push(thread);
      places.set(this.state[thread]!, list);
    }
    const parts: string[] = [];
    for (const [number, list] of places) {
      const at = this.stops[number]!.point.instruction;
      if (!at || parts.length >= 8) continue;
      const who =
        list.length === 1 ? `thread ${list[0]} waits` : `${list.length} threads (the first is ${list[0]}) wait`;
      parts.push(`${who} ${at.kind === 'barrier' ? 'for the barrier' : `for lanes in ${at.op}`} at ${whereOf(at)}`);
    }
    const [number, list] = [...places][0]!;
    const message = `Block (${this.reporter.blockPosition().join(', ')}) is deadlocked. ${parts.join('; ')}.`;
    this.reporter.note(list[0]!, { kind: 'deadlock', message, instruction: this.stops[number]!.point.instruction });
    throw new LaunchStopped(message);
  }
}
