/**
 * Is every output of every timed call right? Asked of the windows that the timing protocol took. Every call in them was timed and compared, on operands that came once:
 * a kernel that is right elsewhere and wrong here is one that tells the two apart, or keeps answers.
 */

import { passed, type TimingCheck } from '../question.ts';
import { causes } from '../timing/causes.ts';
import type { Sample } from '../timing/records.ts';
import type { TimingReport } from '../timing/report.ts';
import { plural } from '../words.ts';

export const timedOutputs: TimingCheck = {
  id: 'timed-outputs',
  question: 'Is every output of every timed call right?',
  catches: [...causes['wrong-output'].cheats],
  stages: ['timing'],
  devices: ['virtual', 'cuda'],
  cost: 9,
  answer(report) {
    const { refusal, source } = report;
    const window = refusal?.window;
    if (refusal?.cause === 'wrong-output' && window?.request.work === 'calls' && isCandidate(report, window)) {
      const { subject, instance, calls } = window.request;
      const { operands, deviceMicroseconds } = window.window;
      return {
        status: 'rejected',
        proof: {
          reason: `A timed call gave a wrong output, in a window of ${plural(calls, 'call')} on new inputs in memory of instance ${instance}. The same kernel was right when it was judged: it must be right in every call, timed or not.`,
          details: { subject, instance, calls, operands, deviceMicroseconds, clocks: source },
        },
      };
    }
    if (refusal !== undefined) {
      return { status: 'not-asked', reason: `the times were given up before all outputs were seen (${refusal.cause})` };
    }
    if (source === 'simulated') {
      return { status: 'not-asked', reason: 'the clocks are simulated, and what simulated calls gave proves nothing' };
    }
    const windows = candidateWindows(report);
    return passed(
      `${plural(windows, 'window')} of ${plural(report.callsPerWindow, 'call')}, every output of every call.`,
    );
  },
};

function isCandidate({ subjects }: TimingReport, { request }: Sample): boolean {
  return subjects.some(({ id, role }) => id === request.subject && role === 'candidate');
}

function candidateWindows({ times }: TimingReport): number {
  return times.find(({ role }) => role === 'candidate')?.windows ?? 0;
}
