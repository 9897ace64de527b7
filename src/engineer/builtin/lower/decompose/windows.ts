/** Pooling and resampling: a guarded read over (outputs x window), folded. */
import { interpolationWeights } from '../../../../task/index.ts';
import type { Operand, View } from '../program.ts';
import { literal } from '../scalar.ts';
import { product } from '../strides.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';
import { foldTaps, type TappedDimension, windowTaps } from './taps.ts';

interface Window {
  kernel: readonly number[];
  stride: readonly number[];
  padding: readonly number[];
  dilation: readonly number[];
}

/** Folds x's windows; positions outside x count as `outside`. */
function pool(lower: Lowering, window: Window, fold: 'sum' | 'max', outside: number): View {
  const x = lower.input(0);
  const { kernel, stride, padding, dilation } = window;
  const outputShape = lower.outputShape();
  const out = outputShape.slice(2);
  const domain = [...outputShape, ...kernel];
  const spatial = x.strides.slice(2);
  const strides = [
    x.strides[0]!,
    x.strides[1]!,
    ...spatial.map((own, d) => own * stride[d]!),
    ...spatial.map((own, d) => own * dilation[d]!),
  ];
  const offset = x.offset - spatial.reduce((sum, own, d) => sum + own * padding[d]!, 0);
  // A dimension needs a guard where its last window may leave x (padding, ceil_mode).
  const guarded = out
    .map((_, d) => d)
    .filter((d) => padding[d]! > 0 || (out[d]! - 1) * stride[d]! + (kernel[d]! - 1) * dilation[d]! >= x.shape[2 + d]!);
  const positions: Operand[] = guarded.map((d) => ({
    kind: 'index',
    offset: -padding[d]!,
    strides: domain.map((_, k) => (k === 2 + d ? stride[d]! : k === 2 + out.length + d ? dilation[d]! : 0)),
  }));
  const elements = lower.map(
    [],
    lower.dtype(x),
    ([read, ...at], type) => {
      const inside = at.map((index, k) => `${index.text} >= 0 && ${index.text} < ${x.shape[2 + guarded[k]!]}`);
      return inside.length ? `(${inside.join(' && ')} ? ${read!.at('0')} : ${literal(outside, type)})` : read!.at('0');
    },
    {
      label: 'window',
      shape: domain,
      virtual: true,
      more: [{ kind: 'load', lazy: true, value: x.value, strides, offset }, ...positions],
    },
  );
  const axes = domain.map((_, d) => d).slice(outputShape.length);
  const windowed = kernel.map((_, d) => ({
    ...{ size: x.shape[2 + d]!, stride: stride[d]!, dilation: dilation[d]!, padding: padding[d]! },
  }));
  return lower.reduce(lower.node.op, elements, axes, fold, { window: windowed });
}

function maxPool(lower: Lowering): void {
  const window = {
    kernel: lower.numbers('kernel'),
    stride: lower.numbers('stride'),
    padding: lower.numbers('padding'),
    dilation: lower.numbers('dilation'),
  };
  lower.output(pool(lower, window, 'max', -Infinity));
}

function averagePool(lower: Lowering): void {
  const x = lower.input(0);
  const kernel = lower.numbers('kernel');
  const window = {
    kernel,
    stride: lower.numbers('stride'),
    padding: lower.numbers('padding'),
    dilation: kernel.map(() => 1),
  };
  const total = pool(lower, window, 'sum', 0);
  const shape = lower.outputShape();
  // The divisor depends on the position only along dimensions whose windows reach past the edge.
  const counts = window.kernel.map((size, d) =>
    Array.from({ length: shape[2 + d]! }, (_, o) =>
      averagedElements(o, {
        ...{ size: x.shape[2 + d]!, kernel: size, stride: window.stride[d]!, padding: window.padding[d]! },
        includePad: lower.has('count_include_pad'),
      }),
    ),
  );
  lower.output(averaged(lower, total, counts));
}

/** Elements that output o of a strided window divides by along one dimension. */
export function averagedElements(
  o: number,
  window: { size: number; kernel: number; stride: number; padding: number; includePad: boolean },
): number {
  const { size, kernel, stride, padding, includePad } = window;
  const start = o * stride - padding;
  return Math.min(start + kernel, includePad ? size + padding : size) - (includePad ? start : Math.max(start, 0));
}

/** Sums over windows divided by `counts[d][o]` along each of the last dimensions, or by the node's own divisor. */
function averaged(lower: Lowering, total: View, counts: readonly (readonly number[])[]): View {
  const { shape } = total;
  const first = shape.length - counts.length;
  const fixed = lower.node.attributes.divisor;
  const dtype = lower.dtype(total);
  if (typeof fixed === 'number' || counts.every((own) => own.every((count) => count === own[0]))) {
    const divisor = typeof fixed === 'number' ? fixed : product(counts.map((own) => own[0]!));
    return lower.compute('average', [total], dtype, ([s], type) => `${s} / ${literal(divisor, type)}`);
  }
  const tables = counts.map((own, d) => {
    const along = lower.table(own, dtype, [own.length]);
    return lower.reshape(
      along,
      shape.map((_, k) => (k === first + d ? own.length : 1)),
    );
  });
  return lower.compute('average', [total, ...tables], dtype, ([s, ...by]) => `${s} / (${by.join(' * ')})`);
}

