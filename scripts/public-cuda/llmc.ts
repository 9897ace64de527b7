/** What is known of llm.c's kernels: how its host code launches them, and in float64 what they must compute. */
import { LLMC_ATTENTION } from './llmc-attention.ts';
import { LLMC_BACKWARD } from './llmc-backward.ts';
import { LLMC_FORWARD } from './llmc-forward.ts';
import type { FileDrives } from './rig.ts';

export const LLMC: readonly FileDrives[] = [...LLMC_FORWARD, ...LLMC_BACKWARD, ...LLMC_ATTENTION];
