/**
 * Runs warps: lanes at the same program counter execute together, the lowest counter (in the deepest call) first, so that
 * divergent paths meet again; a group that runs long while others of its warp could run gives them a turn, so that a
 * lane may wait for another lane of its own warp.
 */
import type { Barrier } from '../ptx/ir.ts';
import { AccumulatorWatch } from './accumulators.ts';
import { lanesWhere } from './assembler.ts';
import type { BarrierWait, Block, Completed } from './block.ts';
import { CallFrames } from './call-frames.ts';
import type { Clock } from './clock.ts';
import type { ClusterRelease } from './cluster.ts';
import { type Environment, LaunchStopped, whereOf } from './environment.ts';
import { findLivelock, type Livelock } from './livelock.ts';
import { type Poison, PoisonTracker } from './poison.ts';
import { Kind, type Program } from './program.ts';
import { LANES } from './registers.ts';
import { lowestLane, popcount, type Warp } from './warp.ts';
import { WARPGROUP } from './wgmma.ts';

/** Weighted instructions that a group may run while other lanes of its warp could run. */
const GROUP_TURN = 10_000;
/** Weighted instructions of a warp's turn. */
const WARP_TURN = 20_000;
/** The same in a profile: warps of a block go on side by side, as on a GPU, so that what they share is used close in time. */
const PROFILED_TURN = 128;

export class Scheduler {
  readonly #program: Program;
  readonly #env: Environment;
  readonly #calls: CallFrames;
  threadInstructions = 0;
  #turns = 0;
  #poisonTracker: PoisonTracker | undefined;
  #accumulatorWatch: AccumulatorWatch | undefined;
  #random: number;
  /** The group that ran last: where it started, and its lanes. */
  #group = { pc: 0, mask: 0 };

  constructor(program: Program, env: Environment) {
    this.#program = program;
    this.#env = env;
    this.#random = env.launch.schedule;
    this.#calls = new CallFrames(program, env);
  }

