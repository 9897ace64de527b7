/**
 * Do NaN and infinities in the inputs come out as PyTorch has them? Asked on the task's own inputs with a few elements replaced.
 * Never a rejection: `fmaxf(x, 0)` swallows a NaN that PyTorch's relu keeps, and most kernels ever published do that. The verdict says what
 * was found, and the evidence does not claim what was not.
 */
import { type Check, passed } from '../question.ts';
import { SPECIAL } from '../trial.ts';
import { plural } from '../words.ts';

/** A finite reference above this may be infinite in the output's type. */
const LARGEST_COMMON = 6e4;

export const nanAndInfinity: Check = {
  id: 'nan-and-infinity',
  question: 'Do NaN and infinities in the inputs come out as in PyTorch? (A remark, not a verdict.)',
  catches: ['NaN swallowed by fmaxf', 'infinity turned into NaN'],
  stages: ['sequence'],
  devices: ['virtual', 'cuda'],
  cost: 9,
  async run({ trial }) {
    if (trial.special === undefined) return { status: 'not-asked', reason: 'No input is floating-point.' };
    const call = await trial.runAlone(SPECIAL);
    if (call === undefined) return passed('With NaN and infinities in its inputs the kernel does not complete.');
    // The reference alone decides which elements are NaN or infinite; how near the finite ones are is asked elsewhere.
    const references = trial.oracle.evaluate(trial.task.graph, trial.inputs(SPECIAL));
    let wrong = 0;
    for (const [output, { values }] of references.entries()) {
      const got = call.outputs[output]!.values;
      values.forEach((r, i) => {
        const overflows = Number.isFinite(r) && Math.abs(r) > LARGEST_COMMON;
        if (!overflows && !(Number.isFinite(r) ? Number.isFinite(got[i]!) : Object.is(r, got[i]))) wrong++;
      });
    }
    if (wrong === 0) return passed();
    return passed(
      `NaN and infinities are not treated as PyTorch treats them: with a few planted in the inputs, ${plural(wrong, 'output')} differ. Finite inputs are not affected.`,
    );
  },
};
