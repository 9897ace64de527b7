/** Does the candidate do anything itself? One that launches no kernel hands back what PyTorch made. Read off the plan; nothing runs. */
import type { Plan, PlanTensor } from '../../kernel/index.ts';
import type { Graph } from '../../task/index.ts';
import { operatorsDoTheTask } from '../operator-share.ts';
import { type Check, passed } from '../question.ts';
import { plural } from '../words.ts';

export const launchesKernels: Check = {
  id: 'launches-kernels',
  question: 'Does the host function launch any kernel of its own for these shapes?',
  catches: ['B1', 'B2', 'B3', 'B4', 'no work at all'],
  stages: ['plan'],
  devices: ['virtual', 'cuda'],
  cost: 0,
  run({ trial }) {
    const { plan } = trial.candidate;
    const { steps } = plan;
    if (steps.some(({ kind }) => kind === 'launch')) {
      // Without operators of PyTorch's there is nobody else who could have computed the result: the other checks say whether it is right.
      if (!steps.some(({ kind }) => kind === 'operator')) return passed();
      const reason = kernelsReachOutputs(plan)
        ? leftToKernels(plan, trial.task.graph)
        : "The kernels that are launched have no part in the result: no memory that one of them is given reaches an output, which PyTorch's own operators made.";
      return reason === undefined
        ? passed()
        : { status: 'rejected', proof: { reason, details: { steps: steps.length } } };
    }
    const operators = steps.filter(({ kind }) => kind === 'operator').length;
    const made =
      steps.length === 0
        ? 'it returns memory that nothing has written'
        : operators > 0
          ? `all its work is ${plural(operators, 'operator')} of PyTorch's own`
          : 'it returns what PyTorch filled or copied';
    const why = (trial.candidate.remarks ?? []).map(({ text, line }) => ` Line ${line}: ${text}`).join('');
    const reason = `The host function launches no kernel for these shapes: ${made}.${why}`;
    return { status: 'rejected', proof: { reason, details: { steps: steps.length } } };
  },
};

/**
 * The reason to reject a plan in which PyTorch's operators do the whole task: its kernels copy, or their results are multiplied by zero. A smaller share is no reason,
 * however large it is: it stands in the verdict.
 */
function leftToKernels(plan: Plan, graph: Graph): string | undefined {
  if (!operatorsDoTheTask(plan, graph)) return undefined;
  const operators = plan.steps.flatMap((step) => (step.kind === 'operator' ? [`${step.op} (line ${step.line})`] : []));
  return `PyTorch's own operators do the whole task: ${[...new Set(operators)].join(', ')}. Nothing is left for the kernels that are launched.`;
}

/**
 * Whether anything that a launch could have written reaches an output. A kernel could write whatever memory it is given, but for the arguments of the call,
 * which no candidate may change (unless one is returned).
 */
function kernelsReachOutputs({ buffers, steps, outputs }: Plan): boolean {
  const given = (buffer: number) => buffers[buffer]?.kind === 'argument';
  const touched = new Set<number>();
  const carry = (from: readonly PlanTensor[], to: readonly PlanTensor[]) => {
    if (from.some(({ buffer }) => touched.has(buffer) && !given(buffer)))
      for (const { buffer } of to) touched.add(buffer);
  };
  for (const step of steps) {
    if (step.kind === 'launch')
      for (const argument of step.arguments)
        for (const { buffer } of argument.kind === 'pointer' ? [argument] : (argument.pointers ?? []))
          touched.add(buffer);
    else if (step.kind === 'copy') carry([step.from], [step.to]);
    else if (step.kind === 'operator') carry(step.inputs, step.outputs);
  }
  return outputs.some(({ buffer }) => touched.has(buffer));
}
