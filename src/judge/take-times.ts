/**
 * Times of a candidate that was found right: the timing protocol on the device that was given, and what may be said of it. A claim needs all of this: measured
 * times that say `faster`, a known floor that no window lies under, seeds that nobody knew, and a task in which every operator shows.
 */
import type { PreparedCandidate } from '../kernel/index.ts';
import { specText, type Task } from '../task/index.ts';
import type { Admission } from './admission-report.ts';
import { type Commitment, deriveSeed } from './seeds.ts';
import { ORDER_SEED, type Timed, type TimingSetup } from './timed.ts';
import { type Claim, claim } from './timing/claim.ts';
import { compareTimes } from './timing/compare.ts';
import { isMeasured, type TimingReport } from './timing/report.ts';
import { sentence } from './words.ts';

export interface TimesRequest {
  readonly setup: TimingSetup;
  readonly candidate: PreparedCandidate;
  readonly task: Task;
  readonly commitment: Commitment;
  readonly admission: Pick<Admission, 'dead'>;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { process: number; of: number }) => void;
}

/** Takes times. What a device cannot do is said, never thrown; an aborted signal throws its reason. */
export async function takeTimes(request: TimesRequest): Promise<Timed> {
  const { setup, candidate, commitment, signal, onProgress } = request;
  let opened: Awaited<ReturnType<TimingSetup['open']>>;
  try {
    opened = await setup.open(candidate, deriveSeed(commitment, 'operands of timed calls'), signal);
  } catch (error) {
    signal?.throwIfAborted();
    return { unclaimed: `No time was taken: ${error instanceof Error ? error.message : String(error)}` };
  }
  try {
    const { device, floorMicroseconds } = opened;
    const options = {
      seed: deriveSeed(commitment, ORDER_SEED),
      plan: setup.plan,
      floorMicroseconds,
      signal,
      onProgress,
    };
    const report: TimingReport<'measured'> | TimingReport<'simulated'> = await (device.source === 'measured'
      ? compareTimes(device, options)
      : compareTimes(device, options));
    const { task } = request;
    return { report, ...claimOf(report, request), shapes: shapesOf(task), scaled: task.scaled.length > 0 };
  } finally {
    await opened.close?.();
  }
}

/** The claim that a report allows, or why there is none. */
export function claimOf(
  report: TimingReport,
  { task, commitment, admission }: Pick<TimesRequest, 'task' | 'commitment' | 'admission'>,
): { claim: Claim } | { unclaimed: string } {
  if (!isMeasured(report)) {
    return {
      unclaimed: `The clocks are simulated: nothing is claimed of them, whatever they say (${report.outcome}).`,
    };
  }
  if (report.outcome === 'void') return { unclaimed: `The times cannot be believed. ${report.reason}` };
  if (report.outcome !== 'faster') return { unclaimed: report.reason };
  const dead = admission.dead.map(({ operator }) => `\`${operator}\``).join(', ');
  const because =
    report.floorMicroseconds === undefined
      ? 'no floor is known for this device, and so nothing says which times are impossible'
      : dead !== ''
        ? `the task cannot see ${dead}, and the speed may come of leaving that out`
        : commitment.origin !== 'drawn after freezing'
          ? 'the seeds were given, and not drawn after the candidate was frozen'
          : undefined;
  if (because !== undefined) return { unclaimed: `${sentence(because)}. Else it would be: ${report.reason}` };
  const { name, precision, mode } = task;
  return { claim: claim(report, { task: name, precision, ...(mode && { mode }), shapes: shapesOf(task) }) };
}

function shapesOf({ signature }: Task): string[] {
  return signature.tensors.map(({ name, spec }) => `${name} ${specText(spec)}`);
}
