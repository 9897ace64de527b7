/** sort and topk: in shared memory where a line fits, otherwise by counting how many elements come before each. */
import { sortSharedBytes } from '../emit/sort-kernel.ts';
import type { Operand, View } from '../program.ts';
import { isFloating, literal, storage } from '../scalar.ts';
import { type Lowering, mostShared } from './context.ts';
import type { Rule } from './pointwise.ts';

/** Values and places (int64) of each line along an axis in order, the first `keep` of them. */
function sorted(lower: Lowering, view: View, axis: number, descending: boolean, keep: number): [View, View] {
  const length = view.shape[axis]!;
  const dtype = lower.dtype(view);
  const wide = ['double', 'long long'].includes(storage[dtype].compute);
  if (sortSharedBytes(length, wide) > mostShared) return ranked(lower, view, axis, descending, keep);
  const [values, places] = [lower.result('sorted', view.shape, dtype), lower.result('places', view.shape, 'int64')];
  const { value, strides, offset } = view;
  lower.own({
    ...{ kind: 'sort', outs: [values.value, places.value], domain: view.shape, axis, descending },
    input: { value, strides, offset },
  });
  const cut = (own: View) => (keep === length ? own : lower.slice(own, axis, 0, keep));
  return [cut(values), cut(places)];
}

/** Long lines: an element's rank is the number of elements before it; the place of rank r is the element that has it. */
function ranked(lower: Lowering, view: View, axis: number, descending: boolean, keep: number): [View, View] {
  const length = view.shape[axis]!;
  const rank = view.shape.length;
  const overPairs = (own: View, fixed: boolean, shape: readonly number[]): View => ({
    ...own,
    shape,
    strides: [...own.strides.map((stride, d) => (d === axis && !fixed ? 0 : stride)), fixed ? 0 : own.strides[axis]!],
  });
  const coordinate = (shape: readonly number[], dim: number): Operand => ({
    ...{ kind: 'index', offset: 0 },
    strides: shape.map((_, d) => (d === dim ? 1 : 0)),
  });
  const pairs = [...view.shape, length];
  const floating = isFloating(storage[lower.dtype(view)].compute);
  const before = lower.map(
    [overPairs(view, true, pairs), overPairs(view, false, pairs)],
    'int32',
    ([own, other, i, j]) => {
      const [x, y] = [own!.text, other!.text];
      const ahead = `${y} ${descending ? '>' : '<'} ${x} || (${y} == ${x} && ${j!.text} < ${i!.text})`;
      if (!floating) return `(${ahead} ? 1 : 0)`;
      // NaN is greatest, and equal to itself.
      const nans = `(${y} != ${y} ? (${x} != ${x} ? ${j!.text} < ${i!.text} : ${descending}) : ${!descending})`;
      return `((${x} != ${x} || ${y} != ${y} ? ${nans} : (${ahead})) ? 1 : 0)`;
    },
    { label: 'before', shape: pairs, virtual: true, more: [coordinate(pairs, axis), coordinate(pairs, rank)] },
  );
  const ranks = lower.reduce('rank', before, [rank], 'sum');
  const kept = view.shape.map((size, d) => (d === axis ? keep : size));
  const searched = [...kept, length];
  const found = lower.map(
    [overPairs(ranks, false, searched)],
    'int64',
    ([own, r, i], type) => `(${own!.text} == ${r!.text} ? ${i!.text} : ${literal(0, type)})`,
    { label: 'found', shape: searched, virtual: true, more: [coordinate(searched, axis), coordinate(searched, rank)] },
  );
  const places = lower.reduce('places', found, [rank], 'sum');
  const values = lower.map(
    [places],
    lower.dtype(view),
    ([place, read]) => read!.at(`${place!.text} * ${view.strides[axis]}`),
    {
      ...{ label: 'sorted', shape: kept },
      more: [
        {
          ...{ kind: 'load', lazy: true, value: view.value, offset: view.offset },
          strides: view.strides.map((own, d) => (d === axis ? 0 : own)),
        },
      ],
    },
  );
  return [values, places];
}

const ordering =
  (direction: 'descending' | 'largest'): Rule =>
  (lower) => {
    const view = lower.input(0);
    const facing = view.shape.length === 0 ? lower.reshape(view, [1]) : view;
    const axis = view.shape.length === 0 ? 0 : lower.number('dim');
    const keep = direction === 'largest' ? lower.number('k') : facing.shape[axis]!;
    sorted(lower, facing, axis, lower.has(direction), keep).forEach((result, k) => {
      lower.output(lower.reshape(result, lower.outputShape(k)), k);
    });
  };

export const orderingRules: Readonly<Record<string, Rule>> = {
  sort: ordering('descending'),
  topk: ordering('largest'),
};
