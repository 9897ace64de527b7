/**
 * Does the host function run through, with launches that the GPU accepts? Asked while the candidate is made ready, before there is a plan: what it proves, the interpreter
 * met (`CandidateError` of the kind `fails`). What the interpreter does not know, or does not allow, is no proof and is not judged.
 */
import type { CandidateError } from '../../kernel/index.ts';
import type { PreparationCheck } from '../question.ts';
import type { CheckAnswer } from '../types.ts';

export const hostFunction: PreparationCheck = {
  id: 'host-function',
  question: 'Does the host function run through for these shapes, and does the GPU accept its launches?',
  catches: ['C17', 'G1', 'failed TORCH_CHECK', 'launch that no GPU accepts', "GPU's memory read by the host"],
  stages: ['prepare'],
  devices: ['virtual', 'cuda'],
  cost: 0,
  answer({ message, line }: CandidateError): CheckAnswer {
    return {
      status: 'rejected',
      proof: { reason: `The host function fails for the task's shapes: ${message}.`, details: { line } },
    };
  },
};
