/**
 * Losses: a pointwise or per-row error, then a mean, a sum, or nothing.
 */
import type { HostTensor, TensorSpec } from '../types.ts';
import { logSoftmaxRow, mapLines } from './along.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectDtype, expectFloating, expectOperands, expectSameDtype, expectShape } from './operator.ts';
import { softplus } from './pointwise.ts';
import { around, broadcastShapes, broadcastTo } from './stride.ts';
import { elementCount, sameShape } from './tensor.ts';

const reductionNames = ['none', 'mean', 'sum'] as const;

/** Applies `reduction`; `divisor` is what a mean divides by. Overwrites its argument. */
function finish(each: Float64Array, reduction: string, divisor: number, a: Arithmetic): Float64Array {
  if (reduction === 'none') return each;
  const sum = a.sum(each, each.length);
  return Float64Array.of(reduction === 'sum' ? sum : a.divide(sum, divisor));
}

type Formula = (x: number, y: number, a: Arithmetic) => number;

interface PairLoss {
  formula: (attributes: Attributes) => Formula;
  special?: number;
}

const pairLosses: Record<string, PairLoss> = {
  mse_loss: {
    formula: () => (x, y, a) => {
      const d = a.round(x - y);
      return a.round(d * d);
    },
  },
  l1_loss: { formula: () => (x, y, a) => Math.abs(a.round(x - y)) },
  smooth_l1_loss: {
    formula: (attributes) => {
      const beta = attributes.number('beta');
      return (x, y, a) => {
        const d = Math.abs(a.round(x - y));
        const b = a.round(beta);
        return d < b ? a.divide(a.round(a.round(0.5 * d) * d), b) : a.round(d - a.round(0.5 * b));
      };
    },
  },
  huber_loss: {
    formula: (attributes) => {
      const delta = attributes.number('delta');
      return (x, y, a) => {
        const d = Math.abs(a.round(x - y));
        const t = a.round(delta);
        return d <= t ? a.round(a.round(0.5 * d) * d) : a.round(t * a.round(d - a.round(0.5 * t)));
      };
    },
  },
  kl_div: {
    formula: (attributes) => {
      if (attributes.boolean('log_target')) return (x, y, a) => a.round(a.exp(y) * a.round(y - x));
      return (x, y, a) => (y === 0 ? 0 : a.round(y * a.round(a.log(y) - x)));
    },
    special: 1,
  },
};

function pairLossOperator(name: string, row: PairLoss): Operator {
  const reductions = name === 'kl_div' ? [...reductionNames, 'batchmean'] : reductionNames;
  return {
    name,
    kind: 'loss',
    infer(inputs, attributes) {
      expectOperands(inputs, 2);
      expectSameDtype(inputs);
      expectFloating(inputs[0]!);
      if (!sameShape(inputs[0]!.shape, inputs[1]!.shape)) throw new Error('Its operands must have equal shapes.');
      row.formula(attributes);
      const reduction = attributes.choice('reduction', reductions);
      return [reduction === 'none' ? inputs[0]! : { shape: [], dtype: inputs[0]!.dtype }];
    },
    evaluate([x, y], attributes, a) {
      const formula = row.formula(attributes);
      const each = new Float64Array(x!.values.length);
      for (let i = 0; i < each.length; i++) each[i] = formula(x!.values[i]!, y!.values[i]!, a);
      const reduction = attributes.choice('reduction', reductions);
      return [finish(each, reduction, reduction === 'batchmean' ? (x!.spec.shape[0] ?? 1) : each.length, a)];
    },
    operations: (inputs) => {
      const n = elementCount(inputs[0]!.shape);
      return { arithmetic: 3 * n, special: (row.special ?? 0) * n, contraction: 0 };
    },
    reads: (inputs, attributes, _outputs, [demand]) => wholeUnlessNone(inputs, attributes, demand!),
  };
}

/** A reduced loss needs every element of operands as large as the first; an unreduced one as many as are asked for. */
function wholeUnlessNone(inputs: readonly TensorSpec[], attributes: Attributes, demand: number): number[] {
  const whole = elementCount(inputs[0]!.shape);
  const none = attributes.string('reduction') === 'none';
  return inputs.map((spec) =>
    elementCount(spec.shape) < whole || demand === 0 ? 0 : none ? Math.min(demand, whole) : whole,
  );
}

/** Dimension of the classes: 1 of [N, C, ...], 0 of [C]. */
const classDimension = (shape: readonly number[]): number => (shape.length === 1 ? 0 : 1);

/** x's shape without the classes. */
const withoutClasses = (shape: readonly number[]): number[] => shape.filter((_, d) => d !== classDimension(shape));

/**
 * Weighted negative log-likelihood from log-probabilities and class indices: the losses a position and the sum of their weights.
 * `smooth(position, weightOf)` may add a label-smoothing term.
 */
