import type { RunLimits } from './types.ts';

/** Limits of a run where nobody asked for others: enough for a task that the virtual GPU verifies in seconds. */
export const defaultLimits: RunLimits = {
  milliseconds: 60_000,
  instructions: 2 ** 35,
  memoryBytes: 1.5e9,
  printBytes: 64 * 1024,
};

/**
 * Processor time of a child over all its runs, seconds. Each run has a limit on wall clock, so only what nobody waits for any more runs into this; where an honest
 * child does after a day, the run fails as by a crash, and the next child has as much again.
 */
export const processCpuSeconds = 24 * 3600;
