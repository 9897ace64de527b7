/**
 * A claim is a speedup that may be published. It is made of one thing only: a report of measured times whose outcome is `faster`. A modelled time, and a report of simulated
 * clocks, are other types, which the compiler refuses here (claim.test.ts holds that it does), and so does this function.
 */
import { type MeasuredTime, standardBaselines } from '../../device/index.ts';
import { median } from './median.ts';
import { samplesOf } from './records.ts';
import type { RatioInterval, TimingReport } from './report.ts';
import { intervalText, percent, timeText } from './words.ts';

/** What the times are of; the judge knows it, the clocks do not. */
export interface ClaimContext {
  /** The task's name. */
  readonly task: string;
  /** Precision policy of candidate and baselines alike, e.g. `float32, TF32 off`. */
  readonly precision: string;
  /** Of candidate and baselines alike; absent: as the task's file leaves its model. */
  readonly mode?: 'eval';
  /** Shapes that were timed, e.g. `x float32[128, 4096]`. */
  readonly shapes: readonly string[];
}

/** How far a claim reaches. */
export interface ClaimGrade extends ClaimContext {
  readonly device: string;
  readonly cache: 'cold' | 'warm';
  /** Every baseline that was timed; all are beaten. */
  readonly beaten: readonly (RatioInterval & { readonly baseline: string })[];
  /** Of the standard baselines, those that were not timed. */
  readonly notTimed: readonly string[];
  readonly processes: number;
  readonly windows: number;
  /** Largest noise floor over the baselines, as a ratio. */
  readonly noiseFloor: number;
  /** `locked`, or the range seen, or that it could not be read. */
  readonly clock: string;
}

/** A speedup over the best of the baselines, on one device. */
export interface Claim {
  readonly kind: 'claim';
  /** Over the baseline that was hardest to beat. */
  readonly speedup: RatioInterval;
  readonly over: string;
  readonly grade: ClaimGrade;
  /** The claim in sentences: what is claimed, over what, how it was measured, what is not claimed. */
  readonly words: readonly string[];
}

/**
 * Makes a claim of a report.
 * @throws when the times were not measured, or do not say `faster`.
 */
export function claim(report: TimingReport<'measured'>, context: ClaimContext): Claim {
  if (report.source !== 'measured') {
    throw new Error('A claim rests on measured times alone; these come from elsewhere. Measure on a real GPU.');
  }
  if (report.outcome !== 'faster' || report.comparisons.length === 0) {
    throw new Error(`There is no speedup to claim: the comparison is ${report.outcome}. ${report.reason}`);
  }
  const beaten = report.comparisons
    .map(({ baseline, speedup }) => ({ baseline, ...speedup }))
    .sort((a, b) => a.ratio - b.ratio);
  const { smClockMHz } = report.condition;
  const grade: ClaimGrade = {
    ...context,
    device: report.facts.device,
    cache: report.facts.cache,
    beaten,
    notTimed: standardBaselines.filter((name) => beaten.every(({ baseline }) => baseline !== name)),
    processes: report.processes,
    windows: report.times.find(({ role }) => role === 'candidate')!.windows,
    noiseFloor: Math.max(...report.comparisons.map(({ noiseFloor }) => noiseFloor.ratio)),
    clock: report.facts.clocksLocked
      ? 'locked'
      : smClockMHz === undefined
        ? 'not known'
        : `${smClockMHz.low.toFixed(0)} to ${smClockMHz.high.toFixed(0)} MHz`,
  };
  const [{ baseline: over, ...speedup }] = beaten as [(typeof beaten)[number], ...typeof beaten];
  return { kind: 'claim', speedup, over, grade, words: claimInWords(report, grade, speedup, over) };
}

function claimInWords(report: TimingReport, grade: ClaimGrade, speedup: RatioInterval, over: string): string[] {
  const { beaten, notTimed, device, task, precision, mode, shapes, cache, processes, windows, noiseFloor, clock } =
    grade;
  const { microseconds, nullMicroseconds } = report.times.find(({ role }) => role === 'candidate')!;
  const others = beaten.slice(1).map((one) => `${one.baseline} ${intervalText(one)}`);
  const floor = report.floorMicroseconds;
  return [
    `On ${device}, for ${task}: ${intervalText(speedup)} times as fast as ${over}, ${beaten.length > 1 ? `the fastest of ${beaten.length} baselines` : 'the only baseline timed'}.`,
    ...(others.length > 0 ? [`The others: ${others.join('; ')}.`] : []),
    `A call takes ${timeText(microseconds)} by the device's clock, an empty kernel ${timeText(nullMicroseconds)}${floor === undefined ? '' : `; no kernel could take less than ${timeText(floor)}`}.`,
    `Measured in ${processes} fresh processes, ${windows} windows of ${report.callsPerWindow} calls, every output of every call checked; ${cache} caches; clock ${clock}; noise floor ${percent(noiseFloor - 1)}.`,
    `Precision ${precision}${mode === 'eval' ? '; evaluation mode (`model.eval()`)' : ''}; shapes ${shapes.join(', ')}.`,
    `Not claimed: other devices, shapes or precisions${mode === 'eval' ? ', training mode' : ''}${cache === 'cold' ? ', or warm caches' : ', or cold caches'}${notTimed.length > 0 ? `, nor anything against ${notTimed.join(' or ')}, which was not timed` : ''}.`,
  ];
}

/** A subject's times of one call, for archive and verdict. @throws for a subject that was not timed. */
export function measuredTimeOf(report: TimingReport<'measured'>, subject: string): MeasuredTime {
  const samples = samplesOf({ processes: report.records }, subject, 'calls').map(
    ({ window }) => window.deviceMicroseconds / report.callsPerWindow,
  );
  if (samples.length === 0) throw new Error(`No time of ${subject} was taken.`);
  return { kind: 'measured', device: report.facts.device, samples, medianMicroseconds: median(samples) };
}
