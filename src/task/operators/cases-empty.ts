/** Cases without elements, wherever PyTorch takes them: a grid of no blocks, a sum of nothing. */
import type { Attribute, HostTensor } from '../types.ts';
import type { Draws } from './cases.ts';
import type { OperatorCase } from './oracle.ts';

/** One case or more for operators that can be given nothing. */
export function emptyCases(d: Draws): OperatorCase[] {
  const cases: OperatorCase[] = [];
  const add = (op: string, attributes: Record<string, Attribute>, ...inputs: HostTensor[]) =>
    cases.push({ op, attributes, inputs });
  const none = () => d.normal([0, 3]);
  for (const op of ['relu', 'exp', 'abs', 'sigmoid']) add(op, {}, none());
  for (const op of ['add', 'mul', 'maximum']) {
    add(op, {}, none(), d.normal([3]));
    add(op, {}, none(), d.normal([1, 1]));
  }
  add('where', {}, d.bool([0, 1]), none(), d.normal([]));
  for (const op of ['sum', 'mean', 'prod']) {
    add(op, { dims: [0], keepdim: false }, none());
    add(op, { dims: [1], keepdim: true }, none());
  }
  add('max', { dims: [1], keepdim: false, ties: 'share' }, none());
  for (const op of ['softmax', 'log_softmax', 'cumsum', 'cumprod']) {
    add(op, { dim: 1 }, none());
    add(op, { dim: 0 }, none());
  }
  add(
    'layer_norm',
    { normalized_shape: [3], eps: 1e-5, weight: true, bias: true },
    none(),
    d.normal([3]),
    d.normal([3]),
  );
  add('matmul', {}, none(), d.normal([3, 4]));
  add('matmul', {}, d.normal([2, 0]), d.normal([0, 4]));
  add('linear', { bias: true }, none(), d.normal([5, 3]), d.normal([5]));
  add('einsum', { equation: 'ij,jk->ik' }, none(), d.normal([3, 2]));
  add('mse_loss', { reduction: 'sum' }, none(), none());
  add('reshape', { shape: [3, 0] }, none());
  add('permute', { dims: [1, 0] }, none());
  add('expand', { shape: [0, 3] }, d.normal([1, 3]));
  add('cat', { dim: 0 }, none(), d.normal([2, 3]));
  add('slice', { dim: 0, start: 2, end: 2, step: 1 }, d.normal([4, 3]));
  add('gather', { dim: 0 }, d.normal([4, 3]), d.integers([0, 3], 0, 4));
  add('embedding', {}, d.integers([0], 0, 4), d.normal([4, 3]));
  add('index_select', { dim: 0 }, d.normal([4, 3]), d.integers([0], 0, 4));
  add('max_pool2d', { ...pool, dilation: [1, 1] }, d.normal([0, 2, 4, 4]));
  add('avg_pool2d', { ...pool, count_include_pad: true, divisor: null }, d.normal([0, 2, 4, 4]));
  const conv = { stride: [1], padding: [0], dilation: [1], groups: 1, bias: false };
  add('conv1d', conv, d.normal([0, 2, 5]), d.normal([3, 2, 3]));
  return cases;
}

const pool = { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };
