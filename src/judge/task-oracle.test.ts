/** The oracle of real graphs: honest kernels pass on every family of inputs, mutants and wrong kernels do not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Attribute, Graph, GraphNode, HostTensor, Task, TensorSpec } from '../task/index.ts';
import { admit } from './admission.ts';
import {
  bf16,
  byRow,
  f,
  fastExp,
  inexact,
  normalise,
  onlineSoftmaxRow,
  sequential,
  softmaxRow,
  squares,
  strided,
  twoPass,
  welford,
} from './honest-kernels.fixture.ts';
import { commit, deriveSeed, sourceHash } from './seeds.ts';
import { createOracle } from './task-oracle.ts';
import { compareOutput } from './tolerance.ts';
import { planCalls } from './trial.ts';

// A fixed secret: the tests judge the judge, and must not fail one time in a thousand.
const commitment = commit([sourceHash('')], '5a'.repeat(32));

const tensor = (dtype: TensorSpec['dtype'], ...shape: number[]): TensorSpec => ({ shape, dtype });

/** A task of one operator over normal float32 inputs; `parameters` have the specs of weights. */
function taskOf(
  op: string,
  inputs: TensorSpec[],
  attributes: Record<string, Attribute>,
  output: TensorSpec,
  parameters: Record<string, TensorSpec> = {},
): Task {
  const draw = { kind: 'normal', mean: 0, std: 1 } as const;
  const names = Object.entries(parameters);
  const node: GraphNode = {
    op,
    inputs: [...inputs, ...names].map((_, i) => i),
    attributes,
    outputs: [{ id: inputs.length + names.length, spec: output }],
    line: 7,
  };
  const graph: Graph = {
    inputs: inputs.map((spec, id) => ({ id, spec, name: `x${id}`, draw })),
    parameters: names.map(([name, spec], i) => ({
      id: inputs.length + i,
      spec,
      name,
      kind: 'parameter' as const,
      draw: { kind: 'constant', value: name === 'bias' ? 0 : 1 } as const,
    })),
    constants: [],
    nodes: [node],
    outputs: [inputs.length + names.length],
  };
  const tensors = [
    ...graph.inputs.map(({ name, spec }) => ({ name, role: 'input' as const, spec })),
    ...graph.parameters.map(({ name, spec }) => ({ name, role: 'parameter' as const, spec })),
  ];
  const signature = { tensors, scalars: [], outputs: [output] };
  return { name: op, source: '', hash: '0'.repeat(64), graph, signature, precision: 'fp32', scaled: [] };
}

type Kernel = (inputs: readonly HostTensor[]) => Float64Array;

/** The families on which a kernel's first output is not accepted, with the worst element of the first such family. */
function rejections(task: Task, kernel: Kernel, families?: readonly string[]): string[] {
  const oracle = createOracle(task);
  return (families ?? oracle.families).flatMap((family) => {
    const inputs = oracle.draw(family, deriveSeed(commitment, family));
    const got = kernel(inputs).map(f);
    const { accepted, worst, rms, rmsLimit } = compareOutput(got, oracle.expect(inputs).outputs[0]!);
    return accepted ? [] : [`${family}: ${JSON.stringify(worst)} rms ${rms} of ${rmsLimit}`];
  });
}

const columns = 150;
const rows = 24;
const matrix = tensor('float32', rows, columns);
const softmax = taskOf('softmax', [matrix], { dim: 1 }, matrix);
const layerNorm = taskOf(
  'layer_norm',
  [matrix],
  { normalized_shape: [columns], eps: 1e-5, weight: true, bias: true },
  matrix,
  { weight: tensor('float32', columns), bias: tensor('float32', columns) },
);
const [m, k, n] = [20, 200, 28];
const matmul = taskOf('matmul', [tensor('float32', m, k), tensor('float32', k, n)], {}, tensor('float32', m, n));
const logSoftmax = taskOf('log_softmax', [matrix], { dim: 1 }, matrix);
const gelu = taskOf('gelu', [matrix], { approximate: 'none' }, matrix);

const elu = taskOf('elu', [matrix], { alpha: 1 }, matrix);
const mish = taskOf('mish', [matrix], {}, matrix);

const affine = ([, weight, bias]: readonly HostTensor[], normalised: Float64Array) =>
  normalised.map((x, i) => f(f(x * weight!.values[i % columns]!) + bias!.values[i % columns]!));

const product =
  (read: (x: number) => number, sum: (terms: Float64Array) => number): Kernel =>
  ([a, b]) =>
    Float64Array.from({ length: m * n }, (_, i) => {
      const [row, column] = [Math.floor(i / n), i % n];
      const term = (t: number) => f(read(a!.values[row * k + t]!) * read(b!.values[t * n + column]!));
      return sum(Float64Array.from({ length: k }, (_, t) => term(t)));
    });

