/**
 * The child process of the virtual device: takes one run request at a time, answers with its result.
 * It can be killed at any moment; the parent starts another.
 */
import { answerParent } from '../../isolation/index.ts';
import type { Numbered } from '../ask-child.ts';
import type { SampledProfileRequest, SampledProfileResult } from '../sampled-profile.ts';
import type { SampledRunRequest, SampledRunResult } from '../sampled-run.ts';
import type { RunRequest, RunResult } from '../types.ts';
import { profileSampled } from './profile-sampled.ts';
import { forgetLastRun, runPlan } from './run-plan.ts';
import { runSampled } from './run-sampled.ts';

/** What the parent asks for. */
export type ChildRequest = { whole: RunRequest } | { sampled: SampledRunRequest } | { profiled: SampledProfileRequest };

answerParent((message) => {
  const { id, content: request } = message as Numbered<ChildRequest>;
  let result: RunResult | SampledRunResult | SampledProfileResult;
  try {
    if ('whole' in request) result = runPlan(request.whole);
    else {
      forgetLastRun();
      result = 'sampled' in request ? runSampled(request.sampled) : profileSampled(request.profiled);
    }
  } catch (error) {
    result = { status: 'crashed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  return { id, content: result } satisfies Numbered<typeof result>;
});