  /** Uniform in [0, n): only used when the launch has a schedule seed. */
  #pick(n: number): number {
    // Xorshift, 32 bits.
    let x = this.#random | 0;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return (x >>> 0) % n;
  }

  /**
   * Runs every warp of a block until it blocks, exits or its turn is over. Returns whether anything ran, and whether all
   * that ran used up their turns mostly waiting on memory (so that another block should be let in).
   */
  runBlock(block: Block): { ran: boolean; spinning: boolean } {
    let ran = false;
    let spinning = true;
    const order = block.warps.map((_, index) => index);
    if (this.#random !== 0) {
      for (let i = order.length - 1; i > 0; i--) {
        const j = this.#pick(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
    }
    for (const index of order) {
      const warp = block.warps[index]!;
      if (warp.runnable === 0) continue;
      ran = true;
      if (!this.#runWarp(warp)) spinning = false;
    }
    return { ran, spinning };
  }

  /** True when the turn was used up by spinning. */
  #runWarp(warp: Warp): boolean {
    const turn = this.#env.profiler === undefined ? WARP_TURN : PROFILED_TURN;
    const limit = this.#random === 0 ? turn : 200 + this.#pick(WARP_TURN);
    let used = 0;
    let instructions = 0;
    while (used < limit && warp.runnable !== 0) {
      const before = warp.clock;
      used += this.#runGroup(warp, limit - used);
      instructions += warp.clock - before;
      if (this.threadInstructions > this.#env.launch.instructionBudget) this.#overBudget(warp);
    }
    return warp.runnable !== 0 && used > instructions * 3;
  }

  /** Whether every thread of these blocks waits for ever (livelock.ts), and where; undefined when some thread gets on. */
  stuck(blocks: readonly Block[]): Livelock | undefined {
    return findLivelock(this.#program, this.#env, blocks, (warp) => {
      this.#runGroup(warp, 1);
      return this.#group;
    });
  }

  /** Ends the launch, whose threads all wait for ever. */
  stop({ warp, lane, at, message }: Livelock): never {
    this.#env.note(warp, lane, { kind: 'deadlock', message, instruction: at });
    throw new LaunchStopped(message);
  }

  #overBudget(warp: Warp): never {
    const env = this.#env;
    const lane = lowestLane(warp.runnable === 0 ? warp.present : warp.runnable);
    const instruction = this.#program.instructions[warp.pc[lane]!]!;
    const message = `The launch was stopped after ${env.launch.instructionBudget.toLocaleString('en')} thread-instructions; ${env.who(warp, lane)} was at ${whereOf(instruction)}. It may never end.`;
    env.note(warp, lane, { kind: 'budget-exceeded', message, instruction });
    throw new LaunchStopped(message);
  }

  /** Chooses lanes at one counter and runs them until they diverge, block, meet others or their turn ends. */
  #runGroup(warp: Warp, limit: number): number {
    const runnable = warp.runnable;
    let lead = this.#lead(warp, runnable);
    let pc = warp.pc[lead]!;
    let depth = warp.callDepth[lead]!;
    // Lanes that waited long for their turn go first, now and then.
    const oldest = this.#oldest(warp, runnable, lead);
    if (oldest >= 0) {
      lead = oldest;
      pc = warp.pc[lead]!;
      depth = warp.callDepth[lead]!;
    }
    let mask = 0;
    let meet = 0x7fff_ffff;
    for (let l = 0, m = runnable; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      if (warp.callDepth[l] !== depth) continue;
      if (warp.pc[l] === pc) mask |= 1 << l;
      else if (warp.pc[l]! > pc && warp.pc[l]! < meet) meet = warp.pc[l]!;
    }
    const others = (runnable & ~mask) !== 0;
    const turn = others ? Math.min(limit, this.#random === 0 ? GROUP_TURN : 50 + this.#pick(2000)) : limit;
    const turnNumber = ++this.#turns;
    this.#group.pc = pc;
    this.#group.mask = mask;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.lastRun[l] = turnNumber;
    return this.#runStraight(warp, mask, pc, meet, turn);
  }

  /** The runnable lane in the deepest call with the lowest counter. */
  #lead(warp: Warp, runnable: number): number {
    let best = lowestLane(runnable);
    for (let l = best + 1; l < LANES; l++) {
      if (((runnable >>> l) & 1) === 0) continue;
      const deeper = warp.callDepth[l]! - warp.callDepth[best]!;
      if (deeper > 0 || (deeper === 0 && warp.pc[l]! < warp.pc[best]!)) best = l;
    }
    return best;
  }

  /** The lane that has waited longest, where it is not in the lead anyway; -1 if it is, or if nobody must be given a turn. */
  #oldest(warp: Warp, runnable: number, lead: number): number {
    if (!warp.starving && this.#random === 0) return -1;
    if (this.#random !== 0 && this.#pick(4) !== 0) return -1;
    warp.starving = false;
    let oldest = -1;
    for (let l = 0; l < LANES; l++) {
      if (((runnable >>> l) & 1) === 0) continue;
      if (oldest < 0 || warp.lastRun[l]! < warp.lastRun[oldest]!) oldest = l;
    }
    // The lead has its turn among the others: what they wait for may be what it does next.
    return warp.pc[oldest] === warp.pc[lead] ? -1 : oldest;
  }

  /** The inner loop. Returns the weight used. */
  #runStraight(warp: Warp, group: number, start: number, meet: number, turn: number): number {
    const { kinds, steps, guards, weights } = this.#program;
    const { profiler } = this.#env;
    const { predicates } = warp;
    const whole = popcount(group);
    let pc = start;
    let used = 0;
    let executed = 0;
    let instructions = 0;
    let last = -1;
    while (pc !== meet && used < turn) {
      const guard = guards[pc];
      let mask = group;
      let count = whole;
      if (guard !== undefined) {
        mask &= lanesWhere(predicates, guard);
        count = mask === group ? whole : popcount(mask);
      }
      instructions++;
      executed += count;
      used += weights[pc]!;
      if (profiler !== undefined) profiler.count(pc);
      if (warp.poison?.any === true) this.#followPoison(warp, warp.poison, group, mask, pc);
      if (warp.accumulators.busy) this.#watchAccumulators(warp, mask, pc);
      const kind = kinds[pc]!;
      if (kind === Kind.plain) {
        if (mask !== 0) steps[pc]!(warp, mask);
        last = pc++;
        continue;
      }
      if (kind === Kind.branch) {
        if (profiler !== undefined && guard !== undefined) {
          profiler.branches++;
          if (mask !== 0 && mask !== group) profiler.divergentBranches++;
        }
        const target = this.#program.targets[pc]![0]!;
        if (mask === group) {
          // A jump past a waiting group's counter must look again who is lowest.
          const passes = target > meet;
          pc = target;
          if (passes) break;
          if (meet !== 0x7fff_ffff) meet = this.#meeting(warp, group, pc);
          continue;
        }
        pc++;
        if (mask === 0) continue;
        this.#passed(warp, group, last);
        this.#setPc(warp, group & ~mask, pc);
        this.#setPc(warp, mask, target);
        warp.clock += instructions;
        this.threadInstructions += executed;
        return used;
      }
      warp.clock += instructions;
      this.threadInstructions += executed;
      this.#passed(warp, group, last);
      this.#setPc(warp, group & ~mask, pc + 1);
      this.#setPc(warp, mask, pc);
      if (mask !== 0) this.#control(warp, mask, pc, kind);
      return used;
    }
    if (used >= turn) warp.starving = true;
    this.#passed(warp, group, last);
    warp.clock += instructions;
    this.threadInstructions += executed;
    this.#setPc(warp, group, pc);
    return used;
  }

  #followPoison(warp: Warp, poison: Poison, group: number, mask: number, pc: number): void {
    const { functions, instructions, assembler } = this.#program;
    const linked = functions.findLast(({ start }) => start <= pc);
    if (linked === undefined) return;
    this.#poisonTracker ??= new PoisonTracker(assembler, this.#env);
    this.#poisonTracker.step(warp, poison, linked.fn, instructions[pc]!, group, mask);
  }

  /** Remembers the last step of a group, where somebody may ask how far a thread came. */
  #passed(warp: Warp, group: number, last: number): void {
    if (last < 0 || this.#program.bypasses.size === 0) return;
    for (let l = 0, m = group; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.lastStep[l] = last;
  }

  #watchAccumulators(warp: Warp, mask: number, pc: number): void {
    const { functions, instructions, assembler } = this.#program;
    const linked = functions.findLast(({ start }) => start <= pc);
    if (linked === undefined) return;
    this.#accumulatorWatch ??= new AccumulatorWatch(assembler, this.#env);
    this.#accumulatorWatch.step(warp, linked.fn, instructions[pc]!, mask);
  }

  /** The next counter above `pc` where a lane outside the group stands. */
  #meeting(warp: Warp, group: number, pc: number): number {
    let meet = 0x7fff_ffff;
    for (let l = 0, m = warp.runnable & ~group; m !== 0; l++, m >>>= 1) {
      if ((m & 1) !== 0 && warp.pc[l]! >= pc && warp.pc[l]! < meet) meet = warp.pc[l]!;
    }
    return meet;
  }

  #setPc(warp: Warp, mask: number, pc: number): void {
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.pc[l] = pc;
  }

  #control(warp: Warp, mask: number, pc: number, kind: number): void {
    switch (kind) {
      case Kind.indexedBranch:
        this.#indexedBranch(warp, mask, pc);
        return;
      case Kind.call:
        this.#calls.call(warp, mask, pc);
        return;
      case Kind.ret: {
        const leaving = this.#calls.return(warp, mask);
        if (leaving !== 0) this.#exit(warp, leaving);
        return;
      }
      case Kind.exit:
        this.#exit(warp, mask);
        return;
      case Kind.trap:
        this.#trap(warp, mask, pc);
        return;
      case Kind.barrier:
        this.#barrier(warp, mask, pc);
        return;
      case Kind.gather:
        this.#gather(warp, mask, pc);
        return;
      case Kind.warpgroup:
        this.#gatherWarpgroup(warp, mask, pc);
        return;
      default:
        this.#program.steps[pc]!(warp, mask);
        this.#setPc(warp, mask, pc + 1);
        warp.starving = true;
    }
  }

  #indexedBranch(warp: Warp, mask: number, pc: number): void {
    const ref = this.#program.indices[pc]!;
    const targets = this.#program.targets[pc]!;
    const profiler = this.#env.profiler;
    const at = ref.slot + (warp.base & ref.mask);
    const seen = new Set<number>();
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const index = this.#program.file.i32[at + l]! >>> 0;
      const target = targets[index];
      if (target === undefined) {
        this.#env.fault(warp, l, {
          kind: 'trap',
          message: `${this.#env.who(warp, l)}: index ${index} of a branch table of ${targets.length} entries.`,
          instruction: this.#program.instructions[pc],
        });
        throw new LaunchStopped('a branch index is out of range');
      }
      warp.pc[l] = target;
      seen.add(target);
    }
    if (profiler !== undefined) {
      profiler.branches++;
      if (seen.size > 1) profiler.divergentBranches++;
    }
  }

  #trap(warp: Warp, mask: number, pc: number): void {
    const env = this.#env;
    const lane = lowestLane(mask);
    const instruction = this.#program.instructions[pc]!;
    const message = `${env.who(warp, lane)} executed ${instruction.op} at ${whereOf(instruction)}.`;
    env.note(warp, lane, { kind: 'trap', message, instruction });
    throw new LaunchStopped(message);
  }

  #exit(warp: Warp, mask: number): void {
    const { block } = warp;
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0) continue;
      const bulk = block.bulk?.unfinished(warp.index * LANES + l) ?? 0;
      const left = (block.copies?.unfinished(warp, l) ?? 0) + bulk;
      if (left === 0) continue;
      this.#env.note(warp, l, {
        kind: 'unfinished-async-copy',
        message: `${this.#env.who(warp, l)} exits with ${left} asynchronous ${left === 1 ? 'copy' : 'copies'} that it never waited for.`,
        instruction: this.#program.instructions[warp.pc[l]!],
      });
    }
    this.#env.races?.lifetime.exit(warp, mask);
    warp.alive &= ~mask;
    block.live -= popcount(mask);
    for (const completed of block.afterExit()) this.#released(block, completed);
    this.#releasedCluster(block.cluster.completePhase());
    this.#releaseGathered(warp);
    if (block.finished) this.#end(block);
  }

  /** The last thread of a block has exited: nothing may reach for its shared memory any more. */
  #end(block: Block): void {
    const env = this.#env;
    for (const { warp, lane, at } of block.cluster.writesAt(block, env.sharedBytes)) {
      env.note(warp, lane, {
        kind: 'unfinished-async-copy',
        message: `Block (${block.position.join(', ')}) exits while the asynchronous copy that ${env.who(warp, lane)} started at ${whereOf(at)} still uses its shared memory: wait on its mbarrier first.`,
        instruction: at,
      });
    }
    env.races?.lifetime.end(block);
  }

  // Barriers and gathering

  #barrier(warp: Warp, mask: number, pc: number): void {
    const plan = this.#program.barriers[pc]!;
    const { i32 } = this.#program.file;
    const { block } = warp;
    this.#setPc(warp, mask, pc + 1);
    if (plan.instruction.operation.startsWith('cluster')) {
      this.#clusterBarrier(warp, mask, pc, plan.instruction);
      return;
    }
    const word = (ref: { slot: number; mask: number }, lane: number): number =>
      i32[ref.slot + (warp.base & ref.mask) + lane]! >>> 0;
    // Lanes may name different barriers: each arrives at its own.
    for (let left = mask; left !== 0; ) {
      const lane = lowestLane(left);
      const id = word(plan.id, lane);
      const count = plan.count === undefined ? 0 : word(plan.count, lane);
      let same = 0;
      for (let l = lane; l < LANES; l++) {
        if (((left >>> l) & 1) !== 0 && word(plan.id, l) === id) same |= 1 << l;
      }
      left &= ~same;
      if (id > 15 || count % 32 !== 0) {
        const message = `${this.#env.who(warp, lane)}: barrier ${id} with a count of ${count}; ids go to 15, counts are multiples of 32.`;
        this.#env.note(warp, lane, { kind: 'barrier-divergence', message, instruction: plan.instruction });
        throw new LaunchStopped(message);
      }
      const waits = plan.instruction.operation !== 'arrive';
      if (waits) {
        warp.waiting |= same;
        for (let l = 0, m = same; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.memberMask[l] = 0;
      }
      const truth = plan.predicate === undefined ? undefined : lanesWhere(warp.predicates, plan.predicate);
      const wait = waits ? { warp, mask: same, site: pc, deliver: plan.deliver } : undefined;
      const arrival = { warp, mask: same, time: this.#env.races?.time ?? 0 };
      this.#released(block, block.arrive(id, arrival, count, wait, truth));
    }
  }

  /** barrier.cluster: arrive goes on at once, wait stays until the phase that the lane arrived in is over. */
  #clusterBarrier(warp: Warp, mask: number, pc: number, at: Barrier): void {
    const { cluster } = warp.block;
    const { races } = this.#env;
    if (at.operation === 'cluster-arrive') {
      for (let l = 0; l < LANES; l++) {
        if (((mask >>> l) & 1) === 0) continue;
        if (warp.clusterPhase[l]! > cluster.phase) this.#arrivesTwice(warp, l, at);
        warp.clusterPhase[l] = cluster.phase + 1;
      }
      const publish = (before: Clock | undefined) => races?.publishArrival(before, warp, mask, at.relaxed);
      this.#releasedCluster(cluster.arrive(mask, publish));
      return;
    }
    let stays = 0;
    for (let l = 0; l < LANES; l++) {
      if (((mask >>> l) & 1) === 0 || warp.clusterPhase[l]! <= cluster.phase) continue;
      stays |= 1 << l;
      warp.memberMask[l] = 0;
    }
    // The phase ended before: what its arrivals published is known.
    if (stays !== mask) races?.acquireArrivals([{ warp, mask: mask & ~stays }], cluster.known);
    if (stays === 0) return;
    warp.waiting |= stays;
    cluster.wait({ warp, mask: stays, site: pc, deliver: undefined });
  }

  #arrivesTwice(warp: Warp, lane: number, instruction: Barrier): void {
    this.#env.fault(warp, lane, {
      kind: 'barrier-divergence',
      message: `${this.#env.who(warp, lane)} arrives at the cluster's barrier again at ${whereOf(instruction)} before barrier.cluster.wait.`,
      instruction,
    });
  }

  #releasedCluster(release: ClusterRelease | undefined): void {
    if (release !== undefined) this.#env.races?.acquireArrivals(release.waits, release.known);
  }

  /** After a barrier completes: all that waited must have been at the same barrier in the program. */
  #released(block: Block, completed: Completed | undefined): void {
    if (completed === undefined) return;
    const { arrivals, waits } = completed;
    this.#env.races?.barrier(block, arrivals, waits);
    this.#env.profiler?.barrier(completed);
    const first = waits[0];
    if (first === undefined) return;
    const { barriers, instructions } = this.#program;
    this.#checkBypass(block, first);
    const other = waits.find(({ site }) => site !== first.site);
    if (other === undefined) return;
    if (barriers[first.site]!.count !== undefined || barriers[other.site]!.count !== undefined) return;
    const lane = lowestLane(other.mask);
    const env = this.#env;
    env.fault(other.warp, lane, {
      kind: 'barrier-divergence',
      message: `${env.who(other.warp, lane)} waits at the barrier at ${whereOf(instructions[other.site]!)} while ${env.who(first.warp, lowestLane(first.mask))} waits at another one, at ${whereOf(instructions[first.site]!)}: all threads of a block must reach the same barrier.`,
      instruction: instructions[other.site],
    });
  }

  /** A barrier let its threads go: those that have ended must not have gone past it and on. */
  #checkBypass(block: Block, { warp, mask, site }: BarrierWait): void {
    const behind = this.#program.bypasses.get(site);
    if (behind === undefined) return;
    for (const other of block.warps) {
      for (let l = 0, gone = other.present & ~other.alive; gone !== 0; l++, gone >>>= 1) {
        if ((gone & 1) === 0 || !behind.has(other.lastStep[l]!)) continue;
        const env = this.#env;
        const { instructions } = this.#program;
        const waiter = lowestLane(mask);
        env.fault(warp, waiter, {
          kind: 'barrier-divergence',
          message: `${env.who(warp, waiter)} waits at the barrier at ${whereOf(instructions[site]!)}, and ${env.who(other, l)} has gone past it without stopping, came to ${whereOf(instructions[other.lastStep[l]!]!)}, and ended: all threads of a block must reach the barrier.`,
          instruction: instructions[site],
        });
        return;
      }
    }
  }

  /** A warpgroup-wide operation: lanes wait until all of its four warps are here. */
  #gatherWarpgroup(warp: Warp, mask: number, pc: number): void {
    const env = this.#env;
    const { block } = warp;
    const index = Math.floor(warp.index / WARPGROUP);
    const warps = block.warps.slice(WARPGROUP * index, WARPGROUP * (index + 1));
    const state = block.gathering.get(index) ?? { pc, lanes: new Array<number>(WARPGROUP).fill(0) };
    const instruction = this.#program.instructions[pc]!;
    const refuse = (reason: string): never => {
      const message = `${env.who(warp, lowestLane(mask))} executes ${instruction.op} at ${whereOf(instruction)}, ${reason}.`;
      env.note(warp, lowestLane(mask), { kind: 'barrier-divergence', message, instruction });
      throw new LaunchStopped(message);
    };
    if (warps.length < WARPGROUP || warps.some(({ present }) => present !== -1)) {
      refuse(`which needs a warpgroup of 128 threads; this one has ${block.warps.length - WARPGROUP * index} warps`);
    }
    if (state.pc !== pc) {
      refuse(`while other threads of its warpgroup are at ${whereOf(this.#program.instructions[state.pc]!)}`);
    }
    block.gathering.set(index, state);
    this.#setPc(warp, mask, pc + 1);
    warp.waiting |= mask;
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.memberMask[l] = 0;
    state.lanes[warp.index % WARPGROUP]! |= mask;
    if (state.lanes.some((lanes) => lanes !== -1)) return;
    block.gathering.delete(index);
    for (const member of warps) member.waiting = 0;
    this.#program.warpgroupSteps[pc]!(warps);
    // Each warp's wait_group ends the product of all four, so what one has read until here, all have.
    const time = env.races?.time ?? 0;
    env.races?.barrier(
      block,
      warps.map((member) => ({ warp: member, mask: -1, time })),
      warps.map((member) => ({ warp: member, mask: -1 })),
    );
  }

  /** A warp-wide operation: lanes wait until every live lane of their member mask is here. */
  #gather(warp: Warp, mask: number, pc: number): void {
    const ref = this.#program.members[pc];
    for (let l = 0, m = mask; m !== 0; l++, m >>>= 1) {
      if ((m & 1) === 0) continue;
      const members = ref === undefined ? -1 : this.#program.file.i32[ref.slot + (warp.base & ref.mask) + l]!;
      if (((members >>> l) & 1) === 0) {
        this.#env.fault(warp, l, {
          kind: 'absent-lane',
          message: `${this.#env.who(warp, l)} is lane ${l}, which is not in the mask 0x${(members >>> 0).toString(16)} that it gives.`,
          instruction: this.#program.instructions[pc],
        });
      }
      warp.memberMask[l] = members | (1 << l);
      warp.waiting |= 1 << l;
    }
    this.#releaseGathered(warp);
  }

  #releaseGathered(warp: Warp): void {
    let waiting = warp.waiting & warp.alive;
    while (waiting !== 0) {
      const lane = lowestLane(waiting);
      const members = warp.memberMask[lane]!;
      waiting &= ~(1 << lane);
      if (members === 0) continue;
      const pc = warp.pc[lane]!;
      const instruction = this.#program.instructions[pc]!;
      const anywhere = instruction.kind === 'warp' && instruction.op === 'warpsync';
      let here = 0;
      for (let l = 0; l < LANES; l++) {
        if (((warp.waiting >>> l) & 1) === 0 || warp.memberMask[l] !== members) continue;
        const at = this.#program.instructions[warp.pc[l]!]!;
        // bar.warp.sync matches itself anywhere in the program; the others exchange values at one instruction.
        if (warp.pc[l] === pc || (anywhere && at.kind === 'warp' && at.op === 'warpsync')) here |= 1 << l;
      }
      waiting &= ~here;
      if ((members & warp.alive & ~here) !== 0) continue;
      warp.waiting &= ~here;
      for (let l = 0, m = here; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.memberMask[l] = 0;
      this.#env.races?.warpSync(warp, here);
      this.#program.steps[pc]!(warp, here);
      for (let l = 0, m = here; m !== 0; l++, m >>>= 1) if ((m & 1) !== 0) warp.pc[l]!++;
    }
  }
}
