/**
 * What PyTorch's own fill and copy kernels cost, for the time model: one thread for four elements, fully coalesced on
 * the contiguous side. The host function's `zeros`, `contiguous()` and `to()` are launches like any other.
 */
import type { PlanTensor } from '../../kernel/index.ts';
import { elementBytes } from '../../task/index.ts';
import type { LaunchProfile } from '../../vgpu/index.ts';
import { elementCount, isContiguous } from './strided.ts';

const threads = 256;
const elementsPerThread = 4;

/** A fill of `tensor`. */
export function fillProfile(tensor: PlanTensor): LaunchProfile {
  return transferProfile('fill', elementCount(tensor), 0, sectors(tensor));
}

/** A copy, with conversion if the dtypes differ. */
export function copyProfile(from: PlanTensor, to: PlanTensor): LaunchProfile {
  return transferProfile('copy', elementCount(to), sectors(from), sectors(to));
}

/** 32-byte sectors requested: packed when contiguous, one an element when not. */
function sectors(tensor: PlanTensor): number {
  const count = elementCount(tensor);
  return isContiguous(tensor) ? Math.ceil((count * elementBytes[tensor.dtype]) / 32) : count;
}

function transferProfile(kernel: string, count: number, loadSectors: number, storeSectors: number): LaunchProfile {
  const blocks = Math.max(1, Math.ceil(count / (threads * elementsPerThread)));
  const warps = blocks * (threads / 32);
  const loads = loadSectors > 0 ? warps * elementsPerThread : 0;
  const stores = warps * elementsPerThread;
  const index = warps * elementsPerThread * 4;
  return {
    kernel,
    grid: [blocks, 1, 1],
    block: [threads, 1, 1],
    sampledBlocks: blocks,
    totalBlocks: blocks,
    threadInstructions: (loads + stores + index) * 32,
    warpInstructions: loads + stores + index,
    byClass: { load: loads, store: stores, int: index },
    global: {
      loadRequests: loads,
      loadSectors,
      storeRequests: stores,
      storeSectors,
      uniqueBytes: 32 * (loadSectors + storeSectors),
    },
    shared: { accesses: 0, bankConflictCycles: 0 },
    atomics: 0,
    divergentBranches: 0,
    branches: 0,
  };
}
