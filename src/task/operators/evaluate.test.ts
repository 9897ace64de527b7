/** Exact values that hold without PyTorch, the arithmetics' spread, and false graphs refused in a sentence. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Attribute, Draw, DType, Graph, HostTensor, TensorSpec } from '../types.ts';
import type { ArithmeticChoice } from './arithmetic.ts';
import { arithmeticFor, float64 } from './arithmetic.ts';
import { Draws } from './cases.ts';
import { checkGraph, evaluateGraph, evaluateNode } from './evaluate.ts';
import { erf, erfc } from './special.ts';
import { elementCount, hostTensor } from './tensor.ts';

const apply = (
  op: string,
  attributes: Record<string, Attribute>,
  inputs: HostTensor[],
  choice: ArithmeticChoice = float64,
): HostTensor => evaluateNode({ op, attributes, inputs: [], outputs: [], line: 7 }, inputs, choice)[0]!;

const row = (...values: number[]): HostTensor => hostTensor([values.length], 'float32', values);
const values = (t: HostTensor): number[] => [...t.values];

describe('exact values', () => {
  it('of reductions and indices', () => {
    const x = hostTensor([2, 3], 'float32', [1, 5, 5, -2, -7, -7]);
    assert.deepEqual(values(apply('sum', { dims: [1], keepdim: false }, [x])), [11, -16]);
    assert.deepEqual(values(apply('argmax', { dim: 1, keepdim: false }, [x])), [1, 0]);
    assert.deepEqual(values(apply('argmin', { dim: 1, keepdim: false }, [x])), [0, 1]);
    assert.deepEqual(
      values(
        apply(
          'var',
          { dims: [1], keepdim: false, correction: 0 },
          [row(1, 2, 3, 6)].map((t) => ({ ...t, spec: { ...t.spec, shape: [1, 4] } })),
        ),
      ),
      [3.5],
    );
    assert.deepEqual(values(apply('cumsum', { dim: 0 }, [row(1, 2, 3)])), [1, 3, 6]);
  });

  it('of NaN and infinity', () => {
    const x = row(1, Number.NaN, 3);
    assert.ok(Number.isNaN(apply('max', { dims: [0], keepdim: false }, [x]).values[0]));
    assert.deepEqual(values(apply('argmax', { dim: 0, keepdim: false }, [x])), [1]);
    assert.ok(Number.isNaN(apply('relu', {}, [x]).values[1]));
    assert.ok(Number.isNaN(apply('clamp', { min: 0, max: 1 }, [x]).values[1]));
    assert.ok(values(apply('softmax', { dim: 0 }, [row(Infinity, 1)])).every(Number.isNaN));
    assert.deepEqual(values(apply('softmax', { dim: 0 }, [row(-Infinity, 1)])), [0, 1]);
    assert.equal(apply('logsumexp', { dims: [0], keepdim: false }, [row(-Infinity, -Infinity)]).values[0], -Infinity);
  });

  it('of a product and of attention that may see nothing', () => {
    const a = hostTensor([2, 2], 'float32', [1, 2, 3, 4]);
    const b = hostTensor([2, 2], 'float32', [5, 6, 7, 8]);
    assert.deepEqual(values(apply('matmul', {}, [a, b])), [19, 22, 43, 50]);
    const mask = hostTensor([2, 2], 'bool', [0, 0, 1, 0]);
    assert.deepEqual(
      values(apply('scaled_dot_product_attention', { mask: true, is_causal: false, scale: 1 }, [a, a, b, mask])),
      [0, 0, 5, 6],
    );
  });

  it('of the error function, against values of 16 digits', () => {
    for (const [x, y] of [
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [2.34567, 0.9990910098482173],
      [-1.5, -0.9661051464753108],
    ] as const) {
      assert.ok(Math.abs(erf(x) - y) < 3e-16, `erf(${x}) = ${erf(x)}`);
    }
    for (const [x, y] of [
      [1, 0.15729920705028513],
      [1.7, 0.016209541409225436],
      [3, 2.2090496998585438e-5],
      [10, 2.088487583762545e-45],
    ] as const) {
      assert.ok(Math.abs(erfc(x) / y - 1) < 1e-14, `erfc(${x}) = ${erfc(x)}`);
    }
    assert.equal(erf(Infinity), 1);
    assert.equal(erfc(40), 0);
  });
});

describe('arithmetics', () => {
  const d = new Draws(3, 'float32');
  const orders: ArithmeticChoice[] = [
    { format: 'float32' },
    { format: 'float32', order: 'reversed' },
    { format: 'float32', order: 'pairwise' },
    { format: 'float32', order: 'blocked', lanes: 32 },
    { format: 'float32', order: 'blocked', lanes: 256, fused: false },
    { format: 'float32', approximate: { seed: 5, ulps: 2 } },
  ];

  it('of float32 differ from the reference by float32 errors, and from each other', () => {
    const x = d.normal([4, 3000], 1, 3);
    for (const [op, attributes, inputs] of [
      ['sum', { dims: [1], keepdim: false }, [x]],
      ['softmax', { dim: 1 }, [x]],
      ['matmul', {}, [d.normal([9, 700]), d.normal([700, 11])]],
    ] as const) {
      const exact = apply(op, attributes, [...inputs]).values;
      const size = exact.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const results = orders.map((choice) => apply(op, attributes, [...inputs], choice).values);
      for (const result of results) {
        for (let i = 0; i < exact.length; i++) {
          assert.equal(result[i], Math.fround(result[i]!));
          assert.ok(Math.abs(result[i]! - exact[i]!) < 1e-4 * size);
        }
      }
      assert.ok(new Set(results.map((r) => r.join())).size >= (op === 'softmax' ? 4 : 5), op);
    }
  });

  it('sum float32 in sequence as a plain loop does', () => {
    const x = d.normal([1, 1000]);
    let sum = 0;
    for (const v of x.values) sum = Math.fround(sum + v);
    assert.equal(apply('sum', { dims: [1], keepdim: false }, [x], { format: 'float32' }).values[0], sum);
  });

  it('take subnormal operands and results for zero where they flush', () => {
    const spec = { shape: [3], dtype: 'float32' } as const;
    const graph: Graph = {
      inputs: [0, 1].map((id) => ({ id, spec, name: `x${id}`, draw: { kind: 'normal', mean: 0, std: 1 } })),
      ...{ parameters: [], constants: [], outputs: [3] },
      nodes: [
        { op: 'add', attributes: {}, inputs: [0, 1], outputs: [{ id: 2, spec }], line: 1 },
        {
          op: 'mul',
          attributes: { other: 2 ** 100, reverse: false },
          inputs: [2],
          outputs: [{ id: 3, spec }],
          line: 2,
        },
      ],
    };
    const least = 2 ** -126;
    const x = [row(least / 2, 1.5 * least, -least), row(least, -least, 0)];
    const sum = (flushes: boolean) => values(evaluateGraph(graph, x, { format: 'float32', flushes })[0]!);
    assert.deepEqual(
      sum(false),
      [1.5, 0.5, -1].map((f) => f * 2 ** -26),
    );
    assert.deepEqual(
      sum(true),
      [1, 0, -1].map((f) => f * 2 ** -26),
    );
    assert.equal(x[0]!.values[0], least / 2);
  });

  it('sum what cancels exactly in the reference', () => {
    const x = hostTensor([4], 'float64', [1e100, 1, -1e100, 1]);
    assert.equal(apply('sum', { dims: [0], keepdim: false }, [x]).values[0], 2);
  });

  it('round operands of contractions to the policy, and nothing else', () => {
    const x = hostTensor([1, 1], 'float32', [1 + 2 ** -11 + 2 ** -20]);
    const one = hostTensor([1, 1], 'float32', [1]);
    const product = (format: ArithmeticChoice['format']) => apply('matmul', {}, [x, one], { format }).values[0];
    assert.equal(product('tf32'), 1 + 2 ** -10);
    assert.equal(product('float16'), 1 + 2 ** -10);
    assert.equal(product('bfloat16'), 1);
    assert.equal(product('float32'), Math.fround(x.values[0]!));
    assert.equal(apply('mul', {}, [x, one], { format: 'bfloat16' }).values[0], Math.fround(x.values[0]!));
  });

  it('compute float64 tensors in float64 under every policy', () => {
    const x = hostTensor([2], 'float64', [1, 2 ** -40]);
    assert.equal(apply('sum', { dims: [0], keepdim: false }, [x], { format: 'bfloat16' }).values[0], 1 + 2 ** -40);
  });

  it('err alike on the same argument, within the units given, and never on zero', () => {
    const a = arithmeticFor({ format: 'float32', approximate: { seed: 9, ulps: 2 } });
    const errors = new Set<number>();
    for (let i = 1; i < 500; i++) {
      const x = i / 50;
      assert.equal(a.exp(x), a.exp(x));
      const error = a.exp(x) / Math.exp(x) - 1;
      assert.ok(Math.abs(error) <= 2.6 * 2 ** -23);
      errors.add(error);
    }
    assert.ok(errors.size > 400);
    assert.equal(a.log(1), 0);
    assert.equal(a.exp(-Infinity), 0);
  });
});

describe('graphs', () => {
  const spec: TensorSpec = { shape: [2, 3], dtype: 'float32' };
  const draw: Draw = { kind: 'normal', mean: 0, std: 1 };
  const one = (op: string, attributes: Record<string, Attribute>, output: TensorSpec = spec, inputs = [0]): Graph => ({
    inputs: [{ id: 0, name: 'x', spec, draw }],
    parameters: [],
    constants: [],
    nodes: [{ op, attributes, inputs, outputs: [{ id: 1, spec: output }], line: 12 }],
    outputs: [1],
  });
  const of = (shape: number[], dtype: DType = 'float32'): TensorSpec => ({ shape, dtype });

  it('that are false are refused in a sentence with the line', () => {
    for (const [graph, message] of [
      [one('conv9d', {}), /Line 12: conv9d: There is no operator `conv9d`/],
      [one('relu', {}, of([3, 2])), /Line 12: relu gives float32\[2, 3\], and the graph says float32\[3, 2\]/],
      [one('relu', {}, of([2, 3], 'float64')), /and the graph says float64\[2, 3\]/],
      [one('relu', {}, spec, [5]), /reads value 5, which is not defined/],
      [one('relu', {}, spec, [1]), /reads value 1, which is not defined before it/],
      [one('sum', { dims: [2], keepdim: false }), /`dims` of sum must be a sorted list of unique dimensions below 2/],
      [one('sum', { dims: 'all', keepdim: false }), /must be a list of integers/],
      [one('softmax', {}), /`dim` of softmax must be an integer/],
      [one('reshape', { shape: [7] }, of([7])), /the element counts differ/],
      [one('expand', { shape: [2, 4] }, of([2, 4])), /does not expand/],
      [one('matmul', {}, spec, [0, 0]), /The inner sizes of \[2, 3\] and \[2, 3\] differ/],
      [
        one('pad', { before: [0, 1e9], after: [0, 0], mode: 'constant', value: 0 }, of([2, 1e9 + 3])),
        /more than 2\^28 elements/,
      ],
      [one('gelu', { approximate: 'no' }), /one of "none", "tanh"/],
      [one('add', {}, spec), /takes 2 tensor operands here, not 1/],
      [one('clamp', { min: 'low', max: null }), /`min` of clamp must be a number/],
      [
        one('max', { dims: [0], keepdim: false, x: { toString: 1 } as unknown as Attribute }, of([3, 1])),
        /the graph says/,
      ],
    ] as const) {
      assert.throws(() => checkGraph(graph), message);
    }
    assert.throws(() => checkGraph({ ...one('relu', {}), outputs: [9] }), /returns value 9/);
    assert.throws(
      () => checkGraph({ ...one('relu', {}), constants: [{ id: 0, spec, draw }] }),
      /defines value 0 twice/,
    );
    assert.throws(() => apply('max', { dims: [0], keepdim: false }, [row()]), /Line 7: max: It reduces no elements/);
  });

  it('round outputs to their type, or give them exactly', () => {
    const graph = one('sigmoid', {});
    const x = hostTensor([2, 3], 'float32', [0.1, 0.2, 0.3, 1, 2, 3]);
    const [rounded] = evaluateGraph(graph, [x]);
    const [exact] = evaluateGraph(graph, [x], float64, 'exact');
    assert.equal(rounded!.values[0], Math.fround(exact!.values[0]!));
    assert.notEqual(rounded!.values[0], exact!.values[0]);
    assert.deepEqual([rounded!.spec.dtype, exact!.spec.dtype], ['float32', 'float64']);
  });

  it('take arguments of the right specs only, and do not write to them', () => {
    const graph = one('relu', {});
    assert.throws(() => evaluateGraph(graph, []), /takes 1 tensors, not 0/);
    assert.throws(
      () => evaluateGraph(graph, [hostTensor([3, 2], 'float32', new Array(6).fill(1))]),
      /x must be float32\[2, 3\], not float32\[3, 2\]/,
    );
    const x = hostTensor([2, 3], 'float32', [-1, 2, -3, 4, -5, 6]);
    const before = x.values.slice();
    for (const [op, attributes] of [
      ['reshape', { shape: [2, 3] }],
      ['tril', { diagonal: 0 }],
      ['relu', {}],
      ['cumsum', { dim: 1 }],
    ] as const) {
      evaluateGraph(one(op, attributes), [x], { format: 'bfloat16', intermediates: 'format' });
      assert.deepEqual(x.values, before);
    }
  });

  it('make constants from their draws, and refuse one drawn at random', () => {
    const with_ = (constant: Draw): Graph => ({
      ...one('add', {}, spec, [0, 5]),
      constants: [{ id: 5, spec, draw: constant }],
    });
    const x = hostTensor([2, 3], 'float32', [0, 0, 0, 0, 0, 0]);
    const result = (constant: Draw) => values(evaluateGraph(with_(constant), [x])[0]!);
    assert.deepEqual(result({ kind: 'constant', value: '-inf' }), new Array(6).fill(-Infinity));
    assert.deepEqual(result({ kind: 'range', start: 1, step: 0.5 }), [1, 1.5, 2, 2.5, 3, 3.5]);
    assert.deepEqual(result({ kind: 'values', values: [1, 2, 3, 4, 5, 'inf'] }), [1, 2, 3, 4, 5, Infinity]);
    const ones: Graph = {
      ...one('tril', { diagonal: 0 }),
      inputs: [],
      constants: [{ id: 0, spec, draw: { kind: 'constant', value: 1 } }],
    };
    assert.deepEqual(result({ kind: 'computed', graph: ones }), [1, 0, 0, 1, 1, 0]);
    assert.throws(() => result(draw), /drawn at random inside the model \(normal\)/);
    assert.equal(elementCount(spec.shape), 6);
  });

  it('with dropout at work have no answer', () => {
    assert.throws(
      () => evaluateGraph(one('dropout', { p: 0.5 }), [hostTensor([2, 3], 'float32', [1, 2, 3, 4, 5, 6])]),
      /Line 12: dropout: Dropout is at work/,
    );
  });
});
