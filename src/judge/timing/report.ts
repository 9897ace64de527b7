/** What a comparison of times comes to. Ratios are times over times: above 1 the candidate is faster. */
import type { TimedSubject, TimeSource, TimingFacts } from '../../device/index.ts';
import type { Refusal } from './causes.ts';
import type { ClockAgreement } from './clocks.ts';
import type { TimingPlan } from './plan.ts';
import type { ProcessRecord, Sample } from './records.ts';

/**
 * `faster`, `slower`: the interval of the ratio lies beyond the noise floor. `as-fast`: within the plan's margin of 1, and the noise floor too. `undecided`: none of
 * these can be said. `void`: the times cannot be believed; the reason says why.
 */
export type TimingOutcome = 'faster' | 'as-fast' | 'slower' | 'undecided' | 'void';

/** A ratio of times with its interval. */
export interface RatioInterval {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** What no difference below it means anything against, as a ratio of at least 1, and what makes it up. */
export interface NoiseFloor {
  readonly ratio: number;
  /** The far end of the A/A intervals: each subject against itself under the same protocol. */
  readonly aa: number;
  /** One step of the device's clock in a window. */
  readonly resolution: number;
  /** What the two clocks disagree about in the ratio. */
  readonly clocks: number;
  /** By how much the candidate's windows ran at another clock of the multiprocessors than the baseline's. */
  readonly coreClock: number;
}

/** The candidate against one baseline. */
export interface BaselineComparison {
  readonly baseline: string;
  readonly outcome: Exclude<TimingOutcome, 'void'>;
  readonly speedup: RatioInterval;
  /** The two intervals that `speedup` is the hull of. */
  readonly student: { readonly low: number; readonly high: number };
  readonly bootstrap?: { readonly low: number; readonly high: number };
  /** Chance that the interval misses, two-sided, of what the plan allows in all. */
  readonly alpha: number;
  readonly noiseFloor: NoiseFloor;
  /** Candidate and baseline against themselves, added and subtracted: the noise of `speedup` alone. */
  readonly aa: readonly RatioInterval[];
  /** Standard deviation of the ratio between fresh processes, as a share. */
  readonly betweenProcesses: number;
  /** Ratio in the first half of each process' blocks over that in the second. */
  readonly early: RatioInterval;
  /** Where the ratio depends on the device's clock: each stratum's own, and `speedup` spans them all. */
  readonly byClock?: readonly (RatioInterval & { readonly fromMHz: number; readonly processes: number })[];
  /** Share of the blocks lost: no partner at the same clock, other processes on the device, or a device that protects itself (heat, supply). */
  readonly lost: number;
  readonly reason: string;
}

/** One subject's time, for people: of one call. */
export interface SubjectTime {
  readonly subject: string;
  readonly role: TimedSubject['role'];
  /** Median over windows, device clock, one call; what a launch costs is in it. */
  readonly microseconds: number;
  /** The same of the null plan: the time of the call's own work lies between the difference and `microseconds`. */
  readonly nullMicroseconds: number;
  readonly windows: number;
}

/** Clocks, heat and company, over all windows. Absent: could not be read. */
export interface ConditionSummary {
  readonly smClockMHz?: { readonly low: number; readonly high: number };
  readonly temperatureC?: { readonly low: number; readonly high: number };
  readonly throttled: readonly string[];
  readonly windowsWithOtherProcesses: number;
}

/** Whether a report is of times that were measured: only these can be the ground of a claim. */
export function isMeasured(report: TimingReport): report is TimingReport<'measured'> {
  return report.source === 'measured';
}

export interface TimingReport<Source extends TimeSource = TimeSource> {
  readonly source: Source;
  readonly outcome: TimingOutcome;
  /** One or two sentences. */
  readonly reason: string;
  /** Why nothing follows; with the catalogue's ids of what would look like this. */
  readonly refusal?: Refusal & { readonly cheats: readonly string[] };
  readonly facts: TimingFacts;
  readonly subjects: readonly TimedSubject[];
  /** As sized by the pilot. */
  readonly plan: TimingPlan;
  /** Calls in a window; 0 where it did not come to that. */
  readonly callsPerWindow: number;
  /** Looks taken, and fresh processes done. */
  readonly looks: number;
  readonly processes: number;
  readonly floorMicroseconds?: number;
  readonly comparisons: readonly BaselineComparison[];
  readonly times: readonly SubjectTime[];
  readonly clocks: readonly ClockAgreement[];
  readonly condition: ConditionSummary;
  /** The windows of single calls that sizes follow from; taken in the first process, before its blocks. */
  readonly pilot: readonly Sample[];
  /** Everything taken after it, in order. */
  readonly records: readonly ProcessRecord[];
}
