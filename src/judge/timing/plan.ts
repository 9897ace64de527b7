/**
 * What is fixed before the first time is read: how many fresh processes, blocks and windows, when the data may be looked at, and how much error each look
 * may spend. Nothing here depends on which subject is faster; only the sizes (calls in a window, blocks in a process) follow from a pilot, so that windows are
 * long against the clocks' resolution and the whole fits the budget.
 */
import type { TimingFacts } from '../../device/index.ts';

export interface TimingPlan {
  /** Fresh processes done when the data are looked at, ascending: the last is the most there will be. */
  readonly looks: readonly number[];
  /**
   * Chance that any interval of any look, over all baselines, misses the truth. Split over the looks as (look's share of all processes)^3, an early look
   * spending little (Lan and DeMets 1983; the power family of Kim and DeMets 1987), and added up by Bonferroni, which holds whatever the looks have in common.
   */
  readonly alpha: number;
  /** Chance that an A/A interval misses 1. */
  readonly noiseAlpha: number;
  /** Blocks that count in each process, wanted and least. One more, the first, is taken in the same way and not counted: it settles clocks and caches. */
  readonly blocks: number;
  readonly leastBlocks: number;
  /** Times there and back in a block: an arm gets twice as many windows. */
  readonly rounds: number;
  /** `as fast` means within this, as a share of the time. */
  readonly margin: number;
  /** Least length of a window, in microseconds, in resolutions of the device's clock, and in costs of a null plan. */
  readonly windowMicroseconds: number;
  readonly windowResolutions: number;
  readonly windowNulls: number;
  /** Resamples of the bootstrap. */
  readonly resamples: number;
  /** Share of the blocks that may be lost (no partner at the same clock, other processes on the device, a device that protects itself). */
  readonly mostLost: number;
  /** Most time inside windows, and most calls, over everything. */
  readonly budget: { readonly seconds: number; readonly calls: number };
}

/** What bench/timing.ts holds the protocol's error rates and power for. */
export const defaultPlan: TimingPlan = {
  looks: [4, 8, 16],
  alpha: 0.01,
  noiseAlpha: 0.02,
  blocks: 16,
  leastBlocks: 4,
  rounds: 2,
  margin: 0.02,
  windowMicroseconds: 200,
  windowResolutions: 400,
  windowNulls: 20,
  resamples: 2000,
  mostLost: 0.25,
  budget: { seconds: 120, calls: 5_000_000 },
};

/** @throws RangeError naming what is wrong with a plan. */
export function checkPlan(plan: TimingPlan): void {
  const { looks, alpha, noiseAlpha, blocks, leastBlocks, rounds, margin, resamples, mostLost } = plan;
  const whole = [...looks, blocks, leastBlocks, rounds, resamples];
  const broken =
    looks.length === 0 || looks[0]! < 3 || looks.some((look, i) => i > 0 && look <= looks[i - 1]!)
      ? 'looks must ascend from at least 3 processes: the spread between processes cannot be known from fewer'
      : whole.some((n) => !Number.isSafeInteger(n) || n < 1)
        ? 'looks, blocks, rounds and resamples are whole numbers of at least 1'
        : leastBlocks > blocks || leastBlocks < 2
          ? 'at least 2 blocks a process are needed to tell a trend, and no more than are wanted'
          : !(alpha > 0 && alpha < 0.5 && noiseAlpha > 0 && noiseAlpha < 0.5)
            ? 'alpha is a chance of error between 0 and one half'
            : !(margin > 0 && margin < 1 && mostLost >= 0 && mostLost < 1)
              ? 'margin and mostLost are shares between 0 and 1'
              : undefined;
  if (broken !== undefined) throw new RangeError(`This timing plan cannot be followed: ${broken}.`);
}

/** Error that each look may spend, two-sided; the sum is the plan's alpha. */
export function alphaOfLooks({ looks, alpha }: Pick<TimingPlan, 'looks' | 'alpha'>): number[] {
  const spent = looks.map((look) => alpha * (look / looks.at(-1)!) ** 3);
  return spent.map((sum, i) => sum - (i > 0 ? spent[i - 1]! : 0));
}

/** Windows of one block over `subjects` subjects: calls, and null plans. */
export function windowsOfBlock(subjects: number, rounds: number): { calls: number; nulls: number } {
  return { calls: 4 * subjects * rounds, nulls: 2 * subjects };
}

/** What the pilot saw of a subject: medians for a window of one call. */
export interface Pilot {
  readonly deviceMicroseconds: number;
  readonly hostMicroseconds: number;
  readonly nullHostMicroseconds: number;
}

/** The plan with the sizes that follow from the pilot, or why it cannot be followed. */
export type SizedPlan = { plan: TimingPlan; calls: number } | { refused: string };

/**
 * Calls in a window (the same for all subjects, so that what a window itself costs is the same too), and blocks and looks that fit the budget.
 * @param pilots one for each subject.
 */
export function sizePlan(plan: TimingPlan, facts: TimingFacts, pilots: readonly Pilot[]): SizedPlan {
  const wanted = Math.max(
    plan.windowMicroseconds,
    plan.windowResolutions * facts.deviceResolutionMicroseconds,
    plan.windowNulls * Math.max(...pilots.map(({ nullHostMicroseconds }) => nullHostMicroseconds)),
  );
  const shortest = Math.min(...pilots.map(({ deviceMicroseconds }) => deviceMicroseconds));
  const calls = Math.max(1, Math.min(facts.mostCalls, Math.ceil(wanted / shortest)));
  const { calls: timed, nulls } = windowsOfBlock(1, plan.rounds);
  const callsOfBlock = timed * calls * pilots.length;
  const secondsOfBlock =
    1e-6 *
    pilots.reduce(
      (sum, { deviceMicroseconds, hostMicroseconds, nullHostMicroseconds }) =>
        sum +
        timed * (hostMicroseconds + (calls - 1) * deviceMicroseconds) +
        // A null window of many calls costs no more than as many null plans of one call.
        nulls * calls * nullHostMicroseconds,
      0,
    );
  const affordable = Math.min(plan.budget.calls / callsOfBlock, plan.budget.seconds / secondsOfBlock);
  // The block that settles a process costs what the others do.
  for (let looks = plan.looks; looks.length > 0; looks = looks.slice(0, -1)) {
    const blocks = Math.min(plan.blocks, Math.floor(affordable / looks.at(-1)!) - 1);
    if (blocks >= plan.leastBlocks) return { plan: { ...plan, looks, blocks }, calls };
  }
  const least = plan.looks[0]! * (plan.leastBlocks + 1);
  return {
    refused: `The budget of ${plan.budget.seconds} s and ${plan.budget.calls} calls in windows is too small: ${plan.looks[0]} processes of ${plan.leastBlocks} blocks take about ${Math.ceil(least * secondsOfBlock)} s and ${least * callsOfBlock} calls. Allow more, or judge a smaller task.`,
  };
}
