/** What the rows of a bench come to. */
import type { Row } from './row.ts';

export interface BenchSummary {
  tasks: number;
  correct: number;
  /** Over tasks with a correct kernel whose direct translation is correct too. */
  overDirect?: Spread;
  /** Percent of the floor (speed of light), over correct kernels. */
  percentOfFloor?: Spread;
  /** Over tasks that were timed against baselines on a GPU; the best baseline of each. */
  overBaseline?: Spread & {
    /** Of all tasks, those with a correct kernel that is faster than every baseline; and than 2 times that. */
    faster: number;
    twiceAsFast: number;
  };
  seconds: number;
  dollars: number;
}

export interface Spread {
  count: number;
  geometricMean: number;
  median: number;
  least: number;
  most: number;
}

export function summaryOf(rows: readonly Row[]): BenchSummary {
  const correct = rows.filter(({ outcome }) => outcome === 'correct');
  const baselines = correct.flatMap(({ overBaseline }) => overBaseline ?? []);
  const spread = spreadOf(baselines);
  const share = (least: number) => baselines.filter((ratio) => ratio > least).length / rows.length;
  return {
    tasks: rows.length,
    correct: correct.length,
    overDirect: spreadOf(correct.flatMap((row) => overDirect(row) ?? [])),
    percentOfFloor: spreadOf(correct.flatMap((row) => percentOfFloor(row) ?? [])),
    overBaseline: spread && { ...spread, faster: share(1), twiceAsFast: share(2) },
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
