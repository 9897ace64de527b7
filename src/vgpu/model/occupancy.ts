/**
 * How many blocks of a launch an SM holds at once, and what limits it.
 * Source of the rules: CUDA C++ Programming Guide, "Multiprocessor Level" and the occupancy calculator's granularities.
 */
import type { GpuTarget } from './targets.ts';

/** Registers are given to warps in units of 256. */
const registerUnit = 256;
/** Shared memory is given to blocks in units of 128 bytes. */
const sharedUnit = 128;

export interface BlockDemand {
  threads: number;
  /** Registers a thread, as ptxas says. */
  registers: number;
  /** Static and dynamic shared memory, bytes. */
  sharedBytes: number;
}

export interface Occupancy {
  /** Blocks resident on one SM; 0 when a block does not fit at all. */
  blocksPerSm: number;
  /** Resident warps over the SM's maximum, 0 to 1. */
  fraction: number;
  limitedBy: 'threads' | 'blocks' | 'registers' | 'shared memory';
}

/** Blocks of this demand that fit on one SM of `target`. */
export function occupancy(demand: BlockDemand, target: GpuTarget): Occupancy {
  const warps = Math.ceil(demand.threads / 32);
  const registersPerWarp = Math.ceil((Math.max(demand.registers, 1) * 32) / registerUnit) * registerUnit;
  const shared = Math.ceil((demand.sharedBytes + target.sharedBytesReserved) / sharedUnit) * sharedUnit;
  const limits = [
    ['threads', Math.floor(target.maxThreadsPerSm / (warps * 32))],
    ['blocks', target.maxBlocksPerSm],
    ['registers', Math.floor(Math.floor(target.registersPerSm / registersPerWarp) / warps)],
    [
      'shared memory',
      demand.sharedBytes > target.sharedBytesPerBlock ? 0 : Math.floor(target.sharedBytesPerSm / shared),
    ],
  ] as const;
  let [limitedBy, blocksPerSm] = limits[0] as readonly [Occupancy['limitedBy'], number];
  for (const [name, blocks] of limits) if (blocks < blocksPerSm) [limitedBy, blocksPerSm] = [name, blocks];
  return { blocksPerSm, fraction: (blocksPerSm * warps * 32) / target.maxThreadsPerSm, limitedBy };
}
