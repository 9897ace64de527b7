/** Can a task tell right from wrong? Small tasks whose flaw is known, one a kind; the flat check; evidence of equality and its limits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evaluateGraph, type Graph, type GraphNode, type HostTensor, mutants, type Task } from '../task/index.ts';
import { discriminate } from './discrimination.ts';
import { EqualityTrial } from './equality.ts';
import { allclose, flatReport } from './flat-check.ts';

const [rows, columns] = [5, 48];
const unit = { kind: 'uniform', low: 0, high: 1 } as const;
type Step = readonly [op: string, attributes: GraphNode['attributes'], shape: readonly number[]];

/** A task of one input and a chain of operators; `parameters` are operands of the first. */
function chain(
  steps: readonly Step[],
  {
    draw = unit as Graph['inputs'][number]['draw'],
    parameters = [] as Graph['parameters'],
    shape = [rows, columns],
  } = {},
): Task {
  const nodes = steps.map(
    ([op, attributes, out], i): GraphNode => ({
      op,
      attributes,
      inputs: i === 0 ? [0, ...parameters.map(({ id }) => id)] : [parameters.length + i],
      outputs: [{ id: parameters.length + i + 1, spec: { shape: out, dtype: 'float32' } }],
      line: i + 1,
    }),
  );
  const last = nodes.at(-1)!.outputs[0]!;
  const graph: Graph = {
    inputs: [{ id: 0, name: 'x', draw, spec: { shape, dtype: 'float32' } }],
    parameters,
    constants: [],
    nodes,
    outputs: [last.id],
  };
  const tensors = [
    { name: 'x', role: 'input' as const, spec: graph.inputs[0]!.spec },
    ...parameters.map(({ name, kind, spec }) => ({ name, role: kind, spec })),
  ];
  const signature = { tensors, scalars: [], outputs: [last.spec] };
  return { name: 'task', source: '', hash: '', graph, signature, precision: 'fp32', scaled: [] };
}

const whole = [rows, columns];
const affine = (draw: number, id: number, name: string): Graph['parameters'][number] => ({
  id,
  name,
  kind: 'parameter',
  draw: { kind: 'constant', value: draw },
  spec: { shape: [columns], dtype: 'float32' },
});
const norm = { normalized_shape: [columns], eps: 1e-5, weight: true, bias: true };

describe('discrimination', () => {
  test('a relu of non-negative inputs is hidden by them, and other inputs show it', () => {
    const { fitness, flaws, admission } = discriminate(chain([['relu', {}, whole]]));
    assert.equal(fitness, 'hidden');
    assert.equal(admission!.score, 1);
    assert.match(flaws[0]!.reason, /lets pass: `x` returned unchanged.*Here inputs drawn as `normal` show it/);
    assert.match(flaws[0]!.remedy, /torch\.randn/);
  });

  test('the same on inputs of both signs is sound', () => {
    const task = chain([['relu', {}, whole]], { draw: { kind: 'normal', mean: 0, std: 1 } });
    assert.deepEqual([discriminate(task).fitness, discriminate(task).flaws], ['sound', []]);
  });

  test('parameters that are ones and zeros hide that they are used', () => {
    const parameters = [affine(1, 1, 'weight'), affine(0, 2, 'bias')];
    const task = chain([['layer_norm', norm, whole]], { parameters, draw: { kind: 'normal', mean: 0, std: 1 } });
    const { fitness, flaws, admission } = discriminate(task);
    assert.equal(fitness, 'hidden');
    assert.equal(admission!.score, 1);
    const neutral = flaws.find(({ reason }) => reason.includes('`weight` taken for ones'))!;
    assert.match(neutral.reason, /`bias` taken for zeros/);
    assert.match(neutral.remedy, /Initialise the parameters at random/);
  });

  test('outputs below a flat tolerance let zeros pass, and not here', () => {
    const wide = [rows, 4000];
    const { fitness, flaws, flat, admission } = discriminate(chain([['softmax', { dim: 1 }, wide]], { shape: wide }));
    assert.equal(fitness, 'hidden');
    assert.equal(admission!.score, 1);
    assert.ok(flat!.largest < 1e-2);
    assert.match(flaws[0]!.reason, /`allclose` at 0\.01 lets pass: zeros returned/);
  });

  test('an answer that is one number is degenerate, with the proof', () => {
    const { fitness, flaws } = discriminate(
      chain([
        ['softmax', { dim: 1 }, whole],
        ['sum', { dims: [1], keepdim: false }, [rows]],
      ]),
    );
    assert.equal(fitness, 'degenerate');
    assert.match(flaws[0]!.reason, /one number whatever the inputs are: `sum` on line 2 is 1/);
  });

  test('what algebra does not know float64 finds: a mean of what was normalised with parameters that do not matter', () => {
    // The mean over everything of a normalisation over everything, through a reshape that hides it from algebra.
    const plain = { normalized_shape: [columns], eps: 1e-5, weight: false, bias: false };
    const { fitness, flaws, admission } = discriminate(
      chain([
        ['layer_norm', plain, whole],
        ['flip', { dims: [1] }, whole],
        ['mean', { dims: [1], keepdim: false }, [rows]],
      ]),
    );
    assert.equal(fitness, 'degenerate');
    assert.deepEqual(
      admission!.mutants.filter(({ killedBy }) => !killedBy),
      [],
    );
    assert.match(
      flaws[0]!.reason,
      /zero whatever the inputs are: .*float64's rounding, on \d+ draws from \d+ families/,
    );
  });

  test('a task that draws random numbers cannot be judged', () => {
    const { fitness, flaws, admission } = discriminate(chain([['dropout', { p: 0.5 }, whole]]));
    assert.deepEqual([fitness, admission], ['unjudgeable', undefined]);
    assert.match(flaws[0]!.reason, /dropout on line 1/);
  });

  test('a task whose own inputs give NaN says so', () => {
    const { fitness, flaws } = discriminate(
      chain([['log', {}, whole]], { draw: { kind: 'uniform', low: -2, high: -1 } }),
    );
    assert.equal(fitness, 'unjudgeable');
    assert.match(flaws[0]!.reason, /On inputs as the file draws them every element of the answer is NaN or infinite/);
  });

  test('an input that reaches no output is named, and a constant that changes nothing', () => {
    const relu = chain([['relu', {}, whole]]);
    const y = { id: 9, name: 'y', draw: unit, spec: { shape: [3], dtype: 'float32' as const } };
    const graph = { ...relu.graph, inputs: [...relu.graph.inputs, y] };
    const tensors = [...relu.signature.tensors, { name: 'y', role: 'input' as const, spec: y.spec }];
    const task = { ...relu, graph, signature: { ...relu.signature, tensors } };
    const { flaws } = discriminate(task, { idle: [{ name: 'groups', value: 4, line: 12 }] });
    assert.ok(flaws.some(({ reason }) => reason === 'The input `y` reaches no output.'));
    assert.ok(flaws.some(({ reason }) => reason === '`groups` (4, line 12) changes nothing in what is computed.'));
  });
});

