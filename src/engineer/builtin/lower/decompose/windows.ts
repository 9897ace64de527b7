/** Pooling: a guarded read over (outputs x window), folded. */
import type { Operand, View } from '../program.ts';
import { literal } from '../scalar.ts';
import { product } from '../strides.ts';
import type { Lowering } from './context.ts';
import type { Rule } from './pointwise.ts';

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
  return lower.reduce(lower.node.op, elements, domain.map((_, d) => d).slice(outputShape.length), fold);
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
  const fixed = lower.node.attributes.divisor;
  // The divisor depends on the position only along dimensions whose windows reach past the edge.
  const counts = window.kernel.map((size, d) =>
    Array.from({ length: shape[2 + d]! }, (_, o) => {
      const start = o * window.stride[d]! - window.padding[d]!;
      const inputSize = x.shape[2 + d]!;
      const countPad = lower.has('count_include_pad');
      const low = countPad ? start : Math.max(start, 0);
      const high = Math.min(start + size, countPad ? inputSize + window.padding[d]! : inputSize);
      return high - low;
    }),
  );
  const dtype = lower.dtype(total);
  if (typeof fixed === 'number' || counts.every((own) => own.every((count) => count === own[0]))) {
    const divisor = typeof fixed === 'number' ? fixed : product(counts.map((own) => own[0]!));
    lower.output(lower.compute('average', [total], dtype, ([s], type) => `${s} / ${literal(divisor, type)}`));
    return;
  }
  const tables = counts.map((own, d) => {
    const along = lower.table(own, dtype, [own.length]);
    return lower.reshape(
      along,
      shape.map((_, k) => (k === 2 + d ? own.length : 1)),
    );
  });
  lower.output(lower.compute('average', [total, ...tables], dtype, ([s, ...by]) => `${s} / (${by.join(' * ')})`));
}

/** Windows of equal size where the output size divides the input's. */
const adaptive =
  (fold: 'sum' | 'max'): Rule =>
  (lower) => {
    const x = lower.input(0);
    const size = lower.numbers('output_size');
    const input = x.shape.slice(x.shape.length - size.length);
    if (x.shape.length !== size.length + 2) lower.fail('an input that is not [N, C, ...]');
    if (size.some((out, d) => input[d]! % out !== 0))
      lower.fail(`output size [${size}] does not divide the input's [${input}]: windows of unequal size`);
    const kernel = size.map((out, d) => input[d]! / out);
    const none = kernel.map(() => 0);
    const window = { kernel, stride: kernel, padding: none, dilation: kernel.map(() => 1) };
    const folded = pool(lower, window, fold, 0);
    if (fold === 'max') return lower.output(folded);
    const dtype = lower.dtype(folded);
    lower.output(lower.compute('average', [folded], dtype, ([s], type) => `${s} / ${literal(product(kernel), type)}`));
  };

export const windowRules: Readonly<Record<string, Rule>> = {
  max_pool1d: maxPool,
  max_pool2d: maxPool,
  max_pool3d: maxPool,
  avg_pool1d: averagePool,
  avg_pool2d: averagePool,
  avg_pool3d: averagePool,
  adaptive_avg_pool: adaptive('sum'),
  adaptive_max_pool: adaptive('max'),
};
