/** Gradients of reductions, and of operators along one dimension. */
import type { Differentiability, GradientBuilder, GradientContext, Value } from './gradient.ts';
import { keptShape, reducedCount } from './gradient.ts';

/** A reduction's context with its result and gradient brought to the shape that broadcasts against x. */
interface Reduced {
  g: GradientBuilder;
  x: Value;
  dims: readonly number[];
  count: number;
  out: Value;
  d: Value;
  context: GradientContext;
}

function reduction(rule: (r: Reduced) => Value | undefined): Differentiability {
  return (context) => {
    const { g, inputs, outputs, grad, attributes } = context;
    const x = inputs[0]!;
    const { shape } = x.spec;
    const dims = attributes.dimensions('dims', shape.length);
    const kept = keptShape(shape, dims);
    const [out, d] = [g.reshape(outputs[0]!, kept), g.reshape(grad, kept)];
    return [rule({ g, x, dims, count: reducedCount(shape, dims), out, d, context })];
  };
}

/** The gradient goes to the extreme elements: shared by equals, or all to the first of them, as `ties` says. */
const extreme = (arg: string): Differentiability =>
  reduction(({ g, x, dims, out, d, context }) => {
    if (context.attributes.choice('ties', ['share', 'first']) === 'share' || x.spec.shape.length === 0) {
      return sharedByEquals(g, g.test('eq', x, out), d, dims);
    }
    if (dims.length !== 1) throw new Error('The first of equals is sought along one dimension only.');
    const index = g.node(arg, [x], { dim: dims[0]!, keepdim: true });
    return g.node('scatter', [g.zerosLike(x), index, d], { dim: dims[0]!, reduce: null });
  });

function sharedByEquals(g: GradientBuilder, equal: Value, d: Value, dims: readonly number[]): Value {
  const mask = g.cast(equal, d.spec.dtype);
  return g.div(g.mul(mask, d), g.sum(mask, dims, true));
}

/** x - mean(x), times 2 / (N - correction). */
function varianceSlope({ g, x, dims, count, context }: Reduced, d: Value): Value {
  const factor = 2 / Math.max(0, count - context.attributes.number('correction'));
  return g.mul(g.mul(d, factor), g.sub(x, g.mean(x, dims)));
}

function normSlope({ g, x, dims, out, d, context }: Reduced): Value | undefined {
  const p = context.attributes.number('p');
  const sign = () => g.unary('sign', x);
  const size = g.unary('abs', x);
  if (p === 0) return undefined;
  if (p === 1) return g.mul(d, sign());
  if (Math.abs(p) === Infinity) {
    // A NaN is the extreme of any set it is in.
    const equal = g.binary('logical_or', g.test('eq', size, out), g.unary('isnan', size));
    return g.mul(sign(), sharedByEquals(g, equal, d, dims));
  }
  if (p === 2) return g.mul(d, g.fill(g.div(x, out), g.expand(g.test('eq', out, 0), x.spec.shape)));
  if (p < 1) {
    // Infinitely steep at zero; PyTorch takes zero there.
    const slope = g.mul(sign(), g.fill(g.pow(size, p - 1), g.test('eq', x, 0)));
    return g.mul(slope, g.mul(d, g.pow(out, 1 - p)));
  }
  const slope = p < 2 ? g.mul(sign(), g.pow(size, p - 1)) : g.mul(x, g.pow(size, p - 2));
  return g.mul(slope, g.fill(g.div(d, g.pow(out, p - 1)), g.test('eq', out, 0)));
}

/** d times the product of all others: exact where one element is zero, and zero where several are. */
function productSlope({ g, x, dims, d }: Reduced): Value {
  const zero = g.test('eq', x, 0);
  const zeros = g.sum(g.cast(zero, 'int64'), dims, true);
  const rest = g.reduce('prod', g.fill(x, zero, 1), dims, true);
  const atZero = g.fill(g.mul(d, rest), g.test('gt', zeros, 1));
  const elsewhere = g.div(g.fill(g.mul(d, rest), g.test('gt', zeros, 0)), g.fill(x, zero, 1));
  return g.where(zero, atZero, elsewhere);
}

/** Applies an operator to a tensor read backwards along a dimension, and turns the result round again. */
function reversed(g: GradientBuilder, dim: number, x: Value, apply: (x: Value) => Value): Value {
  const flip = (v: Value) => (v.spec.shape.length === 0 ? v : g.node('flip', [v], { dims: [dim] }));
  return flip(apply(flip(x)));
}

/** The one dimension, as a list; none for a tensor without dimensions. */
const dimsOf = (x: Value, dim: number): number[] => (x.spec.shape.length === 0 ? [] : [dim]);

/** sort and topk: every value came from the place its index names. */
const picked: Differentiability = ({ g, inputs: [x], outputs, grads, attributes }) => {
  if (!grads[0]) return [];
  if (x!.spec.shape.length === 0) return [grads[0]];
  return [
    g.node('scatter', [g.zerosLike(x!), outputs[1]!, grads[0]], { dim: attributes.integer('dim'), reduce: null }),
  ];
};

/** By operator: reductions. */
export const reductionGradients: Readonly<Record<string, Differentiability>> = {
  sum: reduction(({ g, x, d }) => g.expand(d, x.spec.shape)),
  mean: reduction(({ g, x, d, count }) => g.expand(g.div(d, count), x.spec.shape)),
  prod: reduction(productSlope),
  max: extreme('argmax'),
  min: extreme('argmin'),
  logsumexp: reduction(({ g, x, out, d }) => g.mul(d, g.unary('exp', g.sub(x, out)))),
  var: reduction((r) => varianceSlope(r, r.d)),
  std: reduction((r) => varianceSlope(r, r.g.fill(r.g.div(r.d, r.g.mul(r.out, 2)), r.g.test('eq', r.out, 0)))),
  norm: reduction(normSlope),
  any: 'none',
  all: 'none',
  argmax: 'none',
  argmin: 'none',
};

/** By operator: softmax, scans, sorting. */
export const alongGradients: Readonly<Record<string, Differentiability>> = {
  softmax: ({ g, grad, inputs: [x], outputs: [y], attributes }) => [
    g.mul(y!, g.sub(grad, g.sum(g.mul(grad, y!), dimsOf(x!, attributes.integer('dim')), true))),
  ],
  log_softmax: ({ g, grad, inputs: [x], outputs: [y], attributes }) => [
    g.sub(grad, g.mul(g.unary('exp', y!), g.sum(grad, dimsOf(x!, attributes.integer('dim')), true))),
  ],
  cumsum: ({ g, grad, raw, attributes }) => [
    reversed(g, attributes.integer('dim'), grad, (v) => g.node('cumsum', [v], raw)),
  ],
  cumprod: ({ g, grad, inputs, raw }) => [g.node('cumprod_backward', [inputs[0]!, grad], raw)],
  cummax: ({ g, grad, inputs, raw }) => [g.node('cummax_backward', [inputs[0]!, grad], raw)],
  cummin: ({ g, grad, inputs, raw }) => [g.node('cummin_backward', [inputs[0]!, grad], raw)],
  logcumsumexp: ({ g, grad, inputs, raw }) => [g.node('logcumsumexp_backward', [inputs[0]!, grad], raw)],
  sort: picked,
  topk: picked,
  cumprod_backward: 'unsupported',
  cummax_backward: 'unsupported',
  cummin_backward: 'unsupported',
  logcumsumexp_backward: 'unsupported',
};
