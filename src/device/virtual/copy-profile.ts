/**
 * What PyTorch's own fill and copy kernels cost, for the time model: one thread for four elements, fully coalesced on
 * the contiguous side. The host function's `zeros`, `contiguous()` and `to()` are launches like any other.
 */
import type { PlanTensor } from '../../kernel/index.ts';
import { elementBytes } from '../../task/index.ts';
import type { LaunchProfile } from '../../vgpu/index.ts';
import { elementCount, isContiguous } from '../plan/strided.ts';

const threads = 256;
const elementsPerThread = 4;

/** A fill of `tensor`. */
export function fillProfile(tensor: PlanTensor): LaunchProfile {
  return transferProfile('fill', elementCount(tensor), undefined, tensor);
}

/** A copy, with conversion if the dtypes differ. */
export function copyProfile(from: PlanTensor, to: PlanTensor): LaunchProfile {
  return transferProfile('copy', elementCount(to), from, to);
}

/** What is moved of a tensor: 32-byte sectors are packed when it is contiguous, one an element when not. */
function moved(tensor: PlanTensor | undefined): { bytes: number; sectors: number } {
  if (tensor === undefined) return { bytes: 0, sectors: 0 };
  const count = elementCount(tensor);
  const bytes = count * elementBytes[tensor.dtype];
  return { bytes, sectors: isContiguous(tensor) ? Math.ceil(bytes / 32) : count };
}

function transferProfile(kernel: string, count: number, from: PlanTensor | undefined, to: PlanTensor): LaunchProfile {
  const blocks = Math.max(1, Math.ceil(count / (threads * elementsPerThread)));
  const warps = blocks * (threads / 32);
  const [read, written] = [moved(from), moved(to)];
  const loads = from === undefined ? 0 : warps * elementsPerThread;
  const stores = warps * elementsPerThread;
  const index = warps * elementsPerThread * 4;
  const traffic = (name: string, { bytes, sectors }: typeof read, loadSectors: number, storeSectors: number) => ({
    name,
    bytes,
    loadSectors,
    storeSectors,
    atomicSectors: 0,
    uniqueBytes: 32 * sectors,
    bytesPerBlock: (32 * sectors) / blocks,
    sharedWithNeighbour: [0, 0, 0] as const,
  });
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
      loadSectors: read.sectors,
      loadBytes: read.bytes,
      storeRequests: stores,
      storeSectors: written.sectors,
      storeBytes: written.bytes,
      uniqueBytes: 32 * (read.sectors + written.sectors),
    },
    allocations: [
      ...(from === undefined ? [] : [traffic('source', read, read.sectors, 0)]),
      traffic('target', written, 0, written.sectors),
    ],
    reuse: { loads: [], others: [] },
    shared: { accesses: 0, wavefronts: 0, leastWavefronts: 0, bankConflictCycles: 0, worstWays: 1 },
    atomics: {
      requests: 0,
      operations: 0,
      sectors: 0,
      sameAddress: 0,
      serialised: 0,
      hottestUpdates: 0,
      sharedRequests: 0,
      sharedOperations: 0,
    },
    local: { loadRequests: 0, storeRequests: 0, sectors: 0 },
    barriers: { arrivals: 0, waitedInstructions: 0, longestInstructions: 0 },
    tensor: {},
    asyncCopies: { requests: 0, bytes: 0 },
    divergentBranches: 0,
    branches: 0,
    hot: [],
  };
}
