/**
 * Which engineer, by which strategy, makes the next candidate: at random, those more often whose kernels stand.
 * A pure function of the records, so that a resumed run chooses as the uninterrupted one would.
 *
 * What decides is whether an engineer's candidates stand at all, not by how much they win: on one task a good model may fail at everything, and a few attempts show
 * that, while gains are so rare and so much luck that in a run's length they say little of who will make the next one. UCB1 over gains, and arms
 * sampled by their gains, were no better than any arm, and to count what candidates cost brought nothing either: money is kept by whoever spends it
 * (`npm run bench:search`, README.md).
 */
import type { Engineer, SearchRecord, Strategy } from '../ports.ts';
import { timeOf } from './population.ts';
import { Random } from './random.ts';

export interface Arm {
  engineer: Engineer;
  strategy: Strategy;
}

/** Chooses the next arm. `pending` counts choices already made for this generation. */
export type ChooseArm = (
  arms: readonly Arm[],
  records: readonly SearchRecord[],
  pending: ReadonlyMap<Arm, number>,
) => Arm;

/** From this rate of candidates that stand on, one engineer is as good as another. */
const goodRate = 0.6;

/** Chooses by how many of each engineer's candidates stood. */
export function chooseByRates(seed: number): ChooseArm {
  return (arms, records, pending) => {
    const made = records.length + [...pending.values()].reduce((sum, count) => sum + count, 0);
    const random = new Random('arm', seed, made, records.at(-1)?.source ?? '');
    const weights = arms.map(({ engineer }) => weightOf(engineer, records));
    let left = random.next() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, arm] of arms.entries()) {
      left -= weights[index]!;
      if (left < 0) return arm;
    }
    return arms.at(-1)!;
  };
}

/** How optimistic one may be about the engineer's next candidate. First candidates were not its choice and do not count. */
function weightOf({ name }: Engineer, records: readonly SearchRecord[]): number {
  const own = records.filter(
    ({ engineer, generation, evaluation }) => engineer === name && generation > 0 && evaluation,
  );
  const stood = own.filter(({ evaluation }) => timeOf(evaluation!) !== undefined).length;
  // Mean and deviation of the rate, from a uniform prior.
  const mean = (stood + 1) / (own.length + 2);
  const deviation = Math.sqrt((mean * (1 - mean)) / (own.length + 3));
  return Math.min(1, (mean + deviation) / goodRate) ** 2;
}
