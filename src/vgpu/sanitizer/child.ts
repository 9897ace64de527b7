/** The process that {@link runJobInChild} starts: takes one job over IPC, answers with the outcome, ends. */
import type { JobOutcome } from './in-child.ts';
import { runJob, type SanitizeJob } from './job.ts';

/** Errors that say what is wrong with the input; any other is a fault of ours. */
const EXPECTED: ReadonlySet<string> = new Set(['LaunchSpecError', 'PtxError', 'CannotRun']);

function outcomeOf(job: SanitizeJob): JobOutcome {
  try {
    return { reports: runJob(job) };
  } catch (error) {
    if (!(error instanceof Error)) return { fault: String(error) };
    return EXPECTED.has(error.name) ? { refusal: error.message } : { fault: error.stack ?? error.message };
  }
}

process.once('message', (job: SanitizeJob) => {
  process.send?.(outcomeOf(job), () => process.disconnect());
});
