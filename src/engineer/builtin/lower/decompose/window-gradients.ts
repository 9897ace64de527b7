/** Gradients of windows and of what repeats elements: each element gathers from the windows that held it. */
import type { Operand, View } from '../program.ts';
import { literal } from '../scalar.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';
import { foldTaps, positionWithin, type Tap, type TappedDimension, transposedTaps, windowTaps } from './taps.ts';
import { adaptiveSpan, averagedElements, interpolationTaps } from './windows.ts';

/** One spatial dimension of a pooling node. */
interface PooledDimension {
  span: (o: number) => { first: number; count: number; step: number };
  /** Elements that an average divides by. */
  divisor: (o: number) => number;
}

/** The windows of a node over an input of these sizes, with so many outputs. */
type Windows = (lower: Lowering, size: readonly number[], outputs: readonly number[]) => PooledDimension[];

const strided: Windows = (lower, size) =>
  lower.numbers('kernel').map((kernel, d) => {
    const [stride, padding] = [lower.numbers('stride')[d]!, lower.numbers('padding')[d]!];
    const step = lower.node.attributes.dilation === undefined ? 1 : lower.numbers('dilation')[d]!;
    const window = { size: size[d]!, kernel, stride, padding, includePad: lower.has('count_include_pad') };
    return {
      span: (o) => ({ first: o * stride - padding, count: kernel, step }),
      divisor: (o) => averagedElements(o, window),
    };
  });

const adaptive: Windows = (_lower, size, outputs) =>
  size.map((own, d) => ({
    span: (o) => ({ ...adaptiveSpan(o, own, outputs[d]!), step: 1 }),
    divisor: (o) => adaptiveSpan(o, own, outputs[d]!).count,
  }));

/** A dimension's taps, turned round: for each of `size` elements, what was made of it. */
const turned = (own: TappedDimension, size: number): TappedDimension => ({
  dim: own.dim,
  taps: transposedTaps(own.taps, size),
});

/** The last dimensions of a gradient's shape, as many as the node's windows have. */
const spatialOf = (lower: Lowering, gradient: View): number[] => {
  const { kernel, output_size: sizes } = lower.node.attributes;
  const count = Array.isArray(kernel) ? kernel.length : Array.isArray(sizes) ? sizes.length : 0;
  return gradient.shape.map((_, d) => d).slice(gradient.shape.length - count);
};

/** d goes to the first greatest element of its window in row-major order; a NaN is greatest. */
const maxGradient =
  (windowsOf: Windows): Rule =>
  (lower) => {
    const [x, gradient] = [lower.materialise(lower.input(0)), lower.materialise(lower.input(1))];
    const spatial = spatialOf(lower, gradient);
    const size = spatial.map((d) => x.shape[d]!);
    const outputs = spatial.map((d) => gradient.shape[d]!);
    const windows = windowsOf(lower, size, outputs);
    const taps = spatial.map(
      (dim, d): TappedDimension => ({ dim, taps: windowTaps(outputs[d]!, size[d]!, windows[d]!.span) }),
    );
    const peak = foldTaps(lower, [x], taps, { label: 'peak', fold: 'max', outside: -Infinity });
    const beside: Operand = { kind: 'load', value: peak.value, strides: peak.strides, offset: peak.offset };
    const winner = foldTaps(lower, [x], taps, {
      ...{ label: 'winner', fold: 'min', dtype: 'int32', outside: 2147483647, more: [beside] },
      term: ([value], place, [top]) => `(${value} == ${top!.text} || ${value} != ${value} ? ${place} : 2147483647)`,
    });
    lower.output(
      foldTaps(
        lower,
        [gradient, winner],
        taps.map((own, d) => turned(own, size[d]!)),
        {
          ...{ label: lower.node.op, fold: 'sum', outside: 0 },
          more: [positionWithin(x.shape, spatial)],
          term: ([d, place], _at, [here], type) => `(${place} == ${here!.text} ? ${d} : ${literal(0, type)})`,
        },
      ),
    );
  };

