/** Reductions, softmax, normalisations: each as folds over rows and maps, which fusion puts into one kernel again. */
import type { DType } from '../../../../task/index.ts';
import type { View } from '../program.ts';
import { type ComputeType, literal, mathFunction } from '../scalar.ts';
import { product } from '../strides.ts';
import type { Lowering } from './context.ts';
import { cast, type Rule } from './pointwise.ts';

const times =
  (factor: number) =>
  ([x]: readonly string[], type: ComputeType) =>
    `${x} * ${literal(factor, type)}`;
const divideBy =
  (divisor: number) =>
  ([x]: readonly string[], type: ComputeType) =>
    `${x} / ${literal(divisor, type)}`;
const math =
  (name: string) =>
  ([x]: readonly string[], type: ComputeType) =>
    `${mathFunction(name, type)}(${x})`;
const elementsAlong = (view: View, axes: readonly number[]) => product(axes.map((axis) => view.shape[axis]!));

/** Sum over axes divided by their length; half of a power of two is exact as a product. */
export function mean(lower: Lowering, view: View, axes: readonly number[], keepdim: boolean): View {
  return totalAndMean(lower, view, axes, keepdim).centre;
}

function totalAndMean(
  lower: Lowering,
  view: View,
  axes: readonly number[],
  keepdim: boolean,
): { total: View; centre: View } {
  const count = elementsAlong(view, axes);
  const dtype = lower.dtype(view);
  const total = lower.reduce('sum', view, axes, 'sum', { keepdim });
  const scaled = Number.isInteger(Math.log2(count)) ? times(1 / count) : divideBy(count);
  return { total, centre: lower.compute('mean', [total], dtype, scaled) };
}

/** Mean and sum of squared deviations over axes, both kept as ones. Two folds: nothing cancels. */
function moments(lower: Lowering, view: View, axes: readonly number[]): { centre: View; centred: View; squares: View } {
  const dtype = lower.dtype(view);
  const { total, centre } = totalAndMean(lower, view, axes, true);
  const centred = lower.compute('centred', [view, centre], dtype, ([x, m]) => `${x} - ${m}`);
  const squared = lower.compute('squared', [centred], dtype, ([d]) => `${d} * ${d}`);
  const squares = lower.reduce('squares', squared, axes, 'sum', { keepdim: true, about: total.value });
  return { centre, centred, squares };
}

function variance(lower: Lowering, root: boolean): void {
  const view = lower.input(0);
  const axes = lower.numbers('dims');
  const dtype = lower.dtype(view);
  const divisor = Math.max(0, elementsAlong(view, axes) - lower.number('correction'));
  const { squares } = moments(lower, view, axes);
  let result = lower.compute('var', [squares], dtype, divideBy(divisor));
  if (root) result = lower.compute('std', [result], dtype, math('sqrt'));
  lower.output(lower.reshape(result, lower.outputShape()));
}

/** A reduction that is one fold. */
const folded =
  (fold: 'sum' | 'prod' | 'max' | 'min'): Rule =>
  (lower) => {
    const view = lower.input(0);
    lower.output(lower.reduce(fold, view, lower.numbers('dims'), fold, { keepdim: lower.has('keepdim') }));
  };

const logical =
  (fold: 'any' | 'all'): Rule =>
  (lower) => {
    const view = cast(lower, lower.input(0), 'bool');
    lower.output(lower.reduce(fold, view, lower.numbers('dims'), fold, { keepdim: lower.has('keepdim') }));
  };

const best =
  (fold: 'argmax' | 'argmin'): Rule =>
  (lower) => {
    const view = lower.input(0);
    const axes = [lower.number('dim')];
    lower.output(lower.reduce(fold, view, axes, fold, { keepdim: lower.has('keepdim'), dtype: 'int64' }));
  };

function norm(lower: Lowering): void {
  const view = lower.input(0);
  const result = normOf(lower, view, lower.numbers('dims'), lower.number('p'));
  lower.output(lower.reshape(result, lower.outputShape()));
}

