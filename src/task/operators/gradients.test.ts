/**
 * Every operator's gradient against real PyTorch's autograd, and, with no PyTorch needed, against finite differences in float64.
 * The cases are those of the operators themselves (cases.ts): random shapes, strides, edge values, ties.
 */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { backwardGraph } from '../backward.ts';
import type { Graph, GraphInput, HostTensor } from '../types.ts';
import type { ArithmeticChoice } from './arithmetic.ts';
import { float64 } from './arithmetic.ts';
import { caseFamilies } from './case-families.ts';
import { Draws } from './cases.ts';
import { checkGraph, evaluateGraph, inferNode } from './evaluate.ts';
import { gradientOf } from './gradients/table.ts';
import type { OperatorCase, OracleAnswer } from './oracle.ts';
import { askTorch, whyNoTorch } from './oracle.ts';
import { operators } from './table.ts';
import { hostTensor, isFloating, specText } from './tensor.ts';
import { worstError } from './worst-error.fixture.ts';

/** The graph of one application of an operator. */
function graphOf(c: OperatorCase): Graph {
  const inputs = c.inputs.map(
    ({ spec }, id): GraphInput => ({ id, spec, name: `x${id}`, draw: { kind: 'normal', mean: 0, std: 1 } }),
  );
  const node = { op: c.op, inputs: inputs.map((x) => x.id), attributes: c.attributes, outputs: [], line: 1 };
  const outputs = inferNode(
    node,
    c.inputs.map((t) => t.spec),
  ).map((spec, o) => ({ id: inputs.length + o, spec }));
  return { inputs, parameters: [], constants: [], nodes: [{ ...node, outputs }], outputs: outputs.map((o) => o.id) };
}

/** A case whose gradient there is, with gradients drawn for its floating outputs. */
interface GradientCase extends OperatorCase {
  grads: HostTensor[];
  wrt: number[];
}

/** The first operand that PyTorch takes for fixed, with all after it up to `end`: weights of losses, running statistics. */
function frozen({ op, attributes }: OperatorCase): { from: number; end: number } {
  const indices = op === 'nll_loss' || (op === 'cross_entropy' && attributes.target === 'indices');
  if (indices || op.startsWith('binary_cross_entropy')) return { from: 2, end: Infinity };
  if (op === 'batch_norm' && attributes.training === false) return { from: 1, end: 3 };
  return { from: Infinity, end: Infinity };
}

function gradientCases(cases: readonly OperatorCase[], draws: Draws): GradientCase[] {
  return cases.flatMap((c) => {
    if (typeof gradientOf(c.op) === 'string' || !c.inputs.some((t) => isFloating(t.spec.dtype))) return [];
    const graph = graphOf(c);
    const grads = graph.nodes[0]!.outputs.filter(({ spec }) => isFloating(spec.dtype)).map(({ spec }) =>
      hostTensor(spec.shape, spec.dtype, draws.normal(spec.shape).values),
    );
    const { from, end } = frozen(c);
    const wrt = c.inputs.flatMap((t, i) => (isFloating(t.spec.dtype) && (i < from || i >= end) ? [i] : []));
    return grads.length === 0 ? [] : [{ ...c, grads, wrt }];
  });
}

/** The gradients of a case by its operator's rule: one an operand of `wrt`, null where nothing flows. */
function gradients(c: GradientCase, choice: ArithmeticChoice): (HostTensor | null)[] {
  const graph = graphOf(c);
  const { graph: backward, of } = backwardGraph(graph);
  checkGraph(backward);
  const values = evaluateGraph(backward, [...c.grads, ...c.inputs], choice);
  return c.wrt.map((i) => (of.includes(`x${i}`) ? values[of.indexOf(`x${i}`)]! : null));
}

/** Gradients that PyTorch has not, or not for these operands; finite differences have the word alone. */
const pytorchLacks = [
  'derivative for aten::remainder is not implemented',
  // scatter takes a source larger than its index, its gradient does not.
  'returned an invalid gradient at index 1',
  // group_norm with a bias and no weight.
  'tensor does not have a device',
];

/** Where PyTorch's own doubles hold a float32 constant: 1/6, alpha, 1e-12. */
const loose: Readonly<Record<string, number>> = {
  'hardsigmoid float64': 1e-7,
  'celu float64': 1e-7,
  'binary_cross_entropy float64': 1e-8,
};

/** Operators whose gradient has a limit at some edge (infinities, a zero, a NaN that is not a factor of it) where PyTorch computes NaN and we the limit. */
const hasLimit = new Set(['softsign', 'cumprod', 'logcumsumexp', 'kl_div']);