function likelihood(
  log: Float64Array,
  shape: readonly number[],
  target: Float64Array,
  weight: Float64Array | undefined,
  ignore: number,
  a: Arithmetic,
): { each: Float64Array; weights: Float64Array } {
  const { size, inner } = around(shape, classDimension(shape));
  const each = new Float64Array(target.length);
  const weights = new Float64Array(target.length);
  for (let i = 0; i < target.length; i++) {
    const c = target[i]!;
    if (c === ignore) continue;
    if (!(c >= 0 && c < size))
      throw new Error(`The target at position ${i} is class ${c}, and there are ${size} classes.`);
    const w = weight ? weight[c]! : 1;
    weights[i] = w;
    each[i] = -a.round(log[(Math.floor(i / inner) * size + c) * inner + (i % inner)]! * w);
  }
  return { each, weights };
}

function inferClasses(inputs: readonly TensorSpec[], attributes: Attributes, indices: boolean): TensorSpec[] {
  expectOperands(inputs, attributes.boolean('weight') ? 3 : 2);
  const [x, target, weight] = inputs as readonly [TensorSpec, TensorSpec, TensorSpec | undefined];
  expectFloating(x);
  if (x.shape.length === 0) throw new Error('It takes at least one dimension of classes.');
  if (indices) {
    expectDtype(target, 'int64', 'target');
    expectShape(target, withoutClasses(x.shape), 'target');
    attributes.number('ignore_index');
  } else {
    expectSameDtype([x, target]);
    expectShape(target, x.shape, 'target');
  }
  if (attributes.boolean('weight')) expectShape(weight, [x.shape[classDimension(x.shape)]!], 'weight');
  const reduction = attributes.choice('reduction', reductionNames);
  return [{ shape: reduction === 'none' ? withoutClasses(x.shape) : [], dtype: x.dtype }];
}

const crossEntropy: Operator = {
  name: 'cross_entropy',
  kind: 'loss',
  infer(inputs, attributes) {
    const smoothing = attributes.number('label_smoothing');
    if (!(smoothing >= 0 && smoothing <= 1))
      throw new Error(`Its label_smoothing must lie in 0 to 1, not ${smoothing}.`);
    return inferClasses(inputs, attributes, attributes.choice('target', ['indices', 'probabilities']) === 'indices');
  },
  evaluate(inputs, attributes, a) {
    const [x, target, weightTensor] = inputs as readonly [HostTensor, HostTensor, HostTensor | undefined];
    const weight = weightTensor?.values;
    const { shape } = x.spec;
    const dim = classDimension(shape);
    const { outer, size, inner } = around(shape, dim);
    const log = mapLines(x.values, shape, dim, a, logSoftmaxRow);
    const reduction = attributes.choice('reduction', reductionNames);
    const smoothing = a.round(attributes.number('label_smoothing'));
    const row = new Float64Array(size);
    if (attributes.string('target') === 'indices') {
      const ignore = attributes.number('ignore_index');
      const { each, weights } = likelihood(log, shape, target.values, weight, ignore, a);
      if (smoothing > 0) {
        const share = a.divide(smoothing, size);
        for (let i = 0; i < each.length; i++) {
          if (target.values[i] === ignore) continue;
          const at = Math.floor(i / inner) * size * inner + (i % inner);
          for (let c = 0; c < size; c++) row[c] = a.round(log[at + c * inner]! * (weight ? weight[c]! : 1));
          each[i] = a.round(a.round(a.round(1 - smoothing) * each[i]!) + a.round(share * -a.sum(row, size)));
        }
      }
      return [finish(each, reduction, a.sum(weights, weights.length), a)];
    }
    const each = new Float64Array(outer * inner);
    for (let i = 0; i < each.length; i++) {
      const at = Math.floor(i / inner) * size * inner + (i % inner);
      for (let c = 0; c < size; c++) {
        let t = target.values[at + c * inner]!;
        if (smoothing > 0) t = a.round(a.round(t * a.round(1 - smoothing)) + a.divide(smoothing, size));
        row[c] = a.round(a.round(log[at + c * inner]! * t) * (weight ? weight[c]! : 1));
      }
      each[i] = -a.sum(row, size);
    }
    return [finish(each, reduction, each.length, a)];
  },
  operations(inputs) {
    const n = elementCount(inputs[0]!.shape);
    return { arithmetic: 3 * n, special: n, contraction: 0 };
  },
  reads(inputs, attributes, outputs, [demand]) {
    // With indices, a row whose target is ignored needs no scores: only the targets are sure to be read.
    const ignored = attributes.string('target') === 'indices' && attributes.number('ignore_index') >= 0;
    const share = demand! / Math.max(1, outputCountOf(outputs));
    return inputs.map((spec, i) =>
      i === 2 || (i === 0 && ignored) ? 0 : Math.floor(elementCount(spec.shape) * Math.min(1, share)),
    );
  },
};

