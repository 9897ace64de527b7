/** From a task's graph to a program of maps and reductions, by one rule for each canonical operator. */
import type { Graph, Signature } from '../../../../task/index.ts';
import { LoweringError, type Program } from '../program.ts';
import { Lowering } from './context.ts';
import { contractionRules } from './contractions.ts';
import { convolutionRules } from './convolutions.ts';
import { lossRules } from './losses.ts';
import { pointwiseRules, type Rule } from './pointwise.ts';
import { reductionRules } from './reductions.ts';
import { scanRules } from './scans.ts';
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
};

/** Operators that have a rule, sorted. */
export function supportedOperators(): string[] {
  return Object.keys(rules).sort();
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
