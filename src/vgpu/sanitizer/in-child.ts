/** Runs a job in a process of its own, which can be stopped at any moment: a kernel may run for long, or for ever. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SanitizeJob } from './job.ts';
import { LaunchSpecError } from './launch-spec.ts';
import type { SanitizeReport } from './sanitizer.ts';

/** What the child answers: reports, a sentence that says why there are none, or a fault of ours. */
export type JobOutcome =
  | { readonly reports: readonly SanitizeReport[] }
  | { readonly refusal: string }
  | { readonly fault: string };

/** This file's own extension: `.ts` from source, `.js` as installed. */
const childFile = fileURLToPath(new URL(`./child${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

/**
 * Rejects with a {@link LaunchSpecError} whose sentence says what to do where the job cannot be run, with the signal's
 * reason when it is aborted, and with another Error for a fault of ours.
 */
export function runJobInChild(job: SanitizeJob, signal?: AbortSignal): Promise<readonly SanitizeReport[]> {
  signal?.throwIfAborted();
  const child = fork(childFile, [], {
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      child.kill('SIGKILL');
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', stop, { once: true });
    child.once('message', (message) => {
      const outcome = message as JobOutcome;
      if ('reports' in outcome) resolve(outcome.reports);
      else if ('refusal' in outcome) reject(new LaunchSpecError(outcome.refusal));
      else reject(new TypeError(outcome.fault));
    });
    child.once('error', reject);
    child.once('exit', (code, by) => {
      signal?.removeEventListener('abort', stop);
      // After an answer this changes nothing: a promise settles once.
      const how = by ?? `exit code ${code}`;
      reject(new Error(`The virtual GPU's process ended early (${how}): most likely it ran out of memory.`));
    });
    child.send(job, (error) => error && reject(error));
  });
}
