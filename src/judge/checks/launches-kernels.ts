/** Does the candidate do anything itself? One that launches no kernel hands back what PyTorch made. Read off the plan; nothing runs. */
import { type Check, passed } from '../question.ts';

export const launchesKernels: Check = {
  id: 'launches-kernels',
  question: 'Does the host function launch any kernel of its own for these shapes?',
  catches: ['B3', 'B4', 'no work at all'],
  stages: ['plan'],
  devices: ['virtual', 'cuda'],
  cost: 0,
  run({ trial }) {
    const { steps } = trial.candidate.plan;
    if (steps.some(({ kind }) => kind === 'launch')) return passed();
    const made =
      steps.length === 0 ? 'it returns memory that nothing has written' : 'it returns what PyTorch filled or copied';
    const reason = `The host function launches no kernel for these shapes: ${made}.`;
    return { status: 'rejected', proof: { reason, details: { steps: steps.length } } };
  },
};