function withoutNaN(want: HostTensor, got: HostTensor): Float64Array {
  return want.values.map((x, i) => (Number.isNaN(x) ? got.values[i]! : x));
}

const label = (c: OperatorCase) =>
  `${c.op} ${JSON.stringify(c.attributes)} of ${c.inputs.map((t) => specText(t.spec)).join(', ')}`;

function faultOf(
  c: GradientCase,
  answer: OracleAnswer,
  choice: ArithmeticChoice,
  tolerance: number,
): string | undefined {
  try {
    if ('error' in answer) {
      if (pytorchLacks.some((known) => answer.error.includes(known))) return undefined;
      throw new Error(`PyTorch refuses: ${answer.error}`);
    }
    gradients(c, choice).forEach((got, i) => {
      const want = answer.gradients![i]!;
      // No gradient and a gradient of zeros are two names of one thing.
      if (got === null || want === null) {
        if ((got ?? want)?.values.some((x) => x !== 0)) {
          const told = (t: HostTensor | null) => (t ? `[${t.values.slice(0, 8).join(', ')}]` : 'no gradient');
          throw new Error(`operand ${i}: ${told(got)}, PyTorch says ${told(want)}`);
        }
        return;
      }
      assert.deepEqual(got.spec, want.spec);
      // Rounding is of the size of what came in where sums cancel: softmax's g - sum(g y) near one-hot is nothing but rounding.
      const single = got.spec.dtype === 'float32';
      const floor = single ? 1e-4 * Math.max(...c.grads.flatMap((t) => [...t.values].map(Math.abs))) : 0;
      const compared = hasLimit.has(c.op) ? { spec: want.spec, values: withoutNaN(want, got) } : want;
      const error = worstError(got, compared, floor);
      if (error > Math.max(tolerance, loose[`${c.op} ${got.spec.dtype}`] ?? 0))
        throw new Error(`operand ${i}: relative error ${error.toExponential(1)}`);
    });
    return undefined;
  } catch (error) {
    return `${label(c)}: ${(error as Error).message}`;
  }
}

const noTorch = whyNoTorch();
const precisions = [
  ['float64', [float64], 5e-10],
  ['float32', [float64, { format: 'float32' }, { format: 'float32', order: 'blocked', fused: false }], 1e-3],
] as const;