/** Window o of an adaptive dimension: floor(o*in/out) up to ceil((o+1)*in/out). */
export function adaptiveSpan(o: number, size: number, outputs: number): { first: number; count: number } {
  const first = Math.floor((o * size) / outputs);
  return { first, count: Math.ceil(((o + 1) * size) / outputs) - first };
}

/** Windows of equal size where the output size divides the input's; otherwise listed ones. */
const adaptive =
  (fold: 'sum' | 'max'): Rule =>
  (lower) => {
    const x = lower.input(0);
    const outputs = lower.numbers('output_size');
    const first = x.shape.length - outputs.length;
    const size = x.shape.slice(first);
    const spans = outputs.map((count, d) =>
      Array.from({ length: count }, (_, o) => ({ ...adaptiveSpan(o, size[d]!, count), step: 1 })),
    );
    const outside = fold === 'sum' ? 0 : -Infinity;
    let folded: View;
    if (first === 2 && outputs.every((count, d) => size[d]! % count === 0)) {
      const kernel = outputs.map((count, d) => size[d]! / count);
      const none = kernel.map(() => 0);
      folded = pool(lower, { kernel, stride: kernel, padding: none, dilation: kernel.map(() => 1) }, fold, outside);
    } else {
      const dimensions = outputs.map(
        (count, d): TappedDimension => ({ dim: first + d, taps: windowTaps(count, size[d]!, (o) => spans[d]![o]!) }),
      );
      folded = foldTaps(lower, [x], dimensions, { label: lower.node.op, fold, outside });
    }
    const counts = spans.map((own) => own.map(({ count }) => count));
    lower.output(fold === 'sum' ? averaged(lower, folded, counts) : folded);
  };

/** The taps of an interpolate node over an input with these spatial sizes. */
export function interpolationTaps(lower: Lowering, size: readonly number[]): TappedDimension[] {
  const scales = lower.node.attributes.scales;
  return lower.numbers('output_size').map((outputs, d) => {
    const scale = Array.isArray(scales) && typeof scales[d] === 'number' ? scales[d] : null;
    const mode = String(lower.node.attributes.mode);
    const { per, index, weight } = interpolationWeights(mode, size[d]!, outputs, scale, lower.has('align_corners'));
    const taps = Array.from({ length: outputs }, (_, o) =>
      Array.from({ length: per }, (_, t) => ({ at: index[o * per + t]!, weight: weight[o * per + t]! })),
    );
    return { dim: 2 + d, taps };
  });
}

/** Weighted reads of few neighbours; the places and weights of each output position are tables. */
function interpolate(lower: Lowering): void {
  const x = lower.input(0);
  const dimensions = interpolationTaps(lower, x.shape.slice(2));
  lower.output(foldTaps(lower, [x], dimensions, { label: 'interpolate', fold: 'sum', outside: 0 }));
}

/** im2col: [N, C*kh*kw, rows*across], zero where a window reaches past the edge. */
function imageToColumns(lower: Lowering): void {
  const x = lower.input(0);
  const [kernel, stride] = [lower.numbers('kernel'), lower.numbers('stride')];
  const [padding, dilation] = [lower.numbers('padding'), lower.numbers('dilation')];
  const counts = kernel.map((k, d) => {
    const room = x.shape[2 + d]! + 2 * padding[d]! - dilation[d]! * (k - 1) - 1;
    return Math.floor(room / stride[d]!) + 1;
  });
  const spatial = x.strides.slice(2);
  const shape = [x.shape[0]!, x.shape[1]!, ...kernel, ...counts];
  const along = (d: number, ofKernel: number, ofWindow: number) =>
    shape.map((_, k) => (k === 2 + d ? ofKernel : k === 4 + d ? ofWindow : 0));
  const strides = [
    ...x.strides.slice(0, 2),
    ...spatial.map((own, d) => own * dilation[d]!),
    ...spatial.map((own, d) => own * stride[d]!),
  ];
  const offset = x.offset - spatial.reduce((sum, own, d) => sum + own * padding[d]!, 0);
  const guarded = kernel.map((_, d) => d).filter((d) => padding[d]! > 0);
  const columns = lower.map(
    [],
    lower.dtype(x),
    ([read, ...at], type) => {
      const inside = at.map((index, k) => `${index.text} >= 0 && ${index.text} < ${x.shape[2 + guarded[k]!]}`);
      return inside.length > 0 ? `(${inside.join(' && ')} ? ${read!.at('0')} : ${literal(0, type)})` : read!.at('0');
    },
    {
      ...{ label: 'im2col', shape },
      more: [
        { kind: 'load', lazy: true, value: x.value, strides, offset },
        ...guarded.map(
          (d): Operand => ({ kind: 'index', offset: -padding[d]!, strides: along(d, dilation[d]!, stride[d]!) }),
        ),
      ],
    },
  );
  lower.output(lower.reshape(columns, lower.outputShape()));
}

export const windowRules: Readonly<Record<string, Rule>> = {
  max_pool1d: maxPool,
  max_pool2d: maxPool,
  max_pool3d: maxPool,
  avg_pool1d: averagePool,
  avg_pool2d: averagePool,
  avg_pool3d: averagePool,
  adaptive_avg_pool: adaptive('sum'),
  adaptive_max_pool: adaptive('max'),
  interpolate,
  im2col: imageToColumns,
};
