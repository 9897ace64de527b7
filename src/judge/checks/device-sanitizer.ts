/**
 * Does NVIDIA's compute-sanitizer find anything in a run on the GPU? A second opinion on what the virtual GPU found clean, of the very code that is timed. Where the tool is not
 * installed it is not asked, and that is said.
 */
import type { Sanitized } from '../../device/index.ts';
import { type CheckFacts, passed } from '../question.ts';
import type { CheckAnswer } from '../types.ts';
import { findingProof } from './device-findings.ts';

export interface SanitizerCheck extends CheckFacts {
  /** `source`: the candidate's. */
  answer(seen: Sanitized, source: string): CheckAnswer;
}

export const deviceSanitizer: SanitizerCheck = {
  id: 'device-sanitizer',
  question: "Does NVIDIA's compute-sanitizer find nothing in a call on the GPU?",
  catches: ['out-of-bounds access', 'race in shared memory', 'barrier that not all threads reach'],
  stages: ['sequence'],
  devices: ['cuda'],
  cost: 9,
  answer(seen, source) {
    if ('missing' in seen) return { status: 'not-asked', reason: `${seen.missing}.` };
    if (seen.findings.length === 0) return passed(`compute-sanitizer ${seen.version}: ${seen.tools.join(', ')}.`);
    return { status: 'rejected', proof: findingProof(seen.findings, source) };
  },
};
