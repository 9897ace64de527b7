/**
 * Cases for the operators' tests: random shapes and values, and edge values, for every operator of the table.
 * A family is a list of (operator, attributes, operands); `floating` operands come in the element type under test.
 */
import type { Attribute, DType, HostTensor } from '../types.ts';
import type { OperatorCase } from './oracle.ts';
import { elementCount, hostTensor } from './tensor.ts';

/** A small deterministic generator (mulberry32), uniform on [0, 1). */
export function testRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Makes operands of one floating element type. */
export class Draws {
  readonly random: () => number;
  readonly dtype: DType;

  constructor(seed: number, dtype: DType) {
    this.random = testRandom(seed);
    this.dtype = dtype;
  }

  /** Roughly normal values. */
  normal(shape: readonly number[], scale = 1, mean = 0): HostTensor {
    const values = Array.from({ length: elementCount(shape) }, () => {
      const u = Math.sqrt(-2 * Math.log(1 - this.random()));
      return mean + scale * u * Math.cos(2 * Math.PI * this.random());
    });
    return hostTensor(shape, this.dtype, values);
  }

  uniform(shape: readonly number[], low = 0, high = 1): HostTensor {
    return hostTensor(
      shape,
      this.dtype,
      Array.from({ length: elementCount(shape) }, () => low + (high - low) * this.random()),
    );
  }

  /** Integers from low to high - 1, of any element type. */
  integers(shape: readonly number[], low: number, high: number, dtype: DType = 'int64'): HostTensor {
    return hostTensor(
      shape,
      dtype,
      Array.from({ length: elementCount(shape) }, () => low + Math.floor(this.random() * (high - low))),
    );
  }

  bool(shape: readonly number[]): HostTensor {
    return this.integers(shape, 0, 2, 'bool');
  }

  /** Zeros, infinities, NaN, halves, extremes, then random values. */
  edges(): HostTensor {
    const special = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -3, 6, 20.5, 88, -88, 104, -104, 1e-5, -1e-5, 1e-30];
    const values = [...special, Infinity, -Infinity, Number.NaN, 2, -2, 0.25, 1e4, -1e4];
    for (let i = 0; i < 37; i++) values.push((this.random() - 0.5) * 20);
    return hostTensor([values.length], this.dtype, values);
  }
}

const unary = [
  ...[
    'neg',
    'abs',
    'sign',
    'floor',
    'ceil',
    'round',
    'trunc',
    'frac',
    'exp',
    'exp2',
    'expm1',
    'log',
    'log2',
    'log10',
    'log1p',
    'sqrt',
    'rsqrt',
  ],
  ...[
    'reciprocal',
    'sin',
    'cos',
    'tan',
    'asin',
    'acos',
    'atan',
    'sinh',
    'cosh',
    'asinh',
    'acosh',
    'atanh',
    'erf',
    'erfc',
    'tanh',
    'sigmoid',
  ],
  ...[
    'logsigmoid',
    'relu',
    'silu',
    'mish',
    'softsign',
    'selu',
    'hardsigmoid',
    'hardswish',
    'logical_not',
    'isnan',
    'isinf',
    'isfinite',
  ],
];

