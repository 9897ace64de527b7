/**
 * In which order the windows of a block are taken. All arms (each subject's two instances, and each subject's null plan) are shuffled, then taken in that
 * order and back again. The shuffle is drawn from the judgement's secret, so nothing can learn its place; the way back makes each arm's mean
 * position the same, so a linear drift of the device over the block falls on all arms alike and cancels in their ratio.
 */
import type { TimedSubject, WindowRequest } from '../../device/index.ts';
import type { Random } from '../../task/index.ts';

/** One arm of a block: what is compared with what. */
export type Arm = Omit<WindowRequest, 'calls'>;

/** The windows of one block, in the order to take them: `rounds` there and back, the null plans only in the first. */
export function blockOrder(subjects: readonly TimedSubject[], rounds: number, random: Random): Arm[] {
  const order: Arm[] = [];
  for (let round = 0; round < rounds; round++) {
    const arms: Arm[] = [];
    for (const { id: subject } of subjects) {
      arms.push({ subject, instance: 0, work: 'calls' }, { subject, instance: 1, work: 'calls' });
      if (round === 0) arms.push({ subject, instance: random.integer(0, 2) as 0 | 1, work: 'null' });
    }
    random.shuffle(arms);
    order.push(...arms, ...arms.slice().reverse());
  }
  return order;
}
