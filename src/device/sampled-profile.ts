/**
 * The modelled time of a plan at sizes at which it cannot be run: a few typical blocks of each launch are interpreted and counted, and stand for
 * the whole grid. Buffers are as large as they are, but exist only where those blocks touch them.
 */
import type { Build, Plan } from '../kernel/index.ts';
import type { LaunchProfile, ModelledTime } from '../vgpu/index.ts';

export interface SampledProfileRequest {
  plan: Plan;
  build: Build;
  /** Target GPU's id. */
  gpu: string;
  /** Of each argument, in the order of the signature's tensors: bytes that are repeated from its start to its end. */
  contents: readonly Uint8Array[];
  limits: {
    /** Wall clock for all of it, milliseconds. */
    milliseconds: number;
    /** Thread-instructions for the sampled blocks of one launch. */
    instructions: number;
  };
}

/** How it ended; all of it is data, as in a run. */
export type SampledProfileResult =
  | { status: 'completed'; modelled: ModelledTime; profile: readonly LaunchProfile[] }
  | { status: 'exceeded'; limit: 'time' | 'instructions' | 'memory'; message: string }
  | { status: 'unsupported'; message: string }
  | { status: 'crashed'; message: string };
