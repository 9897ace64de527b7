/**
 * Did every call write every element of its outputs? An output that was never written holds what was in the memory before:
 * in a harness that reuses memory, the right answer of an earlier run. This is how the "150x" triangular matmul of 2025 passed.
 */

import type { Proof } from '../proof.ts';
import { type Check, type CheckContext, passed } from '../question.ts';
import { count, describeRegion, describeRest, elementName, pictureOf } from '../region.ts';
import { inCall, plural } from '../words.ts';
import { unusedGridDimension } from './launch-shape.ts';

function proofOf({ trial }: CheckContext, index: number, output: number, written: Uint8Array): Proof | undefined {
  if (!written.includes(0)) return undefined;
  const missing = written.map((w) => (w ? 0 : 1));
  const shape = trial.task.signature.outputs[output]!.shape;
  const region = describeRegion(missing, shape);
  if (region === undefined) return undefined;
  const name = trial.outputName(output);
  const rest = describeRest(missing, shape);
  const where =
    region.count === region.total
      ? `no element of ${name} has a value`
      : rest === undefined
        ? `missing are ${region.where}`
        : `only ${rest} ${/^(row|column|element|index) /.test(rest) ? 'has' : 'have'} values`;
  const plan = trial.plans[index]!;
  const when = index === 0 ? '' : ` ${inCall(index, plan)}`;
  const sentence =
    `${count(region.count)} of ${plural(region.total, 'output')} ${region.count === 1 ? 'was' : 'were'} never written${when}: ${where} ` +
    `(first missing: ${elementName(name, region.first)}).`;
  const cause = unusedGridDimension(trial.candidate);
  return {
    reason: cause === undefined ? sentence : `${sentence} ${cause}`,
    details: {
      call: index,
      output,
      missing: region.count,
      total: region.total,
      first: [...region.first],
      where: region.where,
    },
    picture: pictureOf(`${name}: elements never written`, missing, shape),
  };
}

export const everyOutputWritten: Check = {
  id: 'every-output-written',
  question: 'Does every call write every element of every output?',
  catches: ['C1', 'C14', 'T2', 'T11', 'T12', 'T13', 'no-op kernel', 'rows or tails left out', 'wrong launch shape'],
  stages: ['first-call', 'sequence'],
  devices: ['virtual', 'cuda'],
  cost: 1,
  run(context) {
    const { trial, calls } = context;
    for (const index of calls) {
      const call = trial.calls[index]!;
      for (const [output, written] of call.written.entries()) {
        const buffer = trial.candidate.plan.outputs[output]!.buffer;
        // An output that is a view of an argument holds that argument's values, not poison; `values` and `inputs-unchanged` judge it.
        if (trial.candidate.plan.buffers[buffer]?.kind === 'argument') continue;
        if (written === undefined) return { status: 'not-asked', reason: 'This device does not say what was written.' };
        const proof = proofOf(context, index, output, written);
        if (proof !== undefined) return { status: 'rejected', proof };
      }
    }
    return passed();
  },
};