/** Pointwise operators, of one, two and three operands. */
export function pointwiseCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  const one = (op: string, attributes: Record<string, Attribute> = {}) => {
    cases.push({ op, attributes, inputs: [d.edges()] }, { op, attributes, inputs: [d.normal([3, 1, 5], 2)] });
  };
  for (const op of unary) one(op);
  one('leaky_relu', { negative_slope: 0.1 });
  one('elu', { alpha: 0.7 });
  one('celu', { alpha: 1.3 });
  one('gelu', { approximate: 'none' });
  one('gelu', { approximate: 'tanh' });
  one('softplus', { beta: 1, threshold: 20 });
  one('softplus', { beta: 2.5, threshold: 5 });
  one('hardtanh', { min_val: -1, max_val: 2 });
  one('softshrink', { lambd: 0.4 });
  one('hardshrink', { lambd: 0.4 });
  one('clamp', { min: -0.3, max: 0.8 });
  one('clamp', { min: null, max: 0.8 });
  one('clamp', { min: -0.3, max: null });
  one('clamp', { min: 2, max: 1 });
  for (const dtype of ['float64', 'float32', 'float16', 'bfloat16', 'bool']) one('cast', { dtype });
  for (const dtype of ['int64', 'int32', 'int16', 'int8', 'uint8']) {
    cases.push({ op: 'cast', attributes: { dtype }, inputs: [d.uniform([23], dtype === 'uint8' ? 0 : -100, 100)] });
  }
  for (const op of ['neg', 'abs', 'sign', 'relu'])
    cases.push({ op, attributes: {}, inputs: [d.integers([17], -9, 9)] });
  const two = [
    'add',
    'sub',
    'mul',
    'atan2',
    'fmod',
    'remainder',
    'minimum',
    'maximum',
    'eq',
    'ne',
    'lt',
    'le',
    'gt',
    'ge',
    'pow',
  ];
  const scalars = { reverse: false };
  for (const [op, more] of [
    ...two.map((op) => [op, {}] as const),
    ...[null, 'floor', 'trunc'].map((rounding) => ['div', { rounding }] as const),
  ]) {
    const edges = d.edges();
    const count = edges.values.length;
    const against = hostTensor([count, 1], d.dtype, d.edges().values);
    cases.push({ op, attributes: more, inputs: [edges, against] });
    cases.push({ op, attributes: more, inputs: [d.normal([4, 1, 3]), d.normal([2, 1])] });
    cases.push({ op, attributes: more, inputs: [d.normal([]), d.normal([2, 3])] });
    for (const other of [2, -0.5, 3, 0.5, 0, -1, -2, 1.7]) {
      cases.push({ op, attributes: { ...more, other, ...scalars }, inputs: [d.edges()] });
    }
    if (op !== 'atan2') cases.push({ op, attributes: { ...more, other: 1.25, reverse: true }, inputs: [d.edges()] });
    if (op !== 'atan2' && !('rounding' in more && more.rounding === null)) {
      cases.push({
        op,
        attributes: more,
        inputs: [d.integers([5, 7], op === 'pow' ? 0 : -20, 20), d.integers([7], 1, 6)],
      });
    }
  }
  for (const op of ['logical_and', 'logical_or', 'logical_xor']) {
    cases.push({ op, attributes: {}, inputs: [d.bool([3, 4]), d.normal([4])] });
    cases.push({ op, attributes: {}, inputs: [d.edges(), d.edges()] });
  }
  for (const op of ['bitwise_and', 'bitwise_or', 'bitwise_xor']) {
    cases.push({ op, attributes: {}, inputs: [d.integers([40], -1000, 1000), d.integers([40], -1000, 1000)] });
    cases.push({ op, attributes: {}, inputs: [d.bool([9]), d.bool([9])] });
    cases.push({ op, attributes: { other: 12, reverse: false }, inputs: [d.integers([40], -1000, 1000, 'int32')] });
  }
  cases.push({
    op: 'mul',
    attributes: {},
    inputs: [d.integers([30], -30000, 30000, 'int32'), d.integers([30], -900000, 900000, 'int32')],
  });
  cases.push({
    op: 'add',
    attributes: {},
    inputs: [d.integers([30], 0, 256, 'uint8'), d.integers([30], 0, 256, 'uint8')],
  });
  cases.push({ op: 'where', attributes: {}, inputs: [d.bool([3, 1]), d.normal([4]), d.normal([])] });
  cases.push({ op: 'masked_fill', attributes: { value: '-inf' }, inputs: [d.normal([2, 3, 4]), d.bool([3, 1])] });
  return cases;
}

