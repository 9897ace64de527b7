/** Is every element of every output of every call right, against the float64 reference and under the derived tolerance (tolerance.ts)? */

import { diagnose } from '../diagnose.ts';
import type { Proof } from '../proof.ts';
import { type Check, type CheckContext, passed } from '../question.ts';
import { count, describeRegion, elementName, pictureOf } from '../region.ts';
import type { Comparison } from '../tolerance.ts';
import { inCall, num, plural, small } from '../words.ts';

function wrongElements(context: CheckContext, index: number, output: number, comparison: Comparison): Proof {
  const { trial } = context;
  const { shape } = trial.task.signature.outputs[output]!;
  const region = describeRegion(comparison.mask, shape)!;
  const worst = comparison.worst!;
  const name = trial.outputName(output);
  const slack = worst.bound > 0 ? `, and may be off by ${small(worst.bound)}` : '';
  const cause = diagnose(trial, index, output);
  const reason =
    `${count(region.count)} of ${plural(region.total, 'output')} ${region.count === 1 ? 'is' : 'are'} wrong ${inCall(index, trial.plans[index]!)}: ${region.where}; ` +
    `${elementName(name, worst.coordinates)} is ${num(worst.got)} and should be ${num(worst.expected)}${slack}.`;
  return {
    reason: cause === undefined ? reason : `${reason} ${cause}`,
    details: {
      call: index,
      family: trial.plans[index]!.family,
      output,
      wrong: region.count,
      total: region.total,
      where: region.where,
      element: [...worst.coordinates],
      got: num(worst.got),
      expected: num(worst.expected),
      bound: worst.bound,
    },
    picture: pictureOf(`${name}: wrong elements`, comparison.mask, shape),
  };
}

function leaning(context: CheckContext, index: number, output: number, comparison: Comparison): Proof {
  const { trial } = context;
  const tolerance = trial.expected(index)[output]!;
  const honest = tolerance.kind === 'float' ? tolerance.honestRms : 0;
  const cause = diagnose(trial, index, output);
  const reason =
    `Each element of ${trial.outputName(output)} is inside its own bound ${inCall(index, trial.plans[index]!)}, but together they are off by ${small(comparison.rms)} of it ` +
    `(root mean square), where honest kernels are off by ${small(honest)} and ${small(comparison.rmsLimit)} is the limit: a lowered precision, a dropped epsilon or an approximate function.`;
  return {
    reason: cause === undefined ? reason : `${reason} ${cause}`,
    details: {
      call: index,
      family: trial.plans[index]!.family,
      output,
      rms: comparison.rms,
      honest,
      limit: comparison.rmsLimit,
    },
  };
}

export const values: Check = {
  id: 'values',
  question:
    'Is every element right, against a float64 reference, on inputs drawn in several ways after the source was frozen?',
  catches: [
    'C3',
    'C7',
    'C13',
    'C16',
    'C19',
    'S1',
    'S2',
    'S3',
    'S4',
    'S5',
    'S6',
    'S8',
    'S9',
    'P1',
    'P2',
    'P4',
    'G1',
    'G2',
    'G3',
    'G5',
    'wrong results',
    'lowered precision',
    'unstable formula',
    'dropped operator',
  ],
  stages: ['first-call', 'sequence'],
  devices: ['virtual', 'cuda'],
  cost: 6,
  run(context) {
    const { trial, calls } = context;
    let undecided = 0;
    for (const index of calls) {
      for (let output = 0; output < trial.task.signature.outputs.length; output++) {
        const comparison = trial.comparison(index, output);
        const tolerance = trial.expected(index)[output]!;
        if (tolerance.kind === 'float') undecided += tolerance.undecided;
        if (comparison.accepted) continue;
        const proof =
          comparison.wrong > 0
            ? wrongElements(context, index, output, comparison)
            : leaning(context, index, output, comparison);
        return { status: 'rejected', proof };
      }
    }
    return passed(
      undecided === 0
        ? undefined
        : `${plural(undecided, 'element')} could not be judged: the declared precision overflows there, in honest kernels too.`,
    );
  },
};
