/**
 * Gradients of windows: what a window gave comes back to its elements. A maximum's goes to the element that PyTorch's scan takes (the first of equals in
 * row-major order, and a NaN before all else); an average's is shared out; columns (im2col) are added back.
 */
import type { TensorSpec } from '../types.ts';
import type { Arithmetic } from './arithmetic.ts';
import type { Attributes, Operator } from './operator.ts';
import { expectDtype, expectFloating, expectOperands, expectShape } from './operator.ts';
import { elementCount } from './tensor.ts';
import type { Pool, Span } from './window.ts';
import { adaptive, convolvedSize, coveredCount, forEachWindow, listedSpans, windowedShape } from './window.ts';

type Spans = Pool['spans'];

/** Spans by the lists' own length: one operator serves one to three dimensions. */
const byLists =
  (dilated: boolean): Spans =>
  (shape, attributes) => {
    const spatial = attributes.integers('kernel', 1).length;
    if (spatial < 1 || spatial > 3 || shape.length !== spatial + 2)
      throw new Error(`It takes [N, C] and one to three more dimensions, not [${shape.join(', ')}].`);
    return listedSpans(spatial, dilated)(shape, attributes);
  };

/** The place of the extreme in a window, by PyTorch's scan. */
function winner(values: Float64Array, offsets: Int32Array, count: number): number {
  let best = offsets[0]!;
  for (let i = 1; i < count; i++) {
    const x = values[offsets[i]!]!;
    if (x > values[best]! || Number.isNaN(x)) best = offsets[i]!;
  }
  return best;
}

function maxBackward(name: string, spansOf: Spans): Operator {
  return {
    name,
    kind: 'window',
    infer(inputs, attributes) {
      expectOperands(inputs, 2);
      const [x, grad] = inputs as readonly [TensorSpec, TensorSpec];
      expectFloating(x);
      expectDtype(grad, x.dtype, 'gradient');
      expectShape(grad, windowedShape(x.shape, spansOf(x.shape, attributes)), 'gradient');
      return [x];
    },
    evaluate([x, grad], attributes, a) {
      const out = new Float64Array(x!.values.length);
      forEachWindow(x!.spec.shape, spansOf(x!.spec.shape, attributes), (at, offsets, count) => {
        if (count === 0) return;
        const to = winner(x!.values, offsets, count);
        out[to] = a.round(out[to]! + grad!.values[at]!);
      });
      return [out];
    },
    operations: (inputs, attributes) => windowOperations(inputs[0]!.shape, spansOf(inputs[0]!.shape, attributes)),
    reads(inputs, attributes, outputs, [demand]) {
      if (demand! < elementCount(outputs[0]!.shape)) return [0, 0];
      const { shape } = inputs[0]!;
      const spans = spansOf(shape, attributes);
      // A window of one element has its maximum there, whatever it is.
      const single = windowsOfOne(spans) * elementCount(shape.slice(0, shape.length - spans.length));
      return [Math.max(0, coveredCount(shape, spans) - single), elementCount(inputs[1]!.shape)];
    },
  };
}

/** Windows with one element, of one plane. */
function windowsOfOne(spans: readonly Span[][]): number {
  return spans.reduce((n, list) => n * list.filter((span) => span.count <= 1).length, 1);
}

function windowOperations(shape: readonly number[], spans: readonly Span[][]) {
  const window = spans.reduce((n, list) => n * Math.max(1, ...list.map((s) => s.count)), 1);
  return { arithmetic: elementCount(windowedShape(shape, spans)) * window, special: 0, contraction: 0 };
}

/** The shape of x, which the operator is given as an attribute because it needs none of its values. */
function sizeOf(attributes: Attributes): number[] {
  return attributes.integers('size');
}