describe('gradients against PyTorch', () => {
  const groups = caseFamilies.flatMap(({ name, make }) =>
    precisions.map(([dtype, arithmetics, tolerance]) => {
      const cases = gradientCases(make(new Draws(7, dtype)), new Draws(11, dtype));
      return { name, dtype, arithmetics, tolerance, cases };
    }),
  );
  let answers: OracleAnswer[] = [];
  before(() => {
    if (!noTorch) answers = askTorch(groups.flatMap((g) => g.cases));
  });

  let first = 0;
  for (const { name, dtype, arithmetics, tolerance, cases } of groups) {
    const start = first;
    first += cases.length;
    it(`gradients of ${name} agree with autograd in ${dtype}: ${cases.length} cases`, { skip: noTorch }, () => {
      const faults = cases.flatMap((c, i) =>
        arithmetics.flatMap((choice) => faultOf(c, answers[start + i]!, choice, tolerance) ?? []),
      );
      assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.slice(0, 60).join('\n')}`);
    });
  }

  it('every operator of the table says what its gradient is, and every gradient is tried', () => {
    const tried = new Set(groups.flatMap((g) => g.cases.map((c) => c.op)));
    const untried = [...operators.keys()].filter((name) => typeof gradientOf(name) !== 'string' && !tried.has(name));
    assert.deepEqual(untried, []);
    const used = new Set(
      groups.flatMap((g) => g.cases.flatMap((c) => backwardGraph(graphOf(c)).graph.nodes.map(({ op }) => op))),
    );
    const unused = [...operators.keys()].filter((name) => /_backward$|^col2im$/.test(name) && !used.has(name));
    assert.deepEqual(unused, []);
  });
});

/** The sum of the outputs' elements times the given gradients: what the gradients are gradients of. */
function total(c: GradientCase, graph: Graph, inputs: readonly HostTensor[]): number {
  const outputs = evaluateGraph(graph, inputs).filter((t) => isFloating(t.spec.dtype));
  return outputs.reduce((sum, t, o) => sum + t.values.reduce((s, y, i) => s + y * c.grads[o]!.values[i]!, 0), 0);
}

/** Whether finite differences can say anything: doubles, finite, and none on a kink or a tie (edge values and whole numbers are). */
function isSmoothHere(c: GradientCase, found: readonly (HostTensor | null)[]): boolean {
  const floating = c.inputs.filter((t) => isFloating(t.spec.dtype));
  const outputs = evaluateGraph(graphOf(c), c.inputs).filter((t) => isFloating(t.spec.dtype));
  const finite = (t: HostTensor | null) => !t || t.values.every((x) => Number.isFinite(x));
  const plain = [...floating, ...outputs, ...found].every(finite) && outputs.every((t) => t.spec.dtype === 'float64');
  const drawn = floating.every((t) => t.values.length === 0 || t.values.some((x) => !Number.isInteger(x)));
  const edges = c.inputs.some((t) => t.values.includes(88));
  return plain && drawn && !edges;
}

/** Central difference along a random direction, against the gradients' product with it: relative to the sum of the terms' sizes. */
function differenceError(c: GradientCase, found: readonly (HostTensor | null)[], draws: Draws): number {
  const step = 1e-6;
  const graph = graphOf(c);
  const directions = c.inputs.map((t) => draws.normal(t.spec.shape).values);
  const moved = (sign: number) =>
    c.inputs.map((t, i): HostTensor => {
      if (!c.wrt.includes(i)) return t;
      return { spec: t.spec, values: t.values.map((x, k) => x + sign * step * directions[i]![k]!) };
    });
  const measured = (total(c, graph, moved(1)) - total(c, graph, moved(-1))) / (2 * step);
  let [derived, size] = [0, 0];
  found.forEach((t, k) => {
    t?.values.forEach((x, i) => {
      const term = x * directions[c.wrt[k]!]![i]!;
      derived += term;
      size += Math.abs(term);
    });
  });
  return Math.abs(measured - derived) / Math.max(size, 1e-2);
}

/** Cases inside the domain of operators that the common cases mostly leave. */
function inDomain(d: Draws): OperatorCase[] {
  const one = ['log', 'log2', 'log10', 'log1p', 'sqrt', 'rsqrt', 'asin', 'acos', 'atanh'];
  const pool = { stride: [2], padding: [0], dilation: [1], ceil_mode: false };
  const thrice = (x: readonly number[]) => [x[0]!, x[0]!, x[0]!];
  return [
    ...one.map((op) => ({ op, attributes: {}, inputs: [d.uniform([9], 0.2, 0.8)] })),
    { op: 'acosh', attributes: {}, inputs: [d.uniform([9], 1.2, 3)] },
    { op: 'pow', attributes: {}, inputs: [d.uniform([4, 5], 0.3, 2), d.normal([5])] },
    { op: 'pow', attributes: { other: 2.5, reverse: true }, inputs: [d.normal([5])] },
    { op: 'masked_fill', attributes: { value: 0.5 }, inputs: [d.normal([2, 3, 4]), d.bool([3, 1])] },
    { op: 'max_pool1d', attributes: { ...pool, kernel: [3] }, inputs: [d.normal([2, 3, 9])] },
    {
      op: 'max_pool3d',
      attributes: {
        ...{ kernel: [2, 3, 2], stride: thrice(pool.stride), padding: thrice(pool.padding) },
        ...{ dilation: thrice(pool.dilation), ceil_mode: true },
      },
      inputs: [d.normal([1, 2, 5, 6, 4])],
    },
    {
      op: 'binary_cross_entropy',
      attributes: { weight: false, reduction: 'mean' },
      inputs: [d.uniform([3, 4], 0.1, 0.9), d.uniform([3, 4])],
    },
  ];
}

describe('gradients against finite differences', () => {
  it('every gradient agrees with central differences in float64, where the operator is smooth', () => {
    const draws = new Draws(23, 'float64');
    const tried = new Set<string>();
    const faults = [...caseFamilies, { make: inDomain }]
      .flatMap(({ make }) => gradientCases(make(new Draws(7, 'float64')), draws))
      .flatMap((c) => {
        const found = gradients(c, float64);
        if (!isSmoothHere(c, found)) return [];
        const error = differenceError(c, found, draws);
        tried.add(c.op);
        return error <= 1e-6 ? [] : [`${label(c)}: ${error.toExponential(1)}`];
      });
    assert.deepEqual(faults, []);
    const untried = [...operators.keys()].filter((name) => typeof gradientOf(name) !== 'string' && !tried.has(name));
    assert.deepEqual(untried, []);
  });
});
