/** What the table of GPUs (targets.ts) says of each. */

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
  /** L1 and shared memory of an SM together: what shared memory does not take caches loads. */
  l1Bytes: number;
  /** Bytes that an SM's L1 (or its shared memory) gives in a clock. */
  l1BytesPerClock: number;
  /** Bytes that an SM takes from the L2 in a clock, at most. */
  l2BytesPerClockPerSm: number;
  /** Cycles until data arrives. */
  latency: { memory: number; l2: number; l1: number; shared: number; arithmetic: number; barrier: number };
  /** Updates that the whole L2 completes in a clock: of one address, and of different ones. */
  atomicsPerClock: { sameAddress: number; apart: number };
  /** Seconds a launch takes beyond its work, inside a CUDA graph. */
  launchSeconds: number;
  /** Where the numbers come from, by kind of number. */
  sources: Sources;
}

export interface Sources {
  /** SMs, clock, memory and its bandwidth, operations a second. */
  peaks: string;
  /** Lanes a clock, registers, threads, blocks and shared memory of an SM. */
  limits: string;
  l2: string;
  /** Size of the L1 and bytes a clock of an SM. */
  l1: string;
  latency: string;
  atomics: string;
  launch: string;
}
