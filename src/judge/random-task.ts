/** Tasks without a right answer: those that draw random numbers themselves. */
import { isRandomDraw, type Task } from '../task/index.ts';

/** A sentence, when the task's result is random and there is nothing to compare with. */
export function randomOperator({ graph }: Pick<Task, 'graph'>): string | undefined {
  const dropout = graph.nodes.find((node) => node.op === 'dropout');
  if (dropout !== undefined) {
    return `The task draws random numbers (dropout on line ${dropout.line}), so no result can be compared with it. Call \`.eval()\` in the task, or take dropout out.`;
  }
  const drawn = graph.constants.find(({ draw }) => isRandomDraw(draw));
  return drawn === undefined
    ? undefined
    : 'The task draws random numbers inside `forward`, so no result can be compared with it. Make them an input.';
}
