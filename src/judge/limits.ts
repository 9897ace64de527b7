/** Limits of a judgement: the device's own, with the instructions that the task at hand can need. */
import { defaultLimits, type RunLimits } from '../device/index.ts';
import { graphOperations, type Task } from '../task/index.ts';

/** Thread-instructions for one operation of the graph: even kernels that compute everything many times over need fewer. */
const instructionsPerOperation = 2000;
const leastInstructions = 2 ** 28;

/** Limits for judging a candidate of `task`. A kernel that exceeds the instructions is taken never to end. */
export function limitsFor(task: Pick<Task, 'graph'>): RunLimits {
  const { arithmetic, special, contraction } = graphOperations(task.graph);
  const wanted = instructionsPerOperation * (arithmetic + special + contraction);
  return { ...defaultLimits, instructions: Math.min(defaultLimits.instructions, Math.max(leastInstructions, wanted)) };
}
