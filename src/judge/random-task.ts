/** Tasks without a right answer: those that draw random numbers themselves. */
import { isRandomDraw, type Task, valueRanges } from '../task/index.ts';

/** A sentence, when the task's result is random and there is nothing to compare with; it says what to do. */
export function randomOperator({ graph, mode }: Pick<Task, 'graph' | 'mode'>): string | undefined {
  const dropout = graph.nodes.find((node) => node.op === 'dropout');
  if (dropout !== undefined) {
    const operand = valueRanges(graph).get(dropout.inputs[0]!);
    const zero =
      operand?.low === 0 && operand.high === 0
        ? ' What it is given is always 0, though: what comes before it is dead.'
        : '';
    const said = `The task draws random numbers (dropout on line ${dropout.line}), so no result can be compared with it.${zero}`;
    return mode === 'eval'
      ? `${said} It does so in evaluation mode too: pass \`training=self.training\` there, or take dropout out.`
      : `${said} Ask for it in evaluation mode (\`--eval\`; for the tools, \`eval\`), where dropout passes everything on, or take dropout out.`;
  }
  const drawn = graph.constants.find(({ draw }) => isRandomDraw(draw));
  return drawn === undefined
    ? undefined
    : 'The task draws random numbers inside `forward`, so no result can be compared with it. Make them an input.';
}
