/**
 * The GPUs Assay knows, and the constants of the time model: every number with its source. The only place such numbers
 * stand.
 *
 * Peaks are the vendor's own dense figures at maximum boost, because the floor (speed of light) built on them must
 * never be too high. Figures that the vendor does not publish (L2 bandwidth, latencies, atomics, launch gap) come from
 * micro-benchmarks or are assumptions, named as such; they serve the time model only, and are fitted again once measured
 * runs exist (`npm run bench:model`).
 */

import type { GpuTarget } from './gpu-target.ts';
import { variantTargets } from './target-variants.ts';

export type { GpuTarget, Sources } from './gpu-target.ts';

/**
 * What the model takes real kernels to reach of the peaks, and how much parallelism a warp has in itself. These are what
 * measurements are fitted to; the defaults stand until there are some.
 */
export interface ModelConstants {
  /** Part of the peak bandwidth that streaming kernels sustain. */
  memory: number;
  l2: number;
  /** Part of the peak rate that busy pipes and shared memory sustain. */
  issue: number;
  /** Of tensor cores by instructions of a warp (mma.sync, wmma), and of a warpgroup (wgmma). */
  tensor: number;
  warpgroup: number;
  /** Independent memory requests that a warp keeps in flight. */
  memoryParallelism: number;
  /** Independent arithmetic instructions that a warp has ready. */
  instructionParallelism: number;
  /** Launch overhead, as a multiple of the target's. */
  launch: number;
}

/**
 * memory: STREAM-like kernels on HBM and GDDR reach 90 to 94 % of the pin bandwidth (BabelStream results for A100 and H100;
 * Deakin et al., "Evaluating attainable memory bandwidth of parallel programming models via BabelStream", IJCSE 2018).
 * tensor: mma.sync reaches 62 to 65 % of the peak on Hopper, more on Ampere (Luo et al., arXiv 2402.13499, section on tensor
 * cores). warpgroup: the same paper's wgmma comes close to the peak (about 970 of 989 TFLOPS on an H800, as NVIDIA/cutlass issue 2373
 * quotes it); a seventh is left for clocks under load. The others are assumptions, chosen so that textbook kernels come out in the known order; none is measured here.
 */
export const defaultConstants: ModelConstants = {
  memory: 0.92,
  l2: 0.8,
  issue: 0.85,
  tensor: 0.65,
  warpgroup: 0.85,
  memoryParallelism: 4,
  instructionParallelism: 2,
  launch: 1,
};

/** Constants fitted to measurements, by GPU id. None: no measured run exists yet. */
export const fittedConstants: Readonly<Record<string, ModelConstants>> = {};

const hopper = {
  arch: 'sm_90',
  l2Bytes: 50e6,
  lanesPerClock: { fp32: 128, fp64: 64, fp16: 256, int: 64, special: 16, loadStore: 32 },
  sharedBytesPerSm: 228 * 1024,
  sharedBytesPerBlock: 227 * 1024,
  sharedBytesReserved: 1024,
  registersPerSm: 65536,
  maxThreadsPerSm: 2048,
  maxBlocksPerSm: 32,
  l1Bytes: 256 * 1024,
  l1BytesPerClock: 128,
  l2BytesPerClockPerSm: 64,
  latency: { memory: 640, l2: 265, l1: 41, shared: 29, arithmetic: 4, barrier: 30 },
  atomicsPerClock: { sameAddress: 1, apart: 1536 },
  launchSeconds: 1.5e-6,
} as const;

const ada = {
  arch: 'sm_89',
  lanesPerClock: { fp32: 128, fp64: 2, fp16: 128, int: 64, special: 16, loadStore: 32 },
  sharedBytesPerSm: 100 * 1024,
  sharedBytesPerBlock: 99 * 1024,
  sharedBytesReserved: 1024,
  registersPerSm: 65536,
  maxThreadsPerSm: 1536,
  maxBlocksPerSm: 24,
  l1Bytes: 128 * 1024,
  l1BytesPerClock: 128,
  l2BytesPerClockPerSm: 64,
  latency: { memory: 545, l2: 275, l1: 43, shared: 30, arithmetic: 4, barrier: 30 },
  atomicsPerClock: { sameAddress: 1, apart: 1024 },
  launchSeconds: 1.5e-6,
} as const;

const guide =
  'CUDA C++ Programming Guide, tables "Arithmetic Instructions" and "Technical Specifications per Compute Capability", https://docs.nvidia.com/cuda/cuda-c-programming-guide/';
const hopperMicrobenchmarks =
  'Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture" (H100, A100, RTX 4090), https://arxiv.org/abs/2402.13499';
const chipsAndCheeseB200 =
  'Chips and Cheese, "Nvidia\'s B200: Keeping the CUDA Juggernaut Rolling", https://chipsandcheese.com/p/nvidias-b200-keeping-the-cuda-juggernaut';