/** Reductions and operators along one dimension. */
export function reductionCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  const withSpecials = (): HostTensor => {
    const t = d.normal([6, 7]);
    [Number.NaN, Infinity, -Infinity].forEach((x, i) => {
      t.values[i * 7 + 3] = x;
    });
    t.values.fill(-Infinity, 21, 28);
    return t;
  };
  const plain = ['sum', 'mean', 'prod', 'logsumexp', 'any', 'all'];
  const rows: [string, Record<string, Attribute>][] = [
    ...plain.map((op): [string, Record<string, Attribute>] => [op, {}]),
    ...['max', 'min'].flatMap((op) =>
      ['share', 'first'].map((ties): [string, Record<string, Attribute>] => [op, { ties }]),
    ),
    ...[0, 1].flatMap((correction) =>
      ['var', 'std'].map((op): [string, Record<string, Attribute>] => [op, { correction }]),
    ),
    ...[0, 1, 2, 3, 0.5, 'inf', '-inf'].map((p): [string, Record<string, Attribute>] => ['norm', { p }]),
  ];
  for (const [op, more] of rows) {
    for (const [shape, dims] of [
      [[5], [0]],
      [[3, 4, 5], [1]],
      [
        [3, 4, 5],
        [0, 2],
      ],
      [
        [2, 3, 4, 2],
        [0, 1, 2, 3],
      ],
      [[1, 300], [1]],
      [[4, 1, 3], [1]],
    ] as const) {
      if ((op === 'var' || op === 'std') && more.correction === 1 && shape[1] === 1) continue;
      if (more.ties === 'first' && dims.length > 1) continue;
      cases.push({ op, attributes: { ...more, dims, keepdim: shape.length === 3 }, inputs: [d.normal(shape)] });
    }
    cases.push({ op, attributes: { ...more, dims: [1], keepdim: false }, inputs: [withSpecials()] });
  }
  cases.push({
    op: 'sum',
    attributes: { dims: [0], keepdim: false },
    inputs: [d.integers([50, 3], -(2 ** 40), 2 ** 40)],
  });
  cases.push({ op: 'any', attributes: { dims: [0], keepdim: false }, inputs: [d.bool([2, 9])] });
  for (const op of ['argmax', 'argmin']) {
    for (const keepdim of [true, false]) {
      cases.push({ op, attributes: { dim: 1, keepdim }, inputs: [d.normal([3, 6, 2])] });
      cases.push({ op, attributes: { dim: 1, keepdim }, inputs: [withSpecials()] });
      cases.push({ op, attributes: { dim: 0, keepdim }, inputs: [d.integers([40, 3], 0, 4, d.dtype)] });
      cases.push({ op, attributes: { dim: 0, keepdim }, inputs: [d.integers([40, 3], 0, 4)] });
    }
  }
  for (const op of ['softmax', 'log_softmax', 'cumsum', 'cumprod', 'cummax', 'cummin', 'logcumsumexp']) {
    for (const dim of [0, 1, 2]) cases.push({ op, attributes: { dim }, inputs: [d.normal([3, 40, 5], 3)] });
    cases.push({ op, attributes: { dim: 1 }, inputs: [withSpecials()] });
  }
  cases.push({ op: 'softmax', attributes: { dim: 0 }, inputs: [d.normal([70], 50, 400)] });
  for (const descending of [true, false]) {
    for (const t of [d.normal([4, 9, 2]), d.integers([3, 50], 0, 5, d.dtype), withSpecials()]) {
      cases.push({ op: 'sort', attributes: { dim: 1, descending, stable: true }, inputs: [t] });
    }
    cases.push({
      op: 'topk',
      attributes: { k: 3, dim: 1, largest: descending, sorted: true },
      inputs: [d.normal([4, 9, 2])],
    });
  }
  return cases;
}

