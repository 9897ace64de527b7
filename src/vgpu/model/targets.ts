/**
 * The GPUs Assay knows: peak rates and limits, each with its source. The only place such numbers stand.
 *
 * Peaks are the vendor's own dense figures at maximum boost, because the floor (speed of light) built on them must
 * never be too high. Figures that the vendor does not publish (L2 bandwidth, latencies, launch gap) come from
 * micro-benchmark papers, serve the time model only, and are fitted again once measured runs exist.
 */

/** Peak rates and limits of one GPU. Rates are per second; sizes in bytes; latencies in clock cycles. */
export interface GpuTarget {
  /** How `--gpu` names it. */
  id: string;
  name: string;
  /** nvcc's architecture, e.g. `sm_90`. */
  arch: string;
  sms: number;
  clockHz: number;
  memoryBytes: number;
  memoryBandwidth: number;
  l2Bytes: number;
  l2Bandwidth: number;
  /** Dense operations a second (a fused multiply-add counts two), by unit. */
  flops: { fp32: number; fp64: number; tf32: number; fp16: number; bf16: number; fp64Tensor: number; int8: number };
  /** Lanes an SM completes in a clock, by class of instruction. */
  lanesPerClock: { fp32: number; fp64: number; fp16: number; int: number; special: number; loadStore: number };
  sharedBytesPerSm: number;
  sharedBytesPerBlock: number;
  /** Shared memory the system takes from each resident block. */
  sharedBytesReserved: number;
  registersPerSm: number;
  maxThreadsPerSm: number;
  maxBlocksPerSm: number;
  /** Cycles until data arrives. */
  latency: { memory: number; l2: number; shared: number; arithmetic: number };
  /** Seconds a launch takes beyond its work, inside a CUDA graph. */
  launchSeconds: number;
  sources: readonly string[];
}

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
  latency: { memory: 640, l2: 265, shared: 29, arithmetic: 4 },
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
  latency: { memory: 545, l2: 275, shared: 30, arithmetic: 4 },
  launchSeconds: 1.5e-6,
} as const;

const guide =
  'CUDA C++ Programming Guide, tables "Arithmetic Instructions" and "Technical Specifications per Compute Capability"';
const hopperMicrobenchmarks =
  'Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture", arXiv 2402.13499 (latencies)';

/** Every GPU with a floor and a modelled time. An id that is not here is refused, never guessed. */
export const gpuTargets: readonly GpuTarget[] = [
  {
    ...hopper,
    id: 'h100',
    name: 'NVIDIA H100 SXM5 80GB',
    sms: 132,
    clockHz: 1.98e9,
    memoryBytes: 80e9,
    memoryBandwidth: 3.35e12,
    l2Bandwidth: 5.7e12,
    flops: {
      fp32: 66.9e12,
      fp64: 33.5e12,
      tf32: 494.7e12,
      fp16: 989.4e12,
      bf16: 989.4e12,
      fp64Tensor: 66.9e12,
      int8: 1978.9e12,
    },
    sources: ['NVIDIA H100 Tensor Core GPU Architecture white paper, tables 2 and 3', guide, hopperMicrobenchmarks],
  },
  {
    ...hopper,
    id: 'h200',
    name: 'NVIDIA H200 SXM5 141GB',
    sms: 132,
    clockHz: 1.98e9,
    memoryBytes: 141e9,
    memoryBandwidth: 4.8e12,
    l2Bandwidth: 5.7e12,
    flops: {
      fp32: 66.9e12,
      fp64: 33.5e12,
      tf32: 494.7e12,
      fp16: 989.4e12,
      bf16: 989.4e12,
      fp64Tensor: 66.9e12,
      int8: 1978.9e12,
    },
    sources: ['NVIDIA H200 Tensor Core GPU data sheet', guide, hopperMicrobenchmarks],
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
    l2Bandwidth: 4.4e12,
    flops: { fp32: 19.5e12, fp64: 9.7e12, tf32: 156e12, fp16: 312e12, bf16: 312e12, fp64Tensor: 19.5e12, int8: 624e12 },
    lanesPerClock: { fp32: 64, fp64: 32, fp16: 256, int: 64, special: 16, loadStore: 32 },
    sharedBytesPerSm: 164 * 1024,
    sharedBytesPerBlock: 163 * 1024,
    sharedBytesReserved: 1024,
    registersPerSm: 65536,
    maxThreadsPerSm: 2048,
    maxBlocksPerSm: 32,
    latency: { memory: 466, l2: 261, shared: 29, arithmetic: 4 },
    launchSeconds: 1.5e-6,
    sources: [
      'NVIDIA A100 80GB data sheet',
      'NVIDIA A100 Tensor Core GPU Architecture white paper',
      guide,
      hopperMicrobenchmarks,
    ],
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
    sources: ['NVIDIA Ada GPU Architecture white paper, appendix A', guide, hopperMicrobenchmarks],
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
    sources: ['NVIDIA L4 Tensor Core GPU data sheet (dense = half of the figures with sparsity)', guide],
  },
];

/** The target named `id`. Throws a sentence that lists the known ids. */
export function gpuTarget(id: string): GpuTarget {
  const target = gpuTargets.find((candidate) => candidate.id === id);
  if (target) return target;
  const known = gpuTargets.map((candidate) => candidate.id).join(', ');
  throw new Error(`No facts are recorded for a GPU named "${id}", and Assay does not guess them. Known: ${known}.`);
}
