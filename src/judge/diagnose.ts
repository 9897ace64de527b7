/**
 * Why is an output wrong? Guesses that can be tested, each against the candidate's own output: the result of the task with one
 * operator changed, of another call, a constant, an input, a constant factor. Said only where the output really fits.
 */
import { compareOutput, type OutputTolerance } from './tolerance.ts';
import type { Trial } from './trial.ts';
import { num } from './words.ts';

/** The right answer of the graph with another expected array, under the same bounds. */
function against(tolerance: OutputTolerance, expected: Float64Array): OutputTolerance {
  return tolerance.kind === 'float'
    ? { ...tolerance, expected, rmsLimit: 1 }
    : { ...tolerance, expected, accepts: () => false };
}

function allEqual(values: Float64Array): boolean {
  return values.every((x) => Object.is(x, values[0]!) || x === values[0]);
}

/** The one factor or summand between what is right and what is there, over all wrong elements. */
function constantError(got: Float64Array, tolerance: OutputTolerance, mask: Uint8Array): string | undefined {
  const ratios: number[] = [];
  const differences: number[] = [];
  for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1)) {
    const r = tolerance.expected[i]!;
    if (!Number.isFinite(r) || !Number.isFinite(got[i]!)) return undefined;
    if (r !== 0) ratios.push(got[i]! / r);
    differences.push(got[i]! - r);
  }
  if (ratios.length < 8) return undefined;
  const constant = (values: number[]) => {
    const sorted = Float64Array.from(values).sort();
    const middle = sorted[sorted.length >> 1]!;
    const spread = Math.max(Math.abs(sorted[0]! - middle), Math.abs(sorted.at(-1)! - middle));
    return spread < 1e-3 * Math.abs(middle) ? middle : undefined;
  };
  const factor = constant(ratios);
  if (factor !== undefined && Math.abs(factor - 1) > 1e-6) {
    return `Every wrong element is ${num(factor)} times what it should be.`;
  }
  const summand = constant(differences);
  return summand === undefined ? undefined : `Every wrong element is off by the same ${num(summand)}.`;
}

/** A sentence that explains a wrong output; undefined when nothing fits. */
export function diagnose(trial: Trial, index: number, output: number): string | undefined {
  const got = trial.calls[index]!.outputs[output]!.values;
  const inputs = trial.inputs(index);
  const tolerance = trial.expected(index)[output]!;
  const { mask } = trial.comparison(index, output);
  const nans = got.reduce((n, x) => n + (Number.isNaN(x) ? 1 : 0), 0);
  if (nans > 0)
    return `${nans === got.length ? 'Every element is' : `${nans.toLocaleString('en-US')} elements are`} NaN.`;
  if (got.length > 1 && allEqual(got)) {
    return got[0] === 0 ? 'Every element is 0.' : `Every element is the same number, ${num(got[0]!)}.`;
  }
  const name = trial.outputName(output);
  for (const [i, input] of inputs.entries()) {
    if (input.values.length !== got.length || !got.every((x, e) => x === input.values[e])) continue;
    return `${name} is a copy of the ${trial.task.signature.tensors[i]!.role} \`${trial.task.signature.tensors[i]!.name}\`.`;
  }
  for (const mutant of trial.oracle.mutants) {
    const other = trial.oracle.answer(mutant, inputs)[output];
    if (other === undefined || other.values.length !== got.length) continue;
    if (compareOutput(got, against(tolerance, other.values)).wrong === 0) {
      return `This is the result of the task with one thing changed: ${mutant.description}.`;
    }
  }
  return constantError(got, tolerance, mask);
}
