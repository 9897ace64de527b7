import { type GpuTarget, gpuTargets } from '../vgpu/index.ts';

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
/** Blocks of a cluster: everywhere, and after cudaFuncAttributeNonPortableClusterSizeAllowed (H100). */
export const PORTABLE_CLUSTER = 8;
export const LARGEST_CLUSTER = 16;
export const REGISTERS_PER_BLOCK = 65536;

/** What host code is told when the plan is made for `target`. */
export function factsOf(target: GpuTarget): DeviceFacts {
  const [, major, minor] = /^sm_(\d+)(\d)/.exec(target.arch) ?? [];
  return {
    name: target.name,
    computeCapability: [Number(major), Number(minor)],
    multiprocessors: target.sms,
    globalMemoryBytes: target.memoryBytes,
    l2Bytes: target.l2Bytes,
    maxThreadsPerMultiprocessor: target.maxThreadsPerSm,
    maxBlocksPerMultiprocessor: target.maxBlocksPerSm,
    registersPerMultiprocessor: target.registersPerSm,
    sharedBytesPerMultiprocessor: target.sharedBytesPerSm,
    sharedBytesPerBlockOptIn: target.sharedBytesPerBlock,
  };
}

/** Facts of the first GPU of this architecture in the table of targets, or undefined. `sm_90a` is answered as `sm_90`. */
export function deviceFactsOf(arch: string): DeviceFacts | undefined {
  const target = gpuTargets.find((each) => each.arch === arch.replace(/[af]$/, ''));
  return target && factsOf(target);
}
