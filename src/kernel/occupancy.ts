/** How many blocks of a kernel fit a multiprocessor: the arithmetic of NVIDIA's occupancy calculator (cuda_occupancy.h). */
import { type DeviceFacts, REGISTERS_PER_BLOCK, THREADS_PER_BLOCK, WARP_SIZE } from './device-facts.ts';
import type { EntryResources } from './types.ts';

/** Registers are given out to warps in units of 256; warps in units of 4 (one for each scheduler). */
const REGISTER_UNIT = 256;
const WARP_UNIT = 4;
const SHARED_UNIT = 128;
/** The system's own share of each block's shared memory since compute capability 8.0. */
const RESERVED_SHARED = 1024;

export function activeBlocks(
  resources: EntryResources,
  threads: number,
  dynamicShared: number,
  facts: DeviceFacts,
): number {
  if (threads < 1 || threads > THREADS_PER_BLOCK) return 0;
  const warps = Math.ceil(threads / WARP_SIZE);
  const byWarps = Math.floor(facts.maxThreadsPerMultiprocessor / WARP_SIZE / warps);
  const perWarp = Math.ceil((Math.max(1, resources.registers) * WARP_SIZE) / REGISTER_UNIT) * REGISTER_UNIT;
  const inUnits = (registers: number): number => Math.floor(registers / perWarp / WARP_UNIT) * WARP_UNIT;
  if (inUnits(REGISTERS_PER_BLOCK) < warps) return 0;
  const byRegisters = Math.floor(inUnits(facts.registersPerMultiprocessor) / warps);
  const wanted = resources.staticSharedBytes + dynamicShared;
  if (wanted > facts.sharedBytesPerBlockOptIn) return 0;
  const shared = Math.ceil((wanted + RESERVED_SHARED) / SHARED_UNIT) * SHARED_UNIT;
  const byShared = Math.floor(facts.sharedBytesPerMultiprocessor / shared);
  return Math.max(0, Math.min(byWarps, byRegisters, byShared, facts.maxBlocksPerMultiprocessor));
}
