/**
 * Strata of the device's own clock. A GPU's multiprocessors change their clock under power and heat (1980 MHz now, 1635 in a moment), and a kernel that is bound
 * by computing follows it. Windows are compared only with windows of the same stratum; strata are separated by a gap in the clocks seen. Where nothing tells the
 * clock, all windows are one stratum, and the noise floor bears what that costs.
 */
import type { TimedWindow } from '../../device/index.ts';
import type { Records } from './records.ts';

/** Two clocks further apart than this, with none seen between them, are two strata. As a share. */
const GAP = 0.02;

/** Where strata begin, MHz ascending; the first is 0. */
export type Strata = readonly number[];

/** Strata of all windows with calls that count. */
export function strataOf({ processes }: Pick<Records, 'processes'>): Strata {
  const seen = new Set<number>();
  for (const { blocks } of processes) {
    for (const block of blocks) {
      for (const { request, window } of block) {
        if (request.work === 'calls' && window.condition.smClockMHz !== undefined)
          seen.add(window.condition.smClockMHz);
      }
    }
  }
  const clocks = Float64Array.from(seen).sort();
  const starts = [0];
  for (let i = 1; i < clocks.length; i++) {
    if (clocks[i]! > clocks[i - 1]! * (1 + GAP)) starts.push((clocks[i]! + clocks[i - 1]!) / 2);
  }
  return starts;
}

/** Index of a window's stratum. */
export function stratumOf(strata: Strata, { condition }: TimedWindow): number {
  const clock = condition.smClockMHz ?? 0;
  let index = 0;
  while (index + 1 < strata.length && clock >= strata[index + 1]!) index++;
  return index;
}