/** Normalisations, contractions and losses. */
export function contractionCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  const both = [true, false];
  for (const weight of both) {
    for (const bias of both) {
      const affine = (n: readonly number[]) => [...(weight ? [d.normal(n)] : []), ...(bias ? [d.normal(n)] : [])];
      const flags = { eps: 1e-5, weight, bias };
      cases.push({
        op: 'layer_norm',
        attributes: { ...flags, normalized_shape: [7] },
        inputs: [d.normal([4, 7], 2, 5), ...affine([7])],
      });
      cases.push({
        op: 'layer_norm',
        attributes: { ...flags, normalized_shape: [3, 7] },
        inputs: [d.normal([4, 3, 7]), ...affine([3, 7])],
      });
      cases.push({
        op: 'group_norm',
        attributes: { ...flags, num_groups: 3 },
        inputs: [d.normal([2, 6, 5, 4], 2, 1), ...affine([6])],
      });
      cases.push({ op: 'instance_norm', attributes: flags, inputs: [d.normal([2, 3, 5, 4]), ...affine([3])] });
      cases.push({
        op: 'batch_norm',
        attributes: { ...flags, training: true, momentum: 0.1 },
        inputs: [d.normal([4, 3, 5]), ...affine([3])],
      });
      cases.push({
        op: 'batch_norm',
        attributes: { ...flags, training: true, momentum: null },
        inputs: [d.normal([8, 3]), ...affine([3])],
      });
      const running = [d.normal([3]), d.uniform([3], 0.5, 2)];
      cases.push({
        op: 'batch_norm',
        attributes: { ...flags, training: false, momentum: 0.1 },
        inputs: [d.normal([4, 3, 2, 2]), ...running, ...affine([3])],
      });
    }
    const w = weight ? [d.normal([9])] : [];
    cases.push({
      op: 'rms_norm',
      attributes: { eps: 1e-6, weight, normalized_shape: [9] },
      inputs: [d.normal([2, 3, 9]), ...w],
    });
  }
  for (const [a, b] of [
    [
      [5, 7],
      [7, 3],
    ],
    [
      [1, 300],
      [300, 1],
    ],
    [
      [13, 11],
      [11, 17],
    ],
    [
      [2, 5, 7],
      [2, 7, 3],
    ],
    [
      [4, 1, 5, 6],
      [3, 6, 5],
    ],
    [
      [3, 5, 6],
      [6, 70],
    ],
    [
      [5, 6],
      [2, 6, 3],
    ],
    [
      [70, 270],
      [270, 70],
    ],
  ] as const) {
    cases.push({ op: 'matmul', attributes: {}, inputs: [d.normal(a), d.normal(b)] });
  }
  cases.push({ op: 'matmul', attributes: {}, inputs: [d.integers([4, 5], -9, 9), d.integers([5, 6], -9, 9)] });
  for (const bias of both) {
    for (const lead of [[], [4], [2, 3]]) {
      cases.push({
        op: 'linear',
        attributes: { bias },
        inputs: [d.normal([...lead, 8]), d.normal([5, 8]), ...(bias ? [d.normal([5])] : [])],
      });
    }
  }
  for (const [equation, ...shapes] of [
    ['ij,jk->ik', [3, 4], [4, 5]],
    ['bij,bkj->bik', [2, 3, 4], [2, 5, 4]],
    ['bhwi,hkc->bhwkc', [2, 3, 4, 5], [3, 6, 2]],
    ['ii->i', [4, 4]],
    ['ij->', [3, 4]],
    ['ij->ji', [3, 4]],
    ['i,j->ij', [3], [4]],
    ['ab,bc,cd->ad', [2, 3], [3, 4], [4, 5]],
    ['bcd,bcd->bc', [2, 3, 4], [2, 3, 4]],
    ['bclhn,bcshn->bhcls', [1, 2, 3, 2, 4], [1, 2, 3, 2, 4]],
  ] as const) {
    cases.push({
      op: 'einsum',
      attributes: { equation },
      inputs: (shapes as readonly (readonly number[])[]).map((s) => d.normal(s)),
    });
  }
  const heads = () => [d.normal([2, 3, 5, 4]), d.normal([2, 3, 7, 4]), d.normal([2, 3, 7, 6])];
  for (const is_causal of both)
    cases.push({
      op: 'scaled_dot_product_attention',
      attributes: { mask: false, is_causal, scale: 0.5 },
      inputs: heads(),
    });
  cases.push({
    op: 'scaled_dot_product_attention',
    attributes: { mask: true, is_causal: false, scale: 0.5 },
    inputs: [...heads(), d.normal([5, 7])],
  });
  const seen = d.bool([2, 1, 5, 7]);
  seen.values.fill(0, 7, 14);
  cases.push({
    op: 'scaled_dot_product_attention',
    attributes: { mask: true, is_causal: false, scale: 0.5 },
    inputs: [...heads(), seen],
  });
  return [...cases, ...lossCases(d)];
}

function lossCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  for (const reduction of ['none', 'mean', 'sum']) {
    for (const weight of [true, false]) {
      for (const label_smoothing of [0, 0.2]) {
        for (const [shape, rest] of [
          [[6, 5], [6]],
          [
            [2, 5, 3, 2],
            [2, 3, 2],
          ],
          [[5], []],
        ] as const) {
          const classes = shape.length === 1 ? shape[0] : shape[1];
          const w = weight ? [d.uniform([classes], 0.3, 2)] : [];
          const target = d.integers(rest, 0, 5);
          if (rest.length > 0) target.values[1] = 3;
          for (const ignore_index of rest.length > 0 ? [-100, 3] : [-100]) {
            const attributes = { reduction, weight, label_smoothing, ignore_index };
            cases.push({
              op: 'cross_entropy',
              attributes: { ...attributes, target: 'indices' },
              inputs: [d.normal(shape), target, ...w],
            });
            if (label_smoothing === 0) {
              const { label_smoothing: _, ...nll } = attributes;
              cases.push({ op: 'nll_loss', attributes: nll, inputs: [d.uniform(shape, -5, 0), target, ...w] });
            }
          }
          cases.push({
            op: 'cross_entropy',
            attributes: { reduction, weight, label_smoothing, ignore_index: -100, target: 'probabilities' },
            inputs: [d.normal(shape), d.uniform(shape), ...w],
          });
        }
      }
      const w = weight ? [d.uniform([4], 0.3, 2)] : [];
      const probabilities = d.uniform([3, 4]);
      probabilities.values[2] = 0;
      probabilities.values[5] = 1;
      cases.push({
        op: 'binary_cross_entropy',
        attributes: { weight, reduction },
        inputs: [probabilities, d.uniform([3, 4]), ...w],
      });
      for (const pos_weight of [true, false]) {
        const p = pos_weight ? [d.uniform([4], 0.3, 2)] : [];
        const inputs = [d.normal([3, 4], 30), d.uniform([3, 4]), ...w, ...p];
        cases.push({ op: 'binary_cross_entropy_with_logits', attributes: { weight, pos_weight, reduction }, inputs });
      }
    }
    const pair = () => [d.normal([3, 4]), d.normal([3, 4])];
    cases.push(
      { op: 'mse_loss', attributes: { reduction }, inputs: pair() },
      { op: 'l1_loss', attributes: { reduction }, inputs: pair() },
    );
    cases.push({ op: 'smooth_l1_loss', attributes: { reduction, beta: 0.7 }, inputs: pair() });
    cases.push({ op: 'huber_loss', attributes: { reduction, delta: 0.7 }, inputs: pair() });
  }
  for (const reduction of ['none', 'mean', 'sum', 'batchmean']) {
    const target = d.uniform([3, 4]);
    target.values[2] = 0;
    cases.push({ op: 'kl_div', attributes: { reduction, log_target: false }, inputs: [d.normal([3, 4]), target] });
    cases.push({
      op: 'kl_div',
      attributes: { reduction, log_target: true },
      inputs: [d.normal([3, 4]), d.normal([3, 4])],
    });
  }
  return cases;
}

