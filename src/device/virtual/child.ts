/**
 * The child process of the virtual device: takes one run request at a time over IPC, answers with its result.
 * It can be killed at any moment; the parent starts another.
 */
import type { RunRequest, RunResult } from '../types.ts';
import { runPlan } from './run-plan.ts';

process.on('message', (request: RunRequest) => {
  let result: RunResult;
  try {
    result = runPlan(request);
  } catch (error) {
    result = { status: 'crashed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.(result);
});
process.on('disconnect', () => process.exit(0));
