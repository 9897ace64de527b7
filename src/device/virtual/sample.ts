/** Which blocks of a launch the profiler runs in the interpreter. */
import { type Dim3, typicalBlocks } from '../../vgpu/index.ts';

/** Thread-instructions that the profiler spends on one launch. */
const profileInstructions = 1_500_000;
/** Blocks it runs at least, however long they are: one and its neighbours. */
const fewestBlocks = 2;

/**
 * Linear indices of as many typical blocks as the budget allows; undefined when every block fits.
 */
export function profileSample(grid: Dim3, instructionsPerBlock: number): number[] | undefined {
  const total = grid[0] * grid[1] * grid[2];
  const affordable = Math.max(fewestBlocks, Math.floor(profileInstructions / Math.max(instructionsPerBlock, 1)));
  return affordable >= total ? undefined : typicalBlocks(grid, affordable);
}
