/** Which blocks of a launch the profiler runs in the interpreter. */
import { type Dim3, typicalBlocks } from '../../vgpu/index.ts';

/** Thread-instructions that the profiler spends on one launch, and on all of a plan together: a network has hundreds of launches. */
const profileInstructions = 1_500_000;
const planInstructions = 8 * profileInstructions;
/** Blocks it runs at least, however long they are: one and its neighbours. */
const fewestBlocks = 2;

/** What the profiler spends on each launch of a plan of so many, in thread-instructions. */
export function profileBudget(launches: number): number {
  return Math.min(profileInstructions, planInstructions / launches);
}

/**
 * Linear indices of as many typical blocks as the budget allows, in thread-instructions; undefined when every block fits.
 */
export function profileSample(grid: Dim3, instructionsPerBlock: number, budget: number): number[] | undefined {
  const total = grid[0] * grid[1] * grid[2];
  const affordable = Math.max(fewestBlocks, Math.floor(budget / Math.max(instructionsPerBlock, 1)));
  return affordable >= total ? undefined : typicalBlocks(grid, affordable);
}