/** Views, rearrangements, and operators addressed by indices. */
export function layoutCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  const one = (op: string, attributes: Record<string, Attribute>, ...shapes: (readonly number[])[]) => {
    cases.push({ op, attributes, inputs: shapes.map((s) => d.normal(s)) });
  };
  one('reshape', { shape: [6, 2] }, [3, 4]);
  one('reshape', { shape: [] }, [1, 1]);
  one('permute', { dims: [2, 0, 1] }, [2, 3, 4]);
  one('permute', { dims: [0, 3, 1, 2] }, [2, 3, 4, 5]);
  one('expand', { shape: [2, 3, 4] }, [2, 1, 4]);
  one('expand', { shape: [5] }, [1]);
  one('slice', { dim: 1, start: 1, end: 6, step: 2 }, [3, 7, 2]);
  one('slice', { dim: 0, start: 2, end: 2, step: 1 }, [3, 2]);
  one('select', { dim: 1, index: 2 }, [3, 4, 2]);
  one('slice_scatter', { dim: 1, start: 1, end: 6, step: 2 }, [3, 7, 2], [3, 3, 2]);
  one('select_scatter', { dim: 0, index: 1 }, [3, 4], [4]);
  one('cat', { dim: 1 }, [2, 3, 2], [2, 1, 2], [2, 4, 2]);
  one('cat', { dim: 0 }, [2], [3]);
  for (const dim of [0, 1, 2]) one('stack', { dim }, [2, 3], [2, 3]);
  one('pad', { before: [0, 1], after: [2, 3], mode: 'constant', value: 1.5 }, [3, 4]);
  one('pad', { before: [0, -1], after: [-1, 3], mode: 'constant', value: '-inf' }, [3, 4]);
  for (const mode of ['reflect', 'replicate', 'circular']) {
    one('pad', { before: [0, 0, 2], after: [0, 0, 1], mode, value: 0 }, [2, 3, 4]);
    one('pad', { before: [0, 0, 1, 2], after: [0, 0, 2, 3], mode, value: 0 }, [2, 3, 4, 5]);
  }
  for (const op of ['tril', 'triu']) for (const diagonal of [-2, -1, 0, 1, 3]) one(op, { diagonal }, [2, 4, 3]);
  for (const offset of [-1, 0, 2]) {
    one('diag_embed', { offset }, [2, 3]);
    one('diagonal', { offset, dim1: 0, dim2: 1 }, [4, 5]);
    one('diagonal', { offset, dim1: 2, dim2: 0 }, [4, 3, 5]);
  }
  one('flip', { dims: [0, 2] }, [2, 3, 4]);
  one('flip', { dims: [1] }, [2, 3]);
  one('roll', { shifts: [2, -1], dims: [0, 2] }, [3, 2, 4]);
  one('unfold', { dim: 1, size: 3, step: 2 }, [2, 8, 3]);
  one('unfold', { dim: 0, size: 2, step: 3 }, [8]);
  const index = d.integers([2, 3], 0, 4);
  cases.push({ op: 'gather', attributes: { dim: 1 }, inputs: [d.normal([3, 4]), index] });
  cases.push({ op: 'gather', attributes: { dim: 0 }, inputs: [d.normal([4, 3]), index] });
  cases.push({ op: 'gather', attributes: { dim: 2 }, inputs: [d.normal([2, 3, 4]), d.integers([2, 2, 5], 0, 4)] });
  for (const reduce of ['add', null]) {
    const to = reduce ? index : hostTensor([2, 3], 'int64', [3, 0, 2, 1, 0, 3]);
    cases.push({ op: 'scatter', attributes: { dim: 1, reduce }, inputs: [d.normal([3, 4]), to, d.normal([3, 3])] });
  }
  cases.push({ op: 'index_select', attributes: { dim: 1 }, inputs: [d.normal([2, 4, 3]), d.integers([6], -4, 4)] });
  cases.push({ op: 'embedding', attributes: {}, inputs: [d.integers([2, 5], 0, 7), d.normal([7, 4])] });
  cases.push({ op: 'one_hot', attributes: { num_classes: 6 }, inputs: [d.integers([2, 5], 0, 6)] });
  return cases;
}

