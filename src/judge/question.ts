/** What a check is: one question the judge asks of a candidate. The registry of them is check.ts. */
import type { CandidateError } from '../kernel/index.ts';
import type { TimingReport } from './timing/report.ts';
import type { Trial } from './trial.ts';
import type { CheckAnswer, Stage } from './types.ts';

/** What a check may look at. */
export interface CheckContext {
  readonly trial: Trial;
  readonly stage: Stage;
  /** Indices of the calls that this stage made and that completed; empty in stage `plan`. */
  readonly calls: readonly number[];
}

/** What every check says of itself. */
export interface CheckFacts {
  readonly id: string;
  /** The one question it asks. */
  readonly question: string;
  /** Ids of the catalogue of cheats, and faults in words. */
  readonly catches: readonly string[];
  /** The stages in which it is asked; it needs what that stage has seen. */
  readonly stages: readonly Stage[];
  /** Kinds of device it can be asked on. */
  readonly devices: readonly ('virtual' | 'cuda')[];
  /** Relative cost of asking: 0 looks at the plan, 1 at bytes that are there, 5 computes references, 9 runs the candidate again. */
  readonly cost: number;
}

/** A question that is asked of a candidate on trial. */
export interface Check extends CheckFacts {
  /** Whether there is anything to ask on this trial; absent: always. */
  applies?(trial: Trial): boolean;
  run(context: CheckContext): CheckAnswer | Promise<CheckAnswer>;
}

/** A question that is answered while a candidate is made ready: `answer` says what a failure there proves. */
export interface PreparationCheck extends CheckFacts {
  answer(failure: CandidateError): CheckAnswer;
}

/** A question that is asked of the times of a candidate that was found right, where times were taken. */
export interface TimingCheck extends CheckFacts {
  answer(report: TimingReport): CheckAnswer;
}

export const passed = (remark?: string): CheckAnswer => ({ status: 'passed', remark });
