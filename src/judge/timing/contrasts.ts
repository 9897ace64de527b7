/**
 * What one block says of a candidate (C) and a baseline (B), each in two instances: medians of the four cells' logarithmic times, and three contrasts of them,
 *
 *     ratio     ((B0 + B1) - (C0 + C1)) / 2       how many times as fast the candidate is
 *     a/a sum   ((C0 - C1) + (B0 - B1)) / 2       each with itself
 *     a/a diff  ((C0 - C1) - (B0 - B1)) / 2       each with itself, the other way round
 *
 * They are orthogonal and made of the same four numbers with the same weights: the A/A contrasts carry exactly the noise of the ratio, and nothing else. That is
 * what makes their interval the noise floor of the ratio's. All windows of a block lie within milliseconds and in a mirrored order, so drift cancels; each cell's
 * median bears a disturbed window. Windows are compared within a stratum of the device's clock only, and strata averaged by their windows.
 */
import type { DeviceCondition, TimedWindow } from '../../device/index.ts';
import { median } from './median.ts';
import type { Block } from './records.ts';
import { type Strata, stratumOf } from './strata.ts';

export interface Contrasts {
  readonly ratio: number;
  readonly aaSum: number;
  readonly aaDiff: number;
  /** The ratio by the host's clock, less what the subjects' null plans leave on it. */
  readonly hostRatio: number;
  /** The ratio within each stratum that had enough windows; a hole where it had not. */
  readonly byStratum: readonly (number | undefined)[];
  /** Mean logarithm of the candidate's clock over the baseline's in the windows compared; 0 where one side's is not known. */
  readonly clockBias: number;
  /** Share of the block's windows that found no partner in their stratum. */
  readonly unpaired: number;
}

/** A candidate or baseline in a process, and what its null plan leaves on the host's clock beyond the device's there, microseconds. */
export interface Side {
  readonly subject: string;
  readonly hostOverhead: number;
}

/**
 * Reasons for a slower clock (as `nvml.ts` names them) with which a device is not fit to be measured: it is too hot, or its supply fails. A power cap is not among them:
 * long products reach it on a sound device, and the clock that it leaves is read and compared.
 */
const UNFIT: ReadonlySet<string> = new Set([
  'hw-slowdown',
  'hw-thermal-slowdown',
  'sw-thermal-slowdown',
  'hw-power-brake',
]);

/** What speaks against a window: others used the device, or it protected itself. No time from it counts then. */
export function disturbances({ otherProcesses = 0, throttled = [] }: DeviceCondition): string[] {
  return [...(otherProcesses > 0 ? ['other processes'] : []), ...throttled.filter((reason) => UNFIT.has(reason))];
}

/** Windows that a cell needs in a stratum. */
const LEAST = 2;

/** The contrasts of one block, or undefined where no stratum has enough windows of all four cells, or one of them was disturbed. */
export function contrastsOf(block: Block, candidate: Side, baseline: Side, strata: Strata): Contrasts | undefined {
  // Cells of each stratum: candidate 0, candidate 1, baseline 0, baseline 1.
  const cells = strata.map((): TimedWindow[][] => [[], [], [], []]);
  let total = 0;
  for (const { request, window } of block) {
    const { subject, instance, work } = request;
    if (work !== 'calls' || (subject !== candidate.subject && subject !== baseline.subject)) continue;
    if (disturbances(window.condition).length > 0) return undefined;
    cells[stratumOf(strata, window)]![(subject === baseline.subject ? 2 : 0) + instance]!.push(window);
    total++;
  }
  const byStratum: (number | undefined)[] = [];
  let [weights, ratio, aaSum, aaDiff, hostRatio, clockBias] = [0, 0, 0, 0, 0, 0];
  for (const four of cells) {
    if (four.some(({ length }) => length < LEAST)) {
      byStratum.push(undefined);
      continue;
    }
    const [c0, c1, b0, b1] = four.map((cell) =>
      logMedian(cell, ({ deviceMicroseconds }) => deviceMicroseconds),
    ) as Cells;
    const host = four.map((cell, at) => {
      const { hostOverhead } = at < 2 ? candidate : baseline;
      // A host that waited for less than nothing is refused by clocks.ts where it is the rule; a single window must not be without a logarithm.
      return logMedian(cell, ({ hostMicroseconds }) =>
        Math.max(hostMicroseconds - hostOverhead, 1e-3 * hostMicroseconds),
      );
    }) as Cells;
    const own = (b0 + b1 - c0 - c1) / 2;
    const weight = four.reduce((sum, { length }) => sum + length, 0);
    byStratum.push(own);
    weights += weight;
    ratio += weight * own;
    aaSum += (weight * (c0 - c1 + (b0 - b1))) / 2;
    aaDiff += (weight * (c0 - c1 - (b0 - b1))) / 2;
    hostRatio += (weight * (host[2] + host[3] - host[0] - host[1])) / 2;
    const [ours, theirs] = [meanLogClock(four.slice(0, 2)), meanLogClock(four.slice(2))];
    if (ours !== undefined && theirs !== undefined) clockBias += weight * (ours - theirs);
  }
  if (weights === 0) return undefined;
  return {
    ratio: ratio / weights,
    aaSum: aaSum / weights,
    aaDiff: aaDiff / weights,
    hostRatio: hostRatio / weights,
    byStratum,
    clockBias: clockBias / weights,
    unpaired: 1 - weights / total,
  };
}

type Cells = [c0: number, c1: number, b0: number, b1: number];

function logMedian(cell: readonly TimedWindow[], time: (window: TimedWindow) => number): number {
  return Math.log(median(cell.map(time)));
}

/** Over the windows that tell their clock; undefined where none does. */
function meanLogClock(cells: readonly (readonly TimedWindow[])[]): number | undefined {
  let [sum, count] = [0, 0];
  for (const cell of cells) {
    for (const { condition } of cell) {
      if (condition.smClockMHz === undefined) continue;
      sum += Math.log(condition.smClockMHz);
      count++;
    }
  }
  return count === 0 ? undefined : sum / count;
}
