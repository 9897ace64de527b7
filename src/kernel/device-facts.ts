/** What host code may ask about the GPU, answered from the target and never from this machine. */
export interface DeviceFacts {
  name: string;
  computeCapability: readonly [major: number, minor: number];
  multiprocessors: number;
  globalMemoryBytes: number;
  l2Bytes: number;
  maxThreadsPerMultiprocessor: number;
  maxBlocksPerMultiprocessor: number;
  registersPerMultiprocessor: number;
  sharedBytesPerMultiprocessor: number;
  /** The most dynamic plus static shared memory a block may have after cudaFuncSetAttribute. */
  sharedBytesPerBlockOptIn: number;
}

/** Every GPU since compute capability 2.0 (CUDA C++ Programming Guide, "Technical specifications per compute capability"). */
export const THREADS_PER_BLOCK = 1024;
export const BLOCK_LIMITS = [1024, 1024, 64] as const;
export const GRID_LIMITS = [2 ** 31 - 1, 65535, 65535] as const;
/** Shared memory of a block without opting in to more. */
export const DEFAULT_SHARED_BYTES = 48 * 1024;
export const WARP_SIZE = 32;
export const REGISTERS_PER_BLOCK = 65536;

const KIB = 1024;
const GIB = 2 ** 30;

/**
 * One GPU for each architecture, for callers that name none. Per-capability limits: CUDA C++ Programming Guide, "Technical
 * specifications per compute capability"; counts and sizes: NVIDIA's A100, H100, L4 and Ada whitepapers.
 */
const BY_ARCH: Readonly<Record<string, DeviceFacts>> = {
  sm_80: facts('NVIDIA A100-SXM4-80GB', [8, 0], 108, 80 * GIB, 40960 * KIB, 2048, 32, 164 * KIB),
  sm_86: facts('NVIDIA RTX 3090', [8, 6], 82, 24 * GIB, 6144 * KIB, 1536, 16, 100 * KIB),
  sm_89: facts('NVIDIA L4', [8, 9], 58, 24 * GIB, 49152 * KIB, 1536, 24, 100 * KIB),
  sm_90: facts('NVIDIA H100 80GB HBM3', [9, 0], 132, 80 * GIB, 51200 * KIB, 2048, 32, 228 * KIB),
};

/** Facts of a common GPU of this architecture, or undefined. `sm_90a` is answered as `sm_90`. */
export function deviceFactsOf(arch: string): DeviceFacts | undefined {
  return BY_ARCH[arch.replace(/[af]$/, '')];
}

function facts(
  name: string,
  computeCapability: [number, number],
  multiprocessors: number,
  globalMemoryBytes: number,
  l2Bytes: number,
  maxThreadsPerMultiprocessor: number,
  maxBlocksPerMultiprocessor: number,
  sharedBytesPerMultiprocessor: number,
): DeviceFacts {
  return {
    name,
    computeCapability,
    multiprocessors,
    globalMemoryBytes,
    l2Bytes,
    maxThreadsPerMultiprocessor,
    maxBlocksPerMultiprocessor,
    registersPerMultiprocessor: 65536,
    sharedBytesPerMultiprocessor,
    // The system reserves 1 KiB of a multiprocessor's shared memory for each block.
    sharedBytesPerBlockOptIn: sharedBytesPerMultiprocessor - KIB,
  };
}
