/** What the judge takes times with, and what a verdict says of them. */
import type { TimingDevice } from '../device/index.ts';
import type { PreparedCandidate } from '../kernel/index.ts';
import type { Claim } from './timing/claim.ts';
import type { TimingPlan } from './timing/plan.ts';
import type { TimingReport } from './timing/report.ts';

/** The label under which the seed is drawn that the order of windows follows from. */
export const ORDER_SEED = 'order of timed windows';

/** A device that is ready to take times of one candidate and its baselines. */
export interface OpenedTiming {
  readonly device: TimingDevice<'measured'> | TimingDevice<'simulated'>;
  /**
   * The least time that a call of the task can take on this very device, microseconds. Absent where the device is none of the table's: then times are
   * compared, but no claim is made of them, since nothing says which of them are impossible.
   */
  readonly floorMicroseconds?: number;
  /** Ends what `open` started. */
  close?(): Promise<void>;
}

/** How times are taken of a candidate, once it was found right. */
export interface TimingSetup {
  /**
   * @param seed 64 hex digits that were drawn after the candidate was frozen: all operands follow from it.
   * @throws Error with a sentence where there is no device, or it cannot time this candidate: then there are no times, and the verdict says why.
   */
  open(candidate: PreparedCandidate, seed: string, signal?: AbortSignal): Promise<OpenedTiming>;
  readonly plan?: Partial<TimingPlan>;
}

/** What became of the times of a right candidate. With a `claim` it is correct and faster; else `unclaimed` says why no speed is claimed. */
export interface Timed {
  /** Absent: no time was taken. */
  readonly report?: TimingReport;
  readonly claim?: Claim;
  /** Sentences. */
  readonly unclaimed?: string;
  /** What was timed: `x float32[128, 4096]`. */
  readonly shapes?: readonly string[];
  /** These are smaller than the file's own. */
  readonly scaled?: boolean;
}

/** What is said of speed beside `correct`, in a sentence or a few. */
export function speedInWords({
  claim,
  unclaimed,
}: {
  claim?: { readonly words: readonly string[] };
  unclaimed?: string;
}): string {
  return claim === undefined ? `No speed is claimed. ${unclaimed}` : claim.words[0]!;
}
