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
  /**
   * Blocks of a cluster (`cudaLaunchAttributeClusterDimension`): they are resident together and reach each other's shared
   * memory. The grid must be a multiple of it. Absent: what `__cluster_dims__` says, or clusters of one block.
   */
  cluster?: Dim3;
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
   * With `blocks`, in the interpreter: where it is certain that all that run wait for memory which none of them will write, others of the grid are
   * started, as many again each time, until they get on: what a GPU would do that has room. `ranBlocks` of the report counts them.
   */
  company?: boolean;
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
  | 'stale-read'
  | 'absent-lane'
  | 'deadlock'
  | 'stack-overflow'
  | 'unfinished-async-copy'
  | 'trap'
  | 'assert'
  | 'budget-exceeded'
  | 'bad-launch'
  /** Results that differ between schedules: what several launches together show, never one ({@link Sanitizer}). */
  | 'order-dependence';

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

/** What a launch does with one allocation, in sectors of 32 bytes. */
export interface AllocationTraffic {
  readonly name: string;
  readonly bytes: number;
  readonly loadSectors: number;
  readonly storeSectors: number;
  readonly atomicSectors: number;
  /** Bytes of distinct sectors touched: exact when every block ran, else estimated from what neighbours share. */
  readonly uniqueBytes: number;
  /** Bytes of distinct sectors that a block touches, on average. */
  readonly bytesPerBlock: number;
  /** The part of a block's sectors that the next block along x, y, z touches too, 0 to 1. Needs neighbours in the sample. */
  readonly sharedWithNeighbour: readonly [x: number, y: number, z: number];
}

/** An instruction that moves more sectors, or takes more passes over shared memory, than its bytes need. */
export interface HotInstruction {
  readonly source: { readonly file: string; readonly line: number } | undefined;
  readonly ptxLine: number;
  readonly instruction: string;
  readonly requests: number;
  readonly sectors: number;
  /** Sectors that hold as many bytes as the lanes asked for. */
  readonly idealSectors: number;
  readonly wavefronts: number;
  /** Passes over shared memory without bank conflicts. */
  readonly idealWavefronts: number;
}

/**
 * Dynamic facts of one launch. Exact for the blocks that ran; counts are extrapolated from `sampledBlocks` to all blocks.
 * A request is one instruction of one warp. Counts are of PTX: what ptxas merges, hoists or removes is still counted.
 */
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
  /** Loads and stores of global memory, without atomics. Coalescing is bytes over 32 times sectors. */
  global: {
    loadRequests: number;
    loadSectors: number;
    /** Bytes that the lanes asked for, each lane's counted. */
    loadBytes: number;
    storeRequests: number;
    storeSectors: number;
    storeBytes: number;
    /** Bytes of distinct sectors touched by the launch, atomics included. */
    uniqueBytes: number;
  };
  allocations: readonly AllocationTraffic[];
  /**
   * How soon a block asks for a sector again: entry 0 counts requests for the sector used last, entry k those after at least
   * 2^(k-1) and fewer than 2^k other sectors. A first use in a block is in none. `others` are stores and atomics.
   */
  reuse: { loads: readonly number[]; others: readonly number[] };
  shared: {
    /** Requests, atomics included. */
    accesses: number;
    /** Passes over the banks: an access of 16 bytes a lane takes four even without conflicts. */
    wavefronts: number;
    /** Passes if lanes that ask for the same words were always served together, wide accesses too. */
    leastWavefronts: number;
    /** Passes beyond those that a request without conflicts takes. */
    bankConflictCycles: number;
    /** The worst conflict seen: distinct words in one bank in one pass (1 is none); not scaled. */
    worstWays: number;
  };
  atomics: {
    /** On global memory: requests, updates by lanes, sectors. */
    requests: number;
    operations: number;
    sectors: number;
    /** Updates of an address that another lane of the same request updates too. */
    sameAddress: number;
    /** Turns that requests wait because lanes update the same address: the most lanes at one, less one. */
    serialised: number;
    /** Updates of the most updated address. */
    hottestUpdates: number;
    sharedRequests: number;
    sharedOperations: number;
  };
  /** Local memory (arrays with indices not known to the compiler; spills are not in PTX). */
  local: { loadRequests: number; storeRequests: number; sectors: number };
  /** Waits at block barriers, in warp instructions: what the slowest warp did since its last barrier, less what each did. */
  barriers: {
    /** Arrivals of warps. */
    arrivals: number;
    waitedInstructions: number;
    /** The slowest warp's instructions, for each arrival: waited over this is the part of the time spent waiting. */
    longestInstructions: number;
  };
  /** Products on the tensor cores by the type of the multiplied elements; multiply-adds of all lanes together. */
  tensor: Readonly<Record<string, { readonly instructions: number; readonly multiplyAdds: number }>>;
  /** Asynchronous copies from global to shared memory (or back, in bulk); their sectors are in `global`. */
  asyncCopies: { requests: number; bytes: number };
  divergentBranches: number;
  /** Conditional branches. */
  branches: number;
  /** The instructions that waste most memory traffic, worst first. */
  hot: readonly HotInstruction[];
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
  /** What limits the longest launch, in words: `memory bandwidth`, `shared-memory bank conflicts: 8-way`, `launch overhead`. */
  readonly limitedBy: string;
  /** What each resource of the longest launch would take by itself, in words and microseconds, longest first. */
  readonly resources?: readonly { readonly name: string; readonly microseconds: number }[];
  /** Occupancy of the longest launch, 0 to 1. */
  readonly occupancy: number;
  /** What the model had to assume because nobody told it, in words; absent where it knew all. */
  readonly unknown?: string;
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
  /** Blocks that were started, where `company` was asked for. */
  ranBlocks?: number;
  /** Threads of this machine that ran blocks (default 1): see `workers` of the GPU's options. */
  workers?: number;
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
