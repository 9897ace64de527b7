/** Gradients of views and rearrangements, and of operators addressed by indices: elements go back to where they came from, and add up where several did. */
import type { Differentiability, GradientBuilder, Value } from './gradient.ts';

/** tril, triu: the same elements matter. flip: its own inverse. */
const same =
  (op: string): Differentiability =>
  ({ g, grad, raw }) => [g.node(op, [grad], raw)];

const inverse = (dims: readonly number[]): number[] => dims.map((_, d) => dims.indexOf(d));

const join =
  (stacked: boolean): Differentiability =>
  ({ g, grad, inputs, attributes }) => {
    const dim = attributes.integer('dim');
    let at = 0;
    return inputs.map((x, i) => {
      if (stacked) return g.node('select', [grad], { dim, index: i });
      const start = at;
      at += x.spec.shape[dim]!;
      return g.slice(grad, dim, start, at);
    });
  };

const pad: Differentiability = ({ g, grad, inputs: [x], raw, attributes }) => {
  if (attributes.string('mode') !== 'constant') {
    return [g.node('pad_backward', [grad], { ...raw, size: x!.spec.shape })];
  }
  const negated = (name: string) => attributes.integers(name, -Infinity).map((n) => (n === 0 ? 0 : -n));
  return [g.node('pad', [grad], { before: negated('before'), after: negated('after'), mode: 'constant', value: 0 })];
};

const diagonal: Differentiability = ({ g, grad, inputs: [x], attributes }) => {
  const { shape } = x!.spec;
  const [dim1, dim2] = [attributes.integer('dim1'), attributes.integer('dim2')];
  const square = g.node('diag_embed', [grad], { offset: attributes.integer('offset', -Infinity) });
  const side = square.spec.shape.at(-1)!;
  const before = square.spec.shape.map(() => 0);
  const after = [...before.slice(2), shape[dim1]! - side, shape[dim2]! - side];
  const padded = after.every((n) => n === 0)
    ? square
    : g.node('pad', [square], { before, after, mode: 'constant', value: 0 });
  const rank = shape.length;
  const rest = shape.map((_, d) => d).filter((d) => d !== dim1 && d !== dim2);
  // The dimensions as they stand now, put where they were.
  return [g.permute(padded, inverse([...rest, dim1, dim2].slice(0, rank)))];
};

/** By operator: views. */
export const layoutGradients: Readonly<Record<string, Differentiability>> = {
  reshape: ({ g, grad, inputs: [x] }) => [g.reshape(grad, x!.spec.shape)],
  permute: ({ g, grad, attributes }) => [g.permute(grad, inverse(attributes.integers('dims')))],
  expand: ({ g, grad, inputs: [x] }) => [g.sumTo(grad, x!.spec.shape)],
  slice: ({ g, grad, inputs: [x], raw }) => [g.node('slice_scatter', [g.zerosLike(x!), grad], raw)],
  select: ({ g, grad, inputs: [x], raw }) => [g.node('select_scatter', [g.zerosLike(x!), grad], raw)],
  slice_scatter: ({ g, grad, inputs: [, src], raw }) => [
    g.node('slice_scatter', [grad, g.zerosLike(src!)], raw),
    g.node('slice', [grad], raw),
  ],
  select_scatter: ({ g, grad, inputs: [, src], raw }) => [
    g.node('select_scatter', [grad, g.zerosLike(src!)], raw),
    g.node('select', [grad], raw),
  ],
  cat: join(false),
  stack: join(true),
  pad,
  tril: same('tril'),
  triu: same('triu'),
  flip: same('flip'),
  roll: ({ g, grad, attributes }) => [
    g.node('roll', [grad], {
      shifts: attributes.integers('shifts', -Infinity).map((n) => (n === 0 ? 0 : -n)),
      dims: attributes.integers('dims'),
    }),
  ],
  diag_embed: ({ g, grad, attributes }) => {
    const rank = grad.spec.shape.length;
    const offset = attributes.integer('offset', -Infinity);
    return [g.node('diagonal', [grad], { offset, dim1: rank - 2, dim2: rank - 1 })];
  },
  diagonal,
  unfold: ({ g, grad, inputs: [x], raw, attributes }) => [
    g.node('unfold_backward', [grad], { ...raw, length: x!.spec.shape[attributes.integer('dim')]! }),
  ],
  pad_backward: 'unsupported',
  unfold_backward: 'unsupported',
};

/** Rows of x's shape along `dim` gathered by a list of indices: each gradient row is added back. */
function addRows(g: GradientBuilder, like: Value, dim: number, index: Value, grad: Value): Value {
  const column = grad.spec.shape.map((size, d) => (d === dim ? size : 1));
  const spread = g.expand(g.reshape(index, column), grad.spec.shape);
  return g.node('scatter', [g.zerosLike(like), spread, grad], { dim, reduce: 'add' });
}

/** By operator: indexing. */
export const indexingGradients: Readonly<Record<string, Differentiability>> = {
  gather: ({ g, grad, inputs: [x, index], attributes }) => [
    g.node('scatter', [g.zerosLike(x!), index!, grad], { dim: attributes.integer('dim'), reduce: 'add' }),
  ],
  scatter: ({ g, grad, inputs: [, index, src], raw, attributes }) => {
    const dim = attributes.integer('dim');
    const taken = g.node('gather', [grad, index!], { dim });
    const rest = src!.spec.shape.map((size, d) => size - index!.spec.shape[d]!);
    const none = rest.map(() => 0);
    const dsrc = rest.every((n) => n === 0)
      ? taken
      : g.node('pad', [taken], { before: none, after: rest, mode: 'constant', value: 0 });
    const kept = attributes.choice('reduce', [null, 'add']) === 'add';
    return [kept ? grad : g.node('scatter', [grad, index!, g.zerosLike(src!)], raw), undefined, dsrc];
  },
  index_select: ({ g, grad, inputs: [x, index], attributes }) => {
    const dim = attributes.integer('dim');
    // Negative indices count from the end here, and are refused by scatter.
    const size = x!.spec.shape[dim]!;
    const positive = g.where(g.test('lt', index!, 0), g.add(index!, size), index!);
    return [addRows(g, x!, dim, positive, grad)];
  },
  embedding: ({ g, grad, inputs: [index, weight] }) => {
    const width = weight!.spec.shape[1]!;
    const count = index!.spec.shape.reduce((n, s) => n * s, 1);
    const flat = g.cast(g.reshape(index!, [count]), 'int64');
    return [undefined, addRows(g, weight!, 0, flat, g.reshape(grad, [count, width]))];
  },
  one_hot: 'none',
};
