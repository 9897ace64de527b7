/**
 * What becomes of a fault: caught by a check, or accepted. One that is accepted counts as missed unless there is a reason to call it no fault:
 *
 * - the place is never reached: a trap put there does not spring in any call;
 * - the results are the same: every call's errors, to the last digit of worst element, root mean square and histogram, on two sets of seeds;
 * - the results are as good: in every call, worst element and root mean square are at most half again the original's, or within what honest runs differ by.
 *
 * Each equivalent carries its reason. A fault that ends at a limit (an endless loop) is not accepted, and counted apart: nothing was proven.
 */
import type { Device, RunLimits } from '../../device/index.ts';
import type { PreparedCandidate } from '../../kernel/index.ts';
import type { Task } from '../../task/index.ts';
import { judgePrepared } from '../judge.ts';
import type { Oracle } from '../oracle.ts';
import { type Commitment, commit } from '../seeds.ts';
import { HONEST_FACTOR } from '../tolerance.ts';
import type { OutputAccuracy, Verdict } from '../types.ts';
import type { Fault } from './fault.ts';

export type Fate =
  | { kind: 'caught'; check: string }
  | { kind: 'stopped'; reason: string }
  | { kind: 'equivalent'; reason: string }
  | { kind: 'missed' };

/** What faults are judged with: the same for all faults of a candidate. */
export interface FaultBench {
  task: Task;
  oracle: Oracle;
  device: Device;
  gpu: string;
  limits: RunLimits;
}

/** Judges the faults of one candidate, which must be accepted itself. */
export class FaultTrial {
  readonly #bench: FaultBench;
  readonly #commitments: readonly [Commitment, Commitment];
  readonly #original: PreparedCandidate;
  /** What the original is judged to be, on each of the commitments. */
  readonly #originals: (Verdict | undefined)[] = [];

  constructor(bench: FaultBench, original: PreparedCandidate) {
    this.#bench = bench;
    this.#original = original;
    // A fault's text is its candidate's: that is what is frozen.
    this.#commitments = [commit([original.sourceHash]), commit([original.sourceHash])];
  }

  /** The verdict on the candidate without a fault. */
  async original(at: 0 | 1 = 0): Promise<Verdict> {
    this.#originals[at] ??= await this.#judge(this.#original, at);
    return this.#originals[at];
  }

  /** What becomes of a fault. */
  async fate({ candidate, probe }: Fault): Promise<Fate> {
    const verdict = await this.#judge(candidate, 0);
    if (verdict.outcome === 'rejected') return { kind: 'caught', check: verdict.check! };
    if (verdict.outcome === 'unjudgeable') return { kind: 'stopped', reason: verdict.reason };
    if (probe !== undefined && (await this.#judge(probe, 0)).outcome === 'correct')
      return { kind: 'equivalent', reason: "never reached at the task's shapes" };
    const original = await this.original();
    if (sameErrors(original, verdict) && sameErrors(await this.original(1), await this.#judge(candidate, 1)))
      return { kind: 'equivalent', reason: `the same results in ${2 * verdict.calls.length} calls` };
    if (asExact(original.accuracy, verdict.accuracy))
      return { kind: 'equivalent', reason: 'as exact as the original in every call' };
    return { kind: 'missed' };
  }

  #judge(candidate: PreparedCandidate, at: 0 | 1): Promise<Verdict> {
    return judgePrepared({ ...this.#bench, commitment: this.#commitments[at] }, candidate);
  }
}

function sameErrors(a: Verdict, b: Verdict): boolean {
  return a.outcome === b.outcome && JSON.stringify(a.accuracy) === JSON.stringify(b.accuracy);
}

/** Whether no call's errors are half again as large as the original's, or larger than honest runs' own. */
function asExact(original: readonly OutputAccuracy[], fault: readonly OutputAccuracy[]): boolean {
  const honest = 1 / HONEST_FACTOR;
  return fault.every((one, i) => {
    const before = original[i];
    if (before === undefined || before.call !== one.call || before.output !== one.output) return false;
    return (
      one.rms <= Math.max(1.5 * before.rms, honest) &&
      (one.worst?.ratio ?? 0) <= Math.max(1.5 * (before.worst?.ratio ?? 0), honest)
    );
  });
}
