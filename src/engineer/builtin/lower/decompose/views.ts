/** Views and rearrangements: free where strides can say them, otherwise maps with indices or guarded reads. */
import { padIndex } from '../../../../task/index.ts';
import type { Operand, View } from '../program.ts';
import { attributeNumber, literal } from '../scalar.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';
import { foldTaps, type TappedDimension, transposedTaps } from './taps.ts';

/** The coordinate along one dimension of a shape, as an operand. */
function coordinate(shape: readonly number[], dim: number, offset = 0): Operand {
  return { kind: 'index', strides: shape.map((_, d) => (d === dim ? 1 : 0)), offset };
}

const lazyLoad = (view: View): Operand => ({
  kind: 'load',
  lazy: true,
  value: view.value,
  strides: view.strides,
  offset: view.offset,
});

/** Views one after the other along a dimension; nothing is copied where there is one. */
export function joined(lower: Lowering, label: string, views: readonly View[], dim: number): View {
  const size = views.reduce((sum, view) => sum + view.shape[dim]!, 0);
  const shape = views[0]!.shape.map((own, d) => (d === dim ? size : own));
  return views.length === 1 ? views[0]! : concatenate(lower, label, views, dim, shape);
}

/** cat: each element reads the one operand that holds it. */
function concatenate(
  lower: Lowering,
  label: string,
  views: readonly View[],
  dim: number,
  shape: readonly number[] = lower.outputShape(),
): View {
  const dtype = lower.dtype(views[0]!);
  const starts: number[] = [];
  let start = 0;
  for (const view of views) {
    starts.push(start);
    start += view.shape[dim]!;
  }
  return lower.map(
    [],
    dtype,
    ([position, ...reads]) =>
      reads
        .slice(1)
        .reduce(
          (rest, read, k) => `(${position!.text} >= ${starts[k + 1]} ? ${read.at('0')} : ${rest})`,
          reads[0]!.at('0'),
        ),
    {
      label,
      shape,
      more: [
        coordinate(shape, dim),
        ...views.map((view, k) => lazyLoad({ ...view, offset: view.offset - starts[k]! * view.strides[dim]! })),
      ],
    },
  );
}

function stack(lower: Lowering): View {
  const dim = lower.number('dim');
  const shape = lower.outputShape();
  const views = lower.node.inputs.map((_, k) => {
    const view = lower.input(k);
    const strides = [...view.strides];
    strides.splice(dim, 0, 0);
    return { ...view, shape: shape.map((size, d) => (d === dim ? 1 : size)), strides };
  });
  return concatenate(lower, 'stack', views, dim);
}

/** For each padded dimension, the element that every position repeats. */
function repeatedBorders(lower: Lowering, size: readonly number[]): TappedDimension[] {
  const mode = String(lower.node.attributes.mode);
  const [before, after] = [lower.numbers('before'), lower.numbers('after')];
  return size.flatMap((own, dim) => {
    if (before[dim] === 0 && after[dim] === 0) return [];
    const length = own + before[dim]! + after[dim]!;
    const taps = Array.from({ length }, (_, i) => [{ at: padIndex(i - before[dim]!, own, mode), weight: 1 }]);
    return [{ dim, taps }];
  });
}

/** The gradient of padding that repeats elements: the sum over an element's copies. */
function padGradient(lower: Lowering): View {
  const size = lower.numbers('size');
  const dimensions = repeatedBorders(lower, size).map(({ dim, taps }) => ({
    dim,
    taps: transposedTaps(taps, size[dim]!),
  }));
  return foldTaps(lower, [lower.input(0)], dimensions, { label: 'pad_backward', fold: 'sum', outside: 0 });
}

function pad(lower: Lowering): View {
  const view = lower.input(0);
  if (lower.node.attributes.mode !== 'constant')
    return foldTaps(lower, [view], repeatedBorders(lower, view.shape), { label: 'pad', fold: 'sum', outside: 0 });
  const before = lower.numbers('before');
  const after = lower.numbers('after');
  const shape = lower.outputShape();
  const value = attributeNumber(lower.node.attributes.value);
  const guarded = shape.map((_, d) => d).filter((d) => before[d]! > 0 || after[d]! > 0);
  const shifted = { ...view, offset: view.offset - before.reduce((sum, own, d) => sum + own * view.strides[d]!, 0) };
  return lower.map(
    [],
    lower.dtype(view),
    ([read, ...at], type) => {
      const inside = at.map((index, k) => `${index.text} >= 0 && ${index.text} < ${view.shape[guarded[k]!]}`);
      return inside.length ? `(${inside.join(' && ')} ? ${read!.at('0')} : ${literal(value, type)})` : read!.at('0');
    },
    { label: 'pad', shape, more: [lazyLoad(shifted), ...guarded.map((d) => coordinate(shape, d, -before[d]!))] },
  );
}

