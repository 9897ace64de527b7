/**
 * PyTorch's operators of a plan (a submission in Python has them), evaluated with the judge's own float32 reference: trusted code, none of the candidate's.
 * Where an operator reads what nothing has written, its result counts as not written either.
 */
import type { OperatorStep, PlanStep } from '../../kernel/index.ts';
import { decode, elementCount, encode, evaluateNode, fixedTensor, operatorOf } from '../../task/index.ts';
import type { SealedOutput } from '../types.ts';

/** Bytes of the outputs, and which elements stand for something. Throws a sentence where the operator cannot be evaluated. */
export function evaluateOperator(
  step: OperatorStep,
  inputs: readonly Required<SealedOutput>[],
): Required<SealedOutput>[] {
  const { op, attributes, line } = step;
  const operands = inputs.map(({ bytes }, i) => decode(bytes, specOf(step.inputs[i]!)));
  const outputs = step.outputs.map((tensor, id) => ({ id, spec: specOf(tensor) }));
  const node = { op, attributes, line, inputs: operands.map((_, i) => i), outputs };
  const results = evaluateNode(node, operands, { format: 'float32', intermediates: 'dtype' });
  const whole = inputs.every(({ written }) => !written.includes(0));
  return results.map((result) => ({
    bytes: encode(result),
    written: whole ? ones(result.values.length) : writtenBy(step, inputs, result.values.length),
  }));
}

/** Element by element where the operator is pointwise over operands of one shape; else nothing, as any element may come of what was not written. */
function writtenBy(step: OperatorStep, inputs: readonly Required<SealedOutput>[], count: number): Uint8Array {
  const written = new Uint8Array(count);
  const aligned = operatorOf(step.op).kind === 'pointwise' && inputs.every((one) => one.written.length === count);
  if (aligned) for (let i = 0; i < count; i++) written[i] = inputs.every((one) => one.written[i] === 1) ? 1 : 0;
  return written;
}

const ones = (count: number) => new Uint8Array(count).fill(1);

/** Bytes of a constant. */
export function constantBytes({ tensor, draw }: Extract<PlanStep, { kind: 'constant' }>): Uint8Array {
  const made = fixedTensor(specOf(tensor), draw);
  if (made.values.length !== elementCount(tensor.shape)) throw new Error('a constant has another size than its tensor');
  return encode(made);
}

const specOf = ({ shape, dtype }: OperatorStep['inputs'][number]) => ({ shape, dtype });