const exp = (x: number) => f(Math.exp(x));
const log = (x: number) => f(Math.log(x));

describe('honest kernels pass on every family', () => {
  const cases: [string, Task, Kernel][] = [
    ['softmax, warp shuffles', softmax, ([x]) => byRow(x!.values, columns, (row) => softmaxRow(row, strided(32), exp))],
    ['softmax, online', softmax, ([x]) => byRow(x!.values, columns, (row) => onlineSoftmaxRow(row, exp))],
    ['softmax, __expf', softmax, ([x]) => byRow(x!.values, columns, (row) => softmaxRow(row, strided(128), fastExp))],
    [
      'layer norm, two passes',
      layerNorm,
      (all) =>
        affine(
          all,
          byRow(all[0]!.values, columns, (row) => normalise(row, twoPass(row, strided(64)), 1e-5)),
        ),
    ],
    [
      'layer norm, Welford',
      layerNorm,
      (all) =>
        affine(
          all,
          byRow(all[0]!.values, columns, (row) => normalise(row, welford(row), 1e-5)),
        ),
    ],
    ['matmul, one thread an element', matmul, product((x) => x, sequential)],
    ['matmul, split k', matmul, product((x) => x, strided(4))],
    ['elu, by exp(x) - 1', elu, ([x]) => x!.values.map((v) => (v > 0 ? v : f(exp(v) - 1)))],
    ['elu, by expm1', elu, ([x]) => x!.values.map((v) => (v > 0 ? v : f(Math.expm1(v))))],
    [
      'mish, by log(1 + exp(x))',
      mish,
      ([x]) => x!.values.map((v) => f(v * f(Math.tanh(v > 20 ? v : log(f(1 + exp(v))))))),
    ],
  ];
  for (const [name, task, kernel] of cases) test(name, () => assert.deepEqual(rejections(task, kernel), []));
});

/** As FlashAttention has it: exp2(x log2(e) - round(max log2(e))) with one rounding, parts of the row brought to one maximum by exp2 of differences. */
function baseTwoSoftmaxRow(row: Float64Array): Float64Array {
  const log2e = f(Math.LOG2E);
  const power = (x: number, top: number) => f(2 ** f(x * log2e - f(top * log2e)));
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  let total = 0;
  for (let lane = 0; lane < 4; lane++) {
    const part = row.filter((_, i) => i % 4 === lane);
    const top = part.reduce((a, b) => Math.max(a, b), -Infinity);
    total = f(total + f(sequential(part.map((x) => power(x, top))) * f(2 ** f(f(top - max) * log2e))));
  }
  return row.map((x) => f(power(x, max) / total));
}

/** Less max + log(sum): one subtraction, whose second operand is rounded at the size of the scores. */
function lateLogSoftmaxRow(row: Float64Array): Float64Array {
  const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = f(max + log(strided(32)(row.map((x) => exp(f(x - max))))));
  return row.map((x) => f(x - total));
}

describe('large scores, in arithmetics that round them before the maximum goes off', () => {
  const scores: HostTensor = {
    spec: matrix,
    values: Float64Array.from({ length: rows * columns }, (_, i) => f(1000 + 100 * Math.sin(i) - (i % 7))),
  };
  const cases: [string, Task, Kernel, boolean][] = [
    ['softmax in base two', softmax, ([x]) => byRow(x!.values, columns, baseTwoSoftmaxRow), true],
    ['log softmax, less max + log(sum)', logSoftmax, ([x]) => byRow(x!.values, columns, lateLogSoftmaxRow), true],
    [
      'softmax of scores with sixteen bits',
      softmax,
      ([x]) =>
        byRow(x!.values, columns, (row) =>
          softmaxRow(
            row.map((v) => Math.round(v * 64) / 64),
            sequential,
            exp,
          ),
        ),
      false,
    ],
  ];
  for (const [name, task, kernel, accepted] of cases) {
    test(`${name}: ${accepted ? 'right' : 'wrong'}`, () => {
      const got = compareOutput(kernel([scores]), createOracle(task).expect([scores]).outputs[0]!);
      assert.equal(got.accepted, accepted, `rms ${got.rms} of ${got.rmsLimit}, ${JSON.stringify(got.worst)}`);
    });
  }
});

