import type { RunLimits } from './types.ts';

/** Limits of a run where nobody asked for others: enough for a task that the virtual GPU verifies in seconds. */
export const defaultLimits: RunLimits = {
  milliseconds: 60_000,
  instructions: 2 ** 35,
  memoryBytes: 1.5e9,
  printBytes: 64 * 1024,
};
