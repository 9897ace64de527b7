/** What a comparison says, in sentences: ratios with their interval, never a number alone. */
import type { TimingPlan } from './plan.ts';
import type { BaselineComparison, NoiseFloor, RatioInterval } from './report.ts';

/** `1.31`, `1.034`: as many digits as tell it from 1. */
export function ratioText(ratio: number): string {
  return ratio.toFixed(Math.abs(ratio - 1) < 0.1 ? 3 : 2);
}

/** `1.31 (1.28 to 1.33)`. */
export function intervalText({ ratio, low, high }: RatioInterval): string {
  return `${ratioText(ratio)} (${ratioText(low)} to ${ratioText(high)})`;
}

/** A share as percent, to two digits: `3.4 %`. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

/** Microseconds to three digits, in the unit that suits. */
export function timeText(microseconds: number): string {
  if (microseconds >= 1e6) return `${(microseconds / 1e6).toPrecision(3)} s`;
  if (microseconds >= 1e3) return `${(microseconds / 1e3).toPrecision(3)} ms`;
  return `${microseconds.toPrecision(3)} µs`;
}

/** What the floor mostly is. */
function floorText({ ratio, aa, resolution, clocks, coreClock }: NoiseFloor): string {
  const parts: readonly (readonly [number, string])[] = [
    [aa, 'the same kernel against itself'],
    [resolution, "the clock's resolution"],
    [clocks, 'the two clocks, which disagree'],
    [coreClock, "the device's clock, which differed between the two"],
  ];
  const [, most] = parts.reduce((a, b) => (b[0] > a[0] ? b : a));
  return `${percent(ratio - 1)} (mostly ${most})`;
}

type Said = Omit<BaselineComparison, 'reason'>;

/** One comparison. */
export function comparisonInWords({ baseline, outcome, speedup, noiseFloor, byClock }: Said, plan: TimingPlan): string {
  const floor = floorText(noiseFloor);
  const clock = byClock
    ? ' The ratio depends on the clock that the device runs at; the interval spans all of them.'
    : '';
  switch (outcome) {
    case 'faster':
      return `${intervalText(speedup)} times as fast as ${baseline}, beyond the noise floor of ${floor}.${clock}`;
    case 'slower': {
      const slowdown = { ratio: 1 / speedup.ratio, low: 1 / speedup.high, high: 1 / speedup.low };
      return `Slower than ${baseline}: it takes ${intervalText(slowdown)} times as long, beyond the noise floor of ${floor}.${clock}`;
    }
    case 'as-fast':
      return `As fast as ${baseline}, within ${percent(plan.margin)}: ${intervalText(speedup)}.${clock}`;
    case 'undecided':
      return `Neither faster nor slower than ${baseline} by what was measured: ${intervalText(speedup)} times as fast, with a noise floor of ${floor}. More processes, longer windows or a quieter device would tell.${clock}`;
  }
}
