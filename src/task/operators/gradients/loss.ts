/** Gradients of losses, by PyTorch's formulas. Weights of classes (with class indices) and of binary cross-entropy are not differentiated, as in PyTorch. */
import { elementCount } from '../tensor.ts';
import type { Differentiability, GradientBuilder, GradientContext, Value } from './gradient.ts';

/** What each unreduced loss gets of the output's gradient, for losses whose mean divides by their number. */
function share({ g, grad, inputs, attributes }: GradientContext, count: number): Value {
  const reduction = attributes.string('reduction');
  if (reduction === 'mean') return g.div(grad, count);
  return reduction === 'batchmean' ? g.div(grad, inputs[0]!.spec.shape[0] ?? 1) : grad;
}

/** Losses of a difference: dx is slope(x - y) times the share, dy its negative. */
function ofDifference(slope: (g: GradientBuilder, z: Value, context: GradientContext) => Value): Differentiability {
  return (context) => {
    const { g, inputs } = context;
    const [x, y] = inputs as readonly [Value, Value];
    const d = g.mul(slope(g, g.sub(x, y), context), share(context, elementCount(x.spec.shape)));
    return [d, g.neg(d)];
  };
}

const klDivergence: Differentiability = (context) => {
  const { g, inputs, attributes } = context;
  const [x, t] = inputs as readonly [Value, Value];
  const d = share(context, elementCount(x.spec.shape));
  if (attributes.boolean('log_target')) {
    const e = g.mul(g.unary('exp', t), d);
    return [g.neg(e), g.mul(e, g.add(g.sub(t, x), 1))];
  }
  return [g.mul(g.neg(t), d), g.mul(d, g.sub(g.add(g.unary('log', t), 1), x))];
};

/** The loss's terms by class index: which class of which position counts, and with what weight. */
interface Classes {
  /** [N, C, ...]: one at the target's class. */
  hot: Value;
  /** [N, 1, ...]: the class's weight, zero where the target is ignored, times the position's share of the gradient. */
  factor: Value;
  /** [N, 1, ...]: the position's share alone, zero where ignored. */
  alive: Value;
}

const classDimension = (x: Value): number => (x.spec.shape.length === 1 ? 0 : 1);

/** A value per position with the dimension of the classes put back as one. */
function atPositions(g: GradientBuilder, v: Value, x: Value): Value {
  const dim = classDimension(x);
  return v.spec.shape.length === x.spec.shape.length || v.spec.shape.length === 0
    ? v
    : g.reshape(
        v,
        x.spec.shape.map((size, d) => (d === dim ? 1 : size)),
      );
}

/** [C] shaped to meet the classes of x. */
function perClass(g: GradientBuilder, weight: Value, x: Value): Value {
  const dim = classDimension(x);
  return g.reshape(
    weight,
    x.spec.shape.map((size, d) => (d === dim ? size : 1)),
  );
}

function classes({ g, grad, inputs, attributes }: GradientContext): Classes {
  const [x, target] = inputs as readonly [Value, Value];
  const weight = attributes.boolean('weight') ? inputs[2] : undefined;
  const { shape, dtype } = x.spec;
  const dim = classDimension(x);
  const ignored = g.test('eq', target, attributes.number('ignore_index'));
  const index = g.fill(target, ignored);
  const count = elementCount(target.spec.shape);
  const oneHot = g.cast(g.node('one_hot', [index], { num_classes: shape[dim]! }), dtype);
  // The classes come last; they belong at `dim`.
  const last = shape.length - 1;
  const hot = g.permute(
    oneHot,
    shape.map((_, d) => (d < dim ? d : d === dim ? last : d - 1)),
  );
  const counted = g.cast(g.unary('logical_not', ignored), dtype);
  const weights = weight
    ? g.mul(
        g.reshape(g.node('index_select', [weight, g.reshape(index, [count])], { dim: 0 }), target.spec.shape),
        counted,
      )
    : counted;
  const all = weights.spec.shape.map((_, d) => d);
  const position = attributes.string('reduction') === 'mean' ? g.div(grad, g.sum(weights, all)) : grad;
  return {
    hot,
    factor: atPositions(g, g.mul(weights, position), x),
    alive: atPositions(g, g.mul(counted, position), x),
  };
}

