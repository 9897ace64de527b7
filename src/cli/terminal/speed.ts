/** What evidence says of speed, for the terminal and for `--json`. */
import type { Evidence } from '../../judge/index.ts';
import { speedInWords } from '../../judge/index.ts';
import { time } from './format.ts';

type Timing = NonNullable<Evidence['timing']>;

/** The part of the times that `--json` prints; the raw windows are in the evidence. */
export function speedOf({ report, claim, unclaimed, shapes }: Timing) {
  return {
    source: report?.source,
    outcome: report?.outcome,
    claimed: claim && { ...claim.speedup, over: claim.over, words: claim.words },
    unclaimed,
    shapes,
    comparisons: report?.comparisons.map(({ baseline, outcome, speedup, noiseFloor }) => ({
      ...{ baseline, outcome, speedup, noiseFloor: noiseFloor.ratio },
    })),
    times: report?.times,
  };
}

/** A few lines: what is claimed or why nothing is, and each subject's time. */
export function speedLines(timing: Timing): string[] {
  const { report, shapes } = timing;
  const simulated = report?.source === 'simulated';
  const each = (report?.times ?? []).map(
    ({ subject, microseconds }) => `${subject} ${typeof microseconds === 'number' ? time(microseconds) : 'no time'}`,
  );
  return [
    row(simulated ? 'simulated' : 'speed', speedInWords(timing)),
    ...(each.length > 0 ? [row(simulated ? 'clocks say' : 'a call takes', each.join(', '))] : []),
    ...(timing.claim ? timing.claim.words.slice(1) : []),
    ...(shapes ? [row('timed at', shapes.join(', '))] : []),
  ];
}

const row = (name: string, text: string) => `${name.padEnd(15)}${text}`;
