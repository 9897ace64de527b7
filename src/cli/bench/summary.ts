/** What the rows of a bench come to. */
import type { Row } from './row.ts';

export interface BenchSummary {
  /** Those that are done. */
  tasks: number;
  /** Those that are not. */
  waiting: number;
  correct: number;
  /** Over tasks with a correct kernel whose direct translation is correct too. */
  overDirect?: Spread & Shares;
  /** Percent of the floor (speed of light), over correct kernels. */
  percentOfFloor?: Spread;
  /** Over tasks that were timed against baselines on a GPU; the best baseline of each. */
  overBaseline?: Spread & Shares;
  /** Which kinds of times there are, and on which devices; words. */
  kinds: readonly string[];
  devices: readonly string[];
  seconds: number;
  dollars: number;
}

/** Of all tasks, those with a correct kernel that is faster than what it is compared with; and more than twice as fast. */
export interface Shares {
  faster: number;
  twiceAsFast: number;
}

export interface Spread {
  count: number;
  geometricMean: number;
  median: number;
  least: number;
  most: number;
}

/** `waiting`: how many tasks have no row yet. */
export function summaryOf(rows: readonly Row[], waiting = 0): BenchSummary {
  const correct = rows.filter(({ outcome }) => outcome === 'correct');
  const compared = (ratios: readonly number[]) => {
    const share = (least: number) => ratios.filter((ratio) => ratio > least).length / rows.length;
    const spread = spreadOf(ratios);
    return spread && { ...spread, faster: share(1), twiceAsFast: share(2) };
  };
  return {
    tasks: rows.length,
    waiting,
    correct: correct.length,
    overDirect: compared(correct.flatMap((row) => overDirect(row) ?? [])),
    percentOfFloor: spreadOf(correct.flatMap((row) => percentOfFloor(row) ?? [])),
    overBaseline: compared(correct.flatMap(({ overBaseline }) => overBaseline ?? [])),
    kinds: [...new Set(correct.flatMap(({ kind }) => kind ?? []))],
    devices: [
      ...new Set(
        correct.flatMap(({ gpu, devices }) => [gpu && `Target ${gpu}.`, devices].filter((one) => one !== undefined)),
      ),
    ],
    seconds: rows.reduce((sum, { seconds }) => sum + seconds, 0),
    dollars: rows.reduce((sum, { dollars = 0 }) => sum + dollars, 0),
  };
}

/** How many times as fast as the direct translation; undefined where one of the two is not known. */
export function overDirect({ microseconds, direct }: Row): number | undefined {
  return microseconds !== undefined && direct !== undefined ? direct / microseconds : undefined;
}

/** A floor is of the GPU that is modelled or was measured: simulated clocks know nothing of it. */
export function percentOfFloor({ kind, floor, microseconds }: Row): number | undefined {
  if (kind === 'simulated' || floor === undefined || microseconds === undefined) return undefined;
  return (100 * floor) / microseconds;
}

function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  const geometricMean = Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  return { count: values.length, geometricMean, median, least: sorted[0]!, most: sorted.at(-1)! };
}
