/** A wrong variant of the task, put to the comparison that candidates are put to. */
import type { HostTensor, Mutant } from '../task/index.ts';
import type { Oracle } from './oracle.ts';
import { compareOutput, type OutputTolerance } from './tolerance.ts';

/**
 * How far a mutant is from what is right, in units of what is allowed: over 1 the comparison tells it from the task on these inputs.
 * The larger of the worst element's error over its bound and the norm over its limit; Infinity where it asks for something impossible (an index out
 * of range), which no candidate could return.
 */
export function excessOf(
  oracle: Pick<Oracle, 'answer'>,
  mutant: Mutant,
  inputs: readonly HostTensor[],
  tolerances: readonly OutputTolerance[],
): number {
  let outputs: readonly HostTensor[];
  try {
    outputs = oracle.answer(mutant, inputs);
  } catch {
    return Infinity;
  }
  return tolerances.reduce((most, tolerance, o) => {
    const { worst, rms, rmsLimit, accepted } = compareOutput(outputs[o]!.values, tolerance);
    const norm = tolerance.kind === 'float' && rmsLimit > 0 ? rms / rmsLimit : 0;
    const own = Math.max(worst?.ratio ?? 0, norm);
    // Rounding must not turn a verdict: what is accepted is at most 1, what is not is more.
    return Math.max(most, accepted ? Math.min(own, 1) : Math.max(own, 1 + Number.EPSILON));
  }, 0);
}
