/**
 * How much of a launch's traffic reaches the L2 and the DRAM of a target, from its sectors, its reuse distances and what
 * neighbouring blocks share. The formulas are those of README.md, "Memory".
 */
import type { AllocationTraffic, LaunchProfile } from '../types.ts';
import type { GpuTarget } from './targets.ts';

const SECTOR = 32;

export interface MemoryTraffic {
  /** Bytes that no cache can save: distinct bytes read, and those written beyond what the L2 holds. */
  leastDram: number;
  /** Bytes to and from DRAM, estimated. */
  dram: number;
  /** Bytes between the SMs and the L2, estimated. */
  l2: number;
  /** Parts of the load requests' sectors that come from the L1, the L2 and DRAM, estimated; they add up to 1. */
  loadsFrom: { l1: number; l2: number; memory: number };
}

export interface Residency {
  blocksPerSm: number;
  sharedBytes: number;
  /** Traffic of register spills, bytes of the launch. */
  spillBytes: number;
}

/** Requests whose reuse distance is below `capacity` sectors. The bucket that the capacity falls into counts in part. */
function within(counts: readonly number[], capacity: number): number {
  let hits = 0;
  for (const [k, count] of counts.entries()) {
    const low = k === 0 ? 0 : 2 ** (k - 1);
    const width = k === 0 ? 1 : low;
    hits += count * Math.min(1, Math.max(0, (capacity - low) / width));
  }
  return hits;
}

/** Distinct bytes of an allocation that a wave of consecutive blocks touches: every further block adds what it does not share. */
function waveBytes(one: AllocationTraffic, { grid }: LaunchProfile, blocks: number): number {
  let left = Math.min(blocks, grid[0] * grid[1] * grid[2]);
  let bytes = one.bytesPerBlock;
  for (let axis = 0; axis < 3; axis++) {
    const along = Math.min(grid[axis]!, Math.max(1, left));
    bytes *= 1 + (along - 1) * (1 - one.sharedWithNeighbour[axis]!);
    left /= grid[axis]!;
  }
  return Math.min(bytes, one.uniqueBytes);
}

export function memoryTraffic(profile: LaunchProfile, target: GpuTarget, residency: Residency): MemoryTraffic {
  const { global, atomics, reuse, allocations, totalBlocks } = profile;
  const concurrent = Math.min(totalBlocks, target.sms * residency.blocksPerSm);
  const waves = Math.max(1, totalBlocks / concurrent);

  const read = allocations.reduce((sum, one) => sum + Math.min(one.uniqueBytes, SECTOR * one.loadSectors), 0);
  const written = allocations.reduce(
    (sum, one) => sum + Math.min(one.uniqueBytes, SECTOR * (one.storeSectors + one.atomicSectors)),
    0,
  );
  const local = SECTOR * profile.local.sectors + residency.spillBytes;
  const unique = global.uniqueBytes;

  // Each resident block has its part of the L1.
  const l1 = Math.max(0, target.l1Bytes - residency.blocksPerSm * residency.sharedBytes) / residency.blocksPerSm;
  const l1Hits = Math.min(within(reuse.loads, l1 / SECTOR), global.loadSectors);
  const l2Loads = SECTOR * (global.loadSectors - l1Hits);
  const l2 = l2Loads + SECTOR * (global.storeSectors + 2 * atomics.sectors) + local * 0.5;

  // Within a block: all concurrent blocks' reuse windows share the L2.
  const shareOfL2 = target.l2Bytes / concurrent / SECTOR;
  const farLoads = total(reuse.loads) - within(reuse.loads, Math.max(shareOfL2, l1 / SECTOR));
  const farOthers = total(reuse.others) - within(reuse.others, shareOfL2);
  const inBlock = unique > target.l2Bytes ? SECTOR * (farLoads + farOthers) : 0;
  // Across waves: what a wave needs again has stayed as far as the L2 holds what the launch touches.
  const wave = allocations.reduce((sum, one) => sum + waveBytes(one, profile, concurrent), 0);
  const kept = unique > target.l2Bytes ? target.l2Bytes / unique : 1;
  const acrossWaves = Math.max(0, wave * waves - unique) * (1 - kept);
  const dram = read + written + Math.min(inBlock + acrossWaves, Math.max(0, l2 - unique));

  const loads = Math.max(1, SECTOR * global.loadSectors);
  const fromL1 = Math.min(1, (SECTOR * l1Hits) / loads);
  const fromMemory = Math.min(1 - fromL1, Math.max(0, dram - written) / loads);
  return {
    leastDram: read + Math.max(0, written - target.l2Bytes),
    dram,
    l2,
    loadsFrom: { l1: fromL1, l2: 1 - fromL1 - fromMemory, memory: fromMemory },
  };
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
