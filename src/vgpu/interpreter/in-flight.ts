/**
 * Asynchronous writes to shared memory that an mbarrier counts: bulk and tensor copies, st.async and red.async. They land
 * when a thread asks the mbarrier: as late as the ISA allows, so that a read that comes too early is found.
 */
import type { Instruction } from '../ptx/ir.ts';
import type { Cluster } from './cluster.ts';
import type { Environment } from './environment.ts';
import { completeTransactions } from './mbarrier.ts';
import type { Warp } from './warp.ts';

export interface InFlight {
  readonly warp: Warp;
  readonly lane: number;
  readonly at: Instruction;
  /** Where it lands: an offset in the WebAssembly memory. */
  readonly target: number;
  readonly bytes: number;
  /** Offset of the mbarrier. */
  readonly barrier: number;
  /** Where it comes from, when that is shared memory, which must last until then. */
  readonly sharedSource: number | undefined;
  /** It updates what is there. */
  readonly keepsOldBytes: boolean;
  /** Writes the bytes. */
  land(): void;
}

/** Lands the writes that an mbarrier counts. */
export function deliver(env: Environment, cluster: Cluster, barrier: number): void {
  if (!cluster.inFlight.some((write) => write.barrier === barrier)) return;
  const due = cluster.inFlight.filter((write) => write.barrier === barrier);
  cluster.inFlight = cluster.inFlight.filter((write) => write.barrier !== barrier);
  for (const write of due) {
    write.land();
    env.memory.markInitialised(write.target, write.bytes, true);
    env.races?.synchronise(write.warp, write.lane, barrier, write.at, 'cluster', true, false);
    completeTransactions(env, barrier, write.bytes);
  }
}

/** Takes note of a write; its bytes count as uninitialised until it lands. */
export function launchWrite(env: Environment, write: InFlight): void {
  if (!write.keepsOldBytes) env.memory.markInitialised(write.target, write.bytes, false);
  write.warp.block.cluster.inFlight.push(write);
}
