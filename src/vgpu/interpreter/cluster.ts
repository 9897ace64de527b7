/**
 * The thread blocks of one cluster: resident together, with a barrier of their own, and within reach of each other's
 * shared memory. Every block belongs to one; a launch without clusters has clusters of one block.
 */
import type { BarrierWait, Block } from './block.ts';
import type { Clock } from './clock.ts';
import type { InFlight } from './in-flight.ts';
import { popcount } from './warp.ts';

/** Lanes whose wait at the cluster's barrier is over, and what they know from then on. */
export interface ClusterRelease {
  readonly waits: readonly BarrierWait[];
  readonly known: Clock | undefined;
}

export class Cluster {
  /** By rank. */
  readonly blocks: Block[] = [];
  /** Asynchronous writes to shared memory that an mbarrier counts, in the order in which they were issued. */
  inFlight: InFlight[] = [];
  /** Phases of barrier.cluster that are over. */
  phase = 0;
  /** What the arrivals of the phase that ended last have published. */
  known: Clock | undefined;
  /** Time, on the race detector's clock, of the last fence.proxy.async. */
  proxyFence = -1;
  #arrived = 0;
  #publishing: Clock | undefined;
  #waits: BarrierWait[] = [];

  /** Threads that have not exited. */
  get live(): number {
    return this.blocks.reduce((sum, { live }) => sum + live, 0);
  }

  get finished(): boolean {
    return this.blocks.every(({ finished }) => finished);
  }

  /** The block whose shared area holds this offset of the WebAssembly memory. */
  ownerOf(physical: number, sharedBytes: number): Block | undefined {
    return this.blocks.find(({ sharedBase }) => physical >= sharedBase && physical < sharedBase + sharedBytes);
  }

  /** barrier.cluster.arrive. `publish` adds to what earlier arrivals of the phase made known. */
  arrive(mask: number, publish: (before: Clock | undefined) => Clock | undefined): ClusterRelease | undefined {
    this.#arrived += popcount(mask);
    this.#publishing = publish(this.#publishing);
    return this.completePhase();
  }

  wait(wait: BarrierWait): void {
    this.#waits.push(wait);
  }

  /** Ends the phase when all threads that have not exited have arrived, and lets go those that wait for it. */
  completePhase(): ClusterRelease | undefined {
    if (this.#arrived === 0 || this.#arrived < this.live) return undefined;
    this.#arrived = 0;
    this.phase++;
    this.known = this.#publishing;
    this.#publishing = undefined;
    const waits = this.#waits;
    this.#waits = [];
    for (const { warp, mask } of waits) warp.waiting &= ~mask;
    return { waits, known: this.known };
  }

  /** Is a write to these bytes in flight? */
  hasWriteTo(physical: number, bytes: number): boolean {
    return this.inFlight.some(({ target, bytes: size }) => target < physical + bytes && physical < target + size);
  }

  /** Writes in flight that end in, or start from, the shared memory of a block. */
  writesAt(block: Block, sharedBytes: number): InFlight[] {
    const within = (physical: number | undefined): boolean =>
      physical !== undefined && physical >= block.sharedBase && physical < block.sharedBase + sharedBytes;
    return this.inFlight.filter(({ target, sharedSource }) => within(target) || within(sharedSource));
  }
}
