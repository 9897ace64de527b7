/**
 * A task of gigabytes is judged at smaller shapes of the same program. Is the candidate also right at the file's own, where its grids, its loops
 * and its indices are the ones it was written for? A few blocks of each launch are run there: see full-size.ts. What could not be looked at is
 * said, and is no rejection.
 */
import type { FullSizeReport } from '../full-size-report.ts';
import { type Check, passed } from '../question.ts';
import { plural } from '../words.ts';

/** What was left unseen of a report, as a sentence; undefined where all was seen. */
function unseen({ notChecked, launches, outputs }: FullSizeReport): string | undefined {
  if (notChecked !== undefined)
    return `At the task's own shapes nothing was checked: ${notChecked.replace(/\.$/, '')}.`;
  const parts = launches.flatMap(({ kernel, line, ranBlocks, totalBlocks, notChecked: why }) => {
    if (why !== undefined) return [`${kernel} (line ${line}): ${why}`];
    return ranBlocks === totalBlocks
      ? []
      : [`${kernel} (line ${line}): ${ranBlocks} of ${plural(totalBlocks, 'block')} ran`];
  });
  const madeUp = launches.filter((one) => one.madeUp && one.notChecked === undefined);
  for (const { kernel, line } of madeUp)
    parts.push(`${kernel} (line ${line}) was given made-up contents for what earlier launches compute: addresses only`);
  for (const { name, compared, rows, notCompared } of outputs) {
    parts.push(
      notCompared === undefined
        ? `${name}: ${plural(compared, 'element')} of ${plural(rows.length, 'row')} compared`
        : `${name}: addresses only, no values were compared (${notCompared})`,
    );
  }
  return parts.length === 0 ? undefined : `At the task's own shapes: ${parts.join('; ')}.`;
}

export const fullSize: Check = {
  id: 'full-size',
  question: "At the task's own shapes, are the launches, the addresses and the values of sampled blocks right?",
  catches: [
    'C1',
    'right at small shapes only',
    'launch that no GPU takes',
    'index that overflows',
    'hard-coded size',
    'shared array too small',
    'grid too small',
  ],
  stages: ['sequence'],
  devices: ['virtual'],
  cost: 9,
  applies: ({ task }) => task.scaled.length > 0,
  async run({ trial }) {
    const report = await trial.fullSize();
    if (report === undefined)
      return { status: 'not-asked', reason: "The task at its file's own shapes was not given." };
    if (report.proof) return { status: 'rejected', proof: report.proof };
    if (report.notChecked !== undefined) return { status: 'not-asked', reason: unseen(report)! };
    return passed(unseen(report));
  },
};