/** The p-norm over axes, without them. */
function normOf(lower: Lowering, view: View, axes: readonly number[], p: number): View {
  const dtype = lower.dtype(view);
  const magnitude = () => lower.compute('abs', [view], dtype, math('fabs'));
  if (p === Infinity) return lower.reduce('max', magnitude(), axes, 'max');
  if (p === -Infinity) return lower.reduce('min', magnitude(), axes, 'min');
  if (p === 1) return lower.reduce('sum', magnitude(), axes, 'sum');
  if (p === 0) {
    const nonzero = lower.compute('nonzero', [view], dtype, ([x], type) => {
      return `(${x} != 0 ? ${literal(1, type)} : ${literal(0, type)})`;
    });
    return lower.reduce('count', nonzero, axes, 'sum');
  }
  if (p === 2) {
    const squared = lower.compute('squared', [view], dtype, ([x]) => `${x} * ${x}`);
    return lower.compute('norm', [lower.reduce('squares', squared, axes, 'sum')], dtype, math('sqrt'));
  }
  const power =
    (exponent: number) =>
    ([x]: readonly string[], type: ComputeType) =>
      `${mathFunction('pow', type)}(${x}, ${literal(exponent, type)})`;
  const powers = lower.compute('power', [magnitude()], dtype, power(p));
  return lower.compute('norm', [lower.reduce('powers', powers, axes, 'sum')], dtype, power(1 / p));
}

/** exp(x - max) and its sum along axes, both over x's shape with kept ones. */
function shiftedExponentials(lower: Lowering, view: View, axes: readonly number[]) {
  const dtype = lower.dtype(view);
  const peak = lower.reduce('max', view, axes, 'max', { keepdim: true });
  const shifted = lower.compute('sub', [view, peak], dtype, ([x, m]) => `${x} - ${m}`);
  const exponential = lower.compute('exp', [shifted], dtype, math('exp'));
  const total = lower.reduce('sum', exponential, axes, 'sum', { keepdim: true });
  return { peak, shifted, exponential, total };
}

function softmax(lower: Lowering): void {
  const view = lower.input(0);
  const { exponential, total } = shiftedExponentials(lower, view, [lower.number('dim')]);
  lower.output(lower.compute('softmax', [exponential, total], lower.dtype(view), ([e, s]) => `${e} / ${s}`));
}

/** log(softmax(x)) along an axis, and the log of the sum with the maximum apart, for the losses. */
export function logSoftmax(
  lower: Lowering,
  view: View,
  axis: number,
): { result: () => View; peak: View; logTotal: View } {
  const { peak, shifted, total } = shiftedExponentials(lower, view, [axis]);
  const logTotal = lower.compute('log_sum', [total], lower.dtype(view), math('log'));
  const result = () => lower.compute('log_softmax', [shifted, logTotal], lower.dtype(view), ([x, l]) => `${x} - ${l}`);
  return { result, peak, logTotal };
}

function logsumexp(lower: Lowering): void {
  const view = lower.input(0);
  const axes = lower.numbers('dims');
  const dtype = lower.dtype(view);
  const peak = lower.reduce('max', view, axes, 'max', { keepdim: true });
  // An infinite maximum would give inf - inf; PyTorch subtracts 0 instead.
  const finite = lower.compute(
    'finite_max',
    [peak],
    dtype,
    ([m], type) => `(${mathFunction('fabs', type)}(${m}) == ${literal(Infinity, type)} ? ${literal(0, type)} : ${m})`,
  );
  const shifted = lower.compute('sub', [view, finite], dtype, ([x, m]) => `${x} - ${m}`);
  const exponential = lower.compute('exp', [shifted], dtype, math('exp'));
  const total = lower.reduce('sum', exponential, axes, 'sum', { keepdim: true });
  const result = lower.compute(
    'logsumexp',
    [total, finite],
    dtype,
    ([s, m], type) => `${mathFunction('log', type)}(${s}) + ${m}`,
  );
  lower.output(lower.reshape(result, lower.outputShape()));
}

/** (x - mean) / sqrt(var + eps) over axes. */
function standardise(lower: Lowering, view: View, axes: readonly number[], eps: number): View {
  const dtype = lower.dtype(view);
  const { centred, squares } = moments(lower, view, axes);
  const scale = inverseRoot(lower, squares, dtype, elementsAlong(view, axes), eps);
  return lower.compute('normalised', [centred, scale], dtype, ([d, r]) => `${d} * ${r}`);
}

/** 1 / sqrt(sum / count + eps) */
function inverseRoot(lower: Lowering, sum: View, dtype: DType, count: number, eps: number): View {
  return lower.compute(
    'inverse_root',
    [sum],
    dtype,
    ([s], type) => `${mathFunction('rsqrt', type)}(${s} / ${literal(count, type)} + ${literal(eps, type)})`,
  );
}

/** x * weight + bias with whichever is there, each a view that broadcasts to x. */
function affine(lower: Lowering, view: View, weight: View | undefined, bias: View | undefined): View {
  const dtype = lower.dtype(view);
  let result = view;
  if (weight) result = lower.compute('scaled', [result, weight], dtype, ([x, w]) => `${x} * ${w}`);
  if (bias) result = lower.compute('shifted', [result, bias], dtype, ([x, b]) => `${x} + ${b}`);
  return result;
}

