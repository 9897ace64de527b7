/** Does the host function return what the signature asks for: how many tensors, of which shape and type? Read off the plan; nothing runs. */
import { type Check, passed } from '../question.ts';

const spec = (shape: readonly number[], dtype: string) => `${dtype}[${shape.join(', ')}]`;

export const outputShape: Check = {
  id: 'output-shape',
  question: 'Does it return the tensors that the task returns: as many, of the same shapes and element types?',
  catches: ['C16', 'wrong output shape', 'wrong output type', 'missing output'],
  stages: ['plan'],
  devices: ['virtual', 'cuda'],
  cost: 0,
  run({ trial }) {
    const wanted = trial.task.signature.outputs;
    const returned = trial.candidate.plan.outputs;
    const details = {
      wanted: wanted.map((output) => spec(output.shape, output.dtype)),
      returned: returned.map((output) => spec(output.shape, output.dtype)),
    };
    if (returned.length !== wanted.length) {
      const reason = `The host function returns ${returned.length} tensors; the task returns ${wanted.length}: ${details.wanted.join(', ')}.`;
      return { status: 'rejected', proof: { reason, details } };
    }
    for (const [o, want] of wanted.entries()) {
      const got = returned[o]!;
      const which = wanted.length === 1 ? 'The output' : `Output ${o}`;
      if (got.dtype !== want.dtype) {
        const reason = `${which} is ${details.returned[o]}, but the task returns ${details.wanted[o]}: allocate it with the dtype ${want.dtype}.`;
        return { status: 'rejected', proof: { reason, details } };
      }
      if (got.shape.length !== want.shape.length || got.shape.some((size, d) => size !== want.shape[d])) {
        const reason = `${which} has shape [${got.shape.join(', ')}], but the task returns shape [${want.shape.join(', ')}].`;
        return { status: 'rejected', proof: { reason, details } };
      }
    }
    return passed();
  },
};