/** d is shared over its window. */
const averageGradient =
  (windowsOf: Windows): Rule =>
  (lower) => {
    const gradient = lower.input(0);
    const spatial = spatialOf(lower, gradient);
    const size = lower.numbers('size');
    const fixed = lower.node.attributes.divisor;
    const windows = windowsOf(
      lower,
      spatial.map((d) => size[d]!),
      spatial.map((d) => gradient.shape[d]!),
    );
    const back = spatial.map((dim, d) => {
      const { span, divisor } = windows[d]!;
      const weight = (o: number) => (typeof fixed === 'number' ? 1 : 1 / divisor(o));
      return turned({ dim, taps: windowTaps(gradient.shape[dim]!, size[dim]!, span, weight) }, size[dim]!);
    });
    const total = foldTaps(lower, [gradient], back, { label: lower.node.op, fold: 'sum', outside: 0 });
    const divided = ([s]: readonly string[], type: Parameters<typeof literal>[1]) =>
      `${s} / ${literal(Number(fixed), type)}`;
    lower.output(typeof fixed === 'number' ? lower.compute('shared', [total], lower.dtype(total), divided) : total);
  };

function interpolateGradient(lower: Lowering): void {
  const gradient = lower.input(0);
  const size = lower.numbers('size');
  const back = interpolationTaps(lower, size.slice(2)).map((own) => turned(own, size[own.dim]!));
  lower.output(foldTaps(lower, [gradient], back, { label: lower.node.op, fold: 'sum', outside: 0 }));
}

/** Columns added back to the image they were taken from. d: [N, C*kh*kw, rows*across]. */
function columnsToImage(lower: Lowering): void {
  const [kernel, stride] = [lower.numbers('kernel'), lower.numbers('stride')];
  const [padding, dilation] = [lower.numbers('padding'), lower.numbers('dilation')];
  const shape = lower.outputShape();
  const counts = kernel.map((k, d) => {
    const room = shape[2 + d]! + 2 * padding[d]! - dilation[d]! * (k - 1) - 1;
    return Math.floor(room / stride[d]!) + 1;
  });
  const columns = lower.reshape(lower.input(0), [shape[0]!, shape[1]!, ...kernel, ...counts]);
  // An element (y, z) was tap k of window r where r*s - p + k*d = y: its place is one offset along both dimensions.
  const dimensions = kernel.map((k, d): TappedDimension => {
    const taps: Tap[][] = Array.from({ length: shape[2 + d]! }, () => []);
    for (let r = 0; r < counts[d]!; r++)
      for (let t = 0; t < k; t++)
        taps[r * stride[d]! - padding[d]! + t * dilation[d]!]?.push({
          at: t * columns.strides[2 + d]! + r * columns.strides[4 + d]!,
          weight: 1,
        });
    return { dim: 2 + d, taps };
  });
  const flat: View = { ...columns, shape: columns.shape.slice(0, 4), strides: [...columns.strides.slice(0, 2), 1, 1] };
  lower.output(foldTaps(lower, [flat], dimensions, { label: 'col2im', fold: 'sum', outside: 0 }));
}

/** Windows along `dim`, their elements last, added back: element i was element i - w*step of window w. */
function unfoldGradient(lower: Lowering): void {
  const gradient = lower.input(0);
  const [dim, step, length] = [lower.number('dim'), lower.number('step'), lower.number('length')];
  const [window, element] = [gradient.strides[dim]!, gradient.strides.at(-1)!];
  const taps = Array.from({ length }, (_, i): Tap[] =>
    Array.from({ length: gradient.shape[dim]! }, (_, w) => ({ w, inside: i - w * step }))
      .filter(({ inside }) => inside >= 0 && inside < gradient.shape.at(-1)!)
      .map(({ w, inside }) => ({ at: w * window + inside * element, weight: 1 })),
  );
  const flat: View = {
    ...gradient,
    shape: gradient.shape.slice(0, -1),
    strides: gradient.strides.slice(0, -1).map((own, d) => (d === dim ? 1 : own)),
  };
  lower.output(foldTaps(lower, [flat], [{ dim, taps }], { label: 'unfold_backward', fold: 'sum', outside: 0 }));
}

export const windowGradientRules: Readonly<Record<string, Rule>> = {
  max_pool_backward: maxGradient(strided),
  adaptive_max_pool_backward: maxGradient(adaptive),
  avg_pool_backward: averageGradient(strided),
  adaptive_avg_pool_backward: averageGradient(adaptive),
  interpolate_backward: interpolateGradient,
  col2im: columnsToImage,
  unfold_backward: unfoldGradient,
};
