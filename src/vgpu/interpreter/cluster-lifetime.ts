/**
 * Shared memory of another block exists from when that block has started until its last thread exits. Each reach for it
 * must be ordered after the one and before the other (cluster.sync() at both ends does it), however the schedule of this
 * run happened to be.
 */
import type { Instruction } from '../ptx/ir.ts';
import type { Block } from './block.ts';
import { type Environment, whereOf } from './environment.ts';
import type { HappensBefore } from './happens-before.ts';
import { LANES } from './registers.ts';
import type { Warp } from './warp.ts';

/** The last access of a thread to the shared memory of another block. */
interface Reach {
  readonly warp: Warp;
  readonly lane: number;
  readonly time: number;
  readonly at: Instruction;
}

function place(block: Block): string {
  return `block (${block.position.join(', ')})`;
}

export class ClusterLifetime {
  readonly #env: Environment;
  readonly #order: HappensBefore;
  readonly #started = new Map<Block, number>();
  /** By the block reached, then by the thread that reaches. */
  readonly #reaches = new Map<Block, Map<number, Reach>>();

  constructor(env: Environment, order: HappensBefore) {
    this.#env = env;
    this.#order = order;
  }

  /** A block of a cluster starts. */
  start(block: Block): void {
    this.#started.set(block, this.#order.tick(block.warps[0]!, 0));
  }

  /** A thread reaches for memory at this offset of the WebAssembly memory. */
  reach(warp: Warp, lane: number, time: number, physical: number, at: Instruction): void {
    const { block } = warp;
    const { cluster } = block;
    if (cluster.blocks.length === 1) return;
    const env = this.#env;
    const owner = cluster.ownerOf(physical, env.sharedBytes);
    if (owner === undefined || owner === block) return;
    const known = this.#reaches.get(owner);
    const key = block.rank * 1024 + warp.index * LANES + lane;
    if (known?.has(key) !== true) this.#requireStarted(warp, lane, owner, at);
    const reaches = known ?? new Map<number, Reach>();
    reaches.set(key, { warp, lane, time, at });
    this.#reaches.set(owner, reaches);
  }

  #requireStarted(warp: Warp, lane: number, owner: Block, at: Instruction): void {
    const started = this.#started.get(owner);
    if (started === undefined || this.#order.knows(warp, lane, owner.warps[0]!, 0, started)) return;
    const env = this.#env;
    env.fault(warp, lane, {
      kind: 'race',
      message: `${env.who(warp, lane)} reaches for the shared memory of ${place(owner)} at ${whereOf(at)}, which may not have started yet: a cluster barrier (cluster.sync()) is needed first.`,
      instruction: at,
      space: 'shared',
    });
  }

  /** Lanes are about to exit: what they know of is over before their block can end. */
  exit(warp: Warp, mask: number): void {
    const { block } = warp;
    const reaches = this.#reaches.get(block);
    if (reaches === undefined) return;
    for (let lane = 0; lane < LANES; lane++) {
      if (((mask >>> lane) & 1) === 0) continue;
      for (const [key, reach] of reaches) {
        if (this.#order.knows(warp, lane, reach.warp, reach.lane, reach.time)) reaches.delete(key);
      }
    }
  }

  /** The block has ended: reaches that none of its threads knew of may come too late. */
  end(block: Block): void {
    const env = this.#env;
    for (const { warp, lane, at } of this.#reaches.get(block)?.values() ?? []) {
      env.fault(warp, lane, {
        kind: 'use-after-free',
        message: `${env.who(warp, lane)} reaches for the shared memory of ${place(block)} at ${whereOf(at)}, which may have exited by then: nothing makes it wait. End with a cluster barrier (cluster.sync()).`,
        instruction: at,
        space: 'shared',
      });
    }
    this.#reaches.delete(block);
  }
}
