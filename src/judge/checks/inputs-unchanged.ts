/** Are the inputs and parameters as they were before the call? The judge keeps its own copy, and compares every byte. */
import { elementBytes } from '../../task/index.ts';
import { type Check, passed } from '../question.ts';
import { elementName } from '../region.ts';
import { coordinatesOf } from '../tolerance.ts';
import { inCall } from '../words.ts';

export const inputsUnchanged: Check = {
  id: 'inputs-unchanged',
  question: 'Are the inputs and parameters left as they were?',
  catches: ['C2', 'C9', 'input used as workspace', 'in-place result'],
  stages: ['first-call', 'sequence'],
  devices: ['virtual', 'cuda'],
  cost: 1,
  run({ trial, calls }) {
    for (const index of calls) {
      const changed = trial.calls[index]!.changedInputs[0];
      if (changed === undefined) continue;
      const tensor = trial.task.signature.tensors[changed.argument]!;
      const element = Math.floor(changed.firstByte / elementBytes[tensor.spec.dtype]);
      const name = elementName(tensor.name, coordinatesOf(element, tensor.spec.shape));
      const returned = trial.candidate.plan.outputs.some(
        (output) => trial.candidate.plan.buffers[output.buffer]?.argument === changed.argument,
      );
      const advice = returned
        ? `The result is written into \`${tensor.name}\` itself; write it to a new tensor (\`torch::empty_like(${tensor.name})\`).`
        : `Inputs and parameters must be left as given; use a workspace of your own.`;
      return {
        status: 'rejected',
        proof: {
          reason: `The ${tensor.role} \`${tensor.name}\` was overwritten ${inCall(index, trial.plans[index]!)}, first at ${name}. ${advice}`,
          details: { call: index, argument: tensor.name, firstByte: changed.firstByte, element },
        },
      };
    }
    return passed();
  },
};