/** tril keeps column - row <= diagonal, triu >=. */
const triangle =
  (comparison: '<=' | '>='): Rule =>
  (lower) => {
    const view = lower.input(0);
    const rank = view.shape.length;
    const distance: Operand = {
      kind: 'index',
      strides: view.shape.map((_, d) => (d === rank - 1 ? 1 : d === rank - 2 ? -1 : 0)),
      offset: 0,
    };
    const diagonal = lower.number('diagonal');
    lower.output(
      lower.map(
        [view],
        lower.dtype(view),
        ([x, d], type) => `(${d!.text} ${comparison} ${diagonal} ? ${x!.text} : ${literal(0, type)})`,
        { label: lower.node.op, shape: view.shape, more: [distance] },
      ),
    );
  };

const flip = (lower: Lowering): View =>
  lower.numbers('dims').reduce((view, dim) => lower.flip(view, dim), lower.input(0));

function roll(lower: Lowering): View {
  const shifts = lower.numbers('shifts');
  let view = lower.input(0);
  lower.numbers('dims').forEach((dim, k) => {
    const size = view.shape[dim]!;
    const shift = ((shifts[k]! % size) + size) % size;
    const [source, shape] = [view, view.shape];
    const stride = source.strides[dim]!;
    view = lower.map(
      [],
      lower.dtype(source),
      ([at, wrapped, direct]) => `(${at!.text} < ${shift} ? ${wrapped!.at('0')} : ${direct!.at('0')})`,
      {
        label: 'roll',
        shape,
        more: [
          coordinate(shape, dim),
          lazyLoad({ ...source, offset: source.offset + (size - shift) * stride }),
          lazyLoad({ ...source, offset: source.offset - shift * stride }),
        ],
      },
    );
  });
  return view;
}

function diagonal(lower: Lowering): View {
  const view = lower.input(0);
  const [offset, dim1, dim2] = [lower.number('offset'), lower.number('dim1'), lower.number('dim2')];
  const rest = view.shape.map((_, d) => d).filter((d) => d !== dim1 && d !== dim2);
  return {
    value: view.value,
    shape: lower.outputShape(),
    offset: view.offset + (offset >= 0 ? offset * view.strides[dim2]! : -offset * view.strides[dim1]!),
    strides: [...rest.map((d) => view.strides[d]!), view.strides[dim1]! + view.strides[dim2]!],
  };
}

/** diag_embed: the diagonal of a square matrix, zeros elsewhere. */
function diagEmbed(lower: Lowering): View {
  const view = lower.input(0);
  const offset = lower.number('offset');
  const shape = lower.outputShape();
  const rank = shape.length;
  const along = view.strides.at(-1)!;
  // Element i of the diagonal lies at row i - min(offset, 0): read along the row.
  const read = lazyLoad({
    ...view,
    strides: [...view.strides.slice(0, -1), along, 0],
    offset: view.offset + Math.min(offset, 0) * along,
  });
  const distance: Operand = {
    kind: 'index',
    strides: shape.map((_, d) => (d === rank - 1 ? 1 : d === rank - 2 ? -1 : 0)),
    offset: 0,
  };
  return lower.map(
    [],
    lower.dtype(view),
    ([d, x], type) => `(${d!.text} == ${offset} ? ${x!.at('0')} : ${literal(0, type)})`,
    { label: 'diag_embed', shape, more: [distance, read] },
  );
}

function unfold(lower: Lowering): View {
  const view = lower.input(0);
  const [dim, step] = [lower.number('dim'), lower.number('step')];
  return {
    ...view,
    shape: lower.outputShape(),
    strides: [...view.strides.map((own, d) => (d === dim ? own * step : own)), view.strides[dim]!],
  };
}

/** Reads x at an index tensor along one dimension. `index` broadcasts to the output; x's other coordinates come from it. */
function gatherAlong(
  lower: Lowering,
  x: View,
  index: View,
  xStrides: readonly number[],
  stride: number,
  size: number,
): View {
  const shape = lower.outputShape();
  return lower.map(
    [index],
    lower.dtype(x),
    // Negative indices count from the end.
    ([i, read]) => read!.at(`(${i!.text} < 0 ? ${i!.text} + ${size} : ${i!.text}) * ${stride}`),
    {
      label: lower.node.op,
      shape,
      more: [{ kind: 'load', lazy: true, value: x.value, strides: xStrides, offset: x.offset }],
    },
  );
}

