/**
 * scatter: every element of the result looks for what points at it, along the scattered dimension in order. So sums have one
 * order, and of several plain writes to one place the last wins, as where PyTorch runs them one after another.
 */
import type { Operand, View } from '../program.ts';
import { literal } from '../scalar.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';

function scatter(lower: Lowering): void {
  const [x, index, src, dim] = [lower.input(0), lower.input(1), lower.input(2), lower.number('dim')];
  const dtype = lower.dtype(x);
  // Domain: the result's elements, then the indices along the dimension.
  const domain = [...x.shape, index.shape[dim]!];
  const last = x.shape.length;
  const along = (view: View) => [...view.strides.map((own, d) => (d === dim ? 0 : own)), view.strides[dim]!];
  const reading = (view: View): Operand => ({
    ...{ kind: 'load', lazy: true, value: view.value, offset: view.offset },
    strides: along(view),
  });
  const coordinate = (d: number): Operand => ({
    ...{ kind: 'index', offset: 0 },
    strides: domain.map((_, k) => (k === d ? 1 : 0)),
  });
  // The index may be smaller than x in the other dimensions: what lies beyond it is not written.
  const short = x.shape.flatMap((size, d) => (d !== dim && index.shape[d]! < size ? [d] : []));
  const inside = (at: readonly { text: string }[]) =>
    short.map((d, k) => `${at[k]!.text} < ${index.shape[d]} && `).join('');
  if (lower.node.attributes.reduce === 'add') {
    const terms = lower.map(
      [],
      dtype,
      ([place, from, own, ...at], type) =>
        `(${inside(at)}${place!.at('0')} == ${own!.text} ? ${from!.at('0')} : ${literal(0, type)})`,
      {
        ...{ label: 'pointing', shape: domain, virtual: true },
        more: [reading(index), reading(src), coordinate(dim), ...short.map(coordinate)],
      },
    );
    const total = lower.reduce('scattered', terms, [last], 'sum');
    lower.output(lower.compute('scatter', [x, total], dtype, ([own, sum]) => `${own} + ${sum}`));
    return;
  }
  const places = lower.map(
    [],
    'int32',
    ([place, own, i, ...at]) => `(${inside(at)}${place!.at('0')} == ${own!.text} ? ${i!.text} : -1)`,
    {
      ...{ label: 'pointing', shape: domain, virtual: true },
      more: [reading(index), coordinate(dim), coordinate(last), ...short.map(coordinate)],
    },
  );
  const writer = lower.reduce('writer', places, [last], 'max');
  const read: Operand = {
    ...{ kind: 'load', lazy: true, value: src.value, offset: src.offset },
    strides: src.strides.map((own, d) => (d === dim ? 0 : own)),
  };
  lower.output(
    lower.map(
      [x, writer],
      dtype,
      ([own, i, from]) => `(${i!.text} < 0 ? ${own!.text} : ${from!.at(`${i!.text} * ${src.strides[dim]}`)})`,
      { label: 'scatter', shape: x.shape, more: [read] },
    ),
  );
}

export const scatterRules: Readonly<Record<string, Rule>> = { scatter };
