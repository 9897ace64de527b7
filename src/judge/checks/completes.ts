/**
 * Did the calls come to an end? A kernel that is stopped at the limit of instructions is rejected: the limit is far above what the task
 * needs. Time, memory and printed bytes are limits of the machine that judges, and say nothing of the candidate.
 */
import { type Check, passed } from '../question.ts';

export const completes: Check = {
  id: 'completes',
  question: 'Do all kernels end within the limits?',
  catches: ['infinite loop', 'spin lock that never opens', 'printf flood'],
  stages: ['first-call', 'sequence'],
  devices: ['virtual', 'cuda'],
  cost: 0,
  run({ trial }) {
    const run = trial.runs.at(-1);
    if (run === undefined) return { status: 'not-asked', reason: 'Nothing has run.' };
    switch (run.status) {
      case 'exceeded':
        if (run.limit === 'instructions') {
          return { status: 'rejected', proof: { reason: run.message, details: { limit: run.limit } } };
        }
        return {
          status: 'unjudgeable',
          reason: `${run.message} Raise the limit, or judge at smaller shapes with --scale.`,
        };
      case 'unsupported':
        return { status: 'unjudgeable', reason: run.message };
      case 'crashed':
        return {
          status: 'unjudgeable',
          reason: `The device's process died twice on this candidate: ${run.message} That is a fault of Assay, not a verdict; please report it with this candidate.`,
        };
      case 'completed':
      case 'faulted':
        return passed();
    }
  },
};
