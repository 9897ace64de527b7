/**
 * Which engineer, by which strategy, makes the next candidate: a bandit (UCB1) over what their candidates were worth so far.
 * A pure function of the records, so that a resumed run chooses as the uninterrupted one would.
 */
import type { Engineer, SearchRecord, Strategy } from '../ports.ts';
import { timeOf } from './population.ts';

export interface Arm {
  engineer: Engineer;
  strategy: Strategy;
}

/**
 * A candidate's worth: 1 for a new best, between 0 and 1/2 for another by its closeness to the best of before, 0 where it failed. What was passed
 * over was estimated to be slower than the best, and has its worth by that.
 */
function rewards(records: readonly SearchRecord[]): Map<SearchRecord, number> {
  const worth = new Map<SearchRecord, number>();
  let best = Infinity;
  for (const record of records) {
    const time = record.evaluation && timeOf(record.evaluation);
    if (time === undefined) {
      worth.set(record, 0);
      continue;
    }
    worth.set(record, time < best ? 1 : (best / time) ** 2 / 2);
    best = Math.min(best, time);
  }
  return worth;
}

/** Chooses the next arm. `pending` counts choices already made for this generation, so that one generation spreads over the arms. */
export type ChooseArm = (
  arms: readonly Arm[],
  records: readonly SearchRecord[],
  pending: ReadonlyMap<Arm, number>,
) => Arm;

/** The arm with the highest upper confidence bound; untried arms first, in order. */
export const chooseArm: ChooseArm = chooseArmBy(() => 1);

/**
 * The same with bounds divided by what a candidate of the arm is charged (fractional KUBE, Tran-Thanh et al. 2012). What candidates cost is no such
 * charge in a search: `npm run bench:search` finds that it starves the models that find structures.
 */
export function chooseArmBy(charge: (own: readonly SearchRecord[]) => number): ChooseArm {
  return (arms, records, pending) => highestBound(arms, records, pending, charge);
}

function highestBound(
  arms: readonly Arm[],
  records: readonly SearchRecord[],
  pending: ReadonlyMap<Arm, number>,
  charge: (own: readonly SearchRecord[]) => number,
): Arm {
  const worth = rewards(records);
  const total = records.length + [...pending.values()].reduce((sum, count) => sum + count, 0);
  let chosen = arms[0]!;
  let highest = -Infinity;
  for (const arm of arms) {
    const own = records.filter(
      (record) => record.engineer === arm.engineer.name && record.strategy === arm.strategy.name,
    );
    const tries = own.length + (pending.get(arm) ?? 0);
    const gained = own.reduce((sum, record) => sum + worth.get(record)!, 0);
    const worthIt = gained / tries + Math.sqrt((2 * Math.log(Math.max(2, total))) / tries);
    const bound = tries === 0 ? Infinity : worthIt / charge(own);
    if (bound > highest) {
      highest = bound;
      chosen = arm;
    }
  }
  return chosen;
}
