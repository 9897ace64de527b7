/** What is known of the kernels of NVIDIA's cuda-samples: how their host code launches them, and what they must compute. */
import type { FileDrives } from './rig.ts';
import { SAMPLES_MATRICES } from './samples-matrices.ts';
import { SAMPLES_REDUCTIONS } from './samples-reductions.ts';
import { SAMPLES_SIGNALS } from './samples-signals.ts';

export const SAMPLES: readonly FileDrives[] = [...SAMPLES_MATRICES, ...SAMPLES_REDUCTIONS, ...SAMPLES_SIGNALS];