describe('wrong kernels fail on the families that a candidate meets', () => {
  const cases: [string, Task, Kernel][] = [
    [
      'softmax without its maximum',
      softmax,
      ([x]) =>
        byRow(x!.values, columns, (row) => {
          const powers = row.map(exp);
          const total = sequential(powers);
          return powers.map((p) => f(p / total));
        }),
    ],
    [
      'layer norm without its epsilon',
      layerNorm,
      (all) =>
        affine(
          all,
          byRow(all[0]!.values, columns, (row) => normalise(row, twoPass(row, sequential), 0)),
        ),
    ],
    [
      'layer norm by E[x^2] - E[x]^2',
      layerNorm,
      (all) =>
        affine(
          all,
          byRow(all[0]!.values, columns, (row) => normalise(row, squares(row, strided(32)), 1e-5)),
        ),
    ],
    ['matmul with bfloat16 operands', matmul, product(bf16, sequential)],
    ['matmul with tf32 operands', matmul, product((x) => Math.round(x * 2 ** 10) / 2 ** 10, sequential)],
    [
      'matmul without its last term',
      matmul,
      product(
        (x) => x,
        (terms) => sequential(terms.subarray(0, k - 1)),
      ),
    ],
    [
      'gelu by tanh',
      gelu,
      ([x]) => x!.values.map((v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
    ],
    ['elu in bfloat16', elu, ([x]) => x!.values.map((v) => (v > 0 ? v : bf16(Math.expm1(v))))],
    [
      'mish without its tail below -10',
      mish,
      ([x]) => x!.values.map((v) => (v < -10 ? 0 : v * Math.tanh(Math.log1p(Math.exp(v))))),
    ],
    [
      'softmax with bfloat16 powers',
      softmax,
      ([x]) => byRow(x!.values, columns, (row) => softmaxRow(row, sequential, (v) => bf16(inexact(Math.exp, 1)(v)))),
    ],
  ];
  for (const [name, task, kernel] of cases) {
    test(name, () => {
      const families = new Set(planCalls(createOracle(task), commitment).map(({ family }) => family));
      assert.notDeepEqual(rejections(task, kernel, [...families]), []);
    });
  }
});

describe('admission', () => {
  for (const task of [softmax, layerNorm, matmul, gelu]) {
    test(`every mutant of ${task.name} is caught`, () => {
      const admission = admit(task, createOracle(task), commitment);
      assert.equal(admission.mutants.length > 3, true);
      assert.deepEqual(admission.dead, []);
      assert.equal(admission.score, 1);
    });
  }
  test('a relu of values that are never negative is dead on its own inputs, and seen on others', () => {
    const relu = taskOf('relu', [matrix], {}, matrix);
    const graph = {
      ...relu.graph,
      inputs: relu.graph.inputs.map((input) => ({ ...input, draw: { kind: 'uniform', low: 0, high: 1 } as const })),
    };
    const admission = admit({ ...relu, graph }, createOracle({ ...relu, graph }), commitment);
    assert.deepEqual(admission.dead, []);
    assert.equal(
      admission.hiddenByOwnInputs.some(({ reason }) => /returned unchanged|left out/.test(reason)),
      true,
    );
    assert.equal(admission.ownScore < 1, true);
  });
  test('a mean of a softmax is dead: it is always 1/n', () => {
    const base = taskOf('softmax', [matrix], { dim: 1 }, matrix);
    const mean: GraphNode = {
      op: 'mean',
      inputs: [1],
      attributes: { dims: [1], keepdim: false },
      outputs: [{ id: 2, spec: tensor('float32', rows) }],
      line: 8,
    };
    const graph = { ...base.graph, nodes: [...base.graph.nodes, mean], outputs: [2] };
    const task = { ...base, graph, signature: { ...base.signature, outputs: [tensor('float32', rows)] } };
    const admission = admit(task, createOracle(task), commitment);
    assert.match(admission.dead[0]!.reason, /`mean` on line 8 is 0\.\d+ whatever the inputs are/);
    assert.equal(
      admission.equivalent.some(({ id, by }) => id === 'mean' && by === 'proof'),
      true,
    );
  });
});

describe('indices of extremes', () => {
  const argmax = taskOf('argmax', [matrix], { dim: 1, keepdim: false }, tensor('int64', rows));
  const argmaxOf =
    (better: (x: number, best: number) => boolean): Kernel =>
    ([x]) =>
      byRow(x!.values, columns, (row) => {
        let best = 0;
        row.forEach((value, i) => {
          if (better(value, row[best]!)) best = i;
        });
        return Float64Array.of(best);
      });
  test('the first and the last of equals are both right', () => {
    assert.deepEqual(
      rejections(
        argmax,
        argmaxOf((x, best) => x > best),
      ),
      [],
    );
    assert.deepEqual(
      rejections(
        argmax,
        argmaxOf((x, best) => x >= best),
      ),
      [],
    );
  });
  test('the minimum, and an index off by one, are wrong', () => {
    assert.notDeepEqual(
      rejections(
        argmax,
        argmaxOf((x, best) => x < best),
      ),
      [],
    );
    const off: Kernel = (inputs) => argmaxOf((x, best) => x > best)(inputs).map((i) => (i + 1) % columns);
    assert.notDeepEqual(rejections(argmax, off), []);
  });
});
