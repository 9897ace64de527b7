/** What is drawn: legal, reproducible, never neutral, and of the family it says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { evaluateGraph } from '../operators/evaluate.ts';
import { elementCount } from '../operators/tensor.ts';
import type { Draw, Graph, GraphNode, TensorSpec } from '../types.ts';
import { AS_WRITTEN, drawArguments, inputFamilies } from './draw.ts';
import { families } from './families.ts';
import { Random } from './random.ts';

const seed = '0123456789abcdef'.repeat(4);
const float = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });

/** A graph of one operator over the given inputs. */
function taskOf(
  op: string,
  attributes: GraphNode['attributes'],
  inputs: readonly [TensorSpec, Draw][],
  output: TensorSpec,
  parameters: Graph['parameters'] = [],
): { graph: Graph } {
  const count = inputs.length;
  return {
    graph: {
      inputs: inputs.map(([spec, draw], id) => ({ id, spec, draw, name: `x${id}` })),
      parameters,
      constants: [],
      nodes: [
        {
          op,
          attributes,
          inputs: [...inputs.map((_, id) => id), ...parameters.map((p) => p.id)],
          outputs: [{ id: count + 10, spec: output }],
          line: 1,
        },
      ],
      outputs: [count + 10],
    },
  };
}

const familyNames = (task: { graph: Graph }) => inputFamilies(task).map((family) => family.name);

const normal: Draw = { kind: 'normal', mean: 0, std: 1 };
const unit: Draw = { kind: 'uniform', low: 0, high: 1 };

describe('the generator', () => {
  it('gives the same stream for the same seed and label, and another for another', () => {
    const draw = (s: string, label: string) =>
      Array.from(
        { length: 8 },
        (
          (r) => () =>
            r.bits()
        )(new Random(s, label)),
      );
    assert.deepEqual(draw(seed, 'a'), draw(seed, 'a'));
    assert.notDeepEqual(draw(seed, 'a'), draw(seed, 'b'));
    assert.notDeepEqual(draw(seed, 'a'), draw('f'.repeat(64), 'a'));
    assert.throws(() => new Random('42', 'a'), /64 lower-case hexadecimal digits/);
  });

  it('has the moments of the distributions it names', () => {
    const random = new Random(seed, 'moments');
    const n = 100_000;
    const uniform = Array.from({ length: n }, () => random.unit());
    const gauss = Array.from({ length: n }, () => random.normal());
    const mean = (v: number[]) => v.reduce((s, x) => s + x, 0) / v.length;
    const variance = (v: number[]) => mean(v.map((x) => (x - mean(v)) ** 2));
    assert.ok(Math.abs(mean(uniform) - 0.5) < 0.005);
    assert.ok(Math.abs(mean(uniform.map((x) => x * x)) - 1 / 3) < 0.005);
    assert.ok(Math.abs(mean(gauss)) < 0.015);
    assert.ok(Math.abs(mean(gauss.map((x) => x * x)) - 1) < 0.03);
    assert.ok(variance(uniform.slice(0, 200)) > 0.05);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.integer(0, 7)]!++;
    // Chi-squared with 6 degrees of freedom: 22.5 is the 0.1 % point.
    assert.ok(counts.reduce((s, c) => s + (c - 10_000) ** 2 / 10_000, 0) < 22.5);
  });
});