function gather(lower: Lowering): View {
  const [x, index, dim] = [lower.input(0), lower.input(1), lower.number('dim')];
  const strides = x.strides.map((own, d) => (d === dim ? 0 : own));
  return gatherAlong(lower, x, index, strides, x.strides[dim]!, x.shape[dim]!);
}

function indexSelect(lower: Lowering): View {
  const [x, index, dim] = [lower.input(0), lower.input(1), lower.number('dim')];
  const strides = x.strides.map((own, d) => (d === dim ? 0 : own));
  const along = lower.reshape(
    index,
    x.shape.map((_, d) => (d === dim ? index.shape[0]! : 1)),
  );
  return gatherAlong(lower, x, along, strides, x.strides[dim]!, x.shape[dim]!);
}

function embedding(lower: Lowering): View {
  const [index, weight] = [lower.input(0), lower.input(1)];
  const along = lower.reshape(index, [...index.shape, 1]);
  const strides = [...index.shape.map(() => 0), weight.strides[1]!];
  return gatherAlong(lower, weight, along, strides, weight.strides[0]!, weight.shape[0]!);
}

function oneHot(lower: Lowering): View {
  const shape = lower.outputShape();
  const view = lower.input(0);
  return lower.map(
    [lower.reshape(view, [...view.shape, 1])],
    'int64',
    ([x, c]) => `(${x!.text} == ${c!.text} ? 1 : 0)`,
    { label: 'one_hot', shape, more: [coordinate(shape, shape.length - 1)] },
  );
}

/** slice_scatter and select_scatter: x, with the elements start, start + step, ... along dim taken from src. */
function scatterSlice(lower: Lowering, src: View, dim: number, start: number, end: number, step: number): View {
  const x = lower.input(0);
  const shape = x.shape;
  const along = src.strides[dim]!;
  return lower.map(
    [x],
    lower.dtype(x),
    ([own, at, read]) => {
      const position = `(${at!.text} - ${start})`;
      const taken = `${at!.text} >= ${start} && ${at!.text} < ${end}${step === 1 ? '' : ` && ${position} % ${step} == 0`}`;
      return `(${taken} ? ${read!.at(`${position} / ${step} * ${along}`)} : ${own!.text})`;
    },
    {
      label: lower.node.op,
      shape,
      more: [
        coordinate(shape, dim),
        lazyLoad({ ...src, shape, strides: src.strides.map((own, d) => (d === dim ? 0 : own)) }),
      ],
    },
  );
}

const view =
  (make: (lower: Lowering) => View): Rule =>
  (lower) =>
    lower.output(make(lower));

export const viewRules: Readonly<Record<string, Rule>> = {
  reshape: view((lower) => lower.reshape(lower.input(0), lower.outputShape())),
  permute: view((lower) => lower.permute(lower.input(0), lower.numbers('dims'))),
  expand: view((lower) => lower.expand(lower.input(0), lower.outputShape())),
  slice: view((lower) => {
    const dim = lower.number('dim');
    return lower.slice(lower.input(0), dim, lower.number('start'), lower.outputShape()[dim]!, lower.number('step'));
  }),
  select: view((lower) => {
    const dim = lower.number('dim');
    return lower.reshape(lower.slice(lower.input(0), dim, lower.number('index'), 1), lower.outputShape());
  }),
  slice_scatter: view((lower) =>
    scatterSlice(
      lower,
      lower.input(1),
      lower.number('dim'),
      lower.number('start'),
      lower.number('end'),
      lower.number('step'),
    ),
  ),
  select_scatter: view((lower) => {
    const [dim, index] = [lower.number('dim'), lower.number('index')];
    const src = lower.reshape(
      lower.input(1),
      lower.outputShape().map((size, d) => (d === dim ? 1 : size)),
    );
    return scatterSlice(lower, src, dim, index, index + 1, 1);
  }),
  cat: view((lower) =>
    concatenate(
      lower,
      'cat',
      lower.node.inputs.map((_, k) => lower.input(k)),
      lower.number('dim'),
    ),
  ),
  stack: view(stack),
  pad: view(pad),
  pad_backward: view(padGradient),
  tril: triangle('<='),
  triu: triangle('>='),
  flip: view(flip),
  roll: view(roll),
  diagonal: view(diagonal),
  diag_embed: view(diagEmbed),
  unfold: view(unfold),
  gather: view(gather),
  index_select: view(indexSelect),
  embedding: view(embedding),
  one_hot: view(oneHot),
};
