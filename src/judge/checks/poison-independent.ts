/**
 * Do two calls on the same inputs agree, when only the stale contents of memory differ? Where they do not, the result
 * is made of something that was in the memory before: an output read before it is written, a workspace taken for zeros.
 */
import { type Check, passed } from '../question.ts';
import { OTHER_POISON, REPEATED } from '../trial.ts';
import { plural } from '../words.ts';
import { disagreement } from './agreement.ts';

export const poisonIndependent: Check = {
  id: 'poison-independent',
  question: 'Is the result the same whatever the memory held before the call?',
  catches: ['C1', 'C17', 'stale memory read', 'workspace assumed to be zero', 'accumulation into an unset output'],
  stages: ['sequence'],
  devices: ['virtual', 'cuda'],
  cost: 2,
  run({ trial }) {
    const other = disagreement(trial, 0, OTHER_POISON);
    if (other === undefined) return passed();
    const itself = disagreement(trial, OTHER_POISON, REPEATED);
    // A kernel that varies from call to call by itself (atomics) may vary here too, as far as its tolerance goes.
    if (itself !== undefined && other.beyondBound === 0)
      return passed('It varies from call to call within its tolerance.');
    return {
      status: 'rejected',
      proof: {
        reason:
          `${plural(other.differing, 'output')} (${other.where}) depend on what the memory held before the call: same inputs, other stale contents, ` +
          `and ${other.example}. Memory from torch::empty holds anything: write it before it is read or added to.`,
        details: { calls: [0, OTHER_POISON], output: other.output, differing: other.differing, where: other.where },
      },
    };
  },
};