describe('the flat check', () => {
  test('is allclose: absolute and relative, NaN close to nothing', () => {
    const close = (got: number, expected: number, tolerance = 1e-2) =>
      allclose(Float64Array.of(got), Float64Array.of(expected), tolerance);
    assert.deepEqual(
      [
        close(0.0099, 0),
        close(0.0101, 0),
        close(102, 100),
        close(101, 100),
        close(NaN, NaN),
        close(Infinity, Infinity),
        close(Infinity, 1),
      ],
      [true, false, false, true, false, true, false],
    );
  });

  test('uses the parameters that the file makes', () => {
    const task = chain([['layer_norm', norm, whole]], { parameters: [affine(1, 1, 'weight'), affine(0, 2, 'bias')] });
    const passing = flatReport(task, mutants(task.graph)).passing.map(({ mutant }) => mutant.id);
    assert.ok(passing.includes('ones-for-weight') && passing.includes('zeros-for-bias'));
    assert.ok(!passing.includes('zeros-for-weight') && !passing.includes('zeros'));
  });
});

describe('evidence of equality', () => {
  const inputs = (values: (i: number) => number): HostTensor[] => [
    {
      spec: { shape: whole, dtype: 'float32' },
      values: Float64Array.from({ length: rows * columns }, (_, i) => values(i)),
    },
  ];
  test('a clamp that the inputs never reach is not equal by it: nothing was seen', () => {
    const task = chain([['clamp', { min: -1e12, max: 1e12 }, whole]]);
    const returned = mutants(task.graph).find(({ id }) => id === 'returns-x')!;
    const never = new EqualityTrial(task.graph, inputs(Math.sin));
    assert.deepEqual([never.compare(returned)!.sameOutside, never.exercised()], [true, []]);
    const reached = new EqualityTrial(
      task.graph,
      inputs((i) => i * 1e12),
    );
    assert.deepEqual([reached.compare(returned)!.sameOutside, reached.exercised()], [false, [0]]);
    const { admission } = discriminate(task);
    assert.ok(admission!.mutants.some(({ id, killedBy }) => id === 'returns-x' && killedBy === undefined));
  });
  test('a difference far below float32 and far above float64 is a difference', () => {
    const { graph } = chain([['add', { other: 1e-9, reverse: false }, whole]]);
    const returned = mutants(graph).find(({ id }) => id === 'returns-x')!;
    assert.equal(new EqualityTrial(graph, inputs(Math.sin)).compare(returned)!.sameOutside, false);
    assert.ok(evaluateGraph(graph, inputs(Math.sin))[0]!.values.every(Number.isFinite));
  });
});
