/** The public types of the virtual GPU (`assay/vgpu`): launches in, findings and profiles out. */

export type Dim3 = readonly [x: number, y: number, z: number];

/** An address in device memory, as a kernel sees it. */
export type DevicePointer = bigint;

/** How a launch is executed. `auto` picks the fastest compiled mode that can run the kernel. */
export type Executor = 'auto' | 'interpreter' | 'scalar' | 'simd';

export interface LaunchConfig {
  grid: Dim3;
  block: Dim3;
  dynamicSharedBytes?: number;
  /** One entry for each kernel parameter, little-endian, exactly as long as the parameter. */
  arguments: readonly Uint8Array[];
  /**
   * Allocations this launch may touch (any address inside one names it). Absent: those that a pointer-sized
   * argument points into. An access elsewhere, even to a live allocation, is out of bounds.
   */
  allocations?: readonly DevicePointer[];
  executor?: Executor;
  /** Bounds, alignment and initialisation checks (default true). Off only for benchmarks. */
  checked?: boolean;
  /** Shared- and global-memory race detection (default false). */
  races?: boolean;
  /** Thread-instructions after which the launch is stopped (default 2^40). */
  instructionBudget?: number;
  /** Run only these blocks (linear indices), for sampling: see `sampleBlocks`. Refused for grids whose blocks wait for each other. */
  blocks?: readonly number[];
  /**
   * Report which bytes of global memory the launch wrote: all together, or block by block (the blocks then run one after
   * another, so they must not wait for each other). Needs the checks, and a quarter as much free device memory as lies
   * between the first and the last allocation that the launch may write.
   */
  written?: 'launch' | 'blocks';
  /** Seed of the schedule: order of blocks, warps and divergent paths. 0 (default) is program order. */
  schedule?: number;
  /** Gather a {@link LaunchProfile} (interpreter on sampled blocks). */
  profile?: boolean;
  /** Stop at the first finding that makes the result undefined (default true). */
  stopAtFault?: boolean;
}

export type FindingKind =
  | 'out-of-bounds'
  | 'misaligned'
  | 'use-after-free'
  | 'uninitialised-read'
  | 'write-to-readonly'
  | 'race'
  | 'barrier-divergence'
  | 'missing-syncwarp'
  | 'absent-lane'
  | 'deadlock'
  | 'stack-overflow'
  | 'unfinished-async-copy'
  | 'trap'
  | 'assert'
  | 'budget-exceeded'
  | 'bad-launch';

/** One fault, with where it happened. Equal faults at one instruction are counted, not repeated. */
export interface Finding {
  kind: FindingKind;
  /** A sentence that a person can act on. */
  message: string;
  kernel: string;
  block?: Dim3;
  thread?: Dim3;
  space?: 'global' | 'shared' | 'local' | 'const' | 'param';
  access?: 'read' | 'write' | 'atomic';
  bytes?: number;
  address?: string;
  /** The allocation touched or nearest below; `offset` is relative to its start and may lie outside it. */
  allocation?: { name: string; bytes: number; offset: number };
  /** From `-lineinfo`; the line is that of the compiled file. */
  source?: { file: string; line: number };
  ptxLine: number;
  /** The PTX instruction's text. */
  instruction: string;
  /** How many times it happened in this launch. */
  count: number;
}

/** Dynamic facts of one launch, extrapolated from `sampledBlocks` to all blocks. Counts are per launch. */
export interface LaunchProfile {
  kernel: string;
  grid: Dim3;
  block: Dim3;
  sampledBlocks: number;
  totalBlocks: number;
  threadInstructions: number;
  warpInstructions: number;
  /** Warp instructions by class: `fp32`, `fp64`, `fp16`, `int`, `special`, `load`, `store`, `atomic`, `branch`, `barrier`, `shuffle`, `tensor`, `other`. */
  byClass: Readonly<Record<string, number>>;
  global: {
    loadRequests: number;
    loadSectors: number;
    storeRequests: number;
    storeSectors: number;
    uniqueBytes: number;
  };
  shared: { accesses: number; bankConflictCycles: number };
  atomics: number;
  divergentBranches: number;
  branches: number;
}

/** A time from the performance model. Never a measurement, never the ground of a claim. */
export interface ModelledTime {
  readonly kind: 'modelled';
  /** Target GPU's id in the table of targets, e.g. `h100-sxm`. */
  readonly gpu: string;
  readonly microseconds: number;
  /** The interval the model believes in. */
  readonly low: number;
  readonly high: number;
  /** In words: `memory bandwidth`, `instruction issue`, `latency at low occupancy`, `launch overhead`. */
  readonly limitedBy: string;
  /** Occupancy of the longest launch, 0 to 1. */
  readonly occupancy: number;
}

/** Bytes of one allocation that were stored to or updated atomically, whatever they held before. */
export interface WrittenBytes {
  /** The allocation's start. */
  readonly pointer: DevicePointer;
  readonly name: string;
  /** How many bytes. */
  readonly bytes: number;
  /** [start, end) pairs of byte offsets in the allocation, ascending, with unwritten bytes between. */
  readonly ranges: Uint32Array;
}

export interface LaunchReport {
  executor: Exclude<Executor, 'auto'>;
  /** False when the launch was stopped by a fault or the budget. */
  completed: boolean;
  threadInstructions: number;
  milliseconds: number;
  findings: readonly Finding[];
  /** What the kernel's printf printed. */
  printed: string;
  profile?: LaunchProfile;
  /** What the launch wrote, by allocation; those untouched are left out. Present when asked for. */
  written?: readonly WrittenBytes[];
  /** What each block wrote, in the order in which they ran. Present when asked for. */
  writtenByBlock?: readonly { readonly block: number; readonly written: readonly WrittenBytes[] }[];
}