const crossEntropy: Differentiability = (context) => {
  const { g, grad, inputs, attributes } = context;
  const [x, target] = inputs as readonly [Value, Value];
  const dim = classDimension(x);
  const size = x.spec.shape[dim]!;
  const smoothing = attributes.number('label_smoothing');
  const weight = attributes.boolean('weight') ? perClass(g, inputs[2]!, x) : undefined;
  const p = g.node('softmax', [x], { dim });
  const weighted = (v: Value) => (weight ? g.mul(v, weight) : v);
  /** dx from the gradient of the log-probabilities. */
  const through = (dlog: Value) => g.sub(dlog, g.mul(p, g.sum(dlog, [dim], true)));
  if (attributes.string('target') === 'indices') {
    const { hot, factor, alive } = classes(context);
    if (smoothing === 0) return [g.mul(g.sub(p, hot), factor)];
    const own = g.mul(g.mul(hot, factor), smoothing - 1);
    const others = g.mul(alive, -smoothing / size);
    return [through(g.add(own, weight ? g.mul(weight, others) : others))];
  }
  const positions = elementCount(x.spec.shape) / Math.max(1, size);
  const position = atPositions(g, attributes.string('reduction') === 'mean' ? g.div(grad, positions) : grad, x);
  const smooth = smoothing === 0 ? target : g.add(g.mul(target, 1 - smoothing), smoothing / size);
  const dlog = g.neg(weighted(g.mul(smooth, position)));
  const log = g.node('log_softmax', [x], { dim });
  const others = x.spec.shape.map((_, d) => d).filter((d) => d !== dim);
  return [
    through(dlog),
    g.neg(weighted(g.mul(g.mul(log, 1 - smoothing), position))),
    ...(weight ? [g.neg(g.sum(g.mul(g.mul(log, smooth), position), others))] : []),
  ];
};

const nllLoss: Differentiability = (context) => {
  const { hot, factor } = classes(context);
  return [context.g.neg(context.g.mul(hot, factor))];
};

/** The share times the weights that the attributes announce. */
function weightedShare(context: GradientContext): Value {
  const d = share(context, elementCount(context.inputs[0]!.spec.shape));
  return context.attributes.boolean('weight') ? context.g.mul(d, context.inputs[2]!) : d;
}

const binaryCrossEntropy: Differentiability = (context) => {
  const { g, inputs } = context;
  const [x, y] = inputs as readonly [Value, Value];
  const d = weightedShare(context);
  // The divisor is kept from zero as PyTorch keeps it.
  const spread = g.unary('clamp', g.mul(g.sub(1, x), x), { min: 1e-12, max: null });
  const odds = g.sub(g.unary('log1p', g.neg(x)), g.unary('log', x));
  return [g.mul(d, g.div(g.sub(x, y), spread)), g.mul(d, odds)];
};

const fromLogits: Differentiability = (context) => {
  const { g, inputs, attributes } = context;
  const [x, y] = inputs as readonly [Value, Value];
  const d = weightedShare(context);
  const s = g.unary('sigmoid', x);
  if (!attributes.boolean('pos_weight')) return [g.mul(d, g.sub(s, y)), g.mul(d, g.neg(x))];
  const positive = inputs[attributes.boolean('weight') ? 3 : 2]!;
  const t = g.mul(y, positive);
  const dx = g.sub(g.mul(g.sub(g.add(t, 1), y), s), t);
  const dy = g.sub(g.unary('logsigmoid', g.neg(x)), g.mul(positive, g.unary('logsigmoid', x)));
  return [g.mul(d, dx), g.mul(d, dy)];
};

/** By operator. */
export const lossGradients: Readonly<Record<string, Differentiability>> = {
  mse_loss: ofDifference((g, z) => g.mul(z, 2)),
  l1_loss: ofDifference((g, z) => g.unary('sign', z)),
  smooth_l1_loss: ofDifference((g, z, { attributes }) => {
    const beta = attributes.number('beta');
    return beta === 0 ? g.unary('sign', z) : g.unary('clamp', g.div(z, beta), { min: -1, max: 1 });
  }),
  huber_loss: ofDifference((g, z, { attributes }) => {
    const delta = attributes.number('delta');
    return g.unary('clamp', z, { min: -delta, max: delta });
  }),
  kl_div: klDivergence,
  cross_entropy: crossEntropy,
  nll_loss: nllLoss,
  binary_cross_entropy: binaryCrossEntropy,
  binary_cross_entropy_with_logits: fromLogits,
};
