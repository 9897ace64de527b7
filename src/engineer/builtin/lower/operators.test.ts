/** Operators beyond pointwise, row and product kernels, held to the float64 reference on the virtual GPU: many of them a build. */
import { after, before, describe, it } from 'node:test';
import { DeviceCheck, skipWithoutCompiler } from '../device-check.fixture.ts';
import { plainChoice, startingChoices } from '../first-choices.ts';
import { GraphBuilder } from '../graph.fixture.ts';
import { groupFacts } from '../knobs.ts';
import { decompose, lowerOutline, outline } from './index.ts';

type Build = (graph: GraphBuilder) => number[];

const conv = (more: Readonly<Record<string, number[] | number | boolean>>) => ({ groups: 1, bias: false, ...more });

/** Odd shapes throughout, so that guards and last blocks are met. */
const cases: Readonly<Record<string, Build>> = {
  'transposed convolutions': (g) => [
    g.op(
      'conv_transpose1d',
      [g.input([2, 3, 7]), g.input([3, 4, 5]), g.input([4])],
      conv({ stride: [2], padding: [1], output_padding: [1], dilation: [1], bias: true }),
    ),
    g.op(
      'conv_transpose2d',
      [g.input([2, 4, 5, 6]), g.input([4, 3, 3, 2])],
      conv({ stride: [3, 2], padding: [1, 0], output_padding: [2, 1], dilation: [2, 1], groups: 2 }),
    ),
    g.op(
      'conv_transpose3d',
      [g.input([1, 2, 3, 4, 3]), g.input([2, 3, 3, 3, 2])],
      conv({ stride: [2, 1, 2], padding: [1, 1, 0], output_padding: [1, 0, 0], dilation: [1, 1, 1] }),
    ),
    g.op(
      'conv_weight_backward',
      [g.input([2, 4, 9, 8]), g.input([2, 6, 5, 4])],
      conv({ kernel: [3, 2], stride: [2, 2], padding: [1, 0], dilation: [1, 1], groups: 2 }),
    ),
  ],
  scans: (g) => {
    const [x, y] = [g.input([5, 70, 3]), g.input([6, 300])];
    const positive = g.op('exp', [g.op('mul', [y], { other: 0.02, reverse: false })]);
    const reversed = g.op('cumsum', [g.op('flip', [y], { dims: [1] })], { dim: 1 });
    return [
      g.op('cumsum', [x], { dim: 1 }),
      g.op('mul', [g.op('flip', [reversed], { dims: [1] }), y]),
      g.op('cumprod', [positive], { dim: 1 }),
      g.op('cummax', [y], { dim: 1 }),
      g.op('cummin', [x], { dim: 0 }),
      g.op('logcumsumexp', [y], { dim: 1 }),
      g.op('cumsum', [g.op('cast', [g.op('gt', [y], { other: 0, reverse: false })], { dtype: 'int64' })], { dim: 1 }),
      ...['cummax_backward', 'cummin_backward', 'logcumsumexp_backward'].map((op) =>
        g.op(op, [x, g.input([5, 70, 3])], { dim: 1 }),
      ),
      g.op('cumprod_backward', [positive, y], { dim: 1 }),
    ];
  },
  'einsum and attention': (g) => {
    const [q, k, v] = [g.input([2, 3, 9, 8]), g.input([2, 3, 11, 8]), g.input([2, 3, 11, 5])];
    const mask = g.op('gt', [g.input([9, 11])], { other: 0.9, reverse: false });
    return [
      g.op('einsum', [g.input([3, 4, 5, 6]), g.input([6, 7])], { equation: 'bijl,lk->bijk' }),
      g.op('einsum', [g.input([3, 4, 5]), g.input([3, 6, 4]), g.input([5, 2])], { equation: 'bij,bki,jl->lbk' }),
      g.op('einsum', [g.input([4, 4, 3])], { equation: 'iij->ji' }),
      g.op('einsum', [g.input([4, 3]), g.input([5])], { equation: 'ab,c->cb' }),
      g.op('masked_fill', [g.input([2, 9, 11]), mask], { value: -3.5 }),
      g.op('scaled_dot_product_attention', [q, k, v], { mask: false, is_causal: true, scale: 0.4 }),
      g.op('scaled_dot_product_attention', [q, k, v, mask], { mask: true, is_causal: false, scale: 0.4 }),
      g.op('scaled_dot_product_attention', [q, k, v, g.input([1, 3, 1, 11])], {
        mask: true,
        is_causal: false,
        scale: 1,
      }),
    ];
  },
  'windows and resampling': (g) => {
    const [x, line] = [g.input([2, 3, 7, 10]), g.input([2, 3, 9])];
    const resample = (input: number, mode: string, output_size: number[], align_corners = false) =>
      g.op('interpolate', [input], { mode, output_size, scales: output_size.map(() => null), align_corners });
    return [
      g.op('adaptive_avg_pool', [x], { output_size: [3, 4] }),
      g.op('adaptive_max_pool', [x], { output_size: [7, 3] }),
      g.op('adaptive_avg_pool', [line], { output_size: [4] }),
      g.op('avg_pool2d', [x], {
        kernel: [3, 2],
        stride: [2, 2],
        padding: [1, 1],
        ceil_mode: true,
        count_include_pad: true,
        divisor: null,
      }),
      resample(x, 'nearest', [9, 4]),
      resample(x, 'bilinear', [11, 5], true),
      resample(x, 'bicubic', [5, 21]),
      resample(line, 'linear', [20]),
      g.op('pad', [x], { before: [0, 0, 2, 3], after: [0, 0, 1, 0], mode: 'reflect', value: 0 }),
      g.op('pad', [line], { before: [0, 0, 2], after: [0, 0, 5], mode: 'replicate', value: 0 }),
      g.op('pad', [line], { before: [0, 1, 2], after: [0, 0, 5], mode: 'circular', value: 0 }),
      g.op('im2col', [x], { kernel: [3, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2] }),
    ];
  },
  'sorting and scattering': (g) => {
    const ties = g.op('round', [g.input([3, 37, 2])]);
    const long = g.op('round', [g.op('mul', [g.input([1, 4100])], { other: 50, reverse: false })]);
    const index = g.input([5, 7], 'int64', { kind: 'integer', low: 0, high: 5 });
    const both = (op: string, x: number, attributes: Readonly<Record<string, number | boolean>>) => {
      const values = g.op(op, [x], attributes);
      return [values, values + 1];
    };
    return [
      ...both('sort', ties, { dim: 1, descending: true, stable: true }),
      ...both('topk', ties, { k: 4, dim: 1, largest: false, sorted: true }),
      ...both('topk', long, { k: 3, dim: 1, largest: true, sorted: true }),
      g.op('scatter', [g.input([6, 9]), index, g.input([5, 8])], { dim: 0, reduce: 'add' }),
      g.op('scatter', [g.input([6, 9]), index, g.input([5, 8])], { dim: 1, reduce: null }),
    ];
  },
  'recurrent layers': (g) => {
    const layer = (gates: number, width: number, hidden: number, bias: boolean) => [
      g.input([gates * hidden, width]),
      g.input([gates * hidden, hidden]),
      ...(bias ? [g.input([gates * hidden]), g.input([gates * hidden])] : []),
    ];
    const shape = { batch_first: true, bias: true, bidirectional: true, num_layers: 2 };
    const [x, states] = [g.input([3, 5, 4]), [g.input([4, 3, 7]), g.input([4, 3, 7])]];
    const lstm = g.op(
      'lstm',
      [
        x,
        ...states,
        ...layer(4, 4, 7, true),
        ...layer(4, 4, 7, true),
        ...layer(4, 14, 7, true),
        ...layer(4, 14, 7, true),
      ],
      { hidden_size: 7, ...shape },
    );
    const one = { batch_first: false, bias: false, bidirectional: false, num_layers: 1, hidden_size: 33 };
    const h0 = g.input([1, 5, 33]);
    const gru = g.op('gru', [x, h0, ...layer(3, 4, 33, false)], one);
    const rnn = g.op('rnn', [x, h0, ...layer(1, 4, 33, false)], { ...one, nonlinearity: 'relu' });
    return [lstm, lstm + 1, lstm + 2, gru, rnn + 1];
  },
  'gradients of windows': (g) => {
    const x = g.op('round', [g.op('mul', [g.input([2, 3, 7, 10])], { other: 2, reverse: false })]);
    const pool = { kernel: [3, 2], stride: [2, 2], padding: [1, 1], ceil_mode: false };
    const size = [2, 3, 7, 10];
    const d = g.input([2, 3, 4, 6]);
    const scales = [null, null];
    return [
      g.op('max_pool_backward', [x, d], { ...pool, dilation: [1, 1] }),
      g.op('adaptive_max_pool_backward', [x, d], { output_size: [4, 6] }),
      g.op('avg_pool_backward', [d], { ...pool, size, count_include_pad: false, divisor: null }),
      g.op('avg_pool_backward', [d], { ...pool, size, count_include_pad: true, divisor: 5 }),
      g.op('adaptive_avg_pool_backward', [d], { size, output_size: [4, 6] }),
      g.op('interpolate_backward', [d], { size, mode: 'bilinear', output_size: [4, 6], scales, align_corners: false }),
      g.op('col2im', [g.input([2, 18, 36])], {
        size,
        kernel: [3, 2],
        stride: [2, 1],
        padding: [1, 0],
        dilation: [1, 1],
      }),
      g.op('unfold_backward', [g.input([4, 3, 5])], { dim: 0, size: 5, step: 2, length: 12 }),
      g.op('pad_backward', [g.input([2, 9, 9])], {
        size: [2, 6, 5],
        before: [0, 2, 4],
        after: [0, 1, 0],
        mode: 'reflect',
      }),
    ];
  },
};

describe('operators on the virtual GPU', { skip: skipWithoutCompiler }, () => {
  let check: DeviceCheck;
  before(() => {
    check = new DeviceCheck();
  });
  after(() => check.close());
  for (const [name, build] of Object.entries(cases)) {
    for (const fusion of ['operator', 'fused'] as const) {
      it(`${name}, ${fusion === 'operator' ? 'operator by operator' : 'fused'}`, async () => {
        const graph = new GraphBuilder();
        const task = graph.task(build(graph));
        const made = outline(decompose(task.graph, task.signature), { fusion, splits: {} });
        const choices = made.groups.map(({ group, stored }) => {
          const facts = groupFacts(made.program, group, stored);
          return fusion === 'operator' ? plainChoice(facts) : startingChoices(facts)[0]!;
        });
        await check.matches(task, lowerOutline(task, made, choices));
      });
    }
  }
});
