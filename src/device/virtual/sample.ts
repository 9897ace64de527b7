/** Which blocks of a launch the profiler runs in the interpreter. */

/** Thread-instructions that the profiler spends on one launch. */
const profileInstructions = 1_500_000;

/**
 * Linear block indices, evenly spread over the grid from the first to the last, as many as the budget allows, at
 * least two; undefined when every block fits.
 */
export function sampleBlocks(totalBlocks: number, instructionsPerBlock: number): number[] | undefined {
  const affordable = Math.max(2, Math.floor(profileInstructions / Math.max(instructionsPerBlock, 1)));
  if (affordable >= totalBlocks) return undefined;
  const step = (totalBlocks - 1) / (affordable - 1);
  return Array.from({ length: affordable }, (_, index) => Math.round(index * step));
}
