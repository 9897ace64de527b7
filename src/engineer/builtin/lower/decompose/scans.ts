/** Running folds along a dimension, and their gradients, which are running folds from the end. */
import type { ScanName } from '../folds.ts';
import type { View } from '../program.ts';
import { type ComputeType, literal, mathFunction } from '../scalar.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';

/** The view and the axis; a zero-dimensional tensor is a line of one. */
function line(lower: Lowering, k = 0): { view: View; axis: number } {
  const view = lower.input(k);
  if (view.shape.length === 0) return { view: lower.reshape(view, [1]), axis: 0 };
  return { view, axis: lower.number('dim') };
}

const running =
  (fold: ScanName): Rule =>
  (lower) => {
    const { view, axis } = line(lower);
    const result = lower.scan(lower.node.op, [view], axis, fold, lower.outputDtype());
    lower.output(lower.reshape(result, lower.outputShape()));
  };

/** A view moved along an axis by one, with `edge` where nothing comes in. `by` 1: each element sees the one after it. */
function neighbour(lower: Lowering, view: View, axis: number, by: 1 | -1, edge: number): View {
  const length = view.shape[axis]!;
  const moved = { ...view, offset: view.offset + by * view.strides[axis]! };
  return lower.map(
    [],
    lower.dtype(view),
    ([at, read], type) => {
      const inside = by === 1 ? `${at!.text} < ${length - 1}` : `${at!.text} > 0`;
      return `(${inside} ? ${read!.at('0')} : ${literal(edge, type)})`;
    },
    {
      ...{ label: 'neighbour', shape: view.shape },
      more: [
        { kind: 'index', strides: view.shape.map((_, d) => (d === axis ? 1 : 0)), offset: 0 },
        { kind: 'load', lazy: true, value: moved.value, strides: moved.strides, offset: moved.offset },
      ],
    },
  );
}

/** s[k] = d[k] + a[k] s[k+1]: the recurrence of these gradients, from the end of a line. */
function fromTheEnd(lower: Lowering, factor: View, gradient: View, axis: number): View {
  const flipped = [factor, gradient].map((view) =>
    lower.flip(lower.isWhole(view) ? view : lower.materialise(view), axis),
  );
  return lower.flip(lower.scan('from_the_end', flipped, axis, 'affine', lower.dtype(gradient)), axis);
}

/** dx[k] = (x[0] ... x[k-1]) s[k], with s[k] = d[k] + x[k+1] s[k+1]: divides by nothing, so zeros are no special case. */
function productGradient(lower: Lowering): void {
  const { view: x, axis } = line(lower);
  const { view: gradient } = line(lower, 1);
  const dtype = lower.dtype(x);
  const after = fromTheEnd(lower, neighbour(lower, x, axis, 1, 0), gradient, axis);
  const before = lower.scan('product_before', [neighbour(lower, x, axis, -1, 1)], axis, 'prod', dtype);
  const result = lower.compute('cumprod_backward', [before, after], dtype, ([p, s]) => `${p} * ${s}`);
  lower.output(lower.reshape(result, lower.outputShape()));
}

/** exp(p - q), where -inf, a sum of nothing, passes nothing, and equals pass all. */
const ratio = ([p, q]: readonly string[], type: ComputeType): string =>
  `(${p} == ${literal(-Infinity, type)} ? ${literal(0, type)} : (${p} == ${q} ? ${literal(1, type)} : ${mathFunction('exp', type)}(${p} - ${q})))`;

/** dx[k] = exp(x[k] - y[k]) t[k], with y the running logsumexp and t[k] = d[k] + exp(y[k] - y[k+1]) t[k+1]. */
function logSumGradient(lower: Lowering): void {
  const { view: x, axis } = line(lower);
  const { view: gradient } = line(lower, 1);
  const dtype = lower.dtype(x);
  const y = lower.scan('running', [x], axis, 'max_sum_exp', dtype);
  const passed = lower.compute('passed', [y, neighbour(lower, y, axis, 1, Infinity)], dtype, ratio);
  const after = fromTheEnd(lower, passed, gradient, axis);
  const share = lower.compute('share', [x, y], dtype, ratio);
  const result = lower.compute('logcumsumexp_backward', [share, after], dtype, ([r, t]) => `${r} * ${t}`);
  lower.output(lower.reshape(result, lower.outputShape()));
}

/** Each position's gradient goes to where the extreme so far was last seen: an element sums what points at it. */
const extremeGradient =
  (fold: 'argmax_last' | 'argmin_last'): Rule =>
  (lower) => {
    const { view: x, axis } = line(lower);
    const { view: gradient } = line(lower, 1);
    const length = x.shape[axis]!;
    const seen = lower.scan('last_seen', [x], axis, fold, 'int32');
    // Domain: the element, then along the line the positions that may point at it.
    const domain = [...x.shape, length];
    const along = (view: View): View => ({
      ...view,
      shape: domain,
      strides: [...view.strides.map((own, d) => (d === axis ? 0 : own)), view.strides[axis]!],
    });
    const terms = lower.map(
      [along(gradient), along(seen)],
      lower.dtype(x),
      ([d, place, own], type) => `(${place!.text} == ${own!.text} ? ${d!.text} : ${literal(0, type)})`,
      {
        ...{ label: 'pointing', shape: domain, virtual: true },
        more: [{ kind: 'index', strides: domain.map((_, d) => (d === axis ? 1 : 0)), offset: 0 }],
      },
    );
    lower.output(lower.reshape(lower.reduce(lower.node.op, terms, [domain.length - 1], 'sum'), lower.outputShape()));
  };

export const scanRules: Readonly<Record<string, Rule>> = {
  cumsum: running('sum'),
  cumprod: running('prod'),
  cummax: running('max'),
  cummin: running('min'),
  logcumsumexp: running('max_sum_exp'),
  cumprod_backward: productGradient,
  logcumsumexp_backward: logSumGradient,
  cummax_backward: extremeGradient('argmax_last'),
  cummin_backward: extremeGradient('argmin_last'),
};
