/** A wrong variant of the task, put to the comparison that candidates are put to. */
import type { HostTensor, Mutant } from '../task/index.ts';
import type { Oracle } from './oracle.ts';
import { compareOutput, type OutputTolerance } from './tolerance.ts';

/** Whether the comparison tells a mutant from the task on these inputs. */
export function shows(
  oracle: Pick<Oracle, 'evaluate'>,
  mutant: Mutant,
  inputs: readonly HostTensor[],
  tolerances: readonly OutputTolerance[],
): boolean {
  let outputs: readonly HostTensor[];
  try {
    outputs = oracle.evaluate(mutant.graph, inputs);
  } catch {
    return true; // It asks for something impossible (an index out of range), which no candidate could return.
  }
  return !tolerances.every((tolerance, o) => compareOutput(outputs[o]!.values, tolerance).accepted);
}
