/**
 * Do NaN and infinities in the inputs come out as PyTorch has them? Asked on the task's own inputs with a few elements replaced.
 * Never a rejection: `fmaxf(x, 0)` swallows a NaN that PyTorch's relu keeps, and most kernels ever published do that. The verdict says what
 * was found, and the evidence does not claim what was not.
 */
import { type Check, passed } from '../check.ts';
import { compareOutput } from '../tolerance.ts';
import { SPECIAL } from '../trial.ts';
import { plural } from '../words.ts';

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
    const expected = trial.expected(SPECIAL);
    let wrong = 0;
    for (const [output, tolerance] of expected.entries()) {
      wrong += compareOutput(call.outputs[output]!.values, tolerance).wrong;
    }
    if (wrong === 0) return passed();
    return passed(
      `NaN and infinities are not treated as PyTorch treats them: with a few planted in the inputs, ${plural(wrong, 'output')} differ. Finite inputs are not affected.`,
    );
  },
};