/** The optional weight and bias of the current node, from operand k on, as announced by its attributes. */
function affineOperands(lower: Lowering, k: number, shaped: (view: View) => View = (view) => view) {
  const weight = lower.has('weight') ? shaped(lower.input(k)) : undefined;
  const bias = lower.has('bias') ? shaped(lower.input(k + (weight ? 1 : 0))) : undefined;
  return { weight, bias };
}

function layerNorm(lower: Lowering): void {
  const view = lower.input(0);
  const rank = lower.numbers('normalized_shape').length;
  const axes = view.shape.map((_, d) => d).slice(view.shape.length - rank);
  const { weight, bias } = affineOperands(lower, 1);
  lower.output(affine(lower, standardise(lower, view, axes, lower.number('eps')), weight, bias));
}

function rmsNorm(lower: Lowering): void {
  const view = lower.input(0);
  const dtype = lower.dtype(view);
  const rank = lower.numbers('normalized_shape').length;
  const axes = view.shape.map((_, d) => d).slice(view.shape.length - rank);
  const squared = lower.compute('squared', [view], dtype, ([x]) => `${x} * ${x}`);
  const squares = lower.reduce('squares', squared, axes, 'sum', { keepdim: true });
  const scale = inverseRoot(lower, squares, dtype, elementsAlong(view, axes), lower.number('eps'));
  const normalised = lower.compute('normalised', [view, scale], dtype, ([x, r]) => `${x} * ${r}`);
  lower.output(affine(lower, normalised, lower.has('weight') ? lower.input(1) : undefined, undefined));
}

/** A [C] vector that broadcasts along dimension 1 of a tensor of this rank. */
const perChannel = (lower: Lowering, rank: number) => (view: View) =>
  lower.reshape(
    view,
    Array.from({ length: rank }, (_, d) => (d === 1 ? view.shape[0]! : 1)),
  );

function batchNorm(lower: Lowering): void {
  const view = lower.input(0);
  const dtype = lower.dtype(view);
  const channel = perChannel(lower, view.shape.length);
  const eps = lower.number('eps');
  if (lower.has('training')) {
    const axes = view.shape.map((_, d) => d).filter((d) => d !== 1);
    const { weight, bias } = affineOperands(lower, 1, channel);
    lower.output(affine(lower, standardise(lower, view, axes, eps), weight, bias));
    return;
  }
  const [runningMean, runningVar] = [channel(lower.input(1)), channel(lower.input(2))];
  const { weight, bias } = affineOperands(lower, 3, channel);
  const normalised = lower.compute(
    'normalised',
    [view, runningMean, runningVar],
    dtype,
    ([x, m, v], type) => `(${x} - ${m}) * ${mathFunction('rsqrt', type)}(${v} + ${literal(eps, type)})`,
  );
  lower.output(affine(lower, normalised, weight, bias));
}

/** group_norm, and instance_norm as one group a channel: statistics over the last dimension of [N, G, elements]. */
function groupNorm(lower: Lowering, groups: number): void {
  const view = lower.input(0);
  const [n, c] = [view.shape[0]!, view.shape[1]!];
  const grouped = lower.reshape(view, [n, groups, product(view.shape) / (n * groups)]);
  const normalised = lower.reshape(standardise(lower, grouped, [2], lower.number('eps')), view.shape);
  const { weight, bias } = affineOperands(lower, 1, perChannel(lower, view.shape.length));
  if (c % groups !== 0) lower.fail(`${c} channels do not divide into ${groups} groups`);
  lower.output(affine(lower, normalised, weight, bias));
}

export const reductionRules: Readonly<Record<string, Rule>> = {
  sum: folded('sum'),
  prod: folded('prod'),
  max: folded('max'),
  min: folded('min'),
  any: logical('any'),
  all: logical('all'),
  argmax: best('argmax'),
  argmin: best('argmin'),
  mean: (lower) => lower.output(mean(lower, lower.input(0), lower.numbers('dims'), lower.has('keepdim'))),
  var: (lower) => variance(lower, false),
  std: (lower) => variance(lower, true),
  norm,
  logsumexp,
  softmax,
  log_softmax: (lower) => lower.output(logSoftmax(lower, lower.input(0), lower.number('dim')).result()),
  layer_norm: layerNorm,
  rms_norm: rmsNorm,
  batch_norm: batchNorm,
  group_norm: (lower) => groupNorm(lower, lower.number('num_groups')),
  instance_norm: (lower) => groupNorm(lower, lower.input(0).shape[1]!),
};
