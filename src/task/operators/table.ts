/** The table of all operators, by name: operators.md made code. */
import { alongOperators } from './along.ts';
import { alongBackwardOperators } from './along-backward.ts';
import { binaryOperators } from './binary.ts';
import { contractionOperators } from './contract.ts';
import { convolutionOperators } from './conv.ts';
import { indexingOperators } from './indexing.ts';
import { interpolateOperators } from './interpolate.ts';
import { layoutOperators } from './layout.ts';
import { layoutBackwardOperators } from './layout-backward.ts';
import { lossOperators } from './loss.ts';
import { normalisationOperators } from './normalise.ts';
import type { Operator } from './operator.ts';
import { pointwiseOperators } from './pointwise.ts';
import { randomOperators } from './random.ts';
import { recurrentOperators } from './recurrent.ts';
import { recurrentBackwardOperators } from './recurrent-backward.ts';
import { reductionOperators } from './reduce.ts';
import { windowOperators } from './window.ts';
import { windowBackwardOperators } from './window-backward.ts';

/** Every operator a graph may contain. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    pointwiseOperators,
    binaryOperators,
    reductionOperators,
    alongOperators,
    alongBackwardOperators,
    normalisationOperators,
    contractionOperators,
    convolutionOperators,
    windowOperators,
    windowBackwardOperators,
    interpolateOperators,
    recurrentOperators,
    recurrentBackwardOperators,
    lossOperators,
    layoutOperators,
    layoutBackwardOperators,
    indexingOperators,
    randomOperators,
  ]
    .flat()
    .map((operator) => [operator.name, operator]),
);

/** The operator of this name. Throws a sentence if there is none. */
export function operatorOf(name: string): Operator {
  const operator = operators.get(name);
  if (!operator)
    throw new Error(
      `There is no operator \`${name}\`. The operators that a task may use are listed in src/task/operators.md.`,
    );
  return operator;
}
