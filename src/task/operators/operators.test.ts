/** Every operator against real PyTorch, in float64 (the reference), float32 and halves (the honest arithmetics); and a few exact values always. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { DType, HostTensor } from '../types.ts';
import type { ArithmeticChoice } from './arithmetic.ts';
import { float64 } from './arithmetic.ts';
import { caseFamilies } from './case-families.ts';
import { Draws } from './cases.ts';
import { evaluateNode } from './evaluate.ts';
import type { OperatorCase, OracleAnswer } from './oracle.ts';
import { askTorch, whyNoTorch } from './oracle.ts';
import { operators } from './table.ts';
import { isFloating, roundArray, sameSpec, specText } from './tensor.ts';
import { worstError } from './worst-error.fixture.ts';

const evaluate = (c: OperatorCase, choice: ArithmeticChoice): HostTensor[] =>
  evaluateNode({ ...c, inputs: [], outputs: [], line: 1 }, c.inputs, choice).map((t) => ({
    spec: t.spec,
    values: roundArray(t.values.slice(), t.spec.dtype),
  }));

/** What is wrong with one case in one arithmetic; undefined if nothing is. */
function faultOf(
  c: OperatorCase,
  answer: OracleAnswer,
  choice: ArithmeticChoice,
  tolerance: number,
): string | undefined {
  try {
    if ('error' in answer) throw new Error(`PyTorch refuses: ${answer.error}`);
    const got = evaluate(c, choice);
    assert.equal(got.length, answer.outputs.length);
    got.forEach((t, o) => {
      const want = answer.outputs[o]!;
      if (!sameSpec(t.spec, want.spec)) throw new Error(`gives ${specText(t.spec)}, PyTorch ${specText(want.spec)}`);
      const error = worstError(t, want);
      if (error > (isFloating(want.spec.dtype) ? tolerance : 0))
        throw new Error(`relative error ${error.toExponential(1)}`);
    });
    return undefined;
  } catch (error) {
    const label = `${c.op} ${JSON.stringify(c.attributes)} of ${c.inputs.map((t) => specText(t.spec)).join(', ')}`;
    return `${label} in ${JSON.stringify(choice)}: ${(error as Error).message}`;
  }
}

const noTorch = whyNoTorch();

const precisions: readonly [dtype: DType, arithmetics: readonly ArithmeticChoice[], tolerance: number][] = [
  ['float64', [float64], 2e-12],
  ['float32', [float64, { format: 'float32' }, { format: 'float32', order: 'blocked', fused: false }], 2e-4],
  ['float16', [float64, { format: 'float16' }], 2e-2],
  ['bfloat16', [float64, { format: 'bfloat16' }], 1e-1],
];

/**
 * Where PyTorch's CPU build is no oracle in half precision: what it rounds to halves on the way, and what jumps or
 * chooses among equals where a rounding differs.
 */
const ROUNDS_ON_THE_WAY = /^(conv_transpose\dd|lstm|gru|rnn|interpolate|binary_cross_entropy_with_logits)$/;
const JUMPS = /^(fmod|remainder|topk)$/;

/** A case in half precision of which PyTorch has no opinion, or one of its own. */
function leftOut({ op, attributes, inputs }: OperatorCase, answer: OracleAnswer): boolean {
  if (!inputs.some(({ spec }) => spec.dtype === 'float16' || spec.dtype === 'bfloat16')) return false;
  if ('error' in answer) return /not implemented for/.test(answer.error);
  // x ** 0.5 is a square root there, in float alone: (-inf) ** 0.5 is NaN in float and inf in half.
  const root = op === 'pow' && (attributes.other === 0.5 || attributes.other === -0.5);
  return root || ROUNDS_ON_THE_WAY.test(op) || JUMPS.test(op) || typeof attributes.rounding === 'string';
}

describe('operators against PyTorch', () => {
  const groups = caseFamilies.flatMap(({ name, make }) =>
    precisions.map(([dtype, arithmetics, tolerance]) => ({
      name,
      dtype,
      arithmetics,
      tolerance,
      cases: make(new Draws(7, dtype)),
    })),
  );
  let answers: OracleAnswer[] = [];
  before(() => {
    if (!noTorch) answers = askTorch(groups.flatMap((g) => g.cases));
  });

  let first = 0;
  for (const { name, dtype, arithmetics, tolerance, cases } of groups) {
    const start = first;
    first += cases.length;
    it(`${name} agree with PyTorch in ${dtype}: ${cases.length} cases`, { skip: noTorch }, () => {
      const compared = cases
        .map((c, i) => ({ c, answer: answers[start + i]! }))
        .filter((one) => !leftOut(one.c, one.answer));
      assert.ok(compared.length > 0.4 * cases.length, `only ${compared.length} of ${cases.length} could be compared`);
      const faults = compared.flatMap(({ c, answer }) =>
        arithmetics.flatMap((choice) => faultOf(c, answer, choice, tolerance) ?? []),
      );
      assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.slice(0, 40).join('\n')}`);
    });
  }

  it('every operator of the table is tried, here or among the gradients, but dropout, which has no answer', () => {
    const tried = new Set(groups.flatMap((g) => g.cases.map((c) => c.op)));
    const ofGradients = (name: string) => name.endsWith('_backward') || name === 'col2im';
    assert.deepEqual(
      [...operators.keys()].filter((name) => !tried.has(name) && !ofGradients(name)),
      ['dropout'],
    );
  });
});
