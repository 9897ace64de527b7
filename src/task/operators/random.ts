/**
 * What draws at random inside a model. Such a result cannot be compared element by element, so it has a shape and no reference.
 */
import type { Operator } from './operator.ts';
import { expectOperands } from './operator.ts';
import { elementCount } from './tensor.ts';

/** dropout at work: a task that holds it cannot be judged, and the error says so. */
const dropout: Operator = {
  name: 'dropout',
  kind: 'random',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    const p = attributes.number('p');
    if (!(p > 0 && p <= 1)) throw new Error(`Its probability must lie in (0, 1], not ${p}.`);
    return [inputs[0]!];
  },
  evaluate() {
    throw new Error(
      'Dropout is at work here, so the task has no single answer. Ask for evaluation mode (`--eval`), or set p to 0.',
    );
  },
  operations: (inputs) => ({ arithmetic: elementCount(inputs[0]!.shape), special: 0, contraction: 0 }),
  reads: () => [0],
};

/** dropout. */
export const randomOperators: readonly Operator[] = [dropout];
