/** Does the same call give the same answer? Differences within the tolerance are what floating-point atomics do, and are remarked; beyond it they are a race. */
import { type Check, passed } from '../question.ts';
import { OTHER_POISON, REPEATED } from '../trial.ts';
import { plural } from '../words.ts';
import { disagreement } from './agreement.ts';

export const repeatable: Check = {
  id: 'repeatable',
  question: 'Does the same call give the same answer again?',
  catches: ['C17', 'race', 'order dependence', 'time or address used as a value'],
  stages: ['sequence'],
  devices: ['virtual', 'cuda'],
  cost: 2,
  run({ trial }) {
    const difference = disagreement(trial, OTHER_POISON, REPEATED);
    if (difference === undefined) return passed();
    if (difference.beyondBound === 0) {
      return passed(
        `Not bit for bit: ${plural(difference.differing, 'output')} vary within the tolerance, as with floating-point atomics.`,
      );
    }
    return {
      status: 'rejected',
      proof: {
        reason: `The same call twice gives two answers: ${plural(difference.differing, 'output')} differ (${difference.where}), and ${difference.example}. Look for a race or for a value taken from addresses or clocks.`,
        details: {
          calls: [OTHER_POISON, REPEATED],
          output: difference.output,
          differing: difference.differing,
          where: difference.where,
        },
      },
    };
  },
};