function outputCountOf(outputs: readonly TensorSpec[]): number {
  return elementCount(outputs[0]!.shape);
}

const nllLoss: Operator = {
  name: 'nll_loss',
  kind: 'loss',
  infer: (inputs, attributes) => inferClasses(inputs, attributes, true),
  evaluate(inputs, attributes, a) {
    const [x, target, weight] = inputs as readonly [HostTensor, HostTensor, HostTensor | undefined];
    const { each, weights } = likelihood(
      x.values,
      x.spec.shape,
      target.values,
      weight?.values,
      attributes.number('ignore_index'),
      a,
    );
    return [finish(each, attributes.choice('reduction', reductionNames), a.sum(weights, weights.length), a)];
  },
  operations: (inputs) => ({ arithmetic: 2 * elementCount(inputs[1]!.shape), special: 0, contraction: 0 }),
  // One log-probability a target, and none where it is ignored.
  reads: (inputs, attributes, _outputs, [demand]) => {
    const targets =
      demand === 0 ? 0 : attributes.string('reduction') === 'none' ? demand! : elementCount(inputs[1]!.shape);
    return inputs.map((_, i) => (i === 1 ? targets : 0));
  },
};

/** Operands after x and target that the attributes announce, broadcast to x's shape. */
function extras(
  inputs: readonly HostTensor[],
  attributes: Attributes,
  names: readonly string[],
): (Float64Array | undefined)[] {
  let at = 2;
  return names.map((name) => {
    if (!attributes.boolean(name)) return undefined;
    const t = inputs[at++]!;
    return broadcastTo(t.values, t.spec.shape, inputs[0]!.spec.shape);
  });
}

function binaryCrossEntropy(
  name: string,
  names: readonly string[],
  each: (x: number, y: number, positive: number, a: Arithmetic) => number,
): Operator {
  return {
    name,
    kind: 'loss',
    infer(inputs, attributes) {
      expectOperands(inputs, 2 + names.filter((n) => attributes.boolean(n)).length);
      expectSameDtype(inputs);
      expectFloating(inputs[0]!);
      expectShape(inputs[1], inputs[0]!.shape, 'target');
      for (const extra of inputs.slice(2))
        expectShape(
          { shape: broadcastShapes(extra.shape, inputs[0]!.shape), dtype: extra.dtype },
          inputs[0]!.shape,
          'weight, broadcast,',
        );
      const reduction = attributes.choice('reduction', reductionNames);
      return [reduction === 'none' ? inputs[0]! : { shape: [], dtype: inputs[0]!.dtype }];
    },
    evaluate(inputs, attributes, a) {
      const [x, y] = inputs as readonly [HostTensor, HostTensor];
      const [weight, positive] = extras(inputs, attributes, names);
      const losses = new Float64Array(x.values.length);
      for (let i = 0; i < losses.length; i++) {
        const loss = each(x.values[i]!, y.values[i]!, positive ? positive[i]! : 1, a);
        losses[i] = weight ? a.round(loss * weight[i]!) : loss;
      }
      return [finish(losses, attributes.choice('reduction', reductionNames), losses.length, a)];
    },
    operations(inputs) {
      const n = elementCount(inputs[0]!.shape);
      return { arithmetic: 4 * n, special: 2 * n, contraction: 0 };
    },
    reads: (inputs, attributes, _outputs, [demand]) =>
      wholeUnlessNone(inputs.slice(0, 2), attributes, demand!).concat(inputs.slice(2).map(() => 0)),
  };
}

/** -(y log x + (1 - y) log(1 - x)), the logarithms no less than -100. */
const fromProbabilities = (x: number, y: number, _positive: number, a: Arithmetic): number => {
  if (x < 0 || x > 1) throw new Error(`binary_cross_entropy takes probabilities from 0 to 1, and got ${x}.`);
  const log = Math.max(a.log(x), -100);
  const logNot = Math.max(a.log1p(-x), -100);
  return a.round(a.round(a.round(y - 1) * logNot) - a.round(y * log));
};

/** (1 - y) x + (1 + (p - 1) y) log(1 + e^-x), stable for both signs. */
const fromLogits = (x: number, y: number, positive: number, a: Arithmetic): number => {
  const factor = a.round(1 + a.round(a.round(positive - 1) * y));
  return a.round(a.round(a.round(1 - y) * x) + a.round(factor * softplus(-x, a)));
};

/** cross_entropy ... binary_cross_entropy_with_logits. */
export const lossOperators: readonly Operator[] = [
  crossEntropy,
  nllLoss,
  ...Object.entries(pairLosses).map(([name, row]) => pairLossOperator(name, row)),
  binaryCrossEntropy('binary_cross_entropy', ['weight'], fromProbabilities),
  binaryCrossEntropy('binary_cross_entropy_with_logits', ['weight', 'pos_weight'], fromLogits),
];