const l2Benchmarks =
  'measured, reading sets of 10 to 30 MB: gpu-l2-cache of gpu-benches (D. Ernst, NHR@FAU), https://github.com/te42kyfo/gpu-benches';
const turingMicrobenchmarks =
  'Jia et al., "Dissecting the NVidia Turing T4 GPU via Microbenchmarking", https://arxiv.org/abs/1903.07486';
const l1Guide =
  'CUDA tuning guides of the architecture (size of the unified L1); 32 banks of 4 bytes, CUDA C++ Programming Guide; 64 bytes a clock from L2 to an SM: NVIDIA A100 white paper, "A100 L2 cache", taken for the others too';
const atomicsAssumed =
  'assumption: one update of an address a clock, 32-bit updates at half the bytes a clock of the L2 (a read and a write of each)';
const launchAssumed = 'assumption: the gap between dependent kernel nodes of a CUDA graph is 1 to 2 microseconds';

/** The sources that most targets have in common. */
const usual = { limits: guide, l1: l1Guide, atomics: atomicsAssumed, launch: launchAssumed };

/** One of each chip. */
const chips: readonly GpuTarget[] = [
  {
    ...hopper,
    id: 'h100',
    name: 'NVIDIA H100 SXM5 80GB',
    sms: 132,
    clockHz: 1.98e9,
    memoryBytes: 80e9,
    memoryBandwidth: 3.35e12,
    l2Bandwidth: 9.0e12,
    flops: {
      fp32: 66.9e12,
      fp64: 33.5e12,
      tf32: 494.7e12,
      fp16: 989.4e12,
      bf16: 989.4e12,
      fp64Tensor: 66.9e12,
      int8: 1978.9e12,
    },
    sources: {
      ...usual,
      peaks: 'NVIDIA H100 Tensor Core GPU Architecture white paper, tables 2 and 3',
      l2: `size: the white paper; bandwidth: 6.9 TB/s of an H100 PCIe, scaled to the SXM5's SMs and clock; ${l2Benchmarks}`,
      latency: hopperMicrobenchmarks,
    },
  },
  {
    ...hopper,
    id: 'h200',
    name: 'NVIDIA H200 SXM5 141GB',
    sms: 132,
    clockHz: 1.98e9,
    memoryBytes: 141e9,
    memoryBandwidth: 4.8e12,
    l2Bandwidth: 9.7e12,
    flops: {
      fp32: 66.9e12,
      fp64: 33.5e12,
      tf32: 494.7e12,
      fp16: 989.4e12,
      bf16: 989.4e12,
      fp64Tensor: 66.9e12,
      int8: 1978.9e12,
    },
    sources: {
      ...usual,
      peaks: 'NVIDIA H200 Tensor Core GPU data sheet',
      l2: `size: as H100, the same die; bandwidth: ${l2Benchmarks}`,
      latency: `as H100: ${hopperMicrobenchmarks}`,
    },
  },
  {
    id: 'a100',
    name: 'NVIDIA A100 SXM4 80GB',
    arch: 'sm_80',
    sms: 108,
    clockHz: 1.41e9,
    memoryBytes: 80e9,
    memoryBandwidth: 2.039e12,
    l2Bytes: 40e6,
    l2Bandwidth: 5.4e12,
    flops: { fp32: 19.5e12, fp64: 9.7e12, tf32: 156e12, fp16: 312e12, bf16: 312e12, fp64Tensor: 19.5e12, int8: 624e12 },
    lanesPerClock: { fp32: 64, fp64: 32, fp16: 256, int: 64, special: 16, loadStore: 32 },
    sharedBytesPerSm: 164 * 1024,
    sharedBytesPerBlock: 163 * 1024,
    sharedBytesReserved: 1024,
    registersPerSm: 65536,
    maxThreadsPerSm: 2048,
    maxBlocksPerSm: 32,
    l1Bytes: 192 * 1024,
    l1BytesPerClock: 128,
    l2BytesPerClockPerSm: 64,
    latency: { memory: 466, l2: 261, l1: 38, shared: 29, arithmetic: 4, barrier: 30 },
    atomicsPerClock: { sameAddress: 1, apart: 1280 },
    launchSeconds: 1.5e-6,
    sources: {
      ...usual,
      peaks: 'NVIDIA A100 80GB data sheet; NVIDIA A100 Tensor Core GPU Architecture white paper',
      l2: `size: the white paper; bandwidth: ${l2Benchmarks}`,
      latency: hopperMicrobenchmarks,
    },
  },
  {
    ...ada,
    id: 'rtx4090',
    name: 'NVIDIA GeForce RTX 4090',
    sms: 128,
    clockHz: 2.52e9,
    memoryBytes: 24e9,
    memoryBandwidth: 1.008e12,
    l2Bytes: 72e6,
    l2Bandwidth: 5.0e12,
    flops: {
      fp32: 82.6e12,
      fp64: 1.29e12,
      tf32: 82.6e12,
      fp16: 330.3e12,
      bf16: 165.2e12,
      fp64Tensor: 1.29e12,
      int8: 660.6e12,
    },
    sources: {
      ...usual,
      peaks: 'NVIDIA Ada GPU Architecture white paper, appendix A',
      l2: `size: the white paper; bandwidth: ${hopperMicrobenchmarks}`,
      latency: hopperMicrobenchmarks,
    },
  },
  {
    ...ada,
    id: 'l4',
    name: 'NVIDIA L4',
    sms: 58,
    clockHz: 2.04e9,
    memoryBytes: 24e9,
    memoryBandwidth: 300e9,
    l2Bytes: 48e6,
    l2Bandwidth: 1.9e12,
    flops: { fp32: 30.3e12, fp64: 0.49e12, tf32: 60e12, fp16: 121e12, bf16: 121e12, fp64Tensor: 0.49e12, int8: 242e12 },
    sources: {
      ...usual,
      peaks: 'NVIDIA L4 Tensor Core GPU data sheet (dense = half of the figures with sparsity)',
      l2: 'size: the data sheet; bandwidth: assumption, that of the RTX 4090 by SMs and clock',
      latency: `as RTX 4090: ${hopperMicrobenchmarks}`,
    },
  },
  {
    ...hopper,
    id: 'b200',
    name: 'NVIDIA B200 SXM 192GB',
    arch: 'sm_100',
    sms: 148,
    // The clock that the vendor's fp32 figure implies.
    clockHz: 2.11e9,
    memoryBytes: 192e9,
    memoryBandwidth: 8e12,
    l2Bytes: 126e6,
    l2Bandwidth: 11.6e12,
    flops: {
      fp32: 80e12,
      fp64: 40e12,
      tf32: 1100e12,
      fp16: 2250e12,
      bf16: 2250e12,
      fp64Tensor: 40e12,
      int8: 4500e12,
    },
    latency: { memory: 750, l2: 300, l1: 39, shared: 29, arithmetic: 4, barrier: 30 },
    sources: {
      ...usual,
      peaks:
        'NVIDIA HGX B200 data sheet, dense figures at 1000 W, as listed by G. Lockwood, https://glennklockwood.com/garden/processors/B200; SMs: Chips and Cheese',
      l2: `size: ${chipsAndCheeseB200}; bandwidth: assumption, that of the H200 by SMs and clock`,
      latency: `L2 150 ns and L1 39 cycles: ${chipsAndCheeseB200}; memory: assumption`,
    },
  },
  {
    id: 't4',
    name: 'NVIDIA T4',
    arch: 'sm_75',
    sms: 40,
    clockHz: 1.59e9,
    memoryBytes: 16e9,
    memoryBandwidth: 320e9,
    l2Bytes: 4e6,
    l2Bandwidth: 1.2e12,
    // Turing's tensor cores know neither tf32 nor bf16: their rate is that of fp16, so that no floor is too high.
    flops: { fp32: 8.1e12, fp64: 0.254e12, tf32: 65e12, fp16: 65e12, bf16: 65e12, fp64Tensor: 0.254e12, int8: 130e12 },
    lanesPerClock: { fp32: 64, fp64: 2, fp16: 128, int: 64, special: 16, loadStore: 16 },
    sharedBytesPerSm: 64 * 1024,
    sharedBytesPerBlock: 64 * 1024,
    sharedBytesReserved: 0,
    registersPerSm: 65536,
    maxThreadsPerSm: 1024,
    maxBlocksPerSm: 16,
    l1Bytes: 96 * 1024,
    l1BytesPerClock: 64,
    l2BytesPerClockPerSm: 64,
    latency: { memory: 434, l2: 188, l1: 32, shared: 19, arithmetic: 4, barrier: 30 },
    atomicsPerClock: { sameAddress: 1, apart: 384 },
    launchSeconds: 1.5e-6,
    sources: {
      ...usual,
      peaks: 'NVIDIA T4 data sheet; NVIDIA Turing GPU Architecture white paper',
      l1: turingMicrobenchmarks,
      l2: turingMicrobenchmarks,
      latency: turingMicrobenchmarks,
    },
  },
];

const chip = (id: string): GpuTarget => chips.find((target) => target.id === id)!;

/** Every GPU with a floor and a modelled time. An id that is not here is refused, never guessed. */
export const gpuTargets: readonly GpuTarget[] = [
  ...chips,
  ...variantTargets({ h100: chip('h100'), a100: chip('a100'), rtx4090: chip('rtx4090') }),
];

/** The target named `id`. Throws a sentence that lists the known ids. */
export function gpuTarget(id: string): GpuTarget {
  const target = gpuTargets.find((candidate) => candidate.id === id);
  if (target) return target;
  const known = gpuTargets.map((candidate) => candidate.id).join(', ');
  throw new Error(`No facts are recorded for a GPU named "${id}", and Assay does not guess them. Known: ${known}.`);
}
