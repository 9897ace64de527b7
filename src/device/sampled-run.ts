/**
 * Running a plan at sizes at which it cannot be run whole: a few blocks of each launch, in buffers whose contents are cheap to make.
 * What a launch that ran in part would have left in memory is made up, and everything that rests on it is marked as such.
 */
import type { Build, Dim3, Plan } from '../kernel/index.ts';
import type { Finding } from '../vgpu/index.ts';

export interface SampledRunRequest {
  plan: Plan;
  build: Build;
  /** Of each argument, in the order of the signature's tensors: bytes that are repeated from its start to its end. */
  contents: readonly Uint8Array[];
  /** Of each output: elements of one entry of its first axis, and how many such rows to bring back. Undefined: none. */
  rows: readonly (RowRequest | undefined)[];
  /** Seed of the random blocks and rows. */
  seed: number;
  /** Blocks of a launch to run where not all can be. */
  blocks: number;
  limits: SampledRunLimits;
}

export interface RowRequest {
  elements: number;
  most: number;
}

export interface SampledRunLimits {
  /** Wall clock for all of it, milliseconds. */
  milliseconds: number;
  /** Thread-instructions for the sampled blocks of one launch. */
  instructions: number;
  /** Thread-instructions in all for launches that are run whole because that is cheap. */
  wholeInstructions: number;
}

/** What was seen of one launch. */
export interface SampledLaunch {
  kernel: string;
  line: number;
  grid: Dim3;
  block: Dim3;
  totalBlocks: number;
  /** How many of them ran to their end. */
  ranBlocks: number;
  threadInstructions: number;
  /** It was given contents that stand for what an earlier launch, which ran in part, would have written. */
  madeUp: boolean;
  /** Why nothing, or no more, is known of it. */
  notChecked?: string;
}

/** An entry of an output's first axis, as the sampled blocks left it. */
export interface SampledRow {
  row: number;
  bytes: Uint8Array;
  /** One byte an element: 1 where it was written. */
  written: Uint8Array;
}

export interface SampledOutput {
  rows: readonly SampledRow[];
  /** Why its values are not known, where they are not. */
  valuesUnknown?: string;
  /** Every launch that writes it ran whole: whether each element was written, and the first that was not. */
  coverage: { known: false } | { known: true; firstMissing?: number };
}

/** How such a run ended; all of it is data, as in a whole run. */
export type SampledRunResult =
  | {
      status: 'completed';
      launches: readonly SampledLaunch[];
      outputs: readonly SampledOutput[];
      /** Faults; not empty where the run ended early because of them, in the launch that is last in `launches`. */
      findings: readonly Finding[];
      milliseconds: number;
    }
  | { status: 'exceeded'; limit: 'time' | 'memory'; message: string }
  | { status: 'unsupported'; message: string }
  | { status: 'crashed'; message: string };