describe('drawing arguments', () => {
  it('repeats for the same seed and family, and differs for another seed', () => {
    const task = taskOf('relu', {}, [[float(5, 7), unit]], float(5, 7));
    for (const family of familyNames(task)) {
      assert.deepEqual(drawArguments(task, family, seed), drawArguments(task, family, seed));
      if (family !== 'constant-lines')
        assert.notDeepEqual(drawArguments(task, family, seed), drawArguments(task, family, 'e'.repeat(64)));
    }
  });

  it('offers every family to a task that is defined everywhere', () => {
    const task = taskOf('relu', {}, [[float(5, 7), unit]], float(5, 7));
    const all = Object.keys(families).filter((family) => !/^far|^whole|^together|^tiny/.test(family));
    assert.deepEqual([...familyNames(task)].sort(), [AS_WRITTEN, ...all].sort());
  });

  it('offers whole lines to tasks with integers: masks that leave nothing of a row, and all of it', () => {
    const mask = { kind: 'integer', low: 0, high: 2 } as const;
    const spec = { shape: [40, 7], dtype: 'int64' } as const;
    const masked = taskOf(
      'mul',
      {},
      [
        [float(40, 7), unit],
        [spec, mask],
      ],
      float(40, 7),
    );
    assert.ok(familyNames(masked).includes('whole-lines'), familyNames(masked).join(' '));
    const { values } = drawArguments(masked, 'whole-lines', seed)[1]!;
    const counts = Array.from({ length: 40 }, (_, row) =>
      values.subarray(7 * row, 7 * row + 7).reduce((sum, x) => sum + x, 0),
    );
    assert.ok(counts.includes(0) && counts.includes(7) && counts.some((n) => n > 0 && n < 7), counts.join(' '));
  });

  it('offers values near each other to differences and to norms, whose lines then share one mean, also across inputs', () => {
    const difference = taskOf(
      'sub',
      {},
      [
        [float(40, 7), normal],
        [float(40, 7), unit],
      ],
      float(40, 7),
    );
    assert.ok(familyNames(difference).includes('together'), familyNames(difference).join(' '));
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;
    const means = drawArguments(difference, 'together', seed).map(({ values }) => mean(values));
    assert.ok(means[0]! > 49 && Math.abs(means[0]! - means[1]!) < 1, means.join(' '));
    const other = mean(drawArguments(difference, 'together', 'e'.repeat(64))[0]!.values);
    assert.ok(Math.abs(other - means[0]!) > 1, `${other} is another draw's`);
    const sum = taskOf('add', { other: 3 }, [[float(5, 7), normal]], float(5, 7));
    assert.ok(!familyNames(sum).includes('together'), 'a sum has no digits to lose by it');
  });

  it('offers values far from zero to what seeks a greatest or a least one', () => {
    const far = (op: string) => {
      const attributes = { dims: [1], keepdim: false };
      return familyNames(taskOf(op, attributes, [[float(5, 7), normal]], float(5))).filter((f) => /^far/.test(f));
    };
    assert.deepEqual([far('max'), far('min'), far('sum')], [['farthest-below'], ['farthest-above'], []]);
    const below = taskOf('softmax', { dim: 1 }, [[float(5, 7), normal]], float(5, 7));
    for (const [family, nearest, end] of [
      ['far-below', -3000, -1.1e6],
      ['farthest-below', -1e10, -1.1e20],
    ] as const) {
      const { values } = drawArguments(below, family, seed)[0]!;
      assert.ok(
        values.every((x) => x < nearest && x > end),
        values.join(' '),
      );
    }
    const squared = taskOf('max', { dims: [1], keepdim: false }, [[float(5, 7), normal]], float(5)).graph;
    const cube: GraphNode[] = [1, 2, 3].map((i) => ({
      ...{ op: 'mul', attributes: {}, line: 2 },
      ...{ inputs: i === 1 ? [11, 11] : [10 + i, 11], outputs: [{ id: 11 + i, spec: float(5) }] },
    }));
    const after: GraphNode[] = [{ ...squared.nodes[0]!, outputs: [{ id: 11, spec: float(5) }] }, ...cube];
    const families = familyNames({ graph: { ...squared, nodes: after, outputs: [14] } });
    assert.deepEqual(
      families.filter((f) => /^far/.test(f)),
      ['far-below'],
    );
    const half = taskOf('softmax', { dim: 1 }, [[{ shape: [5, 7], dtype: 'float16' }, normal]], float(5, 7));
    const halves = drawArguments(half, 'farthest-below', seed)[0]!.values;
    assert.ok(halves.every(Number.isFinite), halves.join(' '));
  });

  it('draws lines of small values, most of which differ by little more than a decade, and some tiny, the same in all tensors; at times all', () => {
    const task = taskOf(
      'add',
      {},
      [
        [float(64, 512), normal],
        [float(64, 512), normal],
      ],
      float(64, 512),
    );
    const norms = (values: Float64Array) =>
      Array.from({ length: 64 }, (_, i) => Math.hypot(...values.subarray(512 * i, 512 * i + 512)));
    const tiny = Array.from({ length: 40 }, (_, seed) =>
      drawArguments(task, 'small', seed).map(({ values }) =>
        norms(values).flatMap((norm, i) => (norm < 0.9e-6 * Math.sqrt(512) ? [i] : [])),
      ),
    ).filter((lists) => lists.every((list) => list.length > 0));
    const [some, all] = [tiny.filter(([a]) => a!.length < 32), tiny.filter(([a]) => a!.length > 56)];
    assert.ok(some.length > 5 && all.length > 2, `${some.length} draws with some tiny lines, ${all.length} with all`);
    for (const [a, b] of some) {
      assert.ok(a!.length > 2 && a!.length < 26, `${a!.length} tiny lines`);
      assert.ok(a!.filter((line) => b!.includes(line)).length > 0.7 * a!.length, 'the lines differ');
    }
  });

  it('draws tiny tensors for roots and quotients: whatever line is summed over is tiny, and its square is not zero', () => {
    const task = taskOf('norm', { p: 2, dim: [1], keepdim: false }, [[float(64, 96), normal]], float(64));
    for (let seed = 0; seed < 20; seed++) {
      const { values } = drawArguments(task, 'tiny', seed)[0]!;
      const greatest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      assert.ok(greatest < 1e-7 && greatest > 1e-10, `${greatest}`);
    }
    assert.ok(familyNames(task).includes('tiny'));
  });

  it('rounds to the element type', () => {
    const spec: TensorSpec = { shape: [40], dtype: 'bfloat16' };
    const task = taskOf('relu', {}, [[spec, normal]], spec);
    for (const family of familyNames(task)) {
      for (const x of drawArguments(task, family, seed)[0]!.values) assert.equal(x, Number(x.toPrecision(17)));
      assert.ok(
        drawArguments(task, family, seed)[0]!.values.every(
          (x) => Math.fround(x) === x && x.toString(2).replace(/[-.e+]/g, '').length < 200,
        ),
      );
    }
  });

  it('keeps to the domain of a logarithm whose input the file draws non-negative', () => {
    const task = taskOf('log', {}, [[float(30, 8), unit]], float(30, 8));
    const legal = familyNames(task);
    assert.ok(legal.includes('normal+') && !legal.includes('normal'), legal.join(' '));
    assert.ok(legal.length > 10);
    for (const family of legal) {
      const values = drawArguments(task, family, seed);
      assert.ok(evaluateGraph(task.graph, values)[0]!.values.every(Number.isFinite), family);
    }
  });

  it('keeps to probabilities where the operator takes nothing else', () => {
    const attributes = { weight: false, reduction: 'mean' };
    const task = taskOf(
      'binary_cross_entropy',
      attributes,
      [
        [float(20, 3), unit],
        [float(20, 3), unit],
      ],
      float(),
    );
    const legal = familyNames(task);
    assert.ok(legal.includes('heavy-tailed[0,1]'), legal.join(' '));
    for (const family of legal) {
      for (const t of drawArguments(task, family, seed))
        assert.ok(
          t.values.every((x) => x >= 0 && x <= 1),
          family,
        );
    }
  });

  it('leaves out families that overflow where the file does not', () => {
    const task = taskOf('exp', {}, [[float(200), normal]], float(200));
    const legal = familyNames(task);
    assert.ok(legal.includes('normal') && !legal.includes('large') && !legal.includes('heavy-tailed'), legal.join(' '));
  });

  it('draws class indices within their range, in every family', () => {
    const attributes = { weight: false, target: 'indices', reduction: 'mean', ignore_index: -100, label_smoothing: 0 };
    const index: TensorSpec = { shape: [50], dtype: 'int64' };
    const task = taskOf(
      'cross_entropy',
      attributes,
      [
        [float(50, 9), normal],
        [index, { kind: 'integer', low: 0, high: 9 }],
      ],
      float(),
    );
    const legal = familyNames(task);
    assert.ok(legal.length > 10);
    for (const family of legal) {
      const target = drawArguments(task, family, seed)[1]!.values;
      assert.ok(
        target.every((x) => Number.isInteger(x) && x >= 0 && x < 9),
        family,
      );
    }
  });

  it('makes no parameter neutral', () => {
    const parameter = (id: number, name: string, value: number) =>
      ({ id, name, spec: float(16), kind: 'parameter', draw: { kind: 'constant', value } }) as const;
    const task = taskOf(
      'layer_norm',
      { normalized_shape: [16], eps: 1e-5, weight: true, bias: true },
      [[float(4, 16), normal]],
      float(4, 16),
      [parameter(5, 'norm.weight', 1), parameter(6, 'norm.bias', 0)],
    );
    for (const family of familyNames(task)) {
      const [, weight, bias] = drawArguments(task, family, seed);
      assert.ok(weight!.values.every((x) => x !== 1 && x >= 0.5 && x <= 1.5));
      assert.ok(bias!.values.every((x) => Math.abs(x) >= 0.09));
      assert.ok(new Set(bias!.values).size > 8);
    }
  });

  it('draws running variances positive, and leaves counters and masks alone', () => {
    const base = taskOf('relu', {}, [[float(3), normal]], float(3)).graph;
    const graph: Graph = {
      ...base,
      parameters: [
        { id: 1, name: 'bn.running_var', kind: 'buffer', spec: float(9), draw: { kind: 'constant', value: 1 } },
        {
          id: 2,
          name: 'bn.num_batches_tracked',
          kind: 'buffer',
          spec: { shape: [], dtype: 'int64' },
          draw: { kind: 'constant', value: 0 },
        },
        { id: 3, name: 'mask', kind: 'buffer', spec: float(2), draw: { kind: 'values', values: [1, '-inf'] } },
      ],
    };
    const [, variance, count, mask] = drawArguments({ graph }, 'normal', seed);
    assert.ok(variance!.values.every((x) => x >= 0.5 && x < 2));
    assert.deepEqual([...count!.values], [0]);
    assert.deepEqual([...mask!.values], [1, -Infinity]);
  });

  it('keeps the structure of a computed input: a triangular matrix stays triangular', () => {
    const spec = float(6, 6);
    const graph: Graph = {
      inputs: [],
      parameters: [],
      constants: [{ id: 0, spec, draw: unit }],
      nodes: [{ op: 'tril', attributes: { diagonal: 0 }, inputs: [0], outputs: [{ id: 1, spec }], line: 1 }],
      outputs: [1],
    };
    const task = taskOf(
      'matmul',
      {},
      [
        [spec, { kind: 'computed', graph }],
        [spec, unit],
      ],
      spec,
    );
    for (const family of familyNames(task)) {
      const [a] = drawArguments(task, family, seed);
      for (let i = 0; i < 6; i++) for (let j = i + 1; j < 6; j++) assert.equal(a!.values[i * 6 + j], 0, family);
    }
    const [a] = drawArguments(task, 'normal', seed);
    assert.ok(a!.values.some((x) => x < 0));
  });

  it('says which families there are when asked for another', () => {
    const task = taskOf('relu', {}, [[float(3), normal]], float(3));
    assert.throws(() => drawArguments(task, 'gaussian', seed), /no family of inputs `gaussian`.*normal/);
  });

  it('draws lines as the families say', () => {
    const task = taskOf('relu', {}, [[float(64), normal]], float(64));
    const line = (family: string) => drawArguments(task, family, seed)[0]!.values;
    assert.equal(new Set(line('constant-lines')).size, 1);
    assert.ok(line('negative').every((x) => x < 0));
    assert.ok(line('small-integers').every((x) => Number.isInteger(2 * x)));
    assert.ok(line('denormal').some((x) => x !== 0 && Math.abs(x) < 2 ** -126));
    assert.equal(line('one-hot').filter((x) => x > 1).length, 1);
    assert.ok(line('shifted').every((x) => x > 5));
    const sorted = line('sorted');
    const ascending = [...sorted].sort((x, y) => x - y);
    assert.ok([...sorted].every((x, i) => x === ascending[i]) || [...sorted].every((x, i) => x === ascending[63 - i]));
    assert.ok(elementCount([64]) === sorted.length);
  });
});