function averageBackward(
  name: string,
  spansOf: Spans,
  share: (attributes: Attributes, a: Arithmetic) => (grad: number, count: number, padded: number) => number,
): Operator {
  return {
    name,
    kind: 'window',
    infer(inputs, attributes) {
      expectOperands(inputs, 1);
      expectFloating(inputs[0]!);
      const size = sizeOf(attributes);
      expectShape(inputs[0], windowedShape(size, spansOf(size, attributes)), 'gradient');
      return [{ shape: size, dtype: inputs[0]!.dtype }];
    },
    evaluate([grad], attributes, a, outputs) {
      const { shape } = outputs[0]!;
      const out = new Float64Array(elementCount(shape));
      const each = share(attributes, a);
      forEachWindow(shape, spansOf(shape, attributes), (at, offsets, count, padded) => {
        const part = each(grad!.values[at]!, count, padded);
        for (let i = 0; i < count; i++) out[offsets[i]!] = a.round(out[offsets[i]!]! + part);
      });
      return [out];
    },
    operations: (_inputs, attributes) => windowOperations(sizeOf(attributes), spansOf(sizeOf(attributes), attributes)),
    reads: (inputs, _attributes, outputs, [demand]) => [
      demand! < elementCount(outputs[0]!.shape) ? 0 : elementCount(inputs[0]!.shape),
    ],
  };
}

/** Columns added back to the image they were taken from: the transpose of im2col, PyTorch's `fold`. */
const col2im: Operator = {
  name: 'col2im',
  kind: 'window',
  infer(inputs, attributes) {
    expectOperands(inputs, 1);
    expectFloating(inputs[0]!);
    const size = attributes.integers('size', 0, 4);
    const { taps, positions } = columnsOf(size, attributes);
    expectShape(inputs[0], [size[0]!, size[1]! * taps, positions], 'columns');
    return [{ shape: size, dtype: inputs[0]!.dtype }];
  },
  evaluate([x], attributes, a, outputs) {
    const [n, c, h, w] = outputs[0]!.shape as readonly [number, number, number, number];
    const [kh, kw] = attributes.integers('kernel', 1, 2) as [number, number];
    const [sh, sw] = attributes.integers('stride', 1, 2) as [number, number];
    const [ph, pw] = attributes.integers('padding', 0, 2) as [number, number];
    const [dh, dw] = attributes.integers('dilation', 1, 2) as [number, number];
    const { rows, across } = columnsOf(outputs[0]!.shape, attributes);
    const out = new Float64Array(n * c * h * w);
    let at = 0;
    for (let plane = 0; plane < n * c; plane++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          for (let r = 0; r < rows; r++) {
            const y = r * sh - ph + i * dh;
            for (let q = 0; q < across; q++, at++) {
              const z = q * sw - pw + j * dw;
              if (y < 0 || y >= h || z < 0 || z >= w) continue;
              const to = (plane * h + y) * w + z;
              out[to] = a.round(out[to]! + x!.values[at]!);
            }
          }
        }
      }
    }
    return [out];
  },
  operations: (inputs) => ({ arithmetic: elementCount(inputs[0]!.shape), special: 0, contraction: 0 }),
  // Columns may lie in the padding.
  reads: () => [0],
};

function columnsOf(size: readonly number[], attributes: Attributes) {
  const [kernel, stride, padding, dilation] = ['kernel', 'stride', 'padding', 'dilation'].map((name) =>
    attributes.integers(name, name === 'padding' ? 0 : 1, 2),
  ) as [number[], number[], number[], number[]];
  const [rows, across] = kernel.map((k, d) =>
    convolvedSize(size[d + 2]!, k, stride[d]!, padding[d]!, dilation[d]!),
  ) as [number, number];
  return { rows, across, positions: rows * across, taps: kernel[0]! * kernel[1]! };
}

/** max_pool_backward, avg_pool_backward, their adaptive forms, col2im. */
export const windowBackwardOperators: readonly Operator[] = [
  maxBackward('max_pool_backward', byLists(true)),
  maxBackward('adaptive_max_pool_backward', adaptive),
  averageBackward('avg_pool_backward', byLists(false), (attributes, a) => {
    const includePad = attributes.boolean('count_include_pad');
    const divisor = attributes.numberOrNull('divisor');
    return (grad, count, padded) => a.divide(grad, divisor ?? (includePad ? padded : count));
  }),
  averageBackward('adaptive_avg_pool_backward', adaptive, (_, a) => (grad, count) => a.divide(grad, count)),
  col2im,
];
