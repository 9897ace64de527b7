/** Mutants: all the wrong variants one would think of, each a valid graph that gives another answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkGraph, evaluateGraph } from '../operators/evaluate.ts';
import { hostTensor } from '../operators/tensor.ts';
import type { Graph, TensorSpec } from '../types.ts';
import { mutants } from './mutants.ts';

const float = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });
const normal = { kind: 'normal', mean: 0, std: 1 } as const;

/** relu(layer_norm(x) + residual), as a traced file would give it. */
const graph: Graph = {
  inputs: [
    { id: 0, name: 'x', spec: float(3, 4), draw: normal },
    { id: 1, name: 'residual', spec: float(3, 4), draw: normal },
  ],
  parameters: [
    { id: 2, name: 'weight', kind: 'parameter', spec: float(4), draw: { kind: 'constant', value: 1 } },
    { id: 3, name: 'bias', kind: 'parameter', spec: float(4), draw: { kind: 'constant', value: 0 } },
  ],
  constants: [],
  nodes: [
    {
      op: 'layer_norm',
      inputs: [0, 2, 3],
      attributes: { normalized_shape: [4], eps: 0.1, weight: true, bias: true },
      outputs: [{ id: 4, spec: float(3, 4) }],
      line: 8,
    },
    { op: 'add', inputs: [4, 1], attributes: {}, outputs: [{ id: 5, spec: float(3, 4) }], line: 9 },
    { op: 'relu', inputs: [5], attributes: {}, outputs: [{ id: 6, spec: float(3, 4) }], line: 9 },
  ],
  outputs: [6],
};

const values = [
  hostTensor([3, 4], 'float32', [1, -2, 3, 0.5, -1, 0.25, 2, -3, 4, 1, -1, 0]),
  hostTensor([3, 4], 'float32', [0.5, 1, -1, 2, -0.5, 0.75, 1, 1, -2, 0.1, 0.2, 0.3]),
  hostTensor([4], 'float32', [0.5, 1.5, 0.75, 1.25]),
  hostTensor([4], 'float32', [0.3, -0.2, 0.1, 0.4]),
];

describe('mutants', () => {
  const all = mutants(graph);

  it('cover trivial answers, every operator, every argument, and the epsilon', () => {
    const ids = all.map((m) => m.id);
    for (const id of [
      'zeros',
      'mean',
      'first-sample',
      'sample-mean',
      'returns-x',
      'returns-residual',
      'dropped-0',
      'dropped-1',
      'dropped-for-1-1',
      'dropped-2',
    ]) {
      assert.ok(ids.includes(id), `${id} is not among ${ids.join(' ')}`);
    }
    for (const name of ['x', 'residual', 'weight', 'bias'])
      assert.ok(ids.includes(`zeros-for-${name}`) && ids.includes(`ones-for-${name}`));
    assert.equal(all.find((m) => m.description.includes('epsilon'))?.operator, 'layer_norm');
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(all.find((m) => m.id === 'dropped-2')?.description, '`relu` on line 9 left out');
  });

  it('are valid graphs of the same signature with another answer', () => {
    const right = evaluateGraph(graph, values)[0]!;
    for (const mutant of all) {
      checkGraph(mutant.graph);
      assert.equal(mutant.graph.inputs, graph.inputs);
      const given = mutant.frozen ? [...mutant.frozen, ...values.slice(2)] : values;
      const wrong = evaluateGraph(mutant.graph, given, mutant.arithmetic)[0]!;
      assert.deepEqual(wrong.spec, right.spec);
      assert.ok(
        wrong.values.some((x, i) => Math.abs(x - right.values[i]!) > (mutant.arithmetic ? 1e-5 : 1e-3)),
        mutant.id,
      );
    }
  });

  it('halve what a reduction and a contraction read', () => {
    const sum: Graph = {
      inputs: [{ id: 0, name: 'x', spec: float(2, 5), draw: normal }],
      parameters: [{ id: 1, name: 'w', kind: 'parameter', spec: float(3, 5), draw: normal }],
      constants: [],
      nodes: [
        { op: 'linear', inputs: [0, 1], attributes: { bias: false }, outputs: [{ id: 2, spec: float(2, 3) }], line: 1 },
        {
          op: 'sum',
          inputs: [2],
          attributes: { dims: [1], keepdim: false },
          outputs: [{ id: 3, spec: float(2) }],
          line: 2,
        },
      ],
      outputs: [3],
    };
    const x = hostTensor([2, 5], 'float32', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const w = hostTensor([3, 5], 'float32', new Array(15).fill(1));
    const half = mutants(sum).filter((m) => m.id.startsWith('half'));
    assert.deepEqual(
      half.map((m) => [...evaluateGraph(m.graph, [x, w])[0]!.values]),
      [
        [18, 63],
        [30, 80],
      ],
    );
  });
});