/** Convolutions, windows, resampling, recurrent layers. */
export function spatialCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  for (const [size, kernel, stride, padding, dilation, groups] of [
    [[9], [3], [1], [0], [1], 1],
    [[11], [4], [2], [3], [2], 2],
    [[7, 8], [3, 3], [1, 1], [1, 1], [1, 1], 1],
    [[9, 8], [3, 2], [2, 1], [1, 2], [2, 1], 4],
    [[6, 5], [1, 1], [1, 1], [0, 0], [1, 1], 1],
    [[5, 6, 4], [3, 2, 3], [1, 2, 1], [1, 0, 1], [1, 1, 1], 2],
  ] as const) {
    for (const bias of [true, false]) {
      const n = size.length;
      const attributes = { stride, padding, dilation, groups, bias };
      const b = bias ? [d.normal([8])] : [];
      cases.push({
        op: `conv${n}d`,
        attributes,
        inputs: [d.normal([2, 4, ...size]), d.normal([8, 4 / groups, ...kernel]), ...b],
      });
      for (const output_padding of [size.map(() => 0), stride.map((s) => s - 1)]) {
        const inputs = [d.normal([2, 4, ...size]), d.normal([4, 8 / groups, ...kernel]), ...b];
        cases.push({ op: `conv_transpose${n}d`, attributes: { ...attributes, output_padding }, inputs });
      }
    }
  }
  for (const [size, kernel, stride, padding, dilation] of [
    [[10], [3], [2], [1], [1]],
    [[11], [2], [3], [0], [2]],
    [
      [7, 9],
      [3, 2],
      [2, 2],
      [1, 1],
      [1, 1],
    ],
    [
      [8, 8],
      [2, 3],
      [3, 2],
      [0, 1],
      [1, 2],
    ],
    [
      [5, 6, 7],
      [2, 3, 2],
      [2, 2, 2],
      [1, 1, 0],
      [1, 1, 2],
    ],
  ] as const) {
    const n = size.length;
    for (const ceil_mode of [true, false]) {
      const x = d.normal([2, 3, ...size]);
      x.values[4] = Number.NaN;
      x.values[9] = -Infinity;
      cases.push({ op: `max_pool${n}d`, attributes: { kernel, stride, padding, dilation, ceil_mode }, inputs: [x] });
      for (const count_include_pad of [true, false]) {
        for (const divisor of n === 1 ? [null] : [null, 5]) {
          const attributes = { kernel, stride, padding, ceil_mode, count_include_pad, divisor };
          cases.push({ op: `avg_pool${n}d`, attributes, inputs: [d.normal([2, 3, ...size])] });
        }
      }
    }
  }
  for (const op of ['adaptive_avg_pool', 'adaptive_max_pool']) {
    cases.push({ op, attributes: { output_size: [4] }, inputs: [d.normal([2, 3, 10])] });
    cases.push({ op, attributes: { output_size: [3, 9] }, inputs: [d.normal([2, 3, 7, 5])] });
    cases.push({ op, attributes: { output_size: [1, 1, 1] }, inputs: [d.normal([2, 3, 4, 5, 3])] });
  }
  const kernel = { kernel: [3, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2] };
  cases.push({ op: 'im2col', attributes: kernel, inputs: [d.normal([2, 3, 7, 6])] });
  for (const [mode, from, output_size] of [
    ['nearest', [5], [8]],
    ['nearest', [5, 7], [3, 12]],
    ['nearest-exact', [5, 7], [3, 12]],
    ['linear', [5], [9]],
    ['bilinear', [5, 7], [3, 12]],
    ['trilinear', [3, 4, 5], [6, 2, 7]],
    ['bicubic', [5, 7], [3, 12]],
  ] as const) {
    for (const align_corners of mode.startsWith('nearest') ? [false] : [true, false]) {
      const attributes = { mode, output_size, align_corners };
      cases.push({
        op: 'interpolate',
        attributes: { ...attributes, scales: from.map(() => null) },
        inputs: [d.normal([2, 3, ...from])],
      });
      const scaled = { ...attributes, output_size: from.map((s) => Math.floor(s * 2.3)), scales: from.map(() => 2.3) };
      cases.push({ op: 'interpolate', attributes: scaled, inputs: [d.normal([2, 3, ...from])] });
    }
  }
  for (const [op, gates] of [
    ['lstm', 4],
    ['gru', 3],
    ['rnn', 1],
  ] as const) {
    for (const [num_layers, bias, batch_first, bidirectional] of [
      [1, true, false, false],
      [2, false, true, true],
      [2, true, true, false],
    ] as const) {
      const directions = bidirectional ? 2 : 1;
      const state = () => d.normal([num_layers * directions, 3, 5]);
      const inputs = [d.normal(batch_first ? [3, 6, 4] : [6, 3, 4]), state(), ...(op === 'lstm' ? [state()] : [])];
      for (let layer = 0; layer < num_layers; layer++) {
        for (let k = 0; k < directions; k++) {
          inputs.push(d.normal([gates * 5, layer === 0 ? 4 : 5 * directions]), d.normal([gates * 5, 5]));
          if (bias) inputs.push(d.normal([gates * 5]), d.normal([gates * 5]));
        }
      }
      const shared = { hidden_size: 5, num_layers, bias, batch_first, bidirectional };
      for (const attributes of op === 'rnn'
        ? [
            { ...shared, nonlinearity: 'tanh' },
            { ...shared, nonlinearity: 'relu' },
          ]
        : [shared]) {
        cases.push({ op, attributes, inputs });
      }
    }
  }
  return cases;
}
