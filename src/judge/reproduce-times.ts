/**
 * What can be redone of the times in evidence. Without a device: the protocol runs again over the raw windows, from the seed on, and everything that was said of them
 * must come out again. With one: times are taken anew, and hold if they say the same.
 */
import { deriveSeed } from './seeds.ts';
import { ORDER_SEED } from './timed.ts';
import { compareTimes } from './timing/compare.ts';
import { playback } from './timing/playback.ts';
import type { BaselineComparison, TimingReport } from './timing/report.ts';
import { intervalText } from './timing/words.ts';
import { type ReportEvidence, readNumber, recordsIn } from './timing-evidence.ts';

/** One thing that was in the evidence, beside the same made now. */
export interface Agreement {
  /** What was compared, in a few words. */
  what: string;
  agrees: boolean;
  /** What the evidence says. */
  before: string;
  /** What was found now. */
  now: string;
}

/** The report's own windows through the protocol again. `secret` is the evidence's. */
export async function replayTimes(then: ReportEvidence, secret: string): Promise<Agreement> {
  const { plan, floorMicroseconds } = then;
  const seed = deriveSeed({ secret }, ORDER_SEED);
  const now = await compareTimes(playback(recordsIn(then)), { seed, plan, floorMicroseconds });
  // A device that gave no time leaves no window to play back: there the record ends.
  const before = follows(then);
  const after = follows(now);
  return { what: 'times: all that follows from the raw windows', agrees: before === after, before, now: after };
}

/** Numbers to ten digits: what a processor's logarithm may differ in. */
const digits = (x: number | 'nan' | 'inf' | '-inf') => readNumber(x).toPrecision(10);

/** What a report says, as one line; two that follow from the same windows are the same line. */
function follows(report: ReportEvidence | TimingReport): string {
  const { outcome, refusal, comparisons, callsPerWindow, looks, processes, times } = report;
  const parts = comparisons.map(({ baseline, outcome: one, speedup, noiseFloor, alpha }) => {
    const numbers = [speedup.ratio, speedup.low, speedup.high, noiseFloor.ratio, alpha].map(digits).join(' ');
    return `${baseline} ${one} ${numbers}`;
  });
  const each = times.map(({ subject, microseconds }) => `${subject} ${digits(microseconds)}`);
  const sizes = `${processes} processes, ${looks} looks, ${callsPerWindow} calls a window`;
  return [outcome, refusal?.cause, sizes, ...parts, ...each].filter((part) => part !== undefined).join('; ');
}

/** Times taken anew: the same outcome, and intervals that meet for every baseline. */
export function agreementOfTimes(then: ReportEvidence, now: ReportEvidence): Agreement {
  const meets = ({ baseline, speedup }: { baseline: string; speedup: Interval }) => {
    const other = now.comparisons.find((one) => one.baseline === baseline)?.speedup;
    return (
      other !== undefined &&
      readNumber(speedup.low) <= readNumber(other.high) &&
      readNumber(other.low) <= readNumber(speedup.high)
    );
  };
  const agrees = then.source === now.source && then.outcome === now.outcome && then.comparisons.every(meets);
  return { what: 'times, taken anew', agrees, before: inWords(then), now: inWords(now) };
}

type Interval = ReportEvidence['comparisons'][number]['speedup'];

function inWords({ outcome, facts, comparisons }: ReportEvidence): string {
  const ratios = comparisons.map(({ baseline, speedup }) => {
    const read = { ratio: readNumber(speedup.ratio), low: readNumber(speedup.low), high: readNumber(speedup.high) };
    return `${baseline} ${intervalText(read satisfies BaselineComparison['speedup'])}`;
  });
  return [`${outcome} on ${facts.device}`, ...ratios].join('; ');
}
