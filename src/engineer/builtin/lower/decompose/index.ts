/** From a task's graph to a program of maps and reductions, by one rule for each canonical operator. */
import type { Graph, Signature } from '../../../../task/index.ts';
import { LoweringError, type Program } from '../program.ts';
import { Lowering } from './context.ts';
import { contractionRules } from './contractions.ts';
import { convolutionRules } from './convolutions.ts';
import { lossRules } from './losses.ts';
import { orderingRules } from './ordering.ts';
import { pointwiseRules, type Rule } from './pointwise.ts';
import { recurrentRules } from './recurrent.ts';
import { reductionRules } from './reductions.ts';
import { scanRules } from './scans.ts';
import { scatterRules } from './scatter.ts';
import { viewRules } from './views.ts';
import { windowGradientRules } from './window-gradients.ts';
import { windowRules } from './windows.ts';

const rules: Readonly<Record<string, Rule>> = {
  ...pointwiseRules,
  ...reductionRules,
  ...lossRules,
  ...contractionRules,
  ...convolutionRules,
  ...scanRules,
  ...windowRules,
  ...windowGradientRules,
  ...viewRules,
  ...orderingRules,
  ...recurrentRules,
  ...scatterRules,
  dropout: (lower) =>
    lower.fail(
      'dropout at work gives a random result, which no kernel can be compared with; ask for the task in evaluation mode (`--eval`), or set p to 0',
    ),
};

/** Operators that lower, sorted. Dropout at work has a rule that says why it does not. */
export function supportedOperators(): string[] {
  return Object.keys(rules)
    .filter((op) => op !== 'dropout')
    .sort();
}

/** Lowers every node. Throws {@link LoweringError} naming the first operator that cannot be lowered and its line. */
export function decompose(graph: Graph, signature: Signature): Program {
  const lowering = new Lowering(graph, signature);
  graph.nodes.forEach((node, index) => {
    lowering.begin(index);
    const rule = rules[node.op];
    if (!rule) throw new LoweringError(node.op, node.line, 'the built-in engineer has no rule for this operator');
    try {
      rule(lowering);
    } catch (error) {
      if (error instanceof LoweringError) throw error;
      if (error instanceof RangeError || error instanceof TypeError) {
        throw new LoweringError(node.op, node.line, error.message);
      }
      throw error;
    }
  });
  return lowering.finish();
}
